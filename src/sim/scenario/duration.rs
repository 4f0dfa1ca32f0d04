//! Spans of time as scenarios write them: `45s`, `3h`, `1h30m`, `21d`.

use std::time::Duration;

/// Reads a span; the error says what is expected.
pub(super) fn parse(text: &str) -> Result<Duration, String> {
    let wrong = || format!("`{text}` is not a span of time such as `45s`, `10m`, `3h` or `21d`");
    let mut total = 0.0;
    let mut number = String::new();
    let mut is_complete = false;
    for letter in text.trim().chars() {
        if letter.is_ascii_digit() || letter == '.' {
            number.push(letter);
            is_complete = false;
            continue;
        }
        let seconds = match letter {
            's' => 1.0,
            'm' => 60.0,
            'h' => 3_600.0,
            'd' => 86_400.0,
            _ => return Err(wrong()),
        };
        let count: f64 = number.parse().map_err(|_not_a_number| wrong())?;
        total += count * seconds;
        number.clear();
        is_complete = true;
    }
    if !is_complete {
        return Err(wrong());
    }
    Duration::try_from_secs_f64(total).map_err(|_too_long| wrong())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spans_are_read_and_bare_numbers_refused() {
        assert_eq!(parse("45s"), Ok(Duration::from_secs(45)));
        assert_eq!(parse("1h30m"), Ok(Duration::from_secs(5_400)));
        assert_eq!(parse("21d"), Ok(Duration::from_secs(21 * 86_400)));
        assert_eq!(parse("0.5s"), Ok(Duration::from_millis(500)));
        for wrong in ["", "5", "s", "5x", "m5"] {
            assert!(parse(wrong).is_err(), "{wrong}");
        }
    }
}
