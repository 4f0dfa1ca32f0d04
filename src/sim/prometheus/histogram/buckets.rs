//! Counts by the number of their bucket.

/// Buckets of one side of zero, in rising order of their number; those not named are empty.
#[derive(Clone, Debug, Default)]
pub struct Buckets(Vec<(i32, f64)>);

/// The same buckets are named and have the same bits.
impl PartialEq for Buckets {
    fn eq(&self, other: &Self) -> bool {
        let bits = |(number, count): &(i32, f64)| (*number, count.to_bits());
        self.0.iter().map(bits).eq(other.0.iter().map(bits))
    }
}

impl Buckets {
    /// Makes neighbouring buckets, the first of which has this number.
    pub fn run(first: i32, counts: &[f64]) -> Self {
        Self((first..).zip(counts.iter().copied()).collect())
    }

    /// Returns the buckets and their counts.
    pub fn iter(&self) -> impl DoubleEndedIterator<Item = (i32, f64)> {
        self.0.iter().copied()
    }

    /// Returns whether none are named.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Returns the count of a bucket.
    pub fn count(&self, number: i32) -> f64 {
        let place = self.0.binary_search_by_key(&number, |(number, _)| *number);
        let found = place.ok().and_then(|place| self.0.get(place));
        found.map_or(0.0, |(_, count)| *count)
    }

    pub(super) fn compact(&mut self) {
        self.0.retain(|(_, count)| *count != 0.0);
    }

    pub(super) fn clear(&mut self) {
        self.0.clear();
    }

    pub(super) fn retain(&mut self, keep: impl Fn(i32) -> bool) {
        self.0.retain(|(number, _)| keep(*number));
    }

    pub(super) fn change(&mut self, change: impl Fn(f64) -> f64) {
        for (_, count) in &mut self.0 {
            *count = change(*count);
        }
    }

    /// Joins neighbours until the schema is smaller by `steps`.
    pub(super) fn coarser(&self, steps: u32) -> Self {
        if steps == 0 {
            return self.clone();
        }
        let mut out: Vec<(i32, f64)> = Vec::with_capacity(self.0.len());
        for (number, count) in &self.0 {
            let number = ((number - 1) >> steps.min(31)) + 1;
            match out.last_mut() {
                Some((last, joined)) if *last == number => *joined += count,
                _ => out.push((number, *count)),
            }
        }
        Self(out)
    }

    /// Adds other buckets, each as often as said.
    pub(super) fn add(&mut self, other: &Self, times: f64) {
        let mut out = Vec::with_capacity(self.0.len().max(other.0.len()));
        let mut mine = self.0.iter().copied().peekable();
        for (number, count) in other.iter() {
            while let Some(before) = mine.next_if(|(mine, _)| *mine < number) {
                out.push(before);
            }
            let there = mine.next_if(|(mine, _)| *mine == number);
            out.push((
                number,
                there.map_or(0.0, |(_, there)| there) + count * times,
            ));
        }
        out.extend(mine);
        self.0 = out;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn neighbours_are_joined_by_their_upper_bound() {
        // Upper bounds 2^-0.5, 1, 2^0.5, 2, 2^1.5: the second and the fourth remain.
        let fine = Buckets::run(-1, &[1.0, 2.0, 4.0, 8.0, 16.0]);

        assert_eq!(fine.coarser(1), Buckets::run(0, &[3.0, 12.0, 16.0]));
        assert_eq!(fine.coarser(40), Buckets::run(0, &[3.0, 28.0]));
    }

    #[test]
    fn buckets_are_added_wherever_they_are() {
        let mut buckets = Buckets::run(1, &[1.0, 1.0]);

        buckets.add(&Buckets::run(0, &[1.0, 1.0]), 2.0);
        buckets.add(&Buckets::run(5, &[1.0]), -1.0);

        let pairs: Vec<_> = buckets.iter().collect();
        assert_eq!(pairs, [(0, 2.0), (1, 3.0), (2, 1.0), (5, -1.0)]);
    }
}
