//! What an `AppProject` permits: sources, destinations, kinds and namespaces of Applications.
//!
//! Match rules: Argo CD `pkg/apis/application/v1alpha1/app_project_types.go`.

use super::key::Key;
use super::{globs, json};
use serde_json::Value;

/// The cluster the platform lives in, by address and by name.
pub const IN_CLUSTER: (&str, &str) = ("https://kubernetes.default.svc", "in-cluster");

/// Brings a repository address into the form that comparisons use.
pub fn normal_repo(url: &str) -> String {
    let trimmed = url.trim().trim_end_matches('/');
    let bare = trimmed.strip_suffix(".git").unwrap_or(trimmed);
    bare.to_lowercase()
}

/// Returns whether the project permits a source repository.
pub fn permits_source(project: &Value, repo: &str) -> bool {
    let target = normal_repo(repo);
    let mut permitted = false;
    for pattern in json::texts(project, &["spec", "sourceRepos"]) {
        if let Some(denied) = pattern.strip_prefix('!') {
            if globs::matches_parts(&normal_repo(denied), &target, '/') {
                return false;
            }
        } else if pattern == "*" || globs::matches_parts(&normal_repo(pattern), &target, '/') {
            permitted = true;
        }
    }
    permitted
}

/// Returns whether the project permits a destination in the platform's cluster.
pub fn permits_destination(project: &Value, namespace: &str) -> bool {
    let mut permitted = false;
    for destination in json::items(project, &["spec", "destinations"]) {
        let server = json::text(destination, &["server"]);
        let name = json::text(destination, &["name"]);
        let pattern = json::text(destination, &["namespace"]);
        if server
            .strip_prefix('!')
            .is_some_and(|denied| globs::matches(denied, IN_CLUSTER.0))
        {
            return false;
        }
        let cluster = if server.is_empty() {
            !name.is_empty() && globs::matches(name, IN_CLUSTER.1)
        } else {
            globs::matches(server, IN_CLUSTER.0)
        };
        if !cluster {
            continue;
        }
        if let Some(denied) = pattern.strip_prefix('!') {
            if globs::matches(denied, namespace) {
                return false;
            }
        } else if globs::matches(pattern, namespace) {
            permitted = true;
        }
    }
    permitted
}

/// Returns whether the project permits objects of a kind.
///
/// Without a whitelist, no cluster-scoped kind is permitted and every namespaced one is.
pub fn permits_kind(project: &Value, key: &Key, namespaced: bool) -> bool {
    let listed = |name: &str| {
        json::items(project, &["spec", name]).iter().any(|item| {
            let named = json::text(item, &["name"]);
            globs::matches(json::text(item, &["group"]), &key.group)
                && globs::matches(json::text(item, &["kind"]), &key.kind)
                && (named.is_empty() || globs::matches(named, &key.name))
        })
    };
    if namespaced {
        let whitelist = json::at(project, &["spec", "namespaceResourceWhitelist"])
            .is_some_and(|list| !list.is_null());
        (!whitelist || listed("namespaceResourceWhitelist"))
            && !listed("namespaceResourceBlacklist")
    } else {
        listed("clusterResourceWhitelist") && !listed("clusterResourceBlacklist")
    }
}

/// Returns whether Applications in a namespace may use the project.
pub fn permits_application_namespace(project: &Value, namespace: &str) -> bool {
    json::text(project, &["metadata", "namespace"]) == namespace
        || json::texts(project, &["spec", "sourceNamespaces"])
            .iter()
            .any(|pattern| globs::matches(pattern, namespace))
}

/// Returns whether an orphan of this key is to be ignored.
pub fn ignores_orphan(project: &Value, key: &Key) -> bool {
    let built_in = (key.is("", "ServiceAccount") && &*key.name == "default")
        || (key.is("", "Service") && &*key.name == "kubernetes")
        || (key.is("", "ConfigMap") && &*key.name == "kube-root-ca.crt");
    built_in
        || json::items(project, &["spec", "orphanedResources", "ignore"])
            .iter()
            .any(|item| {
                let matches = |field: &str, text: &str| {
                    let pattern = json::text(item, &[field]);
                    pattern.is_empty() || globs::matches(pattern, text)
                };
                globs::matches(json::text(item, &["group"]), &key.group)
                    && matches("kind", &key.kind)
                    && matches("name", &key.name)
            })
}

/// Checks an Application's sources and destination; each message is an `InvalidSpecError`.
pub fn violations(project: &Value, repos: &[&str], namespace: &str) -> Vec<String> {
    let name = json::text(project, &["metadata", "name"]);
    let mut found: Vec<_> = repos
        .iter()
        .filter(|repo| !permits_source(project, repo))
        .map(|repo| format!("application repo {repo} is not permitted in project '{name}'"))
        .collect();
    if !permits_destination(project, namespace) {
        found.push(format!(
            "application destination server '{}' and namespace '{namespace}' do not match any of the allowed destinations in project '{name}'",
            IN_CLUSTER.0
        ));
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn sources_match_by_glob_and_denials_win() {
        let project = json!({"spec": {"sourceRepos": ["https://git/**", "!https://git/secret"]}});

        assert!(permits_source(&project, "https://git/a/b.git"));
        assert!(permits_source(&project, "https://GIT/a"));
        assert!(!permits_source(&project, "https://git/secret.git"));
        assert!(!permits_source(&project, "https://other/a"));
        assert!(permits_source(
            &json!({"spec": {"sourceRepos": ["*"]}}),
            "anything"
        ));
        assert!(!permits_source(&json!({}), "anything"));
    }

    #[test]
    fn destinations_match_by_server_or_name() {
        let permits = |destinations: Value, namespace: &str| {
            permits_destination(&json!({"spec": {"destinations": destinations}}), namespace)
        };

        assert!(permits(json!([{"server": "*", "namespace": "*"}]), "x"));
        assert!(permits(
            json!([{"name": "in-cluster", "namespace": "team-*"}]),
            "team-a"
        ));
        assert!(!permits(
            json!([{"name": "elsewhere", "namespace": "*"}]),
            "x"
        ));
        assert!(!permits(
            json!([{"server": "*", "namespace": "*"}, {"server": "*", "namespace": "!kube-*"}]),
            "kube-system"
        ));
    }

    #[test]
    fn cluster_scoped_kinds_need_a_whitelist() {
        let namespace = Key::new("", "Namespace", "", "x");
        let deployment = Key::new("apps", "Deployment", "d", "x");
        let open = json!({"spec": {"clusterResourceWhitelist": [{"group": "*", "kind": "*"}]}});
        let narrow = json!({"spec": {"namespaceResourceWhitelist": [{"group": "", "kind": "*"}]}});
        let without = json!({"spec": {"namespaceResourceBlacklist": [{"group": "apps", "kind": "Deployment"}]}});

        assert!(!permits_kind(&json!({}), &namespace, false));
        assert!(permits_kind(&open, &namespace, false));
        assert!(permits_kind(&json!({}), &deployment, true));
        assert!(!permits_kind(&narrow, &deployment, true));
        assert!(!permits_kind(&without, &deployment, true));
    }

    #[test]
    fn a_project_lends_itself_to_listed_namespaces_only() {
        let project = json!({"metadata": {"name": "p", "namespace": "argocd"},
            "spec": {"sourceNamespaces": ["team-*"]}});

        assert!(permits_application_namespace(&project, "argocd"));
        assert!(permits_application_namespace(&project, "team-a"));
        assert!(!permits_application_namespace(&project, "other"));
    }
}
