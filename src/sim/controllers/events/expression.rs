//! The small language of conditions and filters: comparisons joined by `&&`, `||` and `!`. Pure.
//!
//! Names of dependencies may hold dashes, names of fields may hold dots; whoever asks says what a
//! name stands for. Follows what Argo Events lets govaluate do in its documentation.

use super::path::text;
use regex::Regex;
use serde_json::Value;
use std::cmp::Ordering;

/// The deepest nesting of parentheses.
const DEEPEST: u32 = 50;

/// Returns whether an expression holds.
pub(super) fn holds(
    expression: &str,
    lookup: &dyn Fn(&str) -> Option<Value>,
) -> Result<bool, String> {
    let tokens = tokens(expression)?;
    let mut reader = Reader {
        tokens: &tokens,
        lookup,
        depth: 0,
    };
    let value = reader.either()?;
    if let Some(left) = reader.tokens.first() {
        return Err(format!("`{expression}`: nothing is expected at {left:?}"));
    }
    truth(&value).map_err(|why| format!("`{expression}`: {why}"))
}

/// Returns the names that an expression mentions.
pub(super) fn names(expression: &str) -> Result<Vec<String>, String> {
    let tokens = tokens(expression)?;
    let names = tokens.into_iter().filter_map(|token| match token {
        Token::Name(name) => Some(name),
        Token::Literal(_) | Token::Operator(_) => None,
    });
    Ok(names.collect())
}

#[derive(Clone, Debug, PartialEq)]
enum Token {
    Name(String),
    Literal(Value),
    Operator(&'static str),
}

const OPERATORS: [&str; 13] = [
    "&&", "||", "==", "!=", "<=", ">=", "=~", "!~", "<", ">", "!", "(", ")",
];

fn tokens(expression: &str) -> Result<Vec<Token>, String> {
    let mut tokens = Vec::new();
    let mut rest = expression.trim_start();
    while let Some(first) = rest.chars().next() {
        if let Some(operator) = OPERATORS.iter().find(|one| rest.starts_with(**one)) {
            tokens.push(Token::Operator(operator));
            rest = rest.strip_prefix(operator).unwrap_or_default();
        } else if first == '"' || first == '\'' || first == '`' {
            let inner = rest.strip_prefix(first).unwrap_or_default();
            let (words, after) = inner
                .split_once(first)
                .ok_or_else(|| format!("`{expression}`: a text does not end"))?;
            tokens.push(Token::Literal(words.into()));
            rest = after;
        } else {
            let is_part = |letter: char| letter.is_alphanumeric() || "_-.#[]*$@".contains(letter);
            let end = rest.find(|letter| !is_part(letter)).unwrap_or(rest.len());
            let (word, after) = rest.split_at_checked(end).unwrap_or((rest, ""));
            if word.is_empty() {
                return Err(format!("`{expression}`: `{first}` is not known here"));
            }
            tokens.push(match word {
                "true" => Token::Literal(true.into()),
                "false" => Token::Literal(false.into()),
                "nil" | "null" => Token::Literal(Value::Null),
                word => match word.parse::<f64>() {
                    Ok(number) => Token::Literal(number.into()),
                    Err(_) => Token::Name(word.to_owned()),
                },
            });
            rest = after;
        }
        rest = rest.trim_start();
    }
    Ok(tokens)
}

struct Reader<'e> {
    tokens: &'e [Token],
    lookup: &'e dyn Fn(&str) -> Option<Value>,
    depth: u32,
}

impl Reader<'_> {
    fn take(&mut self, operator: &str) -> bool {
        let found = matches!(self.tokens.first(), Some(Token::Operator(one)) if *one == operator);
        if found {
            self.tokens = self.tokens.get(1..).unwrap_or_default();
        }
        found
    }

    fn either(&mut self) -> Result<Value, String> {
        let mut value = self.both()?;
        while self.take("||") {
            let right = self.both()?;
            value = (truth(&value)? || truth(&right)?).into();
        }
        Ok(value)
    }

    fn both(&mut self) -> Result<Value, String> {
        let mut value = self.comparison()?;
        while self.take("&&") {
            let right = self.comparison()?;
            value = (truth(&value)? && truth(&right)?).into();
        }
        Ok(value)
    }

    fn comparison(&mut self) -> Result<Value, String> {
        let left = self.single()?;
        for operator in ["==", "!=", "<=", ">=", "=~", "!~", "<", ">"] {
            if self.take(operator) {
                let right = self.single()?;
                return compare(&left, operator, &right).map(Value::Bool);
            }
        }
        Ok(left)
    }

    fn single(&mut self) -> Result<Value, String> {
        if self.take("!") {
            let value = self.single()?;
            return Ok((!truth(&value)?).into());
        }
        if self.take("(") {
            self.depth += 1;
            if self.depth > DEEPEST {
                return Err("it is nested too deep".to_owned());
            }
            let value = self.either()?;
            self.depth -= 1;
            return if self.take(")") {
                Ok(value)
            } else {
                Err("a `)` is missing".to_owned())
            };
        }
        let Some((first, rest)) = self.tokens.split_first() else {
            return Err("it ends too early".to_owned());
        };
        self.tokens = rest;
        match first {
            Token::Literal(value) => Ok(value.clone()),
            Token::Name(name) => {
                (self.lookup)(name).ok_or_else(|| format!("`{name}` stands for nothing"))
            }
            Token::Operator(operator) => Err(format!("`{operator}` is not expected here")),
        }
    }
}

fn truth(value: &Value) -> Result<bool, String> {
    value
        .as_bool()
        .ok_or_else(|| format!("`{value}` is neither true nor false"))
}

fn compare(left: &Value, operator: &str, right: &Value) -> Result<bool, String> {
    let same = || match (left.as_f64(), right.as_f64()) {
        (Some(left), Some(right)) => left.total_cmp(&right).is_eq(),
        _ => left == right,
    };
    let order = || match (left, right) {
        (Value::String(left), Value::String(right)) => Ok(left.cmp(right)),
        _ => match (left.as_f64(), right.as_f64()) {
            (Some(left), Some(right)) => Ok(left.total_cmp(&right)),
            _ => Err(format!("`{left}` and `{right}` have no order")),
        },
    };
    let fits = || {
        let pattern = text(right);
        let pattern = Regex::new(&pattern).map_err(|error| error.to_string())?;
        Ok::<_, String>(pattern.is_match(&text(left)))
    };
    Ok(match operator {
        "==" => same(),
        "!=" => !same(),
        "=~" => fits()?,
        "!~" => !fits()?,
        "<" => order()? == Ordering::Less,
        ">" => order()? == Ordering::Greater,
        "<=" => order()? != Ordering::Greater,
        _ => order()? != Ordering::Less,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn names_comparisons_and_their_joins() {
        let lookup = |name: &str| match name {
            "push-main" => Some(json!(true)),
            "manual" => Some(json!(false)),
            "size" => Some(json!(3)),
            "ref" => Some(json!("refs/heads/main")),
            _ => None,
        };
        let is = |text: &str| holds(text, &lookup);
        assert_eq!(is("push-main && !manual"), Ok(true));
        assert_eq!(is("manual || (push-main && size >= 3)"), Ok(true));
        assert_eq!(is("ref =~ \"^refs/heads/\" && size != 3"), Ok(false));
        assert_eq!(is("ref == 'refs/heads/main'"), Ok(true));
        assert!(is("nobody && push-main").is_err());
        assert!(is("push-main &&").is_err());
        assert!(is("size").is_err());
        assert!(is("size < ref").is_err());
        assert_eq!(
            names("a-b && (c || !d)"),
            Ok(vec!["a-b".into(), "c".into(), "d".into()])
        );
    }
}
