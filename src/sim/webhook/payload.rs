//! Push events on the wire, in the form that Gitea sends and in GitHub's.
//!
//! Gitea: `modules/structs/hook.go`. GitHub: its documentation of the event `push`.

use crate::api::signature;
use crate::sim::git::{CommitInfo, FileChangeKind, GitServer, Push, RefChange, Sha};
use bytes::Bytes;
use chrono::SecondsFormat;
use http::{HeaderMap, Request};
use serde::Deserialize;
use serde_json::{Value, json};

const ZEROS: &str = "0000000000000000000000000000000000000000";
/// An event carries at most this many commits.
const MOST_COMMITS: usize = 20;

/// What the receiver reads of an event, whoever sent it.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub struct PushEvent {
    /// Full name, such as `refs/heads/main`.
    #[serde(rename = "ref")]
    pub reference: String,
    pub repository: EventRepository,
}

#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub struct EventRepository {
    #[serde(default)]
    pub clone_url: String,
    #[serde(default)]
    pub html_url: String,
    #[serde(default)]
    pub default_branch: String,
}

impl PushEvent {
    /// The branch or tag without `refs/heads/` or `refs/tags/`.
    pub fn revision(&self) -> &str {
        ["refs/heads/", "refs/tags/"]
            .iter()
            .find_map(|prefix| self.reference.strip_prefix(prefix))
            .unwrap_or(&self.reference)
    }

    /// Whether what HEAD means has changed.
    pub fn touched_head(&self) -> bool {
        self.reference.strip_prefix("refs/heads/") == Some(&self.repository.default_branch)
    }
}

/// Recognises an event as Argo CD does: Gogs (and Gitea) first, because Gitea sends all headers.
pub(super) fn read(
    headers: &HeaderMap,
    body: &[u8],
    secret: &str,
) -> Result<Option<PushEvent>, String> {
    let header = |name: &str| headers.get(name).and_then(|value| value.to_str().ok());
    let (kind, given) = if let Some(kind) = header("x-gogs-event").or(header("x-gitea-event")) {
        let given = header("x-gitea-signature").or(header("x-gogs-signature"));
        (kind, given.or(header("x-hub-signature-256")))
    } else if let Some(kind) = header("x-github-event") {
        (kind, header("x-hub-signature-256"))
    } else {
        return Err("Unknown webhook event".to_owned());
    };
    let is_signed =
        secret.is_empty() || given.is_some_and(|given| signature::is_valid(secret, body, given));
    if !is_signed {
        return Err("Webhook processing failed: HMAC verification failed".to_owned());
    }
    if kind != "push" {
        return Ok(None);
    }
    serde_json::from_slice(body)
        .map(Some)
        .map_err(|error| format!("Webhook processing failed: {error}"))
}

/// Whose events a webhook sends.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Form {
    /// Gitea sends the headers of Gogs and GitHub, too.
    #[default]
    Gitea,
    GitHub,
}

/// Writes one signed request to `url` for each branch or tag that a push changed; `base` is the
/// git server's own address.
pub fn requests_for(
    git: &GitServer,
    push: &Push,
    base: &str,
    (form, url, secret): (Form, &str, &str),
) -> Vec<Request<Bytes>> {
    push.changes
        .iter()
        .filter_map(|change| {
            let mut body = payload(git, push, change, base);
            if form == Form::GitHub {
                as_github(&mut body, change);
            }
            let body = body.to_string();
            let signed = signature::sign(secret, body.as_bytes());
            let mut request = Request::post(url)
                .header("content-type", "application/json")
                .header("x-github-event", "push")
                .header("x-github-delivery", delivery_id(&signed))
                .header("x-hub-signature-256", format!("sha256={signed}"));
            request = match form {
                Form::GitHub => request.header("user-agent", "GitHub-Hookshot/tiphys"),
                Form::Gitea => request
                    .header("x-gitea-event", "push")
                    .header("x-gogs-event", "push")
                    .header("x-gitea-delivery", delivery_id(&signed))
                    .header("x-gitea-signature", &signed),
            };
            request.body(Bytes::from(body)).ok()
        })
        .collect()
}

/// An id in the shape of a UUID that is the same for the same event.
fn delivery_id(signed: &str) -> String {
    let mut digits = signed.chars();
    let mut take = |count: usize| -> String { digits.by_ref().take(count).collect() };
    [take(8), take(4), take(4), take(4), take(12)].join("-")
}

/// Changes what GitHub says otherwise than Gitea.
fn as_github(body: &mut Value, change: &RefChange) {
    let Some(body) = body.as_object_mut() else {
        return;
    };
    body.remove("total_commits");
    if let Some(compare) = body.remove("compare_url") {
        body.insert("compare".to_owned(), compare);
    }
    body.insert("created".to_owned(), change.before.is_none().into());
    body.insert("deleted".to_owned(), change.after.is_none().into());
    body.insert("forced".to_owned(), false.into());
    // Oldest first there, newest first at Gitea's.
    if let Some(Value::Array(commits)) = body.get_mut("commits") {
        commits.reverse();
    }
}

fn payload(git: &GitServer, push: &Push, change: &RefChange, base: &str) -> Value {
    let url = format!("{}/{}", base.trim_end_matches('/'), push.repository);
    let sha = |sha: &Option<Sha>| sha.as_ref().map_or(ZEROS.to_owned(), Sha::to_string);
    let commits = commits_of(git, push, change);
    let user = json!({"login": push.pusher, "username": push.pusher, "full_name": push.pusher});
    json!({
        "ref": change.name,
        "before": sha(&change.before),
        "after": sha(&change.after),
        "compare_url": format!("{url}/compare/{}...{}", sha(&change.before), sha(&change.after)),
        "total_commits": commits.len(),
        "head_commit": commits.first(),
        "commits": commits,
        "repository": {
            "name": push.repository.rsplit('/').next(),
            "full_name": push.repository,
            "html_url": url,
            "clone_url": format!("{url}.git"),
            "default_branch": default_branch(git, &push.repository),
        },
        "pusher": user,
        "sender": user,
    })
}

fn default_branch(git: &GitServer, repository: &str) -> String {
    git.default_branch(repository)
        .unwrap_or_else(|| crate::sim::git::DEFAULT_BRANCH.to_owned())
}

/// Lists the commits that are new on the branch, newest first.
fn commits_of(git: &GitServer, push: &Push, change: &RefChange) -> Vec<Value> {
    let Some(after) = &change.after else {
        return Vec::new();
    };
    let log = git
        .log(&push.repository, after.as_str(), MOST_COMMITS)
        .unwrap_or_default();
    log.iter()
        .take_while(|commit| Some(&commit.sha) != change.before.as_ref())
        .map(|commit| described(git, &push.repository, commit))
        .collect()
}

fn described(git: &GitServer, repository: &str, commit: &CommitInfo) -> Value {
    let changes = git
        .diff(repository, commit.parents.first(), &commit.sha)
        .unwrap_or_default();
    let of = |kind: FileChangeKind| -> Vec<&str> {
        let fitting = changes.iter().filter(|change| change.kind == kind);
        fitting.map(|change| change.path.as_str()).collect()
    };
    let who = json!({
        "name": commit.author.name, "email": commit.author.email, "username": commit.author.name,
    });
    json!({
        "id": commit.sha.to_string(),
        "message": commit.message,
        "timestamp": commit.date.to_rfc3339_opts(SecondsFormat::Secs, true),
        "author": who,
        "committer": who,
        "added": of(FileChangeKind::Added),
        "removed": of(FileChangeKind::Removed),
        "modified": of(FileChangeKind::Modified),
    })
}
