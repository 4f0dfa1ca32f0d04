//! One object on its way through the build, and the set of all of them.
//!
//! An object remembers every name it has had: references and patches may use any of them, and
//! references are fixed only at the very end, when all names are final.

use super::KustomizeError;
use crate::api::yaml;
use serde_json::{Map, Value};

/// A name an object had, with its namespace (empty means `default`).
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Id {
    pub(super) name: String,
    pub(super) namespace: String,
}

impl Id {
    pub(super) fn effective_namespace(&self) -> &str {
        effective_namespace(&self.namespace)
    }
}

pub(super) fn effective_namespace(namespace: &str) -> &str {
    if namespace.is_empty() {
        "default"
    } else {
        namespace
    }
}

#[derive(Clone, Debug)]
pub(super) struct Resource {
    pub(super) value: Value,
    /// The file it came from.
    pub(super) file: String,
    /// Names it had before, oldest first.
    pub(super) earlier: Vec<Id>,
    pub(super) prefixes: Vec<String>,
    pub(super) suffixes: Vec<String>,
    pub(super) needs_hash: bool,
}

impl Resource {
    pub(super) fn new(value: Value, file: &str) -> Self {
        Self {
            value,
            file: file.to_owned(),
            earlier: Vec::new(),
            prefixes: Vec::new(),
            suffixes: Vec::new(),
            needs_hash: false,
        }
    }

    pub(super) fn text(&self, pointer: &str) -> &str {
        self.value
            .pointer(pointer)
            .and_then(Value::as_str)
            .unwrap_or_default()
    }

    pub(super) fn kind(&self) -> &str {
        self.text("/kind")
    }

    pub(super) fn group(&self) -> &str {
        self.text("/apiVersion")
            .rsplit_once('/')
            .map_or("", |(group, _)| group)
    }

    pub(super) fn version(&self) -> &str {
        let version = self.text("/apiVersion");
        version
            .rsplit_once('/')
            .map_or(version, |(_, version)| version)
    }

    pub(super) fn name(&self) -> &str {
        self.text("/metadata/name")
    }

    pub(super) fn namespace(&self) -> &str {
        self.text("/metadata/namespace")
    }

    pub(super) fn id(&self) -> Id {
        Id {
            name: self.name().to_owned(),
            namespace: self.namespace().to_owned(),
        }
    }

    /// Every name it has or had, oldest first.
    pub(super) fn ids(&self) -> impl Iterator<Item = Id> {
        let now = self.id();
        self.earlier.iter().cloned().chain(std::iter::once(now))
    }

    /// The name it was written with.
    pub(super) fn original_id(&self) -> Id {
        self.earlier.first().cloned().unwrap_or_else(|| self.id())
    }

    pub(super) fn is_same_kind_as(&self, other: &Self) -> bool {
        self.text("/apiVersion") == other.text("/apiVersion") && self.kind() == other.kind()
    }

    pub(super) fn had_name(&self, name: &str) -> bool {
        self.ids().any(|id| id.name == name)
    }

    /// Says whether it is or was the object that `other` names.
    pub(super) fn is_meant_by(&self, other: &Self) -> bool {
        let wanted = other.id();
        self.is_same_kind_as(other)
            && self.ids().any(|id| {
                id.name == wanted.name && id.effective_namespace() == wanted.effective_namespace()
            })
    }

    pub(super) fn rename(&mut self, name: String) {
        self.earlier.push(self.id());
        self.set_metadata("name", name);
    }

    pub(super) fn set_namespace(&mut self, namespace: &str) {
        self.earlier.push(self.id());
        self.set_metadata("namespace", namespace.to_owned());
    }

    pub(super) fn set_metadata(&mut self, field: &str, value: String) {
        if let Some(metadata) = object_at(&mut self.value, "metadata") {
            metadata.insert(field.to_owned(), Value::String(value));
        }
    }

    /// `ConfigMap shop/settings`, for messages.
    pub(super) fn title(&self) -> String {
        match self.namespace() {
            "" => format!("{} {}", self.kind(), self.name()),
            namespace => format!("{} {namespace}/{}", self.kind(), self.name()),
        }
    }
}

/// Returns a field that is an object, made if absent.
pub(super) fn object_at<'v>(
    value: &'v mut Value,
    field: &str,
) -> Option<&'v mut Map<String, Value>> {
    let map = value.as_object_mut()?;
    let entry = map
        .entry(field)
        .or_insert_with(|| Value::Object(Map::new()));
    if entry.is_null() {
        *entry = Value::Object(Map::new());
    }
    entry.as_object_mut()
}

/// The objects of a build, in the order they were added.
#[derive(Clone, Debug, Default)]
pub(super) struct Set(Vec<Resource>);

impl Set {
    /// Adds an object; one that is there already is an error, as in kustomize.
    pub(super) fn add(&mut self, resource: Resource) -> Result<(), KustomizeError> {
        let id = resource.id();
        let twin = self.0.iter().find(|known| {
            known.is_same_kind_as(&resource)
                && known.name() == id.name
                && effective_namespace(known.namespace()) == id.effective_namespace()
        });
        if let Some(twin) = twin {
            let message = format!(
                "{} is there twice: it comes from `{}`, too",
                resource.title(),
                twin.file
            );
            return Err(KustomizeError::new(&resource.file, message));
        }
        self.0.push(resource);
        Ok(())
    }

    pub(super) fn iter(&self) -> std::slice::Iter<'_, Resource> {
        self.0.iter()
    }

    pub(super) fn iter_mut(&mut self) -> std::slice::IterMut<'_, Resource> {
        self.0.iter_mut()
    }

    /// Keeps the objects for which `wanted` holds.
    pub(super) fn retain(&mut self, wanted: impl FnMut(&Resource) -> bool) {
        self.0.retain(wanted);
    }

    pub(super) fn sort_by_key<K: Ord>(&mut self, key: impl Fn(&Resource) -> K) {
        self.0.sort_by_cached_key(key);
    }

    pub(super) fn into_resources(self) -> Vec<Resource> {
        self.0
    }

    pub(super) fn into_values(self) -> Vec<Value> {
        self.0.into_iter().map(|resource| resource.value).collect()
    }
}

/// Reads the objects of a file; lists are taken apart.
pub(super) fn parse(file: &str, bytes: &[u8]) -> Result<Vec<Resource>, KustomizeError> {
    let text = std::str::from_utf8(bytes)
        .map_err(|_binary| KustomizeError::new(file, "is not text, so it holds no objects"))?;
    let documents: Vec<Value> = yaml::from_multi(text)
        .map_err(|error| KustomizeError::new(file, error.message).at_line(error.line))?;
    let mut resources = Vec::new();
    for (index, document) in documents.into_iter().enumerate() {
        flatten(document, file, &mut resources)
            .map_err(|error| error.at_line(line_of_document(text, index)))?;
    }
    Ok(resources)
}

fn flatten(value: Value, file: &str, into: &mut Vec<Resource>) -> Result<(), KustomizeError> {
    if let Value::Array(items) = value {
        return items
            .into_iter()
            .try_for_each(|item| flatten(item, file, into));
    }
    let resource = Resource::new(value, file);
    if resource.kind().is_empty() {
        return Err(KustomizeError::new(file, "holds an object without `kind`"));
    }
    if resource.kind().ends_with("List")
        && let Some(Value::Array(items)) = resource.value.get("items")
    {
        let items = items.clone();
        return items
            .into_iter()
            .try_for_each(|item| flatten(item, file, into));
    }
    if resource.name().is_empty() {
        let message = format!("holds a {} without `metadata.name`", resource.kind());
        return Err(KustomizeError::new(file, message));
    }
    into.push(resource);
    Ok(())
}

/// Finds where the n-th document that is not empty starts.
fn line_of_document(text: &str, index: usize) -> Option<u64> {
    let mut starts = Vec::new();
    let mut is_open = false;
    for (number, line) in text.lines().enumerate() {
        if line.starts_with("---") {
            is_open = false;
        } else if !is_open && !line.trim().is_empty() && !line.trim_start().starts_with('#') {
            is_open = true;
            starts.push(number as u64 + 1);
        }
    }
    starts.get(index).copied()
}
