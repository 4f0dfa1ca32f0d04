//! Labels and annotations: on objects, on the pods they make, and in selectors.

use super::document::{FieldSpec, Kustomization, Pairs};
use super::fields;
use super::resource::{Resource, Set};

pub(super) fn run(document: &Kustomization, set: &mut Set) {
    for rule in document.labels.iter() {
        for resource in set.iter_mut() {
            add(resource, "metadata/labels", true, &rule.pairs);
            if rule.include_selectors {
                add_to_selectors(resource, &rule.pairs);
                add_to_templates(resource, "labels", &rule.pairs);
            } else if rule.include_templates {
                add_to_templates(resource, "labels", &rule.pairs);
            }
            for field in rule.fields.iter() {
                if fits(resource, field) {
                    add(resource, &field.path, field.create, &rule.pairs);
                }
            }
        }
    }
    for resource in set.iter_mut() {
        if !document.common_labels.is_empty() {
            let pairs = &document.common_labels;
            add(resource, "metadata/labels", true, pairs);
            add_to_templates(resource, "labels", pairs);
            add_to_selectors(resource, pairs);
        }
        if !document.common_annotations.is_empty() {
            let pairs = &document.common_annotations;
            add(resource, "metadata/annotations", true, pairs);
            add_to_templates(resource, "annotations", pairs);
        }
    }
}

fn fits(resource: &Resource, field: &FieldSpec) -> bool {
    let fits = |wanted: &Option<String>, text: &str| {
        wanted
            .as_deref()
            .is_none_or(|wanted| wanted.is_empty() || wanted == text)
    };
    fits(&field.group, resource.group())
        && fits(&field.version, resource.version())
        && fits(&field.kind, resource.kind())
}

fn add(resource: &mut Resource, path: &str, create: bool, pairs: &Pairs) {
    if pairs.is_empty() {
        return;
    }
    fields::visit_objects(
        &mut resource.value,
        &fields::parts(path),
        create,
        &mut |map| {
            map.extend(
                pairs
                    .iter()
                    .map(|(key, text)| (key.clone(), text.clone().into())),
            );
        },
    );
}

fn add_to_templates(resource: &mut Resource, what: &str, pairs: &Pairs) {
    let metadata: &[&str] = match resource.kind() {
        "Deployment"
        | "ReplicaSet"
        | "DaemonSet"
        | "StatefulSet"
        | "Job"
        | "ReplicationController" => &["spec/template/metadata"],
        "CronJob" => &[
            "spec/jobTemplate/metadata",
            "spec/jobTemplate/spec/template/metadata",
        ],
        _ => &[],
    };
    for path in metadata {
        add(resource, &format!("{path}/{what}"), true, pairs);
    }
    let claims = resource.value.pointer("/spec/volumeClaimTemplates");
    if what == "labels" && resource.kind() == "StatefulSet" && claims.is_some() {
        add(
            resource,
            "spec/volumeClaimTemplates/metadata/labels",
            true,
            pairs,
        );
    }
}

/// Selectors in affinity rules and spread constraints of pods.
const IN_PODS: [&str; 5] = [
    "affinity/podAffinity/preferredDuringSchedulingIgnoredDuringExecution/podAffinityTerm/labelSelector/matchLabels",
    "affinity/podAffinity/requiredDuringSchedulingIgnoredDuringExecution/labelSelector/matchLabels",
    "affinity/podAntiAffinity/preferredDuringSchedulingIgnoredDuringExecution/podAffinityTerm/labelSelector/matchLabels",
    "affinity/podAntiAffinity/requiredDuringSchedulingIgnoredDuringExecution/labelSelector/matchLabels",
    "topologySpreadConstraints/labelSelector/matchLabels",
];

/// Which selectors are made if absent and which only changed follows kustomize's
/// `builtinpluginconsts/commonlabels.go`.
fn add_to_selectors(resource: &mut Resource, pairs: &Pairs) {
    let (made, changed): (&[&str], &[&str]) = match (resource.group(), resource.kind()) {
        ("", "Service" | "ReplicationController") => (&["spec/selector"], &[]),
        (_, "Deployment" | "ReplicaSet" | "DaemonSet") | ("apps", "StatefulSet") => {
            (&["spec/selector/matchLabels"], &[])
        }
        ("batch", "Job") | ("policy", "PodDisruptionBudget") => {
            (&[], &["spec/selector/matchLabels"])
        }
        ("batch", "CronJob") => (&[], &["spec/jobTemplate/spec/selector/matchLabels"]),
        ("networking.k8s.io", "NetworkPolicy") => (
            &[],
            &[
                "spec/podSelector/matchLabels",
                "spec/ingress/from/podSelector/matchLabels",
                "spec/egress/to/podSelector/matchLabels",
            ],
        ),
        _ => (&[], &[]),
    };
    for path in made {
        add(resource, path, true, pairs);
    }
    for path in changed {
        add(resource, path, false, pairs);
    }
    if resource.group() == "apps" && matches!(resource.kind(), "Deployment" | "StatefulSet") {
        for path in IN_PODS {
            add(
                resource,
                &format!("spec/template/spec/{path}"),
                false,
                pairs,
            );
        }
    }
}
