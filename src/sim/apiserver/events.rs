//! Events in their two groups: kept as core `v1`, shown as `events.k8s.io/v1` when asked.
//!
//! The fields map as in `pkg/apis/events/v1/conversion.go`.

use super::json;
use serde_json::{Map, Value};

/// Core name and the name in `events.k8s.io`.
const RENAMED: [(&str, &str); 6] = [
    ("involvedObject", "regarding"),
    ("message", "note"),
    ("source", "deprecatedSource"),
    ("firstTimestamp", "deprecatedFirstTimestamp"),
    ("lastTimestamp", "deprecatedLastTimestamp"),
    ("count", "deprecatedCount"),
];

/// Rewrites an event into the version of `group`.
pub(super) fn convert(mut event: Value, group: &str) -> Value {
    let (version, to_core) = if group.is_empty() {
        ("v1", true)
    } else {
        ("events.k8s.io/v1", false)
    };
    if json::text_at(&event, &["apiVersion"]) == Some(version) {
        return event;
    }
    let map = json::map_mut(&mut event);
    map.insert("apiVersion".to_owned(), version.into());
    for (core, newer) in RENAMED {
        let (from, to) = if to_core {
            (newer, core)
        } else {
            (core, newer)
        };
        rename(map, from, to);
    }
    let (from, to) = if to_core {
        ("reportingController", "reportingComponent")
    } else {
        ("reportingComponent", "reportingController")
    };
    rename(map, from, to);
    event
}

fn rename(map: &mut Map<String, Value>, from: &str, to: &str) {
    if let Some(value) = map.remove(from) {
        map.insert(to.to_owned(), value);
    }
}
