//! Spans of time as Go writes them: `30s`, `1h30m`, `1.5h`, `-100ms`. Pure.

use chrono::TimeDelta;

/// Reads a duration as Go's `time.ParseDuration` does, with its words when it cannot.
pub(in crate::sim::controllers) fn go(text: &str) -> Result<TimeDelta, String> {
    let invalid = || format!("time: invalid duration {text:?}");
    let (negative, unsigned) = match text.strip_prefix('-') {
        Some(rest) => (true, rest),
        None => (false, text.strip_prefix('+').unwrap_or(text)),
    };
    if unsigned == "0" {
        return Ok(TimeDelta::zero());
    }
    let mut nanos = 0.0;
    let mut rest = unsigned;
    if rest.is_empty() {
        return Err(invalid());
    }
    while !rest.is_empty() {
        let digits = rest.len()
            - rest
                .trim_start_matches(|c: char| c.is_ascii_digit() || c == '.')
                .len();
        let (number, after) = rest.split_at_checked(digits).ok_or_else(invalid)?;
        let number: f64 = number.parse().map_err(|_not_a_number| invalid())?;
        let letters = after.len()
            - after
                .trim_start_matches(|c: char| !c.is_ascii_digit() && c != '.')
                .len();
        let (unit, next) = after.split_at_checked(letters).ok_or_else(invalid)?;
        let factor = match unit {
            "ns" => 1.0,
            "us" | "µs" | "μs" => 1e3,
            "ms" => 1e6,
            "s" => 1e9,
            "m" => 60e9,
            "h" => 3600e9,
            "" => return Err(format!("time: missing unit in duration {text:?}")),
            unit => return Err(format!("time: unknown unit {unit:?} in duration {text:?}")),
        };
        nanos += number * factor;
        rest = next;
    }
    if nanos > i64::MAX as f64 {
        return Err(invalid());
    }
    let span = TimeDelta::nanoseconds(nanos as i64);
    Ok(if negative { -span } else { span })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_are_read_as_go_does() {
        for (text, millis) in [
            ("30s", 30_000),
            ("1h30m", 5_400_000),
            ("1.5h", 5_400_000),
            ("-100ms", -100),
            ("+2m", 120_000),
            ("0", 0),
            (".5s", 500),
        ] {
            assert_eq!(go(text), Ok(TimeDelta::milliseconds(millis)), "{text}");
        }
        for (text, wanted) in [
            ("", "time: invalid duration \"\""),
            ("5", "time: missing unit in duration \"5\""),
            ("5d", "time: unknown unit \"d\" in duration \"5d\""),
            ("s", "time: invalid duration \"s\""),
            ("1..5s", "time: invalid duration \"1..5s\""),
        ] {
            assert_eq!(go(text), Err(wanted.to_owned()), "{text}");
        }
    }
}
