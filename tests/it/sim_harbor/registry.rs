//! The registry below Harbor: tokens, pushes in one piece and in many, lists, policies.

use super::rig::{HOST, Reply, Rig, WEB};
use bytes::Bytes;
use http::{Method, StatusCode};
use serde_json::{Value, json};
use tiphys::sim::harbor::nodes::CI;
use tiphys::sim::harbor::shape::RegistryFault;
use tiphys::sim::kubelet::image::OwnRegistry as _;
use tiphys::sim::registry::manifest::{Descriptor, OCI_CONFIG, OCI_LAYER, OCI_MANIFEST, digest_of};

/// A small image: its configuration, its layer and its manifest.
fn image(what: &str) -> (Bytes, Bytes, Bytes) {
    let config =
        Bytes::from(json!({"os": "linux", "architecture": "amd64", "what": what}).to_string());
    let layer = Bytes::from(format!("layer of {what}"));
    let manifest = json!({
        "schemaVersion": 2,
        "mediaType": OCI_MANIFEST,
        "config": Descriptor::of(OCI_CONFIG, &config),
        "layers": [Descriptor::of(OCI_LAYER, &layer)],
    });
    (config, layer, Bytes::from(manifest.to_string()))
}

impl Rig {
    async fn token(&self, scope: &str) -> String {
        let path = format!("/service/token?service=harbor-registry&scope={scope}");
        let told = self.send((Method::GET, &path), &[], "").await.json();
        assert_eq!(told["expires_in"], 1800);
        told["token"].as_str().unwrap_or_default().to_owned()
    }

    async fn v2(&self, method: Method, path: &str, headers: &[(&str, &str)], body: Bytes) -> Reply {
        self.send((method, &format!("/v2/{path}")), headers, body)
            .await
    }

    async fn read(&self, path: &str) -> Reply {
        self.read_with(path, &[]).await
    }

    async fn read_with(&self, path: &str, headers: &[(&str, &str)]) -> Reply {
        self.v2(Method::GET, path, headers, Bytes::new()).await
    }

    /// Pushes a blob in one request.
    async fn push_blob(&self, name: &str, blob: &Bytes) -> Reply {
        let path = format!("{name}/blobs/uploads/?digest={}", digest_of(blob));
        self.v2(Method::POST, &path, &[], blob.clone()).await
    }

    async fn push_image(&self, name: &str, tag: &str, what: &str) -> Reply {
        let (config, layer, manifest) = image(what);
        for blob in [&config, &layer] {
            let pushed = self.push_blob(name, blob).await;
            if pushed.status != StatusCode::CREATED {
                return pushed;
            }
        }
        let kind = [("content-type", OCI_MANIFEST)];
        self.v2(
            Method::PUT,
            &format!("{name}/manifests/{tag}"),
            &kind,
            manifest,
        )
        .await
    }
}

#[tokio::test]
async fn a_token_opens_what_it_is_for_until_its_time() {
    let mut rig = Rig::start();
    rig.become_nobody();
    let ping = rig.read("").await;
    assert_eq!(ping.status, StatusCode::UNAUTHORIZED);
    assert_eq!(
        ping.header("docker-distribution-api-version"),
        "registry/2.0"
    );
    let asked = rig.read("shop/web/manifests/2.0.0").await;
    assert_eq!(
        asked.header("www-authenticate"),
        "Bearer realm=\"https://127.0.0.1:8443/service/token\",service=\"harbor-registry\",\
         scope=\"repository:shop/web:pull\""
    );

    rig.become_robot("robot$shop+reader");
    let token = format!(
        "Bearer {}",
        rig.token("repository:shop/web:pull,push").await
    );
    let bearer = [("authorization", token.as_str())];
    let pull = rig.read_with("shop/web/manifests/2.0.0", &bearer).await;
    assert_eq!(pull.status, StatusCode::OK);
    assert_eq!(digest_of(&pull.body), pull.header("docker-content-digest"));
    let other = rig
        .read_with("shop/api/core/manifests/0.1.0", &bearer)
        .await;
    assert_eq!(other.status, StatusCode::UNAUTHORIZED);
    let push = rig
        .v2(
            Method::POST,
            "shop/web/blobs/uploads/",
            &bearer,
            Bytes::new(),
        )
        .await;
    assert_eq!(push.status, StatusCode::UNAUTHORIZED, "it may only pull");
    rig.step(1799);
    let late = rig
        .v2(
            Method::HEAD,
            "shop/web/manifests/2.0.0",
            &bearer,
            Bytes::new(),
        )
        .await;
    assert_eq!(late.status, StatusCode::OK);
    rig.step(1);
    let over = rig.read_with("shop/web/manifests/2.0.0", &bearer).await;
    assert_eq!(over.status, StatusCode::UNAUTHORIZED);
    assert!(
        over.message().ends_with("token is expired"),
        "{}",
        over.message()
    );

    rig.become_account("robot$shop+reader", "wrong");
    let refused = rig
        .send(
            (Method::GET, "/service/token?scope=repository:shop/web:pull"),
            &[],
            "",
        )
        .await;
    assert_eq!(refused.status, StatusCode::UNAUTHORIZED);
    rig.become_nobody();
    let public = format!("Bearer {}", rig.token("repository:tools/lint:pull").await);
    let public = [("authorization", public.as_str())];
    let open = rig.read_with("tools/lint/manifests/3", &public).await;
    assert_eq!(open.status, StatusCode::OK);
}

#[tokio::test]
async fn an_image_is_pushed_in_pieces_and_pulled_as_it_was() {
    let rig = Rig::start();
    let (config, layer, manifest) = image("a");
    let digest = digest_of(&layer);

    let begun = rig
        .v2(Method::POST, "shop/new/blobs/uploads/", &[], Bytes::new())
        .await;
    assert_eq!(begun.status, StatusCode::ACCEPTED);
    let place = begun
        .header("location")
        .trim_start_matches("/v2/")
        .to_owned();
    let (first, rest) = (layer.slice(..5), layer.slice(5..));
    let wrong = rig
        .v2(
            Method::PATCH,
            &place,
            &[("content-range", "3-7")],
            first.clone(),
        )
        .await;
    assert_eq!(wrong.status, StatusCode::RANGE_NOT_SATISFIABLE);
    let sent = rig
        .v2(Method::PATCH, &place, &[("content-range", "0-4")], first)
        .await;
    assert_eq!(
        (sent.status, sent.header("range")),
        (StatusCode::ACCEPTED, "0-4")
    );
    let asked = rig.read(&place).await;
    assert_eq!(
        (asked.status, asked.header("range")),
        (StatusCode::NO_CONTENT, "0-4")
    );
    rig.v2(Method::PATCH, &place, &[], rest).await;
    let ended = rig
        .v2(
            Method::PUT,
            &format!("{place}?digest={digest}"),
            &[],
            Bytes::new(),
        )
        .await;
    assert_eq!(ended.status, StatusCode::CREATED);
    let again = rig
        .v2(
            Method::PUT,
            &format!("{place}?digest={digest}"),
            &[],
            Bytes::new(),
        )
        .await;
    assert_eq!(
        (again.status, again.code().as_str()),
        (StatusCode::NOT_FOUND, "BLOB_UPLOAD_UNKNOWN")
    );

    let kind = [("content-type", OCI_MANIFEST)];
    let early = rig
        .v2(Method::PUT, "shop/new/manifests/1", &kind, manifest.clone())
        .await;
    assert_eq!(
        (early.status, early.code().as_str()),
        (StatusCode::BAD_REQUEST, "MANIFEST_BLOB_UNKNOWN")
    );
    assert_eq!(
        rig.push_blob("shop/new", &config).await.status,
        StatusCode::CREATED
    );
    let stored = rig
        .v2(Method::PUT, "shop/new/manifests/1", &kind, manifest.clone())
        .await;
    assert_eq!(stored.status, StatusCode::CREATED);

    let pulled = rig
        .read_with("shop/new/manifests/1", &[("accept", OCI_MANIFEST)])
        .await;
    assert_eq!(pulled.body, manifest);
    let part = rig
        .read_with(
            &format!("shop/new/blobs/{digest}"),
            &[("range", "bytes=2-4")],
        )
        .await;
    assert_eq!(
        (part.status, &part.body),
        (StatusCode::PARTIAL_CONTENT, &layer.slice(2..5))
    );
    let mount = format!("tools/new/blobs/uploads/?mount={digest}&from=shop/new");
    assert_eq!(
        rig.v2(Method::POST, &mount, &[], Bytes::new()).await.status,
        StatusCode::CREATED
    );
    let head = rig
        .v2(
            Method::HEAD,
            &format!("tools/new/blobs/{digest}"),
            &[],
            Bytes::new(),
        )
        .await;
    assert_eq!(head.header("content-length"), layer.len().to_string());
    let repository = rig.get("/projects/shop/repositories/new").await;
    assert_eq!(
        (&repository["artifact_count"], &repository["pull_count"]),
        (&json!(1), &json!(1))
    );
}

#[tokio::test]
async fn lists_come_in_pages_and_say_where_the_next_one_is() {
    let rig = Rig::start();

    let catalog = rig.read("_catalog?n=2").await;
    let link = catalog.header("link").to_owned();
    let next = link
        .split(['<', '>'])
        .nth(1)
        .unwrap_or_default()
        .trim_start_matches("/v2/");
    let rest = rig.read(next).await;
    let tags = rig.read("shop/web/tags/list?n=2&last=1.0.0").await;
    let wrong = rig.read("_catalog?n=1&last=nobody").await;
    let missing = rig.read("shop/nobody/tags/list").await;

    assert_eq!(
        catalog.json(),
        json!({"repositories": ["guarded/app", "shop/api/core"]})
    );
    assert_eq!(
        rest.json(),
        json!({"repositories": ["shop/web", "tools/lint"]})
    );
    assert_eq!(rest.header("link"), "");
    assert_eq!(
        tags.json(),
        json!({"name": "shop/web", "tags": ["1.1.0", "2.0.0"]})
    );
    assert_eq!(
        tags.header("link"),
        "</v2/shop/web/tags/list?last=2.0.0&n=2>; rel=\"next\""
    );
    assert_eq!(wrong.status, StatusCode::BAD_REQUEST);
    assert_eq!(
        (missing.status, missing.code().as_str()),
        (StatusCode::NOT_FOUND, "NAME_UNKNOWN")
    );
}

#[tokio::test]
async fn what_is_about_an_image_is_listed_and_an_index_needs_a_client_that_takes_it() {
    let rig = Rig::start();
    let digest = rig.digest(WEB, "latest").await;

    let about = rig.read(&format!("shop/web/referrers/{digest}")).await;
    let kind = about.json()["manifests"][0]["artifactType"].clone();
    let kind = kind.as_str().expect("a type").replace('+', "%2B");
    let filter = format!("shop/web/referrers/{digest}?artifactType={kind}");
    let filtered = rig.read(&filter).await;
    let none = rig
        .v2(
            Method::GET,
            &format!("shop/web/referrers/{}", digest_of(b"x")),
            &[],
            Bytes::new(),
        )
        .await;
    let old = rig
        .read_with("shop/web/manifests/latest", &[("accept", OCI_MANIFEST)])
        .await;
    let known = [("if-none-match", format!("\"{digest}\""))];
    let known = [(known[0].0, known[0].1.as_str())];
    let same = rig.read_with("shop/web/manifests/latest", &known).await;

    assert_eq!(filtered.header("oci-filters-applied"), "artifactType");
    assert_eq!(
        filtered.json()["manifests"].as_array().map(Vec::len),
        Some(1)
    );
    assert_eq!(none.json()["manifests"], json!([]));
    assert_eq!(
        (old.status, old.code().as_str()),
        (StatusCode::NOT_FOUND, "MANIFEST_UNKNOWN")
    );
    assert!(old.message().contains("OCI index found"));
    assert_eq!(same.status, StatusCode::NOT_MODIFIED);
}

#[tokio::test]
async fn quotas_rules_and_findings_refuse_in_words() {
    let rig = Rig::start();
    let shop = rig.project("shop").await;
    let used = rig.get(&format!("/quotas/{shop}")).await["used"]["storage"]
        .as_i64()
        .expect("bytes");
    let limit = json!({"hard": {"storage": used + 20}});
    assert_eq!(
        rig.ask(Method::PUT, &format!("/quotas/{shop}"), Some(limit))
            .await
            .status,
        StatusCode::OK
    );

    let full = rig.push_image("shop/web", "9", "too much").await;
    assert_eq!(
        (full.status, full.code().as_str()),
        (StatusCode::FORBIDDEN, "DENIED")
    );
    assert!(
        full.message()
            .contains("will exceed the configured upper limit"),
        "{}",
        full.message()
    );
    let unknown = rig.push_image("nobody/web", "1", "a").await;
    assert_eq!(
        (unknown.status, unknown.code().as_str()),
        (StatusCode::NOT_FOUND, "NOT_FOUND")
    );
    let moved = rig.push_image("guarded/app", "1.0.0", "a").await;
    assert_eq!(moved.status, StatusCode::PRECONDITION_FAILED);
    assert!(moved.message().contains("configured as immutable"));
    let kept = rig
        .v2(
            Method::DELETE,
            "guarded/app/manifests/1.0.0",
            &[],
            Bytes::new(),
        )
        .await;
    assert_eq!(kept.status, StatusCode::PRECONDITION_FAILED);

    let bad = rig.read("guarded/app/manifests/1.0.0").await;
    assert_eq!(
        (bad.status, bad.code().as_str()),
        (StatusCode::PRECONDITION_FAILED, "PROJECTPOLICYVIOLATION")
    );
    assert!(
        bad.message()
            .starts_with("current image with 1 vulnerability cannot be pulled"),
        "{}",
        bad.message()
    );
    let unscanned = rig.read("guarded/app/manifests/2.0.0").await;
    assert!(
        unscanned
            .message()
            .contains("without vulnerability scanning"),
        "{}",
        unscanned.message()
    );
    let allow = json!({"items": [{"cve_id": "CVE-2024-5535"}]});
    assert_eq!(
        rig.ask(Method::PUT, "/system/CVEAllowlist", Some(allow))
            .await
            .status,
        StatusCode::OK
    );
    let allowed = rig.read("guarded/app/manifests/1.0.0").await;
    assert_eq!(allowed.status, StatusCode::OK);
}

#[tokio::test]
async fn nodes_pull_and_pipelines_push_until_their_robots_end() {
    let rig = Rig::start();
    let reference = format!("{HOST}/shop/web:2.0.0");
    let index = rig.digest(WEB, "2.0.0").await;

    let (digest, size) = rig.harbor.pull(&reference).expect("it is pulled");
    assert_eq!(digest, index, "nodes report the index");
    assert!(size > 20_000_000, "it claims its size: {size}");
    let missing = rig
        .harbor
        .pull(&format!("{HOST}/shop/web:9"))
        .expect_err("nobody pushed it");
    assert!(missing.ends_with(":9: not found"), "{missing}");
    let vulnerable = rig
        .harbor
        .pull(&format!("{HOST}/guarded/app:1.0.0"))
        .expect_err("the project forbids it");
    assert!(
        vulnerable.contains("412 Precondition Failed: current image with 1 vulnerability"),
        "{vulnerable}"
    );

    let new = format!("{HOST}/shop/web:abc1234");
    let built = rig
        .harbor
        .build(&new, std::collections::BTreeMap::new())
        .expect("an own image");
    rig.harbor.push_as(&new, &built, CI).expect("it is pushed");
    assert_eq!(rig.digest(WEB, "abc1234").await, built.digest());
    rig.step(10);
    let scanned = rig
        .get(&format!("{WEB}/artifacts/abc1234?with_scan_overview=true"))
        .await;
    assert!(
        scanned["scan_overview"].is_object(),
        "the project scans what is pushed"
    );

    for robot in [CI, "robot$kubelet"] {
        rig.harbor
            .play(&RegistryFault::ExpireRobot(robot.to_owned()))
            .expect("it happens");
    }
    let refused = rig
        .harbor
        .pull(&reference)
        .expect_err("the robot has ended");
    assert!(
        refused.contains("401 Unauthorized: the robot account is expired: robot$kubelet"),
        "{refused}"
    );
    let refused = rig
        .harbor
        .push_as(&new, &built, CI)
        .expect_err("the robot has ended");
    assert!(
        refused.contains("action: push: the robot account is expired: robot$ci"),
        "{refused}"
    );
    let log = rig
        .get("/auditlog-exts?q=username=robot$ci&page_size=100")
        .await;
    assert!(log.as_array().is_some_and(|all| !all.is_empty()));
}

#[tokio::test]
async fn a_moved_tag_has_another_digest_and_the_old_one_stays() {
    let rig = Rig::start();
    let before = rig.digest(WEB, "2.0.0").await;

    let image = format!("{HOST}/shop/web:2.0.0");
    let packages = vec!["libssl3 3.9.0-r0".to_owned()];
    rig.harbor
        .play(&RegistryFault::MoveTag { image, packages })
        .expect("it happens");

    let after = rig.get(&format!("{WEB}/artifacts/2.0.0")).await;
    assert_ne!(after["digest"].as_str(), Some(before.as_str()));
    assert_eq!(
        after["references"].as_array().map(Vec::len),
        Some(2),
        "the platforms stay"
    );
    let old: Value = rig.get(&format!("{WEB}/artifacts/{before}")).await;
    assert_eq!(old["tags"][0]["name"], "latest");
}
