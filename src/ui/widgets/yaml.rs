//! Tells the parts of a YAML line apart, for colours only.
//!
//! It works line by line and never fails: what it does not understand is a plain value.

use crate::ui::theme::Role;

/// Returns a line in pieces, each with its role. The pieces together are the line.
pub fn pieces(line: &str) -> Vec<(&str, Role)> {
    let mut out = Vec::with_capacity(4);
    let trimmed = line.trim_start();
    let indent = line.len() - trimmed.len();
    push(&mut out, line.get(..indent), Role::Text);
    let mut rest = trimmed;
    if rest.starts_with('#') {
        push(&mut out, Some(rest), Role::YamlComment);
        return out;
    }
    if rest == "---" || rest == "..." {
        push(&mut out, Some(rest), Role::YamlPunctuation);
        return out;
    }
    while let Some(after) = rest.strip_prefix("- ") {
        push(&mut out, Some("- "), Role::YamlPunctuation);
        rest = after;
    }
    match key_end(rest) {
        Some(end) => {
            push(&mut out, rest.get(..end), Role::YamlKey);
            push(&mut out, Some(":"), Role::YamlPunctuation);
            value(rest.get(end + 1..).unwrap_or_default(), &mut out);
        }
        None => value(rest, &mut out),
    }
    out
}

fn push<'a>(out: &mut Vec<(&'a str, Role)>, piece: Option<&'a str>, role: Role) {
    if let Some(piece) = piece.filter(|piece| !piece.is_empty()) {
        out.push((piece, role));
    }
}

/// Returns where the colon after a key is.
fn key_end(text: &str) -> Option<usize> {
    if let Some(quote) = text.chars().next().filter(|c| matches!(c, '"' | '\'')) {
        let close = text.get(1..)?.find(quote)? + 2;
        let after = text.get(close..)?;
        return (after == ":" || after.starts_with(": ")).then_some(close);
    }
    let end = match text.find(": ") {
        Some(at) => at,
        None => text.strip_suffix(':')?.len(),
    };
    // `http://x` and prose are no keys.
    let key = text.get(..end)?;
    let plain = !key.is_empty() && !key.contains([' ', '{', '[', '"']);
    plain.then_some(end)
}

fn value<'a>(text: &'a str, out: &mut Vec<(&'a str, Role)>) {
    let (body, comment) = match text.find(" #") {
        Some(at) if !text.contains(['"', '\'']) => text.split_at(at),
        _ => (text, ""),
    };
    let word = body.trim();
    let role = match word {
        "true" | "false" | "null" | "~" | "{}" | "[]" => Role::YamlConstant,
        "|" | "|-" | ">" | ">-" | "|+" | ">+" => Role::YamlPunctuation,
        _ if is_number(word) => Role::YamlNumber,
        _ => Role::YamlString,
    };
    push(out, Some(body), role);
    push(out, Some(comment), Role::YamlComment);
}

fn is_number(word: &str) -> bool {
    let digits = word.strip_prefix('-').unwrap_or(word);
    digits.starts_with(|c: char| c.is_ascii_digit()) && word.parse::<f64>().is_ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn roles(line: &str) -> Vec<(&str, Role)> {
        pieces(line)
    }

    #[test]
    fn keys_values_and_comments_are_told_apart() {
        assert_eq!(
            roles("  replicas: 3 # three"),
            [
                ("  ", Role::Text),
                ("replicas", Role::YamlKey),
                (":", Role::YamlPunctuation),
                (" 3", Role::YamlNumber),
                (" # three", Role::YamlComment),
            ]
        );
        assert_eq!(
            roles("- name: web"),
            [
                ("- ", Role::YamlPunctuation),
                ("name", Role::YamlKey),
                (":", Role::YamlPunctuation),
                (" web", Role::YamlString),
            ]
        );
        assert_eq!(
            roles("http://example.com"),
            [("http://example.com", Role::YamlString)]
        );
    }

    #[test]
    fn pieces_together_are_the_line() {
        for line in [
            "",
            "a: |",
            "  - - x",
            "\"a b\": c",
            "k: \"v # no\"",
            ":",
            "é: 𝄞 #x",
            "- ",
        ] {
            let whole: String = pieces(line).iter().map(|(piece, _)| *piece).collect();
            assert_eq!(whole, line);
        }
    }
}
