//! Clones and pushes over smart HTTP, by running `git http-backend` as a CGI program.
//!
//! Everyone may read; pushing needs the user and password of [`Access`]. A push to a path that
//! has no repository makes one. Where no git program is installed, every request is answered
//! with a sentence that says so; the rest of the platform does not need it.

use super::{GitError, GitServer, Sha, is_valid_name, repository_path};
use axum::Router;
use axum::body::Body;
use axum::extract::{Request, State};
use axum::response::Response;
use base64::Engine as _;
use futures::StreamExt as _;
use http::{HeaderMap, StatusCode, header};
use std::collections::BTreeMap;
use std::process::Stdio;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::process::{Child, Command};

/// Who may push.
#[derive(Clone)]
pub struct Access {
    pub username: String,
    pub password: String,
}

impl std::fmt::Debug for Access {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Access")
            .field("username", &self.username)
            .finish_non_exhaustive()
    }
}

/// Answers git clients.
pub fn router(server: GitServer, access: Access) -> Router {
    Router::new().fallback(answer).with_state((server, access))
}

/// The three requests of the smart protocol.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Service {
    Fetch,
    Push,
}

async fn answer(State((server, access)): State<(GitServer, Access)>, request: Request) -> Response {
    match serve(&server, &access, request).await {
        Ok(response) => response,
        Err(refusal) => refusal.into_response(),
    }
}

/// What git shows to its user after `remote:`.
struct Refusal {
    status: StatusCode,
    sentence: String,
}

impl Refusal {
    fn new(status: StatusCode, sentence: impl Into<String>) -> Self {
        Self {
            status,
            sentence: sentence.into(),
        }
    }

    fn into_response(self) -> Response {
        // git prints the body of a refusal only when it is plain text.
        let mut response = Response::new(Body::from(format!("{}\n", self.sentence)));
        *response.status_mut() = self.status;
        let headers = response.headers_mut();
        headers.insert(
            header::CONTENT_TYPE,
            header::HeaderValue::from_static("text/plain"),
        );
        if self.status == StatusCode::UNAUTHORIZED {
            headers.insert(
                header::WWW_AUTHENTICATE,
                header::HeaderValue::from_static("Basic realm=\"tiphys\", charset=\"UTF-8\""),
            );
        }
        response
    }
}

impl From<GitError> for Refusal {
    fn from(error: GitError) -> Self {
        let status = match error {
            GitError::UnknownRepository { .. } | GitError::UnknownRevision { .. } => {
                StatusCode::NOT_FOUND
            }
            GitError::BadName(_) => StatusCode::FORBIDDEN,
            GitError::Exists(_) | GitError::Refused { .. } => StatusCode::CONFLICT,
            GitError::Git { .. } | GitError::Folder { .. } => StatusCode::INTERNAL_SERVER_ERROR,
        };
        Self::new(status, error.to_string())
    }
}

async fn serve(server: &GitServer, access: &Access, request: Request) -> Result<Response, Refusal> {
    let path = request.uri().path().to_owned();
    let query = request.uri().query().unwrap_or_default().to_owned();
    let Some((name, service)) = recognise(&path, &query) else {
        return Err(Refusal::new(
            StatusCode::NOT_FOUND,
            format!(
                "`{path}` is not a git request; clone or push to a path such as /platform/app.git"
            ),
        ));
    };
    let user = signed_in(request.headers(), access)?;
    if service == Service::Push && user.is_none() {
        return Err(Refusal::new(
            StatusCode::UNAUTHORIZED,
            format!("pushing to `{name}` needs the user and password from the endpoints file"),
        ));
    }
    let before = prepare(server, &name, service).await?;
    let child = start(server, &request, &path, &query, user.as_deref())?;
    let is_exchange = request.method() == http::Method::POST;
    let response = exchange(child, request.into_body(), service == Service::Push).await?;
    if service == Service::Push && is_exchange {
        let (server, pusher) = (server.clone(), user.unwrap_or_default());
        let announced = tokio::task::spawn_blocking(move || {
            server
                .settle_head(&name)
                .map(|()| server.announce(&name, &pusher, &before))
        });
        if let Ok(Err(error)) = announced.await {
            tracing::warn!(%error, "a push was stored and could not be announced");
        }
    }
    Ok(response)
}

/// Returns the repository's path and what the client wants of it.
fn recognise(path: &str, query: &str) -> Option<(String, Service)> {
    let path = path.strip_prefix('/')?;
    let service = |text: &str| match text {
        "git-upload-pack" => Some(Service::Fetch),
        "git-receive-pack" => Some(Service::Push),
        _ => None,
    };
    if let Some(repository) = path.strip_suffix("/info/refs") {
        let wanted = query
            .split('&')
            .find_map(|pair| pair.strip_prefix("service="))?;
        return Some((repository_path(repository), service(wanted)?));
    }
    let (repository, wanted) = path.rsplit_once('/')?;
    Some((repository_path(repository), service(wanted)?))
}

/// Returns the user's name; wrong credentials are refused, absent ones are nobody.
fn signed_in(headers: &HeaderMap, access: &Access) -> Result<Option<String>, Refusal> {
    let Some(given) = headers.get(header::AUTHORIZATION) else {
        return Ok(None);
    };
    let plain = given
        .to_str()
        .ok()
        .and_then(|text| text.strip_prefix("Basic "))
        .and_then(|encoded| base64::prelude::BASE64_STANDARD.decode(encoded).ok())
        .and_then(|bytes| String::from_utf8(bytes).ok());
    let expected = format!("{}:{}", access.username, access.password);
    match plain {
        Some(plain) if plain == expected => Ok(Some(access.username.clone())),
        _ => Err(Refusal::new(
            StatusCode::UNAUTHORIZED,
            "wrong user or password; the endpoints file has the right ones",
        )),
    }
}

/// Makes the repository of a first push, and remembers where every ref was.
async fn prepare(
    server: &GitServer,
    name: &str,
    service: Service,
) -> Result<BTreeMap<String, Sha>, Refusal> {
    let (server, name) = (server.clone(), name.to_owned());
    let work = tokio::task::spawn_blocking(move || {
        if !is_valid_name(&name) {
            return Err(Refusal::from(GitError::BadName(name)));
        }
        if !server.exists(&name) {
            match service {
                Service::Push => server.create(&name)?,
                Service::Fetch => {
                    let sentence =
                        format!("repository `{name}` not found; a push to it would create it");
                    return Err(Refusal::new(StatusCode::NOT_FOUND, sentence));
                }
            }
        }
        Ok(server.refs(&name)?)
    });
    work.await.unwrap_or_else(|error| {
        Err(Refusal::new(
            StatusCode::INTERNAL_SERVER_ERROR,
            error.to_string(),
        ))
    })
}

fn start(
    server: &GitServer,
    request: &Request,
    path: &str,
    query: &str,
    user: Option<&str>,
) -> Result<Child, Refusal> {
    let headers = request.headers();
    let text = |name: header::HeaderName| {
        headers
            .get(name)
            .and_then(|value| value.to_str().ok())
            .unwrap_or_default()
    };
    let mut command = Command::new("git");
    command
        .arg("http-backend")
        .env("GIT_PROJECT_ROOT", &server.0.folder)
        .env("GIT_HTTP_EXPORT_ALL", "1")
        // The user's own configuration (hooks, refusals) has no say in the embedded platform.
        .env("GIT_CONFIG_NOSYSTEM", "1")
        .env("GIT_CONFIG_GLOBAL", "/dev/null")
        .env("PATH_INFO", path_with_suffix(path))
        .env("QUERY_STRING", query)
        .env("REQUEST_METHOD", request.method().as_str())
        .env("CONTENT_TYPE", text(header::CONTENT_TYPE))
        .env("HTTP_CONTENT_ENCODING", text(header::CONTENT_ENCODING))
        .env("REMOTE_ADDR", "127.0.0.1")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .kill_on_drop(true);
    if let Some(length) = headers
        .get(header::CONTENT_LENGTH)
        .and_then(|v| v.to_str().ok())
    {
        command.env("CONTENT_LENGTH", length);
    }
    if let Some(protocol) = headers.get("git-protocol").and_then(|v| v.to_str().ok()) {
        command.env("GIT_PROTOCOL", protocol);
    }
    if let Some(user) = user {
        command.env("REMOTE_USER", user);
    }
    command.spawn().map_err(|error| {
        if error.kind() == std::io::ErrorKind::NotFound {
            return Refusal::new(
                StatusCode::NOT_IMPLEMENTED,
                "git is not installed on the machine that runs tiphys; clones and pushes need it",
            );
        }
        Refusal::new(
            StatusCode::INTERNAL_SERVER_ERROR,
            format!("cannot run `git http-backend`: {error}"),
        )
    })
}

/// The folders on disk end in `.git`, whether the client wrote it or not.
fn path_with_suffix(path: &str) -> String {
    for end in ["/info/refs", "/git-upload-pack", "/git-receive-pack"] {
        if let Some(repository) = path.strip_suffix(end) {
            return format!("/{}.git{end}", repository_path(repository));
        }
    }
    path.to_owned()
}

/// Passes the request's body to the program and its answer back.
///
/// A push is answered after the program has ended, so that whoever pushed finds it announced.
async fn exchange(mut child: Child, body: Body, whole: bool) -> Result<Response, Refusal> {
    let broken = |what: &str| {
        let sentence = format!("`git http-backend` {what}");
        Refusal::new(StatusCode::BAD_GATEWAY, sentence)
    };
    let mut stdin = child.stdin.take().ok_or_else(|| broken("takes no input"))?;
    let feeding = tokio::spawn(async move {
        let mut chunks = body.into_data_stream();
        while let Some(Ok(chunk)) = chunks.next().await {
            if stdin.write_all(&chunk).await.is_err() {
                break;
            }
        }
    });
    let mut output = child
        .stdout
        .take()
        .ok_or_else(|| broken("gives no output"))?;
    let mut seen = Vec::new();
    let (head, rest) = loop {
        if let Some(split) = split_head(&seen) {
            break split;
        }
        let mut chunk = [0; 8192];
        match output.read(&mut chunk).await {
            Ok(0) | Err(_) => return Err(broken("ended without an answer")),
            Ok(count) => seen.extend_from_slice(chunk.get(..count).unwrap_or_default()),
        }
    };
    let mut response = Response::new(Body::empty());
    apply_head(&head, &mut response);
    if whole {
        let mut answer = rest;
        output
            .read_to_end(&mut answer)
            .await
            .map_err(|_gone| broken("broke off"))?;
        feeding.abort();
        child.wait().await.map_err(|_gone| broken("did not end"))?;
        *response.body_mut() = Body::from(answer);
    } else {
        let first = futures::stream::once(async move { Ok(bytes::Bytes::from(rest)) });
        let later = tokio_util::io::ReaderStream::new(output);
        // The child and its feeder live as long as the answer is read.
        let keep = (child, feeding);
        let stream = first.chain(later).map(move |chunk| {
            let _alive = &keep;
            chunk
        });
        *response.body_mut() = Body::from_stream(stream);
    }
    Ok(response)
}

/// Splits a CGI answer at the empty line, once it is there.
fn split_head(seen: &[u8]) -> Option<(String, Vec<u8>)> {
    let end = seen.windows(4).position(|window| window == b"\r\n\r\n")?;
    let head = String::from_utf8_lossy(seen.get(..end)?).into_owned();
    Some((head, seen.get(end + 4..)?.to_vec()))
}

fn apply_head(head: &str, response: &mut Response) {
    for line in head.lines() {
        let Some((name, value)) = line.split_once(':') else {
            continue;
        };
        let value = value.trim();
        if name.eq_ignore_ascii_case("status") {
            let code = value.split(' ').next().unwrap_or_default();
            if let Ok(status) = code.parse::<StatusCode>() {
                *response.status_mut() = status;
            }
        } else if let (Ok(name), Ok(value)) = (
            name.parse::<header::HeaderName>(),
            value.parse::<header::HeaderValue>(),
        ) {
            response.headers_mut().append(name, value);
        }
    }
}
