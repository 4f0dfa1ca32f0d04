//! Trees from a few objects.

use super::*;
use crate::api::convert::application::ApplicationReader;
use crate::domain::object::{Cluster, Uid};
use serde_json::json;

fn detail() -> ApplicationDetail {
    let mut reader = ApplicationReader::new(Cluster("test".into()));
    reader.detail(
        &json!({
            "metadata": {"name": "shop", "namespace": "argocd"},
            "status": {"resources": [
                {"group": "apps", "kind": "Deployment", "namespace": "prod", "name": "web", "status": "Synced"},
                {"kind": "ConfigMap", "namespace": "prod", "name": "settings", "status": "OutOfSync"}]},
        })
        .to_string(),
    )
}

fn node(kind: GroupKind, name: &str, uid: &str, owner: &str) -> LiveNode {
    LiveNode {
        object: ObjectRef {
            cluster: Cluster("test".into()),
            kind,
            namespace: Some("prod".into()),
            name: name.into(),
        },
        uid: Uid(uid.into()),
        owners: (!owner.is_empty())
            .then(|| owner.into())
            .into_iter()
            .collect(),
        health: None,
        message: None,
        info: Vec::new(),
        images: Vec::new(),
        pod: None,
        created: None,
        deleting: None,
        wave: None,
        claims: Vec::new(),
        account: None,
    }
}

fn world(nodes: Vec<LiveNode>) -> HashMap<ObjectRef, LiveNode> {
    nodes
        .into_iter()
        .map(|node| (node.object.clone(), node))
        .collect()
}

fn names(tree: &ResourceTree) -> Vec<(String, Option<String>)> {
    let name = |index: usize| tree.nodes[index].object.name.to_string();
    let nodes = tree.nodes.iter();
    nodes
        .map(|node| (node.object.name.to_string(), node.parent.map(name)))
        .collect()
}

#[test]
fn children_hang_below_their_owner_by_uid() {
    let live = world(vec![
        node(GroupKind::new("apps", "Deployment"), "web", "d", ""),
        node(GroupKind::new("apps", "ReplicaSet"), "web-1", "r", "d"),
        node(GroupKind::new("", "Pod"), "web-1-a", "p", "r"),
        node(GroupKind::new("", "Pod"), "stranger", "q", "somebody"),
    ]);

    let tree = build(&detail(), &live, |_, _| Coverage::Whole);

    let of = |name: &str, parent: Option<&str>| (name.to_owned(), parent.map(str::to_owned));
    assert_eq!(
        names(&tree),
        [
            of("settings", None),
            of("web", None),
            of("web-1", Some("web")),
            of("web-1-a", Some("web-1")),
        ]
    );
    assert_eq!(tree.nodes[0].health, Some(Health::Missing));
}

#[test]
fn what_was_not_listed_yet_is_not_called_missing() {
    let tree = build(&detail(), &HashMap::new(), |_, _| Coverage::Unknown);

    assert!(tree.nodes.iter().all(|node| node.health.is_none()));
}

#[test]
fn owners_in_a_circle_end() {
    let live = world(vec![
        node(GroupKind::new("apps", "Deployment"), "web", "d", ""),
        node(GroupKind::new("x", "A"), "a", "a", "d"),
        node(GroupKind::new("x", "B"), "b", "b", "a"),
        node(GroupKind::new("x", "C"), "c", "d", "b"),
    ]);

    assert_eq!(
        build(&detail(), &live, |_, _| Coverage::Whole).nodes.len(),
        5
    );
}

#[test]
fn a_claim_belongs_to_its_stateful_set() {
    let mut set = node(GroupKind::new("apps", "Deployment"), "web", "d", "");
    set.claims = vec![String::from("data-web-")];
    let live = world(vec![
        set,
        node(
            GroupKind::new("", "PersistentVolumeClaim"),
            "data-web-0",
            "c",
            "",
        ),
        node(
            GroupKind::new("", "PersistentVolumeClaim"),
            "data-web-x",
            "e",
            "",
        ),
    ]);

    let tree = build(&detail(), &live, |_, _| Coverage::Whole);

    assert_eq!(tree.nodes.len(), 3);
    assert_eq!(&*tree.nodes[2].object.name, "data-web-0");
}
