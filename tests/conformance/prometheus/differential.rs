//! Random queries over random series: a real Prometheus and the embedded one have to agree.

use super::generate::{self, BEGIN};
use super::program;
use super::real::Real;
use axum::body::Body;
use http::{Request, StatusCode};
use serde_json::Value;
use std::collections::BTreeMap;
use std::time::Duration;
use tiphys::sim::clock::PlatformClock;
use tiphys::sim::prometheus::{Prometheus, PrometheusOptions, Semantics};
use tiphys::sim::rng::Seed;
use tower::ServiceExt as _;

/// How many queries are compared.
const QUERIES: usize = 1500;

fn embedded() -> Prometheus {
    let start = chrono::DateTime::from_timestamp(BEGIN + 7200, 0).expect("a time");
    Prometheus::new(PrometheusOptions {
        semantics: Semantics::V2,
        // The step of subqueries that name none.
        evaluation_interval: Duration::from_secs(60),
        ..PrometheusOptions::new(PlatformClock::stepped(start))
    })
}

/// A request and its form.
struct Asked {
    path: &'static str,
    form: String,
    query: String,
}

fn encoded(text: &str) -> String {
    text.bytes().map(|byte| format!("%{byte:02X}")).collect()
}

async fn ask_real(client: &reqwest::Client, url: &str, asked: &Asked) -> (u16, Value) {
    let answer = client
        .post(format!("{url}{}", asked.path))
        .header("content-type", "application/x-www-form-urlencoded")
        .body(asked.form.clone())
        .send()
        .await
        .expect("prometheus answers");
    let status = answer.status().as_u16();
    let body = answer.text().await.expect("a body");
    (status, serde_json::from_str(&body).unwrap_or(Value::Null))
}

async fn ask_embedded(router: &axum::Router, asked: &Asked) -> (u16, Value) {
    let request = Request::post(asked.path)
        .header("content-type", "application/x-www-form-urlencoded")
        .body(Body::from(asked.form.clone()))
        .expect("a request");
    let answer = router
        .clone()
        .oneshot(request)
        .await
        .expect("the router answers");
    let status = answer.status();
    let body = axum::body::to_bytes(answer.into_body(), usize::MAX)
        .await
        .expect("a body");
    assert_ne!(status, StatusCode::NOT_FOUND);
    (
        status.as_u16(),
        serde_json::from_slice(&body).unwrap_or(Value::Null),
    )
}

#[tokio::test(flavor = "multi_thread")]
async fn random_queries_come_out_as_from_a_real_prometheus() {
    let (Some(promtool), Some(prometheus)) = (program("promtool"), program("prometheus")) else {
        return;
    };
    let _first = rustls::crypto::ring::default_provider()
        .install_default()
        .is_ok();
    let seed = std::env::var_os("TIPHYS_SEED")
        .and_then(|seed| seed.to_string_lossy().parse().ok())
        .unwrap_or(7);
    let mut rng = Seed(seed).stream(&["promql", "differential"]);
    let series = generate::series(&mut rng);
    let own = embedded();
    let mut text = String::new();
    for one in &series {
        let labels: Vec<(&str, &str)> = one
            .labels
            .iter()
            .map(|(name, value)| (*name, value.as_str()))
            .collect();
        let labels = [vec![("__name__", one.name)], labels].concat();
        for (at, value) in &one.samples {
            assert!(own.append(&labels, *at, *value), "samples are in order");
        }
        text.extend(one.lines().map(|line| line + "\n"));
    }
    let real = Real::start(&promtool, &prometheus, &(text + "# EOF\n")).await;
    let client = reqwest::Client::new();
    let router = own.router();
    let mut different = Vec::new();
    let mut refused = 0;

    for number in 0..QUERIES {
        let query = generate::vector(&mut rng, (number % 4) as u32);
        let asked = request(&mut rng, query);
        let wanted = ask_real(&client, &real.url, &asked).await;
        let found = ask_embedded(&router, &asked).await;
        refused += usize::from(wanted.0 != 200);
        if let Err(difference) = compare(&wanted, &found) {
            different.push(format!(
                "{}?{}\n  {}\n  {difference}",
                asked.path, asked.form, asked.query
            ));
        }
    }

    println!(
        "seed {seed}: {QUERIES} queries, {refused} refused by both, {} differ",
        different.len()
    );
    assert!(
        different.is_empty(),
        "{} differ:\n{}",
        different.len(),
        different[..different.len().min(12)].join("\n")
    );
    assert!(refused * 2 < QUERIES, "most queries have to mean something");
}

fn request(rng: &mut tiphys::sim::rng::Rng, query: String) -> Asked {
    // Times on the grid of the samples are where open and closed ends differ.
    let at = BEGIN + rng.below(6000) as i64 / 15 * 15 + if rng.below(2) == 0 { 0 } else { 7 };
    let text = encoded(&query);
    if rng.below(2) == 0 {
        return Asked {
            path: "/api/v1/query",
            form: format!("query={text}&time={at}"),
            query,
        };
    }
    let step = [15, 30, 60, 47][rng.below(4) as usize];
    let end = at + 600;
    let form = format!("query={text}&start={at}&end={end}&step={step}");
    Asked {
        path: "/api/v1/query_range",
        form,
        query,
    }
}

type Answer = (u16, Value);

fn compare((wanted_status, wanted): &Answer, (status, found): &Answer) -> Result<(), String> {
    if wanted_status != status {
        return Err(format!(
            "status {status} {}, wanted {wanted_status} {}",
            found["error"], wanted["error"]
        ));
    }
    if *status != 200 {
        let same = wanted["errorType"] == found["errorType"];
        return if same {
            Ok(())
        } else {
            Err(format!("{found}, wanted {wanted}"))
        };
    }
    let (wanted, found) = (&wanted["data"], &found["data"]);
    if wanted["resultType"] != found["resultType"] {
        return Err(format!(
            "{}, wanted {}",
            found["resultType"], wanted["resultType"]
        ));
    }
    let (wanted, found) = (by_metric(&wanted["result"]), by_metric(&found["result"]));
    if wanted.keys().ne(found.keys()) {
        let missing: Vec<_> = wanted
            .keys()
            .filter(|metric| !found.contains_key(*metric))
            .collect();
        let extra: Vec<_> = found
            .keys()
            .filter(|metric| !wanted.contains_key(*metric))
            .collect();
        return Err(format!("missing {missing:?}, too much {extra:?}"));
    }
    for (metric, wanted) in &wanted {
        near(&found[metric], wanted).map_err(|error| format!("{metric}: {error}"))?;
    }
    Ok(())
}

/// Returns the points of each series.
fn by_metric(result: &Value) -> BTreeMap<String, Vec<Value>> {
    let series = result.as_array().into_iter().flatten();
    series
        .map(|one| {
            let points = match one.get("values") {
                Some(values) => values.as_array().cloned().unwrap_or_default(),
                None => vec![one["value"].clone()],
            };
            (one["metric"].to_string(), points)
        })
        .collect()
}

fn near(found: &[Value], wanted: &[Value]) -> Result<(), String> {
    if found.len() != wanted.len() {
        return Err(format!("{} points, wanted {}", found.len(), wanted.len()));
    }
    for (found, wanted) in found.iter().zip(wanted) {
        let number = |point: &Value| point[1].as_str().and_then(|text| text.parse::<f64>().ok());
        let (Some(value), Some(expected)) = (number(found), number(wanted)) else {
            return Err(format!("{found}, wanted {wanted}"));
        };
        let same_time = found[0].as_f64() == wanted[0].as_f64();
        let difference = (value - expected).abs();
        // Sums are compensated in one of the two: what is left of a difference may be noise.
        let equal = value.total_cmp(&expected).is_eq()
            || (value.is_nan() && expected.is_nan())
            || difference <= 1e-9_f64.max(1e-9 * expected.abs());
        if !same_time || !equal {
            return Err(format!("{found}, wanted {wanted}"));
        }
    }
    Ok(())
}
