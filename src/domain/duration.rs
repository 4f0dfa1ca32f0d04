//! Spans of time as people and Go programs write them.

use chrono::TimeDelta;

/// Reads a Go duration such as `1h30m`, `90s` or `500ms`; a bare number counts seconds.
///
/// Argo CD `pkg/apis/application/v1alpha1/types.go`, `parseStringToDuration`.
pub fn parse_duration(text: &str) -> Option<TimeDelta> {
    let text = text.trim();
    if let Ok(seconds) = text.parse::<i64>() {
        return TimeDelta::try_seconds(seconds);
    }
    let (negative, mut rest) = match text.strip_prefix('-') {
        Some(rest) => (true, rest),
        None => (false, text),
    };
    if rest.is_empty() {
        return None;
    }
    let mut nanoseconds = 0.0_f64;
    while !rest.is_empty() {
        let digits = rest.find(|c: char| !c.is_ascii_digit() && c != '.')?;
        let (number, tail) = rest.split_at_checked(digits)?;
        let unit_end = tail
            .find(|c: char| c.is_ascii_digit() || c == '.')
            .unwrap_or(tail.len());
        let (unit, next) = tail.split_at_checked(unit_end)?;
        nanoseconds += number.parse::<f64>().ok()? * nanoseconds_in(unit)?;
        rest = next;
    }
    let signed = if negative { -nanoseconds } else { nanoseconds };
    (signed.abs() < 9.0e18).then(|| TimeDelta::nanoseconds(signed as i64))
}

fn nanoseconds_in(unit: &str) -> Option<f64> {
    Some(match unit {
        "ns" => 1.0,
        "us" | "µs" | "μs" => 1.0e3,
        "ms" => 1.0e6,
        "s" => 1.0e9,
        "m" => 60.0e9,
        "h" => 3_600.0e9,
        _ => return None,
    })
}

/// Writes a span in the largest whole unit: `5s`, `3m`, `2h`, `4d`; never negative.
pub fn short_span(span: TimeDelta) -> String {
    let seconds = span.num_seconds().max(0);
    match seconds {
        0..60 => format!("{seconds}s"),
        60..3_600 => format!("{}m", seconds / 60),
        3_600..86_400 => format!("{}h", seconds / 3_600),
        _ => format!("{}d", seconds / 86_400),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn go_durations_are_read_and_nonsense_is_refused() {
        assert_eq!(parse_duration("1h30m"), Some(TimeDelta::minutes(90)));
        assert_eq!(parse_duration("1.5s"), Some(TimeDelta::milliseconds(1_500)));
        assert_eq!(parse_duration("-2m"), Some(TimeDelta::minutes(-2)));
        assert_eq!(parse_duration("15"), Some(TimeDelta::seconds(15)));
        for nonsense in ["", "-", "5", "h", "5x", "1.2.3s", "5 m", "m5"] {
            let read = parse_duration(nonsense);
            assert_eq!(read.is_some(), nonsense == "5", "{nonsense}: {read:?}");
        }
    }

    #[test]
    fn spans_use_the_largest_whole_unit() {
        assert_eq!(short_span(TimeDelta::seconds(59)), "59s");
        assert_eq!(short_span(TimeDelta::seconds(7_300)), "2h");
        assert_eq!(short_span(TimeDelta::days(12)), "12d");
        assert_eq!(short_span(TimeDelta::seconds(-5)), "0s");
    }
}
