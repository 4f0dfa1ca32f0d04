//! The labels of a series: sorted, without duplicates and without empty values.
//!
//! Cheap to clone, because every step of a query hands them on.

use std::fmt;
use std::sync::Arc;

/// The label that holds a metric's name.
pub const NAME: &str = "__name__";

/// One name and its value.
pub type Label = (Arc<str>, Arc<str>);

/// The identity of a series.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Labels(Arc<[Label]>);

impl Default for Labels {
    fn default() -> Self {
        Self(Arc::from([]))
    }
}

impl Labels {
    /// Sorts the pairs; a later pair of the same name wins, an empty value is left out.
    pub fn new(pairs: impl IntoIterator<Item = Label>) -> Self {
        let mut sorted: Vec<Label> = Vec::new();
        for (name, value) in pairs {
            match sorted.binary_search_by(|(other, _)| other.cmp(&name)) {
                Ok(at) => sorted[at].1 = value,
                Err(at) => sorted.insert(at, (name, value)),
            }
        }
        sorted.retain(|(_, value)| !value.is_empty());
        Self(sorted.into())
    }

    /// Makes labels of borrowed text.
    pub fn of(pairs: &[(&str, &str)]) -> Self {
        Self::new(
            pairs
                .iter()
                .map(|(name, value)| ((*name).into(), (*value).into())),
        )
    }

    /// Returns the value of a label; a missing one is empty, as matchers see it.
    pub fn get(&self, name: &str) -> &str {
        self.find(name).map_or("", |(_, value)| value)
    }

    /// Returns the metric's name, empty if there is none.
    pub fn name(&self) -> &str {
        self.get(NAME)
    }

    fn find(&self, name: &str) -> Option<&Label> {
        let at = self
            .0
            .binary_search_by(|(other, _)| (**other).cmp(name))
            .ok()?;
        self.0.get(at)
    }

    /// Returns the labels in the order of their names.
    pub fn iter(&self) -> impl ExactSizeIterator<Item = &Label> {
        self.0.iter()
    }

    /// Returns whether there are none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Returns the labels for which `keep` holds.
    #[must_use]
    pub fn filtered(&self, keep: impl Fn(&str) -> bool) -> Self {
        if self.0.iter().all(|(name, _)| keep(name)) {
            return self.clone();
        }
        Self(
            self.0
                .iter()
                .filter(|(name, _)| keep(name))
                .cloned()
                .collect(),
        )
    }

    /// Returns the labels without the metric's name.
    #[must_use]
    pub fn without_name(&self) -> Self {
        self.filtered(|name| name != NAME)
    }

    /// Returns the labels with one set; an empty value removes it.
    #[must_use]
    pub fn with(&self, name: &str, value: &str) -> Self {
        if self.get(name) == value {
            return self.clone();
        }
        let added = (Arc::from(name), Arc::from(value));
        Self::new(self.0.iter().cloned().chain([added]))
    }
}

impl fmt::Display for Labels {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let name = self.name();
        f.write_str(name)?;
        let rest: Vec<String> = self
            .iter()
            .filter(|(label, _)| &**label != NAME)
            .map(|(label, value)| format!("{label}={}", quoted(value)))
            .collect();
        if rest.is_empty() && !name.is_empty() {
            return Ok(());
        }
        write!(f, "{{{}}}", rest.join(", "))
    }
}

/// Quotes text as Go does.
pub(super) fn quoted(text: &str) -> String {
    let mut out = String::with_capacity(text.len() + 2);
    out.push('"');
    for letter in text.chars() {
        match letter {
            '"' => out.push_str("\\\""),
            '\\' => out.push_str("\\\\"),
            '\n' => out.push_str("\\n"),
            '\t' => out.push_str("\\t"),
            '\r' => out.push_str("\\r"),
            other if other.is_control() => out.push_str(&format!("\\u{:04x}", other as u32)),
            other => out.push(other),
        }
    }
    out.push('"');
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn labels_are_one_identity_whatever_their_order() {
        let one = Labels::of(&[("b", "2"), ("a", "1"), ("c", "")]);
        let other = Labels::of(&[("a", "0"), ("a", "1"), ("b", "2")]);

        assert_eq!(one, other);
        assert_eq!(one.with(NAME, "up").to_string(), "up{a=\"1\", b=\"2\"}");
        assert_eq!(one.with("a", ""), Labels::of(&[("b", "2")]));
    }
}
