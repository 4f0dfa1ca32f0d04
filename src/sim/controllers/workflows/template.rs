//! A template, read after its inputs were put in.

use super::model::{Arguments, Hook, Metadata, Parameter, TemplateRef};
use serde::{Deserialize, Deserializer};
use serde_json::Value;
use std::collections::BTreeMap;

/// What a step or task does.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(super) struct Template {
    pub(super) name: String,
    pub(super) inputs: Slots,
    pub(super) outputs: Slots,
    pub(super) container: Option<Value>,
    pub(super) script: Option<Value>,
    pub(super) container_set: Option<Value>,
    pub(super) resource: Option<Value>,
    pub(super) data: Option<Value>,
    pub(super) http: Option<Http>,
    pub(super) plugin: Option<Value>,
    pub(super) suspend: Option<Suspend>,
    pub(super) steps: Option<Vec<Vec<Step>>>,
    pub(super) dag: Option<Dag>,
    pub(super) retry_strategy: Option<RetryStrategy>,
    pub(super) fail_fast: bool,
    pub(super) parallelism: Option<i64>,
    #[serde(deserialize_with = "number")]
    pub(super) active_deadline_seconds: Option<i64>,
    pub(super) timeout: String,
    pub(super) metadata: Metadata,
    pub(super) service_account_name: String,
    pub(super) node_selector: Option<Value>,
    pub(super) tolerations: Option<Value>,
    pub(super) affinity: Option<Value>,
    pub(super) volumes: Vec<Value>,
    pub(super) init_containers: Vec<Value>,
    pub(super) sidecars: Vec<Value>,
    pub(super) daemon: bool,
    pub(super) synchronization: Option<Value>,
}

/// What a template is, by the field that says so.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum TemplateKind {
    /// It runs in a pod.
    Pod,
    Steps,
    Dag,
    Suspend,
    Http,
    Plugin,
}

impl Template {
    /// Returns what the template is; none: it does not say.
    pub(super) fn kind(&self) -> Option<TemplateKind> {
        let is_pod = self.container.is_some()
            || self.script.is_some()
            || self.container_set.is_some()
            || self.resource.is_some()
            || self.data.is_some();
        match self {
            _ if is_pod => Some(TemplateKind::Pod),
            Self { steps: Some(_), .. } => Some(TemplateKind::Steps),
            Self { dag: Some(_), .. } => Some(TemplateKind::Dag),
            Self {
                suspend: Some(_), ..
            } => Some(TemplateKind::Suspend),
            Self { http: Some(_), .. } => Some(TemplateKind::Http),
            Self {
                plugin: Some(_), ..
            } => Some(TemplateKind::Plugin),
            _ => None,
        }
    }
}

/// Inputs or outputs of a template.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Slots {
    pub(super) parameters: Vec<Parameter>,
    pub(super) artifacts: Vec<Value>,
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Suspend {
    #[serde(deserialize_with = "text")]
    pub(super) duration: String,
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(super) struct Http {
    pub(super) method: String,
    pub(super) url: String,
    pub(super) headers: Vec<Value>,
    pub(super) body: String,
    pub(super) timeout_seconds: Option<i64>,
    pub(super) success_condition: String,
}

/// A step of a group, or a task of a graph.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(super) struct Step {
    pub(super) name: String,
    pub(super) template: String,
    pub(super) template_ref: Option<TemplateRef>,
    pub(super) inline: Option<Value>,
    pub(super) arguments: Arguments,
    pub(super) when: String,
    pub(super) with_items: Option<Vec<Value>>,
    #[serde(deserialize_with = "text")]
    pub(super) with_param: String,
    pub(super) with_sequence: Option<Sequence>,
    pub(super) continue_on: Option<ContinueOn>,
    pub(super) on_exit: String,
    pub(super) hooks: BTreeMap<String, Hook>,
    pub(super) depends: String,
    pub(super) dependencies: Vec<String>,
}

impl Step {
    /// It stands for several.
    pub(super) fn expands(&self) -> bool {
        self.with_items.is_some() || !self.with_param.is_empty() || self.with_sequence.is_some()
    }

    /// What is around it goes on although it ended so.
    pub(super) fn continues_on(&self, phase: super::node::Phase) -> bool {
        let on = self.continue_on.clone().unwrap_or_default();
        (on.failed && phase == super::node::Phase::Failed)
            || (on.error && phase == super::node::Phase::Error)
    }

    /// Returns what runs when it has ended.
    pub(super) fn exit_hook(&self) -> Option<Hook> {
        if let Some(hook) = self.hooks.get("exit") {
            return Some(hook.clone());
        }
        (!self.on_exit.is_empty()).then(|| Hook {
            template: self.on_exit.clone(),
            ..Hook::default()
        })
    }
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct ContinueOn {
    pub(super) error: bool,
    pub(super) failed: bool,
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Sequence {
    #[serde(deserialize_with = "text")]
    pub(super) count: String,
    #[serde(deserialize_with = "text")]
    pub(super) start: String,
    #[serde(deserialize_with = "text")]
    pub(super) end: String,
    pub(super) format: String,
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(super) struct Dag {
    pub(super) tasks: Vec<Step>,
    pub(super) target: String,
    pub(super) fail_fast: Option<bool>,
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(super) struct RetryStrategy {
    #[serde(deserialize_with = "number")]
    pub(super) limit: Option<i64>,
    pub(super) retry_policy: String,
    pub(super) backoff: Option<Backoff>,
    pub(super) expression: String,
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(super) struct Backoff {
    #[serde(deserialize_with = "text")]
    pub(super) duration: String,
    #[serde(deserialize_with = "number")]
    pub(super) factor: Option<i64>,
    #[serde(deserialize_with = "text")]
    pub(super) max_duration: String,
    #[serde(deserialize_with = "text")]
    pub(super) cap: String,
}

fn text<'de, D: Deserializer<'de>>(deserializer: D) -> Result<String, D::Error> {
    let value = Value::deserialize(deserializer)?;
    Ok(super::model::text_of(&value).unwrap_or_default())
}

/// Reads a number that may be written as text; text that still holds `{{…}}` counts as none.
fn number<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<i64>, D::Error> {
    let value = Value::deserialize(deserializer)?;
    Ok(value
        .as_i64()
        .or_else(|| value.as_str()?.trim().parse().ok()))
}
