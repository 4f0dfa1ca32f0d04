//! Sync options: `Key=value` words of an operation, a spec or an annotation.

use super::key::annotation_has;
use serde_json::Value;

/// Annotation with sync options of one object.
pub const SYNC_OPTIONS: &str = "argocd.argoproj.io/sync-options";
/// Annotation with compare options of one object.
pub const COMPARE_OPTIONS: &str = "argocd.argoproj.io/compare-options";

/// How dependents go when an object is pruned.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Propagation {
    Foreground,
    Background,
    Orphan,
}

impl Propagation {
    /// Returns the word of the Kubernetes API.
    pub fn word(self) -> &'static str {
        match self {
            Self::Foreground => "Foreground",
            Self::Background => "Background",
            Self::Orphan => "Orphan",
        }
    }
}

/// The options of an operation.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct SyncOptions(Vec<String>);

impl SyncOptions {
    /// Takes a list of `Key=value` words.
    pub fn new(words: impl IntoIterator<Item = impl Into<String>>) -> Self {
        Self(words.into_iter().map(Into::into).collect())
    }

    /// Returns whether an entry such as `CreateNamespace=true` is there.
    pub fn has(&self, entry: &str) -> bool {
        self.0.iter().any(|one| one.trim() == entry)
    }

    /// Returns the words.
    pub fn words(&self) -> &[String] {
        &self.0
    }

    /// Returns `PrunePropagationPolicy`, or why it cannot be read.
    pub fn propagation(&self) -> Result<Propagation, String> {
        let given = self
            .0
            .iter()
            .find_map(|one| one.strip_prefix("PrunePropagationPolicy="));
        match given {
            None | Some("foreground") => Ok(Propagation::Foreground),
            Some("background") => Ok(Propagation::Background),
            Some("orphan") => Ok(Propagation::Orphan),
            Some(other) => Err(format!(
                "invalid sync option: PrunePropagationPolicy must be one of foreground, background or orphan, not `{other}`"
            )),
        }
    }
}

/// Returns whether an object's `sync-options` annotation holds an entry.
pub fn object_has(object: &Value, entry: &str) -> bool {
    annotation_has(object, SYNC_OPTIONS, entry)
}

/// Returns whether an object's `compare-options` annotation holds an entry.
pub fn compares_with(object: &Value, entry: &str) -> bool {
    annotation_has(object, COMPARE_OPTIONS, entry)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn propagation_defaults_to_foreground_and_refuses_nonsense() {
        assert_eq!(
            SyncOptions::default().propagation(),
            Ok(Propagation::Foreground)
        );
        assert_eq!(
            SyncOptions::new(["PrunePropagationPolicy=orphan"]).propagation(),
            Ok(Propagation::Orphan)
        );
        assert!(
            SyncOptions::new(["PrunePropagationPolicy=later"])
                .propagation()
                .is_err()
        );
    }

    #[test]
    fn an_object_lists_its_options_with_commas() {
        let object =
            json!({"metadata": {"annotations": {SYNC_OPTIONS: "Prune=false, Replace=true"}}});

        assert!(object_has(&object, "Replace=true"));
        assert!(object_has(&object, "Prune=false"));
        assert!(!object_has(&object, "Force=true"));
    }
}
