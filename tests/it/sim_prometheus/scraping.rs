//! Targets: their series begin, end and clash.

use super::asking::{Bed, Exposed};
use serde_json::json;
use std::time::Duration;
use tokio_util::sync::CancellationToken;

#[tokio::test]
async fn a_scrape_stores_what_a_target_says_and_how_it_went() {
    let bed = Bed::new();
    let exposed = Exposed::new(
        "# TYPE orders_total counter\n# HELP orders_total Orders.\norders_total{job=\"x\"} 7\n",
    );
    bed.expose(&exposed, false);

    bed.turns(1).await;

    let own = json!({ "__name__": "up", "instance": "10.0.0.1:8080", "job": "shop", "zone": "a" });
    assert_eq!(bed.values("up").await, [(own, "1".to_owned())]);
    let orders = bed.values("orders_total").await;
    assert_eq!(orders[0].0["exported_job"], json!("x"));
    assert_eq!(orders[0].1, "7");
    assert_eq!(bed.values("scrape_samples_scraped").await[0].1, "1");
    let metadata = bed.get("/api/v1/metadata").await;
    assert_eq!(
        metadata["orders_total"],
        json!([{ "type": "counter", "help": "Orders.", "unit": "" }])
    );
    assert_eq!(
        bed.get("/api/v1/targets").await["activeTargets"][0]["health"],
        json!("up")
    );
}

#[tokio::test]
async fn a_series_that_is_not_said_again_ends_at_once() {
    let bed = Bed::new();
    let exposed = Exposed::new("a 1\nb 1\n");
    bed.expose(&exposed, true);
    bed.turns(1).await;

    exposed.say(Ok("a 2\n"));
    bed.turns(1).await;
    assert!(bed.values("b").await.is_empty());
    assert_eq!(bed.values("a").await[0].1, "2");

    exposed.say(Err("connection refused"));
    bed.turns(1).await;
    assert!(bed.values("a").await.is_empty());
    assert_eq!(bed.values("up").await[0].1, "0");
    let targets = bed.get("/api/v1/targets").await;
    assert_eq!(
        targets["activeTargets"][0]["lastError"],
        json!("connection refused")
    );

    bed.clock.step(Duration::from_secs(1));
    bed.prometheus.remove_target("shop", "10.0.0.1:8080");
    assert!(bed.values("up").await.is_empty());
}

#[tokio::test]
async fn labels_of_the_text_win_when_they_are_honoured() {
    let bed = Bed::new();
    bed.expose(&Exposed::new("a{job=\"own\"} 1\n"), true);

    bed.turns(1).await;

    let found = bed.values("a").await;
    assert_eq!(found[0].0["job"], json!("own"));
    assert_eq!(found[0].0["zone"], json!("a"));
}

#[tokio::test]
async fn the_loop_scrapes_by_the_clock_and_stops_when_told() {
    let bed = Bed::new();
    bed.expose(&Exposed::new("a 1\n"), true);
    let stop = CancellationToken::new();
    bed.prometheus.start(&stop);
    let count = async || {
        bed.values("count_over_time(a[1h])")
            .await
            .first()
            .map(|found| found.1.clone())
    };
    let waited = async {
        while count().await.as_deref() != Some("3") {
            bed.clock.step(Duration::from_secs(5));
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
    };

    assert!(
        tokio::time::timeout(Duration::from_secs(10), waited)
            .await
            .is_ok()
    );

    stop.cancel();
    tokio::time::sleep(Duration::from_millis(5)).await;
    bed.clock.step(Duration::from_secs(60));
    tokio::time::sleep(Duration::from_millis(5)).await;
    assert_eq!(count().await.as_deref(), Some("3"));
}
