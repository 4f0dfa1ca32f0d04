//! What a dialog tells before it is confirmed: the object, the cluster, how things stand; and where
//! its keys go first.

use crate::app::overlays::dialog::{Field, Form, Target};
use crate::app::overlays::{FieldValue, Focus};
use crate::app::state::State;
use crate::app::update::subject::application_row;
use crate::app::update::{images, preview, rollouts, runs};
use crate::domain::application::Application;
use crate::domain::image::is_of_registries;
use crate::domain::kind::info_of;
use crate::domain::object::ObjectRef;

/// How many names a dialog spells out.
const NAMES: usize = 3;

/// Returns where keys go first: to the text without which the intent says nothing, else to Cancel.
pub(super) fn first_focus(form: &Form, fields: &[Field]) -> Focus {
    let writes = matches!(
        form,
        Form::Scale | Form::SetImage { .. } | Form::Silence | Form::Image(_)
    );
    if !writes {
        return Focus::Cancel;
    }
    let mut texts = fields
        .iter()
        .enumerate()
        .filter_map(|(number, field)| match &field.value {
            FieldValue::Text(input) => Some((number, input.value().is_empty())),
            FieldValue::Toggle(_) | FieldValue::Choice { .. } => None,
        });
    // What is still to be said comes before what may be changed.
    let first = texts.clone().find(|(_, empty)| *empty).or(texts.next());
    first.map_or(Focus::Cancel, |(number, _)| Focus::Field(number))
}

/// Returns an object's name for a dialog. The kinds that are known here need no API group, and a
/// name must not be cut for one.
fn name_of(object: &ObjectRef) -> String {
    if info_of(&object.kind).is_some() || is_of_registries(&object.kind) {
        return format!("{} {}", object.kind.kind, object.path());
    }
    object.to_string()
}

pub(super) fn facts(state: &State, form: &Form, targets: &[Target]) -> Vec<(String, String)> {
    let mut facts = Vec::new();
    let mut fact = |label: &str, text: String| facts.push((label.to_owned(), text));
    if let [one] = targets {
        fact("object", name_of(&one.object));
    } else {
        let names = targets
            .iter()
            .take(NAMES)
            .map(|target| target.object.path());
        let mut text = format!(
            "{}: {}",
            targets.len(),
            names.collect::<Vec<_>>().join(", ")
        );
        if targets.len() > NAMES {
            text = format!("{text} and {} more", targets.len() - NAMES);
        }
        fact("objects", text);
    }
    let protected = if state.is_protected() {
        " (protected)"
    } else {
        ""
    };
    fact(
        "cluster",
        format!("{}{protected}", state.link.context_name()),
    );
    if let Form::Rollback { history_id, to } = form {
        fact(
            "to",
            format!("{} (history entry {history_id})", preview::short(to)),
        );
    }
    let only = targets.first().filter(|_| targets.len() == 1);
    if let Some(row) = only.and_then(|target| rollouts::rollout_row(state, &target.object)) {
        fact("now", rollouts::standing(row, state.now.platform));
    }
    if let Some(row) = only.and_then(|target| runs::run_row(state, &target.object)) {
        fact("now", runs::standing(row, state.now.platform));
    }
    if let Some(row) = only.and_then(|target| images::image_row(state, &target.object)) {
        fact("image", row.title());
    }
    if let Form::ImageRoute { plans } = form
        && let Some(plan) = plans.first()
    {
        fact("image", plan.image.to_string());
        if &*plan.container != "*" {
            fact("container", plan.container.to_string());
        }
    }
    if let Some((label, text)) = runs::fact(form) {
        fact(label, text);
    }
    let app = only.and_then(|target| application_row(state, &target.object));
    if let Some(app) = app {
        fact("revision", revision_of(app));
    }
    facts
}

/// What is wanted of the source, and what is there now.
fn revision_of(app: &Application) -> String {
    let source = app.sources.first();
    let target = source
        .map(|source| &*source.target_revision)
        .unwrap_or_default();
    let now = crate::app::columns::revision_text(app);
    if now.is_empty() {
        target.to_owned()
    } else {
        format!("{target} (now {now})")
    }
}
