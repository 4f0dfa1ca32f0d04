//! Templates beside containers: resource, http, hooks; effects and logs of steps.

use super::bed::{Bed, profiles, told};
use axum::Router;
use k8s_openapi::api::core::v1::{ConfigMap, Pod};
use kube::api::LogParams;
use tiphys::sim::controllers::workflows::node::{NodeType, Phase, node_id};

fn workflow(spec: &str) -> String {
    format!("apiVersion: argoproj.io/v1alpha1\nkind: Workflow\nmetadata: {{}}\nspec:\n{spec}")
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_resource_template_makes_an_object_and_hands_on_its_name() {
    let bed = Bed::start().await;
    let spec = "
  entrypoint: main
  templates:
  - name: make
    resource:
      action: create
      setOwnerReference: true
      manifest: |
        apiVersion: v1
        kind: ConfigMap
        metadata: {name: made}
        data: {some: value}
    outputs: {parameters: [{name: uid, valueFrom: {jsonPath: '{.metadata.uid}'}}]}
  - name: bad
    resource: {action: delete, manifest: '{apiVersion: v1, kind: ConfigMap, metadata: {name: gone}}'}
  - name: main
    steps:
    - [{name: make, template: make}]
    - [{name: bad, template: bad}]
";
    bed.submit("res", &workflow(spec)).await;
    let done = bed.ended("res").await;

    let made = bed
        .cluster
        .api::<ConfigMap>()
        .get("made")
        .await
        .expect("it was made");
    let make = &done.status.nodes[&node_id("res", "res[0].make")];
    let outputs = make.outputs.as_ref().expect("outputs");
    assert_eq!(outputs.parameters[0].value, made.metadata.uid);
    assert!(made.metadata.owner_references.is_some());
    assert!(told(&done).contains(&"res[1].bad Pod Failed main: Error (exit code 1)".to_owned()));
    assert_eq!(done.status.phase, Some(Phase::Failed));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_http_template_ends_with_what_a_server_answers() {
    let bed = Bed::start().await;
    let answer = Router::new().fallback(|uri: http::Uri| async move {
        let code = if uri.path() == "/no" { 503 } else { 200 };
        (http::StatusCode::from_u16(code).expect("a code"), "hello")
    });
    bed.cluster
        .server
        .add_service_backend("shop", "web", answer);
    let spec = "
  entrypoint: main
  templates:
  - name: ask
    inputs: {parameters: [{name: path}]}
    http: {url: 'http://web.shop.svc.cluster.local/{{inputs.parameters.path}}'}
  - name: main
    dag:
      tasks:
      - {name: good, template: ask, arguments: {parameters: [{name: path, value: 'yes'}]}}
      - {name: bad, template: ask, depends: good, arguments: {parameters: [{name: path, value: 'no'}]}}
";
    bed.submit("ask", &workflow(spec)).await;
    let done = bed.ended("ask").await;

    let good = &done.status.nodes[&node_id("ask", "ask.good")];
    assert_eq!((good.kind, good.phase), (NodeType::Http, Phase::Succeeded));
    let result = good
        .outputs
        .as_ref()
        .and_then(|outputs| outputs.result.clone());
    assert_eq!(result.as_deref(), Some("hello"));
    let bad = &done.status.nodes[&node_id("ask", "ask.bad")];
    assert_eq!(bad.message, "received non-2xx response code: 503");
    assert_eq!(done.status.phase, Some(Phase::Failed));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn hooks_run_after_their_step_and_when_their_expression_holds() {
    let bed = Bed::start().await;
    let spec = "
  entrypoint: main
  hooks:
    exit: {template: say, arguments: {parameters: [{name: m, value: '{{workflow.status}}'}]}}
    running: {template: say, expression: workflow.status == \"Running\", arguments: {parameters: [{name: m, value: running}]}}
  templates:
  - name: say
    inputs: {parameters: [{name: m}]}
    container: {image: busybox, command: [echo, '{{inputs.parameters.m}}']}
  - name: main
    steps:
    - - name: one
        template: say
        arguments: {parameters: [{name: m, value: one}]}
        hooks:
          exit: {template: say, arguments: {parameters: [{name: m, value: 'was {{steps.one.status}}'}]}}
";
    bed.submit("hook", &workflow(spec)).await;
    let done = bed.ended("hook").await;

    assert_eq!(
        told(&done),
        [
            "hook Steps Succeeded",
            "hook.hooks.running Pod Succeeded",
            "hook.onExit Pod Succeeded",
            "hook[0] StepGroup Succeeded",
            "hook[0].one Pod Succeeded",
            "hook[0].one.onExit Pod Succeeded",
        ]
    );
    let input = |name: &str| {
        let node = &done.status.nodes[&node_id("hook", name)];
        node.inputs
            .clone()
            .and_then(|inputs| inputs.parameters[0].value.clone())
    };
    assert_eq!(input("hook.onExit").as_deref(), Some("Succeeded"));
    assert_eq!(
        input("hook[0].one.onExit").as_deref(),
        Some("was Succeeded")
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_declared_step_prints_takes_its_time_and_leaves_outputs() {
    let bed = Bed::with(profiles(
        "[[step-profile]]\ntemplate = \"build\"\nseconds = 30\n\
         log = [\"building {image}\", \"pushed {image}\"]\noutputs = { digest = \"sha256:1\" }\n",
    ))
    .await;
    let spec = "
  entrypoint: build
  arguments: {parameters: [{name: image, value: 'registry.demo/app:1'}]}
  templates:
  - name: build
    inputs: {parameters: [{name: image}]}
    container: {image: 'gcr.io/kaniko-project/executor:v1', args: ['--destination={{inputs.parameters.image}}']}
    outputs: {parameters: [{name: digest, valueFrom: {path: /tmp/digest}}]}
";
    bed.submit("build", &workflow(spec)).await;
    let done = bed.ended("build").await;

    let node = &done.status.nodes["build"];
    let outputs = node.outputs.as_ref().expect("outputs");
    assert_eq!(outputs.parameters[0].value.as_deref(), Some("sha256:1"));
    let log = LogParams {
        container: Some("main".to_owned()),
        ..LogParams::default()
    };
    let text = bed
        .cluster
        .api::<Pod>()
        .logs("build", &log)
        .await
        .expect("the log");
    assert_eq!(
        text,
        "building registry.demo/app:1\npushed registry.demo/app:1\n"
    );
    let pod = bed
        .cluster
        .api::<Pod>()
        .get("build")
        .await
        .expect("the pod");
    let main = pod
        .status
        .iter()
        .flat_map(|status| status.container_statuses.iter().flatten());
    let ended = main
        .filter(|one| one.name == "main")
        .find_map(|one| one.state.clone()?.terminated)
        .expect("it has ended");
    let seconds = |time: &Option<k8s_openapi::apimachinery::pkg::apis::meta::v1::Time>| {
        time.as_ref()
            .map(|time| time.0.as_second())
            .unwrap_or_default()
    };
    assert!((29..=31).contains(&(seconds(&ended.finished_at) - seconds(&ended.started_at))));
}
