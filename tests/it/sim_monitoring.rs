//! A real Prometheus in the place of the embedded one, and what it reads.

use crate::sim_delivery_canary::only;
use serde_json::Value;
use std::net::TcpListener;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::Duration;
use tiphys::sim::{Simulation, SimulationOptions};

const A_MINUTE: Duration = Duration::from_secs(60);

/// A process that ends with the test.
struct Running(Child);

impl Drop for Running {
    fn drop(&mut self) {
        let _gone = self.0.kill().is_ok() && self.0.wait().is_ok();
    }
}

fn has(tool: &str) -> bool {
    let there = Command::new(tool).arg("--version").output().is_ok();
    let required = std::env::var_os("TIPHYS_REQUIRE_TOOLS").is_some_and(|value| value == "1");
    assert!(there || !required, "`{tool}` is required and not installed");
    if !there {
        println!("skipped: {tool} is not installed");
    }
    there
}

fn free_port() -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    listener.local_addr().expect("an address").port()
}

fn prometheus(folder: &Path, port: u16, metrics: &str) -> Running {
    let target = metrics
        .strip_prefix("http://")
        .and_then(|rest| rest.strip_suffix("/metrics"))
        .expect("an address");
    let config = folder.join("prometheus.yml");
    let text = format!(
        "global: {{scrape_interval: 1s}}\nscrape_configs:\n- job_name: platform\n  \
         honor_labels: true\n  static_configs: [{{targets: ['{target}']}}]\n"
    );
    std::fs::write(&config, text).expect("it is written");
    let process = Command::new("prometheus")
        .arg(format!("--config.file={}", config.display()))
        .arg(format!(
            "--storage.tsdb.path={}",
            folder.join("data").display()
        ))
        .arg(format!("--web.listen-address=127.0.0.1:{port}"))
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn();
    Running(process.expect("it starts"))
}

/// Returns status and body of a query through the API server's service proxy.
async fn query(simulation: &Simulation, expression: &str) -> Result<Value, kube::Error> {
    let path = "/api/v1/namespaces/monitoring/services/prometheus:9090/proxy/api/v1/query";
    let request = http::Request::get(format!("{path}?query={expression}"));
    let request = request.body(Vec::new()).expect("a request");
    simulation.client().request(request).await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_real_prometheus_stands_in_by_its_address() {
    if !has("prometheus") || !has("promtool") {
        return;
    }
    let port = free_port();
    let options = SimulationOptions {
        listen: Some(([127, 0, 0, 1], 0).into()),
        prometheus: Some(format!("http://127.0.0.1:{port}")),
        ..SimulationOptions::new(only("demo-app-dev"))
    };
    let simulation = Simulation::start(options).await.expect("a platform");

    let down = query(&simulation, "up")
        .await
        .expect_err("nothing is there");
    assert!(format!("{down:?}").contains("502"), "{down:?}");

    let endpoints = simulation.endpoints().expect("it listens");
    let url = &endpoints.metrics.as_ref().expect("a page of metrics").url;
    let folder = tempfile::tempdir().expect("a folder");
    let _running = prometheus(folder.path(), port, url);
    let deadline = tokio::time::Instant::now() + A_MINUTE;
    loop {
        let answer = query(
            &simulation,
            "sum(rate(http_requests_total%7Bapp=%22demo-app%22%7D%5B20s%5D))",
        )
        .await;
        let rate = answer.as_ref().ok().and_then(|answer| {
            let value = answer.pointer("/data/result/0/value/1")?.as_str()?;
            value.parse::<f64>().ok()
        });
        if rate.is_some_and(|rate| rate > 5.0) {
            break;
        }
        assert!(
            tokio::time::Instant::now() < deadline,
            "no requests were measured within a minute: {answer:?}"
        );
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
    let info = query(&simulation, "argocd_app_info")
        .await
        .expect("an answer");
    let name = info.pointer("/data/result/0/metric/name");
    assert_eq!(name.and_then(Value::as_str), Some("demo-app-dev"));
    let page = reqwest::get(url).await.expect("a page");
    check_metrics(&page.text().await.expect("text"));
    simulation.shutdown().await;
}

/// Everything is as Prometheus' own checker wants it, but for units that others have chosen.
fn check_metrics(text: &str) {
    let mut checker = Command::new("promtool")
        .args(["check", "metrics"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("promtool starts");
    let mut input = checker.stdin.take().expect("its input");
    std::io::Write::write_all(&mut input, text.as_bytes()).expect("it reads");
    drop(input);
    let output = checker.wait_with_output().expect("it ends");
    let said = [output.stdout, output.stderr].concat();
    let said = String::from_utf8_lossy(&said);
    let lints: Vec<&str> = said
        .lines()
        .filter(|line| !line.contains("_milliseconds use base unit \"seconds\""))
        .collect();
    assert!(lints.is_empty(), "{said}");
}
