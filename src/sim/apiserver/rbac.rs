//! Who may do what: the RBAC objects on the server, evaluated as upstream does.
//!
//! Members of `system:masters` may do everything. Everybody may ask what they may do.

use super::auth::User;
use super::core::Core;
use super::json;
use super::store::Key;
use serde_json::{Value, json};

/// What somebody wants to do.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Attempt {
    pub(super) verb: String,
    pub(super) group: String,
    /// With `/subresource` where there is one.
    pub(super) resource: String,
    pub(super) namespace: String,
    pub(super) name: String,
}

impl Attempt {
    /// Says in upstream's words that it is refused.
    pub(super) fn refusal(&self, user: &User) -> String {
        let place = if self.namespace.is_empty() {
            "at the cluster scope".to_owned()
        } else {
            format!("in the namespace \"{}\"", self.namespace)
        };
        format!(
            "User \"{}\" cannot {} resource \"{}\" in API group \"{}\" {place}",
            user.name, self.verb, self.resource, self.group
        )
    }
}

/// Says whether a user may do something.
pub(super) fn allows(core: &Core, user: &User, attempt: &Attempt) -> bool {
    if user.is_admin() {
        return true;
    }
    let about_self = attempt.resource.starts_with("selfsubject");
    if about_self && attempt.verb == "create" {
        return true;
    }
    rules_for(core, user, &attempt.namespace)
        .iter()
        .any(|rule| covers(rule, attempt))
}

/// Lists the rules that apply to a user in a namespace (cluster-wide ones included).
pub(super) fn rules_for(core: &Core, user: &User, namespace: &str) -> Vec<Value> {
    if user.is_admin() {
        return vec![json!({"verbs": ["*"], "apiGroups": ["*"], "resources": ["*"]})];
    }
    let mut rules = Vec::new();
    for binding in bindings(core, "clusterrolebindings.rbac.authorization.k8s.io", "") {
        if binds(&binding, user) {
            rules.extend(rules_of(core, &binding, ""));
        }
    }
    if !namespace.is_empty() {
        for binding in bindings(core, "rolebindings.rbac.authorization.k8s.io", namespace) {
            if binds(&binding, user) {
                rules.extend(rules_of(core, &binding, namespace));
            }
        }
    }
    rules
}

fn bindings(core: &Core, resource: &str, namespace: &str) -> Vec<Value> {
    core.store
        .snapshot(resource, namespace, None)
        .map(|all| all.objects.iter().map(|one| one.value()).collect())
        .unwrap_or_default()
}

fn list<'a>(object: &'a Value, field: &str) -> &'a [Value] {
    object
        .get(field)
        .and_then(Value::as_array)
        .map_or(&[][..], Vec::as_slice)
}

fn binds(binding: &Value, user: &User) -> bool {
    list(binding, "subjects").iter().any(|subject| {
        let name = json::text_at(subject, &["name"]).unwrap_or_default();
        match json::text_at(subject, &["kind"]) {
            Some("User") => user.name == name,
            Some("Group") => user.groups.iter().any(|group| group == name),
            Some("ServiceAccount") => {
                let namespace = json::text_at(subject, &["namespace"])
                    .or_else(|| json::meta_text(binding, "namespace"))
                    .unwrap_or_default();
                user.name == format!("system:serviceaccount:{namespace}:{name}")
            }
            Some(_) | None => false,
        }
    })
}

fn rules_of(core: &Core, binding: &Value, namespace: &str) -> Vec<Value> {
    let name = json::text_at(binding, &["roleRef", "name"]).unwrap_or_default();
    let (resource, key) = match json::text_at(binding, &["roleRef", "kind"]) {
        Some("Role") => ("roles.rbac.authorization.k8s.io", Key::new(namespace, name)),
        Some(_) | None => ("clusterroles.rbac.authorization.k8s.io", Key::new("", name)),
    };
    core.store
        .shelf(resource)
        .get(&key)
        .map(|role| list(&role.value(), "rules").to_vec())
        .unwrap_or_default()
}

fn covers(rule: &Value, attempt: &Attempt) -> bool {
    let has = |field: &str, wanted: &str| {
        list(rule, field)
            .iter()
            .filter_map(Value::as_str)
            .any(|one| one == "*" || one == wanted)
    };
    let resource = has("resources", &attempt.resource)
        || attempt
            .resource
            .split_once('/')
            .is_some_and(|(_, sub)| has("resources", &format!("*/{sub}")));
    let names = list(rule, "resourceNames");
    let named = names.is_empty() || names.iter().any(|one| *one == *attempt.name);
    has("verbs", &attempt.verb) && has("apiGroups", &attempt.group) && resource && named
}
