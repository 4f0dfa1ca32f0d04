//! The functions of the language: those that Argo Rollouts adds, and expr-lang's own as far as
//! conditions use them.

use super::evaluation::{Scope, fetch};
use super::parser::Node;
use super::value::Value;
use crate::sim::controllers::analysis::duration;
use std::cmp::Ordering;

/// How a function may be called.
#[derive(Clone, Copy, Debug)]
pub(super) struct Function {
    pub(super) least: usize,
    pub(super) most: usize,
    /// The second argument is evaluated for each element of the first.
    pub(super) takes_closure: bool,
}

/// Returns how a function is called, if there is one of this name.
pub(super) fn named(name: &str) -> Option<Function> {
    let (least, most, takes_closure) = match name {
        "now" => (0, 0, false),
        "all" | "any" | "none" | "one" | "filter" | "map" | "find" | "findIndex" => (2, 2, true),
        "count" | "sum" => (1, 2, true),
        "max" | "min" | "mean" | "median" => (1, usize::MAX, false),
        "default" | "get" | "take" | "join" | "split" | "hasPrefix" | "hasSuffix" | "jsonpath"
        | "sprig.trimSuffix" | "sprig.trimPrefix" | "sprig.default" | "sprig.add" | "sprig.sub"
        | "sprig.mul" | "sprig.contains" => (2, 2, false),
        "replace" | "sprig.replace" => (3, 3, false),
        "toJson" | "fromJSON" | "toJSON" | "sprig.trim" | "sprig.upper" | "sprig.lower"
        | "sprig.title" | "sprig.toJson" | "sprig.int" | "sprig.b64enc" | "asInt" | "asFloat"
        | "isNaN" | "isInf" | "isNil" | "len" | "abs" | "ceil" | "floor" | "round" | "int"
        | "float" | "string" | "type" | "trim" | "upper" | "lower" | "first" | "last" | "keys"
        | "values" | "reverse" | "sort" | "duration" | "flatten" => (1, 1, false),
        _ => return None,
    };
    Some(Function {
        least,
        most,
        takes_closure,
    })
}

/// Calls a function that the parser has let through.
pub(super) fn call(scope: &mut Scope<'_>, name: &str, nodes: &[Node]) -> Result<Value, String> {
    if let (Some(true), [list, body]) = (named(name).map(|one| one.takes_closure), nodes) {
        let list = elements(scope.evaluate(list)?, name)?;
        return with_closure(scope, name, list, body);
    }
    let mut arguments = Vec::new();
    for node in nodes {
        arguments.push(scope.evaluate(node)?);
    }
    match (name, arguments.as_slice()) {
        ("now", []) => Ok(Value::Time(scope.now)),
        // Upstream looks at the result, whatever is given.
        ("isNil", [_]) => Ok(Value::Bool(*scope.result == Value::Nil)),
        ("default", [_, instead]) if *scope.result == Value::Nil => Ok(instead.clone()),
        ("default", [_, _]) => Ok(scope.result.clone()),
        ("count", [list]) => {
            let list = elements(list.clone(), name)?;
            let count = list.iter().filter(|one| **one == Value::Bool(true)).count();
            Ok(Value::Int(count as i64))
        }
        ("max" | "min" | "mean" | "median" | "sum", arguments) => statistic(name, arguments),
        (_, [one]) => of_one(name, one),
        (_, arguments) => of_more(name, arguments),
    }
}

fn wrong(name: &str, value: &Value) -> String {
    format!("invalid argument for {name} (type {})", value.type_name())
}

fn elements(value: Value, name: &str) -> Result<Vec<Value>, String> {
    if let Value::List(list) = value {
        return Ok(list);
    }
    if let Value::Map(map) = value {
        return Ok(map.into_values().collect());
    }
    Err(format!(
        "builtin {name} takes only array (got {})",
        value.type_name()
    ))
}

fn with_closure(
    scope: &mut Scope<'_>,
    name: &str,
    list: Vec<Value>,
    body: &Node,
) -> Result<Value, String> {
    let mut made = Vec::new();
    for element in &list {
        scope.spend(1)?;
        made.push(scope.with_element(element.clone(), body)?);
    }
    if matches!(name, "map" | "sum") {
        return match name {
            "map" => Ok(Value::List(made)),
            _ => statistic("sum", &[Value::List(made)]),
        };
    }
    let mut holds = Vec::new();
    for one in made {
        let Value::Bool(answer) = one else {
            return Err(format!(
                "predicate should return boolean (got {})",
                one.type_name()
            ));
        };
        holds.push(answer);
    }
    let count = holds.iter().filter(|holds| **holds).count();
    let found = holds.iter().position(|holds| *holds);
    Ok(match name {
        "all" => Value::Bool(count == holds.len()),
        "any" => Value::Bool(count > 0),
        "none" => Value::Bool(count == 0),
        "one" => Value::Bool(count == 1),
        "count" => Value::Int(count as i64),
        "find" => found
            .and_then(|at| list.get(at))
            .cloned()
            .unwrap_or(Value::Nil),
        "findIndex" => Value::Int(found.map_or(-1, |at| at as i64)),
        _ => {
            let kept = list.into_iter().zip(holds);
            Value::List(kept.filter_map(|(one, kept)| kept.then_some(one)).collect())
        }
    })
}

/// Works on numbers, whether they are given one by one or in lists.
fn statistic(name: &str, arguments: &[Value]) -> Result<Value, String> {
    let mut numbers: Vec<Value> = Vec::new();
    for argument in arguments {
        if let Value::List(list) = argument {
            numbers.extend(list.iter().cloned());
        } else {
            numbers.push(argument.clone());
        }
    }
    if let Some(other) = numbers.iter().find(|one| one.number().is_none()) {
        return Err(wrong(name, other));
    }
    let floats: Vec<f64> = numbers.iter().filter_map(Value::number).collect();
    let count = floats.len() as f64;
    let order = |left: &Value, right: &Value| {
        let order = left.number().partial_cmp(&right.number());
        order.unwrap_or(Ordering::Equal)
    };
    Ok(match name {
        "max" => numbers
            .into_iter()
            .reduce(|best, one| {
                if order(&one, &best).is_gt() {
                    one
                } else {
                    best
                }
            })
            .unwrap_or(Value::Nil),
        "min" => numbers
            .into_iter()
            .reduce(|best, one| {
                if order(&one, &best).is_lt() {
                    one
                } else {
                    best
                }
            })
            .unwrap_or(Value::Nil),
        "sum" => {
            let zero = Ok(Value::Int(0));
            numbers
                .iter()
                .fold(zero, |sum, one| sum.and_then(|sum| sum.calculate("+", one)))?
        }
        "mean" if floats.is_empty() => Value::Float(0.0),
        "mean" => Value::Float(floats.iter().sum::<f64>() / count),
        _ => Value::Float(median(floats)),
    })
}

fn median(mut numbers: Vec<f64>) -> f64 {
    numbers.sort_by(f64::total_cmp);
    let middle = numbers.len() / 2;
    let at = |index: usize| numbers.get(index).copied().unwrap_or_default();
    if numbers.len() % 2 == 1 {
        at(middle)
    } else {
        f64::midpoint(at(middle.saturating_sub(1)), at(middle))
    }
}

fn of_one(name: &str, value: &Value) -> Result<Value, String> {
    match (name, value) {
        ("asInt" | "int" | "sprig.int", value) => as_int(name, value),
        ("asFloat" | "float", value) => as_float(name, value),
        ("isNaN" | "isInf", value) => {
            let number = value.number().ok_or_else(|| {
                format!(
                    "cannot use {} as argument (type float64) to call {name}",
                    value.type_name()
                )
            })?;
            Ok(Value::Bool(match name {
                "isNaN" => number.is_nan(),
                _ => number.is_infinite(),
            }))
        }
        ("string", value) => Ok(Value::Text(value.spelled())),
        ("type", value) => Ok(Value::Text(kind_of(value).to_owned())),
        ("abs", Value::Int(number)) => Ok(Value::Int(number.wrapping_abs())),
        ("abs" | "ceil" | "floor" | "round", value) => {
            let number = value.number().ok_or_else(|| wrong(name, value))?;
            Ok(Value::Float(match name {
                "abs" => number.abs(),
                "ceil" => number.ceil(),
                "floor" => number.floor(),
                _ => number.round(),
            }))
        }
        ("toJson" | "toJSON" | "sprig.toJson", value) => {
            Ok(Value::Text(value.to_json().to_string()))
        }
        ("fromJSON", Value::Text(text)) => serde_json::from_str(text)
            .map(|json: serde_json::Value| Value::from_json(&json))
            .map_err(|error| error.to_string()),
        ("sprig.b64enc", Value::Text(text)) => {
            use base64::Engine as _;
            let encoded = base64::engine::general_purpose::STANDARD.encode(text);
            Ok(Value::Text(encoded))
        }
        ("sprig.title", Value::Text(text)) => {
            let words = text.split(' ').map(|word| {
                let mut letters = word.chars();
                let first = letters.next().map(|c| c.to_uppercase().to_string());
                first.unwrap_or_default() + letters.as_str()
            });
            Ok(Value::Text(words.collect::<Vec<_>>().join(" ")))
        }
        ("trim" | "sprig.trim", Value::Text(text)) => Ok(Value::Text(text.trim().to_owned())),
        ("upper" | "sprig.upper", Value::Text(text)) => Ok(Value::Text(text.to_uppercase())),
        ("lower" | "sprig.lower", Value::Text(text)) => Ok(Value::Text(text.to_lowercase())),
        ("duration", Value::Text(text)) => duration::go(text).map(Value::Span),
        _ => of_collection(name, value),
    }
}

fn of_collection(name: &str, value: &Value) -> Result<Value, String> {
    match (name, value) {
        ("len", Value::Text(text)) => Ok(Value::Int(text.chars().count() as i64)),
        ("len", Value::List(list)) => Ok(Value::Int(list.len() as i64)),
        ("len", Value::Map(map)) => Ok(Value::Int(map.len() as i64)),
        ("first", Value::List(list)) => Ok(list.first().cloned().unwrap_or(Value::Nil)),
        ("last", Value::List(list)) => Ok(list.last().cloned().unwrap_or(Value::Nil)),
        ("reverse", Value::List(list)) => Ok(Value::List(list.iter().rev().cloned().collect())),
        ("sort", Value::List(list)) => {
            let mut sorted = list.clone();
            for pair in list.windows(2) {
                if let [left, right] = pair {
                    left.order(right, "sort")?;
                }
            }
            sorted.sort_by(|left, right| {
                let order = left.order(right, "sort").ok().flatten();
                order.unwrap_or(Ordering::Equal)
            });
            Ok(Value::List(sorted))
        }
        ("flatten", Value::List(list)) => {
            let mut parts = Vec::new();
            for one in list {
                if let Value::List(inner) = one {
                    parts.extend_from_slice(inner);
                } else {
                    parts.push(one.clone());
                }
            }
            Ok(Value::List(parts))
        }
        ("keys", Value::Map(map)) => {
            let keys = map.keys().cloned().map(Value::Text);
            Ok(Value::List(keys.collect()))
        }
        ("values", Value::Map(map)) => Ok(Value::List(map.values().cloned().collect())),
        (_, value) => Err(wrong(name, value)),
    }
}

fn of_more(name: &str, arguments: &[Value]) -> Result<Value, String> {
    match (name, arguments) {
        ("get", [object, key]) => Ok(fetch(object, key).unwrap_or(Value::Nil)),
        ("take", [Value::List(list), Value::Int(count)]) => {
            let count = usize::try_from(*count).unwrap_or(0);
            Ok(Value::List(list.iter().take(count).cloned().collect()))
        }
        ("join", [Value::List(list), Value::Text(between)]) => {
            let texts: Vec<String> = list.iter().map(Value::spelled).collect();
            Ok(Value::Text(texts.join(between)))
        }
        ("split", [Value::Text(text), Value::Text(between)]) => {
            let parts = text.split(between.as_str()).map(str::to_owned);
            Ok(Value::List(parts.map(Value::Text).collect()))
        }
        ("hasPrefix", [Value::Text(text), Value::Text(part)]) => {
            Ok(Value::Bool(text.starts_with(part.as_str())))
        }
        ("hasSuffix", [Value::Text(text), Value::Text(part)]) => {
            Ok(Value::Bool(text.ends_with(part.as_str())))
        }
        ("jsonpath", [Value::Text(json), Value::Text(path)]) => json_path(json, path),
        ("sprig.default", [instead, value]) => {
            let chosen = if value.is_empty() { instead } else { value };
            Ok(chosen.clone())
        }
        ("sprig.add", [left, right]) => as_int(name, left)?.calculate("+", &as_int(name, right)?),
        ("sprig.sub", [left, right]) => as_int(name, left)?.calculate("-", &as_int(name, right)?),
        ("sprig.mul", [left, right]) => as_int(name, left)?.calculate("*", &as_int(name, right)?),
        ("sprig.contains", [Value::Text(part), Value::Text(text)]) => {
            Ok(Value::Bool(text.contains(part.as_str())))
        }
        ("sprig.trimSuffix", [Value::Text(end), Value::Text(text)]) => {
            let rest = text.strip_suffix(end.as_str()).unwrap_or(text);
            Ok(Value::Text(rest.to_owned()))
        }
        ("sprig.trimPrefix", [Value::Text(start), Value::Text(text)]) => {
            let rest = text.strip_prefix(start.as_str()).unwrap_or(text);
            Ok(Value::Text(rest.to_owned()))
        }
        ("replace", [Value::Text(text), Value::Text(old), Value::Text(new)])
        | ("sprig.replace", [Value::Text(old), Value::Text(new), Value::Text(text)]) => {
            Ok(Value::Text(text.replace(old.as_str(), new)))
        }
        (_, arguments) => Err(wrong(name, arguments.first().unwrap_or(&Value::Nil))),
    }
}

/// Picks from JSON by a path; one match is that value, several are a list.
fn json_path(json: &str, path: &str) -> Result<Value, String> {
    let json: serde_json::Value = serde_json::from_str(json).map_err(|error| error.to_string())?;
    let path = serde_json_path::JsonPath::parse(path).map_err(|error| error.to_string())?;
    let found = path.query(&json).all();
    match found.as_slice() {
        [one] => Ok(Value::from_json(one)),
        many => Ok(Value::List(
            many.iter().map(|one| Value::from_json(one)).collect(),
        )),
    }
}

fn kind_of(value: &Value) -> &'static str {
    match value {
        Value::Nil => "nil",
        Value::Bool(_) => "bool",
        Value::Int(_) => "int",
        Value::Float(_) => "float",
        Value::Text(_) => "string",
        Value::List(_) => "array",
        Value::Map(_) => "map",
        Value::Time(_) => "time.Time",
        Value::Span(_) => "time.Duration",
    }
}

fn as_int(name: &str, value: &Value) -> Result<Value, String> {
    if let Value::Text(text) = value {
        let number = text.parse().map(Value::Int);
        return number.map_err(|_not_a_number| {
            format!("strconv.ParseInt: parsing {text:?}: invalid syntax")
        });
    }
    let number = value.number().map(|number| Value::Int(number as i64));
    number.ok_or_else(|| unsupported(name, value))
}

fn as_float(name: &str, value: &Value) -> Result<Value, String> {
    if let Value::Text(text) = value {
        let number = text.parse().map(Value::Float);
        return number.map_err(|_not_a_number| {
            format!("strconv.ParseFloat: parsing {text:?}: invalid syntax")
        });
    }
    let number = value.number().map(Value::Float);
    number.ok_or_else(|| unsupported(name, value))
}

fn unsupported(name: &str, value: &Value) -> String {
    let (kind, text) = (value.type_name(), value.spelled());
    format!("{name}() not supported on {kind} {text}")
}
