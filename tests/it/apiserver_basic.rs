//! The API server over the in-memory transport, as any client uses it.

use k8s_openapi::api::core::v1::ConfigMap;
use kube::api::{Api, DeleteParams, ListParams, Patch, PatchParams, PostParams};
use serde_json::json;
use tiphys::sim::apiserver::{ApiServer, ServerOptions};
use tiphys::sim::clock::PlatformClock;

pub(crate) fn server() -> ApiServer {
    let start = chrono::DateTime::UNIX_EPOCH + chrono::TimeDelta::days(20_000);
    ApiServer::start(ServerOptions::new(PlatformClock::stepped(start)))
}

/// Waits until something is so, for ten seconds at most.
pub(crate) async fn eventually(what: &str, mut is_so: impl AsyncFnMut() -> bool) {
    let wait = async {
        while !is_so().await {
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(std::time::Duration::from_secs(10), wait)
        .await
        .unwrap_or_else(|_| panic!("not in time: {what}"));
}

pub(crate) fn config_map(name: &str) -> ConfigMap {
    serde_json::from_value(json!({
        "apiVersion": "v1", "kind": "ConfigMap",
        "metadata": {"name": name, "labels": {"app": name}},
        "data": {"a": "1"},
    }))
    .expect("a ConfigMap")
}

#[tokio::test]
async fn an_object_lives_from_create_to_delete() {
    let client = server().client("test");
    let maps: Api<ConfigMap> = Api::namespaced(client, "default");

    let made = maps
        .create(&PostParams::default(), &config_map("one"))
        .await
        .expect("created");
    assert!(made.metadata.uid.is_some());
    let patch = Patch::Merge(json!({"data": {"b": "2"}}));
    let patched = maps
        .patch("one", &PatchParams::default(), &patch)
        .await
        .expect("patched");
    assert_eq!(patched.data.expect("data").len(), 2);
    assert_ne!(
        patched.metadata.resource_version,
        made.metadata.resource_version
    );
    let labelled = ListParams::default().labels("app in (one,two)");
    assert_eq!(maps.list(&labelled).await.expect("list").items.len(), 1);
    maps.delete("one", &DeleteParams::default())
        .await
        .expect("deleted");
    assert!(maps.get_opt("one").await.expect("answer").is_none());
}

#[tokio::test]
async fn a_namespace_must_exist() {
    let client = server().client("test");
    let maps: Api<ConfigMap> = Api::namespaced(client, "nowhere");

    let refused = maps
        .create(&PostParams::default(), &config_map("one"))
        .await
        .expect_err("refused");

    assert_eq!(
        refused.to_string(),
        "ApiError: namespaces \"nowhere\" not found: NotFound (Status { status: Some(Failure), \
         code: 404, message: \"namespaces \\\"nowhere\\\" not found\", metadata: \
         Some(ListMeta { continue_: None, remaining_item_count: None, resource_version: None, \
         self_link: None }), reason: \"NotFound\", details: Some(StatusDetails { name: \
         \"nowhere\", group: \"\", kind: \"namespaces\", uid: \"\", causes: [], \
         retry_after_seconds: 0 }) })"
    );
}
