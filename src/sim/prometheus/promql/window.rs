//! Range vectors: for each step, the samples of a window of time.

use super::ast::Expr;
use super::eval::{Evaluator, distinct, failed, filled};
use super::row::{Row, Sample};
use super::select::Times;
use super::stamp::is_absent;
use super::types::{EvalError, Rules, Sampled, Steps};
use crate::sim::prometheus::histogram::Histogram;
use crate::sim::prometheus::labels::Labels;
use std::sync::Arc;

/// Series to be looked at through a moving window.
pub(super) struct Ranges {
    pub(super) series: Vec<Sampled>,
    range: i64,
    times: Times,
}

/// The samples of one series at one step; at least one, oldest first.
#[derive(Clone, Copy, Debug)]
pub(super) struct Window<'s> {
    /// The metric's name, for remarks.
    pub(super) metric: &'s str,
    pub(super) times: &'s [i64],
    pub(super) values: &'s [f64],
    pub(super) histograms: &'s [(i64, Arc<Histogram>)],
    /// Where the window begins and ends, in milliseconds.
    pub(super) start: i64,
    pub(super) end: i64,
    /// The time of the evaluation.
    pub(super) now: i64,
    /// Which of the steps this is.
    pub(super) step: usize,
}

impl Evaluator<'_> {
    pub(super) fn ranges(&mut self, expr: &Expr, steps: Steps) -> Result<Ranges, EvalError> {
        match expr.bare() {
            Expr::Range(selector, range) => {
                let times = self.times(selector.shift, steps);
                let mut series = self.read(selector, *range, times)?;
                series.iter_mut().for_each(drop_marks);
                Ok(Ranges {
                    series,
                    range: *range,
                    times,
                })
            }
            Expr::Subquery(query) => {
                let times = self.times(query.shift, steps);
                let (first, last) = times.bounds();
                let series = self.sub_rows(query, first - query.range, last)?;
                Ok(Ranges {
                    series,
                    range: query.range,
                    times,
                })
            }
            Expr::Number(_)
            | Expr::Text(_)
            | Expr::Selector(_)
            | Expr::Call(..)
            | Expr::Aggregate(_)
            | Expr::Binary(_)
            | Expr::Negate(_)
            | Expr::Paren(_) => Err(failed("expected a range vector")),
        }
    }
}

impl Window<'_> {
    /// Returns whether there are both numbers and histograms.
    pub(super) fn is_mixed(&self) -> bool {
        !self.values.is_empty() && !self.histograms.is_empty()
    }

    /// Returns numbers and histograms in the order of time.
    pub(super) fn samples(&self) -> Vec<(i64, Sample)> {
        let floats = self.times.iter().zip(self.values);
        let floats = floats.map(|(time, value)| (*time, Sample::Float(*value)));
        let histograms = self.histograms.iter();
        let histograms = histograms.map(|(time, one)| (*time, Sample::from(Arc::clone(one))));
        let mut all: Vec<(i64, Sample)> = floats.chain(histograms).collect();
        if self.is_mixed() {
            all.sort_by_key(|(time, _)| *time);
        }
        all
    }

    /// Returns the first sample, whatever it is.
    pub(super) fn first(&self) -> Option<(i64, Sample)> {
        let window = Window {
            times: self.times.get(..1).unwrap_or_default(),
            values: self.values.get(..1).unwrap_or_default(),
            histograms: self.histograms.get(..1).unwrap_or_default(),
            ..*self
        };
        window.samples().into_iter().next()
    }

    /// Returns the last sample, whatever it is.
    pub(super) fn last(&self) -> Option<(i64, Sample)> {
        self.tail(1).pop()
    }

    /// Returns the last two samples, whatever they are.
    pub(super) fn last_two(&self) -> Option<[(i64, Sample); 2]> {
        let mut samples = self.tail(2);
        let after = samples.pop()?;
        Some([samples.pop()?, after])
    }

    /// Returns at least so many of the last samples, if there are.
    fn tail(&self, wanted: usize) -> Vec<(i64, Sample)> {
        let floats = self.times.len().saturating_sub(wanted);
        let histograms = self.histograms.len().saturating_sub(wanted);
        let window = Window {
            times: self.times.get(floats..).unwrap_or_default(),
            values: self.values.get(floats..).unwrap_or_default(),
            histograms: self.histograms.get(histograms..).unwrap_or_default(),
            ..*self
        };
        window.samples()
    }
}

/// Where the windows of the step before ended and began, among numbers and histograms.
#[derive(Clone, Copy, Debug, Default)]
struct Place {
    floats: (usize, usize),
    histograms: (usize, usize),
}

/// Moves on to the samples that are not before a window, and within its end.
fn advance<T>(
    (from, to): &mut (usize, usize),
    samples: &[T],
    lies: impl Fn(&T) -> (bool, bool),
) -> (usize, usize) {
    while samples.get(*to).is_some_and(|sample| lies(sample).1) {
        *to += 1;
    }
    while samples.get(*from).is_some_and(|sample| lies(sample).0) {
        *from += 1;
    }
    (*from, *to)
}

/// Staleness marks are no samples of a range.
fn drop_marks(series: &mut Sampled) {
    if !series.values.iter().any(|value| is_absent(*value)) {
        return;
    }
    let mut kept = series.values.iter().map(|value| !is_absent(*value));
    series.times.retain(|_| kept.next().unwrap_or(false));
    series.values.retain(|value| !is_absent(*value));
}

impl Ranges {
    /// Makes a row of each series by looking through the window at each step.
    ///
    /// Names are kept or dropped; two rows of one identity are refused.
    pub(super) fn rows<S: Into<Sample>>(
        &self,
        rules: Rules,
        keep_name: bool,
        mut look: impl FnMut(&Window<'_>) -> Option<S>,
    ) -> Result<Vec<Row>, EvalError> {
        let rows = self
            .series
            .iter()
            .map(|series| {
                let labels = if keep_name {
                    series.labels.clone()
                } else {
                    series.labels.without_name()
                };
                self.through(labels, series, rules, &mut look)
            })
            .collect();
        let rows = filled(rows);
        distinct(&rows)?;
        Ok(rows)
    }

    fn through<S: Into<Sample>>(
        &self,
        labels: Labels,
        series: &Sampled,
        rules: Rules,
        look: &mut impl FnMut(&Window<'_>) -> Option<S>,
    ) -> Row {
        let mut place = Place::default();
        let samples = (0..self.times.steps.count).map(|step| {
            let window = self.window(series, rules, step, &mut place)?;
            look(&window).map(Into::into)
        });
        Row::of(labels, samples)
    }

    /// Returns what is in the window of a step; the place only ever moves on.
    fn window<'s>(
        &self,
        series: &'s Sampled,
        rules: Rules,
        step: usize,
        place: &mut Place,
    ) -> Option<Window<'s>> {
        let end = self.times.at(step);
        let start = end - self.range;
        let before = |time: i64| match rules {
            Rules::V2 => time < start,
            Rules::V3 => time <= start,
        };
        let (from, to) = advance(&mut place.floats, &series.times, |time| {
            (before(*time), *time <= end)
        });
        let times = series.times.get(from..to)?;
        let values = series.values.get(from..to)?;
        let (from, to) = advance(&mut place.histograms, &series.histograms, |(time, _)| {
            (before(*time), *time <= end)
        });
        let histograms = series.histograms.get(from..to)?;
        let filled = !times.is_empty() || !histograms.is_empty();
        filled.then(|| Window {
            metric: series.labels.name(),
            times,
            values,
            histograms,
            start,
            end,
            now: self.times.steps.at(step),
            step,
        })
    }

    /// Returns for each step whether no series has a sample.
    pub(super) fn absent(&self, rules: Rules) -> Vec<bool> {
        let mut absent = vec![true; self.times.steps.count];
        for series in &self.series {
            let mut place = Place::default();
            for (step, absent) in absent.iter_mut().enumerate() {
                if self.window(series, rules, step, &mut place).is_some() {
                    *absent = false;
                }
            }
        }
        absent
    }

    /// Returns the samples in the window of the first step.
    pub(super) fn first_windows(&self, rules: Rules) -> Vec<Sampled> {
        self.series
            .iter()
            .filter_map(|series| {
                let window = self.window(series, rules, 0, &mut Place::default())?;
                Some(Sampled {
                    labels: series.labels.clone(),
                    times: window.times.to_vec(),
                    values: window.values.to_vec(),
                    histograms: window.histograms.to_vec(),
                })
            })
            .collect()
    }
}
