//! Evaluates the tree of a condition.

use super::functions;
use super::parser::Node;
use super::value::{Value, mismatch};
use chrono::{DateTime, Utc};
use regex::Regex;
use std::collections::BTreeMap;

/// The longest list that a condition may make, and the most steps it may take (expr-lang's budget).
const BUDGET: usize = 1_000_000;

/// What a condition sees while it is evaluated.
pub(super) struct Scope<'a> {
    pub(super) result: &'a Value,
    pub(super) now: DateTime<Utc>,
    names: Vec<(String, Value)>,
    elements: Vec<Value>,
    left: usize,
}

impl<'a> Scope<'a> {
    pub(super) fn new(result: &'a Value, now: DateTime<Utc>) -> Self {
        Self {
            result,
            now,
            names: Vec::new(),
            elements: Vec::new(),
            left: BUDGET,
        }
    }

    /// Returns a scope that knows some names, and no result.
    pub(super) fn with_names(names: BTreeMap<String, Value>, now: DateTime<Utc>) -> Self {
        Self {
            result: &Value::Nil,
            now,
            names: names.into_iter().collect(),
            elements: Vec::new(),
            left: BUDGET,
        }
    }

    /// Takes from what the condition may still use.
    pub(super) fn spend(&mut self, amount: usize) -> Result<(), String> {
        self.left = self
            .left
            .checked_sub(amount)
            .ok_or_else(|| "memory budget exceeded".to_owned())?;
        Ok(())
    }

    pub(super) fn evaluate(&mut self, node: &Node) -> Result<Value, String> {
        self.spend(1)?;
        match node {
            Node::Literal(value) => Ok(value.clone()),
            Node::Name(name) => Ok(self.name(name)),
            Node::Element => Ok(self.elements.last().cloned().unwrap_or(Value::Nil)),
            Node::List(items) => {
                let items: Result<_, String> = items.iter().map(|one| self.evaluate(one)).collect();
                Ok(Value::List(items?))
            }
            Node::Map(entries) => self.map(entries),
            Node::Not(inner) => Ok(Value::Bool(!self.truth(inner, "not")?)),
            Node::Negative(inner) => negative(&self.evaluate(inner)?),
            Node::Binary(operator, left, right) => self.binary(operator, left, right),
            Node::Conditional(condition, yes, no) => {
                let chosen = if self.truth(condition, "?")? { yes } else { no };
                self.evaluate(chosen)
            }
            Node::Member(object, key, optional) => {
                let object = self.evaluate(object)?;
                if *optional && object == Value::Nil {
                    return Ok(Value::Nil);
                }
                let key = self.evaluate(key)?;
                fetch(&object, &key)
            }
            Node::Slice(object, from, to) => {
                let object = self.evaluate(object)?;
                let from = self.bound(from.as_deref())?;
                let to = self.bound(to.as_deref())?;
                slice(object, from, to)
            }
            Node::Call(name, arguments) => functions::call(self, name, arguments),
            Node::Let(name, value, body) => {
                let value = self.evaluate(value)?;
                self.names.push((name.clone(), value));
                let outcome = self.evaluate(body);
                self.names.pop();
                outcome
            }
        }
    }

    /// Evaluates a closure's body for one element.
    pub(super) fn with_element(&mut self, element: Value, body: &Node) -> Result<Value, String> {
        self.elements.push(element);
        let outcome = self.evaluate(body);
        self.elements.pop();
        outcome
    }

    fn name(&self, name: &str) -> Value {
        let local = self.names.iter().rev().find(|(known, _)| known == name);
        local.map_or_else(|| self.result.clone(), |(_, value)| value.clone())
    }

    fn map(&mut self, entries: &[(Node, Node)]) -> Result<Value, String> {
        let mut map = BTreeMap::new();
        for (key, value) in entries {
            let key = self.evaluate(key)?.spelled();
            map.insert(key, self.evaluate(value)?);
        }
        Ok(Value::Map(map))
    }

    fn bound(&mut self, node: Option<&Node>) -> Result<Option<i64>, String> {
        let Some(node) = node else { return Ok(None) };
        let value = self.evaluate(node)?;
        if let Value::Int(bound) = value {
            return Ok(Some(bound));
        }
        Err(format!("non-integer slice index {}", value.type_name()))
    }

    fn truth(&mut self, node: &Node, operator: &str) -> Result<bool, String> {
        let value = self.evaluate(node)?;
        if let Value::Bool(answer) = value {
            return Ok(answer);
        }
        let name = value.type_name();
        Err(match operator {
            "?" => format!("non-bool expression (type {name}) used as condition"),
            operator => format!("invalid operation: {operator} (mismatched type {name})"),
        })
    }

    fn binary(&mut self, operator: &str, left: &Node, right: &Node) -> Result<Value, String> {
        match operator {
            "&&" => {
                return Ok(Value::Bool(
                    self.truth(left, "&&")? && self.truth(right, "&&")?,
                ));
            }
            "||" => {
                return Ok(Value::Bool(
                    self.truth(left, "||")? || self.truth(right, "||")?,
                ));
            }
            "??" => {
                let value = self.evaluate(left);
                return match value {
                    Ok(Value::Nil) | Err(_) => self.evaluate(right),
                    value => value,
                };
            }
            _ => {}
        }
        let typed = is_typed(left, self.result) && is_typed(right, self.result);
        let (left, right) = (self.evaluate(left)?, self.evaluate(right)?);
        match operator {
            "==" | "!=" => {
                if typed && !left.is_comparable(&right) {
                    return Err(mismatch(operator, &left, &right));
                }
                Ok(Value::Bool(left.equals(&right) == (operator == "==")))
            }
            "<" | "<=" | ">" | ">=" => {
                let order = left.order(&right, operator)?;
                Ok(Value::Bool(order.is_some_and(|order| match operator {
                    "<" => order.is_lt(),
                    "<=" => order.is_le(),
                    ">" => order.is_gt(),
                    _ => order.is_ge(),
                })))
            }
            "in" => contains(&right, &left).map(Value::Bool),
            ".." => self.range(&left, &right),
            "matches" | "contains" | "startsWith" | "endsWith" => texts(operator, &left, &right),
            _ => left.calculate(operator, &right),
        }
    }

    fn range(&mut self, from: &Value, to: &Value) -> Result<Value, String> {
        let (Value::Int(from), Value::Int(to)) = (from, to) else {
            return Err(mismatch("..", from, to));
        };
        let length = to.saturating_sub(*from).saturating_add(1).max(0);
        self.spend(usize::try_from(length).unwrap_or(usize::MAX))?;
        Ok(Value::List((*from..=*to).map(Value::Int).collect()))
    }
}

/// The type is known before the measurement is: upstream checks it when it compiles.
fn is_typed(node: &Node, result: &Value) -> bool {
    match node {
        Node::Literal(value) => *value != Value::Nil,
        Node::Name(name) => name == "result",
        Node::Member(object, ..) => {
            matches!(result, Value::List(_)) && **object == Node::Name("result".to_owned())
        }
        Node::List(_)
        | Node::Map(_)
        | Node::Element
        | Node::Not(_)
        | Node::Negative(_)
        | Node::Binary(..)
        | Node::Conditional(..)
        | Node::Slice(..)
        | Node::Call(..)
        | Node::Let(..) => false,
    }
}

fn negative(value: &Value) -> Result<Value, String> {
    if let Value::Int(number) = value {
        return Ok(Value::Int(number.wrapping_neg()));
    }
    if let Value::Span(span) = value {
        return Ok(Value::Span(-*span));
    }
    let number = value.number().map(|number| Value::Float(-number));
    number.ok_or_else(|| {
        format!(
            "invalid operation: - (mismatched type {})",
            value.type_name()
        )
    })
}

/// Returns a member of an object or list; a key that is not there is nil, an index is an error.
pub(super) fn fetch(object: &Value, key: &Value) -> Result<Value, String> {
    match (object, key) {
        (Value::Map(map), key) => Ok(map.get(&key.spelled()).cloned().unwrap_or(Value::Nil)),
        (Value::List(list), Value::Int(index)) => {
            let found = position(*index, list.len()).and_then(|at| list.get(at));
            found
                .cloned()
                .ok_or_else(|| out_of_range(*index, list.len()))
        }
        (Value::Text(text), Value::Int(index)) => {
            let letters: Vec<char> = text.chars().collect();
            let found = position(*index, letters.len()).and_then(|at| letters.get(at));
            found
                .map(|letter| Value::Text(letter.to_string()))
                .ok_or_else(|| out_of_range(*index, letters.len()))
        }
        (object, key) => Err(format!(
            "cannot fetch {} from {}",
            key.spelled(),
            object.type_name()
        )),
    }
}

fn out_of_range(index: i64, length: usize) -> String {
    let index = if index < 0 {
        index + length as i64
    } else {
        index
    };
    format!("index out of range: {index} (array length is {length})")
}

/// Counts a negative index from the end.
fn position(index: i64, length: usize) -> Option<usize> {
    let index = if index < 0 {
        index + length as i64
    } else {
        index
    };
    usize::try_from(index).ok().filter(|index| *index < length)
}

fn slice(object: Value, from: Option<i64>, to: Option<i64>) -> Result<Value, String> {
    let cut = |length: usize| {
        let bound = |bound: i64| {
            let bound = if bound < 0 {
                bound + length as i64
            } else {
                bound
            };
            usize::try_from(bound.max(0)).unwrap_or(0).min(length)
        };
        let (from, to) = (from.map_or(0, bound), to.map_or(length, bound));
        (from, to.saturating_sub(from))
    };
    if let Value::List(list) = object {
        let (skip, take) = cut(list.len());
        return Ok(Value::List(
            list.into_iter().skip(skip).take(take).collect(),
        ));
    }
    if let Value::Text(text) = object {
        let (skip, take) = cut(text.chars().count());
        return Ok(Value::Text(text.chars().skip(skip).take(take).collect()));
    }
    Err(format!("cannot slice {}", object.type_name()))
}

fn contains(whole: &Value, part: &Value) -> Result<bool, String> {
    match (whole, part) {
        (Value::List(list), part) => Ok(list.iter().any(|one| one.equals(part))),
        (Value::Map(map), Value::Text(key)) => Ok(map.contains_key(key)),
        (Value::Nil, _) => Ok(false),
        (whole, part) => Err(mismatch("in", part, whole)),
    }
}

fn texts(operator: &str, left: &Value, right: &Value) -> Result<Value, String> {
    let (Value::Text(whole), Value::Text(part)) = (left, right) else {
        return Err(mismatch(operator, left, right));
    };
    Ok(Value::Bool(match operator {
        "matches" => {
            let pattern = Regex::new(part).map_err(|error| {
                let text = error.to_string();
                format!(
                    "error parsing regexp: {}",
                    text.lines().last().unwrap_or_default()
                )
            })?;
            pattern.is_match(whole)
        }
        "contains" => whole.contains(part.as_str()),
        "startsWith" => whole.starts_with(part.as_str()),
        _ => whole.ends_with(part.as_str()),
    }))
}
