//! create, label, annotate, edit, patch, replace and delete.

use crate::kubectl::{Check, Kubectl, contains, equals};
use crate::matrix::Named;
use std::ffi::OsStr;

/// What other groups build on.
pub(crate) const BEFORE: &[Named] = &[
    ("create a namespace", create_namespace),
    ("create a config map with a label", create_config_map),
];

pub(crate) const AFTER: &[Named] = &[
    ("create secrets, accounts, roles and quotas", create_others),
    ("create what exists", create_twice),
    ("label and annotate", label),
    ("patch: merge, JSON, strategic", patch),
    ("edit", edit),
    ("replace", replace),
    ("dry runs leave nothing behind", dry_run),
    ("create by generateName", generate_name),
    ("delete by name, label and file", delete),
    ("delete waits for finalizers", finalizers),
    ("delete the namespace", delete_namespace),
];

fn create_namespace(kubectl: &Kubectl) -> Check {
    let out = kubectl.must(&["create", "namespace", &kubectl.namespace])?;
    contains("create", &out, "created")
}

fn create_config_map(kubectl: &Kubectl) -> Check {
    kubectl.must(&["create", "configmap", "colors", "--from-literal=sky=blue"])?;
    kubectl.must(&["label", "cm", "colors", "kind=test"])?;
    Ok(())
}

fn create_others(kubectl: &Kubectl) -> Check {
    kubectl.must(&["create", "secret", "generic", "key", "--from-literal=a=b"])?;
    let value = kubectl.must(&["get", "secret", "key", "-o", "jsonpath={.data.a}"])?;
    equals("secret", &value, "Yg==")?;
    kubectl.must(&["create", "serviceaccount", "robot"])?;
    kubectl.must(&[
        "create",
        "role",
        "reader",
        "--verb=get,list",
        "--resource=pods",
    ])?;
    kubectl.must(&[
        "create",
        "rolebinding",
        "reads",
        "--role=reader",
        "--serviceaccount=default:robot",
    ])?;
    kubectl.must(&["create", "quota", "small", "--hard=pods=10"])?;
    kubectl.must(&["create", "ingress", "door", "--rule=a.example.org/*=web:80"])?;
    let text = kubectl.must(&["describe", "rolebinding", "reads"])?;
    contains("describe a binding", &text, "robot")
}

fn create_twice(kubectl: &Kubectl) -> Check {
    kubectl
        .run(&["create", "configmap", "colors"])
        .must_fail_with("configmaps \"colors\" already exists")
}

fn label(kubectl: &Kubectl) -> Check {
    kubectl.must(&["label", "cm", "colors", "a=1", "b=2"])?;
    kubectl
        .run(&["label", "cm", "colors", "a=2"])
        .must_fail_with("already has a value")?;
    kubectl.must(&["label", "cm", "colors", "a=2", "b-", "--overwrite"])?;
    let labels = kubectl.must(&["get", "cm", "colors", "-o", "jsonpath={.metadata.labels}"])?;
    equals("labels", &labels, "{\"a\":\"2\",\"kind\":\"test\"}")?;
    kubectl.must(&["annotate", "cm", "colors", "note=x"])?;
    let path = "jsonpath={.metadata.annotations.note}";
    equals(
        "annotation",
        &kubectl.must(&["get", "cm", "colors", "-o", path])?,
        "x",
    )
}

fn patch(kubectl: &Kubectl) -> Check {
    let merge = r#"{"data":{"grass":"green"}}"#;
    kubectl.must(&["patch", "cm", "colors", "--type=merge", "-p", merge])?;
    let json = r#"[{"op":"test","path":"/data/grass","value":"green"},{"op":"replace","path":"/data/sky","value":"grey"}]"#;
    kubectl.must(&["patch", "cm", "colors", "--type=json", "-p", json])?;
    let strategic = r#"{"data":{"grass":null,"sun":"yellow"}}"#;
    kubectl.must(&["patch", "cm", "colors", "-p", strategic])?;
    let data = kubectl.must(&["get", "cm", "colors", "-o", "jsonpath={.data}"])?;
    equals("data", &data, "{\"sky\":\"grey\",\"sun\":\"yellow\"}")?;
    let failing = r#"[{"op":"test","path":"/data/sky","value":"pink"}]"#;
    kubectl
        .run(&["patch", "cm", "colors", "--type=json", "-p", failing])
        .must_fail_with("rejected our request")?;
    let no_change = kubectl.must(&["patch", "cm", "colors", "--type=merge", "-p", "{}"])?;
    contains("no change", &no_change, "no change")
}

fn edit(kubectl: &Kubectl) -> Check {
    let script = kubectl.folder().join("editor.sh");
    let text = "#!/bin/sh\nsed -i 's/sky: .*/sky: edited/' \"$1\"\n";
    std::fs::write(&script, text).expect("the script can be written");
    let editor = format!("sh {}", script.display());
    let variables = [("KUBE_EDITOR", OsStr::new(&editor))];
    kubectl
        .run_with(&["edit", "cm", "colors"], "", &variables)
        .must()?;
    let path = "jsonpath={.data.sky}";
    equals(
        "edited",
        &kubectl.must(&["get", "cm", "colors", "-o", path])?,
        "edited",
    )
}

fn replace(kubectl: &Kubectl) -> Check {
    let json = kubectl.must(&["get", "cm", "colors", "-o", "json"])?;
    let changed = json.replace("\"edited\"", "\"replaced\"");
    kubectl.must_feed(&["replace", "-f", "-"], &changed)?;
    kubectl
        .feed(&["replace", "-f", "-"], &changed)
        .must_fail_with("the object has been modified")?;
    let plain = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: colors, labels: {kind: test}}\ndata: {sky: forced}\n";
    kubectl.must_feed(&["replace", "--force", "-f", "-"], plain)?;
    let path = "jsonpath={.data.sky}";
    equals(
        "forced",
        &kubectl.must(&["get", "cm", "colors", "-o", path])?,
        "forced",
    )
}

fn dry_run(kubectl: &Kubectl) -> Check {
    for mode in ["--dry-run=server", "--dry-run=client"] {
        kubectl.must(&["create", "configmap", "ghost", "--from-literal=a=b", mode])?;
        kubectl.must(&["delete", "cm", "colors", mode])?;
    }
    kubectl.must(&[
        "patch",
        "cm",
        "colors",
        "--dry-run=server",
        "-p",
        r#"{"data":{"x":"y"}}"#,
    ])?;
    let names = kubectl.must(&["get", "cm", "-o", "name"])?;
    contains("still there", &names, "configmap/colors")?;
    if names.contains("ghost") {
        return Err("a dry run created an object".to_owned());
    }
    let data = kubectl.must(&["get", "cm", "colors", "-o", "jsonpath={.data}"])?;
    equals("unchanged", &data, "{\"sky\":\"forced\"}")
}

fn generate_name(kubectl: &Kubectl) -> Check {
    let text =
        "apiVersion: v1\nkind: ConfigMap\nmetadata: {generateName: many-, labels: {kind: many}}\n";
    for _ in 0..2 {
        let out = kubectl.must_feed(&["create", "-f", "-"], text)?;
        contains("created", &out, "configmap/many-")?;
    }
    Ok(())
}

fn delete(kubectl: &Kubectl) -> Check {
    let out = kubectl.must(&["delete", "cm", "-l", "kind=many"])?;
    contains("by label", &out, "deleted")?;
    let left = kubectl.must(&["get", "cm", "-l", "kind=many", "-o", "name"])?;
    equals("none left", &left, "")?;
    let text = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: colors}\n";
    kubectl.must_feed(&["delete", "-f", "-"], text)?;
    kubectl.must(&["delete", "secret/key", "sa/robot", "--now"])?;
    Ok(())
}

fn finalizers(kubectl: &Kubectl) -> Check {
    let text =
        "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: held, finalizers: [example.org/hold]}\n";
    kubectl.must_feed(&["create", "-f", "-"], text)?;
    kubectl.must(&["delete", "cm", "held", "--wait=false"])?;
    let path = "jsonpath={.metadata.deletionTimestamp}";
    let when = kubectl.must(&["get", "cm", "held", "-o", path])?;
    contains("deletion timestamp", &when, "T")?;
    let release = r#"{"metadata":{"finalizers":null}}"#;
    kubectl.must(&["patch", "cm", "held", "--type=merge", "-p", release])?;
    kubectl.must(&["wait", "--for=delete", "cm/held", "--timeout=20s"])?;
    kubectl
        .run(&["get", "cm", "held"])
        .must_fail_with("not found")
}

fn delete_namespace(kubectl: &Kubectl) -> Check {
    kubectl.must(&["delete", "namespace", &kubectl.namespace, "--timeout=30s"])?;
    kubectl
        .run(&["get", "namespace", &kubectl.namespace])
        .must_fail_with("not found")
}
