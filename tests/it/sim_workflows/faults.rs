//! Bad input and faults: visible, explained, and the controller goes on.

use super::bed::{Bed, told};
use k8s_openapi::api::core::v1::Pod;
use kube::api::DeleteParams;
use serde_json::json;
use tiphys::sim::controllers::workflows::node::{Phase, node_id};

fn workflow(spec: &str) -> String {
    format!("apiVersion: argoproj.io/v1alpha1\nkind: Workflow\nmetadata: {{}}\nspec:\n{spec}")
}

const ECHO: &str = "
  - name: echo
    inputs: {parameters: [{name: m}]}
    container: {image: busybox, command: [echo, '{{inputs.parameters.m}}']}
";

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_workflow_that_cannot_run_says_why() {
    let bed = Bed::start().await;
    let cases = [
        (
            "noentry",
            "  templates: []\n".to_owned(),
            "invalid spec: spec.entrypoint is required",
        ),
        (
            "unknown",
            format!("  entrypoint: ecco\n  templates:{ECHO}"),
            "invalid spec: spec.entrypoint template name 'ecco' undefined",
        ),
        (
            "missing",
            format!("  entrypoint: echo\n  templates:{ECHO}"),
            "invalid spec: spec.entrypoint templates.echo inputs.parameters.m was not supplied",
        ),
        (
            "cycle",
            format!(
                "  entrypoint: main\n  templates:{ECHO}  - name: main\n    dag:\n      tasks:\n      \
                 - {{name: a, template: echo, depends: b, arguments: {{parameters: [{{name: m, value: x}}]}}}}\n      \
                 - {{name: b, template: echo, depends: a, arguments: {{parameters: [{{name: m, value: x}}]}}}}\n"
            ),
            "invalid spec: templates.main.tasks dependency cycle detected: a->b->a",
        ),
        (
            "depends",
            format!(
                "  entrypoint: main\n  templates:{ECHO}  - name: main\n    dag:\n      tasks:\n      \
                 - {{name: a, template: echo, depends: c, arguments: {{parameters: [{{name: m, value: x}}]}}}}\n"
            ),
            "invalid spec: templates.main.tasks.a dependency 'c' not defined",
        ),
        (
            "unresolved",
            format!(
                "  entrypoint: main\n  templates:{ECHO}  - name: main\n    steps:\n    - - name: a\n        \
                 template: echo\n        arguments: {{parameters: [{{name: m, value: '{{{{steps.b.outputs.result}}}}'}}]}}\n"
            ),
            "invalid spec: templates.main.steps[0].a failed to resolve {{steps.b.outputs.result}}",
        ),
        (
            "shapeless",
            "  entrypoint: x\n  templates: [{name: x}]\n".to_owned(),
            "invalid spec: templates.x must specify one of: container, containerSet, steps, script, \
             resource, dag, suspend, template, template ref",
        ),
    ];
    for (name, spec, _) in &cases {
        bed.submit(name, &workflow(spec)).await;
    }
    bed.submit("noref", &workflow("  workflowTemplateRef: {name: gone}\n"))
        .await;

    for (name, _, message) in cases {
        let done = bed.ended(name).await;
        assert_eq!(done.status.phase, Some(Phase::Failed), "{name}");
        assert_eq!(done.status.message, message, "{name}");
    }
    let gone = bed.ended("noref").await;
    assert_eq!(gone.status.phase, Some(Phase::Error));
    assert_eq!(
        gone.status.message,
        "workflowtemplates.argoproj.io \"gone\" not found"
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_pod_that_somebody_deletes_fails_its_node() {
    let bed = Bed::start().await;
    let spec = "  entrypoint: nap\n  templates:\n  - name: nap\n    container: {image: busybox, command: [sleep, '3600']}\n";
    bed.submit("del", &workflow(spec)).await;
    bed.until("del", "running", |one| {
        one.status
            .nodes
            .values()
            .any(|node| node.phase == Phase::Running)
    })
    .await;

    let deleted = bed
        .cluster
        .api::<Pod>()
        .delete("del", &DeleteParams::default())
        .await;
    deleted.expect("the pod is deleted");
    let done = bed.ended("del").await;

    assert_eq!(done.status.phase, Some(Phase::Error));
    assert_eq!(told(&done), ["del Pod Error pod deleted"]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_image_that_is_not_there_keeps_its_node_pending_with_the_reason() {
    let bed = Bed::start().await;
    let spec = "  entrypoint: x\n  templates:\n  - name: x\n    container: {image: 'registry.demo/no:1', command: [x]}\n";
    bed.submit("img", &workflow(spec)).await;

    let stuck = bed
        .until("img", "stuck", |one| {
            one.status
                .nodes
                .get("img")
                .is_some_and(|node| node.message.contains("ImagePullBackOff"))
        })
        .await;

    assert_eq!(stuck.status.nodes["img"].phase, Phase::Pending);
    assert_eq!(stuck.status.phase, Some(Phase::Running));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn thousands_of_nodes_are_packed_and_go_on() {
    let bed = Bed::start().await;
    let long = "x".repeat(1500);
    let spec = format!(
        "  entrypoint: main\n  templates:\n  - name: wait\n    inputs: {{parameters: [{{name: m}}]}}\n    suspend: {{}}\n  \
         - name: main\n    steps:\n    - - name: many\n        template: wait\n        \
         arguments: {{parameters: [{{name: m, value: '{{{{item}}}}{long}'}}]}}\n        \
         withSequence: {{count: '600'}}\n"
    );
    bed.submit("big", &workflow(&spec)).await;

    let packed = bed
        .until("big", "packed", |one| {
            !one.status.compressed_nodes.is_empty()
        })
        .await;
    assert!(packed.status.nodes.is_empty());
    bed.patch("big", json!({"spec": {"shutdown": "Terminate"}}))
        .await;
    let done = bed.ended("big").await;

    assert_eq!(done.status.phase, Some(Phase::Failed));
    assert_eq!(node_id("big", "big"), "big");
}
