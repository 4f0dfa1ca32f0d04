//! Texts of a Rollout's status and events. Pure.

use k8s_openapi::apimachinery::pkg::apis::meta::v1::LabelSelector;

/// Returns the event of a completed step.
pub(super) fn step_completed(done: usize, count: usize, step: &str) -> String {
    format!("Rollout step {done}/{count} completed ({step})")
}

/// Writes a selector as text, as `metav1.FormatLabelSelector` does.
pub(super) fn selector(selector: Option<&LabelSelector>) -> String {
    let Some(selector) = selector else {
        return "<none>".to_owned();
    };
    let mut terms: Vec<String> = selector
        .match_labels
        .iter()
        .flatten()
        .map(|(name, value)| format!("{name}={value}"))
        .collect();
    for one in selector.match_expressions.iter().flatten() {
        let values = one.values.clone().unwrap_or_default().join(",");
        terms.push(match one.operator.as_str() {
            "In" => format!("{} in ({values})", one.key),
            "NotIn" => format!("{} notin ({values})", one.key),
            "DoesNotExist" => format!("!{}", one.key),
            _ => one.key.clone(),
        });
    }
    if terms.is_empty() {
        return "<none>".to_owned();
    }
    terms.sort();
    terms.join(",")
}
