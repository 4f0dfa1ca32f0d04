//! What the executor of a Workflow's `resource` template does to an object of the cluster.
//!
//! Follows Argo Workflows' `workflow/executor/resource.go`: create, apply, replace, patch, get or delete
//! one object; then look at it until one of the template's conditions holds.

use crate::api::yaml;
use kube::api::{
    Api, ApiResource, DeleteParams, DynamicObject, GroupVersionKind, Patch, PatchParams, PostParams,
};
use kube::{Client, discovery};
use serde_json::{Value, json};
use std::collections::BTreeMap;

const MANAGER: &str = "argoexec";

/// What came of an action.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Outcome {
    /// It is done; lines, and outputs by name.
    Done(Vec<String>, BTreeMap<String, String>),
    /// No condition holds yet.
    Wait,
    Failed(String),
}

/// Acts on an object; `again`: it was acted on before, and only its conditions are looked at.
pub(super) async fn act(
    client: &Client,
    (namespace, owner): (&str, Option<Value>),
    template: &Value,
    outputs: &BTreeMap<String, String>,
    again: bool,
) -> Outcome {
    let text = |field: &str| {
        template
            .get(field)
            .and_then(Value::as_str)
            .unwrap_or_default()
    };
    let mut manifest: Value = match yaml::from_str(text("manifest")) {
        Ok(manifest) => manifest,
        Err(error) => return Outcome::Failed(format!("the manifest cannot be read: {error}")),
    };
    if template.get("setOwnerReference") == Some(&json!(true))
        && let Some(owner) = owner
    {
        manifest["metadata"]["ownerReferences"] = owner;
    }
    let action = if again { "get" } else { text("action") };
    let object = match apply(
        client,
        namespace,
        (action, text("mergeStrategy")),
        &manifest,
    )
    .await
    {
        Ok(object) => object,
        Err(why) => return Outcome::Failed(why),
    };
    let name = object.pointer("/metadata/name").and_then(Value::as_str);
    let name = name.unwrap_or_default().to_owned();
    for (field, ends_well) in [("failureCondition", false), ("successCondition", true)] {
        let condition = text(field);
        if condition.is_empty() {
            continue;
        }
        match (holds(condition, &object), ends_well) {
            (true, true) => return done(action, &name, &object, outputs),
            (true, false) => {
                return Outcome::Failed(format!("failureCondition '{condition}' evaluated true"));
            }
            (false, true) => return Outcome::Wait,
            (false, false) => {}
        }
    }
    done(action, &name, &object, outputs)
}

fn done(action: &str, name: &str, object: &Value, outputs: &BTreeMap<String, String>) -> Outcome {
    let values = outputs.iter().filter_map(|(output, path)| {
        let value = at(object, path)?;
        let value = value
            .as_str()
            .map_or_else(|| value.to_string(), str::to_owned);
        Some((output.clone(), value))
    });
    let kind = object
        .get("kind")
        .and_then(Value::as_str)
        .unwrap_or_default();
    let kind = kind.to_lowercase();
    Outcome::Done(vec![format!("{kind}/{name} {action}")], values.collect())
}

async fn apply(
    client: &Client,
    namespace: &str,
    (action, strategy): (&str, &str),
    manifest: &Value,
) -> Result<Value, String> {
    let field = |pointer: &str| {
        manifest
            .pointer(pointer)
            .and_then(Value::as_str)
            .unwrap_or_default()
    };
    let name = field("/metadata/name").to_owned();
    let own = field("/metadata/namespace");
    let namespace = if own.is_empty() { namespace } else { own };
    let api = api_of(client, namespace, (field("/apiVersion"), field("/kind"))).await?;
    let how = PatchParams::apply(MANAGER);
    let done = match action {
        "create" => {
            let object =
                serde_json::from_value(manifest.clone()).map_err(|error| error.to_string())?;
            api.create(&PostParams::default(), &object).await
        }
        "apply" => {
            api.patch(&name, &how.force(), &Patch::Apply(manifest))
                .await
        }
        "replace" => {
            let object =
                serde_json::from_value(manifest.clone()).map_err(|error| error.to_string())?;
            api.replace(&name, &PostParams::default(), &object).await
        }
        "patch" => {
            let how = PatchParams::default();
            match strategy {
                "merge" => api.patch(&name, &how, &Patch::Merge(manifest)).await,
                _ => api.patch(&name, &how, &Patch::Strategic(manifest)).await,
            }
        }
        "get" => api.get(&name).await,
        "delete" => {
            let deleted = api.delete(&name, &DeleteParams::background()).await;
            return match deleted {
                Ok(_) => Ok(manifest.clone()),
                Err(error) => Err(said(&error)),
            };
        }
        other => return Err(format!("unknown resource action `{other}`")),
    };
    let object = done.map_err(|error| said(&error))?;
    serde_json::to_value(object).map_err(|error| error.to_string())
}

fn said(error: &kube::Error) -> String {
    if let kube::Error::Api(status) = error {
        return format!("Error from server ({}): {}", status.reason, status.message);
    }
    error.to_string()
}

async fn api_of(
    client: &Client,
    namespace: &str,
    (api_version, kind): (&str, &str),
) -> Result<Api<DynamicObject>, String> {
    let (group, version) = api_version.split_once('/').unwrap_or(("", api_version));
    let wanted = GroupVersionKind::gvk(group, version, kind);
    let found = discovery::pinned_kind(client, &wanted).await;
    let (resource, capabilities): (ApiResource, _) = found.map_err(|_unknown| {
        format!("no matches for kind \"{kind}\" in version \"{api_version}\"")
    })?;
    Ok(if capabilities.scope == discovery::Scope::Cluster {
        Api::all_with(client.clone(), &resource)
    } else {
        Api::namespaced_with(client.clone(), namespace, &resource)
    })
}

/// Says whether conditions such as `status.succeeded > 0, status.failed == 0` all hold.
fn holds(conditions: &str, object: &Value) -> bool {
    conditions.split(',').all(|condition| {
        let marks = ["==", "!=", ">=", "<=", ">", "<", "="];
        let found = marks.iter().find_map(|mark| {
            let (path, wanted) = condition.split_once(mark)?;
            Some((*mark, path.trim(), wanted.trim()))
        });
        let Some((mark, path, wanted)) = found else {
            return at(object, condition.trim()).is_some();
        };
        let value = at(object, path);
        let text = value.map(|value| {
            value
                .as_str()
                .map_or_else(|| value.to_string(), str::to_owned)
        });
        let numbers = text
            .as_deref()
            .and_then(|text| text.parse::<f64>().ok())
            .zip(wanted.parse::<f64>().ok());
        match mark {
            "=" | "==" => text.as_deref() == Some(wanted),
            "!=" => text.as_deref() != Some(wanted),
            ">" => numbers.is_some_and(|(left, right)| left > right),
            "<" => numbers.is_some_and(|(left, right)| left < right),
            ">=" => numbers.is_some_and(|(left, right)| left >= right),
            _ => numbers.is_some_and(|(left, right)| left <= right),
        }
    })
}

/// Returns what a path such as `{.status.conditions[0].type}` leads to.
fn at<'v>(object: &'v Value, path: &str) -> Option<&'v Value> {
    let path = path.trim().trim_start_matches('{').trim_end_matches('}');
    let path = path
        .trim_start_matches('.')
        .replace('[', ".")
        .replace(']', "");
    path.split('.')
        .filter(|part| !part.is_empty())
        .try_fold(object, |value, part| match part.parse::<usize>() {
            Ok(index) if value.is_array() => value.get(index),
            Ok(_) | Err(_) => value.get(part.trim_matches(['\'', '"'])),
        })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn conditions_and_paths_are_read_as_the_executor_does() {
        let object = json!({"status": {"succeeded": 1, "phase": "Done", "list": [{"a": "b"}]}});

        assert!(holds("status.succeeded > 0, status.phase == Done", &object));
        assert!(!holds("status.failed > 3", &object));
        assert!(holds("status.phase != Failed", &object));
        assert_eq!(at(&object, "{.status.list[0].a}"), Some(&json!("b")));
    }
}
