//! The engine's client against a real registry: Debian's `docker-registry`, which pages nothing,
//! sorts nothing and has no referrers.

use serde_json::{Value, json};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::time::Duration;
use tiphys::domain::clock::{Clock, SystemClock};
use tiphys::domain::finding::Finding;
use tiphys::domain::image::{ArtifactRow, RegistryRow, images_kind};
use tiphys::domain::object::Text;
use tiphys::domain::rows::Rows;
use tiphys::domain::servers::RegistryOptions;
use tiphys::engine::platform::{Link, Platform};
use tiphys::engine::protocol::{ContextInfo, Generation, Request, Scope, Ticket, Topic, Update};
use tiphys::engine::{EngineHandle, EngineOptions, start};
use tiphys::sim::apiserver::{ApiServer, ServerOptions};
use tiphys::sim::clock::PlatformClock;

fn program() -> Option<PathBuf> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let found = std::env::split_paths(&path)
        .map(|folder| folder.join("docker-registry"))
        .find(|file| file.is_file());
    if found.is_none() {
        let required = std::env::var_os("TIPHYS_REQUIRE_TOOLS").is_some_and(|value| value == "1");
        assert!(
            !required,
            "`docker-registry` is not installed, and TIPHYS_REQUIRE_TOOLS=1"
        );
        println!("skipped: `docker-registry` is not installed");
    }
    found
}

struct Real {
    child: Child,
    url: String,
    _folder: tempfile::TempDir,
}

impl Drop for Real {
    fn drop(&mut self) {
        drop(self.child.kill());
        drop(self.child.wait());
    }
}

async fn begin(program: &Path) -> Real {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").expect("a port");
    let port = listener.local_addr().expect("an address").port();
    drop(listener);
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("registry.yml");
    let text = format!(
        "version: 0.1\nstorage:\n  filesystem:\n    rootdirectory: {}\n  delete:\n    enabled: true\nhttp:\n  addr: 127.0.0.1:{port}\n",
        folder.path().join("data").display()
    );
    std::fs::write(&file, text).expect("written");
    let child = Command::new(program)
        .arg("serve")
        .arg(&file)
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .expect("it starts");
    let url = format!("http://127.0.0.1:{port}");
    let real = Real {
        child,
        url,
        _folder: folder,
    };
    for _ in 0..100 {
        if reqwest::get(format!("{}/v2/", real.url)).await.is_ok() {
            return real;
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    panic!("docker-registry does not answer");
}

fn digest_of(bytes: &[u8]) -> String {
    use sha2::Digest as _;
    let hash = sha2::Sha256::digest(bytes);
    let hex: String = hash.iter().map(|byte| format!("{byte:02x}")).collect();
    format!("sha256:{hex}")
}

async fn push_blob(real: &Real, bytes: &[u8]) -> String {
    let http = reqwest::Client::new();
    let begun = http.post(format!("{}/v2/acme/app/blobs/uploads/", real.url));
    let begun = begun.send().await.expect("an upload");
    let place = begun.headers()["location"]
        .to_str()
        .expect("text")
        .to_owned();
    let digest = digest_of(bytes);
    let mark = if place.contains('?') { '&' } else { '?' };
    let put = http.put(format!("{place}{mark}digest={digest}"));
    let put = put.body(bytes.to_vec()).send().await.expect("an answer");
    assert!(put.status().is_success(), "{put:?}");
    digest
}

/// Pushes an image under a tag; returns the digests of its manifest and its configuration.
async fn push(real: &Real, tag: &str) -> (String, String) {
    let config = json!({"created": "2026-01-01T00:00:00Z", "os": "linux", "architecture": "amd64",
        "config": {"Labels": {"org.opencontainers.image.revision": tag}},
        "rootfs": {"type": "layers", "diff_ids": []}, "history": [{"created_by": "COPY"}]})
    .to_string();
    let layer = push_blob(real, tag.as_bytes()).await;
    let of = push_blob(real, config.as_bytes()).await;
    let kind = "application/vnd.oci.image.manifest.v1+json";
    let manifest = json!({"schemaVersion": 2, "mediaType": kind,
        "config": {"mediaType": "application/vnd.oci.image.config.v1+json", "digest": of, "size": config.len()},
        "layers": [{"mediaType": "application/vnd.oci.image.layer.v1.tar", "digest": layer, "size": tag.len()}]})
    .to_string();
    let put = reqwest::Client::new()
        .put(format!("{}/v2/acme/app/manifests/{tag}", real.url))
        .header("content-type", kind)
        .body(manifest.clone());
    let put = put.send().await.expect("an answer");
    assert!(put.status().is_success(), "{put:?}");
    (digest_of(manifest.as_bytes()), of)
}

#[derive(Clone)]
struct OneClient(kube::Client);

impl std::fmt::Debug for OneClient {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("OneClient")
    }
}

impl OneClient {
    fn context() -> ContextInfo {
        ContextInfo {
            name: "test".into(),
            cluster: "test".into(),
            server: "https://kubernetes.default.svc".into(),
            user: "oncall".into(),
            namespace: "default".into(),
            current: true,
        }
    }
}

impl Platform for OneClient {
    fn contexts(&self) -> Result<Vec<ContextInfo>, Finding> {
        Ok(vec![Self::context()])
    }

    fn connect(
        &self,
        _: Option<Text>,
    ) -> futures::future::BoxFuture<'static, Result<Link, Finding>> {
        let client = self.0.clone();
        Box::pin(async move {
            let context = Self::context();
            Ok(Link { client, context })
        })
    }

    fn clock(&self) -> Arc<dyn Clock> {
        Arc::new(SystemClock)
    }
}

async fn post(client: &kube::Client, path: &str, body: &Value) {
    let request = http::Request::post(path)
        .header("content-type", "application/json")
        .body(body.to_string().into_bytes())
        .expect("a request");
    client.request::<Value>(request).await.expect("created");
}

async fn row(engine: &mut EngineHandle, wanted: impl Fn(&ArtifactRow) -> bool) -> ArtifactRow {
    let found = async {
        loop {
            let update = engine.updates.recv().await.expect("the engine runs");
            let Update::Delta { delta, .. } = update else {
                continue;
            };
            let Rows::Registry(rows) = delta.rows else {
                continue;
            };
            let found = rows.into_iter().find_map(|row| match row {
                RegistryRow::Image(row) if wanted(&row) => Some(*row),
                RegistryRow::Image(_)
                | RegistryRow::Project(_)
                | RegistryRow::Robot(_)
                | RegistryRow::Cve(_)
                | RegistryRow::Registry(_)
                | RegistryRow::Update(_) => None,
            });
            if let Some(found) = found {
                return found;
            }
        }
    };
    let found = tokio::time::timeout(Duration::from_secs(20), found).await;
    found.expect("the image in time")
}

#[tokio::test]
async fn what_runs_is_found_in_a_real_registry() {
    let Some(program) = program() else { return };
    // Somebody may have chosen one already: theirs is as good.
    drop(rustls::crypto::ring::default_provider().install_default());
    let real = begin(&program).await;
    let (old, config) = push(&real, "1.9.0").await;
    let _newest = push(&real, "1.10.0").await;
    let clock = PlatformClock::running(SystemClock.now(), 1.0);
    let server = ApiServer::start(ServerOptions::new(clock));
    let client = server.client("admin");
    let pod = json!({"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "app"},
        "spec": {"containers": [{"name": "app", "image": "real.test/acme/app:1.9.0"}]},
        "status": {"phase": "Running", "containerStatuses": [{"name": "app", "imageID": config,
            "image": "real.test/acme/app:1.9.0", "ready": true, "restartCount": 0}]}});
    let space = json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "prod"}});
    post(&client, "/api/v1/namespaces", &space).await;
    post(&client, "/api/v1/namespaces/prod/pods", &pod).await;
    let status = json!({ "status": pod["status"] });
    let status = http::Request::patch("/api/v1/namespaces/prod/pods/app/status")
        .header("content-type", "application/merge-patch+json")
        .body(status.to_string().into_bytes())
        .expect("a request");
    client.request::<Value>(status).await.expect("patched");
    let options = EngineOptions {
        registries: vec![RegistryOptions {
            context: "*".into(),
            host: Some("real.test".into()),
            address: Some(real.url.clone()),
            ..RegistryOptions::default()
        }],
        ..EngineOptions::default()
    };
    let mut engine = start(Arc::new(OneClient(server.client("oncall"))), options);
    let generation = Generation(1);
    for request in [
        Request::Connect {
            generation,
            context: None,
            scope: Scope::All,
        },
        Request::Subscribe {
            ticket: Ticket(1),
            topic: Topic::Kind(images_kind()),
        },
    ] {
        engine.requests.try_send(request).expect("room");
    }

    // Before the registry has answered, the node's own digest stands in the row.
    let row = row(&mut engine, |row| row.size.is_some()).await;

    assert_eq!(row.digest.map(|digest| digest.to_string()), Some(old));
    assert_eq!(&*row.newest, "1.10.0", "tags are ordered as versions");
    assert_eq!(row.platforms.len(), 1);
    assert!(row.built.is_some() && row.size.is_some());
}
