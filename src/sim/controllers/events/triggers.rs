//! Carries triggers out: makes Workflows and other objects, asks servers.
//!
//! Follows Argo Events' `pkg/sensors/triggers`. What is made carries the three labels by which it
//! is found again: the sensor, the trigger and the time. Triggers for systems that the platform
//! does not have are refused with a sentence.

mod pace;
mod workflow;

pub(super) use pace::Pace;

use super::hub::Hub;
use super::ledger::{Consequence, Made, Outcome};
use super::model::{Sensor, list, text};
use super::parameters::{Events, apply, payload};
use super::path;
use crate::api::yaml;
use crate::sim::controllers::analysis::duration;
use crate::sim::network::{Manner, Network};
use bytes::Bytes;
use http::Request;
use kube::api::{
    Api, ApiResource, DeleteParams, DynamicObject, GroupVersionKind, Patch, PatchParams, PostParams,
};
use kube::{Client, ResourceExt as _};
use serde_json::{Value, json};
use std::sync::Arc;
use std::time::Duration;

const MANAGER: &str = "argo-events";
/// A trigger is tried at most so many times.
const MOST_ATTEMPTS: u64 = 20;

/// Does what triggers say.
pub(super) struct Hands {
    pub(super) client: Client,
    pub(super) network: Network,
    pub(super) hub: Arc<Hub>,
    pub(super) pace: Pace,
}

/// A trigger of a sensor, and the events it fires for.
#[derive(Debug)]
pub(super) struct Shot {
    pub(super) sensor: Arc<Sensor>,
    pub(super) trigger: Value,
    pub(super) events: Events,
}

impl Shot {
    fn template(&self) -> &Value {
        self.trigger.get("template").unwrap_or(&Value::Null)
    }

    fn namespace(&self) -> &str {
        self.sensor
            .metadata
            .namespace
            .as_deref()
            .unwrap_or_default()
    }

    pub(super) fn name(&self) -> &str {
        text(self.template(), "name")
    }
}

type Outcomes = Result<Option<Made>, String>;

impl Hands {
    /// Carries a trigger out and notes what came of it. One that is to fire at least once and has
    /// failed for good hands its events to its dead letter trigger, if it has one.
    pub(super) async fn fire(&self, shot: Shot) {
        let outcome = self.tried(&shot).await;
        let letter = shot.trigger.get("dlqTrigger").filter(|one| one.is_object());
        let is_kept = shot.trigger.get("atLeastOnce").and_then(Value::as_bool) == Some(true);
        let Some(letter) = letter.filter(|_| outcome.is_err()).cloned() else {
            return self.note(&shot, outcome);
        };
        if !is_kept {
            let why = outcome.err().unwrap_or_default();
            let why =
                format!("{why}; its dlqTrigger is not fired, because `atLeastOnce` is not set");
            return self.note(&shot, Err(why));
        }
        self.note(&shot, outcome);
        let shot = Shot {
            trigger: letter,
            ..shot
        };
        let outcome = self.tried(&shot).await;
        self.note(&shot, outcome);
    }

    /// Tries as often as the retry strategy allows, and as fast as the rate limit does.
    async fn tried(&self, shot: &Shot) -> Outcomes {
        let retry = shot.trigger.get("retryStrategy");
        let retry = retry.cloned().unwrap_or_default();
        let attempts = retry.get("steps").and_then(Value::as_u64);
        let attempts = attempts.unwrap_or(1).clamp(1, MOST_ATTEMPTS);
        let mut pause = pause_of(&retry);
        let factor = retry.get("factor").map(path::text);
        let factor: f64 = factor.and_then(|text| text.parse().ok()).unwrap_or(1.0);
        let mut left = attempts;
        loop {
            self.pace.wait(shot, &self.hub.clock).await;
            let outcome = self.attempt(shot).await;
            left -= 1;
            if outcome.is_ok() || left == 0 {
                return outcome;
            }
            self.hub.clock.sleep(pause).await;
            pause = pause.mul_f64(factor.clamp(1.0, 10.0));
        }
    }

    fn note(&self, shot: &Shot, outcome: Outcomes) {
        let (outcome, why, object) = match outcome {
            Ok(made) => (Outcome::Fired, None, made),
            Err(why) => {
                let sensor = shot.sensor.name_any();
                tracing::warn!(sensor, trigger = shot.name(), why, "a trigger failed");
                (Outcome::Failed, Some(why), None)
            }
        };
        let consequence = Consequence {
            at: self.hub.now(),
            sensor: shot.sensor.name_any(),
            outcome,
            of: shot.name().to_owned(),
            why,
            object,
        };
        self.hub.ledger.add(shot.events.values(), &consequence);
    }

    async fn attempt(&self, shot: &Shot) -> Outcomes {
        let mut template = shot.template().clone();
        apply(&mut template, &shot.trigger, &shot.events)?;
        let part = |kind: &str| template.get(kind).filter(|one| one.is_object());
        if let Some(k8s) = part("k8s") {
            return self.object(shot, k8s).await.map(Some);
        }
        if let Some(workflow) = part("argoWorkflow") {
            return self.workflow(shot, workflow).await.map(Some);
        }
        if let Some(http) = part("http") {
            return self.ask(shot, http).await.map(|()| None);
        }
        if part("log").is_some() {
            let ids: Vec<&str> = shot
                .events
                .values()
                .map(|event| event.id.as_str())
                .collect();
            tracing::info!(
                sensor = shot.sensor.name_any(),
                events = ids.join(" "),
                "an event"
            );
            return Ok(None);
        }
        let known = ["name", "conditions", "conditionsReset"];
        let fields = template.as_object().into_iter().flatten();
        let mut kinds = fields.filter(|(field, _)| !known.contains(&field.as_str()));
        let kind = kinds.next().map_or("none", |(kind, _)| kind.as_str());
        Err(format!(
            "triggers of the kind `{kind}` are not carried out by the embedded platform; k8s, argoWorkflow, http and log are"
        ))
    }

    /// Makes, changes or deletes an object.
    async fn object(&self, shot: &Shot, k8s: &Value) -> Result<Made, String> {
        let resource = resource(shot, k8s)?;
        let object: DynamicObject = serde_json::from_value(resource.clone())
            .map_err(|error| format!("the trigger's resource is no object: {error}"))?;
        let (api, mut made) = self.api(&resource);
        let said = |error: kube::Error| said(&error);
        let name = object.name_any();
        let params = PatchParams::apply(MANAGER);
        let params = PatchParams {
            force: false,
            ..params
        };
        let operation = text(k8s, "operation");
        match operation {
            "" | "create" => {
                let params = PostParams {
                    field_manager: Some(MANAGER.to_owned()),
                    ..PostParams::default()
                };
                made.name = api.create(&params, &object).await.map_err(said)?.name_any();
                return Ok(made);
            }
            "update" | "patch" => {
                let found = api.patch(&name, &params, &Patch::Merge(&resource)).await;
                match found {
                    Ok(_) => {}
                    Err(kube::Error::Api(status))
                        if status.code == 404 && operation == "update" =>
                    {
                        let params = PostParams::default();
                        api.create(&params, &object).await.map_err(said)?;
                    }
                    Err(error) => return Err(said(error)),
                }
            }
            "delete" => {
                let params = DeleteParams::background();
                api.delete(&name, &params).await.map_err(said)?;
            }
            other => {
                return Err(format!(
                    "`{other}` is not an operation: create, update, patch, delete"
                ));
            }
        }
        made.name = name;
        Ok(made)
    }

    /// Returns where a kind of object is served, and what an object of it is called so far.
    fn api(&self, resource: &Value) -> (Api<DynamicObject>, Made) {
        let (version, kind) = (text(resource, "apiVersion"), text(resource, "kind"));
        let (group, name) = version.split_once('/').unwrap_or(("", version));
        let served = ApiResource::from_gvk(&GroupVersionKind::gvk(group, name, kind));
        let meta = resource.get("metadata").unwrap_or(&Value::Null);
        let namespace = text(meta, "namespace");
        let made = Made {
            api_version: version.to_owned(),
            kind: kind.to_owned(),
            namespace: namespace.to_owned(),
            name: text(meta, "name").to_owned(),
        };
        let api = Api::namespaced_with(self.client.clone(), namespace, &served);
        (api, made)
    }

    /// Sends a request to a server of the platform or elsewhere.
    async fn ask(&self, shot: &Shot, http: &Value) -> Result<(), String> {
        for field in ["secureHeaders", "basicAuth", "tls"] {
            if http.get(field).is_some_and(|value| !value.is_null()) {
                return Err(format!(
                    "`{field}` of an http trigger is not carried out by the embedded platform"
                ));
            }
        }
        let mut http = http.clone();
        let holder = http.clone();
        apply(&mut http, &holder, &shot.events)?;
        let body = payload(&http, &shot.events)?;
        let method = match text(&http, "method") {
            "" => "POST",
            method => method,
        };
        let url = text(&http, "url");
        let mut request = Request::builder()
            .method(method)
            .uri(url)
            .header("content-type", "application/json");
        let headers = http.get("headers").and_then(Value::as_object);
        for (name, value) in headers.into_iter().flatten() {
            request = request.header(name.as_str(), path::text(value));
        }
        let request = request
            .body(Bytes::from(body.to_string()))
            .map_err(|error| format!("cannot ask `{url}`: {error}"))?;
        let limit = http.get("timeout").and_then(Value::as_u64).unwrap_or(60);
        let manner = Manner {
            limit: Some(Duration::from_secs(limit)),
            insecure: false,
        };
        let answer = self
            .network
            .send_in(request, &manner, &self.hub.clock)
            .await;
        let answer = answer.map_err(|error| format!("cannot ask `{url}`: {error}"))?;
        let allowed = shot.trigger.pointer("/policy/status/allow");
        let allowed = allowed.and_then(Value::as_array);
        let status = i64::from(answer.status().as_u16());
        match allowed {
            Some(allowed) if !allowed.iter().any(|one| one.as_i64() == Some(status)) => Err(
                format!("`{url}` answered {status}, which the trigger's policy does not allow"),
            ),
            Some(_) | None => Ok(()),
        }
    }
}

/// Returns the object of a trigger with its parameters, its namespace and the labels.
fn resource(shot: &Shot, holder: &Value) -> Result<Value, String> {
    let source = holder.get("source").unwrap_or(&Value::Null);
    let inline = text(source, "inline");
    let mut resource = match source.get("resource").filter(|one| one.is_object()) {
        Some(resource) => resource.clone(),
        None if !inline.is_empty() => yaml::from_str::<Value>(inline)
            .map_err(|error| format!("the trigger's inline source cannot be read: {error}"))?,
        None => {
            return Err(
                "the trigger has no `source.resource`; the embedded platform reads `resource` and `inline` only"
                    .to_owned(),
            );
        }
    };
    apply(&mut resource, holder, &shot.events)?;
    if path::get(&resource, "metadata.namespace").is_none_or(|found| found == "") {
        path::set(&mut resource, "metadata.namespace", shot.namespace().into())?;
    }
    label(shot, &mut resource)?;
    Ok(resource)
}

fn label(shot: &Shot, resource: &mut Value) -> Result<(), String> {
    let now = shot.events.values().map(|event| event.at).max();
    let now = now.map_or(0, |at| at.timestamp_millis());
    for (label, value) in [
        ("sensor", shot.sensor.name_any()),
        ("trigger", shot.name().to_owned()),
        ("action-timestamp", now.to_string()),
    ] {
        let place = format!("metadata.labels.events\\.argoproj\\.io/{label}");
        path::set(resource, &place, value.into())?;
    }
    Ok(())
}

fn pause_of(retry: &Value) -> Duration {
    let given = retry
        .get("duration")
        .cloned()
        .unwrap_or_else(|| json!("1s"));
    if let Some(nanos) = given.as_u64() {
        return Duration::from_nanos(nanos);
    }
    let span = duration::go(&path::text(&given)).ok();
    let span = span.and_then(|span| span.to_std().ok());
    span.unwrap_or(Duration::from_secs(1))
}

/// Returns what the API server said.
fn said(error: &kube::Error) -> String {
    if let kube::Error::Api(status) = error {
        return status.message.clone();
    }
    error.to_string()
}

/// Returns what is wrong with a trigger before it ever fires.
pub(super) fn mistake(trigger: &Value) -> Option<String> {
    let template = trigger.get("template").filter(|one| one.is_object());
    let Some(template) = template else {
        return Some("trigger template can't be nil".to_owned());
    };
    let name = text(template, "name");
    if name.is_empty() {
        return Some("trigger must define a name".to_owned());
    }
    for kind in ["k8s", "argoWorkflow"] {
        let Some(part) = template.get(kind).filter(|one| one.is_object()) else {
            continue;
        };
        if part.get("source").is_none_or(Value::is_null) {
            return Some(format!(
                "trigger `{name}` does not contain an absolute action"
            ));
        }
    }
    for holder in [
        Some(trigger),
        template.get("k8s"),
        template.get("argoWorkflow"),
    ] {
        let parameters = holder.map(|one| list(one, "parameters"));
        for parameter in parameters.unwrap_or_default() {
            if text(parameter, "dest").is_empty() {
                return Some(format!(
                    "trigger `{name}`: parameter destination can't be empty"
                ));
            }
        }
    }
    if let Some(why) = pace::mistake(trigger) {
        return Some(format!("trigger `{name}`: {why}"));
    }
    let letter = trigger.get("dlqTrigger").filter(|one| one.is_object());
    letter.and_then(mistake)
}
