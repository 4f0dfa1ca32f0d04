//! What runs: the containers of all Pods in the scope, and the Applications behind them.

use crate::api::convert::application_kind;
use crate::api::convert::pod_images::{PodImages, pod_images, pod_kind, tracked_by};
use crate::domain::image::Reference;
use crate::domain::kind::ARGO;
use crate::domain::object::{GroupKind, ObjectRef, Text};
use crate::domain::status::Freshness;
use crate::engine::session::Session;
use crate::engine::watch::{Batch, Outlet, Target, Typed, Watcher};
use futures::FutureExt as _;
use futures::future::BoxFuture;
use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;
use tokio::sync::mpsc;
use tokio_util::task::AbortOnDropHandle;

/// What the watches report.
#[derive(Debug)]
pub(super) enum Change {
    Pods(Batch<PodImages>),
    /// Workloads with the Application that tracks them.
    Workloads(Batch<(ObjectRef, Text)>),
    Freshness(GroupKind, Freshness),
}

/// Everything that runs.
#[derive(Debug, Default)]
pub(super) struct Fleet {
    pods: HashMap<ObjectRef, PodImages>,
    applications: HashMap<ObjectRef, Text>,
    states: HashMap<GroupKind, Freshness>,
    argocd_namespace: String,
}

/// Kinds that keep Pods and may be managed by an Application.
fn workloads() -> [GroupKind; 4] {
    [
        GroupKind::new("apps", "Deployment"),
        GroupKind::new(ARGO, "Rollout"),
        GroupKind::new("apps", "StatefulSet"),
        GroupKind::new("apps", "DaemonSet"),
    ]
}

impl Fleet {
    pub(super) fn new(session: &Session) -> Self {
        Self {
            argocd_namespace: session.options.argocd_namespace.clone(),
            ..Self::default()
        }
    }

    /// Begins to watch; the tasks end when they are dropped.
    pub(super) async fn watch(
        session: &Arc<Session>,
        changes: &mpsc::Sender<Change>,
    ) -> Vec<AbortOnDropHandle<()>> {
        let mut tasks = Vec::new();
        if let Ok(resource) = session.resource(&pod_kind()).await {
            let mut target = Target::in_scope(resource, &session.scope);
            target.selector = String::from(
                "fieldSelector=status.phase%21%3DSucceeded%2Cstatus.phase%21%3DFailed&",
            );
            let projection = Typed::new(session.cluster.clone(), pod_kind(), pod_images);
            let wrap = |_: &Typed<PodImages>, batch| Change::Pods(batch);
            let outlet = Outlet::new(changes.clone(), wrap, teller(pod_kind(), changes));
            let watcher = Watcher::new(Arc::clone(session), target, projection, outlet);
            tasks.push(AbortOnDropHandle::new(tokio::spawn(watcher.run())));
        }
        for kind in workloads() {
            let Ok(resource) = session.resource(&kind).await else {
                continue;
            };
            let target = Target::in_scope(resource, &session.scope);
            let own = kind.clone();
            let read = move |value: &serde_json::Value, cluster: &_| {
                let part = |name: &str| {
                    let text = value
                        .get("metadata")
                        .and_then(|meta| meta.get(name)?.as_str());
                    Text::from(text.unwrap_or_default())
                };
                let (namespace, name) = (part("namespace"), part("name"));
                let object = crate::api::convert::object_ref(cluster, &own, &namespace, &name);
                (object, tracked_by(value))
            };
            let projection = Typed::new(session.cluster.clone(), kind.clone(), read);
            let wrap = |_: &Typed<_>, batch| Change::Workloads(batch);
            let outlet = Outlet::new(changes.clone(), wrap, teller(kind, changes));
            let watcher = Watcher::new(Arc::clone(session), target, projection, outlet);
            tasks.push(AbortOnDropHandle::new(tokio::spawn(watcher.run())));
        }
        tasks
    }

    pub(super) fn apply(&mut self, change: Change) {
        match change {
            Change::Pods(batch) => {
                if batch.reset {
                    self.pods.clear();
                }
                for (object, _) in &batch.removed {
                    let _gone = self.pods.remove(object);
                }
                for row in batch.rows {
                    self.pods.insert(row.pod.clone(), row);
                }
            }
            Change::Workloads(batch) => {
                for (object, _) in &batch.removed {
                    let _gone = self.applications.remove(object);
                }
                for (object, app) in batch.rows {
                    if app.is_empty() {
                        let _none = self.applications.remove(&object);
                    } else {
                        self.applications.insert(object, app);
                    }
                }
            }
            Change::Freshness(kind, freshness) => {
                self.states.insert(kind, freshness);
            }
        }
    }

    /// Returns how current the list of Pods is.
    pub(super) fn freshness(&self) -> Freshness {
        let pods = self.states.get(&pod_kind()).cloned();
        pods.unwrap_or(Freshness::Connecting)
    }

    /// Returns whether the first lists of everything are there, or will not come.
    pub(super) fn is_complete(&self) -> bool {
        let settled = |kind: &GroupKind| {
            self.states.get(kind).is_some_and(|state| {
                !matches!(state, Freshness::Connecting | Freshness::Loading { .. })
            })
        };
        settled(&pod_kind()) && workloads().iter().all(settled)
    }

    /// Returns all Pods in a fixed order.
    pub(super) fn pods(&self) -> Vec<&PodImages> {
        let mut pods: Vec<&PodImages> = self.pods.values().collect();
        pods.sort_by(|a, b| a.pod.cmp(&b.pod));
        pods
    }

    /// Returns the Application behind a Pod.
    pub(super) fn application_of(&self, pod: &PodImages) -> Option<ObjectRef> {
        let own = Some(&pod.application).filter(|name| !name.is_empty());
        let name = own.or_else(|| self.applications.get(&pod.workload))?;
        // Argo CD writes Applications outside its own namespace as `NAMESPACE_NAME`.
        let (namespace, name) = name
            .split_once('_')
            .unwrap_or((&self.argocd_namespace, name));
        Some(ObjectRef {
            cluster: pod.pod.cluster.clone(),
            kind: application_kind(),
            namespace: Some(namespace.into()),
            name: name.into(),
        })
    }

    /// Returns what is wanted of one repository.
    pub(super) fn wanted_of(&self, key: &(Text, Text)) -> Vec<Reference> {
        self.wanted().remove(key).unwrap_or_default()
    }

    /// Returns what is wanted of every repository, by host and path.
    pub(super) fn wanted(&self) -> BTreeMap<(Text, Text), Vec<Reference>> {
        let mut wanted: BTreeMap<(Text, Text), Vec<Reference>> = BTreeMap::new();
        for pod in self.pods.values() {
            for one in &pod.containers {
                let reference = &one.running.wanted;
                let key = (
                    Text::clone(&reference.host),
                    Text::clone(&reference.repository),
                );
                let digest = one.running.digest().cloned();
                let asked = reference.at(reference.tag_or_latest().map(Text::from), digest);
                let list = wanted.entry(key).or_default();
                if !list.contains(&asked) {
                    list.push(asked);
                }
            }
        }
        for list in wanted.values_mut() {
            list.sort();
        }
        wanted
    }
}

fn teller(
    kind: GroupKind,
    changes: &mpsc::Sender<Change>,
) -> impl Fn(Freshness) -> BoxFuture<'static, ()> + Send + Sync + 'static {
    let changes = changes.clone();
    move |freshness| {
        let changes = changes.clone();
        let kind = kind.clone();
        async move {
            let change = Change::Freshness(kind, freshness);
            if changes.send(change).await.is_err() {
                tracing::debug!("nobody looks at images any more");
            }
        }
        .boxed()
    }
}
