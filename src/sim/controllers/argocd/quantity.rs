//! Kubernetes quantities in one spelling, so that `1000m` equals `1` and `1Gi` equals `1024Mi`.

use serde_json::Value;

/// Returns the canonical spelling of a quantity: an integer count of nano-units.
///
/// `None` when the value is no quantity.
pub fn canonical(value: &Value) -> Option<String> {
    let text = match value.as_str() {
        Some(text) => text.trim().to_owned(),
        None => value.as_number()?.to_string(),
    };
    nanos(&text).map(|nanos| format!("{nanos}n"))
}

fn nanos(text: &str) -> Option<i128> {
    let (negative, rest) = match text.strip_prefix('-') {
        Some(rest) => (true, rest),
        None => (false, text.strip_prefix('+').unwrap_or(text)),
    };
    let end = rest
        .find(|c: char| !c.is_ascii_digit() && c != '.')
        .unwrap_or(rest.len());
    let (number, suffix) = rest.split_at(end);
    let (whole, fraction) = number.split_once('.').unwrap_or((number, ""));
    if whole.is_empty() && fraction.is_empty() {
        return None;
    }
    let digits: i128 = format!("0{whole}{fraction}").parse().ok()?;
    let places = u32::try_from(fraction.len()).ok()?;
    let scaled = digits
        .checked_mul(scale(suffix)?)?
        .checked_div(10_i128.checked_pow(places)?)?;
    Some(if negative { -scaled } else { scaled })
}

/// Nano-units in one unit of a suffix.
fn scale(suffix: &str) -> Option<i128> {
    const NANO: i128 = 1_000_000_000;
    let binary = |power: u32| 1024_i128.checked_pow(power).map(|unit| unit * NANO);
    match suffix {
        "n" => Some(1),
        "u" => Some(1_000),
        "m" => Some(1_000_000),
        "" => Some(NANO),
        "k" => Some(NANO * 1_000),
        "M" => Some(NANO * 1_000_000),
        "G" => Some(NANO * 1_000_000_000),
        "T" => Some(NANO * 1_000_000_000_000),
        "P" => Some(NANO * 1_000_000_000_000_000),
        "E" => Some(NANO * 1_000_000_000_000_000_000),
        "Ki" => binary(1),
        "Mi" => binary(2),
        "Gi" => binary(3),
        "Ti" => binary(4),
        "Pi" => binary(5),
        "Ei" => binary(6),
        exponent => {
            let power: i32 = exponent.strip_prefix(['e', 'E'])?.parse().ok()?;
            10_i128.checked_pow(u32::try_from(power + 9).ok()?)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn equal_amounts_have_one_spelling() {
        let pairs = [
            (json!("1000m"), json!("1")),
            (json!("1"), json!(1)),
            (json!("0.5"), json!("500m")),
            (json!("1Gi"), json!("1024Mi")),
            (json!("1G"), json!("1000M")),
            (json!("1e3"), json!("1k")),
            (json!(".5"), json!("500m")),
            (json!(1.5), json!("1500m")),
        ];
        for (one, other) in pairs {
            assert!(canonical(&one).is_some(), "{one}");
            assert_eq!(canonical(&one), canonical(&other), "{one} {other}");
        }
        assert_ne!(canonical(&json!("1G")), canonical(&json!("1Gi")));
    }

    #[test]
    fn words_are_no_quantities() {
        for value in [
            json!("many"),
            json!(""),
            json!("1X"),
            json!(null),
            json!("."),
            json!("1e"),
        ] {
            assert_eq!(canonical(&value), None, "{value}");
        }
    }
}
