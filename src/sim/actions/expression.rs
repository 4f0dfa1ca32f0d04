//! Fills in `${{ … }}`: names only, no operators. Pure.

use std::collections::BTreeMap;

/// What names stand for: `github.sha`, `env.X`, `steps.a.outputs.b`, `needs.a.outputs.b`.
pub(super) type Names = BTreeMap<String, String>;

/// Fills in a text; a secret is shown as GitHub shows it, and what stands for nothing is empty.
pub(super) fn fill(text: &str, names: &Names) -> String {
    let mut filled = String::new();
    let mut rest = text;
    while let Some((before, after)) = rest.split_once("${{") {
        filled.push_str(before);
        let Some((name, tail)) = after.split_once("}}") else {
            filled.push_str("${{");
            rest = after;
            continue;
        };
        let name = name.trim();
        if name.starts_with("secrets.") {
            filled.push_str("***");
        } else if let Some(value) = names.get(name) {
            filled.push_str(value);
        }
        rest = tail;
    }
    filled.push_str(rest);
    filled
}

/// Fills in all values of a map.
pub(super) fn fill_all(map: &BTreeMap<String, String>, names: &Names) -> BTreeMap<String, String> {
    map.iter()
        .map(|(key, value)| (key.clone(), fill(value, names)))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_filled_in_and_secrets_hidden() {
        let names = Names::from([("github.sha".to_owned(), "abc".to_owned())]);

        assert_eq!(
            fill(
                "v1-${{ github.sha }}-${{secrets.TOKEN}}-${{ env.NONE }}",
                &names
            ),
            "v1-abc-***-"
        );
        assert_eq!(fill("${{ open", &names), "${{ open");
    }
}
