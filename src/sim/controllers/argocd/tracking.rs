//! Which Application an object belongs to: the tracking-id annotation.
//!
//! `<instance>:<group>/<Kind>:<namespace>/<name>`; names such as `system:foo` keep their colons
//! (Argo CD `util/argo/resource_tracking.go`). An id that names another object was copied along
//! with a manifest and says nothing about its bearer.

use super::key::{Key, annotation};
use serde_json::Value;

/// The annotation.
pub const TRACKING_ID: &str = "argocd.argoproj.io/tracking-id";

/// A tracking id, taken apart.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TrackingId {
    /// The Application's name, or `<namespace>_<name>` outside the controller's namespace.
    pub instance: String,
    /// The object it was written for; cluster-scoped objects carry the destination namespace.
    pub object: Key,
}

impl TrackingId {
    /// Reads an id; `None` when it has not the shape of one.
    pub fn parse(text: &str) -> Option<Self> {
        let mut parts = text.splitn(3, ':');
        let instance = parts.next()?;
        let (group, kind) = parts.next()?.split_once('/')?;
        let (namespace, name) = parts.next()?.split_once('/')?;
        if kind.contains('/') || name.contains('/') {
            return None;
        }
        Some(Self {
            instance: instance.to_owned(),
            object: Key::new(group, kind, namespace, name),
        })
    }

    /// Writes the id down.
    pub fn format(&self) -> String {
        let Key {
            group,
            kind,
            namespace,
            name,
        } = &self.object;
        format!("{}:{group}/{kind}:{namespace}/{name}", self.instance)
    }
}

/// Returns how an Application is called in tracking ids.
pub fn instance_name(namespace: &str, name: &str, control_namespace: &str) -> String {
    if namespace == control_namespace || namespace.is_empty() {
        name.to_owned()
    } else {
        format!("{namespace}_{name}")
    }
}

/// Returns the Application that an instance name means: namespace and name.
pub fn application_of(instance: &str, control_namespace: &str) -> (String, String) {
    match instance.split_once('_') {
        Some((namespace, name)) => (namespace.to_owned(), name.to_owned()),
        None => (control_namespace.to_owned(), instance.to_owned()),
    }
}

/// Returns the instance a live object belongs to; `None` when untracked or a copied id.
pub fn owner_of(object: &Value) -> Option<String> {
    let id = TrackingId::parse(annotation(object, TRACKING_ID))?;
    belongs(&id, &Key::of(object)).then_some(id.instance)
}

fn belongs(id: &TrackingId, key: &Key) -> bool {
    id.object.group == key.group
        && id.object.kind == key.kind
        && id.object.name == key.name
        // Cluster-scoped objects carry the destination namespace.
        && (key.namespace.is_empty() || id.object.namespace == key.namespace)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn an_id_survives_the_round_trip() {
        for text in [
            "guestbook:apps/Deployment:default/ui",
            "team-a_guestbook:/Service:default/ui",
            "rbac:rbac.authorization.k8s.io/ClusterRole:default/system:reader",
            "x:/Namespace:/team",
        ] {
            let id = TrackingId::parse(text).unwrap_or_else(|| panic!("{text} parses"));
            assert_eq!(id.format(), text);
        }
    }

    #[test]
    fn what_is_not_an_id_is_refused() {
        for text in [
            "",
            "guestbook",
            "a:b:c",
            "a:b/c",
            "a:b/c:d",
            "a:b/c/d:e/f",
            "a:b/c:d/e/f",
        ] {
            assert_eq!(TrackingId::parse(text), None, "{text}");
        }
    }

    #[test]
    fn a_copied_id_does_not_own() {
        let object = |name: &str| {
            json!({"apiVersion": "apps/v1", "kind": "Deployment",
                "metadata": {"name": name, "namespace": "default",
                    "annotations": {TRACKING_ID: "app:apps/Deployment:default/ui"}}})
        };

        assert_eq!(owner_of(&object("ui")).as_deref(), Some("app"));
        assert_eq!(owner_of(&object("copy")), None);
    }

    #[test]
    fn a_cluster_scoped_object_carries_the_destination_namespace() {
        let object = json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "team",
            "annotations": {TRACKING_ID: "app:/Namespace:default/team"}}});

        assert_eq!(owner_of(&object).as_deref(), Some("app"));
    }

    #[test]
    fn one_name_in_two_namespaces_makes_two_instances() {
        assert_eq!(instance_name("argocd", "web", "argocd"), "web");
        assert_eq!(instance_name("team-a", "web", "argocd"), "team-a_web");
        assert_eq!(
            application_of("team-a_web", "argocd"),
            ("team-a".to_owned(), "web".to_owned())
        );
        assert_eq!(
            application_of("web", "argocd"),
            ("argocd".to_owned(), "web".to_owned())
        );
    }
}
