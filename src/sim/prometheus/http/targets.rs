//! What is scraped, and where alerts go.

use super::params::Params;
use super::series::labels_json;
use super::{Shared, answer};
use crate::sim::prometheus::labels::Labels;
use crate::sim::prometheus::number::duration;
use crate::sim::prometheus::read;
use crate::sim::prometheus::target::Scraped;
use axum::extract::State;
use axum::response::Response;
use chrono::{DateTime, SecondsFormat};
use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet};

/// `GET /api/v1/targets`
pub(super) async fn targets(State(core): Shared, params: Params) -> Response {
    let (state, pool) = (params.get("state"), params.get("scrapePool"));
    let interval = duration(core.options.scrape_interval.as_millis() as i64);
    let targets = read(&core.targets);
    let mut jobs: BTreeMap<&str, u64> = BTreeMap::new();
    let mut active = Vec::new();
    for scraped in targets
        .iter()
        .filter(|one| pool.is_empty() || one.target.job == pool)
    {
        jobs.entry(&scraped.target.job).or_default();
        active.push(target(scraped, &interval));
    }
    let active = if state == "dropped" {
        Vec::new()
    } else {
        active
    };
    let mut data = json!({ "activeTargets": active, "droppedTargets": [] });
    if state != "active" {
        data["droppedTargetCounts"] = json!(jobs);
    }
    answer::success(&data)
}

fn target(scraped: &Scraped, interval: &str) -> Value {
    let target = &scraped.target;
    let url = format!("http://{}/metrics", target.instance);
    let last = scraped.last.as_ref();
    let health = match last {
        None => "unknown",
        Some(last) if last.error.is_some() => "down",
        Some(_) => "up",
    };
    let discovered = [
        ("__address__", target.instance.as_str()),
        ("__metrics_path__", "/metrics"),
        ("__scheme__", "http"),
        ("__scrape_interval__", interval),
        ("__scrape_timeout__", "10s"),
        ("job", target.job.as_str()),
    ];
    json!({
        "discoveredLabels": labels_json(&Labels::of(&discovered)),
        "labels": labels_json(&target.own_labels()),
        "scrapePool": target.job,
        "scrapeUrl": url,
        "globalUrl": url,
        "lastError": last.and_then(|last| last.error.as_deref()).unwrap_or_default(),
        "lastScrape": last.map_or_else(|| "0001-01-01T00:00:00Z".to_owned(), |last| time(last.at)),
        "lastScrapeDuration": last.map_or(0.0, |last| last.took.as_secs_f64()),
        "health": health,
        "scrapeInterval": interval,
        "scrapeTimeout": "10s",
    })
}

/// Writes a time as Go does.
pub(super) fn time(millis: i64) -> String {
    DateTime::from_timestamp_millis(millis)
        .unwrap_or_default()
        .to_rfc3339_opts(SecondsFormat::AutoSi, true)
}

/// `GET /api/v1/scrape_pools`
pub(super) async fn pools(State(core): Shared) -> Response {
    let targets = read(&core.targets);
    let pools: BTreeSet<&str> = targets.iter().map(|one| one.target.job.as_str()).collect();
    answer::success(&json!({ "scrapePools": pools }))
}

/// `GET /api/v1/targets/metadata`
pub(super) async fn metadata(State(core): Shared, params: Params) -> Response {
    let wanted = params.get("metric");
    let metadata = read(&core.metadata);
    let targets = read(&core.targets);
    let mut data = Vec::new();
    for scraped in targets.iter() {
        let names: BTreeSet<&str> = scraped.series.iter().map(Labels::name).collect();
        for (name, entry) in metadata.iter() {
            let here = names.iter().any(|series| series.starts_with(name.as_str()));
            if here && (wanted.is_empty() || wanted == name) {
                data.push(json!({
                    "target": labels_json(&scraped.target.own_labels()),
                    "metric": name, "type": entry.kind, "help": entry.help, "unit": entry.unit,
                }));
            }
        }
    }
    answer::success(&Value::Array(data))
}

/// `GET /api/v1/alertmanagers`
pub(super) async fn alertmanagers(State(core): Shared) -> Response {
    let url = format!("{}/api/v2/alerts", core.options.alertmanager_url);
    answer::success(&json!({
        "activeAlertmanagers": [{ "url": url }],
        "droppedAlertmanagers": [],
    }))
}
