//! The controller itself: what it watches, what it remembers, and when it looks at what.
//!
//! One queue of Applications; a change of any watched object finds the Applications it concerns
//! through indexes. How thoroughly one is looked at is a [`Level`].

use super::application::{App, AppName, CONTROL_NAMESPACE};
use super::cluster::{Cluster, Refusal, Served};
use super::compare::MANAGER;
use super::key::Key;
use super::render::Renderer;
use super::thing::Thing;
use super::verdict::{Compared, Condition, Remembered, Target};
use super::world::{Touched, World};
use super::{json, tracking};
use crate::domain::clock::Clock;
use crate::sim::clock::PlatformClock;
use crate::sim::controllers::runtime::{Change, Informer, ObjectKey, Queue, Runtime};
use crate::sim::events::{About, Events, Recorder};
use crate::sim::git::{GitServer, repository_path};
use chrono::{DateTime, Utc};
use serde_json::Value;
use std::collections::{HashMap, HashSet};
use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;
use tokio::sync::broadcast::error::RecvError;

/// The group of Argo CD's kinds.
pub const ARGO: &str = "argoproj.io";

/// How long starting waits for the CRDs to be served, in real time.
const PATIENCE: Duration = Duration::from_secs(30);
/// Kinds below managed objects, whose images are shown.
const TREE_KINDS: [(&str, &str); 3] = [("apps", "ReplicaSet"), ("", "Pod"), ("batch", "Job")];
/// Kinds that nobody manages and that change all the time.
const EXCLUDED: [(&str, &str); 7] = [
    ("", "Event"),
    ("events.k8s.io", "Event"),
    ("coordination.k8s.io", "Lease"),
    ("", "Endpoints"),
    ("discovery.k8s.io", "EndpointSlice"),
    ("certificates.k8s.io", "CertificateSigningRequest"),
    ("", "Node"),
];

/// How thoroughly an Application is looked at again.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Level {
    /// Only what is below its objects changed.
    Tree,
    /// Compare with the manifests that are known.
    Recent,
    /// Ask git for the newest revision first.
    Latest,
    /// And render anew.
    Hard,
}

/// What is remembered of an Application between two looks.
#[derive(Clone, Debug, Default)]
pub struct Memo {
    /// Rendered objects of each source, as shared by everyone who renders the same.
    pub rendered: Vec<Arc<Vec<Value>>>,
    pub targets: Arc<Vec<Target>>,
    pub warnings: Vec<Condition>,
    pub revisions: Vec<String>,
    pub source_types: Vec<&'static str>,
    /// The parts of the spec that the targets and verdicts depend on.
    pub basis: String,
    pub remembered: Arc<RwLock<Remembered>>,
    pub claims: Vec<Key>,
    pub compared: Option<Arc<Compared>>,
    /// Some kind is not served (yet).
    pub misses_kinds: bool,
    /// A sync that goes on waits until then.
    pub not_before: Option<DateTime<Utc>>,
}

/// The application controller. Clones share it.
#[derive(Clone, Debug)]
pub struct Argo(pub(super) Arc<Inner>);

pub(super) struct Inner {
    pub(super) runtime: Runtime,
    pub(super) clock: PlatformClock,
    pub(super) queue: Queue<AppName>,
    pub(super) cluster: Cluster,
    pub(super) world: World,
    pub(super) renderer: Renderer,
    pub(super) apps: Informer<Thing>,
    pub(super) projects: Informer<Thing>,
    recorder: Recorder,
    memos: RwLock<HashMap<AppName, Memo>>,
    levels: RwLock<HashMap<AppName, Level>>,
    watched: RwLock<HashSet<(String, String)>>,
}

impl std::fmt::Debug for Inner {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Inner")
            .field("apps", &self.apps.len())
            .finish_non_exhaustive()
    }
}

impl Argo {
    /// Starts the controller on a runtime, once the API server serves Argo CD's kinds.
    pub async fn start(
        runtime: &Runtime,
        git: &GitServer,
        events: &Events,
    ) -> Result<Self, Refusal> {
        let cluster = Cluster::new(runtime.client().clone(), MANAGER);
        let (apps, projects) = tokio::time::timeout(PATIENCE, own_kinds(&cluster))
            .await
            .map_err(|_elapsed| Refusal {
                code: 0,
                reason: String::new(),
                message: "the API server does not serve Application and AppProject; their CRDs are missing".to_owned(),
            })??;
        let argo = Self(Arc::new(Inner {
            clock: runtime.clock().clone(),
            queue: runtime.queue(),
            cluster,
            world: World::default(),
            renderer: Renderer::new(git.clone(), runtime.clock().clone()),
            apps: runtime.informer_of(apps.resource.clone()),
            projects: runtime.informer_of(projects.resource.clone()),
            recorder: events.recorder("argocd-application-controller"),
            memos: RwLock::default(),
            levels: RwLock::default(),
            watched: RwLock::default(),
            runtime: runtime.clone(),
        }));
        argo.watch_own();
        for (group, kind) in TREE_KINDS {
            argo.watch(group, kind).await;
        }
        argo.follow_crds().await;
        argo.follow_pushes();
        runtime.run(argo.clone(), argo.0.queue.clone());
        Ok(argo)
    }

    fn watch_own(&self) {
        let argo = self.clone();
        self.0
            .apps
            .feed(&self.0.queue, move |change| argo.on_application(change));
        let argo = self.clone();
        self.0
            .projects
            .feed(&self.0.queue, move |change| argo.on_project(change));
        self.mark_watched(ARGO, "Application");
        self.mark_watched(ARGO, "AppProject");
        let argo = self.clone();
        self.0
            .projects
            .on_change(move |change| argo.on_object(change));
    }

    fn on_application(&self, change: &Change<Thing>) -> Vec<AppName> {
        self.on_object(change);
        let Some(object) = change.object() else {
            return Vec::new();
        };
        let app = App(Arc::clone(&object.body));
        if let (Some(old), Some(_)) = (&change.old, &change.new) {
            let (before, now) = (App(Arc::clone(&old.body)).automated(), app.automated());
            if (now.on && !before.on) || (now.self_heal && !before.self_heal) {
                self.note(&app.name(), Level::Recent);
            }
        }
        vec![app.name()]
    }

    fn on_project(&self, change: &Change<Thing>) -> Vec<AppName> {
        let name = change.key().name;
        let apps: Vec<AppName> = self
            .0
            .apps
            .all()
            .iter()
            .map(|thing| App(Arc::clone(&thing.body)))
            .filter(|app| app.project() == name)
            .map(|app| app.name())
            .collect();
        for app in &apps {
            self.note(app, Level::Recent);
        }
        apps
    }

    /// Takes a change of any object into the world and wakes whom it concerns.
    fn on_object(&self, change: &Change<Thing>) {
        let touched = match (&change.old, &change.new) {
            (_, Some(new)) => self.0.world.put(new),
            (Some(old), None) => {
                let uid = json::text(&old.body, &["metadata", "uid"]);
                self.0.world.remove(&Key::of(&old.body), uid)
            }
            (None, None) => return,
        };
        self.wake(touched);
    }

    fn wake(&self, touched: Touched) {
        for app in touched.claimed {
            self.request(&app, Level::Recent);
        }
        for (instances, level) in [
            (touched.tracked, Level::Recent),
            (touched.above, Level::Tree),
        ] {
            for instance in instances {
                let (namespace, name) = tracking::application_of(&instance, CONTROL_NAMESPACE);
                if self.app(&AppName::new(&namespace, &name)).is_some() {
                    self.request(&AppName::new(&namespace, &name), level);
                }
            }
        }
    }

    /// Asks for a look at an Application.
    pub fn request(&self, app: &AppName, level: Level) {
        self.note(app, level);
        self.0.queue.add(app.clone());
    }

    fn note(&self, app: &AppName, level: Level) {
        let mut levels = self
            .0
            .levels
            .write()
            .unwrap_or_else(PoisonError::into_inner);
        let known = levels.entry(app.clone()).or_insert(level);
        *known = (*known).max(level);
    }

    pub(super) fn take_level(&self, app: &AppName) -> Option<Level> {
        self.0
            .levels
            .write()
            .unwrap_or_else(PoisonError::into_inner)
            .remove(app)
    }

    /// Returns an Application as last seen.
    pub fn app(&self, name: &AppName) -> Option<App> {
        let key = ObjectKey::new(&*name.namespace, &*name.name);
        self.0
            .apps
            .get(&key)
            .map(|thing| App(Arc::clone(&thing.body)))
    }

    /// Returns the git server that manifests come from.
    pub fn git(&self) -> &GitServer {
        self.0.renderer.git()
    }

    /// Returns every Application.
    pub fn all_apps(&self) -> Vec<App> {
        self.0
            .apps
            .all()
            .iter()
            .map(|thing| App(Arc::clone(&thing.body)))
            .collect()
    }

    /// Returns a project by name.
    pub(super) fn project(&self, name: &str) -> Option<Arc<Value>> {
        let key = ObjectKey::new(CONTROL_NAMESPACE, name);
        self.0
            .projects
            .get(&key)
            .map(|thing| Arc::clone(&thing.body))
    }

    /// Returns what is remembered of an Application.
    pub fn memo(&self, app: &AppName) -> Memo {
        let memos = self.0.memos.read().unwrap_or_else(PoisonError::into_inner);
        memos.get(app).cloned().unwrap_or_default()
    }

    pub(super) fn remember(&self, app: &AppName, memo: Memo) {
        self.0
            .memos
            .write()
            .unwrap_or_else(PoisonError::into_inner)
            .insert(app.clone(), memo);
    }

    pub(super) fn forget(&self, app: &AppName) {
        let memo = self
            .0
            .memos
            .write()
            .unwrap_or_else(PoisonError::into_inner)
            .remove(app);
        if let Some(memo) = memo {
            self.0.world.claim(app, &memo.claims, &[]);
        }
        self.take_level(app);
    }

    pub(super) fn event(&self, app: &AppName, warning: bool, reason: &str, message: String) {
        let key = ObjectKey::new(&*app.namespace, &*app.name);
        let Some(thing) = self.0.apps.get(&key) else {
            return;
        };
        let about = About::of(&*thing, &self.0.apps);
        if warning {
            self.0.recorder.warning(about, reason, message);
        } else {
            self.0.recorder.normal(about, reason, message);
        }
    }

    pub(super) fn now(&self) -> DateTime<Utc> {
        self.0.clock.now()
    }

    /// Notes that a kind is watched; false when it was before.
    fn mark_watched(&self, group: &str, kind: &str) -> bool {
        self.0
            .watched
            .write()
            .unwrap_or_else(PoisonError::into_inner)
            .insert((group.to_owned(), kind.to_owned()))
    }

    /// Sees to it that a kind is watched and known; false when the server has no such kind.
    pub(super) async fn watch(&self, group: &str, kind: &str) -> bool {
        let Some(served) = self.0.cluster.served(group, kind) else {
            return false;
        };
        self.watch_served(&served).await;
        true
    }

    async fn watch_served(&self, served: &Served) {
        if !served.watchable {
            return;
        }
        let informer: Informer<Thing> = self.0.runtime.informer_of(served.resource.clone());
        if self.mark_watched(&served.resource.group, &served.resource.kind) {
            let argo = self.clone();
            informer.on_change(move |change| argo.on_object(change));
        }
        informer.synced().await;
    }

    /// Watches every kind, which finding orphans needs.
    pub(super) async fn watch_all(&self) {
        for served in self.0.cluster.all() {
            let kind = (
                served.resource.group.as_str(),
                served.resource.kind.as_str(),
            );
            if !EXCLUDED.contains(&kind) {
                self.watch_served(&served).await;
            }
        }
    }

    /// A new CRD brings kinds that Applications may be waiting for.
    async fn follow_crds(&self) {
        let Some(served) = self
            .0
            .cluster
            .served("apiextensions.k8s.io", "CustomResourceDefinition")
        else {
            return;
        };
        self.watch_served(&served).await;
        let informer: Informer<Thing> = self.0.runtime.informer_of(served.resource.clone());
        let mut changes = informer.changes();
        let argo = self.clone();
        self.0.runtime.spawn(async move {
            while changes.changed().await.is_ok() {
                if let Err(refusal) = argo.0.cluster.discover().await {
                    tracing::warn!("cannot list the kinds of the API server: {refusal}");
                }
                let memos = argo.0.memos.read().unwrap_or_else(PoisonError::into_inner);
                let waiting: Vec<AppName> = memos
                    .iter()
                    .filter(|(_, memo)| memo.misses_kinds)
                    .map(|(name, _)| name.clone())
                    .collect();
                drop(memos);
                for app in waiting {
                    argo.request(&app, Level::Recent);
                }
            }
        });
    }

    /// A push is a webhook: its Applications are refreshed at once.
    fn follow_pushes(&self) {
        let mut pushes = self.0.renderer.git().pushes();
        let argo = self.clone();
        self.0.runtime.spawn(async move {
            loop {
                match pushes.recv().await {
                    Ok(push) => argo.on_push(Some(&push.repository)),
                    // Pushes were missed, so every repository may have moved.
                    Err(RecvError::Lagged(_)) => argo.on_push(None),
                    Err(RecvError::Closed) => return,
                }
            }
        });
    }

    fn on_push(&self, repository: Option<&str>) {
        self.0.renderer.forget_revisions(repository);
        for app in self.all_apps() {
            let uses = repository.is_none_or(|pushed| {
                app.sources()
                    .iter()
                    .any(|source| repository_path(json::text(source, &["repoURL"])) == pushed)
            });
            if uses {
                self.request(&app.name(), Level::Latest);
            }
        }
    }
}

async fn own_kinds(cluster: &Cluster) -> Result<(Arc<Served>, Arc<Served>), Refusal> {
    loop {
        cluster.discover().await?;
        let kinds = (
            cluster.served(ARGO, "Application"),
            cluster.served(ARGO, "AppProject"),
        );
        if let (Some(apps), Some(projects)) = kinds {
            return Ok((apps, projects));
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}
