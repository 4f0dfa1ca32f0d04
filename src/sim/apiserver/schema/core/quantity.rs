//! Quantities such as `500m` or `1Gi`: what is one, and its canonical form.
//!
//! Upstream: `k8s.io/apimachinery/pkg/api/resource`. A quantity keeps the family of its suffix
//! (decimal, binary, exponent) and is written without fraction in the largest unit that fits.

use serde_json::Value;

/// Says why a value is not a quantity.
pub(in crate::sim::apiserver) fn problem(value: &Value) -> Option<String> {
    const RULE: &str = "quantities must match the regular expression '^([+-]?[0-9.]+)([eEinumkKMGTP]*[-+]?[0-9]*)$'";
    let text = match value {
        Value::String(text) => text.clone(),
        Value::Number(number) => number.to_string(),
        Value::Null => return None,
        Value::Bool(_) | Value::Array(_) | Value::Object(_) => return Some(RULE.to_owned()),
    };
    canonical(&text).is_none().then(|| RULE.to_owned())
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Family {
    Decimal,
    Binary,
    Exponent,
}

const DECIMAL: [(&str, i32); 10] = [
    ("n", -9),
    ("u", -6),
    ("m", -3),
    ("", 0),
    ("k", 3),
    ("M", 6),
    ("G", 9),
    ("T", 12),
    ("P", 15),
    ("E", 18),
];
const BINARY: [(&str, u32); 6] = [
    ("Ki", 10),
    ("Mi", 20),
    ("Gi", 30),
    ("Ti", 40),
    ("Pi", 50),
    ("Ei", 60),
];

/// Returns the canonical form of a quantity; `None` if the text is none.
pub(in crate::sim::apiserver) fn canonical(text: &str) -> Option<String> {
    let (nanos, family) = parse(text)?;
    if nanos == 0 {
        return Some("0".to_owned());
    }
    Some(match family {
        Family::Binary => binary(nanos),
        Family::Decimal => decimal(nanos, |power| {
            let unit = DECIMAL.iter().find(|(_, one)| *one == power);
            unit.map_or("", |(name, _)| name).to_owned()
        }),
        Family::Exponent => decimal(nanos, |power| match power {
            0 => String::new(),
            power => format!("e{power}"),
        }),
    })
}

/// Says whether one quantity is more than another; what is none is not.
pub(in crate::sim::apiserver) fn is_more(one: &Value, other: &Value) -> bool {
    let amount = |value: &Value| {
        let text = value
            .as_str()
            .map_or_else(|| value.to_string(), str::to_owned);
        parse(&text).map(|(nanos, _)| nanos)
    };
    matches!((amount(one), amount(other)), (Some(one), Some(other)) if one > other)
}

/// Reads a quantity into billionths, rounding up what is finer, and the family of its suffix.
fn parse(text: &str) -> Option<(i128, Family)> {
    let (negative, rest) = match text.strip_prefix('-') {
        Some(rest) => (true, rest),
        None => (false, text.strip_prefix('+').unwrap_or(text)),
    };
    let end = rest
        .find(|one: char| !one.is_ascii_digit() && one != '.')
        .unwrap_or(rest.len());
    let (digits, suffix) = rest.split_at(end);
    let (whole, fraction) = digits.split_once('.').unwrap_or((digits, ""));
    if (whole.is_empty() && fraction.is_empty()) || fraction.contains('.') {
        return None;
    }
    let mantissa: i128 = format!("{whole}{fraction}").parse().ok()?;
    let fine = i32::try_from(fraction.len()).ok()?;
    let (power, factor, family) = scale(suffix)?;
    let value = mantissa.checked_mul(factor)?;
    let nanos = shift(value, power - fine + 9)?;
    Some((if negative { -nanos } else { nanos }, family))
}

/// Returns the power of ten, the factor and the family of a suffix.
fn scale(suffix: &str) -> Option<(i32, i128, Family)> {
    if let Some((_, power)) = DECIMAL.iter().find(|(name, _)| *name == suffix) {
        return Some((*power, 1, Family::Decimal));
    }
    if let Some((_, bits)) = BINARY.iter().find(|(name, _)| *name == suffix) {
        return Some((0, 1_i128 << bits, Family::Binary));
    }
    let exponent = suffix.strip_prefix(['e', 'E'])?;
    Some((exponent.parse().ok()?, 1, Family::Exponent))
}

fn shift(value: i128, power: i32) -> Option<i128> {
    let factor = 10_i128.checked_pow(power.unsigned_abs())?;
    if power >= 0 {
        value.checked_mul(factor)
    } else {
        Some(value / factor + i128::from(value % factor != 0))
    }
}

fn decimal(nanos: i128, unit: impl Fn(i32) -> String) -> String {
    let mut value = nanos;
    let mut power = -9;
    while power < 18 && value % 1000 == 0 {
        value /= 1000;
        power += 3;
    }
    format!("{value}{}", unit(power))
}

fn binary(nanos: i128) -> String {
    const BILLION: i128 = 1_000_000_000;
    if nanos % BILLION != 0 || (nanos / BILLION).abs() < 1024 {
        return decimal(nanos, |power| {
            let unit = DECIMAL.iter().find(|(_, one)| *one == power);
            unit.map_or("", |(name, _)| name).to_owned()
        });
    }
    let mut value = nanos / BILLION;
    let mut unit = "";
    for (name, _) in BINARY {
        if value % 1024 != 0 {
            break;
        }
        value /= 1024;
        unit = name;
    }
    format!("{value}{unit}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quantities_have_one_canonical_form() {
        for (given, wanted) in [
            ("1", "1"),
            ("1000m", "1"),
            ("0.5", "500m"),
            ("1.5Gi", "1536Mi"),
            ("1024Mi", "1Gi"),
            ("1000", "1k"),
            ("1e3", "1e3"),
            ("1024", "1024"),
            ("100Mi", "100Mi"),
            ("0", "0"),
            ("-2k", "-2k"),
            ("128974848", "128974848"),
            ("0.1m", "100u"),
        ] {
            assert_eq!(canonical(given).as_deref(), Some(wanted), "{given}");
        }
    }

    #[test]
    fn what_is_no_quantity_is_refused() {
        for text in ["", "1.2.3", "a", "1X", "Gi", "--1", "1 Gi"] {
            assert_eq!(canonical(text), None, "{text}");
        }
    }
}
