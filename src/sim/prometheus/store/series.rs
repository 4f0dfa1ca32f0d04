//! One series: sealed chunks and a growing one.

use super::super::labels::Labels;
use super::super::promql::Sampled;
use super::Size;
use super::chunk::Chunk;
use std::collections::VecDeque;

/// How many samples a chunk takes.
const CHUNK: usize = 120;

/// The samples of one series, oldest first.
#[derive(Debug)]
pub(super) struct Series {
    labels: Labels,
    sealed: VecDeque<Chunk>,
    times: Vec<i64>,
    values: Vec<f64>,
}

impl Series {
    pub(super) fn new(labels: Labels) -> Self {
        Self {
            labels,
            sealed: VecDeque::new(),
            times: Vec::new(),
            values: Vec::new(),
        }
    }

    pub(super) fn labels(&self) -> &Labels {
        &self.labels
    }

    /// Adds a sample; returns whether it is younger than all others.
    pub(super) fn append(&mut self, at: i64, value: f64) -> bool {
        if self.last_time().is_some_and(|last| at <= last) {
            return false;
        }
        if self.times.len() >= CHUNK {
            self.sealed
                .push_back(Chunk::seal(&self.times, &self.values));
            self.times.clear();
            self.values.clear();
        }
        self.times.push(at);
        self.values.push(value);
        true
    }

    fn last_time(&self) -> Option<i64> {
        let sealed = self.sealed.back().map(Chunk::last);
        self.times.last().copied().or(sealed)
    }

    fn first_time(&self) -> Option<i64> {
        let sealed = self.sealed.front().map(Chunk::first);
        sealed.or_else(|| self.times.first().copied())
    }

    pub(super) fn is_empty(&self) -> bool {
        self.times.is_empty() && self.sealed.is_empty()
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

    pub(super) fn add_to(&self, size: &mut Size) {
        size.series += 1;
        size.chunks += self.sealed.len() + usize::from(!self.times.is_empty());
        size.samples += self.times.len() + self.sealed.iter().map(Chunk::len).sum::<usize>();
        size.bytes += self.times.len() * 16 + self.sealed.iter().map(Chunk::bytes).sum::<usize>();
        let earlier = |old: Option<i64>, new| Some(old.map_or(new, |old| old.min(new)));
        if let (Some(first), Some(last)) = (self.first_time(), self.last_time()) {
            size.oldest = earlier(size.oldest, first);
            size.youngest = Some(size.youngest.map_or(last, |old| old.max(last)));
        }
    }
}
