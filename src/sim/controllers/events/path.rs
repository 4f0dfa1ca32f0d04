//! Paths into JSON: those of gjson for reading and of sjson for writing. Pure.
//!
//! Names and numbers between dots (`\.` is a dot of a name), `*` and `?` in names, `#` for the
//! length or every element, `#(field=="text")` for the first that fits, `#(…)#` for all. What
//! gjson calls modifiers (`@…`) is not known here: such a path finds nothing.

use serde_json::{Map, Value};

/// How many elements a path may make a list longer by.
const LONGEST_GAP: usize = 100;

#[derive(Debug, PartialEq)]
enum Segment {
    Name(String),
    Each,
    Query { query: String, all: bool },
}

/// Returns what a path leads to.
pub(super) fn get(value: &Value, path: &str) -> Option<Value> {
    walk(value, &segments(path))
}

/// Returns what a path leads to as gjson writes it: texts without quotes.
pub(super) fn text(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        Value::Null => String::new(),
        Value::Bool(_) | Value::Number(_) | Value::Array(_) | Value::Object(_) => value.to_string(),
    }
}

fn segments(path: &str) -> Vec<Segment> {
    let mut all = Vec::new();
    let mut current = String::new();
    let mut depth = 0_u32;
    let mut letters = path.chars();
    while let Some(letter) = letters.next() {
        match letter {
            '\\' if depth == 0 => current.extend(letters.next()),
            '(' => depth += 1,
            ')' => depth = depth.saturating_sub(1),
            '.' | '|' if depth == 0 => {
                all.push(segment(&std::mem::take(&mut current)));
                continue;
            }
            _ => {}
        }
        if letter != '\\' || depth > 0 {
            current.push(letter);
        }
    }
    all.push(segment(&current));
    all
}

fn segment(text: &str) -> Segment {
    if text == "#" {
        return Segment::Each;
    }
    if let Some(rest) = text.strip_prefix("#(") {
        let (inner, all) = match rest.strip_suffix(")#") {
            Some(inner) => (inner, true),
            None => (rest.strip_suffix(')').unwrap_or(rest), false),
        };
        return Segment::Query {
            query: inner.to_owned(),
            all,
        };
    }
    Segment::Name(text.to_owned())
}

fn walk(value: &Value, path: &[Segment]) -> Option<Value> {
    let Some((first, rest)) = path.split_first() else {
        return Some(value.clone());
    };
    match first {
        Segment::Name(name) => walk(child(value, name)?, rest),
        Segment::Each => {
            let items = value.as_array()?;
            if rest.is_empty() {
                return Some(items.len().into());
            }
            let found = items.iter().filter_map(|item| walk(item, rest));
            Some(Value::Array(found.collect()))
        }
        Segment::Query { query, all } => {
            let mut fitting = value.as_array()?.iter().filter(|item| fits(item, query));
            if *all {
                let found = fitting.filter_map(|item| walk(item, rest));
                return Some(Value::Array(found.collect()));
            }
            walk(fitting.next()?, rest)
        }
    }
}

fn child<'v>(value: &'v Value, name: &str) -> Option<&'v Value> {
    match value {
        Value::Object(map) => map.get(name).or_else(|| {
            let has_pattern = name.contains(['*', '?']);
            let mut entries = map.iter().filter(|_| has_pattern);
            let found = entries.find(|(key, _)| crate::domain::globs::matches(name, key));
            found.map(|(_, value)| value)
        }),
        Value::Array(items) => items.get(name.parse::<usize>().ok()?),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => None,
    }
}

fn fits(item: &Value, query: &str) -> bool {
    let operators = ["==", "!=", "<=", ">=", "!%", "=", "<", ">", "%"];
    let place = operators
        .iter()
        .filter_map(|operator| Some((query.find(operator)?, *operator)))
        .min_by_key(|(place, operator)| (*place, std::cmp::Reverse(operator.len())));
    let Some((field, operator, wanted)) = place.and_then(|(place, operator)| {
        let (field, rest) = query.split_at_checked(place)?;
        Some((field.trim(), operator, rest.strip_prefix(operator)?.trim()))
    }) else {
        return get(item, query).is_some();
    };
    let found = if field.is_empty() {
        Some(item.clone())
    } else {
        get(item, field)
    };
    let Some(found) = found.as_ref().map(text) else {
        return false;
    };
    let wanted = wanted.trim_matches('"');
    let order = match (found.parse::<f64>(), wanted.parse::<f64>()) {
        (Ok(found), Ok(wanted)) => found.partial_cmp(&wanted),
        _ => Some(found.as_str().cmp(wanted)),
    };
    match operator {
        "==" | "=" => found == wanted,
        "!=" => found != wanted,
        "<" => order.is_some_and(std::cmp::Ordering::is_lt),
        ">" => order.is_some_and(std::cmp::Ordering::is_gt),
        "<=" => order.is_some_and(std::cmp::Ordering::is_le),
        ">=" => order.is_some_and(std::cmp::Ordering::is_ge),
        "%" => crate::domain::globs::matches(wanted, &found),
        _ => !crate::domain::globs::matches(wanted, &found),
    }
}

/// Puts a value where a path leads, making what is missing on the way.
pub(super) fn set(value: &mut Value, path: &str, new: Value) -> Result<(), String> {
    let names: Vec<String> = segments(path)
        .into_iter()
        .map(|segment| match segment {
            Segment::Name(name) if !name.is_empty() => Ok(name),
            Segment::Name(_) | Segment::Each | Segment::Query { .. } => {
                Err(format!("`{path}` is not a path that can be set"))
            }
        })
        .collect::<Result<_, _>>()?;
    put(value, &names, new).map_err(|why| format!("cannot set `{path}`: {why}"))
}

fn put(value: &mut Value, names: &[String], new: Value) -> Result<(), String> {
    let Some((name, rest)) = names.split_first() else {
        *value = new;
        return Ok(());
    };
    let number = name.parse::<usize>().ok();
    if value.is_null() {
        *value = if number.is_some() || name == "-1" {
            Value::Array(Vec::new())
        } else {
            Value::Object(Map::new())
        };
    }
    match value {
        Value::Object(map) => put(map.entry(name.as_str()).or_insert(Value::Null), rest, new),
        Value::Array(items) => {
            let place = if name == "-1" {
                items.len()
            } else {
                number.ok_or_else(|| format!("`{name}` is not a place in a list"))?
            };
            if place > items.len() + LONGEST_GAP {
                return Err(format!("the list has only {} elements", items.len()));
            }
            if place >= items.len() {
                items.resize(place + 1, Value::Null);
            }
            items
                .get_mut(place)
                .map_or(Ok(()), |item| put(item, rest, new))
        }
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {
            Err(format!("there is no `{name}` in a plain value"))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn paths_lead_through_objects_lists_and_queries() {
        let value = json!({"a.b": 1, "list": [{"n": "x", "v": 1}, {"n": "y", "v": 2}], "body": {"ref": "main"}});
        let found = |path: &str| get(&value, path);
        assert_eq!(found("body.ref"), Some(json!("main")));
        assert_eq!(found("a\\.b"), Some(json!(1)));
        assert_eq!(found("list.1.n"), Some(json!("y")));
        assert_eq!(found("list.#"), Some(json!(2)));
        assert_eq!(found("list.#.n"), Some(json!(["x", "y"])));
        assert_eq!(found("list.#(n==\"y\").v"), Some(json!(2)));
        assert_eq!(found("list.#(v>0)#.n"), Some(json!(["x", "y"])));
        assert_eq!(found("b*.r?f"), Some(json!("main")));
        assert_eq!(found("list.7.n"), None);
    }

    #[test]
    fn setting_makes_what_is_missing() {
        let mut value = json!({"spec": {"arguments": {"parameters": [{"name": "a"}]}}});
        set(
            &mut value,
            "spec.arguments.parameters.0.value",
            json!("abc"),
        )
        .expect("it is set");
        set(&mut value, "metadata.labels.x", json!("y")).expect("it is set");
        set(&mut value, "list.-1", json!(1)).expect("it is set");
        assert_eq!(
            value,
            json!({
                "spec": {"arguments": {"parameters": [{"name": "a", "value": "abc"}]}},
                "metadata": {"labels": {"x": "y"}}, "list": [1],
            })
        );
        assert!(set(&mut value, "list.1000000", json!(1)).is_err());
        assert!(set(&mut value, "spec.#.a", json!(1)).is_err());
        assert!(set(&mut value, "list.0.a", json!(1)).is_err());
    }
}
