//! Log lines of a Pod, of a workload's Pods, or of all Pods of an Application.
//!
//! Pods are watched, so a new Pod joins by itself. A container that restarts is followed again
//! from where it ended. Lines go out in batches, the first at once; a slow reader slows the
//! streams down, and nothing piles up here.

mod follow;

use super::fault::Fault;
use super::pods::{self, PodQuery};
use super::protocol::{LogLine, LogOptions, Ticket, Update};
use super::resource::Resource;
use super::session::Session;
use super::watch::{Batch, Outlet, Projection, Seen, Target, Watcher};
use crate::domain::object::{Cluster, GroupKind, ObjectRef, Text, Uid};
use crate::engine::facts::{items, number, text};
use follow::{Follow, Line};
use futures::FutureExt;
use serde_json::Value;
use serde_json::value::RawValue;
use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::{Semaphore, mpsc, watch};
use tokio::task::JoinSet;
use tokio::time::{Instant, timeout_at};
use tokio_util::task::AbortOnDropHandle;

/// Lines go out this often, or when so many have come.
const BETWEEN_BATCHES: Duration = Duration::from_millis(50);
const BATCH: usize = 2_000;
/// How many blocks of lines may wait to be gathered; a block is what one read brought.
const BLOCKS: usize = 8;
/// How many logs of Pods that are over are read at a time.
const AT_A_TIME: usize = 16;

/// Follows logs until they end or are unsubscribed.
pub(super) async fn run(
    session: Arc<Session>,
    ticket: Ticket,
    object: ObjectRef,
    options: LogOptions,
) {
    let (lines, inbox) = mpsc::channel(BLOCKS);
    let collecting = collect(Arc::clone(&session), ticket, inbox);
    let reading = async {
        let ended = read(&session, &object, &options, lines).await;
        match ended {
            Ok(text) => text,
            Err(fault) => format!("cannot read the logs of `{}`: {fault}", object.path()),
        }
    };
    let (ended, ()) = tokio::join!(reading, collecting);
    session
        .report(Update::Logs {
            ticket,
            lines: Vec::new(),
            ended: Some(ended.into()),
        })
        .await;
}

/// Gathers lines into batches.
async fn collect(session: Arc<Session>, ticket: Ticket, mut inbox: mpsc::Receiver<Vec<Line>>) {
    let mut due = Instant::now();
    while let Some(mut gathered) = inbox.recv().await {
        while gathered.len() < BATCH {
            match timeout_at(due, inbox.recv()).await {
                Ok(Some(lines)) => gathered.extend(lines),
                Ok(None) | Err(_) => break,
            }
        }
        let lines: Vec<LogLine> = gathered.into_iter().map(Line::into_log_line).collect();
        session
            .report(Update::Logs {
                ticket,
                lines,
                ended: None,
            })
            .await;
        due = Instant::now() + BETWEEN_BATCHES;
    }
}

/// Reads or follows; returns why it ended.
async fn read(
    session: &Arc<Session>,
    object: &ObjectRef,
    options: &LogOptions,
    lines: mpsc::Sender<Vec<Line>>,
) -> Result<String, Fault> {
    let queries = pods::queries(session, object).await?;
    if queries.is_empty() {
        return Ok(format!("`{}` has no Pods", object.path()));
    }
    if options.follow && !options.previous {
        let mut followers = JoinSet::new();
        for query in queries {
            let follower = Follower::new(session, options, &lines);
            followers.spawn(follower.run(query));
        }
        drop(lines);
        while followers.join_next().await.is_some() {}
        return Ok(String::from("all Pods are gone"));
    }
    let mut read_any = false;
    for query in &queries {
        for pod in pods::list(session, query).await? {
            let pod = PodRow::of(&pod);
            for container in pod.wanted(options) {
                let follow = Follow::new(session, &pod, &container, options, true);
                follow.once(&lines).await?;
                read_any = true;
            }
        }
    }
    Ok(if read_any {
        String::from("end of the logs")
    } else {
        format!("`{}` has no Pods", object.path())
    })
}

/// What is to be known of a Pod to read its logs.
#[derive(Clone, Debug, PartialEq, Eq)]
struct PodRow {
    namespace: String,
    name: String,
    uid: String,
    containers: Vec<String>,
    /// Containers of a pipeline's own machinery, which nobody asks for by name.
    machinery: Vec<String>,
    /// Changes whenever a container starts or ends.
    state: String,
    finished: bool,
}

impl PodRow {
    fn of(pod: &Value) -> Self {
        let specs = ["initContainers", "containers"].into_iter();
        let containers = specs.flat_map(|list| items(pod, &["spec", list]));
        let containers: Vec<String> = containers
            .map(|container| text(container, &["name"]).to_owned())
            .collect();
        let machinery = containers.iter().filter(|name| is_machinery(pod, name));
        let machinery = machinery.cloned().collect();
        let statuses = items(pod, &["status", "containerStatuses"]).iter();
        let state: Vec<String> = statuses
            .map(|one| {
                let state = one
                    .get("state")
                    .map(ToString::to_string)
                    .unwrap_or_default();
                format!("{}{state}", number(one, &["restartCount"]))
            })
            .collect();
        Self {
            namespace: text(pod, &["metadata", "namespace"]).to_owned(),
            name: text(pod, &["metadata", "name"]).to_owned(),
            uid: text(pod, &["metadata", "uid"]).to_owned(),
            containers,
            machinery,
            state: state.join(","),
            finished: matches!(text(pod, &["status", "phase"]), "Succeeded" | "Failed"),
        }
    }

    fn wanted(&self, options: &LogOptions) -> Vec<String> {
        let wanted = options.container.as_deref();
        let containers = self.containers.iter();
        containers
            .filter(|name| match wanted {
                Some(wanted) => wanted == name.as_str(),
                None => !self.machinery.contains(name),
            })
            .cloned()
            .collect()
    }
}

/// Argo Workflows and Tekton add containers of their own to the Pods of steps.
fn is_machinery(pod: &Value, container: &str) -> bool {
    let label = |name: &str| !text(pod, &["metadata", "labels", name]).is_empty();
    if label("workflows.argoproj.io/workflow") {
        return matches!(container, "init" | "wait" | "supervisor");
    }
    label("tekton.dev/taskRun")
        && !container.starts_with("step-")
        && !container.starts_with("sidecar-")
}

/// Reduces Pods to what logs need.
#[derive(Debug)]
struct Pods(Cluster);

impl Projection for Pods {
    type Row = PodRow;

    fn object(&mut self, object: &RawValue) -> Seen<PodRow> {
        let value: Value = serde_json::from_str(object.get()).unwrap_or_default();
        let row = PodRow::of(&value);
        Seen {
            object: ObjectRef {
                cluster: self.0.clone(),
                kind: GroupKind::new("", "Pod"),
                namespace: Some(row.namespace.as_str().into()),
                name: row.name.as_str().into(),
            },
            uid: Uid(row.uid.as_str().into()),
            version: Text::from(text(&value, &["metadata", "resourceVersion"])),
            row,
        }
    }
}

/// Follows the Pods of one query.
struct Follower {
    session: Arc<Session>,
    options: LogOptions,
    lines: mpsc::Sender<Vec<Line>>,
    /// By the uid of the Pod: its latest row, and the tasks of its containers.
    open: HashMap<String, (watch::Sender<PodRow>, Vec<AbortOnDropHandle<()>>)>,
    first: bool,
    /// A run may have thousands of Pods that are over: a few of them are read at a time.
    slots: Arc<Semaphore>,
}

impl Follower {
    fn new(session: &Arc<Session>, options: &LogOptions, lines: &mpsc::Sender<Vec<Line>>) -> Self {
        Self {
            session: Arc::clone(session),
            options: options.clone(),
            lines: lines.clone(),
            open: HashMap::new(),
            first: true,
            slots: Arc::new(Semaphore::new(AT_A_TIME)),
        }
    }

    async fn run(mut self, query: PodQuery) {
        let Some(resource) = Resource::known(&GroupKind::new("", "Pod")) else {
            return;
        };
        let mut target = Target::in_namespace(resource, &query.namespace);
        target.selector = format!("{}&", query.selector);
        let (changes, mut inbox) = mpsc::channel(16);
        let outlet = Outlet::new(changes, |_: &Pods, batch| batch, |_| async {}.boxed());
        let pods = Pods(self.session.cluster.clone());
        let watcher = Watcher::new(Arc::clone(&self.session), target, pods, outlet);
        let watching = AbortOnDropHandle::new(tokio::spawn(watcher.run()));
        while let Some(batch) = inbox.recv().await {
            self.apply(batch);
        }
        drop(watching);
    }

    fn apply(&mut self, batch: Batch<PodRow>) {
        for (_, uid) in batch.removed {
            self.open.remove(&*uid.0);
        }
        for row in batch.rows {
            if let Some((latest, _)) = self.open.get(&row.uid) {
                latest.send_replace(row);
                continue;
            }
            let latest = watch::Sender::new(row.clone());
            let containers = row.wanted(&self.options);
            let follow = |container: &String| {
                let follow = Follow::new(&self.session, &row, container, &self.options, self.first);
                let slots = row.finished.then(|| Arc::clone(&self.slots));
                let task = follow.forever(latest.subscribe(), self.lines.clone());
                AbortOnDropHandle::new(tokio::spawn(async move {
                    let _slot = match &slots {
                        Some(slots) => slots.acquire().await.ok(),
                        None => None,
                    };
                    task.await;
                }))
            };
            let tasks = containers.iter().map(follow).collect();
            self.open.insert(row.uid.clone(), (latest, tasks));
        }
        // Who comes later is new: all of its lines are wanted.
        self.first = false;
    }
}
