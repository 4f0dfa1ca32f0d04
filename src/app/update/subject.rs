//! What a command is about: the marked objects, or the one under the cursor.

use crate::app::screens::{ApplicationScreen, ChartsOf, Screen, applications, rollouts};
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

    fn of_node(node: &TreeNode) -> Self {
        Self {
            object: node.object.clone(),
            uid: node.uid.clone(),
        }
    }
}

/// Returns the objects a command is about, in display order.
pub(super) fn subjects(state: &State) -> Vec<Subject> {
    match state.screen() {
        Screen::Applications(screen) | Screen::Namespaces(screen) | Screen::Kind(screen) => {
            let rows = screen.view.chosen(&state.store).into_iter();
            rows.map(|row| Subject {
                object: row.object().clone(),
                uid: Some(row.uid().clone()),
            })
            .collect()
        }
        Screen::Application(screen) => {
            let marked = screen.marked();
            if marked.is_empty() {
                vec![
                    screen
                        .current()
                        .map_or_else(|| whole(screen), Subject::of_node),
                ]
            } else {
                marked.into_iter().map(Subject::of_node).collect()
            }
        }
        Screen::History(screen) => vec![Subject {
            object: screen.object.clone(),
            uid: screen.uid.clone(),
        }],
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
            entry
                .map(|entry| Subject {
                    object: entry.intent.target.clone(),
                    uid: entry.intent.uid.clone(),
                })
                .collect()
        }
        Screen::Rollout(screen) => {
            let below = screen.current().and_then(|item| {
                let (object, uid) = item.object()?;
                Some(Subject {
                    object: object.clone(),
                    uid: Some(uid.clone()),
                })
            });
            vec![below.unwrap_or_else(|| Subject {
                object: screen.object.clone(),
                uid: screen.uid.clone(),
            })]
        }
        Screen::Analysis(screen) => vec![Subject {
            object: screen.object.clone(),
            uid: screen.uid.clone(),
        }],
        Screen::Charts(screen) => match &screen.what {
            ChartsOf::Object(object) => vec![known(state, object)],
            ChartsOf::Query(_) | ChartsOf::Dashboard(_) => Vec::new(),
        },
        Screen::Alerts(_) | Screen::Dashboards(_) | Screen::Contexts(_) | Screen::Help(_) => {
            Vec::new()
        }
    }
}

fn whole(screen: &ApplicationScreen) -> Subject {
    Subject {
        object: screen.object.clone(),
        uid: screen.uid.clone(),
    }
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
        | Screen::Dashboards(_) => None,
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
        | Screen::Dashboards(_) => None,
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
            | Screen::Dashboards(_) => None,
        })
    })
}
