//! One thing wrong with one field, in the API server's words.

use serde_json::Value;
use std::fmt;

/// Why a field was refused; [`FieldReason::cause`] is the machine-readable name in a Status.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FieldReason {
    Duplicate,
    Forbidden,
    Invalid,
    NotFound,
    NotSupported,
    Required,
    TooLong,
    TooMany,
    TypeInvalid,
}

impl FieldReason {
    /// Returns the `reason` of a Status cause.
    pub fn cause(self) -> &'static str {
        match self {
            Self::Duplicate => "FieldValueDuplicate",
            Self::Forbidden => "FieldValueForbidden",
            Self::Invalid => "FieldValueInvalid",
            Self::NotFound => "FieldValueNotFound",
            Self::NotSupported => "FieldValueNotSupported",
            Self::Required => "FieldValueRequired",
            Self::TooLong => "FieldValueTooLong",
            Self::TooMany => "FieldValueTooMany",
            Self::TypeInvalid => "FieldValueTypeInvalid",
        }
    }
}

/// One thing wrong with one field.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FieldError {
    /// The path, such as `spec.containers[0].image`.
    pub field: String,
    pub reason: FieldReason,
    /// What is wrong, without the path.
    pub message: String,
}

impl fmt::Display for FieldError {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let field = if self.field.is_empty() {
            "<nil>"
        } else {
            &self.field
        };
        write!(out, "{field}: {}", self.message)
    }
}

impl FieldError {
    /// A value that breaks a rule.
    pub fn invalid(field: impl Into<String>, value: &Value, detail: impl fmt::Display) -> Self {
        Self {
            field: field.into(),
            reason: FieldReason::Invalid,
            message: format!("Invalid value: {}: {detail}", shown(value)),
        }
    }

    /// A value of the wrong type.
    pub fn wrong_type(field: impl Into<String>, found: &str, wanted: &str) -> Self {
        let field = field.into();
        Self {
            message: format!(
                "Invalid value: \"{found}\": {field} in body must be of type {wanted}: \"{found}\""
            ),
            field,
            reason: FieldReason::TypeInvalid,
        }
    }

    /// A field that must be there.
    pub fn required(field: impl Into<String>, detail: &str) -> Self {
        let message = if detail.is_empty() {
            "Required value".to_owned()
        } else {
            format!("Required value: {detail}")
        };
        Self {
            field: field.into(),
            reason: FieldReason::Required,
            message,
        }
    }

    /// A value that is not one of the known ones.
    pub fn not_supported(field: impl Into<String>, value: &Value, supported: &[String]) -> Self {
        let listed: Vec<String> = supported.iter().map(|one| format!("\"{one}\"")).collect();
        Self {
            field: field.into(),
            reason: FieldReason::NotSupported,
            message: format!(
                "Unsupported value: {}: supported values: {}",
                shown(value),
                listed.join(", ")
            ),
        }
    }

    /// A value that occurs twice where it may once.
    pub fn duplicate(field: impl Into<String>, value: &Value) -> Self {
        Self {
            field: field.into(),
            reason: FieldReason::Duplicate,
            message: format!("Duplicate value: {}", shown(value)),
        }
    }

    /// A change or a field that is not allowed here.
    pub fn forbidden(field: impl Into<String>, detail: &str) -> Self {
        Self {
            field: field.into(),
            reason: FieldReason::Forbidden,
            message: format!("Forbidden: {detail}"),
        }
    }

    /// A string that is too long.
    pub fn too_long(field: impl Into<String>, limit: u64) -> Self {
        Self {
            field: field.into(),
            reason: FieldReason::TooLong,
            message: format!("Too long: may not be more than {limit} bytes"),
        }
    }

    /// A list or map that has too many members.
    pub fn too_many(field: impl Into<String>, found: usize, limit: u64) -> Self {
        Self {
            field: field.into(),
            reason: FieldReason::TooMany,
            message: format!("Too many: {found}: must have at most {limit} items"),
        }
    }
}

fn shown(value: &Value) -> String {
    serde_json::to_string(value).unwrap_or_default()
}

/// Returns the sentence of a 422 answer, such as `Deployment.apps "web" is invalid: spec.selector: Required value`.
pub fn invalid_message(qualified_kind: &str, name: &str, errors: &[FieldError]) -> String {
    let texts: Vec<String> = errors.iter().map(ToString::to_string).collect();
    let list = texts.join(", ");
    if texts.len() == 1 {
        format!("{qualified_kind} \"{name}\" is invalid: {list}")
    } else {
        format!("{qualified_kind} \"{name}\" is invalid: [{list}]")
    }
}
