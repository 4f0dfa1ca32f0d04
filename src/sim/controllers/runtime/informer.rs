//! One shared, watched cache per kind: list once, then follow the watch.
//!
//! After 410 it lists again and works out what was deleted meanwhile. Reconnecting waits by real
//! time, because the connection is real; nothing here polls. `managedFields` are dropped, they are
//! a large part of each object and no controller reads them.

use super::cache::{Cache, Change, IndexFn, parse_version, version_of};
use super::error::{code, said};
use super::key::ObjectKey;
use super::queue::{Queue, WorkKey};
use futures::TryStreamExt;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::{LabelSelector, ListMeta};
use kube::api::{ListParams, WatchEvent, WatchParams};
use kube::core::Request;
use kube::{Client, Resource};
use serde::Deserialize;
use serde::de::DeserializeOwned;
use std::fmt::Debug;
use std::sync::{Arc, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};
use std::time::Duration;
use tokio::sync::watch;

const PAGE: u32 = 500;
const FIRST_RECONNECT: Duration = Duration::from_millis(50);
const LONGEST_RECONNECT: Duration = Duration::from_secs(5);

/// What an informer can watch.
pub trait Watched:
    Resource<DynamicType: Clone + Debug + Send + Sync>
    + Clone
    + Debug
    + DeserializeOwned
    + Send
    + Sync
    + 'static
{
}
impl<K> Watched for K where
    K: Resource<DynamicType: Clone + Debug + Send + Sync>
        + Clone
        + Debug
        + DeserializeOwned
        + Send
        + Sync
        + 'static
{
}

type Handler<K> = Box<dyn Fn(&Change<K>) + Send + Sync>;

/// The watched objects of one kind. Clones share the cache.
pub struct Informer<K: Watched>(Arc<Shared<K>>);

struct Shared<K: Watched> {
    client: Client,
    kind: K::DynamicType,
    slim: fn(&mut K),
    cache: RwLock<Cache<K>>,
    handlers: RwLock<Vec<Handler<K>>>,
    synced: watch::Sender<bool>,
    changes: watch::Sender<u64>,
}

impl<K: Watched> Clone for Informer<K> {
    fn clone(&self) -> Self {
        Self(Arc::clone(&self.0))
    }
}

impl<K: Watched> Debug for Informer<K> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Informer({})", K::plural(&self.0.kind))
    }
}

impl<K: Watched> Informer<K> {
    pub(super) fn new(client: Client, kind: K::DynamicType, slim: fn(&mut K)) -> Self {
        Self(Arc::new(Shared {
            client,
            kind,
            slim,
            cache: RwLock::new(Cache::new()),
            handlers: RwLock::default(),
            synced: watch::Sender::new(false),
            changes: watch::Sender::new(0),
        }))
    }

    /// Returns the object of this name, as last seen.
    pub fn get(&self, key: &ObjectKey) -> Option<Arc<K>> {
        self.cache().get(key)
    }

    /// Returns all objects, sorted by namespace and name.
    pub fn all(&self) -> Vec<Arc<K>> {
        self.cache().all()
    }

    /// Returns how many objects there are.
    pub fn len(&self) -> usize {
        self.cache().len()
    }

    /// There are no objects of this kind.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Returns the objects of one namespace, sorted by name.
    pub fn in_namespace(&self, namespace: &str) -> Vec<Arc<K>> {
        self.cache().in_namespace(namespace)
    }

    /// Returns the objects that name this uid among their owners.
    pub fn owned_by(&self, uid: &str) -> Vec<Arc<K>> {
        self.cache().owned_by(uid)
    }

    /// Returns the objects of one namespace that a label selector selects.
    pub fn selected(&self, namespace: &str, selector: &LabelSelector) -> Vec<Arc<K>> {
        let mut found = self.in_namespace(namespace);
        found.retain(|object| super::selector::matches(selector, object.meta().labels.as_ref()));
        found
    }

    /// Adds an index; naming one that exists keeps the first.
    pub fn add_index(&self, name: &'static str, values: IndexFn<K>) {
        self.cache_mut().add_index(name, values);
    }

    /// Returns the objects under a value of an index made by [`Informer::add_index`].
    pub fn by_index(&self, name: &str, value: &str) -> Vec<Arc<K>> {
        self.cache().by_index(name, value)
    }

    /// Calls `handler` for every object that is known and for every change from now on.
    ///
    /// The handler runs inside the watch: it should only note what is to be done. It must not
    /// add handlers itself.
    pub fn on_change(&self, handler: impl Fn(&Change<K>) + Send + Sync + 'static) {
        let mut handlers = self
            .0
            .handlers
            .write()
            .unwrap_or_else(PoisonError::into_inner);
        for object in self.all() {
            handler(&Change {
                old: None,
                new: Some(object),
            });
        }
        handlers.push(Box::new(handler));
    }

    /// Feeds a queue with the keys that `keys` yields for each change, and makes the queue's
    /// controller wait for this informer's first list.
    pub fn feed<Key, Keys>(
        &self,
        queue: &Queue<Key>,
        keys: impl Fn(&Change<K>) -> Keys + Send + Sync + 'static,
    ) where
        Key: WorkKey,
        Keys: IntoIterator<Item = Key>,
    {
        self.required_by(queue);
        let queue = queue.clone();
        self.on_change(move |change| {
            for key in keys(change) {
                queue.add(key);
            }
        });
    }

    /// Makes a queue's controller wait for this informer's first list.
    pub fn required_by<Key: WorkKey>(&self, queue: &Queue<Key>) {
        queue.require(self.0.synced.subscribe());
    }

    /// Waits for the first complete list; false when the informer ended before it.
    pub async fn synced(&self) -> bool {
        let mut synced = self.0.synced.subscribe();
        synced.wait_for(|synced| *synced).await.is_ok()
    }

    /// Returns a counter that moves with every change: to wait for a state without polling.
    pub fn changes(&self) -> watch::Receiver<u64> {
        self.0.changes.subscribe()
    }

    /// Returns the kind's dynamic type (`()` for typed kinds).
    pub fn kind(&self) -> &K::DynamicType {
        &self.0.kind
    }

    /// Returns the client that the informer uses.
    pub fn client(&self) -> &Client {
        &self.0.client
    }

    /// Takes the server's answer to an own write into the cache at once.
    pub fn observe(&self, mut object: K) -> Arc<K> {
        self.slim(&mut object);
        let object = Arc::new(object);
        let change = self.cache_mut().observe(Arc::clone(&object));
        self.tell(change.as_slice());
        object
    }

    /// Forgets an object whose deletion the server has confirmed.
    pub fn observe_deleted(&self, key: &ObjectKey, uid: Option<&str>) {
        let change = self.cache_mut().remove(key, uid);
        self.tell(change.as_slice());
    }

    fn slim(&self, object: &mut K) {
        object.meta_mut().managed_fields = None;
        (self.0.slim)(object);
    }

    fn tell(&self, changes: &[Change<K>]) {
        if changes.is_empty() {
            return;
        }
        {
            let handlers = self
                .0
                .handlers
                .read()
                .unwrap_or_else(PoisonError::into_inner);
            for (change, handler) in changes
                .iter()
                .flat_map(|change| handlers.iter().map(move |handler| (change, handler)))
            {
                handler(change);
            }
        }
        self.0
            .changes
            .send_modify(|count| *count = count.wrapping_add(1));
    }

    fn cache(&self) -> RwLockReadGuard<'_, Cache<K>> {
        self.0.cache.read().unwrap_or_else(PoisonError::into_inner)
    }

    fn cache_mut(&self) -> RwLockWriteGuard<'_, Cache<K>> {
        self.0.cache.write().unwrap_or_else(PoisonError::into_inner)
    }

    /// Lists and watches until it is dropped.
    pub(super) async fn run(self) {
        let mut delay = FIRST_RECONNECT;
        loop {
            match self.list().await {
                Ok(()) => {
                    delay = FIRST_RECONNECT;
                    self.0.synced.send_replace(true);
                    self.follow().await;
                }
                Err(error) => {
                    tracing::debug!(kind = ?self, "cannot list: {}", said(&error));
                    tokio::time::sleep(delay).await;
                    delay = (delay * 2).min(LONGEST_RECONNECT);
                }
            }
        }
    }

    async fn list(&self) -> kube::Result<()> {
        let request = Request::new(K::url_path(&self.0.kind, None));
        let mut params = ListParams::default().limit(PAGE);
        let mut objects = Vec::new();
        loop {
            let page: Page<K> = self
                .0
                .client
                .request(request.list(&params).map_err(kube::Error::BuildRequest)?)
                .await?;
            objects.extend(page.items.into_iter().map(|mut object| {
                self.slim(&mut object);
                Arc::new(object)
            }));
            params.continue_token = page.metadata.continue_.filter(|token| !token.is_empty());
            if params.continue_token.is_none() {
                let version = parse_version(page.metadata.resource_version.as_deref());
                let changes = self.cache_mut().replace(objects, version);
                self.tell(&changes);
                return Ok(());
            }
        }
    }

    /// Follows the watch until the server wants a new list.
    async fn follow(&self) {
        let mut delay = FIRST_RECONNECT;
        loop {
            match self.watch_once().await {
                Ok(Ended::Gone) => return,
                Ok(Ended::Closed) => delay = FIRST_RECONNECT,
                Err(error) if code(&error) == Some(410) => return,
                Err(error) => {
                    tracing::debug!(kind = ?self, "the watch broke: {}", said(&error));
                    tokio::time::sleep(delay).await;
                    if delay >= LONGEST_RECONNECT {
                        return;
                    }
                    delay *= 2;
                }
            }
        }
    }

    async fn watch_once(&self) -> kube::Result<Ended> {
        let from = self.cache().seen().to_string();
        let request = Request::new(K::url_path(&self.0.kind, None))
            .watch(&WatchParams::default(), &from)
            .map_err(kube::Error::BuildRequest)?;
        let events = self.0.client.request_events::<K>(request).await?;
        let mut events = std::pin::pin!(events);
        while let Some(event) = events.try_next().await? {
            match event {
                WatchEvent::Added(mut object) | WatchEvent::Modified(mut object) => {
                    self.slim(&mut object);
                    let change = self.cache_mut().apply(Arc::new(object));
                    self.tell(change.as_slice());
                }
                WatchEvent::Deleted(object) => self.on_deleted(&object),
                WatchEvent::Bookmark(mark) => {
                    let version = parse_version(Some(&mark.metadata.resource_version));
                    self.cache_mut().bookmark(version);
                }
                WatchEvent::Error(status) if status.code == 410 => return Ok(Ended::Gone),
                WatchEvent::Error(status) => return Err(kube::Error::Api(status)),
            }
        }
        Ok(Ended::Closed)
    }

    fn on_deleted(&self, object: &K) {
        let change = {
            let mut cache = self.cache_mut();
            cache.bookmark(version_of(object));
            cache.remove(&ObjectKey::of(object), object.meta().uid.as_deref())
        };
        self.tell(change.as_slice());
    }
}

enum Ended {
    /// The server closed the stream; the watch goes on where it was.
    Closed,
    /// The version is too old; only a new list helps.
    Gone,
}

/// A page of a list. Not `kube`'s, whose flattened type fields make it buffer every item twice.
#[derive(Deserialize)]
#[serde(bound(deserialize = "K: DeserializeOwned"))]
struct Page<K> {
    #[serde(default)]
    metadata: ListMeta,
    #[serde(default)]
    items: Vec<K>,
}
