//! Who is told of pushes and scans, and what they are told (`src/pkg/notifier`).

use super::model::{Status, Vendor};
use super::scan::ScanKind;
use super::state::Bench;
use super::{call::time, wire};
use bytes::Bytes;
use chrono::{DateTime, SecondsFormat, Utc};
use http::{Request, header};
use serde_json::{Value, json};

/// The events that a policy may ask for.
pub(super) const EVENTS: [&str; 10] = [
    "PUSH_ARTIFACT",
    "PULL_ARTIFACT",
    "DELETE_ARTIFACT",
    "SCANNING_COMPLETED",
    "SCANNING_FAILED",
    "SCANNING_STOPPED",
    "QUOTA_EXCEED",
    "QUOTA_WARNING",
    "REPLICATION",
    "TAG_RETENTION",
];

/// A policy of a project.
#[derive(Clone, Debug)]
pub(super) struct Policy {
    pub(super) id: i64,
    pub(super) project: i64,
    pub(super) name: String,
    pub(super) description: String,
    pub(super) targets: Vec<Value>,
    pub(super) events: Vec<String>,
    pub(super) enabled: bool,
    pub(super) creator: String,
    pub(super) created: DateTime<Utc>,
    pub(super) updated: DateTime<Utc>,
}

impl Policy {
    pub(super) fn json(&self) -> Value {
        let targets = self.targets.iter().map(|target| {
            let mut target = target.clone();
            // What was given as a password is not given back.
            if target.get("auth_header").is_some_and(|header| header != "") {
                target["auth_header"] = json!("******");
            }
            target
        });
        json!({
            "id": self.id,
            "name": self.name,
            "description": self.description,
            "project_id": self.project,
            "targets": targets.collect::<Vec<_>>(),
            "event_types": self.events,
            "creator": self.creator,
            "creation_time": time(self.created),
            "update_time": time(self.updated),
            "enabled": self.enabled,
        })
    }
}

/// Something to send.
#[derive(Clone, Debug)]
pub(super) struct Delivery {
    /// The execution that tells what became of it.
    pub(super) execution: i64,
    pub(super) address: String,
    pub(super) content_type: &'static str,
    pub(super) authorization: String,
    pub(super) body: String,
}

impl Delivery {
    pub(super) fn request(&self) -> Result<Request<Bytes>, http::Error> {
        let mut request = Request::post(&self.address)
            .header(header::CONTENT_TYPE, self.content_type)
            .header(header::USER_AGENT, "Go-http-client/1.1");
        if !self.authorization.is_empty() {
            request = request.header(header::AUTHORIZATION, &self.authorization);
        }
        request.body(Bytes::from(self.body.clone()))
    }
}

/// What happened, for those who are to be told.
pub(super) struct Event<'e> {
    pub(super) kind: &'static str,
    pub(super) repository: &'e str,
    pub(super) digest: &'e str,
    pub(super) reference: &'e str,
    pub(super) by: &'e str,
    pub(super) scan: Option<ScanKind>,
}

impl Bench<'_> {
    /// Puts what is to be sent into the outbox.
    pub(super) fn announce(&mut self, event: &Event<'_>) {
        let Some(project) = self.state.project_of(event.repository) else {
            return;
        };
        let (id, public) = (project.id, project.is_public());
        let policies = self.state.webhooks.values().filter(|policy| {
            policy.enabled
                && policy.project == id
                && policy.events.iter().any(|kind| kind == event.kind)
        });
        let policies: Vec<Policy> = policies.cloned().collect();
        let data = self.event_data(event, public);
        for policy in policies {
            for target in &policy.targets {
                let details = json!({"event_type": event.kind, "type": target["type"]});
                let work = (Vendor::Webhook, policy.id);
                let execution = self.begin_work(work, "Event", 60, details);
                let delivery = self.delivery(&policy, target, (event, &data), execution);
                if let Some(work) = self.state.executions.get_mut(&execution) {
                    work.details["payload"] = json!(delivery.body);
                }
                self.state.outbox.push(delivery);
            }
        }
    }

    /// Tells that a scan is over.
    pub(super) fn announce_scan(
        &mut self,
        (repository, digest): (&str, &str),
        kind: ScanKind,
        by: &str,
    ) {
        self.announce(&Event {
            kind: "SCANNING_COMPLETED",
            repository,
            digest,
            reference: digest,
            by,
            scan: Some(kind),
        });
    }

    fn event_data(&self, event: &Event<'_>, public: bool) -> Value {
        let repository = event.repository;
        let (namespace, name) = repository
            .split_once('/')
            .unwrap_or((repository, repository));
        let joint = if event.reference.starts_with("sha256:") {
            '@'
        } else {
            ':'
        };
        let address = format!("{}/{repository}{joint}{}", self.host, event.reference);
        let mut resource = json!({
            "digest": event.digest,
            "tag": event.reference,
            "resource_url": address,
        });
        let known = self.store.repository(repository);
        if event.scan == Some(ScanKind::Vulnerabilities)
            && let Some(known) = known
            && let Some(artifact) = known.artifact(event.digest)
            && let Some(overview) = wire::scan_overview(self, (repository, artifact), None)
        {
            resource["scan_overview"] = overview;
        }
        let created = known.map_or(0, |known| known.created.timestamp());
        let mut data = json!({
            "resources": [resource],
            "repository": {
                "date_created": created,
                "name": name,
                "namespace": namespace,
                "repo_full_name": repository,
                "repo_type": if public { "public" } else { "private" },
            },
        });
        if let Some(kind) = event.scan {
            data["scan"] = json!({"scan_type": kind.word()});
        }
        data
    }

    fn delivery(
        &self,
        policy: &Policy,
        target: &Value,
        (event, data): (&Event<'_>, &Value),
        execution: i64,
    ) -> Delivery {
        let text = |key: &str| target[key].as_str().unwrap_or_default().to_owned();
        let is_cloud_event = target["payload_format"] == "CloudEvents";
        let body = if is_cloud_event {
            json!({
                "specversion": "1.0",
                "id": format!("tiphys-{execution}"),
                "source": format!("/projects/{}/webhook/policies/{}", policy.project, policy.id),
                "type": cloud_type(event.kind),
                "time": self.now.to_rfc3339_opts(SecondsFormat::Secs, true),
                "datacontenttype": "application/json",
                "operator": event.by,
                "data": data,
            })
        } else if target["type"] == "slack" {
            json!({"text": format!("{}: {}:{}", event.kind, event.repository, event.reference)})
        } else {
            json!({
                "type": event.kind,
                "occur_at": self.now.timestamp(),
                "operator": event.by,
                "event_data": data,
            })
        };
        Delivery {
            execution,
            address: text("address"),
            content_type: if is_cloud_event {
                "application/cloudevents+json"
            } else {
                "application/json"
            },
            authorization: text("auth_header"),
            body: body.to_string(),
        }
    }

    /// Notes what became of a delivery.
    pub(super) fn delivered(&mut self, execution: i64, outcome: Result<u16, String>) {
        let (status, message) = match outcome {
            Ok(code @ 200..=299) => (Status::Success, format!("response status {code}")),
            Ok(code) => (Status::Error, format!("response status {code}")),
            Err(error) => (Status::Error, error),
        };
        self.end_work(execution, status, &message);
    }
}

fn cloud_type(kind: &str) -> &'static str {
    match kind {
        "PUSH_ARTIFACT" => "harbor.artifact.pushed",
        "PULL_ARTIFACT" => "harbor.artifact.pulled",
        "DELETE_ARTIFACT" => "harbor.artifact.deleted",
        "SCANNING_COMPLETED" => "harbor.scan.completed",
        "SCANNING_FAILED" => "harbor.scan.failed",
        "SCANNING_STOPPED" => "harbor.scan.stopped",
        "QUOTA_EXCEED" => "harbor.quota.exceeded",
        "QUOTA_WARNING" => "harbor.quota.warned",
        "REPLICATION" => "harbor.replication.status.changed",
        _ => "harbor.tag_retention.finished",
    }
}
