//! An object told for people, in the manner of `kubectl describe`.
//!
//! Pods, workloads and Services have their own pages; every other kind is told field by field.

use super::manifest::presentable;
use super::page::Page;
use crate::domain::duration::short_span;
use crate::domain::finding::Finding;
use crate::domain::health::health_of;
use crate::domain::node::Node;
use crate::domain::object::Text;
use crate::engine::facts::{items, number, pod_status, text};
use crate::engine::protocol::EventRow;
use chrono::{DateTime, Utc};
use serde_json::Value;

/// Describes an object and what happened to it.
pub(super) fn describe(
    object: &Value,
    events: &Result<Vec<EventRow>, Finding>,
    now: DateTime<Utc>,
) -> Vec<Text> {
    let object = presentable(object.clone(), false);
    let mut page = Page::default();
    head(&mut page, &object);
    if let Some(verdict) = health_of(&object) {
        page.field(0, "Health", verdict.health.word());
        if !verdict.message.is_empty() {
            page.field(0, "", &verdict.message);
        }
    }
    match text(&object, &["kind"]) {
        "Pod" => pod(&mut page, &object),
        "Deployment" | "ReplicaSet" | "StatefulSet" | "DaemonSet" => workload(&mut page, &object),
        "Service" => service(&mut page, &object),
        "Secret" => secret(&mut page, &object),
        _ => generic(&mut page, &object),
    }
    conditions(&mut page, &object);
    write_events(&mut page, events, now);
    page.into_lines()
}

fn head(page: &mut Page, object: &Value) {
    page.field(0, "Name", text(object, &["metadata", "name"]));
    let namespace = text(object, &["metadata", "namespace"]);
    if !namespace.is_empty() {
        page.field(0, "Namespace", namespace);
    }
    page.field(0, "Kind", text(object, &["kind"]));
    page.field(0, "API Version", text(object, &["apiVersion"]));
    page.field(0, "Labels", &pairs(object, &["metadata", "labels"]));
    page.field(
        0,
        "Annotations",
        &pairs(object, &["metadata", "annotations"]),
    );
    page.field(
        0,
        "Created",
        text(object, &["metadata", "creationTimestamp"]),
    );
    let deleting = text(object, &["metadata", "deletionTimestamp"]);
    if !deleting.is_empty() {
        page.field(0, "Deleting since", deleting);
        let finalizers = items(object, &["metadata", "finalizers"]).iter();
        let finalizers: Vec<&str> = finalizers.filter_map(Node::text).collect();
        page.field(0, "Finalizers", &finalizers.join("\n"));
    }
    let owners = items(object, &["metadata", "ownerReferences"]).iter();
    let owners: Vec<String> = owners
        .map(|owner| format!("{}/{}", text(owner, &["kind"]), text(owner, &["name"])))
        .collect();
    if !owners.is_empty() {
        page.field(0, "Controlled By", &owners.join("\n"));
    }
}

fn pairs(object: &Value, path: &[&str]) -> String {
    let members = object.at(path).map(Node::members).unwrap_or_default();
    let pairs: Vec<String> = members
        .into_iter()
        .filter(|(key, _)| !key.ends_with("last-applied-configuration"))
        .map(|(key, value)| format!("{key}={}", scalar(value)))
        .collect();
    pairs.join("\n")
}

fn scalar(value: &Value) -> String {
    value
        .text()
        .map_or_else(|| value.to_string(), str::to_owned)
}

fn pod(page: &mut Page, pod: &Value) {
    page.field(0, "Status", &pod_status(pod));
    let message = text(pod, &["status", "message"]);
    if !message.is_empty() {
        page.field(0, "Message", message);
    }
    page.field(0, "Node", text(pod, &["spec", "nodeName"]));
    page.field(0, "IP", text(pod, &["status", "podIP"]));
    page.field(
        0,
        "Service Account",
        text(pod, &["spec", "serviceAccountName"]),
    );
    for (heading, specs, statuses) in [
        ("Init Containers", "initContainers", "initContainerStatuses"),
        ("Containers", "containers", "containerStatuses"),
    ] {
        let containers = items(pod, &["spec", specs]);
        if containers.is_empty() {
            continue;
        }
        page.heading(0, heading);
        for container in containers {
            let name = text(container, &["name"]);
            let statuses = items(pod, &["status", statuses]).iter();
            let status = statuses.clone().find(|one| text(one, &["name"]) == name);
            write_container(page, container, status);
        }
    }
    volumes(page, pod);
}

fn write_container(page: &mut Page, container: &Value, status: Option<&Value>) {
    page.heading(1, text(container, &["name"]));
    page.field(2, "Image", text(container, &["image"]));
    let ports = items(container, &["ports"]).iter();
    let ports: Vec<String> = ports
        .map(|port| format!("{}/{}", number(port, &["containerPort"]), protocol(port)))
        .collect();
    if !ports.is_empty() {
        page.field(2, "Ports", &ports.join(", "));
    }
    for part in ["requests", "limits"] {
        let resources = pairs(container, &["resources", part]);
        if !resources.is_empty() {
            page.field(
                2,
                if part == "limits" {
                    "Limits"
                } else {
                    "Requests"
                },
                &resources,
            );
        }
    }
    let environment = items(container, &["env"]).iter();
    let environment: Vec<String> = environment.map(variable).collect();
    if !environment.is_empty() {
        page.field(2, "Environment", &environment.join("\n"));
    }
    let Some(status) = status else { return };
    page.field(2, "Image ID", text(status, &["imageID"]));
    state(page, "State", status.at(&["state"]));
    state(page, "Last State", status.at(&["lastState"]));
    let ready = status.at(&["ready"]).and_then(Node::boolean) == Some(true);
    page.field(2, "Ready", if ready { "True" } else { "False" });
    page.field(
        2,
        "Restart Count",
        &number(status, &["restartCount"]).to_string(),
    );
}

fn protocol(port: &Value) -> &str {
    match text(port, &["protocol"]) {
        "" => "TCP",
        protocol => protocol,
    }
}

fn variable(variable: &Value) -> String {
    let name = text(variable, &["name"]);
    match variable.member("valueFrom") {
        None => format!("{name}={}", text(variable, &["value"])),
        Some(from) => {
            let source = from.members().first().map(|(kind, one)| {
                format!(
                    "<set from {kind} {} {}>",
                    text(one, &["name"]),
                    text(one, &["key"])
                )
            });
            format!("{name}={}", source.unwrap_or_default())
        }
    }
}

fn state(page: &mut Page, name: &str, state: Option<&Value>) {
    let members = state.map(Node::members).unwrap_or_default();
    let Some((word, detail)) = members.first() else {
        return;
    };
    let mut title = (*word).to_owned();
    if let Some(first) = title.get_mut(..1) {
        first.make_ascii_uppercase();
    }
    page.field(2, name, &title);
    for (key, value) in detail.members() {
        page.field(3, &title_case(key), &scalar(value));
    }
}

fn volumes(page: &mut Page, pod: &Value) {
    let volumes = items(pod, &["spec", "volumes"]);
    if volumes.is_empty() {
        return;
    }
    page.heading(0, "Volumes");
    for volume in volumes {
        let kinds = volume.members();
        let kind = kinds.iter().find(|(key, _)| *key != "name");
        let kind = kind.map_or("unknown", |(key, _)| *key);
        page.field(1, text(volume, &["name"]), &title_case(kind));
    }
}

fn workload(page: &mut Page, object: &Value) {
    page.field(
        0,
        "Selector",
        &pairs(object, &["spec", "selector", "matchLabels"]),
    );
    if text(object, &["kind"]) == "DaemonSet" {
        let count = |field| number(object, &["status", field]);
        page.field(
            0,
            "Pods",
            &format!(
                "{} desired | {} updated | {} available",
                count("desiredNumberScheduled"),
                count("updatedNumberScheduled"),
                count("numberAvailable")
            ),
        );
    } else {
        let count = |field| number(object, &["status", field]);
        let wanted = object
            .at(&["spec", "replicas"])
            .and_then(Node::integer)
            .unwrap_or(1);
        page.field(
            0,
            "Replicas",
            &format!(
                "{wanted} desired | {} updated | {} total | {} available",
                count("updatedReplicas"),
                count("replicas"),
                count("availableReplicas")
            ),
        );
    }
    for field in ["strategy", "updateStrategy"] {
        let strategy = text(object, &["spec", field, "type"]);
        if !strategy.is_empty() {
            page.field(0, "Strategy", strategy);
        }
    }
    page.heading(0, "Pod Template");
    page.field(
        1,
        "Labels",
        &pairs(object, &["spec", "template", "metadata", "labels"]),
    );
    for container in items(object, &["spec", "template", "spec", "containers"]) {
        write_container(page, container, None);
    }
}

fn service(page: &mut Page, service: &Value) {
    page.field(0, "Selector", &pairs(service, &["spec", "selector"]));
    let kind = text(service, &["spec", "type"]);
    page.field(0, "Type", if kind.is_empty() { "ClusterIP" } else { kind });
    page.field(0, "IP", text(service, &["spec", "clusterIP"]));
    for port in items(service, &["spec", "ports"]) {
        let name = match text(port, &["name"]) {
            "" => "<unset>",
            name => name,
        };
        let target = port.member("targetPort").map(scalar).unwrap_or_default();
        let number = number(port, &["port"]);
        page.field(
            0,
            "Port",
            &format!("{name} {number}/{} → {target}", protocol(port)),
        );
    }
}

fn secret(page: &mut Page, secret: &Value) {
    page.field(0, "Type", text(secret, &["type"]));
    page.heading(0, "Data (values are hidden)");
    let members = secret.at(&["data"]).map(Node::members).unwrap_or_default();
    for (key, _) in members {
        page.line(1, key);
    }
}

fn generic(page: &mut Page, object: &Value) {
    for (key, value) in object.members() {
        if matches!(key, "kind" | "apiVersion" | "metadata") {
            continue;
        }
        write_value(page, 0, key, value);
    }
}

fn write_value(page: &mut Page, depth: usize, key: &str, value: &Value) {
    if key == "conditions" {
        return;
    }
    let name = title_case(key);
    if !value.items().is_empty() {
        page.heading(depth, &name);
        for item in value.items() {
            write_item(page, depth + 1, item);
        }
    } else if !value.members().is_empty() {
        page.heading(depth, &name);
        for (key, value) in value.members() {
            write_value(page, depth + 1, key, value);
        }
    } else {
        page.field(depth, &name, &scalar(value));
    }
}

fn write_item(page: &mut Page, depth: usize, item: &Value) {
    let members = item.members();
    if members.is_empty() {
        page.line(depth, &scalar(item));
        return;
    }
    for (index, (key, value)) in members.into_iter().enumerate() {
        let name = if index == 0 {
            format!("- {key}")
        } else {
            format!("  {key}")
        };
        if value.members().is_empty() && value.items().is_empty() {
            page.line(depth, &format!("{name}: {}", scalar(value)));
        } else {
            page.line(depth, &format!("{name}:"));
            for item in value.items() {
                write_item(page, depth + 2, item);
            }
            for (key, value) in value.members() {
                write_value(page, depth + 2, key, value);
            }
        }
    }
}

/// `targetRevision` becomes `Target Revision`, as kubectl prints it.
fn title_case(key: &str) -> String {
    let mut title = String::with_capacity(key.len() + 4);
    for (index, letter) in key.chars().enumerate() {
        if index == 0 {
            title.extend(letter.to_uppercase());
        } else {
            let after_lower = title.chars().next_back().is_some_and(char::is_lowercase);
            if letter.is_uppercase() && after_lower {
                title.push(' ');
            }
            title.push(letter);
        }
    }
    title
}

fn conditions(page: &mut Page, object: &Value) {
    let conditions = items(object, &["status", "conditions"]);
    if conditions.is_empty() {
        return;
    }
    page.heading(0, "Conditions");
    let mut rows = vec![
        ["Type", "Status", "Reason", "Message"]
            .map(String::from)
            .to_vec(),
    ];
    for condition in conditions {
        let cell = |field| text(condition, &[field]).to_owned();
        rows.push(vec![
            cell("type"),
            cell("status"),
            cell("reason"),
            cell("message"),
        ]);
    }
    page.table(1, &rows);
}

fn write_events(page: &mut Page, events: &Result<Vec<EventRow>, Finding>, now: DateTime<Utc>) {
    match events {
        Err(finding) => page.field(0, "Events", &finding.sentence),
        Ok(events) if events.is_empty() => page.field(0, "Events", "<none>"),
        Ok(events) => {
            page.heading(0, "Events");
            let mut rows = vec![
                ["Type", "Reason", "Age", "From", "Message"]
                    .map(String::from)
                    .to_vec(),
            ];
            for event in events {
                let age = event
                    .last_seen
                    .map_or(String::new(), |at| short_span(now - at));
                let times = if event.count > 1 {
                    format!(" (x{})", event.count)
                } else {
                    String::new()
                };
                rows.push(vec![
                    String::from(if event.warning { "Warning" } else { "Normal" }),
                    event.reason.to_string(),
                    format!("{age}{times}"),
                    event.source.to_string(),
                    event.message.to_string(),
                ]);
            }
            page.table(1, &rows);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn a_pod_page_tells_state_and_events() {
        let pod = json!({"apiVersion": "v1", "kind": "Pod",
            "metadata": {"name": "web", "namespace": "prod", "labels": {"a": "b"}},
            "spec": {"containers": [{"name": "c", "image": "i:1", "ports": [{"containerPort": 80}]}]},
            "status": {"phase": "Running", "containerStatuses": [{"name": "c", "restartCount": 2,
                "state": {"waiting": {"reason": "CrashLoopBackOff"}}}]}});
        let events = vec![EventRow {
            last_seen: Some(DateTime::UNIX_EPOCH),
            warning: true,
            reason: "BackOff".into(),
            message: "restarting".into(),
            count: 4,
            source: "kubelet".into(),
        }];

        let now = DateTime::UNIX_EPOCH + chrono::TimeDelta::minutes(5);
        let page = describe(&pod, &Ok(events), now).join("\n");

        for part in [
            "Status:        CrashLoopBackOff",
            "Reason:",
            "Ports:",
            "80/TCP",
            "5m (x4)",
            "Restart Count:",
        ] {
            assert!(page.contains(part), "{part}\n{page}");
        }
    }

    #[test]
    fn a_secret_page_never_holds_a_value() {
        let secret = json!({"kind": "Secret", "data": {"password": "aHVudGVy"}});

        let page = describe(&secret, &Ok(Vec::new()), DateTime::UNIX_EPOCH).join("\n");

        assert!(
            page.contains("password") && !page.contains("aHVudGVy"),
            "{page}"
        );
    }

    #[test]
    fn field_names_become_titles() {
        assert_eq!(title_case("targetRevision"), "Target Revision");
        assert_eq!(title_case("repoURL"), "Repo URL");
    }
}
