//! One node of a schema tree, and how it is read from OpenAPI v3 JSON.
//!
//! A node either describes a value or refers to a built-in definition by name. References are
//! resolved on use ([`Node::resolve`]), because built-in definitions may contain themselves.

use super::core::definition;
use super::limits::Limits;
use serde_json::{Map, Value};
use std::collections::BTreeMap;

const OBJECT_META: &str = "io.k8s.apimachinery.pkg.apis.meta.v1.ObjectMeta";
pub(super) const QUANTITY: &str = "io.k8s.apimachinery.pkg.api.resource.Quantity";
pub(super) const INT_OR_STRING: &str = "io.k8s.apimachinery.pkg.util.intstr.IntOrString";
const REFERENCE: &str = "#/components/schemas/";

/// Why a schema cannot be used.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{path}: {problem}")]
pub struct SchemaError {
    /// Where in the schema, such as `properties[spec].properties[size]`.
    pub path: String,
    pub problem: String,
}

/// The JSON type that a value must have.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(in crate::sim::apiserver) enum Type {
    #[default]
    Any,
    Object,
    Array,
    String,
    Integer,
    Number,
    Boolean,
    IntOrString,
}

/// How two versions of a list are brought together.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(in crate::sim::apiserver) enum ListType {
    #[default]
    Atomic,
    Set,
    Map(Vec<String>),
}

/// What an object may have beyond its properties.
#[derive(Clone, Debug, Default)]
pub(in crate::sim::apiserver) enum Additional {
    #[default]
    Nothing,
    Anything,
    Each(Box<Node>),
}

/// What a schema says about a field.
#[derive(Clone, Copy, Debug)]
pub(in crate::sim::apiserver) enum Field<'a> {
    Known(&'a Node),
    /// It may be there, and nothing is known about it.
    Open,
    /// It may not be there.
    Unknown,
}

/// One node of a schema tree.
#[derive(Clone, Debug, Default)]
pub(in crate::sim::apiserver) struct Node {
    /// The name of the built-in definition that this stands for.
    pub(in crate::sim::apiserver) reference: Option<String>,
    pub(in crate::sim::apiserver) kind: Type,
    pub(in crate::sim::apiserver) nullable: bool,
    pub(in crate::sim::apiserver) properties: BTreeMap<String, Self>,
    pub(in crate::sim::apiserver) additional: Additional,
    pub(in crate::sim::apiserver) items: Option<Box<Self>>,
    pub(in crate::sim::apiserver) required: Vec<String>,
    pub(in crate::sim::apiserver) preserve: bool,
    pub(in crate::sim::apiserver) embedded: bool,
    pub(in crate::sim::apiserver) list: ListType,
    pub(in crate::sim::apiserver) atomic: bool,
    pub(in crate::sim::apiserver) default: Option<Value>,
    /// The key of the items in a strategic merge patch.
    pub(in crate::sim::apiserver) merge_key: Option<String>,
    /// The comma-separated strategies of a strategic merge patch.
    pub(in crate::sim::apiserver) strategy: String,
    pub(in crate::sim::apiserver) limits: Limits,
}

impl Node {
    /// The node that accepts everything.
    pub(in crate::sim::apiserver) fn anything() -> Self {
        Self {
            preserve: true,
            additional: Additional::Anything,
            nullable: true,
            ..Self::default()
        }
    }

    /// The node that stands for a built-in definition.
    pub(in crate::sim::apiserver) fn refer(name: &str) -> Self {
        Self {
            reference: Some(name.to_owned()),
            ..Self::default()
        }
    }

    /// Follows the reference, if this is one.
    pub(in crate::sim::apiserver) fn resolve(&self) -> &Self {
        match &self.reference {
            Some(name) => definition(name),
            None => self,
        }
    }

    /// Returns what is known about a field of an object.
    pub(in crate::sim::apiserver) fn field(&self, name: &str) -> Field<'_> {
        if let Some(found) = self.properties.get(name) {
            return Field::Known(found);
        }
        match &self.additional {
            Additional::Each(node) => Field::Known(node),
            Additional::Anything => Field::Open,
            Additional::Nothing if self.preserve => Field::Open,
            Additional::Nothing => Field::Unknown,
        }
    }

    /// Returns the node of a field that the schema describes.
    pub(in crate::sim::apiserver) fn known_field(&self, name: &str) -> Option<&Self> {
        match self.field(name) {
            Field::Known(node) => Some(node),
            Field::Open | Field::Unknown => None,
        }
    }

    /// Says whether the fields of this object are named by the schema (a struct, not a map).
    pub(in crate::sim::apiserver) fn names_field(&self, name: &str) -> bool {
        self.properties.contains_key(name)
    }

    /// Adds what every Kubernetes object has: `apiVersion`, `kind` and `metadata`.
    pub(super) fn be_resource(&mut self) {
        for name in ["apiVersion", "kind"] {
            let text = Self {
                kind: Type::String,
                ..Self::default()
            };
            self.properties.insert(name.to_owned(), text);
        }
        self.properties
            .insert("metadata".to_owned(), Self::refer(OBJECT_META));
    }

    /// Reads a node from its OpenAPI v3 form.
    pub(in crate::sim::apiserver) fn parse(schema: &Value) -> Result<Self, SchemaError> {
        parse(schema, "openAPIV3Schema")
    }
}

fn wrong(path: &str, problem: impl Into<String>) -> SchemaError {
    SchemaError {
        path: path.to_owned(),
        problem: problem.into(),
    }
}

fn parse(schema: &Value, path: &str) -> Result<Node, SchemaError> {
    let map = schema
        .as_object()
        .ok_or_else(|| wrong(path, "a schema must be an object"))?;
    let mut node = Node {
        reference: reference(map),
        kind: type_of(map, path)?,
        nullable: flag(map, "nullable"),
        preserve: flag(map, "x-kubernetes-preserve-unknown-fields"),
        embedded: flag(map, "x-kubernetes-embedded-resource"),
        atomic: text(map, "x-kubernetes-map-type") == Some("atomic"),
        list: list_type(map, path)?,
        default: map.get("default").filter(|one| !one.is_null()).cloned(),
        required: texts(map, "required"),
        merge_key: text(map, "x-kubernetes-patch-merge-key").map(str::to_owned),
        strategy: text(map, "x-kubernetes-patch-strategy")
            .unwrap_or_default()
            .to_owned(),
        ..Node::default()
    };
    children(&mut node, map, path)?;
    if node.embedded {
        node.be_resource();
    }
    if node.reference.is_none() {
        node.limits = Limits::parse(map, path)?;
    }
    Ok(node)
}

fn children(node: &mut Node, map: &Map<String, Value>, path: &str) -> Result<(), SchemaError> {
    for (name, property) in map
        .get("properties")
        .and_then(Value::as_object)
        .into_iter()
        .flatten()
    {
        let child = parse(property, &format!("{path}.properties[{name}]"))?;
        node.properties.insert(name.clone(), child);
    }
    node.additional = match map.get("additionalProperties") {
        None | Some(Value::Bool(false)) => Additional::Nothing,
        Some(Value::Bool(true)) => Additional::Anything,
        Some(each) => Additional::Each(Box::new(parse(
            each,
            &format!("{path}.additionalProperties"),
        )?)),
    };
    if let Some(items) = map.get("items") {
        node.items = Some(Box::new(parse(items, &format!("{path}.items"))?));
    }
    Ok(())
}

/// A reference is `$ref`, or `allOf` with one `$ref` where the field has texts or defaults of its own.
fn reference(map: &Map<String, Value>) -> Option<String> {
    let target = map
        .get("$ref")
        .or_else(|| map.get("allOf")?.get(0)?.get("$ref"))?;
    target.as_str()?.strip_prefix(REFERENCE).map(str::to_owned)
}

fn type_of(map: &Map<String, Value>, path: &str) -> Result<Type, SchemaError> {
    if flag(map, "x-kubernetes-int-or-string") {
        return Ok(Type::IntOrString);
    }
    match text(map, "type") {
        None | Some("") => Ok(Type::Any),
        Some("object") => Ok(Type::Object),
        Some("array") => Ok(Type::Array),
        Some("string") => Ok(Type::String),
        Some("integer") => Ok(Type::Integer),
        Some("number") => Ok(Type::Number),
        Some("boolean") => Ok(Type::Boolean),
        Some(other) => Err(wrong(
            path,
            format!(
                "Unsupported value: \"{other}\": supported values: \"array\", \"boolean\", \"integer\", \"number\", \"object\", \"string\""
            ),
        )),
    }
}

fn list_type(map: &Map<String, Value>, path: &str) -> Result<ListType, SchemaError> {
    match text(map, "x-kubernetes-list-type") {
        None | Some("atomic") => Ok(ListType::Atomic),
        Some("set") => Ok(ListType::Set),
        Some("map") => {
            let keys = texts(map, "x-kubernetes-list-map-keys");
            if keys.is_empty() {
                let problem = "x-kubernetes-list-map-keys: Required value: must not be empty if x-kubernetes-list-type is map";
                return Err(wrong(path, problem));
            }
            Ok(ListType::Map(keys))
        }
        Some(other) => Err(wrong(
            path,
            format!(
                "x-kubernetes-list-type: Unsupported value: \"{other}\": supported values: \"atomic\", \"map\", \"set\""
            ),
        )),
    }
}

fn flag(map: &Map<String, Value>, name: &str) -> bool {
    map.get(name).and_then(Value::as_bool).unwrap_or_default()
}

fn text<'a>(map: &'a Map<String, Value>, name: &str) -> Option<&'a str> {
    map.get(name).and_then(Value::as_str)
}

fn texts(map: &Map<String, Value>, name: &str) -> Vec<String> {
    let list = map.get(name).and_then(Value::as_array);
    list.into_iter()
        .flatten()
        .filter_map(Value::as_str)
        .map(str::to_owned)
        .collect()
}
