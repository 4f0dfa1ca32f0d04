//! Many repositories with many artifacts each: pages, counts and sums are right, and cheap.

use super::rig::Rig;
use http::{Method, StatusCode};
use serde_json::json;
use std::collections::BTreeSet;

const REPOSITORIES: usize = 20;
const IMAGES: usize = 60;
/// How many of a repository have the critical one: all but the newest, whose base is young.
const OLD: usize = IMAGES - 1;

#[tokio::test]
async fn a_page_is_cut_out_of_many_artifacts() {
    let rig = Rig::with_many(REPOSITORIES, IMAGES);
    let place = "/projects/p-01/repositories/web-03/artifacts";
    let with = "with_tag=true&with_scan_overview=true&sort=-push_time";

    let first = rig
        .ask(Method::GET, &format!("{place}?page_size=25&{with}"), None)
        .await;
    let last = rig
        .ask(
            Method::GET,
            &format!("{place}?page=3&page_size=25&{with}"),
            None,
        )
        .await;
    let named = rig
        .get(&format!("{place}?q=tags=1.0.7&with_tag=true"))
        .await;

    assert_eq!(first.header("x-total-count"), IMAGES.to_string());
    let (first, last) = (first.json(), last.json());
    assert_eq!(first.as_array().map(Vec::len), Some(25));
    assert_eq!(last.as_array().map(Vec::len), Some(IMAGES - 50));
    assert_eq!(
        first[0]["tags"][0]["name"],
        json!(format!("1.0.{}", IMAGES - 1))
    );
    assert_eq!(last[IMAGES - 51]["tags"][0]["name"], "1.0.0");
    assert_eq!(named[0]["tags"][0]["name"], "1.0.7");
    assert_eq!(named.as_array().map(Vec::len), Some(1));
}

#[tokio::test]
async fn the_security_hub_pages_through_all_findings() {
    let rig = Rig::with_many(REPOSITORIES, IMAGES);
    let (total, size) = (REPOSITORIES * IMAGES, 100);

    // Every image has the one without a fix; only old ones the other.
    let summary = rig
        .get("/security/summary?with_dangerous_artifact=true")
        .await;
    let mut seen = BTreeSet::new();
    for page in 1..=total / size {
        let path = format!("/security/vul?q=cve_id=CVE-2023-42363&page={page}&page_size={size}");
        let reply = rig.ask(Method::GET, &path, None).await;
        assert_eq!(reply.header("x-total-count"), total.to_string());
        for row in reply.json().as_array().into_iter().flatten() {
            let name = row["repository_name"].as_str().unwrap_or_default();
            seen.insert((name.to_owned(), row["digest"].to_string()));
        }
    }
    let tuned = rig
        .ask(Method::GET, "/security/vul?tune_count=true", None)
        .await;
    let query = "/security/vul?q=repository_name=p-01/web-03,severity=Critical&with_tag=true";
    let some = rig.ask(Method::GET, query, None).await;

    assert_eq!(seen.len(), total);
    assert_eq!(summary["scanned_cnt"], total);
    assert_eq!(summary["critical_cnt"], REPOSITORIES * OLD);
    assert_eq!(tuned.header("x-total-count"), "-1");
    assert_eq!(some.header("x-total-count"), OLD.to_string());
    assert!(some.json()[0]["tags"][0].is_string());
}

#[tokio::test]
async fn sums_follow_what_comes_and_goes() {
    let rig = Rig::with_many(REPOSITORIES, IMAGES);
    let used = async || {
        let quotas = rig.get("/quotas?sort=-used.storage&page_size=100").await;
        let all = quotas.as_array().cloned().unwrap_or_default();
        let own = all.into_iter().find(|one| one["ref"]["name"] == "p-01");
        own.map_or(0, |one| one["used"]["storage"].as_u64().unwrap_or_default())
    };
    let before = (used().await, rig.get("/statistics").await);

    for place in ["artifacts/1.0.5", "artifacts/1.0.6"] {
        let path = format!("/projects/p-01/repositories/web-03/{place}");
        let gone = rig.ask(Method::DELETE, &path, None).await;
        assert_eq!(gone.status, StatusCode::OK);
    }
    let after = (used().await, rig.get("/statistics").await);
    let repository = rig.get("/projects/p-01/repositories/web-03").await;
    let gone = rig
        .ask(Method::DELETE, "/projects/p-01/repositories/web-03", None)
        .await;

    let total = |of: &serde_json::Value| of["total_storage_consumption"].as_u64().unwrap_or(0);
    assert_eq!(before.1["total_repo_count"], REPOSITORIES);
    assert_eq!(repository["artifact_count"], IMAGES - 2);
    assert!(after.0 < before.0);
    assert_eq!(before.0 - after.0, total(&before.1) - total(&after.1));
    assert_eq!(gone.status, StatusCode::OK);
    assert!(used().await < after.0 * 19 / 20);
    let left = rig.get("/statistics").await;
    assert_eq!(left["total_repo_count"], REPOSITORIES - 1);
    let scanned = rig.get("/security/summary").await;
    assert_eq!(scanned["scanned_cnt"], (REPOSITORIES - 1) * IMAGES);
}
