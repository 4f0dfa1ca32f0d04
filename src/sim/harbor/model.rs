//! Projects, robots, labels and what else Harbor keeps beside the content.

use super::call::{time, time_or_zero};
use chrono::{DateTime, Utc};
use serde_json::{Value, json};
use std::collections::BTreeMap;

/// A project.
#[derive(Clone, Debug)]
pub(super) struct Project {
    pub(super) id: i64,
    pub(super) name: String,
    pub(super) created: DateTime<Utc>,
    pub(super) updated: DateTime<Utc>,
    /// All values are text, as in Harbor.
    pub(super) metadata: BTreeMap<String, String>,
    /// Bytes; -1: without limit.
    pub(super) quota: i64,
    pub(super) quota_updated: DateTime<Utc>,
    pub(super) allowlist: Vec<String>,
    pub(super) allowlist_expires: Option<i64>,
    pub(super) immutable: Vec<ImmutableRule>,
    pub(super) retention: Option<Retention>,
}

impl Project {
    pub(super) fn is(&self, key: &str) -> bool {
        self.metadata.get(key).is_some_and(|value| value == "true")
    }

    pub(super) fn is_public(&self) -> bool {
        self.is("public")
    }

    pub(super) fn json(&self, repositories: usize) -> Value {
        json!({
            "project_id": self.id,
            "owner_id": 1,
            "owner_name": "admin",
            "name": self.name,
            "registry_id": 0,
            "creation_time": time(self.created),
            "update_time": time(self.updated),
            "deleted": false,
            "togglable": true,
            "current_user_role_id": 0,
            "current_user_role_ids": [],
            "repo_count": repositories,
            "metadata": self.metadata,
            "cve_allowlist": self.allowlist_json(),
        })
    }

    fn allowlist_json(&self) -> Value {
        let items = self.allowlist.iter().map(|id| json!({"cve_id": id}));
        json!({
            "id": self.id,
            "project_id": self.id,
            "expires_at": self.allowlist_expires,
            "items": items.collect::<Vec<_>>(),
            "creation_time": time(self.created),
            "update_time": time(self.updated),
        })
    }
}

/// Tags that cannot be moved or removed.
#[derive(Clone, Debug)]
pub(super) struct ImmutableRule {
    pub(super) id: i64,
    pub(super) disabled: bool,
    pub(super) repositories: String,
    pub(super) tags: String,
    pub(super) excludes: bool,
}

impl ImmutableRule {
    /// Returns whether the rule keeps a tag; the repository is without its project.
    pub(super) fn keeps(&self, repository: &str, tag: &str) -> bool {
        let fits = crate::domain::globs::matches_parts(&self.tags, tag, '/');
        !self.disabled
            && crate::domain::globs::matches(&self.repositories, repository)
            && fits != self.excludes
    }

    pub(super) fn json(&self) -> Value {
        let decoration = if self.excludes { "excludes" } else { "matches" };
        json!({
            "id": self.id,
            "priority": 0,
            "disabled": self.disabled,
            "action": "immutable",
            "template": "immutable_template",
            "tag_selectors": [
                {"kind": "doublestar", "decoration": decoration, "pattern": self.tags},
            ],
            "scope_selectors": {"repository": [{
                "kind": "doublestar", "decoration": "repoMatches", "pattern": self.repositories,
            }]},
        })
    }
}

/// Which tags stay when old ones are removed.
#[derive(Clone, Debug)]
pub(super) struct Retention {
    pub(super) id: i64,
    pub(super) keep: u32,
    pub(super) cron: String,
}

/// What a robot may do in one place.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Grant {
    /// `system` or `project`.
    pub(super) kind: String,
    /// `/`, a project, or `*`.
    pub(super) namespace: String,
    /// Resource and action.
    pub(super) access: Vec<(String, String)>,
}

impl Grant {
    pub(super) fn json(&self) -> Value {
        let access = self
            .access
            .iter()
            .map(|(resource, action)| json!({"resource": resource, "action": action}));
        json!({
            "kind": self.kind,
            "namespace": self.namespace,
            "access": access.collect::<Vec<_>>(),
        })
    }
}

/// A robot account.
#[derive(Clone, Debug)]
pub(super) struct Robot {
    pub(super) id: i64,
    /// `robot$ci`, `robot$shop+ci`.
    pub(super) name: String,
    pub(super) description: String,
    /// None: a robot of the system.
    pub(super) project: Option<i64>,
    pub(super) duration: i64,
    pub(super) disabled: bool,
    /// Unix seconds; -1: never.
    pub(super) expires_at: i64,
    pub(super) grants: Vec<Grant>,
    pub(super) secret: String,
    pub(super) created: DateTime<Utc>,
    pub(super) updated: DateTime<Utc>,
}

impl Robot {
    pub(super) fn level(&self) -> &'static str {
        if self.project.is_some() {
            "project"
        } else {
            "system"
        }
    }

    pub(super) fn is_expired(&self, now: DateTime<Utc>) -> bool {
        self.expires_at != -1 && self.expires_at <= now.timestamp()
    }

    pub(super) fn json(&self) -> Value {
        let grants: Vec<Value> = self.grants.iter().map(Grant::json).collect();
        json!({
            "id": self.id,
            "name": self.name,
            "description": self.description,
            "level": self.level(),
            "duration": self.duration,
            "editable": true,
            "disable": self.disabled,
            "expires_at": self.expires_at,
            "permissions": grants,
            "creator_type": "local",
            "creator_ref": 1,
            "creation_time": time(self.created),
            "update_time": time(self.updated),
        })
    }
}

/// A label that artifacts carry.
#[derive(Clone, Debug)]
pub(super) struct Label {
    pub(super) id: i64,
    pub(super) name: String,
    pub(super) description: String,
    pub(super) color: String,
    /// None: for all projects.
    pub(super) project: Option<i64>,
    pub(super) created: DateTime<Utc>,
    pub(super) updated: DateTime<Utc>,
}

impl Label {
    pub(super) fn json(&self) -> Value {
        json!({
            "id": self.id,
            "name": self.name,
            "description": self.description,
            "color": self.color,
            "scope": if self.project.is_some() { "p" } else { "g" },
            "project_id": self.project.unwrap_or(0),
            "creation_time": time(self.created),
            "update_time": time(self.updated),
        })
    }
}

/// One line of the log of who did what.
#[derive(Clone, Debug)]
pub(super) struct AuditEntry {
    pub(super) id: i64,
    pub(super) by: String,
    pub(super) resource: String,
    pub(super) resource_type: &'static str,
    pub(super) operation: &'static str,
    pub(super) project: Option<i64>,
    pub(super) at: DateTime<Utc>,
}

impl AuditEntry {
    pub(super) fn json(&self) -> Value {
        json!({
            "id": self.id,
            "username": self.by,
            "resource": self.resource,
            "resource_type": self.resource_type,
            "operation": self.operation,
            "operation_description": format!(
                "{} {}: {}", self.operation, self.resource_type, self.resource
            ),
            "operation_result": true,
            "op_time": time(self.at),
        })
    }
}

/// How far a piece of work is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Status {
    Pending,
    Running,
    Success,
    Error,
    Stopped,
}

impl Status {
    pub(super) fn word(self) -> &'static str {
        match self {
            Self::Pending => "Pending",
            Self::Running => "Running",
            Self::Success => "Success",
            Self::Error => "Error",
            Self::Stopped => "Stopped",
        }
    }

    pub(super) fn is_final(self) -> bool {
        matches!(self, Self::Success | Self::Error | Self::Stopped)
    }
}

/// What a piece of work is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Vendor {
    ScanAll,
    GarbageCollection,
    Replication,
    Webhook,
    Retention,
}

impl Vendor {
    pub(super) fn word(self) -> &'static str {
        match self {
            Self::ScanAll => "SCAN_ALL",
            Self::GarbageCollection => "GARBAGE_COLLECTION",
            Self::Replication => "REPLICATION",
            Self::Webhook => "WEBHOOK",
            Self::Retention => "RETENTION",
        }
    }
}

/// A piece of work, past or present.
#[derive(Clone, Debug)]
pub(super) struct Execution {
    pub(super) id: i64,
    pub(super) vendor: Vendor,
    /// The policy that it belongs to.
    pub(super) vendor_id: i64,
    /// `Manual`, `Schedule`, `Event`.
    pub(super) trigger: &'static str,
    pub(super) status: Status,
    pub(super) message: String,
    pub(super) start: DateTime<Utc>,
    pub(super) end: Option<DateTime<Utc>>,
    /// When it is to be over.
    pub(super) due: DateTime<Utc>,
    /// What it was asked with and what came of it.
    pub(super) details: Value,
    pub(super) log: Vec<String>,
}

impl Execution {
    pub(super) fn json(&self) -> Value {
        let is = |status: Status| i64::from(self.status == status);
        json!({
            "id": self.id,
            "vendor_type": self.vendor.word(),
            "vendor_id": self.vendor_id,
            "status": self.status.word(),
            "status_message": self.message,
            "metrics": {
                "task_count": 1,
                "success_task_count": is(Status::Success),
                "error_task_count": is(Status::Error),
                "pending_task_count": is(Status::Pending),
                "running_task_count": is(Status::Running),
                "stopped_task_count": is(Status::Stopped),
            },
            "trigger": self.trigger.to_uppercase(),
            "extra_attrs": if self.details.is_object() { self.details.clone() } else { json!({}) },
            "start_time": time(self.start),
            "end_time": time_or_zero(self.end),
        })
    }

    /// The one task of the execution.
    pub(super) fn task_json(&self) -> Value {
        json!({
            "id": self.id,
            "execution_id": self.id,
            "status": self.status.word(),
            "status_message": self.message,
            "run_count": 1,
            "extra_attrs": if self.details.is_object() { self.details.clone() } else { json!({}) },
            "creation_time": time(self.start),
            "update_time": time(self.end.unwrap_or(self.start)),
            "start_time": time(self.start),
            "end_time": time_or_zero(self.end),
        })
    }
}
