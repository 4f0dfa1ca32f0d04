//! Other registries, and what is copied to them. Nothing leaves the platform: an execution says so.

use super::call::{time, time_or_zero};
use super::model::{Execution, Status};
use super::state::Bench;
use chrono::{DateTime, Utc};
use serde_json::{Value, json};

/// A registry elsewhere.
#[derive(Clone, Debug)]
pub(super) struct Remote {
    pub(super) id: i64,
    pub(super) name: String,
    pub(super) url: String,
    pub(super) kind: String,
    pub(super) description: String,
    pub(super) healthy: bool,
    pub(super) created: DateTime<Utc>,
}

impl Remote {
    pub(super) fn json(&self) -> Value {
        json!({
            "id": self.id,
            "name": self.name,
            "url": self.url,
            "type": self.kind,
            "description": self.description,
            "insecure": false,
            "status": if self.healthy { "healthy" } else { "unhealthy" },
            "credential": {"type": "basic", "access_key": "", "access_secret": ""},
            "creation_time": time(self.created),
            "update_time": time(self.created),
        })
    }
}

/// What is copied where.
#[derive(Clone, Debug)]
pub(super) struct Policy {
    pub(super) id: i64,
    pub(super) name: String,
    pub(super) description: String,
    /// A pattern of repository names.
    pub(super) names: String,
    pub(super) to: i64,
    pub(super) enabled: bool,
    pub(super) created: DateTime<Utc>,
    pub(super) trigger: String,
}

impl Policy {
    pub(super) fn json(&self, to: Option<&Remote>) -> Value {
        json!({
            "id": self.id,
            "name": self.name,
            "description": self.description,
            "src_registry": {"id": 0, "name": "Local", "url": "http://core:8080", "type": "harbor", "status": "healthy"},
            "dest_registry": to.map_or(json!({"id": self.to}), Remote::json),
            "dest_namespace": "",
            "dest_namespace_replace_count": -1,
            "trigger": {"type": self.trigger, "trigger_settings": {"cron": ""}},
            "filters": [{"type": "name", "value": self.names}],
            "replicate_deletion": false,
            "deletion": false,
            "override": true,
            "enabled": self.enabled,
            "speed": 0,
            "copy_by_chunk": false,
            "single_active_replication": false,
            "creation_time": time(self.created),
            "update_time": time(self.created),
        })
    }
}

/// The words of replications differ from those of other work.
fn word(status: Status) -> &'static str {
    match status {
        Status::Pending | Status::Running => "InProgress",
        Status::Success => "Succeed",
        Status::Error => "Failed",
        Status::Stopped => "Stopped",
    }
}

pub(super) fn execution_json(work: &Execution) -> Value {
    let total = work.details["resources"].as_array().map_or(0, Vec::len);
    let count = |status: Status| if work.status == status { total } else { 0 };
    json!({
        "id": work.id,
        "policy_id": work.vendor_id,
        "status": word(work.status),
        "status_text": work.message,
        "trigger": work.trigger.to_lowercase(),
        "start_time": time(work.start),
        "end_time": time_or_zero(work.end),
        "total": total,
        "failed": count(Status::Error),
        "succeed": count(Status::Success),
        "in_progress": count(Status::Running),
        "stopped": count(Status::Stopped),
    })
}

pub(super) fn tasks_json(work: &Execution) -> Vec<Value> {
    let resources = work.details["resources"]
        .as_array()
        .cloned()
        .unwrap_or_default();
    let tasks = resources.iter().enumerate().map(|(at, name)| {
        let at = at as i64;
        json!({
            "id": work.id * 1000 + at,
            "execution_id": work.id,
            "status": word(work.status),
            "job_id": format!("{:024x}", work.id * 1000 + at),
            "operation": "copy",
            "resource_type": "image",
            "src_resource": name,
            "dst_resource": name,
            "start_time": time(work.start),
            "end_time": time_or_zero(work.end),
        })
    });
    tasks.collect()
}

impl Bench<'_> {
    /// Ends a replication: nothing is sent out of the platform.
    pub(super) fn replicate(&mut self, id: i64) {
        let policy = self.state.executions.get(&id).map(|work| work.vendor_id);
        let policy = policy.and_then(|policy| self.state.replications.get(&policy));
        let remote = policy.and_then(|policy| self.state.registries.get(&policy.to));
        let outcome = match remote {
            Some(remote) if remote.healthy => (Status::Success, String::new()),
            Some(remote) => (
                Status::Error,
                format!(
                    "the registry {} at {} cannot be reached",
                    remote.name, remote.url
                ),
            ),
            None => (Status::Error, "the policy is gone".to_owned()),
        };
        self.end_work(id, outcome.0, &outcome.1);
    }
}
