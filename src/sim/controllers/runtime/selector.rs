//! Label selectors, as `metav1.LabelSelector` defines them.

use k8s_openapi::apimachinery::pkg::apis::meta::v1::LabelSelector;
use std::collections::BTreeMap;

/// The selector selects these labels; an empty selector selects everything.
pub fn matches(selector: &LabelSelector, labels: Option<&BTreeMap<String, String>>) -> bool {
    let value = |key: &str| labels.and_then(|labels| labels.get(key));
    let equal = selector
        .match_labels
        .iter()
        .flatten()
        .all(|(key, wanted)| value(key) == Some(wanted));
    equal
        && selector
            .match_expressions
            .iter()
            .flatten()
            .all(|requirement| {
                let value = value(&requirement.key);
                let listed =
                    |value: &String| requirement.values.iter().flatten().any(|v| v == value);
                match requirement.operator.as_str() {
                    "In" => value.is_some_and(listed),
                    "NotIn" => !value.is_some_and(listed),
                    "Exists" => value.is_some(),
                    "DoesNotExist" => value.is_none(),
                    _ => false,
                }
            })
}

/// A plain map of labels selects these labels (as a Service's selector); an empty one nothing.
pub fn map_matches(
    selector: Option<&BTreeMap<String, String>>,
    labels: Option<&BTreeMap<String, String>>,
) -> bool {
    selector.is_some_and(|selector| {
        !selector.is_empty()
            && selector
                .iter()
                .all(|(key, wanted)| labels.and_then(|labels| labels.get(key)) == Some(wanted))
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use k8s_openapi::apimachinery::pkg::apis::meta::v1::LabelSelectorRequirement;

    fn requirement(operator: &str) -> LabelSelector {
        LabelSelector {
            match_labels: None,
            match_expressions: Some(vec![LabelSelectorRequirement {
                key: "tier".into(),
                operator: operator.into(),
                values: Some(vec!["web".into()]),
            }]),
        }
    }

    #[test]
    fn expressions_treat_a_missing_label_as_upstream_does() {
        let web = BTreeMap::from([("tier".to_owned(), "web".to_owned())]);

        assert!(matches(&requirement("In"), Some(&web)));
        assert!(!matches(&requirement("In"), None));
        assert!(matches(&requirement("NotIn"), None));
        assert!(!matches(&requirement("NotIn"), Some(&web)));
        assert!(matches(&requirement("DoesNotExist"), None));
        assert!(!matches(&requirement("DoesNotExist"), Some(&web)));
    }

    #[test]
    fn an_empty_map_selects_nothing_but_an_empty_selector_everything() {
        assert!(!map_matches(Some(&BTreeMap::new()), None));
        assert!(matches(&LabelSelector::default(), None));
    }
}
