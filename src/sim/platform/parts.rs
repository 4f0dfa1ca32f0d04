//! Starts the parts of the platform that a scenario names, each with the objects it comes with.

use super::effects::PlatformEffects;
use super::monitoring::{self, Monitoring};
use super::{
    KUBERNETES_VERSION, SimError, SimulationOptions, image_updater, objects, registry,
    webhook_secret,
};
use crate::sim::actions::{self, Actions};
use crate::sim::apiserver::ApiServer;
use crate::sim::controllers;
use crate::sim::controllers::analysis::Analyses;
use crate::sim::controllers::argocd::Argo;
use crate::sim::controllers::events::ArgoEvents;
use crate::sim::controllers::experiments::Experiments;
use crate::sim::controllers::http_routes::HttpRoutes;
use crate::sim::controllers::rollouts::Rollouts;
use crate::sim::controllers::runtime::Runtime;
use crate::sim::controllers::workflows::Workflows;
use crate::sim::events::Events;
use crate::sim::git::GitServer;
use crate::sim::harbor::Harbor;
use crate::sim::kubelet::image::ImageCatalog;
use crate::sim::kubelet::{KubeletOptions, NodeShape};
use crate::sim::network::Network;
use crate::sim::scenario::{Component, Scenario};
use crate::sim::steps::Steps;
use crate::sim::traffic::Traffic;
use serde_json::json;
use std::sync::Arc;
use tokio_util::sync::CancellationToken;

/// What the parts run on.
pub(super) struct Ground<'g> {
    pub(super) options: &'g SimulationOptions,
    pub(super) server: &'g ApiServer,
    pub(super) runtime: &'g Runtime,
    pub(super) git: &'g GitServer,
    pub(super) stop: &'g CancellationToken,
}

impl Ground<'_> {
    pub(super) fn starts(&self, component: Component) -> bool {
        self.options.scenario.starts.contains(&component)
    }
}

/// What has servers of its own.
pub(super) struct Parts {
    /// What monitors the others, when it is one of them.
    pub(super) monitoring: Option<Monitoring>,
    pub(super) actions: Actions,
    pub(super) harbor: Option<Harbor>,
}

/// Starts the parts.
pub(super) async fn start(ground: &Ground<'_>, root_ca: String) -> Result<Parts, SimError> {
    let (server, runtime) = (ground.server, ground.runtime);
    let events = Events::start(runtime);
    let harbor = if ground.starts(Component::Harbor) {
        Some(registry::start(ground).await?)
    } else {
        None
    };
    let images = Arc::new(catalog(&ground.options.scenario, harbor.as_ref()));
    let effects = PlatformEffects::new(ground.git.clone(), images.clone(), harbor.clone());
    let effects = Arc::new(effects);
    let steps = Steps::new(ground.options.scenario.steps.clone(), effects);
    let actions = Actions::start(runtime, ground.git, steps.clone());
    if ground.starts(Component::Actions) {
        objects::create_part(&server.client("tiphys:scenario"), "actions.yaml").await?;
        server.add_service_backend("github", "api", actions::cluster_router(actions.clone()));
    }
    if ground.starts(Component::Workloads) {
        let options = KubeletOptions {
            nodes: NodeShape::three_workers(),
            images: images.clone(),
            version: KUBERNETES_VERSION.to_owned(),
            steps,
        };
        let kubelet = controllers::start_kubernetes(runtime, &events, options, root_ca);
        server.set_pod_logs(Arc::new(kubelet));
    }
    if ground.starts(Component::ArgoCd) {
        start_argocd(ground, &events).await?;
    }
    if ground.starts(Component::Rollouts) {
        start_rollouts(ground, &events).await?;
    }
    if ground.starts(Component::Tekton) {
        start_tekton(ground, &events).await?;
    }
    if ground.starts(Component::Workflows) {
        start_workflows(ground, &events).await?;
    }
    if ground.starts(Component::Events) {
        start_events(ground).await?;
    }
    if ground.starts(Component::ImageUpdater) && ground.starts(Component::ArgoCd) {
        image_updater::start(ground, harbor.as_ref()).await?;
    }
    let traffic = ground.starts(Component::Traffic).then(|| {
        let shapes = ground.options.scenario.traffic.clone();
        Traffic::start(runtime, shapes, images)
    });
    Ok(Parts {
        monitoring: start_monitoring(ground, traffic.as_ref()).await?,
        actions,
        harbor,
    })
}

/// Starts what monitors the others, if a scenario names it.
async fn start_monitoring(
    ground: &Ground<'_>,
    traffic: Option<&Traffic>,
) -> Result<Option<Monitoring>, SimError> {
    if !ground.starts(Component::Prometheus) {
        return Ok(None);
    }
    let (server, runtime) = (ground.server, ground.runtime);
    objects::create_part(&server.client("tiphys:scenario"), "prometheus.yaml").await?;
    let sources = monitoring::sources(runtime, &ground.options.scenario.starts, traffic);
    let on = monitoring::Ground {
        server,
        clock: runtime.clock(),
        apps: ground.options.apps,
        elsewhere: ground.options.prometheus.as_deref(),
        stop: ground.stop,
    };
    monitoring::start(&on, sources, traffic).map(Some)
}

async fn start_argocd(ground: &Ground<'_>, events: &Events) -> Result<(), SimError> {
    let argo = Argo::start(ground.runtime, ground.git, events)
        .await
        .map_err(|refusal| SimError::ArgoCd(refusal.to_string()))?;
    let router = controllers::argocd::server::router(argo);
    let server = ground.server;
    server.add_service_backend("argocd", "argocd-server", router);
    Ok(())
}

async fn start_workflows(ground: &Ground<'_>, events: &Events) -> Result<(), SimError> {
    let server = ground.server;
    objects::create_part(&server.client("tiphys:scenario"), "workflows.yaml").await?;
    let network =
        Network::of(server.clone()).map_err(|refusal| SimError::Workflows(refusal.to_string()))?;
    Workflows::start(ground.runtime, events, network);
    Ok(())
}

fn catalog(scenario: &Scenario, harbor: Option<&Harbor>) -> ImageCatalog {
    let images = ImageCatalog::new(scenario.registries.clone(), scenario.profiles.clone());
    if let Some(harbor) = harbor {
        return images.pulling_from(Arc::new(harbor.clone()));
    }
    for image in &scenario.images {
        images.add(image.clone());
    }
    images
}

async fn start_events(ground: &Ground<'_>) -> Result<(), SimError> {
    let admin = ground.server.client("tiphys:scenario");
    objects::create_part(&admin, "events.yaml").await?;
    // What signs the git server's webhooks, for EventSources that check it.
    let secret = json!({
        "apiVersion": "v1", "kind": "Secret",
        "metadata": {"name": "git-webhook", "namespace": "argo-events"},
        "stringData": {"secret": webhook_secret(ground.options.seed)},
    });
    objects::create_all(&admin, &[secret]).await?;
    let network = Network::of(ground.server.clone());
    let network = network.map_err(|refusal| SimError::Events(refusal.to_string()))?;
    let events = ArgoEvents::start(ground.runtime, network);
    let router = events.router();
    ground
        .server
        .add_service_backend("argo-events", "webhooks", router);
    Ok(())
}

async fn start_tekton(ground: &Ground<'_>, events: &Events) -> Result<(), SimError> {
    objects::create_part(&ground.server.client("tiphys:scenario"), "tekton.yaml").await?;
    let network = Network::of(ground.server.clone())
        .map_err(|refusal| SimError::Tekton(refusal.to_string()))?;
    controllers::tekton::start(ground.runtime, events, network);
    Ok(())
}

async fn start_rollouts(ground: &Ground<'_>, events: &Events) -> Result<(), SimError> {
    let (server, runtime) = (ground.server, ground.runtime);
    objects::create_part(&server.client("tiphys:scenario"), "rollouts.yaml").await?;
    let network =
        Network::of(server.clone()).map_err(|refusal| SimError::Rollouts(refusal.to_string()))?;
    Rollouts::start(runtime, events);
    Analyses::start(runtime, events, network);
    Experiments::start(runtime, events);
    HttpRoutes::start(runtime);
    Ok(())
}
