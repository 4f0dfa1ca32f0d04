//! Brings events to sensors: filters, conditions, and the triggers that fire.
//!
//! Follows Argo Events' `pkg/sensors/listener.go`. For each trigger the newest event of each of its
//! dependencies is kept until the trigger's condition holds; then it fires and starts anew. What is
//! kept is in memory alone, and forgotten when the sensor changes.

use super::expression;
use super::filters;
use super::hub::Hub;
use super::ledger::{Consequence, Outcome};
use super::model::{Event, Sensor, bus_of, list, text};
use super::parameters::Events;
use super::triggers::{Hands, Shot};
use crate::sim::controllers::cronjob::schedule::Schedule;
use crate::sim::controllers::runtime::{Informer, ObjectKey, Runtime};
use chrono::{DateTime, Utc};
use kube::ResourceExt as _;
use serde_json::Value;
use std::collections::BTreeMap;
use std::sync::Arc;
use tokio::sync::mpsc;

/// Hands events to the sensors, one at a time.
pub(super) struct Listener {
    pub(super) sensors: Informer<Sensor>,
    pub(super) hub: Arc<Hub>,
    pub(super) hands: Arc<Hands>,
    pub(super) runtime: Runtime,
    pub(super) kept: BTreeMap<ObjectKey, Kept>,
}

/// What is kept for one sensor.
pub(super) struct Kept {
    sensor: Arc<Sensor>,
    /// By trigger: the events that have come, and when the first of them did.
    waiting: BTreeMap<String, (Events, DateTime<Utc>)>,
}

impl Listener {
    pub(super) async fn run(mut self, mut events: mpsc::Receiver<Arc<Event>>) {
        while let Some(event) = events.recv().await {
            let sensors = self.sensors.in_namespace(&event.namespace);
            let listening = |sensor: &&Arc<Sensor>| bus_of(&sensor.spec) == event.bus;
            for sensor in sensors.iter().filter(listening) {
                self.hand(sensor, &event);
            }
        }
    }

    fn hand(&mut self, sensor: &Arc<Sensor>, event: &Arc<Event>) {
        for dependency in list(&sensor.spec, "dependencies") {
            let fits = text(dependency, "eventSourceName") == event.source
                && text(dependency, "eventName") == event.subject;
            if !fits {
                continue;
            }
            let name = text(dependency, "name");
            let transform = dependency.get("transform").filter(|one| one.is_object());
            let verdict = match transform {
                Some(_) => Err(
                    "transformations with jq or Lua are not carried out by the embedded platform"
                        .to_owned(),
                ),
                None => filters::passes(event, dependency),
            };
            if let Err(why) = verdict {
                self.note(sensor, event, (Outcome::Dropped, name, Some(why)));
                continue;
            }
            for trigger in list(&sensor.spec, "triggers") {
                self.offer(sensor, trigger, (name, event));
            }
        }
    }

    /// Keeps an event for a trigger, and fires the trigger if that was all it waited for.
    fn offer(
        &mut self,
        sensor: &Arc<Sensor>,
        trigger: &Value,
        (dependency, event): (&str, &Arc<Event>),
    ) {
        let condition = condition_of(&sensor.spec, trigger);
        let names = expression::names(&condition).unwrap_or_default();
        if !names.iter().any(|name| name == dependency) {
            return;
        }
        let name = trigger.get("template").map_or("", |one| text(one, "name"));
        let waiting = self.waiting(sensor, trigger, event.at);
        waiting.insert(dependency.to_owned(), event.clone());
        let lookup = |name: &str| Some(waiting.contains_key(name).into());
        match expression::holds(&condition, &lookup) {
            Ok(true) => {
                let events = std::mem::take(waiting);
                self.forget(sensor, name);
                let shot = Shot {
                    sensor: sensor.clone(),
                    trigger: trigger.clone(),
                    events,
                };
                let hands = self.hands.clone();
                self.runtime.spawn(async move { hands.fire(shot).await });
            }
            Ok(false) => {
                let why = format!("`{name}` fires when {condition}");
                self.note(sensor, event, (Outcome::Waiting, dependency, Some(why)));
            }
            Err(why) => self.note(sensor, event, (Outcome::Failed, name, Some(why))),
        }
    }

    /// Returns what is kept for a trigger; a sensor that has changed starts anew, and so does a
    /// trigger whose time to be reset has come.
    fn waiting(
        &mut self,
        sensor: &Arc<Sensor>,
        trigger: &Value,
        now: DateTime<Utc>,
    ) -> &mut Events {
        let template = trigger.get("template").unwrap_or(&Value::Null);
        let key = ObjectKey::of(&**sensor);
        let kept = self.kept.entry(key).or_insert_with(|| Kept {
            sensor: sensor.clone(),
            waiting: BTreeMap::new(),
        });
        let same =
            kept.sensor.metadata.uid == sensor.metadata.uid && kept.sensor.spec == sensor.spec;
        if !same {
            kept.waiting.clear();
        }
        kept.sensor = sensor.clone();
        let place = kept.waiting.entry(text(template, "name").to_owned());
        let (events, since) = place.or_insert_with(|| (Events::new(), now));
        let resets = list(template, "conditionsReset").iter();
        let times = resets.filter_map(|reset| reset.get("byTime"));
        for time in times {
            let schedule = Schedule::parse(text(time, "cron"));
            let due = schedule.ok().and_then(|schedule| schedule.next(*since));
            if due.is_some_and(|due| due <= now) {
                events.clear();
            }
        }
        if events.is_empty() {
            *since = now;
        }
        events
    }

    fn forget(&mut self, sensor: &Arc<Sensor>, trigger: &str) {
        if let Some(kept) = self.kept.get_mut(&ObjectKey::of(&**sensor)) {
            kept.waiting.remove(trigger);
        }
    }

    fn note(&self, sensor: &Sensor, event: &Arc<Event>, what: (Outcome, &str, Option<String>)) {
        let (outcome, of, why) = what;
        let consequence = Consequence {
            at: self.hub.now(),
            sensor: sensor.name_any(),
            outcome,
            of: of.to_owned(),
            why,
            object: None,
        };
        self.hub.ledger.add([event], &consequence);
    }
}

/// Returns when a trigger fires; by default when all dependencies have come.
pub(super) fn condition_of(spec: &Value, trigger: &Value) -> String {
    let template = trigger.get("template").unwrap_or(&Value::Null);
    match text(template, "conditions") {
        "" => {
            let names = list(spec, "dependencies").iter();
            let names: Vec<&str> = names.map(|one| text(one, "name")).collect();
            names.join(" && ")
        }
        given => given.to_owned(),
    }
}
