//! Subresources beyond `status`: which part of the server answers them.

use super::call::Call;
use super::error::ApiError;
use super::{body, pods, proxy, reviews, scale, write};
use axum::body::Body;
use axum::response::Response;
use http::Request;

/// Says whether a subresource answers with something else than an object.
pub(super) fn answers_plain(subresource: &str) -> bool {
    matches!(
        subresource,
        "log" | "proxy" | "exec" | "attach" | "portforward"
    )
}

/// Answers a request for a subresource.
pub(super) async fn answer(mut call: Call, request: Request<Body>) -> Result<Response, ApiError> {
    let name = call.path.subresource.clone();
    if !call.kind.subresources.iter().any(|one| one.name == name) {
        return Err(ApiError::no_such_path());
    }
    if call.kind.is("", "Service") && name == "proxy" {
        return proxy::pass(&call, request).await;
    }
    match (name.as_str(), call.verb) {
        ("exec" | "attach" | "portforward" | "proxy", _) => Err(ApiError::new(
            501,
            "NotImplemented",
            format!("{name} is not supported by the embedded platform"),
        )),
        ("log", "get") => pods::log(&call).await,
        ("scale", "patch") => {
            call.sent = body::read_bytes(request.into_body()).await?;
            scale::answer(&call, None)
        }
        ("scale", "update") => {
            let object = body::read_object(&call, request.into_body()).await?;
            scale::answer(&call, Some(&object))
        }
        ("scale", _) => scale::answer(&call, None),
        ("binding", "create") => {
            let object = body::read_object(&call, request.into_body()).await?;
            pods::bind(&call, &object)
        }
        ("eviction", "create") => {
            let object = body::read_object(&call, request.into_body()).await?;
            pods::evict(&call, &object)
        }
        ("token", "create") => {
            let object = body::read_object(&call, request.into_body()).await?;
            reviews::request_token(&call, object)
        }
        ("finalize" | "approval" | "ephemeralcontainers" | "resize", "update") => {
            let object = body::read_object(&call, request.into_body()).await?;
            write::replace(&call, &object)
        }
        (_, _) => Err(ApiError::method_not_allowed(&call.kind, call.verb)),
    }
}
