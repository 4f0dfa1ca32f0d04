//! Form fields: as they stand in a query string or in the body of a POST.

/// Decodes `a=1&b=x+y%20z`.
pub(in crate::sim::prometheus) fn decode(text: &str) -> Vec<(String, String)> {
    text.split('&')
        .filter(|field| !field.is_empty())
        .map(|field| {
            let (name, value) = field.split_once('=').unwrap_or((field, ""));
            (unescape(name), unescape(value))
        })
        .collect()
}

/// Undoes `%41` and `+`; what is no text becomes a mark.
pub(super) fn unescape(text: &str) -> String {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.bytes();
    while let Some(byte) = rest.next() {
        if byte == b'+' {
            bytes.push(b' ');
            continue;
        }
        let mut ahead = rest.clone();
        let escaped = (byte == b'%')
            .then(|| Some((hex(ahead.next()?)? << 4) | hex(ahead.next()?)?))
            .flatten();
        match escaped {
            Some(escaped) => {
                bytes.push(escaped);
                rest = ahead;
            }
            None => bytes.push(byte),
        }
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

fn hex(digit: u8) -> Option<u8> {
    char::from(digit)
        .to_digit(16)
        .and_then(|value| u8::try_from(value).ok())
}

/// Encodes a value for a query string.
pub(in crate::sim::prometheus) fn encode(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || b"-_.~".contains(&byte) {
            out.push(char::from(byte));
        } else if byte == b' ' {
            out.push('+');
        } else {
            out.push_str(&format!("%{byte:02X}"));
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fields_come_back_as_they_were() {
        let query = "sum by (a) (rate(b{c=~\"x|ä\"}[5m])) > 0.1%";

        let fields = decode(&format!("query={}&match[]=up&match%5B%5D=x", encode(query)));

        assert_eq!(fields[0].1, query);
        assert_eq!(fields[1].0, fields[2].0);
        assert_eq!(unescape("100%"), "100%");
    }
}
