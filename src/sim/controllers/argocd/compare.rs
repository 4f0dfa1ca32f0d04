//! Drift of one object: would an apply of the target change the live object?
//!
//! The live object is compared with what a three-way merge predicts, both in canonical form, so
//! that defaults and other people's fields are no drift (gitops-engine `pkg/diff`).

use super::ignore::Ignores;
use super::key::Key;
use super::threeway::{self, Lists};
use super::{json, normal, owned};
use serde_json::Value;

/// Field manager of everything the controller applies.
pub const MANAGER: &str = "argocd-controller";

/// Outcome for one object that exists on both sides.
#[derive(Clone, Debug, PartialEq)]
pub struct Comparison {
    pub differs: bool,
    /// The live object without bookkeeping and ignored parts.
    pub live: Value,
    /// The same after an apply of the target.
    pub predicted: Value,
}

/// How an object is going to be applied, which decides how removals are known.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Applied {
    /// By a patch, with the last-applied annotation.
    Client,
    /// By the server, with field ownership.
    Server,
}

/// Compares a target with the live object.
pub fn compare(target: &Value, live: &Value, ignores: &Ignores, applied: Applied) -> Comparison {
    let key = Key::of(live);
    let mut last = match applied {
        Applied::Client => normal::last_applied(live),
        Applied::Server => owned::applied_by(live, MANAGER).or_else(|| normal::last_applied(live)),
    };
    let mut wanted = target.clone();
    let mut present = live.clone();
    normal::settle(&mut wanted);
    normal::settle(&mut present);
    if key.namespace.is_empty() {
        json::remove(&mut wanted, &["metadata", "namespace"]);
    }
    ignores.remove(&key, live, &mut wanted);
    ignores.remove(&key, live, &mut present);
    if let Some(last) = &mut last {
        normal::settle(last);
        ignores.remove(&key, live, last);
    }
    let predicted = threeway::predict(last.as_ref(), &wanted, &present, Lists::Align);
    Comparison {
        differs: normal::canonical(&predicted) != normal::canonical(&present),
        live: present,
        predicted,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn target() -> Value {
        json!({"apiVersion": "apps/v1", "kind": "Deployment",
            "metadata": {"name": "web", "namespace": "shop", "labels": {"app": "web"}},
            "spec": {"replicas": 2, "template": {"spec": {"containers": [
                {"name": "app", "image": "web:1", "ports": [{"containerPort": 80}],
                 "resources": {"requests": {"cpu": "1000m", "memory": "1Gi"}}}]}}}})
    }

    fn live() -> Value {
        let mut live = target();
        live["metadata"]["uid"] = json!("1");
        live["metadata"]["resourceVersion"] = json!("7");
        live["metadata"]["generation"] = json!(1);
        live["metadata"]["annotations"] = json!({
            "deployment.kubernetes.io/revision": "1",
            normal::LAST_APPLIED: target().to_string()});
        live["spec"]["progressDeadlineSeconds"] = json!(600);
        live["spec"]["strategy"] = json!({"type": "RollingUpdate"});
        let container = &mut live["spec"]["template"]["spec"]["containers"][0];
        container["imagePullPolicy"] = json!("IfNotPresent");
        container["ports"][0]["protocol"] = json!("TCP");
        container["resources"]["requests"]["cpu"] = json!("1");
        live["status"] = json!({"replicas": 2});
        live
    }

    fn differs(live: &Value) -> bool {
        compare(&target(), live, &Ignores::default(), Applied::Client).differs
    }

    #[test]
    fn defaults_of_the_server_are_no_drift() {
        assert!(!differs(&live()));
    }

    #[test]
    fn a_changed_field_is_drift() {
        let mut changed = live();
        changed["spec"]["template"]["spec"]["containers"][0]["image"] = json!("web:2");

        assert!(differs(&changed));
    }

    #[test]
    fn a_foreign_field_is_no_drift() {
        let mut restarted = live();
        restarted["spec"]["template"]["metadata"] =
            json!({"annotations": {"kubectl.kubernetes.io/restartedAt": "now"}});

        assert!(!differs(&restarted));
    }

    #[test]
    fn a_removed_wanted_field_is_drift() {
        let mut removed = live();
        json::remove(&mut removed, &["metadata", "labels"]);

        assert!(differs(&removed));
    }

    #[test]
    fn a_field_that_git_dropped_is_drift() {
        let mut live = live();
        let mut last = target();
        last["metadata"]["labels"]["old"] = json!("1");
        live["metadata"]["labels"]["old"] = json!("1");
        live["metadata"]["annotations"][normal::LAST_APPLIED] = json!(last.to_string());

        assert!(differs(&live));
    }

    #[test]
    fn a_field_that_git_dropped_is_drift_with_ownership_too() {
        let mut live = live();
        json::remove(
            &mut live,
            &["metadata", "annotations", normal::LAST_APPLIED],
        );
        live["metadata"]["labels"]["old"] = json!("1");
        live["metadata"]["managedFields"] = json!([{"manager": MANAGER, "operation": "Apply",
            "fieldsV1": {"f:metadata": {"f:labels": {"f:old": {}, "f:app": {}}}}}]);

        let outcome = compare(&target(), &live, &Ignores::default(), Applied::Server);

        assert!(outcome.differs);
        assert_eq!(
            outcome.predicted["metadata"]["labels"],
            json!({"app": "web"})
        );
    }

    #[test]
    fn ignored_parts_do_not_count() {
        let mut scaled = live();
        scaled["spec"]["replicas"] = json!(9);
        let ignores = Ignores::read(&json!({"ignoreDifferences":
            [{"group": "apps", "kind": "Deployment", "jsonPointers": ["/spec/replicas"]}]}))
        .expect("it reads");

        assert!(differs(&scaled));
        assert!(!compare(&target(), &scaled, &ignores, Applied::Client).differs);
    }

    #[test]
    fn fields_of_a_trusted_manager_do_not_count() {
        let mut scaled = live();
        scaled["spec"]["replicas"] = json!(9);
        scaled["metadata"]["managedFields"] = json!([{"manager": "hpa", "operation": "Update",
            "fieldsV1": {"f:spec": {"f:replicas": {}}}}]);
        let ignores = Ignores::read(&json!({"ignoreDifferences":
            [{"group": "*", "kind": "*", "managedFieldsManagers": ["hpa"]}]}))
        .expect("it reads");

        assert!(!compare(&target(), &scaled, &ignores, Applied::Client).differs);
    }

    #[test]
    fn a_null_creation_time_in_git_is_no_drift() {
        let mut generated = target();
        generated["metadata"]["creationTimestamp"] = Value::Null;
        generated["spec"]["template"]["metadata"] = json!({"creationTimestamp": null});

        assert!(!compare(&generated, &live(), &Ignores::default(), Applied::Client).differs);
    }

    #[test]
    fn a_secret_in_plain_text_equals_its_stored_form() {
        let plain = json!({"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "s"},
            "stringData": {"a": "b"}});
        let stored = json!({"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "s", "annotations":
            {normal::LAST_APPLIED: plain.to_string()}}, "type": "Opaque", "data": {"a": "Yg=="}});

        assert!(!compare(&plain, &stored, &Ignores::default(), Applied::Client).differs);
    }
}
