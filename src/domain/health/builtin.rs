//! Health of the kinds that Kubernetes brings, rule by rule as gitops-engine `pkg/health`.
//!
//! Messages are upstream's, because people search for them. CronJob and `PodDisruptionBudget`
//! follow Argo CD's own scripts for them.

use super::{
    Rule, Verdict, condition, conditions, count, generation_unobserved, holds, is_true, number,
    string, version_of,
};
use crate::domain::node::Node;
use crate::domain::status::Health;
use Health::{Degraded, Healthy, Progressing, Suspended, Unknown};

/// Returns what the rule for a built-in kind says; `None` when the kind is not one of them.
pub(super) fn rule<N: Node>(group: &str, kind: &str, object: &N) -> Option<Rule> {
    let version = version_of(object);
    let verdict = match (group, kind) {
        ("apps", _) if version != "v1" => unsupported(object),
        ("apps", "Deployment") => deployment(object),
        ("apps", "StatefulSet") => stateful_set(object),
        ("apps", "DaemonSet") => daemon_set(object),
        ("apps", "ReplicaSet") => replica_set(object),
        ("", "Pod") => pod(object),
        ("", "Service") => service(object),
        ("", "PersistentVolumeClaim") => claim(object),
        ("networking.k8s.io" | "extensions", "Ingress") => ingress(object),
        ("batch", "Job") => job(object),
        ("batch", "CronJob") => cron_job(object),
        ("autoscaling", "HorizontalPodAutoscaler") => autoscaler(version, object),
        ("apiregistration.k8s.io", "APIService") => api_service(object),
        ("apiextensions.k8s.io", "CustomResourceDefinition") => definition(object),
        ("policy", "PodDisruptionBudget") => disruption_budget(object),
        _ if GROUPS.contains(&group) => return Some(Rule::NoHealth),
        _ => return None,
    };
    Some(Rule::Is(verdict))
}

/// Groups that Kubernetes brings; their other kinds have no health.
const GROUPS: &[&str] = &[
    "",
    "apps",
    "batch",
    "networking.k8s.io",
    "rbac.authorization.k8s.io",
    "storage.k8s.io",
    "scheduling.k8s.io",
    "discovery.k8s.io",
    "coordination.k8s.io",
    "events.k8s.io",
    "admissionregistration.k8s.io",
    "policy",
];

fn unsupported<N: Node>(object: &N) -> Verdict {
    let version = string(object, &["apiVersion"]);
    Verdict::new(
        Unknown,
        format!(
            "unsupported {} version {version}",
            string(object, &["kind"])
        ),
    )
}

fn deployment<N: Node>(object: &N) -> Verdict {
    let name = string(object, &["metadata", "name"]);
    if is_true(object, &["spec", "paused"]) {
        return Verdict::new(Suspended, "Deployment is paused");
    }
    if generation_unobserved(object) {
        return Verdict::new(
            Progressing,
            "Waiting for rollout to finish: observed deployment generation less than desired generation",
        );
    }
    let progress = condition(object, "Progressing").map(|one| string(one, &["reason"]));
    if progress == Some("ProgressDeadlineExceeded") {
        let message = format!("Deployment \"{name}\" exceeded its progress deadline");
        return Verdict::new(Degraded, message);
    }
    let desired = number(object, &["spec", "replicas"]);
    let updated = count(object, &["status", "updatedReplicas"]);
    let replicas = count(object, &["status", "replicas"]);
    let available = count(object, &["status", "availableReplicas"]);
    let waiting = |what: String| {
        Verdict::new(
            Progressing,
            format!("Waiting for rollout to finish: {what}..."),
        )
    };
    match desired {
        Some(desired) if updated < desired => waiting(format!(
            "{updated} out of {desired} new replicas have been updated"
        )),
        _ if replicas > updated => waiting(format!(
            "{} old replicas are pending termination",
            replicas - updated
        )),
        _ if available < updated => waiting(format!(
            "{available} of {updated} updated replicas are available"
        )),
        _ => Verdict::healthy(),
    }
}

fn stateful_set<N: Node>(object: &N) -> Verdict {
    let observed = count(object, &["status", "observedGeneration"]);
    if observed == 0 || generation_unobserved(object) {
        return Verdict::new(
            Progressing,
            "Waiting for statefulset spec update to be observed...",
        );
    }
    let desired = number(object, &["spec", "replicas"]);
    let ready = count(object, &["status", "readyReplicas"]);
    if let Some(desired) = desired.filter(|desired| ready < *desired) {
        return Verdict::new(
            Progressing,
            format!("Waiting for {} pods to be ready...", desired - ready),
        );
    }
    let strategy = string(object, &["spec", "updateStrategy", "type"]);
    let rolling = object.at(&["spec", "updateStrategy", "rollingUpdate"]);
    let updated = count(object, &["status", "updatedReplicas"]);
    if strategy == "RollingUpdate" && rolling.is_some() {
        let partition = rolling
            .and_then(|node| number(node, &["partition"]))
            .unwrap_or(0);
        let wanted = desired.unwrap_or(0) - partition;
        if partition > 0 && updated < wanted {
            return Verdict::new(
                Progressing,
                format!(
                    "Waiting for partitioned roll out to finish: {updated} out of {wanted} new pods have been updated..."
                ),
            );
        }
        let message =
            format!("partitioned roll out complete: {updated} new pods have been updated...");
        return Verdict::new(Healthy, message);
    }
    if strategy == "OnDelete" {
        return Verdict::new(Healthy, format!("statefulset has {ready} ready pods"));
    }
    let update = string(object, &["status", "updateRevision"]);
    if update != string(object, &["status", "currentRevision"]) {
        return Verdict::new(
            Progressing,
            format!(
                "waiting for statefulset rolling update to complete {updated} pods at revision {update}..."
            ),
        );
    }
    Verdict::healthy()
}

fn daemon_set<N: Node>(object: &N) -> Verdict {
    if generation_unobserved(object) {
        return Verdict::new(
            Progressing,
            "Waiting for rollout to finish: observed daemon set generation less than desired generation",
        );
    }
    let desired = count(object, &["status", "desiredNumberScheduled"]);
    let updated = count(object, &["status", "updatedNumberScheduled"]);
    let available = count(object, &["status", "numberAvailable"]);
    let name = string(object, &["metadata", "name"]);
    if string(object, &["spec", "updateStrategy", "type"]) == "OnDelete" {
        let message = format!("daemon set {updated} out of {desired} new pods have been updated");
        return Verdict::new(Healthy, message);
    }
    let what = if updated < desired {
        format!("{updated} out of {desired} new pods have been updated")
    } else if available < desired {
        format!("{available} of {desired} updated pods are available")
    } else {
        return Verdict::healthy();
    };
    Verdict::new(
        Progressing,
        format!("Waiting for daemon set \"{name}\" rollout to finish: {what}..."),
    )
}

fn replica_set<N: Node>(object: &N) -> Verdict {
    if generation_unobserved(object) {
        return Verdict::new(
            Progressing,
            "Waiting for rollout to finish: observed replica set generation less than desired generation",
        );
    }
    if let Some(failure) = condition(object, "ReplicaFailure").filter(|one| holds(*one)) {
        return Verdict::new(Degraded, string(failure, &["message"]));
    }
    let desired = number(object, &["spec", "replicas"]);
    let available = count(object, &["status", "availableReplicas"]);
    match desired {
        Some(desired) if available < desired => Verdict::new(
            Progressing,
            format!(
                "Waiting for rollout to finish: {available} out of {desired} new replicas are available..."
            ),
        ),
        _ => Verdict::healthy(),
    }
}

fn pod<N: Node>(object: &N) -> Verdict {
    let policy = string(object, &["spec", "restartPolicy"]);
    let annotations = object.at(&["metadata", "annotations"]);
    let annotated = |key: &str| annotations.is_some_and(|all| all.member(key).is_some());
    let stays = policy == "Always"
        || (annotated("argocd.argoproj.io/ignore-restart-policy")
            && !annotated("argocd.argoproj.io/hook"));
    if stays && let Some(trouble) = waiting_trouble(object) {
        return Verdict::new(Degraded, trouble);
    }
    let message = string(object, &["status", "message"]);
    match string(object, &["status", "phase"]) {
        "Running" if stays => running_pod(object, message),
        "Pending" | "Running" => Verdict::new(Progressing, message),
        "Succeeded" => Verdict::new(Healthy, message),
        "Failed" => Verdict::new(Degraded, failure_message(object)),
        _ => Verdict::new(Unknown, message),
    }
}

fn running_pod<N: Node>(object: &N, message: &str) -> Verdict {
    if condition(object, "Ready").is_some_and(holds) {
        return Verdict::new(Healthy, message);
    }
    let restarted = container_statuses(object, "containerStatuses")
        .iter()
        .any(|one| one.at(&["lastState", "terminated"]).is_some());
    Verdict::new(if restarted { Degraded } else { Progressing }, message)
}

fn container_statuses<'a, N: Node>(object: &'a N, list: &str) -> &'a [N] {
    object
        .at(&["status", list])
        .map(Node::items)
        .unwrap_or_default()
}

/// Joins the messages of containers that wait for a reason that will not pass by itself.
fn waiting_trouble<N: Node>(object: &N) -> Option<String> {
    let mut messages = Vec::new();
    let mut troubled = false;
    for container in container_statuses(object, "containerStatuses") {
        let reason = string(container, &["state", "waiting", "reason"]);
        if reason.starts_with("Err") || reason.ends_with("Error") || reason.ends_with("BackOff") {
            troubled = true;
            messages.push(string(container, &["state", "waiting", "message"]));
        }
    }
    messages.retain(|message| !message.is_empty());
    troubled.then(|| messages.join(", "))
}

fn failure_message<N: Node>(object: &N) -> String {
    let own = string(object, &["status", "message"]);
    if !own.is_empty() {
        return own.to_owned();
    }
    let all = container_statuses(object, "initContainerStatuses")
        .iter()
        .chain(container_statuses(object, "containerStatuses"));
    for container in all {
        let Some(end) = container.at(&["state", "terminated"]) else {
            continue;
        };
        let message = string(end, &["message"]);
        if !message.is_empty() {
            return message.to_owned();
        }
        if string(end, &["reason"]) == "OOMKilled" {
            return "OOMKilled".to_owned();
        }
        let code = count(end, &["exitCode"]);
        if code != 0 {
            let name = string(container, &["name"]);
            return format!("container \"{name}\" failed with exit code {code}");
        }
    }
    String::new()
}

fn service<N: Node>(object: &N) -> Verdict {
    if string(object, &["spec", "type"]) == "LoadBalancer" && !has_address(object) {
        return Verdict::new(Progressing, "");
    }
    Verdict::healthy()
}

fn ingress<N: Node>(object: &N) -> Verdict {
    Verdict::new(
        if has_address(object) {
            Healthy
        } else {
            Progressing
        },
        "",
    )
}

fn has_address<N: Node>(object: &N) -> bool {
    let addresses = object.at(&["status", "loadBalancer", "ingress"]);
    addresses.is_some_and(|list| !list.items().is_empty())
}

fn claim<N: Node>(object: &N) -> Verdict {
    let health = match string(object, &["status", "phase"]) {
        "Lost" => Degraded,
        "Pending" => Progressing,
        "Bound" => Healthy,
        _ => Unknown,
    };
    Verdict::new(health, "")
}

fn job<N: Node>(object: &N) -> Verdict {
    let mut complete = None;
    let mut failed = None;
    let mut suspended = None;
    for one in conditions(object) {
        let message = string(one, &["message"]);
        match string(one, &["type"]) {
            "Failed" => failed = Some(message),
            "Complete" => complete = Some(message),
            "Suspended" if holds(one) => suspended = Some(message),
            "Suspended" => complete = complete.or(Some(message)),
            _ => {}
        }
    }
    match (failed, suspended, complete) {
        (Some(message), _, _) => Verdict::new(Degraded, message),
        (None, Some(message), _) => Verdict::new(Suspended, message),
        (None, None, Some(message)) => Verdict::new(Healthy, message),
        (None, None, None) => Verdict::new(Progressing, ""),
    }
}

fn cron_job<N: Node>(object: &N) -> Verdict {
    if is_true(object, &["spec", "suspend"]) {
        return Verdict::new(Healthy, "CronJob is suspended");
    }
    let Some(status) = object.member("status") else {
        return Verdict::new(Progressing, "Waiting for the first schedule");
    };
    let active = status.member("active").map_or(0, |jobs| jobs.items().len());
    if active > 0 {
        return Verdict::new(
            Healthy,
            format!(
                "The job is running. Its last execution was successful if not stated otherwise ({active} active)"
            ),
        );
    }
    let scheduled = string(status, &["lastScheduleTime"]);
    let succeeded = string(status, &["lastSuccessfulTime"]);
    if scheduled.is_empty() {
        return Verdict::new(Healthy, "CronJob has not been scheduled yet");
    }
    if succeeded.is_empty() {
        return Verdict::new(
            Healthy,
            "CronJob has not completed its last execution successfully",
        );
    }
    // RFC 3339 timestamps of one zone compare as text.
    if succeeded < scheduled {
        return Verdict::new(
            Degraded,
            "CronJob has not completed its last execution successfully",
        );
    }
    Verdict::new(
        Healthy,
        "CronJob has completed its last execution successfully",
    )
}

/// Reasons that mean an autoscaler does not work, whatever the condition's status is.
const AUTOSCALER_FAULTS: &[(&str, &[&str])] = &[
    ("AbleToScale", &["FailedGetScale", "FailedUpdateScale"]),
    (
        "ScalingActive",
        &[
            "FailedGetResourceMetric",
            "FailedGetObjectMetric",
            "FailedGetPodsMetric",
            "FailedGetExternalMetric",
            "FailedComputeMetricsReplicas",
            "InvalidSelector",
        ],
    ),
];

fn autoscaler<N: Node>(version: &str, object: &N) -> Verdict {
    match version {
        "v1" => {
            let annotation = object
                .at(&["metadata", "annotations"])
                .and_then(|all| all.member("autoscaling.alpha.kubernetes.io/conditions"))
                .and_then(Node::text);
            match annotation.and_then(N::parse) {
                Some(list) => autoscaler_conditions(list.items()),
                None => Verdict::new(Progressing, "Waiting to Autoscale"),
            }
        }
        "v2" => autoscaler_conditions(conditions(object)),
        _ => unsupported(object),
    }
}

fn autoscaler_conditions<N: Node>(conditions: &[N]) -> Verdict {
    let faulty = conditions.iter().find(|one| {
        let reason = string(*one, &["reason"]);
        AUTOSCALER_FAULTS
            .iter()
            .any(|(kind, reasons)| string(*one, &["type"]) == *kind && reasons.contains(&reason))
    });
    if let Some(fault) = faulty {
        return Verdict::new(Degraded, string(fault, &["message"]));
    }
    let working = conditions.iter().find(|one| {
        matches!(string(*one, &["type"]), "AbleToScale" | "ScalingLimited") && holds(*one)
    });
    match working {
        Some(one) => Verdict::new(Healthy, string(one, &["message"])),
        None => Verdict::new(Progressing, "Waiting to Autoscale"),
    }
}

fn api_service<N: Node>(object: &N) -> Verdict {
    match condition(object, "Available") {
        Some(one) => {
            let message = format!(
                "{}: {}",
                string(one, &["reason"]),
                string(one, &["message"])
            );
            Verdict::new(if holds(one) { Healthy } else { Progressing }, message)
        }
        None => Verdict::new(Progressing, "Waiting to be processed"),
    }
}

fn definition<N: Node>(object: &N) -> Verdict {
    let state = |kind: &str| condition(object, kind).map(holds);
    let message = |kind: &str| condition(object, kind).map_or("", |one| string(one, &["message"]));
    if conditions(object).is_empty() {
        return Verdict::new(Progressing, "Status conditions not found");
    }
    if state("Terminating") == Some(true) {
        return Verdict::new(Progressing, "CRD is terminating");
    }
    if state("NamesAccepted") == Some(false) {
        return Verdict::new(
            Degraded,
            format!("CRD names not accepted: {}", message("NamesAccepted")),
        );
    }
    if state("NonStructuralSchema") == Some(true) {
        return Verdict::new(
            Degraded,
            format!(
                "Schema violations found: {}",
                message("NonStructuralSchema")
            ),
        );
    }
    match condition(object, "Established") {
        Some(one) if holds(one) => Verdict::new(Healthy, "CRD is healthy"),
        Some(one) if string(one, &["reason"]) == "Installing" => {
            Verdict::new(Progressing, "CRD is being installed")
        }
        Some(_) => Verdict::new(
            Degraded,
            format!("CRD is not established: {}", message("Established")),
        ),
        None => Verdict::new(Progressing, "CRD is not yet established"),
    }
}

fn disruption_budget<N: Node>(object: &N) -> Verdict {
    if object.member("status").is_none() {
        return Verdict::new(Progressing, "Waiting for status");
    }
    let failed = conditions(object).iter().find(|one| {
        string(*one, &["type"]) == "DisruptionAllowed" && string(*one, &["reason"]) == "SyncFailed"
    });
    match failed {
        Some(one) => Verdict::new(Degraded, string(one, &["message"])),
        None => Verdict::healthy(),
    }
}
