//! From templates to the `spec` of an AnalysisRun.
//!
//! Follows Argo Rollouts' `utils/analysis/helpers.go` (`FlattenTemplates`, `MergeArgs`,
//! `NewAnalysisRunFromTemplates`, `CreateWithCollisionCounter`): templates of the namespace come before
//! those of the cluster, each with the templates it names itself; every template counts once.

use super::arguments::name_of;
use kube::Client;
use kube::api::{Api, ApiResource, DynamicObject, GroupVersionKind, PostParams};
use serde_json::{Map, Value, json};
use std::collections::HashSet;
use std::fmt;

/// Names a template.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct TemplateRef {
    /// The template's name.
    pub name: String,
    /// It is a ClusterAnalysisTemplate.
    pub cluster_scope: bool,
}

impl TemplateRef {
    /// Reads a list of `{templateName, clusterScope}`, as Rollouts and templates have it.
    pub fn list(templates: &Value) -> Vec<Self> {
        items(Some(templates)).iter().map(Self::read).collect()
    }

    /// Reads one `{templateName, clusterScope}`.
    pub fn read(template: &Value) -> Self {
        let name = template.get("templateName").and_then(Value::as_str);
        Self {
            name: name.unwrap_or_default().to_owned(),
            cluster_scope: template.get("clusterScope") == Some(&Value::Bool(true)),
        }
    }

    fn kind(&self) -> &'static str {
        if self.cluster_scope {
            "ClusterAnalysisTemplate"
        } else {
            "AnalysisTemplate"
        }
    }
}

/// What whoever starts a run adds to its templates.
#[derive(Clone, Debug, Default)]
pub struct Additions {
    /// Arguments with their values; those that no template knows are left out.
    pub args: Vec<Value>,
    /// Further `dryRun` rules.
    pub dry_run: Vec<Value>,
    /// Further `measurementRetention` rules.
    pub measurement_retention: Vec<Value>,
}

impl Additions {
    /// Reads `args`, `dryRun` and `measurementRetention` of an analysis step or an experiment.
    pub fn read(analysis: &Value) -> Self {
        Self {
            args: items(analysis.get("args")).to_vec(),
            dry_run: items(analysis.get("dryRun")).to_vec(),
            measurement_retention: items(analysis.get("measurementRetention")).to_vec(),
        }
    }
}

/// Why templates do not make a run.
#[derive(Debug, thiserror::Error)]
pub enum MergeError {
    /// A template is not there.
    #[error("{}.argoproj.io \"{}\" not found", .0.kind().to_lowercase(), .0.name)]
    NotFound(TemplateRef),
    /// The templates do not fit together, or an argument has no value.
    #[error("{0}")]
    Invalid(String),
    /// The API server could not be asked; trying again may help.
    #[error("cannot read {what}: {source}")]
    Api {
        /// Which template was to be read.
        what: String,
        /// What the server said.
        source: Box<kube::Error>,
    },
}

/// Returns the `spec` of the AnalysisRun that these templates make.
pub async fn merge(
    client: &Client,
    namespace: &str,
    templates: &[TemplateRef],
    additions: &Additions,
) -> Result<Value, MergeError> {
    let found = collect(client, namespace, templates).await?;
    spec_of(&found, additions).map_err(MergeError::Invalid)
}

/// Reads templates and those that they name, each once; those of the namespace come first.
async fn collect(
    client: &Client,
    namespace: &str,
    templates: &[TemplateRef],
) -> Result<Vec<Value>, MergeError> {
    let mut open: Vec<TemplateRef> = templates.iter().rev().cloned().collect();
    let mut seen = HashSet::new();
    let (mut own, mut shared) = (Vec::new(), Vec::new());
    while let Some(template) = open.pop() {
        if !seen.insert(template.clone()) {
            continue;
        }
        let spec = read(client, namespace, &template).await?;
        let inner = spec.get("templates").map(TemplateRef::list);
        open.extend(inner.into_iter().flatten().rev());
        if template.cluster_scope {
            shared.push(spec);
        } else {
            own.push(spec);
        }
    }
    own.append(&mut shared);
    Ok(own)
}

async fn read(
    client: &Client,
    namespace: &str,
    template: &TemplateRef,
) -> Result<Value, MergeError> {
    let resource = resource(template.kind());
    let api: Api<DynamicObject> = if template.cluster_scope {
        Api::all_with(client.clone(), &resource)
    } else {
        Api::namespaced_with(client.clone(), namespace, &resource)
    };
    let found = api.get_opt(&template.name).await;
    let found = found.map_err(|source| MergeError::Api {
        what: format!("{} `{}`", template.kind(), template.name),
        source: Box::new(source),
    })?;
    let mut object = found.ok_or_else(|| MergeError::NotFound(template.clone()))?;
    Ok(object
        .data
        .get_mut("spec")
        .map(Value::take)
        .unwrap_or_default())
}

fn resource(kind: &str) -> ApiResource {
    ApiResource::from_gvk(&GroupVersionKind::gvk("argoproj.io", "v1alpha1", kind))
}

/// Merges the specs of templates into the spec of a run.
fn spec_of(templates: &[Value], additions: &Additions) -> Result<Value, String> {
    let all = |field: &str| -> Vec<Value> {
        let lists = templates.iter().flat_map(|spec| items(spec.get(field)));
        lists.cloned().collect()
    };
    let metrics = all("metrics");
    if let Some(name) = first_repeated(&metrics, "name") {
        return Err(format!("two metrics have the same name '{name}'"));
    }
    let mut dry_run = additions.dry_run.clone();
    dry_run.extend(all("dryRun"));
    let mut retention = additions.measurement_retention.clone();
    retention.extend(all("measurementRetention"));
    for (rules, what) in [(&dry_run, "Dry-Run"), (&retention, "Measurement Retention")] {
        if let Some(name) = first_repeated(rules, "metricName") {
            return Err(format!(
                "two {what} metric rules have the same name '{name}'"
            ));
        }
    }
    let args = merged_args(flat_args(&all("args"))?, &additions.args)?;
    let mut spec = Map::new();
    spec.insert("metrics".to_owned(), Value::Array(metrics));
    for (field, list) in [
        ("args", args),
        ("dryRun", dry_run),
        ("measurementRetention", retention),
    ] {
        if !list.is_empty() {
            spec.insert(field.to_owned(), Value::Array(list));
        }
    }
    Ok(Value::Object(spec))
}

fn first_repeated<'a>(list: &'a [Value], field: &str) -> Option<&'a str> {
    let mut seen = HashSet::new();
    list.iter()
        .filter_map(|one| one.get(field).and_then(Value::as_str))
        .find(|name| !seen.insert(*name))
}

/// Makes one argument of those of one name; two different values are a contradiction.
fn flat_args(args: &[Value]) -> Result<Vec<Value>, String> {
    let mut flat: Vec<Value> = Vec::new();
    for arg in args {
        let name = name_of(arg);
        let Some(known) = flat.iter_mut().find(|known| name_of(known) == name) else {
            flat.push(arg.clone());
            continue;
        };
        let (before, now) = (value_of(known), value_of(arg));
        if let (Some(before), Some(now)) = (before, now)
            && before != now
        {
            return Err(format!(
                "Argument `{name}` specified multiple times with different values: '{before}', '{now}'"
            ));
        }
        if before.is_none() {
            *known = arg.clone();
        }
    }
    Ok(flat)
}

fn value_of(arg: &Value) -> Option<&str> {
    arg.get("value").and_then(Value::as_str)
}

/// Puts given values into the templates' arguments; each has to have one in the end.
fn merged_args(mut args: Vec<Value>, given: &[Value]) -> Result<Vec<Value>, String> {
    for one in given {
        let name = name_of(one);
        let known = args.iter_mut().find(|arg| name_of(arg) == name);
        let Some(known) = known.and_then(Value::as_object_mut) else {
            continue;
        };
        let field = ["value", "valueFrom"]
            .into_iter()
            .find_map(|field| Some((field, one.get(field)?)));
        if let Some((field, value)) = field {
            known.insert(field.to_owned(), value.clone());
        }
    }
    let open = args
        .iter()
        .find(|arg| arg.get("value").is_none() && arg.get("valueFrom").is_none());
    match open {
        Some(arg) => Err(format!("args.{} was not resolved", name_of(arg))),
        None => Ok(args),
    }
}

/// Creates an AnalysisRun; if its name is taken, by one of the same owner and content that has not
/// ended, returns that one, and otherwise tries the name with `.1`, `.2` …
pub async fn create_run(client: &Client, run: &Value) -> kube::Result<Value> {
    let mut object: DynamicObject =
        serde_json::from_value(run.clone()).map_err(kube::Error::SerdeError)?;
    let namespace = object.metadata.namespace.clone().unwrap_or_default();
    let name = object.metadata.name.clone().unwrap_or_default();
    let api: Api<DynamicObject> =
        Api::namespaced_with(client.clone(), &namespace, &resource("AnalysisRun"));
    let mut collisions = 0;
    loop {
        match api.create(&PostParams::default(), &object).await {
            Err(kube::Error::Api(status)) if status.reason == "AlreadyExists" => {}
            created => return as_value(&created?),
        }
        let taken = object.metadata.name.clone().unwrap_or_default();
        let existing = as_value(&api.get(&taken).await?)?;
        if is_same(&existing, run) {
            return Ok(existing);
        }
        collisions += 1;
        object.metadata.name = Some(format!("{name}.{collisions}"));
    }
}

fn as_value(object: &DynamicObject) -> kube::Result<Value> {
    serde_json::to_value(object).map_err(kube::Error::SerdeError)
}

/// The existing run is what was to be created: a reconcile has looked at an old cache.
fn is_same(existing: &Value, wanted: &Value) -> bool {
    let owner = |run: &Value| {
        let owners = run.pointer("/metadata/ownerReferences");
        let owner = items(owners)
            .iter()
            .find(|owner| owner.get("controller") == Some(&json!(true)));
        owner.and_then(|owner| owner.get("uid").cloned())
    };
    let part = |run: &Value, field: &str| run.pointer(&format!("/spec/{field}")).cloned();
    let ended = existing
        .pointer("/status/phase")
        .and_then(Value::as_str)
        .is_some_and(|phase| !matches!(phase, "" | "Pending" | "Running"));
    !ended
        && owner(existing) == owner(wanted)
        && ["metrics", "dryRun", "measurementRetention", "args"]
            .iter()
            .all(|field| part(existing, field) == part(wanted, field))
}

fn items(list: Option<&Value>) -> &[Value] {
    list.and_then(Value::as_array).map_or(&[], Vec::as_slice)
}

impl fmt::Display for TemplateRef {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} `{}`", self.kind(), self.name)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn metric(name: &str) -> Value {
        json!({"name": name, "provider": {"web": {"url": "http://x"}}})
    }

    fn refused(templates: &[Value], additions: &Additions) -> String {
        spec_of(templates, additions).expect_err("it is refused")
    }

    #[test]
    fn templates_are_put_together_with_what_is_added() {
        let templates = [
            json!({"metrics": [metric("a")], "args": [{"name": "who"}, {"name": "what", "value": "default"}]}),
            json!({"metrics": [metric("b")], "args": [{"name": "who", "value": "template"}], "dryRun": [{"metricName": "b"}]}),
        ];
        let additions = Additions {
            args: vec![
                json!({"name": "what", "value": "given"}),
                json!({"name": "unknown", "value": "x"}),
            ],
            dry_run: vec![json!({"metricName": "a"})],
            measurement_retention: vec![json!({"metricName": "a", "limit": 3})],
        };

        let spec = spec_of(&templates, &additions).expect("it fits");

        assert_eq!(
            spec,
            json!({
                "metrics": [metric("a"), metric("b")],
                "args": [{"name": "who", "value": "template"}, {"name": "what", "value": "given"}],
                "dryRun": [{"metricName": "a"}, {"metricName": "b"}],
                "measurementRetention": [{"metricName": "a", "limit": 3}],
            })
        );
    }

    #[test]
    fn contradictions_are_refused_in_upstreams_words() {
        let none = Additions::default();
        let twice = json!({"metrics": [metric("a")]});
        assert_eq!(
            refused(&[twice.clone(), twice], &none),
            "two metrics have the same name 'a'"
        );
        let arg = |value: &str| json!({"args": [{"name": "who", "value": value}]});
        assert_eq!(
            refused(&[arg("x"), arg("y")], &none),
            "Argument `who` specified multiple times with different values: 'x', 'y'"
        );
        let open = json!({"args": [{"name": "who"}]});
        assert_eq!(refused(&[open], &none), "args.who was not resolved");
        let rules = Additions {
            dry_run: vec![json!({"metricName": "a"})],
            ..Additions::default()
        };
        let template = json!({"dryRun": [{"metricName": "a"}]});
        assert_eq!(
            refused(&[template], &rules),
            "two Dry-Run metric rules have the same name 'a'"
        );
        let limit = json!({"measurementRetention": [{"metricName": "a", "limit": 1}]});
        assert_eq!(
            refused(&[limit.clone(), limit], &none),
            "two Measurement Retention metric rules have the same name 'a'"
        );
    }

    #[test]
    fn a_secret_given_for_an_argument_is_kept_as_a_reference() {
        let from = json!({"secretKeyRef": {"name": "token", "key": "value"}});
        let template = json!({"args": [{"name": "token"}]});
        let additions = Additions {
            args: vec![json!({"name": "token", "valueFrom": from})],
            ..Additions::default()
        };

        let spec = spec_of(&[template], &additions).expect("it fits");

        assert_eq!(
            spec["args"],
            json!([{"name": "token", "valueFrom": {"secretKeyRef": {"name": "token", "key": "value"}}}])
        );
    }

    #[test]
    fn a_missing_template_is_named_as_upstream_does() {
        let missing = MergeError::NotFound(TemplateRef {
            name: "success-rate".to_owned(),
            cluster_scope: false,
        });

        assert_eq!(
            missing.to_string(),
            "analysistemplate.argoproj.io \"success-rate\" not found"
        );
    }

    #[test]
    fn a_run_that_has_ended_or_differs_is_not_the_same() {
        let run = |uid: &str, phase: &str, metrics: Value| {
            json!({
                "metadata": {"ownerReferences": [{"uid": uid, "controller": true}]},
                "spec": {"metrics": metrics},
                "status": {"phase": phase},
            })
        };
        let wanted = run("u", "", json!([metric("a")]));

        assert!(is_same(&run("u", "Running", json!([metric("a")])), &wanted));
        assert!(!is_same(&run("u", "Failed", json!([metric("a")])), &wanted));
        assert!(!is_same(
            &run("v", "Running", json!([metric("a")])),
            &wanted
        ));
        assert!(!is_same(
            &run("u", "Running", json!([metric("b")])),
            &wanted
        ));
    }
}
