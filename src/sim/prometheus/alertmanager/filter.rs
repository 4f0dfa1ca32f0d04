//! The matchers of requests: `filter=alertname="X"`.

use crate::sim::prometheus::labels::Labels;
use crate::sim::prometheus::matcher::{Comparison, Matcher, all_accept};

/// Conditions that all have to hold.
pub(super) struct Filter(Vec<Matcher>);

impl Filter {
    /// Reads matchers, each its own text; braces around several are allowed.
    pub(super) fn read<'t>(texts: impl Iterator<Item = &'t str>) -> Result<Self, String> {
        let mut matchers = Vec::new();
        for text in texts {
            let inside = text.trim().trim_start_matches('{').trim_end_matches('}');
            for part in split(inside) {
                matchers.push(
                    matcher(part.trim()).ok_or_else(|| format!("bad matcher format: {part}"))?,
                );
            }
        }
        Ok(Self(matchers))
    }

    pub(super) fn accepts(&self, labels: &Labels) -> bool {
        all_accept(&self.0, labels)
    }

    pub(super) fn matchers(&self) -> &[Matcher] {
        &self.0
    }
}

/// Splits at commas outside quotes.
fn split(text: &str) -> Vec<&str> {
    let mut quoted = false;
    let parts = text.split(move |letter| {
        quoted ^= letter == '"';
        letter == ',' && !quoted
    });
    parts.filter(|part| !part.trim().is_empty()).collect()
}

fn matcher(text: &str) -> Option<Matcher> {
    let at = text.find(['=', '!'])?;
    let (name, rest) = text.split_at(at);
    let signs = [
        ("=~", Comparison::Matches),
        ("!~", Comparison::MatchesNot),
        ("!=", Comparison::NotEqual),
        ("=", Comparison::Equal),
    ];
    let (comparison, value) = signs
        .into_iter()
        .find_map(|(sign, comparison)| Some((comparison, rest.strip_prefix(sign)?)))?;
    let value = value.trim();
    let value = match value.strip_prefix('"') {
        Some(inside) => inside
            .strip_suffix('"')?
            .replace("\\\"", "\"")
            .replace("\\\\", "\\"),
        None => value.to_owned(),
    };
    let name = name.trim();
    let valid = |c: char| c.is_ascii_alphanumeric() || c == '_';
    if name.is_empty() || !name.chars().all(valid) {
        return None;
    }
    Matcher::new(name, comparison, &value).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn matchers_are_read_with_and_without_quotes() {
        let labels = Labels::of(&[("alertname", "A, B"), ("severity", "page")]);
        let accepts = |text: &str| {
            Filter::read([text].into_iter())
                .expect("a filter")
                .accepts(&labels)
        };

        assert!(accepts("alertname=\"A, B\",severity=page"));
        assert!(accepts("{severity=~\"page|warn\"}"));
        assert!(!accepts("severity!=page"));
        assert!(Filter::read(["a b"].into_iter()).is_err());
    }
}
