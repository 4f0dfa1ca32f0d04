//! Phase, step and weights of Argo Rollouts' own test objects, when they are at hand.

use crate::oracles;
use serde_json::Value;
use std::path::Path;
use tiphys::api::convert::analysis::analysis_run;
use tiphys::api::convert::replica_set::replica_set;
use tiphys::api::convert::rollout::rollout;
use tiphys::domain::analysis::AnalysisPhase;
use tiphys::domain::object::Cluster;
use tiphys::domain::rollout::{Rollout, RolloutPhase, Strategy};

fn cluster() -> Cluster {
    Cluster("test".into())
}

/// Every object of a folder; a file may hold several.
fn objects(folder: &Path) -> Vec<Value> {
    let mut files: Vec<_> = std::fs::read_dir(folder)
        .expect("a folder")
        .map(|entry| entry.expect("an entry").path())
        .filter(|path| path.extension().is_some_and(|end| end == "yaml"))
        .collect();
    files.sort();
    let mut objects = Vec::new();
    for file in files {
        let text = std::fs::read_to_string(&file).expect("text");
        for part in text.split("\n---") {
            let object: Value = serde_saphyr::from_str(part)
                .unwrap_or_else(|error| panic!("{}: {error}", file.display()));
            if !object.is_null() {
                objects.push(object);
            }
        }
    }
    objects
}

/// Reads every Rollout of a folder with the ReplicaSets beside it, as the plugin does.
fn rollouts(folder: &Path) -> Vec<Rollout> {
    let objects = objects(folder);
    let sets: Vec<_> = objects
        .iter()
        .filter(|one| one["kind"] == "ReplicaSet")
        .map(|one| replica_set(one, &cluster()))
        .collect();
    let rollouts = objects.iter().filter(|one| one["kind"] == "Rollout");
    rollouts
        .map(|one| {
            let plain = rollout(one, &cluster(), None);
            let own = sets.iter().find(|set| {
                set.owner.as_ref() == Some(&plain.uid) && set.view.hash == plain.current_hash
            });
            rollout(one, &cluster(), own.map(|set| set.view.available))
        })
        .collect()
}

#[test]
fn every_rollout_shows_what_the_plugin_shows() {
    let Some(root) = oracles::folder("rollouts/objects") else {
        return;
    };
    let mut seen = 0;
    for folder in ["canary", "blue-green", "rollout-aborted", "rollout-invalid"] {
        for row in rollouts(&root.join(folder)) {
            seen += 1;
            assert!(
                row.findings.is_empty(),
                "{}: {:?}",
                row.object.name,
                row.findings
            );
            check(folder, &row);
        }
    }
    assert!(seen >= 9, "only {seen} objects");
}

fn check(folder: &str, row: &Rollout) {
    let name = &row.object.name;
    let shown = (row.phase, &*row.message);
    let weights = (row.weights.set, row.weights.actual);
    match folder {
        "canary" => {
            assert_eq!(row.strategy, Strategy::Canary, "{name}");
            let late = "ProgressDeadlineExceeded: ReplicaSet \"canary-demo-65fb5ffc84\" has timed out progressing.";
            let unseen =
                "waiting for rollout spec update to be observed for the reference workload";
            match shown {
                (RolloutPhase::Degraded, message) => assert_eq!(message, late, "{name}"),
                (RolloutPhase::Progressing, message) => assert_eq!(message, unseen, "{name}"),
                other => panic!("{name}: {other:?}"),
            }
            assert_eq!(row.progress(), Some((0, 8)), "{name}");
            // Its new Pod never became available: 0 of 5.
            assert_eq!(weights.0, 20, "{name}");
            assert!(matches!(weights.1, 0 | 20), "{name}: {weights:?}");
        }
        "blue-green" => {
            assert_eq!(shown, (RolloutPhase::Paused, "BlueGreenPause"), "{name}");
            assert_eq!((row.strategy, row.progress()), (Strategy::BlueGreen, None));
        }
        "rollout-aborted" => {
            let message = "RolloutAborted: metric \"web\" assessed Failed due to failed (1) > failureLimit (0)";
            assert_eq!(shown, (RolloutPhase::Degraded, message), "{name}");
            assert!(row.aborted);
            assert_eq!(weights.0, 0, "an aborted canary wants nothing");
        }
        _ => {
            assert_eq!(row.phase, RolloutPhase::Degraded, "{name}");
            let begins = "InvalidSpec: The Rollout \"rollout-invalid\" is invalid:";
            assert!(row.message.starts_with(begins), "{}", row.message);
        }
    }
}

#[test]
fn the_aborting_analysis_names_what_it_measured() {
    let Some(root) = oracles::folder("rollouts/objects/rollout-aborted") else {
        return;
    };
    let objects = objects(&root);
    let run = objects.iter().find(|one| one["kind"] == "AnalysisRun");
    let run = analysis_run(run.expect("a run"), &cluster());

    assert_eq!(run.phase, AnalysisPhase::Failed);
    let web = run.failures()[0];
    assert_eq!((&*web.name, web.phase), ("web", AnalysisPhase::Failed));
    assert!(web.counts.failed >= 1);
    assert!(!web.measurements.is_empty());
    assert!(run.findings.is_empty(), "{:?}", run.findings);
}
