//! OpenAPI v3 documents: what kubectl reads before it applies, explains and diffs.
//!
//! One document a group and version, in the form of upstream's `/openapi/v3/apis/GROUP/VERSION`.
//! Documents are large; [`fingerprint`] names their contents without making them, so that a server
//! can list all of them at once and make and keep each when it is first asked for.

mod paths;

use super::schema::core::described;
use serde_json::{Map, Value, json};
use sha2::{Digest as _, Sha256};

const OBJECT_META: &str = "io.k8s.apimachinery.pkg.apis.meta.v1.ObjectMeta";
const LIST_META: &str = "io.k8s.apimachinery.pkg.apis.meta.v1.ListMeta";
const DELETE_OPTIONS: &str = "io.k8s.apimachinery.pkg.apis.meta.v1.DeleteOptions";
const STATUS: &str = "io.k8s.apimachinery.pkg.apis.meta.v1.Status";
const SCALE: &str = "io.k8s.api.autoscaling.v1.Scale";

/// A kind as a document describes it.
#[derive(Clone, Copy, Debug)]
pub struct DocKind<'a> {
    /// Empty for the core group.
    pub group: &'a str,
    pub version: &'a str,
    pub kind: &'a str,
    pub plural: &'a str,
    pub namespaced: bool,
    /// Whether objects are only created, never kept.
    pub create_only: bool,
    /// Whether `status` is a subresource.
    pub status: bool,
    /// Whether `scale` is a subresource.
    pub scale: bool,
    pub schema: DocSchema<'a>,
}

/// Where the schema of a kind comes from.
#[derive(Clone, Copy, Debug)]
pub enum DocSchema<'a> {
    /// The upstream name of a built-in definition.
    Core(&'a str),
    /// The schema of a custom resource definition.
    Custom(&'a Value),
}

impl DocKind<'_> {
    /// Returns the name that the schema has among the components.
    fn component(&self) -> String {
        match self.schema {
            DocSchema::Core(name) => name.to_owned(),
            DocSchema::Custom(_) => {
                let mut parts: Vec<&str> = self.group.split('.').collect();
                parts.reverse();
                format!("{}.{}.{}", parts.join("."), self.version, self.kind)
            }
        }
    }

    fn identity(&self) -> Value {
        json!({"group": self.group, "kind": self.kind, "version": self.version})
    }

    fn list_identity(&self) -> Value {
        let kind = format!("{}List", self.kind);
        json!({"group": self.group, "kind": kind, "version": self.version})
    }
}

/// Returns a name for the contents of the document of these kinds; it changes when they change.
pub fn fingerprint(kinds: &[DocKind<'_>]) -> String {
    let mut digest = Sha256::new();
    digest.update(env!("CARGO_PKG_VERSION"));
    for one in kinds {
        let flags = format!(
            "{}/{}/{}/{}/{}/{}/{}/{}",
            one.group,
            one.version,
            one.kind,
            one.plural,
            one.namespaced,
            one.create_only,
            one.status,
            one.scale
        );
        digest.update(flags);
        if let DocSchema::Custom(schema) = one.schema {
            digest.update(schema.to_string());
        }
    }
    digest
        .finalize()
        .iter()
        .fold(String::new(), |text, byte| text + &format!("{byte:02X}"))
}

/// Returns the path of a document below `/openapi/v3/`.
pub fn path(group: &str, version: &str) -> String {
    if group.is_empty() {
        format!("api/{version}")
    } else {
        format!("apis/{group}/{version}")
    }
}

/// Returns the list of documents that `/openapi/v3` answers: group, version and fingerprint of each.
pub fn index<'a>(documents: impl IntoIterator<Item = (&'a str, &'a str, String)>) -> Value {
    let paths: Map<String, Value> = documents
        .into_iter()
        .map(|(group, version, fingerprint)| {
            let path = path(group, version);
            let url = format!("/openapi/v3/{path}?hash={fingerprint}");
            (path, json!({ "serverRelativeURL": url }))
        })
        .collect();
    json!({ "paths": paths })
}

/// Returns the document of the kinds of one group and version.
pub fn document(group: &str, version: &str, kinds: &[DocKind<'_>]) -> Value {
    let mut components = Components::default();
    let mut paths = Map::new();
    for kind in kinds {
        components.add_kind(kind);
        paths::of_kind(kind, &mut paths);
    }
    json!({
        "openapi": "3.0.0",
        "info": {"title": "Kubernetes", "version": format!("{}/{version}", if group.is_empty() { "core" } else { group })},
        "paths": paths,
        "components": {"schemas": components.schemas},
    })
}

fn reference(name: &str) -> Value {
    json!({ "$ref": format!("#/components/schemas/{name}") })
}

/// The schemas of a document, closed under reference.
#[derive(Default)]
struct Components {
    schemas: Map<String, Value>,
}

impl Components {
    fn add_kind(&mut self, kind: &DocKind<'_>) {
        let name = kind.component();
        match kind.schema {
            DocSchema::Core(_) => self.add_core(&name),
            DocSchema::Custom(schema) => {
                self.schemas.insert(name.clone(), custom(schema));
                self.add_core(OBJECT_META);
            }
        }
        if let Some(schema) = self.schemas.get_mut(&name) {
            schema["x-kubernetes-group-version-kind"] = json!([kind.identity()]);
        }
        if !kind.create_only {
            self.schemas.insert(format!("{name}List"), list(kind));
            self.add_core(LIST_META);
        }
        for used in [DELETE_OPTIONS, STATUS] {
            self.add_core(used);
        }
        if kind.scale {
            self.add_core(SCALE);
            if let Some(scale) = self.schemas.get_mut(SCALE) {
                scale["x-kubernetes-group-version-kind"] =
                    json!([{"group": "autoscaling", "kind": "Scale", "version": "v1"}]);
            }
        }
    }

    /// Adds a built-in definition and all that it refers to.
    fn add_core(&mut self, name: &str) {
        if self.schemas.contains_key(name) {
            return;
        }
        let Some(schema) = described(name) else {
            return;
        };
        let mut below = Vec::new();
        references(&schema, &mut below);
        self.schemas.insert(name.to_owned(), schema);
        for name in below {
            self.add_core(&name);
        }
    }
}

fn references(schema: &Value, found: &mut Vec<String>) {
    match schema {
        Value::Object(map) => {
            for (key, value) in map {
                match value.as_str().filter(|_| key == "$ref") {
                    Some(text) => found.extend(text.rsplit('/').next().map(str::to_owned)),
                    None => references(value, found),
                }
            }
        }
        Value::Array(items) => items.iter().for_each(|one| references(one, found)),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
    }
}

/// Adds what every object has to the schema of a custom resource.
fn custom(schema: &Value) -> Value {
    let mut schema = schema.clone();
    if !schema.get("properties").is_some_and(Value::is_object) {
        schema["properties"] = json!({});
    }
    let properties = &mut schema["properties"];
    properties["apiVersion"] = json!({"type": "string", "description": "APIVersion defines the versioned schema of this representation of an object. Servers should convert recognized schemas to the latest internal value, and may reject unrecognized values. More info: https://git.k8s.io/community/contributors/devel/sig-architecture/api-conventions.md#resources"});
    properties["kind"] = json!({"type": "string", "description": "Kind is a string value representing the REST resource this object represents. Servers may infer this from the endpoint the client submits requests to. Cannot be updated. In CamelCase. More info: https://git.k8s.io/community/contributors/devel/sig-architecture/api-conventions.md#types-kinds"});
    properties["metadata"] = json!({"allOf": [reference(OBJECT_META)], "description": "Standard object's metadata. More info: https://git.k8s.io/community/contributors/devel/sig-architecture/api-conventions.md#metadata"});
    schema
}

fn list(kind: &DocKind<'_>) -> Value {
    json!({
        "type": "object",
        "description": format!("{}List is a list of {}", kind.kind, kind.kind),
        "required": ["items"],
        "properties": {
            "apiVersion": {"type": "string"},
            "kind": {"type": "string"},
            "metadata": {"allOf": [reference(LIST_META)]},
            "items": {"type": "array", "items": {"allOf": [reference(&kind.component())]}},
        },
        "x-kubernetes-group-version-kind": [kind.list_identity()],
    })
}

#[cfg(test)]
mod tests;
