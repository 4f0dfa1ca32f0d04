//! Upstream's examples (`TIPHYS_ORACLES`): every run ends as its definition implies.

use super::bed::{Bed, condition, step};
use crate::oracles;
use serde_json::{Value, json};
use std::collections::BTreeMap;
use tiphys::api::yaml;
use tiphys::sim::steps::StepProfile;

/// Each file with the reason in which each of its runs ends.
const EXPECTED: [(&str, &[&str]); 9] = [
    ("ignore-step-error.yaml", &["Succeeded", "Succeeded"]),
    ("pipeline-with-displayname.yaml", &["Succeeded"]),
    ("pipelinerun-results.yaml", &["Succeeded"]),
    ("pipelinerun-with-final-tasks.yaml", &["Succeeded"]),
    ("pipelinerun-with-params.yaml", &["Succeeded"]),
    (
        "pipelinerun-with-pipelinespec-and-taskspec.yaml",
        &["Succeeded", "Succeeded", "Succeeded"],
    ),
    // Four tasks and five final ones are skipped by their conditions.
    ("pipelinerun-with-when-expressions.yaml", &["Completed"]),
    ("pipelinerun.yaml", &["Succeeded"]),
    ("workspaces.yaml", &["Succeeded"]),
];

/// What the scripts of the examples come to.
fn scripts() -> Vec<StepProfile> {
    vec![
        step("write-a-result", &[11], &[("task1-result", "123")]),
        step("write", &[1], &[]),
        step("read", &[1], &[]),
        step("sum", &[0], &[("sum", "{a}+{b}")]),
        step("add", &[0], &[("sum", "{first}+{second}")]),
        step("check-file", &[0], &[("exists", "yes")]),
    ]
}

/// Creates what a file of the examples holds; returns its runs.
async fn begin(bed: &Bed, file: &str) -> Option<Vec<String>> {
    let folder = oracles::folder("tekton/examples")?;
    let text = std::fs::read_to_string(folder.join(file)).expect("the file can be read");
    let objects: Vec<Value> = yaml::from_multi(&text).expect("good YAML");
    let mut names = Vec::new();
    for object in objects.into_iter().filter(Value::is_object) {
        let kind = object["kind"].as_str().unwrap_or_default().to_owned();
        let name = bed.create(object).await;
        if kind == "PipelineRun" {
            names.push(name);
        }
    }
    Some(names)
}

/// Runs the examples of a file; returns its runs as they ended.
async fn run(bed: &Bed, file: &str) -> Option<Vec<Value>> {
    let mut ended = Vec::new();
    for name in begin(bed, file).await? {
        ended.push(bed.end("PipelineRun", &name).await);
    }
    Some(ended)
}

#[tokio::test]
async fn every_run_of_the_examples_ends_as_its_definition_implies() {
    let Some(folder) = oracles::folder("tekton/examples") else {
        return;
    };
    let expected: BTreeMap<&str, &[&str]> = EXPECTED.into_iter().collect();
    let files = std::fs::read_dir(folder).expect("the folder can be read");
    let known: Vec<String> = files
        .map(|entry| {
            let name = entry.expect("the entry can be read").file_name();
            name.to_string_lossy().into_owned()
        })
        .collect();
    assert_eq!(known.len(), expected.len(), "{known:?}");
    let bed = Bed::start(scripts()).await;
    let mut begun = Vec::new();
    for file in known {
        let names = begin(&bed, &file).await.expect("the oracles are there");
        begun.push((file, names));
    }
    for (file, names) in begun {
        let wanted = expected.get(file.as_str()).expect("the file is expected");
        assert_eq!(names.len(), wanted.len(), "{file}: {names:?}");
        for (name, wanted) in names.iter().zip(*wanted) {
            let ended = bed.end("PipelineRun", name).await;
            let (_, reason, message) = condition(&ended);
            assert_eq!(reason, *wanted, "{file}: {message}");
            agree(&bed, &ended).await;
        }
    }
}

/// Every task has a TaskRun that ended well, or is skipped for a reason.
async fn agree(bed: &Bed, run: &Value) {
    let list = |pointer: &str| run.pointer(pointer).and_then(Value::as_array).cloned();
    let names = |pointer: &str, field: &str| -> Vec<String> {
        let all = list(pointer).unwrap_or_default();
        let name = |one: &Value| one[field].as_str().unwrap_or_default().to_owned();
        all.iter().map(name).collect()
    };
    let mut tasks = names("/status/pipelineSpec/tasks", "name");
    tasks.extend(names("/status/pipelineSpec/finally", "name"));
    let mut told = names("/status/childReferences", "pipelineTaskName");
    told.extend(names("/status/skippedTasks", "name"));
    tasks.sort();
    told.sort();
    assert_eq!(tasks, told, "each task is told of once");
    for name in names("/status/childReferences", "name") {
        let child = bed.get("TaskRun", &name).await;
        let (status, _, message) = condition(&child);
        assert_eq!(status, "True", "{name}: {message}");
        let pod = child["status"]["podName"].as_str().unwrap_or_default();
        assert!(pod.ends_with("-pod"), "{name}: {pod}");
    }
}

#[tokio::test]
async fn results_are_handed_on_and_added_up() {
    let bed = Bed::start(scripts()).await;
    let Some(ended) = run(&bed, "pipelinerun-results.yaml").await else {
        return;
    };

    let results = ended[0]["status"]["results"].clone();

    assert_eq!(
        results,
        json!([
            {"name": "sum", "value": "2+10+10"},
            {"name": "partial-sum", "value": "2+10"},
            {"name": "all-sum", "value": "2+10+10-2+10"},
        ])
    );
}

#[tokio::test]
async fn what_conditions_skip_is_told_with_the_conditions() {
    let bed = Bed::start(scripts()).await;
    let Some(ended) = run(&bed, "pipelinerun-with-when-expressions.yaml").await else {
        return;
    };

    let skipped = ended[0]["status"]["skippedTasks"].as_array().cloned();
    let skipped = skipped.expect("tasks are skipped");

    assert_eq!(skipped.len(), 9);
    assert_eq!(
        skipped[0],
        json!({
            "name": "task-should-be-skipped-1",
            "reason": "When Expressions evaluated to false",
            "whenExpressions": [{"input": "yes", "operator": "in", "values": ["missing"]}],
        })
    );
    let array = skipped
        .iter()
        .find(|one| one["name"] == "task-should-be-skipped-4");
    assert_eq!(
        array.expect("it is skipped")["whenExpressions"][0]["values"],
        json!(["main", "hotfix"])
    );
}

#[tokio::test]
async fn steps_whose_failure_is_ignored_keep_their_exit_code() {
    let bed = Bed::start(scripts()).await;
    let Some(ended) = run(&bed, "ignore-step-error.yaml").await else {
        return;
    };
    let name = ended[0]["metadata"]["name"].as_str().unwrap_or_default();
    let first = bed.get("TaskRun", &format!("{name}-task1")).await;
    let steps = first["status"]["steps"].as_array().cloned();

    let told: Vec<_> = steps
        .iter()
        .flatten()
        .map(|step| {
            let code = step["terminated"]["exitCode"].as_i64();
            (
                step["name"].clone(),
                code,
                step["terminationReason"].clone(),
            )
        })
        .collect();

    assert_eq!(
        told,
        [
            (json!("exit-with-1"), Some(1), json!("Continued")),
            (json!("write-a-result"), Some(11), json!("Continued")),
        ]
    );
    assert_eq!(
        first["status"]["results"],
        json!([{"name": "task1-result", "type": "string", "value": "123"}])
    );
}
