//! From an HTTP request to an answer: who asks, for what, and which verb answers.

use super::accept::{self, Form};
use super::auth::User;
use super::call::Call;
use super::core::Core;
use super::error::ApiError;
use super::request::{Query, ResourcePath, verb_of};
use super::{body, delete, discovery, patch, read, subresources, watch, write};
use axum::body::Body;
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use http::{HeaderValue, Request, header};
use std::sync::Arc;

/// How a front door tells who asks.
#[derive(Clone, Debug)]
pub(super) enum Identity {
    /// Everybody who comes through this door is this user.
    Known(User),
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
    let user = match &front.identity {
        Identity::Known(user) => user.clone(),
    };
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
    };
    let mut response = dispatch(call, Request::from_parts(parts, body)).await?;
    response
        .headers_mut()
        .entry(header::CACHE_CONTROL)
        .or_insert(HeaderValue::from_static("no-cache, private"));
    Ok(response)
}

async fn dispatch(call: Call, request: Request<Body>) -> Result<Response, ApiError> {
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
        return subresources::review(&call, object);
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
            let body = body::read_bytes(request.into_body()).await?;
            patch::patch(&call, &body)
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
