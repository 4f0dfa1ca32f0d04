//! Finds what a request to `/api/v2.0` is about.
//!
//! One match for each first word of a path. What this Harbor does not have answers 404, and what it
//! has but does not change answers 405, as Harbor does for methods that a path lacks.

mod artifacts;
mod audit;
mod jobs;
mod labels;
mod projects;
mod replication;
mod repositories;
mod robots;
mod rules;
mod scanning;
mod security;
mod system;
mod tags;
mod webhooks;

use super::call::{Answered, Call};
use super::error::Refusal;
use super::state::Bench;

/// Answers a request.
pub(super) fn answer(bench: &mut Bench<'_>, call: &Call) -> Answered {
    let segments: Vec<&str> = call.segments.iter().map(String::as_str).collect();
    let (first, rest) = segments.split_first().unwrap_or((&"", &[]));
    match *first {
        "projects" => projects::answer(bench, call, rest),
        "repositories" => repositories::all(bench, call),
        "robots" => robots::answer(bench, call, rest),
        "labels" => labels::answer(bench, call, rest),
        "quotas" => system::quotas(bench, call, rest),
        "security" => security::answer(bench, call, rest),
        "replication" => replication::answer(bench, call, rest),
        "registries" => replication::registries(bench, call, rest),
        "scans" | "system" | "jobservice" | "schedules" => jobs::answer(bench, call, (first, rest)),
        "scanners" => scanning::scanners(bench, call, rest),
        "retentions" => rules::retentions(bench, call, rest),
        "auditlog-exts" | "audit-logs" => audit::answer(bench, call, (first, rest)),
        _ => system::answer(bench, call, (first, rest)),
    }
}

/// Nothing is at this path.
fn no_path(call: &Call) -> Refusal {
    Refusal::not_found(format!("path {} was not found", call.path))
}

/// The path is there, the method is not.
fn no_method(call: &Call) -> Refusal {
    let message = format!("method {} is not allowed for {}", call.method, call.path);
    Refusal::method_not_allowed(message)
}

/// Reads a number of a path.
fn number(text: &str, name: &str) -> Result<i64, Refusal> {
    text.parse().map_err(|_not_a_number| {
        Refusal::unprocessable(format!("{name} in path must be of type int64: \"{text}\""))
    })
}
