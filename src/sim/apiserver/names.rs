//! Which names objects may have.

use super::error::{ApiError, Cause};
use super::json;
use super::kinds::Kind;
use serde_json::Value;

const SUBDOMAIN: &str = "a lowercase RFC 1123 subdomain must consist of lower case alphanumeric \
    characters, '-' or '.', and must start and end with an alphanumeric character (e.g. \
    'example.com', regex used for validation is \
    '[a-z0-9]([-a-z0-9]*[a-z0-9])?(\\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*')";
const LABEL: &str = "a lowercase RFC 1123 label must consist of lower case alphanumeric characters \
    or '-', and must start and end with an alphanumeric character (e.g. 'my-name',  or \
    '123-abc', regex used for validation is '[a-z0-9]([-a-z0-9]*[a-z0-9])?')";
const OLD_LABEL: &str = "a DNS-1035 label must consist of lower case alphanumeric characters or \
    '-', start with an alphabetic character, and end with an alphanumeric character (e.g. \
    'my-name',  or 'abc-123', regex used for validation is '[a-z]([-a-z0-9]*[a-z0-9])?')";

/// Refuses an object whose name its kind does not allow.
pub(super) fn check(kind: &Kind, object: &Value) -> Result<(), ApiError> {
    let name = json::name_of(object);
    if name.is_empty() {
        let cause = Cause {
            reason: "FieldValueRequired".to_owned(),
            message: "Required value: name or generateName is required".to_owned(),
            field: "metadata.name".to_owned(),
        };
        return Err(ApiError::invalid(kind, "", &[cause]));
    }
    let Some(why) = fault(kind, name) else {
        return Ok(());
    };
    let cause = Cause {
        reason: "FieldValueInvalid".to_owned(),
        message: format!("Invalid value: \"{name}\": {why}"),
        field: "metadata.name".to_owned(),
    };
    Err(ApiError::invalid(kind, name, &[cause]))
}

fn fault(kind: &Kind, name: &str) -> Option<String> {
    if kind.group == "rbac.authorization.k8s.io" {
        return path_fault(name);
    }
    match (kind.group.as_str(), kind.kind.as_str()) {
        ("", "Namespace") => (!is_label(name)).then(|| LABEL.to_owned()),
        ("", "Service") => (!is_old_label(name)).then(|| OLD_LABEL.to_owned()),
        _ if name.len() > 253 => Some("must be no more than 253 characters".to_owned()),
        _ => (!name.split('.').all(is_long_label)).then(|| SUBDOMAIN.to_owned()),
    }
}

fn path_fault(name: &str) -> Option<String> {
    if name == "." || name == ".." {
        return Some(format!("may not be '{name}'"));
    }
    ['/', '%']
        .into_iter()
        .find(|letter| name.contains(*letter))
        .map(|letter| format!("may not contain '{letter}'"))
}

fn is_long_label(text: &str) -> bool {
    let fine = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-';
    !text.is_empty() && !text.starts_with('-') && !text.ends_with('-') && text.chars().all(fine)
}

fn is_label(text: &str) -> bool {
    text.len() <= 63 && is_long_label(text)
}

fn is_old_label(text: &str) -> bool {
    is_label(text) && text.starts_with(|c: char| c.is_ascii_lowercase())
}
