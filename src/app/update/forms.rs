//! The fields of each dialog, and the intents they make.

#![allow(
    clippy::wildcard_enum_match_arm,
    reason = "fields of other kinds do not take part"
)]

use super::images;
use super::preview::{short, word_of};
use super::rollouts;
use super::runs;
use super::set_image;
use super::subject::application_row;
use crate::app::overlays::dialog::{Dialog, Field, FieldId, FieldValue, Form, Target};
use crate::app::state::State;
use crate::domain::application::AutoSync;
use crate::domain::intent::{
    Cascade, Intent, Propagation, SilenceRequest, Switch, SyncRequest, Verb,
};
use crate::domain::object::Text;
use tui_input::Input;

/// Sync options that a dialog offers (Argo CD, "Sync Options").
const OPTIONS: &[&str] = &[
    "CreateNamespace=true",
    "ServerSideApply=true",
    "ApplyOutOfSyncOnly=true",
    "PruneLast=true",
    "Replace=true",
    "Validate=false",
];
const CASCADES: &[&str] = &["foreground", "background", "none: keep what it manages"];
const PROPAGATIONS: &[&str] = &["background", "foreground", "orphan"];

/// Returns the fields of a dialog as they are at first.
pub(super) fn fields(
    state: &State,
    form: &Form,
    targets: &[Target],
    resources: usize,
) -> Vec<Field> {
    match form {
        Form::Sync => sync_fields(resources),
        Form::Rollback { .. } => vec![
            toggle(
                FieldId::Prune,
                "Prune",
                false,
                "delete what that revision has not",
            ),
            toggle(FieldId::DryRun, "Dry run", false, "only check"),
        ],
        Form::Switches { was } => vec![
            switch(
                FieldId::AutoSync,
                "Auto-sync",
                was[0],
                "apply git by itself",
            ),
            switch(
                FieldId::SelfHeal,
                "Self-heal",
                was[1],
                "revert changes made elsewhere",
            ),
            switch(FieldId::Prune, "Prune", was[2], "delete what left git"),
        ],
        Form::DeleteApplication => vec![choice(FieldId::Cascade, "Cascade", CASCADES)],
        Form::Delete => vec![
            choice(FieldId::Propagation, "Dependents", PROPAGATIONS),
            toggle(FieldId::Force, "Force", false, "without a grace period"),
        ],
        Form::Scale => vec![Field {
            id: FieldId::Replicas,
            label: "Replicas".into(),
            value: FieldValue::Text(Input::new(replicas_now(state, targets))),
            hint: "0 stops it".into(),
        }],
        Form::Undo { revisions } if revisions.is_empty() => Vec::new(),
        Form::Undo { .. } => {
            let words = targets
                .first()
                .map(|one| rollouts::revisions(state, &one.object));
            let words: Vec<Text> = words.into_iter().flatten().map(|(_, text)| text).collect();
            vec![choice(FieldId::ToRevision, "To revision", &words)]
        }
        Form::SetImage { containers } => image_fields(state, targets, containers),
        Form::ImageRoute { plans } => set_image::fields(plans),
        Form::Image(form) => images::fields(form),
        Form::Silence => silence_fields(state),
        Form::Submit { .. } | Form::Resume { .. } | Form::Cancel | Form::TestEvent { .. } => {
            runs::fields(state, form)
        }
        Form::Terminate
        | Form::ConfirmDeletion
        | Form::Restart
        | Form::Replace { .. }
        | Form::Worded(_) => Vec::new(),
    }
}

fn typed(id: FieldId, label: &str, value: String, hint: &str) -> Field {
    Field {
        id,
        label: label.into(),
        value: FieldValue::Text(Input::new(value)),
        hint: hint.into(),
    }
}

fn image_fields(state: &State, targets: &[Target], containers: &[Text]) -> Vec<Field> {
    let first = targets.first();
    let images = first.map(|target| set_image::images_of(state, &target.object));
    let now = images.into_iter().flatten().next();
    let image = now.map(|(_, image)| image.to_string()).unwrap_or_default();
    let mut fields = Vec::new();
    if containers.len() > 1 {
        fields.push(choice(FieldId::Container, "Container", containers));
    }
    let hint = if image.is_empty() {
        ":TAG keeps the rest"
    } else {
        ""
    };
    fields.push(typed(FieldId::Image, "Image", image, hint));
    fields
}

fn silence_fields(state: &State) -> Vec<Field> {
    let matchers = rollouts::current_alert(state).map(|alert| {
        let words = alert.matchers().into_iter().map(|matcher| matcher.words());
        words.collect::<Vec<_>>().join(" ")
    });
    vec![
        typed(
            FieldId::Matchers,
            "Matchers",
            matchers.unwrap_or_default(),
            "",
        ),
        typed(
            FieldId::Length,
            "For",
            "2h".to_owned(),
            "such as 30m, 2h, 1d",
        ),
        typed(FieldId::Comment, "Comment", String::new(), "why"),
    ]
}

fn sync_fields(resources: usize) -> Vec<Field> {
    let mut fields = vec![
        Field {
            id: FieldId::Revision,
            label: "Revision".into(),
            value: FieldValue::Text(Input::default()),
            hint: "empty: the target revision".into(),
        },
        toggle(FieldId::Prune, "Prune", false, "delete what left git"),
        toggle(FieldId::DryRun, "Dry run", false, "only check"),
        toggle(
            FieldId::Force,
            "Force",
            false,
            "delete and create again where needed",
        ),
        toggle(FieldId::ApplyOnly, "Apply only", false, "skip hooks"),
    ];
    fields.extend((0..resources).map(|number| {
        let mut field = toggle(FieldId::Resource(number), "", true, "");
        field.hint = "only what is ticked".into();
        field
    }));
    fields.push(toggle(
        FieldId::ReplaceOptions,
        "Own sync options",
        false,
        "instead of those of the spec",
    ));
    let options = OPTIONS.iter();
    fields.extend(options.map(|option| toggle(FieldId::Option(option), option, false, "")));
    fields
}

fn toggle(id: FieldId, label: &str, on: bool, hint: &str) -> Field {
    Field {
        id,
        label: label.into(),
        value: FieldValue::Toggle(on),
        hint: hint.into(),
    }
}

/// What a switch may become where it is not the same everywhere.
const SWITCHED: [&str; 3] = ["as it is", "on", "off"];

/// A toggle; where the chosen ones differ, a choice that begins with leaving them alone.
fn switch(id: FieldId, label: &str, was: Option<bool>, hint: &str) -> Field {
    match was {
        Some(on) => toggle(id, label, on, hint),
        None => choice(id, label, &SWITCHED),
    }
}

/// Returns what a switch is wanted to be; absent to leave it as it is.
fn switched(dialog: &Dialog, id: &FieldId) -> Option<bool> {
    match field(dialog, id).map(|field| &field.value)? {
        FieldValue::Toggle(on) => Some(*on),
        FieldValue::Choice { chosen: 1, .. } => Some(true),
        FieldValue::Choice { chosen: 2, .. } => Some(false),
        FieldValue::Choice { .. } | FieldValue::Text(_) => None,
    }
}

fn choice<T: AsRef<str>>(id: FieldId, label: &str, options: &[T]) -> Field {
    Field {
        id,
        label: label.into(),
        value: FieldValue::Choice {
            options: options
                .iter()
                .map(|option| option.as_ref().into())
                .collect(),
            chosen: 0,
        },
        hint: "".into(),
    }
}

/// What the server's table says is wanted: `2/3` wants 3.
fn replicas_now(state: &State, targets: &[Target]) -> String {
    let row = targets.first().and_then(|target| {
        let table = state.store.table(&target.object.kind)?;
        let columns = table.columns()?;
        let wanted = ["Ready", "Desired"];
        let number = columns
            .iter()
            .position(|column| wanted.iter().any(|name| *column.name == **name))?;
        table.find(&target.object)?.generic()?.cells.get(number)
    });
    let cell = row.map(|cell| &**cell).unwrap_or_default();
    let digits = cell.rsplit('/').next().unwrap_or_default();
    digits.chars().filter(char::is_ascii_digit).collect()
}

/// Returns what confirming would ask for now.
///
/// # Errors
/// A sentence that says why it cannot be asked like this.
pub(super) fn intents(state: &State, dialog: &Dialog) -> Result<Vec<Intent>, String> {
    let mut intents = Vec::new();
    for target in &dialog.targets {
        for verb in verbs(state, dialog, target)? {
            intents.push(Intent {
                target: target.object.clone(),
                uid: target.uid.clone(),
                verb,
            });
        }
    }
    let mut objections = Vec::new();
    intents.retain(|intent| {
        let objection = rollouts::objection(state, &intent.target, &intent.verb)
            .or_else(|| runs::objection(state, &intent.target, &intent.verb))
            .or_else(|| images::objection(state, intent));
        let fine = objection.is_none();
        objections.extend(objection);
        fine
    });
    match (intents.is_empty(), objections.first()) {
        (false, _) => Ok(intents),
        (true, Some(objection)) => Err(objection.clone()),
        (true, None) => Err("nothing would change".to_owned()),
    }
}

fn verbs(state: &State, dialog: &Dialog, target: &Target) -> Result<Vec<Verb>, String> {
    let value = |id: &FieldId| value_of(dialog, id);
    let place = |id: &FieldId| chosen(dialog, id);
    if let Some(verb) = runs::verb_of(&dialog.form, &value, &place)? {
        return Ok(vec![Verb::Run(verb)]);
    }
    Ok(vec![match &dialog.form {
        Form::Sync => Verb::Sync(sync_request(state, dialog, target)?),
        Form::Terminate => Verb::Terminate,
        Form::Rollback { history_id, .. } => {
            refuse_automated(state, target, "roll back")?;
            Verb::Rollback {
                history_id: *history_id,
                prune: is_on(dialog, &FieldId::Prune),
                dry_run: is_on(dialog, &FieldId::DryRun),
            }
        }
        Form::Switches { .. } => return switch_verbs(state, dialog, target),
        Form::DeleteApplication => {
            Verb::DeleteApplication(match chosen(dialog, &FieldId::Cascade) {
                0 => Cascade::Foreground,
                1 => Cascade::Background,
                _ => Cascade::NonCascading,
            })
        }
        Form::ConfirmDeletion => Verb::ConfirmDeletion,
        Form::Restart => Verb::Restart,
        Form::Scale => Verb::Scale {
            replicas: replicas(dialog)?,
        },
        Form::Delete => Verb::Delete {
            propagation: match chosen(dialog, &FieldId::Propagation) {
                0 => Propagation::Background,
                1 => Propagation::Foreground,
                _ => Propagation::Orphan,
            },
            force: is_on(dialog, &FieldId::Force),
        },
        Form::Replace { manifest } => Verb::Replace {
            manifest: manifest.clone(),
        },
        Form::Undo { revisions } => Verb::Undo {
            revision: revisions.get(chosen(dialog, &FieldId::ToRevision)).copied(),
        },
        Form::SetImage { containers } => image_verb(state, dialog, (target, containers))?,
        Form::ImageRoute { plans } => {
            let way = chosen(dialog, &FieldId::Way);
            return Ok(set_image::verbs(plans, target, way));
        }
        Form::Image(form) => Verb::Image(images::verb_of(form, &value)?),
        Form::Silence => silence_verb(dialog)?,
        Form::Worded(verb) => (**verb).clone(),
        Form::Submit { .. } | Form::Resume { .. } | Form::Cancel | Form::TestEvent { .. } => {
            return Ok(Vec::new());
        }
    }])
}

fn image_verb(
    state: &State,
    dialog: &Dialog,
    (target, containers): (&Target, &[Text]),
) -> Result<Verb, String> {
    let image = text(dialog, &FieldId::Image);
    if image.is_empty() || image.contains(char::is_whitespace) {
        return Err("write an image, such as `registry.example.com/team/app:1.2.3`".to_owned());
    }
    let container = containers.get(chosen(dialog, &FieldId::Container));
    let container = container.cloned().unwrap_or_else(|| "*".into());
    let mut images = set_image::images_of(state, &target.object).into_iter();
    let same = images.any(|(name, now)| name == container && *now == *image);
    if same {
        return Err(format!("container `{container}` runs this image already"));
    }
    Ok(Verb::SetImage {
        container,
        image: image.into(),
    })
}

fn silence_verb(dialog: &Dialog) -> Result<Verb, String> {
    let comment = text(dialog, &FieldId::Comment);
    let request = SilenceRequest {
        matchers: rollouts::matchers_of(&text(dialog, &FieldId::Matchers))?,
        length_seconds: rollouts::length_of(&text(dialog, &FieldId::Length))?,
        comment: comment.as_str().into(),
    };
    if comment.is_empty() {
        return Err("write a comment: the next person will want to know why".to_owned());
    }
    Ok(Verb::Silence(request))
}

fn sync_request(state: &State, dialog: &Dialog, target: &Target) -> Result<SyncRequest, String> {
    let ticked = dialog.fields.iter().filter_map(|field| match field.id {
        FieldId::Resource(number) if is_on(dialog, &field.id) => {
            dialog.resources.get(number).cloned()
        }
        _ => None,
    });
    let resources: Vec<_> = ticked.collect();
    if resources.is_empty() && !dialog.resources.is_empty() {
        return Err("choose at least one object, or sync the whole Application".to_owned());
    }
    let typed = text(dialog, &FieldId::Revision);
    let revision: Option<Text> = (!typed.is_empty()).then(|| typed.into());
    if revision.is_some() && !is_on(dialog, &FieldId::DryRun) {
        refuse_automated(state, target, "sync to another revision")?;
    }
    let options: Vec<Text> = dialog
        .fields
        .iter()
        .filter_map(|field| match field.id {
            FieldId::Option(option) if is_on(dialog, &field.id) => Some(option.into()),
            _ => None,
        })
        .collect();
    Ok(SyncRequest {
        revision,
        prune: is_on(dialog, &FieldId::Prune),
        dry_run: is_on(dialog, &FieldId::DryRun),
        force: is_on(dialog, &FieldId::Force),
        apply_only: is_on(dialog, &FieldId::ApplyOnly),
        resources,
        sync_options: is_on(dialog, &FieldId::ReplaceOptions).then_some(options),
    })
}

/// Argo CD refuses both while auto-sync is on (`server/application/application.go`).
fn refuse_automated(state: &State, target: &Target, what: &str) -> Result<(), String> {
    let row = application_row(state, &target.object);
    if row.is_some_and(|app| app.auto_sync.on) {
        return Err(format!(
            "cannot {what} while auto-sync is on for `{}`; turn it off first",
            target.object.path()
        ));
    }
    Ok(())
}

fn switch_verbs(state: &State, dialog: &Dialog, target: &Target) -> Result<Vec<Verb>, String> {
    let row = application_row(state, &target.object);
    let now = row.map(|app| app.auto_sync).unwrap_or_default();
    let wanted = [
        (Switch::AutoSync, FieldId::AutoSync, now.on),
        (Switch::SelfHeal, FieldId::SelfHeal, now.self_heal),
        (Switch::Prune, FieldId::Prune, now.prune),
    ];
    let auto = switched(dialog, &FieldId::AutoSync).unwrap_or(now.on);
    let verbs: Vec<Verb> = wanted
        .into_iter()
        .filter_map(|(switch, field, is)| {
            let on = switched(dialog, &field).filter(|on| *on != is)?;
            Some(Verb::Switch { switch, on })
        })
        .collect();
    let needs_auto = verbs.iter().any(|verb| {
        matches!(
            verb,
            Verb::Switch {
                switch: Switch::SelfHeal | Switch::Prune,
                ..
            }
        )
    });
    if needs_auto && !auto && !now.present {
        return Err("self-heal and prune belong to auto-sync; turn it on as well".to_owned());
    }
    Ok(verbs)
}

/// The switches of all of these: auto-sync, self-heal, prune; absent where they differ.
pub(super) fn switches_of(all: &[AutoSync]) -> [Option<bool>; 3] {
    let same = |read: fn(&AutoSync) -> bool| {
        let first = all.first().map(read)?;
        all.iter().all(|auto| read(auto) == first).then_some(first)
    };
    [
        same(|auto| auto.on),
        same(|auto| auto.self_heal),
        same(|auto| auto.prune),
    ]
}

fn replicas(dialog: &Dialog) -> Result<u32, String> {
    let typed = text(dialog, &FieldId::Replicas);
    let number: Option<u32> = typed.parse().ok().filter(|number| *number <= 10_000);
    number.ok_or_else(|| format!("`{}` is not a number of replicas", short(&typed)))
}

fn field<'dialog>(dialog: &'dialog Dialog, id: &FieldId) -> Option<&'dialog Field> {
    dialog.fields.iter().find(|field| field.id == *id)
}

fn is_on(dialog: &Dialog, id: &FieldId) -> bool {
    matches!(
        field(dialog, id),
        Some(Field {
            value: FieldValue::Toggle(true),
            ..
        })
    )
}

/// What is typed or chosen in a field; nothing where there is none.
fn value_of(dialog: &Dialog, id: &FieldId) -> String {
    match field(dialog, id).map(|field| &field.value) {
        Some(FieldValue::Choice { options, chosen }) => options
            .get(*chosen)
            .map(ToString::to_string)
            .unwrap_or_default(),
        Some(FieldValue::Text(_)) => text(dialog, id),
        Some(FieldValue::Toggle(on)) => on.to_string(),
        None => String::new(),
    }
}

fn text(dialog: &Dialog, id: &FieldId) -> String {
    match field(dialog, id).map(|field| &field.value) {
        Some(FieldValue::Text(input)) => input.value().trim().to_owned(),
        Some(FieldValue::Toggle(_) | FieldValue::Choice { .. }) | None => String::new(),
    }
}

pub(super) fn chosen(dialog: &Dialog, id: &FieldId) -> usize {
    match field(dialog, id).map(|field| &field.value) {
        Some(FieldValue::Choice { chosen, .. }) => *chosen,
        Some(FieldValue::Toggle(_) | FieldValue::Text(_)) | None => 0,
    }
}

/// Returns what stands above the dialog.
pub(super) fn title(form: &Form) -> String {
    let title = match form {
        Form::Sync => "Sync",
        Form::Terminate => "Terminate the operation",
        Form::Rollback { .. } => "Roll back",
        Form::Switches { .. } => "Auto-sync, self-heal, prune",
        Form::DeleteApplication => "Delete Application",
        Form::ConfirmDeletion => "Confirm deletion",
        Form::Restart => "Restart",
        Form::Scale => "Scale",
        Form::Delete => "Delete",
        Form::Replace { .. } => "Replace by the edited manifest",
        Form::Undo { .. } => "Undo",
        Form::SetImage { .. } | Form::ImageRoute { .. } => "Set image",
        Form::Image(form) => images::title(form),
        Form::Silence => "Silence",
        Form::Submit { .. } => "Submit a run",
        Form::Resume { .. } => "Resume",
        Form::Cancel => "Cancel a run",
        Form::TestEvent { .. } => "Send a test event",
        Form::Worded(verb) => return word_of(verb),
    };
    title.to_owned()
}
