//! `promtool` and `amtool` against the embedded servers.

use super::program;
use std::net::SocketAddr;
use std::path::Path;
use std::process::Stdio;
use std::time::Duration;
use tiphys::domain::clock::Clock as _;
use tiphys::sim::clock::PlatformClock;
use tiphys::sim::prometheus::{Prometheus, PrometheusOptions};
use tokio::io::AsyncWriteExt as _;

/// No tool takes longer.
const PATIENCE: Duration = Duration::from_secs(20);

const RULES: &str = "groups: [{name: a, rules: [{alert: Many, expr: requests_total > 1, labels: {severity: page}}]}]";

/// A server with a counter whose rules were evaluated once.
async fn server() -> (Prometheus, i64) {
    // amtool means the real time when it says "for one hour".
    let now = tiphys::domain::clock::SystemClock.now();
    let prometheus = Prometheus::new(PrometheusOptions::new(PlatformClock::running(now, 1.0)));
    for scrape in 0..40_i64 {
        let at = now.timestamp_millis() - (40 - scrape) * 15_000;
        for pod in ["a", "b"] {
            let labels = [("__name__", "requests_total"), ("pod", pod)];
            assert!(prometheus.append(&labels, at, (scrape * 30) as f64));
        }
    }
    prometheus
        .load_rules("a.yml", RULES)
        .expect("the rules are good");
    prometheus.tick().await;
    (prometheus, now.timestamp())
}

async fn serve(router: axum::Router) -> SocketAddr {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0")
        .await
        .expect("a port is free");
    let address = listener.local_addr().expect("it has an address");
    tokio::spawn(async move { axum::serve(listener, router).await });
    address
}

/// Runs a tool that has to succeed; returns what it printed.
async fn run(tool: &Path, arguments: &[&str], input: &str) -> String {
    let mut child = tokio::process::Command::new(tool)
        .args(arguments)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .kill_on_drop(true)
        .spawn()
        .expect("the tool starts");
    let mut stdin = child.stdin.take().expect("a way in");
    stdin.write_all(input.as_bytes()).await.expect("it reads");
    drop(stdin);
    let ended = tokio::time::timeout(PATIENCE, child.wait_with_output()).await;
    let said = ended.expect("it ends in time").expect("it ends");
    let (out, err) = (
        String::from_utf8_lossy(&said.stdout),
        String::from_utf8_lossy(&said.stderr),
    );
    assert!(said.status.success(), "{arguments:?}: {out}{err}");
    // Which version is whose does not matter here; promtool's remarks do.
    let silent = err
        .lines()
        .all(|line| line.is_empty() || line.starts_with("Warning: amtool version"));
    assert!(silent, "{arguments:?}: {err}");
    out.into_owned()
}

#[tokio::test(flavor = "multi_thread")]
async fn promtool_queries_the_embedded_server() {
    let Some(promtool) = program("promtool") else {
        return;
    };
    let (prometheus, now) = server().await;
    let url = format!("http://{}", serve(prometheus.router()).await);
    let (start, end) = ((now - 60).to_string(), now.to_string());
    let times = [format!("--start={start}"), format!("--end={end}")];

    let instant = run(
        &promtool,
        &["query", "instant", &url, "sum(rate(requests_total[5m]))"],
        "",
    )
    .await;
    assert!(instant.starts_with("{} => 4 @["), "{instant}");
    let range = [
        "query",
        "range",
        "--step=30s",
        &times[0],
        &times[1],
        &url,
        "requests_total{pod=\"a\"}",
    ];
    let range = run(&promtool, &range, "").await;
    assert!(
        range.starts_with("requests_total{pod=\"a\"} =>\n") && range.lines().count() == 4,
        "{range}"
    );
    let series = [
        "query",
        "series",
        "--match=requests_total",
        &times[0],
        &times[1],
        &url,
    ];
    let series = run(&promtool, &series, "").await;
    assert_eq!(series.lines().count(), 2, "{series}");
    let labels = run(
        &promtool,
        &["query", "labels", &times[0], &times[1], &url, "pod"],
        "",
    )
    .await;
    assert_eq!(labels, "a\nb\n");
}

#[tokio::test(flavor = "multi_thread")]
async fn promtool_finds_no_fault_with_the_metrics() {
    let Some(promtool) = program("promtool") else {
        return;
    };
    let (prometheus, _) = server().await;
    let url = format!("http://{}/metrics", serve(prometheus.router()).await);
    let text = reqwest_text(&url).await;

    let remarks = run(&promtool, &["check", "metrics"], &text).await;

    assert_eq!(remarks, "");
}

async fn reqwest_text(url: &str) -> String {
    let _first = rustls::crypto::ring::default_provider()
        .install_default()
        .is_ok();
    let answer = reqwest::get(url).await.expect("it answers");
    answer.text().await.expect("a text")
}

#[tokio::test(flavor = "multi_thread")]
async fn amtool_silences_an_alert() {
    let Some(amtool) = program("amtool") else {
        return;
    };
    let (prometheus, _) = server().await;
    let url = format!(
        "--alertmanager.url=http://{}",
        serve(prometheus.alertmanager_router()).await
    );
    let alerts = ["alert", "query", &url, "-o", "extended", "pod=a"];

    let before = run(&amtool, &alerts, "").await;
    assert!(before.contains("alertname=\"Many\""), "{before}");
    let silence = [
        "silence",
        "add",
        &url,
        "--author=oncall",
        "--comment=known",
        "alertname=Many",
        "pod=a",
    ];
    let id = run(&amtool, &silence, "").await;
    let after = run(&amtool, &alerts, "").await;
    assert!(!after.contains("Many"), "{after}");
    let listed = run(&amtool, &["silence", "query", &url], "").await;
    assert!(listed.contains("oncall"), "{listed}");
    run(&amtool, &["silence", "expire", &url, id.trim()], "").await;
    let again = run(&amtool, &alerts, "").await;
    assert!(again.contains("Many"), "{again}");
}
