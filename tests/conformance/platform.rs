//! The platform that the kubectls work against.

use std::path::{Path, PathBuf};
use tiphys::sim::apiserver::{ApiServer, ServerOptions};
use tiphys::sim::clock::PlatformClock;

/// A running platform; it ends when this goes.
pub(crate) struct Platform {
    folder: tempfile::TempDir,
    _runtime: tokio::runtime::Runtime,
}

impl Platform {
    pub(crate) fn start() -> Self {
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .enable_all()
            .build()
            .expect("a runtime can be made");
        let folder = tempfile::tempdir().expect("a folder can be made");
        let address = runtime.block_on(async {
            let clock = PlatformClock::running(chrono::Utc::now(), 1.0);
            let server = ApiServer::start(ServerOptions::new(clock));
            let listener = tokio::net::TcpListener::bind("127.0.0.1:0")
                .await
                .expect("a port is free");
            let address = listener.local_addr().expect("it has an address");
            let router = server.router();
            tokio::spawn(async move { axum::serve(listener, router).await });
            address
        });
        let config = format!(
            "apiVersion: v1\nkind: Config\nclusters: [{{name: c, cluster: {{server: 'http://{address}'}}}}]\ncontexts: [{{name: c, context: {{cluster: c, user: u}}}}]\nusers: [{{name: u, user: {{}}}}]\ncurrent-context: c\n"
        );
        std::fs::write(folder.path().join("config"), config).expect("it can be written");
        let platform = Self {
            folder,
            _runtime: runtime,
        };
        let crds = Path::new(env!("CARGO_MANIFEST_DIR")).join("demo-data/crds");
        let kubectls = crate::kubectl::installed();
        let (_, program) = kubectls.iter().next().expect("there is a kubectl");
        let kubectl = crate::kubectl::Kubectl::new("setup", program, &platform.kubeconfig());
        kubectl
            .must(&["create", "-f", &crds.display().to_string()])
            .expect("definitions");
        platform
    }

    pub(crate) fn kubeconfig(&self) -> PathBuf {
        self.folder.path().join("config")
    }
}
