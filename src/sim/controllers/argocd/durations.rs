//! Go durations (`1h30m`, `300ms`), which Argo CD uses in retry policies and sync windows.
//!
//! A bare number is seconds (`util/time` in Argo CD).

use chrono::TimeDelta;

/// Parses a duration; a bare number is seconds.
pub fn parse(text: &str) -> Result<TimeDelta, String> {
    let trimmed = text.trim();
    let refuse = || format!("`{text}` is not a duration such as `30s`, `5m` or `1h30m`");
    if let Ok(seconds) = trimmed.parse::<i64>() {
        return TimeDelta::try_seconds(seconds).ok_or_else(refuse);
    }
    let (negative, mut rest) = match trimmed.strip_prefix('-') {
        Some(rest) => (true, rest),
        None => (false, trimmed.strip_prefix('+').unwrap_or(trimmed)),
    };
    if rest.is_empty() {
        return Err(refuse());
    }
    let mut nanos: f64 = 0.0;
    while !rest.is_empty() {
        let end = rest
            .find(|c: char| !c.is_ascii_digit() && c != '.')
            .ok_or_else(refuse)?;
        let (number, tail) = rest.split_at(end);
        let number: f64 = number.parse().map_err(|_error| refuse())?;
        let end = tail
            .find(|c: char| c.is_ascii_digit() || c == '.')
            .unwrap_or(tail.len());
        let (unit, tail) = tail.split_at(end);
        nanos += number * nanos_of(unit).ok_or_else(refuse)?;
        rest = tail;
    }
    // Beyond about 292 years Go refuses as well.
    if nanos > 9.2e18 {
        return Err(refuse());
    }
    let nanos = nanos.round() as i64;
    Ok(TimeDelta::nanoseconds(if negative {
        -nanos
    } else {
        nanos
    }))
}

fn nanos_of(unit: &str) -> Option<f64> {
    Some(match unit {
        "ns" => 1.0,
        "us" | "µs" | "μs" => 1e3,
        "ms" => 1e6,
        "s" => 1e9,
        "m" => 60e9,
        "h" => 3600e9,
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_what_go_reads_and_bare_seconds() {
        let cases = [
            ("30", 30_000),
            ("0", 0),
            ("90s", 90_000),
            ("1h30m", 5_400_000),
            ("1.5h", 5_400_000),
            ("300ms", 300),
            ("2m0.5s", 120_500),
            ("-1m", -60_000),
        ];
        for (text, millis) in cases {
            assert_eq!(parse(text), Ok(TimeDelta::milliseconds(millis)), "{text}");
        }
    }

    #[test]
    fn refuses_what_go_refuses() {
        for text in ["", "-", "5 m", "m", "1d", "1h30", "one"] {
            assert!(parse(text).is_err(), "{text}");
        }
    }
}
