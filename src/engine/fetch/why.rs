//! Why an object is as it is: the rules over the row, and the deepest failing Pod.

use super::events;
use crate::api::convert::actions::job_kind;
use crate::api::convert::analysis::{analysis_run, analysis_run_kind};
use crate::api::convert::application::ApplicationReader;
use crate::api::convert::replica_set::HASH_LABEL;
use crate::api::convert::rollout::{rollout, rollout_kind};
use crate::domain::analysis::{AnalysisPhase, AnalysisRun};
use crate::domain::finding::{Finding, Severity};
use crate::domain::health::health_of;
use crate::domain::image::is_of_registries;
use crate::domain::kind::ARGO;
use crate::domain::node::Node;
use crate::domain::object::{GroupKind, ObjectRef};
use crate::domain::pipeline::is_run;
use crate::domain::rollout::{Rollout, RolloutPhase, why_analysis, why_rollout};
use crate::domain::status::Health;
use crate::domain::why::why_all;
use crate::engine::facts::{items, number, text};
use crate::engine::pipelines;
use crate::engine::pods;
use crate::engine::registries;
use crate::engine::session::Session;
use crate::engine::transport::{Call, segment};
use serde_json::Value;
use std::sync::Arc;

/// Returns what is to be said, most important first; at least one sentence.
pub(super) async fn of(
    session: &Arc<Session>,
    object: &ObjectRef,
) -> Result<Vec<Finding>, Finding> {
    if is_of_registries(&object.kind) {
        let findings = registries::why(session, object).await?;
        return Ok(at_least_one(findings, object));
    }
    let live = session.object_or_finding(object).await?;
    let mut findings = Vec::new();
    if object.kind.is(ARGO, "Application") {
        let mut reader = ApplicationReader::new(session.cluster.clone());
        let row = reader.row(&live.to_string());
        findings.extend(why_all(&row, session.now()));
        findings.extend(rollouts_of(session, &live).await);
        findings.extend(missing_objects(session, &live));
        if let Some(set) = &row.owner_set {
            let sentence =
                format!("the ApplicationSet `{set}` writes its spec; edits here are undone");
            findings.push(Finding::new(Severity::Info, sentence).about(object.clone()));
        }
    } else if object.kind == rollout_kind() {
        let row = rollout(&live, &session.cluster, None);
        let runs = runs_of(session, &row).await;
        findings.extend(why_rollout(&row, &runs, session.now()));
    } else if object.kind == analysis_run_kind() {
        let run = analysis_run(&live, &session.cluster);
        findings.extend(why_analysis(&run));
        if findings.is_empty() && !run.phase.is_over() {
            let sentence = format!("it is {}: {}", run.phase.word(), run.message);
            findings.push(Finding::new(Severity::Info, sentence).about(object.clone()));
        }
    } else if is_run(&object.kind) {
        findings.extend(pipelines::why(session, object, &live).await);
        return Ok(at_least_one(findings, object));
    } else if object.kind == job_kind() {
        return Ok(at_least_one(why_job(&live, object), object));
    } else if let Some(verdict) = health_of(&live).filter(|one| one.health != Health::Healthy) {
        let colon = if verdict.message.is_empty() { "" } else { ": " };
        let sentence = format!("it is {}{colon}{}", verdict.health.word(), verdict.message);
        findings.push(Finding::new(severity(verdict.health), sentence).about(object.clone()));
    }
    findings.extend(failing_pods(session, object).await);
    Ok(at_least_one(findings, object))
}

fn at_least_one(mut findings: Vec<Finding>, object: &ObjectRef) -> Vec<Finding> {
    if findings.is_empty() {
        let sentence = "nothing is wrong with it as far as can be told";
        findings.push(Finding::new(Severity::Info, sentence).about(object.clone()));
    }
    findings
}

/// The runs that the status of a Rollout names, as far as they are still there.
/// What a job of GitHub Actions says of itself: how it ended, and at which steps.
fn why_job(live: &Value, object: &ObjectRef) -> Vec<Finding> {
    let ended = text(live, &["conclusion"]);
    if matches!(ended, "" | "success" | "skipped" | "neutral") {
        return Vec::new();
    }
    let steps = items(live, &["steps"]).iter();
    let failed = steps.filter(|step| text(step, &["conclusion"]) == "failure");
    let names: Vec<String> = failed
        .map(|step| format!("`{}`", text(step, &["name"])))
        .collect();
    let job = text(live, &["name"]);
    let at = if names.is_empty() {
        String::new()
    } else {
        format!(" at {}", names.join(", "))
    };
    let sentence = format!("the job `{job}` ended in {ended}{at}");
    let finding = Finding::new(Severity::Error, sentence).about(object.clone());
    vec![finding.with_hint("its log says more")]
}

async fn runs_of(session: &Session, row: &Rollout) -> Vec<AnalysisRun> {
    let mut runs = Vec::new();
    let namespace = row.object.namespace.as_deref().unwrap_or_default();
    for link in &row.analyses {
        let object = session.object_ref(analysis_run_kind(), namespace, &link.name);
        if let Ok(live) = session.object(&object).await {
            runs.push(analysis_run(&live, &session.cluster));
        }
    }
    if row.aborted
        && runs
            .iter()
            .all(|run| run.phase < AnalysisPhase::Inconclusive)
    {
        runs.extend(failed_runs(session, row).await);
    }
    runs
}

/// After an abort the status names no run any more: the newest bad one of the same hash is it.
async fn failed_runs(session: &Session, row: &Rollout) -> Option<AnalysisRun> {
    let resource = session.resource(&analysis_run_kind()).await.ok()?;
    let collection = resource.collection(row.object.namespace.as_deref());
    let hash = segment(&row.current_hash);
    let path = format!("{collection}?labelSelector={HASH_LABEL}%3D{hash}");
    let list = session.send_json(Call::get(path)).await.ok()?;
    let runs = items(&list, &["items"]).iter();
    let runs = runs.map(|value| analysis_run(value, &session.cluster));
    runs.filter(|run| run.phase >= AnalysisPhase::Inconclusive)
        .filter(|run| run.owner.as_ref() == Some(&row.object))
        .max_by_key(|run| run.created)
}

fn severity(health: Health) -> Severity {
    match health {
        Health::Degraded => Severity::Error,
        Health::Missing | Health::Unknown => Severity::Warning,
        Health::Healthy | Health::Suspended | Health::Progressing => Severity::Info,
    }
}

/// Objects of an Application that differ, by name; the first few.
/// What the Rollouts of an Application say of themselves, those that are well aside.
async fn rollouts_of(session: &Session, application: &Value) -> Vec<Finding> {
    let resources = items(application, &["status", "resources"]).iter();
    let of_kind = resources.filter(|one| text(one, &["kind"]) == &*rollout_kind().kind);
    let mut findings = Vec::new();
    for one in of_kind.take(3) {
        let (namespace, name) = (text(one, &["namespace"]), text(one, &["name"]));
        let object = session.object_ref(rollout_kind(), namespace, name);
        let Ok(live) = session.object(&object).await else {
            continue;
        };
        let row = rollout(&live, &session.cluster, None);
        if row.aborted || row.phase != RolloutPhase::Healthy {
            let runs = runs_of(session, &row).await;
            findings.extend(why_rollout(&row, &runs, session.now()));
        }
    }
    findings
}

fn missing_objects(session: &Session, application: &Value) -> Vec<Finding> {
    let differing: Vec<&Value> = items(application, &["status", "resources"])
        .iter()
        .filter(|one| text(one, &["status"]) == "OutOfSync")
        .collect();
    let told = differing.iter().take(5).map(|one| {
        let kind = GroupKind::new(text(one, &["group"]), text(one, &["kind"]));
        let object = session.object_ref(kind, text(one, &["namespace"]), text(one, &["name"]));
        let prune = one.at(&["requiresPruning"]).and_then(Node::boolean) == Some(true);
        let how = if prune {
            "is not in git any more and would be pruned"
        } else {
            "differs from git"
        };
        let sentence = format!("{} `{}` {how}", object.kind.kind, object.path());
        Finding::new(Severity::Warning, sentence).about(object)
    });
    told.collect()
}

/// The worst Pods below an object, each with its last warning.
async fn failing_pods(session: &Session, object: &ObjectRef) -> Vec<Finding> {
    let mut findings = Vec::new();
    let Ok(queries) = pods::queries(session, object).await else {
        return findings;
    };
    for query in queries {
        let Ok(pods) = pods::list(session, &query).await else {
            continue;
        };
        for pod in &pods {
            if findings.len() >= 3 {
                return findings;
            }
            if let Some(trouble) = pod_trouble(pod) {
                findings.push(told(session, pod, trouble).await);
            }
        }
    }
    findings
}

async fn told(session: &Session, pod: &Value, trouble: Trouble) -> Finding {
    let name = text(pod, &["metadata", "name"]);
    let namespace = text(pod, &["metadata", "namespace"]);
    let object = session.object_ref(GroupKind::new("", "Pod"), namespace, name);
    let events = events::of(session, &object).await.unwrap_or_default();
    let warning = events.iter().rev().find(|event| event.warning);
    let last = warning.map_or(String::new(), |event| {
        format!("; last event: {}: {}", event.reason, event.message)
    });
    let sentence = format!("Pod `{name}`: {}{last}", trouble.sentence);
    Finding::new(Severity::Error, sentence)
        .with_hint(trouble.hint)
        .about(object)
}

struct Trouble {
    sentence: String,
    hint: &'static str,
}

/// Says what keeps a Pod from running, by the rules of the kubelet's waiting reasons.
fn pod_trouble(pod: &Value) -> Option<Trouble> {
    let statuses = ["initContainerStatuses", "containerStatuses"];
    let containers = statuses
        .iter()
        .flat_map(|list| items(pod, &["status", list]));
    for container in containers {
        let reason = text(container, &["state", "waiting", "reason"]);
        let message = text(container, &["state", "waiting", "message"]);
        let name = text(container, &["name"]);
        let image = text(container, &["image"]);
        match reason {
            "ErrImagePull" | "ImagePullBackOff" | "InvalidImageName" => {
                return Some(Trouble {
                    sentence: format!(
                        "the image `{image}` of `{name}` cannot be pulled: {message}"
                    ),
                    hint: "does the tag exist, and may the cluster read the registry?",
                });
            }
            "CrashLoopBackOff" => return Some(crash(container, name)),
            "CreateContainerConfigError" | "CreateContainerError" | "RunContainerError" => {
                return Some(Trouble {
                    sentence: format!("`{name}` cannot be started: {message}"),
                    hint: "check the ConfigMaps, Secrets and volumes it names",
                });
            }
            _ => {}
        }
    }
    unscheduled(pod)
}

fn crash(container: &Value, name: &str) -> Trouble {
    let ended = ["lastState", "terminated"];
    let code = container
        .at(&ended)
        .map(|ended| number(ended, &["exitCode"]));
    let reason = container.at(&ended).map(|ended| text(ended, &["reason"]));
    let how = match (reason, code) {
        (Some("OOMKilled"), _) => String::from("it ran out of memory"),
        (_, Some(code)) => format!("exit code {code}"),
        (_, None) => String::from("no exit code yet"),
    };
    Trouble {
        sentence: format!(
            "`{name}` crashes again and again ({how}, restarted {} times)",
            number(container, &["restartCount"])
        ),
        hint: "look at the logs of the run before the last restart",
    }
}

fn unscheduled(pod: &Value) -> Option<Trouble> {
    let condition = items(pod, &["status", "conditions"])
        .iter()
        .find(|condition| {
            text(condition, &["type"]) == "PodScheduled" && text(condition, &["status"]) == "False"
        })?;
    Some(Trouble {
        sentence: format!("no node takes it: {}", text(condition, &["message"])),
        hint: "check requests, node selectors and taints",
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn pod_troubles_name_the_image_and_the_exit_code() {
        let pull = json!({"status": {"containerStatuses": [{"name": "c", "image": "x:1",
            "state": {"waiting": {"reason": "ImagePullBackOff", "message": "not found"}}}]}});
        let crash = json!({"status": {"containerStatuses": [{"name": "c", "restartCount": 4,
            "state": {"waiting": {"reason": "CrashLoopBackOff"}},
            "lastState": {"terminated": {"exitCode": 3}}}]}});
        let sentence = |pod: &Value| pod_trouble(pod).map(|one| one.sentence).unwrap_or_default();

        assert_eq!(
            sentence(&pull),
            "the image `x:1` of `c` cannot be pulled: not found"
        );
        assert_eq!(
            sentence(&crash),
            "`c` crashes again and again (exit code 3, restarted 4 times)"
        );
        assert!(pod_trouble(&json!({"status": {"phase": "Running"}})).is_none());
    }
}
