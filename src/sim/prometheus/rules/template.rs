//! The templates of labels and annotations: the part of Go's `text/template` that alerts use.
//!
//! Pipelines, functions, `if`/`else`/`end`; loops, `with` and variables of one's own are not there
//! and say so in the text, as an error does upstream.

mod functions;
mod words;

use crate::sim::prometheus::labels::Labels;
use words::Word;

/// What a query inside a template yields.
pub(super) type Answer = Result<Vec<(Labels, f64)>, String>;

/// What a template can speak of.
pub(super) struct Template<'a> {
    pub(super) labels: &'a Labels,
    pub(super) value: f64,
    pub(super) external_url: &'a str,
    pub(super) query: &'a dyn Fn(&str) -> Answer,
}

/// A value inside a template.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Item {
    Text(String),
    Number(f64),
    Truth(bool),
    Samples(Vec<(Labels, f64)>),
    Sample(Box<(Labels, f64)>),
}

/// Fills in a text; what cannot be filled in says so.
pub(super) fn expand(text: &str, template: &Template<'_>) -> String {
    match fill(text, template) {
        Ok(filled) => filled,
        Err(error) => format!("<error expanding template: {error}>"),
    }
}

fn fill(text: &str, template: &Template<'_>) -> Result<String, String> {
    let mut out = String::new();
    let mut rest = text;
    // For each open `if`: whether its text is wanted, and whether one of its branches was.
    let mut open: Vec<(bool, bool)> = Vec::new();
    let mut trim_next = false;
    while let Some((before, after)) = rest.split_once("{{") {
        let (inside, after) = after.split_once("}}").ok_or("unclosed action")?;
        let trims = inside.starts_with("- ");
        let wanted = open.iter().all(|(wanted, _)| *wanted);
        push(&mut out, before, wanted, (trim_next, trims));
        trim_next = inside.ends_with(" -");
        let inside = inside
            .trim_start_matches("- ")
            .trim_end_matches(" -")
            .trim();
        action(inside, template, &mut open, &mut out)?;
        rest = after;
    }
    if !open.is_empty() {
        return Err("unexpected EOF".to_owned());
    }
    push(&mut out, rest, true, (trim_next, false));
    Ok(out)
}

fn push(out: &mut String, text: &str, wanted: bool, (trim_start, trim_end): (bool, bool)) {
    if !wanted {
        return;
    }
    let text = if trim_start { text.trim_start() } else { text };
    out.push_str(if trim_end { text.trim_end() } else { text });
}

fn action(
    inside: &str,
    template: &Template<'_>,
    open: &mut Vec<(bool, bool)>,
    out: &mut String,
) -> Result<(), String> {
    let wanted = open.iter().all(|(wanted, _)| *wanted);
    let (keyword, rest) = inside
        .split_once(char::is_whitespace)
        .unwrap_or((inside, ""));
    match keyword {
        "if" => {
            let holds = wanted && truth(&evaluate(rest, template)?);
            open.push((holds, holds));
        }
        "else" => {
            let outer = open.iter().rev().skip(1).all(|(wanted, _)| *wanted);
            let (now, done) = open.last_mut().ok_or("unexpected {{else}}")?;
            let condition = match rest.trim().strip_prefix("if ") {
                Some(condition) if outer && !*done => truth(&evaluate(condition, template)?),
                Some(_) => false,
                None => true,
            };
            *now = outer && !*done && condition;
            *done |= *now;
        }
        "end" => {
            open.pop().ok_or("unexpected {{end}}")?;
        }
        "range" | "with" | "define" | "template" | "block" => {
            return Err(format!("{{{{{keyword}}}}} is not supported"));
        }
        _ if inside.starts_with("/*") => {}
        _ if wanted => out.push_str(&evaluate(inside, template)?.to_string()),
        _ => {}
    }
    Ok(())
}

/// Evaluates a pipeline.
fn evaluate(text: &str, template: &Template<'_>) -> Result<Item, String> {
    pipeline(&words::split(text)?, template)
}

fn pipeline(words: &[Word], template: &Template<'_>) -> Result<Item, String> {
    let mut piped: Option<Item> = None;
    for command in words.split(|word| *word == Word::Pipe) {
        piped = Some(self::command(command, piped, template)?);
    }
    piped.ok_or_else(|| "missing value for command".to_owned())
}

/// Evaluates a function with its arguments, or a value; what was piped comes last.
fn command(words: &[Word], piped: Option<Item>, template: &Template<'_>) -> Result<Item, String> {
    let (first, rest) = words.split_first().ok_or("missing value for command")?;
    if let Word::Name(name) = first {
        let mut arguments = Vec::with_capacity(rest.len() + 1);
        for word in rest {
            arguments.push(value(word, template)?);
        }
        arguments.extend(piped);
        return functions::call(name, &arguments, template);
    }
    if !rest.is_empty() || piped.is_some() {
        return Err("can't give argument to non-function".to_owned());
    }
    value(first, template)
}

fn value(word: &Word, template: &Template<'_>) -> Result<Item, String> {
    match word {
        Word::Text(text) => Ok(Item::Text(text.clone())),
        Word::Number(number) => Ok(Item::Number(*number)),
        Word::Group(words) => pipeline(words, template),
        Word::Name(name) => functions::call(name, &[], template),
        Word::Path(path) => path_value(path, template),
        Word::Pipe => Err("unexpected \"|\"".to_owned()),
    }
}

fn path_value(path: &str, template: &Template<'_>) -> Result<Item, String> {
    let label = path
        .strip_prefix("$labels.")
        .or_else(|| path.strip_prefix(".Labels."));
    if let Some(label) = label {
        return Ok(Item::Text(template.labels.get(label).to_owned()));
    }
    match path {
        "$value" | ".Value" => Ok(Item::Number(template.value)),
        "$labels" | ".Labels" => Ok(Item::Text(format!("map{}", template.labels))),
        "$externalURL" | ".ExternalURL" => Ok(Item::Text(template.external_url.to_owned())),
        _ if path.starts_with("$externalLabels") || path.starts_with(".ExternalLabels") => {
            Ok(Item::Text(String::new()))
        }
        _ => Err(format!("undefined variable or field \"{path}\"")),
    }
}

/// Whether a value counts as true: not empty, not zero.
fn truth(item: &Item) -> bool {
    match item {
        Item::Text(text) => !text.is_empty(),
        Item::Number(number) => *number != 0.0,
        Item::Truth(truth) => *truth,
        Item::Samples(samples) => !samples.is_empty(),
        Item::Sample(_) => true,
    }
}

impl std::fmt::Display for Item {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Text(text) => f.write_str(text),
            Self::Number(number) => f.write_str(&crate::sim::prometheus::number::general(*number)),
            Self::Truth(truth) => write!(f, "{truth}"),
            Self::Samples(samples) => write!(f, "{} samples", samples.len()),
            Self::Sample(sample) => write!(f, "{} {}", sample.0, sample.1),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn expanded(text: &str) -> String {
        let labels = Labels::of(&[("app", "shop"), ("severity", "page")]);
        let query = |_: &str| Ok(vec![(Labels::of(&[("pod", "a")]), 3.0)]);
        expand(
            text,
            &Template {
                labels: &labels,
                value: 0.12345,
                external_url: "http://prometheus",
                query: &query,
            },
        )
    }

    #[test]
    fn labels_and_values_are_filled_in() {
        assert_eq!(
            expanded("{{ $labels.app }} at {{ $value }}"),
            "shop at 0.12345"
        );
        assert_eq!(
            expanded("{{ .Labels.none }}{{ .Value | humanizePercentage }}"),
            "12.35%"
        );
        assert_eq!(
            expanded("{{ printf \"%.1f of %s\" $value $labels.app }}"),
            "0.1 of shop"
        );
        assert_eq!(
            expanded("{{ 1234567.0 | humanize }}, {{ humanizeDuration 3725 }}"),
            "1.235M, 1h 2m 5s"
        );
        assert_eq!(expanded("{{ humanize1024 1048576.0 }}B"), "1MiB");
        assert_eq!(
            expanded("{{ with $x }}"),
            "<error expanding template: {{with}} is not supported>"
        );
    }

    #[test]
    fn branches_and_queries_are_evaluated() {
        let text = "{{ if eq $labels.severity \"page\" }}wake{{ else }}sleep{{ end }}";
        assert_eq!(expanded(text), "wake");
        assert_eq!(expanded("{{ query \"up\" | first | value }}"), "3");
        assert_eq!(
            expanded("{{ if gt $value 1.0 }}high{{ else if lt $value 0.2 }}low{{ end }}"),
            "low"
        );
        assert_eq!(expanded("a {{- \" b\" -}} \n c"), "a bc");
    }
}
