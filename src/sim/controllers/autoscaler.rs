//! HorizontalPodAutoscalers keep their target within bounds and say that there are no metrics.
//!
//! The platform serves no resource metrics, so nothing scales by load; upstream's controller
//! reports the same when no metrics server is installed.

use super::runtime::time::api_time;
use super::runtime::{Controller, ObjectKey, ReconcileError, Requeue, Runtime, Writer};
use crate::domain::clock::Clock;
use crate::sim::clock::PlatformClock;
use crate::sim::events::{About, Events, Recorder};
use k8s_openapi::api::apps::v1::{Deployment, StatefulSet};
use k8s_openapi::api::autoscaling::v2::{
    HorizontalPodAutoscaler, HorizontalPodAutoscalerCondition, HorizontalPodAutoscalerSpec,
    HorizontalPodAutoscalerStatus,
};
use kube::api::{Api, ApiResource, DynamicObject, GroupVersionKind, Patch, PatchParams};
use serde_json::json;
use std::time::Duration;

const MANAGER: &str = "kube-controller-manager";
const PERIOD: Duration = Duration::from_secs(15);
const NO_METRICS: &str = "the HPA was unable to compute the replica count: unable to get metrics for \
     resource: unable to fetch metrics from resource metrics API: the server could not find the \
     requested resource (get pods.metrics.k8s.io)";

/// The autoscaler.
#[derive(Debug)]
pub struct Autoscalers {
    scalers: Writer<HorizontalPodAutoscaler>,
    deployments: Writer<Deployment>,
    sets: Writer<StatefulSet>,
    recorder: Recorder,
    clock: PlatformClock,
}

impl Autoscalers {
    /// Starts the controller.
    pub fn start(runtime: &Runtime, events: &Events) {
        let scalers = runtime.informer::<HorizontalPodAutoscaler>();
        let deployments = runtime.informer::<Deployment>();
        let sets = runtime.informer::<StatefulSet>();
        let queue = runtime.queue();
        scalers.feed(&queue, |change| [change.key()]);
        deployments.required_by(&queue);
        sets.required_by(&queue);
        let controller = Self {
            scalers: scalers.writer(MANAGER),
            deployments: deployments.writer(MANAGER),
            sets: sets.writer(MANAGER),
            recorder: events.recorder("horizontal-pod-autoscaler"),
            clock: runtime.clock().clone(),
        };
        runtime.run(controller, queue);
    }

    /// Returns the replicas the target asks for and has.
    async fn target(
        &self,
        namespace: &str,
        spec: &HorizontalPodAutoscalerSpec,
    ) -> Option<(i32, i32)> {
        let key = ObjectKey::new(namespace, spec.scale_target_ref.name.clone());
        match spec.scale_target_ref.kind.as_str() {
            "Deployment" => {
                let target = self.deployments.informer().get(&key)?;
                let wanted = target.spec.as_ref()?.replicas.unwrap_or(1);
                let has = target.status.as_ref().and_then(|status| status.replicas);
                Some((wanted, has.unwrap_or(0)))
            }
            "StatefulSet" => {
                let target = self.sets.informer().get(&key)?;
                let wanted = target.spec.as_ref()?.replicas.unwrap_or(1);
                Some((
                    wanted,
                    target.status.as_ref().map_or(0, |status| status.replicas),
                ))
            }
            _ => {
                let target = self.scaled_kind(namespace, spec);
                let scale = target.get_scale(&key.name).await.ok()?;
                let wanted = scale.spec?.replicas.unwrap_or(1);
                Some((wanted, scale.status.map_or(0, |status| status.replicas)))
            }
        }
    }

    /// Where a target is served whose kind is only known by its name: a custom one with a scale.
    fn scaled_kind(
        &self,
        namespace: &str,
        spec: &HorizontalPodAutoscalerSpec,
    ) -> Api<DynamicObject> {
        let target = &spec.scale_target_ref;
        let api_version = target.api_version.as_deref().unwrap_or_default();
        let (group, version) = api_version.split_once('/').unwrap_or(("", api_version));
        let kind = GroupVersionKind::gvk(group, version, &target.kind);
        let client = self.scalers.informer().client().clone();
        Api::namespaced_with(client, namespace, &ApiResource::from_gvk(&kind))
    }

    async fn scale(
        &self,
        namespace: &str,
        spec: &HorizontalPodAutoscalerSpec,
        replicas: i32,
    ) -> Result<(), ReconcileError> {
        let key = ObjectKey::new(namespace, spec.scale_target_ref.name.clone());
        let patch = json!({"spec": {"replicas": replicas}});
        match spec.scale_target_ref.kind.as_str() {
            "Deployment" => self.deployments.patch(&key, &patch).await.map(|_| ()),
            "StatefulSet" => self.sets.patch(&key, &patch).await.map(|_| ()),
            kind => {
                let target = self.scaled_kind(namespace, spec);
                let params = PatchParams::default();
                let scaled = target
                    .patch_scale(&key.name, &params, &Patch::Merge(&patch))
                    .await;
                scaled
                    .map(|_| ())
                    .map_err(|source| ReconcileError::api(format!("scale {kind} `{key}`"), source))
            }
        }
    }
}

impl Controller for Autoscalers {
    type Key = ObjectKey;
    const NAME: &'static str = "horizontal-pod-autoscaler";

    async fn reconcile(&self, key: &ObjectKey) -> Result<Requeue, ReconcileError> {
        let Some(scaler) = self.scalers.informer().get(key) else {
            return Ok(Requeue::OnChange);
        };
        let Some(spec) = &scaler.spec else {
            return Ok(Requeue::OnChange);
        };
        let target = self.target(&key.namespace, spec).await;
        let least = spec.min_replicas.unwrap_or(1);
        if let Some((wanted, _)) = target {
            let bounded = wanted.clamp(least, spec.max_replicas.max(least));
            // Scaled to zero by hand means: leave it alone.
            if wanted != bounded && wanted != 0 {
                self.scale(&key.namespace, spec, bounded).await?;
                let message = format!(
                    "New size: {bounded}; reason: Current number of replicas {} Spec.{}",
                    if wanted < bounded { "below" } else { "above" },
                    if wanted < bounded {
                        "MinReplicas"
                    } else {
                        "MaxReplicas"
                    }
                );
                self.recorder
                    .normal(About::object(&*scaler), "SuccessfulRescale", message);
            }
        }
        let old = scaler.status.clone().unwrap_or_default();
        let new = status(&old, spec, target, &self.clock);
        if self
            .scalers
            .update_status(&*scaler, &old, &new)
            .await?
            .is_some()
            && target.is_some()
        {
            let about = About::object(&*scaler);
            self.recorder
                .warning(about, "FailedGetResourceMetric", NO_METRICS);
        }
        Ok(Requeue::After(PERIOD))
    }
}

fn status(
    old: &HorizontalPodAutoscalerStatus,
    spec: &HorizontalPodAutoscalerSpec,
    target: Option<(i32, i32)>,
    clock: &PlatformClock,
) -> HorizontalPodAutoscalerStatus {
    let condition = |name: &str, value: &str, (reason, message): (&str, String)| {
        let known = old
            .conditions
            .iter()
            .flatten()
            .find(|one| one.type_ == name);
        let since = known
            .filter(|one| one.status == value)
            .and_then(|one| one.last_transition_time.clone());
        HorizontalPodAutoscalerCondition {
            type_: name.to_owned(),
            status: value.to_owned(),
            reason: Some(reason.to_owned()),
            message: Some(message),
            last_transition_time: since.or_else(|| Some(api_time(clock.now()))),
        }
    };
    let conditions = match target {
        None => {
            let reference = &spec.scale_target_ref;
            let message = format!(
                "the HPA controller was unable to get the target's current scale: {} \"{}\" not \
                 found",
                reference.kind.to_lowercase(),
                reference.name
            );
            vec![condition(
                "AbleToScale",
                "False",
                ("FailedGetScale", message),
            )]
        }
        Some(_) => vec![
            condition(
                "AbleToScale",
                "True",
                (
                    "SucceededGetScale",
                    "the HPA controller was able to get the target's current scale".to_owned(),
                ),
            ),
            condition(
                "ScalingActive",
                "False",
                ("FailedGetResourceMetric", NO_METRICS.to_owned()),
            ),
        ],
    };
    HorizontalPodAutoscalerStatus {
        conditions: Some(conditions),
        current_replicas: target.map(|(_, has)| has),
        desired_replicas: 0,
        ..old.clone()
    }
}
