//! How images stand, told on the pages of an Application and of a Rollout.

#![allow(
    clippy::wildcard_enum_match_arm,
    reason = "a test picks the one case it waits for"
)]

use crate::engine_bed::{Engine, OneClient};
use k8s_openapi::api::core::v1::ConfigMap;
use kube::Api;
use kube::api::{Patch, PatchParams};
use serde_json::json;
use std::sync::Arc;
use std::time::Duration;
use tiphys::domain::graph::{ResourceTree, TreeNode};
use tiphys::domain::image::ImageState;
use tiphys::domain::object::GroupKind;
use tiphys::engine::EngineOptions;
use tiphys::engine::protocol::{Request, Ticket, Topic, Update};
use tiphys::sim::{Simulation, SimulationOptions, scenario};

async fn start() -> Simulation {
    let scenario = scenario::load(scenario::DEFAULT, None).expect("a scenario");
    let options = SimulationOptions::new(scenario);
    Simulation::start(options).await.expect("a platform")
}

fn state(fault: &ConfigMap) -> &str {
    let state = fault.data.as_ref().and_then(|data| data.get("state"));
    state.map(String::as_str).unwrap_or_default()
}

async fn tree(
    engine: &mut Engine,
    ours: Ticket,
    what: &str,
    wanted: impl Fn(&ResourceTree) -> bool,
) -> ResourceTree {
    engine
        .until(what, |update| match update {
            Update::Tree { ticket, tree, .. } if *ticket == ours && wanted(tree) => {
                Some((**tree).clone())
            }
            _ => None,
        })
        .await
}

fn states_of<'t>(tree: &'t ResourceTree, kind: &str, name: &str) -> &'t [ImageState] {
    let nodes = tree.nodes.iter();
    let mut found =
        nodes.filter(|node| &*node.object.kind.kind == kind && node.object.name.starts_with(name));
    found.next().map_or(&[], |node| &node.image_states)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_tag_that_moved_is_seen_at_the_pod_and_at_all_above_it() {
    let simulation = start().await;
    let platform = Arc::new(OneClient(simulation.client()));
    let mut engine = Engine::connect(platform, EngineOptions::default()).await;
    let app = engine.application("argocd", "guestbook-dev");
    let ours = engine.subscribe(Topic::Application(app));
    let known = tree(&mut engine, ours, "the images are known", |tree| {
        let nodes = &mut tree.nodes.iter();
        let runs = |node: &TreeNode| {
            node.object.name.starts_with("frontend")
                && node.info.iter().any(|fact| &**fact == "Running")
        };
        nodes.any(runs) && states_of(tree, "Pod", "frontend").contains(&ImageState::Behind(1))
    })
    .await;
    assert!(!known.image_states().contains(&ImageState::MovedTag));
    assert!(states_of(&known, "Pod", "redis").is_empty(), "{known:#?}");

    let faults: Api<ConfigMap> = Api::namespaced(simulation.client(), "tiphys-faults");
    let now = Patch::Merge(json!({"data": {"state": "now"}}));
    faults
        .patch("tag-moved", &PatchParams::default(), &now)
        .await
        .expect("it is asked for");
    let has_happened =
        |fault: Option<&ConfigMap>| fault.is_some_and(|fault| state(fault).starts_with("happened"));
    let happens = kube::runtime::wait::await_condition(faults, "tag-moved", has_happened);
    let happened = tokio::time::timeout(Duration::from_secs(20), happens).await;
    happened.expect("in time").expect("it happens");
    engine.send(Request::RetryNow);

    let moved = tree(&mut engine, ours, "the tag moved", |tree| {
        tree.image_states().contains(&ImageState::MovedTag)
    })
    .await;
    for kind in ["Deployment", "ReplicaSet", "Pod"] {
        let states = states_of(&moved, kind, "frontend");
        assert!(states.contains(&ImageState::MovedTag), "{kind}: {states:?}");
    }
    simulation.shutdown().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_pods_of_a_rollout_tell_how_their_image_stands() {
    let simulation = start().await;
    let platform = Arc::new(OneClient(simulation.client()));
    let mut engine = Engine::connect(platform, EngineOptions::default()).await;
    let kind = GroupKind::new("argoproj.io", "Rollout");
    let object = engine.object(kind, "demo-app-dev", "demo-app");
    let ours = engine.subscribe(Topic::Rollout(object));

    let states = engine
        .until("the states", |update| match update {
            Update::Rollout {
                ticket,
                detail: Some(detail),
                ..
            } if *ticket == ours => {
                let set = detail.revisions.first()?.replica_sets.first()?;
                let states = set.image_states();
                (!states.is_empty()).then_some(states)
            }
            _ => None,
        })
        .await;

    assert!(
        matches!(
            states[..],
            [ImageState::Behind(_), ImageState::Vulnerable { .. }]
        ),
        "{states:?}"
    );
    simulation.shutdown().await;
}
