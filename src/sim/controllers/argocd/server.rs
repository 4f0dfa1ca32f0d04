//! The part of argocd-server's REST API that can be reached through the API server's proxy.
//!
//! Only reading: what core mode cannot know, such as target manifests and the true diff. Secret
//! values are masked with runs of `+` as upstream does: equal length means equal value. Shapes
//! and error codes: Argo CD `server/application`.

mod mask;
mod query;

use self::query::Query;
use super::application::{App, AppName, CONTROL_NAMESPACE};
use super::compare;
use super::controller::Argo;
use super::ignore::Ignores;
use super::json;
use super::key::Key;
use super::verdict::{Managed, applied_by};
use axum::extract::{OriginalUri, Path, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use axum::{Json, Router};
use serde_json::{Value, json as make};

/// The version of Argo CD whose behaviour this is.
pub const VERSION: &str = "v3.4.2";

/// Serves the API of a controller's Applications.
pub fn router(argo: Argo) -> Router {
    Router::new()
        .route("/api/version", get(version))
        .route("/api/v1/version", get(version))
        .route("/api/v1/applications", get(list))
        .route("/api/v1/applications/{name}", get(one))
        .route(
            "/api/v1/applications/{name}/managed-resources",
            get(managed_resources),
        )
        .route("/api/v1/applications/{name}/manifests", get(manifests))
        .route(
            "/api/v1/applications/{name}/revisions/{revision}/metadata",
            get(metadata),
        )
        .with_state(argo)
}

/// A gRPC code with its message.
struct Failure(u8, String);

impl IntoResponse for Failure {
    fn into_response(self) -> Response {
        let Self(code, message) = self;
        let status = match code {
            3 | 9 => StatusCode::BAD_REQUEST,
            5 => StatusCode::NOT_FOUND,
            7 => StatusCode::FORBIDDEN,
            _ => StatusCode::INTERNAL_SERVER_ERROR,
        };
        let body = make!({"error": message, "code": code, "message": message});
        (status, Json(body)).into_response()
    }
}

async fn version() -> Json<Value> {
    Json(make!({
        "Version": VERSION,
        "Platform": "embedded",
        "KustomizeVersion": "embedded",
        "HelmVersion": "",
    }))
}

/// Finds the Application a request names; a missing one is forbidden unless a project is named.
fn find(argo: &Argo, name: &str, query: &Query) -> Result<App, Failure> {
    let namespace = query.value("appNamespace").unwrap_or(CONTROL_NAMESPACE);
    let app = argo.app(&AppName::new(namespace, name));
    match (app, query.value("project")) {
        (Some(app), None) => Ok(app),
        (Some(app), Some(project)) if app.project() == project => Ok(app),
        (Some(_), Some(project)) => Err(Failure(
            7,
            format!("permission denied: application `{name}` is not in project `{project}`"),
        )),
        (None, Some(_)) => Err(Failure(
            5,
            format!("applications.argoproj.io \"{name}\" not found"),
        )),
        (None, None) => Err(Failure(7, "permission denied".to_owned())),
    }
}

async fn list(State(argo): State<Argo>, OriginalUri(uri): OriginalUri) -> Json<Value> {
    let query = Query::of(&uri);
    let projects = query.all("projects");
    let items: Vec<Value> = argo
        .all_apps()
        .iter()
        .filter(|app| {
            let name = app.name();
            query
                .value("name")
                .is_none_or(|wanted| wanted == &*name.name)
                && query
                    .value("appNamespace")
                    .is_none_or(|wanted| wanted == &*name.namespace)
                && (projects.is_empty() || projects.contains(&app.project()))
        })
        .map(|app| (*app.0).clone())
        .collect();
    Json(make!({"metadata": {}, "items": items}))
}

async fn one(
    State(argo): State<Argo>,
    Path(name): Path<String>,
    OriginalUri(uri): OriginalUri,
) -> Result<Json<Value>, Failure> {
    find(&argo, &name, &Query::of(&uri)).map(|app| Json((*app.0).clone()))
}

async fn managed_resources(
    State(argo): State<Argo>,
    Path(name): Path<String>,
    OriginalUri(uri): OriginalUri,
) -> Result<Json<Value>, Failure> {
    let query = Query::of(&uri);
    let app = find(&argo, &name, &query)?;
    let Some(compared) = argo.memo(&app.name()).compared else {
        return Err(Failure(
            2,
            "error getting cached app managed resources: cache: key is missing".to_owned(),
        ));
    };
    let ignores = Ignores::read(app.spec()).unwrap_or_default();
    let items: Vec<Value> = compared
        .managed
        .iter()
        .filter(|one| is_asked(one, &query))
        .map(|one| managed_resource(&app, one, &ignores))
        .collect();
    Ok(Json(make!({"items": items})))
}

fn is_asked(one: &Managed, query: &Query) -> bool {
    let matches = |name: &str, text: &str| query.value(name).is_none_or(|wanted| wanted == text);
    matches("group", &one.key.group)
        && matches("kind", &one.key.kind)
        && matches("namespace", &one.key.namespace)
        && matches("name", &one.key.name)
}

fn managed_resource(app: &App, one: &Managed, ignores: &Ignores) -> Value {
    let mut target = one.target.as_deref().cloned();
    let mut live = one.live.as_deref().cloned();
    let (mut normal, mut predicted) = match (&target, &live) {
        (Some(target), Some(live)) => {
            let applied = applied_by(target, &app.sync_options());
            let outcome = compare::compare(target, live, ignores, applied);
            (Some(outcome.live), Some(outcome.predicted))
        }
        (target, live) => (live.clone(), target.clone()),
    };
    let mut version = String::new();
    if let Some(live) = &mut live {
        json::text(live, &["metadata", "resourceVersion"]).clone_into(&mut version);
        json::remove(live, &["metadata", "managedFields"]);
    }
    if one.key.is("", "Secret") {
        mask::hide([&mut target, &mut live, &mut normal, &mut predicted]);
    }
    let written = |value: &Option<Value>| {
        value
            .as_ref()
            .map_or_else(|| "null".to_owned(), Value::to_string)
    };
    let mut item = make!({
        "kind": &*one.key.kind,
        "namespace": &*one.key.namespace,
        "name": &*one.key.name,
        "targetState": written(&target),
        "liveState": written(&live),
        "normalizedLiveState": written(&normal),
        "predictedLiveState": written(&predicted),
        "resourceVersion": version,
        "modified": one.differs,
    });
    if !one.key.group.is_empty() {
        item["group"] = (&*one.key.group).into();
    }
    if one.hook {
        item["hook"] = true.into();
    }
    item
}

async fn manifests(
    State(argo): State<Argo>,
    Path(name): Path<String>,
    OriginalUri(uri): OriginalUri,
) -> Result<Json<Value>, Failure> {
    let query = Query::of(&uri);
    let app = find(&argo, &name, &query)?;
    let plural = query.all("revisions");
    let revisions: Vec<String> = if plural.is_empty() {
        query
            .value("revision")
            .into_iter()
            .map(str::to_owned)
            .collect()
    } else {
        plural.into_iter().map(str::to_owned).collect()
    };
    let loaded = argo
        .load(&app, &app.sources(), &revisions)
        .await
        .map_err(|message| Failure(2, message))?;
    let mut written = Vec::new();
    for object in loaded.objects.iter().flat_map(|list| list.iter()) {
        let mut object = Some(object.clone());
        if object
            .as_ref()
            .is_some_and(|object| Key::of(object).is("", "Secret"))
        {
            mask::hide([&mut object]);
        }
        written.extend(object.map(|object| object.to_string()));
    }
    Ok(Json(make!({
        "manifests": written,
        "revision": loaded.revisions.first(),
        "sourceType": loaded.source_types.first(),
        "namespace": app.destination_namespace(),
        "server": super::project::IN_CLUSTER.0,
    })))
}

async fn metadata(
    State(argo): State<Argo>,
    Path((name, revision)): Path<(String, String)>,
    OriginalUri(uri): OriginalUri,
) -> Result<Json<Value>, Failure> {
    let query = Query::of(&uri);
    let app = find(&argo, &name, &query)?;
    let index = query
        .value("sourceIndex")
        .and_then(|text| text.parse().ok())
        .unwrap_or(0);
    let sources = app.sources();
    let Some(source) = sources.get(index) else {
        return Err(Failure(3, format!("source index {index} not found")));
    };
    let url = json::text(source, &["repoURL"]).to_owned();
    let git = argo.git().clone();
    let commit = tokio::task::spawn_blocking(move || {
        let sha = git.resolve(&url, &revision)?;
        git.commit(&url, &sha)
    })
    .await
    .map_err(|error| Failure(2, error.to_string()))?
    .map_err(|error| Failure(2, error.to_string()))?;
    Ok(Json(make!({
        "author": format!("{} <{}>", commit.author.name, commit.author.email),
        "date": super::application::stamp(commit.date),
        "message": commit.message.trim_end(),
        "tags": commit.tags,
        "signatureInfo": "",
    })))
}
