//! Does what a pass over a Workflow wished for: Pods, claims and questions to servers.

use super::{COMPLETED, Workflows, http};
use crate::sim::controllers::ownership::reference_to;
use crate::sim::controllers::runtime::{ObjectKey, ReconcileError};
use crate::sim::controllers::workflows::model::{Workflow, WorkflowStatus};
use crate::sim::controllers::workflows::node::Phase;
use crate::sim::controllers::workflows::operate::Wish;
use crate::sim::controllers::workflows::pods::pod_phase;
use crate::sim::events::About;
use k8s_openapi::api::core::v1::{PersistentVolumeClaim, Pod};
use kube::api::{Api, DeleteParams, PostParams};
use serde_json::{Value, json};
use std::collections::HashMap;

impl Workflows {
    /// Does what a pass wished for; returns the answers of servers, by node.
    pub(super) async fn carry_out(
        &self,
        workflow: &Workflow,
        status: &mut WorkflowStatus,
        wishes: Vec<Wish>,
    ) -> Result<HashMap<String, (Phase, String, String)>, ReconcileError> {
        let mut answers = HashMap::new();
        let namespace = workflow.metadata.namespace.as_deref().unwrap_or_default();
        for wish in wishes {
            match wish {
                Wish::CreatePod(pod) => self.create_pod(workflow, status, &pod).await?,
                Wish::DeletePod(name) => {
                    if let Some(pod) = self.pods.informer().get(&ObjectKey::new(namespace, name)) {
                        self.pods.delete(&pod, &DeleteParams::default()).await?;
                    }
                }
                Wish::ExpirePod(name) => {
                    let patch = json!({"spec": {"activeDeadlineSeconds": 1}});
                    self.patch_pod(namespace, &name, &patch).await?;
                }
                Wish::LabelPodCompleted(name) => {
                    let patch = json!({"metadata": {"labels": {COMPLETED: "true"}}});
                    self.patch_pod(namespace, &name, &patch).await?;
                }
                Wish::CreateClaim(claim) => self.create_claim(workflow, claim).await?,
                Wish::DeleteClaim(name) => {
                    let api: Api<PersistentVolumeClaim> =
                        Api::namespaced(self.client.clone(), namespace);
                    ignore_gone(api.delete(&name, &DeleteParams::default()).await.map(drop))?;
                }
                Wish::Ask { node, http } => {
                    let answer = http::ask(&self.network, &self.clock, &http).await;
                    answers.insert(node, answer);
                }
            }
        }
        Ok(answers)
    }

    pub(super) async fn patch_pod(
        &self,
        namespace: &str,
        name: &str,
        patch: &Value,
    ) -> Result<(), ReconcileError> {
        match self
            .pods
            .patch(&ObjectKey::new(namespace, name), patch)
            .await
        {
            Ok(_) => Ok(()),
            Err(error) if error.is_not_found() => Ok(()),
            Err(error) => Err(error),
        }
    }

    async fn create_pod(
        &self,
        workflow: &Workflow,
        status: &mut WorkflowStatus,
        pod: &Pod,
    ) -> Result<(), ReconcileError> {
        let error = match self.pods.create(pod).await {
            Ok(_) => return Ok(()),
            Err(error) if error.is_conflict() => {
                // It is there since a pass that could not be saved; a leftover has to go first.
                let known = self.pods.informer().get(&ObjectKey::of(pod));
                let is_leftover = known.is_some_and(|known| {
                    let ended = matches!(pod_phase(&known), "Succeeded" | "Failed");
                    ended || known.metadata.deletion_timestamp.is_some()
                });
                return if is_leftover { Err(error) } else { Ok(()) };
            }
            Err(error) => error,
        };
        // What the server will never accept is the template's fault, not the moment's.
        if !matches!(error.code(), Some(400 | 403 | 404 | 422)) {
            return Err(error);
        }
        let annotations = pod.metadata.annotations.as_ref();
        let id = annotations.and_then(|all| all.get("workflows.argoproj.io/node-id"));
        if let Some(node) = id.and_then(|id| status.nodes.get_mut(id)) {
            node.phase = Phase::Error;
            node.message = error.message();
            node.finished_at.clone_from(&node.started_at);
        }
        let about = About::object(workflow);
        self.recorder
            .warning(about, "WorkflowFailed", error.message());
        Ok(())
    }

    async fn create_claim(
        &self,
        workflow: &Workflow,
        mut claim: Value,
    ) -> Result<(), ReconcileError> {
        let namespace = workflow.metadata.namespace.as_deref().unwrap_or_default();
        claim["metadata"]["ownerReferences"] = json!([reference_to(workflow)]);
        let api: Api<PersistentVolumeClaim> = Api::namespaced(self.client.clone(), namespace);
        let claim = serde_json::from_value(claim).map_err(|source| ReconcileError::Encoding {
            doing: "create a PersistentVolumeClaim".to_owned(),
            source,
        })?;
        match api.create(&PostParams::default(), &claim).await {
            Ok(_) => Ok(()),
            Err(source) => {
                let error = ReconcileError::api("create a PersistentVolumeClaim", source);
                if error.is_conflict() {
                    Ok(())
                } else {
                    Err(error)
                }
            }
        }
    }
}

fn ignore_gone(outcome: Result<(), kube::Error>) -> Result<(), ReconcileError> {
    match outcome {
        Ok(()) => Ok(()),
        Err(source) => {
            let error = ReconcileError::api("delete a PersistentVolumeClaim", source);
            if error.is_not_found() {
                Ok(())
            } else {
                Err(error)
            }
        }
    }
}
