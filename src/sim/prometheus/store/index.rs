//! Which series have which label.

use super::super::labels::Labels;
use super::super::matcher::Matcher;
use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;

/// Series by label and value.
#[derive(Debug, Default)]
pub(super) struct Index {
    all: BTreeSet<u32>,
    by_label: HashMap<Arc<str>, BTreeMap<Arc<str>, BTreeSet<u32>>>,
}

impl Index {
    pub(super) fn insert(&mut self, id: u32, labels: &Labels) {
        self.all.insert(id);
        for (name, value) in labels.iter() {
            let values = self.by_label.entry(Arc::clone(name)).or_default();
            values.entry(Arc::clone(value)).or_default().insert(id);
        }
    }

    pub(super) fn remove(&mut self, id: u32, labels: &Labels) {
        self.all.remove(&id);
        for (name, value) in labels.iter() {
            let Some(values) = self.by_label.get_mut(name) else {
                continue;
            };
            if let Some(ids) = values.get_mut(value) {
                ids.remove(&id);
                if ids.is_empty() {
                    values.remove(value);
                }
            }
            if values.is_empty() {
                self.by_label.remove(name);
            }
        }
    }

    /// Returns the series that may meet the matchers: those of the rarest label that is fixed.
    pub(super) fn candidates(&self, matchers: &[Matcher]) -> Vec<u32> {
        let fixed = matchers
            .iter()
            .filter_map(|matcher| Some((matcher, matcher.only_value()?)))
            .map(|(matcher, value)| {
                self.by_label
                    .get(matcher.name.as_str())
                    .and_then(|values| values.get(value))
            });
        let mut rarest = &self.all;
        for ids in fixed {
            let Some(ids) = ids else {
                return Vec::new();
            };
            if ids.len() < rarest.len() {
                rarest = ids;
            }
        }
        if rarest.len() == self.all.len() {
            return self.by_pattern(matchers);
        }
        rarest.iter().copied().collect()
    }

    /// Without a fixed value: the values of a label are looked through, not the series.
    fn by_pattern(&self, matchers: &[Matcher]) -> Vec<u32> {
        let Some(matcher) = matchers.iter().find(|matcher| !matcher.accepts("")) else {
            return self.all.iter().copied().collect();
        };
        let Some(values) = self.by_label.get(matcher.name.as_str()) else {
            return Vec::new();
        };
        let found: BTreeSet<u32> = values
            .iter()
            .filter(|(value, _)| matcher.accepts(value))
            .flat_map(|(_, ids)| ids.iter().copied())
            .collect();
        found.into_iter().collect()
    }

    pub(super) fn names(&self) -> BTreeSet<Arc<str>> {
        self.by_label.keys().cloned().collect()
    }

    pub(super) fn values(&self, name: &str) -> BTreeSet<Arc<str>> {
        self.by_label
            .get(name)
            .map(|values| values.keys().cloned().collect())
            .unwrap_or_default()
    }
}
