//! Faults that wait to be asked for: each is a ConfigMap, and editing it lets it happen.
//!
//! `kubectl -n tiphys-faults patch configmap NAME --type merge -p '{"data":{"state":"now"}}'`, or
//! `e` on it in the cockpit. What became of it stands in the same object.

use super::story::{self, Stage, spawn};
use super::{SimError, objects};
use crate::domain::clock::Clock as _;
use crate::sim::clock::PlatformClock;
use crate::sim::scenario::{Fault, Scenario};
use chrono::{DateTime, SecondsFormat, Utc};
use futures::TryStreamExt as _;
use k8s_openapi::api::core::v1::ConfigMap;
use kube::api::{Api, Patch, PatchParams};
use kube::runtime::{WatchStreamExt as _, watcher};
use serde_json::json;
use std::pin::pin;
use tokio_util::sync::CancellationToken;

const NAMESPACE: &str = "tiphys-faults";
const WAITS: &str = "waits; set it to `now`";
const NOW: &str = "now";

/// Offers the faults that have a name, and lets the scenario's story begin.
pub(super) async fn offer_and_tell(
    scenario: &Scenario,
    stage: &Stage,
    times: (PlatformClock, DateTime<Utc>),
    stop: &CancellationToken,
) -> Result<(), SimError> {
    offer(scenario, stage, &times.0, stop).await?;
    story::tell(scenario, stage, times, stop);
    Ok(())
}

async fn offer(
    scenario: &Scenario,
    stage: &Stage,
    clock: &PlatformClock,
    stop: &CancellationToken,
) -> Result<(), SimError> {
    let named = scenario
        .faults
        .iter()
        .filter(|fault| !fault.name.is_empty());
    let faults: Vec<Fault> = named.cloned().collect();
    if faults.is_empty() {
        return Ok(());
    }
    let mut created = vec![json!({
        "apiVersion": "v1", "kind": "Namespace", "metadata": {"name": NAMESPACE},
    })];
    created.extend(faults.iter().map(|fault| {
        json!({
            "apiVersion": "v1", "kind": "ConfigMap",
            "metadata": {"name": fault.name, "namespace": NAMESPACE},
            "data": {"what": fault.what, "state": WAITS},
        })
    }));
    objects::create_all(&stage.client, &created).await?;
    let (stage, clock) = (stage.clone(), clock.clone());
    spawn(stop, follow(stage, clock, faults));
    Ok(())
}

async fn follow(stage: Stage, clock: PlatformClock, faults: Vec<Fault>) {
    let api: Api<ConfigMap> = Api::namespaced(stage.client.clone(), NAMESPACE);
    let changes = watcher(api.clone(), watcher::Config::default());
    let mut changes = pin!(changes.default_backoff().applied_objects());
    loop {
        let object = match changes.try_next().await {
            Ok(Some(object)) => object,
            Ok(None) => return,
            Err(error) => {
                tracing::debug!(%error, "faults cannot be watched");
                continue;
            }
        };
        let state = object.data.as_ref().and_then(|data| data.get("state"));
        let name = object.metadata.name.unwrap_or_default();
        let fault = faults.iter().find(|fault| fault.name == name);
        let Some(fault) = fault.filter(|_| state.is_some_and(|state| state.trim() == NOW)) else {
            continue;
        };
        let at = clock.now().to_rfc3339_opts(SecondsFormat::Secs, true);
        let told = match stage.play_fault(fault).await {
            Ok(()) => format!("happened at {at}"),
            Err(error) => format!("did not happen at {at}: {error}"),
        };
        let patch = Patch::Merge(json!({"data": {"state": told}}));
        if let Err(error) = api.patch(&name, &PatchParams::default(), &patch).await {
            tracing::warn!(%error, name, "what became of a fault cannot be told");
        }
    }
}
