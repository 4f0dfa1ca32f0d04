//! Ages as people read them: `5s 3m 2h 4d`.
//!
//! A screen shows the text, and sleeps until [`next_change`]: no age repaints before it reads
//! differently.

use super::duration::short_span;
use chrono::{DateTime, TimeDelta, Utc};

const MINUTE: i64 = 60;
const HOUR: i64 = 60 * MINUTE;
const DAY: i64 = 24 * HOUR;

/// Returns the age in its largest whole unit; a time in the future is `0s`.
pub fn age_text(since: DateTime<Utc>, now: DateTime<Utc>) -> String {
    short_span(now - since)
}

/// Returns when [`age_text`] will read differently from what it reads now.
pub fn next_change(since: DateTime<Utc>, now: DateTime<Utc>) -> DateTime<Utc> {
    let seconds = (now - since).num_seconds();
    let unit = match seconds {
        ..MINUTE => 1,
        MINUTE..HOUR => MINUTE,
        HOUR..DAY => HOUR,
        _ => DAY,
    };
    since + TimeDelta::seconds((seconds.max(0) / unit + 1) * unit)
}

/// Reads `90s`, `15m`, `2h`, `4d`, `1w` or a sum of them such as `1h30m`.
pub fn parse_span(text: &str) -> Option<TimeDelta> {
    let mut total = 0_i64;
    let mut digits = String::new();
    for letter in text.trim().chars() {
        if letter.is_ascii_digit() {
            digits.push(letter);
            continue;
        }
        let unit = match letter {
            's' => 1,
            'm' => MINUTE,
            'h' => HOUR,
            'd' => DAY,
            'w' => 7 * DAY,
            _ => return None,
        };
        let count: i64 = digits.parse().ok()?;
        total = total.checked_add(count.checked_mul(unit)?)?;
        digits.clear();
    }
    (digits.is_empty() && !text.trim().is_empty())
        .then(|| TimeDelta::try_seconds(total))
        .flatten()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(seconds: i64) -> DateTime<Utc> {
        DateTime::UNIX_EPOCH + TimeDelta::seconds(seconds)
    }

    #[test]
    fn age_is_its_largest_whole_unit() {
        let ages: Vec<_> = [0, 59, 60, 3_599, 3_600, 86_399, 86_400, 400 * 86_400]
            .map(|seconds| age_text(at(0), at(seconds)))
            .into();

        assert_eq!(ages, ["0s", "59s", "1m", "59m", "1h", "23h", "1d", "400d"]);
    }

    #[test]
    fn next_change_is_the_first_second_that_reads_differently() {
        for seconds in [0, 1, 59, 60, 61, 3_599, 3_600, 86_399, 90_000] {
            let now = at(seconds);
            let change = next_change(at(0), now);

            assert_ne!(age_text(at(0), change), age_text(at(0), now));
            let before = change - TimeDelta::seconds(1);
            assert_eq!(age_text(at(0), before), age_text(at(0), now));
        }
    }

    #[test]
    fn span_is_read_with_units_only() {
        assert_eq!(parse_span("1h30m"), Some(TimeDelta::minutes(90)));
        assert_eq!(parse_span("2d"), Some(TimeDelta::days(2)));
        assert_eq!(parse_span("15"), None);
        assert_eq!(parse_span("h"), None);
        assert_eq!(parse_span("3y"), None);
    }
}
