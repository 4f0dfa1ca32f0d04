//! Events: sources, the Sensors that listen to them, what their triggers made, and webhooks that
//! came in, as one list under headings.

use super::lists::{ListCursor, Loaded};
use crate::domain::event_flow::{
    Dependency, EventFlow, EventSource, Listener, Made, Sensor, SensorTrigger, SourceEvent, Webhook,
};
use crate::domain::object::{ObjectRef, Uid};
use crate::engine::protocol::Ticket;

/// A row: places in the lists of [`EventFlow`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum FlowRow {
    Source(usize),
    Event(usize, usize),
    /// A dependency that listens to the event above.
    Listens(usize, usize),
    Trigger(usize, usize),
    Made(usize),
    Sensor(usize),
    Listener(usize),
    ListenerTrigger(usize, usize),
    /// The heading of the webhooks.
    Webhooks,
    Webhook(usize),
}

/// What a row stands for.
#[derive(Clone, Copy, Debug)]
pub enum FlowItem<'flow> {
    Source(&'flow EventSource),
    Event(&'flow EventSource, &'flow SourceEvent),
    Listens(&'flow Sensor, &'flow Dependency),
    Trigger(&'flow Sensor, &'flow SensorTrigger),
    Made(&'flow Made),
    Sensor(&'flow Sensor),
    Listener(&'flow Listener),
    ListenerTrigger(&'flow Listener, usize),
    Webhooks,
    Webhook(&'flow Webhook),
}

/// The screen of events.
#[derive(Debug)]
pub struct FlowScreen {
    pub ticket: Option<Ticket>,
    pub flow: Loaded<EventFlow>,
    pub cursor: ListCursor,
    /// Rows with how deep they stand.
    rows: Vec<(FlowRow, u16)>,
}

/// How many made objects are shown below a trigger.
const MADE: usize = 5;

impl Default for FlowScreen {
    fn default() -> Self {
        Self {
            ticket: None,
            flow: Loaded::Waiting,
            cursor: ListCursor::default(),
            rows: Vec::new(),
        }
    }
}

impl FlowScreen {
    /// Returns the rows with how deep they stand.
    pub fn rows(&self) -> &[(FlowRow, u16)] {
        &self.rows
    }

    /// Returns what a row stands for.
    pub fn item(&self, row: FlowRow) -> Option<FlowItem<'_>> {
        let flow = self.flow.ready()?;
        Some(match row {
            FlowRow::Source(at) => FlowItem::Source(flow.sources.get(at)?),
            FlowRow::Event(at, event) => {
                let source = flow.sources.get(at)?;
                FlowItem::Event(source, source.events.get(event)?)
            }
            FlowRow::Listens(at, one) => {
                let sensor = flow.sensors.get(at)?;
                FlowItem::Listens(sensor, sensor.dependencies.get(one)?)
            }
            FlowRow::Trigger(at, one) => {
                let sensor = flow.sensors.get(at)?;
                FlowItem::Trigger(sensor, sensor.triggers.get(one)?)
            }
            FlowRow::Made(at) => FlowItem::Made(flow.made.get(at)?),
            FlowRow::Sensor(at) => FlowItem::Sensor(flow.sensors.get(at)?),
            FlowRow::Listener(at) => FlowItem::Listener(flow.listeners.get(at)?),
            FlowRow::ListenerTrigger(at, one) => {
                FlowItem::ListenerTrigger(flow.listeners.get(at)?, one)
            }
            FlowRow::Webhooks => FlowItem::Webhooks,
            FlowRow::Webhook(at) => FlowItem::Webhook(flow.webhooks.get(at)?),
        })
    }

    /// Returns what is under the cursor.
    pub fn current(&self) -> Option<FlowItem<'_>> {
        let (row, _) = self.rows.get(self.cursor.position)?;
        self.item(*row)
    }

    pub(in crate::app) fn set_flow(&mut self, flow: EventFlow, window: usize) {
        let before = self.current().map(|item| item.key());
        self.rows = rows_of(&flow);
        self.flow = Loaded::Ready(flow);
        let found = before.and_then(|before| {
            let mut rows = self.rows.iter();
            rows.position(|(row, _)| self.item(*row).is_some_and(|item| item.key() == before))
        });
        let position = found.unwrap_or(self.cursor.position);
        self.cursor.move_to(position, window, self.rows.len());
    }
}

impl FlowItem<'_> {
    /// Identifies a row from one report to the next.
    fn key(&self) -> String {
        match self {
            Self::Source(one) => format!("source {}", one.object.path()),
            Self::Event(source, event) => format!("event {} {}", source.object.path(), event.name),
            Self::Listens(sensor, one) => format!("listens {} {}", sensor.object.path(), one.name),
            Self::Trigger(sensor, one) => format!("trigger {} {}", sensor.object.path(), one.name),
            Self::Made(made) => format!("made {}", made.uid.0),
            Self::Sensor(one) => format!("sensor {}", one.object.path()),
            Self::Listener(one) => format!("listener {}", one.object.path()),
            Self::ListenerTrigger(one, at) => format!("listener {} {at}", one.object.path()),
            Self::Webhooks => String::from("webhooks"),
            Self::Webhook(one) => format!("webhook {}", one.id),
        }
    }

    /// Returns the object of the row, where it has one.
    pub fn object(&self) -> Option<(&ObjectRef, &Uid)> {
        match self {
            Self::Source(one) | Self::Event(one, _) => Some((&one.object, &one.uid)),
            Self::Listens(one, _) | Self::Trigger(one, _) | Self::Sensor(one) => {
                Some((&one.object, &one.uid))
            }
            Self::Made(one) => Some((&one.object, &one.uid)),
            Self::Listener(one) | Self::ListenerTrigger(one, _) => Some((&one.object, &one.uid)),
            Self::Webhooks | Self::Webhook(_) => None,
        }
    }
}

fn rows_of(flow: &EventFlow) -> Vec<(FlowRow, u16)> {
    let mut rows = Vec::new();
    let mut met: Vec<usize> = Vec::new();
    for (at, source) in flow.sources.iter().enumerate() {
        rows.push((FlowRow::Source(at), 0));
        for (number, event) in source.events.iter().enumerate() {
            rows.push((FlowRow::Event(at, number), 1));
            for (sensor, dependency) in flow.listening(source, &event.name) {
                let found = flow
                    .sensors
                    .iter()
                    .position(|one| one.object == sensor.object);
                let Some(place) = found else { continue };
                met.push(place);
                push_listening(&mut rows, flow, (place, &dependency.name));
            }
        }
    }
    for (at, sensor) in flow.sensors.iter().enumerate() {
        if met.contains(&at) {
            continue;
        }
        rows.push((FlowRow::Sensor(at), 0));
        for number in 0..sensor.triggers.len() {
            push_trigger(&mut rows, flow, (at, number), 1);
        }
    }
    for (at, listener) in flow.listeners.iter().enumerate() {
        rows.push((FlowRow::Listener(at), 0));
        for (number, (name, _)) in listener.triggers.iter().enumerate() {
            rows.push((FlowRow::ListenerTrigger(at, number), 1));
            push_made(&mut rows, flow, (&listener.object.name, name), 2);
        }
    }
    if !flow.webhooks.is_empty() {
        rows.push((FlowRow::Webhooks, 0));
        let webhooks = (0..flow.webhooks.len()).map(|at| (FlowRow::Webhook(at), 1));
        rows.extend(webhooks);
    }
    rows
}

fn push_listening(rows: &mut Vec<(FlowRow, u16)>, flow: &EventFlow, (at, name): (usize, &str)) {
    let Some(sensor) = flow.sensors.get(at) else {
        return;
    };
    let Some(number) = sensor
        .dependencies
        .iter()
        .position(|one| &*one.name == name)
    else {
        return;
    };
    rows.push((FlowRow::Listens(at, number), 2));
    for (trigger, one) in sensor.triggers.iter().enumerate() {
        if one.uses.iter().any(|used| &**used == name) {
            push_trigger(rows, flow, (at, trigger), 3);
        }
    }
}

fn push_trigger(
    rows: &mut Vec<(FlowRow, u16)>,
    flow: &EventFlow,
    (at, number): (usize, usize),
    depth: u16,
) {
    let Some(sensor) = flow.sensors.get(at) else {
        return;
    };
    let Some(trigger) = sensor.triggers.get(number) else {
        return;
    };
    rows.push((FlowRow::Trigger(at, number), depth));
    push_made(rows, flow, (&sensor.object.name, &trigger.name), depth + 1);
}

fn push_made(
    rows: &mut Vec<(FlowRow, u16)>,
    flow: &EventFlow,
    (by, trigger): (&str, &str),
    depth: u16,
) {
    let made = flow.made.iter().enumerate();
    let made = made.filter(|(_, made)| &*made.by == by && &*made.trigger == trigger);
    rows.extend(made.take(MADE).map(|(at, _)| (FlowRow::Made(at), depth)));
}
