//! The embedded platform as a [`Platform`]: the one place where `sim` meets the engine.
//!
//! It starts when the engine first connects, so that the cockpit draws before anything runs.
//! Part of the binary, not of the library.

use chrono::{DateTime, Utc};
use futures::FutureExt;
use futures::future::BoxFuture;
use std::path::{Path, PathBuf};
use std::sync::{Arc, OnceLock};
use tiphys::cli::Demo;
use tiphys::domain::clock::Clock;
use tiphys::domain::finding::{Finding, Severity};
use tiphys::domain::object::Text;
use tiphys::engine::platform::{Link, Platform};
use tiphys::engine::protocol::ContextInfo;
use tiphys::report::{Ending, ReportError};
use tiphys::sim::clock::PlatformClock;
use tiphys::sim::platform::{Pace, Simulation, SimulationOptions};
use tiphys::sim::scenario;
use tokio::sync::OnceCell;

/// The name of the one context.
const CONTEXT: &str = "demo";

/// A platform that starts when it is first needed.
#[derive(Clone, Debug)]
pub(crate) struct Embedded {
    inner: Arc<Inner>,
}

#[derive(Debug)]
struct Inner {
    options: SimulationOptions,
    endpoints: Option<PathBuf>,
    running: OnceCell<Simulation>,
    clock: Arc<LateClock>,
}

/// The platform's clock once there is one, the system's before.
#[derive(Debug, Default)]
struct LateClock(OnceLock<PlatformClock>);

impl Clock for LateClock {
    fn now(&self) -> DateTime<Utc> {
        self.0.get().map_or_else(Utc::now, Clock::now)
    }

    fn speed(&self) -> f64 {
        self.0.get().map_or(1.0, Clock::speed)
    }
}

impl Inner {
    async fn start(&self) -> Result<Simulation, Finding> {
        let simulation = Simulation::start(self.options.clone())
            .await
            .map_err(refused)?;
        let _first = self.clock.0.set(simulation.clock().clone()).is_ok();
        if let (Some(path), Some(endpoints)) = (&self.endpoints, simulation.endpoints()) {
            endpoints.write(path).map_err(refused)?;
        }
        Ok(simulation)
    }
}

impl Embedded {
    /// Reads the scenario; nothing runs yet.
    pub(crate) fn new(demo: &Demo, config_folder: Option<&Path>) -> Result<Self, ReportError> {
        let scenario = scenario::load(&demo.scenario, config_folder)
            .map_err(|error| ReportError::Usage(error.to_string()))?;
        let options = SimulationOptions {
            pace: Pace::Running { speed: demo.speed },
            seed: demo.seed,
            apps: demo.apps,
            listen: demo.listen,
            data: demo.data.clone(),
            prometheus: demo.prometheus.clone(),
            ..SimulationOptions::new(scenario)
        };
        let inner = Inner {
            options,
            endpoints: demo.endpoints.clone(),
            running: OnceCell::new(),
            clock: Arc::default(),
        };
        Ok(Self {
            inner: Arc::new(inner),
        })
    }

    /// Starts the platform, or returns the one that runs.
    async fn running(&self) -> Result<&Simulation, Finding> {
        self.inner
            .running
            .get_or_try_init(|| self.inner.start())
            .await
    }

    /// Runs the platform without a screen until SIGINT or SIGTERM.
    pub(crate) async fn headless(
        self,
        out: &mut dyn std::io::Write,
    ) -> Result<Ending, ReportError> {
        let simulation = self.running().await?;
        writeln!(out, "the platform runs; stop it with ctrl-c")?;
        if let Some(endpoints) = simulation.endpoints() {
            writeln!(out, "kubernetes  {}", endpoints.kubernetes.server)?;
            writeln!(
                out,
                "            export KUBECONFIG={}",
                endpoints.kubernetes.kubeconfig
            )?;
            writeln!(out, "git         {}", endpoints.git.url)?;
            writeln!(out, "webhook     {}", endpoints.webhook.url)?;
            let servers = [
                ("prometheus", &endpoints.prometheus),
                ("alerts", &endpoints.alertmanager),
                ("metrics", &endpoints.metrics),
            ];
            for (name, server) in servers {
                if let Some(server) = server {
                    writeln!(out, "{name:<11} {}", server.url)?;
                }
            }
        }
        out.flush()?;
        stopped().await?;
        self.stop().await;
        Ok(Ending::Done)
    }

    /// Stops what runs, when nobody else holds the platform.
    pub(crate) async fn stop(self) {
        let simulation = Arc::into_inner(self.inner).and_then(|inner| inner.running.into_inner());
        if let Some(simulation) = simulation {
            simulation.shutdown().await;
        }
    }
}

/// Waits for SIGINT or SIGTERM.
async fn stopped() -> std::io::Result<()> {
    use tokio::signal::unix::{SignalKind, signal};
    let mut terminate = signal(SignalKind::terminate())?;
    tokio::select! {
        done = tokio::signal::ctrl_c() => done,
        _signal = terminate.recv() => Ok(()),
    }
}

fn refused(error: impl std::fmt::Display) -> Finding {
    Finding::new(
        Severity::Error,
        format!("the embedded platform did not start: {error}"),
    )
}

impl Platform for Embedded {
    fn contexts(&self) -> Result<Vec<ContextInfo>, Finding> {
        let endpoints = self.inner.running.get().and_then(Simulation::endpoints);
        let server = endpoints.map_or("in this process", |all| all.kubernetes.server.as_str());
        Ok(vec![ContextInfo {
            name: Text::from(CONTEXT),
            cluster: Text::from(CONTEXT),
            server: Text::from(server),
            user: Text::from("tiphys"),
            namespace: Text::from("default"),
            current: true,
        }])
    }

    fn connect(&self, context: Option<Text>) -> BoxFuture<'static, Result<Link, Finding>> {
        let platform = self.clone();
        async move {
            if let Some(other) = context.filter(|name| &**name != CONTEXT) {
                let sentence = format!("there is no context `{other}` in the demo");
                return Err(Finding::new(Severity::Error, sentence).with_hint("use `:ctx demo`"));
            }
            let client = platform.running().await?.client();
            let mut contexts = platform.contexts()?;
            Ok(Link {
                client,
                context: contexts.remove(0),
            })
        }
        .boxed()
    }

    fn clock(&self) -> Arc<dyn Clock> {
        self.inner.clock.clone()
    }
}
