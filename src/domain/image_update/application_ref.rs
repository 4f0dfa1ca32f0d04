//! Which Applications an ImageUpdater is about, and what it says of their images.
//!
//! Several references may fit one Application; the most specific wins: an exact name before any
//! pattern, patterns by their letters, and every condition on labels adds (`pkg/argocd/argocd.go`).

use super::settings::ImageRule;
use super::write_back::WriteBack;
use crate::domain::globs;
use crate::domain::object::Text;

/// A condition on labels.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LabelRule {
    pub key: Text,
    pub operator: LabelOperator,
    pub values: Vec<Text>,
}

/// How labels are compared.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LabelOperator {
    In,
    NotIn,
    Exists,
    DoesNotExist,
}

impl LabelRule {
    fn holds(&self, label: Option<&str>) -> bool {
        let among = |value: &str| self.values.iter().any(|one| &**one == value);
        match self.operator {
            LabelOperator::In => label.is_some_and(among),
            LabelOperator::NotIn => !label.is_some_and(among),
            LabelOperator::Exists => label.is_some(),
            LabelOperator::DoesNotExist => label.is_none(),
        }
    }
}

/// One of `spec.applicationRefs`.
#[derive(Clone, Debug, PartialEq)]
pub struct ApplicationRef {
    /// A glob.
    pub name_pattern: Text,
    pub labels: Vec<LabelRule>,
    /// Images and all else come from annotations of the Application.
    pub use_annotations: bool,
    pub images: Vec<ImageRule>,
    pub write_back: WriteBack,
}

/// More than any pattern has letters.
const EXACT: usize = 1_000_000;
const OF_A_LABEL: usize = 100;

impl ApplicationRef {
    fn fits<'l>(&self, name: &str, label: &impl Fn(&str) -> Option<&'l str>) -> bool {
        globs::matches(&self.name_pattern, name)
            && self.labels.iter().all(|rule| rule.holds(label(&rule.key)))
    }

    fn rank(&self) -> usize {
        let pattern = &self.name_pattern;
        let letters = pattern.chars().filter(|c| !"*?[]".contains(*c)).count();
        let by_name = if letters == pattern.chars().count() {
            EXACT
        } else {
            letters
        };
        by_name + self.labels.len() * OF_A_LABEL
    }
}

/// Returns the reference that counts for an Application; the first of equals.
pub fn reference_for<'r, 'l>(
    references: &'r [ApplicationRef],
    name: &str,
    label: impl Fn(&str) -> Option<&'l str>,
) -> Option<&'r ApplicationRef> {
    let fitting = references.iter().filter(|one| one.fits(name, &label));
    fitting.rev().max_by_key(|one| one.rank())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn reference(pattern: &str, stage: &str) -> ApplicationRef {
        let rule = LabelRule {
            key: "stage".into(),
            operator: LabelOperator::In,
            values: vec![stage.into()],
        };
        ApplicationRef {
            name_pattern: pattern.into(),
            labels: if stage.is_empty() {
                Vec::new()
            } else {
                vec![rule]
            },
            use_annotations: false,
            images: Vec::new(),
            write_back: WriteBack::default(),
        }
    }

    fn chosen(references: &[ApplicationRef], name: &str) -> Option<String> {
        let label = |key: &str| (key == "stage").then_some("dev");
        reference_for(references, name, label).map(|one| one.name_pattern.to_string())
    }

    #[test]
    fn the_most_specific_reference_counts() {
        let own = [
            reference("*", ""),
            reference("shop-*", ""),
            reference("shop-dev", ""),
            reference("shop-*", "prod"),
        ];
        assert_eq!(chosen(&own, "shop-dev").as_deref(), Some("shop-dev"));
        assert_eq!(chosen(&own, "shop-prod").as_deref(), Some("shop-*"));
        assert_eq!(chosen(&own, "other").as_deref(), Some("*"));
        let labelled = [reference("shop-*", ""), reference("*", "dev")];
        assert_eq!(
            chosen(&labelled, "shop-x").as_deref(),
            Some("*"),
            "labels add"
        );
        assert_eq!(chosen(&[reference("a", "")], "b"), None);
    }

    #[test]
    fn labels_are_compared_as_selectors_do() {
        let rule = |operator| LabelRule {
            key: "k".into(),
            operator,
            values: vec!["a".into()],
        };
        assert!(rule(LabelOperator::NotIn).holds(None));
        assert!(!rule(LabelOperator::In).holds(None) && rule(LabelOperator::In).holds(Some("a")));
        assert!(rule(LabelOperator::Exists).holds(Some("")));
        assert!(rule(LabelOperator::DoesNotExist).holds(None));
    }
}
