//! Cells that many kinds share, and spans of time as `kubectl` writes them.

use crate::sim::apiserver::json;
use chrono::{DateTime, TimeDelta, Utc};
use serde_json::Value;

/// Writes a span as `duration.HumanDuration` does: `5s`, `2m30s`, `3h`, `12d`.
pub(super) fn span(span: TimeDelta) -> String {
    let seconds = span.num_seconds();
    let (minutes, hours) = (seconds / 60, seconds / 3_600);
    let (days, years) = (hours / 24, hours / (24 * 365));
    let pair = |big: i64, unit: &str, small: i64, rest: &str| {
        if small == 0 {
            format!("{big}{unit}")
        } else {
            format!("{big}{unit}{small}{rest}")
        }
    };
    match seconds {
        ..-1 => "<invalid>".to_owned(),
        -1..0 => "0s".to_owned(),
        0..120 => format!("{seconds}s"),
        _ if minutes < 10 => pair(minutes, "m", seconds % 60, "s"),
        _ if minutes < 180 => format!("{minutes}m"),
        _ if hours < 8 => pair(hours, "h", minutes % 60, "m"),
        _ if hours < 48 => format!("{hours}h"),
        _ if hours < 192 => pair(days, "d", hours % 24, "h"),
        _ if years < 2 => format!("{days}d"),
        _ if years < 8 => pair(years, "y", days % 365, "d"),
        _ => format!("{years}y"),
    }
}

/// Writes how long ago an instant was.
pub(super) fn since(time: &str, now: DateTime<Utc>) -> String {
    DateTime::parse_from_rfc3339(time)
        .map_or_else(|_| "<unknown>".to_owned(), |time| span(now - time.to_utc()))
}

/// The age of an object.
pub(super) fn age(object: &Value, now: DateTime<Utc>) -> Value {
    json::meta_text(object, "creationTimestamp")
        .map_or_else(|| "<unknown>".to_owned(), |time| since(time, now))
        .into()
}

/// The text at a path, or `otherwise`.
pub(super) fn text(object: &Value, path: &[&str], otherwise: &str) -> Value {
    json::text_at(object, path).unwrap_or(otherwise).into()
}

/// The number at a path, or zero.
pub(super) fn number(object: &Value, path: &[&str]) -> i64 {
    json::at(object, path).and_then(Value::as_i64).unwrap_or(0)
}

/// The list at a path.
pub(super) fn list<'a>(object: &'a Value, path: &[&str]) -> &'a [Value] {
    json::at(object, path)
        .and_then(Value::as_array)
        .map_or(&[][..], Vec::as_slice)
}

/// Joins texts, or says that there are none.
pub(super) fn joined(texts: &[String]) -> String {
    if texts.is_empty() {
        "<none>".to_owned()
    } else {
        texts.join(",")
    }
}

/// How many entries the maps at some fields have together.
pub(super) fn entries(object: &Value, fields: &[&str]) -> Value {
    fields
        .iter()
        .filter_map(|field| object.get(field)?.as_object())
        .map(serde_json::Map::len)
        .sum::<usize>()
        .into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spans_read_as_kubectl_writes_them() {
        let cases = [
            (5, "5s"),
            (119, "119s"),
            (120, "2m"),
            (150, "2m30s"),
            (3_600, "60m"),
            (4 * 3_600 + 120, "4h2m"),
            (30 * 3_600, "30h"),
            (3 * 86_400, "3d"),
            (3 * 86_400 + 7_200, "3d2h"),
            (12 * 86_400, "12d"),
            (3 * 365 * 86_400, "3y"),
        ];
        for (seconds, expected) in cases {
            assert_eq!(span(TimeDelta::seconds(seconds)), expected);
        }
    }
}
