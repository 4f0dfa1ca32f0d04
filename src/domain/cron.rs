//! Five-field cron schedules, as sync windows use them.
//!
//! Same rules as robfig/cron's `ParseStandard`: names, ranges, steps, `@daily` and friends; when
//! both day fields are restricted, either may match.

use chrono::{Datelike, Days, NaiveDateTime, NaiveTime, TimeDelta, Timelike};

/// A parsed schedule.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Schedule {
    minutes: u64,
    hours: u64,
    days: u64,
    months: u64,
    weekdays: u64,
    /// Whether the day fields are `*`: then the other one decides alone.
    any_day: bool,
    any_weekday: bool,
}

const MONTHS: [&str; 12] = [
    "jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec",
];
const WEEKDAYS: [&str; 7] = ["sun", "mon", "tue", "wed", "thu", "fri", "sat"];

impl Schedule {
    /// Parses a schedule; the error says which field is wrong.
    pub fn parse(text: &str) -> Result<Self, String> {
        let expanded = match text.trim() {
            "@yearly" | "@annually" => "0 0 1 1 *",
            "@monthly" => "0 0 1 * *",
            "@weekly" => "0 0 * * 0",
            "@daily" | "@midnight" => "0 0 * * *",
            "@hourly" => "0 * * * *",
            other => other,
        };
        let fields: Vec<_> = expanded.split_whitespace().collect();
        let [minutes, hours, days, months, weekdays] = fields.as_slice() else {
            return Err(format!(
                "`{text}` is not a cron schedule: it has {} fields, 5 are needed",
                fields.len()
            ));
        };
        let field = |value: &str, range, names: &[&str]| {
            field(value, range, names).ok_or_else(|| {
                format!("`{text}` is not a cron schedule: `{value}` is out of range or malformed")
            })
        };
        Ok(Self {
            minutes: field(minutes, (0, 59), &[])?,
            hours: field(hours, (0, 23), &[])?,
            days: field(days, (1, 31), &[])?,
            months: field(months, (1, 12), &MONTHS)?,
            weekdays: field(weekdays, (0, 6), &WEEKDAYS)?,
            any_day: is_any(days),
            any_weekday: is_any(weekdays),
        })
    }

    /// Returns the first time after `after` that matches; `None` when there is none in five years.
    pub fn next(&self, after: NaiveDateTime) -> Option<NaiveDateTime> {
        let mut time = after
            .with_second(0)?
            .with_nanosecond(0)?
            .checked_add_signed(TimeDelta::minutes(1))?;
        let limit = after.year() + 5;
        while time.year() <= limit {
            if !has(self.months, time.month()) || !self.day_matches(time) {
                time = time
                    .date()
                    .checked_add_days(Days::new(1))?
                    .and_time(NaiveTime::MIN);
            } else if !has(self.hours, time.hour()) {
                time = time
                    .with_minute(0)?
                    .checked_add_signed(TimeDelta::hours(1))?;
            } else if !has(self.minutes, time.minute()) {
                time = time.checked_add_signed(TimeDelta::minutes(1))?;
            } else {
                return Some(time);
            }
        }
        None
    }

    fn day_matches(&self, time: NaiveDateTime) -> bool {
        let day = has(self.days, time.day());
        let weekday = has(self.weekdays, time.weekday().num_days_from_sunday());
        if self.any_day || self.any_weekday {
            day && weekday
        } else {
            day || weekday
        }
    }
}

fn has(bits: u64, value: u32) -> bool {
    bits >> value & 1 == 1
}

fn is_any(field: &str) -> bool {
    field
        .split(',')
        .any(|part| part == "*" || part == "?" || part.starts_with("*/"))
}

fn field(text: &str, (low, high): (u32, u32), names: &[&str]) -> Option<u64> {
    let number = |word: &str| -> Option<u32> {
        let lower = word.to_ascii_lowercase();
        match names.iter().position(|name| *name == lower) {
            Some(index) => u32::try_from(index).ok().map(|index| index + low),
            None => word.parse().ok(),
        }
    };
    let mut bits = 0;
    for part in text.split(',') {
        let (range, step) = match part.split_once('/') {
            Some((range, step)) => (
                range,
                Some(step.parse::<u32>().ok().filter(|step| *step > 0)?),
            ),
            None => (part, None),
        };
        let (start, end) = if range == "*" || range == "?" {
            (low, high)
        } else if let Some((start, end)) = range.split_once('-') {
            (number(start)?, number(end)?)
        } else {
            let start = number(range)?;
            // `5/10` means from 5 to the end by tens.
            (start, if step.is_some() { high } else { start })
        };
        if start < low || end > high || start > end {
            return None;
        }
        let mut value = start;
        while value <= end {
            bits |= 1 << value;
            value += step.unwrap_or(1);
        }
    }
    Some(bits)
}

#[cfg(test)]
mod tests {
    use super::*;
    use chrono::NaiveDate;

    fn time(text: &str) -> NaiveDateTime {
        NaiveDateTime::parse_from_str(text, "%Y-%m-%d %H:%M").expect("a time")
    }

    #[test]
    fn next_is_the_first_match_after_now() {
        // 2026-11-21 is a Saturday.
        let cases = [
            ("* * * * *", "2026-11-21 10:00", "2026-11-21 10:01"),
            ("0 10 * * *", "2026-11-21 10:00", "2026-11-22 10:00"),
            ("*/15 * * * *", "2026-11-21 10:16", "2026-11-21 10:30"),
            ("0 9 * * mon-fri", "2026-11-21 10:00", "2026-11-23 09:00"),
            ("0 0 1 jan *", "2026-11-21 10:00", "2027-01-01 00:00"),
            ("0 0 13 * 5", "2026-11-21 10:00", "2026-11-27 00:00"),
            ("0 0 29 2 *", "2026-11-21 10:00", "2028-02-29 00:00"),
            ("@hourly", "2026-11-21 10:59", "2026-11-21 11:00"),
            ("5/20 10 * * *", "2026-11-21 10:06", "2026-11-21 10:25"),
        ];
        for (schedule, after, expected) in cases {
            let parsed = Schedule::parse(schedule).expect(schedule);
            assert_eq!(parsed.next(time(after)), Some(time(expected)), "{schedule}");
        }
    }

    #[test]
    fn an_impossible_date_has_no_next() {
        let schedule = Schedule::parse("0 0 30 2 *").expect("it parses");

        assert_eq!(schedule.next(NaiveDate::MIN.and_time(NaiveTime::MIN)), None);
        assert_eq!(schedule.next(time("2026-11-21 10:00")), None);
    }

    #[test]
    fn malformed_schedules_are_refused_with_a_reason() {
        for text in [
            "",
            "* * * *",
            "60 * * * *",
            "* 24 * * *",
            "* * 0 * *",
            "a * * * *",
            "*/0 * * * *",
            "5-1 * * * *",
        ] {
            let error = Schedule::parse(text).expect_err(text);
            assert!(error.contains("cron schedule"), "{error}");
        }
    }
}
