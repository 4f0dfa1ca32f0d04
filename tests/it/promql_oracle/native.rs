//! Native histograms of the test scripts: `{{schema:0 sum:3 count:2 buckets:[1 1]}}`.

use super::script::Loaded;
use std::collections::BTreeMap;
use tiphys::sim::prometheus::histogram::{Buckets, Histogram, Layout, ResetHint};
use tiphys::sim::prometheus::labels::{Labels, NAME};
use tiphys::sim::prometheus::number::parse_value;
use tiphys::sim::prometheus::promql::Sample;

/// Reads what stands between the braces.
pub(super) fn read(text: &str) -> Histogram {
    let mut histogram = Histogram::default();
    let (mut first, mut first_negative) = (0, 0);
    let (mut counts, mut counts_negative) = (Vec::new(), Vec::new());
    let mut rest = text.trim();
    while let Some((key, after)) = rest.split_once(':') {
        let (value, after) = if after.starts_with('[') {
            after.split_once(']').expect("a list ends")
        } else {
            after.split_once(' ').unwrap_or((after, ""))
        };
        rest = after.trim_start();
        match key {
            "schema" if value == "-53" => {
                if !histogram.layout.is_custom() {
                    histogram.layout = Layout::Custom([].into());
                }
            }
            "schema" => {
                let schema = value.parse().expect("a schema");
                histogram.layout = Layout::exponential(schema).expect("a schema");
            }
            "custom_values" => histogram.layout = Layout::Custom(numbers(value).into()),
            "sum" => histogram.sum = number(value),
            "count" => histogram.count = number(value),
            "z_bucket" => histogram.zero_count = number(value),
            "z_bucket_w" => histogram.zero_threshold = number(value),
            "buckets" => counts = numbers(value),
            "offset" => first = value.parse().expect("an offset"),
            "n_buckets" => counts_negative = numbers(value),
            "n_offset" => first_negative = value.parse().expect("an offset"),
            "counter_reset_hint" => histogram.hint = hint(value),
            _ => panic!("no part of a histogram: {key}"),
        }
    }
    histogram.positive = Buckets::run(first, &counts);
    histogram.negative = Buckets::run(first_negative, &counts_negative);
    histogram
}

fn hint(text: &str) -> ResetHint {
    match text {
        "reset" => ResetHint::Reset,
        "not_reset" => ResetHint::NotReset,
        "gauge" => ResetHint::Gauge,
        _ => ResetHint::Unknown,
    }
}

fn number(text: &str) -> f64 {
    parse_value(text).unwrap_or_else(|| panic!("no number: {text}"))
}

fn numbers(text: &str) -> Vec<f64> {
    let text = text.trim_start_matches('[').split_whitespace();
    text.map(number).collect()
}

/// Splits `{{…}}`, `{{…}}x3` or `{{…}}+{{…}}x3` off and reads it.
pub(super) fn sequence(text: &str) -> (Vec<Option<Sample>>, &str) {
    let (start, rest) = braced(text);
    let (sign, change, rest) = match rest.split_at_checked(1) {
        Some(("+", after)) => {
            let (change, rest) = braced(after);
            (1.0, change, rest)
        }
        Some(("-", after)) => {
            let (change, rest) = braced(after);
            (-1.0, change, rest)
        }
        _ => (0.0, Histogram::new(start.layout.clone()), rest),
    };
    let (times, rest) = match rest.strip_prefix('x') {
        Some(times) => {
            let end = times.find(' ').unwrap_or(times.len());
            let (times, rest) = times.split_at(end);
            (times.parse().expect("a count"), rest)
        }
        None => (0, rest),
    };
    let mut value = start;
    let mut values = Vec::new();
    for _ in 0..=times {
        values.push(Some(value.clone().into()));
        let hint = value.hint;
        let change = change.clone().times(sign);
        value.add(&change).expect("buckets fit");
        value = value.compact();
        value.hint = hint;
    }
    (values, rest.trim_start())
}

fn braced(text: &str) -> (Histogram, &str) {
    let inner = text.strip_prefix("{{").expect("a histogram begins");
    let (inner, rest) = inner.split_once("}}").expect("a histogram ends");
    (read(inner), rest)
}

/// Compares as upstream's tests do: empty buckets do not count, an unknown hint fits any.
pub(super) fn near(found: &Histogram, wanted: &Histogram) -> Result<(), String> {
    let (found, wanted) = (found.clone().compact(), wanted.clone().compact());
    let close = |one: f64, other: f64| super::compare::near(one, other).is_ok();
    let same_buckets = |one: &Buckets, other: &Buckets| {
        one.iter().count() == other.iter().count()
            && one
                .iter()
                .zip(other.iter())
                .all(|(one, other)| one.0 == other.0 && close(one.1, other.1))
    };
    let fits = wanted.hint == ResetHint::Unknown || found.hint == wanted.hint;
    let equal = fits
        && found.layout == wanted.layout
        && close(found.count, wanted.count)
        && close(found.sum, wanted.sum)
        && close(found.zero_threshold, wanted.zero_threshold)
        && close(found.zero_count, wanted.zero_count)
        && same_buckets(&found.positive, &wanted.positive)
        && same_buckets(&found.negative, &wanted.negative);
    if equal {
        Ok(())
    } else {
        Err(format!("{found:?}, expected {wanted:?}"))
    }
}

/// The series of one classic histogram, by what they say.
#[derive(Default)]
struct Classic<'s> {
    buckets: Vec<(f64, &'s Loaded)>,
    sum: Option<&'s Loaded>,
    count: Option<&'s Loaded>,
}

/// Makes native histograms with listed bounds of classic ones.
pub(super) fn of_classic(series: &[Loaded]) -> Vec<Loaded> {
    let mut found: BTreeMap<Labels, Classic<'_>> = BTreeMap::new();
    for one in series {
        let name = one.labels.name();
        let Some((base, kind)) = name.rsplit_once('_') else {
            continue;
        };
        let labels = one.labels.with(NAME, base).with("le", "");
        let classic = found.entry(labels).or_default();
        match kind {
            "bucket" => classic.buckets.push((number(one.labels.get("le")), one)),
            "sum" => classic.sum = Some(one),
            "count" => classic.count = Some(one),
            _ => {}
        }
    }
    let mut out = Vec::new();
    for (labels, mut classic) in found {
        let Some((_, first)) = classic.buckets.first() else {
            continue;
        };
        let step = first.step;
        let length = first.values.len();
        classic
            .buckets
            .sort_by(|one, other| one.0.total_cmp(&other.0));
        classic
            .buckets
            .dedup_by(|one, other| one.0.total_cmp(&other.0).is_eq());
        let values = (0..length).map(|at| classic.at(at).map(Sample::from));
        let values = values.collect();
        out.push(Loaded {
            labels,
            step,
            values,
        });
    }
    out
}

impl Classic<'_> {
    fn at(&self, at: usize) -> Option<Histogram> {
        let value = |one: &Loaded| match one.values.get(at) {
            Some(Some(Sample::Float(value))) => Some(*value),
            _ => None,
        };
        let mut before = 0.0;
        let mut counts = Vec::new();
        for (_, bucket) in &self.buckets {
            let upto = value(bucket)?;
            counts.push(upto - before);
            before = upto;
        }
        let bounds = self.buckets.iter().map(|(bound, _)| *bound);
        let bounds: Vec<f64> = bounds.filter(|bound| bound.is_finite()).collect();
        let histogram = Histogram {
            count: self.count.and_then(value).unwrap_or(before),
            sum: self.sum.and_then(value).unwrap_or_default(),
            positive: Buckets::run(0, &counts),
            ..Histogram::new(Layout::Custom(bounds.into()))
        };
        Some(histogram.compact())
    }
}
