//! What a command is about: the marked objects, or the one under the cursor.

use crate::app::screens::{
    ApplicationScreen, ChartsOf, ImageScreen, RunScreen, Screen, applications, rollouts,
};
use crate::app::state::State;
use crate::domain::application::Application;
use crate::domain::graph::TreeNode;
use crate::domain::object::{ObjectRef, Uid};

/// One object with the life that the user saw.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Subject {
    pub(super) object: ObjectRef,
    pub(super) uid: Option<Uid>,
}

impl Subject {
    pub(super) fn is_application(&self) -> bool {
        self.object.kind == applications()
    }

    pub(super) fn is_rollout(&self) -> bool {
        self.object.kind == rollouts()
    }

    fn new(object: &ObjectRef, uid: Option<&Uid>) -> Self {
        Self {
            object: object.clone(),
            uid: uid.cloned(),
        }
    }

    fn of_node(node: &TreeNode) -> Self {
        Self::new(&node.object, node.uid.as_ref())
    }
}

/// Returns the objects a command is about, in display order.
pub(super) fn subjects(state: &State) -> Vec<Subject> {
    match state.screen() {
        Screen::Applications(screen) | Screen::Namespaces(screen) | Screen::Kind(screen) => {
            let rows = screen.view.chosen(&state.store).into_iter();
            let subjects = rows.map(|row| Subject::new(row.object(), Some(row.uid())));
            subjects.collect()
        }
        Screen::Application(screen) => nodes_of(screen),
        Screen::History(screen) => vec![Subject::new(&screen.object, screen.uid.as_ref())],
        Screen::Diff(screen) => {
            let object = screen.object.as_ref().unwrap_or(&screen.application);
            vec![known(state, object)]
        }
        Screen::Text(screen) => vec![known(state, screen.source.object())],
        Screen::Events(screen) => vec![known(state, &screen.object)],
        Screen::Logs(screen) => vec![known(state, &screen.object)],
        Screen::Ledger(screen) => {
            let entries = state.ledger.entries().iter().rev();
            let entry = entries.skip(screen.cursor.position).take(1);
            let intents = entry.map(|entry| &entry.intent);
            intents
                .map(|intent| Subject::new(&intent.target, intent.uid.as_ref()))
                .collect()
        }
        Screen::Rollout(screen) => {
            let below = screen.current().and_then(|item| {
                let (object, uid) = item.object()?;
                Some(Subject::new(object, Some(uid)))
            });
            let whole = || Subject::new(&screen.object, screen.uid.as_ref());
            vec![below.unwrap_or_else(whole)]
        }
        Screen::Analysis(screen) => vec![Subject::new(&screen.object, screen.uid.as_ref())],
        Screen::Charts(screen) => match &screen.what {
            ChartsOf::Object(object) => vec![known(state, object)],
            ChartsOf::Query(_) | ChartsOf::Dashboard(_) => Vec::new(),
        },
        Screen::Run(screen) => vec![of_run(state, screen)],
        Screen::Image(screen) => vec![of_image(state, screen)],
        Screen::Flow(screen) => {
            let found = screen.current().and_then(|item| {
                let (object, uid) = item.object()?;
                Some(Subject::new(object, Some(uid)))
            });
            found.into_iter().collect()
        }
        Screen::Alerts(_) | Screen::Dashboards(_) | Screen::Contexts(_) | Screen::Help(_) => {
            Vec::new()
        }
    }
}

/// The workload or the other image under the cursor, or the image itself.
fn of_image(state: &State, screen: &ImageScreen) -> Subject {
    let below = screen.current().and_then(|line| screen.object_of(line));
    match below {
        Some((object, Some(uid))) => Subject::new(&object, Some(&uid)),
        Some((object, None)) => known(state, &object),
        None => {
            let row = screen.image().map(|image| &image.row);
            let object = row.map_or(&screen.object, |row| &row.object);
            Subject::new(object, screen.uid.as_ref())
        }
    }
}

/// The object of the node under the cursor, or its Pod, or the run itself.
fn of_run(state: &State, screen: &RunScreen) -> Subject {
    let own = screen.current().and_then(|node| {
        let pod = node.pod.as_ref().filter(|_| !node.pod_gone);
        node.object.as_ref().or(pod)
    });
    match own {
        Some(object) if *object != screen.object => known(state, object),
        Some(_) | None => Subject::new(&screen.object, screen.uid.as_ref()),
    }
}

fn whole(screen: &ApplicationScreen) -> Subject {
    Subject::new(&screen.object, screen.uid.as_ref())
}

/// The marked nodes, or the one under the cursor, or the Application itself.
fn nodes_of(screen: &ApplicationScreen) -> Vec<Subject> {
    let marked = screen.marked();
    if marked.is_empty() {
        let current = screen.current();
        return vec![current.map_or_else(|| whole(screen), Subject::of_node)];
    }
    marked.into_iter().map(Subject::of_node).collect()
}

/// Finds the life of an object that some screen below has shown.
fn known(state: &State, object: &ObjectRef) -> Subject {
    let in_tree = state.stack.iter().find_map(|screen| match screen {
        Screen::Application(screen) if screen.object == *object => screen.uid.clone(),
        Screen::Application(screen) => {
            let mut nodes = screen.tree.nodes.iter();
            nodes
                .find(|node| node.object == *object)
                .and_then(|node| node.uid.clone())
        }
        Screen::Rollout(screen) if screen.object == *object => screen.uid.clone(),
        Screen::Analysis(screen) if screen.object == *object => screen.uid.clone(),
        Screen::Run(screen) if screen.object == *object => screen.uid.clone(),
        Screen::Applications(_)
        | Screen::Diff(_)
        | Screen::History(_)
        | Screen::Text(_)
        | Screen::Events(_)
        | Screen::Logs(_)
        | Screen::Contexts(_)
        | Screen::Namespaces(_)
        | Screen::Kind(_)
        | Screen::Help(_)
        | Screen::Ledger(_)
        | Screen::Rollout(_)
        | Screen::Analysis(_)
        | Screen::Charts(_)
        | Screen::Alerts(_)
        | Screen::Dashboards(_)
        | Screen::Run(_)
        | Screen::Image(_)
        | Screen::Flow(_) => None,
    });
    let in_store = || state.store.row(object).map(|row| row.uid().clone());
    Subject {
        object: object.clone(),
        uid: in_tree.or_else(in_store),
    }
}

/// Returns the Applications a command is about: chosen rows, or the one whose tree, diff or
/// history is open.
pub(super) fn chosen_applications(state: &State) -> Vec<Subject> {
    let direct: Vec<Subject> = subjects(state)
        .into_iter()
        .filter(Subject::is_application)
        .collect();
    if !direct.is_empty() {
        return direct;
    }
    open_application(state).into_iter().collect()
}

/// Returns the Application that the open screens belong to.
pub(super) fn open_application(state: &State) -> Option<Subject> {
    let mut screens = state.stack.iter().rev();
    screens.find_map(|screen| match screen {
        Screen::Application(screen) => Some(whole(screen)),
        Screen::History(screen) => Some(Subject {
            object: screen.object.clone(),
            uid: screen.uid.clone(),
        }),
        Screen::Diff(screen) => Some(known(state, &screen.application)),
        Screen::Applications(_)
        | Screen::Text(_)
        | Screen::Events(_)
        | Screen::Logs(_)
        | Screen::Contexts(_)
        | Screen::Namespaces(_)
        | Screen::Kind(_)
        | Screen::Help(_)
        | Screen::Ledger(_)
        | Screen::Rollout(_)
        | Screen::Analysis(_)
        | Screen::Charts(_)
        | Screen::Alerts(_)
        | Screen::Dashboards(_)
        | Screen::Run(_)
        | Screen::Image(_)
        | Screen::Flow(_) => None,
    })
}

/// Returns what is known of an Application: its row, or the detail of an open screen.
pub(super) fn application_row<'state>(
    state: &'state State,
    object: &ObjectRef,
) -> Option<&'state Application> {
    let row = state.store.row(object).and_then(|row| row.application());
    row.or_else(|| {
        state.stack.iter().find_map(|screen| match screen {
            Screen::Application(screen) if screen.object == *object => {
                screen.application().map(|detail| &detail.row)
            }
            Screen::History(screen) if screen.object == *object => {
                let detail = screen.detail.ready()?.as_ref()?;
                Some(&detail.row)
            }
            Screen::Application(_)
            | Screen::History(_)
            | Screen::Applications(_)
            | Screen::Diff(_)
            | Screen::Text(_)
            | Screen::Events(_)
            | Screen::Logs(_)
            | Screen::Contexts(_)
            | Screen::Namespaces(_)
            | Screen::Kind(_)
            | Screen::Help(_)
            | Screen::Ledger(_)
            | Screen::Rollout(_)
            | Screen::Analysis(_)
            | Screen::Charts(_)
            | Screen::Alerts(_)
            | Screen::Dashboards(_)
            | Screen::Run(_)
            | Screen::Image(_)
            | Screen::Flow(_) => None,
        })
    })
}
