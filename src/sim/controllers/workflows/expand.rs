//! Makes several steps of one that has items (`workflow/controller/steps.go`, `expandStep`).

use super::model::text_of;
use super::substitute::{Values, in_json};
use super::template::{Sequence, Step};
use chrono::{DateTime, Utc};
use serde_json::{Map, Value};

/// More steps than this of one are refused, lest a mistake hang the platform.
const MOST: i64 = 20_000;

/// Returns the steps that a step stands for; the raw form is needed to put the item in.
pub(super) fn expand(raw: &Value, step: &Step, now: DateTime<Utc>) -> Result<Vec<Value>, String> {
    let items = if let Some(items) = &step.with_items {
        items.clone()
    } else if !step.with_param.is_empty() {
        let items: Value = serde_json::from_str(&step.with_param).map_err(|error| {
            format!(
                "withParam value could not be parsed as a JSON list: {}: {error}",
                step.with_param.trim()
            )
        })?;
        match items {
            Value::Array(items) => items,
            Value::Null
            | Value::Bool(_)
            | Value::Number(_)
            | Value::String(_)
            | Value::Object(_) => {
                return Err(format!(
                    "withParam value could not be parsed as a JSON list: {}",
                    step.with_param.trim()
                ));
            }
        }
    } else if let Some(sequence) = &step.with_sequence {
        numbers(sequence)?
    } else {
        return Ok(vec![raw.clone()]);
    };
    let mut bare = raw.clone();
    if let Some(map) = bare.as_object_mut() {
        for field in ["withItems", "withParam", "withSequence"] {
            map.remove(field);
        }
    }
    items
        .iter()
        .enumerate()
        .map(|(index, item)| one(&bare, &step.name, (index, item), now))
        .collect()
}

fn one(
    bare: &Value,
    name: &str,
    (index, item): (usize, &Value),
    now: DateTime<Utc>,
) -> Result<Value, String> {
    let mut values = Values::new();
    let label = match item {
        Value::Object(map) => {
            for (field, value) in map {
                values.insert(format!("item.{field}"), text_of(value).unwrap_or_default());
            }
            values.insert("item".to_owned(), item.to_string());
            spelled_map(map)
        }
        Value::Array(list) => {
            for (at, value) in list.iter().enumerate() {
                values.insert(format!("item[{at}]"), text_of(value).unwrap_or_default());
            }
            values.insert("item".to_owned(), item.to_string());
            item.to_string()
        }
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {
            let text = text_of(item).unwrap_or_else(|| "null".to_owned());
            values.insert("item".to_owned(), text.clone());
            text
        }
    };
    let mut made = in_json(bare, &values, now)?;
    made["name"] = Value::String(format!("{name}({index}:{label})"));
    Ok(made)
}

/// Names an item of several fields: `image:debian,tag:9.1`.
fn spelled_map(map: &Map<String, Value>) -> String {
    let mut parts: Vec<String> = map
        .iter()
        .map(|(field, value)| format!("{field}:{}", text_of(value).unwrap_or_default()))
        .collect();
    parts.sort();
    parts.join(",")
}

fn numbers(sequence: &Sequence) -> Result<Vec<Value>, String> {
    let number = |text: &str| {
        text.trim()
            .parse::<i64>()
            .map_err(|_not_a_number| format!("strconv.Atoi: parsing {text:?}: invalid syntax"))
    };
    let start = match sequence.start.as_str() {
        "" => 0,
        text => number(text)?,
    };
    let end = if !sequence.count.is_empty() {
        let count = number(&sequence.count)?;
        if count == 0 {
            return Ok(Vec::new());
        }
        start.saturating_add(count) - 1
    } else if sequence.end.is_empty() {
        return Err("must provide end or count in withSequence".to_owned());
    } else {
        number(&sequence.end)?
    };
    if end.abs_diff(start) > MOST.unsigned_abs() {
        return Err(format!(
            "withSequence of more than {MOST} items is not simulated"
        ));
    }
    let spelled = |number: i64| Value::String(format_number(&sequence.format, number));
    Ok(if start <= end {
        (start..=end).map(spelled).collect()
    } else {
        (end..=start).rev().map(spelled).collect()
    })
}

/// Writes a number as Go's `fmt.Sprintf` does with one verb `%d`, `%x`, `%X` or `%o`.
fn format_number(format: &str, number: i64) -> String {
    let Some((before, rest)) = format.split_once('%') else {
        return if format.is_empty() {
            number.to_string()
        } else {
            format.to_owned()
        };
    };
    let Some(at) = rest.find(['d', 'x', 'X', 'o', 's']) else {
        return format.to_owned();
    };
    let (flags, tail) = rest.split_at(at);
    let verb = tail.chars().next().unwrap_or('d');
    let after: String = tail.chars().skip(1).collect();
    let digits = match verb {
        'x' => format!("{number:x}"),
        'X' => format!("{number:X}"),
        'o' => format!("{number:o}"),
        _ => number.to_string(),
    };
    let width: usize = flags
        .trim_start_matches(['0', '-', '+'])
        .parse()
        .unwrap_or(0);
    let padded = if flags.starts_with('0') {
        format!("{digits:0>width$}")
    } else {
        format!("{digits:>width$}")
    };
    format!("{before}{padded}{after}")
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn names(step: &Value) -> Vec<String> {
        let read = super::super::model::read(step).expect("a step");
        expand(step, &read, DateTime::UNIX_EPOCH)
            .expect("it expands")
            .iter()
            .filter_map(|one| one["name"].as_str().map(str::to_owned))
            .collect()
    }

    #[test]
    fn items_name_their_steps_as_upstream_does() {
        assert_eq!(
            names(&json!({"name": "s", "withItems": ["a", 1, true]})),
            ["s(0:a)", "s(1:1)", "s(2:true)"]
        );
        assert_eq!(
            names(&json!({"name": "s", "withItems": [{"tag": "9.1", "image": "debian"}]})),
            ["s(0:image:debian,tag:9.1)"]
        );
        assert_eq!(
            names(&json!({"name": "s", "withParam": "[20,21]"})),
            ["s(0:20)", "s(1:21)"]
        );
        assert_eq!(
            names(&json!({"name": "s", "withSequence": {"start": "2", "end": "0"}})),
            ["s(0:2)", "s(1:1)", "s(2:0)"]
        );
        assert_eq!(
            names(&json!({"name": "s", "withSequence": {"count": "2", "format": "user%02X"}})),
            ["s(0:user00)", "s(1:user01)"]
        );
        assert!(names(&json!({"name": "s", "withSequence": {"count": 0}})).is_empty());
    }
}
