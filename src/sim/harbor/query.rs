//! `q=` and `sort=` as Harbor reads them (`src/lib/q/builder.go`).

use chrono::{DateTime, NaiveDateTime, Utc};
use serde_json::Value;
use std::cmp::Ordering;

/// What one key must be like.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Condition {
    /// `k=v`
    Exact(String),
    /// `k=~v`: contains it, whatever the case.
    Fuzzy(String),
    /// `k=[min~max]`, either may be missing.
    Range(Option<String>, Option<String>),
    /// `k={a b}`
    AnyOf(Vec<String>),
    /// `k=(a b)`
    AllOf(Vec<String>),
}

/// Reads a whole query; the error says what is wrong with it.
pub(super) fn parse(text: &str) -> Result<Vec<(String, Condition)>, String> {
    let mut conditions = Vec::new();
    for part in text.split(',').filter(|_| !text.is_empty()) {
        let Some((key, value)) = part.split_once('=') else {
            return Err(format!(
                "the query string must contain = but got \"{part}\""
            ));
        };
        if key.is_empty() || value.is_empty() {
            return Err(format!(
                "both key and value in q=\"{part}\" must not be empty"
            ));
        }
        conditions.push((key.trim().to_owned(), condition(value)?));
    }
    Ok(conditions)
}

fn condition(text: &str) -> Result<Condition, String> {
    if let Some(escaped) = text.strip_prefix('\\') {
        return Ok(Condition::Exact(escaped.to_owned()));
    }
    if let Some(part) = text.strip_prefix('~') {
        return Ok(Condition::Fuzzy(unquoted(part)));
    }
    let inside = |open: char, close: char| text.strip_prefix(open)?.strip_suffix(close);
    let words = |list: &str| list.split_whitespace().map(unquoted).collect();
    if let Some(range) = inside('[', ']') {
        let Some((min, max)) = range.split_once('~') else {
            return Err(format!("the range \"{text}\" must contain ~"));
        };
        let end = |end: &str| Some(unquoted(end.trim())).filter(|end| !end.is_empty());
        return Ok(Condition::Range(end(min), end(max)));
    }
    if let Some(list) = inside('{', '}') {
        return Ok(Condition::AnyOf(words(list)));
    }
    if let Some(list) = inside('(', ')') {
        return Ok(Condition::AllOf(words(list)));
    }
    if text.starts_with(['[', '{', '(']) {
        return Err(format!("\"{text}\" is not closed"));
    }
    Ok(Condition::Exact(unquoted(text)))
}

fn unquoted(text: &str) -> String {
    let inner = text
        .strip_prefix('"')
        .and_then(|text| text.strip_suffix('"'));
    let inner = inner.or_else(|| text.strip_prefix('\'')?.strip_suffix('\''));
    inner.unwrap_or(text).to_owned()
}

impl Condition {
    /// The value of the key is as wanted; a list is when one of its values is.
    pub(super) fn admits(&self, value: &Value) -> bool {
        let values: &[Value] = value
            .as_array()
            .map_or(std::slice::from_ref(value), Vec::as_slice);
        let any = |wanted: &str| values.iter().any(|one| is(one, wanted));
        match self {
            Self::Exact(wanted) => any(wanted),
            Self::Fuzzy(part) => {
                let part = part.to_lowercase();
                let contains = |one: &Value| text_of(one).to_lowercase().contains(&part);
                values.iter().any(contains)
            }
            Self::Range(min, max) => {
                let inside = |limit: &Option<String>, wrong: Ordering| {
                    limit
                        .as_deref()
                        .is_none_or(|limit| compare_to(value, limit) != Some(wrong))
                };
                inside(min, Ordering::Less) && inside(max, Ordering::Greater)
            }
            Self::AnyOf(all) => all.iter().any(|one| any(one)),
            Self::AllOf(all) => all.iter().all(|one| any(one)),
        }
    }
}

fn text_of(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        Value::Null => String::new(),
        Value::Bool(_) | Value::Number(_) | Value::Array(_) | Value::Object(_) => value.to_string(),
    }
}

fn is(value: &Value, wanted: &str) -> bool {
    if value.is_number() {
        return compare_to(value, wanted) == Some(Ordering::Equal);
    }
    match value.as_str() {
        Some(text) => text == wanted,
        None => text_of(value) == wanted,
    }
}

/// Reads a time in RFC 3339 or as queries have it, without a zone.
fn time(text: &str) -> Option<DateTime<Utc>> {
    let plain = || NaiveDateTime::parse_from_str(text, "%Y-%m-%dT%H:%M:%S").ok();
    let full = DateTime::parse_from_rfc3339(text).ok();
    full.map(|time| time.to_utc())
        .or_else(|| plain().map(|time| time.and_utc()))
}

fn compare_to(value: &Value, limit: &str) -> Option<Ordering> {
    if let Some(number) = value.as_f64() {
        return number.partial_cmp(&limit.parse().ok()?);
    }
    let text = value.as_str()?;
    match (time(text), time(limit)) {
        (Some(one), Some(other)) => Some(one.cmp(&other)),
        (_, None) | (None, _) => Some(text.cmp(limit)),
    }
}

/// Compares two values of one field, for sorting.
pub(super) fn compare(one: &Value, other: &Value) -> Ordering {
    match (one.as_f64(), other.as_f64()) {
        (Some(one), Some(other)) => one.total_cmp(&other),
        (Some(_), None) => Ordering::Less,
        (None, Some(_)) => Ordering::Greater,
        (None, None) => match (one.as_str(), other.as_str()) {
            (Some(one), Some(other)) => one.cmp(other),
            (_, None) | (None, _) => text_of(one).cmp(&text_of(other)),
        },
    }
}

/// Reads `f1,-f2` into fields and whether each is descending.
pub(super) fn sorting(text: &str) -> Vec<(&str, bool)> {
    let keys = text.split(',').map(str::trim).filter(|key| !key.is_empty());
    keys.map(|key| match key.strip_prefix('-') {
        Some(field) => (field, true),
        None => (key, false),
    })
    .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn one(text: &str) -> Condition {
        let mut all = parse(text).expect("a query");
        all.remove(0).1
    }

    #[test]
    fn each_form_is_read() {
        assert_eq!(one("a=b"), Condition::Exact("b".into()));
        assert_eq!(one("a=\"b c\""), Condition::Exact("b c".into()));
        assert_eq!(one("a=\\~b"), Condition::Exact("~b".into()));
        assert_eq!(one("a=~b"), Condition::Fuzzy("b".into()));
        assert_eq!(one("a=[1~]"), Condition::Range(Some("1".into()), None));
        assert_eq!(
            one("a={x 'y'}"),
            Condition::AnyOf(vec!["x".into(), "y".into()])
        );
        assert_eq!(
            one("a=(1 2)"),
            Condition::AllOf(vec!["1".into(), "2".into()])
        );
        assert_eq!(parse("a=b,c=~d").expect("two").len(), 2);
        for wrong in ["a", "a=", "=b", "a=[1 2]", "a={x", "a=b,"] {
            assert!(parse(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn conditions_admit_what_they_say() {
        assert!(one("a=~EB").admits(&json!("web")));
        assert!(one("a=7").admits(&json!(7)));
        assert!(one("a=true").admits(&json!(true)));
        assert!(!one("a=true").admits(&json!("truely")));
        assert!(one("a={x y}").admits(&json!("y")));
        assert!(one("a=(1 2)").admits(&json!([1, 2, 3])));
        assert!(!one("a=(1 4)").admits(&json!([1, 2, 3])));
        let since = one("a=[2026-01-01T00:00:00~]");
        assert!(since.admits(&json!("2026-01-01T00:00:00.000Z")));
        assert!(!since.admits(&json!("2025-12-31T23:59:59Z")));
        let between = one("a=[7~9.5]");
        assert!(between.admits(&json!(9.5)) && !between.admits(&json!(9.8)));
    }

    #[test]
    fn sorting_is_by_field_and_direction() {
        assert_eq!(
            sorting("name,-used.storage"),
            [("name", false), ("used.storage", true)]
        );
        assert_eq!(compare(&json!(9), &json!(10)), Ordering::Less);
        assert_eq!(compare(&json!("b"), &json!("a")), Ordering::Greater);
    }
}
