//! What the cockpit tells of images that Argo CD Image Updater follows, on the embedded platform.

#![allow(
    clippy::wildcard_enum_match_arm,
    reason = "a test picks the one case it waits for"
)]

use crate::engine_bed::{Engine, OneClient};
use crate::sim_image_updater::newsletter;
use std::sync::Arc;
use tiphys::domain::image::RegistryRow;
use tiphys::domain::image_update::{UpdateRow, Verdict, updates_kind};
use tiphys::domain::rows::Rows;
use tiphys::engine::EngineOptions;
use tiphys::engine::protocol::Topic;
use tiphys::sim::scenario::Scenario;
use tiphys::sim::{Simulation, SimulationOptions};

async fn row(engine: &mut Engine, what: &str, pick: impl Fn(&UpdateRow) -> bool) -> Box<UpdateRow> {
    let ticket = engine.subscribe(Topic::Kind(updates_kind()));
    engine
        .delta(ticket, what, |delta| {
            let Rows::Registry(rows) = &delta.rows else {
                return None;
            };
            rows.iter().find_map(|row| match row {
                RegistryRow::Update(row) if pick(row) => Some(row.clone()),
                _ => None,
            })
        })
        .await
}

async fn look_at(scenario: Scenario) -> (Simulation, Engine) {
    let simulation = Simulation::start(SimulationOptions::new(scenario))
        .await
        .expect("a platform");
    let platform = Arc::new(OneClient(simulation.client()));
    let engine = Engine::connect(platform, EngineOptions::default()).await;
    (simulation, engine)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_newer_version_that_is_not_allowed_is_named_with_its_barrier() {
    let (simulation, mut engine) = look_at(newsletter()).await;

    let dev = row(&mut engine, "a decision", |row| {
        &*row.application.name == "newsletter-dev" && row.decision.is_some()
    })
    .await;

    assert_eq!(dev.candidate(), "1.4.2");
    assert!(
        dev.why().contains("1.5.0 is newer but not allowed by ~1.4"),
        "{}",
        dev.why()
    );
    assert_eq!(dev.rule(), "semver ~1.4");
    assert_eq!(&*dev.write_back, "git main kustomization");
    let updater = dev.updater.as_ref().map(|updater| &*updater.name);
    assert_eq!(updater, Some("newsletter"));
    simulation.shutdown().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_rule_that_fits_nothing_and_annotations_that_nobody_reads_are_said() {
    let mut scenario = newsletter();
    for object in &mut scenario.manifests {
        if object["kind"] == "ImageUpdater" {
            let image = &mut object["spec"]["applicationRefs"][0]["images"][0];
            image["commonUpdateSettings"]["allowTags"] = "regexp:^release-".into();
            // Nobody reads the annotations of the other stage then.
            object["spec"]["applicationRefs"]
                .as_array_mut()
                .expect("references")
                .truncate(1);
        }
    }
    let (simulation, mut engine) = look_at(scenario).await;

    let next = row(&mut engine, "the other stage", |row| {
        &*row.application.name == "newsletter-next"
    })
    .await;
    assert!(next.trouble.contains("useAnnotations"), "{}", next.trouble);
    let dev = row(&mut engine, "a decision", |row| {
        &*row.application.name == "newsletter-dev" && row.decision.is_some()
    })
    .await;
    let verdict = dev.decision.as_ref().map(|decision| decision.verdict);
    assert_eq!(verdict, Some(Verdict::NoCandidate));
    assert_eq!(dev.why(), "no tag matches regexp:^release-");
    simulation.shutdown().await;
}
