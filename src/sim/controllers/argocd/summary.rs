//! `status.summary`: images that run, addresses that lead in, and whether Applications are managed.

use super::json;
use super::key::{group_of, kind_of};
use super::thing::images_of;
use serde_json::{Map, Value};
use std::collections::BTreeSet;
use std::sync::Arc;

/// Annotation with an address of one's own.
const LINK: &str = "link.argocd.argoproj.io/";

/// Summarises the live objects of an Application: the managed ones and those below them.
pub fn summary(managed: &[Arc<Value>], below: &[Arc<Value>]) -> Value {
    let mut images = BTreeSet::new();
    let mut urls = BTreeSet::new();
    for object in managed.iter().chain(below) {
        if kind_of(object) == "Pod" {
            images.extend(images_of(object).into_iter().map(str::to_owned));
        }
        urls.extend(urls_of(object));
    }
    let mut summary = Map::new();
    if !images.is_empty() {
        summary.insert("images".to_owned(), images.into_iter().collect());
    }
    if !urls.is_empty() {
        summary.insert("externalURLs".to_owned(), urls.into_iter().collect());
    }
    let applications = managed
        .iter()
        .any(|object| group_of(object) == "argoproj.io" && kind_of(object) == "Application");
    if applications {
        summary.insert("isAppOfApps".to_owned(), true.into());
    }
    Value::Object(summary)
}

fn urls_of(object: &Value) -> Vec<String> {
    let annotations = json::members(object, &["metadata", "annotations"]);
    let mut urls: Vec<String> = annotations
        .into_iter()
        .flatten()
        .filter(|(name, _)| name.starts_with(LINK))
        .filter_map(|(_, value)| value.as_str())
        .map(str::to_owned)
        .collect();
    if kind_of(object) == "Ingress" {
        urls.extend(ingress_urls(object));
    }
    urls
}

fn ingress_urls(object: &Value) -> Vec<String> {
    let entry = json::items(object, &["status", "loadBalancer", "ingress"])
        .first()
        .map_or("", |entry| match json::text(entry, &["hostname"]) {
            "" => json::text(entry, &["ip"]),
            name => name,
        });
    let secure: BTreeSet<&str> = json::items(object, &["spec", "tls"])
        .iter()
        .flat_map(|tls| json::texts(tls, &["hosts"]))
        .collect();
    let mut urls = Vec::new();
    for rule in json::items(object, &["spec", "rules"]) {
        let host = match json::text(rule, &["host"]) {
            "" => entry,
            host => host,
        };
        if host.is_empty() {
            continue;
        }
        let scheme = if secure.contains(host) {
            "https"
        } else {
            "http"
        };
        for path in json::items(rule, &["http", "paths"]) {
            let path = json::text(path, &["path"]).trim_end_matches(['*', '/']);
            urls.push(format!("{scheme}://{host}{path}"));
        }
    }
    urls
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json as make;

    #[test]
    fn images_come_from_pods_and_addresses_from_ingresses() {
        let ingress = Arc::new(
            make!({"apiVersion": "networking.k8s.io/v1", "kind": "Ingress", "metadata": {"name": "i"},
            "spec": {"tls": [{"hosts": ["shop.example"]}], "rules": [
                {"host": "shop.example", "http": {"paths": [{"path": "/cart"}]}},
                {"http": {"paths": [{"path": "/"}]}}]},
            "status": {"loadBalancer": {"ingress": [{"ip": "10.0.0.1"}]}}}),
        );
        let pod = Arc::new(make!({"apiVersion": "v1", "kind": "Pod",
            "spec": {"containers": [{"image": "web:1"}, {"image": "mesh:2"}]}}));

        assert_eq!(
            summary(&[ingress], &[Arc::clone(&pod), pod]),
            make!({"images": ["mesh:2", "web:1"],
                "externalURLs": ["http://10.0.0.1", "https://shop.example/cart"]})
        );
    }
}
