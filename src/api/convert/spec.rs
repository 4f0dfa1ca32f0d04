//! `spec` of an Application: where manifests come from, where they go, and who applies them.

use super::reader::Reader;
use crate::api::application::{
    AutomatedWire, ComparedToWire, DestinationWire, HydratorWire, SourceWire, SpecWire,
};
use crate::api::field::{Field, Shape, Str};
use crate::domain::application::{AutoSync, Destination, Source};
use crate::domain::object::Text;
use serde_json::value::RawValue;

pub(super) struct Spec {
    pub(super) project: Text,
    pub(super) sources: Vec<Source>,
    pub(super) multi_source: bool,
    pub(super) destination: Destination,
    pub(super) auto_sync: AutoSync,
}

impl Spec {
    pub(super) fn read(wire: SpecWire<'_>, reader: &mut Reader<'_>) -> Self {
        let project = reader
            .take(wire.project, "spec.project")
            .unwrap_or_default();
        let project = if project.is_empty() {
            "default"
        } else {
            &*project
        };
        let project = reader.interner.shared(project);
        let hydrator = reader.take(wire.source_hydrator, "spec.sourceHydrator");
        let (sources, multi_source) = sources_of(hydrator, (wire.source, wire.sources), reader);
        let destination = destination_of(wire.destination, reader);
        let policy = reader.take(wire.sync_policy, "spec.syncPolicy");
        let automated =
            policy.and_then(|policy| reader.take(policy.automated, "spec.syncPolicy.automated"));
        Self {
            project,
            sources,
            multi_source,
            destination,
            auto_sync: auto_sync_of(automated, reader),
        }
    }
}

fn auto_sync_of(automated: Option<AutomatedWire>, reader: &mut Reader<'_>) -> AutoSync {
    let Some(automated) = automated else {
        return AutoSync::default();
    };
    let mut flag = |field, path| reader.take(field, path);
    AutoSync {
        present: true,
        on: flag(automated.enabled, "spec.syncPolicy.automated.enabled").unwrap_or(true),
        prune: flag(automated.prune, "spec.syncPolicy.automated.prune").unwrap_or(false),
        self_heal: flag(automated.self_heal, "spec.syncPolicy.automated.selfHeal").unwrap_or(false),
        allow_empty: flag(
            automated.allow_empty,
            "spec.syncPolicy.automated.allowEmpty",
        )
        .unwrap_or(false),
    }
}

fn parsed<'a, T>(raw: Option<&'a RawValue>, path: &str, reader: &mut Reader<'_>) -> Option<T>
where
    T: Shape<'a>,
{
    let field: Field<T> = serde_json::from_str(raw?.get()).unwrap_or_default();
    reader.take(field, path)
}

/// The effective sources: a hydrator's, else a non-empty `sources`, else `source`.
fn sources_of(
    hydrator: Option<HydratorWire<'_>>,
    (source, sources): (Option<&RawValue>, Option<&RawValue>),
    reader: &mut Reader<'_>,
) -> (Vec<Source>, bool) {
    if let Some(hydrator) = hydrator {
        return (vec![hydrated(hydrator, reader)], false);
    }
    let many: Vec<Field<SourceWire<'_>>> =
        parsed(sources, "spec.sources", reader).unwrap_or_default();
    if !many.is_empty() {
        let read = many.into_iter().filter_map(|one| {
            reader
                .take(one, "spec.sources")
                .map(|one| source_of(one, reader))
        });
        return (read.collect::<Vec<_>>(), true);
    }
    let one: Option<SourceWire<'_>> = parsed(source, "spec.source", reader);
    (
        one.map(|one| source_of(one, reader)).into_iter().collect(),
        false,
    )
}

fn hydrated(hydrator: HydratorWire<'_>, reader: &mut Reader<'_>) -> Source {
    let dry = reader.take(hydrator.dry_source, "spec.sourceHydrator.drySource");
    let sync = reader.take(hydrator.sync_source, "spec.sourceHydrator.syncSource");
    let sync = sync.unwrap_or_default();
    Source {
        repo: reader.shared(
            dry.unwrap_or_default().repo,
            "spec.sourceHydrator.drySource.repoURL",
        ),
        path: reader.shared(sync.path, "spec.sourceHydrator.syncSource.path"),
        chart: reader.interner.shared(""),
        target_revision: reader.shared(
            sync.target_branch,
            "spec.sourceHydrator.syncSource.targetBranch",
        ),
    }
}

pub(super) fn source_of(wire: SourceWire<'_>, reader: &mut Reader<'_>) -> Source {
    let revision: Option<Str<'_>> = reader.take(wire.target_revision, "source.targetRevision");
    let revision = revision.filter(|revision| !revision.is_empty());
    Source {
        repo: reader.shared(wire.repo, "source.repoURL"),
        path: reader.shared(wire.path, "source.path"),
        chart: reader.shared(wire.chart, "source.chart"),
        target_revision: reader
            .interner
            .shared(revision.as_deref().unwrap_or("HEAD")),
    }
}

fn destination_of(raw: Option<&RawValue>, reader: &mut Reader<'_>) -> Destination {
    let wire: DestinationWire<'_> = parsed(raw, "spec.destination", reader).unwrap_or_default();
    Destination {
        server: reader.shared(wire.server, "spec.destination.server"),
        name: reader.shared(wire.name, "spec.destination.name"),
        namespace: reader.shared(wire.namespace, "spec.destination.namespace"),
    }
}

/// Whether the spec is another one than the verdict was made for.
pub(super) fn differs(spec: &SpecWire<'_>, compared: &ComparedToWire<'_>) -> bool {
    // A hydrated Application is compared by its sync source, which the spec does not spell out.
    let hydrated = spec.source_hydrator.as_ref().is_some();
    let sources = !hydrated
        && (unlike(spec.source, compared.source) || unlike(spec.sources, compared.sources));
    sources
        || unlike(spec.destination, compared.destination)
        || unlike(spec.ignore_differences, compared.ignore_differences)
}

fn unlike(ours: Option<&RawValue>, theirs: Option<&RawValue>) -> bool {
    let text = |raw: Option<&RawValue>| raw.map_or("null", RawValue::get).to_owned();
    // Almost always byte for byte the same: the API server writes keys in order.
    if ours.map(RawValue::get) == theirs.map(RawValue::get) {
        return false;
    }
    let meaning = |raw| serde_json::from_str(&text(raw)).map(without_empties);
    match (meaning(ours), meaning(theirs)) {
        (Ok(ours), Ok(theirs)) => ours != theirs,
        (Ok(_) | Err(_), _) => true,
    }
}

/// Leaves out what an absent field means as well: null, `""`, `{}` and `[]`.
fn without_empties(value: serde_json::Value) -> Option<serde_json::Value> {
    use serde_json::Value;
    match value {
        Value::Null => None,
        Value::String(text) if text.is_empty() => None,
        Value::Array(items) if items.is_empty() => None,
        Value::Array(items) => {
            let items = items
                .into_iter()
                .map(|item| without_empties(item).unwrap_or_default());
            Some(Value::Array(items.collect()))
        }
        Value::Object(members) => {
            let kept: serde_json::Map<_, _> = members
                .into_iter()
                .filter_map(|(key, value)| Some((key, without_empties(value)?)))
                .collect();
            (!kept.is_empty()).then_some(Value::Object(kept))
        }
        Value::Bool(_) | Value::Number(_) | Value::String(_) => Some(value),
    }
}
