//! What schemas accept, refuse, prune and fill in.

use super::*;
use serde_json::json;

fn custom(schema: &Value) -> Schema {
    Schema::from_openapi(schema).unwrap()
}

fn texts(errors: &[FieldError]) -> Vec<String> {
    errors.iter().map(ToString::to_string).collect()
}

fn spec(properties: &Value) -> Schema {
    custom(
        &json!({"type": "object", "properties": {"spec": {"type": "object", "properties": properties}}}),
    )
}

#[test]
fn wrong_types_are_worded_as_upstream_does() {
    let schema = spec(&json!({"size": {"type": "integer"}}));

    let errors = schema.validate(&json!({"spec": {"size": "big"}}));

    assert_eq!(
        texts(&errors),
        [
            "spec.size: Invalid value: \"string\": spec.size in body must be of type integer: \"string\""
        ]
    );
    assert_eq!(errors[0].reason.cause(), "FieldValueTypeInvalid");
}
