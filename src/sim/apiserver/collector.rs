//! Removes what nobody holds any more: dependents of gone owners, contents of namespaces that are
//! being deleted, and objects of definitions that are.
//!
//! One task that follows the logs of all resources and acts through the same pipeline as requests
//! do. It looks again at an object whenever something it may wait for has changed, so it needs no
//! time of its own. Semantics of `pkg/controller/garbagecollector` and
//! `pkg/controller/namespace/deletion`.

use super::call::Call;
use super::core::Core;
use super::crds;
use super::delete::{self, DeleteOptions, FOREGROUND, ORPHAN, Propagation};
use super::error::ApiError;
use super::json::{self, metadata_mut};
use super::kinds::Kind;
use super::request::{FieldValidation, WriteOptions};
use super::store::{Change, Key, Stored};
use super::write;
use serde_json::{Value, json};
use std::collections::{BTreeSet, HashMap, HashSet};
use std::sync::{Arc, Weak};

const WHO: &str = "system:serviceaccount:kube-system:generic-garbage-collector";

/// An object, by its shelf and key.
type Place = (String, Key);

/// Follows the server's changes until the server is gone.
pub(super) async fn run(core: Weak<Core>) {
    let Some(mut wake) = core.upgrade().map(|core| core.store.subscribe()) else {
        return;
    };
    let mut collector = Collector::default();
    loop {
        let Some(strong) = core.upgrade() else {
            return;
        };
        wake.mark_unchanged();
        collector.pass(&strong);
        drop(strong);
        if wake.changed().await.is_err() {
            return;
        }
    }
}

#[derive(Default)]
struct Collector {
    /// How far each log was read.
    cursors: HashMap<String, u64>,
    /// Objects in deletion that wait for others.
    waiting: BTreeSet<Place>,
}

/// What a pass found in the logs.
#[derive(Default)]
struct News {
    gone: HashSet<Box<str>>,
    /// New objects with owners, of whom it is not known that they exist.
    owned: BTreeSet<Place>,
    anything: bool,
}

impl Collector {
    fn pass(&mut self, core: &Arc<Core>) {
        let mut news = self.read_logs(core);
        if !news.anything {
            return;
        }
        if !news.gone.is_empty() {
            news.owned.extend(dependents(core, &news.gone));
        }
        for place in &news.owned {
            settle(attempt_owned(core, place), place);
        }
        for place in self.waiting.clone() {
            match attempt_deletion(core, &place) {
                Ok(true) => {}
                Ok(false) => {
                    self.waiting.remove(&place);
                }
                Err(error) => settle(Err(error), &place),
            }
        }
    }

    fn read_logs(&mut self, core: &Arc<Core>) -> News {
        let mut news = News::default();
        for resource in core.store.resources() {
            let shelf = core.store.shelf(&resource);
            let mut cursor = self.cursors.get(&resource).copied().unwrap_or_default();
            loop {
                let Ok(events) = shelf.events_after(cursor, 512) else {
                    // The log moved past us: look at everything that is there.
                    cursor = self.look_at_all(core, &resource, &mut news);
                    break;
                };
                if events.is_empty() {
                    break;
                }
                news.anything = true;
                for event in events {
                    cursor = event.object.version;
                    let place = (resource.clone(), event.object.key.clone());
                    if event.change == Change::Deleted {
                        news.gone.insert(event.object.uid.clone());
                    } else if event.object.deleting {
                        self.waiting.insert(place);
                    } else if event.change == Change::Added && !event.object.owners.is_empty() {
                        news.owned.insert(place);
                    }
                }
            }
            self.cursors.insert(resource, cursor);
        }
        news
    }

    fn look_at_all(&mut self, core: &Arc<Core>, resource: &str, news: &mut News) -> u64 {
        news.anything = true;
        let Ok(snapshot) = core.store.snapshot(resource, "", None) else {
            return core.store.version();
        };
        for object in &snapshot.objects {
            let place = (resource.to_owned(), object.key.clone());
            if object.deleting {
                self.waiting.insert(place);
            } else if !object.owners.is_empty() {
                news.owned.insert(place);
            }
        }
        snapshot.version
    }
}

/// Objects that name one of these owners.
fn dependents(core: &Core, owners: &HashSet<Box<str>>) -> Vec<Place> {
    let mut found = Vec::new();
    for resource in core.store.resources() {
        let Ok(snapshot) = core.store.snapshot(&resource, "", None) else {
            continue;
        };
        for object in snapshot.objects {
            if object.owners.iter().any(|owner| owners.contains(owner)) {
                found.push((resource.clone(), object.key.clone()));
            }
        }
    }
    found
}

fn settle(outcome: Result<(), ApiError>, place: &Place) {
    match outcome {
        Ok(()) => {}
        Err(error) if error.code == 404 || error.code == 409 => {}
        Err(error) => tracing::warn!(%error, resource = place.0, name = &*place.1.name,
            "an object could not be collected"),
    }
}

fn kind_of(core: &Core, resource: &str) -> Option<Arc<Kind>> {
    core.table()
        .all()
        .find(|kind| kind.storage && kind.shelf() == resource)
        .map(Arc::clone)
}

fn internal(core: &Arc<Core>, place: &Place) -> Option<Call> {
    let kind = kind_of(core, &place.0)?;
    Some(Call::internal(core, &kind, &place.1, WHO))
}

/// What became of an owner that an object names.
enum Owner {
    /// It is there.
    Solid,
    /// It waits for its dependents to go first.
    Waiting,
    Absent,
    /// Its kind is not served, so nobody can tell.
    Unknown,
}

fn look_up(core: &Core, dependent: &Stored, reference: &Value) -> Owner {
    let text = |field: &str| json::text_at(reference, &[field]).unwrap_or_default();
    let table = core.table();
    let Some(kind) = table.by_object(text("apiVersion"), text("kind")) else {
        return Owner::Unknown;
    };
    let namespace = if kind.namespaced {
        &*dependent.key.namespace
    } else {
        ""
    };
    let found = core
        .store
        .shelf(&kind.shelf())
        .get(&Key::new(namespace, text("name")));
    match found {
        Some(owner) if *owner.uid == *text("uid") => {
            let foreground = owner.deleting
                && json::finalizers(&owner.value())
                    .iter()
                    .any(|f| f == FOREGROUND);
            if foreground {
                Owner::Waiting
            } else {
                Owner::Solid
            }
        }
        Some(_) | None => Owner::Absent,
    }
}

/// Deletes an object whose owners are all gone; otherwise drops the references to gone ones.
fn attempt_owned(core: &Arc<Core>, place: &Place) -> Result<(), ApiError> {
    let Some(object) = core.store.shelf(&place.0).get(&place.1) else {
        return Ok(());
    };
    let Some(call) = internal(core, place).filter(|_| !object.deleting) else {
        return Ok(());
    };
    let value = object.value();
    let references = json::at(&value, &["metadata", "ownerReferences"])
        .and_then(Value::as_array)
        .cloned()
        .unwrap_or_default();
    let (mut solid, mut waiting, mut absent) = (0, 0, Vec::new());
    for reference in &references {
        match look_up(core, &object, reference) {
            Owner::Solid | Owner::Unknown => solid += 1,
            Owner::Waiting => waiting += 1,
            Owner::Absent => absent.push(reference.clone()),
        }
    }
    if absent.is_empty() && waiting == 0 {
        return Ok(());
    }
    if solid > 0 {
        return strip_owners(&call, &absent);
    }
    let mine = HashSet::from([object.uid.clone()]);
    let blocks = waiting > 0 && !dependents(core, &mine).is_empty();
    let options = DeleteOptions {
        propagation: blocks.then_some(Propagation::Foreground),
        uid: Some(object.uid.to_string()),
        ..DeleteOptions::default()
    };
    delete::delete_object(&call, object, &options).map(drop)
}

fn strip_owners(call: &Call, owners: &[Value]) -> Result<(), ApiError> {
    if owners.is_empty() {
        return Ok(());
    }
    write::update_with(call, &options(), |old| {
        let mut new = old.clone();
        let metadata = metadata_mut(&mut new);
        let mut left = metadata
            .get("ownerReferences")
            .and_then(Value::as_array)
            .cloned()
            .unwrap_or_default();
        left.retain(|one| owners.iter().all(|owner| owner["uid"] != one["uid"]));
        if left.is_empty() {
            metadata.remove("ownerReferences");
        } else {
            metadata.insert("ownerReferences".to_owned(), left.into());
        }
        Ok(new)
    })
    .map(drop)
}

fn options() -> WriteOptions {
    WriteOptions {
        dry_run: false,
        field_manager: "kube-controller-manager".to_owned(),
        validation: FieldValidation::Ignore,
        force: false,
        applied: false,
    }
}

/// Goes on with the deletion of an object; says whether it still waits for something of ours.
fn attempt_deletion(core: &Arc<Core>, place: &Place) -> Result<bool, ApiError> {
    let Some(object) = core.store.shelf(&place.0).get(&place.1) else {
        return Ok(false);
    };
    let Some(call) = internal(core, place).filter(|_| object.deleting) else {
        return Ok(false);
    };
    let value = object.value();
    let finalizers = json::finalizers(&value);
    let has = |name: &str| finalizers.iter().any(|one| one == name);
    if has(ORPHAN) {
        let owner = json!({ "uid": &*object.uid });
        for dependent in dependents(core, &HashSet::from([object.uid.clone()])) {
            if let Some(call) = internal(core, &dependent) {
                strip_owners(&call, std::slice::from_ref(&owner))?;
            }
        }
        remove_finalizer(&call, ORPHAN)?;
        return Ok(true);
    }
    if has(FOREGROUND) {
        return foreground(core, &call, &object);
    }
    if call.kind.is("", "Namespace") {
        return empty_namespace(core, &call, &value);
    }
    if crds::is_definition(&call.kind) && has(crds::CLEANUP) {
        return empty_definition(core, &call, &value);
    }
    // Others hold it; their write is an event that puts it back here.
    Ok(false)
}

fn foreground(core: &Arc<Core>, call: &Call, owner: &Stored) -> Result<bool, ApiError> {
    let mut blocked = false;
    for place in dependents(core, &HashSet::from([owner.uid.clone()])) {
        let Some(object) = core.store.shelf(&place.0).get(&place.1) else {
            continue;
        };
        blocked |= blocks(&object, &owner.uid);
        settle(attempt_owned(core, &place), &place);
    }
    if !blocked {
        remove_finalizer(call, FOREGROUND)?;
    }
    Ok(true)
}

fn blocks(dependent: &Stored, owner: &str) -> bool {
    json::at(&dependent.value(), &["metadata", "ownerReferences"])
        .and_then(Value::as_array)
        .into_iter()
        .flatten()
        .any(|one| one["uid"] == owner && one["blockOwnerDeletion"] == true)
}

fn remove_finalizer(call: &Call, finalizer: &str) -> Result<(), ApiError> {
    write::update_with(call, &options(), |old| {
        let mut new = old.clone();
        let mut finalizers = json::finalizers(old);
        finalizers.retain(|one| one != finalizer);
        metadata_mut(&mut new).insert("finalizers".to_owned(), finalizers.into());
        Ok(new)
    })
    .map(drop)
}

/// Deletes what is in a namespace, and lets it go when nothing is left.
fn empty_namespace(core: &Arc<Core>, call: &Call, value: &Value) -> Result<bool, ApiError> {
    if json::texts_at(value, &["spec", "finalizers"]).is_empty() {
        return Ok(false);
    }
    let name = call.path.name.as_str();
    let mut left = 0;
    let table = core.table();
    let kinds = table.all().filter(|kind| {
        kind.namespaced && kind.storage && !kind.create_only && kind.group != "events.k8s.io"
    });
    for kind in kinds {
        left += delete_all(core, kind, name)?;
    }
    if left > 0 {
        return Ok(true);
    }
    let mut finalize = call.clone();
    "finalize".clone_into(&mut finalize.path.subresource);
    write::update_with(&finalize, &options(), |old| {
        let mut new = old.clone();
        json::object_mut(&mut new, "spec").insert("finalizers".to_owned(), json!([]));
        Ok(new)
    })?;
    Ok(false)
}

/// Begins the deletion of all objects of a kind; returns how many are left.
fn delete_all(core: &Arc<Core>, kind: &Arc<Kind>, namespace: &str) -> Result<usize, ApiError> {
    let Ok(snapshot) = core.store.snapshot(&kind.shelf(), namespace, None) else {
        return Ok(0);
    };
    let mut left = 0;
    for object in snapshot.objects {
        if object.deleting {
            left += 1;
            continue;
        }
        let call = Call::internal(core, kind, &object.key, WHO);
        match delete::delete_object(&call, object, &DeleteOptions::default()) {
            Ok((_, gone)) => left += usize::from(!gone),
            Err(error) if error.code == 404 => {}
            Err(error) => return Err(error),
        }
    }
    Ok(left)
}

/// Deletes the objects of a definition, and lets it go when none is left.
fn empty_definition(core: &Arc<Core>, call: &Call, value: &Value) -> Result<bool, ApiError> {
    let (group, plural) = crds::names(value);
    let table = core.table();
    let kind = table
        .all()
        .find(|kind| kind.custom && kind.group == group && kind.plural == plural);
    if let Some(kind) = kind
        && delete_all(core, kind, "")? > 0
    {
        return Ok(true);
    }
    remove_finalizer(call, crds::CLEANUP)?;
    Ok(false)
}
