//! One open Rollout, with its ReplicaSets, Pods, analyses, Services and routes; and one open
//! AnalysisRun.
//!
//! Everything is watched, in the Rollout's namespace only; what belongs to another Rollout is left
//! out when the picture is put together. The share of the traffic is measured where a metrics
//! server can be asked. A picture goes out at most five times a second, and only when it changed.

mod build;
pub(in crate::engine) mod keeper;
mod share;

use super::metrics;
use super::paced::{self, Paced, Shown};
use super::protocol::{SourceName, Ticket, Update};
use super::registries::{Following, Standings};
use super::session::Session;
use super::watch::{Batch, Outlet, Target, Typed, Watcher};
use crate::api::convert::analysis::{analysis_run, analysis_run_kind, experiment, experiment_kind};
use crate::api::convert::pod_images::{PodImages, pod_images};
use crate::api::convert::replica_set::{HASH_LABEL, Owned, pod, replica_set, service_hash};
use crate::api::convert::rollout::{rollout, rollout_kind};
use crate::domain::analysis::{AnalysisRun, Experiment};
use crate::domain::object::{GroupKind, ObjectRef, Text};
use crate::domain::rollout::{Keeper, PodView, ReplicaSetView, RolloutDetail};
use crate::domain::status::Freshness;
use futures::FutureExt;
use futures::future::BoxFuture;
use serde_json::Value;
use share::Share;
use std::collections::{HashMap, HashSet};
use std::sync::Arc;
use tokio::sync::mpsc;
use tokio_util::task::AbortOnDropHandle;

/// One object of the picture.
#[derive(Clone, Debug, PartialEq)]
enum Part {
    ReplicaSet(Box<Owned<ReplicaSetView>>),
    Pod(Box<(Owned<PodView>, PodImages)>),
    Run(Box<AnalysisRun>),
    Experiment(Box<Experiment>),
    /// Name and the hash it selects.
    Service(Text, Text),
    /// Read when it is known which backends are which.
    Route(Box<Value>),
}

/// What is watched: a kind, or one object of it.
type Place = (GroupKind, Option<Text>, Option<Text>);

enum Change {
    Rollout(Batch<Value>),
    Parts(Batch<(ObjectRef, Part)>),
    Freshness(Place, Freshness),
    Share(Option<Share>),
    Keeper(Option<Keeper>),
    Images(Standings),
}

/// Follows one Rollout until it is unsubscribed.
pub(super) async fn run(session: Arc<Session>, ticket: Ticket, object: ObjectRef) {
    let (changes, mut inbox) = mpsc::channel(64);
    let mut picture = Picture {
        session,
        ticket,
        object,
        changes,
        rollout: None,
        parts: HashMap::new(),
        watches: HashMap::new(),
        states: HashMap::new(),
        share: None,
        measuring: None,
        keeper: None,
        keeping: None,
        images: None,
        standings: Standings::new(),
        sent: None,
        told_gone: false,
    };
    picture.watch_itself().await;
    paced::draw(&mut picture, &mut inbox).await;
}

struct Picture {
    session: Arc<Session>,
    ticket: Ticket,
    object: ObjectRef,
    changes: mpsc::Sender<Change>,
    rollout: Option<Value>,
    parts: HashMap<ObjectRef, Part>,
    watches: HashMap<Place, AbortOnDropHandle<()>>,
    states: HashMap<Place, Freshness>,
    share: Option<Share>,
    measuring: Option<(share::Question, AbortOnDropHandle<()>)>,
    keeper: Option<Keeper>,
    keeping: Option<(Text, AbortOnDropHandle<()>)>,
    /// From the first Pod on.
    images: Option<Following>,
    standings: Standings,
    sent: Option<RolloutDetail>,
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
    async fn watch_itself(&mut self) {
        let place: Place = (
            self.object.kind.clone(),
            self.object.namespace.clone(),
            Some(Text::clone(&self.object.name)),
        );
        let Ok(resource) = self.session.resource(&self.object.kind).await else {
            return;
        };
        let target = Target::object(resource, &self.object);
        let projection = Typed::owned(self.session.cluster.clone(), rollout_kind(), |value, _| {
            value
        });
        let outlet = Outlet::new(
            self.changes.clone(),
            |_: &Typed<Value>, batch| Change::Rollout(batch),
            self.teller(place.clone()),
        );
        let watcher = Watcher::new(Arc::clone(&self.session), target, projection, outlet);
        let task = AbortOnDropHandle::new(tokio::spawn(watcher.run()));
        self.watches.insert(place, task);
    }

    fn teller(
        &self,
        place: Place,
    ) -> impl Fn(Freshness) -> BoxFuture<'static, ()> + Send + Sync + 'static {
        let changes = self.changes.clone();
        move |freshness| {
            let changes = changes.clone();
            let place = place.clone();
            async move {
                let told = changes.send(Change::Freshness(place, freshness)).await;
                if told.is_err() {
                    tracing::debug!("the rollout is closed");
                }
            }
            .boxed()
        }
    }

    async fn apply(&mut self, change: Change) {
        match change {
            Change::Rollout(batch) => self.apply_rollout(batch).await,
            Change::Parts(batch) => {
                for (object, _uid) in &batch.removed {
                    self.parts.remove(object);
                }
                self.parts.extend(batch.rows);
            }
            Change::Freshness(place, freshness) => {
                if place.0 == self.object.kind {
                    let source = SourceName::Kind(place.0.clone());
                    let state = freshness.clone();
                    self.session.report_freshness(source, state).await;
                }
                self.states.insert(place, freshness);
            }
            Change::Share(share) => self.share = share,
            Change::Keeper(keeper) => self.keeper = keeper,
            Change::Images(standings) => self.standings = standings,
        }
    }

    async fn apply_rollout(&mut self, batch: Batch<Value>) {
        if let Some(value) = batch.rows.into_iter().next_back() {
            self.watch_what_it_needs(&value).await;
            self.rollout = Some(value);
        } else if batch.reset || !batch.removed.is_empty() {
            self.rollout = None;
        }
    }

    async fn watch_what_it_needs(&mut self, value: &Value) {
        let row = rollout(value, &self.session.cluster, None);
        let routes = row.router.iter().flat_map(|router| &router.routes);
        let places = places_of(&self.object, routes);
        let own = &self.object.kind;
        self.watches
            .retain(|place, _| place.0 == *own || places.contains(place));
        self.states
            .retain(|place, _| place.0 == *own || places.contains(place));
        for place in places {
            if self.watches.contains_key(&place) {
                continue;
            }
            match self.watch(&place).await {
                Ok(watch) => {
                    self.watches.insert(place, watch);
                }
                Err(fault) => {
                    let reason = fault.to_string().into();
                    self.states.insert(place, Freshness::Absent { reason });
                }
            }
        }
        self.keep(row.application.as_ref());
    }

    async fn watch(&self, place: &Place) -> Result<AbortOnDropHandle<()>, super::fault::Fault> {
        let (kind, namespace, name) = place;
        // Routes come in several versions; the others are the same everywhere.
        let resource = if name.is_some() {
            self.session.discovered(kind).await?
        } else {
            self.session.resource(kind).await?
        };
        let mut target = Target::in_namespace(resource, namespace.as_deref().unwrap_or_default());
        if let Some(name) = name {
            let name = super::transport::segment(name);
            target.selector = format!("fieldSelector=metadata.name%3D{name}&");
        } else if matches!(&*kind.kind, "ReplicaSet" | "Pod") {
            target.selector = format!("labelSelector={HASH_LABEL}&");
        }
        let reader = part_reader(kind.clone());
        let projection = Typed::new(self.session.cluster.clone(), kind.clone(), reader);
        let outlet = Outlet::new(
            self.changes.clone(),
            |_: &Typed<(ObjectRef, Part)>, batch| Change::Parts(batch),
            self.teller(place.clone()),
        );
        let watcher = Watcher::new(Arc::clone(&self.session), target, projection, outlet);
        Ok(AbortOnDropHandle::new(tokio::spawn(watcher.run())))
    }

    /// Follows the Application that tracks the Rollout.
    fn keep(&mut self, application: Option<&Text>) {
        if self.keeping.as_ref().map(|(name, _)| name) == application {
            return;
        }
        self.keeper = None;
        self.keeping = application.map(|name| {
            let task = keeper::follow(
                Arc::clone(&self.session),
                Text::clone(name),
                self.changes.clone(),
            );
            (
                Text::clone(name),
                AbortOnDropHandle::new(tokio::spawn(task)),
            )
        });
    }

    /// Measures as long as there is something to measure.
    fn measure(&mut self, detail: &RolloutDetail) {
        let question = share::Question::of(detail);
        if self.measuring.as_ref().map(|(asked, _)| asked) == question.as_ref() {
            return;
        }
        self.share = None;
        self.measuring = question.map(|question| {
            let task = share::follow(
                Arc::clone(&self.session),
                question.clone(),
                self.changes.clone(),
            );
            (question, AbortOnDropHandle::new(tokio::spawn(task)))
        });
    }

    /// Asks the registries about the Pods of the picture.
    fn follow_images(&mut self, detail: &RolloutDetail) {
        let sets = detail.revisions.iter().flat_map(|one| &one.replica_sets);
        let shown = sets.flat_map(|set| &set.pods);
        let pods: Vec<PodImages> = shown
            .filter_map(|pod| match self.parts.get(&pod.object)? {
                Part::Pod(both) => Some(both.1.clone()),
                Part::ReplicaSet(_)
                | Part::Run(_)
                | Part::Experiment(_)
                | Part::Service(..)
                | Part::Route(_) => None,
            })
            .collect();
        if pods.is_empty() && self.images.is_none() {
            return;
        }
        let begin = || Following::begin(&self.session, self.changes.clone(), Change::Images);
        self.images.get_or_insert_with(begin).show(pods);
    }

    async fn send(&mut self) -> Shown {
        let generation = self.session.generation;
        let ticket = self.ticket;
        let Some(value) = &self.rollout else {
            // Nothing is said before the first list: it may be on its way.
            let listed = self
                .states
                .iter()
                .any(|(place, state)| place.0 == self.object.kind && *state == Freshness::Live);
            if listed && !self.told_gone {
                self.told_gone = true;
                self.sent = None;
                let detail = None;
                self.session
                    .report(Update::Rollout {
                        generation,
                        ticket,
                        detail,
                    })
                    .await;
            }
            return Shown::TooEarly;
        };
        self.told_gone = false;
        let parts = build::Parts {
            rollout: value,
            parts: &self.parts,
            states: &self.states,
            keeper: self.keeper.clone(),
            share: self.share.as_ref(),
            standings: &self.standings,
        };
        let detail = build::build(&parts, &self.session.cluster);
        self.measure(&detail);
        self.follow_images(&detail);
        if self.sent.as_ref() == Some(&detail) {
            return Shown::Made;
        }
        self.sent = Some(detail.clone());
        self.session
            .report(Update::Rollout {
                generation,
                ticket,
                detail: Some(Box::new(detail)),
            })
            .await;
        Shown::Made
    }
}

fn places_of<'r>(
    object: &ObjectRef,
    routes: impl Iterator<Item = &'r ObjectRef>,
) -> HashSet<Place> {
    let here = object.namespace.clone();
    let kinds = [
        GroupKind::new("apps", "ReplicaSet"),
        GroupKind::new("", "Pod"),
        GroupKind::new("", "Service"),
        analysis_run_kind(),
        experiment_kind(),
    ];
    let kinds = kinds.into_iter().map(|kind| (kind, here.clone(), None));
    let routes = routes.map(|route| {
        let name = Some(Text::clone(&route.name));
        (route.kind.clone(), route.namespace.clone(), name)
    });
    kinds.chain(routes).collect()
}

fn part_reader(
    kind: GroupKind,
) -> impl Fn(&Value, &crate::domain::object::Cluster) -> (ObjectRef, Part) + Send + Sync {
    move |value, cluster| match (&*kind.group, &*kind.kind) {
        ("apps", "ReplicaSet") => {
            let set = replica_set(value, cluster);
            (set.view.object.clone(), Part::ReplicaSet(Box::new(set)))
        }
        ("", "Pod") => {
            let status = super::facts::pod_status(value);
            let pod = pod(value, cluster, &status);
            let images = pod_images(value, cluster);
            (pod.view.object.clone(), Part::Pod(Box::new((pod, images))))
        }
        (_, "AnalysisRun") => {
            let run = analysis_run(value, cluster);
            (run.object.clone(), Part::Run(Box::new(run)))
        }
        (_, "Experiment") => {
            let one = experiment(value, cluster);
            (one.object.clone(), Part::Experiment(Box::new(one)))
        }
        (_, is) => {
            let text = |field: &str| super::facts::text(value, &["metadata", field]);
            let namespace = text("namespace");
            let object = ObjectRef {
                cluster: cluster.clone(),
                kind: kind.clone(),
                namespace: (!namespace.is_empty()).then(|| namespace.into()),
                name: text("name").into(),
            };
            let part = if is == "Service" {
                let (name, hash) = service_hash(value);
                Part::Service(name, hash)
            } else {
                Part::Route(Box::new(value.clone()))
            };
            (object, part)
        }
    }
}

/// Follows one AnalysisRun until it is unsubscribed.
pub(super) async fn analysis(session: Arc<Session>, ticket: Ticket, object: ObjectRef) {
    let Ok(resource) = session.resource(&object.kind).await else {
        return;
    };
    let target = Target::object(resource, &object);
    let projection = Typed::new(
        session.cluster.clone(),
        object.kind.clone(),
        |value, cluster| Box::new(analysis_run(value, cluster)),
    );
    let generation = session.generation;
    let teller = Arc::clone(&session);
    let kind = object.kind;
    let tell = move |freshness| -> BoxFuture<'static, ()> {
        let session = Arc::clone(&teller);
        let source = SourceName::Kind(kind.clone());
        async move { session.report_freshness(source, freshness).await }.boxed()
    };
    let wrap =
        move |_: &Typed<Box<AnalysisRun>>, batch: Batch<Box<AnalysisRun>>| Update::AnalysisRun {
            generation,
            ticket,
            run: batch.rows.into_iter().next_back(),
        };
    let outlet = Outlet::new(session.updates.clone(), wrap, tell);
    Watcher::new(session, target, projection, outlet)
        .run()
        .await;
}
