//! Health of kinds we have no rule for, by the conventions that controllers follow.
//!
//! In order: a spec that was not observed yet, a pause in the spec, conditions (API conventions
//! and kstatus: Ready, Reconciling, Stalled …), conditions of parents and listeners (Gateway
//! API), phase and state words, errors in the status, replica counts. The worst of what is
//! found is the verdict. A rule here has to make sense for kinds nobody has written yet.

use super::words::{self, Polarity};
use super::{Verdict, conditions, count, holds, number, string};
use crate::domain::node::Node;
use crate::domain::status::Health;
use Health::{Degraded, Healthy, Progressing, Suspended, Unknown};

/// Returns the verdict, or `None` for an object that tells nothing about itself.
pub(super) fn verdict<N: Node>(group: &str, kind: &str, object: &N) -> Option<Verdict> {
    let waiting = || words::reports_status(group, kind);
    let status = object
        .member("status")
        .filter(|status| !status.members().is_empty());
    let Some(status) = status else {
        if paused(object) || object.at(&["spec", "enabled"]).and_then(Node::boolean) == Some(false)
        {
            return Some(Verdict::new(Suspended, "suspended by its spec"));
        }
        return waiting().then(|| Verdict::new(Progressing, "waiting for its first status"));
    };
    let generation = number(object, &["metadata", "generation"]);
    if observed_behind(status, generation) {
        return Some(Verdict::new(
            Progressing,
            "waiting for the spec to be observed",
        ));
    }
    if paused(object) {
        return Some(Verdict::new(Suspended, "suspended by its spec"));
    }
    let mut found = Vec::new();
    let own = conditions(object);
    found.extend(of_conditions(own, generation));
    found.extend(of_references(status, generation));
    found.extend(of_words(status, kind, !found.is_empty()));
    found.extend(of_reports(status));
    found.extend(of_errors(status));
    if !own
        .iter()
        .any(|one| string(one, &["type"]) == "Ready" && holds(one))
    {
        found.extend(of_replicas(object));
    }
    if found.is_empty() {
        found.extend(of_items(status, kind));
    } else if found.iter().all(|one| one.health == Healthy) {
        found.extend(of_items(status, kind).filter(|one| one.health != Unknown));
    }
    let worst = found
        .into_iter()
        .max_by_key(|verdict| verdict.health.severity());
    worst.or_else(|| waiting().then(|| Verdict::new(Progressing, "waiting for its conditions")))
}

fn paused<N: Node>(object: &N) -> bool {
    ["paused", "suspend"]
        .iter()
        .any(|field| object.at(&["spec", field]).and_then(Node::boolean) == Some(true))
}

fn observed_behind<N: Node>(status: &N, generation: Option<i64>) -> bool {
    let observed = status.member("observedGeneration");
    let observed = observed.and_then(|node| {
        node.integer()
            .or_else(|| node.text().and_then(|t| t.parse().ok()))
    });
    matches!((observed, generation), (Some(observed), Some(generation)) if observed < generation)
}

/// Condition types that speak for the whole object, most telling first.
const PRIMARY: &[&str] = &[
    "Ready",
    "Available",
    "Healthy",
    "Succeeded",
    "Complete",
    "Completed",
    "Synced",
    "Established",
    "Programmed",
    "Accepted",
    "ResourcesUpToDate",
];

fn of_conditions<N: Node>(conditions: &[N], generation: Option<i64>) -> Option<Verdict> {
    let of_type = |kind: &str| {
        conditions
            .iter()
            .find(|one| string(*one, &["type"]) == kind)
    };
    let primary = PRIMARY
        .iter()
        .find_map(|kind| of_type(kind))
        .map(|one| string(one, &["type"]));
    let ready = of_type("Ready")
        .or_else(|| of_type("Available"))
        .is_some_and(holds);
    let verdicts = conditions.iter().filter_map(|one| {
        let is_primary = primary == Some(string(one, &["type"]));
        if is_primary && observed_behind(one, generation) {
            return Some(Verdict::new(
                Progressing,
                "waiting for the spec to be observed",
            ));
        }
        let health = of_condition(
            one,
            Place {
                is_primary,
                has_primary: primary.is_some(),
                ready,
            },
        )?;
        let message = if health == Healthy {
            ""
        } else {
            string(one, &["message"])
        };
        Some(Verdict::new(health, message))
    });
    verdicts.max_by_key(|verdict| verdict.health.severity())
}

/// Where a condition stands among the others of its object.
#[derive(Clone, Copy)]
struct Place {
    is_primary: bool,
    has_primary: bool,
    /// The object says Ready or Available.
    ready: bool,
}

fn of_condition<N: Node>(one: &N, place: Place) -> Option<Health> {
    let kind = string(one, &["type"]);
    let reason = string(one, &["reason"]);
    let status = string(one, &["status"]);
    if kind == "Progressing" {
        return of_progressing(status, reason);
    }
    if kind == "Paused" || reason.contains("Paused") || reason == "Hibernated" {
        let pausing = kind.contains("Pausing");
        return (!pausing && (status == "True" || reason.contains("Paused"))).then_some(Suspended);
    }
    match words::polarity_of(kind) {
        Some(Polarity::Bad) => {
            // A partial trouble beside Ready is history; an invalid or stalled spec is not.
            let grave = ["Invalid", "NonStructural", "Stalled"]
                .iter()
                .any(|g| kind.contains(g));
            (status == "True" && (grave || !place.ready)).then_some(Degraded)
        }
        Some(Polarity::Busy) if status == "True" => Some(if reason == "RequiresApproval" {
            Healthy
        } else {
            Progressing
        }),
        Some(Polarity::Busy | Polarity::Neutral) => None,
        None if place.has_primary => None,
        Some(Polarity::Good) | None => of_good(kind, status, reason, place),
    }
}

fn of_good(kind: &str, status: &str, reason: &str, place: Place) -> Option<Health> {
    // Whether something was accepted is a decision, not a process.
    let decision = matches!(kind, "Accepted" | "ResolvedRefs");
    match status {
        "True" if place.has_primary || words::polarity_of(kind).is_some() => Some(Healthy),
        "True" => None,
        "False" if words::is_error_reason(reason) => Some(Degraded),
        "False" if words::is_waiting_reason(reason) => Some(Progressing),
        "False" if place.is_primary || !place.has_primary || decision => Some(Degraded),
        "False" => Some(Progressing),
        _ if place.is_primary => Some(Progressing),
        _ => None,
    }
}

/// `Progressing` means two things in the field: rolling out, and having rolled out.
fn of_progressing(status: &str, reason: &str) -> Option<Health> {
    match status {
        "True" if reason == "NewReplicaSetAvailable" => Some(Healthy),
        "True" => Some(Progressing),
        _ if reason.contains("Paused") => Some(Suspended),
        _ if words::is_error_reason(reason) => Some(Degraded),
        _ => None,
    }
}

/// Conditions by parent, ancestor or listener, as in the Gateway API.
fn of_references<N: Node>(status: &N, generation: Option<i64>) -> Option<Verdict> {
    let mut worst: Option<Verdict> = None;
    for list in ["parents", "ancestors", "listeners"] {
        let groups = status.member(list).map(Node::items).unwrap_or_default();
        let conditions_of = |group: &'_ N| {
            group
                .member("conditions")
                .map(|c| c.items().len())
                .unwrap_or_default()
        };
        let stale = |group: &&N| {
            let all = group
                .member("conditions")
                .map(Node::items)
                .unwrap_or_default();
            all.iter().any(|one| observed_behind(one, generation))
        };
        // A parent that has not looked yet says nothing as long as another one has.
        let current: Vec<&N> = groups.iter().filter(|group| !stale(group)).collect();
        let mut verdicts = Vec::new();
        if current.is_empty() && !groups.is_empty() {
            verdicts.push(Verdict::new(
                Progressing,
                "waiting for the spec to be observed",
            ));
        }
        for group in current {
            if conditions_of(group) == 0 {
                verdicts.push(Verdict::new(Progressing, "waiting for conditions"));
                continue;
            }
            let all = group
                .member("conditions")
                .map(Node::items)
                .unwrap_or_default();
            verdicts.extend(of_conditions(all, generation));
        }
        worst = worst
            .into_iter()
            .chain(verdicts)
            .max_by_key(|one| one.health.severity());
    }
    worst
}

/// Members of a status that hold one word for the whole object.
const WORD_MEMBERS: &[&str] = &[
    "phase",
    "state",
    "currentState",
    "currentPhase",
    "health",
    "status",
    "compliant",
    "lastOperationStatus",
    "deploymentStatus",
    "jobManagerDeploymentStatus",
];

fn of_words<N: Node>(status: &N, kind: &str, has_conditions: bool) -> Vec<Verdict> {
    let message = string(status, &["message"]);
    let direct = WORD_MEMBERS.iter().filter_map(|member| {
        let word = status.member(member).and_then(Node::text)?;
        let health = words::health_of_word(word, kind)?;
        // Conditions know better than a phase that everything is well.
        let redundant = has_conditions && matches!(health, Healthy | Unknown) && *member == "phase";
        let said = if message.is_empty() { word } else { message };
        let said = if health == Healthy { "" } else { said };
        (!redundant).then(|| Verdict::new(health, said))
    });
    let nested = ["applicationState", "jobStatus"]
        .iter()
        .filter_map(|member| {
            let state = string(status, &[member, "state"]);
            let health = words::health_of_word(state, kind)?;
            Some(Verdict::new(
                health,
                string(status, &[member, "errorMessage"]),
            ))
        });
    direct.chain(nested).collect()
}

/// Statuses written by several reporters (`status.statuses`, or `reportedBy` beside `state`).
///
/// The state is a word or the number of the API's enum: pending, accepted, rejected, warning.
fn of_reports<N: Node>(status: &N) -> Vec<Verdict> {
    let several = status
        .member("statuses")
        .map(Node::members)
        .unwrap_or_default();
    let mut reports: Vec<&N> = several.into_iter().map(|(_, report)| report).collect();
    if status.member("reportedBy").is_some() {
        reports.push(status);
    }
    let verdicts = reports.into_iter().filter_map(|report| {
        let state = report.member("state")?;
        let health = match (state.integer(), state.text()) {
            (Some(0), _) | (_, Some("Pending")) => Suspended,
            (Some(1), _) | (_, Some("Accepted")) => Healthy,
            (Some(2 | 3), _) | (_, Some("Rejected" | "Warning")) => Degraded,
            _ => return None,
        };
        Some(Verdict::new(health, string(report, &["reason"])))
    });
    verdicts.collect()
}

fn of_errors<N: Node>(status: &N) -> Option<Verdict> {
    let members = ["error", "errMsg", "errorMessage", "failureMessage"];
    let message = members
        .iter()
        .map(|member| string(status, &[member]))
        .find(|m| !m.is_empty())?;
    Some(Verdict::new(Degraded, message))
}

fn of_replicas<N: Node>(object: &N) -> Option<Verdict> {
    let desired = number(object, &["spec", "replicas"])?;
    let members = ["updatedReadyReplicas", "readyReplicas", "availableReplicas"];
    let ready = members
        .iter()
        .find_map(|member| number(object, &["status", member]))?;
    (ready < desired).then(|| {
        Verdict::new(
            Progressing,
            format!("{ready} of {desired} replicas are ready"),
        )
    })
}

/// The worst word among lists of parts (environments, clusters, racks) in the status.
fn of_items<N: Node>(status: &N, kind: &str) -> impl Iterator<Item = Verdict> {
    let mut found = Vec::new();
    for (name, list) in status.members() {
        if name == "conditions" {
            continue;
        }
        for item in list.items() {
            let word = ["phase", "health", "state"]
                .iter()
                .map(|m| string(item, &[m]));
            let health = word
                .filter(|w| !w.is_empty())
                .find_map(|w| words::health_of_word(w, kind));
            found.extend(health.map(|health| Verdict::new(health, string(item, &["message"]))));
        }
        for (_, part) in list.members() {
            let members = number(part, &["members"]);
            if members.is_some_and(|all| count(part, &["readyMembers"]) < all) {
                found.push(Verdict::new(Progressing, "not all members are ready"));
            } else if members.is_some() {
                found.push(Verdict::healthy());
            }
        }
    }
    found.into_iter()
}
