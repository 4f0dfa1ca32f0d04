//! One series: sealed chunks and a growing one, and native histograms beside them.

use super::super::histogram::{Buckets, Histogram, ResetHint};
use super::super::labels::Labels;
use super::super::promql::{Sample, Sampled};
use super::Size;
use super::chunk::Chunk;
use std::collections::VecDeque;
use std::sync::Arc;

/// How many samples a chunk takes.
const CHUNK: usize = 120;

/// The samples of one series, oldest first.
#[derive(Debug)]
pub(super) struct Series {
    labels: Labels,
    sealed: VecDeque<Chunk>,
    times: Vec<i64>,
    values: Vec<f64>,
    /// Few series have any, so they are not packed.
    histograms: VecDeque<(i64, Arc<Histogram>)>,
}

impl Series {
    pub(super) fn new(labels: Labels) -> Self {
        Self {
            labels,
            sealed: VecDeque::new(),
            times: Vec::new(),
            values: Vec::new(),
            histograms: VecDeque::new(),
        }
    }

    pub(super) fn labels(&self) -> &Labels {
        &self.labels
    }

    /// Adds a sample; returns whether it is younger than all others.
    pub(super) fn append(&mut self, at: i64, sample: Sample) -> bool {
        if self.last_time().is_some_and(|last| at <= last) {
            return false;
        }
        match sample {
            Sample::Float(value) => self.append_float(at, value),
            Sample::Histogram(histogram) => {
                self.histograms.push_back((at, believed(histogram)));
            }
        }
        true
    }

    fn append_float(&mut self, at: i64, value: f64) {
        if self.times.len() >= CHUNK {
            self.sealed
                .push_back(Chunk::seal(&self.times, &self.values));
            self.times.clear();
            self.values.clear();
        }
        self.times.push(at);
        self.values.push(value);
    }

    fn last_time(&self) -> Option<i64> {
        let sealed = self.sealed.back().map(Chunk::last);
        let float = self.times.last().copied().or(sealed);
        float.max(self.histograms.back().map(|(at, _)| *at))
    }

    fn first_time(&self) -> Option<i64> {
        let sealed = self.sealed.front().map(Chunk::first);
        let float = sealed.or_else(|| self.times.first().copied());
        let histogram = self.histograms.front().map(|(at, _)| *at);
        float.into_iter().chain(histogram).min()
    }

    pub(super) fn is_empty(&self) -> bool {
        self.times.is_empty() && self.sealed.is_empty() && self.histograms.is_empty()
    }

    pub(super) fn forget_before(&mut self, oldest: i64) {
        while self
            .sealed
            .front()
            .is_some_and(|chunk| chunk.last() < oldest)
        {
            self.sealed.pop_front();
        }
        if self.times.last().is_some_and(|last| *last < oldest) {
            self.times.clear();
            self.values.clear();
        }
        let kept = self.histograms.partition_point(|(at, _)| *at < oldest);
        self.histograms.drain(..kept);
    }

    pub(super) fn overlaps(&self, from: i64, to: i64) -> bool {
        let begins = self.first_time().is_some_and(|first| first <= to);
        begins && self.last_time().is_some_and(|last| last >= from)
    }

    /// Returns the samples in `from..=to`.
    pub(super) fn samples(&self, from: i64, to: i64) -> Sampled {
        let mut out = Sampled {
            labels: self.labels.clone(),
            times: Vec::new(),
            values: Vec::new(),
            histograms: self.histograms_between(from, to),
        };
        for chunk in &self.sealed {
            if chunk.last() < from || chunk.first() > to {
                continue;
            }
            for (time, value) in chunk.samples() {
                if time >= from && time <= to {
                    out.times.push(time);
                    out.values.push(value);
                }
            }
        }
        let begin = self.times.partition_point(|time| *time < from);
        let end = self.times.partition_point(|time| *time <= to).max(begin);
        out.times
            .extend(self.times.get(begin..end).unwrap_or_default());
        out.values
            .extend(self.values.get(begin..end).unwrap_or_default());
        out
    }

    fn histograms_between(&self, from: i64, to: i64) -> Vec<(i64, Arc<Histogram>)> {
        let begin = self.histograms.partition_point(|(at, _)| *at < from);
        let end = self.histograms.partition_point(|(at, _)| *at <= to);
        self.histograms
            .range(begin..end.max(begin))
            .cloned()
            .collect()
    }

    pub(super) fn add_to(&self, size: &mut Size) {
        size.series += 1;
        size.chunks += self.sealed.len() + usize::from(!self.times.is_empty());
        size.samples += self.times.len() + self.sealed.iter().map(Chunk::len).sum::<usize>();
        size.samples += self.histograms.len();
        size.bytes += self
            .histograms
            .iter()
            .map(|(_, one)| bytes(one))
            .sum::<usize>();
        size.bytes += self.times.len() * 16 + self.sealed.iter().map(Chunk::bytes).sum::<usize>();
        let earlier = |old: Option<i64>, new| Some(old.map_or(new, |old| old.min(new)));
        if let (Some(first), Some(last)) = (self.first_time(), self.last_time()) {
            size.oldest = earlier(size.oldest, first);
            size.youngest = Some(size.youngest.map_or(last, |old| old.max(last)));
        }
    }
}

/// Whoever writes cannot know that a counter went on, for a sample may be missing between.
fn believed(histogram: Arc<Histogram>) -> Arc<Histogram> {
    if histogram.hint != ResetHint::NotReset {
        return histogram;
    }
    Arc::new(Histogram {
        hint: ResetHint::Unknown,
        ..Arc::unwrap_or_clone(histogram)
    })
}

fn bytes(histogram: &Histogram) -> usize {
    let buckets = |buckets: &Buckets| buckets.iter().count() * size_of::<(i32, f64)>();
    size_of::<Histogram>() + buckets(&histogram.positive) + buckets(&histogram.negative)
}
