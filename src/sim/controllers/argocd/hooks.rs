//! Hooks: objects that run around a sync instead of being kept in sync.
//!
//! Rules: gitops-engine `pkg/sync/hook` and Argo CD `controller/hook.go`; Helm's annotations map
//! onto Argo CD's.

use super::key::annotation;
use serde_json::Value;

/// Annotation that makes an object a hook.
pub const HOOK: &str = "argocd.argoproj.io/hook";
/// Annotation that says when a hook is deleted.
pub const DELETE_POLICY: &str = "argocd.argoproj.io/hook-delete-policy";
/// Finalizer that keeps a hook until its outcome has been read.
pub const HOOK_FINALIZER: &str = "argocd.argoproj.io/hook-finalizer";
const HELM_HOOK: &str = "helm.sh/hook";
const HELM_DELETE_POLICY: &str = "helm.sh/hook-delete-policy";

/// When a hook runs. The order is the order of a sync.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum HookType {
    PreSync,
    Sync,
    PostSync,
    SyncFail,
    PreDelete,
    PostDelete,
    /// Never applied.
    Skip,
}

/// When a hook object is deleted again.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum DeletePolicy {
    HookSucceeded,
    HookFailed,
    BeforeHookCreation,
}

impl HookType {
    /// Returns Argo CD's word.
    pub fn word(self) -> &'static str {
        match self {
            Self::PreSync => "PreSync",
            Self::Sync => "Sync",
            Self::PostSync => "PostSync",
            Self::SyncFail => "SyncFail",
            Self::PreDelete => "PreDelete",
            Self::PostDelete => "PostDelete",
            Self::Skip => "Skip",
        }
    }

    fn from_word(word: &str) -> Option<Self> {
        Some(match word {
            "PreSync" => Self::PreSync,
            "Sync" => Self::Sync,
            "PostSync" => Self::PostSync,
            "SyncFail" => Self::SyncFail,
            "PreDelete" => Self::PreDelete,
            "PostDelete" => Self::PostDelete,
            "Skip" => Self::Skip,
            _ => return None,
        })
    }

    fn from_helm(word: &str) -> Option<Self> {
        Some(match word {
            "pre-install" | "pre-upgrade" => Self::PreSync,
            "post-install" | "post-upgrade" => Self::PostSync,
            "pre-delete" => Self::PreDelete,
            "post-delete" => Self::PostDelete,
            _ => return None,
        })
    }
}

fn words(text: &str) -> impl Iterator<Item = &str> {
    text.split(',')
        .map(str::trim)
        .filter(|word| !word.is_empty())
}

/// Returns the types of a hook, without doubles; empty for a hook of unknown type.
pub fn types_of(object: &Value) -> Vec<HookType> {
    let own: Vec<_> = words(annotation(object, HOOK)).collect();
    let mut types: Vec<_> = if own.is_empty() {
        words(annotation(object, HELM_HOOK))
            .filter_map(HookType::from_helm)
            .collect()
    } else {
        own.into_iter().filter_map(HookType::from_word).collect()
    };
    types.sort_unstable();
    types.dedup();
    types
}

/// Returns whether the object is a hook; one of unknown type is, and is then never applied.
///
/// Helm's `crd-install` is no hook: such an object is an ordinary one.
pub fn is_hook(object: &Value) -> bool {
    if words(annotation(object, HOOK)).next().is_some() {
        // `Skip` alone takes an object out of the sync altogether.
        return true;
    }
    words(annotation(object, HELM_HOOK)).any(|word| word != "crd-install")
}

/// Returns whether the object is left out of every sync.
pub fn is_skipped(object: &Value) -> bool {
    types_of(object).contains(&HookType::Skip)
}

/// Returns the delete policies; `BeforeHookCreation` when none is given.
pub fn delete_policies(object: &Value) -> Vec<DeletePolicy> {
    let own = words(annotation(object, DELETE_POLICY)).filter_map(|word| {
        Some(match word {
            "HookSucceeded" => DeletePolicy::HookSucceeded,
            "HookFailed" => DeletePolicy::HookFailed,
            "BeforeHookCreation" => DeletePolicy::BeforeHookCreation,
            _ => return None,
        })
    });
    let helm = words(annotation(object, HELM_DELETE_POLICY)).filter_map(|word| {
        Some(match word {
            "hook-succeeded" => DeletePolicy::HookSucceeded,
            "hook-failed" => DeletePolicy::HookFailed,
            "before-hook-creation" => DeletePolicy::BeforeHookCreation,
            _ => return None,
        })
    });
    let policies: Vec<_> = own.chain(helm).collect();
    if policies.is_empty() {
        vec![DeletePolicy::BeforeHookCreation]
    } else {
        policies
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn annotated(name: &str, value: &str) -> Value {
        json!({"apiVersion": "batch/v1", "kind": "Job", "metadata": {"annotations": {name: value}}})
    }

    #[test]
    fn types_are_read_from_argo_and_helm_annotations() {
        assert_eq!(
            types_of(&annotated(HOOK, "PostSync, PreSync")),
            [HookType::PreSync, HookType::PostSync]
        );
        assert_eq!(
            types_of(&annotated(HELM_HOOK, "pre-install,pre-upgrade")),
            [HookType::PreSync]
        );
        assert_eq!(types_of(&annotated("other", "PreSync")), []);
    }

    #[test]
    fn a_hook_of_unknown_type_is_a_hook_that_never_runs() {
        let object = annotated(HOOK, "Someday");

        assert!(is_hook(&object));
        assert_eq!(types_of(&object), []);
        assert!(!is_hook(&annotated(HELM_HOOK, "crd-install")));
    }

    #[test]
    fn hooks_are_replaced_before_creation_unless_told_otherwise() {
        assert_eq!(
            delete_policies(&annotated(HOOK, "PreSync")),
            [DeletePolicy::BeforeHookCreation]
        );
        assert_eq!(
            delete_policies(&annotated(DELETE_POLICY, "HookSucceeded,HookFailed")),
            [DeletePolicy::HookSucceeded, DeletePolicy::HookFailed]
        );
    }
}
