//! The objects that are made to start runs; pure.
//!
//! Sources: Argo Workflows `workflow/common/convert.go`, `workflow/util/util.go`; Tekton CLI
//! `pkg/cmd/pipeline/start.go`.

use super::Refusal;
use crate::api::convert::workflow::PREFIX;
use crate::domain::node::Node;
use crate::domain::object::Text;
use chrono::{DateTime, SecondsFormat, Utc};
use serde_json::{Map, Value, json};

/// Before the name of a workspace among parameters.
pub(super) const WORKSPACE: &str = "workspace.";

fn text<'v>(value: &'v Value, path: &[&str]) -> &'v str {
    value.at(path).and_then(Node::text).unwrap_or_default()
}

fn arguments(parameters: &[(Text, Text)]) -> Value {
    let list = parameters
        .iter()
        .map(|(name, value)| json!({ "name": &**name, "value": &**value }));
    json!({ "parameters": list.collect::<Vec<_>>() })
}

/// A Workflow from a template.
pub(super) fn of_template(live: &Value, namespace: &str, parameters: &[(Text, Text)]) -> Value {
    let name = text(live, &["metadata", "name"]);
    let cluster = text(live, &["kind"]) == "ClusterWorkflowTemplate";
    let label = if cluster {
        "cluster-workflow-template"
    } else {
        "workflow-template"
    };
    let mut reference = json!({ "name": name });
    if cluster {
        reference["clusterScope"] = true.into();
    }
    let mut spec = json!({ "workflowTemplateRef": reference });
    if !parameters.is_empty() {
        spec["arguments"] = arguments(parameters);
    }
    json!({
        "apiVersion": "argoproj.io/v1alpha1",
        "kind": "Workflow",
        "metadata": {
            "generateName": format!("{name}-"),
            "namespace": namespace,
            "labels": { format!("{PREFIX}/{label}"): name },
        },
        "spec": spec,
    })
}

/// A Workflow of a schedule, now.
pub(super) fn of_cron(live: &Value, now: DateTime<Utc>) -> Value {
    let name = text(live, &["metadata", "name"]);
    let member = |path: &[&str]| live.at(path).cloned().unwrap_or_else(|| json!({}));
    let mut labels = member(&["spec", "workflowMetadata", "labels"]);
    labels[format!("{PREFIX}/cron-workflow")] = name.into();
    let mut annotations = member(&["spec", "workflowMetadata", "annotations"]);
    annotations[format!("{PREFIX}/scheduled-time")] =
        now.to_rfc3339_opts(SecondsFormat::Secs, true).into();
    json!({
        "apiVersion": "argoproj.io/v1alpha1",
        "kind": "Workflow",
        "metadata": {
            "generateName": format!("{name}-"),
            "namespace": text(live, &["metadata", "namespace"]),
            "labels": labels,
            "annotations": annotations,
            "ownerReferences": [{
                "apiVersion": "argoproj.io/v1alpha1", "kind": "CronWorkflow", "name": name,
                "uid": text(live, &["metadata", "uid"]), "controller": true,
                "blockOwnerDeletion": true,
            }],
        },
        "spec": member(&["spec", "workflowSpec"]),
    })
}

/// Puts parameters in the place of those that a Workflow has.
pub(super) fn with(mut workflow: Value, parameters: &[(Text, Text)]) -> Value {
    for (name, value) in parameters {
        let list = &mut workflow["spec"]["arguments"]["parameters"];
        if !list.is_array() {
            *list = json!([]);
        }
        let list = list.as_array_mut().map(std::mem::take).unwrap_or_default();
        let kept = list
            .into_iter()
            .filter(|one| text(one, &["name"]) != &**name);
        let mut list: Vec<Value> = kept.collect();
        list.push(json!({ "name": &**name, "value": &**value }));
        workflow["spec"]["arguments"]["parameters"] = list.into();
    }
    workflow
}

/// The same Workflow once more.
pub(super) fn resubmitted(live: &Value) -> Value {
    let name = text(live, &["metadata", "name"]);
    let own = [
        "phase",
        "completed",
        "creator",
        "creator-email",
        "creator-preferred-username",
        "workflow-archiving-status",
        "resubmitted-from-workflow",
    ];
    let mut labels = kept(live, "labels", |key| {
        let rest = key
            .strip_prefix(PREFIX)
            .and_then(|rest| rest.strip_prefix('/'));
        rest.is_none_or(|rest| !own.contains(&rest))
    });
    let _none = labels.insert(format!("{PREFIX}/resubmitted-from-workflow"), name.into());
    let annotations = kept(live, "annotations", is_kept_annotation);
    let mut spec = live.at(&["spec"]).cloned().unwrap_or_default();
    if let Some(spec) = spec.as_object_mut() {
        let _ended = spec.remove("shutdown");
    }
    again(live, (labels, annotations), &spec)
}

/// The same PipelineRun or TaskRun once more.
pub(super) fn run_again(live: &Value) -> Value {
    let foreign = ["tekton.dev/", "triggers.tekton.dev/", "events.argoproj.io/"];
    let labels = kept(live, "labels", |key| {
        !foreign.iter().any(|prefix| key.starts_with(prefix))
    });
    let annotations = kept(live, "annotations", |key| {
        is_kept_annotation(key) && !foreign.iter().any(|prefix| key.starts_with(prefix))
    });
    let mut spec = live.at(&["spec"]).cloned().unwrap_or_default();
    if let Some(spec) = spec.as_object_mut() {
        let _ended = spec.remove("status");
        let _message = spec.remove("statusMessage");
    }
    again(live, (labels, annotations), &spec)
}

fn is_kept_annotation(key: &str) -> bool {
    key != "kubectl.kubernetes.io/last-applied-configuration"
        && !key.starts_with("argocd.argoproj.io/")
}

fn kept(live: &Value, field: &str, keep: impl Fn(&str) -> bool) -> Map<String, Value> {
    let members = live.at(&["metadata", field]).and_then(Value::as_object);
    let members = members.into_iter().flatten();
    members
        .filter(|(key, _)| keep(key))
        .map(|(key, value)| (key.clone(), value.clone()))
        .collect()
}

fn again(
    live: &Value,
    (labels, annotations): (Map<String, Value>, Map<String, Value>),
    spec: &Value,
) -> Value {
    let name = text(live, &["metadata", "name"]);
    let stem = text(live, &["metadata", "generateName"]);
    let stem = if stem.is_empty() {
        format!("{name}-")
    } else {
        stem.to_owned()
    };
    json!({
        "apiVersion": text(live, &["apiVersion"]),
        "kind": text(live, &["kind"]),
        "metadata": {
            "generateName": stem,
            "namespace": text(live, &["metadata", "namespace"]),
            "labels": labels,
            "annotations": annotations,
        },
        "spec": spec,
    })
}

/// A PipelineRun of a Pipeline, or a TaskRun of a Task.
pub(super) fn of_pipeline(
    live: &Value,
    namespace: &str,
    (parameters, workspaces): (&[(Text, Text)], Vec<&str>),
) -> Result<Value, Refusal> {
    let name = text(live, &["metadata", "name"]);
    let (kind, reference) = if text(live, &["kind"]) == "Task" {
        ("TaskRun", "taskRef")
    } else {
        ("PipelineRun", "pipelineRef")
    };
    let mut params = Vec::new();
    let mut bound = Vec::new();
    for (key, value) in parameters {
        match key.strip_prefix(WORKSPACE) {
            Some(workspace) => bound.push(binding(workspace, value)?),
            None => params.push(json!({ "name": &**key, "value": typed(live, key, value) })),
        }
    }
    let unbound: Vec<&str> = workspaces
        .into_iter()
        .filter(|name| !bound.iter().any(|one| text(one, &["name"]) == *name))
        .collect();
    if let Some(first) = unbound.first() {
        return Err(Refusal::new(
            format!("workspace `{first}` has nothing to lie on"),
            "give workspace.NAME=emptyDir, size:1Gi, pvc:CLAIM, configmap:NAME or secret:NAME",
        ));
    }
    let mut spec = json!({ reference: { "name": name }, "params": params });
    if !bound.is_empty() {
        spec["workspaces"] = bound.into();
    }
    Ok(json!({
        "apiVersion": "tekton.dev/v1",
        "kind": kind,
        "metadata": { "generateName": format!("{name}-run-"), "namespace": namespace },
        "spec": spec,
    }))
}

/// A parameter of type array or object is given as JSON, an array also with commas.
fn typed(live: &Value, name: &str, value: &str) -> Value {
    let declared = live.at(&["spec", "params"]).map(Node::items);
    let declared = declared.unwrap_or_default().iter();
    let mut declared = declared.filter(|one| text(one, &["name"]) == name);
    let kind = declared.next().map(|one| text(one, &["type"]));
    match kind {
        Some("array") => serde_json::from_str(value).unwrap_or_else(|_| {
            value
                .split(',')
                .map(|piece| Value::from(piece.trim()))
                .collect()
        }),
        Some("object") => serde_json::from_str(value).unwrap_or_else(|_| value.into()),
        Some(_) | None => value.into(),
    }
}

fn binding(name: &str, on: &str) -> Result<Value, Refusal> {
    let place = match on.split_once(':') {
        None if on == "emptyDir" => json!({ "emptyDir": {} }),
        Some(("size", size)) => json!({ "volumeClaimTemplate": { "spec": {
            "accessModes": ["ReadWriteOnce"],
            "resources": { "requests": { "storage": size } } } } }),
        Some(("pvc", claim)) => json!({ "persistentVolumeClaim": { "claimName": claim } }),
        Some(("configmap", map)) => json!({ "configMap": { "name": map } }),
        Some(("secret", secret)) => json!({ "secret": { "secretName": secret } }),
        None | Some(_) => {
            return Err(Refusal::new(
                format!("workspace `{name}` cannot lie on `{on}`"),
                "write emptyDir, size:1Gi, pvc:CLAIM, configmap:NAME or secret:NAME",
            ));
        }
    };
    let mut place = place;
    place["name"] = name.into();
    Ok(place)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_template_is_referred_to_and_its_parameters_are_given() {
        let live = json!({"kind": "ClusterWorkflowTemplate", "metadata": {"name": "ci"}});

        let body = of_template(&live, "team", &[("sha".into(), "abc".into())]);

        assert_eq!(body["metadata"]["generateName"], "ci-");
        assert_eq!(body["metadata"]["namespace"], "team");
        let reference = json!({"name": "ci", "clusterScope": true});
        assert_eq!(body["spec"]["workflowTemplateRef"], reference);
        let given = json!([{"name": "sha", "value": "abc"}]);
        assert_eq!(body["spec"]["arguments"]["parameters"], given);
        assert_eq!(
            body["metadata"]["labels"][format!("{PREFIX}/cluster-workflow-template")],
            "ci"
        );
    }

    #[test]
    fn a_resubmitted_run_forgets_how_the_first_one_ended() {
        let live = json!({"apiVersion": "argoproj.io/v1alpha1", "kind": "Workflow",
            "metadata": {"name": "ci-x1", "generateName": "ci-", "namespace": "t", "labels": {
                format!("{PREFIX}/phase"): "Failed", format!("{PREFIX}/completed"): "true",
                format!("{PREFIX}/workflow-template"): "ci", "team": "a"}},
            "spec": {"shutdown": "Stop", "entrypoint": "main"}, "status": {"phase": "Failed"}});

        let body = resubmitted(&live);

        assert_eq!(body["spec"], json!({"entrypoint": "main"}));
        let labels = json!({"team": "a", format!("{PREFIX}/workflow-template"): "ci",
            format!("{PREFIX}/resubmitted-from-workflow"): "ci-x1"});
        assert_eq!(body["metadata"]["labels"], labels);
        assert_eq!(body["metadata"]["generateName"], "ci-");
        assert_eq!(body.get("status"), None);
    }

    #[test]
    fn a_schedule_makes_a_run_that_it_owns() {
        let live = json!({"metadata": {"name": "nightly", "namespace": "t", "uid": "u"},
            "spec": {"workflowSpec": {"entrypoint": "main", "arguments": {"parameters": [
                {"name": "a", "value": "1"}]}}}});

        let body = with(
            of_cron(&live, DateTime::UNIX_EPOCH),
            &[("a".into(), "2".into())],
        );

        assert_eq!(body["metadata"]["ownerReferences"][0]["uid"], "u");
        assert_eq!(
            body["metadata"]["labels"][format!("{PREFIX}/cron-workflow")],
            "nightly"
        );
        let given = json!([{"name": "a", "value": "2"}]);
        assert_eq!(body["spec"]["arguments"]["parameters"], given);
    }

    #[test]
    fn workspaces_are_bound_and_none_is_forgotten() {
        let live = json!({"kind": "Pipeline", "metadata": {"name": "ci"}, "spec": {"params": [
            {"name": "list", "type": "array"}]}});
        let given = [
            (Text::from("list"), Text::from("a, b")),
            ("workspace.src".into(), "size:1Gi".into()),
        ];

        let body = of_pipeline(&live, "t", (&given, vec!["src"])).expect("a run");

        assert_eq!(body["spec"]["params"][0]["value"], json!(["a", "b"]));
        assert_eq!(body["spec"]["workspaces"][0]["name"], "src");
        let refused = of_pipeline(&live, "t", (&[], vec!["src"])).expect_err("refused");
        assert!(refused.reason.contains("src"));
    }
}
