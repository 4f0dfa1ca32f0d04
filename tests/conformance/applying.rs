//! apply, client and server side, diff, and what strict validation refuses.

use crate::kubectl::{Check, Kubectl, contains, equals};
use crate::matrix::Named;

pub(crate) const CHECKS: &[Named] = &[
    ("apply creates, changes and leaves alone", client_side),
    ("apply takes back what left the file", three_way),
    ("apply merges lists by their keys", list_keys),
    ("diff", diff),
    ("apply on the server's side, with conflicts", server_side),
    (
        "apply moves from the client's to the server's side",
        migration,
    ),
    ("typos and wrong types are refused", strict),
    ("apply a list of several kinds", several),
];

const DEPLOYMENT: &str = r#"
apiVersion: apps/v1
kind: Deployment
metadata:
  name: shelf
  labels: {app: shelf}
spec:
  replicas: 0
  selector: {matchLabels: {app: shelf}}
  template:
    metadata: {labels: {app: shelf}}
    spec:
      containers:
        - name: one
          image: registry.example.org/one:1
          env: [{name: A, value: "1"}, {name: B, value: "2"}]
          ports: [{containerPort: 80}]
        - {name: two, image: "registry.example.org/two:1"}
"#;

fn client_side(kubectl: &Kubectl) -> Check {
    let out = kubectl.must_feed(&["apply", "-f", "-"], DEPLOYMENT)?;
    contains("first", &out, "deployment.apps/shelf created")?;
    let out = kubectl.must_feed(&["apply", "-f", "-"], DEPLOYMENT)?;
    contains("again", &out, "unchanged")?;
    let changed = DEPLOYMENT.replace("one:1", "one:2");
    let out = kubectl.must_feed(&["apply", "-f", "-"], &changed)?;
    contains("changed", &out, "configured")?;
    let view = kubectl.must(&["apply", "view-last-applied", "deploy/shelf"])?;
    contains("last applied", &view, "one:2")
}

fn three_way(kubectl: &Kubectl) -> Check {
    let without = DEPLOYMENT.replace(", {name: B, value: \"2\"}", "");
    let more = DEPLOYMENT.replace(
        "labels: {app: shelf}\nspec",
        "labels: {app: shelf, gone: x}\nspec",
    );
    kubectl.must_feed(&["apply", "-f", "-"], &more)?;
    kubectl.must(&["label", "deploy", "shelf", "mine=1"])?;
    kubectl.must_feed(&["apply", "-f", "-"], &without)?;
    let path = "jsonpath={.spec.template.spec.containers[0].env}";
    let env = kubectl.must(&["get", "deploy", "shelf", "-o", path])?;
    equals("env", &env, "[{\"name\":\"A\",\"value\":\"1\"}]")?;
    let path = "jsonpath={.metadata.labels}";
    let labels = kubectl.must(&["get", "deploy", "shelf", "-o", path])?;
    equals("labels", &labels, "{\"app\":\"shelf\",\"mine\":\"1\"}")
}

fn list_keys(kubectl: &Kubectl) -> Check {
    let patch = r#"{"spec":{"template":{"spec":{"containers":[{"name":"two","image":"registry.example.org/two:9"}]}}}}"#;
    kubectl.must(&["patch", "deploy", "shelf", "-p", patch])?;
    let path = "jsonpath={.spec.template.spec.containers[*].name}";
    let names = kubectl.must(&["get", "deploy", "shelf", "-o", path])?;
    equals("containers", &names, "one two")?;
    kubectl.must(&[
        "set",
        "image",
        "deploy/shelf",
        "two=registry.example.org/two:10",
    ])?;
    let path = "jsonpath={.spec.template.spec.containers[1].image}";
    let image = kubectl.must(&["get", "deploy", "shelf", "-o", path])?;
    equals("image", &image, "registry.example.org/two:10")?;
    kubectl.must(&["set", "env", "deploy/shelf", "-c", "one", "C=3"])?;
    let reordered = DEPLOYMENT.replace(
        "[{name: A, value: \"1\"}, {name: B, value: \"2\"}]",
        "[{name: B, value: \"2\"}, {name: A, value: \"1\"}]",
    );
    kubectl.must_feed(&["apply", "-f", "-"], &reordered)?;
    let path = "jsonpath={.spec.template.spec.containers[0].env[*].name}";
    let names = kubectl.must(&["get", "deploy", "shelf", "-o", path])?;
    let place = |name: &str| names.split(' ').position(|one| one == name);
    if place("B") < place("A") && place("C").is_some() {
        Ok(())
    } else {
        Err(format!("env is in the order {names}"))
    }
}

fn diff(kubectl: &Kubectl) -> Check {
    kubectl.must_feed(&["apply", "-f", "-"], DEPLOYMENT)?;
    let same = kubectl.feed(&["diff", "-f", "-"], DEPLOYMENT);
    if same.code != 0 {
        return Err(format!("a diff without difference: {same:?}"));
    }
    let changed = DEPLOYMENT.replace("one:1", "one:7");
    for arguments in [
        vec!["diff", "-f", "-"],
        vec!["diff", "--server-side", "--force-conflicts", "-f", "-"],
    ] {
        let other = kubectl.feed(&arguments, &changed);
        if other.code != 1 {
            return Err(format!("a diff with a difference: {other:?}"));
        }
        contains("diff", &other.out, "one:7")?;
    }
    let path = "jsonpath={.spec.template.spec.containers[0].image}";
    let image = kubectl.must(&["get", "deploy", "shelf", "-o", path])?;
    equals(
        "a diff changes nothing",
        &image,
        "registry.example.org/one:1",
    )
}

fn map(value: &str) -> String {
    format!(
        "apiVersion: v1\nkind: ConfigMap\nmetadata: {{name: owned}}\ndata: {{a: \"{value}\"}}\n"
    )
}

fn server_side(kubectl: &Kubectl) -> Check {
    let apply = ["apply", "--server-side", "-f", "-"];
    let out = kubectl.must_feed(&apply, &map("1"))?;
    contains("created", &out, "serverside-applied")?;
    let other = ["apply", "--server-side", "--field-manager=other", "-f", "-"];
    kubectl
        .feed(&other, &map("2"))
        .must_fail_with("conflict with \"kubectl\": .data.a")?;
    let force = [
        "apply",
        "--server-side",
        "--field-manager=other",
        "--force-conflicts",
        "-f",
        "-",
    ];
    kubectl.must_feed(&force, &map("2"))?;
    kubectl
        .feed(&apply, &map("1"))
        .must_fail_with("conflict with \"other\"")?;
    let path = "jsonpath={.metadata.managedFields[*].manager}";
    let managers = kubectl.must(&["get", "cm", "owned", "-o", path, "--show-managed-fields"])?;
    contains("managers", &managers, "other")?;
    let empty = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: owned}\n";
    kubectl.must_feed(&other, empty)?;
    let data = kubectl.must(&["get", "cm", "owned", "-o", "jsonpath={.data}"])?;
    equals("dropped", &data, "")
}

fn migration(kubectl: &Kubectl) -> Check {
    let text = map("1").replace("owned", "moved");
    kubectl.must_feed(&["apply", "-f", "-"], &text)?;
    kubectl.must_feed(
        &["apply", "--server-side", "-f", "-"],
        &text.replace("\"1\"", "\"2\""),
    )?;
    let out = kubectl.must(&["get", "cm", "moved", "-o", "jsonpath={.data.a}"])?;
    equals("moved", &out, "2")?;
    let path = "jsonpath={.metadata.managedFields[*].operation}";
    let operations = kubectl.must(&["get", "cm", "moved", "-o", path, "--show-managed-fields"])?;
    contains("managers", &operations, "Apply")?;
    let empty = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: moved}\n";
    kubectl.must_feed(&["apply", "--server-side", "-f", "-"], empty)?;
    let data = kubectl.must(&["get", "cm", "moved", "-o", "jsonpath={.data}"])?;
    equals("dropped after the move", &data, "")
}

fn strict(kubectl: &Kubectl) -> Check {
    let typo = DEPLOYMENT
        .replace("name: shelf", "name: typo")
        .replace("replicas:", "replcas:");
    for arguments in [vec!["apply", "-f", "-"], vec!["create", "-f", "-"]] {
        kubectl
            .feed(&arguments, &typo)
            .must_fail_with("unknown field \"spec.replcas\"")?;
    }
    kubectl
        .feed(&["apply", "--server-side", "-f", "-"], &typo)
        .must_fail_with("replcas")?;
    let warned = kubectl.feed(&["create", "--validate=warn", "-f", "-"], &typo);
    contains("warning", &warned.err, "unknown field \"spec.replcas\"")?;
    warned.must()?;
    kubectl.must(&["delete", "deploy", "typo"])?;
    let wrong = DEPLOYMENT
        .replace("name: shelf", "name: typo")
        .replace("replicas: 0", "replicas: none");
    kubectl
        .feed(&["create", "-f", "-"], &wrong)
        .must_fail_with("DeploymentSpec.spec.replicas of type int32")?;
    let none = DEPLOYMENT
        .replace("name: shelf", "name: typo")
        .replace("selector: {matchLabels: {app: shelf}}", "paused: true");
    kubectl
        .feed(&["create", "-f", "-"], &none)
        .must_fail_with("spec.selector: Required value")
}

fn several(kubectl: &Kubectl) -> Check {
    let text = "apiVersion: v1\nkind: List\nitems:\n- {apiVersion: v1, kind: ConfigMap, metadata: {name: l1}}\n- {apiVersion: v1, kind: Service, metadata: {name: l2}, spec: {selector: {app: l}, ports: [{port: 80}]}}\n";
    kubectl.must_feed(&["apply", "-f", "-"], text)?;
    let port = kubectl.must(&[
        "get",
        "svc",
        "l2",
        "-o",
        "jsonpath={.spec.ports[0].targetPort}",
    ])?;
    equals("default", &port, "80")?;
    kubectl.must_feed(&["delete", "-f", "-"], text)?;
    kubectl.must(&["delete", "deploy", "shelf", "--cascade=orphan"])?;
    Ok(())
}
