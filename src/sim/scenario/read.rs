//! Reads `scenario.toml` and `manifests/`, and checks that what they name exists.

use super::history::{self, RawRepository};
use super::model::{Component, Fault, FaultEffect, ObjectName, Repository, SeedSync, WebhookShape};
use super::toml_items::Reader;
use super::{Mistake, Origin, Scenario, duration};
use crate::api::yaml;
use crate::domain::nearest::nearest;
use crate::sim::files::{EntryKind, FileTree};
use crate::sim::harbor::shape::{
    ArtifactShape, CveShape, ProjectShape, RegistryFault, RegistryShape, RobotShape,
};
use crate::sim::kubelet::image::ImageProfile;
use crate::sim::steps::StepProfile;
use crate::sim::traffic::TrafficShape;
use crate::sim::webhook::smee::SmeeShape;
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::Value;
use toml::de::DeTable;

pub(super) const FILE: &str = "scenario.toml";
const MANIFESTS: &str = "manifests";

const FIELDS: [&str; 17] = [
    "title",
    "description",
    "starts",
    "registries",
    "images",
    "project",
    "robot",
    "artifact",
    "cve",
    "image-profile",
    "step-profile",
    "traffic",
    "repository",
    "webhook",
    "smee",
    "sync",
    "fault",
];

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
struct RawSync {
    application: String,
    #[serde(default)]
    revision: String,
    #[serde(default)]
    by: Option<String>,
    #[serde(default)]
    until_healthy: bool,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct RawFault {
    #[serde(default)]
    name: String,
    #[serde(default)]
    after: Option<String>,
    what: String,
    #[serde(default)]
    object: Option<ObjectName>,
    #[serde(default)]
    patch: Option<Value>,
    #[serde(default)]
    delete: bool,
    #[serde(default)]
    commit: Option<RawFaultCommit>,
    #[serde(default)]
    registry: Option<RegistryFault>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct RawFaultCommit {
    repository: String,
    file: String,
    text: String,
    instead: String,
    author: String,
    message: String,
}

pub(super) fn read(
    name: &str,
    origin: Origin,
    files: &dyn FileTree,
) -> Result<Scenario, Vec<Mistake>> {
    let Some(bytes) = files.read(FILE) else {
        return Err(vec![Mistake {
            file: FILE.to_owned(),
            line: None,
            message: "is missing; a scenario needs one".to_owned(),
        }]);
    };
    let text = String::from_utf8_lossy(&bytes).into_owned();
    let mut reader = Reader::new(FILE, &text);
    let table = reader.parse();
    reader.refuse_unknown(&table, &FIELDS);

    let (manifests, mut broken) = read_manifests(files);
    let repositories = read_repositories(&mut reader, &table, files);
    let scenario = Scenario {
        name: name.to_owned(),
        title: reader.field(&table, "title"),
        description: reader
            .field::<String>(&table, "description")
            .trim()
            .to_owned(),
        origin,
        starts: read_starts(&mut reader, &table),
        registries: reader.field(&table, "registries"),
        images: reader.field(&table, "images"),
        profiles: read_profiles(&mut reader, &table),
        registry: read_registry(&mut reader, &table),
        steps: read_steps(&mut reader, &table),
        traffic: read_traffic(&mut reader, &table),
        syncs: read_syncs(&mut reader, &table, &manifests),
        faults: read_faults(&mut reader, &table, &repositories),
        webhooks: read_webhooks(&mut reader, &table),
        smee: read_smee(&mut reader, &table),
        repositories,
        manifests,
    };
    let mut mistakes = reader.mistakes;
    mistakes.append(&mut broken);
    mistakes.sort_by(|a, b| (&a.file, a.line).cmp(&(&b.file, b.line)));
    if mistakes.is_empty() {
        Ok(scenario)
    } else {
        Err(mistakes)
    }
}

fn read_starts(reader: &mut Reader<'_>, table: &DeTable<'_>) -> Vec<Component> {
    let Some(value) = table.get("starts") else {
        return Component::ALL.to_vec();
    };
    let Some(words) = value.get_ref().as_array() else {
        let message = "`starts` is a list such as [\"workloads\", \"argocd\"]";
        reader.report_at(value.span().start, message);
        return Vec::new();
    };
    let mut starts = Vec::new();
    for word in words {
        let Some(text) = word.get_ref().as_str() else {
            reader.report_at(word.span().start, "`starts` is a list of words");
            continue;
        };
        match Component::ALL
            .into_iter()
            .find(|known| known.word() == text)
        {
            Some(component) => starts.push(component),
            None => {
                let known = Component::ALL.map(Component::word);
                let message = match nearest(text, known) {
                    Some(meant) => {
                        format!("`{text}` is not a part of the platform; did you mean `{meant}`?")
                    }
                    None => format!(
                        "`{text}` is not a part of the platform; there are {}",
                        known.join(", ")
                    ),
                };
                reader.report_at(word.span().start, message);
            }
        }
    }
    starts
}

fn read_profiles<'t>(reader: &mut Reader<'t>, table: &DeTable<'t>) -> Vec<ImageProfile> {
    let mut profiles = Vec::new();
    for (offset, profile) in reader.items::<ImageProfile>(table, "image-profile") {
        match profile.mistake() {
            Some(message) => reader.report_at(offset, message),
            None => profiles.push(profile),
        }
    }
    profiles
}

/// Reads items that can tell what is wrong with them.
fn checked<'t, T: DeserializeOwned>(
    reader: &mut Reader<'t>,
    table: &DeTable<'t>,
    field: &str,
    mistake: impl Fn(&T) -> Option<&'static str>,
) -> Vec<T> {
    let mut right = Vec::new();
    for (offset, item) in reader.items::<T>(table, field) {
        match mistake(&item) {
            Some(message) => reader.report_at(offset, message),
            None => right.push(item),
        }
    }
    right
}

fn read_registry<'t>(reader: &mut Reader<'t>, table: &DeTable<'t>) -> RegistryShape {
    RegistryShape {
        projects: checked(reader, table, "project", |one: &ProjectShape| one.mistake()),
        robots: checked(reader, table, "robot", RobotShape::mistake),
        artifacts: checked(reader, table, "artifact", ArtifactShape::mistake),
        cves: checked(reader, table, "cve", CveShape::mistake),
    }
}

fn read_steps<'t>(reader: &mut Reader<'t>, table: &DeTable<'t>) -> Vec<StepProfile> {
    let mut profiles = Vec::new();
    for (offset, profile) in reader.items::<StepProfile>(table, "step-profile") {
        match profile.mistake() {
            Some(message) => reader.report_at(offset, message),
            None => profiles.push(profile),
        }
    }
    profiles
}

fn read_webhooks<'t>(reader: &mut Reader<'t>, table: &DeTable<'t>) -> Vec<WebhookShape> {
    let mut hooks = Vec::new();
    for (offset, hook) in reader.items::<WebhookShape>(table, "webhook") {
        match hook.mistake() {
            Some(message) => reader.report_at(offset, message),
            None => hooks.push(hook),
        }
    }
    hooks
}

fn read_smee<'t>(reader: &mut Reader<'t>, table: &DeTable<'t>) -> Vec<SmeeShape> {
    let mut channels = Vec::new();
    for (offset, channel) in reader.items::<SmeeShape>(table, "smee") {
        match channel.mistake() {
            Some(message) => reader.report_at(offset, message),
            None => channels.push(channel),
        }
    }
    channels
}

fn read_traffic<'t>(reader: &mut Reader<'t>, table: &DeTable<'t>) -> Vec<TrafficShape> {
    let mut shapes: Vec<TrafficShape> = Vec::new();
    for (offset, shape) in reader.items::<TrafficShape>(table, "traffic") {
        if let Some(message) = shape.mistake() {
            reader.report_at(offset, message);
        } else if shapes.iter().any(|known| known.service == shape.service) {
            let message = format!("the traffic of `{}` is there twice", shape.service);
            reader.report_at(offset, message);
        } else {
            shapes.push(shape);
        }
    }
    shapes
}

fn read_repositories<'t>(
    reader: &mut Reader<'t>,
    table: &DeTable<'t>,
    files: &dyn FileTree,
) -> Vec<Repository> {
    let raw: Vec<(usize, RawRepository)> = reader.items(table, "repository");
    let mut repositories: Vec<Repository> = Vec::new();
    for (offset, raw) in raw {
        if repositories.iter().any(|known| known.name == raw.name) {
            let message = format!("the repository `{}` is there twice", raw.name);
            reader.report_at(offset, message);
        } else if let Some(repository) = history::repository(raw, offset, files, reader) {
            repositories.push(repository);
        }
    }
    repositories
}

/// Reads every file of `manifests/`, in the order of their names.
fn read_manifests(files: &dyn FileTree) -> (Vec<Value>, Vec<Mistake>) {
    let (mut objects, mut mistakes) = (Vec::new(), Vec::new());
    for entry in files.list(MANIFESTS) {
        let is_yaml = entry.name.ends_with(".yaml") || entry.name.ends_with(".yml");
        if entry.kind != EntryKind::File || !is_yaml {
            continue;
        }
        let file = format!("{MANIFESTS}/{}", entry.name);
        let bytes = files.read(&file).unwrap_or_default();
        match yaml::from_multi::<Value>(&String::from_utf8_lossy(&bytes)) {
            Ok(documents) => {
                for object in documents {
                    match missing_field(&object) {
                        None => objects.push(object),
                        Some(field) => mistakes.push(Mistake {
                            file: file.clone(),
                            line: None,
                            message: format!("holds an object without `{field}`"),
                        }),
                    }
                }
            }
            Err(error) => mistakes.push(Mistake {
                file,
                line: error.line,
                message: error.message,
            }),
        }
    }
    (objects, mistakes)
}

fn missing_field(object: &Value) -> Option<&'static str> {
    let has = |pointer: &str| {
        object
            .pointer(pointer)
            .and_then(Value::as_str)
            .is_some_and(|text| !text.is_empty())
    };
    [
        ("/apiVersion", "apiVersion"),
        ("/kind", "kind"),
        ("/metadata/name", "metadata.name"),
    ]
    .into_iter()
    .find(|(pointer, _)| !has(pointer))
    .map(|(_, field)| field)
}

fn applications(manifests: &[Value]) -> Vec<String> {
    manifests
        .iter()
        .filter(|object| object.get("kind").and_then(Value::as_str) == Some("Application"))
        .filter_map(|object| {
            let text = |pointer: &str| object.pointer(pointer).and_then(Value::as_str);
            let namespace = text("/metadata/namespace").unwrap_or("argocd");
            Some(format!("{namespace}/{}", text("/metadata/name")?))
        })
        .collect()
}

fn read_syncs<'t>(
    reader: &mut Reader<'t>,
    table: &DeTable<'t>,
    manifests: &[Value],
) -> Vec<SeedSync> {
    let raw: Vec<(usize, RawSync)> = reader.items(table, "sync");
    let known = applications(manifests);
    let mut syncs = Vec::new();
    for (offset, raw) in raw {
        if !known.contains(&raw.application) {
            let message = match nearest(&raw.application, known.iter().map(String::as_str)) {
                Some(meant) => format!(
                    "`{}` is not an Application in `{MANIFESTS}`; did you mean `{meant}`?",
                    raw.application
                ),
                None => format!(
                    "`{}` is not an Application in `{MANIFESTS}`",
                    raw.application
                ),
            };
            reader.report_near(offset, &raw.application, message);
        } else if let Some((namespace, name)) = raw.application.split_once('/') {
            syncs.push(SeedSync {
                namespace: namespace.to_owned(),
                application: name.to_owned(),
                revision: raw.revision,
                by: raw.by.unwrap_or_else(|| "admin".to_owned()),
                until_healthy: raw.until_healthy,
            });
        }
    }
    syncs
}

fn read_faults<'t>(
    reader: &mut Reader<'t>,
    table: &DeTable<'t>,
    repositories: &[Repository],
) -> Vec<Fault> {
    let raw: Vec<(usize, RawFault)> = reader.items(table, "fault");
    let mut faults = Vec::new();
    for (offset, raw) in raw {
        let text = raw.after.clone();
        let after = text.as_deref().map(duration::parse).transpose();
        if let Err(message) = &after {
            reader.report_near(offset, &text.unwrap_or_default(), message.clone());
        } else if text.is_none() && raw.name.is_empty() {
            let message = "a fault happens `after` a time, or has a `name` to be asked for by";
            reader.report_at(offset, message);
        }
        let (name, what) = (raw.name.clone(), raw.what.clone());
        let effect = effect(raw, repositories);
        if let Err((words, message)) = &effect {
            reader.report_near(offset, words, message.clone());
        }
        if let (Ok(after), Ok(effect)) = (after, effect) {
            faults.push(Fault {
                name,
                after,
                what,
                effect,
            });
        }
    }
    faults
}

/// The error is a word to find the line by, and what is wrong.
fn effect(raw: RawFault, repositories: &[Repository]) -> Result<FaultEffect, (String, String)> {
    let what = raw.what;
    if let Some(fault) = raw.registry {
        return Ok(FaultEffect::Registry(fault));
    }
    match (raw.object, raw.patch, raw.delete, raw.commit) {
        (Some(object), Some(patch), false, None) => Ok(FaultEffect::Patch { object, patch }),
        (Some(object), None, true, None) => Ok(FaultEffect::Delete { object }),
        (None, None, false, Some(commit)) => fault_commit(commit, repositories),
        _ => Err((
            what,
            "a fault is an `object` with `patch` or `delete`, a `commit`, or something of the `registry`".to_owned(),
        )),
    }
}

fn fault_commit(
    raw: RawFaultCommit,
    repositories: &[Repository],
) -> Result<FaultEffect, (String, String)> {
    let Some(repository) = repositories
        .iter()
        .find(|known| known.name == raw.repository)
    else {
        let known = repositories.iter().map(|known| known.name.as_str());
        let message = match nearest(&raw.repository, known) {
            Some(meant) => {
                format!(
                    "there is no repository `{}`; did you mean `{meant}`?",
                    raw.repository
                )
            }
            None => format!("there is no repository `{}`", raw.repository),
        };
        return Err((raw.repository, message));
    };
    let newest = repository
        .commits
        .last()
        .map(history::as_tree)
        .unwrap_or_default();
    let has_text = newest
        .read(&raw.file)
        .is_some_and(|bytes| String::from_utf8_lossy(&bytes).contains(&raw.text));
    if !has_text {
        let message = format!("no file `{}` with the text `{}` there", raw.file, raw.text);
        return Err((raw.file, message));
    }
    let author = history::author(&raw.author).map_err(|message| (raw.author, message))?;
    Ok(FaultEffect::Commit {
        repository: raw.repository,
        file: raw.file,
        text: raw.text,
        instead: raw.instead,
        author,
        message: raw.message,
    })
}
