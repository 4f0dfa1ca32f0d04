//! Prometheus with what it scrapes, and the metrics of the platform as one page.
//!
//! The pages carry all labels themselves, so that a Prometheus elsewhere that scrapes the one page
//! with `honor_labels` sees what the embedded one sees.

use super::{SimError, forward, rule_files};
use crate::domain::clock::Clock as _;
use crate::sim::apiserver::ApiServer;
use crate::sim::clock::PlatformClock;
use crate::sim::controllers::runtime::Runtime;
use crate::sim::exporters::{ArgoCdExporter, ClusterExporter, RolloutsExporter};
use crate::sim::prometheus::{Prometheus, PrometheusOptions, Target};
use crate::sim::scenario::Component;
use crate::sim::traffic::{PastSeries, Traffic};
use axum::Router;
use axum::routing::get;
use futures::FutureExt as _;
use http::header;
use std::sync::Arc;
use std::time::Duration;
use tokio_util::sync::CancellationToken;

const NAMESPACE: &str = "monitoring";
const TEXT_FORMAT: &str = "text/plain; version=0.0.4; charset=utf-8";

/// How often targets are read in platform time, at most every [`REAL_INTERVAL`] of real time.
const INTERVAL: Duration = Duration::from_secs(5);
const REAL_INTERVAL: Duration = Duration::from_millis(250);
/// So many further Applications are worth another second between two scrapes.
const APPS_A_SECOND: u32 = 500;

/// How long after the start services that begin to answer are given a past.
const PAST_LIMIT: Duration = Duration::from_secs(120);
const PAST_PAUSE: Duration = Duration::from_secs(1);

type Read = Arc<dyn Fn() -> String + Send + Sync>;

/// Something that has metrics.
#[derive(Clone)]
pub(super) struct Source {
    job: &'static str,
    instance: &'static str,
    read: Read,
}

impl Source {
    fn new(
        job: &'static str,
        instance: &'static str,
        read: impl Fn() -> String + Send + Sync + 'static,
    ) -> Self {
        Self {
            job,
            instance,
            read: Arc::new(read),
        }
    }

    fn target(&self) -> Target {
        let read = Arc::clone(&self.read);
        Target {
            job: self.job.to_owned(),
            instance: self.instance.to_owned(),
            labels: Vec::new(),
            honor_labels: true,
            read: Arc::new(move || {
                let read = Arc::clone(&read);
                async move { Ok(read()) }.boxed()
            }),
        }
    }
}

const SERVICES: (&str, &str) = ("services", "pods:8080");
const MESH: (&str, &str) = ("istio", "proxies:15090");

/// Returns what has metrics on this platform.
pub(super) fn sources(
    runtime: &Runtime,
    starts: &[Component],
    traffic: Option<&Traffic>,
) -> Vec<Source> {
    let mut sources = Vec::new();
    if let Some(traffic) = traffic {
        let (apps, mesh) = (traffic.clone(), traffic.clone());
        let (job, instance) = SERVICES;
        sources.push(Source::new(job, instance, move || apps.app_metrics()));
        let (job, instance) = MESH;
        sources.push(Source::new(job, instance, move || mesh.mesh_metrics()));
    }
    if starts.contains(&Component::Workloads) {
        let cluster = ClusterExporter::start(runtime);
        let instance = "kube-state-metrics.monitoring.svc:8080";
        sources.push(Source::new("kube-state-metrics", instance, move || {
            cluster.metrics()
        }));
    }
    if starts.contains(&Component::ArgoCd) {
        let argo = ArgoCdExporter::start(runtime);
        let instance = "argocd-metrics.argocd.svc:8082";
        sources.push(Source::new("argocd", instance, move || argo.metrics()));
    }
    if starts.contains(&Component::Rollouts) {
        let rollouts = RolloutsExporter::start(runtime);
        let instance = "argo-rollouts-metrics.argo-rollouts.svc:8090";
        sources.push(Source::new("argo-rollouts", instance, move || {
            rollouts.metrics()
        }));
    }
    sources
}

/// What is reached from outside.
#[derive(Clone)]
pub(super) struct Monitoring {
    /// The Prometheus API, embedded or elsewhere.
    pub(super) prometheus: Router,
    /// Where a Prometheus elsewhere is.
    pub(super) elsewhere: Option<String>,
    pub(super) alertmanager: Router,
    /// Everything that can be scraped, as one page.
    pub(super) metrics: Router,
}

/// What monitoring runs on.
pub(super) struct Ground<'g> {
    pub(super) server: &'g ApiServer,
    pub(super) clock: &'g PlatformClock,
    /// Further Applications: more of them are scraped less often.
    pub(super) apps: u32,
    /// The address of a Prometheus that takes the embedded one's place.
    pub(super) elsewhere: Option<&'g str>,
    pub(super) stop: &'g CancellationToken,
}

/// Starts Prometheus, or puts the one elsewhere in its place.
pub(super) fn start(
    ground: &Ground<'_>,
    sources: Vec<Source>,
    traffic: Option<&Traffic>,
) -> Result<Monitoring, SimError> {
    let embedded = Prometheus::new(options(ground));
    let router = match ground.elsewhere {
        Some(url) => forward::router(url)?,
        None => {
            run(ground, &embedded, &sources, traffic);
            embedded.router()
        }
    };
    let monitoring = Monitoring {
        prometheus: router,
        elsewhere: ground.elsewhere.map(str::to_owned),
        alertmanager: embedded.alertmanager_router(),
        metrics: metrics_router(sources),
    };
    let server = ground.server;
    server.add_service_backend(NAMESPACE, "prometheus", monitoring.prometheus.clone());
    server.add_service_backend(NAMESPACE, "alertmanager", monitoring.alertmanager.clone());
    Ok(monitoring)
}

fn options(ground: &Ground<'_>) -> PrometheusOptions {
    let speed = ground.clock.speed().max(1.0);
    let size = Duration::from_secs(u64::from(ground.apps / APPS_A_SECOND));
    let interval = (INTERVAL + size).max(REAL_INTERVAL.mul_f64(speed));
    PrometheusOptions {
        scrape_interval: interval,
        evaluation_interval: interval,
        ..PrometheusOptions::new(ground.clock.clone())
    }
}

/// Lets the embedded Prometheus scrape, with a past and rules.
fn run(
    ground: &Ground<'_>,
    prometheus: &Prometheus,
    sources: &[Source],
    traffic: Option<&Traffic>,
) {
    for source in sources {
        prometheus.add_target(source.target());
    }
    prometheus.start(ground.stop);
    let client = ground
        .server
        .client("system:serviceaccount:monitoring:prometheus");
    spawn(ground.stop, rule_files::follow(client, prometheus.clone()));
    if let Some(traffic) = traffic {
        let telling = tell_past(ground.clock.clone(), prometheus.clone(), traffic.clone());
        spawn(ground.stop, telling);
    }
}

fn spawn(stop: &CancellationToken, work: impl Future<Output = ()> + Send + 'static) {
    let stop = stop.clone();
    tokio::spawn(async move {
        stop.run_until_cancelled(work).await;
    });
}

/// Gives the services that begin to answer their past.
async fn tell_past(clock: PlatformClock, prometheus: Prometheus, traffic: Traffic) {
    let until = clock.now() + PAST_LIMIT;
    while clock.now() < until {
        let (told, to) = (traffic.clone(), prometheus.clone());
        let telling = tokio::task::spawn_blocking(move || {
            for series in told.take_past() {
                append(&to, &series);
            }
        });
        if telling.await.is_err() {
            return;
        }
        clock.sleep(PAST_PAUSE).await;
    }
}

fn append(prometheus: &Prometheus, series: &PastSeries) {
    let is_mesh = series
        .labels
        .first()
        .is_some_and(|(_, name)| name.starts_with("istio_"));
    let (job, instance) = if is_mesh { MESH } else { SERVICES };
    let mut labels: Vec<(&str, &str)> = vec![("job", job), ("instance", instance)];
    let own = series.labels.iter();
    labels.extend(own.map(|(name, value)| (name.as_str(), value.as_str())));
    for (at_ms, value) in &series.samples {
        if !prometheus.append(&labels, *at_ms, *value) {
            tracing::debug!(at_ms, "a sample of the past was not taken");
        }
    }
}

fn metrics_router(sources: Vec<Source>) -> Router {
    let page = move || async move {
        let text: String = sources.iter().map(|source| (source.read)()).collect();
        ([(header::CONTENT_TYPE, TEXT_FORMAT)], text)
    };
    Router::new().route("/metrics", get(page))
}
