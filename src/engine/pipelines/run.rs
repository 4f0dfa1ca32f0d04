//! One open run with its tasks and Pods.
//!
//! Only what belongs to the run is watched, by label. A picture goes out at most five times a
//! second, and only when it changed.

use crate::api::convert::tekton::{self, Children};
use crate::api::convert::workflow::{self, PREFIX};
use crate::domain::object::{GroupKind, ObjectRef, Text};
use crate::domain::pipeline::{RunDetail, TEKTON, why_run};
use crate::domain::status::Freshness;
use crate::engine::facts::text;
use crate::engine::paced::{self, Paced, Shown};
use crate::engine::protocol::{SourceName, Ticket, Update};
use crate::engine::session::Session;
use crate::engine::transport::segment;
use crate::engine::watch::{Batch, Outlet, Target, Typed, Watcher};
use futures::FutureExt;
use futures::future::BoxFuture;
use serde_json::Value;
use std::collections::HashMap;
use std::sync::Arc;
use tokio::sync::mpsc;
use tokio_util::task::AbortOnDropHandle;

/// A Pod of the run and the node it is for.
#[derive(Clone, Debug, PartialEq)]
struct PodOf {
    object: ObjectRef,
    node: Text,
}

enum Change {
    Itself(Batch<Value>),
    Tasks(Batch<Value>),
    Pods(Batch<PodOf>),
    Freshness(Part, Freshness),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum Part {
    Itself,
    Tasks,
    Pods,
}

/// Follows one run until it is unsubscribed.
pub(in crate::engine) async fn run(session: Arc<Session>, ticket: Ticket, object: ObjectRef) {
    let (changes, mut inbox) = mpsc::channel(64);
    let mut picture = Picture {
        session,
        ticket,
        object,
        changes,
        value: None,
        tasks: HashMap::new(),
        pods: HashMap::new(),
        states: HashMap::new(),
        sent: None,
        told_gone: false,
    };
    let watches = picture.watch().await;
    paced::draw(&mut picture, &mut inbox).await;
    drop(watches);
}

struct Picture {
    session: Arc<Session>,
    ticket: Ticket,
    object: ObjectRef,
    changes: mpsc::Sender<Change>,
    value: Option<Value>,
    /// TaskRuns by name.
    tasks: HashMap<Text, Value>,
    pods: HashMap<ObjectRef, Text>,
    states: HashMap<Part, Freshness>,
    sent: Option<RunDetail>,
    told_gone: bool,
}

impl Paced for Picture {
    type Change = Change;

    async fn take(&mut self, change: Change) {
        self.apply(change).await;
    }

    async fn show(&mut self) -> Shown {
        self.send().await
    }
}

impl Picture {
    async fn watch(&self) -> Vec<AbortOnDropHandle<()>> {
        let kind = &self.object.kind;
        let mut watches = Vec::new();
        if let Ok(resource) = self.session.resource(kind).await {
            let target = Target::object(resource, &self.object);
            watches.push(self.values(target, kind.clone(), Part::Itself));
        }
        let label = pod_label(&self.object);
        if *kind == tekton::pipeline_run_kind() {
            let tasks = tekton::task_run_kind();
            if let Some(target) = self.labelled(&tasks, &label).await {
                watches.push(self.values(target, tasks, Part::Tasks));
            }
        }
        let pods = GroupKind::new("", "Pod");
        if let Some(target) = self.labelled(&pods, &label).await {
            watches.push(self.pods(target));
        }
        watches
    }

    async fn labelled(&self, kind: &GroupKind, label: &str) -> Option<Target> {
        let resource = self.session.resource(kind).await.ok()?;
        let namespace = self.object.namespace.as_deref().unwrap_or_default();
        let mut target = Target::in_namespace(resource, namespace);
        target.selector = format!("labelSelector={}&", segment(label));
        Some(target)
    }

    fn values(&self, target: Target, kind: GroupKind, part: Part) -> AbortOnDropHandle<()> {
        let cluster = self.session.cluster.clone();
        let projection = Typed::owned(cluster, kind, |value, _| value);
        let wrap = move |_: &Typed<Value>, batch| match part {
            Part::Itself => Change::Itself(batch),
            Part::Tasks | Part::Pods => Change::Tasks(batch),
        };
        let outlet = Outlet::new(self.changes.clone(), wrap, self.teller(part));
        let watcher = Watcher::new(Arc::clone(&self.session), target, projection, outlet);
        AbortOnDropHandle::new(tokio::spawn(watcher.run()))
    }

    fn pods(&self, target: Target) -> AbortOnDropHandle<()> {
        let kind = GroupKind::new("", "Pod");
        let own = kind.clone();
        let read = move |value: &Value, cluster: &crate::domain::object::Cluster| {
            let id = format!("{PREFIX}/node-id");
            let namespace = text(value, &["metadata", "namespace"]);
            PodOf {
                node: text(value, &["metadata", "annotations", &id]).into(),
                object: ObjectRef {
                    cluster: cluster.clone(),
                    kind: own.clone(),
                    namespace: (!namespace.is_empty()).then(|| namespace.into()),
                    name: text(value, &["metadata", "name"]).into(),
                },
            }
        };
        let projection = Typed::new(self.session.cluster.clone(), kind, read);
        let wrap = |_: &Typed<PodOf>, batch| Change::Pods(batch);
        let outlet = Outlet::new(self.changes.clone(), wrap, self.teller(Part::Pods));
        let watcher = Watcher::new(Arc::clone(&self.session), target, projection, outlet);
        AbortOnDropHandle::new(tokio::spawn(watcher.run()))
    }

    fn teller(
        &self,
        part: Part,
    ) -> impl Fn(Freshness) -> BoxFuture<'static, ()> + Send + Sync + 'static {
        let changes = self.changes.clone();
        move |freshness| {
            let changes = changes.clone();
            async move {
                let told = changes.send(Change::Freshness(part, freshness)).await;
                if told.is_err() {
                    tracing::debug!("the run is closed");
                }
            }
            .boxed()
        }
    }

    async fn apply(&mut self, change: Change) {
        match change {
            Change::Itself(batch) => {
                if let Some(value) = batch.rows.into_iter().next_back() {
                    self.value = Some(value);
                } else if batch.reset || !batch.removed.is_empty() {
                    self.value = None;
                }
            }
            Change::Tasks(batch) => {
                for (object, _) in &batch.removed {
                    self.tasks.remove(&object.name);
                }
                for value in batch.rows {
                    let name = text(&value, &["metadata", "name"]).into();
                    let _older = self.tasks.insert(name, value);
                }
            }
            Change::Pods(batch) => {
                for (object, _) in &batch.removed {
                    self.pods.remove(object);
                }
                let rows = batch.rows.into_iter();
                self.pods.extend(rows.map(|pod| (pod.object, pod.node)));
            }
            Change::Freshness(part, freshness) => {
                if part == Part::Itself {
                    let source = SourceName::Kind(self.object.kind.clone());
                    self.session
                        .report_freshness(source, freshness.clone())
                        .await;
                }
                self.states.insert(part, freshness);
            }
        }
    }

    fn is_live(&self, part: Part) -> bool {
        self.states.get(&part) == Some(&Freshness::Live)
    }

    fn build(&self, value: &Value) -> RunDetail {
        let cluster = &self.session.cluster;
        let mut detail = if self.object.kind == workflow::workflow_kind() {
            let known = self.is_live(Part::Pods).then(|| {
                let pods = self.pods.iter();
                workflow::pods_by_node(pods.map(|(object, node)| (&**node, object.clone())))
            });
            workflow::detail(value, cluster, known.as_ref())
        } else {
            let pods: Option<Vec<Text>> = self
                .is_live(Part::Pods)
                .then(|| self.pods.keys().map(|pod| Text::clone(&pod.name)).collect());
            let children = Children {
                task_runs: &self.tasks,
                pods: pods.as_deref(),
            };
            tekton::detail(value, cluster, &self.object.kind, &children)
        };
        detail.findings.extend(self.unseen());
        detail
    }

    /// Parts that cannot be seen, so that their absence is not taken for a fact.
    fn unseen(&self) -> Vec<crate::domain::finding::Finding> {
        let parts = [(Part::Tasks, "TaskRuns"), (Part::Pods, "Pods")];
        let unseen = parts.into_iter().filter_map(|(part, word)| {
            let (Freshness::Forbidden { reason } | Freshness::Absent { reason }) =
                self.states.get(&part)?
            else {
                return None;
            };
            let sentence = format!("its {word} cannot be seen: {reason}");
            Some(crate::domain::finding::Finding::new(
                crate::domain::finding::Severity::Warning,
                sentence,
            ))
        });
        unseen.collect()
    }

    async fn send(&mut self) -> Shown {
        let (generation, ticket) = (self.session.generation, self.ticket);
        let Some(value) = &self.value else {
            // Nothing is said before the first list: it may be on its way.
            if self.is_live(Part::Itself) && !self.told_gone {
                self.told_gone = true;
                self.sent = None;
                let detail = None;
                let gone = Update::Run {
                    generation,
                    ticket,
                    detail,
                };
                self.session.report(gone).await;
            }
            return Shown::TooEarly;
        };
        let waits = |part: Part| {
            let state = self.states.get(&part);
            matches!(
                state,
                Some(Freshness::Connecting | Freshness::Loading { .. })
            )
        };
        // Tasks on their way are not tasks that are missing.
        if self.sent.is_none() && waits(Part::Tasks) {
            return Shown::TooEarly;
        }
        self.told_gone = false;
        let detail = self.build(value);
        if self.sent.as_ref() == Some(&detail) {
            return Shown::Made;
        }
        self.sent = Some(detail.clone());
        let detail = Some(Box::new(detail));
        self.session
            .report(Update::Run {
                generation,
                ticket,
                detail,
            })
            .await;
        Shown::Made
    }
}

/// Returns the label that the Pods (and TaskRuns) of a run carry.
pub(in crate::engine) fn pod_label(object: &ObjectRef) -> String {
    let name = &object.name;
    match (&*object.kind.group, &*object.kind.kind) {
        (TEKTON, "TaskRun") => format!("tekton.dev/taskRun={name}"),
        (TEKTON, _) => format!("tekton.dev/pipelineRun={name}"),
        _ => format!("{PREFIX}/workflow={name}"),
    }
}

/// Reads a run once, with what belongs to it, and says why it is as it is.
pub(in crate::engine) async fn why(
    session: &Session,
    object: &ObjectRef,
    live: &Value,
) -> Vec<crate::domain::finding::Finding> {
    if crate::engine::github::has(&object.kind) {
        let detail = crate::engine::github::detail(session, object).await;
        return match detail {
            Ok(detail) => why_run(&detail, session.now()),
            Err(fault) => vec![fault.into_finding("cannot read its jobs")],
        };
    }
    let detail = read(session, object, live).await;
    why_run(&detail, session.now())
}

async fn read(session: &Session, object: &ObjectRef, live: &Value) -> RunDetail {
    if object.kind == workflow::workflow_kind() {
        return workflow::detail(live, &session.cluster, None);
    }
    let mut tasks = HashMap::new();
    if object.kind == tekton::pipeline_run_kind()
        && let Ok(resource) = session.resource(&tekton::task_run_kind()).await
    {
        let path = resource.collection(object.namespace.as_deref());
        let label = segment(&pod_label(object));
        let call = crate::engine::transport::Call::get(format!("{path}?labelSelector={label}"));
        let list = session.send_json(call).await.unwrap_or_default();
        for value in crate::engine::facts::items(&list, &["items"]) {
            let name: Text = text(value, &["metadata", "name"]).into();
            let _older = tasks.insert(name, value.clone());
        }
    }
    let children = Children {
        task_runs: &tasks,
        pods: None,
    };
    tekton::detail(live, &session.cluster, &object.kind, &children)
}
