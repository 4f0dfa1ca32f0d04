//! Reads the text that targets expose: the Prometheus text format, and `OpenMetrics` as far
//! as floats go. Exemplars are skipped.

use super::labels::{Label, Labels, NAME};
use super::number::parse_value;
use std::sync::Arc;

/// What a target said.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Exposition {
    /// The samples, in the order of the text.
    pub samples: Vec<Exposed>,
    /// What is known about metrics, by the name of the family.
    pub metadata: Vec<(String, Metadata)>,
}

/// One sample.
#[derive(Clone, Debug, PartialEq)]
pub struct Exposed {
    /// The labels, with the metric's name.
    pub labels: Labels,
    /// The value.
    pub value: f64,
    /// Its own time in milliseconds, when the text gives one.
    pub at: Option<i64>,
}

/// What a metric is.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Metadata {
    /// `counter`, `gauge`, `histogram`, `summary`, `unknown` …
    pub kind: String,
    /// What it means.
    pub help: String,
    /// What it is counted in.
    pub unit: String,
}

/// Reads a text.
///
/// # Errors
/// The line and what is wrong with it.
pub fn parse(text: &str) -> Result<Exposition, String> {
    let open_metrics = text.trim_end().ends_with("# EOF");
    let mut out = Exposition::default();
    for (number, line) in text.lines().enumerate() {
        let line = line.trim_start();
        if let Some(comment) = line.strip_prefix('#') {
            describe(comment.trim_start(), &mut out.metadata);
        } else if !line.trim_end().is_empty() {
            let sample = sample(line, open_metrics).map_err(|message| {
                format!("line {}: {message}: `{}`", number + 1, line.trim_end())
            })?;
            out.samples.push(sample);
        }
    }
    Ok(out)
}

fn describe(comment: &str, metadata: &mut Vec<(String, Metadata)>) {
    let mut words = comment.splitn(3, [' ', '\t']);
    let (Some(what), Some(name)) = (words.next(), words.next()) else {
        return;
    };
    let rest = words.next().unwrap_or_default().trim();
    if !matches!(what, "HELP" | "TYPE" | "UNIT") {
        return;
    }
    let name = name.trim_matches('"');
    if metadata.last().is_none_or(|(last, _)| last != name) {
        metadata.push((
            name.to_owned(),
            Metadata {
                kind: "unknown".to_owned(),
                ..Metadata::default()
            },
        ));
    }
    let Some((_, entry)) = metadata.last_mut() else {
        return;
    };
    match what {
        "HELP" => entry.help = unescaped(rest),
        "TYPE" => {
            entry.kind = if rest == "untyped" {
                "unknown".into()
            } else {
                rest.to_owned()
            }
        }
        _ => rest.clone_into(&mut entry.unit),
    }
}

fn unescaped(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut letters = text.chars();
    while let Some(letter) = letters.next() {
        if letter != '\\' {
            out.push(letter);
            continue;
        }
        match letters.next() {
            Some('n') => out.push('\n'),
            Some(other @ ('\\' | '"')) => out.push(other),
            Some(other) => {
                out.push('\\');
                out.push(other);
            }
            None => out.push('\\'),
        }
    }
    out
}

fn sample(line: &str, open_metrics: bool) -> Result<Exposed, String> {
    let end = line.find(['{', ' ', '\t']).ok_or("a value is missing")?;
    let (name, mut rest) = line.split_at(end);
    let mut labels: Vec<Label> = Vec::new();
    if !name.is_empty() {
        labels.push((NAME.into(), name.into()));
    }
    if let Some(inside) = rest.strip_prefix('{') {
        rest = read_labels(inside, &mut labels)?;
    }
    if !labels.iter().any(|(name, _)| &**name == NAME) {
        return Err("a metric has no name".to_owned());
    }
    let mut words = rest.split_whitespace();
    let value = words.next().ok_or("a value is missing")?;
    let value = parse_value(value).ok_or_else(|| format!("`{value}` is no number"))?;
    let at = match words.next() {
        None | Some("#") => None,
        Some(text) => Some(time(text, open_metrics).ok_or_else(|| format!("`{text}` is no time"))?),
    };
    Ok(Exposed {
        labels: Labels::new(labels),
        value,
        at,
    })
}

fn time(text: &str, open_metrics: bool) -> Option<i64> {
    if !open_metrics {
        return text.parse().ok();
    }
    let seconds: f64 = text.parse().ok()?;
    seconds
        .is_finite()
        .then_some((seconds * 1000.0).round() as i64)
}

/// Reads `a="1",b="2"}`; returns what follows.
fn read_labels<'t>(mut rest: &'t str, labels: &mut Vec<Label>) -> Result<&'t str, String> {
    loop {
        rest = rest.trim_start();
        if let Some(after) = rest.strip_prefix('}') {
            return Ok(after);
        }
        let (name, after) = if let Some(inside) = rest.strip_prefix('"') {
            quoted(inside)?
        } else {
            let end = rest
                .find(['=', ' ', '}', ','])
                .ok_or("labels are not closed")?;
            let (name, after) = rest.split_at(end);
            (Arc::from(name), after)
        };
        let after = after.trim_start();
        if let Some(value) = after.strip_prefix('=') {
            let value = value.trim_start();
            let inside = value
                .strip_prefix('"')
                .ok_or("a label's value is not in quotes")?;
            let (value, after) = quoted(inside)?;
            labels.push((name, value));
            rest = after;
        } else {
            // A name alone, in quotes, is the metric's.
            labels.push((NAME.into(), name));
            rest = after;
        }
        rest = rest.trim_start();
        rest = match rest.strip_prefix(',') {
            Some(after) => after,
            None if rest.starts_with('}') => rest,
            None => return Err("labels are not closed".to_owned()),
        };
    }
}

/// Reads up to the closing quote; returns the text and what follows.
fn quoted(text: &str) -> Result<(Arc<str>, &str), String> {
    let mut escaped = false;
    for (at, letter) in text.char_indices() {
        match letter {
            _ if escaped => escaped = false,
            '\\' => escaped = true,
            '"' => {
                let (inside, rest) = text.split_at(at);
                let inside = if inside.contains('\\') {
                    unescaped(inside)
                } else {
                    inside.to_owned()
                };
                return Ok((inside.into(), rest.strip_prefix('"').unwrap_or(rest)));
            }
            _ => {}
        }
    }
    Err("a quote is not closed".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_of_a_target_is_read() {
        let text = "# HELP http_requests_total Requests\\nserved.\n# TYPE http_requests_total counter\n\
                    http_requests_total{code=\"200\",path=\"a\\\"b\\\\c\"} 1.5e3 1395066363000\n\
                    up 1\nweird{} NaN\n";

        let read = parse(text).expect("the text can be read");

        assert_eq!(read.samples.len(), 3);
        assert_eq!(read.samples[0].labels.get("path"), "a\"b\\c");
        assert_eq!(read.samples[0].at, Some(1_395_066_363_000));
        assert!(read.samples[2].value.is_nan());
        assert_eq!(read.metadata[0].1.kind, "counter");
        assert_eq!(read.metadata[0].1.help, "Requests\nserved.");
    }

    #[test]
    fn open_metrics_give_seconds_and_exemplars() {
        let text = "# TYPE a counter\na_total{x=\"1\"} 2 12.5 # {trace_id=\"1\"} 0.5\n# EOF\n";

        let read = parse(text).expect("the text can be read");

        assert_eq!(read.samples[0].at, Some(12_500));
    }

    #[test]
    fn a_mistake_names_its_line() {
        let mistake = parse("a 1\nb{c=\"d} 2\n").expect_err("a quote is open");

        assert!(
            mistake.starts_with("line 2: a quote is not closed"),
            "{mistake}"
        );
    }
}
