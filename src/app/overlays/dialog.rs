//! The dialog before a change: what will be done, to what, and what the controller does next.
//!
//! The focus starts on Cancel, or on the text that the intent is about. The preview is made anew
//! with each change of a field, so that it always tells what confirming would do now.

use crate::domain::image::{FileChange, ImagePlan};
use crate::domain::intent::{Risk, SyncResource};
use crate::domain::object::{ObjectRef, Text, Uid};
use crate::domain::pipeline::Parameter;
use crate::domain::pipeline::template::RunTemplate;
use tui_input::Input;

/// An intent being composed.
#[derive(Debug)]
pub struct Dialog {
    /// The verb: `Sync`, `Delete`.
    pub title: String,
    pub(in crate::app) form: Form,
    /// What it is aimed at, in display order.
    pub targets: Vec<Target>,
    /// Label and text: object, cluster, revision.
    pub facts: Vec<(String, String)>,
    /// What happens when it is confirmed, sentence by sentence.
    pub preview: Vec<String>,
    /// Lines of files in git that change when it is confirmed.
    pub changes: Vec<FileChange>,
    pub fields: Vec<Field>,
    /// Objects of the Application that may be synced alone; empty for everything.
    pub resources: Vec<SyncResource>,
    pub confirmation: Option<Confirmation>,
    pub focus: Focus,
    pub risk: Risk,
    /// Why it cannot be confirmed as it is.
    pub problem: Option<String>,
    /// First visible field, when they do not all fit.
    pub offset: usize,
}

/// One object that the intent is aimed at.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Target {
    pub object: ObjectRef,
    pub uid: Option<Uid>,
}

/// Which intent the fields make.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::app) enum Form {
    Sync,
    Terminate,
    Rollback {
        history_id: i64,
        to: Text,
    },
    /// Auto-sync, self-heal and prune as they are; absent where the chosen ones differ.
    Switches {
        was: [Option<bool>; 3],
    },
    DeleteApplication,
    ConfirmDeletion,
    Restart,
    Scale,
    Delete,
    Replace {
        manifest: Text,
    },
    /// A Rollout goes back to one of these revisions; empty: the one before.
    Undo {
        revisions: Vec<i64>,
    },
    SetImage {
        containers: Vec<Text>,
    },
    /// An image is set by a commit or by a patch; a plan for each target.
    ImageRoute {
        plans: Vec<ImagePlan>,
    },
    Silence,
    /// An image or an account of a registry.
    Image(ImageForm),
    /// A run is made from a template.
    Submit {
        template: Box<RunTemplate>,
    },
    /// A run goes on: from one node (id and label), or from all that wait.
    Resume {
        node: Option<(Text, Text)>,
        wanted: Vec<Parameter>,
    },
    /// A run of Tekton ends.
    Cancel,
    /// An event of a source is made up.
    TestEvent {
        events: Vec<Text>,
        event: Option<Text>,
    },
    /// Any intent without options, or one that was typed in words.
    Worded(Box<crate::domain::intent::Verb>),
}

/// Which intent on a registry the fields make.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::app) enum ImageForm {
    Tag,
    Untag {
        tags: Vec<Text>,
    },
    Copy,
    /// Projects that are known by name.
    CreateRobot {
        projects: Vec<Text>,
    },
}

/// Where keys go.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Focus {
    Field(usize),
    Confirmation,
    Cancel,
    Confirm,
}

/// One option of the intent.
#[derive(Clone, Debug)]
pub struct Field {
    pub id: FieldId,
    pub label: Text,
    pub value: FieldValue,
    /// A short explanation; empty when the label says it all.
    pub hint: Text,
}

/// Names a field.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum FieldId {
    Revision,
    Prune,
    DryRun,
    Force,
    ApplyOnly,
    /// Whether `Option` fields replace the spec's sync options.
    ReplaceOptions,
    /// A sync option such as `ServerSideApply=true`.
    Option(&'static str),
    /// One object of a selective sync, by its index among [`Dialog::resources`].
    Resource(usize),
    AutoSync,
    SelfHeal,
    Replicas,
    Cascade,
    Propagation,
    ToRevision,
    Container,
    Image,
    Matchers,
    Length,
    Comment,
    /// A parameter of a run, by its number.
    Parameter(usize),
    Way,
    Event,
    Payload,
    RunNamespace,
}

/// A value being edited.
#[derive(Clone, Debug)]
pub enum FieldValue {
    Toggle(bool),
    Text(Input),
    Choice { options: Vec<Text>, chosen: usize },
}

/// A word to type before a destroying intent in a protected context.
#[derive(Clone, Debug)]
pub struct Confirmation {
    /// What has to be typed: the object's name, or the count of objects.
    pub must_type: String,
    pub typed: Input,
}

impl Confirmation {
    /// Returns whether the word has been typed.
    pub fn is_given(&self) -> bool {
        self.typed.value() == self.must_type
    }
}
