//! Holds answers against Harbor's own definition of its API (Swagger 2).
//!
//! A status that is not declared, a field that is not defined, a wrong type or format, and a page
//! without its declared headers are all mistakes.

use crate::oracles;
use http::{HeaderMap, Method, StatusCode};
use serde_json::Value;

/// Harbor's `api/v2.0/swagger.yaml`.
pub(crate) struct Swagger(Value);

impl Swagger {
    #[allow(clippy::expect_used, reason = "the definition is read once")]
    pub(crate) fn load() -> Option<Self> {
        let file = oracles::folder("harbor")?.join("swagger.yaml");
        let text = std::fs::read_to_string(file).expect("the definition can be read");
        Some(Self(serde_saphyr::from_str(&text).expect("it is YAML")))
    }

    fn follow<'v>(&'v self, value: &'v Value) -> &'v Value {
        match value["$ref"].as_str() {
            Some(place) => {
                let pointer = place.trim_start_matches('#');
                self.0.pointer(pointer).unwrap_or(&Value::Null)
            }
            None => value,
        }
    }

    /// Returns the template of a path, the one with most plain words first.
    fn template(&self, path: &str) -> Option<(&String, &Value)> {
        let segments: Vec<&str> = path.split('/').collect();
        let fits = |template: &str| {
            let parts: Vec<&str> = template.split('/').collect();
            parts.len() == segments.len()
                && parts
                    .iter()
                    .zip(&segments)
                    .all(|(part, segment)| part.starts_with('{') || part == segment)
        };
        let paths = self.0["paths"].as_object()?;
        let mut found: Vec<_> = paths
            .iter()
            .filter(|(template, _)| fits(template))
            .collect();
        found.sort_by_key(|(template, _)| template.matches('{').count());
        found.first().copied()
    }

    /// Returns what is wrong with an answer.
    pub(crate) fn mistakes(
        &self,
        (method, path): (&Method, &str),
        status: StatusCode,
        headers: &HeaderMap,
        body: &[u8],
    ) -> Vec<String> {
        let path = path.split('?').next().unwrap_or_default();
        let Some((template, item)) = self.template(path) else {
            return vec![format!("{path} is not defined")];
        };
        let operation = &item[method.as_str().to_lowercase()];
        if operation.is_null() {
            return vec![format!("{method} {template} is not defined")];
        }
        let response = &operation["responses"][status.as_str()];
        // These are answered also where the definition does not list them.
        let unlisted = matches!(status.as_u16(), 401 | 409 | 412);
        let errors = &self.0["responses"]["409"];
        if response.is_null() && !unlisted {
            return vec![format!("{method} {template}: {status} is not declared")];
        }
        let response = if response.is_null() {
            errors
        } else {
            self.follow(response)
        };
        let mut mistakes = Vec::new();
        if status == StatusCode::OK {
            let declared = response["headers"].as_object();
            for name in declared.into_iter().flatten().map(|(name, _)| name) {
                let is_paging = name.eq_ignore_ascii_case("x-total-count");
                if is_paging && !headers.contains_key(name.as_str()) {
                    mistakes.push(format!("{template}: the header {name} is missing"));
                }
            }
        }
        let schema = &response["schema"];
        if schema.is_null() || schema["type"] == "string" || method == Method::HEAD {
            return mistakes;
        }
        match serde_json::from_slice::<Value>(body) {
            Ok(value) => self.check(schema, &value, template, &mut mistakes),
            Err(error) => mistakes.push(format!("{template}: the body is not JSON: {error}")),
        }
        mistakes
    }

    fn check(&self, schema: &Value, value: &Value, place: &str, mistakes: &mut Vec<String>) {
        let schema = self.follow(schema);
        if value.is_null() {
            if schema["x-nullable"] != true {
                mistakes.push(format!("{place} is null"));
            }
            return;
        }
        let kind = schema["type"].as_str().unwrap_or("object");
        let is_right = match kind {
            "object" => value.is_object() || schema["properties"].is_null(),
            "array" => value.is_array(),
            "string" => value.is_string(),
            "integer" => value.is_i64() || value.is_u64(),
            "number" => value.is_number(),
            "boolean" => value.is_boolean(),
            _ => true,
        };
        if !is_right {
            mistakes.push(format!("{place} is no {kind}: {value}"));
            return;
        }
        if let Some(allowed) = schema["enum"].as_array()
            && !allowed.contains(value)
        {
            mistakes.push(format!("{place} is none of {allowed:?}: {value}"));
        }
        let is_time = schema["format"] == "date-time";
        let text = value.as_str().unwrap_or_default();
        if is_time && chrono::DateTime::parse_from_rfc3339(text).is_err() {
            mistakes.push(format!("{place} is no time: {value}"));
        }
        if let Some(items) = value.as_array() {
            for (at, item) in items.iter().enumerate() {
                self.check(&schema["items"], item, &format!("{place}[{at}]"), mistakes);
            }
        }
        if let Some(fields) = value.as_object() {
            self.check_fields(schema, fields, place, mistakes);
        }
    }

    fn check_fields(
        &self,
        schema: &Value,
        fields: &serde_json::Map<String, Value>,
        place: &str,
        mistakes: &mut Vec<String>,
    ) {
        for name in schema["required"].as_array().into_iter().flatten() {
            if !fields.contains_key(name.as_str().unwrap_or_default()) {
                mistakes.push(format!("{place}.{name} is missing"));
            }
        }
        let (known, others) = (&schema["properties"], &schema["additionalProperties"]);
        for (name, field) in fields {
            let place = format!("{place}.{name}");
            match (&known[name.as_str()], others) {
                (Value::Null, Value::Object(_)) => self.check(others, field, &place, mistakes),
                (Value::Null, Value::Null) if known.is_object() => {
                    mistakes.push(format!("{place} is not defined"));
                }
                (Value::Null, _) => {}
                (own, _) => self.check(own, field, &place, mistakes),
            }
        }
    }
}
