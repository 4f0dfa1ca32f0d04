//! Calls of functions, by name.

use super::ast::Expr;
use super::calendar;
use super::eval::{Evaluator, failed, filled, joined, map_rows, present};
use super::native;
use super::over_time::{self, line, smoothed};
use super::quantile;
use super::rate::{Change, extrapolated, last_two};
use super::reshape::{argument, labels_of_absent};
use super::row::Row;
use super::stamp::{ABSENT, is_absent};
use super::types::{EvalError, Steps, Value};
use crate::sim::prometheus::histogram::Histogram;
use crate::sim::prometheus::labels::Labels;

impl Evaluator<'_> {
    pub(super) fn call(
        &mut self,
        name: &str,
        args: &[Expr],
        steps: Steps,
    ) -> Result<Value, EvalError> {
        if let Some(function) = math(name) {
            let rows = self.vector(argument(args, 0)?, steps)?;
            return joined(map_rows(rows, function)).map(Value::Vector);
        }
        if let Some(look) = over_time::by_name(name) {
            let ranges = self.ranges(argument(args, 0)?, steps)?;
            let remarks = &mut self.annotations;
            let keeps_name = over_time::keeps_name(name);
            let rows = ranges.rows(self.options.rules, keeps_name, |window| {
                look(window, remarks)
            })?;
            return Ok(Value::Vector(rows));
        }
        if let Some(read) = native::by_name(name) {
            let rows = self.vector(argument(args, 0)?, steps)?;
            return joined(of_histograms(&rows, read)).map(Value::Vector);
        }
        if let Some(part) = calendar::by_name(name) {
            let rows = match args.first() {
                Some(arg) => self.vector(arg, steps)?,
                None => vec![now(steps)],
            };
            return joined(map_rows(rows, part)).map(Value::Vector);
        }
        if let Some(number) = self.number(name, args, steps)? {
            return Ok(Value::Scalar(number));
        }
        self.vector_call(name, args, steps).map(Value::Vector)
    }

    /// Functions that yield a scalar.
    fn number(
        &mut self,
        name: &str,
        args: &[Expr],
        steps: Steps,
    ) -> Result<Option<Vec<f64>>, EvalError> {
        let query = self.options.steps;
        let seconds = |milliseconds: i64| milliseconds as f64 / 1000.0;
        let constant = |number: f64| Ok(Some(vec![number; steps.count]));
        match name {
            "time" => Ok(Some(now(steps).values)),
            "pi" => constant(std::f64::consts::PI),
            "start" => constant(seconds(query.start)),
            "end" => constant(seconds(query.until)),
            "range" => constant(seconds(query.until - query.start)),
            "step" => constant(seconds(if query.count == 1 { 0 } else { query.step })),
            "min_of" | "max_of" => {
                let left = self.scalar(argument(args, 0)?, steps)?;
                let right = self.scalar(argument(args, 1)?, steps)?;
                let pick = if name == "min_of" { f64::min } else { f64::max };
                Ok(Some(
                    left.into_iter()
                        .zip(right)
                        .map(|(l, r)| pick(l, r))
                        .collect(),
                ))
            }
            "scalar" => {
                let rows = self.vector(argument(args, 0)?, steps)?;
                Ok(Some(
                    (0..steps.count)
                        .map(|step| only_value(&rows, step))
                        .collect(),
                ))
            }
            _ => Ok(None),
        }
    }

    /// Functions that yield a vector.
    fn vector_call(
        &mut self,
        name: &str,
        args: &[Expr],
        steps: Steps,
    ) -> Result<Vec<Row>, EvalError> {
        match name {
            "rate" => self.change(args, steps, Change::Rate),
            "increase" => self.change(args, steps, Change::Increase),
            "delta" => self.change(args, steps, Change::Delta),
            "irate" => self.last_change(args, steps, true),
            "idelta" => self.last_change(args, steps, false),
            "quantile_over_time" => self.quantile_over_time(args, steps),
            "predict_linear" => self.predict_linear(args, steps),
            "double_exponential_smoothing" => self.smoothing(args, steps),
            "absent" => self.absent(args, steps),
            "absent_over_time" => self.absent_over_time(args, steps),
            "clamp" | "clamp_min" | "clamp_max" => self.clamp(name, args, steps),
            "round" => self.round(args, steps),
            "timestamp" => self.timestamp(args, steps),
            "vector" => Ok(vec![Row::floats(
                Labels::default(),
                self.scalar(argument(args, 0)?, steps)?,
            )]),
            "histogram_quantile" => self.histogram_quantile(args, steps),
            "histogram_fraction" => self.histogram_fraction(args, steps),
            "label_replace" => self.label_replace(args, steps),
            "label_join" => self.label_join(args, steps),
            "sort" => self.sorted(args, steps, false),
            "sort_desc" => self.sorted(args, steps, true),
            "sort_by_label" => self.sorted_by_label(args, steps, false),
            "sort_by_label_desc" => self.sorted_by_label(args, steps, true),
            _ => Err(failed(format!(
                "the function \"{name}\" is not supported by this server"
            ))),
        }
    }

    fn change(
        &mut self,
        args: &[Expr],
        steps: Steps,
        change: Change,
    ) -> Result<Vec<Row>, EvalError> {
        let ranges = self.ranges(argument(args, 0)?, steps)?;
        let how = (change, self.options.rules);
        let remarks = &mut self.annotations;
        let rows = ranges.rows(how.1, true, |window| extrapolated(window, how, remarks))?;
        if change != Change::Delta {
            for row in rows.iter().filter(|row| row.histograms.is_empty()) {
                let name = row.labels.name();
                let counter = ["_total", "_sum", "_count", "_bucket"];
                if !name.is_empty() && !counter.iter().any(|end| name.ends_with(end)) {
                    self.annotations.not_a_counter(name);
                }
            }
        }
        nameless(rows)
    }

    fn last_change(
        &mut self,
        args: &[Expr],
        steps: Steps,
        per_second: bool,
    ) -> Result<Vec<Row>, EvalError> {
        let ranges = self.ranges(argument(args, 0)?, steps)?;
        let remarks = &mut self.annotations;
        ranges.rows(self.options.rules, false, |window| {
            last_two(window, per_second, remarks)
        })
    }

    fn quantile_over_time(&mut self, args: &[Expr], steps: Steps) -> Result<Vec<Row>, EvalError> {
        let quantile = self.scalar(argument(args, 0)?, steps)?;
        let ranges = self.ranges(argument(args, 1)?, steps)?;
        let remarks = &mut self.annotations;
        let rows = ranges.rows(self.options.rules, false, |window| {
            if !window.has_numbers(remarks) {
                return None;
            }
            let mut values = window.values.to_vec();
            Some(quantile::of_values(quantile[window.step], &mut values))
        })?;
        if !rows.is_empty() {
            for quantile in quantile.into_iter().filter(|q| !(0.0..=1.0).contains(q)) {
                self.annotations.bad_quantile(quantile);
            }
        }
        Ok(rows)
    }

    fn predict_linear(&mut self, args: &[Expr], steps: Steps) -> Result<Vec<Row>, EvalError> {
        let ranges = self.ranges(argument(args, 0)?, steps)?;
        let ahead = self.scalar(argument(args, 1)?, steps)?;
        let remarks = &mut self.annotations;
        ranges.rows(self.options.rules, false, |window| {
            if !window.has_numbers(remarks) {
                return None;
            }
            let line = line(window, window.now)?;
            Some(line.slope * ahead[window.step] + line.value)
        })
    }

    fn smoothing(&mut self, args: &[Expr], steps: Steps) -> Result<Vec<Row>, EvalError> {
        let ranges = self.ranges(argument(args, 0)?, steps)?;
        let level = self.scalar(argument(args, 1)?, steps)?;
        let trend = self.scalar(argument(args, 2)?, steps)?;
        let wrong = |factors: &[f64]| factors.iter().copied().find(|f| !(*f > 0.0 && *f < 1.0));
        if let Some(level) = wrong(&level) {
            return Err(failed(format!(
                "invalid smoothing factor. Expected: 0 < sf < 1, got: {level:.6}"
            )));
        }
        if let Some(trend) = wrong(&trend) {
            return Err(failed(format!(
                "invalid trend factor. Expected: 0 < tf < 1, got: {trend:.6}"
            )));
        }
        let remarks = &mut self.annotations;
        ranges.rows(self.options.rules, false, |window| {
            if !window.has_numbers(remarks) {
                return None;
            }
            smoothed(window, level[window.step], trend[window.step])
        })
    }

    fn absent(&mut self, args: &[Expr], steps: Steps) -> Result<Vec<Row>, EvalError> {
        let arg = argument(args, 0)?;
        let rows = self.vector(arg, steps)?;
        let absent = |step: usize| !rows.iter().any(|row| row.is_there(step));
        let values = (0..steps.count).map(|step| if absent(step) { 1.0 } else { ABSENT });
        let labels = labels_of_absent(arg);
        Ok(filled(vec![Row::floats(labels, values.collect())]))
    }

    fn absent_over_time(&mut self, args: &[Expr], steps: Steps) -> Result<Vec<Row>, EvalError> {
        let arg = argument(args, 0)?;
        let absent = self.ranges(arg, steps)?.absent(self.options.rules);
        let values = absent
            .into_iter()
            .map(|absent| if absent { 1.0 } else { ABSENT });
        let labels = labels_of_absent(arg);
        Ok(filled(vec![Row::floats(labels, values.collect())]))
    }

    fn clamp(&mut self, name: &str, args: &[Expr], steps: Steps) -> Result<Vec<Row>, EvalError> {
        let rows = self.vector(argument(args, 0)?, steps)?;
        let first = self.scalar(argument(args, 1)?, steps)?;
        let (low, high) = match name {
            "clamp_min" => (first, vec![f64::INFINITY; steps.count]),
            "clamp_max" => (vec![f64::NEG_INFINITY; steps.count], first),
            _ => (first, self.scalar(argument(args, 2)?, steps)?),
        };
        let clamped = |step: usize, value: f64| {
            if high[step] < low[step] {
                ABSENT
            } else {
                go_max(low[step], go_min(high[step], value))
            }
        };
        joined(by_step(rows, clamped))
    }

    fn round(&mut self, args: &[Expr], steps: Steps) -> Result<Vec<Row>, EvalError> {
        let rows = self.vector(argument(args, 0)?, steps)?;
        let nearest = match args.get(1) {
            Some(arg) => self.scalar(arg, steps)?,
            None => vec![1.0; steps.count],
        };
        let rounded = |step: usize, value: f64| {
            let inverse = 1.0 / nearest[step];
            (value * inverse + 0.5).floor() / inverse
        };
        joined(by_step(rows, rounded))
    }

    fn timestamp(&mut self, args: &[Expr], steps: Steps) -> Result<Vec<Row>, EvalError> {
        let arg = argument(args, 0)?;
        if let Expr::Selector(selector) = arg.bare() {
            let rows = self.sample_times(selector, steps)?;
            return joined(map_rows(rows, |time| time));
        }
        let rows = self.vector(arg, steps)?;
        let time = |step: usize| steps.at(step) as f64 / 1000.0;
        let there = |row: &Row, step: usize| row.is_there(step).then(|| time(step).into());
        let rows = rows.iter().map(|row| {
            let samples = (0..steps.count).map(|step| there(row, step));
            Row::of(row.labels.without_name(), samples)
        });
        joined(rows.collect())
    }
}

/// The time of each step as a row without labels.
fn now(steps: Steps) -> Row {
    let times = (0..steps.count).map(|step| steps.at(step) as f64 / 1000.0);
    Row::floats(Labels::default(), times.collect())
}

/// Reads a number from each histogram; numbers are left out.
fn of_histograms(rows: &[Row], read: fn(&Histogram) -> f64) -> Vec<Row> {
    let read = rows.iter().map(|row| {
        let mut out = Row::nothing(row.labels.without_name(), row.values.len());
        for (step, histogram) in row.histograms.iter() {
            out.put(step, Some(read(histogram).into()));
        }
        out
    });
    filled(read.collect())
}

/// Returns the value of the only row that has one, or NaN.
fn only_value(rows: &[Row], step: usize) -> f64 {
    let mut values = rows
        .iter()
        .map(|row| row.values[step])
        .filter(|value| !is_absent(*value));
    match (values.next(), values.next()) {
        (Some(value), None) => value,
        _ => f64::NAN,
    }
}

/// Changes each number, drops the metric's name and leaves histograms out.
fn by_step(rows: Vec<Row>, change: impl Fn(usize, f64) -> f64) -> Vec<Row> {
    let changed = rows.into_iter().map(|row| {
        let values = row.values.into_iter().enumerate();
        let values = values.map(|(step, value)| present(value, |value| change(step, value)));
        Row::floats(row.labels.without_name(), values.collect())
    });
    filled(changed.collect())
}

fn nameless(rows: Vec<Row>) -> Result<Vec<Row>, EvalError> {
    let nameless = |row: Row| {
        let labels = row.labels.without_name();
        row.with_labels(labels)
    };
    let rows: Vec<Row> = rows.into_iter().map(nameless).collect();
    super::eval::distinct(&rows)?;
    Ok(rows)
}

/// The larger number; NaN if either is, unless the other is the largest there is.
fn go_max(left: f64, right: f64) -> f64 {
    if left.is_nan() || right.is_nan() {
        let infinite = left == f64::INFINITY || right == f64::INFINITY;
        return if infinite { f64::INFINITY } else { f64::NAN };
    }
    left.max(right)
}

/// The smaller number; NaN if either is, unless the other is the smallest there is.
fn go_min(left: f64, right: f64) -> f64 {
    -go_max(-left, -right)
}

/// Returns the function of one number with this name.
fn math(name: &str) -> Option<fn(f64) -> f64> {
    Some(match name {
        "abs" => f64::abs,
        "ceil" => f64::ceil,
        "floor" => f64::floor,
        "sqrt" => f64::sqrt,
        "exp" => f64::exp,
        "ln" => f64::ln,
        "log2" => f64::log2,
        "log10" => f64::log10,
        "sgn" => |value| match value {
            low if low < 0.0 => -1.0,
            high if high > 0.0 => 1.0,
            other => other,
        },
        "sin" => f64::sin,
        "cos" => f64::cos,
        "tan" => f64::tan,
        "asin" => f64::asin,
        "acos" => f64::acos,
        "atan" => f64::atan,
        "sinh" => f64::sinh,
        "cosh" => f64::cosh,
        "tanh" => f64::tanh,
        "asinh" => f64::asinh,
        "acosh" => f64::acosh,
        "atanh" => f64::atanh,
        "deg" => f64::to_degrees,
        "rad" => f64::to_radians,
        _ => return None,
    })
}
