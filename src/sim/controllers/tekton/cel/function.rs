//! The functions of expressions.

use serde_json::{Value, json};

/// Calls a function; the first value is what it is called on, if it is called on something.
pub(super) fn call(name: &str, values: &[Value], is_method: bool) -> Result<Value, String> {
    let overload = || Err(format!("no such overload of '{name}'"));
    match (name, values) {
        ("size", [of]) => match of {
            Value::String(text) => Ok(json!(text.chars().count())),
            Value::Array(items) => Ok(json!(items.len())),
            Value::Object(entries) => Ok(json!(entries.len())),
            Value::Null | Value::Bool(_) | Value::Number(_) => overload(),
        },
        ("string", [of]) => Ok(json!(text(of))),
        ("int", [of]) => match of {
            Value::String(text) => text
                .parse::<i64>()
                .map(|number| json!(number))
                .map_err(|_not_a_number| format!("cannot read {text:?} as a number")),
            Value::Number(_) => Ok(json!(of.as_f64().unwrap_or_default() as i64)),
            Value::Null | Value::Bool(_) | Value::Array(_) | Value::Object(_) => overload(),
        },
        ("match", [headers, key, wanted]) => {
            Ok(json!(header(headers, &text(key)).contains(&text(wanted))))
        }
        ("canonical", [headers, key]) => {
            let found = header(headers, &text(key)).into_iter().next();
            Ok(json!(found.unwrap_or_default()))
        }
        ("parseJSON", [of]) => serde_json::from_str(&text(of)).map_err(|error| error.to_string()),
        ("marshalJSON", [of]) => Ok(json!(of.to_string())),
        ("join", [Value::Array(items), rest @ ..]) => {
            let between = rest.first().map(text).unwrap_or_default();
            let items: Vec<String> = items.iter().map(text).collect();
            Ok(json!(items.join(&between)))
        }
        (name, [Value::String(of), rest @ ..]) if is_method => on_text(name, of, rest),
        (name, _) => Err(unknown(name)),
    }
}

fn unknown(name: &str) -> String {
    format!("undeclared reference to '{name}' (in container '')")
}

fn on_text(name: &str, of: &str, arguments: &[Value]) -> Result<Value, String> {
    let texts: Vec<String> = arguments.iter().map(text).collect();
    let first = texts.first().map_or("", String::as_str);
    match (name, arguments) {
        ("startsWith", [_]) => Ok(json!(of.starts_with(first))),
        ("endsWith", [_]) => Ok(json!(of.ends_with(first))),
        ("contains", [_]) => Ok(json!(of.contains(first))),
        ("matches", [_]) => regex::Regex::new(first)
            .map(|pattern| json!(pattern.is_match(of)))
            .map_err(|error| error.to_string()),
        ("split", [_]) => Ok(json!(of.split(first).collect::<Vec<_>>())),
        ("replace", [_, _]) => {
            let new = texts.get(1).map_or("", String::as_str);
            Ok(json!(of.replace(first, new)))
        }
        ("lowerAscii", []) => Ok(json!(of.to_ascii_lowercase())),
        ("upperAscii", []) => Ok(json!(of.to_ascii_uppercase())),
        ("trim", []) => Ok(json!(of.trim())),
        ("truncate", [Value::Number(length)]) => {
            let length = length.as_u64().unwrap_or_default() as usize;
            Ok(json!(of.chars().take(length).collect::<String>()))
        }
        ("substring", [Value::Number(from), ..]) => {
            let from = from.as_u64().unwrap_or_default() as usize;
            let until = arguments.get(1).and_then(Value::as_u64);
            let until = until.map_or(usize::MAX, |until| until as usize);
            let inside = of.chars().take(until).skip(from);
            Ok(json!(inside.collect::<String>()))
        }
        ("indexOf", [_]) => {
            let at = of.find(first).map(|at| of.split_at(at).0.chars().count());
            Ok(json!(at.map_or(-1, |at| at as i64)))
        }
        (name, _) => Err(unknown(name)),
    }
}

/// Returns the values of a header, whose name is not case-sensitive.
fn header(headers: &Value, name: &str) -> Vec<String> {
    let entries = headers.as_object().into_iter().flatten();
    let mut found = entries.filter(|(key, _)| key.eq_ignore_ascii_case(name));
    match found.next() {
        Some((_, Value::Array(values))) => values.iter().map(text).collect(),
        Some((_, value)) => vec![text(value)],
        None => Vec::new(),
    }
}

/// Returns a value as a text.
pub(super) fn text(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::Array(_) | Value::Object(_) => {
            value.to_string()
        }
    }
}
