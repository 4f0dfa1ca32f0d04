//! Finds the place of a mistake in a query, in Prometheus's words where they are known.
//!
//! This reads tokens only. It refuses before parsing what the parser cannot take, and after a
//! refusal looks for the first token that cannot follow the one before it.

mod expect;
mod lexer;

use super::types::ParseError;
use lexer::{Kind, Token};

/// Refuses what is wrong below the level of grammar: letters, quotes, brackets, durations.
pub(super) fn before_parsing(text: &str, deepest: usize) -> Option<ParseError> {
    let tokens = match lexer::tokens(text) {
        Ok(tokens) => tokens,
        Err((at, message)) => return Some(error_at(text, at, message)),
    };
    if tokens.is_empty() {
        return Some(error_at(text, 0, "no expression found in input".to_owned()));
    }
    let mut open: Vec<(Kind, usize)> = Vec::new();
    for (number, token) in tokens.iter().enumerate() {
        if let Some(message) = bad_duration(&tokens, number) {
            return Some(error_at(text, token.start, message));
        }
        match token.kind {
            Kind::Open => open.push((Kind::Open, token.start)),
            Kind::OpenBracket => open.push((Kind::OpenBracket, token.start)),
            Kind::OpenBrace => open.push((Kind::OpenBrace, token.start)),
            Kind::Close | Kind::CloseBracket | Kind::CloseBrace => {
                if let Some(message) = closes(token, open.pop()) {
                    return Some(error_at(text, token.start, message));
                }
            }
            Kind::Word
            | Kind::Number
            | Kind::Duration
            | Kind::Text
            | Kind::Operator
            | Kind::Comma
            | Kind::Colon
            | Kind::At => {}
        }
        if open.len() > deepest {
            let message = format!("nested more than {deepest} deep");
            return Some(error_at(text, token.start, message));
        }
    }
    let (kind, _) = open.pop()?;
    Some(error_at(
        text,
        text.len(),
        format!("unclosed left {}", bracket(kind)),
    ))
}

/// Returns what is wrong with a closing bracket.
fn closes(token: &Token<'_>, open: Option<(Kind, usize)>) -> Option<String> {
    let wanted = match token.text {
        "]" => Kind::OpenBracket,
        "}" => Kind::OpenBrace,
        _ => Kind::Open,
    };
    let name = bracket(wanted);
    match open {
        Some((kind, _)) if kind == wanted => None,
        _ => Some(format!("unexpected right {name} '{}'", token.text)),
    }
}

fn bracket(kind: Kind) -> &'static str {
    if kind == Kind::OpenBracket {
        "bracket"
    } else if kind == Kind::OpenBrace {
        "brace"
    } else {
        "parenthesis"
    }
}

/// Refuses numbers as durations that are no spans of time.
fn bad_duration(tokens: &[Token<'_>], at: usize) -> Option<String> {
    let token = tokens.get(at)?;
    let before = at.checked_sub(1).and_then(|at| tokens.get(at))?;
    let after_sign = before.kind == Kind::Operator
        && at
            .checked_sub(2)
            .and_then(|at| tokens.get(at))
            .is_some_and(|token| token.is_word("offset"));
    let wanted = before.kind == Kind::OpenBracket
        || before.kind == Kind::Colon
        || before.is_word("offset")
        || after_sign;
    if wanted && (token.is_word("inf") || token.is_word("nan")) {
        return Some("duration out of range".to_owned());
    }
    if !wanted || token.kind != Kind::Number {
        return None;
    }
    let seconds: f64 = token.text.replace('_', "").parse().ok()?;
    if !seconds.is_finite() || seconds.abs() > 9.0e9 {
        return Some("duration out of range".to_owned());
    }
    (seconds <= 0.0 && before.kind == Kind::OpenBracket)
        .then(|| "duration must be greater than 0".to_owned())
}

/// Puts a place to what the parser said.
pub(super) fn locate(text: &str, message: &str) -> ParseError {
    let tokens = lexer::tokens(text).unwrap_or_default();
    if let Some((at, found)) = expect::first_unexpected(&tokens, text.len()) {
        return error_at(text, at, found);
    }
    let message = in_prometheus_words(message);
    let place = named_in(&message)
        .and_then(|name| tokens.iter().find(|token| token.text == name))
        .map_or(0, |token| token.start);
    error_at(text, place, message)
}

/// Returns a mistake of the query as a whole.
pub(super) fn at_start(message: &str) -> ParseError {
    ParseError {
        line: 1,
        column: 1,
        message: message.to_owned(),
    }
}

/// Returns the name that a message speaks of.
fn named_in(message: &str) -> Option<&str> {
    let after = message.split_once('"')?.1;
    after.split_once('"').map(|(name, _)| name)
}

/// Prometheus quotes names with `"` and calls the types otherwise than the parser.
fn in_prometheus_words(message: &str) -> String {
    let message = message.replace('\'', "\"");
    let Some((before, types)) = message.split_once("expected type ") else {
        return message;
    };
    let types = types
        .replacen("matrix", "range vector", 2)
        .replace(" vector in", " instant vector in")
        .replace("range instant vector", "range vector");
    let types = match types.strip_prefix("vector in") {
        Some(rest) => format!("instant vector in{rest}"),
        None => types,
    };
    let types = match types.strip_suffix("got vector") {
        Some(rest) => format!("{rest}got instant vector"),
        None => types,
    };
    format!("{before}expected type {types}")
}

fn error_at(text: &str, at: usize, message: String) -> ParseError {
    let before = text.get(..at).unwrap_or(text);
    let line = before.matches('\n').count() + 1;
    let column = before
        .rsplit('\n')
        .next()
        .unwrap_or_default()
        .chars()
        .count()
        + 1;
    ParseError {
        line,
        column,
        message,
    }
}

#[cfg(test)]
mod tests {
    use crate::sim::prometheus::promql::parse;

    fn mistake(text: &str) -> String {
        parse(text).expect_err("the query is wrong").to_string()
    }

    #[test]
    fn a_mistake_has_a_place() {
        assert_eq!(
            mistake("sum("),
            "1:5: parse error: unclosed left parenthesis"
        );
        assert_eq!(
            mistake("up)"),
            "1:3: parse error: unexpected right parenthesis ')'"
        );
        assert_eq!(mistake("up +"), "1:5: parse error: unexpected end of input");
        assert_eq!(
            mistake("up up"),
            "1:4: parse error: unexpected identifier \"up\""
        );
        assert_eq!(
            mistake("up{job=}"),
            "1:8: parse error: unexpected \"}\" in label matching, expected string"
        );
        assert_eq!(
            mistake("sum(\n  frob(up))"),
            "2:3: parse error: unknown function with name \"frob\""
        );
        assert_eq!(
            mistake("up{job=\"a}"),
            "1:8: parse error: unterminated quoted string"
        );
        assert_eq!(
            mistake(""),
            "1:1: parse error: no expression found in input"
        );
    }

    #[test]
    fn a_wrong_type_names_the_function() {
        assert_eq!(
            mistake("1 + rate(up)"),
            "1:5: parse error: expected type range vector in call to function \"rate\", got instant vector"
        );
    }

    #[test]
    fn what_would_break_the_parser_is_refused_before() {
        assert!(mistake("up[1e300]").contains("out of range"));
        assert!(mistake("up offset inf").contains("1:11"));
        assert!(mistake(&"(".repeat(1000)).contains("deep"));
    }
}
