//! A subset of GitHub's REST API (`docs.github.com/en/rest/actions`): runs, jobs, logs, workflows,
//! cancel, rerun, dispatch, delete, and what a reader of them needs besides: the repositories, the
//! workflow files, the limit.
//!
//! Reading is open, as for a public repository; changes need the token.

pub(super) mod guard;
mod shape;

use super::record::{Occasion, Run, workflow_id};
use super::{Actions, FOLDER};
use axum::extract::{OriginalUri, Path, Request, State};
use axum::middleware::{from_fn_with_state, map_request};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use axum::{Json, Router};
use base64::Engine as _;
use chrono::SecondsFormat;
use http::header::{AUTHORIZATION, LINK};
use http::{HeaderMap, HeaderValue, StatusCode, Uri};
use serde::Deserialize;
use serde_json::{Value, json};
use std::collections::BTreeMap;

/// Serves the runs.
pub fn router(actions: Actions) -> Router {
    let below = "/repos/{owner}/{name}/actions";
    let at = |path: &str| format!("{below}{path}");
    Router::new()
        .route(&at("/workflows"), get(workflows))
        .route(&at("/workflows/{id}/dispatches"), post(dispatch))
        .route(&at("/runs"), get(runs))
        .route(&at("/runs/{id}"), get(run).delete(delete))
        .route(&at("/runs/{id}/jobs"), get(jobs))
        .route(&at("/runs/{id}/cancel"), post(cancel))
        .route(&at("/runs/{id}/rerun"), post(rerun))
        .route(&at("/runs/{id}/rerun-failed-jobs"), post(rerun_failed))
        .route(&at("/jobs/{id}"), get(job))
        .route(&at("/jobs/{id}/logs"), get(logs))
        .route("/repos/{owner}/{name}/contents/{*path}", get(contents))
        .route("/user/repos", get(repositories))
        .route("/rate_limit", get(async || Json(json!({}))))
        .fallback(async || refuse(StatusCode::NOT_FOUND, "Not Found"))
        .layer(from_fn_with_state(actions.clone(), guard::keep))
        .with_state(actions)
}

/// Serves the runs inside the cluster, for people whom the API server let in: changes need no
/// token there.
pub fn cluster_router(actions: Actions) -> Router {
    let login = HeaderValue::from_str(&format!("Bearer {}", actions.token())).ok();
    router(actions).layer(map_request(move |mut request: Request| {
        let login = login.clone();
        if let Some(login) = login {
            request.headers_mut().insert(AUTHORIZATION, login);
        }
        async move { request }
    }))
}

fn refuse(status: StatusCode, message: &str) -> Response {
    let body = json!({
        "message": message,
        "documentation_url": "https://docs.github.com/rest",
        "status": status.as_u16().to_string(),
    });
    (status, Json(body)).into_response()
}

fn missing() -> Response {
    refuse(StatusCode::NOT_FOUND, "Not Found")
}

/// Returns the value of a query's parameter.
fn asked(uri: &Uri, name: &str) -> Option<String> {
    let query = uri.query().unwrap_or_default();
    let mut pairs = query.split('&').filter_map(|pair| pair.split_once('='));
    let (_, value) = pairs.find(|(key, _)| *key == name)?;
    Some(value.replace("%2F", "/").replace('+', " "))
}

/// Returns one page of a list, with how many there are in all.
fn page(uri: &Uri, field: &str, all: Vec<Value>) -> Response {
    let number = |name: &str, usual: usize| {
        let given = asked(uri, name).and_then(|text| text.parse().ok());
        given.unwrap_or(usual).max(1)
    };
    let size = number("per_page", 30).min(100);
    let total = all.len();
    let number = number("page", 1);
    let skipped = (number - 1) * size;
    let page: Vec<Value> = all.into_iter().skip(skipped).take(size).collect();
    let has_more = skipped + page.len() < total;
    let mut answer = Json(json!({"total_count": total, field: page})).into_response();
    if has_more {
        let next = number + 1;
        let link = format!("<{}?per_page={size}&page={next}>; rel=\"next\"", uri.path());
        if let Ok(link) = HeaderValue::from_str(&link) {
            answer.headers_mut().insert(LINK, link);
        }
    }
    answer
}

/// Returns the repositories, those whose newest run is youngest first.
async fn repositories(State(actions): State<Actions>) -> Json<Value> {
    let known = actions.read();
    let mut all = actions.0.git.repositories();
    all.sort_by_key(|name| {
        let runs = known.values().filter(|run| run.repository == *name);
        std::cmp::Reverse(runs.map(|run| run.created).max())
    });
    let shapes = all.iter().map(|full_name| {
        let name = full_name.rsplit('/').next();
        json!({"name": name, "full_name": full_name, "private": false})
    });
    Json(shapes.collect())
}

/// Returns a file of a commit, as far as readers of runs need it.
async fn contents(
    State(actions): State<Actions>,
    Path((owner, name, path)): Path<(String, String, String)>,
    OriginalUri(uri): OriginalUri,
) -> Response {
    let repository = format!("{owner}/{name}");
    let git = &actions.0.git;
    let revision = asked(&uri, "ref").unwrap_or_else(|| "HEAD".to_owned());
    let sha = git.resolve(&repository, &revision);
    let tree = sha.and_then(|sha| git.tree(&repository, &sha));
    let Some(bytes) = tree.ok().and_then(|tree| tree.read(&path)) else {
        return missing();
    };
    let content = base64::engine::general_purpose::STANDARD.encode(&bytes);
    let body = json!({
        "type": "file", "encoding": "base64", "path": path, "size": bytes.len(),
        "name": path.rsplit('/').next(), "content": content,
    });
    Json(body).into_response()
}

async fn delete(State(actions): State<Actions>, headers: HeaderMap, at: At) -> Response {
    if let Err(refusal) = guard(&actions, &headers) {
        return *refusal;
    }
    match look(&actions, &at, |run| (run.id, run.conclusion())) {
        None => missing(),
        Some((_, None)) => refuse(
            StatusCode::FORBIDDEN,
            "Could not delete the workflow run while it is in progress.",
        ),
        Some((id, Some(_))) => {
            actions.write().remove(&id);
            StatusCode::NO_CONTENT.into_response()
        }
    }
}

async fn workflows(
    State(actions): State<Actions>,
    Path((owner, name)): Path<(String, String)>,
    OriginalUri(uri): OriginalUri,
) -> Response {
    let repository = format!("{owner}/{name}");
    let git = &actions.0.git;
    let Ok(head) = git.resolve(&repository, "HEAD") else {
        return missing();
    };
    let found = actions.definitions(&repository, &head).unwrap_or_default();
    let all = found
        .iter()
        .map(|one| shape::workflow(&repository, &one.path, &one.name))
        .collect();
    page(&uri, "workflows", all)
}

async fn runs(
    State(actions): State<Actions>,
    Path((owner, name)): Path<(String, String)>,
    OriginalUri(uri): OriginalUri,
) -> Response {
    let repository = format!("{owner}/{name}");
    if !actions.0.git.exists(&repository) {
        return missing();
    }
    let fits = |run: &&Run| {
        let status = asked(&uri, "status").is_none_or(|wanted| {
            let end = run.conclusion().map(super::record::Conclusion::word);
            wanted == run.status() || Some(wanted.as_str()) == end
        });
        let is = |name: &str, value: &str| asked(&uri, name).is_none_or(|wanted| wanted == value);
        run.repository == repository
            && status
            && is("branch", &run.occasion.branch)
            && is("event", run.occasion.event)
            && is("actor", &run.occasion.actor)
            && is("head_sha", run.occasion.sha.as_str())
    };
    let known = actions.read();
    let all = known.values().rev().filter(fits).map(shape::run).collect();
    page(&uri, "workflow_runs", all)
}

type At = Path<(String, String, u64)>;

/// Looks at a run of the repository that is asked for.
fn look<T>(
    actions: &Actions,
    Path((owner, name, id)): &At,
    look: impl FnOnce(&Run) -> T,
) -> Option<T> {
    let known = actions.read();
    let run = known.get(id)?;
    (run.repository == format!("{owner}/{name}")).then(|| look(run))
}

async fn run(State(actions): State<Actions>, at: At) -> Response {
    look(&actions, &at, shape::run).map_or_else(missing, |run| Json(run).into_response())
}

async fn jobs(State(actions): State<Actions>, at: At, OriginalUri(uri): OriginalUri) -> Response {
    let all = look(&actions, &at, |run| {
        run.jobs.iter().map(|job| shape::job(run, job)).collect()
    });
    all.map_or_else(missing, |all| page(&uri, "jobs", all))
}

/// Looks at a job of the repository that is asked for.
fn look_at_job<T>(
    actions: &Actions,
    Path((owner, name, id)): &At,
    look: impl FnOnce(&Run, &super::record::Job) -> T,
) -> Option<T> {
    let repository = format!("{owner}/{name}");
    let known = actions.read();
    let mut runs = known.values().filter(|run| run.repository == repository);
    runs.find_map(|run| Some((run, run.jobs.iter().find(|job| job.id == *id)?)))
        .map(|(run, job)| look(run, job))
}

async fn job(State(actions): State<Actions>, at: At) -> Response {
    look_at_job(&actions, &at, shape::job).map_or_else(missing, |job| Json(job).into_response())
}

async fn logs(State(actions): State<Actions>, at: At) -> Response {
    let text = look_at_job(&actions, &at, |_, job| {
        let lines = job.log.iter().map(|(at, line)| {
            let time = at.to_rfc3339_opts(SecondsFormat::Micros, true);
            format!("{time} {line}\n")
        });
        lines.collect::<String>()
    });
    text.map_or_else(missing, IntoResponse::into_response)
}

/// Refuses who may not change anything.
fn guard(actions: &Actions, headers: &HeaderMap) -> Result<(), Box<Response>> {
    let given = headers.get(AUTHORIZATION);
    let given = given.and_then(|value| value.to_str().ok());
    let token = actions.token();
    let is_known = |given: &str| {
        let bare = given
            .strip_prefix("Bearer ")
            .or_else(|| given.strip_prefix("token "));
        bare == Some(token.as_str())
    };
    match given {
        Some(given) if is_known(given) => Ok(()),
        Some(_) => Err(Box::new(refuse(
            StatusCode::UNAUTHORIZED,
            "Bad credentials",
        ))),
        None => Err(Box::new(refuse(
            StatusCode::UNAUTHORIZED,
            "Requires authentication",
        ))),
    }
}

async fn cancel(State(actions): State<Actions>, headers: HeaderMap, at: At) -> Response {
    if let Err(refusal) = guard(&actions, &headers) {
        return *refusal;
    }
    match look(&actions, &at, |run| (run.id, run.conclusion())) {
        None => missing(),
        Some((_, Some(_))) => refuse(
            StatusCode::CONFLICT,
            "Cannot cancel a workflow run that is completed.",
        ),
        Some((id, None)) => {
            actions.change(id, |run| run.is_cancelled = true);
            (StatusCode::ACCEPTED, Json(json!({}))).into_response()
        }
    }
}

async fn rerun(State(actions): State<Actions>, headers: HeaderMap, at: At) -> Response {
    again(&actions, &headers, &at, false)
}

async fn rerun_failed(State(actions): State<Actions>, headers: HeaderMap, at: At) -> Response {
    again(&actions, &headers, &at, true)
}

fn again(actions: &Actions, headers: &HeaderMap, at: &At, only_failed: bool) -> Response {
    if let Err(refusal) = guard(actions, headers) {
        return *refusal;
    }
    match look(actions, at, |run| run.id) {
        None => missing(),
        Some(id) if actions.again(id, only_failed) => {
            (StatusCode::CREATED, Json(json!({}))).into_response()
        }
        Some(_) => refuse(StatusCode::FORBIDDEN, "This workflow is already running"),
    }
}

/// What a dispatch is asked with.
#[derive(Deserialize)]
struct Dispatch {
    #[serde(rename = "ref")]
    reference: String,
    #[serde(default)]
    inputs: BTreeMap<String, String>,
}

async fn dispatch(
    State(actions): State<Actions>,
    Path((owner, name, workflow)): Path<(String, String, String)>,
    headers: HeaderMap,
    Json(asked): Json<Dispatch>,
) -> Response {
    if let Err(refusal) = guard(&actions, &headers) {
        return *refusal;
    }
    let repository = format!("{owner}/{name}");
    let branch = asked.reference.strip_prefix("refs/heads/");
    let branch = branch.unwrap_or(&asked.reference).to_owned();
    let Ok(sha) = actions.0.git.resolve(&repository, &branch) else {
        let message = format!("No ref found for: {branch}");
        return refuse(StatusCode::UNPROCESSABLE_ENTITY, &message);
    };
    let found = actions.definitions(&repository, &sha).unwrap_or_default();
    let is_meant = |path: &str| {
        workflow_id(&repository, path).to_string() == workflow
            || path == format!("{FOLDER}/{workflow}")
    };
    let Some(definition) = found.into_iter().find(|one| is_meant(&one.path)) else {
        return missing();
    };
    if !definition.runs_by_hand() {
        return refuse(
            StatusCode::UNPROCESSABLE_ENTITY,
            "Workflow does not have 'workflow_dispatch' trigger",
        );
    }
    let occasion = Occasion {
        event: "workflow_dispatch",
        branch,
        sha,
        actor: "tiphys".to_owned(),
        inputs: asked.inputs,
    };
    actions.begin(&repository, definition, occasion);
    StatusCode::NO_CONTENT.into_response()
}
