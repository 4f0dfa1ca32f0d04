//! Structural schemas: what an object may look like, and what becomes of it when it does not.
//!
//! A [`Schema`] is made from OpenAPI v3 JSON, of a custom resource definition or of a built-in type
//! ([`core_types`]). Everything here is a pure function of schema and object. Error texts have the
//! API server's wording, because people and tools read them. Rules in the Common Expression
//! Language (`x-kubernetes-validations`) are not evaluated: objects that only such a rule would
//! refuse are accepted.

pub mod core;
mod defaulting;
mod field_error;
mod format;
mod limits;
pub(in crate::sim::apiserver) mod node;
mod unknown;
mod validate;

pub use core::{CoreType, CoreTypes, core_types};
pub use field_error::{FieldError, FieldReason, invalid_message};
pub use node::SchemaError;

use core::quantity;
use node::Node;
use serde_json::Value;
use std::sync::Arc;

/// What objects of one kind look like.
#[derive(Clone, Debug)]
pub struct Schema(Root);

#[derive(Clone, Debug)]
enum Root {
    /// A built-in type: nulls count as absent, as in the typed decoder of the API server.
    Core(&'static Node),
    /// A custom resource: the schema is taken to the letter.
    Custom(Arc<Node>),
}

impl Schema {
    /// Reads the schema of a custom resource from its OpenAPI v3 form.
    pub fn from_openapi(schema: &Value) -> Result<Self, SchemaError> {
        let mut node = Node::parse(schema)?;
        node.be_resource();
        Ok(Self(Root::Custom(Arc::new(node))))
    }

    /// Returns the schema that accepts everything and merges maps field by field.
    pub fn any() -> Self {
        let mut node = Node::anything();
        node.be_resource();
        Self(Root::Custom(Arc::new(node)))
    }

    fn of_core(node: &'static Node) -> Self {
        Self(Root::Core(node))
    }

    /// Returns the root of the tree.
    pub(in crate::sim::apiserver) fn node(&self) -> &Node {
        match &self.0 {
            Root::Core(node) => node,
            Root::Custom(node) => node,
        }
    }

    /// Says whether this is a built-in type.
    pub fn is_core(&self) -> bool {
        matches!(self.0, Root::Core(_))
    }

    /// Lists everything about the object that the schema refuses (422 Invalid).
    pub fn validate(&self, object: &Value) -> Vec<FieldError> {
        let mut errors = validate::validate(self.node(), object, self.is_core());
        if self.is_core() {
            errors.extend(core::semantics::check(object));
        }
        errors
    }

    /// Says why an object of a built-in type cannot be decoded at all (400 Bad Request).
    ///
    /// Custom resources report wrong types through [`Schema::validate`]; the answer is `None`.
    pub fn decode_error(&self, object: &Value) -> Option<String> {
        self.is_core()
            .then(|| validate::decode_error(self.node(), object))
            .flatten()
    }

    /// Lists the fields that the schema does not know, such as `spec.template.spec.containers[0].imag`.
    pub fn unknown_fields(&self, object: &Value) -> Vec<String> {
        unknown::unknown_fields(self.node(), object)
    }

    /// Removes the fields that the schema does not know.
    pub fn prune(&self, object: &mut Value) {
        unknown::prune(self.node(), object, self.is_core());
    }

    /// Fills in the defaults of absent fields.
    pub fn default(&self, object: &mut Value) {
        defaulting::fill(self.node(), object, self.is_core());
        if self.is_core() {
            core::defaults::complete(object);
        }
    }
}

/// Returns the wording of a strict rejection for fields that [`Schema::unknown_fields`] found.
///
/// # Example
/// `strict decoding error: unknown field "spec.a", unknown field "spec.b"`
pub fn strict_message(unknown: &[String]) -> String {
    let fields: Vec<String> = unknown
        .iter()
        .map(|field| format!("unknown field \"{field}\""))
        .collect();
    format!("strict decoding error: {}", fields.join(", "))
}

/// Appends a field to a path.
fn field(path: &str, name: &str) -> String {
    if path.is_empty() {
        name.to_owned()
    } else {
        format!("{path}.{name}")
    }
}

#[cfg(test)]
mod tests;
