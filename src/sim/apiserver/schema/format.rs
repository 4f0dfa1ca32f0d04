//! The string formats that the API server checks in custom resources.

use base64::Engine as _;

/// Says whether a text has a format. Formats that are not checked accept everything.
///
/// Upstream checks the formats listed in apiextensions-apiserver's `supportedFormats`; those that
/// occur in practice are here.
pub(super) fn matches(format: &str, text: &str) -> bool {
    match format {
        "date-time" => chrono::DateTime::parse_from_rfc3339(text).is_ok(),
        "date" => chrono::NaiveDate::parse_from_str(text, "%Y-%m-%d").is_ok(),
        "byte" => base64::engine::general_purpose::STANDARD
            .decode(text.as_bytes())
            .is_ok(),
        "ipv4" => text.parse::<std::net::Ipv4Addr>().is_ok(),
        "ipv6" => text.parse::<std::net::Ipv6Addr>().is_ok(),
        "uuid" => is_uuid(text),
        "duration" => is_duration(text),
        _ => true,
    }
}

fn is_uuid(text: &str) -> bool {
    let hex = text.chars().filter(|one| *one != '-').collect::<Vec<_>>();
    hex.len() == 32 && hex.iter().all(char::is_ascii_hexdigit)
}

/// Accepts what Go's `time.ParseDuration` accepts, and days and weeks, as upstream's validator does.
fn is_duration(text: &str) -> bool {
    let rest = text.trim_start_matches(['-', '+']);
    if rest == "0" {
        return true;
    }
    let mut digits = false;
    let mut unit = String::new();
    let mut whole = false;
    for character in rest.chars() {
        if character.is_ascii_digit() || character == '.' {
            if !unit.is_empty() && !is_unit(&unit) {
                return false;
            }
            unit.clear();
            digits = true;
            whole = false;
        } else if digits {
            if character != ' ' {
                unit.push(character);
            }
            whole = true;
        } else {
            return false;
        }
    }
    whole && is_unit(&unit)
}

fn is_unit(unit: &str) -> bool {
    [
        "ns", "us", "µs", "μs", "ms", "s", "sec", "m", "min", "h", "hr", "hour", "d", "day",
        "days", "w", "wk", "week", "weeks",
    ]
    .contains(&unit)
}
