//! Cells that need thought: what a pod is doing, how far a job is, where a service is reached.
//!
//! After upstream's `pkg/printers/internalversion/printers.go`.

use super::cells::{joined, list, number, since, span};
use crate::sim::apiserver::json;
use chrono::{DateTime, Utc};
use serde_json::Value;

fn owned(object: &Value, path: &[&str]) -> String {
    json::text_at(object, path).unwrap_or_default().to_owned()
}

/// Lists a field of the containers of a pod template.
pub(super) fn containers(object: &Value, field: &str) -> Vec<String> {
    list(object, &["spec", "template", "spec", "containers"])
        .iter()
        .map(|one| owned(one, &[field]))
        .collect()
}

/// Lists a field of the containers of a `CronJob`'s template.
pub(super) fn job_template_containers(object: &Value, field: &str) -> Vec<String> {
    json::at(object, &["spec", "jobTemplate"])
        .map(|template| containers(template, field))
        .unwrap_or_default()
}

fn sidecars(pod: &Value) -> Vec<String> {
    list(pod, &["spec", "initContainers"])
        .iter()
        .filter(|one| one["restartPolicy"] == "Always")
        .map(|one| owned(one, &["name"]))
        .collect()
}

/// `ready/total` of a pod's containers.
pub(super) fn pod_ready(pod: &Value) -> String {
    let sidecars = sidecars(pod);
    let total = list(pod, &["spec", "containers"]).len() + sidecars.len();
    let ready = |one: &&Value| one["ready"] == true;
    let count = list(pod, &["status", "containerStatuses"])
        .iter()
        .filter(ready)
        .count()
        + list(pod, &["status", "initContainerStatuses"])
            .iter()
            .filter(|one| sidecars.contains(&owned(one, &["name"])))
            .filter(ready)
            .count();
    format!("{count}/{total}")
}

/// What a pod is doing, in the word that `kubectl get pods` shows.
pub(super) fn pod_status(pod: &Value) -> String {
    let mut reason = owned(pod, &["status", "phase"]);
    if let Some(given) = json::text_at(pod, &["status", "reason"]) {
        given.clone_into(&mut reason);
    }
    if gated(pod) {
        "SchedulingGated".clone_into(&mut reason);
    }
    if let Some(init) = initializing(pod) {
        reason = init;
    } else {
        reason = running(pod, reason);
    }
    if json::is_deleting(pod) {
        return if json::text_at(pod, &["status", "reason"]) == Some("NodeLost") {
            "Unknown".to_owned()
        } else {
            "Terminating".to_owned()
        };
    }
    reason
}

fn gated(pod: &Value) -> bool {
    list(pod, &["status", "conditions"])
        .iter()
        .any(|one| one["type"] == "PodScheduled" && one["reason"] == "SchedulingGated")
}

fn initializing(pod: &Value) -> Option<String> {
    let sidecars = sidecars(pod);
    let statuses = list(pod, &["status", "initContainerStatuses"]);
    let total = list(pod, &["spec", "initContainers"]).len();
    for (index, one) in statuses.iter().enumerate() {
        let state = &one["state"];
        let started = one["started"] == true && sidecars.contains(&owned(one, &["name"]));
        let finished = state.get("terminated").is_some_and(|t| t["exitCode"] == 0);
        if started || finished {
            continue;
        }
        if let Some(ended) = state.get("terminated") {
            return Some(format!("Init:{}", ended_reason(ended)));
        }
        return Some(match json::text_at(state, &["waiting", "reason"]) {
            Some(reason) if reason != "PodInitializing" => format!("Init:{reason}"),
            Some(_) | None => format!("Init:{index}/{total}"),
        });
    }
    None
}

fn ended_reason(ended: &Value) -> String {
    if let Some(reason) = json::text_at(ended, &["reason"]) {
        return reason.to_owned();
    }
    match ended["signal"].as_i64() {
        Some(signal) if signal != 0 => format!("Signal:{signal}"),
        Some(_) | None => format!("ExitCode:{}", number(ended, &["exitCode"])),
    }
}

fn running(pod: &Value, mut reason: String) -> String {
    let mut any_running = false;
    for one in list(pod, &["status", "containerStatuses"]).iter().rev() {
        let state = &one["state"];
        if let Some(waiting) = json::text_at(state, &["waiting", "reason"]) {
            waiting.clone_into(&mut reason);
        } else if let Some(ended) = state.get("terminated") {
            reason = ended_reason(ended);
        } else if one["ready"] == true && state.get("running").is_some() {
            any_running = true;
        }
    }
    if reason == "Completed" && any_running {
        let ready = list(pod, &["status", "conditions"])
            .iter()
            .any(|one| one["type"] == "Ready" && one["status"] == "True");
        return if ready { "Running" } else { "NotReady" }.to_owned();
    }
    reason
}

/// Restarts of a pod's containers, with the time of the last one.
pub(super) fn pod_restarts(pod: &Value, now: DateTime<Utc>) -> String {
    let statuses = list(pod, &["status", "containerStatuses"]);
    let restarts: i64 = statuses
        .iter()
        .map(|one| number(one, &["restartCount"]))
        .sum();
    let last = statuses
        .iter()
        .filter_map(|one| json::text_at(one, &["lastState", "terminated", "finishedAt"]))
        .max();
    match last {
        Some(time) if restarts > 0 => format!("{restarts} ({} ago)", since(time, now)),
        Some(_) | None => restarts.to_string(),
    }
}

fn condition<'a>(object: &'a Value, kind: &str) -> Option<&'a Value> {
    list(object, &["status", "conditions"])
        .iter()
        .find(|one| one["type"] == kind && one["status"] == "True")
}

/// What a job has come to.
pub(super) fn job_status(job: &Value) -> &'static str {
    if condition(job, "Complete").is_some() {
        "Complete"
    } else if condition(job, "Failed").is_some() {
        "Failed"
    } else if json::is_deleting(job) {
        "Terminating"
    } else if condition(job, "Suspended").is_some() {
        "Suspended"
    } else if condition(job, "FailureTarget").is_some() {
        "FailureTarget"
    } else if condition(job, "SuccessCriteriaMet").is_some() {
        "SuccessCriteriaMet"
    } else {
        "Running"
    }
}

/// `succeeded/wanted` of a job.
pub(super) fn job_completions(job: &Value) -> String {
    let done = number(job, &["status", "succeeded"]);
    let parallelism = number(job, &["spec", "parallelism"]);
    match json::at(job, &["spec", "completions"]).and_then(Value::as_i64) {
        Some(wanted) => format!("{done}/{wanted}"),
        None if parallelism > 1 => format!("{done}/1 of {parallelism}"),
        None => format!("{done}/1"),
    }
}

/// How long a job ran, or has been running.
pub(super) fn job_duration(job: &Value, now: DateTime<Utc>) -> String {
    let time = |field| {
        json::text_at(job, &["status", field])
            .and_then(|text| DateTime::parse_from_rfc3339(text).ok())
            .map(|time| time.to_utc())
    };
    match (time("startTime"), time("completionTime")) {
        (None, _) => String::new(),
        (Some(start), end) => span(end.unwrap_or(now) - start),
    }
}

/// The addresses that a load balancer gave.
pub(super) fn balancer_addresses(object: &Value) -> String {
    list(object, &["status", "loadBalancer", "ingress"])
        .iter()
        .filter_map(|one| json::text_at(one, &["ip"]).or_else(|| json::text_at(one, &["hostname"])))
        .collect::<Vec<_>>()
        .join(",")
}

/// Where a service is reached from outside.
pub(super) fn external_address(service: &Value) -> String {
    let given = json::texts_at(service, &["spec", "externalIPs"]);
    match json::text_at(service, &["spec", "type"]) {
        Some("ExternalName") => owned(service, &["spec", "externalName"]),
        Some("LoadBalancer") => {
            let mut all = balancer_addresses(service);
            if !given.is_empty() {
                if !all.is_empty() {
                    all.push(',');
                }
                all += &given.join(",");
            }
            if all.is_empty() {
                "<pending>".to_owned()
            } else {
                all
            }
        }
        Some(_) | None => joined(&given),
    }
}

/// `80:31234/TCP` of each port.
pub(super) fn service_ports(service: &Value) -> String {
    let ports: Vec<String> = list(service, &["spec", "ports"])
        .iter()
        .map(|one| {
            let protocol = json::text_at(one, &["protocol"]).unwrap_or("TCP");
            let port = number(one, &["port"]);
            match number(one, &["nodePort"]) {
                0 => format!("{port}/{protocol}"),
                node => format!("{port}:{node}/{protocol}"),
            }
        })
        .collect();
    joined(&ports)
}

fn event_time(event: &Value, fields: &[&[&str]]) -> Option<String> {
    fields
        .iter()
        .find_map(|path| json::text_at(event, path))
        .map(str::to_owned)
}

/// When an event was seen last.
pub(super) fn event_last_seen(event: &Value, now: DateTime<Utc>) -> String {
    event_time(
        event,
        &[
            &["series", "lastObservedTime"],
            &["lastTimestamp"],
            &["deprecatedLastTimestamp"],
            &["eventTime"],
            &["firstTimestamp"],
        ],
    )
    .map_or_else(|| "<unknown>".to_owned(), |time| since(&time, now))
}

/// When an event was seen first.
pub(super) fn event_first_seen(event: &Value, now: DateTime<Utc>) -> String {
    event_time(
        event,
        &[
            &["firstTimestamp"],
            &["deprecatedFirstTimestamp"],
            &["eventTime"],
        ],
    )
    .map_or_else(|| "<unknown>".to_owned(), |time| since(&time, now))
}

/// The object that an event is about, as `kind/name`.
pub(super) fn event_object(event: &Value) -> String {
    let about = event
        .get("involvedObject")
        .or_else(|| event.get("regarding"));
    let about = about.cloned().unwrap_or_default();
    let kind = owned(&about, &["kind"]).to_lowercase();
    let name = owned(&about, &["name"]);
    if kind.is_empty() {
        name
    } else {
        format!("{kind}/{name}")
    }
}

/// Who reported an event.
pub(super) fn event_source(event: &Value) -> String {
    let component = json::text_at(event, &["source", "component"])
        .or_else(|| json::text_at(event, &["reportingComponent"]))
        .or_else(|| json::text_at(event, &["reportingController"]));
    let host = json::text_at(event, &["source", "host"]);
    [component, host]
        .into_iter()
        .flatten()
        .collect::<Vec<_>>()
        .join(", ")
}

/// `Ready`, `NotReady` or `Unknown`, and whether pods are kept away.
pub(super) fn node_status(node: &Value) -> String {
    let ready = list(node, &["status", "conditions"])
        .iter()
        .find(|one| one["type"] == "Ready");
    let mut text = match ready.and_then(|one| one["status"].as_str()) {
        Some("True") => "Ready".to_owned(),
        Some(_) => "NotReady".to_owned(),
        None => "Unknown".to_owned(),
    };
    if json::at(node, &["spec", "unschedulable"]) == Some(&Value::Bool(true)) {
        text += ",SchedulingDisabled";
    }
    text
}

/// The roles in a node's labels.
pub(super) fn node_roles(node: &Value) -> String {
    let roles: Vec<String> = json::at(node, &["metadata", "labels"])
        .and_then(Value::as_object)
        .into_iter()
        .flatten()
        .filter_map(|(name, _)| name.strip_prefix("node-role.kubernetes.io/"))
        .map(str::to_owned)
        .collect();
    joined(&roles)
}

/// A node's address of one type.
pub(super) fn node_address(node: &Value, kind: &str) -> String {
    list(node, &["status", "addresses"])
        .iter()
        .find(|one| one["type"] == kind)
        .map_or_else(|| "<none>".to_owned(), |one| owned(one, &["address"]))
}

/// The hosts of an ingress; `*` when it names none.
pub(super) fn ingress_hosts(ingress: &Value) -> String {
    let hosts: Vec<String> = list(ingress, &["spec", "rules"])
        .iter()
        .filter_map(|rule| json::text_at(rule, &["host"]))
        .map(str::to_owned)
        .collect();
    if hosts.is_empty() {
        "*".to_owned()
    } else {
        hosts.join(",")
    }
}

/// Whether a claim is bound.
pub(super) fn claim_status(claim: &Value) -> String {
    if json::is_deleting(claim) {
        return "Terminating".to_owned();
    }
    owned(claim, &["status", "phase"])
}

/// `RWO,ROX` of a claim.
pub(super) fn access_modes(claim: &Value) -> String {
    json::texts_at(claim, &["status", "accessModes"])
        .iter()
        .map(|mode| match mode.as_str() {
            "ReadWriteOnce" => "RWO",
            "ReadOnlyMany" => "ROX",
            "ReadWriteMany" => "RWX",
            "ReadWriteOncePod" => "RWOP",
            other => other,
        })
        .collect::<Vec<_>>()
        .join(",")
}

fn shortened(mut texts: Vec<String>) -> String {
    const SHOWN: usize = 3;
    let total = texts.len();
    if total == 0 {
        return "<unset>".to_owned();
    }
    texts.truncate(SHOWN);
    let text = texts.join(",");
    if total > SHOWN {
        format!("{text} + {} more...", total - SHOWN)
    } else {
        text
    }
}

/// The ports of an endpoint slice.
pub(super) fn slice_ports(slice: &Value) -> String {
    let ports = list(slice, &["ports"]);
    shortened(
        ports
            .iter()
            .filter_map(|port| port["port"].as_i64())
            .map(|port| port.to_string())
            .collect(),
    )
}

/// The addresses of an endpoint slice.
pub(super) fn slice_endpoints(slice: &Value) -> String {
    let all = list(slice, &["endpoints"]);
    shortened(
        all.iter()
            .flat_map(|one| json::texts_at(one, &["addresses"]))
            .collect(),
    )
}

/// The addresses and ports of old endpoints.
pub(super) fn endpoints(object: &Value) -> String {
    let mut all = Vec::new();
    for subset in list(object, &["subsets"]) {
        for address in list(subset, &["addresses"]) {
            let ip = owned(address, &["ip"]);
            let ports = list(subset, &["ports"]);
            if ports.is_empty() {
                all.push(ip.clone());
            }
            for port in ports {
                all.push(format!("{ip}:{}", number(port, &["port"])));
            }
        }
    }
    match all.len() {
        0 => "<none>".to_owned(),
        _ => shortened(all),
    }
}

/// A number or percentage; `N/A` when it is not set.
pub(super) fn number_or_text(object: &Value, path: &[&str]) -> Value {
    match json::at(object, path) {
        Some(Value::String(text)) => text.as_str().into(),
        Some(Value::Number(number)) => number.to_string().into(),
        Some(Value::Null | Value::Bool(_) | Value::Array(_) | Value::Object(_)) | None => {
            "N/A".into()
        }
    }
}

/// `cpu: 12%/80%` of each metric.
pub(super) fn autoscaler_targets(object: &Value) -> String {
    let current = list(object, &["status", "currentMetrics"]);
    let metrics: Vec<String> = list(object, &["spec", "metrics"])
        .iter()
        .enumerate()
        .filter(|(_, metric)| metric["type"] == "Resource")
        .map(|(index, metric)| {
            let name = owned(metric, &["resource", "name"]);
            let target = number(metric, &["resource", "target", "averageUtilization"]);
            let now = current
                .get(index)
                .and_then(|one| json::at(one, &["resource", "current", "averageUtilization"]))
                .and_then(Value::as_i64)
                .map_or_else(|| "<unknown>".to_owned(), |now| format!("{now}%"));
            format!("{name}: {now}/{target}%")
        })
        .collect();
    joined(&metrics)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn a_pod_shows_what_it_is_doing() {
        let crash = json!({
            "spec": {"containers": [{"name": "a"}]},
            "status": {"phase": "Running", "containerStatuses": [{
                "name": "a", "ready": false, "restartCount": 3,
                "state": {"waiting": {"reason": "CrashLoopBackOff"}},
                "lastState": {"terminated": {"finishedAt": "2026-01-01T00:00:00Z"}},
            }]},
        });
        let now = DateTime::parse_from_rfc3339("2026-01-01T00:00:40Z")
            .expect("a time")
            .to_utc();

        assert_eq!(pod_status(&crash), "CrashLoopBackOff");
        assert_eq!(pod_ready(&crash), "0/1");
        assert_eq!(pod_restarts(&crash, now), "3 (40s ago)");
    }

    #[test]
    fn a_pod_that_prepares_counts_its_init_containers() {
        let pod = json!({
            "spec": {"initContainers": [{"name": "i"}, {"name": "j"}], "containers": [{"name": "a"}]},
            "status": {"phase": "Pending", "initContainerStatuses": [
                {"name": "i", "state": {"terminated": {"exitCode": 0}}},
                {"name": "j", "state": {"running": {}}}]},
        });

        assert_eq!(pod_status(&pod), "Init:1/2");
    }
}
