//! What the words in a status usually mean: phases, states, condition types and reasons.

use crate::domain::status::Health;
use Health::{Degraded, Healthy, Missing, Progressing, Suspended, Unknown};

const HEALTHY: &[&str] = &[
    "succeeded",
    "successful",
    "success",
    "complete",
    "completed",
    "running",
    "ready",
    "bound",
    "active",
    "available",
    "healthy",
    "deployed",
    "provisioned",
    "established",
    "exists",
    "initialized",
    "installed",
    "green",
    "synced",
    "accepted",
    "compliant",
    "online",
    "enabled",
    "stable",
    "configured",
    "created",
    "reconciled",
];
const PROGRESSING: &[&str] = &[
    "pending",
    "creating",
    "provisioning",
    "updating",
    "upgrading",
    "deploying",
    "deployed_not_ready",
    "initializing",
    "waiting",
    "scaling",
    "progressing",
    "processing",
    "inprogress",
    "queued",
    "starting",
    "yellow",
    "deleting",
    "terminating",
    "reconciling",
    "pending_rerun",
    "submitted",
    "pausing",
    "installing",
    "building",
    "new",
];
const DEGRADED: &[&str] = &[
    "failed",
    "error",
    "degraded",
    "rejected",
    "warning",
    "noncompliant",
    "red",
    "unhealthy",
    "crashloopbackoff",
    "lost",
    "failing",
    "errored",
    "failure",
];
const SUSPENDED: &[&str] = &["suspended", "paused", "hibernated"];
const MISSING: &[&str] = &["notfound", "missing"];
const UNKNOWN: &[&str] = &["unknown", "inconclusive", "invalid"];

/// Kinds that are meant to end: while they run, they are on their way.
const FINISHING: &[&str] = &[
    "Run",
    "Job",
    "Workflow",
    "Task",
    "Experiment",
    "Backup",
    "Restore",
    "Build",
];

/// Returns what a phase or state word of an object of `kind` means; `None` for no word we know.
///
/// A sentence is judged by its first word, and by whether it speaks of an error.
pub(super) fn health_of_word(text: &str, kind: &str) -> Option<Health> {
    let word: String = text
        .to_lowercase()
        .chars()
        .filter(|c| c.is_ascii_lowercase() || *c == '_')
        .collect();
    let health = exact(&word).or_else(|| sentence(text))?;
    let ends = FINISHING.iter().any(|end| kind.ends_with(end));
    let under_way = ends && health == Healthy && matches!(word.as_str(), "running" | "active");
    Some(if under_way { Progressing } else { health })
}

fn exact(word: &str) -> Option<Health> {
    let lists = [
        (HEALTHY, Healthy),
        (PROGRESSING, Progressing),
        (DEGRADED, Degraded),
        (SUSPENDED, Suspended),
        (MISSING, Missing),
        (UNKNOWN, Unknown),
    ];
    lists
        .into_iter()
        .find(|(words, _)| words.contains(&word))
        .map(|(_, health)| health)
}

fn sentence(text: &str) -> Option<Health> {
    let lower = text.to_lowercase();
    let mut words = lower
        .split(|c: char| !c.is_ascii_alphabetic())
        .filter(|word| !word.is_empty());
    let first = words.next()?;
    let is_sentence = words.next().is_some();
    let negated = [
        " not ",
        "n't ",
        "already",
        "different",
        "mismatch",
        "incorrect",
    ];
    if ["error", "fail"].iter().any(|bad| lower.contains(bad)) {
        return Some(Degraded);
    }
    let begun = exact(first).filter(|health| matches!(health, Progressing | Degraded));
    if let Some(health) = begun.filter(|_| is_sentence) {
        return Some(health);
    }
    if is_sentence && negated.iter().any(|word| lower.contains(word)) {
        return Some(Degraded);
    }
    is_sentence.then_some(Progressing)
}

/// What a condition type says when its status is `True`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Polarity {
    /// True is good: `Ready`, `Available`, `Synced` …
    Good,
    /// True is bad: `Failed`, `Stalled`, `InvalidSpec` …
    Bad,
    /// True means work is going on: `Reconciling`, `Issuing` …
    Busy,
    /// Says nothing about health.
    Neutral,
}

const NEUTRAL_TYPES: &[&str] = &[
    "pausing",
    "rolloutcompleted",
    "hibernation",
    "garbage",
    "asyncoperation",
    "prevalid",
    "installplanmissing",
    "cronjob",
    "deploymentavailable",
];
const BAD_TYPES: &[&str] = &[
    "fail",
    "error",
    "invalid",
    "stalled",
    "degraded",
    "notready",
    "partiallyready",
    "unhealthy",
    "orphan",
    "nonstructural",
    "expired",
    "conflict",
];
const BUSY_STARTS: &[&str] = &[
    "reconciling",
    "issuing",
    "updating",
    "upgrading",
    "terminating",
    "scaling",
    "deploying",
    "creating",
    "deleting",
];
const BUSY_PARTS: &[&str] = &[
    "inprogress",
    "in-progress",
    "rolloutprogressing",
    "unpacking",
];
const GOOD_ENDS: &[&str] = &[
    "ready",
    "healthy",
    "available",
    "synced",
    "accepted",
    "resolvedrefs",
    "programmed",
    "established",
    "deployed",
    "succeeded",
    "uptodate",
    "completed",
    "complete",
    "scheduled",
    "applied",
    "configured",
    "provisioned",
    "bound",
    "initialized",
    "valid",
];

/// Returns how to read a condition type; a prefix such as `example.com/` does not matter.
pub(super) fn polarity_of(kind: &str) -> Option<Polarity> {
    let short = kind
        .rsplit(['/', '.'])
        .next()
        .unwrap_or(kind)
        .to_lowercase();
    let has = |parts: &[&str]| parts.iter().any(|part| short.contains(part));
    let starts = |parts: &[&str]| parts.iter().any(|part| short.starts_with(part));
    if short == "running" || has(NEUTRAL_TYPES) {
        Some(Polarity::Neutral)
    } else if has(BAD_TYPES) || short == "terminal" {
        Some(Polarity::Bad)
    } else if starts(BUSY_STARTS) || has(BUSY_PARTS) || short.ends_with("pending") {
        Some(Polarity::Busy)
    } else if GOOD_ENDS.iter().any(|end| short.ends_with(end)) {
        Some(Polarity::Good)
    } else {
        None
    }
}

const ERROR_REASONS: &[&str] = &[
    "fail",
    "error",
    "stalled",
    "denied",
    "unreachable",
    "timeout",
    "invalid",
    "exceeded",
    "aborted",
    "conflict",
    "forbidden",
    "unauthorized",
    "rejected",
    "unhealthy",
];
const WAITING_REASONS: &[&str] = &[
    "progress",
    "creating",
    "waiting",
    "pending",
    "installing",
    "doesnotexist",
    "notcomplete",
    "initializ",
    "unavailable",
    "starting",
    "scheduling",
    "deploying",
    "updating",
    "upgrading",
    "processing",
    "rolling",
    "notyet",
    "provisioning",
    "resourcesnotready",
    "setnotready",
    "isnotready",
];

/// Returns whether a reason speaks of something that went wrong.
pub(super) fn is_error_reason(reason: &str) -> bool {
    let reason = reason.to_lowercase();
    ERROR_REASONS.iter().any(|word| reason.contains(word))
}

/// Returns whether a reason speaks of something that only takes its time.
pub(super) fn is_waiting_reason(reason: &str) -> bool {
    let reason = reason.to_lowercase();
    WAITING_REASONS.iter().any(|word| reason.contains(word))
}

/// API groups whose controllers always write a status, so that its absence means "not yet".
const REPORTING_GROUPS: &[&str] = &[
    "argoproj.io",
    "fluxcd.io",
    "cert-manager.io",
    "external-secrets.io",
    "x-k8s.io",
    "gateway.networking.k8s.io",
    "solo.io",
    "crossplane.io",
    "numaproj.io",
    "keptn.sh",
    "elastic.co",
    "strimzi.io",
    "mariadb.com",
    "mmontes.io",
    "bitnami.com",
    "onepassword.com",
    "kubernetes-client.io",
    "humio.com",
    "spinkube.dev",
    "kruise.io",
    "netapp.io",
    "open-cluster-management.io",
    "karmada.io",
    "cnpg.io",
    "rabbitmq.com",
    "3scale.net",
    "min.io",
    "services.k8s.aws",
    "operators.coreos.com",
    "tekton.dev",
    "kargo.akuity.io",
];

/// Kinds that hold settings and get no status, whatever their group does.
const SETTINGS_KINDS: &[&str] = &[
    "Template", "Config", "Project", "Schedule", "Hook", "Profile", "Settings", "Binding",
];

/// Returns whether an object of this kind without a status is one whose status will come.
pub(super) fn reports_status(group: &str, kind: &str) -> bool {
    let family = REPORTING_GROUPS
        .iter()
        .any(|one| group == *one || group.ends_with(&format!(".{one}")) || group.ends_with(one));
    family && !SETTINGS_KINDS.iter().any(|end| kind.ends_with(end))
}
