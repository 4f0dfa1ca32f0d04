//! Times of the API: RFC 3339 with milliseconds.

use chrono::{DateTime, SecondsFormat};

/// Writes a time.
pub(super) fn text(millis: i64) -> String {
    DateTime::from_timestamp_millis(millis)
        .unwrap_or_default()
        .to_rfc3339_opts(SecondsFormat::Millis, true)
}

/// Reads a time; the zero time of Go means none.
pub(super) fn parse(text: &str) -> Option<i64> {
    let time = DateTime::parse_from_rfc3339(text).ok()?;
    Some(time.timestamp_millis())
}
