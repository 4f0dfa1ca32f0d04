//! An embedded Harbor: its API v2.0, its token service and its registry over one store.
//!
//! Projects, robots, scans, quotas and policies are kept here; images are in the store of
//! [`crate::sim::registry`], whose rules this is. Work takes platform time: it goes on whenever
//! somebody asks, and by a task that sleeps until something is due. Shapes, codes and texts follow
//! `goharbor/harbor` 2.16 (`api/v2.0/swagger.yaml`, `src/server`).

mod access;
mod call;
mod error;
mod faults;
mod keeper;
mod model;
pub mod nodes;
mod policy;
mod query;
mod replication;
mod routes;
mod rules;
mod scan;
mod scans;
mod seed;
pub mod shape;
mod state;
mod token;
mod webhook;
mod wire;

use crate::domain::clock::Clock as _;
use crate::sim::clock::PlatformClock;
use crate::sim::network::Network;
use crate::sim::registry::{Abilities, Registry, api, manifest};
use crate::sim::rng::Seed;
use access::Caller;
use axum::Router;
use axum::extract::{Request, State as AxumState};
use axum::response::{IntoResponse, Response};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use call::Call;
use chrono::{DateTime, Utc};
use error::Refusal;
use http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header};
use shape::RegistryShape;
use state::{Bench, State};
use std::sync::{Arc, OnceLock, PoisonError, RwLock};
use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;
use tower::ServiceExt as _;

pub use seed::SeedImage;

/// The account that may do everything.
pub const ADMIN: &str = "admin";
/// What the names of robots begin with.
pub const ROBOT_PREFIX: &str = "robot$";
/// The version it speaks like.
const VERSION: &str = "v2.16.0-tiphys";
/// The largest body of a request to the API.
const LARGEST_BODY: usize = 4 * 1024 * 1024;

/// What a Harbor starts with.
#[derive(Clone, Debug)]
pub struct HarborOptions {
    pub clock: PlatformClock,
    pub seed: Seed,
    /// The host in image references.
    pub host: String,
    pub shape: RegistryShape,
    /// The images that are there from the start.
    pub images: Vec<SeedImage>,
}

#[derive(Debug)]
struct Shared {
    registry: Registry,
    state: RwLock<State>,
    clock: PlatformClock,
    seed: Seed,
    host: String,
    /// Wakes the keeper when something new is to be done.
    wake: Notify,
    network: OnceLock<Network>,
}

/// The embedded Harbor. Clones share it.
#[derive(Clone, Debug)]
pub struct Harbor(Arc<Shared>);

impl Harbor {
    /// Makes a Harbor with what a scenario declares.
    pub fn new(options: HarborOptions) -> Self {
        let HarborOptions {
            clock,
            seed,
            host,
            shape,
            images,
        } = options;
        let harbor = Self(Arc::new(Shared {
            registry: Registry::new(clock.clone()),
            state: RwLock::default(),
            clock,
            seed,
            host,
            wake: Notify::new(),
            network: OnceLock::new(),
        }));
        harbor.with(|bench| seed::fill(bench, seed, &shape, &images));
        harbor
    }

    /// Lets work go on by itself and webhooks be sent, until the platform stops.
    pub fn start(&self, network: Option<Network>, stop: &CancellationToken) {
        if let Some(network) = network
            && self.0.network.set(network).is_err()
        {
            tracing::warn!("the embedded Harbor was started twice");
        }
        let (harbor, stop) = (self.clone(), stop.clone());
        tokio::spawn(async move {
            stop.run_until_cancelled(keeper::keep(harbor)).await;
        });
    }

    /// The registry below.
    pub fn registry(&self) -> &Registry {
        &self.0.registry
    }

    /// The host in image references.
    pub fn host(&self) -> &str {
        &self.0.host
    }

    fn now(&self) -> DateTime<Utc> {
        self.0.clock.now()
    }

    /// Works on state and content at the present moment, after what was due has been done.
    fn with<T>(&self, work: impl FnOnce(&mut Bench<'_>) -> T) -> T {
        let mut state = self.0.state.write().unwrap_or_else(PoisonError::into_inner);
        let mut store = self.0.registry.write();
        let count = state.last_id;
        let seed = self.0.seed;
        let secret = move || {
            let mut rng = seed.stream(&["harbor", "secret", &count.to_string()]);
            // Harbor's own secrets hold a capital, a small letter and a digit.
            format!("{}Aa1", rng.hex(29))
        };
        let mut bench = Bench {
            state: &mut state,
            store: &mut store,
            now: self.now(),
            host: &self.0.host,
            secret: &secret,
        };
        bench.advance();
        work(&mut bench)
    }

    /// Returns the password of the account that may do everything.
    pub fn admin_password(&self) -> String {
        let state = self.0.state.read().unwrap_or_else(PoisonError::into_inner);
        state.admin_secret.clone()
    }

    /// Returns the secret of a robot, by its full name.
    pub fn robot_secret(&self, name: &str) -> Option<String> {
        let state = self.0.state.read().unwrap_or_else(PoisonError::into_inner);
        let robot = state.robots.values().find(|robot| robot.name == name)?;
        Some(robot.secret.clone())
    }

    /// Serves API, tokens and registry. `secure` says that clients reach it over TLS.
    pub fn router(&self, secure: bool) -> Router {
        let rules = Arc::new(self.clone());
        let oci = api::router(self.0.registry.clone(), rules, Abilities::default());
        let front = Front {
            harbor: self.clone(),
            oci,
            secure,
        };
        Router::new().fallback(answer).with_state(front)
    }

    /// Returns who asks, and why credentials that were given do not count.
    fn caller(&self, headers: &HeaderMap) -> (Caller, Option<String>) {
        let Some(value) = headers.get(header::AUTHORIZATION) else {
            return (Caller::Anonymous, None);
        };
        let value = value.to_str().unwrap_or_default();
        let Some(encoded) = value.strip_prefix("Basic ") else {
            return (Caller::Anonymous, None);
        };
        let decoded = STANDARD.decode(encoded.trim()).unwrap_or_default();
        let text = String::from_utf8_lossy(&decoded).into_owned();
        let Some((user, password)) = text.split_once(':') else {
            return (Caller::Anonymous, None);
        };
        self.account(user, password)
    }

    fn account(&self, user: &str, password: &str) -> (Caller, Option<String>) {
        let state = self.0.state.read().unwrap_or_else(PoisonError::into_inner);
        let refused = |why: String| (Caller::Anonymous, Some(why));
        if user == ADMIN {
            return if password == state.admin_secret {
                (Caller::Admin(user.to_owned()), None)
            } else {
                refused(format!("wrong password for the account {user}"))
            };
        }
        let Some(robot) = state.robots.values().find(|robot| robot.name == user) else {
            return refused(format!("there is no account {user}"));
        };
        if robot.secret != password {
            return refused(format!("failed to authenticate robot account: {user}"));
        }
        if robot.disabled {
            return refused(format!("the robot account is disabled: {user}"));
        }
        if robot.is_expired(self.now()) {
            return refused(format!("the robot account is expired: {user}"));
        }
        let robot = Caller::Robot {
            id: robot.id,
            name: robot.name.clone(),
            grants: robot.grants.clone(),
        };
        (robot, None)
    }
}

#[derive(Clone, Debug)]
struct Front {
    harbor: Harbor,
    oci: Router,
    secure: bool,
}

const FORWARDED: HeaderName = HeaderName::from_static("x-forwarded-proto");
const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");

async fn answer(AxumState(front): AxumState<Front>, mut request: Request) -> Response {
    if front.secure {
        let https = HeaderValue::from_static("https");
        request.headers_mut().insert(FORWARDED, https);
    }
    let harbor = &front.harbor;
    let given = request.headers().get(REQUEST_ID).cloned();
    let path = request.uri().path().to_owned();
    let mut response = if path == "/v2" || path.starts_with("/v2/") {
        match front.oci.oneshot(request).await {
            Ok(response) => response,
            Err(never) => match never {},
        }
    } else if path == "/service/token" {
        token::answer(harbor, &request)
    } else if path == "/api/version" {
        axum::Json(serde_json::json!({"version": "v2.0"})).into_response()
    } else if let Some(below) = path.strip_prefix("/api/v2.0/") {
        answer_api(harbor, below.to_owned(), request).await
    } else {
        (StatusCode::NOT_FOUND, "404 page not found\n").into_response()
    };
    harbor.0.wake.notify_one();
    let id = given.or_else(|| {
        let hash = manifest::digest_of(format!("{path}{}", harbor.now()).as_bytes());
        let id: String = hash.chars().skip(7).take(32).collect();
        HeaderValue::try_from(id).ok()
    });
    response.headers_mut().extend(id.map(|id| (REQUEST_ID, id)));
    response
}

async fn answer_api(harbor: &Harbor, below: String, request: Request) -> Response {
    let (parts, body) = request.into_parts();
    let Ok(body) = axum::body::to_bytes(body, LARGEST_BODY).await else {
        let status = StatusCode::PAYLOAD_TOO_LARGE;
        return (status, "the request is too large\n").into_response();
    };
    let (caller, refused) = harbor.caller(&parts.headers);
    if let Some(why) = refused {
        tracing::debug!(why, "credentials for the embedded Harbor do not count");
    }
    let decode = |segment: &str| {
        use crate::sim::registry::text::unescape;
        unescape(&unescape(segment))
    };
    let call = Call {
        method: parts.method,
        segments: below.trim_end_matches('/').split('/').map(decode).collect(),
        path: parts.uri.path().to_owned(),
        parameters: crate::sim::registry::text::parameters(parts.uri.query()),
        headers: parts.headers,
        body,
        caller,
    };
    let answered = harbor.with(|bench| routes::answer(bench, &call));
    answered.map_or_else(Refusal::into_response, IntoResponse::into_response)
}
