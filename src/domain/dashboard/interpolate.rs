//! Variables in expressions: `$name`, `${name}`, `${name:format}`, `[[name]]`.
//!
//! Formats and the joining of several values follow Grafana's documentation "Variable syntax";
//! for Prometheus several values are joined as a regular expression.

use super::Variable;
use crate::domain::metric::{Grid, Labels, label_of, labels_text};
use chrono::TimeDelta;

/// The spans behind Grafana's global variables.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Windows {
    pub interval: TimeDelta,
    pub rate_interval: TimeDelta,
    pub range: TimeDelta,
}

impl Windows {
    /// The windows that go with a grid and the time between two scrapes.
    pub fn of(grid: &Grid, scrape: TimeDelta) -> Self {
        Self {
            interval: grid.step.max(scrape),
            rate_interval: grid.rate_window(scrape),
            range: grid.end - grid.start,
        }
    }

    fn named(&self, name: &str) -> Option<String> {
        let seconds = |span: TimeDelta| format!("{}s", span.num_seconds().max(1));
        Some(match name {
            "__interval" => seconds(self.interval),
            "__interval_ms" => self.interval.num_milliseconds().max(1).to_string(),
            "__rate_interval" => seconds(self.rate_interval),
            "__rate_interval_ms" => self.rate_interval.num_milliseconds().max(1).to_string(),
            "__range" => seconds(self.range),
            "__range_s" => self.range.num_seconds().max(1).to_string(),
            "__range_ms" => self.range.num_milliseconds().max(1).to_string(),
            _ => return None,
        })
    }
}

/// Fills variables and windows into an expression. What is not known stays as it is, so that the
/// server's answer names it.
pub fn interpolate(expr: &str, variables: &[Variable], windows: &Windows) -> String {
    let mut filled = String::with_capacity(expr.len());
    let mut rest = expr;
    while let Some(at) = rest.find(['$', '[']) {
        let (before, from) = rest.split_at_checked(at).unwrap_or((rest, ""));
        filled.push_str(before);
        match reference(from) {
            Some((reference, after)) => {
                match value_of(&reference, variables, windows) {
                    Some(value) => filled.push_str(&value),
                    None => filled.push_str(from.get(..from.len() - after.len()).unwrap_or("")),
                }
                rest = after;
            }
            None => {
                let mut letters = from.chars();
                filled.extend(letters.next());
                rest = letters.as_str();
            }
        }
    }
    filled.push_str(rest);
    filled
}

struct Reference<'text> {
    name: &'text str,
    format: &'text str,
}

/// Reads a reference at the start of a text; returns it and what follows.
fn reference(text: &str) -> Option<(Reference<'_>, &str)> {
    let enclosed = |open: &str, close: &str| {
        let inner = text.strip_prefix(open)?;
        let (inner, after) = inner.split_once(close)?;
        let (name, format) = inner.split_once(':').unwrap_or((inner, ""));
        is_name(name).then_some((Reference { name, format }, after))
    };
    if let Some(found) = enclosed("${", "}").or_else(|| enclosed("[[", "]]")) {
        return Some(found);
    }
    let after = text.strip_prefix('$')?;
    let end = after
        .find(|letter: char| !letter.is_ascii_alphanumeric() && letter != '_')
        .unwrap_or(after.len());
    let (name, after) = after.split_at_checked(end)?;
    is_name(name).then_some((Reference { name, format: "" }, after))
}

fn is_name(name: &str) -> bool {
    let starts = name.starts_with(|letter: char| letter.is_ascii_alphabetic() || letter == '_');
    starts
        && name
            .chars()
            .all(|letter| letter.is_ascii_alphanumeric() || letter == '_')
}

fn value_of(
    reference: &Reference<'_>,
    variables: &[Variable],
    windows: &Windows,
) -> Option<String> {
    if let Some(window) = windows.named(reference.name) {
        return Some(window);
    }
    let found = variables.iter().find(|one| &*one.name == reference.name)?;
    if found.all
        && let Some(all) = &found.all_value
    {
        return Some(all.to_string());
    }
    let values = if found.all {
        &found.options
    } else {
        &found.chosen
    };
    let values: Vec<&str> = values.iter().map(|value| &**value).collect();
    Some(match reference.format {
        "raw" | "csv" | "text" => values.join(","),
        "pipe" => values.join("|"),
        "json" => format!("{values:?}"),
        "doublequote" => values
            .iter()
            .map(|v| format!("{v:?}"))
            .collect::<Vec<_>>()
            .join(","),
        "singlequote" => values
            .iter()
            .map(|v| format!("'{v}'"))
            .collect::<Vec<_>>()
            .join(","),
        _ => regex(&values, found.multi),
    })
}

/// One value of a single choice stands for itself; several are alternatives of a regular
/// expression inside a PromQL string, so that what means something there is escaped twice.
fn regex(values: &[&str], multi: bool) -> String {
    if !multi {
        return values.first().copied().unwrap_or_default().to_owned();
    }
    let escaped: Vec<String> = values.iter().map(|value| escape(value)).collect();
    match escaped.as_slice() {
        [one] => one.clone(),
        _ => format!("({})", escaped.join("|")),
    }
}

fn escape(value: &str) -> String {
    let mut escaped = String::with_capacity(value.len());
    for letter in value.chars() {
        if "\\^$.|?*+()[]{}".contains(letter) {
            escaped.push_str("\\\\");
        }
        escaped.push(letter);
    }
    escaped
}

/// Writes the legend of a line: `{{label}}` is replaced by the label's value.
pub fn legend(template: &str, labels: &Labels) -> String {
    if template.is_empty() || template == "__auto" {
        return labels_text(labels);
    }
    let mut filled = String::with_capacity(template.len());
    let mut rest = template;
    while let Some((before, from)) = rest.split_once("{{") {
        filled.push_str(before);
        let Some((name, after)) = from.split_once("}}") else {
            filled.push_str("{{");
            rest = from;
            continue;
        };
        filled.push_str(label_of(labels, name.trim()));
        rest = after;
    }
    filled.push_str(rest);
    filled
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::dashboard::VariableKind;

    fn variable(name: &str, chosen: &[&str], multi: bool) -> Variable {
        Variable {
            name: name.into(),
            label: name.into(),
            kind: VariableKind::Custom,
            chosen: chosen.iter().map(|one| (*one).into()).collect(),
            options: vec!["a".into(), "b".into()],
            multi,
            all_value: None,
            all: false,
            hidden: false,
        }
    }

    fn filled(expr: &str, variables: &[Variable]) -> String {
        let windows = Windows {
            interval: TimeDelta::seconds(30),
            rate_interval: TimeDelta::minutes(2),
            range: TimeDelta::hours(1),
        };
        interpolate(expr, variables, &windows)
    }

    #[test]
    fn windows_and_variables_are_filled_in() {
        let variables = [
            variable("ns", &["shop"], false),
            variable("app", &["x.y", "z"], true),
        ];

        assert_eq!(
            filled(
                "rate(a{n=\"$ns\",b=~\"${app}\"}[$__rate_interval])",
                &variables
            ),
            "rate(a{n=\"shop\",b=~\"(x\\\\.y|z)\"}[120s])"
        );
        assert_eq!(
            filled("[[ns]] ${ns:raw} $__range_s", &variables),
            "shop shop 3600"
        );
        assert_eq!(filled("${app:pipe} ${app:csv}", &variables), "x.y|z x.y,z");
    }

    #[test]
    fn what_is_not_known_stays() {
        assert_eq!(
            filled("up{a=\"$other\"}[5m] $ ${x", &[]),
            "up{a=\"$other\"}[5m] $ ${x"
        );
        assert_eq!(filled("a =~ \"^b$\"", &[]), "a =~ \"^b$\"");
    }

    #[test]
    fn all_takes_its_own_value_or_every_option() {
        let mut all = variable("v", &[], true);
        all.all = true;
        assert_eq!(filled("$v", &[all.clone()]), "(a|b)");
        all.all_value = Some(".*".into());
        assert_eq!(filled("$v", &[all]), ".*");
    }

    #[test]
    fn legends_name_labels() {
        let labels = vec![
            ("__name__".into(), "up".into()),
            ("pod".into(), "a-1".into()),
        ];
        assert_eq!(legend("{{pod}} of {{ job }}", &labels), "a-1 of ");
        assert_eq!(legend("", &labels), "up{pod=\"a-1\"}");
    }
}
