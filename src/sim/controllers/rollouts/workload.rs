//! A Rollout whose pod template is that of another workload.
//!
//! Follows Argo Rollouts' `rollout/templateref.go`.

use super::model::{Rollout, WorkloadRef};
use super::pass::{Outcome, Pass};
use super::replica_sets::{WORKLOAD_GENERATION, size};
use super::run::resource;
use crate::sim::apiserver::schema::FieldError;
use crate::sim::controllers::runtime::ReconcileError;
use kube::Client;
use kube::api::{Api, DynamicObject, Patch, PatchParams};
use serde_json::{Value, json};

/// Takes template and selector of the workload that a Rollout names, if it names one.
pub(super) async fn resolve(client: &Client, rollout: &mut Rollout) -> Outcome<Result<(), String>> {
    let Some(reference) = rollout.spec.workload_ref.clone() else {
        return Ok(Ok(()));
    };
    if rollout
        .spec
        .template
        .as_ref()
        .is_some_and(|one| *one != json!({}))
    {
        return Ok(Err(
            "spec.template: Internal error: template must be empty for workload reference rollout"
                .to_owned(),
        ));
    }
    let Some(api) = api_of(client, rollout.namespace(), &reference) else {
        let kind = json!(reference.kind);
        let error = FieldError::invalid(
            "spec.workloadRef.kind",
            &kind,
            "workload kind not supported",
        );
        return Ok(Err(error.to_string()));
    };
    let found = match api.get(&reference.name).await {
        Ok(found) => found,
        Err(kube::Error::Api(status)) if status.code == 404 => {
            return Ok(Err(status.message.clone()));
        }
        Err(source) => {
            let doing = format!("read the workload of rollout `{}`", rollout.name());
            return Err(ReconcileError::api(doing, source));
        }
    };
    let at = |pointer: &str| found.data.pointer(pointer).cloned();
    rollout.spec.template = at("/spec/template").or_else(|| at("/template"));
    if rollout.spec.selector.is_none() {
        rollout.spec.selector =
            at("/spec/selector").and_then(|one| serde_json::from_value(one).ok());
    }
    let generation = found.metadata.generation.unwrap_or_default();
    let annotations = rollout.metadata.annotations.get_or_insert_default();
    annotations.insert(WORKLOAD_GENERATION.to_owned(), generation.to_string());
    Ok(Ok(()))
}

fn api_of(client: &Client, namespace: &str, reference: &WorkloadRef) -> Option<Api<DynamicObject>> {
    let (group, version) = match reference.kind.as_str() {
        "Deployment" | "ReplicaSet" => ("apps", "v1"),
        "PodTemplate" => ("", "v1"),
        _ => return None,
    };
    let kind = resource(group, version, &reference.kind);
    Some(Api::namespaced_with(client.clone(), namespace, &kind))
}

impl Pass<'_> {
    /// Takes the pods of the Deployment away that the Rollout replaces, as far as it asks for that.
    pub(super) async fn scale_workload(&self) -> Outcome {
        let Some(reference) = &self.rollout.spec.workload_ref else {
            return Ok(());
        };
        if reference.kind != "Deployment" {
            return Ok(());
        }
        let wanted = match reference.scale_down.as_str() {
            "onsuccess" if self.rollout.status.phase == "Healthy" => 0,
            "progressively" => {
                let new = self.sets.new_set().map_or(0, |set| size(set).available);
                (self.rollout.replicas() - new).max(0)
            }
            _ => return Ok(()),
        };
        let Some(api) = api_of(
            self.controller.client(),
            self.rollout.namespace(),
            reference,
        ) else {
            return Ok(());
        };
        let doing = || format!("scale the workload of rollout `{}`", self.rollout.name());
        let found = api.get_opt(&reference.name).await;
        let found = found.map_err(|source| ReconcileError::api(doing(), source))?;
        let present = found.and_then(|found| {
            let replicas = found.data.pointer("/spec/replicas");
            replicas.and_then(Value::as_i64)
        });
        if present.is_none_or(|present| present <= i64::from(wanted)) {
            return Ok(());
        }
        let patch = Patch::Merge(json!({"spec": {"replicas": wanted}}));
        let params = PatchParams::default();
        api.patch(&reference.name, &params, &patch)
            .await
            .map(|_| ())
            .map_err(|source| ReconcileError::api(doing(), source))
    }
}
