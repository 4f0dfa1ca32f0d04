//! Health of an Application from its objects.
//!
//! The worst of the managed objects, with the exceptions of Argo CD `controller/health.go`:
//! hooks, ignored objects and missing ones do not count; all missing is Missing.

use super::hooks;
use super::json;
use super::key::{annotation, group_of, kind_of, name_of};
use super::options;
use crate::domain::health::{Verdict, health_of};
use crate::domain::status::Health;
use serde_json::Value;

/// Annotation that takes an object out of the aggregate.
pub const IGNORE_HEALTH: &str = "argocd.argoproj.io/ignore-healthcheck";

/// One managed object.
#[derive(Clone, Copy, Debug)]
pub struct Part<'a> {
    pub target: Option<&'a Value>,
    pub live: Option<&'a Value>,
}

/// Returns the Application's health and, when it is not Healthy, which objects cause it.
pub fn aggregate(parts: &[Part<'_>]) -> (Health, String) {
    let counted: Vec<_> = parts.iter().filter(|part| counts(part)).collect();
    if !counted.is_empty() && counted.iter().all(|part| part.live.is_none()) {
        return (Health::Missing, String::new());
    }
    let mut worst = Health::Healthy;
    let mut causes = Vec::new();
    for (live, verdict) in counted.iter().filter_map(|part| judged(part.live?)) {
        if verdict.health > worst {
            worst = verdict.health;
            causes.clear();
        }
        if verdict.health == worst && worst != Health::Healthy {
            causes.push(live);
        }
    }
    (worst, message(&causes))
}

fn counts(part: &Part<'_>) -> bool {
    let Some(object) = part.target.or(part.live) else {
        return false;
    };
    !hooks::is_hook(object)
        && part.live.is_none_or(|live| !hooks::is_hook(live) && annotation(live, IGNORE_HEALTH) != "true")
        // An extra object that is to be left alone does not count either.
        && !(part.target.is_none() && options::compares_with(object, "IgnoreExtraneous"))
}

/// Judges a live object; kinds without health and unfinished children do not count.
fn judged(live: &Value) -> Option<(&Value, Verdict)> {
    let verdict = health_of(live)?;
    let child = group_of(live) == "argoproj.io" && kind_of(live) == "Application";
    let unfinished = matches!(verdict.health, Health::Missing | Health::Unknown);
    (!(child && unfinished)).then_some((live, verdict))
}

fn message(causes: &[&Value]) -> String {
    const SHOWN: usize = 3;
    if causes.is_empty() {
        return String::new();
    }
    let named: Vec<_> = causes
        .iter()
        .take(SHOWN)
        .map(|live| {
            let group = group_of(live);
            let slash = if group.is_empty() { "" } else { "/" };
            format!(
                "{group}{slash}{}:{}/{}",
                kind_of(live),
                json::text(live, &["metadata", "namespace"]),
                name_of(live)
            )
        })
        .collect();
    match causes.len().saturating_sub(SHOWN) {
        0 => format!("Caused by {}", named.join(", ")),
        more => format!("Caused by {} and {more} more", named.join(", ")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json as make;

    fn claim(phase: &str) -> Value {
        make!({"apiVersion": "v1", "kind": "PersistentVolumeClaim",
            "metadata": {"name": phase, "namespace": "n"}, "status": {"phase": phase}})
    }

    fn health(live: &[Option<Value>]) -> Health {
        let target = claim("");
        let parts: Vec<_> = live
            .iter()
            .map(|live| Part {
                target: Some(&target),
                live: live.as_ref(),
            })
            .collect();
        aggregate(&parts).0
    }

    #[test]
    fn the_worst_counts_and_missing_only_when_all_are() {
        assert_eq!(health(&[]), Health::Healthy);
        assert_eq!(health(&[Some(claim("Bound"))]), Health::Healthy);
        assert_eq!(
            health(&[Some(claim("Bound")), Some(claim("Pending"))]),
            Health::Progressing
        );
        assert_eq!(
            health(&[Some(claim("Lost")), Some(claim("Pending"))]),
            Health::Degraded
        );
        assert_eq!(health(&[Some(claim("Bound")), None]), Health::Healthy);
        assert_eq!(health(&[None, None]), Health::Missing);
    }

    #[test]
    fn hooks_and_ignored_objects_do_not_count() {
        let mut hook = claim("Lost");
        hook["metadata"]["annotations"] = make!({hooks::HOOK: "PreSync"});
        let mut ignored = claim("Lost");
        ignored["metadata"]["annotations"] = make!({IGNORE_HEALTH: "true"});

        for live in [hook, ignored] {
            let parts = [Part {
                target: Some(&live),
                live: Some(&live),
            }];
            assert_eq!(aggregate(&parts).0, Health::Healthy);
        }
    }

    #[test]
    fn the_message_names_three_causes() {
        let lost = claim("Lost");
        let parts = [Part {
            target: Some(&lost),
            live: Some(&lost),
        }; 5];

        assert_eq!(
            aggregate(&parts).1,
            "Caused by PersistentVolumeClaim:n/Lost, PersistentVolumeClaim:n/Lost, PersistentVolumeClaim:n/Lost and 2 more"
        );
    }
}
