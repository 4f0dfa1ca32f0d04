//! The OCI distribution API 1.1 (`opencontainers/distribution-spec` `spec.md`).

mod blobs;
mod lists;
mod manifests;

use super::error::OciError;
use super::{Abilities, Registry, Rules, Wish, text};
use axum::Router;
use axum::body::Body;
use axum::extract::{Request, State};
use axum::response::{IntoResponse, Response};
use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode, header};
use std::sync::Arc;

/// The largest manifest, and the largest piece of a blob, that is taken.
const LARGEST_MANIFEST: usize = 8 * 1024 * 1024;
const LARGEST_BLOB: usize = 256 * 1024 * 1024;

const API_VERSION: (HeaderName, HeaderValue) = (
    HeaderName::from_static("docker-distribution-api-version"),
    HeaderValue::from_static("registry/2.0"),
);

#[derive(Clone, Debug)]
struct Oci {
    registry: Registry,
    rules: Arc<dyn Rules>,
    abilities: Abilities,
}

/// Serves a registry below `/v2`.
pub fn router(registry: Registry, rules: Arc<dyn Rules>, abilities: Abilities) -> Router {
    let oci = Oci {
        registry,
        rules,
        abilities,
    };
    Router::new().fallback(answer).with_state(oci)
}

async fn answer(State(oci): State<Oci>, request: Request) -> Response {
    let answered = oci.answer(request).await;
    let mut response = answered.unwrap_or_else(IntoResponse::into_response);
    let (name, value) = API_VERSION;
    response.headers_mut().insert(name, value);
    response
}

/// What a path is about.
#[derive(Debug, PartialEq, Eq)]
enum Place<'p> {
    Ping,
    Catalog,
    Tags(&'p str),
    Manifest(&'p str, &'p str),
    Blob(&'p str, &'p str),
    Uploads(&'p str),
    Upload(&'p str, &'p str),
    Referrers(&'p str, &'p str),
}

impl<'p> Place<'p> {
    fn read(path: &'p str) -> Option<Self> {
        let rest = path.strip_prefix("/v2")?;
        let rest = rest.strip_prefix('/').unwrap_or(rest);
        if rest.is_empty() {
            return Some(Self::Ping);
        }
        if rest == "_catalog" {
            return Some(Self::Catalog);
        }
        if let Some(name) = rest.strip_suffix("/tags/list") {
            return Some(Self::Tags(name));
        }
        if let Some((name, id)) = rest.rsplit_once("/blobs/uploads") {
            let id = id.trim_matches('/');
            return Some(if id.is_empty() {
                Self::Uploads(name)
            } else {
                Self::Upload(name, id)
            });
        }
        let (name, kind, last) = {
            let (before, last) = rest.rsplit_once('/')?;
            let (name, kind) = before.rsplit_once('/')?;
            (name, kind, last)
        };
        match kind {
            "manifests" => Some(Self::Manifest(name, last)),
            "blobs" => Some(Self::Blob(name, last)),
            "referrers" => Some(Self::Referrers(name, last)),
            _ => None,
        }
    }

    fn wish(&self, method: &Method) -> Wish<'p> {
        let by_method = |name: &'p str| match method.as_str() {
            "GET" | "HEAD" => Wish::Pull(name),
            "DELETE" => Wish::Delete(name),
            _ => Wish::Push(name),
        };
        match self {
            Self::Ping => Wish::Ping,
            Self::Catalog => Wish::Catalog,
            Self::Tags(name) | Self::Referrers(name, _) => Wish::Pull(name),
            Self::Uploads(name) | Self::Upload(name, _) => Wish::Push(name),
            Self::Manifest(name, _) | Self::Blob(name, _) => by_method(name),
        }
    }
}

/// Lower case words, separated by one of `._-`, below each other by slashes.
fn is_name(name: &str) -> bool {
    let is_word = |word: &str| {
        word.bytes()
            .all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b"._-".contains(&b))
            && word.starts_with(|c: char| c.is_ascii_alphanumeric())
            && word.ends_with(|c: char| c.is_ascii_alphanumeric())
    };
    name.len() < 256 && name.split('/').all(is_word)
}

fn is_tag(tag: &str) -> bool {
    !tag.is_empty()
        && tag.len() <= 128
        && !tag.starts_with(['.', '-'])
        && tag
            .bytes()
            .all(|b| b.is_ascii_alphanumeric() || b"._-".contains(&b))
}

/// A request, as far as it has been understood.
struct Call {
    method: Method,
    headers: HeaderMap,
    parameters: Vec<(String, String)>,
    by: String,
}

impl Call {
    fn parameter(&self, name: &str) -> Option<&str> {
        text::parameter(&self.parameters, name)
    }

    fn header(&self, name: HeaderName) -> Option<&str> {
        self.headers.get(name).and_then(|value| value.to_str().ok())
    }
}

impl Oci {
    async fn answer(&self, request: Request) -> Result<Response, OciError> {
        let (parts, body) = request.into_parts();
        let path = text::unescape(parts.uri.path());
        let Some(place) = Place::read(&path) else {
            let message = "page not found";
            return Err(OciError::new(StatusCode::NOT_FOUND, "NOT_FOUND", message));
        };
        let by = self
            .rules
            .admit(&parts.headers, place.wish(&parts.method))?;
        let call = Call {
            parameters: text::parameters(parts.uri.query()),
            method: parts.method,
            headers: parts.headers,
            by,
        };
        match place {
            Place::Ping => Ok(axum::Json(serde_json::json!({})).into_response()),
            Place::Catalog => self.catalog(&call),
            Place::Tags(name) => self.tags(&call, known_name(name)?),
            Place::Referrers(name, digest) => self.referrers(&call, known_name(name)?, digest),
            Place::Manifest(name, reference) => {
                let sent = read(body, LARGEST_MANIFEST).await?;
                self.manifest(&call, (known_name(name)?, reference), sent)
            }
            Place::Blob(name, digest) => self.blob(&call, known_name(name)?, digest),
            Place::Uploads(name) => {
                let sent = read(body, LARGEST_BLOB).await?;
                self.begin_upload(&call, known_name(name)?, sent)
            }
            Place::Upload(name, id) => {
                let sent = read(body, LARGEST_BLOB).await?;
                self.upload(&call, (known_name(name)?, id), &sent)
            }
        }
    }
}

fn known_name(name: &str) -> Result<&str, OciError> {
    if is_name(name) {
        return Ok(name);
    }
    Err(OciError::invalid(
        "NAME_INVALID",
        format!("invalid repository name `{name}`"),
    ))
}

async fn read(body: Body, limit: usize) -> Result<Bytes, OciError> {
    let too_large = |_| {
        OciError::new(
            StatusCode::PAYLOAD_TOO_LARGE,
            "SIZE_INVALID",
            format!("the content is larger than {limit} bytes, or broke off"),
        )
    };
    axum::body::to_bytes(body, limit).await.map_err(too_large)
}

/// Makes an answer of a status and headers; values that are no header are left out.
fn plain(status: StatusCode, headers: &[(HeaderName, String)], body: Bytes) -> Response {
    let mut response = Response::new(Body::from(body));
    *response.status_mut() = status;
    for (name, value) in headers {
        if let Ok(value) = HeaderValue::from_str(value) {
            response.headers_mut().insert(name.clone(), value);
        }
    }
    response
}

const CONTENT_DIGEST: HeaderName = HeaderName::from_static("docker-content-digest");
const UPLOAD_ID: HeaderName = HeaderName::from_static("docker-upload-uuid");

fn entity(digest: &str, media_type: &str, length: usize) -> Vec<(HeaderName, String)> {
    vec![
        (CONTENT_DIGEST, digest.to_owned()),
        (header::ETAG, format!("\"{digest}\"")),
        (header::CONTENT_TYPE, media_type.to_owned()),
        (header::CONTENT_LENGTH, length.to_string()),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_may_hold_the_words_of_the_paths() {
        assert_eq!(Place::read("/v2/"), Some(Place::Ping));
        assert_eq!(Place::read("/v2"), Some(Place::Ping));
        assert_eq!(
            Place::read("/v2/a/tags/manifests/v1"),
            Some(Place::Manifest("a/tags", "v1"))
        );
        assert_eq!(
            Place::read("/v2/a/b/blobs/uploads/"),
            Some(Place::Uploads("a/b"))
        );
        assert_eq!(
            Place::read("/v2/a/blobs/uploads/17"),
            Some(Place::Upload("a", "17"))
        );
        assert_eq!(Place::read("/v2/a/b"), None);
        assert_eq!(Place::read("/other"), None);
    }

    #[test]
    fn names_and_tags_keep_to_their_letters() {
        assert!(is_name("shop/demo-app") && is_name("a/b/c.d"));
        assert!(!is_name("Shop/x") && !is_name("a//b") && !is_name("-a"));
        assert!(is_tag("1.0.0_rc-1") && !is_tag(".x") && !is_tag("a b") && !is_tag(""));
    }
}
