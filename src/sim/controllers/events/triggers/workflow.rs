//! Triggers of the kind `argoWorkflow`: what upstream does by running `argo` with a verb.

use super::{Hands, MANAGER, Made, Shot, resource, said};
use crate::sim::controllers::events::model::text;
use crate::sim::controllers::events::path;
use kube::ResourceExt as _;
use kube::api::{DynamicObject, Patch, PatchParams, PostParams};
use serde_json::{Value, json};

impl Hands {
    /// Submits a Workflow, or changes one that is there.
    pub(super) async fn workflow(&self, shot: &Shot, part: &Value) -> Result<Made, String> {
        let mut resource = resource(shot, part)?;
        let patch = match text(part, "operation") {
            "" | "submit" => {
                with_arguments(&mut resource, part)?;
                return self.submit(&resource).await;
            }
            "submit-from" => {
                let mut workflow = self.made_from(&resource).await?;
                super::label(shot, &mut workflow)?;
                with_arguments(&mut workflow, part)?;
                return self.submit(&workflow).await;
            }
            "suspend" => json!({"spec": {"suspend": true}}),
            "resume" => json!({"spec": {"suspend": null}}),
            "terminate" => json!({"spec": {"shutdown": "Terminate"}}),
            "stop" => json!({"spec": {"shutdown": "Stop"}}),
            other @ ("retry" | "resubmit") => {
                return Err(format!(
                    "`{other}` by a sensor is not carried out by the embedded platform"
                ));
            }
            other => return Err(format!("unknown operation `{other}`")),
        };
        let (api, made) = self.api(&resource);
        let params = PatchParams::default();
        let patched = api.patch(&made.name, &params, &Patch::Merge(&patch)).await;
        patched.map_err(|error| said(&error))?;
        Ok(made)
    }

    async fn submit(&self, workflow: &Value) -> Result<Made, String> {
        let object: DynamicObject = serde_json::from_value(workflow.clone())
            .map_err(|error| format!("the trigger's resource is no object: {error}"))?;
        let (api, mut made) = self.api(workflow);
        let params = PostParams {
            field_manager: Some(MANAGER.to_owned()),
            ..PostParams::default()
        };
        let created = api.create(&params, &object).await;
        made.name = created.map_err(|error| said(&error))?.name_any();
        Ok(made)
    }

    /// Makes the Workflow that `argo submit --from` makes.
    async fn made_from(&self, template: &Value) -> Result<Value, String> {
        let (api, made) = self.api(template);
        let name = &made.name;
        let found = api.get(name).await.map_err(|error| {
            let of = format!("{} `{}/{name}`", made.kind, made.namespace);
            format!("cannot submit from {of}: {}", said(&error))
        })?;
        let mut spec = json!({"workflowTemplateRef": {"name": name}});
        let label = match made.kind.as_str() {
            "WorkflowTemplate" => "workflow-template",
            "ClusterWorkflowTemplate" => {
                spec["workflowTemplateRef"]["clusterScope"] = true.into();
                "cluster-workflow-template"
            }
            "CronWorkflow" => {
                spec = found
                    .data
                    .pointer("/spec/workflowSpec")
                    .cloned()
                    .unwrap_or(spec);
                "cron-workflow"
            }
            other => return Err(format!("invalid kind {other} for submit-from")),
        };
        if let Some(arguments) = template.pointer("/spec/arguments") {
            spec["arguments"] = arguments.clone();
        }
        let mut workflow = json!({
            "apiVersion": "argoproj.io/v1alpha1",
            "kind": "Workflow",
            "metadata": {
                "generateName": format!("{name}-"),
                "namespace": made.namespace,
                "labels": {},
            },
            "spec": spec,
        });
        workflow["metadata"]["labels"][format!("workflows.argoproj.io/{label}")] =
            name.as_str().into();
        Ok(workflow)
    }
}

/// Adds what `args` say: `-p name=value`, or `--parameter`.
fn with_arguments(workflow: &mut Value, part: &Value) -> Result<(), String> {
    let args = part.get("args").and_then(Value::as_array);
    let mut words = args.into_iter().flatten().map(path::text);
    while let Some(word) = words.next() {
        let pair = match word.as_str() {
            "-p" | "--parameter" => words.next().unwrap_or_default(),
            word => match word.strip_prefix("--parameter=") {
                Some(pair) => pair.to_owned(),
                None => {
                    return Err(format!(
                        "the argument `{word}` is not known to the embedded platform; -p is"
                    ));
                }
            },
        };
        let (name, value) = pair.split_once('=').ok_or_else(|| {
            format!("expected parameter of the form: NAME=VALUE. Received: {pair}")
        })?;
        let known = path::get(workflow, "spec.arguments.parameters");
        let known = known.as_ref().and_then(Value::as_array);
        let place = known.and_then(|all| all.iter().position(|one| text(one, "name") == name));
        let place = place.map_or("-1".to_owned(), |place| place.to_string());
        let place = format!("spec.arguments.parameters.{place}");
        path::set(workflow, &place, json!({"name": name, "value": value}))?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn arguments_replace_parameters_or_are_added() {
        let mut workflow =
            json!({"spec": {"arguments": {"parameters": [{"name": "a", "value": "1"}]}}});
        let part = json!({"args": ["-p", "a=2", "--parameter=b=x=y"]});

        with_arguments(&mut workflow, &part).expect("they are known");

        let wanted = json!([{"name": "a", "value": "2"}, {"name": "b", "value": "x=y"}]);
        assert_eq!(workflow["spec"]["arguments"]["parameters"], wanted);
        assert!(with_arguments(&mut workflow, &json!({"args": ["--wait"]})).is_err());
    }
}
