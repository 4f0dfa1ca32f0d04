//! A Harbor on a stepped clock, with a few images, and how it is asked.

use super::swagger::Swagger;
use axum::body::Body;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use chrono::{DateTime, TimeDelta};
use http::{HeaderMap, Method, Request, StatusCode, header};
use serde_json::{Value, json};
use std::sync::OnceLock;
use std::time::Duration;
use tiphys::sim::clock::PlatformClock;
use tiphys::sim::harbor::shape::{
    ArtifactShape, CveShape, ProjectShape, RegistryShape, RobotShape,
};
use tiphys::sim::harbor::{ADMIN, Harbor, HarborOptions, SeedImage};
use tiphys::sim::rng::Seed;
use tower::ServiceExt as _;

pub(crate) const HOST: &str = "registry.demo";

/// Reading it takes longer than a test.
static SWAGGER: OnceLock<Option<Swagger>> = OnceLock::new();

pub(crate) struct Rig {
    pub(crate) clock: PlatformClock,
    pub(crate) harbor: Harbor,
    swagger: Option<&'static Swagger>,
    router: axum::Router,
    account: Option<String>,
}

pub(crate) struct Reply {
    pub(crate) status: StatusCode,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Bytes,
}

impl Reply {
    pub(crate) fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap_or_default()
    }

    pub(crate) fn header(&self, name: &str) -> &str {
        let value = self.headers.get(name).and_then(|value| value.to_str().ok());
        value.unwrap_or_default()
    }

    /// The code of the first error.
    pub(crate) fn code(&self) -> String {
        let json = self.json();
        json["errors"][0]["code"]
            .as_str()
            .unwrap_or_default()
            .to_owned()
    }

    pub(crate) fn message(&self) -> String {
        let json = self.json();
        json["errors"][0]["message"]
            .as_str()
            .unwrap_or_default()
            .to_owned()
    }
}

fn project(name: &str) -> ProjectShape {
    ProjectShape {
        name: name.to_owned(),
        ..ProjectShape::default()
    }
}

pub(crate) fn cve(id: &str, severity: &str, package: &str, fix: Option<&str>) -> CveShape {
    CveShape {
        id: id.to_owned(),
        severity: severity.to_owned(),
        package: package.to_owned(),
        fix_version: fix.map(str::to_owned),
        score: 7.5,
        vector: "CVSS:3.1/AV:N/AC:L/PR:N/UI:N/S:U/C:H/I:N/A:N".to_owned(),
        description: format!("what {id} is about"),
        ..CveShape::default()
    }
}

fn shape() -> RegistryShape {
    let artifact = |image: &str| ArtifactShape {
        image: image.to_owned(),
        ..ArtifactShape::default()
    };
    RegistryShape {
        projects: vec![
            ProjectShape {
                auto_scan: true,
                keep: Some(2),
                ..project("shop")
            },
            ProjectShape {
                public: true,
                ..project("tools")
            },
            ProjectShape {
                prevent_vulnerable: Some("high".to_owned()),
                immutable: vec!["1.*".to_owned()],
                ..project("guarded")
            },
        ],
        robots: vec![RobotShape {
            name: "reader".to_owned(),
            project: Some("shop".to_owned()),
            days: Some(2),
            may: vec!["repository:pull".to_owned(), "artifact:list".to_owned()],
            ..RobotShape::default()
        }],
        artifacts: vec![
            ArtifactShape {
                platforms: vec!["linux/amd64".to_owned(), "linux/arm64/v8".to_owned()],
                signed: true,
                sbom: true,
                also: vec!["latest".to_owned()],
                pulls: 7,
                packages: vec!["libssl3 3.1.2-r0".to_owned()],
                ..artifact("*/shop/web:2.0.0")
            },
            ArtifactShape {
                packages: vec!["libssl3 3.1.2-r0".to_owned()],
                ..artifact("*/guarded/app:1.0.0")
            },
            ArtifactShape {
                scanned: Some(false),
                ..artifact("*/guarded/app:2.0.0")
            },
        ],
        cves: vec![
            cve("CVE-2024-5535", "critical", "libssl3", Some("3.1.6-r0")),
            cve("CVE-2023-42363", "medium", "busybox", None),
        ],
    }
}

impl Rig {
    pub(crate) fn start() -> Self {
        let names = [
            "shop/web:1.0.0",
            "shop/web:1.1.0",
            "shop/web:2.0.0",
            "shop/api/core:0.1.0",
            "tools/lint:3",
            "guarded/app:1.0.0",
            "guarded/app:2.0.0",
        ];
        Self::holding(shape(), names.into_iter().map(str::to_owned))
    }

    /// Starts with projects `p-00`…, each with ten repositories `web-00`… of so many images.
    pub(crate) fn with_many(repositories: usize, images: usize) -> Self {
        let shape = RegistryShape {
            cves: shape().cves,
            ..RegistryShape::default()
        };
        let names = (0..repositories).flat_map(|repository| {
            let (project, name) = (repository / 10, repository % 10);
            (0..images).map(move |image| format!("p-{project:02}/web-{name:02}:1.0.{image}"))
        });
        Self::holding(shape, names)
    }

    fn holding(shape: RegistryShape, names: impl Iterator<Item = String>) -> Self {
        let images = names.map(|name| SeedImage {
            reference: format!("{HOST}/{name}"),
            ..SeedImage::default()
        });
        let start = DateTime::UNIX_EPOCH + TimeDelta::days(20_000);
        let clock = PlatformClock::stepped(start);
        let harbor = Harbor::new(HarborOptions {
            clock: clock.clone(),
            seed: Seed(1),
            host: HOST.to_owned(),
            shape,
            images: images.collect(),
        });
        let mut rig = Self {
            router: harbor.router(true),
            clock,
            harbor,
            swagger: SWAGGER.get_or_init(Swagger::load).as_ref(),
            account: None,
        };
        rig.become_admin();
        rig
    }

    pub(crate) fn step(&self, seconds: u64) {
        self.clock.step(Duration::from_secs(seconds));
    }

    pub(crate) fn become_admin(&mut self) {
        let password = self.harbor.admin_password();
        self.become_account(ADMIN, &password);
    }

    pub(crate) fn become_account(&mut self, user: &str, password: &str) {
        self.account = Some(STANDARD.encode(format!("{user}:{password}")));
    }

    #[allow(clippy::expect_used, reason = "the robot is one of the scenario")]
    pub(crate) fn become_robot(&mut self, name: &str) {
        let secret = self.harbor.robot_secret(name).expect("a robot");
        self.become_account(name, &secret);
    }

    pub(crate) fn become_nobody(&mut self) {
        self.account = None;
    }

    /// Sends any request; headers may name an account of their own.
    #[allow(clippy::expect_used, reason = "requests of tests are well-formed")]
    pub(crate) async fn send(
        &self,
        (method, path): (Method, &str),
        headers: &[(&str, &str)],
        body: impl Into<Body>,
    ) -> Reply {
        let mut request = Request::builder()
            .method(method)
            .uri(path)
            .header(header::HOST, "127.0.0.1:8443");
        let own = headers.iter().any(|(name, _)| *name == "authorization");
        if let Some(account) = self.account.as_ref().filter(|_| !own) {
            request = request.header(header::AUTHORIZATION, format!("Basic {account}"));
        }
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let request = request.body(body.into()).expect("a request");
        let answer = self.router.clone().oneshot(request).await;
        let (parts, body) = answer.expect("an answer").into_parts();
        let body = axum::body::to_bytes(body, 1 << 26).await.expect("a body");
        Reply {
            status: parts.status,
            headers: parts.headers,
            body,
        }
    }

    /// Asks the API, and holds the answer against the definition where that is at hand.
    pub(crate) async fn ask(&self, method: Method, path: &str, body: Option<Value>) -> Reply {
        let sent = body.map_or(String::new(), |body| body.to_string());
        let headers = [("content-type", "application/json")];
        let full = format!("/api/v2.0{path}");
        let reply = self.send((method.clone(), &full), &headers, sent).await;
        if let Some(swagger) = &self.swagger {
            let asked = (&method, path);
            let mistakes = swagger.mistakes(asked, reply.status, &reply.headers, &reply.body);
            let said = String::from_utf8_lossy(&reply.body).into_owned();
            assert!(
                mistakes.is_empty(),
                "{method} {path}: {mistakes:#?}\n{said}"
            );
        }
        reply
    }

    /// Gets what is there.
    pub(crate) async fn get(&self, path: &str) -> Value {
        let reply = self.ask(Method::GET, path, None).await;
        let said = String::from_utf8_lossy(&reply.body).into_owned();
        assert_eq!(reply.status, StatusCode::OK, "{path}: {said}");
        reply.json()
    }

    pub(crate) async fn post(&self, path: &str, body: Value) -> Reply {
        self.ask(Method::POST, path, Some(body)).await
    }

    /// The number of a project.
    pub(crate) async fn project(&self, name: &str) -> i64 {
        let found = self.get(&format!("/projects/{name}")).await;
        found["project_id"].as_i64().unwrap_or_default()
    }

    /// The digest behind a tag.
    pub(crate) async fn digest(&self, place: &str, tag: &str) -> String {
        let found = self.get(&format!("{place}/artifacts/{tag}")).await;
        found["digest"].as_str().unwrap_or_default().to_owned()
    }
}

/// Where the artifacts of `shop/web` are.
pub(crate) const WEB: &str = "/projects/shop/repositories/web";

/// What makes a robot with one permission.
pub(crate) fn robot_request(name: &str, days: i64, access: (&str, &str)) -> Value {
    json!({
        "name": name,
        "level": "project",
        "duration": days,
        "permissions": [{
            "kind": "project",
            "namespace": "shop",
            "access": [{"resource": access.0, "action": access.1}],
        }],
    })
}
