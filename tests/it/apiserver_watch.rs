//! Watches and lists: pages, bookmarks, selections, slow readers.

use crate::apiserver_basic::{config_map, eventually, server};
use futures::{StreamExt, TryStreamExt};
use k8s_openapi::api::core::v1::ConfigMap;
use kube::api::{
    Api, DeleteParams, ListParams, Patch, PatchParams, PostParams, WatchEvent, WatchParams,
};
use kube::runtime::{WatchStreamExt, reflector, watcher};
use serde_json::json;
use std::time::Duration;
use tiphys::sim::apiserver::{ApiServer, LogLimits, ServerOptions};
use tiphys::sim::clock::PlatformClock;

async fn filled(server: &ApiServer, count: usize) -> Api<ConfigMap> {
    let maps: Api<ConfigMap> = Api::namespaced(server.client("test"), "default");
    for number in 0..count {
        maps.create(
            &PostParams::default(),
            &config_map(&format!("m{number:03}")),
        )
        .await
        .expect("created");
    }
    maps
}

#[tokio::test]
async fn later_pages_show_the_state_of_page_one() {
    let maps = filled(&server(), 5).await;
    let first = maps
        .list(&ListParams::default().limit(2))
        .await
        .expect("page one");
    let token = first.metadata.continue_.clone().expect("more pages");

    maps.delete("m003", &DeleteParams::default())
        .await
        .expect("deleted");
    maps.create(&PostParams::default(), &config_map("m0025"))
        .await
        .expect("created");
    let rest = maps
        .list(&ListParams::default().limit(10).continue_token(&token))
        .await
        .expect("page two");

    let names: Vec<_> = rest
        .items
        .iter()
        .filter_map(|one| one.metadata.name.clone())
        .collect();
    assert_eq!(names, ["m002", "m003", "m004"]);
    assert_eq!(
        rest.metadata.resource_version,
        first.metadata.resource_version
    );
}

#[tokio::test]
async fn a_paging_reflector_keeps_no_ghosts() {
    let maps = filled(&server(), 30).await;
    let (reader, writer) = reflector::store();
    let config = watcher::Config::default().page_size(7);
    let stream = reflector(writer, watcher(maps.clone(), config)).touched_objects();
    let follower = tokio::spawn(stream.for_each(|_| async {}));

    for number in [3, 9, 15, 29] {
        maps.delete(&format!("m{number:03}"), &DeleteParams::default())
            .await
            .expect("deleted");
    }

    eventually("26 are left", async || reader.len() == 26).await;
    follower.abort();
}

#[tokio::test]
async fn streaming_lists_end_with_their_bookmark() {
    let maps = filled(&server(), 3).await;
    let (reader, writer) = reflector::store();
    let config = watcher::Config::default().streaming_lists();
    let stream = reflector(writer, watcher(maps.clone(), config)).touched_objects();
    let follower = tokio::spawn(stream.for_each(|_| async {}));

    tokio::time::timeout(Duration::from_secs(10), reader.wait_until_ready())
        .await
        .expect("in time")
        .expect("ready");

    assert_eq!(reader.len(), 3);
    follower.abort();
}

#[tokio::test]
async fn an_object_that_leaves_the_selection_is_deleted_for_its_watcher() {
    let maps = filled(&server(), 1).await;
    let params = WatchParams::default().labels("app=m000");
    let mut events = maps.watch(&params, "0").await.expect("watching").boxed();
    let mut next = async || events.try_next().await.expect("an event").expect("no end");
    assert!(matches!(next().await, WatchEvent::Added(_)));

    let patch = Patch::Merge(json!({"metadata": {"labels": {"app": "other"}}}));
    let changed = maps
        .patch("m000", &PatchParams::default(), &patch)
        .await
        .expect("patched");

    let WatchEvent::Deleted(last) = next().await else {
        panic!("it left the selection");
    };
    assert_eq!(
        last.metadata.resource_version,
        changed.metadata.resource_version
    );
}

#[tokio::test]
async fn a_version_older_than_the_log_is_gone() {
    let mut options = ServerOptions::new(PlatformClock::stepped(chrono::DateTime::UNIX_EPOCH));
    options.log = LogLimits {
        events: 5,
        bytes: 1 << 20,
    };
    let maps = filled(&ApiServer::start(options), 20).await;

    let mut events = maps
        .watch(&WatchParams::default(), "3")
        .await
        .expect("watching")
        .boxed();

    let event = events.try_next().await.expect("an event").expect("no end");
    assert!(matches!(event, WatchEvent::Error(status) if status.code == 410));
    assert!(events.try_next().await.expect("the end").is_none());
}
