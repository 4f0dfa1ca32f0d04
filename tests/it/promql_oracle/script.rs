//! Reads the test scripts (`promql/promqltest/README.md`).

use super::native;
use tiphys::sim::prometheus::labels::Labels;
use tiphys::sim::prometheus::number::{parse_duration, parse_value};
use tiphys::sim::prometheus::promql::{ABSENT, Sample, parse_selector};
use tiphys::sim::prometheus::store::Store;

/// What a script says to do.
pub(super) enum Command {
    Clear,
    Load(Vec<Loaded>),
    Eval(Evaluation),
}

/// A series to store.
pub(super) struct Loaded {
    pub(super) labels: Labels,
    pub(super) step: i64,
    pub(super) values: Vec<Option<Sample>>,
}

/// A query and what has to come out.
pub(super) struct Evaluation {
    pub(super) line: usize,
    pub(super) expr: String,
    pub(super) when: When,
    pub(super) fails: bool,
    pub(super) warns: bool,
    pub(super) informs: bool,
    /// Remarks that have to be among them.
    pub(super) remarks: Vec<String>,
    /// Nothing is said about remarks.
    pub(super) ordered: bool,
    pub(super) expected: Vec<Expected>,
}

pub(super) enum When {
    Instant(i64),
    Range { from: i64, to: i64, step: i64 },
}

/// One expected line.
pub(super) enum Expected {
    Number(f64),
    Text(String),
    Series(Labels, Vec<Option<Sample>>),
}

/// Reads a script.
pub(super) fn read(text: &str) -> Vec<Command> {
    let mut commands = Vec::new();
    let mut lines = text
        .lines()
        .enumerate()
        .map(|(number, line)| (number + 1, line.trim()))
        .filter(|(_, line)| !line.starts_with('#'))
        .peekable();
    while let Some((number, line)) = lines.next() {
        let mut block = Vec::new();
        if line.is_empty() {
            continue;
        }
        while let Some((_, next)) = lines.peek() {
            if next.is_empty() || is_command(next) {
                break;
            }
            block.push((*next).to_owned());
            lines.next();
        }
        if line == "clear" {
            commands.push(Command::Clear);
        } else if let Some(step) = line.strip_prefix("load") {
            let mut series = loaded(step.trim_start_matches("_with_nhcb"), &block);
            if step.starts_with("_with_nhcb") {
                series.extend(native::of_classic(&series));
            }
            commands.push(Command::Load(series));
        } else {
            commands.push(Command::Eval(evaluation(number, line, &block)));
        }
    }
    commands
}

fn is_command(line: &str) -> bool {
    line == "clear" || line.starts_with("load") || line.starts_with("eval")
}

/// Stores what is to be loaded.
pub(super) fn load(store: &mut Store, series: &[Loaded]) {
    for one in series {
        for (number, value) in (0..).zip(&one.values) {
            if let Some(value) = value {
                store.append(&one.labels, number * one.step, value.clone());
            }
        }
    }
}

fn span(text: &str) -> i64 {
    let text = text.trim();
    match text.parse::<f64>() {
        Ok(seconds) => (seconds * 1000.0) as i64,
        Err(_) => parse_duration(text).unwrap_or_else(|| panic!("no span of time: {text}")),
    }
}

fn loaded(step: &str, block: &[String]) -> Vec<Loaded> {
    let step = span(step);
    block
        .iter()
        .map(|line| {
            let (labels, values) = series(line);
            Loaded {
                labels,
                step,
                values,
            }
        })
        .collect()
}

/// Splits `metric{labels} values…`.
fn series(line: &str) -> (Labels, Vec<Option<Sample>>) {
    let end = if let Some(open) = line
        .find('{')
        .filter(|open| !line.split_at(*open).0.contains([' ', '\t']))
    {
        open + closing_brace(line.split_at(open).1)
    } else {
        line.find([' ', '\t']).unwrap_or(line.len())
    };
    let (metric, values) = line.split_at(end);
    (labels(metric.trim()), sequence(values))
}

/// Returns the byte behind the brace that closes the one at the start.
fn closing_brace(text: &str) -> usize {
    let mut quoted = false;
    let mut escaped = false;
    for (at, letter) in text.char_indices() {
        match letter {
            _ if escaped => escaped = false,
            '\\' => escaped = true,
            '"' => quoted = !quoted,
            '}' if !quoted => return at + 1,
            _ => {}
        }
    }
    text.len()
}

fn labels(metric: &str) -> Labels {
    if metric.is_empty() || metric == "{}" {
        return Labels::default();
    }
    let matchers = parse_selector(metric);
    let matchers = matchers.unwrap_or_else(|error| panic!("no labels: {metric}: {error}"));
    Labels::new(
        matchers
            .into_iter()
            .map(|m| (m.name.into(), m.value.into())),
    )
}

/// Expands `1 2+3x4 _ _x2 stale {{…}}`.
fn sequence(text: &str) -> Vec<Option<Sample>> {
    let mut values = Vec::new();
    let mut rest = text.trim();
    while !rest.is_empty() {
        if rest.starts_with("{{") {
            let (histograms, after) = native::sequence(rest);
            values.extend(histograms);
            rest = after;
            continue;
        }
        let (word, after) = first_word(rest);
        item(word, &mut values);
        rest = after;
    }
    values
}

/// Splits off what comes before the first space.
fn first_word(text: &str) -> (&str, &str) {
    let end = text.find([' ', '\t']).unwrap_or(text.len());
    let (word, rest) = text.split_at(end);
    (word, rest.trim_start())
}

fn item(text: &str, values: &mut Vec<Option<Sample>>) {
    if text == "stale" {
        values.push(Some(ABSENT.into()));
        return;
    }
    if let Some(times) = text.strip_prefix('_') {
        let times = times
            .strip_prefix('x')
            .map_or(1, |times| times.parse().expect("a count"));
        values.extend(vec![None; times]);
        return;
    }
    // Not a hexadecimal number: `0x59` is zero sixty times.
    if let Ok(value) = text.parse::<f64>() {
        values.push(Some(value.into()));
        return;
    }
    let (item, times) = text
        .split_once('x')
        .unwrap_or_else(|| panic!("no value: {text}"));
    let times: i32 = times.parse().expect("a count");
    let sign = item.char_indices().skip(1).find(|(at, letter)| {
        matches!(letter, '+' | '-') && !item.split_at(*at).0.ends_with(['e', 'E'])
    });
    let (start, delta) = match sign {
        Some((at, _)) => item.split_at(at),
        None => (item, "0"),
    };
    let start = parse_value(start).unwrap_or_else(|| panic!("no value: {text}"));
    let delta = parse_value(delta).unwrap_or_else(|| panic!("no value: {text}"));
    let mut value = start;
    for _ in 0..=times {
        values.push(Some(value.into()));
        value += delta;
    }
}

fn evaluation(line: usize, text: &str, block: &[String]) -> Evaluation {
    let (verb, rest) = text.split_once(' ').expect("an evaluation says what");
    let (when, expr) = when(rest.trim());
    let expectation = |word: &str| {
        block
            .iter()
            .any(|line| line.starts_with(&format!("expect {word}")))
    };
    let remarks = block.iter().filter_map(|line| {
        let (_, text) = line.strip_prefix("expect")?.split_once("msg:")?;
        Some(text.trim().to_owned())
    });
    let expected = block
        .iter()
        .filter(|line| !line.starts_with("expect"))
        .map(|line| expected(line));
    Evaluation {
        line,
        when,
        expr: expr.to_owned(),
        fails: verb == "eval_fail" || expectation("fail"),
        warns: verb == "eval_warn" || expectation("warn"),
        informs: verb == "eval_info" || expectation("info"),
        remarks: remarks.collect(),
        ordered: verb == "eval_ordered" || expectation("ordered"),
        expected: expected.collect(),
    }
}

fn when(text: &str) -> (When, &str) {
    let (kind, rest) = first_word(text);
    if kind == "instant" {
        let (at, expr) = first_word(rest.trim_start_matches("at ").trim_start());
        return (When::Instant(span(at)), expr.trim());
    }
    let part = |name: &str| {
        let (_, after) = rest.split_once(name).expect("a part of the range");
        first_word(after.trim_start())
    };
    let (step, expr) = part(" step ");
    let when = When::Range {
        from: span(part("from ").0),
        to: span(part(" to ").0),
        step: span(step),
    };
    (when, expr.trim())
}

fn expected(line: &str) -> Expected {
    if let Some(number) = parse_value(line) {
        return Expected::Number(number);
    }
    if line.starts_with(['"', '\'', '`']) {
        return Expected::Text(line.to_owned());
    }
    let (labels, values) = series(line);
    Expected::Series(labels, values)
}
