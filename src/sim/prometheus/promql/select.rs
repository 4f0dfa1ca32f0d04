//! From when a selector takes its samples.

use super::ast::{At, Selector, Shift};
use super::eval::Evaluator;
use super::types::{EvalError, Sampled, Steps};

/// The times that `offset` and `@` make of the steps.
#[derive(Clone, Copy, Debug)]
pub(super) struct Times {
    fixed: Option<i64>,
    offset: i64,
    pub(super) steps: Steps,
}

impl Times {
    /// Returns the time that counts at a step.
    pub(super) fn at(self, index: usize) -> i64 {
        self.fixed.unwrap_or_else(|| self.steps.at(index)) - self.offset
    }

    /// Returns the first and the last of them.
    pub(super) fn bounds(self) -> (i64, i64) {
        (self.at(0), self.at(self.steps.count - 1))
    }
}

impl Evaluator<'_> {
    pub(super) fn times(&self, shift: Shift, steps: Steps) -> Times {
        let query = self.options.steps;
        let fixed = shift.at.map(|at| match at {
            At::Start => query.start,
            At::End => query.until,
            At::Time(time) => time,
        });
        Times {
            fixed,
            offset: shift.offset,
            steps,
        }
    }

    /// Reads what a selector needs: from `back` before the first of the times to the last.
    pub(super) fn read(
        &mut self,
        selector: &Selector,
        back: i64,
        times: Times,
    ) -> Result<Vec<Sampled>, EvalError> {
        let (first, last) = times.bounds();
        let series = self.source.select(&selector.matchers, first - back, last);
        self.count_samples(series.iter().map(Sampled::count).sum())?;
        Ok(series)
    }
}
