//! The controllers of Sensors and EventBuses: their status and their pods.

use super::conditions::{Unmet, status};
use super::expression;
use super::hub::Hub;
use super::listener::condition_of;
use super::model::{EventBus, Sensor, bus_of, list, text};
use super::triggers;
use super::workloads::{self, Role};
use crate::sim::controllers::runtime::{
    Controller, Informer, ObjectKey, ReconcileError, Requeue, Runtime, Writer,
};
use k8s_openapi::api::apps::v1::{Deployment, StatefulSet};
use serde_json::Value;
use std::collections::BTreeSet;
use std::sync::Arc;

const MANAGER: &str = "sensor-controller";

pub(super) struct Sensors {
    sensors: Writer<Sensor>,
    deployments: Writer<Deployment>,
    hub: Arc<Hub>,
}

impl Sensors {
    pub(super) fn start(runtime: &Runtime, sensors: &Informer<Sensor>, hub: Arc<Hub>) {
        let queue = runtime.queue();
        sensors.feed(&queue, |change| [change.key()]);
        let all = sensors.clone();
        hub.buses.feed(&queue, move |change| {
            let sensors = all.in_namespace(&change.key().namespace);
            sensors
                .iter()
                .map(|one| ObjectKey::of(&**one))
                .collect::<Vec<_>>()
        });
        let deployments = runtime.informer::<Deployment>();
        deployments.required_by(&queue);
        let controller = Self {
            sensors: sensors.writer(MANAGER),
            deployments: deployments.writer(MANAGER),
            hub,
        };
        runtime.run(controller, queue);
    }
}

fn wrong_dependencies(spec: &Value) -> Option<Unmet> {
    let wrong = |message: &str| Some(Unmet::new("InvalidDependencies", message));
    let dependencies = list(spec, "dependencies");
    if dependencies.is_empty() {
        return wrong("no event dependencies found");
    }
    let mut names = BTreeSet::new();
    for dependency in dependencies {
        let name = text(dependency, "name");
        if name.is_empty() {
            return wrong("event dependency must define a name");
        }
        if !names.insert(name) {
            return wrong(&format!("more than 1 dependency is named `{name}`"));
        }
        for (field, what) in [
            ("eventSourceName", "EventSourceName"),
            ("eventName", "EventName"),
        ] {
            if text(dependency, field).is_empty() {
                return wrong(&format!("event dependency `{name}` must define the {what}"));
            }
        }
    }
    None
}

fn wrong_triggers(spec: &Value) -> Option<Unmet> {
    let wrong = |message: String| Some(Unmet::new("InvalidTriggers", message));
    let triggers = list(spec, "triggers");
    if triggers.is_empty() {
        return wrong("no triggers found".to_owned());
    }
    let known: Vec<&str> = list(spec, "dependencies")
        .iter()
        .map(|one| text(one, "name"))
        .collect();
    for trigger in triggers {
        if let Some(message) = triggers::mistake(trigger) {
            return wrong(message);
        }
        let condition = condition_of(spec, trigger);
        // Every name is there, so that only the form can be wrong.
        let form = expression::holds(&condition, &|_| Some(true.into()));
        if let Err(why) = form {
            return wrong(format!("the conditions cannot be read: {why}"));
        }
        let names = expression::names(&condition).unwrap_or_default();
        if let Some(unknown) = names.iter().find(|name| !known.contains(&name.as_str())) {
            return wrong(format!(
                "the conditions name `{unknown}`, which is no dependency"
            ));
        }
    }
    None
}

impl Controller for Sensors {
    type Key = ObjectKey;
    const NAME: &'static str = "sensors";

    async fn reconcile(&self, key: &ObjectKey) -> Result<Requeue, ReconcileError> {
        let found = self.sensors.informer().get(key);
        let Some(sensor) = found.filter(|one| one.metadata.deletion_timestamp.is_none()) else {
            return Ok(Requeue::OnChange);
        };
        let dependencies = wrong_dependencies(&sensor.spec).map_or(Ok(()), Err);
        let triggers = wrong_triggers(&sensor.spec).map_or(Ok(()), Err);
        let bus = self.hub.bus(&key.namespace, bus_of(&sensor.spec));
        let deployed = match bus {
            _ if dependencies.is_err() || triggers.is_err() => None,
            Err((reason, message)) => Some(Err(Unmet::new(reason, message))),
            Ok(()) => {
                let uid = sensor.metadata.uid.as_deref().unwrap_or_default();
                if self.deployments.informer().owned_by(uid).is_empty() {
                    let replicas = sensor.spec.get("replicas").and_then(Value::as_i64);
                    let replicas = replicas.unwrap_or(1);
                    let deployment = workloads::deployment(&*sensor, Role::Sensor, replicas);
                    workloads::made(self.deployments.create(&deployment).await)?;
                }
                Some(Ok(()))
            }
        };
        let verdicts = [
            ("DependenciesProvided", Some(dependencies)),
            ("TriggersProvided", Some(triggers)),
            ("Deployed", deployed),
        ];
        let generation = sensor.metadata.generation;
        let new = status(&sensor.status, generation, &verdicts, self.hub.now());
        self.sensors
            .update_status(&sensor, &sensor.status, &new)
            .await?;
        Ok(Requeue::OnChange)
    }
}

/// The controller of EventBuses.
pub(super) struct Buses {
    buses: Writer<EventBus>,
    sets: Writer<StatefulSet>,
    hub: Arc<Hub>,
}

impl Buses {
    pub(super) fn start(runtime: &Runtime, hub: Arc<Hub>) {
        let queue = runtime.queue();
        hub.buses.feed(&queue, |change| [change.key()]);
        let sets = runtime.informer::<StatefulSet>();
        sets.required_by(&queue);
        let controller = Self {
            buses: hub.buses.writer("eventbus-controller"),
            sets: sets.writer("eventbus-controller"),
            hub,
        };
        runtime.run(controller, queue);
    }
}

impl Controller for Buses {
    type Key = ObjectKey;
    const NAME: &'static str = "eventbus";

    async fn reconcile(&self, key: &ObjectKey) -> Result<Requeue, ReconcileError> {
        let found = self.buses.informer().get(key);
        let Some(bus) = found.filter(|one| one.metadata.deletion_timestamp.is_none()) else {
            return Ok(Requeue::OnChange);
        };
        let wanted = ["jetstream", "nats", "kafka", "jetstreamExotic"];
        let kind = wanted
            .iter()
            .find(|kind| bus.spec.get(**kind).is_some_and(Value::is_object));
        let deployed = match kind {
            None => Err(Unmet::new(
                "InvalidEventBus",
                "invalid spec: either \"nats\", \"jetstream\", or \"kafka\" needs to be specified",
            )),
            Some(&"jetstream" | &"nats") => {
                let uid = bus.metadata.uid.as_deref().unwrap_or_default();
                if self.sets.informer().owned_by(uid).is_empty() {
                    let set = workloads::stateful_set(&bus);
                    workloads::made(self.sets.create(&set).await)?;
                }
                Ok(())
            }
            // A bus that stands elsewhere upstream; here the queue in memory takes its place.
            Some(_) => Ok(()),
        };
        let configured = deployed.clone();
        let verdicts = [
            ("Configured", Some(configured)),
            ("Deployed", Some(deployed)),
        ];
        let new = status(
            &bus.status,
            bus.metadata.generation,
            &verdicts,
            self.hub.now(),
        );
        self.buses.update_status(&bus, &bus.status, &new).await?;
        Ok(Requeue::OnChange)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn conditions_name_dependencies_only() {
        let spec = |conditions: &str| {
            json!({
                "dependencies": [{"name": "push-a", "eventSourceName": "git", "eventName": "a"}],
                "triggers": [{"template": {"name": "t", "conditions": conditions, "log": {}}}],
            })
        };
        let why = |conditions: &str| {
            wrong_triggers(&spec(conditions)).map_or(String::new(), |unmet| unmet.message)
        };
        assert!(wrong_dependencies(&spec("")).is_none());
        assert_eq!(why(""), "");
        assert_eq!(
            why("push-a && push-b"),
            "the conditions name `push-b`, which is no dependency"
        );
        assert!(why("push-a &&").starts_with("the conditions cannot be read"));
        assert!(wrong_dependencies(&json!({})).is_some());
    }
}
