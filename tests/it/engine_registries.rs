//! The engine and registries: a Harbor behind the API server's proxy, a plain one over TCP, and
//! what goes wrong with them.

#![allow(
    clippy::wildcard_enum_match_arm,
    reason = "a test picks the one case it waits for"
)]

mod copies;
mod pages;

use crate::engine_bed::{Bed, Engine, merge};
use axum::Router;
use axum::body::Bytes;
use axum::extract::{Request as Asked, State};
use axum::response::{IntoResponse, Response};
use base64::Engine as _;
use http::{HeaderMap, Method, StatusCode};
use serde_json::{Value, json};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;
use tiphys::domain::image::{
    ArtifactRow, ImageState, ImageVerb, RegistryRow, RobotWish, images_kind, registries_kind,
    registry_object,
};
use tiphys::domain::intent::{Stage, Verb};
use tiphys::domain::object::ObjectRef;
use tiphys::domain::rows::Rows;
use tiphys::domain::servers::RegistryOptions;
use tiphys::engine::EngineOptions;
use tiphys::engine::protocol::{Fetch, Topic, Update};

const OLD: &str = "sha256:aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa";
const CHILD: &str = "sha256:bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb";
const NEW: &str = "sha256:cccccccccccccccccccccccccccccccccccccccccccccccccccccccccccccccc";
const MIME: &str = "application/vnd.security.vulnerability.report; version=1.1";

/// A small stand-in for Harbor.
#[derive(Default)]
struct Fake {
    locked: AtomicBool,
    refused: AtomicU64,
    tagged: AtomicBool,
    /// How often it asks to wait yet.
    busy: AtomicU64,
}

fn refusal(code: u16, word: &str, message: &str) -> Response {
    let body = json!({"errors": [{"code": word, "message": message}]}).to_string();
    let status = StatusCode::from_u16(code).expect("a code");
    let mut response = (status, body).into_response();
    let id = "req-7".parse().expect("a header");
    drop(response.headers_mut().insert("x-request-id", id));
    response
}

fn artifact(digest: &str, tags: &[&str], hour: u32) -> Value {
    let tags: Vec<Value> = tags.iter().map(|tag| json!({"name": tag})).collect();
    json!({"digest": digest, "size": 1000, "tags": tags, "repository_name": "shop/api",
        "push_time": format!("2026-01-01T{hour:02}:00:00Z"), "accessories": [],
        "addition_links": {"vulnerabilities": {}},
        "references": [{"child_digest": CHILD, "platform": {"os": "linux", "architecture": "amd64"}}],
        "scan_overview": {MIME: {"report_id": digest, "scan_status": "Success", "severity": "High",
            "summary": {"total": 1, "fixable": 1, "summary": {"High": 1}}}}})
}

async fn harbor(State(fake): State<Arc<Fake>>, asked: Asked) -> Response {
    let path = asked.uri().path().to_owned();
    let query = asked.uri().query().unwrap_or_default().to_owned();
    let account = base64::engine::general_purpose::STANDARD.encode("robot$cockpit:s3cret");
    let known = asked
        .headers()
        .get("authorization")
        .is_some_and(|value| value.to_str().ok() == Some(&format!("Basic {account}")));
    assert!(
        !asked.headers().contains_key("cookie"),
        "there is no cookie jar"
    );
    if path.ends_with("/systeminfo") {
        return axum::Json(json!({"auth_mode": "db_auth", "registry_url": "r.test",
            "harbor_version": "v2.14.0"}))
        .into_response();
    }
    if path.ends_with("/ping") {
        return "Pong".into_response();
    }
    if path.ends_with("/health") {
        return axum::Json(json!({"status": "healthy", "components": []})).into_response();
    }
    if !known || fake.locked.load(Ordering::Relaxed) {
        fake.refused.fetch_add(1, Ordering::Relaxed);
        return refusal(401, "UNAUTHORIZED", "unauthorized");
    }
    let busy = &fake.busy;
    let asks_to_wait = busy.load(Ordering::Relaxed) > 0;
    if asks_to_wait && path.ends_with("/artifacts") {
        busy.fetch_sub(1, Ordering::Relaxed);
        let mut response = refusal(429, "TOO_MANY_REQUESTS", "slow down");
        let wait = "1".parse().expect("a header");
        drop(response.headers_mut().insert("retry-after", wait));
        return response;
    }
    let path = path.strip_prefix("/api/v2.0").unwrap_or(&path).to_owned();
    let method = asked.method().clone();
    answer(&fake, (&method, &path, &query))
}

fn answer(fake: &Fake, (method, path, query): (&Method, &str, &str)) -> Response {
    let repository = "/projects/shop/repositories/api";
    let tagged = fake.tagged.load(Ordering::Relaxed);
    let of_new: &[&str] = if tagged {
        &["1.1.0", "prod"]
    } else {
        &["1.1.0"]
    };
    let list = json!([artifact(NEW, of_new, 2), artifact(OLD, &["1.0.0"], 1)]);
    match (method.as_str(), path) {
        ("GET", "/projects") => {
            axum::Json(json!([{"project_id": 2, "name": "shop", "repo_count": 1, "metadata": {}}]))
                .into_response()
        }
        ("GET", "/quotas") => refusal(403, "FORBIDDEN", "forbidden"),
        ("GET", "/projects/2/summary") => {
            axum::Json(json!({"quota": {"hard": {"storage": 100}, "used": {"storage": 90}}}))
                .into_response()
        }
        ("GET", "/projects/shop/artifacts") => {
            axum::Json(json!([artifact(NEW, of_new, 2)])).into_response()
        }
        ("GET", "/users/current") => refusal(412, "PRECONDITION", "not a user"),
        ("GET", path) if path == format!("{repository}/artifacts") => {
            assert!(query.contains("sort="), "pages need an order");
            axum::Json(list).into_response()
        }
        ("GET", path) if path.ends_with("/additions/vulnerabilities") => axum::Json(
            json!({MIME: {"vulnerabilities": [{"id": "CVE-2026-1", "package": "openssl",
                "version": "3.0", "fix_version": "3.1", "severity": "High"}]}}),
        )
        .into_response(),
        ("GET", path) if path.contains("/artifacts/1.0.0") || path.contains("aaaaaaaa") => {
            axum::Json(artifact(OLD, &["1.0.0"], 1)).into_response()
        }
        ("GET", path) if path.contains("cccccccc") || path.contains("/artifacts/1.1.0") => {
            axum::Json(artifact(NEW, of_new, 2)).into_response()
        }
        ("GET", path) if path.contains("/artifacts/prod") && tagged => {
            axum::Json(artifact(NEW, of_new, 2)).into_response()
        }
        ("POST", path) if path.ends_with("/tags") && !tagged => {
            fake.tagged.store(true, Ordering::Relaxed);
            StatusCode::CREATED.into_response()
        }
        ("POST", path) if path.ends_with("/scan") => {
            refusal(409, "CONFLICT", "a previous scan process is Running")
        }
        ("POST", "/robots") => {
            axum::Json(json!({"id": 7, "name": "robot$shop+ci", "secret": "Once0nly"}))
                .into_response()
        }
        ("GET", "/robots/7") => {
            axum::Json(json!({"id": 7, "name": "robot$shop+ci", "level": "project",
            "expires_at": -1, "permissions": [{"namespace": "shop", "access": []}]}))
            .into_response()
        }
        _ => refusal(404, "NOT_FOUND", "not found"),
    }
}

/// A Pod of a workload that is made along.
async fn pod(bed: &Bed, name: &str, image: &str, id: &str) {
    // Without its owner the garbage collector would take the Pod away.
    let set = json!({"apiVersion": "apps/v1", "kind": "ReplicaSet", "metadata": {"name": "api-7d9f"},
        "spec": {"selector": {"matchLabels": {"app": "api"}}, "template": {
            "metadata": {"labels": {"app": "api"}},
            "spec": {"containers": [{"name": "app", "image": image}]}}}});
    let set = bed
        .create("/apis/apps/v1/namespaces/prod/replicasets", &set)
        .await;
    let metadata = json!({"name": name, "labels": {"rollouts-pod-template-hash": "7d9f"},
        "ownerReferences": [{"apiVersion": "apps/v1", "kind": "ReplicaSet", "name": "api-7d9f",
            "uid": set["metadata"]["uid"], "controller": true}]});
    running(bed, metadata, (image, id)).await;
}

/// A Pod that runs an image.
async fn running(bed: &Bed, metadata: Value, (image, id): (&str, &str)) {
    let name = metadata["name"].as_str().unwrap_or_default().to_owned();
    let body = json!({"apiVersion": "v1", "kind": "Pod", "metadata": metadata,
        "spec": {"containers": [{"name": "app", "image": image}]}});
    bed.create("/api/v1/namespaces/prod/pods", &body).await;
    let status = json!({"status": {"phase": "Running", "containerStatuses": [
        {"name": "app", "image": image, "imageID": id, "ready": true, "restartCount": 0,
         "state": {"running": {}}}]}});
    let path = format!("/api/v1/namespaces/prod/pods/{name}/status");
    merge(&bed.client, &path, &status).await;
}

/// A Pod of the first version, whose node reports a digest.
async fn api(bed: &Bed, digest: &str) {
    let id = format!("r.test/shop/api@{digest}");
    pod(bed, "api-7d9f-x", "r.test/shop/api:1.0.0", &id).await;
}

/// What an intent that is refused is told.
async fn refused(engine: &mut Engine, object: &ObjectRef, verb: ImageVerb) -> String {
    let id = engine.act(object, None, Verb::Image(verb));
    match engine.outcome(id).await {
        Stage::Failed { sentence, .. } => sentence.to_string(),
        other => panic!("it is not refused: {other:?}"),
    }
}

async fn with_harbor(bed: &Bed) -> Arc<Fake> {
    let fake = Arc::new(Fake::default());
    let router = Router::new().fallback(harbor).with_state(Arc::clone(&fake));
    serve_harbor(bed, router, "s3cret").await;
    fake
}

/// A Harbor behind its Service, with the account that somebody has put beside it.
async fn serve_harbor(bed: &Bed, router: Router, secret: &str) {
    bed.server
        .add_service_backend("team", "harbor-core", router);
    let service = json!({"apiVersion": "v1", "kind": "Service",
        "metadata": {"name": "harbor-core", "labels": {"app": "harbor", "component": "core"}},
        "spec": {"ports": [{"name": "http-web", "port": 80}]}});
    bed.create("/api/v1/namespaces/team/services", &service)
        .await;
    let encode = |text: &str| base64::engine::general_purpose::STANDARD.encode(text);
    let secret = json!({"apiVersion": "v1", "kind": "Secret", "type": "kubernetes.io/basic-auth",
        "metadata": {"name": "cockpit-robot",
            "labels": {"app.kubernetes.io/part-of": "tiphys", "tiphys.dev/registry": "true"}},
        "data": {"username": encode("robot$cockpit"), "password": encode(secret)}});
    bed.create("/api/v1/namespaces/team/secrets", &secret).await;
}

async fn image(
    engine: &mut Engine,
    what: &str,
    wanted: impl Fn(&ArtifactRow) -> bool,
) -> ArtifactRow {
    let ticket = engine.subscribe(Topic::Kind(images_kind()));
    engine
        .delta(ticket, what, |delta| {
            let Rows::Registry(rows) = &delta.rows else {
                return None;
            };
            rows.iter().find_map(|row| match row {
                RegistryRow::Image(row) if wanted(row) => Some((**row).clone()),
                _ => None,
            })
        })
        .await
}

#[tokio::test]
async fn what_runs_is_found_in_harbor_by_any_of_its_digests() {
    let bed = Bed::over_duplex().await;
    let _fake = with_harbor(&bed).await;
    api(&bed, OLD).await;
    let mut engine = bed.engine().await;

    let row = image(&mut engine, "the image", |row| {
        row.newest.as_ref() == "1.1.0"
    })
    .await;

    assert_eq!(row.title(), "shop/api:1.0.0");
    assert_eq!(row.places.len(), 1);
    assert_eq!(row.places[0].workload.path(), "prod/api");
    assert!(
        row.places[0].states.contains(&ImageState::Behind(1)),
        "{:?}",
        row.states
    );
    assert!(row.states.contains(&ImageState::Unsigned));
    assert_eq!(row.scan.text(), "H1");
}

#[tokio::test]
async fn a_registry_that_nobody_named_is_said_and_not_asked() {
    let bed = Bed::over_duplex().await;
    pod(&bed, "proxy-0", "ghcr.io/acme/proxy:v3", "").await;
    let mut engine = bed.engine().await;

    let row = image(&mut engine, "the image", |row| !row.findings.is_empty()).await;

    assert_eq!(&*row.findings[0].sentence, "`ghcr.io` is not asked");
    assert_eq!(row.digest, None);
}

#[tokio::test]
async fn a_locked_account_is_asked_once_and_named() {
    let bed = Bed::over_duplex().await;
    let fake = with_harbor(&bed).await;
    fake.locked.store(true, Ordering::Relaxed);
    api(&bed, OLD).await;
    let mut engine = bed.engine().await;

    let row = image(&mut engine, "the image", |row| !row.findings.is_empty()).await;

    let said = &row.findings[0].sentence;
    assert!(
        said.contains("does not log `robot$cockpit` in (request req-7)"),
        "{said}"
    );
    assert!(!said.contains("s3cret"));
    assert_eq!(
        fake.refused.load(Ordering::Relaxed),
        1,
        "nothing is tried again by itself"
    );
    let ticket = engine.subscribe(Topic::Kind(images_kind()));
    engine
        .delta(ticket, "rows nevertheless", |delta| {
            delta.reset.then_some(())
        })
        .await;
    assert_eq!(fake.refused.load(Ordering::Relaxed), 1);
}

#[tokio::test]
async fn a_registry_that_asks_to_wait_is_asked_again_after_that() {
    let bed = Bed::over_duplex().await;
    let fake = with_harbor(&bed).await;
    fake.busy.store(1, Ordering::Relaxed);
    api(&bed, OLD).await;
    let start = tokio::time::Instant::now();
    let mut engine = bed.engine().await;

    let row = image(&mut engine, "the image", |row| {
        row.digest.is_some() && row.size.is_some()
    })
    .await;

    assert!(row.findings.is_empty(), "{:?}", row.findings);
    assert!(start.elapsed() >= Duration::from_secs(1), "it waited");
}

#[tokio::test]
async fn a_host_that_is_not_asked_is_described_with_how_to_change_that() {
    let bed = Bed::over_duplex().await;
    pod(&bed, "proxy-0", "ghcr.io/acme/proxy:v3", "").await;
    let mut engine = bed.engine().await;
    let object = registry_object(&engine.cluster, registries_kind(), "", "ghcr.io");

    let answer = engine.fetch(Fetch::Describe { object }).await;

    let said = format!("{:?}", answer.expect("it is described"));
    assert!(said.contains("`ghcr.io` is not asked"), "{said}");
    assert!(
        said.contains("[[registry]]") && said.contains("host = "),
        "{said}"
    );
}

#[tokio::test]
async fn intents_are_read_back_and_refusals_are_sentences() {
    let bed = Bed::over_duplex().await;
    let _fake = with_harbor(&bed).await;
    api(&bed, NEW).await;
    let mut engine = bed.engine().await;
    let row = image(&mut engine, "the image", |row| row.digest.is_some()).await;

    let tag = Verb::Image(ImageVerb::Tag {
        tag: "prod".into(),
        moves: false,
    });
    let id = engine.act(&row.object, Some(row.uid.clone()), tag);
    let outcome = engine.outcome(id).await;
    assert!(matches!(outcome, Stage::Accepted { .. }), "{outcome:?}");

    let sentence = refused(&mut engine, &row.object, ImageVerb::Scan).await;
    assert!(
        sentence.contains("conflict: a previous scan process is Running"),
        "{sentence}"
    );
}

#[tokio::test]
async fn the_secret_of_a_robot_is_told_once_and_in_no_outcome() {
    let bed = Bed::over_duplex().await;
    let _fake = with_harbor(&bed).await;
    let mut engine = bed.engine().await;
    let target = registry_object(&engine.cluster, registries_kind(), "", "r.test");
    let wish = RobotWish {
        name: "ci".into(),
        project: Some("shop".into()),
        days: Some(30),
        ..RobotWish::default()
    };
    let wish = wish.with_permissions("pull,push").expect("permissions");

    let id = engine.act(
        &target,
        None,
        Verb::Image(ImageVerb::CreateRobot(Box::new(wish))),
    );

    let (account, secret) = engine
        .until("the secret", |update| match update {
            Update::Secret {
                account, secret, ..
            } => Some((account.clone(), secret.clone())),
            other => {
                assert!(!format!("{other:?}").contains("Once0nly"));
                None
            }
        })
        .await;
    assert_eq!((&*account, secret.reveal()), ("robot$shop+ci", "Once0nly"));
    assert!(!format!("{secret:?}").contains("Once0nly"));
    let outcome = engine.outcome(id).await;
    assert!(!format!("{outcome:?}").contains("Once0nly"), "{outcome:?}");
    assert!(matches!(outcome, Stage::Accepted { .. }), "{outcome:?}");
}

#[tokio::test]
async fn a_read_only_session_changes_nothing_in_a_registry() {
    let bed = Bed::over_duplex().await;
    let _fake = with_harbor(&bed).await;
    let options = EngineOptions {
        read_only: true,
        ..EngineOptions::default()
    };
    let mut engine = bed.engine_with(options).await;
    let target = registry_object(&engine.cluster, registries_kind(), "", "r.test");

    let id = engine.act(&target, None, Verb::Image(ImageVerb::ScanAll));

    let Stage::Failed { sentence, .. } = engine.outcome(id).await else {
        panic!("read-only");
    };
    assert!(sentence.contains("read-only"), "{sentence}");
}

/// A plain registry: tokens for every repository, tags by pages of one, no digest header, no
/// referrers.
async fn plain(method: Method, headers: HeaderMap, asked: Asked) -> Response {
    let path = asked.uri().path().to_owned();
    let query = asked.uri().query().unwrap_or_default().to_owned();
    let authority = headers.get("host").and_then(|host| host.to_str().ok());
    let realm = format!("http://{}/token", authority.unwrap_or_default());
    if path == "/token" {
        assert!(
            query.contains("scope=repository:acme%2Fapp:pull"),
            "{query}"
        );
        // Its clock is decades behind; what counts is the length.
        return axum::Json(json!({"token": "t0ken", "expires_in": 300,
            "issued_at": "1999-01-01T00:00:00Z"}))
        .into_response();
    }
    let bearer = headers
        .get("authorization")
        .and_then(|value| value.to_str().ok());
    if bearer != Some("Bearer t0ken") {
        let mut response = refusal(401, "UNAUTHORIZED", "authentication required");
        let challenge =
            format!("Bearer realm=\"{realm}\",service=\"r\",scope=\"repository:acme/app:pull\"");
        let challenge = challenge.parse().expect("a header");
        drop(response.headers_mut().insert("www-authenticate", challenge));
        return response;
    }
    assert!(!path.contains("_catalog"), "the catalog is never asked");
    let config = json!({"created": "2026-01-01T00:00:00Z", "os": "linux", "architecture": "amd64",
        "config": {"Labels": {"org.opencontainers.image.revision": "3f2a91c"}},
        "history": [{"created_by": "COPY app"}]})
    .to_string();
    let digest = digest_of(config.as_bytes());
    let manifest = json!({"schemaVersion": 2, "config": {"digest": digest, "size": config.len()},
        "layers": [{"digest": OLD, "size": 500}]})
    .to_string();
    match path.as_str() {
        "/v2/acme/app/tags/list" if !query.contains("last=") => {
            let body = axum::Json(json!({"name": "acme/app", "tags": ["1.0.0"]}));
            let mut response = body.into_response();
            let link = "</v2/acme/app/tags/list?last=1.0.0&n=1>; rel=\"next\"";
            let link = link.parse().expect("a header");
            drop(response.headers_mut().insert("link", link));
            response
        }
        "/v2/acme/app/tags/list" => axum::Json(json!({"tags": ["1.2.0"]})).into_response(),
        path if path.contains("/manifests/1.2.0") => refusal(404, "MANIFEST_UNKNOWN", "gone"),
        path if path.contains("/manifests/sha256-") => refusal(404, "MANIFEST_UNKNOWN", "none"),
        path if path.contains("/manifests/") => {
            let body = if method == Method::HEAD {
                String::new()
            } else {
                manifest
            };
            (
                [("content-type", "application/vnd.oci.image.manifest.v1+json")],
                Bytes::from(body),
            )
                .into_response()
        }
        path if path.contains("/blobs/") => config.into_response(),
        _ => refusal(404, "NOT_FOUND", "no such thing"),
    }
}

fn digest_of(bytes: &[u8]) -> String {
    use sha2::Digest as _;
    let hash = sha2::Sha256::digest(bytes);
    let hex: String = hash.iter().map(|byte| format!("{byte:02x}")).collect();
    format!("sha256:{hex}")
}

async fn listen(router: Router) -> String {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0")
        .await
        .expect("a port");
    let address = listener.local_addr().expect("an address");
    drop(tokio::spawn(
        async move { axum::serve(listener, router).await },
    ));
    address.to_string()
}

fn named(host: &str, address: String) -> EngineOptions {
    EngineOptions {
        registries: vec![RegistryOptions {
            context: "*".into(),
            host: Some(host.into()),
            address: Some(address),
            ..RegistryOptions::default()
        }],
        ..EngineOptions::default()
    }
}

#[tokio::test]
async fn a_plain_registry_is_asked_with_a_token_page_by_page() {
    let bed = Bed::over_duplex().await;
    let address = listen(Router::new().fallback(plain)).await;
    pod(&bed, "app-0", "plain.test/acme/app:1.0.0", "").await;
    let mut engine = bed
        .engine_with(named("plain.test", format!("http://{address}")))
        .await;

    let row = image(&mut engine, "the image", |row| row.digest.is_some()).await;

    assert_eq!(&*row.newest, "1.2.0", "the second page has a newer tag");
    assert_eq!(
        row.platforms.iter().map(|one| &**one).collect::<Vec<_>>(),
        ["linux/amd64"]
    );
    assert_eq!(row.signed, Some(false));
    assert!(row.built.is_some() && row.size > Some(500));

    let sentence = refused(&mut engine, &row.object, ImageVerb::Scan).await;
    assert!(sentence.contains("does not scan"), "{sentence}");
}

#[tokio::test]
async fn a_certificate_that_nobody_vouches_for_is_refused_with_how_to_trust_it() {
    let bed = Bed::over_duplex().await;
    let address = "127.0.0.1:0".parse().expect("an address");
    let listening = bed.server.listen_tls(address).await.expect("a port");
    pod(&bed, "app-0", "tls.test/acme/app:1.0.0", "").await;
    let url = format!("https://127.0.0.1:{}", listening.addr.port());
    let mut engine = bed.engine_with(named("tls.test", url)).await;

    let row = image(&mut engine, "the image", |row| !row.findings.is_empty()).await;

    let finding = &row.findings[0];
    assert!(
        finding.sentence.contains("certificate is not trusted"),
        "{}",
        finding.sentence
    );
    let hint = finding.hint.as_deref().unwrap_or_default();
    assert!(hint.contains("certificate-authority"), "{hint}");
}

#[tokio::test]
async fn why_names_what_would_mend_an_image() {
    let bed = Bed::over_duplex().await;
    let _fake = with_harbor(&bed).await;
    api(&bed, OLD).await;
    let mut engine = bed.engine().await;
    let object = engine.object(images_kind(), "r.test/shop", "api:1.0.0");

    let answer = engine.fetch(Fetch::Why { object }).await.expect("findings");

    let said = format!("{answer:?}");
    assert!(said.contains("a newer artifact exists: `1.1.0`"), "{said}");
    assert!(said.contains("1 known vulnerabilities"), "{said}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_embedded_harbor_tells_of_what_runs() {
    use tiphys::sim::{Simulation, SimulationOptions, scenario};
    let scenario = scenario::load(scenario::DEFAULT, None).expect("a scenario");
    let simulation = Simulation::start(SimulationOptions::new(scenario))
        .await
        .expect("a platform");
    let platform = Arc::new(crate::engine_bed::OneClient(simulation.client()));
    let mut engine = Engine::connect(platform, EngineOptions::default()).await;

    let row = image(&mut engine, "an image of the shop", |row| {
        row.repository.starts_with("shop/") && row.digest.is_some() && !row.places.is_empty()
    })
    .await;

    assert_eq!(&*row.registry, "registry.tiphys.local");
    assert!(!row.states.contains(&ImageState::Gone), "{row:?}");
    assert!(!row.states.contains(&ImageState::Unknown), "{row:?}");
    assert!(row.size.is_some() && row.pushed.is_some());
}
