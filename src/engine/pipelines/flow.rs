//! The flow of events: sources, sensors, listeners, what they made, and webhooks that came in.
//!
//! Everything but the webhooks is watched. Webhooks are kept by the receiver of the platform,
//! behind the API server's service proxy; they are asked for while somebody looks, and again
//! whenever something was made.

use crate::api::convert::event::{event_source, listener, listener_kind, sensor, webhooks};
use crate::api::convert::{tekton, workflow};
use crate::domain::event_flow::{
    EventFlow, EventSource, Listener, Made, Sensor, Webhook, event_source_kind, sensor_kind,
};
use crate::domain::finding::{Finding, Severity};
use crate::domain::object::{Cluster, GroupKind, ObjectRef, Text};
use crate::domain::pipeline::{RunRow, Trigger};
use crate::domain::status::Freshness;
use crate::engine::fault::Fault;
use crate::engine::paced::{self, Paced, Shown};
use crate::engine::protocol::{SourceName, Ticket, Update};
use crate::engine::session::Session;
use crate::engine::transport::{Call, segment};
use crate::engine::watch::{Batch, Outlet, Target, Typed, Watcher};
use futures::FutureExt;
use futures::future::BoxFuture;
use serde_json::Value;
use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::mpsc;
use tokio_util::task::AbortOnDropHandle;

/// How often the receiver is asked what came in.
const BETWEEN_LOOKS: Duration = Duration::from_secs(3);
/// How many made objects are told.
const TOLD: usize = 200;

/// Where the receiver of the platform is: a Service.
pub(in crate::engine) const RECEIVER: (&str, &str) = ("argo-events", "webhooks");

/// One object of the flow.
#[derive(Clone, Debug, PartialEq)]
enum Part {
    Source(Box<EventSource>),
    Sensor(Box<Sensor>),
    Listener(Box<Listener>),
    Made(Box<Made>),
}

enum Change {
    Parts(Batch<(ObjectRef, Option<Part>)>),
    Freshness(GroupKind, Freshness),
    Webhooks(Result<Vec<Webhook>, Text>),
}

/// Follows the flow until it is unsubscribed.
pub(in crate::engine) async fn run(session: Arc<Session>, ticket: Ticket) {
    let (changes, mut inbox) = mpsc::channel(64);
    let mut flow = Flow {
        session: Arc::clone(&session),
        ticket,
        parts: HashMap::new(),
        states: HashMap::new(),
        webhooks: Vec::new(),
        without: None,
        sent: None,
    };
    let mut tasks = flow.watch(&changes).await;
    let looking = look(session, changes.clone());
    tasks.push(AbortOnDropHandle::new(tokio::spawn(looking)));
    paced::draw(&mut flow, &mut inbox).await;
    drop(tasks);
}

/// Asks the receiver again and again. One that is not there is asked about rarely.
async fn look(session: Arc<Session>, changes: mpsc::Sender<Change>) {
    let (namespace, service) = RECEIVER;
    let path = format!("/api/v1/namespaces/{namespace}/services/{service}/proxy/webhooks");
    loop {
        let answer = session.send_json(Call::get(path.as_str())).await;
        let wait = if answer.is_ok() {
            BETWEEN_LOOKS
        } else {
            BETWEEN_LOOKS * 10
        };
        let read = answer.map(|value| webhooks(&value)).map_err(|fault| {
            if matches!(fault, Fault::NotFound(_)) {
                return Text::from("no receiver here keeps what it received");
            }
            format!("the receiver cannot be asked: {fault}").into()
        });
        if changes.send(Change::Webhooks(read)).await.is_err() {
            return;
        }
        tokio::time::sleep(wait).await;
    }
}

struct Flow {
    session: Arc<Session>,
    ticket: Ticket,
    parts: HashMap<ObjectRef, Part>,
    states: HashMap<GroupKind, Freshness>,
    webhooks: Vec<Webhook>,
    without: Option<Text>,
    sent: Option<EventFlow>,
}

impl Paced for Flow {
    type Change = Change;

    async fn take(&mut self, change: Change) {
        self.apply(change).await;
    }

    async fn show(&mut self) -> Shown {
        self.send().await
    }
}

impl Flow {
    async fn watch(&self, changes: &mpsc::Sender<Change>) -> Vec<AbortOnDropHandle<()>> {
        let made = "labelSelector=events.argoproj.io%2Fsensor&";
        let listened = "labelSelector=triggers.tekton.dev%2Feventlistener&";
        let kinds = [
            (event_source_kind(), ""),
            (sensor_kind(), ""),
            (listener_kind(), ""),
            (workflow::workflow_kind(), made),
            (tekton::pipeline_run_kind(), made),
            (tekton::pipeline_run_kind(), listened),
        ];
        let mut watches = Vec::new();
        for (kind, selector) in kinds {
            let Ok(resource) = self.session.resource(&kind).await else {
                continue;
            };
            let mut target = Target::in_scope(resource, &self.session.scope);
            selector.clone_into(&mut target.selector);
            let reader = part_reader(kind.clone());
            let projection = Typed::new(self.session.cluster.clone(), kind.clone(), reader);
            let wrap = |_: &Typed<(ObjectRef, Option<Part>)>, batch| Change::Parts(batch);
            let outlet = Outlet::new(changes.clone(), wrap, teller(changes.clone(), kind));
            let watcher = Watcher::new(Arc::clone(&self.session), target, projection, outlet);
            watches.push(AbortOnDropHandle::new(tokio::spawn(watcher.run())));
        }
        watches
    }

    async fn apply(&mut self, change: Change) {
        match change {
            Change::Parts(batch) => {
                for (object, _) in &batch.removed {
                    self.parts.remove(object);
                }
                for (object, part) in batch.rows {
                    match part {
                        Some(part) => drop(self.parts.insert(object, part)),
                        None => drop(self.parts.remove(&object)),
                    }
                }
            }
            Change::Freshness(kind, freshness) => {
                if !matches!(freshness, Freshness::Absent { .. }) {
                    let source = SourceName::Kind(kind.clone());
                    self.session
                        .report_freshness(source, freshness.clone())
                        .await;
                }
                self.states.insert(kind, freshness);
            }
            Change::Webhooks(Ok(all)) => {
                self.webhooks = all;
                self.without = None;
            }
            Change::Webhooks(Err(why)) => {
                // What is known stays, with the reason beside it.
                self.without = Some(why);
            }
        }
    }

    fn build(&self) -> EventFlow {
        let mut flow = EventFlow {
            webhooks: self.webhooks.clone(),
            without_webhooks: self.without.clone(),
            ..EventFlow::default()
        };
        for part in self.parts.values() {
            match part {
                Part::Source(one) => flow.sources.push((**one).clone()),
                Part::Sensor(one) => flow.sensors.push((**one).clone()),
                Part::Listener(one) => flow.listeners.push((**one).clone()),
                Part::Made(one) => flow.made.push((**one).clone()),
            }
        }
        flow.sources.sort_by(|a, b| a.object.cmp(&b.object));
        flow.sensors.sort_by(|a, b| a.object.cmp(&b.object));
        flow.listeners.sort_by(|a, b| a.object.cmp(&b.object));
        flow.made
            .sort_by(|a, b| b.at.cmp(&a.at).then_with(|| a.object.cmp(&b.object)));
        flow.made.truncate(TOLD);
        flow.findings = self.findings(&flow);
        flow
    }

    fn findings(&self, flow: &EventFlow) -> Vec<Finding> {
        let mut findings = Vec::new();
        // Sources on their way are not sources that are missing.
        let known = self.states.get(&event_source_kind()) == Some(&Freshness::Live);
        for (sensor, one) in flow.unmet().into_iter().filter(|_| known) {
            let sentence = format!(
                "`{}` of Sensor `{}` waits for event `{}` of EventSource `{}`, which nobody has",
                one.name, sensor.object.name, one.event, one.source
            );
            let finding = Finding::new(Severity::Warning, sentence)
                .with_hint("correct the names, or make the EventSource");
            findings.push(finding.about(sensor.object.clone()));
        }
        for (kind, state) in &self.states {
            if let Freshness::Forbidden { reason } = state {
                let sentence = format!("cannot see `{kind}`: {reason}");
                findings.push(Finding::new(Severity::Warning, sentence));
            }
        }
        findings.sort_by(|a, b| a.sentence.cmp(&b.sentence));
        findings
    }

    async fn send(&mut self) -> Shown {
        let unheard = |state: Option<&Freshness>| {
            matches!(
                state,
                None | Some(Freshness::Connecting | Freshness::Loading { .. })
            )
        };
        let sources = self.states.get(&event_source_kind());
        let sensors = self.states.get(&sensor_kind());
        if self.sent.is_none() && (unheard(sources) || unheard(sensors)) {
            return Shown::TooEarly;
        }
        let flow = self.build();
        if self.sent.as_ref() == Some(&flow) {
            return Shown::Made;
        }
        self.sent = Some(flow.clone());
        let (generation, ticket) = (self.session.generation, self.ticket);
        let flow = Box::new(flow);
        self.session
            .report(Update::EventFlow {
                generation,
                ticket,
                flow,
            })
            .await;
        Shown::Made
    }
}

fn teller(
    changes: mpsc::Sender<Change>,
    kind: GroupKind,
) -> impl Fn(Freshness) -> BoxFuture<'static, ()> + Send + Sync + 'static {
    move |freshness| {
        let changes = changes.clone();
        let kind = kind.clone();
        async move {
            if changes
                .send(Change::Freshness(kind, freshness))
                .await
                .is_err()
            {
                tracing::debug!("the flow of events is closed");
            }
        }
        .boxed()
    }
}

fn part_reader(
    kind: GroupKind,
) -> impl Fn(&Value, &Cluster) -> (ObjectRef, Option<Part>) + Send + Sync {
    move |value, cluster| match &*kind.kind {
        "EventSource" => {
            let one = event_source(value, cluster);
            (one.object.clone(), Some(Part::Source(Box::new(one))))
        }
        "Sensor" => {
            let one = sensor(value, cluster);
            (one.object.clone(), Some(Part::Sensor(Box::new(one))))
        }
        "EventListener" => {
            let one = listener(value, cluster);
            (one.object.clone(), Some(Part::Listener(Box::new(one))))
        }
        "Workflow" => made(workflow::run_row(value, cluster)),
        _ => made(tekton::run_row(value, cluster, &kind)),
    }
}

fn made(row: RunRow) -> (ObjectRef, Option<Part>) {
    let (by, trigger) = match &row.trigger {
        Trigger::Sensor { sensor, trigger } => (sensor, trigger),
        Trigger::Listener {
            listener, trigger, ..
        } => (listener, trigger),
        Trigger::Manual | Trigger::Cron(_) | Trigger::Again(_) | Trigger::Event(_) => {
            return (row.object, None);
        }
    };
    let made = Made {
        by: Text::clone(by),
        trigger: Text::clone(trigger),
        at: row.created,
        phase: row.phase,
        revision: Text::clone(&row.commit.revision),
        uid: row.uid.clone(),
        object: row.object.clone(),
    };
    (row.object, Some(Part::Made(Box::new(made))))
}

/// Returns the path below which a port of an EventSource is reached through the API server.
pub(in crate::engine) fn source_path(source: &ObjectRef, port: u16) -> String {
    let namespace = source.namespace.as_deref().unwrap_or_default();
    let service = format!("{}-eventsource-svc:{port}", source.name);
    format!(
        "/api/v1/namespaces/{}/services/{}/proxy",
        segment(namespace),
        segment(&service)
    )
}
