//! Label matchers: `=`, `!=`, `=~` and `!~`, with regular expressions that match the whole value.

use super::labels::{Labels, quoted};
use regex::Regex;
use std::fmt;

/// A condition on one label. A label that is missing counts as empty.
#[derive(Clone, Debug)]
pub struct Matcher {
    /// The label.
    pub name: String,
    /// What it is compared with.
    pub value: String,
    test: Test,
}

#[derive(Clone, Debug)]
enum Test {
    Equal,
    NotEqual,
    Matches(Regex),
    MatchesNot(Regex),
}

/// How a matcher compares.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Comparison {
    /// `=`
    Equal,
    /// `!=`
    NotEqual,
    /// `=~`
    Matches,
    /// `!~`
    MatchesNot,
}

impl Matcher {
    /// Makes a matcher.
    ///
    /// # Errors
    /// The regular expression cannot be read.
    pub fn new(name: &str, comparison: Comparison, value: &str) -> Result<Self, String> {
        let test = match comparison {
            Comparison::Equal => Test::Equal,
            Comparison::NotEqual => Test::NotEqual,
            Comparison::Matches => Test::Matches(whole(value)?),
            Comparison::MatchesNot => Test::MatchesNot(whole(value)?),
        };
        Ok(Self {
            name: name.to_owned(),
            value: value.to_owned(),
            test,
        })
    }

    /// Returns whether a label's value meets the condition.
    pub fn accepts(&self, value: &str) -> bool {
        match &self.test {
            Test::Equal => self.value == value,
            Test::NotEqual => self.value != value,
            Test::Matches(regex) => regex.is_match(value),
            Test::MatchesNot(regex) => !regex.is_match(value),
        }
    }

    /// Returns how this matcher compares.
    pub fn comparison(&self) -> Comparison {
        match self.test {
            Test::Equal => Comparison::Equal,
            Test::NotEqual => Comparison::NotEqual,
            Test::Matches(_) => Comparison::Matches,
            Test::MatchesNot(_) => Comparison::MatchesNot,
        }
    }

    /// Returns the only value that is accepted, if the condition is that narrow.
    pub fn only_value(&self) -> Option<&str> {
        (self.comparison() == Comparison::Equal && !self.value.is_empty())
            .then_some(self.value.as_str())
    }
}

/// Returns whether labels meet all conditions.
pub fn all_accept(matchers: &[Matcher], labels: &Labels) -> bool {
    matchers
        .iter()
        .all(|matcher| matcher.accepts(labels.get(&matcher.name)))
}

/// Compiles an expression that has to match the whole text; the dot matches new lines too.
pub(super) fn whole(pattern: &str) -> Result<Regex, String> {
    let anchored = format!("^(?s:{pattern})$");
    let read = Regex::new(&anchored);
    // The first mistake is said, not the one in the changed text.
    read.or_else(|error| Regex::new(&escape_braces(&anchored)).or(Err(error)))
        .map_err(|error| {
            let text = error.to_string();
            let reason = text.lines().last().unwrap_or_default();
            format!(
                "invalid regular expression {}: {}",
                quoted(pattern),
                reason.trim_start_matches("error: ")
            )
        })
}

/// Escapes braces that open no repetition: Go takes them literally, this dialect does not.
fn escape_braces(pattern: &str) -> String {
    let mut out = String::with_capacity(pattern.len() + 4);
    let mut rest = pattern.chars();
    while let Some(letter) = rest.next() {
        match letter {
            '\\' => {
                out.push(letter);
                out.extend(rest.next());
            }
            '{' => {
                let inside = rest.as_str().split('}').next().unwrap_or_default();
                let counts = inside.starts_with(|first: char| first.is_ascii_digit())
                    && inside.chars().all(|c| c.is_ascii_digit() || c == ',')
                    && inside.len() < rest.as_str().len();
                out.push_str(if counts { "{" } else { "\\{" });
            }
            other => out.push(other),
        }
    }
    out
}

impl fmt::Display for Matcher {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let sign = match self.comparison() {
            Comparison::Equal => "=",
            Comparison::NotEqual => "!=",
            Comparison::Matches => "=~",
            Comparison::MatchesNot => "!~",
        };
        write!(f, "{}{sign}{}", self.name, quoted(&self.value))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn matches(pattern: &str, value: &str) -> bool {
        Matcher::new("a", Comparison::Matches, pattern)
            .expect("the pattern can be read")
            .accepts(value)
    }

    #[test]
    fn expressions_match_the_whole_value_over_lines() {
        assert!(matches("a.*|b", "a\nc"));
        assert!(!matches("b", "abc"));
        assert!(
            matches("x{y}", "x{y}"),
            "a brace that counts nothing is a brace"
        );
    }

    #[test]
    fn a_missing_label_is_empty() {
        let matcher = Matcher::new("a", Comparison::NotEqual, "x").expect("a matcher");

        assert!(all_accept(&[matcher], &Labels::default()));
    }
}
