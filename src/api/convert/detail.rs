//! What the open Application needs besides its row.

use super::application::ApplicationReader;
use super::operation::initiator;
use super::reader::Reader;
use super::spec::source_of;
use crate::api::application::{
    ApplicationDetailWire, DetailStatusWire, HistoryWire, ManagedResourceWire, ResourceResultWire,
    SourceWire,
};
use crate::api::field::{Field, Shape};
use crate::domain::application::{
    ApplicationDetail, HistoryEntry, ManagedResource, ResourceResult, Source,
};
use crate::domain::object::{GroupKind, Text};
use crate::domain::status::{Health, SyncStatus};

impl ApplicationReader {
    /// Reads the row and the detail from an object's JSON, however broken the object is.
    pub fn detail(&mut self, json: &str) -> ApplicationDetail {
        let mut row = self.row(json);
        let wire: Field<ApplicationDetailWire<'_>> = serde_json::from_str(json).unwrap_or_default();
        let wire = wire.value().unwrap_or_default();
        let mut reader = self.reader();
        let status = wire.status.value().unwrap_or_default();
        let options = wire
            .spec
            .value()
            .and_then(|spec| spec.sync_policy.value())
            .map(|policy| policy.sync_options)
            .unwrap_or_default();
        let sync_options = reader.shared_list(options, "spec.syncPolicy.syncOptions");
        let mut detail = detail_of(status, &mut reader);
        detail.sync_options = sync_options;
        let findings = super::about(reader.into_findings(), &row.object);
        row.findings.extend(findings);
        ApplicationDetail {
            row,
            resources: detail.resources,
            history: detail.history,
            results: detail.results,
            external_urls: detail.external_urls,
            sync_options: detail.sync_options,
        }
    }
}

#[derive(Default)]
struct Detail {
    resources: Vec<ManagedResource>,
    history: Vec<HistoryEntry>,
    results: Vec<ResourceResult>,
    external_urls: Vec<Text>,
    sync_options: Vec<Text>,
}

fn detail_of(status: DetailStatusWire<'_>, reader: &mut Reader<'_>) -> Detail {
    let source = reader.take(status.resource_health_source, "status.resourceHealthSource");
    let inline_health = source.is_none_or(|source| source.is_empty());
    let summary = status.summary.value().unwrap_or_default();
    let result = status.operation_state.value().unwrap_or_default();
    let result = reader.take(result.sync_result, "status.operationState.syncResult");
    let resources = items(status.resources, "status.resources", reader);
    let history = items(status.history, "status.history", reader);
    let results = items(
        result.unwrap_or_default().resources,
        "status.operationState.syncResult.resources",
        reader,
    );
    Detail {
        resources: resources
            .into_iter()
            .map(|one| managed(one, inline_health, reader))
            .collect(),
        // The server appends; people look at the newest first.
        history: history
            .into_iter()
            .rev()
            .map(|one| history_entry(one, reader))
            .collect(),
        results: results
            .into_iter()
            .map(|one| result_of(one, reader))
            .collect(),
        external_urls: reader.shared_list(summary.external_urls, "status.summary.externalURLs"),
        sync_options: Vec::new(),
    }
}

fn items<'a, T: Shape<'a>>(
    field: Field<Vec<Field<T>>>,
    path: &str,
    reader: &mut Reader<'_>,
) -> Vec<T> {
    let items = reader.take(field, path).unwrap_or_default();
    items
        .into_iter()
        .filter_map(|item| reader.take(item, path))
        .collect()
}

fn managed(
    wire: ManagedResourceWire<'_>,
    inline_health: bool,
    reader: &mut Reader<'_>,
) -> ManagedResource {
    let path = "status.resources";
    let health = reader.take(wire.health, "status.resources.health");
    let health = health.and_then(|health| reader.take(health.status, path));
    let status = reader.take(wire.status, "status.resources.status");
    ManagedResource {
        kind: GroupKind {
            group: reader.shared(wire.group, "status.resources.group"),
            kind: reader.shared(wire.kind, "status.resources.kind"),
        },
        version: reader.shared(wire.version, "status.resources.version"),
        namespace: reader.shared(wire.namespace, "status.resources.namespace"),
        name: reader.shared(wire.name, "status.resources.name"),
        sync: SyncStatus::from_word(&status.unwrap_or_default()),
        health: health
            .filter(|word| inline_health && !word.is_empty())
            .map(|word| Health::from_word(&word)),
        hook: reader
            .take(wire.hook, "status.resources.hook")
            .unwrap_or(false),
        requires_pruning: reader
            .take(wire.requires_pruning, "status.resources.requiresPruning")
            .unwrap_or(false),
        requires_deletion_confirmation: reader
            .take(
                wire.requires_deletion_confirmation,
                "status.resources.requiresDeletionConfirmation",
            )
            .unwrap_or(false),
        wave: reader
            .take(wire.sync_wave, "status.resources.syncWave")
            .unwrap_or_default(),
    }
}

fn history_entry(wire: HistoryWire<'_>, reader: &mut Reader<'_>) -> HistoryEntry {
    let many = items(wire.sources, "status.history.sources", reader);
    let one: Option<SourceWire<'_>> = reader.take(wire.source, "status.history.source");
    let plural = !many.is_empty();
    let sources: Vec<Source> = if plural {
        many.into_iter().map(|one| source_of(one, reader)).collect()
    } else {
        one.into_iter().map(|one| source_of(one, reader)).collect()
    };
    let revisions = reader.shared_list(wire.revisions, "status.history.revisions");
    let revision = reader.shared(wire.revision, "status.history.revision");
    HistoryEntry {
        id: reader
            .take(wire.id, "status.history.id")
            .unwrap_or_default(),
        revisions: if plural && !revisions.is_empty() {
            revisions
        } else {
            vec![revision]
        },
        sources,
        deployed_at: reader.take(wire.deployed_at, "status.history.deployedAt"),
        started_at: reader.take(wire.deploy_started_at, "status.history.deployStartedAt"),
        initiated_by: {
            let by = reader.take(wire.initiated_by, "status.history.initiatedBy");
            initiator(by, reader)
        },
    }
}

fn result_of(wire: ResourceResultWire<'_>, reader: &mut Reader<'_>) -> ResourceResult {
    let path = "status.operationState.syncResult.resources";
    ResourceResult {
        kind: GroupKind {
            group: reader.shared(wire.group, path),
            kind: reader.shared(wire.kind, path),
        },
        namespace: reader.shared(wire.namespace, path),
        name: reader.shared(wire.name, path),
        status: reader.shared(wire.status, path),
        message: reader.shared(wire.message, path),
        hook: reader.shared(wire.hook_type, path),
        hook_phase: reader.shared(wire.hook_phase, path),
        sync_phase: reader.shared(wire.sync_phase, path),
    }
}
