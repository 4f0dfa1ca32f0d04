//! Reads rule files, and says all their mistakes at once.

use super::group::{Group, Kind, Rule};
use crate::sim::prometheus::number::parse_duration;
use crate::sim::prometheus::promql;
use serde::Deserialize;
use std::collections::BTreeMap;
use std::time::Duration;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct FileText {
    #[serde(default)]
    groups: Vec<GroupText>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct GroupText {
    name: String,
    interval: Option<String>,
    #[serde(default)]
    limit: u64,
    #[serde(default)]
    rules: Vec<RuleText>,
    #[serde(default)]
    labels: BTreeMap<String, String>,
    #[serde(rename = "query_offset")]
    _query_offset: Option<String>,
    #[serde(rename = "partial_response_strategy")]
    _partial_response_strategy: Option<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RuleText {
    record: Option<String>,
    alert: Option<String>,
    expr: ExprText,
    #[serde(rename = "for")]
    hold: Option<String>,
    keep_firing_for: Option<String>,
    #[serde(default)]
    labels: BTreeMap<String, String>,
    #[serde(default)]
    annotations: BTreeMap<String, String>,
}

/// An expression may be written as a bare number.
#[derive(Deserialize)]
#[serde(untagged)]
enum ExprText {
    Text(String),
    Number(f64),
}

/// Reads a file into its groups.
pub(super) fn read(file: &str, text: &str, interval: Duration) -> Result<Vec<Group>, Vec<String>> {
    let read: FileText =
        crate::api::yaml::from_str(text).map_err(|error| vec![format!("{file}: {error}")])?;
    let mut mistakes = Vec::new();
    let mut groups: Vec<Group> = Vec::new();
    for group in read.groups {
        if groups.iter().any(|other| other.name == group.name) {
            mistakes.push(format!(
                "{file}: groupname: \"{}\" is repeated in the same file",
                group.name
            ));
        }
        let place = format!("{file}: group \"{}\"", group.name);
        let every = span(group.interval.as_deref(), &place, &mut mistakes);
        let rules = group
            .rules
            .into_iter()
            .enumerate()
            .filter_map(|(number, mut rule)| {
                for (name, value) in &group.labels {
                    rule.labels
                        .entry(name.clone())
                        .or_insert_with(|| value.clone());
                }
                let name = rule
                    .record
                    .clone()
                    .or_else(|| rule.alert.clone())
                    .unwrap_or_default();
                convert(
                    rule,
                    &format!("{place}, rule {}, \"{name}\"", number + 1),
                    &mut mistakes,
                )
            });
        let rules = rules.collect();
        let interval = every.filter(|every| !every.is_zero()).unwrap_or(interval);
        groups.push(Group::new(
            file,
            &group.name,
            interval,
            (group.limit, rules),
        ));
    }
    if mistakes.is_empty() {
        Ok(groups)
    } else {
        Err(mistakes)
    }
}

fn convert(rule: RuleText, place: &str, mistakes: &mut Vec<String>) -> Option<Rule> {
    let hold = span(rule.hold.as_deref(), place, mistakes);
    let keep = span(rule.keep_firing_for.as_deref(), place, mistakes);
    let query = match rule.expr {
        ExprText::Text(text) => text.trim().to_owned(),
        ExprText::Number(number) => number.to_string(),
    };
    let kind = match (rule.record, rule.alert) {
        (Some(name), None) => {
            if hold.is_some() || keep.is_some() || !rule.annotations.is_empty() {
                mistakes.push(format!(
                    "{place}: a recording rule has no `for`, `keep_firing_for` or annotations"
                ));
            }
            if !is_metric_name(&name) {
                mistakes.push(format!("{place}: invalid recording rule name: {name}"));
            }
            Kind::Recording { name }
        }
        (None, Some(name)) => Kind::Alerting {
            name,
            hold: hold.unwrap_or_default(),
            keep_firing: keep.unwrap_or_default(),
            annotations: rule.annotations.into_iter().collect(),
            active: Vec::new(),
        },
        (Some(_), Some(_)) => {
            mistakes.push(format!(
                "{place}: only one of 'record' and 'alert' must be set"
            ));
            return None;
        }
        (None, None) => {
            mistakes.push(format!("{place}: one of 'record' or 'alert' must be set"));
            return None;
        }
    };
    match promql::parse(&query) {
        Ok(expr) => Some(Rule::new(
            kind,
            query,
            expr,
            rule.labels.into_iter().collect(),
        )),
        Err(error) => {
            mistakes.push(format!("{place}: could not parse expression: {error}"));
            None
        }
    }
}

fn is_metric_name(name: &str) -> bool {
    let part = |c: char| c.is_ascii_alphanumeric() || c == '_' || c == ':';
    !name.is_empty() && name.chars().all(part) && !name.starts_with(|c: char| c.is_ascii_digit())
}

fn span(text: Option<&str>, place: &str, mistakes: &mut Vec<String>) -> Option<Duration> {
    let text = text?;
    let Some(milliseconds) = parse_duration(text) else {
        mistakes.push(format!("{place}: not a valid duration string: \"{text}\""));
        return None;
    };
    Some(Duration::from_millis(milliseconds.unsigned_abs()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_mistakes_of_a_file_are_said() {
        let text = "groups:\n- name: a\n  rules:\n  - record: 'x y'\n    expr: sum(\n  - alert: B\n    expr: up == 0\n    for: soon\n  - expr: up\n";

        let mistakes = read("rules.yml", text, Duration::from_secs(15))
            .err()
            .unwrap_or_default();

        assert_eq!(mistakes.len(), 4, "{mistakes:#?}");
        assert!(
            mistakes[1].contains("rule 1, \"x y\": could not parse expression: 1:5"),
            "{mistakes:#?}"
        );
    }
}
