//! Range vectors: for each step, the samples of a window of time.

use super::ast::Expr;
use super::eval::{Evaluator, distinct, failed, filled};
use super::select::Times;
use super::stamp::{ABSENT, is_absent};
use super::types::{EvalError, Row, Rules, Sampled, Steps};

/// Series to be looked at through a moving window.
pub(super) struct Ranges {
    pub(super) series: Vec<Sampled>,
    range: i64,
    times: Times,
}

/// The samples of one series at one step; at least one, oldest first.
#[derive(Clone, Copy, Debug)]
pub(super) struct Window<'s> {
    pub(super) times: &'s [i64],
    pub(super) values: &'s [f64],
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
    pub(super) fn rows(
        &self,
        rules: Rules,
        keep_name: bool,
        mut look: impl FnMut(&Window<'_>) -> Option<f64>,
    ) -> Result<Vec<Row>, EvalError> {
        let rows = self
            .series
            .iter()
            .map(|series| Row {
                labels: if keep_name {
                    series.labels.clone()
                } else {
                    series.labels.without_name()
                },
                values: self.through(series, rules, &mut look),
            })
            .collect();
        let rows = filled(rows);
        distinct(&rows)?;
        Ok(rows)
    }

    fn through(
        &self,
        series: &Sampled,
        rules: Rules,
        look: &mut impl FnMut(&Window<'_>) -> Option<f64>,
    ) -> Vec<f64> {
        let (mut from, mut to) = (0, 0);
        (0..self.times.steps.count)
            .map(|step| {
                let window = self.window(series, rules, step, (&mut from, &mut to));
                window.and_then(|window| look(&window)).unwrap_or(ABSENT)
            })
            .collect()
    }

    /// Returns what is in the window of a step; `from` and `to` only ever move on.
    fn window<'s>(
        &self,
        series: &'s Sampled,
        rules: Rules,
        step: usize,
        (from, to): (&mut usize, &mut usize),
    ) -> Option<Window<'s>> {
        let end = self.times.at(step);
        let start = end - self.range;
        let before = |time: i64| match rules {
            Rules::V2 => time < start,
            Rules::V3 => time <= start,
        };
        while series.times.get(*to).is_some_and(|time| *time <= end) {
            *to += 1;
        }
        while series.times.get(*from).is_some_and(|time| before(*time)) {
            *from += 1;
        }
        let times = series.times.get(*from..*to)?;
        let values = series.values.get(*from..*to)?;
        (!times.is_empty()).then(|| Window {
            times,
            values,
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
            let (mut from, mut to) = (0, 0);
            for (step, absent) in absent.iter_mut().enumerate() {
                if self
                    .window(series, rules, step, (&mut from, &mut to))
                    .is_some()
                {
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
                let window = self.window(series, rules, 0, (&mut 0, &mut 0))?;
                Some(Sampled {
                    labels: series.labels.clone(),
                    times: window.times.to_vec(),
                    values: window.values.to_vec(),
                })
            })
            .collect()
    }
}
