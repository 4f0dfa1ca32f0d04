//! An API server, a git server and the application controller, on one stepped clock.

#![allow(
    clippy::needless_pass_by_value,
    reason = "calls with `json!` read better"
)]

use serde_json::{Value, json};
use std::time::Duration;
use tiphys::api::yaml;
use tiphys::domain::clock::Clock as _;
use tiphys::sim::apiserver::{ApiServer, ServerOptions};
use tiphys::sim::clock::PlatformClock;
use tiphys::sim::controllers::argocd::{Argo, server};
use tiphys::sim::controllers::runtime::Runtime;
use tiphys::sim::controllers::{deployment, replicaset, scheduler};
use tiphys::sim::events::Events;
use tiphys::sim::git::{Author, GitServer, NewCommit};
use tiphys::sim::kubelet::image::ImageCatalog;
use tiphys::sim::kubelet::{Kubelet, KubeletOptions, NodeShape};
use tiphys::sim::rng::Seed;
use tiphys::sim::steps::Steps;

pub(super) const REPO: &str = "https://git.example.com/team/web.git";
const STEP: Duration = Duration::from_millis(50);
/// For waiting long, where nothing has to be timed.
const COARSE_STEP: Duration = Duration::from_millis(500);

pub(super) struct Rig {
    pub(super) clock: PlatformClock,
    pub(super) git: GitServer,
    pub(super) api: ApiServer,
    pub(super) runtime: Runtime,
    client: kube::Client,
}

/// A manifest of a ConfigMap.
pub(super) fn config_map(name: &str, value: &str) -> String {
    json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": name}, "data": {"k": value}}).to_string()
}

pub(super) fn annotated_map(name: &str, annotations: Value) -> String {
    json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": name, "annotations": annotations}}).to_string()
}

pub(super) fn job(name: &str, annotations: Value) -> String {
    json!({"apiVersion": "batch/v1", "kind": "Job", "metadata": {"name": name, "annotations": annotations},
        "spec": {"template": {"spec": {"restartPolicy": "Never",
            "containers": [{"name": "main", "image": "busybox"}]}}}})
    .to_string()
}

/// Names of the `ConfigMaps` in a namespace that some Application tracks.
pub(super) async fn tracked_maps(rig: &Rig, namespace: &str) -> Vec<String> {
    let list = rig
        .get(&format!("/api/v1/namespaces/{namespace}/configmaps"))
        .await;
    let items = list["items"].as_array().cloned().unwrap_or_default();
    items
        .iter()
        .filter(|item| !item["metadata"]["annotations"]["argocd.argoproj.io/tracking-id"].is_null())
        .map(|item| {
            item["metadata"]["name"]
                .as_str()
                .unwrap_or_default()
                .to_owned()
        })
        .collect()
}

impl Rig {
    pub(super) async fn start_with_workloads() -> Self {
        let rig = Self::start().await;
        let events = Events::start(&rig.runtime);
        deployment::Deployments::start(&rig.runtime, &events);
        replicaset::ReplicaSets::start(&rig.runtime, &events);
        scheduler::Scheduler::start(&rig.runtime, &events);
        let options = KubeletOptions {
            nodes: NodeShape::three_workers(),
            images: std::sync::Arc::new(ImageCatalog::default()),
            version: "v1.33.4".to_owned(),
            steps: Steps::default(),
        };
        Kubelet::start(&rig.runtime, &events, options);
        rig
    }

    /// Asks argocd-server through the service proxy.
    pub(super) async fn server(&self, path: &str) -> Value {
        let proxy = "/api/v1/namespaces/argocd/services/https:argocd-server:443/proxy";
        self.get(&format!("{proxy}{path}")).await
    }

    pub(super) async fn start() -> Self {
        let start = "2026-11-21T10:00:00Z".parse().expect("a time");
        let clock = PlatformClock::stepped(start);
        let api = ApiServer::start(ServerOptions::new(clock.clone()));
        let client = api.client("test");
        let git = GitServer::start(clock.clone(), None).expect("git starts");
        git.create("team/web").expect("a repository");
        let runtime = Runtime::new(api.client("argocd"), clock.clone(), Seed(1));
        let rig = Self {
            clock,
            git,
            api,
            runtime,
            client,
        };
        rig.install().await;
        let events = Events::start(&rig.runtime);
        let argo = Argo::start(&rig.runtime, &rig.git, &events)
            .await
            .expect("the controller starts");
        rig.api
            .add_service_backend("argocd", "argocd-server", server::router(argo));
        rig
    }

    async fn install(&self) {
        let folder = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("demo-data/crds");
        for file in ["applications", "applicationsets", "appprojects"] {
            let text = std::fs::read_to_string(folder.join(format!("{file}.yaml"))).expect("a CRD");
            for crd in yaml::from_multi::<Value>(&text).expect("it parses") {
                self.post(
                    "/apis/apiextensions.k8s.io/v1/customresourcedefinitions",
                    &crd,
                )
                .await;
            }
        }
        self.post(
            "/api/v1/namespaces",
            &json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "argocd"}}),
        )
        .await;
        let project = json!({"apiVersion": "argoproj.io/v1alpha1", "kind": "AppProject",
            "metadata": {"name": "default", "namespace": "argocd"},
            "spec": {"sourceRepos": ["*"], "destinations": [{"server": "*", "namespace": "*"}, {"name": "*", "namespace": "*"}],
                "clusterResourceWhitelist": [{"group": "*", "kind": "*"}]}});
        self.post(
            "/apis/argoproj.io/v1alpha1/namespaces/argocd/appprojects",
            &project,
        )
        .await;
    }

    pub(super) async fn allow_namespace(&self, name: &str) {
        self.post(
            "/api/v1/namespaces",
            &json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}}),
        )
        .await;
        self.patch_project(json!({"spec": {"sourceNamespaces": [name]}}))
            .await;
    }

    pub(super) async fn patch_project(&self, patch: Value) {
        self.patch(
            "/apis/argoproj.io/v1alpha1/namespaces/argocd/appprojects/default",
            &patch,
        )
        .await;
    }

    pub(super) fn commit(&self, files: &[(&str, String)]) -> String {
        let mut commit = NewCommit::new(Author::new("On Call", "oncall@example.com"), "Change");
        for (path, text) in files {
            commit = commit.write(*path, text.clone());
        }
        self.git
            .commit_files(REPO, &commit)
            .expect("a commit")
            .to_string()
    }

    pub(super) fn remove(&self, path: &str) {
        let commit =
            NewCommit::new(Author::new("On Call", "oncall@example.com"), "Remove").remove(path);
        self.git.commit_files(REPO, &commit).expect("a commit");
    }

    /// Creates an Application; the spec is laid over a usual one.
    pub(super) async fn create_app(&self, namespace: &str, name: &str, spec: Value) {
        let mut app = json!({"apiVersion": "argoproj.io/v1alpha1", "kind": "Application",
            "metadata": {"name": name, "namespace": namespace},
            "spec": {"project": "default", "source": {"repoURL": REPO, "path": "web", "targetRevision": "main"},
                "destination": {"server": "https://kubernetes.default.svc", "namespace": name}}});
        if !spec["destination"].is_null() {
            app["spec"]["destination"] = json!({});
        }
        json_patch::merge(&mut app["spec"], &spec);
        self.post(
            &format!("/apis/argoproj.io/v1alpha1/namespaces/{namespace}/applications"),
            &app,
        )
        .await;
    }

    pub(super) async fn app(&self, namespace: &str, name: &str) -> Value {
        self.get(&format!(
            "/apis/argoproj.io/v1alpha1/namespaces/{namespace}/applications/{name}"
        ))
        .await
    }

    pub(super) async fn patch_app(&self, name: &str, patch: Value) {
        self.patch(
            &format!("/apis/argoproj.io/v1alpha1/namespaces/argocd/applications/{name}"),
            &patch,
        )
        .await;
    }

    /// Creates several Applications without waiting for anything.
    pub(super) async fn create_fleet(&self, count: usize) {
        for index in 0..count {
            let namespace = format!("ns-{}", index % 20);
            let mut spec = json!({"syncPolicy": {"automated": {"selfHeal": true}, "syncOptions": ["CreateNamespace=true"]},
                "destination": {"name": "in-cluster", "namespace": namespace},
                "source": {"repoURL": REPO, "path": "fleet", "targetRevision": "main",
                    "kustomize": {"namePrefix": format!("app-{index}-")}}});
            spec["source"]["kustomize"]["commonLabels"] = json!({"n": index.to_string()});
            self.create_app("argocd", &format!("app-{index}"), spec)
                .await;
        }
    }

    /// Returns the Applications that are Synced and Healthy, and how many there are.
    pub(super) async fn settled(&self) -> (usize, usize) {
        let list = self.get("/apis/argoproj.io/v1alpha1/applications").await;
        let items = list["items"].as_array().cloned().unwrap_or_default();
        let good = items.iter().filter(|app| {
            app["status"]["sync"]["status"] == "Synced"
                && app["status"]["health"]["status"] == "Healthy"
        });
        (good.count(), items.len())
    }

    pub(super) async fn delete_app(&self, name: &str) {
        let path = format!("/apis/argoproj.io/v1alpha1/namespaces/argocd/applications/{name}");
        self.send("DELETE", &path, "application/json", &json!({}))
            .await
            .expect("deleted");
    }

    pub(super) async fn sync(&self, name: &str, sync: Value) {
        self.sync_with(name, json!({"sync": sync})).await;
    }

    pub(super) async fn sync_with(&self, name: &str, mut operation: Value) {
        operation["initiatedBy"] = json!({"username": "oncall"});
        self.patch_app(
            name,
            json!({"operation": operation, "status": {"operationState": null}}),
        )
        .await;
    }

    pub(super) async fn map(&self, namespace: &str, name: &str) -> Value {
        self.get(&format!("/api/v1/namespaces/{namespace}/configmaps/{name}"))
            .await
    }

    pub(super) async fn patch_map(&self, namespace: &str, name: &str, patch: Value) {
        self.patch(
            &format!("/api/v1/namespaces/{namespace}/configmaps/{name}"),
            &patch,
        )
        .await;
    }

    pub(super) async fn job_exists(&self, namespace: &str, name: &str) -> bool {
        !self
            .get(&format!(
                "/apis/batch/v1/namespaces/{namespace}/jobs/{name}"
            ))
            .await
            .is_null()
    }

    pub(super) async fn finish_job(&self, namespace: &str, name: &str, condition: &str) {
        let path = format!("/apis/batch/v1/namespaces/{namespace}/jobs/{name}/status");
        self.patch(
            &path,
            &json!({"status": {"conditions": [{"type": condition, "status": "True"}]}}),
        )
        .await;
    }

    /// Steps the clock until an Application is as wanted; panics after a span of platform time.
    pub(super) async fn app_until(
        &self,
        name: &str,
        limit: Duration,
        wanted: impl Fn(&Value) -> bool,
    ) -> Value {
        let end = self.clock.now() + limit;
        loop {
            let app = self.app("argocd", name).await;
            if wanted(&app) {
                return app;
            }
            assert!(self.clock.now() < end, "{name} is not as wanted: {app:#}");
            self.tick().await;
        }
    }

    /// Steps the clock until something holds.
    pub(super) async fn until(&self, what: &str, limit: Duration, holds: impl AsyncFn() -> bool) {
        let end = self.clock.now() + limit;
        while !holds().await {
            assert!(self.clock.now() < end, "not in time: {what}");
            self.tick().await;
        }
    }

    /// Lets platform time pass.
    pub(super) async fn pass(&self, span: Duration) {
        let end = self.clock.now() + span;
        while self.clock.now() < end {
            self.tick_by(COARSE_STEP).await;
        }
    }

    /// Lets the platform do what it can, then steps the clock.
    async fn tick(&self) {
        self.tick_by(STEP).await;
    }

    async fn tick_by(&self, step: Duration) {
        for _ in 0..200 {
            tokio::time::sleep(Duration::from_millis(1)).await;
            if self.runtime.busy() == 0 {
                break;
            }
        }
        self.clock.step(step);
    }

    pub(super) async fn get(&self, path: &str) -> Value {
        self.send("GET", path, "application/json", &Value::Null)
            .await
            .unwrap_or_default()
    }

    async fn post(&self, path: &str, object: &Value) {
        self.send("POST", path, "application/json", object)
            .await
            .expect("created");
    }

    async fn patch(&self, path: &str, patch: &Value) {
        self.send("PATCH", path, "application/merge-patch+json", patch)
            .await
            .expect("patched");
    }

    async fn send(
        &self,
        method: &str,
        path: &str,
        content: &str,
        body: &Value,
    ) -> kube::Result<Value> {
        let body = if body.is_null() {
            Vec::new()
        } else {
            body.to_string().into_bytes()
        };
        let request = http::Request::builder()
            .method(method)
            .uri(path)
            .header("content-type", content)
            .body(body)
            .expect("a request");
        self.client.request(request).await
    }
}
