//! Texts of requests: percent encoding, query parameters, pages of names.

/// Undoes percent encoding; what is no encoding stays as it is.
pub fn unescape(text: &str) -> String {
    let bytes = text.as_bytes();
    let mut out = Vec::with_capacity(bytes.len());
    let mut at = 0;
    while let Some(byte) = bytes.get(at) {
        let hex = bytes.get(at + 1..at + 3).filter(|_| *byte == b'%');
        let value = hex
            .and_then(|hex| std::str::from_utf8(hex).ok())
            .and_then(|hex| u8::from_str_radix(hex, 16).ok());
        if let Some(value) = value {
            out.push(value);
            at += 3;
        } else {
            out.push(*byte);
            at += 1;
        }
    }
    String::from_utf8_lossy(&out).into_owned()
}

/// Encodes what may not stand in a path segment.
pub fn escape(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || b"-._~:@".contains(&byte) {
            out.push(char::from(byte));
        } else {
            out.push_str(&format!("%{byte:02X}"));
        }
    }
    out
}

/// Reads a query into its parameters, in their order.
pub fn parameters(query: Option<&str>) -> Vec<(String, String)> {
    let pairs = query.unwrap_or_default().split('&');
    pairs
        .filter(|pair| !pair.is_empty())
        .map(|pair| {
            let (key, value) = pair.split_once('=').unwrap_or((pair, ""));
            (unescape(key), unescape(&value.replace('+', " ")))
        })
        .collect()
}

/// Returns the first parameter of a name.
pub fn parameter<'p>(parameters: &'p [(String, String)], name: &str) -> Option<&'p str> {
    let mut found = parameters.iter().filter(|(key, _)| key == name);
    found.next().map(|(_, value)| value.as_str())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn encodings_are_undone_once() {
        assert_eq!(unescape("a%252Fb"), "a%2Fb");
        assert_eq!(unescape("a%2Fb%zz%4"), "a/b%zz%4");
        assert_eq!(escape("a/b c"), "a%2Fb%20c");
        let parameters = parameters(Some("n=5&last=a%2Fb&x&tag=1&tag=2"));
        assert_eq!(parameter(&parameters, "last"), Some("a/b"));
        assert_eq!(parameter(&parameters, "x"), Some(""));
        assert_eq!(parameter(&parameters, "tag"), Some("1"));
        assert_eq!(parameter(&parameters, "y"), None);
    }
}
