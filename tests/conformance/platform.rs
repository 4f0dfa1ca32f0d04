//! The platform that the kubectls work against: what `tiphys demo --listen` starts.

use std::path::PathBuf;
use tiphys::sim::platform::{HarborEndpoint, Simulation, SimulationOptions};
use tiphys::sim::scenario;

/// A running platform; it ends when this goes.
pub(crate) struct Platform {
    runtime: tokio::runtime::Runtime,
    simulation: Option<Simulation>,
    kubeconfig: PathBuf,
}

impl Platform {
    pub(crate) fn start() -> Self {
        // TLS needs a provider, and another test may have chosen it before.
        let _first = rustls::crypto::ring::default_provider()
            .install_default()
            .is_ok();
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .enable_all()
            .build()
            .expect("a runtime can be made");
        let scenario = scenario::load("default", None).expect("the default scenario is good");
        let options = SimulationOptions {
            listen: Some(([127, 0, 0, 1], 0).into()),
            ..SimulationOptions::new(scenario)
        };
        let simulation = runtime
            .block_on(Simulation::start(options))
            .expect("the platform starts");
        let endpoints = simulation.endpoints().expect("it listens");
        Self {
            kubeconfig: PathBuf::from(&endpoints.kubernetes.kubeconfig),
            simulation: Some(simulation),
            runtime,
        }
    }

    /// Where Harbor and its registry listen.
    pub(crate) fn harbor(&self) -> HarborEndpoint {
        let endpoints = self.simulation.as_ref().and_then(Simulation::endpoints);
        let harbor = endpoints.and_then(|endpoints| endpoints.harbor.clone());
        harbor.expect("the default scenario has a registry")
    }

    pub(crate) fn kubeconfig(&self) -> PathBuf {
        self.kubeconfig.clone()
    }
}

impl Drop for Platform {
    fn drop(&mut self) {
        if let Some(simulation) = self.simulation.take() {
            self.runtime.block_on(simulation.shutdown());
        }
    }
}
