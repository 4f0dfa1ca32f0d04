//! Subscriptions to all objects of a kind.

use super::protocol::{Delta, Generation, Rows, SourceName, Ticket, Update};
use super::session::Session;
use super::watch::{Applications, Batch, Outlet, Projection, Tables, Target, Typed, Watcher};
use crate::api::convert::analysis::{analysis_run, analysis_run_kind};
use crate::api::convert::rollout::{rollout, rollout_kind};
use crate::api::convert::workflow::cron_run;
use crate::domain::image::is_of_registries;
use crate::domain::object::GroupKind;
use crate::domain::pipeline::cron::cron_kind;
use crate::domain::pipeline::{System, runs_kind};
use crate::domain::status::Freshness;
use futures::FutureExt;
use futures::future::BoxFuture;
use std::sync::Arc;
use tokio::sync::watch;

/// Watches a kind in the scope of the session. What is read page by page goes by how many rows
/// are wanted.
pub(super) async fn kind(
    session: Arc<Session>,
    ticket: Ticket,
    kind: GroupKind,
    wanted: watch::Receiver<usize>,
) {
    if kind == runs_kind() || kind == System::Actions.kind() {
        return super::pipelines::runs(session, ticket, kind).await;
    }
    if is_of_registries(&kind) {
        return super::registries::rows(session, ticket, kind, wanted).await;
    }
    let resource = match session.resource(&kind).await {
        Ok(resource) => resource,
        Err(fault) => {
            let reason = fault.to_string().into();
            return session
                .report_freshness(SourceName::Kind(kind), Freshness::Absent { reason })
                .await;
        }
    };
    let target = Target::in_scope(resource, &session.scope);
    let generation = session.generation;
    if kind.is(crate::domain::kind::ARGO, "Application") {
        let projection = Applications::new(session.cluster.clone());
        let outlet = outlet(&session, kind.clone(), move |_: &Applications, batch| {
            delta(generation, ticket, &kind, batch, Rows::Applications)
        });
        Watcher::new(session, target, projection, outlet)
            .run()
            .await;
    } else if kind == rollout_kind() {
        let projection = Typed::new(session.cluster.clone(), kind.clone(), |value, cluster| {
            rollout(value, cluster, None)
        });
        let outlet = outlet(&session, kind.clone(), move |_: &Typed<_>, batch| {
            delta(generation, ticket, &kind, batch, Rows::Rollouts)
        });
        Watcher::new(session, target, projection, outlet)
            .run()
            .await;
    } else if kind == analysis_run_kind() {
        let projection = Typed::new(session.cluster.clone(), kind.clone(), analysis_run);
        let outlet = outlet(&session, kind.clone(), move |_: &Typed<_>, batch| {
            delta(generation, ticket, &kind, batch, Rows::AnalysisRuns)
        });
        Watcher::new(session, target, projection, outlet)
            .run()
            .await;
    } else if kind == cron_kind() {
        let projection = Typed::new(session.cluster.clone(), kind.clone(), cron_run);
        let outlet = outlet(&session, kind.clone(), move |_: &Typed<_>, batch| {
            delta(generation, ticket, &kind, batch, Rows::CronRuns)
        });
        Watcher::new(session, target, projection, outlet)
            .run()
            .await;
    } else {
        tables(session, ticket, (target, kind)).await;
    }
}

/// Watches a kind that has no rows of its own, by the server's Table.
async fn tables(session: Arc<Session>, ticket: Ticket, (target, kind): (Target, GroupKind)) {
    let generation = session.generation;
    let projection = Tables::new(session.cluster.clone(), kind.clone());
    let outlet = outlet(&session, kind.clone(), move |tables: &Tables, batch| {
        let columns = tables.columns();
        delta(generation, ticket, &kind, batch, |rows| Rows::Objects {
            columns,
            rows,
        })
    });
    Watcher::new(session, target, projection, outlet)
        .run()
        .await;
}

/// Watches the namespaces of the cluster.
pub(super) async fn namespaces(session: Arc<Session>, ticket: Ticket) {
    let (_all, wanted) = watch::channel(0);
    kind(session, ticket, GroupKind::new("", "Namespace"), wanted).await;
}

fn outlet<P: Projection>(
    session: &Arc<Session>,
    kind: GroupKind,
    wrap: impl Fn(&P, Batch<P::Row>) -> Update + Send + Sync + 'static,
) -> Outlet<P> {
    let teller = Arc::clone(session);
    let tell = move |freshness| -> BoxFuture<'static, ()> {
        let session = Arc::clone(&teller);
        let source = SourceName::Kind(kind.clone());
        async move { session.report_freshness(source, freshness).await }.boxed()
    };
    Outlet::new(session.updates.clone(), wrap, tell)
}

fn delta<R>(
    generation: Generation,
    ticket: Ticket,
    kind: &GroupKind,
    batch: Batch<R>,
    rows: impl FnOnce(Vec<R>) -> Rows,
) -> Update {
    let delta = Delta {
        kind: kind.clone(),
        reset: batch.reset,
        rows: rows(batch.rows),
        removed: batch.removed,
    };
    Update::Delta {
        generation,
        ticket,
        delta,
    }
}
