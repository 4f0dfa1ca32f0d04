//! Setting an image: on what, by which route, and what the dialog says of each.
//!
//! The engine is asked for the plans first, so that nobody confirms a commit whose lines they have
//! not seen. A commit in git is the way where there is one; a patch is the other, with what becomes
//! of it.

use super::rollouts;
use super::subject::{Subject, subjects};
use super::{Effects, navigate};
use crate::app::overlays::Dialog;
use crate::app::overlays::dialog::{Field, FieldId, FieldValue, Form, Target};
use crate::app::screens::{Screen, applications};
use crate::app::state::State;
use crate::domain::image::{CommitPlan, FileChange, ImagePlan, ImageVerb, NoCommit};
use crate::domain::intent::{Intent, Verb};
use crate::domain::kind::info_of;
use crate::domain::object::{ObjectRef, Text};
use crate::engine::protocol::Fetch;

/// The routes in the order in which they are offered.
const ROUTES: [&str; 2] = ["commit in git", "patch"];

/// Returns what runs containers by a template, of what is chosen.
pub(super) fn chosen(state: &State) -> Vec<Subject> {
    let all = subjects(state);
    let workloads: Vec<Subject> = all
        .into_iter()
        .filter(|one| is_workload(&one.object))
        .collect();
    if !workloads.is_empty() {
        return workloads;
    }
    let rollouts = rollouts::chosen_rollouts(state);
    if rollouts.is_empty() {
        only_workload(state).into_iter().collect()
    } else {
        rollouts
    }
}

/// Returns the workload of the Application whose tree is open, when it has one alone.
fn only_workload(state: &State) -> Option<Subject> {
    let Screen::Application(screen) = state.screen() else {
        return None;
    };
    let nodes = screen.tree.nodes.iter();
    let mut managed = nodes.filter(|node| node.sync.is_some() && is_workload(&node.object));
    let one = managed.next()?;
    managed.next().is_none().then(|| Subject {
        object: one.object.clone(),
        uid: one.uid.clone(),
    })
}

/// Returns whether an object has a template whose image can be set.
pub(super) fn is_workload(object: &ObjectRef) -> bool {
    let restarts = info_of(&object.kind).is_some_and(|info| info.abilities.restart);
    restarts || object.kind == crate::app::screens::rollouts()
}

/// Returns containers and their images, as far as tables tell.
pub(super) fn images_of(state: &State, object: &ObjectRef) -> Vec<(Text, Text)> {
    if let Some(row) = rollouts::rollout_row(state, object) {
        let images = row.images.iter().filter(|image| !image.init);
        return images
            .map(|image| (image.container.clone(), image.image.clone()))
            .collect();
    }
    let cell = |name: &str| {
        let table = state.store.table(&object.kind)?;
        let at = table
            .columns()?
            .iter()
            .position(|column| *column.name == *name)?;
        table.find(object)?.generic()?.cells.get(at).cloned()
    };
    let (Some(containers), Some(images)) = (cell("Containers"), cell("Images")) else {
        return Vec::new();
    };
    let names = containers.split(',').map(Text::from);
    names.zip(images.split(',').map(Text::from)).collect()
}

/// Asks how an image can be set; the dialog opens with the answer.
pub(super) fn begin(
    state: &mut State,
    objects: Vec<ObjectRef>,
    (container, image): (Text, Text),
    out: &mut Effects,
) {
    let ticket = state.tickets.next();
    state.tickets.plans = Some(ticket);
    let what = Fetch::ImagePlans {
        objects,
        container,
        image,
    };
    navigate::fetch(ticket, what, out);
    state.note("asking git how the image can be set");
}

/// Asks for what a dialog has been filled in with.
pub(super) fn ask(state: &mut State, dialog: &Dialog, intents: &[Intent], out: &mut Effects) {
    let wanted = intents.iter().find_map(|intent| {
        let Verb::SetImage { container, image } = &intent.verb else {
            return None;
        };
        Some((Text::clone(container), Text::clone(image)))
    });
    let objects = dialog.targets.iter().map(|target| target.object.clone());
    if let Some(wanted) = wanted {
        begin(state, objects.collect(), wanted, out);
    }
}

/// Returns the objects, container and image of an intent that was typed without a route.
pub(super) fn asks_for_route(verb: &Verb) -> Option<(Text, Text)> {
    let Verb::Image(ImageVerb::Commit {
        container, image, ..
    }) = verb
    else {
        return None;
    };
    Some((Text::clone(container), Text::clone(image)))
}

/// Opens the dialog when the plans are there.
pub(super) fn open(state: &mut State, plans: Vec<ImagePlan>) {
    let targets = plans.iter().map(|plan| Subject {
        object: plan.object.clone(),
        uid: plan.uid.clone(),
    });
    let targets = targets.collect();
    super::dialogs::open_form(state, Form::ImageRoute { plans }, targets);
}

/// Returns the choice of the route, where there is one.
pub(super) fn fields(plans: &[ImagePlan]) -> Vec<Field> {
    if plans.iter().all(|plan| plan.commit.is_err()) {
        return Vec::new();
    }
    vec![Field {
        id: FieldId::Way,
        label: "Route".into(),
        value: FieldValue::Choice {
            options: ROUTES.iter().map(|route| Text::from(*route)).collect(),
            chosen: 0,
        },
        hint: "".into(),
    }]
}

/// Whether a commit is what is chosen.
fn commits(plans: &[ImagePlan], chosen: usize) -> bool {
    chosen == 0 && plans.iter().any(|plan| plan.commit.is_ok())
}

/// Returns what confirming asks of one object.
pub(super) fn verbs(plans: &[ImagePlan], target: &Target, chosen: usize) -> Vec<Verb> {
    let Some(plan) = plans.iter().find(|plan| plan.object == target.object) else {
        return Vec::new();
    };
    let (container, image) = (Text::clone(&plan.container), Text::clone(&plan.image));
    let verb = match (commits(plans, chosen), &plan.commit) {
        (true, Ok(_)) => Verb::Image(ImageVerb::Commit {
            container,
            image,
            or_patch: false,
        }),
        (true, Err(_)) => return Vec::new(),
        (false, _) if plan.object.kind == applications() => {
            Verb::Image(ImageVerb::Override { image })
        }
        (false, _) => Verb::SetImage { container, image },
    };
    vec![verb]
}

/// Returns the lines of files that confirming changes.
pub(super) fn changes(plans: &[ImagePlan], chosen: usize) -> Vec<FileChange> {
    let mut changes: Vec<FileChange> = Vec::new();
    if commits(plans, chosen) {
        let all = plans.iter().filter_map(|plan| plan.commit.as_ref().ok());
        for change in all.flat_map(|plan| &plan.changes) {
            if !changes.contains(change) {
                changes.push(change.clone());
            }
        }
    }
    changes
}

/// Returns what happens by the route that is chosen.
pub(super) fn preview(state: &State, plans: &[ImagePlan], chosen: usize) -> Vec<String> {
    let mut lines: Vec<String> = Vec::new();
    let mut add = |line: String| {
        if !lines.contains(&line) {
            lines.push(line);
        }
    };
    let by_commit = commits(plans, chosen);
    for plan in plans {
        let own = match (&plan.commit, by_commit) {
            (Ok(commit), true) => by_git(commit),
            (Err(why), true) => vec![format!(
                "`{}` is left alone: {}.",
                plan.object.path(),
                why.reason
            )],
            (_, false) => by_patch(state, plan),
        };
        own.into_iter().for_each(&mut add);
    }
    lines
}

fn by_git(plan: &CommitPlan) -> Vec<String> {
    let app = plan.application.path();
    let next = if plan.auto_sync {
        format!("Auto-sync of `{app}` applies it.")
    } else {
        format!("`{app}` is OutOfSync then, until somebody syncs it.")
    };
    vec![
        format!(
            "`{}` pushes a commit to `{}` of {}, on top of {}.",
            plan.account,
            plan.branch,
            plan.repository,
            plan.short_head()
        ),
        next,
    ]
}

fn by_patch(state: &State, plan: &ImagePlan) -> Vec<String> {
    let mut lines = Vec::new();
    if let Err(why) = &plan.commit {
        lines.extend(no_commit(why));
    }
    let (container, image) = (Text::clone(&plan.container), Text::clone(&plan.image));
    if plan.object.kind == applications() {
        lines.push(format!(
            "The patch: Argo CD renders with `{image}` from then on, and self-heal keeps it."
        ));
        lines.push(String::from(
            "Git still names the old one: commit it, or the next person is surprised.",
        ));
        return lines;
    }
    let intent = Intent {
        target: plan.object.clone(),
        uid: plan.uid.clone(),
        verb: Verb::SetImage { container, image },
    };
    let forecast = rollouts::preview(state, &intent);
    if forecast.is_empty() {
        lines.push(format!(
            "The patch: container `{}` gets `{}`, and new Pods take over.",
            plan.container, plan.image
        ));
    }
    let warned = forecast.iter().any(|line| line.contains("revert it"));
    lines.extend(forecast);
    match &plan.keeper {
        Some(keeper) if keeper.self_heal && !warned => lines.push(format!(
            "Git says otherwise: self-heal of `{}` will revert it within seconds.",
            keeper.application.path()
        )),
        Some(keeper) if !warned => lines.push(format!(
            "Git says otherwise: `{}` becomes OutOfSync, and its next sync reverts it.",
            keeper.application.path()
        )),
        Some(_) | None => {}
    }
    lines
}

fn no_commit(why: &NoCommit) -> Vec<String> {
    if why.unmanaged {
        return vec![String::from(
            "No Application manages it, so git has no say.",
        )];
    }
    let mut lines = vec![format!("No commit is possible: {}.", why.reason)];
    if !why.hint.is_empty() {
        lines.push(format!("For a commit: {}.", why.hint));
    }
    lines
}
