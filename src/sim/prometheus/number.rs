//! Numbers, times and durations as Prometheus reads and writes them.

use std::fmt::Write as _;

/// Writes a sample's value as the HTTP API does: plain, or with an exponent when very large or small.
pub fn api_value(value: f64) -> String {
    let magnitude = value.abs();
    if !value.is_finite() {
        return special(value);
    }
    if magnitude != 0.0 && !(1e-6..1e21).contains(&magnitude) {
        return exponent(value);
    }
    plain(value)
}

/// Writes a number plainly, however long it gets (Go's `'f', -1`).
pub fn plain(value: f64) -> String {
    if value.is_finite() {
        format!("{value}")
    } else {
        special(value)
    }
}

/// Writes a number with an exponent of at least two digits (Go's `'e', -1`).
pub fn exponent(value: f64) -> String {
    if !value.is_finite() {
        return special(value);
    }
    let text = format!("{value:e}");
    let (digits, power) = text.split_once('e').unwrap_or((&text, "0"));
    let (sign, power) = match power.strip_prefix('-') {
        Some(power) => ('-', power),
        None => ('+', power),
    };
    format!("{digits}e{sign}{power:0>2}")
}

/// Writes a number as templates do (Go's `%v`): with an exponent from a million on.
pub fn general(value: f64) -> String {
    let magnitude = value.abs();
    if value.is_finite() && magnitude != 0.0 && !(1e-4..1e6).contains(&magnitude) {
        return exponent(value);
    }
    plain(value)
}

/// Writes a number with four significant digits (Go's `%.4g`).
pub fn short(value: f64) -> String {
    if !value.is_finite() {
        return special(value);
    }
    if value == 0.0 {
        return "0".to_owned();
    }
    let text = format!("{value:.3e}");
    let (digits, power) = text.split_once('e').unwrap_or((&text, "0"));
    let power: i32 = power.parse().unwrap_or_default();
    if !(-4..4).contains(&power) {
        let digits = trimmed(digits);
        let sign = if power < 0 { '-' } else { '+' };
        return format!("{digits}e{sign}{:02}", power.abs());
    }
    let places = usize::try_from(3 - power).unwrap_or_default();
    trimmed(&format!("{value:.places$}")).to_owned()
}

fn trimmed(digits: &str) -> &str {
    if digits.contains('.') {
        digits.trim_end_matches('0').trim_end_matches('.')
    } else {
        digits
    }
}

fn special(value: f64) -> String {
    match value {
        nan if nan.is_nan() => "NaN",
        high if high > 0.0 => "+Inf",
        _ => "-Inf",
    }
    .to_owned()
}

/// Reads a number, with the special ones; nothing else, not even spaces.
pub fn parse_value(text: &str) -> Option<f64> {
    if let Some(hex) = text.strip_prefix("0x").or_else(|| text.strip_prefix("0X")) {
        return i64::from_str_radix(hex, 16)
            .ok()
            .map(|number| number as f64);
    }
    text.parse().ok()
}

/// The units of durations, largest first, in milliseconds.
const UNITS: [(&str, i64); 7] = [
    ("y", 365 * 86_400_000),
    ("w", 7 * 86_400_000),
    ("d", 86_400_000),
    ("h", 3_600_000),
    ("m", 60_000),
    ("s", 1000),
    ("ms", 1),
];

/// Reads a duration such as `1h30m` into milliseconds: whole numbers, units in falling order.
pub fn parse_duration(text: &str) -> Option<i64> {
    if text == "0" {
        return Some(0);
    }
    let mut total: i64 = 0;
    let mut rest = text;
    let mut units = UNITS.iter();
    while !rest.is_empty() {
        let digits = rest.len() - rest.trim_start_matches(|c: char| c.is_ascii_digit()).len();
        let (number, after) = rest.split_at(digits);
        let letters = after.len()
            - after
                .trim_start_matches(|c: char| c.is_ascii_lowercase())
                .len();
        let (unit, after) = after.split_at(letters);
        let (_, size) = units.find(|(name, _)| *name == unit)?;
        total = total.checked_add(number.parse::<i64>().ok()?.checked_mul(*size)?)?;
        rest = after;
    }
    (!text.is_empty()).then_some(total)
}

/// Writes a duration in milliseconds; years and weeks only when nothing remains.
pub fn duration(milliseconds: i64) -> String {
    if milliseconds == 0 {
        return "0s".to_owned();
    }
    let mut rest = milliseconds;
    let mut out = String::new();
    for (unit, size) in UNITS {
        let exact_only = unit == "y" || unit == "w";
        let count = rest / size;
        if count > 0 && !(exact_only && rest % size != 0) {
            // Writing to a string cannot fail.
            write!(out, "{count}{unit}").unwrap_or_default();
            rest %= size;
        }
    }
    out
}

/// Reads a time of the API: seconds, or RFC 3339; the result is in milliseconds.
pub fn parse_time(text: &str) -> Option<i64> {
    if let Ok(seconds) = text.parse::<f64>() {
        let milliseconds = (seconds * 1000.0).round();
        return (milliseconds.abs() < 9.0e15).then_some(milliseconds as i64);
    }
    chrono::DateTime::parse_from_rfc3339(text)
        .ok()
        .map(|time| time.timestamp_millis())
}

/// Reads a span of the API: seconds, or a duration; the result is in milliseconds.
pub fn parse_span(text: &str) -> Option<i64> {
    if let Ok(seconds) = text.parse::<f64>() {
        let milliseconds = (seconds * 1000.0).round();
        return (milliseconds.abs() < 9.0e15).then_some(milliseconds as i64);
    }
    parse_duration(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_are_written_as_the_api_writes_them() {
        let written: Vec<String> = [1.0, 0.1, 1e-9, 1e21, 1e20, f64::NAN, f64::INFINITY, -0.0]
            .into_iter()
            .map(api_value)
            .collect();

        assert_eq!(
            written,
            [
                "1",
                "0.1",
                "1e-09",
                "1e+21",
                "100000000000000000000",
                "NaN",
                "+Inf",
                "-0"
            ]
        );
    }

    #[test]
    fn four_digits_are_enough_for_people() {
        let written: Vec<String> = [0.12345, 1234.56, 12345.0, 99.999, 1.0, 0.00001]
            .into_iter()
            .map(short)
            .collect();

        assert_eq!(
            written,
            ["0.1235", "1235", "1.234e+04", "100", "1", "1e-05"]
        );
    }

    #[test]
    fn durations_are_read_and_written() {
        assert_eq!(parse_duration("1h30m"), Some(5_400_000));
        assert_eq!(parse_duration("30m1h"), None);
        assert_eq!(parse_duration("0.5s"), None);
        assert_eq!(parse_duration(""), None);
        assert_eq!(duration(5_400_000), "1h30m");
        assert_eq!(duration(90 * 86_400_000), "90d");
    }
}
