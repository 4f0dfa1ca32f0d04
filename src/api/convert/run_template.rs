//! Parameters on the wire, what they tell of the source, and templates that runs are made from.

use super::loose::{Loose, Meta, at};
use crate::domain::kind::ARGO;
use crate::domain::object::{Cluster, GroupKind, Text};
use crate::domain::pipeline::template::RunTemplate;
use crate::domain::pipeline::{Commit, Parameter};
use serde_json::Value;

/// Returns a text, number or boolean as text; lists and objects as JSON.
pub(super) fn scalar(value: Option<&Value>) -> Text {
    match value {
        None | Some(Value::Null) => "".into(),
        Some(Value::String(text)) => text.as_str().into(),
        Some(other) => other.to_string().into(),
    }
}

/// Reads parameters with their values.
pub(super) fn parameters(value: &Value, path: &[&str], loose: &mut Loose) -> Vec<Parameter> {
    let list = loose.list(value, path).iter();
    list.map(|one| {
        let value = at(one, &["value"]).map(|value| scalar(Some(value)));
        let from = at(one, &["valueFrom"]);
        let default = at(one, &["default"]).or_else(|| at(from?, &["default"]));
        Parameter {
            name: scalar(at(one, &["name"])),
            value,
            supplied: from.is_some_and(|from| from.get("supplied").is_some()),
            default: default.map(|default| scalar(Some(default))),
            choices: Vec::new(),
            description: "".into(),
        }
    })
    .collect()
}

/// Reads parameters with all that a form shows.
pub(super) fn parameters_with(value: &Value, path: &[&str], loose: &mut Loose) -> Vec<Parameter> {
    let wire = loose.list(value, path).iter();
    let read = parameters(value, path, loose).into_iter();
    read.zip(wire)
        .map(|(mut read, wire)| {
            let choices = at(wire, &["enum"]).and_then(Value::as_array);
            read.choices = choices
                .into_iter()
                .flatten()
                .map(|one| scalar(Some(one)))
                .collect();
            read.description = scalar(at(wire, &["description"]));
            read
        })
        .collect()
}

const REVISIONS: [&str; 9] = [
    "revision",
    "commitsha",
    "commit",
    "sha",
    "gitrevision",
    "gitsha",
    "gitcommit",
    "commitid",
    "ref",
];
const REPOSITORIES: [&str; 7] = [
    "repourl",
    "repo",
    "repository",
    "giturl",
    "gitrepo",
    "repositoryurl",
    "url",
];
const IMAGES: [&str; 4] = ["image", "imagename", "imagereference", "imageurl"];

/// Finds the source of a run among its parameters, by the names that people give them.
pub(super) fn commit_of(parameters: &[Parameter]) -> Commit {
    let plain = |name: &str| -> String {
        let letters = name.chars().filter(char::is_ascii_alphanumeric);
        letters.map(|letter| letter.to_ascii_lowercase()).collect()
    };
    let names: Vec<(String, &Parameter)> = parameters
        .iter()
        .map(|one| (plain(&one.name), one))
        .collect();
    let find = |wanted: &[&str]| {
        let found = wanted.iter().find_map(|wanted| {
            let mut known = names.iter();
            let (_, one) = known.find(|(name, _)| name == wanted)?;
            let value = one.value.as_ref().or(one.default.as_ref())?;
            // What has not been filled in says nothing.
            let filled = !value.is_empty() && !value.contains("{{") && !value.contains("$(");
            filled.then(|| Text::clone(value))
        });
        found.unwrap_or_else(|| "".into())
    };
    Commit {
        revision: find(&REVISIONS),
        repository: find(&REPOSITORIES),
        image: find(&IMAGES),
    }
}

/// Reads what a run is made from, with all that has to be given.
pub fn run_template(value: &Value, cluster: &Cluster, kind: &GroupKind) -> RunTemplate {
    let mut loose = Loose::default();
    let meta = Meta::read(value, cluster, kind, &mut loose);
    let (parameters, workspaces) = if &*kind.group == ARGO {
        (super::workflow::form_parameters(value), Vec::new())
    } else {
        super::tekton::form(value)
    };
    let described = scalar(at(
        value,
        &[
            "metadata",
            "annotations",
            "workflows.argoproj.io/description",
        ],
    ));
    let description = if described.is_empty() {
        scalar(at(value, &["spec", "description"]))
    } else {
        described
    };
    RunTemplate {
        object: meta.object,
        uid: meta.uid,
        description,
        parameters,
        workspaces,
    }
}
