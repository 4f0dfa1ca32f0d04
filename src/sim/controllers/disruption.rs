//! PodDisruptionBudgets: how many of the selected pods may be disturbed now.
//!
//! Follows `pkg/controller/disruption`; what is expected is counted from the pods themselves, not
//! from the scale of their owners.

use super::deployment::arithmetic::{Rounding, scaled};
use super::pods::{is_finished, is_ready};
use super::runtime::time::api_time;
use super::runtime::{
    Controller, Informer, ObjectKey, ReconcileError, Requeue, Runtime, Writer, selector,
};
use crate::domain::clock::Clock;
use crate::sim::clock::PlatformClock;
use k8s_openapi::api::core::v1::Pod;
use k8s_openapi::api::policy::v1::{PodDisruptionBudget, PodDisruptionBudgetStatus};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Condition;

const MANAGER: &str = "kube-controller-manager";

/// The disruption controller.
#[derive(Debug)]
pub struct Disruptions {
    budgets: Writer<PodDisruptionBudget>,
    pods: Informer<Pod>,
    clock: PlatformClock,
}

impl Disruptions {
    /// Starts the controller.
    pub fn start(runtime: &Runtime) {
        let budgets = runtime.informer::<PodDisruptionBudget>();
        let pods = runtime.informer::<Pod>();
        let queue = runtime.queue();
        budgets.feed(&queue, |change| [change.key()]);
        let all = budgets.clone();
        pods.feed(&queue, move |change| {
            let budgets = all.in_namespace(&change.key().namespace);
            let keys: Vec<_> = budgets
                .iter()
                .filter(|budget| {
                    let wanted = budget.spec.as_ref().and_then(|spec| spec.selector.as_ref());
                    wanted.is_some_and(|wanted| {
                        change
                            .sides()
                            .any(|pod| selector::matches(wanted, pod.metadata.labels.as_ref()))
                    })
                })
                .map(|budget| ObjectKey::of(&**budget))
                .collect();
            keys
        });
        let controller = Self {
            budgets: budgets.writer(MANAGER),
            pods,
            clock: runtime.clock().clone(),
        };
        runtime.run(controller, queue);
    }
}

impl Controller for Disruptions {
    type Key = ObjectKey;
    const NAME: &'static str = "disruption";

    async fn reconcile(&self, key: &ObjectKey) -> Result<Requeue, ReconcileError> {
        let Some(budget) = self.budgets.informer().get(key) else {
            return Ok(Requeue::OnChange);
        };
        let Some(spec) = &budget.spec else {
            return Ok(Requeue::OnChange);
        };
        let mut pods = spec
            .selector
            .as_ref()
            .map(|selector| self.pods.selected(&key.namespace, selector))
            .unwrap_or_default();
        pods.retain(|pod| !is_finished(pod));
        let expected = pods.len() as i32;
        let healthy = pods
            .iter()
            .filter(|pod| is_ready(pod) && pod.metadata.deletion_timestamp.is_none())
            .count() as i32;
        let desired = match (&spec.min_available, &spec.max_unavailable) {
            (Some(least), _) => scaled(least, expected, Rounding::Up),
            (None, Some(most)) => (expected - scaled(most, expected, Rounding::Up)).max(0),
            (None, None) => 0,
        };
        let allowed = (healthy - desired).max(0);
        let old = budget.status.clone().unwrap_or_default();
        let enough = allowed > 0;
        let (value, reason) = if enough {
            ("True", "SufficientPods")
        } else {
            ("False", "InsufficientPods")
        };
        let since = old
            .conditions
            .iter()
            .flatten()
            .find(|one| one.type_ == "DisruptionAllowed" && one.status == value)
            .map_or_else(
                || api_time(self.clock.now()),
                |one| one.last_transition_time.clone(),
            );
        let new = PodDisruptionBudgetStatus {
            current_healthy: healthy,
            desired_healthy: desired,
            disruptions_allowed: allowed,
            expected_pods: expected,
            observed_generation: budget.metadata.generation,
            conditions: Some(vec![Condition {
                type_: "DisruptionAllowed".to_owned(),
                status: value.to_owned(),
                reason: reason.to_owned(),
                message: String::new(),
                last_transition_time: since,
                observed_generation: budget.metadata.generation,
            }]),
            ..old.clone()
        };
        self.budgets.update_status(&*budget, &old, &new).await?;
        Ok(Requeue::OnChange)
    }
}
