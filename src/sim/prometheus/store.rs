//! The series store: samples by series, found by name and label.
//!
//! Samples of a series only get younger. Old ones leave by whole chunks when they are past
//! retention; a series without samples leaves with the last of them. Memory is bounded by the
//! number of series and by retention.

mod bits;
mod chunk;
mod index;
mod series;

use super::labels::{Label, Labels};
use super::matcher::Matcher;
use super::promql::{Sample, Sampled, Source};
use index::Index;
use series::Series;
use std::collections::{BTreeSet, HashMap, HashSet};
use std::sync::Arc;

/// What became of a sample.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Appended {
    /// It is the first of a new series.
    NewSeries,
    /// It follows the others of its series.
    Taken,
    /// The series has this sample already, or a younger one.
    OutOfOrder,
    /// There are as many series as there may be.
    TooMany,
}

/// The store.
#[derive(Debug)]
pub struct Store {
    series: HashMap<u32, Series>,
    by_labels: HashMap<Labels, u32>,
    index: Index,
    texts: HashSet<Arc<str>>,
    next: u32,
    most_series: usize,
}

/// How much a store holds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Size {
    /// Series.
    pub series: usize,
    /// Sealed and growing chunks.
    pub chunks: usize,
    /// Samples.
    pub samples: usize,
    /// Bytes of samples.
    pub bytes: usize,
    /// The oldest sample, in milliseconds.
    pub oldest: Option<i64>,
    /// The youngest sample, in milliseconds.
    pub youngest: Option<i64>,
}

impl Store {
    /// Makes an empty store for at most so many series.
    pub fn new(most_series: usize) -> Self {
        Self {
            series: HashMap::new(),
            by_labels: HashMap::new(),
            index: Index::default(),
            texts: HashSet::new(),
            next: 0,
            most_series,
        }
    }

    /// Adds a sample to a series, which is made if need be; a series may mix numbers and histograms.
    pub fn append(&mut self, labels: &Labels, at: i64, sample: impl Into<Sample>) -> Appended {
        let sample = sample.into();
        if let Some(id) = self.by_labels.get(labels) {
            let taken = self
                .series
                .get_mut(id)
                .is_some_and(|series| series.append(at, sample));
            return if taken {
                Appended::Taken
            } else {
                Appended::OutOfOrder
            };
        }
        if self.series.len() >= self.most_series {
            return Appended::TooMany;
        }
        let labels = self.shared(labels);
        let id = self.next;
        self.next = self.next.wrapping_add(1);
        let mut series = Series::new(labels.clone());
        series.append(at, sample);
        self.index.insert(id, &labels);
        self.by_labels.insert(labels, id);
        self.series.insert(id, series);
        Appended::NewSeries
    }

    /// Returns equal labels whose texts are stored once in the whole store.
    fn shared(&mut self, labels: &Labels) -> Labels {
        let pairs: Vec<Label> = labels
            .iter()
            .map(|(name, value)| (share(&mut self.texts, name), share(&mut self.texts, value)))
            .collect();
        Labels::new(pairs)
    }

    /// Forgets samples before `oldest`, by whole chunks.
    pub fn forget_before(&mut self, oldest: i64) {
        let mut gone = Vec::new();
        for (id, series) in &mut self.series {
            series.forget_before(oldest);
            if series.is_empty() {
                gone.push(*id);
            }
        }
        if gone.is_empty() {
            return;
        }
        for id in gone {
            if let Some(series) = self.series.remove(&id) {
                self.index.remove(id, series.labels());
                self.by_labels.remove(series.labels());
            }
        }
        self.texts.retain(|text| Arc::strong_count(text) > 1);
    }

    /// Removes everything.
    pub fn clear(&mut self) {
        *self = Self::new(self.most_series);
    }

    /// Returns the labels of series that meet the matchers and have a sample in `from..=to`.
    pub fn series(&self, matchers: &[Matcher], from: i64, to: i64) -> Vec<Labels> {
        self.found(matchers)
            .filter(|series| series.overlaps(from, to))
            .map(|series| series.labels().clone())
            .collect()
    }

    /// Returns all labels' names.
    pub fn label_names(&self) -> BTreeSet<Arc<str>> {
        self.index.names()
    }

    /// Returns all values of a label.
    pub fn label_values(&self, name: &str) -> BTreeSet<Arc<str>> {
        self.index.values(name)
    }

    /// Returns how much the store holds.
    pub fn size(&self) -> Size {
        let mut size = Size::default();
        for series in self.series.values() {
            series.add_to(&mut size);
        }
        size
    }

    fn found(&self, matchers: &[Matcher]) -> impl Iterator<Item = &Series> {
        let ids = self.index.candidates(matchers);
        let matchers = matchers.to_vec();
        ids.into_iter()
            .filter_map(|id| self.series.get(&id))
            .filter(move |series| super::matcher::all_accept(&matchers, series.labels()))
    }
}

impl Source for Store {
    fn select(&self, matchers: &[Matcher], from: i64, to: i64) -> Vec<Sampled> {
        self.found(matchers)
            .map(|series| series.samples(from, to))
            .filter(|sampled| sampled.count() > 0)
            .collect()
    }
}

fn share(texts: &mut HashSet<Arc<str>>, text: &Arc<str>) -> Arc<str> {
    if let Some(shared) = texts.get(text) {
        return Arc::clone(shared);
    }
    texts.insert(Arc::clone(text));
    Arc::clone(text)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sim::prometheus::histogram::{Histogram, ResetHint};
    use crate::sim::prometheus::matcher::Comparison;

    fn labels(number: i64) -> Labels {
        Labels::of(&[("__name__", "a"), ("n", &number.to_string())])
    }

    fn by_name() -> Vec<Matcher> {
        vec![Matcher::new("__name__", Comparison::Equal, "a").expect("a matcher")]
    }

    #[test]
    fn samples_come_back_as_they_went_in() {
        let mut store = Store::new(10);
        let values: Vec<f64> = (0..1000).map(|n| f64::from(n).sin() * 1e6).collect();
        for (at, value) in (0..).zip(&values) {
            store.append(&labels(1), at * 15_000 + at % 7, *value);
        }

        let found = store.select(&by_name(), 0, i64::MAX);

        assert_eq!(found.len(), 1);
        assert_eq!(found[0].values, values);
        assert_eq!(found[0].times[999], 999 * 15_000 + 999 % 7);
    }

    #[test]
    fn a_series_may_mix_numbers_and_histograms() {
        let mut store = Store::new(1);
        let histogram = |count: i32| Histogram {
            count: f64::from(count),
            hint: ResetHint::NotReset,
            ..Histogram::default()
        };
        store.append(&labels(1), 10, 1.0);
        store.append(&labels(1), 20, histogram(2));
        store.append(&labels(1), 30, 3.0);
        store.append(&labels(1), 40, histogram(4));

        let late = store.append(&labels(1), 40, 4.0);
        let found = store.select(&by_name(), 20, 40);
        store.forget_before(35);

        assert_eq!(late, Appended::OutOfOrder);
        assert_eq!(found[0].times, [30]);
        let times: Vec<_> = found[0].histograms.iter().map(|(at, _)| *at).collect();
        assert_eq!(times, [20, 40]);
        // What came between the two is not known, so they have to be compared.
        assert_eq!(found[0].histograms[1].1.hint, ResetHint::Unknown);
        assert_eq!((store.size().samples, store.size().oldest), (1, Some(40)));
    }

    #[test]
    fn older_samples_are_refused() {
        let mut store = Store::new(1);

        assert_eq!(store.append(&labels(1), 10, 1.0), Appended::NewSeries);
        assert_eq!(store.append(&labels(1), 10, 2.0), Appended::OutOfOrder);
        assert_eq!(store.append(&labels(1), 11, 2.0), Appended::Taken);
        assert_eq!(store.append(&labels(2), 11, 2.0), Appended::TooMany);
    }

    #[test]
    fn what_is_past_retention_leaves_with_its_series() {
        let mut store = Store::new(10);
        for at in 0..1000 {
            store.append(&labels(1), at, 1.0);
        }
        store.append(&labels(2), 5000, 1.0);

        store.forget_before(4000);

        assert_eq!(store.size().series, 1);
        assert_eq!(store.label_values("n").len(), 1);
        assert!(store.texts.len() < 5);
    }

    #[test]
    fn counters_take_few_bytes() {
        let mut store = Store::new(10);
        for at in 0..12_000 {
            store.append(&labels(1), at * 15_000, (at * 3) as f64);
        }

        let size = store.size();

        assert!(size.bytes < 4 * size.samples, "{size:?}");
    }
}
