//! Expressions in the Common Expression Language, as far as conditions and triggers need them.
//!
//! Operators, `?:`, lists, maps, fields and indexes, `has`, the macros `all`, `exists`, `filter`
//! and `map`, the string functions of the standard library and of `ext.Strings`, and those that
//! Tekton Triggers adds (`pkg/interceptors/cel/triggers.go`). A function that is not there is an
//! error that names it.

mod function;
mod parse;

use parse::{Expression, Operator};
use serde_json::{Map, Value, json};

/// Evaluates an expression; `variables` is a map of what is known by name.
pub(super) fn evaluate(text: &str, variables: &Value) -> Result<Value, String> {
    let expression = parse::parse(text)?;
    let scope = Scope {
        variables,
        local: None,
    };
    scope.value(&expression)
}

/// What names stand for: the variables, and the element a macro is looking at.
struct Scope<'a> {
    variables: &'a Value,
    local: Option<(&'a str, &'a Value, &'a Self)>,
}

impl Scope<'_> {
    fn value(&self, expression: &Expression) -> Result<Value, String> {
        match expression {
            Expression::Literal(value) => Ok(value.clone()),
            Expression::Name(name) => self.named(name),
            Expression::List(items) => items
                .iter()
                .map(|item| self.value(item))
                .collect::<Result<_, _>>()
                .map(Value::Array),
            Expression::Map(entries) => self.map(entries),
            Expression::Field(of, name) => {
                let value = self.value(of)?;
                let found = value.get(name).cloned();
                found.ok_or_else(|| format!("no such key: {name}"))
            }
            Expression::Index(of, index) => element(&self.value(of)?, &self.value(index)?),
            Expression::Call(target, name, arguments) => {
                self.call(target.as_deref(), name, arguments)
            }
            Expression::Not(inner) => Ok(json!(!truth(&self.value(inner)?)?)),
            Expression::Minus(inner) => number(&self.value(inner)?).map(|one| from_number(-one)),
            Expression::Binary(operator, left, right) => self.binary(*operator, left, right),
            Expression::Choice(condition, yes, no) => {
                let chosen = if truth(&self.value(condition)?)? {
                    yes
                } else {
                    no
                };
                self.value(chosen)
            }
        }
    }

    fn named(&self, name: &str) -> Result<Value, String> {
        if let Some((local, value, outer)) = self.local {
            return if local == name {
                Ok(value.clone())
            } else {
                outer.named(name)
            };
        }
        let found = self.variables.get(name).cloned();
        found.ok_or_else(|| format!("undeclared reference to '{name}' (in container '')"))
    }

    fn map(&self, entries: &[(Expression, Expression)]) -> Result<Value, String> {
        let mut map = Map::new();
        for (key, value) in entries {
            let key = function::text(&self.value(key)?);
            map.insert(key, self.value(value)?);
        }
        Ok(Value::Object(map))
    }

    fn binary(
        &self,
        operator: Operator,
        left: &Expression,
        right: &Expression,
    ) -> Result<Value, String> {
        match operator {
            Operator::And => return self.logical(left, right, false),
            Operator::Or => return self.logical(left, right, true),
            Operator::Equal
            | Operator::Unequal
            | Operator::Less
            | Operator::LessOrEqual
            | Operator::Greater
            | Operator::GreaterOrEqual
            | Operator::In
            | Operator::Plus
            | Operator::Minus
            | Operator::Times
            | Operator::By
            | Operator::Modulo => {}
        }
        operate(operator, &self.value(left)?, &self.value(right)?)
    }

    /// One side decides when it is `deciding`, even if the other cannot be evaluated.
    fn logical(
        &self,
        left: &Expression,
        right: &Expression,
        deciding: bool,
    ) -> Result<Value, String> {
        let judge = |side: &Expression| self.value(side).and_then(|value| truth(&value));
        let first = judge(left);
        if first == Ok(deciding) {
            return Ok(json!(deciding));
        }
        let second = judge(right);
        if second == Ok(deciding) {
            return Ok(json!(deciding));
        }
        first.and(second).map(|value| json!(value))
    }

    fn call(
        &self,
        target: Option<&Expression>,
        name: &str,
        arguments: &[Expression],
    ) -> Result<Value, String> {
        match (target, name, arguments) {
            (None, "has", [Expression::Field(of, field)]) => {
                let is_there = self.value(of).is_ok_and(|of| of.get(field).is_some());
                Ok(json!(is_there))
            }
            (Some(target), "all" | "exists" | "filter" | "map", [Expression::Name(one), body]) => {
                let list = self.value(target)?;
                self.over(name, &list, one, body)
            }
            (target, name, arguments) => {
                let mut values = Vec::with_capacity(arguments.len() + 1);
                for one in target.into_iter().chain(arguments) {
                    values.push(self.value(one)?);
                }
                function::call(name, &values, target.is_some())
            }
        }
    }

    fn over(
        &self,
        name: &str,
        list: &Value,
        one: &str,
        body: &Expression,
    ) -> Result<Value, String> {
        let elements: Vec<Value> = match list {
            Value::Array(items) => items.clone(),
            Value::Object(entries) => entries.keys().map(|key| json!(key)).collect(),
            Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {
                return Err(format!("cannot go through {list}"));
            }
        };
        let at = |element: &Value| {
            let inner = Scope {
                variables: self.variables,
                local: Some((one, element, self)),
            };
            inner.value(body)
        };
        let mut kept = Vec::new();
        for element in &elements {
            let value = at(element)?;
            match name {
                "map" => kept.push(value),
                "all" if !truth(&value)? => return Ok(json!(false)),
                "exists" if truth(&value)? => return Ok(json!(true)),
                "filter" if truth(&value)? => kept.push(element.clone()),
                _ => {}
            }
        }
        Ok(match name {
            "all" => json!(true),
            "exists" => json!(false),
            _ => Value::Array(kept),
        })
    }
}

fn truth(value: &Value) -> Result<bool, String> {
    value.as_bool().ok_or_else(|| "no such overload".to_owned())
}

fn number(value: &Value) -> Result<f64, String> {
    value.as_f64().ok_or_else(|| "no such overload".to_owned())
}

fn from_number(number: f64) -> Value {
    if number.fract() == 0.0 && number.abs() < 9e15 {
        json!(number as i64)
    } else {
        json!(number)
    }
}

fn element(of: &Value, index: &Value) -> Result<Value, String> {
    let found = match (of, index) {
        (Value::Array(items), Value::Number(at)) => {
            at.as_u64().and_then(|at| items.get(at as usize))
        }
        (Value::Object(entries), key) => entries.get(&function::text(key)),
        _ => return Err("no such overload".to_owned()),
    };
    let missing = || {
        if of.is_array() {
            format!("index out of bounds: {index}")
        } else {
            format!("no such key: {}", function::text(index))
        }
    };
    found.cloned().ok_or_else(missing)
}

fn operate(operator: Operator, left: &Value, right: &Value) -> Result<Value, String> {
    let same = || match (left.as_f64(), right.as_f64()) {
        (Some(left), Some(right)) => (left - right).abs() < f64::EPSILON,
        _ => left == right,
    };
    let ordered = || match (left, right) {
        (Value::String(left), Value::String(right)) => Ok(left.cmp(right)),
        _ => number(left)?
            .partial_cmp(&number(right)?)
            .ok_or_else(|| "no such overload".to_owned()),
    };
    Ok(match operator {
        Operator::Equal => json!(same()),
        Operator::Unequal => json!(!same()),
        Operator::Less => json!(ordered()?.is_lt()),
        Operator::LessOrEqual => json!(ordered()?.is_le()),
        Operator::Greater => json!(ordered()?.is_gt()),
        Operator::GreaterOrEqual => json!(ordered()?.is_ge()),
        Operator::In => match right {
            Value::Array(items) => json!(items.contains(left)),
            Value::Object(entries) => json!(entries.contains_key(&function::text(left))),
            Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {
                return Err("no such overload".to_owned());
            }
        },
        Operator::Plus => match (left, right) {
            (Value::String(left), Value::String(right)) => json!(format!("{left}{right}")),
            (Value::Array(left), Value::Array(right)) => {
                Value::Array(left.iter().chain(right).cloned().collect())
            }
            _ => from_number(number(left)? + number(right)?),
        },
        Operator::Minus => from_number(number(left)? - number(right)?),
        Operator::Times => from_number(number(left)? * number(right)?),
        Operator::By | Operator::Modulo => divide(operator, number(left)?, number(right)?)?,
        Operator::And | Operator::Or => json!(truth(left)? && truth(right)?),
    })
}

fn divide(operator: Operator, left: f64, right: f64) -> Result<Value, String> {
    if right == 0.0 {
        return Err("division by zero".to_owned());
    }
    if operator == Operator::Modulo {
        return Ok(from_number(left % right));
    }
    let is_whole = left.fract() == 0.0 && right.fract() == 0.0;
    let quotient = left / right;
    Ok(from_number(if is_whole {
        quotient.trunc()
    } else {
        quotient
    }))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn push() -> Value {
        json!({
            "header": {"X-Github-Event": ["push"]},
            "body": {
                "ref": "refs/heads/main",
                "commits": [{"id": "a1", "added": ["src/x.rs"]}, {"id": "b2", "added": []}],
                "repository": {"name": "demo-app", "stars": 7},
            },
        })
    }

    #[test]
    fn expressions_of_triggers_are_evaluated() {
        for (text, wanted) in [
            ("header.match('X-GitHub-Event', 'push')", json!(true)),
            ("header.canonical('x-github-event')", json!("push")),
            ("body.ref.split('/')[2]", json!("main")),
            (
                "body.ref.startsWith('refs/heads/') && body.repository.stars > 5",
                json!(true),
            ),
            (
                "body.commits[0].id.truncate(1) + '-' + string(1 + 2 * 3)",
                json!("a-7"),
            ),
            (
                "body.commits.exists(c, c.added.exists(f, f.endsWith('.rs')))",
                json!(true),
            ),
            ("body.commits.map(c, c.id)", json!(["a1", "b2"])),
            ("has(body.deleted) ? 'gone' : 'there'", json!("there")),
            ("'main' in ['main', \"dev\"]", json!(true)),
            ("size(body.commits) == 2 || body.nobody == 1", json!(true)),
            ("!body.ref.matches('^refs/tags/.*')", json!(true)),
            ("{'a': 7 / 2, 'b': -7 % 4}", json!({"a": 3, "b": -3})),
        ] {
            assert_eq!(evaluate(text, &push()), Ok(wanted), "{text}");
        }
    }

    #[test]
    fn what_cannot_be_evaluated_says_why() {
        for (text, wanted) in [
            ("body.nobody", "no such key: nobody"),
            (
                "nobody",
                "undeclared reference to 'nobody' (in container '')",
            ),
            ("'a' && true", "no such overload"),
            (
                "'a'.frobnicate()",
                "undeclared reference to 'frobnicate' (in container '')",
            ),
            ("1 +", "syntax error: unexpected end"),
            ("1 / 0", "division by zero"),
        ] {
            assert_eq!(
                evaluate(text, &push()).expect_err("it fails"),
                wanted,
                "{text}"
            );
        }
    }
}
