//! From an HTTP request to an answer: who asks, for what, and which verb answers.

use super::accept::{self, Form};
use super::auth::User;
use super::call::Call;
use super::core::Core;
use super::error::ApiError;
use super::kinds::Kind;
use super::rbac::{self, Attempt};
use super::request::{Query, ResourcePath, verb_of};
use super::{body, delete, discovery, patch, read, reviews, subresources, watch, write};
use axum::body::Body;
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use bytes::Bytes;
use http::{HeaderMap, HeaderValue, Request, header};
use std::sync::Arc;

/// How a front door tells who asks.
#[derive(Clone, Debug)]
pub(super) enum Identity {
    /// Everybody who comes through this door is this user.
    Known(User),
    /// Whoever the bearer token belongs to.
    Token,
}

/// A door to the server.
#[derive(Clone, Debug)]
pub(super) struct Front {
    pub(super) core: Arc<Core>,
    pub(super) identity: Identity,
}

/// Makes the router of a door.
pub(super) fn router(front: Front) -> axum::Router {
    axum::Router::new().fallback(serve).with_state(front)
}

async fn serve(State(front): State<Front>, request: Request<Body>) -> Response {
    match answer(&front, request).await {
        Ok(response) => response,
        Err(refusal) => refusal.into_response(),
    }
}

async fn answer(front: &Front, request: Request<Body>) -> Result<Response, ApiError> {
    let user = authenticate(front, request.headers())?;
    let accept = request
        .headers()
        .get(header::ACCEPT)
        .and_then(|accept| accept.to_str().ok())
        .unwrap_or_default()
        .to_owned();
    let Some(path) = ResourcePath::parse(request.uri().path()) else {
        return discovery::answer(&front.core, request.uri(), &accept);
    };
    let kind = front
        .core
        .table()
        .find(&path.group, &path.version, &path.plural)
        .ok_or_else(ApiError::no_such_path)?;
    if path.namespace.is_empty() == kind.namespaced && !path.name.is_empty()
        || !path.namespace.is_empty() && !kind.namespaced
    {
        return Err(ApiError::no_such_path());
    }
    let query = Query::parse(request.uri().query().unwrap_or_default());
    let verb = verb_of(request.method(), &path, &query);
    let form = if subresources::answers_plain(&path.subresource) {
        Form::Plain
    } else {
        accept::negotiate(&accept)?
    };
    authorize(front, &kind, &path, verb, &user)?;
    let (parts, body) = request.into_parts();
    let call = Call {
        core: Arc::clone(&front.core),
        kind,
        path,
        query,
        headers: parts.headers.clone(),
        user,
        verb,
        form,
        sent: Bytes::new(),
    };
    let mut response = dispatch(call, Request::from_parts(parts, body)).await?;
    response
        .headers_mut()
        .entry(header::CACHE_CONTROL)
        .or_insert(HeaderValue::from_static("no-cache, private"));
    Ok(response)
}

fn authenticate(front: &Front, headers: &HeaderMap) -> Result<User, ApiError> {
    let text = |name: &str| headers.get(name).and_then(|value| value.to_str().ok());
    let user = match &front.identity {
        Identity::Known(user) => user.clone(),
        Identity::Token => text("authorization")
            .and_then(|value| value.strip_prefix("Bearer "))
            .and_then(|token| front.core.user_of_token(token.trim()))
            .ok_or_else(ApiError::unauthorized)?,
    };
    let Some(other) = text("impersonate-user") else {
        return Ok(user);
    };
    if !user.is_admin() {
        let message = format!(
            "users \"{other}\" is forbidden: User \"{}\" cannot impersonate resource \"users\" in \
             API group \"\" at the cluster scope",
            user.name
        );
        return Err(ApiError::new(403, "Forbidden", message).about(other, "", "users"));
    }
    let groups: Vec<&str> = headers
        .get_all("impersonate-group")
        .iter()
        .filter_map(|group| group.to_str().ok())
        .collect();
    Ok(User::new(other, &groups))
}

fn authorize(
    front: &Front,
    kind: &Kind,
    path: &ResourcePath,
    verb: &str,
    user: &User,
) -> Result<(), ApiError> {
    if user.is_admin() {
        return Ok(());
    }
    let resource = match path.subresource.as_str() {
        "" => path.plural.clone(),
        sub => format!("{}/{sub}", path.plural),
    };
    // A namespace is judged by the rules inside it, as upstream.
    let namespace = if kind.is("", "Namespace") {
        path.name.clone()
    } else {
        path.namespace.clone()
    };
    let attempt = Attempt {
        verb: verb.to_owned(),
        group: path.group.clone(),
        resource,
        namespace,
        name: path.name.clone(),
    };
    if rbac::allows(&front.core, user, &attempt) {
        return Ok(());
    }
    Err(ApiError::forbidden(
        kind,
        &path.name,
        &attempt.refusal(user),
    ))
}

async fn dispatch(mut call: Call, request: Request<Body>) -> Result<Response, ApiError> {
    if !call.path.subresource.is_empty() && call.path.subresource != "status" {
        return subresources::answer(call, request).await;
    }
    if call.path.subresource == "status" && !call.kind.status {
        return Err(ApiError::no_such_path());
    }
    if call.kind.create_only {
        if call.verb != "create" {
            return Err(ApiError::method_not_allowed(&call.kind, call.verb));
        }
        let object = body::read_object(&call, request.into_body()).await?;
        return reviews::answer(&call, object);
    }
    match call.verb {
        "get" => read::get(&call),
        "list" => read::list(&call),
        "watch" => watch::watch(call),
        "create" if call.path.name.is_empty() => {
            let object = body::read_object(&call, request.into_body()).await?;
            write::create(&call, object)
        }
        "update" if !call.path.name.is_empty() => {
            let object = body::read_object(&call, request.into_body()).await?;
            write::replace(&call, &object)
        }
        "patch" if !call.path.name.is_empty() => {
            call.sent = body::read_bytes(request.into_body()).await?;
            patch::patch(&call)
        }
        "delete" => {
            let options = body::read_delete_options(&call, request.into_body()).await?;
            delete::delete(&call, &options)
        }
        "deletecollection" => {
            let options = body::read_delete_options(&call, request.into_body()).await?;
            delete::delete_collection(&call, &options)
        }
        _ => Err(ApiError::method_not_allowed(&call.kind, call.verb)),
    }
}

/// Adds `Warning` headers; `kubectl` prints them.
pub(super) fn add_warnings(response: &mut Response, warnings: &[String]) {
    for warning in warnings {
        let quoted = warning.replace('\\', "\\\\").replace('"', "\\\"");
        if let Ok(value) = HeaderValue::from_str(&format!("299 - \"{quoted}\"")) {
            response.headers_mut().append(header::WARNING, value);
        }
    }
}
