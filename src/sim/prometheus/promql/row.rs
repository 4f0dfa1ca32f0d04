//! The series of a result: at each step a number, a native histogram, or nothing.

use super::stamp::{ABSENT, is_absent};
use crate::sim::prometheus::histogram::Histogram;
use crate::sim::prometheus::labels::Labels;
use std::sync::Arc;

/// What a series is worth at one time.
#[derive(Clone, Debug, PartialEq)]
pub enum Sample {
    /// A number; in stored series [`ABSENT`] where the series ended.
    Float(f64),
    /// A native histogram.
    Histogram(Arc<Histogram>),
}

impl From<f64> for Sample {
    fn from(value: f64) -> Self {
        Self::Float(value)
    }
}

impl From<Histogram> for Sample {
    fn from(histogram: Histogram) -> Self {
        Self::Histogram(Arc::new(histogram))
    }
}

impl From<Arc<Histogram>> for Sample {
    fn from(histogram: Arc<Histogram>) -> Self {
        Self::Histogram(histogram)
    }
}

/// Native histograms by step; most rows have none, and take no memory for them.
#[derive(Clone, Debug, Default)]
pub struct Histograms(Vec<Option<Arc<Histogram>>>);

impl PartialEq for Histograms {
    fn eq(&self, other: &Self) -> bool {
        self.iter().eq(other.iter())
    }
}

impl Histograms {
    /// Returns the histogram of a step.
    pub fn at(&self, step: usize) -> Option<&Arc<Histogram>> {
        self.0.get(step)?.as_ref()
    }

    /// Returns the histograms and their steps.
    pub fn iter(&self) -> impl Iterator<Item = (usize, &Arc<Histogram>)> {
        let steps = self.0.iter().enumerate();
        steps.filter_map(|(step, histogram)| Some((step, histogram.as_ref()?)))
    }

    /// Returns whether there are none.
    pub fn is_empty(&self) -> bool {
        self.0.iter().all(Option::is_none)
    }

    fn set(&mut self, step: usize, histogram: Arc<Histogram>) {
        if self.0.len() <= step {
            self.0.resize(step + 1, None);
        }
        if let Some(place) = self.0.get_mut(step) {
            *place = Some(histogram);
        }
    }

    fn clear(&mut self, step: usize) {
        if let Some(place) = self.0.get_mut(step) {
            *place = None;
        }
    }
}

/// One series of a result.
///
/// What looks at numbers alone sees nothing where there is a histogram, as most functions want it.
#[derive(Clone, Debug, PartialEq)]
pub struct Row {
    /// Whose values.
    pub labels: Labels,
    /// One for each step; [`ABSENT`] where there is no number.
    pub values: Vec<f64>,
    /// The histograms; where there is one, there is no number.
    pub histograms: Histograms,
}

impl Row {
    /// Makes a row of numbers.
    pub fn floats(labels: Labels, values: Vec<f64>) -> Self {
        Self {
            labels,
            values,
            histograms: Histograms::default(),
        }
    }

    /// Makes a row without anything at so many steps.
    pub(super) fn nothing(labels: Labels, steps: usize) -> Self {
        Self::floats(labels, vec![ABSENT; steps])
    }

    /// Makes a row of what there is at each step.
    pub(super) fn of(labels: Labels, samples: impl Iterator<Item = Option<Sample>>) -> Self {
        let mut histograms = Histograms::default();
        let values = samples.enumerate().map(|(step, sample)| match sample {
            Some(Sample::Float(value)) => value,
            Some(Sample::Histogram(histogram)) => {
                histograms.set(step, histogram);
                ABSENT
            }
            None => ABSENT,
        });
        Self {
            labels,
            values: values.collect(),
            histograms,
        }
    }

    /// Returns whether there is something at a step.
    pub fn is_there(&self, step: usize) -> bool {
        let number = self
            .values
            .get(step)
            .is_some_and(|value| !is_absent(*value));
        number || self.histograms.at(step).is_some()
    }

    /// Returns what there is at a step.
    pub fn sample(&self, step: usize) -> Option<Sample> {
        if let Some(histogram) = self.histograms.at(step) {
            return Some(Sample::Histogram(Arc::clone(histogram)));
        }
        let value = *self.values.get(step)?;
        (!is_absent(value)).then_some(Sample::Float(value))
    }

    /// Returns what there is at each step.
    pub(super) fn samples(&self) -> impl Iterator<Item = Option<Sample>> {
        (0..self.values.len()).map(|step| self.sample(step))
    }

    /// Replaces what there is at a step.
    pub(super) fn put(&mut self, step: usize, sample: Option<Sample>) {
        let (number, histogram) = match sample {
            Some(Sample::Float(value)) => (value, None),
            Some(Sample::Histogram(histogram)) => (ABSENT, Some(histogram)),
            None => (ABSENT, None),
        };
        if let Some(value) = self.values.get_mut(step) {
            *value = number;
        }
        match histogram {
            Some(histogram) => self.histograms.set(step, histogram),
            None => self.histograms.clear(step),
        }
    }

    /// Returns the row under other labels.
    #[must_use]
    pub(super) fn with_labels(self, labels: Labels) -> Self {
        Self { labels, ..self }
    }

    /// Returns whether there is something at any step.
    pub(super) fn is_filled(&self) -> bool {
        self.values.iter().any(|value| !is_absent(*value)) || !self.histograms.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_step_has_a_number_or_a_histogram() {
        let mut row = Row::nothing(Labels::default(), 3);

        row.put(0, Some(1.0.into()));
        row.put(2, Some(Histogram::default().into()));
        row.put(0, Some(Histogram::default().into()));
        row.put(2, Some(2.0.into()));

        let there: Vec<usize> = row.histograms.iter().map(|(step, _)| step).collect();
        assert_eq!(there, [0]);
        assert_eq!(row.sample(2), Some(Sample::Float(2.0)));
        assert!(!row.is_there(1) && row.is_there(0) && is_absent(row.values[0]));
        let copy = Row::of(Labels::default(), row.samples());
        assert_eq!(copy.histograms, row.histograms);
    }
}
