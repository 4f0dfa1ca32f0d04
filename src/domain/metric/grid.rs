//! Which instants a range query asks for.
//!
//! Start and end are multiples of the step, so that consecutive polls ask for the same instants
//! and agree; the points never exceed what Prometheus gives for one series
//! (`web/api/v1/api.go`, "exceeded maximum resolution of 11,000 points").

use chrono::{DateTime, TimeDelta, Utc};

/// A server refuses a range query with more steps than this.
pub const MAX_POINTS: i64 = 11_000;

/// Steps that people can read off an axis, in seconds.
const STEPS: &[i64] = &[
    1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1_800, 3_600, 7_200, 14_400, 21_600, 43_200,
    86_400,
];

/// What a screen wants to see; the step follows from it, unless it is given.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct RangeWish {
    pub length_seconds: u32,
    /// How many points can be told apart where it is drawn.
    pub columns: u16,
    /// `None`: chosen from the length and the columns.
    pub step_seconds: Option<u32>,
}

impl RangeWish {
    /// Wants so many seconds up to now on so many columns.
    pub fn last(length_seconds: u32, columns: u16) -> Self {
        Self {
            length_seconds,
            columns,
            step_seconds: None,
        }
    }
}

/// Evenly spaced instants, both ends included.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Grid {
    pub start: DateTime<Utc>,
    pub end: DateTime<Utc>,
    pub step: TimeDelta,
}

impl Grid {
    /// Chooses the instants for a wish; `scrape` is how often the server reads its targets.
    pub fn for_wish(wish: RangeWish, scrape: TimeDelta, now: DateTime<Utc>) -> Self {
        let length = i64::from(wish.length_seconds.max(1));
        let columns = i64::from(wish.columns.max(2));
        let chosen = match wish.step_seconds {
            Some(step) => i64::from(step.max(1)),
            None => round_up(ceil_div(length, columns).max(scrape.num_seconds()).max(1)),
        };
        // A step asked for by hand must not make the server refuse the query.
        let least = ceil_div(length, MAX_POINTS - 1);
        let step = if chosen < least {
            round_up(least)
        } else {
            chosen
        };
        let end = now.timestamp().div_euclid(step) * step;
        let start = (end - length).div_euclid(step) * step;
        Self {
            start: instant(start, now),
            end: instant(end, now),
            step: TimeDelta::seconds(step),
        }
    }

    /// Returns how many instants there are.
    pub fn len(&self) -> usize {
        let step = self.step.num_milliseconds().max(1);
        let span = (self.end - self.start).num_milliseconds().max(0);
        usize::try_from(span / step).unwrap_or_default() + 1
    }

    /// A grid has one instant at least.
    pub fn is_empty(&self) -> bool {
        false
    }

    /// Returns the instants in order.
    pub fn instants(&self) -> impl Iterator<Item = DateTime<Utc>> + use<> {
        let Self { start, step, .. } = *self;
        let step = step.num_milliseconds().max(1);
        (0..self.len() as i64).map(move |number| start + TimeDelta::milliseconds(step * number))
    }

    /// Returns the window for `rate`: four scrapes, and never less than a step and a scrape.
    ///
    /// The rule of Grafana's `$__rate_interval`.
    pub fn rate_window(&self, scrape: TimeDelta) -> TimeDelta {
        (scrape * 4).max(self.step + scrape)
    }
}

fn instant(seconds: i64, fallback: DateTime<Utc>) -> DateTime<Utc> {
    DateTime::from_timestamp(seconds, 0).unwrap_or(fallback)
}

fn ceil_div(dividend: i64, divisor: i64) -> i64 {
    dividend.div_euclid(divisor) + i64::from(dividend.rem_euclid(divisor) != 0)
}

fn round_up(seconds: i64) -> i64 {
    let fitting = STEPS.iter().copied().find(|step| *step >= seconds);
    fitting.unwrap_or_else(|| ceil_div(seconds, 86_400) * 86_400)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(seconds: i64) -> DateTime<Utc> {
        DateTime::from_timestamp(seconds, 0).expect("a time")
    }

    #[test]
    fn polls_within_one_step_ask_for_the_same_instants() {
        let wish = RangeWish::last(3_600, 120);
        let first = Grid::for_wish(wish, TimeDelta::seconds(15), at(1_767_227_401));
        let second = Grid::for_wish(wish, TimeDelta::seconds(15), at(1_767_227_419));

        assert_eq!(first, second);
        assert_eq!(first.step, TimeDelta::seconds(30));
        assert_eq!(first.end.timestamp() % 30, 0);
        assert_eq!(first.len(), 121);
    }

    #[test]
    fn no_wish_exceeds_what_a_server_gives() {
        for length in [1, 60, 10_999, 11_000, 11_001, 86_400, 31_536_000, u32::MAX] {
            for step in [None, Some(1), Some(7)] {
                for columns in [0, 1, 80, u16::MAX] {
                    let wish = RangeWish {
                        length_seconds: length,
                        columns,
                        step_seconds: step,
                    };
                    let grid = Grid::for_wish(wish, TimeDelta::seconds(1), at(1_767_227_401));
                    let steps = (grid.end - grid.start).num_seconds() / grid.step.num_seconds();
                    assert!(steps <= MAX_POINTS, "{wish:?}: {steps}");
                    assert!(grid.len() >= 2, "{wish:?}");
                }
            }
        }
    }

    #[test]
    fn rates_span_four_scrapes_at_least() {
        let wish = RangeWish::last(600, 600);
        let grid = Grid::for_wish(wish, TimeDelta::seconds(15), at(1_767_227_401));

        assert_eq!(grid.step, TimeDelta::seconds(15), "never below a scrape");
        assert_eq!(
            grid.rate_window(TimeDelta::seconds(15)),
            TimeDelta::seconds(60)
        );
    }
}
