//! How the images of some Pods stand, for pages that show Pods: an Application's tree, a Rollout.
//!
//! The page says which Pods it shows; their registries are asked when something new runs and every
//! half minute while the page is open. What nobody can be asked about is not told.

use super::BETWEEN_LOOKS;
use super::fleet::Change;
use super::survey::Survey;
use crate::api::convert::pod_images::PodImages;
use crate::domain::image::{ImageState, content_states};
use crate::domain::object::ObjectRef;
use crate::engine::metrics::real;
use crate::engine::session::Session;
use crate::engine::watch::Batch;
use std::collections::HashMap;
use std::sync::Arc;
use tokio::sync::{mpsc, watch};
use tokio_util::task::AbortOnDropHandle;

/// The states of the images of each Pod, sorted.
pub(in crate::engine) type Standings = HashMap<ObjectRef, Vec<ImageState>>;

/// Follows the images of the Pods that a page shows.
pub(in crate::engine) struct Following {
    pods: watch::Sender<Vec<PodImages>>,
    _task: AbortOnDropHandle<()>,
}

impl Following {
    /// Begins to follow; `wrap` makes a change of the page out of what is told.
    pub(in crate::engine) fn begin<C: Send + 'static>(
        session: &Arc<Session>,
        changes: mpsc::Sender<C>,
        wrap: fn(Standings) -> C,
    ) -> Self {
        let (pods, shown) = watch::channel(Vec::new());
        let task = follow(Arc::clone(session), shown, (changes, wrap));
        Self {
            pods,
            _task: AbortOnDropHandle::new(tokio::spawn(task)),
        }
    }

    /// Says which Pods are shown now.
    pub(in crate::engine) fn show(&self, pods: Vec<PodImages>) {
        self.pods.send_if_modified(|shown| {
            let news = *shown != pods;
            *shown = pods;
            news
        });
    }
}

async fn follow<C>(
    session: Arc<Session>,
    mut shown: watch::Receiver<Vec<PodImages>>,
    (changes, wrap): (mpsc::Sender<C>, fn(Standings) -> C),
) {
    let mut survey = Survey::new(&session, None);
    let mut told = Standings::new();
    // From here on, so that nothing that is said during a look is missed.
    let mut wake = session.wake.clone();
    let mut changes_made = session.registries.changes.subscribe();
    while shown.wait_for(|pods| !pods.is_empty()).await.is_ok() {
        let rows = shown.borrow_and_update().clone();
        survey.fleet.apply(Change::Pods(Batch {
            reset: true,
            rows,
            removed: Vec::new(),
        }));
        survey.look().await;
        let standings = standings(&survey);
        if standings != told {
            told.clone_from(&standings);
            if changes.send(wrap(standings)).await.is_err() {
                return;
            }
        }
        tokio::select! {
            changed = shown.changed() => if changed.is_err() { return },
            changed = changes_made.changed() => if changed.is_err() { return },
            changed = wake.changed() => {
                if changed.is_err() {
                    return;
                }
                session.registries.forget_lists().await;
            }
            () = tokio::time::sleep(real(&session, BETWEEN_LOOKS)) => {
                session.registries.forget_lists().await;
            }
        }
    }
}

fn standings(survey: &Survey) -> Standings {
    let mut standings = Standings::new();
    for row in survey.rows() {
        let content = content_states(&row.scan, row.signed);
        for place in row.places {
            let states = standings.entry(place.pod).or_default();
            states.extend(place.states);
            states.extend(content.iter().cloned());
        }
    }
    for states in standings.values_mut() {
        states.retain(|state| *state != ImageState::Unknown);
        states.sort();
        states.dedup();
    }
    standings.retain(|_, states| !states.is_empty());
    standings
}
