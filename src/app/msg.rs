//! Everything that enters `update`.

use super::key::Key;
use super::viewports::Viewports;
use crate::domain::intent::Intent;
use crate::domain::object::Text;
use crate::engine::protocol::{Request, Update};

/// One thing that happened.
#[derive(Clone, Debug, PartialEq)]
pub enum Msg {
    /// The program starts; the first frame has been asked for.
    Start,
    Key(Key),
    /// Pasted text; never read as keys.
    Paste(String),
    Resize {
        columns: u16,
        rows: u16,
    },
    Focus(bool),
    /// The draw reported other sizes than before.
    Viewports(Viewports),
    /// The engine reported something.
    Update(Box<Update>),
    /// A deadline passed: ages, toasts.
    Tick,
    /// The engine could not take a request, because too many wait.
    Refused(Box<Request>),
    /// The engine is gone.
    EngineGone,
    /// A file was written, or the sentence that says why not.
    Saved(Result<Text, Text>),
    /// Text went to the clipboard, or the sentence that says why not.
    Copied(Result<Text, Text>),
    /// The editor was closed: the intent with its manifest, `None` when nothing was changed.
    Edited(Result<Option<Box<Intent>>, Text>),
    /// A line as if it were typed after `:` and accepted.
    Obey(String),
    /// Something to tell at the start, such as a mistake in a configuration file.
    Notice(Text),
    /// SIGINT, SIGTERM or SIGHUP.
    Terminated,
}
