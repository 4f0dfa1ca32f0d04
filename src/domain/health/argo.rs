//! Health of the Argo projects' own kinds, where a rule of the project says more than a
//! convention can: Rollout, ApplicationSet, Workflow. Application has none, on purpose.
//!
//! Sources: Argo CD `resource_customizations/argoproj.io`, gitops-engine `health_argo.go`.

use super::{Rule, Verdict, condition, conditions, count, holds, is_true, number, string};
use crate::domain::node::Node;
use crate::domain::status::Health;
use Health::{Degraded, Healthy, Progressing, Suspended, Unknown};

/// Returns what the rule for a kind of the Argo projects says; `None` when there is none here.
pub(super) fn rule<N: Node>(group: &str, kind: &str, object: &N) -> Option<Rule> {
    if group != "argoproj.io" {
        return None;
    }
    let verdict = match kind {
        // Application health is the controller's word about others; it is read, not computed.
        "Application" | "AppProject" => return Some(Rule::NoHealth),
        "Workflow" => workflow(object),
        "CronWorkflow" => cron_workflow(object),
        "ApplicationSet" => application_set(object),
        "Rollout" => rollout(object),
        "AnalysisRun" => finite(object, &ANALYSIS_RUN),
        "Experiment" => finite(object, &EXPERIMENT),
        _ => return None,
    };
    Some(Rule::Is(verdict))
}

fn workflow<N: Node>(object: &N) -> Verdict {
    let health = match string(object, &["status", "phase"]) {
        "" | "Pending" | "Running" => Progressing,
        "Succeeded" => Healthy,
        "Failed" | "Error" => Degraded,
        _ => Unknown,
    };
    Verdict::new(health, string(object, &["status", "message"]))
}

/// What an object that ends says of itself in each phase.
struct Sentences {
    unreconciled: &'static str,
    pending: &'static str,
    running: &'static str,
    successful: &'static str,
    failed: &'static str,
    error: &'static str,
    inconclusive: &'static str,
}

const ANALYSIS_RUN: Sentences = Sentences {
    unreconciled: "Waiting for analysis run to finish: status has not been reconciled.",
    pending: "Analysis run is running",
    running: "Analysis run is running",
    successful: "Analysis run completed successfully",
    failed: "Analysis run failed",
    error: "Analysis run had an error",
    inconclusive: "Analysis run was inconclusive",
};

const EXPERIMENT: Sentences = Sentences {
    unreconciled: "Waiting for experiment to finish: status has not been reconciled.",
    pending: "Experiment is pending",
    running: "Experiment is running",
    successful: "Experiment is successful",
    failed: "Experiment has failed",
    error: "Experiment had an error",
    inconclusive: "Experiment was inconclusive",
};

/// AnalysisRun and Experiment: the phase, and the object's own words when it failed.
fn finite<N: Node>(object: &N, sentences: &Sentences) -> Verdict {
    let status = object.member("status").filter(|status| !status.is_null());
    let Some(status) = status else {
        return Verdict::new(Progressing, sentences.unreconciled);
    };
    let message = string(status, &["message"]);
    let told = |sentence: &str| match message {
        "" => sentence.to_owned(),
        message => format!("Status Message: {message}"),
    };
    match string(status, &["phase"]) {
        "Pending" => Verdict::new(Progressing, sentences.pending),
        "Running" => Verdict::new(Progressing, sentences.running),
        "Successful" if message.is_empty() => Verdict::new(Healthy, sentences.successful),
        "Successful" => Verdict::new(Healthy, message),
        "Failed" => Verdict::new(Degraded, told(sentences.failed)),
        "Error" => Verdict::new(Degraded, told(sentences.error)),
        "Inconclusive" => Verdict::new(Unknown, told(sentences.inconclusive)),
        _ => Verdict::new(Progressing, sentences.unreconciled),
    }
}

fn cron_workflow<N: Node>(object: &N) -> Verdict {
    let fault = conditions(object)
        .iter()
        .find(|one| string(*one, &["type"]).ends_with("Error") && holds(*one));
    match fault {
        Some(one) => Verdict::new(Degraded, string(one, &["message"])),
        None => Verdict::healthy(),
    }
}

fn application_set<N: Node>(object: &N) -> Verdict {
    let is = |kind: &str, status: &str| {
        condition(object, kind).filter(|one| string(*one, &["status"]) == status)
    };
    if let Some(one) = is("ErrorOccurred", "True").or_else(|| is("ResourcesUpToDate", "False")) {
        return Verdict::new(Degraded, string(one, &["message"]));
    }
    if let Some(one) = is("RolloutProgressing", "True") {
        return Verdict::new(Progressing, string(one, &["message"]));
    }
    match is("ResourcesUpToDate", "True") {
        Some(one) => Verdict::new(Healthy, string(one, &["message"])),
        None => Verdict::new(Progressing, "Waiting for health status to be determined"),
    }
}

fn rollout<N: Node>(object: &N) -> Verdict {
    let Some(status) = object.member("status") else {
        return unobserved();
    };
    if generation_behind(object) || workload_generation_behind(object) {
        return unobserved();
    }
    let phase = string(status, &["phase"]);
    if phase.is_empty() {
        rollout_without_phase(object)
    } else {
        rollout_phase(phase, status)
    }
}

fn unobserved() -> Verdict {
    Verdict::new(
        Progressing,
        "Waiting for rollout spec update to be observed",
    )
}

/// The controller writes `observedGeneration` as text; before v1.0 it was a hash, which may
/// look like a number but never equals a small generation.
fn generation_behind<N: Node>(object: &N) -> bool {
    let generation = count(object, &["metadata", "generation"]);
    let observed = string(object, &["status", "observedGeneration"]);
    observed
        .parse::<i64>()
        .is_ok_and(|observed| observed < generation)
}

fn workload_generation_behind<N: Node>(object: &N) -> bool {
    let wanted = object
        .at(&["metadata", "annotations"])
        .and_then(|all| all.member("rollout.argoproj.io/workload-generation"))
        .and_then(Node::text);
    let observed = string(object, &["status", "workloadObservedGeneration"]);
    object.at(&["spec", "workloadRef"]).is_some()
        && !observed.is_empty()
        && wanted.is_some_and(|wanted| wanted != observed)
}

fn rollout_phase<N: Node>(phase: &str, status: &N) -> Verdict {
    let health = if phase == "Paused" {
        Suspended
    } else {
        Health::from_word(phase)
    };
    Verdict::new(health, string(status, &["message"]))
}

/// Rollouts of controllers older than v1.0 have no phase: the counts tell.
fn rollout_without_phase<N: Node>(object: &N) -> Verdict {
    let status = |field: &str| count(object, &["status", field]);
    if let Some(fault) = rollout_fault(object) {
        return Verdict::new(Degraded, string(fault, &["message"]));
    }
    let paused = object
        .at(&["status", "pauseConditions"])
        .is_some_and(|p| !p.items().is_empty());
    if paused || is_true(object, &["spec", "paused"]) {
        return Verdict::new(Suspended, "Rollout is paused");
    }
    let waiting = |what: &str| {
        Verdict::new(
            Progressing,
            format!("Waiting for roll out to finish: {what}"),
        )
    };
    let desired = number(object, &["spec", "replicas"]).unwrap_or(1);
    if object.at(&["spec", "strategy", "blueGreen"]).is_some() {
        if status("updatedReplicas") < desired {
            return waiting("More replicas need to be updated");
        }
        let active = string(object, &["status", "blueGreen", "activeSelector"]);
        let active = if active.is_empty() {
            string(object, &["status", "activeSelector"])
        } else {
            active
        };
        if active != string(object, &["status", "currentPodHash"]) {
            return waiting("active service cutover pending");
        }
    } else {
        if status("updatedReplicas") < desired && !stable_is_current(object) {
            return waiting("More replicas need to be updated");
        }
        if status("replicas") > status("updatedReplicas") && !stable_is_current(object) {
            return waiting("old replicas are pending termination");
        }
        if status("updatedReplicas") < desired {
            return waiting("More replicas need to be updated");
        }
        if status("replicas") > status("updatedReplicas") {
            return waiting("old replicas are pending termination");
        }
    }
    if status("availableReplicas") < status("updatedReplicas") {
        return waiting("updated replicas are still becoming available");
    }
    Verdict::healthy()
}

fn stable_is_current<N: Node>(object: &N) -> bool {
    let current = string(object, &["status", "currentPodHash"]);
    let stable = string(object, &["status", "stableRS"]);
    let stable = if stable.is_empty() {
        string(object, &["status", "canary", "stableRS"])
    } else {
        stable
    };
    !current.is_empty() && stable == current
}

fn rollout_fault<N: Node>(object: &N) -> Option<&N> {
    conditions(object).iter().find(|one| {
        let reason = string(*one, &["reason"]);
        match string(*one, &["type"]) {
            "InvalidSpec" => true,
            "Progressing" => matches!(reason, "RolloutAborted" | "ProgressDeadlineExceeded"),
            _ => false,
        }
    })
}
