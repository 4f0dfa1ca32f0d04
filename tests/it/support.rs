//! What tests of the embedded platform share: a platform on stepped time, and waiting for a state.
//!
//! A test waits by [`step_until`]: it moves platform time a little, lets everything that woke up
//! run, and looks again. Only a state ends the wait; the deadline in real time is there to fail.

use k8s_openapi::api::core::v1::{Event, Pod};
use kube::api::{Api, DynamicObject, ListParams, Patch, PatchParams, PostParams};
use kube::core::GroupVersionKind;
use kube::{Client, Resource};
use serde::de::DeserializeOwned;
use serde_json::Value;
use std::fmt::Debug;
use std::sync::Arc;
use std::time::Duration;
use tiphys::domain::clock::Clock;
use tiphys::sim::apiserver::{ApiServer, ServerOptions};
use tiphys::sim::clock::PlatformClock;
use tiphys::sim::controllers::runtime::Runtime;
use tiphys::sim::controllers::start_kubernetes;
use tiphys::sim::events::Events;
use tiphys::sim::kubelet::image::{ImageCatalog, ImageProfile};
use tiphys::sim::kubelet::{KubeletOptions, NodeShape};
use tiphys::sim::rng::Seed;
use tiphys::sim::steps::Steps;

/// How far platform time moves between two looks.
const STEP: Duration = Duration::from_millis(100);
/// How long, in real time, a state may take to come about.
const DEADLINE: Duration = Duration::from_secs(30);

/// Steps the clock until `look` finds something, which is returned.
///
/// Fails the test, saying `what` was awaited, when that takes too long in real time.
pub(crate) async fn step_until<T>(
    clock: &PlatformClock,
    what: &str,
    mut look: impl AsyncFnMut() -> Option<T>,
) -> T {
    let waited = async {
        loop {
            if let Some(found) = look().await {
                return found;
            }
            clock.step(STEP);
            // Long enough for a round of watch, reconcile and write; not what is waited for.
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
    };
    match tokio::time::timeout(DEADLINE, waited).await {
        Ok(found) => found,
        Err(_) => panic!(
            "{what}: not within {DEADLINE:?}; platform time is {}",
            clock.now()
        ),
    }
}

/// A cluster of API server, controllers, scheduler and kubelet whose time only tests move.
pub(crate) struct Cluster {
    pub(crate) clock: PlatformClock,
    pub(crate) client: Client,
    pub(crate) images: Arc<ImageCatalog>,
    pub(crate) server: ApiServer,
    pub(crate) runtime: Runtime,
    pub(crate) events: Events,
}

impl Cluster {
    /// Starts a cluster whose registry `registry.demo` lacks every image that is not added.
    pub(crate) fn start(profiles: Vec<ImageProfile>) -> Self {
        Self::start_with(profiles, Steps::default())
    }

    /// Starts a cluster whose pods' steps behave as declared.
    pub(crate) fn start_with(profiles: Vec<ImageProfile>, steps: Steps) -> Self {
        let start = chrono::DateTime::UNIX_EPOCH + chrono::TimeDelta::days(20_000);
        let clock = PlatformClock::stepped(start);
        let server = ApiServer::start(ServerOptions::new(clock.clone()));
        let runtime = Runtime::new(server.client("controllers"), clock.clone(), Seed(1));
        let events = Events::start(&runtime);
        let images = Arc::new(ImageCatalog::new(vec!["registry.demo".into()], profiles));
        let kubelet = KubeletOptions {
            nodes: NodeShape::three_workers(),
            images: Arc::clone(&images) as Arc<_>,
            version: "v1.33.4".into(),
            steps,
        };
        let kubelet = start_kubernetes(&runtime, &events, kubelet, String::new());
        server.set_pod_logs(Arc::new(kubelet));
        Self {
            client: server.client("test"),
            clock,
            images,
            server,
            runtime,
            events,
        }
    }

    pub(crate) async fn until<T>(&self, what: &str, look: impl AsyncFnMut() -> Option<T>) -> T {
        step_until(&self.clock, what, look).await
    }

    /// Returns the objects of a kind in the `default` namespace.
    pub(crate) fn api<K>(&self) -> Api<K>
    where
        K: Resource<DynamicType = (), Scope = kube::core::NamespaceResourceScope>,
    {
        Api::namespaced(self.client.clone(), "default")
    }

    /// Creates an object of any kind in the `default` namespace.
    pub(crate) async fn create(&self, object: Value) {
        let (api, object) = self.dynamic(object);
        api.create(&PostParams::default(), &object)
            .await
            .expect("the object is created");
    }

    /// Sends a merge patch to an object of the `default` namespace.
    pub(crate) async fn patch<K>(&self, name: &str, patch: Value)
    where
        K: Resource<DynamicType = (), Scope = kube::core::NamespaceResourceScope>
            + Clone
            + Debug
            + DeserializeOwned,
    {
        self.api::<K>()
            .patch(name, &PatchParams::default(), &Patch::Merge(patch))
            .await
            .expect("the object is patched");
    }

    fn dynamic(&self, object: Value) -> (Api<DynamicObject>, DynamicObject) {
        let object: DynamicObject = serde_json::from_value(object).expect("an object");
        let types = object.types.clone().expect("apiVersion and kind");
        let kind = GroupVersionKind::try_from(types).expect("a kind");
        let resource = kube::api::ApiResource::from_gvk(&kind);
        let api = Api::namespaced_with(self.client.clone(), "default", &resource);
        (api, object)
    }

    /// Returns the pods that a label selector selects.
    pub(crate) async fn pods(&self, labels: &str) -> Vec<Pod> {
        let all = self.api::<Pod>();
        let pods = all.list(&ListParams::default().labels(labels)).await;
        pods.expect("pods are listed").items
    }

    /// Returns reason and message of all events about objects of a name.
    pub(crate) async fn events(&self, about: &str) -> Vec<(String, String)> {
        let events = self.api::<Event>().list(&ListParams::default()).await;
        let events = events.expect("events are listed").items;
        events
            .into_iter()
            .filter(|event| event.involved_object.name.as_deref() == Some(about))
            .map(|event| {
                let reason = event.reason.unwrap_or_default();
                (reason, event.message.unwrap_or_default())
            })
            .collect()
    }
}

/// The pod's `Ready` condition is true.
pub(crate) fn is_ready(pod: &Pod) -> bool {
    let conditions = pod
        .status
        .iter()
        .flat_map(|one| one.conditions.iter().flatten());
    conditions
        .filter(|one| one.type_ == "Ready")
        .any(|one| one.status == "True")
}
