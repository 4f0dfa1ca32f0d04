//! Loads the rules that ConfigMaps with a label hold into Prometheus, and reloads what changes.

use crate::sim::prometheus::Prometheus;
use futures::StreamExt as _;
use k8s_openapi::api::core::v1::ConfigMap;
use kube::api::Api;
use kube::runtime::watcher::{self, Event, watcher};
use std::collections::{BTreeMap, BTreeSet};

/// Which ConfigMaps hold rule files.
const SELECTOR: &str = "prometheus_rule";
/// A file without rules.
const NO_RULES: &str = "groups: []\n";
/// How long to wait after a watch broke, by real time as the connection is real.
const PAUSE: std::time::Duration = std::time::Duration::from_millis(500);

/// The files of each ConfigMap that have been loaded.
type Loaded = BTreeMap<String, BTreeSet<String>>;

/// Follows the ConfigMaps for ever.
pub(super) async fn follow(client: kube::Client, prometheus: Prometheus) {
    let api: Api<ConfigMap> = Api::all(client);
    let config = watcher::Config::default().labels(SELECTOR);
    let mut events = std::pin::pin!(watcher(api, config));
    let mut loaded = Loaded::new();
    while let Some(event) = events.next().await {
        match event {
            Ok(Event::Apply(map) | Event::InitApply(map)) => load(&prometheus, &mut loaded, &map),
            Ok(Event::Delete(mut map)) => {
                map.data = None;
                load(&prometheus, &mut loaded, &map);
            }
            Ok(Event::Init | Event::InitDone) => {}
            Err(error) => {
                tracing::debug!(%error, "the watch of rule files broke");
                tokio::time::sleep(PAUSE).await;
            }
        }
    }
}

fn load(prometheus: &Prometheus, loaded: &mut Loaded, map: &ConfigMap) {
    let name = |of: &Option<String>| of.clone().unwrap_or_default();
    let source = format!(
        "{}/{}",
        name(&map.metadata.namespace),
        name(&map.metadata.name)
    );
    let before = loaded.remove(&source).unwrap_or_default();
    let mut now = BTreeSet::new();
    for (key, text) in map.data.iter().flatten() {
        let file = format!("/etc/prometheus/rules/{source}/{key}");
        if let Err(mistakes) = prometheus.load_rules(&file, text) {
            tracing::warn!(%file, ?mistakes, "rules were not loaded");
        }
        now.insert(file);
    }
    for gone in before.difference(&now) {
        // A file without rules has no mistakes.
        let _emptied = prometheus.load_rules(gone, NO_RULES).is_ok();
    }
    loaded.insert(source, now);
}
