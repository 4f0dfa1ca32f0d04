//! What the engine's tests stand on: an API server, an engine connected to it, and patience.

#![allow(
    clippy::wildcard_enum_match_arm,
    reason = "a test picks the one case it waits for"
)]

use futures::FutureExt;
use futures::future::BoxFuture;
use kube::Client;
use serde_json::{Value, json};
use std::sync::Arc;
use std::time::Duration;
use tiphys::domain::clock::{Clock, SystemClock};
use tiphys::domain::finding::Finding;
use tiphys::domain::intent::{Intent, IntentId, Stage, Verb};
use tiphys::domain::object::{Cluster, GroupKind, ObjectRef, Text, Uid};
use tiphys::engine::live::{Live, LiveOptions};
use tiphys::engine::platform::{Link, Platform};
use tiphys::engine::protocol::{
    Answer, ContextInfo, Delta, Fetch, Generation, Request, Scope, Ticket, Topic, Update,
};
use tiphys::engine::{EngineHandle, EngineOptions, start};
use tiphys::sim::apiserver::{ApiServer, ServerOptions};
use tiphys::sim::clock::PlatformClock;

/// A platform with one context and a ready-made client.
#[derive(Clone)]
pub(crate) struct OneClient(pub(crate) Client);

impl std::fmt::Debug for OneClient {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("OneClient")
    }
}

pub(crate) fn context() -> ContextInfo {
    ContextInfo {
        name: "test".into(),
        cluster: "test".into(),
        server: "https://kubernetes.default.svc".into(),
        user: "oncall".into(),
        namespace: "team".into(),
        current: true,
    }
}

impl Platform for OneClient {
    fn contexts(&self) -> Result<Vec<ContextInfo>, Finding> {
        Ok(vec![context()])
    }

    fn connect(&self, _: Option<Text>) -> BoxFuture<'static, Result<Link, Finding>> {
        let client = self.0.clone();
        async move {
            let context = context();
            Ok(Link { client, context })
        }
        .boxed()
    }

    fn clock(&self) -> Arc<dyn Clock> {
        Arc::new(SystemClock)
    }
}

/// An engine under test.
pub(crate) struct Engine {
    pub(crate) handle: EngineHandle,
    pub(crate) cluster: Cluster,
    tickets: u64,
}

impl Engine {
    pub(crate) async fn connect(platform: Arc<dyn Platform>, options: EngineOptions) -> Self {
        let handle = start(platform, options);
        let mut engine = Self {
            handle,
            cluster: Cluster("".into()),
            tickets: 0,
        };
        engine.send(Request::Connect {
            generation: Generation(1),
            context: None,
            scope: Scope::All,
        });
        engine.cluster = engine
            .until("a connection", |update| match update {
                Update::Connection { connection, .. } => Some(connection.cluster.clone()),
                _ => None,
            })
            .await;
        engine
    }

    pub(crate) fn send(&self, request: Request) {
        self.handle
            .requests
            .try_send(request)
            .expect("the queue has room");
    }

    /// Waits for an update, for twenty seconds at most; others are passed over.
    pub(crate) async fn until<T>(
        &mut self,
        what: &str,
        mut pick: impl FnMut(&Update) -> Option<T>,
    ) -> T {
        let mut passed = Vec::new();
        let wait = async {
            loop {
                let update = self.handle.updates.recv().await.expect("the engine runs");
                if let Some(found) = pick(&update) {
                    return found;
                }
                passed.push(format!("{update:?}"));
            }
        };
        let found = tokio::time::timeout(Duration::from_secs(20), wait).await;
        found.unwrap_or_else(|_| panic!("not in time: {what}; passed over: {passed:#?}"))
    }

    pub(crate) fn subscribe(&mut self, topic: Topic) -> Ticket {
        self.tickets += 1;
        let ticket = Ticket(self.tickets);
        self.send(Request::Subscribe { ticket, topic });
        ticket
    }

    /// Waits for a batch of this subscription for which something can be picked.
    pub(crate) async fn delta<T>(
        &mut self,
        ours: Ticket,
        what: &str,
        mut pick: impl FnMut(&Delta) -> Option<T>,
    ) -> T {
        self.until(what, |update| match update {
            Update::Delta { ticket, delta, .. } if *ticket == ours => pick(delta),
            _ => None,
        })
        .await
    }

    pub(crate) async fn fetch(&mut self, what: Fetch) -> Result<Answer, Finding> {
        self.tickets += 1;
        let ours = Ticket(self.tickets);
        self.send(Request::Fetch { ticket: ours, what });
        self.until("an answer", |update| match update {
            Update::Fetched { ticket, answer } if *ticket == ours => Some(answer.clone()),
            _ => None,
        })
        .await
    }

    pub(crate) fn act(&mut self, target: &ObjectRef, uid: Option<Uid>, verb: Verb) -> IntentId {
        self.tickets += 1;
        let id = IntentId(self.tickets);
        let intent = Intent {
            target: target.clone(),
            uid,
            verb,
        };
        self.send(Request::Act {
            id,
            intent,
            dry_run: false,
        });
        id
    }

    /// Waits until an intent is past "requested".
    pub(crate) async fn outcome(&mut self, ours: IntentId) -> Stage {
        self.until("an outcome", |update| match update {
            Update::Outcome { id, stage, .. } if *id == ours && *stage != Stage::Requested => {
                Some(stage.clone())
            }
            _ => None,
        })
        .await
    }

    pub(crate) fn object(&self, kind: GroupKind, namespace: &str, name: &str) -> ObjectRef {
        ObjectRef {
            cluster: self.cluster.clone(),
            kind,
            namespace: (!namespace.is_empty()).then(|| namespace.into()),
            name: name.into(),
        }
    }

    pub(crate) fn application(&self, namespace: &str, name: &str) -> ObjectRef {
        self.object(
            GroupKind::new("argoproj.io", "Application"),
            namespace,
            name,
        )
    }
}

/// An API server with Argo CD's kinds, and a platform that reaches it one way or the other.
pub(crate) struct Bed {
    pub(crate) server: ApiServer,
    pub(crate) client: Client,
    platform: Arc<dyn Platform>,
    _folder: Option<tempfile::TempDir>,
}

impl Bed {
    async fn server() -> ApiServer {
        let clock = PlatformClock::running(SystemClock.now(), 1.0);
        let server = ApiServer::start(ServerOptions::new(clock));
        let client = server.client("admin");
        let folder = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("demo-data/crds");
        for entry in std::fs::read_dir(folder).expect("the definitions are there") {
            let text = std::fs::read_to_string(entry.expect("an entry").path()).expect("text");
            let path = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions";
            for crd in tiphys::api::yaml::from_multi::<Value>(&text).expect("YAML") {
                create(&client, path, &crd).await;
            }
        }
        for namespace in ["argocd", "prod", "team"] {
            let body =
                json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": namespace}});
            create(&client, "/api/v1/namespaces", &body).await;
        }
        server
    }

    pub(crate) async fn over_duplex() -> Self {
        let server = Self::server().await;
        Self {
            client: server.client("admin"),
            platform: Arc::new(OneClient(server.client("oncall"))),
            server,
            _folder: None,
        }
    }

    pub(crate) async fn over_tls() -> Self {
        let server = Self::server().await;
        let address = "127.0.0.1:0".parse().expect("an address");
        let listening = server.listen_tls(address).await.expect("a port");
        let folder = tempfile::tempdir().expect("a folder");
        let file = folder.path().join("kubeconfig");
        std::fs::write(&file, server.kubeconfig(&listening)).expect("written");
        let live = Live::new(LiveOptions {
            kubeconfig: Some(file),
            ..LiveOptions::default()
        });
        Self {
            client: server.client("admin"),
            platform: Arc::new(live),
            server,
            _folder: Some(folder),
        }
    }

    pub(crate) async fn engine(&self) -> Engine {
        self.engine_with(EngineOptions::default()).await
    }

    pub(crate) async fn engine_with(&self, options: EngineOptions) -> Engine {
        Engine::connect(Arc::clone(&self.platform), options).await
    }

    pub(crate) async fn create(&self, path: &str, body: &Value) -> Value {
        create(&self.client, path, body).await
    }

    pub(crate) async fn application(&self, namespace: &str, name: &str, status: &Value) -> Uid {
        let body = json!({
            "apiVersion": "argoproj.io/v1alpha1", "kind": "Application",
            "metadata": {"name": name, "namespace": namespace},
            "spec": {"project": "default",
                "source": {"repoURL": "https://git.example.com/x", "path": "p", "targetRevision": "main"},
                "destination": {"server": "https://kubernetes.default.svc", "namespace": "prod"}},
            "status": status,
        });
        let path = format!("/apis/argoproj.io/v1alpha1/namespaces/{namespace}/applications");
        let made = self.create(&path, &body).await;
        Uid(made["metadata"]["uid"].as_str().expect("a uid").into())
    }

    /// Plays the controller: merges a patch into an Application.
    pub(crate) async fn patch_application(&self, namespace: &str, name: &str, patch: &Value) {
        let path = format!("/apis/argoproj.io/v1alpha1/namespaces/{namespace}/applications/{name}");
        merge(&self.client, &path, patch).await;
    }

    pub(crate) async fn read(&self, path: &str) -> Value {
        let request = http::Request::get(path)
            .body(Vec::new())
            .expect("a request");
        self.client.request(request).await.expect("an object")
    }
}

pub(crate) async fn merge(client: &Client, path: &str, patch: &Value) {
    let request = http::Request::patch(path)
        .header("content-type", "application/merge-patch+json")
        .body(patch.to_string().into_bytes())
        .expect("a request");
    client.request::<Value>(request).await.expect("patched");
}

pub(crate) async fn create(client: &Client, path: &str, body: &Value) -> Value {
    let request = http::Request::post(path)
        .header("content-type", "application/json")
        .body(body.to_string().into_bytes())
        .expect("a request");
    client.request(request).await.expect("created")
}

/// Runs a case over the duplex stream and over TLS with a kubeconfig.
macro_rules! on_both {
    ($($case:ident),+ $(,)?) => {$(
        mod $case {
            #[tokio::test]
            async fn over_duplex() {
                Box::pin(super::cases::$case(crate::engine_bed::Bed::over_duplex().await)).await;
            }
            #[tokio::test]
            async fn over_tls() {
                Box::pin(super::cases::$case(crate::engine_bed::Bed::over_tls().await)).await;
            }
        }
    )+};
}
pub(crate) use on_both;
