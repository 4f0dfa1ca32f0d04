//! Images, projects, robot accounts and registries: what is chosen, what is asked, what came.

#![allow(
    clippy::wildcard_enum_match_arm,
    reason = "commands and forms that are not named belong to other modules"
)]

mod forms;

pub(super) use forms::{fields, form_of, title, verb_of};

use super::subject::{Subject, subjects};
use super::{Effects, moving, navigate, set_image};
use crate::app::commands::Command;
use crate::app::effect::Effect;
use crate::app::filter::Filter;
use crate::app::key::{Key, KeyCode};
use crate::app::overlays::{Overlay, SecretNote};
use crate::app::screens::{ImageLine, Place, Screen};
use crate::app::state::State;
use crate::domain::image::{
    ArtifactDetail, ArtifactRow, ImageVerb, RegistryRow, RobotRow, cves_kind, has_images, image_of,
    images_kind, projects_kind, registries_kind, registry_object, repository_kind, robots_kind,
};
use crate::domain::image_update::updates_kind;
use crate::domain::intent::{Intent, Verb};
use crate::domain::object::{ObjectRef, Text};
use crate::domain::servers::Secret;
use crate::engine::protocol::Ticket;

/// Takes in what the engine says of an open image.
pub(super) fn on_detail(state: &mut State, ticket: Ticket, detail: Option<&ArtifactDetail>) {
    let window = state.window();
    let top = state.stack.len().saturating_sub(1);
    for (number, screen) in state.stack.iter_mut().enumerate() {
        if let Screen::Image(screen) = screen
            && screen.ticket == Some(ticket)
            && screen.detail.ready().map(Option::as_deref) != Some(detail)
        {
            let own = detail.map(|detail| detail.row.uid.clone());
            screen.uid = screen.uid.clone().or(own);
            screen.set_detail(detail.cloned().map(Box::new), window);
            state.dirty |= number == top;
        }
    }
}

/// Shows the secret of a robot account, once.
pub(super) fn on_secret(state: &mut State, account: Text, secret: Secret) {
    state.overlay = Some(Overlay::Secret(SecretNote {
        account,
        secret,
        copied: false,
    }));
    state.dirty = true;
}

/// Copies or forgets the secret that is shown.
pub(super) fn on_secret_key(state: &mut State, key: Key, out: &mut Effects) {
    let Some(Overlay::Secret(note)) = &mut state.overlay else {
        return;
    };
    match key.code {
        KeyCode::Esc | KeyCode::Enter | KeyCode::Char('q') => state.overlay = None,
        KeyCode::Char('c') => {
            note.copied = true;
            let what = format!("the secret of `{}`", note.account).into();
            let text = note.secret.reveal().to_owned();
            out.push(Effect::Copy { text, what });
        }
        _ => {}
    }
    state.dirty = true;
}

/// Carries out the commands that go somewhere; returns whether it is one of them.
pub(super) fn on_command(state: &mut State, command: Command, out: &mut Effects) -> bool {
    let kind = match command {
        Command::Images => images_kind(),
        Command::Projects => projects_kind(),
        Command::Robots => robots_kind(),
        Command::Security => cves_kind(),
        Command::Registries => registries_kind(),
        Command::ImageUpdates => updates_kind(),
        Command::ImagesOf => {
            images_of(state, out);
            return true;
        }
        Command::Repository => {
            repository(state, out);
            return true;
        }
        _ => return false,
    };
    navigate::go(state, Place::Kind(kind), out);
    true
}

/// Opens the table of images, narrowed to those of what is under the cursor.
fn images_of(state: &mut State, out: &mut Effects) {
    let Some(subject) = subjects(state).into_iter().next() else {
        state.note("there is nothing under the cursor");
        return;
    };
    let object = subject.object;
    if image_of(&object).is_some() {
        navigate::go_to(state, Place::Image(object), subject.uid, out);
        return;
    }
    let name = object.name.to_string();
    navigate::go(state, Place::Kind(images_kind()), out);
    narrow(state, &name);
}

fn narrow(state: &mut State, text: &str) {
    let (window, now) = (state.window(), state.now.platform);
    let State { stack, store, .. } = state;
    if let Some(table) = stack.last_mut().and_then(Screen::table_mut) {
        table.view.set_filter(Filter::parse(text), store, now);
        table.view.keep_in(window);
    }
    moving::refresh_table(state);
}

/// Opens the table of all artifacts of the repository under the cursor.
fn repository(state: &mut State, out: &mut Effects) {
    let image = subjects(state)
        .into_iter()
        .find_map(|subject| image_of(&subject.object));
    let Some(image) = image else {
        state.note("there is no image under the cursor");
        return;
    };
    let place = Place::Kind(repository_kind(&image.name()));
    navigate::go(state, place, out);
}

/// Returns the images a command is about: all of what is chosen, when all are images.
pub(super) fn chosen_images(state: &State) -> Vec<Subject> {
    // On the screen of an image a place under the cursor does not change what it is about.
    if let Screen::Image(screen) = state.screen()
        && let Some(image) = screen.image()
    {
        let sibling = match screen.current() {
            Some(ImageLine::Sibling(at)) => image.siblings.get(*at),
            _ => None,
        };
        let row = sibling.unwrap_or(&image.row);
        return vec![Subject {
            object: row.object.clone(),
            uid: Some(row.uid.clone()),
        }];
    }
    let all = subjects(state);
    let images = all
        .iter()
        .all(|subject| image_of(&subject.object).is_some());
    if images { all } else { Vec::new() }
}

/// Returns the robot accounts a command is about.
pub(super) fn chosen_robots(state: &State) -> Vec<Subject> {
    let all = subjects(state);
    let robots = all
        .iter()
        .all(|subject| subject.object.kind == robots_kind());
    if robots { all } else { Vec::new() }
}

/// Returns the row of an image: of a table, or of an open screen.
pub(super) fn image_row<'s>(state: &'s State, object: &ObjectRef) -> Option<&'s ArtifactRow> {
    let open = state.stack.iter().rev().find_map(|screen| {
        let Screen::Image(screen) = screen else {
            return None;
        };
        let image = screen.image()?;
        let siblings = image.siblings.iter();
        std::iter::once(&image.row)
            .chain(siblings)
            .find(|row| row.object == *object)
    });
    let tables = || {
        let tables = state.stack.iter().rev().filter_map(Screen::table);
        let mut kinds = tables
            .map(|table| &table.view.kind)
            .filter(|kind| has_images(kind));
        kinds.find_map(|kind| state.store.table(kind)?.find(object)?.image())
    };
    let known = || state.store.table(&images_kind())?.find(object)?.image();
    open.or_else(tables).or_else(known)
}

/// Returns the Application whose image is followed, if that is what an object is.
pub(super) fn followed_by(state: &State, object: &ObjectRef) -> Option<ObjectRef> {
    match state.store.row(object)?.registry()? {
        RegistryRow::Update(row) => Some(row.application.clone()),
        _ => None,
    }
}

fn robot_row<'s>(state: &'s State, object: &ObjectRef) -> Option<&'s RobotRow> {
    match state.store.row(object)?.registry()? {
        RegistryRow::Robot(row) => Some(row),
        _ => None,
    }
}

/// Returns the registry that a command on accounts is about: that of the row under the cursor, else
/// the first that is known.
pub(super) fn chosen_registry(state: &State) -> Option<ObjectRef> {
    let Screen::Kind(table) = state.screen() else {
        return None;
    };
    let kind = &table.view.kind;
    if ![robots_kind(), projects_kind(), registries_kind()].contains(kind) {
        return None;
    }
    let host_of = |row: &crate::store::Row| match row.registry()? {
        RegistryRow::Robot(row) => Some(Text::clone(&row.registry)),
        RegistryRow::Project(row) => Some(Text::clone(&row.registry)),
        RegistryRow::Registry(row) => Some(Text::clone(&row.object.name)),
        RegistryRow::Image(_) | RegistryRow::Cve(_) | RegistryRow::Update(_) => None,
    };
    let current = table.view.current(&state.store).and_then(host_of);
    let host = current.or_else(|| {
        let rows = state.store.table(kind)?;
        rows.rows().find_map(host_of)
    })?;
    let cluster = &state.link.connection.as_ref()?.cluster;
    Some(registry_object(cluster, registries_kind(), "", &host))
}

/// The image to be set, with the row that runs: the sibling under the cursor, else what is newest.
fn wanted_image(state: &State) -> Option<(&ArtifactRow, String)> {
    let (row, wanted) = match state.screen() {
        Screen::Image(screen) => {
            let image = screen.image()?;
            let sibling = match screen.current() {
                Some(ImageLine::Sibling(at)) => image.siblings.get(*at),
                _ => None,
            };
            (&image.row, sibling.map(reference_of))
        }
        _ => {
            let subject = chosen_images(state).into_iter().next()?;
            (image_row(state, &subject.object)?, None)
        }
    };
    let newest = (!row.newest.is_empty())
        .then(|| format!("{}/{}:{}", row.registry, row.repository, row.newest));
    Some((row, wanted.or(newest)?))
}

fn add_once(all: &mut Vec<ObjectRef>, object: &ObjectRef) {
    if !all.contains(object) {
        all.push(object.clone());
    }
}

/// Asks how the image is to be set on what runs it, or in the Applications that manage that.
pub(super) fn begin_set(state: &mut State, command: Command, out: &mut Effects) {
    let found = match command {
        Command::OverrideImage => {
            overriding(state).map(|(apps, image)| (apps, Text::from("*"), image))
        }
        _ => deployment(state),
    };
    let Some((objects, container, image)) = found else {
        state.refuse(super::choose::not_here(command), "");
        return;
    };
    set_image::begin(state, objects, (container, image.into()), out);
}

/// What a change of the image would set, and on which workloads and container.
fn deployment(state: &State) -> Option<(Vec<ObjectRef>, Text, String)> {
    let (row, image) = wanted_image(state)?;
    let mut workloads: Vec<ObjectRef> = Vec::new();
    let mut container: Option<Text> = None;
    for place in &row.places {
        let fits = set_image::is_workload(&place.workload);
        let same = container
            .as_ref()
            .is_none_or(|known| *known == place.container);
        if fits && same {
            container = Some(Text::clone(&place.container));
            add_once(&mut workloads, &place.workload);
        }
    }
    (!workloads.is_empty()).then_some((workloads, container?, image))
}

/// As [`deployment`], for the Applications that manage what runs the image.
fn overriding(state: &State) -> Option<(Vec<ObjectRef>, String)> {
    let (row, image) = wanted_image(state)?;
    let mut apps: Vec<ObjectRef> = Vec::new();
    for app in row
        .places
        .iter()
        .filter_map(|place| place.application.as_ref())
    {
        add_once(&mut apps, app);
    }
    (!apps.is_empty()).then_some((apps, image))
}

fn reference_of(row: &ArtifactRow) -> String {
    match (row.tags.first(), &row.digest) {
        (Some(tag), _) => format!("{}/{}:{tag}", row.registry, row.repository),
        (None, Some(digest)) => format!("{}/{}@{digest}", row.registry, row.repository),
        (None, None) => format!("{}/{}", row.registry, row.repository),
    }
}

/// Whether there is something on screen that the command is for; absent for other commands.
pub(super) fn suits(state: &State, command: Command) -> Option<bool> {
    let one = |all: Vec<Subject>| all.len() == 1;
    Some(match command {
        Command::Scan | Command::StopScan | Command::MakeSbom | Command::Repository => {
            !chosen_images(state).is_empty()
        }
        Command::Tag | Command::Untag | Command::CopyImage => one(chosen_images(state)),
        Command::DeployImage => deployment(state).is_some(),
        Command::OverrideImage => overriding(state).is_some(),
        Command::RefreshRobot | Command::SwitchRobot => !chosen_robots(state).is_empty(),
        Command::CreateRobot | Command::ScanAll => chosen_registry(state).is_some(),
        Command::ImagesOf => subjects(state).iter().any(|subject| {
            let kind = &*subject.object.kind.kind;
            let runs = [
                "Pod",
                "Rollout",
                "Deployment",
                "StatefulSet",
                "DaemonSet",
                "ReplicaSet",
                "Application",
                "Image",
                "RegistryProject",
            ];
            runs.contains(&kind)
        }),
        _ => return None,
    })
}

/// Says what a command needs; absent for other commands.
pub(super) fn needs(command: Command) -> Option<&'static str> {
    Some(match command {
        Command::Scan
        | Command::StopScan
        | Command::MakeSbom
        | Command::Tag
        | Command::Untag
        | Command::CopyImage
        | Command::Repository => "an image",
        Command::DeployImage => {
            "a newer image, or another of its repository under the cursor, and a workload that runs it"
        }
        Command::OverrideImage => {
            "a newer image, or another of its repository under the cursor, and an Application that runs it"
        }
        Command::RefreshRobot | Command::SwitchRobot => "a robot account",
        Command::CreateRobot | Command::ScanAll => "a Harbor: open `:robots` or `:registries`",
        Command::ImagesOf => "something that runs images",
        _ => return None,
    })
}

/// Returns why an intent cannot be asked of an image as it is now.
pub(super) fn objection(state: &State, intent: &Intent) -> Option<String> {
    let Verb::Image(verb) = &intent.verb else {
        return None;
    };
    let name = intent.target.path();
    match verb {
        ImageVerb::Untag { tag } => {
            let row = image_row(state, &intent.target)?;
            (!row.tags.contains(tag)).then(|| format!("`{name}` has no tag `{tag}`"))
        }
        ImageVerb::Tag { tag, .. } => {
            let row = image_row(state, &intent.target)?;
            row.tags
                .contains(tag)
                .then(|| format!("`{}` has the tag `{tag}` already", row.title()))
        }
        ImageVerb::SwitchRobot { on } => {
            let row = robot_row(state, &intent.target)?;
            (row.disabled != *on).then(|| {
                let is = if row.disabled { "disabled" } else { "enabled" };
                format!("`{name}` is {is} already")
            })
        }
        _ => None,
    }
}

/// Returns what will happen, sentence by sentence.
pub(super) fn preview(state: &State, intent: &Intent, verb: &ImageVerb) -> Vec<String> {
    let row = image_row(state, &intent.target);
    let runs = row.map_or(0, |row| row.places.len());
    let in_use = (runs > 0).then(|| format!("It runs in {runs} containers here."));
    let line = |text: &str| vec![text.to_owned()];
    match verb {
        ImageVerb::Scan => line("The registry queues a scan; the image itself does not change."),
        ImageVerb::StopScan => line("The registry stops the scan; the last report stays."),
        ImageVerb::MakeSbom => {
            line("The registry makes a list of what is inside and keeps it beside the image.")
        }
        ImageVerb::ScanAll => {
            line("Every image of the registry is scanned, one after the other; this may take long.")
        }
        ImageVerb::Tag { tag, moves: false } => {
            vec![format!(
                "The name `{tag}` is added. If another artifact has it, the registry refuses."
            )]
        }
        ImageVerb::Tag { tag, moves: true } => vec![
            format!("`{tag}` names this content from then on, whatever had it before."),
            String::from("Pods that ask for it by this tag get it at their next start."),
        ],
        ImageVerb::Untag { tag } => {
            let mut lines = vec![format!(
                "The name `{tag}` goes; the content stays under its digest."
            )];
            lines.extend(in_use.map(|text| {
                format!("{text} Pods that ask for `{tag}` could not be pulled any more.")
            }));
            lines
        }
        ImageVerb::Copy { to } => vec![
            format!("The registry copies the content, its signatures and its SBOM to `{to}`."),
            String::from("The digest stays the same, so what was tested is what is promoted."),
        ],
        ImageVerb::Delete => {
            let mut lines = line(
                "The content goes with all its tags; the space is free after a garbage collection.",
            );
            lines.extend(
                in_use.map(|text| {
                    format!("{text} A Pod on another node could not be pulled any more.")
                }),
            );
            lines
        }
        ImageVerb::Override { image } => vec![
            format!("Argo CD renders with `{image}` from then on, and self-heal keeps it."),
            String::from(
                "Git still names the old one: commit it, or the next person is surprised.",
            ),
        ],
        ImageVerb::Commit { image, .. } => vec![format!(
            "`{image}` is committed to git where Argo CD reads it, or patched where git has no say."
        )],
        ImageVerb::CreateRobot(_)
        | ImageVerb::RefreshRobot
        | ImageVerb::SwitchRobot { .. }
        | ImageVerb::DeleteRobot => preview_of_account(verb),
    }
}

fn preview_of_account(verb: &ImageVerb) -> Vec<String> {
    match verb {
        ImageVerb::CreateRobot(wish) => {
            let until = wish.days.map_or_else(
                || String::from("It never expires."),
                |days| format!("It expires in {days} days."),
            );
            vec![
                until,
                String::from("Its secret is shown once, and kept nowhere."),
            ]
        }
        ImageVerb::RefreshRobot => vec![
            String::from(
                "The old secret is void at once: pull Secrets and pipelines that carry it fail until they are renewed.",
            ),
            String::from("The new one is shown once, and kept nowhere."),
        ],
        ImageVerb::SwitchRobot { on: true } => vec![String::from("It may log in again.")],
        _ => vec![String::from(
            "Logins, pushes and pulls with it are refused from then on.",
        )],
    }
}
