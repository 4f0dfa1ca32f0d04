//! What this server says of itself.

use super::targets::time;
use super::{Shared, answer};
use crate::sim::prometheus::labels::NAME;
use crate::sim::prometheus::number::duration;
use crate::sim::prometheus::{Core, Semantics, read};
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use http::header;
use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet};

/// The version whose behaviour this is: clients decide by it what they may ask.
fn version(core: &Core) -> &'static str {
    match core.options.semantics {
        Semantics::V2 => "2.42.0",
        Semantics::V3 => "3.5.0",
    }
}

/// `GET /api/v1/status/buildinfo`
pub(super) async fn build(State(core): Shared) -> Response {
    answer::success(&json!({
        "version": version(&core),
        "revision": "embedded",
        "branch": "HEAD",
        "buildUser": "tiphys",
        "buildDate": "",
        "goVersion": "",
    }))
}

/// `GET /api/v1/status/runtimeinfo`
pub(super) async fn runtime(State(core): Shared) -> Response {
    let started = time(core.started.timestamp_millis());
    answer::success(&json!({
        "startTime": started,
        "CWD": "/",
        "hostname": "prometheus",
        "serverTime": time(core.now()),
        "reloadConfigSuccess": true,
        "lastConfigTime": started,
        "corruptionCount": 0,
        "goroutineCount": 0,
        "GOMAXPROCS": 1,
        "GOMEMLIMIT": 0,
        "GOGC": "",
        "GODEBUG": "",
        "storageRetention": duration(core.options.retention.as_millis() as i64),
    }))
}

/// `GET /api/v1/status/config`
pub(super) async fn config(State(core): Shared) -> Response {
    let span = |span: std::time::Duration| duration(span.as_millis() as i64);
    let mut yaml = format!(
        "global:\n  scrape_interval: {}\n  scrape_timeout: 10s\n  evaluation_interval: {}\n",
        span(core.options.scrape_interval),
        span(core.options.evaluation_interval)
    );
    let files: BTreeSet<String> = read(&core.rules)
        .iter()
        .map(|group| group.file.clone())
        .collect();
    if !files.is_empty() {
        yaml.push_str("rule_files:\n");
        yaml.extend(files.iter().map(|file| format!("- {file}\n")));
    }
    let targets = read(&core.targets);
    let mut jobs: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
    for scraped in targets.iter() {
        jobs.entry(&scraped.target.job)
            .or_default()
            .push(&scraped.target.instance);
    }
    if !jobs.is_empty() {
        yaml.push_str("scrape_configs:\n");
    }
    for (job, instances) in jobs {
        yaml.push_str(&format!(
            "- job_name: {job}\n  static_configs:\n  - targets:\n"
        ));
        yaml.extend(
            instances
                .iter()
                .map(|instance| format!("    - {instance}\n")),
        );
    }
    answer::success(&json!({ "yaml": yaml }))
}

/// `GET /api/v1/status/flags`
pub(super) async fn flags(State(core): Shared) -> Response {
    let span = |span: std::time::Duration| duration(span.as_millis() as i64);
    answer::success(&json!({
        "query.lookback-delta": span(core.options.lookback),
        "query.max-concurrency": "20",
        "query.max-samples": "50000000",
        "query.timeout": "2m",
        "storage.tsdb.retention.time": span(core.options.retention),
        "web.external-url": core.options.external_url,
        "web.enable-lifecycle": "false",
    }))
}

/// `GET /api/v1/status/tsdb`
pub(super) async fn tsdb(State(core): Shared) -> Response {
    let store = read(&core.store);
    let size = store.size();
    let mut by_name: BTreeMap<String, usize> = BTreeMap::new();
    let mut by_pair: BTreeMap<String, usize> = BTreeMap::new();
    let mut bytes: BTreeMap<String, usize> = BTreeMap::new();
    for labels in store.series(&[], i64::MIN, i64::MAX) {
        *by_name.entry(labels.get(NAME).to_owned()).or_default() += 1;
        for (name, value) in labels.iter() {
            *by_pair.entry(format!("{name}={value}")).or_default() += 1;
            *bytes.entry(name.to_string()).or_default() += value.len();
        }
    }
    let names = store.label_names();
    let values = names
        .iter()
        .map(|name| (name.to_string(), store.label_values(name).len()));
    answer::success(&json!({
        "headStats": {
            "numSeries": size.series,
            "numLabelPairs": by_pair.len(),
            "chunkCount": size.chunks,
            "minTime": size.oldest.unwrap_or_default(),
            "maxTime": size.youngest.unwrap_or_default(),
        },
        "seriesCountByMetricName": largest(by_name),
        "labelValueCountByLabelName": largest(values.collect()),
        "memoryInBytesByLabelName": largest(bytes),
        "seriesCountByLabelValuePair": largest(by_pair),
    }))
}

fn largest(counts: BTreeMap<String, usize>) -> Value {
    let mut counts: Vec<(String, usize)> = counts.into_iter().collect();
    counts.sort_by_key(|(_, count)| std::cmp::Reverse(*count));
    counts.truncate(10);
    counts
        .into_iter()
        .map(|(name, value)| json!({ "name": name, "value": value }))
        .collect()
}

/// `GET /metrics`
pub(super) async fn metrics(State(core): Shared) -> Response {
    let size = read(&core.store).size();
    let text = format!(
        "# HELP prometheus_build_info A metric with a constant '1' value labeled by version.\n\
         # TYPE prometheus_build_info gauge\n\
         prometheus_build_info{{version=\"{}\"}} 1\n\
         # HELP prometheus_tsdb_head_series Total number of series in the head block.\n\
         # TYPE prometheus_tsdb_head_series gauge\n\
         prometheus_tsdb_head_series {}\n\
         # HELP prometheus_tsdb_head_chunks Total number of chunks in the head block.\n\
         # TYPE prometheus_tsdb_head_chunks gauge\n\
         prometheus_tsdb_head_chunks {}\n\
         # HELP prometheus_tsdb_storage_blocks_bytes The number of bytes that samples take.\n\
         # TYPE prometheus_tsdb_storage_blocks_bytes gauge\n\
         prometheus_tsdb_storage_blocks_bytes {}\n",
        version(&core),
        size.series,
        size.chunks,
        size.bytes
    );
    let kind = "text/plain; version=0.0.4; charset=utf-8";
    ([(header::CONTENT_TYPE, kind)], text).into_response()
}

/// `GET /`: there are no pages here.
pub(super) async fn front() -> &'static str {
    "This is the embedded Prometheus. It has the HTTP API below /api/v1 and no pages.\n"
}
