//! What goes when something is deleted: dependents, contents, definitions.

use crate::apiserver_basic::{config_map, eventually, server};
use crate::apiserver_custom::register;
use k8s_openapi::api::core::v1::{ConfigMap, Namespace};
use kube::Client;
use kube::api::{Api, DeleteParams, ListParams, Patch, PatchParams, PostParams, PropagationPolicy};
use serde_json::json;

async fn owned_pair(client: &Client, blocking: bool) -> Api<ConfigMap> {
    let maps: Api<ConfigMap> = Api::namespaced(client.clone(), "default");
    let owner = maps
        .create(&PostParams::default(), &config_map("owner"))
        .await
        .expect("created");
    let mut child = config_map("child");
    child.metadata.owner_references = Some(
        serde_json::from_value(json!([{
            "apiVersion": "v1", "kind": "ConfigMap", "name": "owner",
            "uid": owner.metadata.uid, "blockOwnerDeletion": blocking,
        }]))
        .expect("references"),
    );
    maps.create(&PostParams::default(), &child)
        .await
        .expect("created");
    maps
}

async fn gone(maps: &Api<ConfigMap>, name: &str) {
    eventually(name, async || {
        maps.get_opt(name).await.expect("answer").is_none()
    })
    .await;
}

#[tokio::test]
async fn dependents_go_after_their_owner() {
    let client = server().client("test");
    let maps = owned_pair(&client, false).await;

    maps.delete("owner", &DeleteParams::background())
        .await
        .expect("deleted");

    gone(&maps, "child").await;
}

#[tokio::test]
async fn foreground_deletion_waits_for_dependents() {
    let client = server().client("test");
    let maps = owned_pair(&client, true).await;
    let held = Patch::Merge(json!({"metadata": {"finalizers": ["example.com/hold"]}}));
    maps.patch("child", &PatchParams::default(), &held)
        .await
        .expect("held");

    maps.delete("owner", &DeleteParams::foreground())
        .await
        .expect("deletion began");
    eventually("the child is being deleted", async || {
        let child = maps.get("child").await.expect("child");
        child.metadata.deletion_timestamp.is_some()
    })
    .await;
    assert!(maps.get_opt("owner").await.expect("answer").is_some());
    let released = Patch::Merge(json!({"metadata": {"finalizers": null}}));
    maps.patch("child", &PatchParams::default(), &released)
        .await
        .expect("released");

    gone(&maps, "child").await;
    gone(&maps, "owner").await;
}

#[tokio::test]
async fn orphans_stay_without_their_reference() {
    let client = server().client("test");
    let maps = owned_pair(&client, true).await;
    let params = DeleteParams {
        propagation_policy: Some(PropagationPolicy::Orphan),
        ..DeleteParams::default()
    };

    maps.delete("owner", &params).await.expect("deletion began");

    gone(&maps, "owner").await;
    let child = maps.get("child").await.expect("stays");
    assert_eq!(child.metadata.owner_references, None);
}

#[tokio::test]
async fn a_namespace_goes_with_its_contents() {
    let client = server().client("test");
    let namespaces: Api<Namespace> = Api::all(client.clone());
    let shop: Namespace =
        serde_json::from_value(json!({"metadata": {"name": "shop"}})).expect("a namespace");
    let made = namespaces
        .create(&PostParams::default(), &shop)
        .await
        .expect("created");
    let maps: Api<ConfigMap> = Api::namespaced(client, "shop");
    maps.create(&PostParams::default(), &config_map("one"))
        .await
        .expect("created");

    namespaces
        .delete("shop", &DeleteParams::default())
        .await
        .expect("deletion began");

    assert_eq!(
        made.status.expect("status").phase.as_deref(),
        Some("Active")
    );
    eventually("the namespace is gone", async || {
        namespaces.get_opt("shop").await.expect("answer").is_none()
    })
    .await;
    assert!(
        maps.list(&ListParams::default())
            .await
            .expect("list")
            .items
            .is_empty()
    );
}

#[tokio::test]
async fn a_definition_goes_with_its_objects() {
    let client = server().client("test");
    register(&client, "Widget", "widgets", json!({})).await;
    let object = json!({"metadata": {"name": "w"}, "spec": {"size": 1}});
    let path = "/apis/argoproj.io/v1alpha1/namespaces/default/widgets";
    crate::apiserver_custom::post_raw(&client, path, &object)
        .await
        .expect("created");
    let crd = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions/widgets.argoproj.io";

    let delete = http::Request::delete(crd)
        .body(Vec::new())
        .expect("a request");
    client
        .request::<serde_json::Value>(delete)
        .await
        .expect("deletion began");

    eventually("the definition is gone", async || {
        let get = http::Request::get(crd).body(Vec::new()).expect("a request");
        client.request::<serde_json::Value>(get).await.is_err()
    })
    .await;
    let get = http::Request::get(path)
        .body(Vec::new())
        .expect("a request");
    assert!(client.request::<serde_json::Value>(get).await.is_err());
}
