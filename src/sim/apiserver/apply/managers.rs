//! The entries of `metadata.managedFields`: who owns what.

use super::field_set::FieldSet;
use serde_json::{Map, Value, json};

/// How a manager came to own its fields. Entries are written in this order.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Operation {
    Apply,
    Update,
}

/// What one manager owns.
#[derive(Clone, Debug)]
pub(super) struct Entry {
    pub(super) manager: String,
    pub(super) operation: Operation,
    pub(super) api_version: String,
    /// Empty for the object itself.
    pub(super) subresource: String,
    pub(super) time: Option<String>,
    pub(super) fields: FieldSet,
}

impl Entry {
    /// Says whether two entries are of one owner. An applier is the same in every version.
    pub(super) fn is_same(&self, other: &Self) -> bool {
        self.manager == other.manager
            && self.operation == other.operation
            && self.subresource == other.subresource
            && (self.operation == Operation::Apply || self.api_version == other.api_version)
    }
}

/// Reads the entries of an object; those that cannot be read are left out.
pub(super) fn decode(object: &Value) -> Vec<Entry> {
    let list = object.pointer("/metadata/managedFields");
    let list = list.and_then(Value::as_array).into_iter().flatten();
    let mut entries: Vec<Entry> = Vec::new();
    for entry in list.filter_map(read) {
        match entries.iter_mut().find(|one| one.is_same(&entry)) {
            Some(known) => known.fields = known.fields.union(&entry.fields),
            None => entries.push(entry),
        }
    }
    entries
}

fn read(entry: &Value) -> Option<Entry> {
    let text = |name: &str| entry.get(name).and_then(Value::as_str);
    let operation = match text("operation")? {
        "Apply" => Operation::Apply,
        "Update" => Operation::Update,
        _ => return None,
    };
    Some(Entry {
        manager: text("manager").unwrap_or_default().to_owned(),
        operation,
        api_version: text("apiVersion").unwrap_or_default().to_owned(),
        subresource: text("subresource").unwrap_or_default().to_owned(),
        time: text("time").map(str::to_owned),
        fields: FieldSet::read(entry.get("fieldsV1")?),
    })
}

/// Writes the entries into an object, in upstream's order; owners of nothing are left out.
pub(super) fn encode(object: &mut Value, mut entries: Vec<Entry>) {
    entries.retain(|entry| !entry.fields.is_empty());
    entries.sort_by(|one, two| {
        let order = |entry: &Entry| {
            (
                entry.operation,
                entry.time.clone(),
                entry.manager.clone(),
                entry.api_version.clone(),
                entry.subresource.clone(),
            )
        };
        order(one).cmp(&order(two))
    });
    let list: Vec<Value> = entries.iter().map(write).collect();
    let Some(object) = object.as_object_mut() else {
        return;
    };
    let metadata = object
        .entry("metadata")
        .or_insert_with(|| Value::Object(Map::new()));
    if let Some(metadata) = metadata.as_object_mut().filter(|_| !list.is_empty()) {
        metadata.insert("managedFields".to_owned(), Value::Array(list));
    }
}

fn write(entry: &Entry) -> Value {
    let operation = match entry.operation {
        Operation::Apply => "Apply",
        Operation::Update => "Update",
    };
    let mut written = json!({
        "apiVersion": entry.api_version,
        "fieldsType": "FieldsV1",
        "fieldsV1": entry.fields.write(),
        "manager": entry.manager,
        "operation": operation,
    });
    if let Some(time) = &entry.time {
        written["time"] = json!(time);
    }
    if !entry.subresource.is_empty() {
        written["subresource"] = json!(entry.subresource);
    }
    written
}
