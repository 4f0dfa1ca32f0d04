//! How long runs usually take, and whether one is slower.

use super::{Phase, RunRow};
use crate::domain::object::{ObjectRef, Text};
use chrono::{DateTime, TimeDelta, Utc};
use std::collections::{BTreeMap, HashMap};

/// How many earlier runs are looked at.
const REMEMBERED: usize = 20;
/// With fewer of them nothing is usual yet.
const ENOUGH: usize = 3;

/// How a duration compares with what is usual.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Pace {
    Unknown,
    Usual,
    /// So many times as long, in tenths.
    Slower(u32),
    /// Done in less than half.
    Faster,
}

impl Pace {
    /// Compares; a third more or less is nothing to speak of, nor are a few seconds.
    pub fn of(took: TimeDelta, usual: TimeDelta) -> Self {
        let (took, usual) = (took.num_milliseconds(), usual.num_milliseconds());
        if usual <= 0 {
            return Self::Unknown;
        }
        if took * 3 > usual * 4 && took - usual > 5_000 {
            let tenths = u32::try_from(took * 10 / usual).unwrap_or(u32::MAX);
            return Self::Slower(tenths);
        }
        if took * 2 < usual {
            return Self::Faster;
        }
        Self::Usual
    }
}

/// What runs are compared with each other.
type Family = (Option<Text>, super::System, Text);

/// The durations of runs that succeeded, by what they were made from.
#[derive(Debug, Default)]
pub struct Durations {
    /// By family, then by run: when it was over, and how long it took.
    known: HashMap<Family, BTreeMap<ObjectRef, (DateTime<Utc>, TimeDelta)>>,
}

impl Durations {
    /// Remembers a run that succeeded.
    pub fn learn(&mut self, row: &RunRow) {
        if row.phase != Phase::Succeeded {
            return;
        }
        if let (Some(started), Some(finished)) = (row.started, row.finished) {
            let family = self.known.entry(family_of(row)).or_default();
            let took = finished - started;
            let _before = family.insert(row.object.clone(), (finished, took));
        }
    }

    /// Forgets a run that is gone.
    pub fn forget(&mut self, object: &ObjectRef) {
        for family in self.known.values_mut() {
            let _gone = family.remove(object);
        }
    }

    /// Returns how long runs like this one usually take: the median of those before it.
    pub fn usual(&self, row: &RunRow) -> Option<TimeDelta> {
        let family = self.known.get(&family_of(row))?;
        let before = row.finished.unwrap_or(DateTime::<Utc>::MAX_UTC);
        let mut others: Vec<(DateTime<Utc>, TimeDelta)> = family
            .iter()
            .filter(|(object, (over, _))| **object != row.object && *over <= before)
            .map(|(_, known)| *known)
            .collect();
        others.sort_unstable_by_key(|(over, _)| std::cmp::Reverse(*over));
        others.truncate(REMEMBERED);
        let mut took: Vec<TimeDelta> = others.into_iter().map(|(_, took)| took).collect();
        took.sort_unstable();
        (took.len() >= ENOUGH).then(|| took[took.len() / 2])
    }
}

fn family_of(row: &RunRow) -> Family {
    let place = row.object.namespace.clone();
    (place, row.system, row.family().into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_third_more_is_usual_and_double_is_told() {
        let seconds = TimeDelta::seconds;
        assert_eq!(Pace::of(seconds(80), seconds(60)), Pace::Usual);
        assert_eq!(Pace::of(seconds(150), seconds(60)), Pace::Slower(25));
        assert_eq!(Pace::of(seconds(20), seconds(60)), Pace::Faster);
        assert_eq!(
            Pace::of(seconds(5), seconds(1)),
            Pace::Usual,
            "a few seconds are nothing to speak of"
        );
        assert_eq!(Pace::of(seconds(5), seconds(0)), Pace::Unknown);
    }
}
