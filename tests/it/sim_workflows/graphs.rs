//! The nodes of a workflow have upstream's shape: names, types, parents, outbound nodes.

use super::bed::{Bed, children, told};
use tiphys::sim::controllers::workflows::node::{NodeType, Phase, node_id, pod_name};

const SAY: &str = "
  - name: say
    inputs: {parameters: [{name: message, value: hi}]}
    container: {image: busybox, command: [echo, '{{inputs.parameters.message}}']}
";

fn workflow(entrypoint: &str, rest: &str) -> String {
    format!(
        "apiVersion: argoproj.io/v1alpha1\nkind: Workflow\nmetadata: {{}}\nspec:\n  \
         entrypoint: {entrypoint}\n  templates:{SAY}{rest}"
    )
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn steps_hang_below_what_ended_the_group_before() {
    let bed = Bed::start().await;
    let text = workflow(
        "hello",
        "
  - name: hello
    steps:
    - [{name: hello1, template: say}]
    - [{name: hello2a, template: say}, {name: hello2b, template: say}]
",
    );

    bed.submit("w", &text).await;
    let done = bed.ended("w").await;

    assert_eq!(
        told(&done),
        [
            "w Steps Succeeded",
            "w[0] StepGroup Succeeded",
            "w[0].hello1 Pod Succeeded",
            "w[1] StepGroup Succeeded",
            "w[1].hello2a Pod Succeeded",
            "w[1].hello2b Pod Succeeded",
        ]
    );
    assert_eq!(children(&done, "w"), ["w[0]"]);
    assert_eq!(children(&done, "w[0].hello1"), ["w[1]"]);
    assert_eq!(children(&done, "w[1]"), ["w[1].hello2a", "w[1].hello2b"]);
    let root = &done.status.nodes["w"];
    let ends = ["w[1].hello2a", "w[1].hello2b"].map(|name| node_id("w", name));
    assert_eq!(root.outbound_nodes, ends);
    assert_eq!(
        (root.boundary_id.as_str(), root.progress.as_str()),
        ("", "3/3")
    );
    let first = &done.status.nodes[&node_id("w", "w[0].hello1")];
    assert_eq!(first.display_name, "hello1");
    assert_eq!(first.boundary_id, "w");
    assert_eq!(first.template_scope, "local/w");
    assert_eq!(
        first
            .outputs
            .as_ref()
            .and_then(|out| out.exit_code.as_deref()),
        Some("0")
    );
    let pods = bed.cluster.pods("workflows.argoproj.io/workflow=w").await;
    assert!(
        pods.iter()
            .any(|pod| { pod.metadata.name == Some(pod_name("w", "w[0].hello1", "say")) })
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_diamond_hangs_together_and_omits_what_cannot_run() {
    let bed = Bed::start().await;
    let text = workflow(
        "diamond",
        "
  - name: bad
    container: {image: busybox, command: [sh, -c, exit 3]}
  - name: diamond
    dag:
      tasks:
      - {name: A, template: say}
      - {name: B, template: say, depends: A}
      - {name: C, template: bad, depends: A}
      - {name: D, template: say, depends: B && C}
      - {name: E, template: say, depends: B, withItems: [x, z]}
",
    );

    bed.submit("d", &text).await;
    let done = bed.ended("d").await;

    assert_eq!(
        told(&done),
        [
            "d DAG Failed",
            "d.A Pod Succeeded",
            "d.B Pod Succeeded",
            "d.C Pod Failed main: Error (exit code 3)",
            "d.D Skipped Omitted omitted: depends condition not met",
            "d.E TaskGroup Succeeded",
            "d.E(0:x) Pod Succeeded",
            "d.E(1:z) Pod Succeeded",
        ]
    );
    assert_eq!(children(&done, "d"), ["d.A"]);
    let mut below = children(&done, "d.B");
    below.sort();
    assert_eq!(below, ["d.D", "d.E"]);
    assert_eq!(children(&done, "d.C"), ["d.D"]);
    assert_eq!(children(&done, "d.E"), ["d.E(0:x)", "d.E(1:z)"]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn attempts_hang_below_a_node_of_retries() {
    let bed = Bed::start().await;
    let text = workflow(
        "main",
        "
  - name: bad
    retryStrategy: {limit: 2}
    container: {image: busybox, command: [sh, -c, exit 1]}
  - name: main
    steps:
    - [{name: try, template: bad}]
",
    );

    bed.submit("r", &text).await;
    let done = bed.ended("r").await;

    assert_eq!(
        children(&done, "r[0].try"),
        ["r[0].try(0)", "r[0].try(1)", "r[0].try(2)"]
    );
    let node = |name: &str| &done.status.nodes[&node_id("r", name)];
    assert_eq!(node("r[0].try").kind, NodeType::Retry);
    assert_eq!(node("r[0].try").phase, Phase::Failed);
    assert_eq!(node("r[0].try").message, "No more retries left");
    assert!(
        node("r[0].try(1)")
            .node_flag
            .is_some_and(|flag| flag.retried)
    );
    let group = format!("child '{}' failed", node_id("r", "r[0].try"));
    assert_eq!(node("r[0]").message, group);
    assert_eq!(done.status.message, group);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_stored_template_runs_with_the_arguments_it_is_given() {
    let bed = Bed::start().await;
    let stored = "
apiVersion: argoproj.io/v1alpha1
kind: WorkflowTemplate
metadata: {name: stored}
spec:
  entrypoint: main
  arguments: {parameters: [{name: message, value: default}]}
  templates:
  - name: main
    inputs: {parameters: [{name: message}]}
    script: {image: busybox, command: [sh], source: 'echo got {{inputs.parameters.message}}'}
";
    let object = tiphys::api::yaml::from_str(stored).expect("good YAML");
    bed.cluster.create(object).await;
    let by_ref = "
apiVersion: argoproj.io/v1alpha1
kind: Workflow
metadata: {}
spec:
  workflowTemplateRef: {name: stored}
  arguments: {parameters: [{name: message, value: given}]}
";
    let by_step = workflow(
        "call",
        "
  - name: call
    steps:
    - - name: one
        templateRef: {name: stored, template: main}
        arguments: {parameters: [{name: message, value: 'from step'}]}
",
    );

    bed.submit("byref", by_ref).await;
    bed.submit("bystep", &by_step).await;
    let by_ref = bed.ended("byref").await;
    let by_step = bed.ended("bystep").await;

    let result = |workflow: &tiphys::sim::controllers::workflows::model::Workflow, node: &str| {
        let name = workflow.metadata.name.clone().unwrap_or_default();
        let node = workflow.status.nodes[&node_id(&name, node)].clone();
        node.outputs.and_then(|outputs| outputs.result)
    };
    assert_eq!(result(&by_ref, "byref").as_deref(), Some("got given"));
    assert!(by_ref.status.stored_workflow_template_spec.is_object());
    assert_eq!(
        result(&by_step, "bystep[0].one").as_deref(),
        Some("got from step")
    );
    let node = &by_step.status.nodes[&node_id("bystep", "bystep[0].one")];
    assert_eq!(
        node.template_ref.as_ref().map(|one| one.name.as_str()),
        Some("stored")
    );
}
