//! The order of a sync: phase, wave, kind, name.
//!
//! Kind order and wave rules: gitops-engine `pkg/sync/sync_tasks.go` and `syncwaves`.

use super::hooks::HookType;
use super::key::annotation;
use serde_json::Value;
use std::cmp::Ordering;

/// Annotation with the wave, an integer.
pub const WAVE: &str = "argocd.argoproj.io/sync-wave";
const HELM_WEIGHT: &str = "helm.sh/hook-weight";

/// Kinds in the order they are applied; everything else comes after.
const KIND_ORDER: [&str; 34] = [
    "Namespace",
    "NetworkPolicy",
    "ResourceQuota",
    "LimitRange",
    "PodSecurityPolicy",
    "PodDisruptionBudget",
    "ServiceAccount",
    "Secret",
    "SecretList",
    "ConfigMap",
    "StorageClass",
    "PersistentVolume",
    "PersistentVolumeClaim",
    "CustomResourceDefinition",
    "ClusterRole",
    "ClusterRoleList",
    "ClusterRoleBinding",
    "ClusterRoleBindingList",
    "Role",
    "RoleList",
    "RoleBinding",
    "RoleBindingList",
    "Service",
    "DaemonSet",
    "Pod",
    "ReplicationController",
    "ReplicaSet",
    "Deployment",
    "HorizontalPodAutoscaler",
    "StatefulSet",
    "Job",
    "CronJob",
    "IngressClass",
    "Ingress",
];

/// Returns an object's wave: its annotation, else the weight of a Helm hook, else 0.
pub fn wave_of(object: &Value) -> i64 {
    annotation(object, WAVE)
        .parse()
        .or_else(|_error| annotation(object, HELM_WEIGHT).parse())
        .unwrap_or_default()
}

/// Returns a kind's place in the order of application.
pub fn kind_rank(kind: &str) -> usize {
    if kind == "APIService" {
        return KIND_ORDER.len();
    }
    KIND_ORDER
        .iter()
        .position(|known| *known == kind)
        .unwrap_or(KIND_ORDER.len() + 1)
}

/// What decides an object's place in a sync.
#[derive(Clone, Copy, Debug)]
pub struct Place<'a> {
    pub phase: HookType,
    pub wave: i64,
    pub kind: &'a str,
    pub name: &'a str,
}

/// Compares two places.
pub fn compare(one: &Place<'_>, other: &Place<'_>) -> Ordering {
    let ranks = (kind_rank(one.kind), kind_rank(other.kind));
    (one.phase, one.wave)
        .cmp(&(other.phase, other.wave))
        .then(ranks.0.cmp(&ranks.1))
        .then_with(|| one.kind.cmp(other.kind))
        .then_with(|| one.name.cmp(other.name))
}

/// Swaps waves so that what was created last is pruned first: lowest with highest, and so on.
pub fn reversed(waves: &[i64]) -> Vec<(i64, i64)> {
    let mut unique = waves.to_vec();
    unique.sort_unstable();
    unique.dedup();
    let backwards: Vec<_> = unique.iter().rev().copied().collect();
    unique.into_iter().zip(backwards).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn phase_then_wave_then_kind_then_name() {
        let place = |phase, wave, kind, name| Place {
            phase,
            wave,
            kind,
            name,
        };
        let sorted = [
            place(HookType::PreSync, 5, "Job", "a"),
            place(HookType::Sync, -1, "Widget", "a"),
            place(HookType::Sync, 0, "Namespace", "z"),
            place(HookType::Sync, 0, "ConfigMap", "a"),
            place(HookType::Sync, 0, "Deployment", "a"),
            place(HookType::Sync, 0, "Deployment", "b"),
            place(HookType::Sync, 0, "APIService", "a"),
            place(HookType::Sync, 0, "Application", "a"),
            place(HookType::Sync, 0, "Widget", "a"),
            place(HookType::Sync, 1, "Namespace", "a"),
            place(HookType::PostSync, -9, "Job", "a"),
        ];

        for pair in sorted.windows(2) {
            let [one, other] = pair else { unreachable!() };
            assert_eq!(compare(one, other), Ordering::Less, "{one:?} {other:?}");
        }
    }

    #[test]
    fn waves_come_from_the_annotation_or_helm_weight() {
        let object = |name: &str, value: &str| json!({"metadata": {"annotations": {name: value}}});

        assert_eq!(wave_of(&object(WAVE, "-3")), -3);
        assert_eq!(wave_of(&object(HELM_WEIGHT, "7")), 7);
        assert_eq!(wave_of(&object(WAVE, "first")), 0);
        assert_eq!(wave_of(&json!({})), 0);
    }

    #[test]
    fn pruning_goes_through_the_waves_backwards() {
        assert_eq!(reversed(&[0, 2, 1, 1]), [(0, 2), (1, 1), (2, 0)]);
    }
}
