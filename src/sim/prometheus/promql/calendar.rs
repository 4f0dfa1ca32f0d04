//! What day or hour a number of seconds since 1970 falls on, in UTC.

use chrono::{DateTime, Datelike, Timelike, Utc};

/// A function of a time.
pub(super) type Part = fn(f64) -> f64;

/// Returns the function of a name.
pub(super) fn by_name(name: &str) -> Option<Part> {
    Some(match name {
        "day_of_month" => |time| part(time, |date| f64::from(date.day())),
        "day_of_week" => |time| {
            part(time, |date| {
                f64::from(date.weekday().num_days_from_sunday())
            })
        },
        "day_of_year" => |time| part(time, |date| f64::from(date.ordinal())),
        "days_in_month" => |time| part(time, days_in_month),
        "hour" => |time| part(time, |date| f64::from(date.hour())),
        "minute" => |time| part(time, |date| f64::from(date.minute())),
        "month" => |time| part(time, |date| f64::from(date.month())),
        "year" => |time| part(time, |date| f64::from(date.year())),
        _ => return None,
    })
}

fn part(seconds: f64, part: fn(DateTime<Utc>) -> f64) -> f64 {
    if seconds.is_nan() {
        return f64::NAN;
    }
    DateTime::from_timestamp(seconds as i64, 0).map_or(f64::NAN, part)
}

fn days_in_month(date: DateTime<Utc>) -> f64 {
    f64::from(date.num_days_in_month())
}
