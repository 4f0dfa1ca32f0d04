//! The verdict on a whole Application: what differs, what is extra, what is wrong.
//!
//! Rules for each object: Argo CD `controller/state.go`, `CompareAppState`. Pure: targets and
//! live objects come in, `status.resources[]` and conditions come out.

use super::autosync::Found;
use super::compare::{self, Applied};
use super::ignore::Ignores;
use super::key::{Key, is_crd, version_of};
use super::options::{self, SyncOptions};
use super::tracking::{self, TRACKING_ID, TrackingId};
use super::waves::wave_of;
use super::{hooks, json, project};
use crate::domain::status::SyncStatus;
use serde_json::{Value, json as make};
use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

/// A condition: type and message.
pub type Condition = (&'static str, String);

/// One wanted object, tracked and placed.
#[derive(Clone, Debug)]
pub struct Target {
    pub key: Key,
    pub object: Arc<Value>,
}

/// One object on either side.
#[derive(Clone, Debug)]
pub struct Managed {
    pub key: Key,
    pub target: Option<Arc<Value>>,
    pub live: Option<Arc<Value>>,
    /// `None` for hooks and skipped objects, which have no sync status.
    pub status: Option<SyncStatus>,
    pub differs: bool,
    pub hook: bool,
    pub requires_pruning: bool,
}

impl Managed {
    /// Returns the target, or else the live object.
    pub fn object(&self) -> &Value {
        static NOTHING: Value = Value::Null;
        self.target
            .as_deref()
            .or(self.live.as_deref())
            .unwrap_or(&NOTHING)
    }
}

/// Outcome of a comparison.
#[derive(Clone, Debug)]
pub struct Compared {
    pub managed: Vec<Managed>,
    pub hooks: Vec<Target>,
    pub status: SyncStatus,
    pub revisions: Vec<String>,
    pub source_types: Vec<&'static str>,
    pub conditions: Vec<Condition>,
    /// The target could not be loaded: nothing may be concluded or pruned.
    pub failed: bool,
}

/// What a comparison of one object was made from, to reuse it while both sides stay.
pub type Remembered = HashMap<Key, (usize, String, bool)>;

/// What the comparison needs to know besides the objects.
pub struct Basis<'a> {
    pub instance: &'a str,
    pub namespace: &'a str,
    pub project: &'a Value,
    pub ignores: &'a Ignores,
    pub options: &'a SyncOptions,
    /// Whether a kind is namespaced; `None` when the server does not know it.
    pub namespaced: &'a (dyn Fn(&Key) -> Option<bool> + Sync),
}

/// Places rendered objects: namespace, tracking id, one per key. Returns warnings as well.
pub fn place(objects: &[Value], basis: &Basis<'_>) -> (Vec<Target>, Vec<Condition>) {
    let mut targets: BTreeMap<Key, Target> = BTreeMap::new();
    let mut order = Vec::new();
    let mut seen: BTreeMap<Key, usize> = BTreeMap::new();
    let mut conditions = Vec::new();
    for object in objects {
        let (key, object, missing) = place_one(object, basis);
        conditions.extend(missing);
        *seen.entry(key.clone()).or_default() += 1;
        // A hook may have a generated name, so several may share the empty one.
        let unique = if key.name.is_empty() {
            Key {
                name: format!("{}#{}", key.name, order.len()).into(),
                ..key.clone()
            }
        } else {
            key.clone()
        };
        if targets
            .insert(
                unique.clone(),
                Target {
                    key,
                    object: Arc::new(object),
                },
            )
            .is_none()
        {
            order.push(unique);
        }
    }
    for (key, count) in seen
        .iter()
        .filter(|(key, count)| **count > 1 && !key.name.is_empty())
    {
        conditions.push((
            "RepeatedResourceWarning",
            format!("Resource {key} appeared {count} times among application resources."),
        ));
    }
    let placed = order
        .into_iter()
        .filter_map(|key| targets.remove(&key))
        .collect();
    (placed, conditions)
}

fn place_one(object: &Value, basis: &Basis<'_>) -> (Key, Value, Option<Condition>) {
    let mut object = object.clone();
    let key = Key::of(&object);
    let namespaced = (basis.namespaced)(&key).unwrap_or(true);
    if !namespaced {
        json::remove(&mut object, &["metadata", "namespace"]);
    } else if key.namespace.is_empty() && !basis.namespace.is_empty() {
        json::put(
            &mut object,
            &["metadata", "namespace"],
            basis.namespace.into(),
        );
    }
    let key = Key::of(&object);
    let missing = (namespaced && key.namespace.is_empty()).then(|| {
        let kind = kind_words(&object);
        let message = format!("Namespace for {} {kind} is missing.", key.name);
        ("InvalidSpecError", message)
    });
    if !is_crd(&object) {
        track(&mut object, &key, basis);
    }
    (key, object, missing)
}

fn kind_words(object: &Value) -> String {
    format!(
        "{}, Kind={}",
        json::text(object, &["apiVersion"]),
        json::text(object, &["kind"])
    )
}

fn track(object: &mut Value, key: &Key, basis: &Basis<'_>) {
    let id = TrackingId {
        instance: basis.instance.to_owned(),
        object: Key {
            // Cluster-scoped objects carry the destination namespace.
            namespace: if key.namespace.is_empty() {
                basis.namespace.into()
            } else {
                Arc::clone(&key.namespace)
            },
            ..key.clone()
        },
    };
    json::put(
        object,
        &["metadata", "annotations", TRACKING_ID],
        id.format().into(),
    );
}

/// Compares targets with live objects: `live` holds what the targets' keys and the instance's
/// tracking ids found.
pub fn compare(
    targets: &[Target],
    live: &BTreeMap<Key, Arc<Value>>,
    basis: &Basis<'_>,
    remembered: &mut Remembered,
) -> Compared {
    let (hooks, plain): (Vec<&Target>, Vec<&Target>) = targets
        .iter()
        .partition(|target| hooks::is_hook(&target.object));
    let mut conditions = Vec::new();
    let mut managed: Vec<Managed> = plain
        .iter()
        .map(|target| {
            judge(
                target,
                live.get(&target.key),
                basis,
                remembered,
                &mut conditions,
            )
        })
        .collect();
    let wanted: std::collections::HashSet<&Key> = plain.iter().map(|target| &target.key).collect();
    managed.extend(
        live.iter()
            .filter(|(key, object)| {
                !wanted.contains(key)
                    && tracking::owner_of(object).as_deref() == Some(basis.instance)
            })
            .map(|(key, object)| extra(key, object)),
    );
    let status = if managed.iter().any(counts_as_drift) {
        SyncStatus::OutOfSync
    } else {
        SyncStatus::Synced
    };
    for one in &mut managed {
        if !project::permits_kind(basis.project, &one.key, !one.key.namespace.is_empty()) {
            one.status = Some(SyncStatus::Unknown);
        }
    }
    remembered.retain(|key, _| wanted.contains(key));
    Compared {
        managed,
        hooks: hooks
            .into_iter()
            .filter(|target| !hooks::is_skipped(&target.object))
            .cloned()
            .collect(),
        status,
        revisions: Vec::new(),
        source_types: Vec::new(),
        conditions,
        failed: false,
    }
}

fn judge(
    target: &Target,
    live: Option<&Arc<Value>>,
    basis: &Basis<'_>,
    remembered: &mut Remembered,
    conditions: &mut Vec<Condition>,
) -> Managed {
    let differs = live.is_none_or(|live| differs(target, live, basis, remembered));
    if let Some(owner) = live.and_then(|live| tracking::owner_of(live))
        && owner != basis.instance
    {
        conditions.push((
            "SharedResourceWarning",
            format!(
                "{}/{} is part of applications {} and {owner}",
                target.key.kind, target.key.name, basis.instance
            ),
        ));
    }
    Managed {
        key: target.key.clone(),
        target: Some(Arc::clone(&target.object)),
        live: live.cloned(),
        status: Some(if differs {
            SyncStatus::OutOfSync
        } else {
            SyncStatus::Synced
        }),
        differs,
        hook: false,
        requires_pruning: false,
    }
}

fn differs(target: &Target, live: &Value, basis: &Basis<'_>, remembered: &mut Remembered) -> bool {
    // Both sides are shared and never change in place, so identity and version tell enough.
    let place = Arc::as_ptr(&target.object) as usize;
    let version = format!(
        "{}/{}",
        json::text(live, &["metadata", "uid"]),
        json::text(live, &["metadata", "resourceVersion"])
    );
    if let Some((known, at, differs)) = remembered.get(&target.key)
        && *known == place
        && *at == version
    {
        return *differs;
    }
    let applied = applied_by(&target.object, basis.options);
    let differs = compare::compare(&target.object, live, basis.ignores, applied).differs;
    remembered.insert(target.key.clone(), (place, version, differs));
    differs
}

/// Returns how an object is going to be applied.
pub fn applied_by(target: &Value, options: &SyncOptions) -> Applied {
    let server = !options::object_has(target, "ServerSideApply=false")
        && (options.has("ServerSideApply=true")
            || options::object_has(target, "ServerSideApply=true"));
    if server {
        Applied::Server
    } else {
        Applied::Client
    }
}

fn extra(key: &Key, live: &Arc<Value>) -> Managed {
    let hook = hooks::is_hook(live);
    Managed {
        key: key.clone(),
        target: None,
        live: Some(Arc::clone(live)),
        status: (!hook).then_some(SyncStatus::OutOfSync),
        differs: true,
        hook,
        requires_pruning: true,
    }
}

fn counts_as_drift(one: &Managed) -> bool {
    one.status == Some(SyncStatus::OutOfSync)
        && !(one.requires_pruning && options::compares_with(one.object(), "IgnoreExtraneous"))
}

/// Returns a comparison that could not be made, over what is known to be live.
pub fn unknown(live: &BTreeMap<Key, Arc<Value>>, conditions: Vec<Condition>) -> Compared {
    let managed = live
        .iter()
        .map(|(key, object)| Managed {
            status: Some(SyncStatus::Unknown),
            requires_pruning: false,
            ..extra(key, object)
        })
        .collect();
    Compared {
        managed,
        hooks: Vec::new(),
        status: SyncStatus::Unknown,
        revisions: Vec::new(),
        source_types: Vec::new(),
        conditions,
        failed: true,
    }
}

impl Compared {
    /// Returns what automated sync decides on.
    pub fn found(&self) -> Vec<Found> {
        self.managed
            .iter()
            .map(|one| Found {
                group: one.key.group.to_string(),
                kind: one.key.kind.to_string(),
                namespace: one.key.namespace.to_string(),
                name: one.key.name.to_string(),
                status: one.status,
                requires_pruning: one.requires_pruning,
            })
            .collect()
    }

    /// Writes `status.resources[]`.
    pub fn resources(&self) -> Value {
        let mut sorted: Vec<&Managed> = self.managed.iter().collect();
        sorted.sort_by(|one, other| one.key.cmp(&other.key));
        sorted.into_iter().map(resource).collect()
    }
}

fn resource(one: &Managed) -> Value {
    let mut item = make!({"version": version_of(one.object()), "kind": &*one.key.kind, "name": &*one.key.name});
    if !one.key.group.is_empty() {
        item["group"] = (&*one.key.group).into();
    }
    if !one.key.namespace.is_empty() {
        item["namespace"] = (&*one.key.namespace).into();
    }
    if let Some(status) = one.status {
        item["status"] = status.word().into();
    }
    if one.hook {
        item["hook"] = true.into();
    }
    if one.requires_pruning {
        item["requiresPruning"] = true.into();
    }
    if options::object_has(one.object(), "Delete=confirm")
        || (one.requires_pruning && options::object_has(one.object(), "Prune=confirm"))
    {
        item["requiresDeletionConfirmation"] = true.into();
    }
    let wave = wave_of(one.object());
    if wave != 0 {
        item["syncWave"] = wave.into();
    }
    item
}

#[cfg(test)]
mod tests {
    use super::*;

    fn config_map(name: &str, data: &str) -> Value {
        make!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": name}, "data": {"k": data}})
    }

    fn verdict(objects: &[Value], live: &[Value]) -> (Compared, Vec<Condition>) {
        let ignores = Ignores::default();
        let options = SyncOptions::default();
        let project = make!({});
        let basis = Basis {
            instance: "app",
            namespace: "n",
            project: &project,
            ignores: &ignores,
            options: &options,
            namespaced: &|key| Some(&*key.kind != "Namespace"),
        };
        let (targets, conditions) = place(objects, &basis);
        let live = live
            .iter()
            .map(|object| (Key::of(object), Arc::new(object.clone())))
            .collect();
        (
            compare(&targets, &live, &basis, &mut Remembered::new()),
            conditions,
        )
    }

    fn stored(object: &Value, instance: &str) -> Value {
        let mut object = object.clone();
        let name = json::text(&object, &["metadata", "name"]).to_owned();
        object["metadata"]["namespace"] = "n".into();
        object["metadata"]["annotations"] =
            make!({TRACKING_ID: format!("{instance}:/ConfigMap:n/{name}")});
        object
    }

    #[test]
    fn equal_objects_are_synced() {
        let object = config_map("a", "1");

        let (compared, conditions) =
            verdict(std::slice::from_ref(&object), &[stored(&object, "app")]);

        assert_eq!(compared.status, SyncStatus::Synced);
        assert!(conditions.is_empty() && compared.conditions.is_empty());
    }

    #[test]
    fn missing_and_changed_objects_are_drift() {
        let (missing, _) = verdict(&[config_map("a", "1")], &[]);
        let (changed, _) = verdict(
            &[config_map("a", "1")],
            &[stored(&config_map("a", "2"), "app")],
        );

        assert_eq!(missing.status, SyncStatus::OutOfSync);
        assert_eq!(changed.status, SyncStatus::OutOfSync);
    }

    #[test]
    fn an_extra_object_needs_pruning_unless_extras_are_ignored() {
        let mut object = stored(&config_map("b", "1"), "app");
        let (compared, _) = verdict(&[], std::slice::from_ref(&object));
        assert_eq!(compared.status, SyncStatus::OutOfSync);
        assert_eq!(compared.resources()[0]["requiresPruning"], true);

        object["metadata"]["annotations"][options::COMPARE_OPTIONS] = "IgnoreExtraneous".into();
        let (compared, _) = verdict(&[], &[object]);
        assert_eq!(compared.status, SyncStatus::Synced);
        assert_eq!(compared.resources()[0]["status"], "OutOfSync");
    }

    #[test]
    fn hooks_have_no_verdict() {
        let mut hook = config_map("h", "1");
        hook["metadata"]["annotations"] = make!({hooks::HOOK: "PreSync"});

        let (compared, _) = verdict(&[hook], &[]);

        assert_eq!(compared.status, SyncStatus::Synced);
        assert_eq!(compared.hooks.len(), 1);
        assert!(compared.managed.is_empty());
    }

    #[test]
    fn an_object_of_another_application_is_shared() {
        let (compared, _) = verdict(
            &[config_map("a", "1")],
            &[stored(&config_map("a", "1"), "other")],
        );

        assert_eq!(
            compared.conditions,
            [(
                "SharedResourceWarning",
                "ConfigMap/a is part of applications app and other".to_owned()
            )]
        );
    }

    #[test]
    fn a_repeated_object_is_warned_of_and_the_last_wins() {
        let (compared, conditions) = verdict(&[config_map("a", "1"), config_map("a", "2")], &[]);

        assert_eq!(compared.managed.len(), 1);
        assert_eq!(compared.managed[0].object()["data"]["k"], "2");
        assert_eq!(
            conditions,
            [(
                "RepeatedResourceWarning",
                "Resource /ConfigMap/n/a appeared 2 times among application resources.".to_owned()
            )]
        );
    }

    #[test]
    fn cluster_scoped_targets_lose_their_namespace_and_track_the_destination() {
        let (compared, _) = verdict(
            &[
                make!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "t", "namespace": "x"}}),
            ],
            &[],
        );

        let object = compared.managed[0].object();
        assert_eq!(object["metadata"].get("namespace"), None);
        assert_eq!(
            object["metadata"]["annotations"][TRACKING_ID],
            "app:/Namespace:n/t"
        );
        // No project whitelist lets cluster-scoped kinds through.
        assert_eq!(compared.managed[0].status, Some(SyncStatus::Unknown));
    }
}
