//! Checks an object against a schema and words what is wrong as the API server does.
//!
//! Custom resources are checked to the letter. Built-in types are decoded first
//! ([`decode_error`], a 400), so that what is left to [`validate`] is what upstream's hand-written
//! validation would refuse for its shape; nulls count as absent there.

use super::field_error::FieldError;
use super::limits::Rules;
use super::node::{Additional, INT_OR_STRING, ListType, Node, QUANTITY, Type};
use super::{field, format};
use serde_json::{Map, Value};

/// Lists everything about the object that the schema refuses.
pub(super) fn validate(node: &Node, object: &Value, typed: bool) -> Vec<FieldError> {
    let mut check = Check { errors: Vec::new() };
    check.value(node, object, "", typed);
    check.errors
}

struct Check {
    errors: Vec<FieldError>,
}

impl Check {
    fn value(&mut self, node: &Node, value: &Value, path: &str, typed: bool) {
        let typed = typed || node.reference.is_some();
        let node = node.resolve();
        if value.is_null() && (node.nullable || typed) {
            return;
        }
        if !typed && !has_type(node.kind, value) {
            self.errors.push(FieldError::wrong_type(
                path,
                type_name(value),
                wanted_name(node.kind),
            ));
            return;
        }
        if let Some(rules) = node.limits.rules() {
            self.rules(rules, value, path, typed);
        }
        match value {
            Value::Object(map) => self.object(node, map, path, typed),
            Value::Array(items) => self.array(node, items, path, typed),
            Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
        }
    }

    fn object(&mut self, node: &Node, map: &Map<String, Value>, path: &str, typed: bool) {
        for name in &node.required {
            let absent = match map.get(name) {
                None => true,
                Some(value) => typed && value.is_null(),
            };
            // What controllers report is decoded with zero values; nobody requires it.
            if absent && !(typed && is_reported(path)) {
                self.errors
                    .push(FieldError::required(field(path, name), ""));
            }
        }
        for (name, child) in map {
            let path = field(path, name);
            match (node.properties.get(name), &node.additional) {
                (Some(known), _) => self.value(known, child, &path, typed),
                (None, Additional::Each(known)) => self.value(known, child, &path, typed),
                (None, Additional::Nothing | Additional::Anything) => {}
            }
        }
    }

    fn array(&mut self, node: &Node, items: &[Value], path: &str, typed: bool) {
        if let Some(item) = &node.items {
            for (index, child) in items.iter().enumerate() {
                self.value(item, child, &format!("{path}[{index}]"), typed);
            }
        }
        match &node.list {
            ListType::Atomic => {}
            ListType::Set => self.unique(items, path, Clone::clone),
            ListType::Map(keys) => self.unique(items, path, |item| key_of(node, item, keys)),
        }
    }

    fn unique(&mut self, items: &[Value], path: &str, key: impl Fn(&Value) -> Value) {
        let keys: Vec<Value> = items.iter().map(key).collect();
        for (index, one) in keys.iter().enumerate() {
            if keys.iter().take(index).any(|earlier| earlier == one) {
                self.errors
                    .push(FieldError::duplicate(format!("{path}[{index}]"), one));
            }
        }
    }

    fn rules(&mut self, rules: &Rules, value: &Value, path: &str, typed: bool) {
        if !rules.choices.is_empty() && !rules.choices.contains(value) {
            let choices: Vec<String> = rules.choices.iter().map(plain).collect();
            self.errors
                .push(FieldError::not_supported(path, value, &choices));
        }
        match value {
            Value::Number(number) => {
                if let Some(number) = number.as_f64() {
                    self.number(rules, number, value, path);
                }
            }
            Value::String(text) => {
                self.string(rules, text, path);
                if !typed {
                    self.format(rules, text, path);
                }
            }
            Value::Array(items) => self.items(rules, items, path),
            Value::Object(map) => self.members(rules, map.len(), path),
            Value::Null | Value::Bool(_) => {}
        }
        self.combinations(rules, value, path);
    }

    fn invalid(&mut self, path: &str, value: &Value, rule: impl std::fmt::Display) {
        let detail = format!("{path} in body {rule}");
        self.errors.push(FieldError::invalid(path, value, detail));
    }

    fn number(&mut self, rules: &Rules, number: f64, value: &Value, path: &str) {
        if let Some(limit) = rules.minimum {
            if rules.above_minimum && number <= limit {
                self.invalid(path, value, format_args!("should be greater than {limit}"));
            } else if number < limit {
                let rule = format_args!("should be greater than or equal to {limit}");
                self.invalid(path, value, rule);
            }
        }
        if let Some(limit) = rules.maximum {
            if rules.below_maximum && number >= limit {
                self.invalid(path, value, format_args!("should be less than {limit}"));
            } else if number > limit {
                let rule = format_args!("should be less than or equal to {limit}");
                self.invalid(path, value, rule);
            }
        }
        if let Some(factor) = rules.multiple_of
            && (number / factor).fract() != 0.0
        {
            self.invalid(
                path,
                value,
                format_args!("should be a multiple of {factor}"),
            );
        }
    }

    fn string(&mut self, rules: &Rules, text: &str, path: &str) {
        let value = &Value::from(text);
        let length = text.chars().count() as u64;
        if let Some(limit) = rules.max_length.filter(|limit| length > *limit) {
            self.errors.push(FieldError::too_long(path, limit));
        }
        if let Some(limit) = rules.min_length.filter(|limit| length < *limit) {
            let rule = format_args!("should be at least {limit} chars long");
            self.invalid(path, value, rule);
        }
        if let Some(pattern) = &rules.pattern
            && !pattern.expression.is_match(text)
        {
            self.invalid(path, value, format_args!("should match '{}'", pattern.text));
        }
    }

    fn format(&mut self, rules: &Rules, text: &str, path: &str) {
        if let Some(wanted) = &rules.format
            && !format::matches(wanted, text)
        {
            let rule = format_args!("must be of type {wanted}: \"{text}\"");
            self.invalid(path, &Value::from(text), rule);
        }
    }

    fn items(&mut self, rules: &Rules, items: &[Value], path: &str) {
        let count = items.len();
        if let Some(limit) = rules.max_items.filter(|limit| count as u64 > *limit) {
            self.errors.push(FieldError::too_many(path, count, limit));
        }
        if let Some(limit) = rules.min_items.filter(|limit| (count as u64) < *limit) {
            let rule = format_args!("should have at least {limit} items");
            self.invalid(path, &Value::from(count), rule);
        }
        if rules.unique {
            self.unique(items, path, Clone::clone);
        }
    }

    fn members(&mut self, rules: &Rules, count: usize, path: &str) {
        if let Some(limit) = rules.max_properties.filter(|limit| count as u64 > *limit) {
            self.errors.push(FieldError::too_many(path, count, limit));
        }
        if let Some(limit) = rules.min_properties.filter(|limit| (count as u64) < *limit) {
            let rule = format_args!("should have at least {limit} properties");
            self.invalid(path, &Value::from(count), rule);
        }
    }

    fn combinations(&mut self, rules: &Rules, value: &Value, path: &str) {
        let fits = |node: &Node| validate(node, value, false).is_empty();
        for node in &rules.all_of {
            for mut error in validate(node, value, false) {
                if !path.is_empty() {
                    error.field = joined(path, &error.field);
                }
                self.errors.push(error);
            }
        }
        let mut broken = |rule: &str| {
            let detail = format!("\"{path}\" {rule}");
            self.errors.push(FieldError::invalid(path, value, detail));
        };
        if !rules.any_of.is_empty() && !rules.any_of.iter().any(fits) {
            broken("must validate at least one schema (anyOf)");
        }
        let fitting = rules.one_of.iter().filter(|node| fits(node)).count();
        if !rules.one_of.is_empty() && fitting == 0 {
            broken("must validate one and only one schema (oneOf). Found none valid");
        } else if fitting > 1 {
            broken(&format!(
                "must validate one and only one schema (oneOf). Found {fitting} valid alternatives"
            ));
        }
        if rules.not.as_ref().is_some_and(fits) {
            broken("must not validate the schema (not)");
        }
    }
}

/// Says whether a path lies in what controllers write, not users.
fn is_reported(path: &str) -> bool {
    path == "status" || path.starts_with("status.") || path.starts_with("metadata.managedFields")
}

fn joined(path: &str, below: &str) -> String {
    if below.is_empty() {
        path.to_owned()
    } else if below.starts_with('[') {
        format!("{path}{below}")
    } else {
        format!("{path}.{below}")
    }
}

fn plain(value: &Value) -> String {
    value
        .as_str()
        .map_or_else(|| value.to_string(), str::to_owned)
}

/// Returns the part of a list item that tells it from others, with defaults for absent keys.
fn key_of(list: &Node, item: &Value, keys: &[String]) -> Value {
    let known = list.items.as_deref().map(Node::resolve);
    keys.iter()
        .filter_map(|key| {
            let given = item.get(key).cloned();
            let default = || known?.properties.get(key)?.default.clone();
            Some((key.clone(), given.or_else(default)?))
        })
        .collect::<Map<_, _>>()
        .into()
}

fn has_type(kind: Type, value: &Value) -> bool {
    match kind {
        Type::Any => true,
        Type::Object => value.is_object(),
        Type::Array => value.is_array(),
        Type::String => value.is_string(),
        Type::Boolean => value.is_boolean(),
        Type::Number => value.is_number(),
        Type::Integer => is_integer(value),
        Type::IntOrString => is_integer(value) || value.is_string(),
    }
}

fn is_integer(value: &Value) -> bool {
    value.is_i64() || value.is_u64() || value.as_f64().is_some_and(|one| one.fract() == 0.0)
}

fn wanted_name(kind: Type) -> &'static str {
    match kind {
        Type::Any => "any",
        Type::Object => "object",
        Type::Array => "array",
        Type::String => "string",
        Type::Integer => "integer",
        Type::Number => "number",
        Type::Boolean => "boolean",
        Type::IntOrString => "integer,string",
    }
}

fn type_name(value: &Value) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Bool(_) => "boolean",
        Value::Number(_) if is_integer(value) => "integer",
        Value::Number(_) => "number",
        Value::String(_) => "string",
        Value::Array(_) => "array",
        Value::Object(_) => "object",
    }
}

/// Says why a typed decoder cannot read the object, in the words of Go's `encoding/json`.
pub(super) fn decode_error(node: &Node, object: &Value) -> Option<String> {
    decode(node, object, &Place::default())
}

/// Where a decoder is: the Go struct around a field, and the fields since the root.
#[derive(Clone, Default)]
struct Place {
    structure: String,
    fields: String,
}

fn decode(node: &Node, value: &Value, place: &Place) -> Option<String> {
    let name = node.reference.as_deref();
    let node = node.resolve();
    if value.is_null() {
        return None;
    }
    if name == Some(QUANTITY) {
        return super::core::quantity::problem(value);
    }
    if !has_type(node.kind, value) {
        let wanted = go_name(node, name);
        let found = go_value(value);
        return Some(format!(
            "json: cannot unmarshal {found} into Go struct field {}.{} of type {wanted}",
            place.structure, place.fields
        ));
    }
    match value {
        Value::Object(map) => map.iter().find_map(|(key, child)| {
            let known = node.known_field(key)?;
            let structure = name
                .and_then(|one| one.rsplit('.').next())
                .unwrap_or(&place.structure);
            let place = Place {
                structure: structure.to_owned(),
                fields: field(&place.fields, key),
            };
            decode(known, child, &place)
        }),
        Value::Array(items) => {
            let item = node.items.as_deref()?;
            items.iter().find_map(|child| decode(item, child, place))
        }
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => None,
    }
}

fn go_name(node: &Node, name: Option<&str>) -> String {
    if name == Some(INT_OR_STRING) {
        return "intstr.IntOrString".to_owned();
    }
    let format = node
        .limits
        .rules()
        .and_then(|rules| rules.format.as_deref());
    match (node.kind, name) {
        (Type::Object | Type::Any, Some(name)) => {
            let mut parts: Vec<&str> = name.rsplit('.').take(2).collect();
            parts.reverse();
            parts.join(".")
        }
        (Type::Object | Type::Any, None) => "map[string]string".to_owned(),
        (Type::Array, _) => {
            let item = node.items.as_deref();
            let below = item.map(|item| go_name(item.resolve(), item.reference.as_deref()));
            format!("[]{}", below.unwrap_or_default())
        }
        (Type::String | Type::IntOrString, _) => "string".to_owned(),
        (Type::Boolean, _) => "bool".to_owned(),
        (Type::Number, _) => "float64".to_owned(),
        (Type::Integer, _) => format.unwrap_or("int64").to_owned(),
    }
}

fn go_value(value: &Value) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Bool(_) => "bool",
        Value::Number(_) => "number",
        Value::String(_) => "string",
        Value::Array(_) => "array",
        Value::Object(_) => "object",
    }
}
