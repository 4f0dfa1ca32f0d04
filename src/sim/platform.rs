//! The embedded platform as one thing that starts and stops.
//!
//! Puts the parts together: API server, git server, controllers, webhook receiver, and with
//! `listen` a loopback port for each server. What is inside comes from a [`Scenario`]; nothing
//! here knows what an Application is beyond creating it.

mod effects;
mod endpoints;
mod faults;
mod fleet;
mod forward;
mod image_updater;
mod listen;
mod monitoring;
mod objects;
mod parts;
mod registry;
mod repositories;
mod rule_files;
mod seed;
mod story;

pub use endpoints::{
    Endpoints, GitEndpoint, GitHubEndpoint, HarborEndpoint, KubernetesEndpoint, ServerEndpoint,
    WebhookEndpoint,
};

use super::apiserver::{ApiServer, ServerOptions};
use super::clock::PlatformClock;
use super::controllers::runtime::Runtime;
use super::git::{GitError, GitServer};
use super::harbor::Harbor;
use super::network::Network;
use super::rng::Seed;
use super::scenario::Scenario;
use super::webhook;
use crate::domain::clock::Clock as _;
use chrono::{DateTime, Utc};
use std::net::SocketAddr;
use std::path::PathBuf;
use tokio_util::sync::CancellationToken;

/// The URL that in-process readers know the git server by.
pub const GIT_URL: &str = "http://git.tiphys.local";

/// What the API server and the nodes say they are.
const KUBERNETES_VERSION: &str = "v1.33.4";

/// How the platform's time passes.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Pace {
    /// So many times as fast as real time, from the present on.
    Running { speed: f64 },
    /// Only when a test steps the clock.
    Stepped { start: DateTime<Utc> },
}

impl Pace {
    fn clock(self) -> PlatformClock {
        match self {
            Self::Running { speed } => PlatformClock::running(Utc::now(), speed),
            Self::Stepped { start } => PlatformClock::stepped(start),
        }
    }
}

/// What to start.
#[derive(Clone, Debug)]
pub struct SimulationOptions {
    pub scenario: Scenario,
    pub pace: Pace,
    pub seed: u64,
    /// Further Applications to generate.
    pub apps: u32,
    /// Opens each server on its own port of this address.
    pub listen: Option<SocketAddr>,
    /// Keeps the repositories here instead of in a temporary folder.
    pub data: Option<PathBuf>,
    /// The address of a Prometheus that takes the embedded one's place.
    pub prometheus: Option<String>,
}

impl SimulationOptions {
    /// The scenario in real time, without ports or further Applications.
    pub fn new(scenario: Scenario) -> Self {
        Self {
            scenario,
            pace: Pace::Running { speed: 1.0 },
            seed: 1,
            apps: 0,
            listen: None,
            data: None,
            prometheus: None,
        }
    }
}

/// Why the platform did not start.
#[derive(Debug, thiserror::Error)]
pub enum SimError {
    #[error(transparent)]
    Git(#[from] GitError),
    #[error("cannot create {what}: {source}")]
    Create { what: String, source: kube::Error },
    #[error(
        "`{0}` has no plural that the API server knows; is its definition in `demo-data/crds`?"
    )]
    UnknownKind(String),
    #[error("the embedded definition `{file}` cannot be read: {message}")]
    Definition { file: String, message: String },
    #[error("cannot start Argo CD: {0}")]
    ArgoCd(String),
    #[error("cannot start Argo Rollouts: {0}")]
    Rollouts(String),
    #[error("cannot start Argo Events: {0}")]
    Events(String),
    #[error("cannot start Tekton: {0}")]
    Tekton(String),
    #[error("cannot start Argo Workflows: {0}")]
    Workflows(String),
    #[error("cannot use the Prometheus at {0}")]
    Prometheus(String),
    #[error("cannot listen on {address}: {source}")]
    Listen {
        address: SocketAddr,
        source: std::io::Error,
    },
    #[error("{0}")]
    ListenTls(String),
    #[error("cannot write `{path}`: {source}")]
    Write {
        path: String,
        source: std::io::Error,
    },
}

/// The running platform. It stops when it is dropped or shut down.
#[derive(Debug)]
pub struct Simulation {
    server: ApiServer,
    clock: PlatformClock,
    git: GitServer,
    runtime: Runtime,
    harbor: Option<Harbor>,
    endpoints: Option<Endpoints>,
    stop: CancellationToken,
    /// Holds the kubeconfig while the platform runs.
    folder: Option<tempfile::TempDir>,
}

impl Simulation {
    /// Starts everything the scenario names and returns when all of it answers.
    pub async fn start(options: SimulationOptions) -> Result<Self, SimError> {
        let clock = options.pace.clock();
        let started = clock.now();
        let stop = CancellationToken::new();
        let server = api_server(&clock, options.seed);
        let git = seed_git(&options, &clock, started).await?;
        let manager = server.client("system:kube-controller-manager");
        let runtime = Runtime::new(manager, clock.clone(), Seed(options.seed));

        let admin = server.client("tiphys:scenario");
        objects::create_definitions(&admin).await?;
        let door = match options.listen {
            Some(address) => Some(listen::open_kubernetes(address, &server).await?),
            None => None,
        };
        let root_ca = door.as_ref().map(|door| door.ca_pem.clone());
        let ground = parts::Ground {
            options: &options,
            server: &server,
            runtime: &runtime,
            git: &git,
            stop: &stop,
        };
        let parts = parts::start(&ground, root_ca.unwrap_or_default()).await?;
        objects::create_all(&admin, &options.scenario.manifests).await?;
        repositories::start(&ground).await?;
        fleet::create(&admin, options.apps, options.seed).await?;

        let receiver = bring_events(&options, &server, &git, &stop);
        let harbor = parts.harbor.clone();
        let stage = story::Stage::new(admin, &git, harbor.as_ref());
        let times = (clock.clone(), started);
        faults::offer_and_tell(&options.scenario, &stage, times, &stop).await?;

        let mut simulation = Self {
            server,
            clock,
            git,
            runtime,
            harbor,
            endpoints: None,
            stop,
            folder: None,
        };
        let Some((address, door)) = options.listen.zip(door) else {
            return Ok(simulation);
        };
        let servers = listen::Servers {
            server: &simulation.server,
            event_sources: listen::event_ports(&options.scenario),
            door,
            git: &simulation.git,
            receiver,
            secret: webhook_secret(options.seed),
            parts,
            seed: options.seed,
        };
        let (endpoints, folder) = listen::open(address, servers, &simulation.stop).await?;
        simulation.endpoints = Some(endpoints);
        simulation.folder = Some(folder);
        Ok(simulation)
    }

    /// A client that may do everything, as the cockpit uses it.
    pub fn client(&self) -> kube::Client {
        self.server.client("tiphys")
    }

    /// The API server, for further clients and backends.
    pub fn server(&self) -> &ApiServer {
        &self.server
    }

    pub fn clock(&self) -> &PlatformClock {
        &self.clock
    }

    pub fn git(&self) -> &GitServer {
        &self.git
    }

    /// The registry, where the scenario starts one.
    pub fn harbor(&self) -> Option<&Harbor> {
        self.harbor.as_ref()
    }

    /// How many reconciliations are running or due now; 0 means that nothing will happen before
    /// the clock moves.
    pub fn busy(&self) -> usize {
        self.runtime.busy()
    }

    /// Where the servers listen; `None` without `listen`.
    pub fn endpoints(&self) -> Option<&Endpoints> {
        self.endpoints.as_ref()
    }

    /// Stops controllers and listeners, and removes what is temporary.
    pub async fn shutdown(self) {
        self.stop.cancel();
        self.runtime.shutdown().await;
    }
}

impl Drop for Simulation {
    fn drop(&mut self) {
        self.stop.cancel();
        self.git.discard();
    }
}

fn api_server(clock: &PlatformClock, seed: u64) -> ApiServer {
    ApiServer::start(ServerOptions {
        seed,
        version: KUBERNETES_VERSION.to_owned(),
        ..ServerOptions::new(clock.clone())
    })
}

/// Tells of pushes whoever is to be told, and brings what Smee channels receive; returns Argo CD's
/// receiver.
fn bring_events(
    options: &SimulationOptions,
    server: &ApiServer,
    git: &GitServer,
    stop: &CancellationToken,
) -> axum::Router {
    let secret = webhook_secret(options.seed);
    let receiver = receiver(server, &secret);
    let network = network(options, server);
    story::follow_channels(&options.scenario.smee, network.as_ref(), stop);
    let deliveries = story::Deliveries {
        receiver: receiver.clone(),
        hooks: options.scenario.webhooks.clone(),
        network,
        secret,
    };
    story::deliver_pushes(git, deliveries, stop);
    receiver
}

/// Reaches the webhooks of the scenario, where there are any.
fn network(options: &SimulationOptions, server: &ApiServer) -> Option<Network> {
    let scenario = &options.scenario;
    let wanted = !scenario.webhooks.is_empty() || !scenario.smee.is_empty();
    wanted.then(|| Network::of(server.clone()).ok()).flatten()
}

/// What Argo CD's server does when a push is announced to it.
fn receiver(server: &ApiServer, secret: &str) -> axum::Router {
    webhook::router(webhook::Receiver {
        client: server.client("argocd-server"),
        secret: secret.to_owned(),
    })
}

/// Writing thousands of git objects would hold up the other tasks of its thread.
async fn seed_git(
    options: &SimulationOptions,
    clock: &PlatformClock,
    started: DateTime<Utc>,
) -> Result<GitServer, SimError> {
    let git = GitServer::start(clock.clone(), options.data.clone())?;
    let (repositories, apps) = (options.scenario.repositories.clone(), options.apps);
    let writing = git.clone();
    let written = tokio::task::spawn_blocking(move || {
        seed::repositories(&writing, &repositories, started)?;
        fleet::write_repository(&writing, apps)
    });
    match written.await {
        Ok(outcome) => outcome.map(|()| git).map_err(SimError::from),
        Err(gone) => Err(SimError::Definition {
            file: "repositories".to_owned(),
            message: gone.to_string(),
        }),
    }
}

fn webhook_secret(seed: u64) -> String {
    Seed(seed).stream(&["webhook", "secret"]).hex(32)
}
