//! What the API server checks in built-in types beyond their shape.
//!
//! Upstream: `pkg/apis/*/validation`. Here are the rules that people run into: selectors that miss
//! their template, containers without image, names and ports that are none, volumes that are not
//! there. What needs other objects is not here.

use crate::sim::apiserver::schema::{FieldError, FieldReason, quantity};
use serde_json::{Value, json};
use std::collections::BTreeSet;

const LABEL: &str = "a lowercase RFC 1123 label must consist of lower case alphanumeric characters or '-', and must start and end with an alphanumeric character (e.g. 'my-name',  or '123-abc', regex used for validation is '[a-z0-9]([-a-z0-9]*[a-z0-9])?')";
const LABEL_VALUE: &str = "a valid label must be an empty string or consist of alphanumeric characters, '-', '_' or '.', and must start and end with an alphanumeric character (e.g. 'MyValue',  or 'my_value',  or '12345', regex used for validation is '(([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9])?')";
const NOT_NEGATIVE: &str = "must be greater than or equal to 0";

/// Lists what is wrong with an object of a built-in type, given that its shape is right.
pub(in crate::sim::apiserver) fn check(object: &Value) -> Vec<FieldError> {
    let mut errors = Vec::new();
    labels(object, "metadata.labels", &mut errors);
    let group = text(object, "/apiVersion")
        .split_once('/')
        .map_or("", |(group, _)| group);
    match (group, text(object, "/kind")) {
        ("", "Pod") => pod_spec(object.get("spec"), "spec", &mut errors),
        ("apps", "Deployment" | "ReplicaSet" | "StatefulSet" | "DaemonSet") => {
            workload(object, &mut errors);
        }
        ("batch", "Job") => job(object.get("spec"), "spec", &mut errors),
        ("batch", "CronJob") => {
            let spec = object.pointer("/spec/jobTemplate/spec");
            job(spec, "spec.jobTemplate.spec", &mut errors);
        }
        ("", "Service") => service(object, &mut errors),
        ("", "ConfigMap" | "Secret") => data_keys(object, &mut errors),
        _ => {}
    }
    errors
}

fn text<'a>(value: &'a Value, pointer: &str) -> &'a str {
    let found = value.pointer(pointer).and_then(Value::as_str);
    found.unwrap_or_default()
}

fn list<'a>(value: &'a Value, name: &str) -> &'a [Value] {
    let found = value.get(name).and_then(Value::as_array);
    found.map(Vec::as_slice).unwrap_or_default()
}

fn is_label(name: &str) -> bool {
    let inner = |one: char| one.is_ascii_lowercase() || one.is_ascii_digit() || one == '-';
    (1..=63).contains(&name.len())
        && name.chars().all(inner)
        && !name.starts_with('-')
        && !name.ends_with('-')
}

fn is_label_value(value: &str) -> bool {
    let inner = |one: char| one.is_ascii_alphanumeric() || "-_.".contains(one);
    let edge = |one: Option<char>| one.is_none_or(|one| one.is_ascii_alphanumeric());
    value.len() <= 63
        && value.chars().all(inner)
        && edge(value.chars().next())
        && edge(value.chars().next_back())
}

fn labels(object: &Value, path: &str, errors: &mut Vec<FieldError>) {
    let pointer = format!("/{}", path.replace('.', "/"));
    let map = object.pointer(&pointer).and_then(Value::as_object);
    for value in map
        .into_iter()
        .flatten()
        .filter_map(|(_, value)| value.as_str())
    {
        if !is_label_value(value) {
            errors.push(FieldError::invalid(path, &json!(value), LABEL_VALUE));
        }
    }
}

fn not_negative(spec: &Value, name: &str, path: &str, errors: &mut Vec<FieldError>) {
    if let Some(value) = spec
        .get(name)
        .filter(|one| one.as_i64() < Some(0) && one.is_i64())
    {
        errors.push(FieldError::invalid(
            format!("{path}.{name}"),
            value,
            NOT_NEGATIVE,
        ));
    }
}

fn workload(object: &Value, errors: &mut Vec<FieldError>) {
    let Some(spec) = object.get("spec") else {
        return;
    };
    for name in ["replicas", "minReadySeconds", "revisionHistoryLimit"] {
        not_negative(spec, name, "spec", errors);
    }
    let labels_of = spec.pointer("/template/metadata/labels");
    if let Some(selector) = spec.get("selector") {
        let wanted = selector.get("matchLabels").and_then(Value::as_object);
        let is_empty = wanted.is_none_or(serde_json::Map::is_empty)
            && list(selector, "matchExpressions").is_empty();
        let path = "spec.selector";
        if is_empty {
            let detail = "empty selector is invalid for deployment";
            errors.push(FieldError::invalid(path, selector, detail));
        }
        let fits = wanted
            .into_iter()
            .flatten()
            .all(|(name, value)| labels_of.and_then(|all| all.get(name)) == Some(value));
        if !fits {
            errors.push(FieldError::invalid(
                "spec.template.metadata.labels",
                labels_of.unwrap_or(&json!({})),
                "`selector` does not match template `labels`",
            ));
        }
    }
    template(spec, "spec.template.spec", &["Always"], errors);
}

fn job(spec: Option<&Value>, path: &str, errors: &mut Vec<FieldError>) {
    let Some(spec) = spec else { return };
    for name in ["parallelism", "completions", "backoffLimit"] {
        not_negative(spec, name, path, errors);
    }
    let path = format!("{path}.template.spec");
    template(spec, &path, &["OnFailure", "Never"], errors);
}

fn template(owner: &Value, path: &str, policies: &[&str], errors: &mut Vec<FieldError>) {
    let spec = owner.pointer("/template/spec");
    let policy = spec.and_then(|spec| spec.get("restartPolicy"));
    if let Some(policy) =
        policy.filter(|one| one.as_str().is_none_or(|one| !policies.contains(&one)))
    {
        let known: Vec<String> = policies.iter().map(ToString::to_string).collect();
        let field = format!("{path}.restartPolicy");
        errors.push(FieldError::not_supported(field, policy, &known));
    }
    pod_spec(spec, path, errors);
}

fn pod_spec(spec: Option<&Value>, path: &str, errors: &mut Vec<FieldError>) {
    let Some(spec) = spec.filter(|spec| spec.is_object()) else {
        return;
    };
    if spec.get("containers").is_some_and(|one| one == &json!([])) {
        errors.push(FieldError::required(format!("{path}.containers"), ""));
    }
    let volumes: BTreeSet<&str> = list(spec, "volumes")
        .iter()
        .map(|volume| text(volume, "/name"))
        .collect();
    let mut names = BTreeSet::new();
    for kind in ["initContainers", "containers"] {
        for (index, one) in list(spec, kind).iter().enumerate() {
            let at = format!("{path}.{kind}[{index}]");
            container(one, &at, &volumes, errors);
            let name = text(one, "/name");
            if !name.is_empty() && !names.insert(name) {
                errors.push(FieldError::duplicate(format!("{at}.name"), &json!(name)));
            }
        }
    }
}

fn container(one: &Value, at: &str, volumes: &BTreeSet<&str>, errors: &mut Vec<FieldError>) {
    let name = text(one, "/name");
    if !name.is_empty() && !is_label(name) {
        errors.push(FieldError::invalid(
            format!("{at}.name"),
            &json!(name),
            LABEL,
        ));
    }
    if text(one, "/image").is_empty() {
        errors.push(FieldError::required(format!("{at}.image"), ""));
    }
    for (index, port) in list(one, "ports").iter().enumerate() {
        let field = format!("{at}.ports[{index}].containerPort");
        port_number(port.get("containerPort"), field, errors);
    }
    for (index, mount) in list(one, "volumeMounts").iter().enumerate() {
        let volume = text(mount, "/name");
        if !volumes.contains(volume) {
            errors.push(FieldError {
                field: format!("{at}.volumeMounts[{index}].name"),
                reason: FieldReason::NotFound,
                message: format!("Not found: \"{volume}\""),
            });
        }
    }
    resources(one.get("resources"), &format!("{at}.resources"), errors);
}

fn resources(resources: Option<&Value>, at: &str, errors: &mut Vec<FieldError>) {
    let part = |name: &str| {
        resources
            .and_then(|all| all.get(name))
            .and_then(Value::as_object)
    };
    for (name, request) in part("requests").into_iter().flatten() {
        let Some(limit) = part("limits").and_then(|limits| limits.get(name)) else {
            continue;
        };
        if quantity::is_more(request, limit) {
            let limit = limit
                .as_str()
                .map_or_else(|| limit.to_string(), str::to_owned);
            errors.push(FieldError::invalid(
                format!("{at}.requests"),
                request,
                format!("must be less than or equal to {name} limit of {limit}"),
            ));
        }
    }
}

fn port_number(port: Option<&Value>, field: String, errors: &mut Vec<FieldError>) {
    if let Some(number) =
        port.filter(|one| one.as_i64().is_some_and(|one| !(1..=65535).contains(&one)))
    {
        let detail = "must be between 1 and 65535, inclusive";
        errors.push(FieldError::invalid(field, number, detail));
    }
}

fn service(object: &Value, errors: &mut Vec<FieldError>) {
    let Some(spec) = object.get("spec") else {
        return;
    };
    let ports = list(spec, "ports");
    let headless = text(spec, "/clusterIP") == "None";
    let external = text(spec, "/type") == "ExternalName";
    if ports.is_empty() && !headless && !external {
        errors.push(FieldError::required("spec.ports", ""));
    }
    if external && text(spec, "/externalName").is_empty() {
        errors.push(FieldError::required("spec.externalName", ""));
    }
    let mut names = BTreeSet::new();
    for (index, port) in ports.iter().enumerate() {
        let at = format!("spec.ports[{index}]");
        port_number(port.get("port"), format!("{at}.port"), errors);
        port_number(port.get("targetPort"), format!("{at}.targetPort"), errors);
        let name = text(port, "/name");
        let field = format!("{at}.name");
        if name.is_empty() {
            if ports.len() > 1 {
                errors.push(FieldError::required(field, ""));
            }
        } else if !names.insert(name) {
            errors.push(FieldError::duplicate(field, &json!(name)));
        }
    }
}

fn data_keys(object: &Value, errors: &mut Vec<FieldError>) {
    const KEY: &str = "a valid config key must consist of alphanumeric characters, '-', '_' or '.' (e.g. 'key.name',  or 'KEY_NAME',  or 'key-name', regex used for validation is '[-._a-zA-Z0-9]+')";
    for part in ["data", "binaryData"] {
        let map = object.get(part).and_then(Value::as_object);
        for name in map.into_iter().flatten().map(|(name, _)| name) {
            let good = |one: char| one.is_ascii_alphanumeric() || "-_.".contains(one);
            if name.is_empty() || name.len() > 253 || !name.chars().all(good) {
                errors.push(FieldError::invalid(
                    format!("{part}[{name}]"),
                    &json!(name),
                    KEY,
                ));
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn deployment() -> Value {
        json!({
            "apiVersion": "apps/v1", "kind": "Deployment",
            "spec": {
                "selector": {"matchLabels": {"app": "web"}},
                "template": {"metadata": {"labels": {"app": "web"}}, "spec": {"containers": [{"name": "web", "image": "nginx"}]}},
            },
        })
    }

    fn wrong(object: &Value) -> Vec<String> {
        check(object).iter().map(ToString::to_string).collect()
    }

    #[test]
    fn a_good_deployment_passes() {
        assert_eq!(check(&deployment()), []);
    }

    #[test]
    fn a_selector_that_misses_its_template_is_refused() {
        let mut object = deployment();
        object["spec"]["template"]["metadata"]["labels"] = json!({"app": "other"});

        assert_eq!(
            wrong(&object),
            [
                "spec.template.metadata.labels: Invalid value: {\"app\":\"other\"}: `selector` does not match template `labels`"
            ]
        );
    }

    #[test]
    fn containers_need_images_names_and_their_volumes() {
        let mut object = deployment();
        object["spec"]["template"]["spec"]["containers"] = json!([
            {"name": "a"},
            {"name": "a", "image": "x", "volumeMounts": [{"name": "v", "mountPath": "/v"}], "ports": [{"containerPort": 70000}]},
        ]);

        assert_eq!(
            wrong(&object),
            [
                "spec.template.spec.containers[0].image: Required value",
                "spec.template.spec.containers[1].ports[0].containerPort: Invalid value: 70000: must be between 1 and 65535, inclusive",
                "spec.template.spec.containers[1].volumeMounts[0].name: Not found: \"v\"",
                "spec.template.spec.containers[1].name: Duplicate value: \"a\"",
            ]
        );
    }

    #[test]
    fn a_job_may_not_restart_always() {
        let object = json!({
            "apiVersion": "batch/v1", "kind": "Job",
            "spec": {"template": {"spec": {"restartPolicy": "Always", "containers": [{"name": "a", "image": "b"}]}}},
        });

        assert_eq!(
            wrong(&object),
            [
                "spec.template.spec.restartPolicy: Unsupported value: \"Always\": supported values: \"OnFailure\", \"Never\""
            ]
        );
    }

    #[test]
    fn more_may_not_be_requested_than_is_allowed() {
        let mut object = deployment();
        object["spec"]["template"]["spec"]["containers"][0]["resources"] =
            json!({"requests": {"cpu": "2"}, "limits": {"cpu": "500m"}});

        assert_eq!(
            wrong(&object),
            [
                "spec.template.spec.containers[0].resources.requests: Invalid value: \"2\": must be less than or equal to cpu limit of 500m"
            ]
        );
    }

    #[test]
    fn a_service_needs_ports_and_labels_are_labels() {
        let object = json!({"apiVersion": "v1", "kind": "Service", "metadata": {"labels": {"a": "not one"}}, "spec": {}});

        let errors = wrong(&object);

        assert!(errors[0].starts_with("metadata.labels: Invalid value: \"not one\""));
        assert_eq!(errors[1], "spec.ports: Required value");
    }
}
