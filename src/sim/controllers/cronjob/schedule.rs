//! Cron expressions: when a schedule falls due next. Pure, in UTC.

use chrono::{DateTime, Datelike, TimeDelta, Timelike, Utc};

/// A schedule no longer than this without falling due is taken to never do so (29 February).
const MOST_DAYS: i64 = 366 * 8;

/// A parsed cron expression of five fields.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Schedule {
    minutes: u64,
    hours: u64,
    days: u64,
    months: u64,
    weekdays: u64,
    any_day: bool,
    any_weekday: bool,
}

impl Schedule {
    /// Reads an expression such as `*/5 9-17 * * mon-fri` or `@hourly`.
    ///
    /// # Errors
    /// A sentence that names the field that cannot be read.
    pub fn parse(text: &str) -> Result<Self, String> {
        let text = match text.trim() {
            "@yearly" | "@annually" => "0 0 1 1 *",
            "@monthly" => "0 0 1 * *",
            "@weekly" => "0 0 * * 0",
            "@daily" | "@midnight" => "0 0 * * *",
            "@hourly" => "0 * * * *",
            other => other,
        };
        let fields: Vec<&str> = text.split_whitespace().collect();
        let [minute, hour, day, month, weekday] = fields.as_slice() else {
            return Err(format!(
                "expected exactly 5 fields, found {}: [{text}]",
                fields.len()
            ));
        };
        let mut weekdays = field(weekday, (0, 7), &DAYS)?;
        if weekdays & (1 << 7) != 0 {
            weekdays |= 1;
        }
        Ok(Self {
            minutes: field(minute, (0, 59), &[])?,
            hours: field(hour, (0, 23), &[])?,
            days: field(day, (1, 31), &[])?,
            months: field(month, (1, 12), &MONTHS)?,
            weekdays,
            any_day: day.starts_with(['*', '?']),
            any_weekday: weekday.starts_with(['*', '?']),
        })
    }

    /// Returns the first time after `after` at which the schedule falls due.
    pub fn next(&self, after: DateTime<Utc>) -> Option<DateTime<Utc>> {
        let minute = after.timestamp().div_euclid(60) * 60 + 60;
        let first = DateTime::from_timestamp(minute, 0)?;
        let mut day = first.date_naive();
        for offset in 0..MOST_DAYS {
            if self.has_day(day.day(), day.month(), day.weekday().num_days_from_sunday()) {
                let (hour, minute) = if offset == 0 {
                    (first.hour(), first.minute())
                } else {
                    (0, 0)
                };
                if let Some((hour, minute)) = self.time_from(hour, minute) {
                    return day.and_hms_opt(hour, minute, 0).map(|time| time.and_utc());
                }
            }
            day = day.checked_add_signed(TimeDelta::days(1))?;
        }
        None
    }

    fn has_day(&self, day: u32, month: u32, weekday: u32) -> bool {
        if self.months & (1 << month) == 0 {
            return false;
        }
        let by_day = self.days & (1 << day) != 0;
        let by_weekday = self.weekdays & (1 << weekday) != 0;
        // If both are restricted, either will do.
        if self.any_day || self.any_weekday {
            by_day && by_weekday
        } else {
            by_day || by_weekday
        }
    }

    fn time_from(&self, hour: u32, minute: u32) -> Option<(u32, u32)> {
        (hour..24)
            .filter(|one| self.hours & (1 << one) != 0)
            .find_map(|one| {
                let from = if one == hour { minute } else { 0 };
                let found = (from..60).find(|minute| self.minutes & (1 << minute) != 0)?;
                Some((one, found))
            })
    }
}

const MONTHS: [&str; 12] = [
    "jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec",
];
const DAYS: [&str; 7] = ["sun", "mon", "tue", "wed", "thu", "fri", "sat"];

/// Reads one field as a set of bits.
fn field(text: &str, (low, high): (u32, u32), names: &[&str]) -> Result<u64, String> {
    let bad = || format!("failed to parse `{text}`: expected numbers from {low} to {high}");
    let value = |text: &str| -> Option<u32> {
        let lower = text.to_lowercase();
        names
            .iter()
            .position(|name| *name == lower)
            .map(|index| index as u32 + low)
            .or_else(|| text.parse().ok())
    };
    let mut bits = 0;
    for part in text.split(',') {
        let (range, step) = match part.split_once('/') {
            Some((range, step)) => (range, step.parse().ok().ok_or_else(bad)?),
            None => (part, 1_u32),
        };
        let (start, end) = match range.split_once('-') {
            Some((start, end)) => (value(start).ok_or_else(bad)?, value(end).ok_or_else(bad)?),
            None if matches!(range, "*" | "?") => (low, high),
            None => {
                let start = value(range).ok_or_else(bad)?;
                (start, if part.contains('/') { high } else { start })
            }
        };
        if start < low || end > high || start > end || step == 0 {
            return Err(bad());
        }
        bits |= (start..=end)
            .step_by(step as usize)
            .fold(0_u64, |bits, one| bits | (1 << one));
    }
    Ok(bits)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn next(schedule: &str, after: &str) -> String {
        let after = after.parse().expect("a time");
        let schedule = Schedule::parse(schedule).expect("a schedule");
        let next = schedule.next(after).map(|next| next.to_rfc3339());
        next.unwrap_or_default().replace("+00:00", "Z")
    }

    #[test]
    fn schedules_fall_due_as_cron_says() {
        assert_eq!(
            next("*/15 * * * *", "2026-11-21T10:15:00Z"),
            "2026-11-21T10:30:00Z"
        );
        assert_eq!(
            next("0 0 1 1 *", "2026-11-21T10:15:00Z"),
            "2027-01-01T00:00:00Z"
        );
        assert_eq!(
            next("30 9 * * mon-fri", "2026-11-21T10:15:00Z"),
            "2026-11-23T09:30:00Z"
        );
        assert_eq!(
            next("0 12 13 * 5", "2026-11-21T10:15:00Z"),
            "2026-11-27T12:00:00Z"
        );
        assert_eq!(
            next("0 0 29 2 *", "2026-11-21T10:15:00Z"),
            "2028-02-29T00:00:00Z"
        );
        assert_eq!(
            next("@hourly", "2026-11-21T10:15:59Z"),
            "2026-11-21T11:00:00Z"
        );
        assert_eq!(
            next("0 0 * * 7", "2026-11-21T10:15:00Z"),
            "2026-11-22T00:00:00Z"
        );
        assert_eq!(next("0 0 30 2 *", "2026-11-21T10:15:00Z"), "");
    }

    #[test]
    fn bad_expressions_are_refused_with_what_is_wrong() {
        assert!(Schedule::parse("* * * *").is_err_and(|why| why.contains("5 fields, found 4")));
        assert!(Schedule::parse("61 * * * *").is_err_and(|why| why.contains("61")));
        assert!(Schedule::parse("5-1 * * * *").is_err());
        assert!(Schedule::parse("*/0 * * * *").is_err());
    }
}
