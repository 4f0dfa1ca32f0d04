//! Finds the Task or Pipeline that something refers to.
//!
//! By name in the run's namespace, or with the resolver `cluster` in another. The other resolvers
//! fetch from places that the embedded platform does not have; naming one fails and says so.

use super::model::spec::Reference;
use super::model::{Pipeline, Task};
use crate::sim::controllers::runtime::ReconcileError;
use k8s_openapi::NamespaceResourceScope;
use kube::{Api, Client, Resource};
use serde::de::DeserializeOwned;
use serde_json::Value;
use std::collections::BTreeMap;
use std::fmt::Debug;

/// What was found.
#[derive(Clone, Debug, Default)]
pub(super) struct Resolved {
    pub(super) name: String,
    pub(super) labels: BTreeMap<String, String>,
    pub(super) annotations: BTreeMap<String, String>,
    pub(super) spec: Value,
}

/// Why there is nothing; an outage is tried again, a refusal is not.
#[derive(Debug)]
pub(super) enum Unresolved {
    Refused(String),
    Later(ReconcileError),
}

/// Finds a Task.
pub(super) async fn task(
    client: &Client,
    namespace: &str,
    reference: &Reference,
) -> Result<Resolved, Unresolved> {
    let is_custom =
        !reference.api_version.is_empty() && !reference.api_version.starts_with("tekton.dev/");
    if is_custom {
        return Err(Unresolved::Refused(format!(
            "custom tasks (`{}` of `{}`) have no controller on the embedded platform",
            reference.kind, reference.api_version
        )));
    }
    let (namespace, name) = place(namespace, reference, "task")?;
    let found = fetch::<Task>(client, &namespace, &name).await?;
    found
        .map(|task| resolved(task.metadata, task.spec))
        .ok_or_else(|| Unresolved::Refused(format!("tasks.tekton.dev {name:?} not found")))
}

/// Finds a Pipeline.
pub(super) async fn pipeline(
    client: &Client,
    namespace: &str,
    reference: &Reference,
) -> Result<Resolved, Unresolved> {
    let (namespace, name) = place(namespace, reference, "pipeline")?;
    let found = fetch::<Pipeline>(client, &namespace, &name).await?;
    found
        .map(|pipeline| resolved(pipeline.metadata, pipeline.spec))
        .ok_or_else(|| Unresolved::Refused(format!("pipelines.tekton.dev {name:?} not found")))
}

fn resolved(
    meta: k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta,
    spec: Value,
) -> Resolved {
    Resolved {
        name: meta.name.unwrap_or_default(),
        labels: meta.labels.unwrap_or_default(),
        annotations: meta.annotations.unwrap_or_default(),
        spec,
    }
}

fn place(
    namespace: &str,
    reference: &Reference,
    kind: &str,
) -> Result<(String, String), Unresolved> {
    match reference.resolver.as_str() {
        "" => Ok((namespace.to_owned(), reference.name.clone())),
        "cluster" => {
            let wanted = reference.param("kind");
            if !wanted.is_empty() && wanted != kind {
                return Err(Unresolved::Refused(format!(
                    "the resolver `cluster` is asked for a {wanted} where a {kind} is needed"
                )));
            }
            let elsewhere = reference.param("namespace");
            let namespace = if elsewhere.is_empty() {
                namespace.to_owned()
            } else {
                elsewhere
            };
            Ok((namespace, reference.param("name")))
        }
        other => Err(Unresolved::Refused(format!(
            "the resolver `{other}` is not served by the embedded platform; it has names in the \
             same namespace and the resolver `cluster`"
        ))),
    }
}

async fn fetch<K>(client: &Client, namespace: &str, name: &str) -> Result<Option<K>, Unresolved>
where
    K: Resource<DynamicType = (), Scope = NamespaceResourceScope>
        + Clone
        + Debug
        + DeserializeOwned,
{
    if name.is_empty() {
        return Ok(None);
    }
    let api = Api::<K>::namespaced(client.clone(), namespace);
    api.get_opt(name).await.map_err(|source| {
        let doing = format!("get {} `{namespace}/{name}`", K::plural(&()));
        Unresolved::Later(ReconcileError::api(doing, source))
    })
}
