//! Server-side apply: who owns which field of an object, and what becomes of it when two disagree.
//!
//! Upstream: `structured-merge-diff` and `k8s.io/apimachinery/pkg/util/managedfields`. Ownership is
//! kept in `metadata.managedFields`, one entry for each manager, operation, version and
//! subresource. Versions of a kind are taken to have the same fields. Entries of updates are not
//! merged into `ancient-changes` when there are many.

mod conflict;
mod element;
mod field_set;
mod managers;
mod typed;

pub use conflict::{ApplyError, Conflict};

use super::schema::Schema;
use chrono::{DateTime, Utc};
use field_set::FieldSet;
use managers::{Entry, Operation};
use serde_json::{Map, Value, json};

const LAST_APPLIED: &str = "kubectl.kubernetes.io/last-applied-configuration";
/// The manager whom fields belong to that were there before anybody applied.
const BEFORE_FIRST_APPLY: &str = "before-first-apply";

/// Who writes, through which door, and when.
#[derive(Clone, Copy, Debug)]
pub struct Writer<'a> {
    /// The field manager, such as `kubectl`.
    pub manager: &'a str,
    /// The subresource that was written to, such as `status`.
    pub subresource: Option<&'a str>,
    /// Whether `status` is a subresource of the kind, so that other writers cannot set it.
    pub status: bool,
    pub schema: &'a Schema,
    pub now: DateTime<Utc>,
}

impl Writer<'_> {
    /// Says whether this writer may set a field of the top level.
    fn may_set(&self, field: &str) -> bool {
        match self.subresource {
            Some("status") => ["apiVersion", "kind", "status"].contains(&field),
            Some(_) => true,
            None => !(self.status && field == "status"),
        }
    }

    fn entry(&self, operation: Operation, object: &Value, fields: FieldSet) -> Entry {
        Entry {
            manager: self.manager.to_owned(),
            operation,
            api_version: api_version(object).to_owned(),
            subresource: self.subresource.unwrap_or_default().to_owned(),
            time: Some(self.now.format("%Y-%m-%dT%H:%M:%SZ").to_string()),
            fields,
        }
    }
}

fn api_version(object: &Value) -> &str {
    object
        .get("apiVersion")
        .and_then(Value::as_str)
        .unwrap_or_default()
}

/// Returns what an applied configuration makes of the live object (none: it is to be created).
///
/// Fields that the manager applied before and applies no more go, unless somebody else owns them.
/// A field that another manager owns with another value is a conflict, unless `force` takes it.
pub fn server_side_apply(
    live: Option<&Value>,
    applied: &Value,
    force: bool,
    writer: &Writer<'_>,
) -> Result<Value, ApplyError> {
    let carried = applied.pointer("/metadata/managedFields");
    if carried.is_some_and(|one| !one.is_null() && one != &json!([])) {
        return Err(ApplyError::Invalid(
            "metadata.managedFields must be nil".to_owned(),
        ));
    }
    let applied = settable(applied, writer);
    let attempt = Attempt::new(live, &applied, writer);
    let outcome = match attempt.run(force) {
        Err(ApplyError::Conflicts(conflicts)) if attempt.upgrades_from_client(&conflicts) => {
            attempt.run(true)
        }
        other => other,
    };
    let mut object = outcome?;
    keep_last_applied(live, &applied, &mut object, writer);
    Ok(object)
}

/// Drops from an applied configuration what may not be set through this door.
fn settable(applied: &Value, writer: &Writer<'_>) -> Value {
    let mut applied = applied.clone();
    if let Some(map) = applied.as_object_mut() {
        map.retain(|field, _| writer.may_set(field));
    }
    without_managed_fields(&mut applied);
    applied
}

/// One application of a configuration to an object.
struct Attempt<'a> {
    live: Option<Value>,
    /// What the live object is compared with; a blank object where there is none.
    base: Value,
    applied: &'a Value,
    entries: Vec<Entry>,
    writer: &'a Writer<'a>,
}

impl<'a> Attempt<'a> {
    fn new(live: Option<&Value>, applied: &'a Value, writer: &'a Writer<'a>) -> Self {
        let live = live.map(|live| {
            let mut bare = live.clone();
            let entries = managers::decode(live);
            without_managed_fields(&mut bare);
            (bare, entries)
        });
        let blank = blank(applied, writer.schema);
        let (live, mut entries) = match live {
            Some((live, entries)) => (Some(live), entries),
            None => (None, Vec::new()),
        };
        if let Some(live) = live.as_ref().filter(|_| entries.is_empty()) {
            let before = Writer {
                manager: BEFORE_FIRST_APPLY,
                subresource: None,
                ..*writer
            };
            let changes = typed::compare(writer.schema.node(), &blank, live);
            let fields = changes.added.union(&changes.modified).without_identity();
            entries.push(before.entry(Operation::Update, live, fields));
        }
        Self {
            base: live.clone().unwrap_or(blank),
            live,
            applied,
            entries,
            writer,
        }
    }

    fn run(&self, force: bool) -> Result<Value, ApplyError> {
        let node = self.writer.schema.node();
        let empty = Value::Object(Map::new());
        let merged = typed::merge(node, self.live.as_ref().unwrap_or(&empty), self.applied);
        let all = typed::field_set(node, self.applied);
        let fields = all.without_identity();
        let own = self.writer.entry(Operation::Apply, self.applied, fields);
        let last = self.entries.iter().find(|one| one.is_same(&own)).cloned();
        let mut entries: Vec<Entry> = self.others(&own);
        let owned = entries.iter().fold(all, |all, one| all.union(&one.fields));
        let object = match &last {
            Some(last) => dropped(node, merged, &last.fields, &owned),
            None => merged,
        };
        let changes = typed::compare(node, &self.base, &object);
        let touched = changes.added.union(&changes.modified).without_identity();
        let conflicts = conflict::between(&entries, &touched);
        if !force && !conflicts.is_empty() {
            return Err(ApplyError::Conflicts(conflicts));
        }
        for entry in &mut entries {
            entry.fields = entry
                .fields
                .difference(&touched)
                .difference(&changes.removed);
        }
        let unchanged = self.live.as_ref() == Some(&object);
        let same = last.filter(|last| unchanged && last.fields == own.fields);
        entries.push(Entry {
            time: same.map_or(own.time, |last| last.time),
            fields: own.fields,
            ..own
        });
        let mut object = object;
        managers::encode(&mut object, entries);
        Ok(object)
    }

    fn others(&self, own: &Entry) -> Vec<Entry> {
        let others = self.entries.iter().filter(|one| !one.is_same(own));
        others.cloned().collect()
    }

    /// Says whether the conflicts are with fields that kubectl itself set by client-side apply.
    fn upgrades_from_client(&self, conflicts: &[Conflict]) -> bool {
        if self.writer.manager != "kubectl" {
            return false;
        }
        let last = self
            .live
            .as_ref()
            .and_then(|live| live.pointer("/metadata/annotations"))
            .and_then(|all| all.get(LAST_APPLIED))
            .and_then(Value::as_str)
            .and_then(|text| serde_json::from_str::<Value>(text).ok());
        let Some(last) = last else { return false };
        let allowed = typed::field_set(self.writer.schema.node(), &last);
        conflicts.iter().all(|one| allowed.contains(&one.path))
    }
}

/// Removes what the manager applied before and neither it nor anybody else wants now.
fn dropped(
    node: &super::schema::node::Node,
    merged: Value,
    last: &FieldSet,
    owned: &FieldSet,
) -> Value {
    if last.is_empty() {
        return merged;
    }
    let present = typed::field_set(node, &merged).with_named_fields(node);
    let last = last.with_named_fields(node);
    let owned = owned.with_named_fields(node);
    // Only what was applied last may go, and of that only what nobody owns.
    let gone = last.difference(&owned).intersection(&present);
    typed::remove(node, &merged, &gone)
}

/// kubectl's server-side apply keeps the annotation of client-side apply current where there is one.
fn keep_last_applied(
    live: Option<&Value>,
    applied: &Value,
    object: &mut Value,
    writer: &Writer<'_>,
) {
    let annotated = live
        .and_then(|live| live.pointer("/metadata/annotations"))
        .is_some_and(|all| all.get(LAST_APPLIED).is_some());
    if writer.manager != "kubectl" || !annotated || writer.subresource.is_some() {
        return;
    }
    let mut configuration = applied.clone();
    if let Some(annotations) = configuration
        .pointer_mut("/metadata/annotations")
        .and_then(Value::as_object_mut)
    {
        annotations.remove(LAST_APPLIED);
    }
    let text = format!("{configuration}\n");
    if let Some(annotations) = object
        .pointer_mut("/metadata/annotations")
        .and_then(Value::as_object_mut)
    {
        annotations.insert(LAST_APPLIED.to_owned(), Value::String(text));
    }
}

/// Records in the new object's managed fields what an update changed (create, update, other patches).
///
/// The new object may carry managed fields of its own: a list of one empty entry takes all ownership
/// away, other entries replace those that were there (as kubectl does when it moves from
/// client-side to server-side apply).
pub fn record_update(old: Option<&Value>, new: &mut Value, writer: &Writer<'_>) {
    let carried = new.pointer("/metadata/managedFields").cloned();
    let reset = carried == Some(json!([{}]));
    let mut entries = Vec::new();
    if writer.subresource.is_none() && !reset {
        entries = managers::decode(new);
    }
    if entries.is_empty() && !reset {
        entries = old.map(managers::decode).unwrap_or_default();
    }
    without_managed_fields(new);
    // An object whose ownership was taken away is tracked again from the first apply on.
    if entries.is_empty() && old.is_some() {
        return;
    }
    let base = old.map_or_else(
        || blank(new, writer.schema),
        |old| {
            let mut old = old.clone();
            without_managed_fields(&mut old);
            old
        },
    );
    let changes = typed::compare(writer.schema.node(), &base, new);
    let touched = changes.added.union(&changes.modified).without_identity();
    let own = writer.entry(Operation::Update, new, FieldSet::default());
    let mut before = None;
    for entry in &mut entries {
        if entry.is_same(&own) {
            before = Some(entry.clone());
            continue;
        }
        entry.fields = entry
            .fields
            .difference(&touched)
            .difference(&changes.removed);
    }
    entries.retain(|entry| !entry.is_same(&own));
    let had = before.as_ref().map(|one| one.fields.clone());
    let had = had.unwrap_or_default();
    let fields = had.difference(&changes.removed).union(&touched);
    let time = before
        .filter(|_| fields == had)
        .map_or(own.time.clone(), |one| one.time);
    entries.push(Entry {
        time,
        fields,
        ..own
    });
    managers::encode(new, entries);
}

fn without_managed_fields(object: &mut Value) {
    if let Some(metadata) = object.get_mut("metadata").and_then(Value::as_object_mut) {
        metadata.remove("managedFields");
    }
}

/// Returns the object that a new one is compared with.
///
/// A built-in type always has the fields that its Go type writes even when they are empty, so
/// nobody owns these themselves; a custom resource has none.
fn blank(object: &Value, schema: &Schema) -> Value {
    if schema.is_core() {
        blank_fields(object)
    } else {
        json!({"apiVersion": object.get("apiVersion"), "kind": object.get("kind")})
    }
}

fn blank_fields(object: &Value) -> Value {
    const WRITTEN: [&str; 7] = [
        "metadata",
        "spec",
        "status",
        "template",
        "jobTemplate",
        "strategy",
        "updateStrategy",
    ];
    let mut blank = Map::new();
    for (name, value) in object.as_object().into_iter().flatten() {
        if WRITTEN.contains(&name.as_str()) && value.is_object() {
            blank.insert(name.clone(), blank_fields(value));
        } else if name == "containers" {
            blank.insert(name.clone(), json!([]));
        }
    }
    Value::Object(blank)
}

#[cfg(test)]
mod tests;
