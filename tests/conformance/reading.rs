//! get in all its forms, explain, describe, discovery and access reviews.

use crate::kubectl::{Check, Kubectl, contains, equals};
use crate::matrix::Named;

pub(crate) const CHECKS: &[Named] = &[
    ("get as table, wide and with labels", get_tables),
    ("get as yaml, json, name, jsonpath and columns", get_formats),
    ("get by label, field and in pages", get_selected),
    ("get of what is not there", get_missing),
    ("api-resources and api-versions", discovery),
    ("explain", explain),
    ("describe", describe),
    ("auth can-i and whoami", access),
    ("version and cluster-info", version),
];

fn get_tables(kubectl: &Kubectl) -> Check {
    contains("get", &kubectl.must(&["get", "configmaps"])?, "NAME")?;
    contains("get", &kubectl.must(&["get", "cm", "colors"])?, "colors")?;
    let wide = kubectl.must(&["get", "cm", "colors", "-o", "wide", "--show-labels"])?;
    contains("labels", &wide, "kind=test")?;
    let all = kubectl.must(&["get", "cm", "-A"])?;
    contains("all namespaces", &all, &kubectl.namespace)?;
    contains(
        "get nodes",
        &kubectl.must(&["get", "namespaces"])?,
        "Active",
    )
}

fn get_formats(kubectl: &Kubectl) -> Check {
    let yaml = kubectl.must(&["get", "cm", "colors", "-o", "yaml"])?;
    contains("yaml", &yaml, "sky: blue")?;
    let json = kubectl.must(&["get", "cm", "colors", "-o", "json"])?;
    contains("json", &json, "\"sky\": \"blue\"")?;
    let name = kubectl.must(&["get", "cm", "colors", "-o", "name"])?;
    equals("name", &name, "configmap/colors")?;
    let path = kubectl.must(&["get", "cm", "colors", "-o", "jsonpath={.data.sky}"])?;
    equals("jsonpath", &path, "blue")?;
    let columns = "custom-columns=N:.metadata.name,S:.data.sky";
    let columns = kubectl.must(&["get", "cm", "colors", "-o", columns, "--no-headers"])?;
    contains("columns", &columns, "blue")?;
    let managed = ["get", "cm", "colors", "-o", "yaml", "--show-managed-fields"];
    contains("managed fields", &kubectl.must(&managed)?, "managedFields:")
}

fn get_selected(kubectl: &Kubectl) -> Check {
    let by_label = kubectl.must(&["get", "cm", "-l", "kind in (test,none)", "-o", "name"])?;
    equals("by label", &by_label, "configmap/colors")?;
    let none = kubectl.must(&["get", "cm", "-l", "kind=other", "-o", "name"])?;
    equals("no label", &none, "")?;
    let field = "metadata.name=colors";
    let by_field = kubectl.must(&["get", "cm", "--field-selector", field, "-o", "name"])?;
    equals("by field", &by_field, "configmap/colors")?;
    let paged = kubectl.must(&["get", "cm", "--chunk-size=1", "-o", "name"])?;
    contains("paged", &paged, "configmap/colors")?;
    let sorted = ["get", "cm", "--sort-by=.metadata.name", "-o", "name"];
    contains("sorted", &kubectl.must(&sorted)?, "configmap/colors")
}

fn get_missing(kubectl: &Kubectl) -> Check {
    kubectl
        .run(&["get", "cm", "nothing"])
        .must_fail_with("configmaps \"nothing\" not found")?;
    kubectl
        .run(&["get", "gizmos"])
        .must_fail_with("the server doesn't have a resource type \"gizmos\"")?;
    kubectl.must(&["get", "cm", "nothing", "--ignore-not-found"])?;
    Ok(())
}

fn discovery(kubectl: &Kubectl) -> Check {
    let resources = kubectl.must(&["api-resources"])?;
    for wanted in [
        "deployments",
        "deploy",
        "applications",
        "CustomResourceDefinition",
        "netpol",
    ] {
        contains("api-resources", &resources, wanted)?;
    }
    let apps = kubectl.must(&["api-resources", "--api-group=apps", "-o", "name"])?;
    contains("apps", &apps, "statefulsets.apps")?;
    let verbs = kubectl.must(&["api-resources", "--verbs=list,watch", "-o", "name"])?;
    contains("verbs", &verbs, "configmaps")?;
    contains(
        "api-versions",
        &kubectl.must(&["api-versions"])?,
        "argoproj.io/v1alpha1",
    )
}

fn explain(kubectl: &Kubectl) -> Check {
    let pod = kubectl.must(&["explain", "pods"])?;
    contains("explain pods", &pod, "Pod is a collection of containers")?;
    let replicas = kubectl.must(&["explain", "deployment.spec.replicas"])?;
    contains("explain a field", &replicas, "Number of desired pods")?;
    let deep = "deploy.spec.template.spec.containers.image";
    contains(
        "explain deep",
        &kubectl.must(&["explain", deep])?,
        "Container image name",
    )?;
    let heal = "application.spec.syncPolicy.automated.selfHeal";
    let custom = kubectl.must(&["explain", heal])?;
    contains("explain a custom field", &custom, "Revert changes")?;
    let tree = kubectl.must(&["explain", "applications.spec.source", "--recursive"])?;
    contains("explain recursively", &tree, "targetRevision")?;
    kubectl
        .run(&["explain", "deployment.spec.nothing"])
        .must_fail_with("field \"nothing\" does not exist")
}

fn describe(kubectl: &Kubectl) -> Check {
    let text = kubectl.must(&["describe", "cm", "colors"])?;
    contains("describe", &text, "blue")?;
    let namespace = kubectl.must(&["describe", "namespace", &kubectl.namespace])?;
    contains("describe namespace", &namespace, "Active")
}

fn access(kubectl: &Kubectl) -> Check {
    equals(
        "can-i",
        &kubectl.must(&["auth", "can-i", "create", "pods"])?,
        "yes",
    )?;
    let list = kubectl.must(&["auth", "can-i", "--list"])?;
    contains("can-i --list", &list, "*.*")?;
    if kubectl.is_at_least(28) {
        contains("whoami", &kubectl.must(&["auth", "whoami"])?, "Username")?;
    }
    Ok(())
}

fn version(kubectl: &Kubectl) -> Check {
    contains("version", &kubectl.must(&["version"])?, "Server Version")
}
