//! Upstream's examples end as their definitions say.

use super::bed::{Bed, count, profiles, told};
use crate::oracles;
use tiphys::sim::controllers::workflows::model::Workflow;
use tiphys::sim::controllers::workflows::node::{NodeType, Phase};

/// What is declared of steps whose programs are not shell words.
const DECLARED: &str = r#"
[[step-profile]]
template = "flip-coin"
seconds = 1
one-of = ["heads", "tails"]

[[step-profile]]
template = "heads"
image = "python:*"
seconds = 1
log = ["heads"]

[[step-profile]]
template = "tails"
image = "python:*"
seconds = 1
log = ["tails"]

[[step-profile]]
template = "gen-number-list"
seconds = 1
log = ["[20, 21, 22, 23, 24, 25, 26, 27, 28, 29, 30]"]

[[step-profile]]
command = "*random.choice*"
seconds = 0.2
exit-codes = [0, 1, 1]
"#;

/// What an example comes to: its phase, and how many pods succeed and fail (none: by chance).
type Expected = (&'static str, Phase, Option<(usize, usize)>);

const EXAMPLES: [Expected; 25] = [
    ("arguments-parameters", Phase::Succeeded, Some((1, 0))),
    ("ci", Phase::Succeeded, Some((4, 0))),
    ("coinflip", Phase::Succeeded, Some((2, 0))),
    // Which of its steps run depends on two flips.
    ("conditionals-complex", Phase::Succeeded, None),
    // `json` is the list of all parameters, of which the first is true.
    ("conditionals", Phase::Succeeded, Some((3, 0))),
    ("continue-on-fail", Phase::Succeeded, Some((3, 1))),
    ("dag-conditional-parameters", Phase::Succeeded, Some((2, 0))),
    ("dag-diamond-steps", Phase::Succeeded, Some((12, 0))),
    ("dag-diamond", Phase::Succeeded, Some((4, 0))),
    ("dag-enhanced-depends", Phase::Succeeded, Some((5, 1))),
    ("dag-nested", Phase::Succeeded, Some((16, 0))),
    // Its entrypoint fails on purpose; the handler sends mail and cries.
    ("exit-handlers", Phase::Failed, Some((2, 1))),
    ("global-outputs", Phase::Succeeded, Some((5, 0))),
    ("hello-world", Phase::Succeeded, Some((1, 0))),
    ("loops-maps", Phase::Succeeded, Some((4, 0))),
    ("loops-param-result", Phase::Succeeded, Some((12, 0))),
    ("loops-sequence", Phase::Succeeded, Some((25, 0))),
    ("loops", Phase::Succeeded, Some((2, 0))),
    ("nested-workflow", Phase::Succeeded, Some((4, 0))),
    ("output-parameter", Phase::Succeeded, Some((2, 0))),
    ("parallelism-limit", Phase::Succeeded, Some((10, 0))),
    ("steps", Phase::Succeeded, Some((3, 0))),
    // Three sleep for a day and three can never be scheduled, for 30 seconds.
    ("timeouts-workflow", Phase::Failed, Some((0, 6))),
    // One attempt in three ends well; ten retries are enough for this seed.
    ("retry-container", Phase::Succeeded, None),
    ("retry-backoff", Phase::Succeeded, None),
];

/// Examples that other tests run, because they end only when somebody resumes them, or never.
const ELSEWHERE: [&str; 3] = [
    "suspend-template",         // `steering`
    "suspend-template-outputs", // `steering`
    "cron-workflow",            // `cron`
];

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn examples_of_upstream_end_as_their_definitions_say() {
    let Some(folder) = oracles::folder("workflows/examples") else {
        return;
    };
    let bed = Bed::with(profiles(DECLARED)).await;
    let mut found: Vec<String> = std::fs::read_dir(&folder)
        .expect("the folder can be read")
        .filter_map(|entry| entry.ok()?.file_name().into_string().ok())
        .filter_map(|name| name.strip_suffix(".yaml").map(str::to_owned))
        .collect();
    found.sort();
    let mut known: Vec<String> = EXAMPLES
        .iter()
        .map(|(name, ..)| (*name).to_owned())
        .chain(ELSEWHERE.map(str::to_owned))
        .collect();
    known.sort();
    assert_eq!(found, known, "every example is run by some test");
    for (name, ..) in EXAMPLES {
        let path = folder.join(format!("{name}.yaml"));
        let text = std::fs::read_to_string(path).expect("the example can be read");
        bed.submit(name, &text).await;
    }

    let mut wrong = Vec::new();
    for (name, phase, pods) in EXAMPLES {
        let workflow = bed.ended(name).await;
        let reached = workflow.status.phase;
        let good = count(&workflow, NodeType::Pod, Phase::Succeeded);
        let bad = count(&workflow, NodeType::Pod, Phase::Failed);
        println!(
            "{name}: {} with {good} pods, {bad} failed",
            reached.map_or("", Phase::word)
        );
        if reached != Some(phase) || pods.is_some_and(|pods| pods != (good, bad)) {
            wrong.push(format!(
                "{name} {}: {:#?}",
                workflow.status.message,
                told(&workflow)
            ));
        }
        assert_whole(name, &workflow);
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// Every node is over, known to a parent, and the whole is labelled so.
fn assert_whole(name: &str, workflow: &Workflow) {
    let nodes = &workflow.status.nodes;
    let label = |label: &str| {
        let labels = workflow.metadata.labels.as_ref();
        labels.and_then(|labels| labels.get(label).cloned())
    };
    assert_eq!(
        label("workflows.argoproj.io/completed").as_deref(),
        Some("true"),
        "{name}"
    );
    assert_eq!(
        label("workflows.argoproj.io/phase").as_deref(),
        workflow.status.phase.map(Phase::word),
        "{name}"
    );
    for node in nodes.values() {
        assert!(node.phase.is_fulfilled(), "{name}: {} is over", node.name);
        let is_root = node.name == name || node.name == format!("{name}.onExit");
        let has_parent = nodes.values().any(|one| one.children.contains(&node.id));
        assert!(
            is_root || has_parent,
            "{name}: {} hangs somewhere",
            node.name
        );
        assert!(
            node.children.iter().all(|id| nodes.contains_key(id)),
            "{name}: the children of {} are there",
            node.name
        );
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn outputs_reach_the_steps_that_ask_for_them() {
    let Some(folder) = oracles::folder("workflows/examples") else {
        return;
    };
    let bed = Bed::with(profiles(DECLARED)).await;
    for name in [
        "output-parameter",
        "global-outputs",
        "dag-conditional-parameters",
    ] {
        let text = std::fs::read_to_string(folder.join(format!("{name}.yaml"))).expect("it");
        bed.submit(name, &text).await;
    }

    let output = bed.ended("output-parameter").await;
    let global = bed.ended("global-outputs").await;
    let conditional = bed.ended("dag-conditional-parameters").await;

    let consume = output
        .status
        .nodes
        .values()
        .find(|node| node.display_name == "consume-parameter")
        .and_then(|node| node.inputs.clone())
        .expect("its inputs");
    assert_eq!(consume.parameters[0].value.as_deref(), Some("hello world"));
    let shared = &global.status.outputs;
    assert_eq!(shared.parameters[0].name, "my-global-param");
    assert_eq!(shared.parameters[0].value.as_deref(), Some("hello world"));
    assert_eq!(shared.artifacts[0]["name"], "my-global-art");
    let root = &conditional.status.nodes["dag-conditional-parameters"];
    let value = root
        .outputs
        .as_ref()
        .and_then(|out| out.parameters[0].value.clone());
    assert!(
        matches!(value.as_deref(), Some("heads" | "tails")),
        "{value:?}"
    );
}
