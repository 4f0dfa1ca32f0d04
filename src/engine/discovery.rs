//! Which kinds a server has.
//!
//! Aggregated discovery first (two requests), one request for each group version where the
//! server is too old for it.

use super::fault::Fault;
use super::protocol::KindEntry;
use super::resource::Resource;
use super::transport::{Call, send_json};
use crate::domain::node::Node;
use crate::domain::object::{GroupKind, Text};
use kube::Client;
use serde_json::Value;

const AGGREGATED: &str = "application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList,\
    application/json;g=apidiscovery.k8s.io;v=v2beta1;as=APIGroupDiscoveryList,application/json";

/// The kinds of one server, each in its preferred version.
#[derive(Clone, Debug, Default)]
pub(super) struct Kinds {
    entries: Vec<KindEntry>,
}

impl Kinds {
    /// Asks the server.
    pub(super) async fn discover(client: &Client) -> Result<Self, Fault> {
        let mut kinds = Self::default();
        for root in ["/api", "/apis"] {
            let answer = send_json(client, Call::get(root).accept(AGGREGATED)).await?;
            if answer.member("kind").and_then(Node::text) == Some("APIGroupDiscoveryList") {
                kinds.add_aggregated(&answer);
            } else {
                kinds.add_one_by_one(client, root, &answer).await?;
            }
        }
        kinds
            .entries
            .sort_by(|a, b| (&a.kind.group, &a.kind.kind).cmp(&(&b.kind.group, &b.kind.kind)));
        Ok(kinds)
    }

    pub(super) fn entries(&self) -> &[KindEntry] {
        &self.entries
    }

    pub(super) fn resource(&self, kind: &GroupKind) -> Option<Resource> {
        let entry = self.entries.iter().find(|entry| entry.kind == *kind)?;
        Some(Resource {
            kind: entry.kind.clone(),
            version: Text::clone(&entry.version),
            plural: Text::clone(&entry.plural),
            namespaced: entry.namespaced,
        })
    }

    fn add(&mut self, entry: KindEntry) {
        // Versions come in the order of preference.
        if !self.entries.iter().any(|known| known.kind == entry.kind) {
            self.entries.push(entry);
        }
    }

    fn add_aggregated(&mut self, list: &Value) {
        let items = list.member("items").map(Node::items).unwrap_or_default();
        for group in items {
            let name = text(group, &["metadata", "name"]);
            let versions = group
                .member("versions")
                .map(Node::items)
                .unwrap_or_default();
            for version in versions {
                let resources = version.member("resources").map(Node::items);
                for resource in resources.unwrap_or_default() {
                    let kind = text(resource, &["responseKind", "kind"]);
                    if kind.is_empty() || !listable(resource) {
                        continue;
                    }
                    self.add(KindEntry {
                        kind: GroupKind::new(name, kind),
                        version: text(version, &["version"]).into(),
                        plural: text(resource, &["resource"]).into(),
                        short_names: texts(resource, "shortNames"),
                        namespaced: text(resource, &["scope"]) == "Namespaced",
                    });
                }
            }
        }
    }

    async fn add_one_by_one(
        &mut self,
        client: &Client,
        root: &str,
        answer: &Value,
    ) -> Result<(), Fault> {
        let mut group_versions: Vec<String> = texts(answer, "versions")
            .iter()
            .map(|version| format!("{root}/{version}"))
            .collect();
        for group in answer.member("groups").map(Node::items).unwrap_or_default() {
            let preferred = text(group, &["preferredVersion", "groupVersion"]);
            let versions = group
                .member("versions")
                .map(Node::items)
                .unwrap_or_default();
            group_versions.push(format!("{root}/{preferred}"));
            let others = versions.iter().map(|one| text(one, &["groupVersion"]));
            group_versions.extend(
                others
                    .filter(|other| *other != preferred)
                    .map(|other| format!("{root}/{other}")),
            );
        }
        for path in group_versions {
            // A group whose server is down must not hide the others.
            if let Ok(list) = send_json(client, Call::get(path)).await {
                self.add_resource_list(&list);
            }
        }
        Ok(())
    }

    fn add_resource_list(&mut self, list: &Value) {
        let group_version = text(list, &["groupVersion"]);
        let (group, version) = group_version.split_once('/').unwrap_or(("", group_version));
        let resources = list.member("resources").map(Node::items);
        for resource in resources.unwrap_or_default() {
            let plural = text(resource, &["name"]);
            if plural.contains('/') || !listable(resource) {
                continue;
            }
            self.add(KindEntry {
                kind: GroupKind::new(group, text(resource, &["kind"])),
                version: version.into(),
                plural: plural.into(),
                short_names: texts(resource, "shortNames"),
                namespaced: resource.member("namespaced").and_then(Node::boolean) == Some(true),
            });
        }
    }
}

fn listable(resource: &Value) -> bool {
    texts(resource, "verbs")
        .iter()
        .any(|verb| &**verb == "list")
}

fn text<'v>(value: &'v Value, path: &[&str]) -> &'v str {
    value.at(path).and_then(Node::text).unwrap_or_default()
}

fn texts(value: &Value, name: &str) -> Vec<Text> {
    let items = value.member(name).map(Node::items).unwrap_or_default();
    items
        .iter()
        .filter_map(Node::text)
        .map(Text::from)
        .collect()
}
