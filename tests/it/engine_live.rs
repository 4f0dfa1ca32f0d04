//! The ways into a live cluster that a kubeconfig can name: client certificates, credential
//! plugins and proxies (tokens are what the engine's other tests log in with).

use serde_json::{Value, json};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use tempfile::TempDir;
use tiphys::domain::clock::{Clock, SystemClock};
use tiphys::engine::live::{Live, LiveOptions};
use tiphys::engine::platform::{Link, Platform};
use tiphys::sim::apiserver::{ApiServer, Listening, ServerOptions, User};
use tiphys::sim::clock::PlatformClock;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

struct Cluster {
    server: ApiServer,
    listening: Listening,
    folder: TempDir,
}

impl Cluster {
    async fn start() -> Self {
        let clock = PlatformClock::running(SystemClock.now(), 1.0);
        let server = ApiServer::start(ServerOptions::new(clock));
        let address = "127.0.0.1:0".parse().expect("an address");
        let listening = server.listen_tls(address).await.expect("a port");
        Self {
            server,
            listening,
            folder: tempfile::tempdir().expect("a folder"),
        }
    }

    /// The kubeconfig of the server's administrator, for a test to change.
    fn kubeconfig(&self) -> Value {
        let text = self.server.kubeconfig(&self.listening);
        tiphys::api::yaml::from_str(&text).expect("YAML")
    }

    /// A platform with this kubeconfig.
    fn platform(&self, text: &str) -> Live {
        let file = self.folder.path().join("kubeconfig");
        std::fs::write(&file, text).expect("written");
        Live::new(LiveOptions {
            kubeconfig: Some(file),
            ..LiveOptions::default()
        })
    }

    /// Writes a credential plugin and returns a kubeconfig that names it.
    #[cfg(unix)]
    fn with_plugin(&self, script: &str) -> Value {
        use std::os::unix::fs::PermissionsExt;
        let file = self.folder.path().join("credentials");
        std::fs::write(&file, format!("#!/bin/sh\n{script}\n")).expect("written");
        let executable = std::fs::Permissions::from_mode(0o755);
        std::fs::set_permissions(&file, executable).expect("executable");
        self.with_command(&file)
    }

    fn with_command(&self, file: &Path) -> Value {
        let mut config = self.kubeconfig();
        config["users"][0]["user"] = json!({"exec": {
            "apiVersion": "client.authentication.k8s.io/v1",
            "command": file.display().to_string(),
            "interactiveMode": "IfAvailable",
            "installHint": "it comes with the cloud's command line",
        }});
        config
    }
}

/// Connects and returns who the server takes us for.
async fn whoami(platform: &Live) -> Result<String, String> {
    let link: Link = platform
        .connect(None)
        .await
        .map_err(|finding| format!("{} ({:?})", finding.sentence, finding.hint))?;
    let review = json!({"apiVersion": "authentication.k8s.io/v1", "kind": "SelfSubjectReview"});
    let request = http::Request::post("/apis/authentication.k8s.io/v1/selfsubjectreviews")
        .header("content-type", "application/json")
        .body(serde_json::to_vec(&review).expect("JSON"))
        .expect("a request");
    let answer: Value = link
        .client
        .request(request)
        .await
        .map_err(|error| error.to_string())?;
    let name = &answer["status"]["userInfo"]["username"];
    Ok(name.as_str().unwrap_or_default().to_owned())
}

#[tokio::test]
async fn a_client_certificate_says_who_we_are() {
    let cluster = Cluster::start().await;
    let user = User::admin("oncall");
    let text = cluster
        .server
        .kubeconfig_with_certificate(&cluster.listening, user)
        .expect("a certificate");

    assert_eq!(
        whoami(&cluster.platform(&text)).await.as_deref(),
        Ok("oncall")
    );
}

#[cfg(unix)]
#[tokio::test]
async fn a_credential_plugin_gives_the_token_and_is_not_asked_anything() {
    let cluster = Cluster::start().await;
    let token = cluster.server.issue_token(User::admin("from-plugin"));
    // It reads stdin as one that asks for a password does: there must be none to wait for.
    let script = format!(
        "read answer\necho '{{\"apiVersion\":\"client.authentication.k8s.io/v1\",\"kind\":\"ExecCredential\",\
         \"status\":{{\"token\":\"{token}\"}}}}'"
    );
    let config = cluster.with_plugin(&script).to_string();

    let name = whoami(&cluster.platform(&config)).await;

    assert_eq!(name.as_deref(), Ok("from-plugin"));
}

#[cfg(unix)]
#[tokio::test]
async fn a_credential_plugin_that_fails_is_named_with_what_it_said() {
    let cluster = Cluster::start().await;
    let config = cluster
        .with_plugin("echo 'the session is over: log in again' >&2; exit 3")
        .to_string();

    let refused = whoami(&cluster.platform(&config))
        .await
        .expect_err("no way in");

    assert!(refused.contains("tiphys"), "the context: {refused}");
    assert!(refused.contains("the session is over"), "{refused}");
}

#[tokio::test]
async fn a_credential_plugin_that_is_not_installed_is_named() {
    let cluster = Cluster::start().await;
    let missing = cluster.folder.path().join("no-such-plugin");
    let config = cluster.with_command(&missing).to_string();

    let refused = whoami(&cluster.platform(&config))
        .await
        .expect_err("no way in");

    assert!(
        refused.contains("no-such-plugin` cannot be started"),
        "{refused}"
    );
    assert!(refused.contains("the cloud's command line"), "{refused}");
}

#[tokio::test]
async fn requests_go_through_the_proxy_that_the_kubeconfig_names() {
    let cluster = Cluster::start().await;
    let (proxy, tunnels) = start_proxy().await;
    let mut config = cluster.kubeconfig();
    config["clusters"][0]["cluster"]["proxy-url"] = json!(format!("http://{proxy}"));

    let name = whoami(&cluster.platform(&config.to_string())).await;

    assert!(name.is_ok(), "{name:?}");
    assert!(
        tunnels.load(Ordering::Relaxed) > 0,
        "nothing came through it"
    );
}

/// A proxy that opens tunnels (`CONNECT`), and how many it opened.
async fn start_proxy() -> (std::net::SocketAddr, Arc<AtomicUsize>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let address = listener.local_addr().expect("an address");
    let tunnels = Arc::new(AtomicUsize::new(0));
    let counted = Arc::clone(&tunnels);
    drop(tokio::spawn(async move {
        while let Ok((client, _)) = listener.accept().await {
            let counted = Arc::clone(&counted);
            drop(tokio::spawn(async move { tunnel(client, &counted).await }));
        }
    }));
    (address, tunnels)
}

async fn tunnel(mut client: TcpStream, counted: &AtomicUsize) -> Option<()> {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        head.push(client.read_u8().await.ok()?);
    }
    let head = String::from_utf8(head).ok()?;
    let target = head.strip_prefix("CONNECT ")?.split(' ').next()?;
    let mut server = TcpStream::connect(target).await.ok()?;
    counted.fetch_add(1, Ordering::Relaxed);
    client.write_all(b"HTTP/1.1 200 OK\r\n\r\n").await.ok()?;
    tokio::io::copy_bidirectional(&mut client, &mut server)
        .await
        .ok()?;
    Some(())
}
