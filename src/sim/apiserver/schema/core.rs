//! The built-in types: which there are, and what their objects look like.
//!
//! The schemas come from the upstream type definitions (see `tests/tools/core-schemas`) and lie in
//! the binary as compressed JSON. Structure is decoded on first use, texts only for OpenAPI
//! documents.

pub(super) mod defaults;
mod kinds;
pub(super) mod quantity;
pub(super) mod semantics;

use super::Schema;
use super::node::Node;
use serde_json::{Map, Value};
use std::collections::BTreeMap;
use std::io::Read as _;
use std::sync::LazyLock;

static TYPES: &[u8] = include_bytes!("core-types.json.gz");
static TEXTS: &[u8] = include_bytes!("core-descriptions.json.gz");

/// Where the definitions of the built-in types are, in their OpenAPI v3 form.
static DEFINITIONS: LazyLock<Map<String, Value>> = LazyLock::new(|| unpack(TYPES));
static DESCRIPTIONS: LazyLock<Map<String, Value>> = LazyLock::new(|| unpack(TEXTS));
static NODES: LazyLock<BTreeMap<String, Node>> = LazyLock::new(|| {
    let mut nodes: BTreeMap<String, Node> = DEFINITIONS
        .iter()
        .map(|(name, schema)| (name.clone(), read(schema)))
        .collect();
    for (name, field, default) in defaults::PLAIN {
        let property = nodes
            .get_mut(&format!("io.k8s.api.{name}"))
            .and_then(|node| node.properties.get_mut(*field));
        if let Some(property) = property {
            property.default = serde_json::from_str(default).ok();
        }
    }
    nodes
});
static ANYTHING: LazyLock<Node> = LazyLock::new(Node::anything);
static CORE: LazyLock<CoreTypes> = LazyLock::new(|| CoreTypes {
    types: kinds::all(),
});

fn unpack(packed: &[u8]) -> Map<String, Value> {
    let mut text = Vec::new();
    match flate2::read::GzDecoder::new(packed).read_to_end(&mut text) {
        Ok(_) => serde_json::from_slice(&text).unwrap_or_default(),
        Err(_) => Map::new(),
    }
}

fn read(schema: &Value) -> Node {
    // The schema of schemas is the one place with alternatives; its parts may be anything.
    let open = ["oneOf", "anyOf"]
        .iter()
        .any(|key| schema.get(key).is_some());
    if open {
        return Node::anything();
    }
    Node::parse(schema).unwrap_or_else(|_| Node::anything())
}

/// Returns the node of a built-in definition; one that accepts everything where there is none.
pub(in crate::sim::apiserver) fn definition(name: &str) -> &'static Node {
    NODES.get(name).unwrap_or(&ANYTHING)
}

/// Returns a built-in definition in its OpenAPI v3 form, with its texts.
pub(in crate::sim::apiserver) fn described(name: &str) -> Option<Value> {
    let mut schema = DEFINITIONS.get(name)?.clone();
    let texts = DESCRIPTIONS.get(name).and_then(Value::as_object);
    for (field, text) in texts.into_iter().flatten() {
        if field.is_empty() {
            schema["description"] = text.clone();
            continue;
        }
        let Some(property) = schema
            .get_mut("properties")
            .and_then(|all| all.get_mut(field))
            .and_then(Value::as_object_mut)
        else {
            continue;
        };
        if let Some(target) = property.remove("$ref") {
            let target = serde_json::json!([{ "$ref": target }]);
            property.insert("allOf".to_owned(), target);
        }
        property.insert("description".to_owned(), text.clone());
    }
    Some(schema)
}

/// The built-in types of the server.
#[derive(Debug)]
pub struct CoreTypes {
    types: Vec<CoreType>,
}

/// Returns the built-in types.
pub fn core_types() -> &'static CoreTypes {
    &CORE
}

impl CoreTypes {
    /// Lists all types, by group, version and kind.
    pub fn all(&self) -> &[CoreType] {
        &self.types
    }

    /// Finds a type by its kind.
    pub fn find(&self, group: &str, version: &str, kind: &str) -> Option<&CoreType> {
        self.types
            .iter()
            .find(|one| one.group == group && one.version == version && one.kind == kind)
    }

    /// Finds a type by the name it has in paths.
    pub fn by_plural(&self, group: &str, version: &str, plural: &str) -> Option<&CoreType> {
        self.types
            .iter()
            .find(|one| one.group == group && one.version == version && one.plural == plural)
    }
}

/// A subresource of a built-in type.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Subresource {
    /// Such as `status`.
    pub name: &'static str,
    /// Group, version and kind of what it takes and answers, where not those of the type itself.
    pub kind: Option<(&'static str, &'static str, &'static str)>,
    pub verbs: &'static [&'static str],
}

/// A built-in type.
#[derive(Clone, Debug)]
pub struct CoreType {
    /// Empty for the core group.
    pub group: &'static str,
    pub version: &'static str,
    pub kind: &'static str,
    pub plural: &'static str,
    pub singular: &'static str,
    pub short_names: &'static [&'static str],
    pub categories: &'static [&'static str],
    pub namespaced: bool,
    pub verbs: &'static [&'static str],
    pub subresources: Vec<Subresource>,
    definition: String,
}

impl CoreType {
    /// Returns what its objects look like.
    pub fn schema(&self) -> Schema {
        Schema::of_core(definition(&self.definition))
    }

    /// Returns the upstream name of its schema, such as `io.k8s.api.apps.v1.Deployment`.
    pub fn definition(&self) -> &str {
        &self.definition
    }

    /// Says whether objects are only created and answered, never kept (access reviews).
    pub fn create_only(&self) -> bool {
        self.verbs == ["create"]
    }
}
