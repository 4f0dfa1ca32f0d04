//! Registries of many artifacts: tables of what runs, of one repository, of vulnerabilities.
//!
//! The other side is a process of its own: an API server with Pods, and behind its service proxy a
//! Harbor with 200 repositories of 500 artifacts each, unless other numbers are asked for.

use super::process::{Server, Usage};
use super::terminal::Terminal;
use super::{SIZE, Table, server};
use base64::Engine as _;
use chrono::Utc;
use serde_json::json;
use std::time::Duration;
use tiphys::sim::apiserver::{ApiServer, ServerOptions};
use tiphys::sim::clock::PlatformClock;
use tiphys::sim::harbor::shape::{ArtifactShape, CveShape, RegistryShape};
use tiphys::sim::harbor::{Harbor, HarborOptions, SeedImage};
use tiphys::sim::rng::Seed;

const HOST: &str = "registry.bench";
/// How many repositories a project has.
const IN_PROJECT: usize = 10;

fn repository(number: usize) -> String {
    let (project, name) = (number / IN_PROJECT, number % IN_PROJECT);
    format!("team-{project:02}/service-{name:02}")
}

/// Serves until it is told to end.
pub(crate) fn run(repositories: usize, artifacts: usize) {
    let runtime = tokio::runtime::Runtime::new().expect("a runtime");
    runtime.block_on(async {
        let created = Utc::now() - chrono::TimeDelta::days(51);
        let clock = PlatformClock::running(created, 1.0);
        let server = ApiServer::start(ServerOptions::new(clock.clone()));
        let harbor = harbor(clock, (repositories, artifacts));
        let client = server.client("bench");
        publish(&client, &harbor).await;
        server.add_service_backend("harbor", "harbor-core", harbor.router(false));
        for number in 0..repositories {
            deploy(&client, &harbor, (number, artifacts - 1)).await;
            // Every other repository runs an older version besides.
            if number.is_multiple_of(2) {
                deploy(&client, &harbor, (number, artifacts.saturating_sub(20))).await;
            }
        }
        server::open(&server, client, repositories).await;
    });
}

fn harbor(clock: PlatformClock, (repositories, artifacts): (usize, usize)) -> Harbor {
    let cves = (0..60).map(|number| CveShape {
        id: format!("CVE-2026-{number:04}"),
        severity: String::from(["critical", "high", "medium", "low"][number % 4]),
        package: String::from(["busybox", "musl", "zlib", "libcurl", "libssl3"][number % 5]),
        score: (number % 10) as f64,
        description: format!("what is wrong with it, number {number}, in a sentence or two"),
        ..CveShape::default()
    });
    let images = (0..repositories).flat_map(|number| {
        let name = repository(number);
        (0..artifacts).map(move |tag| SeedImage {
            reference: format!("{HOST}/{name}:1.0.{tag}"),
            ..SeedImage::default()
        })
    });
    Harbor::new(HarborOptions {
        clock,
        seed: Seed(1),
        host: HOST.to_owned(),
        shape: RegistryShape {
            cves: cves.collect(),
            // What a layer claims to weigh is not measured here, and would be most of its memory.
            artifacts: vec![ArtifactShape {
                image: String::from("*"),
                megabytes: Some(0),
                ..ArtifactShape::default()
            }],
            ..RegistryShape::default()
        },
        images: images.collect(),
    })
}

/// Makes the registry's Service, and the Secret with an account for cockpits.
async fn publish(client: &kube::Client, harbor: &Harbor) {
    let namespace =
        |name: &str| json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}});
    for name in ["harbor", "argocd", "prod"] {
        server::post(client, "/api/v1/namespaces", &namespace(name)).await;
    }
    let service = json!({"apiVersion": "v1", "kind": "Service",
        "metadata": {"name": "harbor-core", "labels": {"app": "harbor", "component": "core"}},
        "spec": {"ports": [{"name": "http-web", "port": 80}]}});
    server::post(client, "/api/v1/namespaces/harbor/services", &service).await;
    let account = "robot$cockpit";
    let encode = |text: &str| base64::engine::general_purpose::STANDARD.encode(text);
    let password = harbor.robot_secret(account).expect("it has a robot");
    let secret = json!({"apiVersion": "v1", "kind": "Secret", "type": "kubernetes.io/basic-auth",
        "metadata": {"name": "cockpit-robot",
            "labels": {"app.kubernetes.io/part-of": "tiphys", "tiphys.dev/registry": "true"}},
        "data": {"username": encode(account), "password": encode(&password)}});
    server::post(client, "/api/v1/namespaces/harbor/secrets", &secret).await;
}

/// Makes a Pod that runs one version of a repository.
async fn deploy(client: &kube::Client, harbor: &Harbor, (number, tag): (usize, usize)) {
    let name = repository(number);
    let digest = {
        let store = harbor.registry().read();
        let tag = format!("1.0.{tag}");
        let artifact = store.repository(&name).and_then(|one| one.artifact(&tag));
        artifact.expect("it was seeded").manifest.digest.clone()
    };
    let image = format!("{HOST}/{name}:1.0.{tag}");
    let pod = json!({"apiVersion": "v1", "kind": "Pod",
        "metadata": {"name": format!("{}-{tag}", name.replace('/', "-"))},
        "spec": {"containers": [{"name": "app", "image": image}]},
        "status": {"phase": "Running", "containerStatuses": [{"name": "app", "image": image,
            "imageID": format!("{HOST}/{name}@{digest}"), "ready": true, "restartCount": 0,
            "state": {"running": {}}}]}});
    server::post(client, "/api/v1/namespaces/prod/pods", &pod).await;
}

/// Measures the tables of registries in a cockpit of their own.
pub(crate) fn measure(table: &mut Table, (repositories, artifacts): (usize, usize)) {
    let numbers = [repositories, artifacts].map(|number| number.to_string());
    let mut server = Server::start(&["--serve-images", &numbers[0], &numbers[1]]);
    let kubeconfig = server.kubeconfig();
    let mut cockpit = Terminal::start(&["--kubeconfig", &kubeconfig, "-A"], SIZE);
    cockpit.first_output();
    cockpit.settle();
    let pid = cockpit.pid();
    table.note(&format!(
        "a registry of {repositories} repositories × {artifacts} artifacts"
    ));
    let base = Usage::of(pid).resident_mib;
    what_runs(table, &mut cockpit, repositories);
    let asked = server.requests();
    one_repository(table, &mut cockpit, artifacts);
    cockpit.key("\u{1b}");

    let projects = format!("[{}]", repositories.div_ceil(IN_PROJECT) + 1);
    let opened = command(&mut cockpit, ":projects", &projects);
    table.row("open the projects, ms", opened, 1_000.0);
    let opened = command(&mut cockpit, ":cves", "CVE-2026-0000");
    table.row("first vulnerabilities, ms", opened, 3_000.0);
    cockpit.settle();
    scroll(table, &mut cockpit, "vulnerabilities");
    let opened = command(&mut cockpit, ":registries", "robot$cockpit");
    table.row("open the registries, ms", opened, 1_000.0);
    let resident = Usage::of(pid).resident_mib;
    table.row("resident memory with them, MiB", resident, 80.0);
    table.note(&format!(
        "{base:.1} MiB before any registry was asked; {asked} requests until the images were there"
    ));
    command(&mut cockpit, ":applications", "Applications");
    idle(table, &mut cockpit, &mut server);
}

/// The newest of each repository runs, and an older one of every other.
fn what_runs(table: &mut Table, cockpit: &mut Terminal, repositories: usize) {
    let rows = format!("[{}]", repositories + repositories.div_ceil(2));
    let began = cockpit.now();
    command(cockpit, ":images", &rows);
    // Rows of Pods come at once; what registries say of all of them comes together.
    let joined = cockpit.until(|screen| screen.contains("critical"));
    table.row("open the images that run, ms", joined - began, 3_000.0);
    scroll(table, cockpit, "images");
    filter(table, cockpit, ("images", "05"));
}

fn one_repository(table: &mut Table, cockpit: &mut Terminal, artifacts: usize) {
    let first = format!("[100 of {artifacts}]");
    let opened = cockpit.open("o", |screen| screen.contains(&first));
    let what = format!("open a repository of {artifacts}, ms");
    table.row(&what, opened, 300.0);
    let more = format!("[200 of {artifacts}]");
    let more = cockpit.open("G", |screen| screen.contains(&more));
    table.row("read a page more, ms", more, 300.0);
    cockpit.key("g");
    scroll(table, cockpit, "repository");
    filter(table, cockpit, ("repository", "1.0"));
}

/// With the tables closed, nothing is asked and nothing is drawn.
fn idle(table: &mut Table, cockpit: &mut Terminal, server: &mut Server) {
    let pid = cockpit.pid();
    cockpit.settle();
    let before = (Usage::of(pid), server.requests(), cockpit.written());
    cockpit.listen(Duration::from_secs(10));
    let after = (Usage::of(pid), server.requests(), cockpit.written());
    let cpu = (after.0.cpu - before.0.cpu) * 6.0;
    let bytes = (after.2 - before.2) as f64 * 6.0;
    let requests = (after.1 - before.1) as f64 * 6.0;
    table.row("idle minute after it: CPU, s", cpu, 0.05);
    table.row("idle minute after it: bytes", bytes, 0.0);
    table.row("idle minute after it: requests", requests, 0.0);
}

/// Types a command; milliseconds until the screen has what is wanted.
fn command(cockpit: &mut Terminal, command: &str, wanted: &str) -> f64 {
    for letter in command.chars() {
        cockpit.key(&letter.to_string());
    }
    cockpit.open("\r", |screen| screen.contains(wanted))
}

fn scroll(table: &mut Table, cockpit: &mut Terminal, what: &str) {
    cockpit.settle();
    let keys = ["j"; 40].iter().chain(&["k"; 30]).chain(&["\u{6}"; 5]);
    let mut latencies: Vec<f64> = keys.map(|key| cockpit.key(key).0).collect();
    // At the end of a short table a key changes nothing.
    latencies.retain(|one| !one.is_nan());
    latencies.sort_by(f64::total_cmp);
    let p50 = latencies.get(latencies.len() / 2).copied();
    table.row(
        &format!("{what}: key → output p50, ms"),
        p50.unwrap_or(f64::NAN),
        1.0,
    );
    let worst = latencies.last().copied().unwrap_or(f64::NAN);
    table.row(&format!("{what}: key → output worst, ms"), worst, 8.0);
    cockpit.key("g");
}

fn filter(table: &mut Table, cockpit: &mut Terminal, (what, text): (&str, &str)) {
    cockpit.key("/");
    let letters = text
        .chars()
        .map(|letter| cockpit.key(&letter.to_string()).0);
    let worst = letters.fold(0.0, f64::max);
    table.row(&format!("{what}: filter letter, ms (worst)"), worst, 4.0);
    cockpit.key("\u{1b}");
    // Another one takes the filter away; without one it would close the table.
    if cockpit.shows(&format!("/{text} ")) {
        cockpit.key("\u{1b}");
    }
    cockpit.settle();
}
