//! Dialogs before changes: opening, keys, and confirming.

mod facts;

use super::subject::{Subject, application_row, chosen_applications, open_application, subjects};
use super::{
    Effects, choose, forms, images, intents, keys, preview, rollouts, run, runs, set_image,
};
use crate::app::commands::Command;
use crate::app::intent_words::Worded;
use crate::app::key::{Key, KeyCode};
use crate::app::overlays::dialog::{Form, Target};
use crate::app::overlays::toasts::ToastKind;
use crate::app::overlays::{Confirmation, Dialog, FieldId, FieldValue, Focus, Overlay};
use crate::app::screens::Screen;
use crate::app::state::State;
use crate::app::viewports::cycled;
use crate::domain::graph::TreeNode;
use crate::domain::intent::{Intent, Risk, SyncResource, Verb, risk_of};
use facts::{facts, first_focus};
use tui_input::Input;

/// Opens the dialog of a command for what is chosen.
pub(super) fn open(state: &mut State, command: Command) {
    let Some((form, subjects, resources)) = form_of(state, command) else {
        state.refuse(choose::not_here(command), "");
        return;
    };
    if subjects.is_empty() {
        state.refuse(choose::not_here(command), "");
        return;
    }
    show(state, form, subjects, resources);
}

type Opened = (Form, Vec<Subject>, Vec<SyncResource>);

#[allow(
    clippy::wildcard_enum_match_arm,
    reason = "only commands that change something open a dialog"
)]
fn form_of(state: &State, command: Command) -> Option<Opened> {
    let plain = |form: Form, subjects: Vec<Subject>| Some((form, subjects, Vec::new()));
    match command {
        Command::Sync | Command::SyncOne => {
            let resources = chosen_resources(state);
            let below = matches!(state.screen(), Screen::Application(_)) && !resources.is_empty();
            let apps = if below {
                open_application(state).into_iter().collect()
            } else {
                chosen_applications(state)
            };
            Some((Form::Sync, apps, resources))
        }
        Command::Terminate if !runs::chosen_runs(state).is_empty() => {
            let (form, subjects) = runs::form_of(state, command)?;
            plain(form, subjects)
        }
        Command::Terminate => {
            let runs = rollouts::chosen_runs(state);
            if runs.is_empty() {
                plain(Form::Terminate, chosen_applications(state))
            } else {
                plain(Form::Worded(Box::new(Verb::TerminateAnalysis)), runs)
            }
        }
        Command::ConfirmDeletion => plain(Form::ConfirmDeletion, chosen_applications(state)),
        Command::Switches => Some(switches_form(state)),
        Command::Rollback => rollback_form(state),
        Command::Delete => delete_form(state),
        Command::Restart => Some(restart_form(state)),
        Command::Undo => Some(undo_form(state)),
        Command::SetImage => set_image_form(state),
        Command::Silence => plain(Form::Silence, vec![alert_subject(state)?]),
        Command::ExpireSilence => {
            let silence = rollouts::current_silence(state)?;
            let cluster = &state.link.connection.as_ref()?.cluster;
            let subject = Subject {
                object: silence.object(cluster),
                uid: None,
            };
            plain(Form::Worded(Box::new(Verb::ExpireSilence)), vec![subject])
        }
        Command::Scale => plain(Form::Scale, subjects(state)),
        other => {
            let of_images = images::form_of(state, other);
            if let Some((form, subjects)) = of_images.or_else(|| runs::form_of(state, other)) {
                return plain(form, subjects);
            }
            let verb = rollouts::verb_of(state, other)?;
            plain(
                Form::Worded(Box::new(verb)),
                rollouts::chosen_rollouts(state),
            )
        }
    }
}

/// Applications are deleted in their own way, so not together with anything else.
fn delete_form(state: &State) -> Option<Opened> {
    if let Some((form, subjects)) = images::form_of(state, Command::Delete) {
        return Some((form, subjects, Vec::new()));
    }
    let all = subjects(state);
    let apps = all
        .iter()
        .filter(|subject| subject.is_application())
        .count();
    let form = match apps {
        0 => Form::Delete,
        count if count == all.len() => Form::DeleteApplication,
        _ => return None,
    };
    Some((form, all, Vec::new()))
}

fn undo_form(state: &State) -> Opened {
    let chosen = rollouts::chosen_rollouts(state);
    let revisions = match chosen.as_slice() {
        [one] => rollouts::revisions(state, &one.object),
        _ => Vec::new(),
    };
    let revisions = revisions.into_iter().map(|(number, _)| number).collect();
    (Form::Undo { revisions }, chosen, Vec::new())
}

fn set_image_form(state: &State) -> Option<Opened> {
    let chosen = set_image::chosen(state);
    let first = chosen.first()?;
    let images = set_image::images_of(state, &first.object).into_iter();
    let containers = images.map(|(container, _)| container).collect();
    Some((Form::SetImage { containers }, chosen, Vec::new()))
}

/// Opens a form that was made elsewhere.
pub(super) fn open_form(state: &mut State, form: Form, subjects: Vec<Subject>) {
    show(state, form, subjects, Vec::new());
}

fn restart_form(state: &State) -> Opened {
    let all = subjects(state);
    let rollouts_only = !all.is_empty() && all.iter().all(Subject::is_rollout);
    if rollouts_only || matches!(state.screen(), Screen::Rollout(_)) {
        let chosen = rollouts::chosen_rollouts(state);
        let form = Form::Worded(Box::new(Verb::RestartRollout));
        return (form, chosen, Vec::new());
    }
    (Form::Restart, all, Vec::new())
}

fn alert_subject(state: &State) -> Option<Subject> {
    let alert = rollouts::current_alert(state)?;
    let cluster = &state.link.connection.as_ref()?.cluster;
    Some(Subject {
        object: alert.object(cluster),
        uid: None,
    })
}

fn switches_form(state: &State) -> Opened {
    let apps = chosen_applications(state);
    let rows = apps
        .iter()
        .filter_map(|app| application_row(state, &app.object));
    let all: Vec<_> = rows.map(|row| row.auto_sync).collect();
    let was = forms::switches_of(&all);
    (Form::Switches { was }, apps, Vec::new())
}

fn rollback_form(state: &State) -> Option<Opened> {
    let Screen::History(screen) = state.screen() else {
        return None;
    };
    let detail = screen.detail.ready()?.as_ref()?;
    let entry = detail.history.get(screen.cursor.position)?;
    let revisions: Vec<&str> = entry.revisions.iter().map(|text| &**text).collect();
    let form = Form::Rollback {
        history_id: entry.id,
        to: revisions.join(", ").into(),
    };
    Some((
        form,
        open_application(state).into_iter().collect(),
        Vec::new(),
    ))
}

/// Managed objects that are marked in the tree, or the one the cursor is on or below.
fn chosen_resources(state: &State) -> Vec<SyncResource> {
    let Screen::Application(screen) = state.screen() else {
        return Vec::new();
    };
    let marked = screen.marked();
    let nodes: Vec<&TreeNode> = if marked.is_empty() {
        screen.current().into_iter().collect()
    } else {
        marked
    };
    let mut resources: Vec<SyncResource> = Vec::new();
    for node in nodes {
        let mut managed = Some(node);
        while let Some(above) = managed.filter(|node| node.sync.is_none()) {
            managed = above
                .parent
                .and_then(|parent| screen.tree.nodes.get(parent));
        }
        let Some(managed) = managed else { continue };
        let resource = SyncResource {
            kind: managed.object.kind.clone(),
            namespace: managed
                .object
                .namespace
                .clone()
                .unwrap_or_else(|| "".into()),
            name: managed.object.name.clone(),
        };
        if !resources.contains(&resource) {
            resources.push(resource);
        }
    }
    resources
}

/// Opens the dialog of an intent that was typed in words.
pub(super) fn open_worded(state: &mut State, worded: Worded, out: &mut Effects) {
    let Worded {
        verb,
        kind,
        namespace,
        name,
    } = worded;
    let Some(object) = super::navigate::object_here(state, kind, namespace, name) else {
        state.refuse(
            "there is no connection yet",
            "wait until it is made, or `:retry`",
        );
        return;
    };
    if let Some(wanted) = set_image::asks_for_route(&verb) {
        set_image::begin(state, vec![object], wanted, out);
        return;
    }
    let uid = state.store.row(&object).map(|row| row.uid().clone());
    let subject = Subject { object, uid };
    show(
        state,
        Form::Worded(Box::new(verb)),
        vec![subject],
        Vec::new(),
    );
}

/// Opens the dialog for a manifest that the server has checked.
pub(super) fn open_replace(state: &mut State, intent: Intent, checked: &str) {
    let Verb::Replace { manifest } = intent.verb else {
        return;
    };
    let subject = Subject {
        object: intent.target,
        uid: intent.uid,
    };
    show(state, Form::Replace { manifest }, vec![subject], Vec::new());
    if let Some(Overlay::Dialog(dialog)) = &mut state.overlay
        && !checked.is_empty()
    {
        let fact = ("server".to_owned(), checked.to_owned());
        dialog.facts.push(fact);
    }
}

fn show(state: &mut State, form: Form, subjects: Vec<Subject>, resources: Vec<SyncResource>) {
    let targets: Vec<Target> = subjects
        .into_iter()
        .map(|subject| Target {
            object: subject.object,
            uid: subject.uid,
        })
        .collect();
    let mut fields = forms::fields(state, &form, &targets, resources.len());
    for field in &mut fields {
        if let FieldId::Resource(number) = field.id
            && let Some(resource) = resources.get(number)
        {
            field.label = format!("{} {}", resource.kind.kind, resource.name).into();
        }
    }
    let focus = first_focus(&form, &fields);
    let dialog = Dialog {
        title: forms::title(&form),
        facts: facts(state, &form, &targets),
        form,
        targets,
        preview: Vec::new(),
        changes: Vec::new(),
        fields,
        resources,
        confirmation: None,
        focus,
        risk: Risk::Changes,
        problem: None,
        offset: 0,
    };
    state.overlay = Some(Overlay::Dialog(Box::new(dialog)));
    state.dirty = true;
    refresh(state);
}

/// Makes preview, risk and problem anew after a field changed.
pub(super) fn refresh(state: &mut State) {
    let Some(Overlay::Dialog(mut dialog)) = state.overlay.take() else {
        return;
    };
    match forms::intents(state, &dialog) {
        Ok(intents) => {
            let sentences = intents.iter().map(|intent| {
                let said = if let Verb::Image(verb) = &intent.verb {
                    images::preview(state, intent, verb)
                } else if let Verb::Run(verb) = &intent.verb {
                    runs::preview(state, intent, verb)
                } else if intent.verb.is_for_rollouts() {
                    rollouts::preview(state, intent)
                } else {
                    preview::preview(intent, application_row(state, &intent.target))
                };
                (&*intent.target.name, said)
            });
            dialog.preview = preview::of_all(sentences, dialog.targets.len());
            say_of_images(state, &mut dialog);
            dialog.risk = intents.iter().map(risk_of).max().unwrap_or(Risk::Changes);
            dialog.problem = None;
        }
        Err(problem) => dialog.problem = Some(problem),
    }
    let needs = dialog.risk == Risk::Destroys && state.is_protected();
    if !needs {
        dialog.confirmation = None;
    } else if dialog.confirmation.is_none() {
        dialog.confirmation = Some(Confirmation {
            must_type: match dialog.targets.as_slice() {
                [one] => one.object.name.to_string(),
                many => many.len().to_string(),
            },
            typed: Input::default(),
        });
    }
    state.overlay = Some(Overlay::Dialog(dialog));
}

/// What is said of an image is about the route, and not about the intent alone.
fn say_of_images(state: &State, dialog: &mut Dialog) {
    if let Form::SetImage { .. } = &dialog.form {
        let line = "Git is asked whether a commit can set it; a second dialog shows the lines.";
        dialog.preview = vec![line.to_owned()];
    }
    let Form::ImageRoute { plans } = &dialog.form else {
        return;
    };
    let chosen = forms::chosen(dialog, &FieldId::Way);
    let (preview, changes) = (
        set_image::preview(state, plans, chosen),
        set_image::changes(plans, chosen),
    );
    dialog.preview = preview;
    dialog.changes = changes;
}

/// Returns the text field that keys go into.
pub(super) fn text_in_focus(dialog: &mut Dialog) -> Option<&mut Input> {
    match dialog.focus {
        Focus::Field(number) => match &mut dialog.fields.get_mut(number)?.value {
            FieldValue::Text(input) => Some(input),
            FieldValue::Toggle(_) | FieldValue::Choice { .. } => None,
        },
        Focus::Confirmation => dialog.confirmation.as_mut().map(|asked| &mut asked.typed),
        Focus::Cancel | Focus::Confirm => None,
    }
}

#[allow(
    clippy::wildcard_enum_match_arm,
    reason = "most keys are typed into the field or mean nothing"
)]
pub(super) fn on_key(state: &mut State, key: Key, out: &mut Effects) {
    let Some(Overlay::Dialog(dialog)) = &mut state.overlay else {
        return;
    };
    let in_text = text_in_focus(dialog).is_some();
    match key.code {
        KeyCode::Esc => state.overlay = None,
        KeyCode::Char('c') if key.ctrl => state.overlay = None,
        KeyCode::Tab if key.shift => move_focus(dialog, -1),
        KeyCode::Up => move_focus(dialog, -1),
        KeyCode::Tab | KeyCode::Down => move_focus(dialog, 1),
        KeyCode::Enter => press(state, out),
        KeyCode::Left | KeyCode::Right if !in_text => {
            sideways(dialog, key.code == KeyCode::Right);
            refresh(state);
        }
        KeyCode::Char(' ') if !in_text => {
            sideways(dialog, true);
            refresh(state);
        }
        KeyCode::Char('j') if !in_text => move_focus(dialog, 1),
        KeyCode::Char('k') if !in_text => move_focus(dialog, -1),
        KeyCode::Char('q') if !in_text => state.overlay = None,
        _ => {
            if let Some(input) = text_in_focus(dialog) {
                keys::edit_line(input, key);
            }
            refresh(state);
        }
    }
}

fn stops(dialog: &Dialog) -> Vec<Focus> {
    let mut stops: Vec<Focus> = (0..dialog.fields.len()).map(Focus::Field).collect();
    stops.extend(dialog.confirmation.is_some().then_some(Focus::Confirmation));
    stops.extend([Focus::Cancel, Focus::Confirm]);
    stops
}

fn move_focus(dialog: &mut Dialog, step: isize) {
    let stops = stops(dialog);
    let here = stops.iter().position(|stop| *stop == dialog.focus);
    let next = cycled(here.unwrap_or_default(), step, stops.len());
    dialog.focus = stops.get(next).copied().unwrap_or(Focus::Cancel);
}

/// Toggles, chooses, or goes from one button to the other.
fn sideways(dialog: &mut Dialog, forward: bool) {
    match dialog.focus {
        Focus::Cancel => dialog.focus = Focus::Confirm,
        Focus::Confirm => dialog.focus = Focus::Cancel,
        Focus::Confirmation => {}
        Focus::Field(number) => {
            let field = dialog.fields.get_mut(number);
            match field.map(|field| &mut field.value) {
                Some(FieldValue::Toggle(on)) => *on = !*on,
                Some(FieldValue::Choice { options, chosen }) => {
                    let step = if forward { 1 } else { options.len() - 1 };
                    *chosen = (*chosen + step) % options.len().max(1);
                }
                Some(FieldValue::Text(_)) | None => {}
            }
        }
    }
}

fn press(state: &mut State, out: &mut Effects) {
    let Some(Overlay::Dialog(dialog)) = &mut state.overlay else {
        return;
    };
    let in_text = text_in_focus(dialog).is_some();
    match dialog.focus {
        Focus::Cancel => state.overlay = None,
        Focus::Confirm => confirm(state, out),
        Focus::Field(_) if !in_text => {
            sideways(dialog, true);
            refresh(state);
        }
        Focus::Field(_) | Focus::Confirmation => {
            move_focus(dialog, 1);
            // Who has typed to the end wants to go on: a second Enter confirms.
            if dialog.focus == Focus::Cancel {
                dialog.focus = Focus::Confirm;
            }
        }
    }
}

fn confirm(state: &mut State, out: &mut Effects) {
    let Some(Overlay::Dialog(mut dialog)) = state.overlay.take() else {
        return;
    };
    if let Some(asked) = dialog
        .confirmation
        .as_ref()
        .filter(|asked| !asked.is_given())
    {
        dialog.problem = Some(format!("type `{}` to confirm", asked.must_type));
        dialog.focus = Focus::Confirmation;
        state.overlay = Some(Overlay::Dialog(dialog));
        return;
    }
    match forms::intents(state, &dialog) {
        // What is asked first changes nothing.
        Ok(intents) if matches!(dialog.form, Form::SetImage { .. }) => {
            set_image::ask(state, &dialog, &intents, out);
        }
        Ok(intents) => {
            let what = requested(&dialog, &intents);
            for intent in intents {
                intents::send(state, intent, intents::Rehearsal::ForReal, out);
            }
            run::clear_marks(state);
            state.news(
                ToastKind::Note,
                what.clone(),
                format!("{what} requested"),
                None,
            );
        }
        Err(problem) => {
            dialog.problem = Some(problem);
            state.overlay = Some(Overlay::Dialog(dialog));
        }
    }
}

/// Says what is asked for; of one object in the words that its outcome will have.
fn requested(dialog: &Dialog, intents: &[Intent]) -> String {
    let Some(first) = intents.first() else {
        return "change of nothing".to_owned();
    };
    match dialog.targets.len() {
        0 | 1 => intents::topic_of(first),
        count => format!("{} of {count} objects", first.verb.id()),
    }
}
