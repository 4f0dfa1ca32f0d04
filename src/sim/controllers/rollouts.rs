//! Rollouts: brings new pods into service step by step, and back when a step fails.
//!
//! Follows Argo Rollouts' `rollout/` package: one [`pass::Pass`] over a Rollout reads the world, writes
//! ReplicaSets, Services, routes, AnalysisRuns and Experiments, and ends with the status. A pass
//! completes at most one step; what it wrote wakes the next pass.

mod analysis;
pub mod arithmetic;
mod blue_green;
mod canary;
pub mod conditions;
mod experiments;
mod metadata;
pub mod model;
mod pass;
mod pauses;
mod references;
mod replica_sets;
mod restart;
mod routing;
mod run;
mod services;
mod shrinking;
mod status;
mod status_text;
pub mod steps;
pub mod validation;
mod workload;

use super::ownership::owner_keys;
use super::runtime::{
    Change, Controller, Informer, ObjectKey, Queue, ReconcileError, Requeue, Runtime, Writer,
};
use crate::sim::clock::PlatformClock;
use crate::sim::events::{Events, Recorder};
use k8s_openapi::api::apps::v1::{Deployment, ReplicaSet};
use k8s_openapi::api::core::v1::{Pod, Service};
use kube::Client;
use model::Rollout;
use pass::Pass;
use run::Run;

const MANAGER: &str = "rollouts-controller";

/// The Rollout controller.
#[derive(Debug)]
pub struct Rollouts {
    rollouts: Writer<Rollout>,
    sets: Writer<ReplicaSet>,
    services: Writer<Service>,
    pods: Writer<Pod>,
    runs: Writer<Run>,
    experiments: Writer<Run>,
    recorder: Recorder,
    clock: PlatformClock,
}

impl Rollouts {
    /// Starts the controller.
    pub fn start(runtime: &Runtime, events: &Events) {
        let rollouts = runtime.informer::<Rollout>();
        let sets = runtime.informer::<ReplicaSet>();
        let services = runtime.informer::<Service>();
        let pods = runtime.informer::<Pod>();
        let runs = runtime.informer_of::<Run>(run::analysis_runs());
        let experiments = runtime.informer_of::<Run>(run::experiments());
        let queue = runtime.queue();
        rollouts.feed(&queue, |change| [change.key()]);
        sets.feed(&queue, |change| owner_keys(change, "Rollout"));
        pods.required_by(&queue);
        // These kinds may be missing; Rollouts without analysis work all the same.
        for informer in [&runs, &experiments] {
            let wake = queue.clone();
            informer.on_change(move |change| {
                for key in owner_keys(change, "Rollout") {
                    wake.add(key);
                }
            });
        }
        services.required_by(&queue);
        wake_by_name(&services, &rollouts, &queue, references::names_service);
        let deployments = runtime.informer::<Deployment>();
        wake_by_name(&deployments, &rollouts, &queue, references::names_workload);
        for kind in routing::watched_kinds() {
            let routes = runtime.informer_of::<run::Named>(kind);
            wake_by_name(&routes, &rollouts, &queue, routing::names_route);
        }
        let controller = Self {
            rollouts: rollouts.writer(MANAGER),
            sets: sets.writer(MANAGER),
            services: services.writer(MANAGER),
            pods: pods.writer(MANAGER),
            runs: runs.writer(MANAGER),
            experiments: experiments.writer(MANAGER),
            recorder: events.recorder(MANAGER),
            clock: runtime.clock().clone(),
        };
        runtime.run(controller, queue);
    }
}

impl Rollouts {
    fn client(&self) -> &Client {
        self.rollouts.informer().client()
    }
}

/// Looks at the Rollouts that name an object when it changes.
fn wake_by_name<K: super::runtime::Watched>(
    others: &Informer<K>,
    rollouts: &Informer<Rollout>,
    queue: &Queue<ObjectKey>,
    names: fn(&Rollout, &str) -> bool,
) {
    let (rollouts, queue) = (rollouts.clone(), queue.clone());
    others.on_change(move |change: &Change<K>| {
        let changed = change.key();
        for rollout in rollouts.in_namespace(&changed.namespace) {
            if names(&rollout, &changed.name) {
                queue.add(ObjectKey::of(&*rollout));
            }
        }
    });
}

impl Controller for Rollouts {
    type Key = ObjectKey;
    const NAME: &'static str = "rollouts";

    async fn reconcile(&self, key: &ObjectKey) -> Result<Requeue, ReconcileError> {
        let Some(rollout) = self.rollouts.informer().get(key) else {
            return Ok(Requeue::OnChange);
        };
        if rollout.metadata.deletion_timestamp.is_some() {
            return Ok(Requeue::OnChange);
        }
        let mut pass = Pass::new(self, rollout);
        pass.run().await?;
        Ok(Requeue::OnChange.or_at(pass.due))
    }
}
