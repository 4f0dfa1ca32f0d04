//! Runs of pipelines: the table of all systems, one open run, and the flow of events.

mod flow;
mod run;

pub(super) use flow::{RECEIVER, run as flow, source_path};
pub(super) use run::{pod_label, run, why};

use super::github;
use super::protocol::{Delta, Rows, Scope, SourceName, Ticket, Update};
use super::session::Session;
use super::watch::{Batch, Outlet, Target, Typed, Watcher};
use crate::api::convert::tekton;
use crate::api::convert::workflow;
use crate::domain::object::GroupKind;
use crate::domain::pipeline::{Durations, RunRow, System, runs_kind};
use crate::domain::status::Freshness;
use futures::FutureExt;
use futures::future::BoxFuture;
use std::sync::Arc;
use tokio::sync::mpsc;
use tokio_util::task::AbortOnDropHandle;

/// What the watches of the table report.
pub(super) enum Change {
    Runs(Batch<RunRow>),
    Freshness(GroupKind, Freshness),
}

/// Watches the runs of every system as one table, or those of Actions alone.
pub(super) async fn runs(session: Arc<Session>, ticket: Ticket, shown: GroupKind) {
    let (changes, mut inbox) = mpsc::channel(64);
    let mut kinds = vec![
        System::Workflows.kind(),
        System::Tekton.kind(),
        tekton::task_run_kind(),
    ];
    kinds.retain(|_| shown == runs_kind());
    // Repositories are in no namespace: among others they are shown when all are.
    let with_actions = shown != runs_kind() || session.scope == Scope::All;
    let mut table = Runs {
        session,
        ticket,
        shown,
        parts: kinds.len() + usize::from(with_actions),
        durations: Durations::default(),
        states: Vec::new(),
        told: None,
    };
    let mut watches = Vec::new();
    for kind in kinds {
        match table.watch(&kind, &changes).await {
            Some(watch) => watches.push(watch),
            None => table.states.push((kind, absent())),
        }
    }
    if with_actions {
        watches.push(table.watch_actions(changes));
    } else {
        drop(changes);
    }
    table.begin().await;
    while let Some(change) = inbox.recv().await {
        match change {
            Change::Runs(batch) => table.apply(batch).await,
            Change::Freshness(kind, freshness) => table.note(kind, freshness).await,
        }
    }
    drop(watches);
}

fn absent() -> Freshness {
    Freshness::Absent {
        reason: "the server does not know the kind".into(),
    }
}

struct Runs {
    session: Arc<Session>,
    ticket: Ticket,
    /// The kind the table stands under.
    shown: GroupKind,
    /// How many sources it has.
    parts: usize,
    durations: Durations,
    states: Vec<(GroupKind, Freshness)>,
    told: Option<Freshness>,
}

impl Runs {
    async fn watch(
        &self,
        kind: &GroupKind,
        changes: &mpsc::Sender<Change>,
    ) -> Option<AbortOnDropHandle<()>> {
        let resource = self.session.resource(kind).await.ok()?;
        let mut target = Target::in_scope(resource, &self.session.scope);
        if *kind == tekton::task_run_kind() {
            // Those of a pipeline are nodes of it.
            target.selector = String::from("labelSelector=!tekton.dev%2FpipelineRun&");
        }
        let own = kind.clone();
        let read = move |value: &serde_json::Value, cluster: &_| {
            if own == workflow::workflow_kind() {
                workflow::run_row(value, cluster)
            } else {
                tekton::run_row(value, cluster, &own)
            }
        };
        let projection = Typed::new(self.session.cluster.clone(), kind.clone(), read);
        let teller = changes.clone();
        let named = kind.clone();
        let tell = move |freshness| -> BoxFuture<'static, ()> {
            let teller = teller.clone();
            let kind = named.clone();
            async move {
                if teller
                    .send(Change::Freshness(kind, freshness))
                    .await
                    .is_err()
                {
                    tracing::debug!("the table of runs is closed");
                }
            }
            .boxed()
        };
        let wrap = |_: &Typed<RunRow>, batch| Change::Runs(batch);
        let outlet = Outlet::new(changes.clone(), wrap, tell);
        let watcher = Watcher::new(Arc::clone(&self.session), target, projection, outlet);
        Some(AbortOnDropHandle::new(tokio::spawn(watcher.run())))
    }

    /// Looks at GitHub, which has no watch.
    fn watch_actions(&self, changes: mpsc::Sender<Change>) -> AbortOnDropHandle<()> {
        let session = Arc::clone(&self.session);
        let kind = System::Actions.kind();
        let tell = move |seen| {
            let changes = changes.clone();
            let change = match seen {
                github::Seen::Rows(batch) => Change::Runs(batch),
                github::Seen::Freshness(freshness) => Change::Freshness(kind.clone(), freshness),
            };
            async move { changes.send(change).await.is_ok() }
        };
        AbortOnDropHandle::new(tokio::spawn(github::watch(session, tell)))
    }

    /// The table begins empty; each system then adds its own.
    async fn begin(&self) {
        self.send(true, Vec::new(), Vec::new()).await;
    }

    async fn apply(&mut self, batch: Batch<RunRow>) {
        for (object, _) in &batch.removed {
            self.durations.forget(object);
        }
        let mut rows = batch.rows;
        for row in &rows {
            self.durations.learn(row);
        }
        for row in &mut rows {
            row.usual = self.durations.usual(row);
        }
        if !rows.is_empty() || !batch.removed.is_empty() {
            self.send(false, rows, batch.removed).await;
        }
    }

    async fn send(
        &self,
        reset: bool,
        rows: Vec<RunRow>,
        removed: Vec<(crate::domain::object::ObjectRef, crate::domain::object::Uid)>,
    ) {
        let delta = Delta {
            kind: self.shown.clone(),
            reset,
            rows: Rows::Runs(rows),
            removed,
        };
        let (generation, ticket) = (self.session.generation, self.ticket);
        self.session
            .report(Update::Delta {
                generation,
                ticket,
                delta,
            })
            .await;
    }

    async fn note(&mut self, kind: GroupKind, freshness: Freshness) {
        // What is not installed is nothing to worry about as long as another system is.
        if !matches!(freshness, Freshness::Absent { .. }) && kind != self.shown {
            let source = SourceName::Kind(kind.clone());
            self.session
                .report_freshness(source, freshness.clone())
                .await;
        }
        self.states.retain(|(known, _)| *known != kind);
        self.states.push((kind, freshness));
        let whole = self.whole();
        if self.told.as_ref() != Some(&whole) {
            self.told = Some(whole.clone());
            let source = SourceName::Kind(self.shown.clone());
            self.session.report_freshness(source, whole).await;
        }
    }

    /// How current the table is: as its least current part that can be seen at all.
    fn whole(&self) -> Freshness {
        let find = |wanted: &dyn Fn(&Freshness) -> bool| {
            let mut states = self.states.iter().map(|(_, state)| state);
            states.find(|state| wanted(state)).cloned()
        };
        let stale = find(&|state| {
            matches!(
                state,
                Freshness::Stale { .. } | Freshness::NeedsCredentials { .. }
            )
        });
        let under_way =
            find(&|state| matches!(state, Freshness::Connecting | Freshness::Loading { .. }));
        let live = find(&|state| *state == Freshness::Live);
        let refused = find(&|state| matches!(state, Freshness::Forbidden { .. }));
        let unheard = self.states.len() < self.parts;
        stale
            .or(under_way)
            .or_else(|| unheard.then_some(Freshness::Connecting))
            .or(live)
            .or(refused)
            .unwrap_or_else(|| self.absent())
    }

    /// What to say when no system is there.
    fn absent(&self) -> Freshness {
        let of_github = self
            .states
            .iter()
            .find(|(kind, _)| *kind == System::Actions.kind());
        match of_github {
            Some((_, freshness)) if self.shown != runs_kind() => freshness.clone(),
            _ => Freshness::Absent {
                reason: "neither Argo Workflows nor Tekton is installed, and no GitHub is configured; runs appear here as soon as one is".into(),
            },
        }
    }
}
