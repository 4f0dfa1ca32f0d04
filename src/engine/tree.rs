//! One open Application: its detail, and the tree of its objects down to the Pods.
//!
//! Only the kinds and namespaces that can hold something of it are watched. The tree goes out at
//! most five times a second, and only when it changed.

mod build;
mod live_node;

use super::paced::{self, Paced, Shown};
use super::protocol::{SourceName, Ticket, Update};
use super::registries::{Following, Standings};
use super::session::Session;
use super::watch::{Batch, Details, Outlet, Target, Watcher};
use crate::api::convert::application::ApplicationReader;
use crate::api::convert::pod_images::PodImages;
use crate::domain::application::ApplicationDetail;
use crate::domain::finding::{Finding, Severity};
use crate::domain::graph::ResourceTree;
use crate::domain::kind::ARGO;
use crate::domain::object::{GroupKind, ObjectRef, Text};
use crate::domain::status::Freshness;
use build::Coverage;
use futures::FutureExt;
use futures::future::BoxFuture;
use live_node::{LiveNode, LiveNodes};
use std::collections::{HashMap, HashSet};
use std::sync::Arc;
use tokio::sync::mpsc;
use tokio_util::task::AbortOnDropHandle;

/// A kind in a namespace (or without one).
type Place = (GroupKind, Option<Text>);

/// What the watches of one tree report.
enum Change {
    Detail(Batch<ApplicationDetail>),
    Live(Batch<LiveNode>),
    Freshness(Place, Freshness),
    Images(Standings),
}

/// Follows one Application until it is unsubscribed.
pub(super) async fn run(session: Arc<Session>, ticket: Ticket, object: ObjectRef) {
    let (changes, mut inbox) = mpsc::channel(64);
    let detail_watch = watch_detail(&session, &object, &changes).await;
    let mut tree = Tree {
        session,
        ticket,
        changes,
        detail: None,
        live: HashMap::new(),
        watches: HashMap::new(),
        states: HashMap::new(),
        sent: None,
        images: None,
        standings: Standings::new(),
    };
    paced::draw(&mut tree, &mut inbox).await;
    drop(detail_watch);
}

async fn watch_detail(
    session: &Arc<Session>,
    object: &ObjectRef,
    changes: &mpsc::Sender<Change>,
) -> Option<AbortOnDropHandle<()>> {
    let resource = session.resource(&object.kind).await.ok()?;
    let target = Target::object(resource, object);
    let projection = Details(ApplicationReader::new(session.cluster.clone()));
    let place = (object.kind.clone(), object.namespace.clone());
    let outlet = Outlet::new(
        changes.clone(),
        |_: &Details, batch| Change::Detail(batch),
        teller(changes.clone(), place),
    );
    let watcher = Watcher::new(Arc::clone(session), target, projection, outlet);
    Some(AbortOnDropHandle::new(tokio::spawn(watcher.run())))
}

fn teller(
    changes: mpsc::Sender<Change>,
    place: Place,
) -> impl Fn(Freshness) -> BoxFuture<'static, ()> + Send + Sync + 'static {
    move |freshness| {
        let changes = changes.clone();
        let place = place.clone();
        async move {
            if changes
                .send(Change::Freshness(place, freshness))
                .await
                .is_err()
            {
                tracing::debug!("the tree is closed");
            }
        }
        .boxed()
    }
}

struct Tree {
    session: Arc<Session>,
    ticket: Ticket,
    changes: mpsc::Sender<Change>,
    detail: Option<ApplicationDetail>,
    live: HashMap<ObjectRef, LiveNode>,
    watches: HashMap<Place, AbortOnDropHandle<()>>,
    states: HashMap<Place, Freshness>,
    sent: Option<ResourceTree>,
    /// From the first Pod on.
    images: Option<Following>,
    standings: Standings,
}

impl Paced for Tree {
    type Change = Change;

    async fn take(&mut self, change: Change) {
        self.apply(change).await;
    }

    async fn show(&mut self) -> Shown {
        self.send().await
    }
}

impl Tree {
    async fn apply(&mut self, change: Change) {
        match change {
            Change::Detail(batch) => self.apply_detail(batch).await,
            Change::Live(batch) => {
                for (object, uid) in batch.removed {
                    if self.live.get(&object).is_some_and(|node| node.uid == uid) {
                        self.live.remove(&object);
                    }
                }
                let rows = batch.rows.into_iter();
                self.live
                    .extend(rows.map(|node| (node.object.clone(), node)));
            }
            Change::Freshness(place, freshness) => {
                if place.0.is(ARGO, "Application") && !self.watches.contains_key(&place) {
                    let source = SourceName::Kind(place.0.clone());
                    self.session
                        .report_freshness(source, freshness.clone())
                        .await;
                }
                self.states.insert(place, freshness);
            }
            Change::Images(standings) => self.standings = standings,
        }
    }

    async fn apply_detail(&mut self, batch: Batch<ApplicationDetail>) {
        if let Some(detail) = batch.rows.into_iter().next_back() {
            self.watch_what_it_needs(&detail).await;
            self.detail = Some(detail);
        } else if batch.reset || !batch.removed.is_empty() {
            self.detail = None;
        } else {
            return;
        }
        let detail = self.detail.clone().map(Box::new);
        let generation = self.session.generation;
        let ticket = self.ticket;
        self.session
            .report(Update::Application {
                generation,
                ticket,
                detail,
            })
            .await;
    }

    /// Starts watches that are missing and ends those that are not needed any more.
    async fn watch_what_it_needs(&mut self, detail: &ApplicationDetail) {
        let places = if self.is_here(detail) {
            places_of(detail)
        } else {
            HashSet::new()
        };
        self.watches.retain(|place, _| places.contains(place));
        self.states.retain(|place, _| places.contains(place));
        self.live
            .retain(|object, _| places.contains(&(object.kind.clone(), object.namespace.clone())));
        for place in places {
            if self.watches.contains_key(&place) {
                continue;
            }
            match self.watch(&place).await {
                Ok(watch) => {
                    self.watches.insert(place, watch);
                }
                Err(reason) => {
                    let reason = reason.to_string().into();
                    self.states.insert(place, Freshness::Absent { reason });
                }
            }
        }
    }

    async fn watch(&self, place: &Place) -> Result<AbortOnDropHandle<()>, super::fault::Fault> {
        let (kind, namespace) = place;
        let resource = self.session.resource(kind).await?;
        let projection = LiveNodes {
            cluster: self.session.cluster.clone(),
            kind: kind.clone(),
            api_version: resource.api_version().into(),
        };
        let target = Target::in_namespace(resource, namespace.as_deref().unwrap_or_default());
        let outlet = Outlet::new(
            self.changes.clone(),
            |_: &LiveNodes, batch| Change::Live(batch),
            teller(self.changes.clone(), place.clone()),
        );
        let watcher = Watcher::new(Arc::clone(&self.session), target, projection, outlet);
        Ok(AbortOnDropHandle::new(tokio::spawn(watcher.run())))
    }

    /// Whether the objects live in the cluster we are connected to.
    fn is_here(&self, detail: &ApplicationDetail) -> bool {
        let destination = &detail.row.destination;
        let server = destination.server.trim_end_matches('/');
        &*destination.name == "in-cluster"
            || server == "https://kubernetes.default.svc"
            || (!server.is_empty() && server == self.session.context.server.trim_end_matches('/'))
    }

    /// Asks the registries about the Pods of the tree.
    fn follow_images(&mut self, tree: &ResourceTree) {
        let nodes = tree.nodes.iter();
        let pods: Vec<PodImages> = nodes
            .filter_map(|node| Some((**self.live.get(&node.object)?.pod.as_ref()?).clone()))
            .collect();
        if pods.is_empty() && self.images.is_none() {
            return;
        }
        let begin = || Following::begin(&self.session, self.changes.clone(), Change::Images);
        self.images.get_or_insert_with(begin).show(pods);
    }

    async fn send(&mut self) -> Shown {
        let Some(detail) = &self.detail else {
            return Shown::TooEarly;
        };
        let mut tree = build::build(detail, &self.live, |kind, namespace| {
            match self.states.get(&(kind.clone(), namespace.cloned())) {
                Some(Freshness::Live) => Coverage::Whole,
                Some(_) | None => Coverage::Unknown,
            }
        });
        tree.findings = self.findings(detail);
        self.follow_images(&tree);
        tree.set_image_states(|object| self.standings.get(object).cloned().unwrap_or_default());
        if self.sent.as_ref() == Some(&tree) {
            return Shown::Made;
        }
        self.sent = Some(tree.clone());
        let generation = self.session.generation;
        let ticket = self.ticket;
        self.session
            .report(Update::Tree {
                generation,
                ticket,
                tree: Box::new(tree),
            })
            .await;
        Shown::Made
    }

    fn findings(&self, detail: &ApplicationDetail) -> Vec<Finding> {
        let mut findings = Vec::new();
        if !self.is_here(detail) {
            let destination = &detail.row.destination;
            let place = if destination.server.is_empty() {
                &destination.name
            } else {
                &destination.server
            };
            let sentence = format!(
                "its objects live in another cluster (`{place}`), so what they own cannot be seen"
            );
            let finding = Finding::new(Severity::Warning, sentence)
                .with_hint("switch to a context of that cluster to look at them");
            findings.push(finding.about(detail.row.object.clone()));
        }
        for ((kind, namespace), state) in &self.states {
            let (Freshness::Forbidden { reason } | Freshness::Absent { reason }) = state else {
                continue;
            };
            let place = namespace.as_deref().unwrap_or("the cluster");
            let sentence = format!("cannot see `{kind}` in `{place}`: {reason}");
            findings.push(Finding::new(Severity::Warning, sentence));
        }
        findings.sort_by(|a, b| a.sentence.cmp(&b.sentence));
        findings
    }
}

/// Kinds that objects of a kind can own, as far as they matter in a tree.
fn owned_kinds(kind: &GroupKind) -> &'static [(&'static str, &'static str)] {
    const REPLICA_SET: (&str, &str) = ("apps", "ReplicaSet");
    const POD: (&str, &str) = ("", "Pod");
    const JOB: (&str, &str) = ("batch", "Job");
    match (&*kind.group, &*kind.kind) {
        ("apps", "Deployment") => &[REPLICA_SET],
        ("apps", "ReplicaSet" | "DaemonSet") | ("batch", "Job") | ("", "ReplicationController") => {
            &[POD]
        }
        ("apps", "StatefulSet") => &[POD, ("", "PersistentVolumeClaim")],
        ("batch", "CronJob") => &[JOB],
        (ARGO, "Rollout") => &[REPLICA_SET, (ARGO, "AnalysisRun"), (ARGO, "Experiment")],
        (ARGO, "Workflow") => &[POD],
        (ARGO, "CronWorkflow") => &[(ARGO, "Workflow")],
        (ARGO, "Application" | "AppProject") => &[],
        (ARGO, "ApplicationSet") => &[(ARGO, "Application")],
        ("", "ServiceAccount") => &[("", "Secret")],
        (group, _) if is_built_in(group) => &[],
        // An operator's object: most make workloads.
        _ => &[
            ("apps", "Deployment"),
            ("apps", "StatefulSet"),
            ("apps", "DaemonSet"),
            JOB,
            POD,
        ],
    }
}

fn is_built_in(group: &str) -> bool {
    !group.contains('.') || group.ends_with(".k8s.io")
}

/// Every kind and namespace that can hold something of an Application.
fn places_of(detail: &ApplicationDetail) -> HashSet<Place> {
    let mut places = HashSet::new();
    let default_namespace = &detail.row.destination.namespace;
    let mut waiting: Vec<Place> = Vec::new();
    for resource in &detail.resources {
        let namespace = (!resource.namespace.is_empty()).then(|| Text::clone(&resource.namespace));
        waiting.push((resource.kind.clone(), namespace));
    }
    while let Some(place) = waiting.pop() {
        if !places.insert(place.clone()) {
            continue;
        }
        let namespace = place
            .1
            .clone()
            .or_else(|| (!default_namespace.is_empty()).then(|| Text::clone(default_namespace)));
        for (group, kind) in owned_kinds(&place.0) {
            waiting.push((GroupKind::new(*group, *kind), namespace.clone()));
        }
    }
    places
}
