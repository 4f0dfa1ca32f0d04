//! A real Prometheus over given samples.

use std::io::Write as _;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

/// A running server; it ends when this goes.
pub(super) struct Real {
    pub(super) url: String,
    child: Child,
    _folder: tempfile::TempDir,
}

impl Drop for Real {
    fn drop(&mut self) {
        let ended = self.child.kill().and_then(|()| self.child.wait());
        drop(ended);
    }
}

fn free_port() -> u16 {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").expect("a port is free");
    listener.local_addr().expect("it has an address").port()
}

impl Real {
    /// Makes blocks of the samples and starts a server over them.
    pub(super) async fn start(promtool: &Path, prometheus: &Path, open_metrics: &str) -> Self {
        let folder = tempfile::tempdir().expect("a folder can be made");
        let text = folder.path().join("samples.om");
        std::fs::write(&text, open_metrics).expect("the samples are written");
        let data = folder.path().join("data");
        let made = Command::new(promtool)
            .args(["tsdb", "create-blocks-from", "openmetrics"])
            .args([&text, &data])
            .output()
            .expect("promtool runs");
        assert!(
            made.status.success(),
            "{}",
            String::from_utf8_lossy(&made.stderr)
        );
        let config = folder.path().join("prometheus.yml");
        let mut file = std::fs::File::create(&config).expect("a file can be made");
        file.write_all(b"global: {}\n")
            .expect("the configuration is written");

        let address = format!("127.0.0.1:{}", free_port());
        let child = Command::new(prometheus)
            .arg(format!("--config.file={}", config.display()))
            .arg(format!("--storage.tsdb.path={}", data.display()))
            .arg("--storage.tsdb.retention.time=100y")
            .arg(format!("--web.listen-address={address}"))
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .expect("prometheus starts");
        let real = Self {
            url: format!("http://{address}"),
            child,
            _folder: folder,
        };
        real.wait().await;
        real
    }

    async fn wait(&self) {
        let client = reqwest::Client::new();
        let ready = async {
            loop {
                let answer = client.get(format!("{}/-/ready", self.url)).send().await;
                if answer.is_ok_and(|answer| answer.status().is_success()) {
                    return;
                }
                tokio::time::sleep(Duration::from_millis(50)).await;
            }
        };
        let patience = Duration::from_secs(20);
        assert!(
            tokio::time::timeout(patience, ready).await.is_ok(),
            "prometheus is not ready in time"
        );
    }
}
