//! Namespaces: what every one contains, and emptying one that is being deleted.
//!
//! Follows `pkg/controller/namespace` and the service account controllers: each namespace has the
//! `default` account and the cluster's root certificate; a deleted one is emptied kind by kind,
//! custom kinds included, and finalized when nothing is left.

use super::runtime::time::api_time;
use super::runtime::{Controller, Informer, ObjectKey, ReconcileError, Requeue, Runtime, Writer};
use crate::domain::clock::Clock;
use crate::sim::clock::PlatformClock;
use k8s_openapi::api::core::v1::{ConfigMap, Namespace, NamespaceCondition, ServiceAccount};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use kube::api::{Api, ApiResource, DeleteParams, DynamicObject, ListParams, PostParams};
use kube::core::Request;
use kube::discovery::{Discovery, Scope, verbs};
use serde_json::Value;
use std::collections::BTreeMap;
use std::time::Duration;

const MANAGER: &str = "kube-controller-manager";
const ROOT_CA: &str = "kube-root-ca.crt";
const LOOK_AGAIN: Duration = Duration::from_millis(250);

/// The namespace controller.
#[derive(Debug)]
#[allow(
    clippy::struct_field_names,
    reason = "named as the API names what is written"
)]
pub struct Namespaces {
    namespaces: Writer<Namespace>,
    accounts: Writer<ServiceAccount>,
    root_ca: String,
    clock: PlatformClock,
}

impl Namespaces {
    /// Starts the controller; `root_ca` is the PEM text that pods are told to trust.
    pub fn start(runtime: &Runtime, root_ca: String) {
        let namespaces = runtime.informer::<Namespace>();
        let accounts: Informer<ServiceAccount> = runtime.informer();
        let queue = runtime.queue();
        namespaces.feed(&queue, |change| [change.key()]);
        accounts.feed(&queue, |change| {
            let key = change.key();
            // A deleted default account comes back.
            (change.new.is_none() && key.name == "default")
                .then(|| ObjectKey::new("", key.namespace))
        });
        let controller = Self {
            namespaces: namespaces.writer(MANAGER),
            accounts: accounts.writer(MANAGER),
            root_ca,
            clock: runtime.clock().clone(),
        };
        runtime.run(controller, queue);
    }

    async fn furnish(&self, name: &str) -> Result<(), ReconcileError> {
        if self
            .accounts
            .informer()
            .get(&ObjectKey::new(name, "default"))
            .is_none()
        {
            let account = ServiceAccount {
                metadata: named(name, "default"),
                ..ServiceAccount::default()
            };
            unless_there(self.accounts.create(&account).await.map(|_| ()))?;
        }
        let client = self.namespaces.informer().client().clone();
        let maps = Api::<ConfigMap>::namespaced(client, name);
        let map = ConfigMap {
            metadata: ObjectMeta {
                annotations: Some(BTreeMap::from([(
                    "kubernetes.io/description".to_owned(),
                    "Contains a CA bundle that can be used to verify the kube-apiserver when using \
                     internal endpoints such as the internal service IP or \
                     kubernetes.default.svc. No other usage is guaranteed across distributions of \
                     Kubernetes clusters."
                        .to_owned(),
                )])),
                ..named(name, ROOT_CA)
            },
            data: Some(BTreeMap::from([("ca.crt".to_owned(), self.root_ca.clone())])),
            ..ConfigMap::default()
        };
        let params = PostParams {
            field_manager: Some(MANAGER.to_owned()),
            ..PostParams::default()
        };
        let created = maps.create(&params, &map).await.map(|_| ());
        unless_there(created.map_err(|error| {
            ReconcileError::api(format!("create configmap `{ROOT_CA}` in `{name}`"), error)
        }))
    }

    /// Deletes everything in a namespace; returns the kinds of which something is left.
    async fn empty(&self, name: &str) -> Result<BTreeMap<String, usize>, ReconcileError> {
        let client = self.namespaces.informer().client().clone();
        let failed = |error| ReconcileError::api(format!("empty namespace `{name}`"), error);
        let discovery = Discovery::new(client.clone())
            .run_aggregated()
            .await
            .map_err(failed)?;
        let mut left = BTreeMap::new();
        for group in discovery.groups() {
            for (kind, capabilities) in group.recommended_resources() {
                let deletable = capabilities.supports_operation(verbs::DELETE)
                    && capabilities.supports_operation(verbs::LIST);
                if capabilities.scope != Scope::Namespaced || !deletable {
                    continue;
                }
                let count = self.empty_kind(name, &kind).await?;
                if count > 0 {
                    left.insert(format!("{}.{}", kind.plural, kind.group), count);
                }
            }
        }
        Ok(left)
    }

    async fn empty_kind(&self, name: &str, kind: &ApiResource) -> Result<usize, ReconcileError> {
        let client = self.namespaces.informer().client().clone();
        let api = Api::<DynamicObject>::namespaced_with(client, name, kind);
        let all = ListParams::default();
        let failed =
            |error| ReconcileError::api(format!("delete all {} in `{name}`", kind.plural), error);
        let present = api.list_metadata(&all).await.map_err(failed)?;
        if present
            .items
            .iter()
            .any(|one| one.metadata.deletion_timestamp.is_none())
        {
            api.delete_collection(&DeleteParams::background(), &all)
                .await
                .map_err(failed)?;
        }
        if present.items.is_empty() {
            return Ok(0);
        }
        Ok(api.list_metadata(&all).await.map_err(failed)?.items.len())
    }

    async fn finalize(&self, namespace: &Namespace) -> Result<(), ReconcileError> {
        let name = namespace.metadata.name.as_deref().unwrap_or_default();
        let failed = |error| ReconcileError::api(format!("finalize namespace `{name}`"), error);
        let mut finalized = namespace.clone();
        let finalizers = finalized.spec.get_or_insert_default();
        finalizers
            .finalizers
            .get_or_insert_default()
            .retain(|one| one != "kubernetes");
        let body = serde_json::to_vec(&finalized).map_err(|source| ReconcileError::Encoding {
            doing: format!("finalize namespace `{name}`"),
            source,
        })?;
        let request = Request::new("/api/v1/namespaces")
            .replace_subresource("finalize", name, &PostParams::default(), body)
            .map_err(|error| failed(kube::Error::BuildRequest(error)))?;
        let client = self.namespaces.informer().client();
        client
            .request::<Value>(request)
            .await
            .map(|_| ())
            .map_err(failed)
    }

    async fn report(
        &self,
        namespace: &Namespace,
        left: &BTreeMap<String, usize>,
    ) -> Result<(), ReconcileError> {
        let old = namespace.status.clone().unwrap_or_default();
        let mut new = old.clone();
        new.phase = Some("Terminating".to_owned());
        let list: Vec<String> = left
            .iter()
            .map(|(kind, count)| format!("{kind} has {count} resource instances"))
            .collect();
        let message = format!("Some resources are remaining: {}", list.join(", "));
        let conditions = new.conditions.get_or_insert_default();
        let since = conditions
            .iter()
            .find(|one| one.type_ == "NamespaceContentRemaining")
            .and_then(|one| one.last_transition_time.clone())
            .or_else(|| Some(api_time(self.clock.now())));
        conditions.retain(|one| one.type_ != "NamespaceContentRemaining");
        conditions.push(NamespaceCondition {
            type_: "NamespaceContentRemaining".to_owned(),
            status: "True".to_owned(),
            reason: Some("SomeResourcesRemain".to_owned()),
            message: Some(message),
            last_transition_time: since,
        });
        self.namespaces.update_status(namespace, &old, &new).await?;
        Ok(())
    }
}

impl Controller for Namespaces {
    type Key = ObjectKey;
    const NAME: &'static str = "namespace";
    const CONCURRENCY: usize = 4;

    async fn reconcile(&self, key: &ObjectKey) -> Result<Requeue, ReconcileError> {
        let Some(namespace) = self.namespaces.informer().get(key) else {
            return Ok(Requeue::OnChange);
        };
        if namespace.metadata.deletion_timestamp.is_none() {
            self.furnish(&key.name).await?;
            return Ok(Requeue::OnChange);
        }
        let spec = namespace.spec.as_ref();
        let ours = spec
            .and_then(|spec| spec.finalizers.as_ref())
            .is_some_and(|all| all.iter().any(|one| one == "kubernetes"));
        if !ours {
            return Ok(Requeue::OnChange);
        }
        let left = self.empty(&key.name).await?;
        if left.is_empty() {
            return match self.finalize(&namespace).await {
                Err(error) if !error.is_not_found() => Err(error),
                Ok(()) | Err(_) => Ok(Requeue::OnChange),
            };
        }
        self.report(&namespace, &left).await?;
        Ok(Requeue::After(LOOK_AGAIN))
    }
}

fn named(namespace: &str, name: &str) -> ObjectMeta {
    ObjectMeta {
        name: Some(name.to_owned()),
        namespace: Some(namespace.to_owned()),
        ..ObjectMeta::default()
    }
}

/// What is there already need not be created.
fn unless_there(created: Result<(), ReconcileError>) -> Result<(), ReconcileError> {
    match created {
        Err(error) if !error.is_conflict() => Err(error),
        Ok(()) | Err(_) => Ok(()),
    }
}
