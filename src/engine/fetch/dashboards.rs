//! Grafana dashboards that lie in the cluster, as Grafana's own sidecar finds them.

use crate::api::convert::dashboard::dashboard;
use crate::domain::dashboard::Dashboard;
use crate::domain::finding::Finding;
use crate::domain::node::Node;
use crate::engine::facts::{items, text};
use crate::engine::session::Session;
use crate::engine::transport::{Call, segment};

/// Reads every ConfigMap labelled `grafana_dashboard`.
pub(super) async fn of(
    session: &Session,
    namespace: Option<&str>,
) -> Result<Vec<Dashboard>, Finding> {
    let scope = match namespace {
        Some(namespace) => format!("/api/v1/namespaces/{}/configmaps", segment(namespace)),
        None => String::from("/api/v1/configmaps"),
    };
    let call = Call::get(format!("{scope}?labelSelector=grafana_dashboard"));
    let list = session.send_json(call).await;
    let list = list.map_err(|fault| fault.into_finding("cannot list dashboards"))?;
    let mut dashboards = Vec::new();
    for map in items(&list, &["items"]) {
        let name = text(map, &["metadata", "name"]);
        let place = format!("{}/{name}", text(map, &["metadata", "namespace"]));
        let data = map.member("data").map(Node::members).unwrap_or_default();
        for (key, json) in data {
            let Some(json) = json.text().filter(|_| key.ends_with(".json")) else {
                continue;
            };
            let origin = format!("{place} {key}");
            match dashboard(json, &origin) {
                Ok(read) => dashboards.push(read),
                // It is shown by its name, so that nobody misses it without a word.
                Err(problem) => dashboards.push(Dashboard {
                    title: key.trim_end_matches(".json").into(),
                    origin: origin.into(),
                    problems: vec![problem.into()],
                    range_seconds: 3_600,
                    ..Dashboard::default()
                }),
            }
        }
    }
    dashboards.sort_by(|a, b| a.title.cmp(&b.title).then_with(|| a.origin.cmp(&b.origin)));
    Ok(dashboards)
}
