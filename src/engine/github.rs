//! Runs of GitHub Actions, read through GitHub's REST API.
//!
//! GitHub has no watch, so it is asked again and again, but only while somebody looks, with
//! conditional requests (an unchanged answer costs nothing of the limit), seldom while nothing
//! runs, and less and less as the hour's requests run out. It is asked only when a `[[github]]`
//! or a variable names it, or when a Service of the cluster serves the same API.

mod answers;
mod logs;
mod run;
mod server;
mod table;

pub(super) use logs::run as logs;
pub(super) use run::{detail, run};
pub(super) use table::{Seen, watch};

use super::fault::Fault;
use super::metrics::wait;
use super::protocol::{Answer as Protocol, SourceName};
use super::session::Session;
use super::transport::Answer;
use crate::api::convert::actions::{as_object, id_in, is_of_actions, run_kind};
use crate::domain::finding::Finding;
use crate::domain::object::{GroupKind, ObjectRef, Text};
use crate::domain::status::Freshness;
use answers::{Kept, Limit, Memory};
use chrono::{DateTime, TimeDelta, Utc};
use http::{Method, StatusCode};
use serde_json::Value;
use server::Server;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::Mutex;

/// How often GitHub is asked while something runs.
const BUSY: TimeDelta = TimeDelta::seconds(5);
/// How often otherwise.
const CALM: TimeDelta = TimeDelta::seconds(30);
/// As many as GitHub gives at once.
const PAGE: usize = 100;
/// No list is read further than this.
const MOST_PAGES: usize = 10;

/// What the subscriptions of one connection share.
#[derive(Debug, Default)]
pub(super) struct Hub {
    server: Mutex<Option<Arc<Server>>>,
    memory: Mutex<Memory>,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    limit: Option<Limit>,
    told: Option<Freshness>,
    answered_at: Option<DateTime<Utc>>,
}

/// Whether objects of a kind are GitHub's and not the cluster's.
pub(super) fn has(kind: &GroupKind) -> bool {
    is_of_actions(kind)
}

/// Reads a run or a job as if the cluster had it.
pub(super) async fn object(session: &Session, object: &ObjectRef) -> Result<Value, Fault> {
    let path = path_of(object)?;
    let answer = get(session, &path).await?;
    Ok(as_object(&answer, object))
}

/// Returns the path of a run or a job.
pub(super) fn path_of(object: &ObjectRef) -> Result<String, Fault> {
    let repository = object.namespace.as_deref().unwrap_or_default();
    let Some(id) = id_in(&object.name) else {
        let reason = format!("`{}` does not end with the id of a run", object.name);
        return Err(Fault::NotFound(reason));
    };
    let list = if object.kind == run_kind() {
        "runs"
    } else {
        "jobs"
    };
    Ok(format!("/repos/{repository}/actions/{list}/{id}"))
}

/// Says where GitHub is asked and how often it may still be.
pub(super) async fn standing(session: &Session) -> Result<Protocol, Finding> {
    let hub = &session.github;
    let cannot = |fault: Fault| fault.into_finding("runs of GitHub Actions cannot be read");
    let server = hub.server(session).await.map_err(cannot)?;
    // Asking this costs nothing of the limit, and tells whether the token is taken.
    let answer = ask(session, Method::GET, "/rate_limit", None)
        .await
        .map_err(cannot)?;
    let left = Limit::of(&answer, session.now()).map(|limit| limit.words());
    let repositories = hub.repositories(session).await.map_err(cannot)?;
    let mut line = format!(
        "{} answers; repositories: {}",
        server.name,
        repositories.join(", ")
    );
    if let Some(left) = left {
        line = format!("{line}; {left}");
    }
    Ok(Protocol::Text {
        title: "GitHub".into(),
        lines: vec![line.into()],
    })
}

/// Asks for a document.
async fn get(session: &Session, path: &str) -> Result<Arc<Value>, Fault> {
    read(session, path).await.map(|kept| kept.body)
}

/// Asks for a list that may have several pages.
async fn pages(session: &Session, path: &str, field: &str) -> Result<Vec<Value>, Fault> {
    let mark = if path.contains('?') { '&' } else { '?' };
    let mut all = Vec::new();
    for page in 1..=MOST_PAGES {
        let asked = format!("{path}{mark}per_page={PAGE}&page={page}");
        let kept = read(session, &asked).await?;
        let list = if field.is_empty() {
            Some(&*kept.body)
        } else {
            kept.body.get(field)
        };
        let list = list.and_then(Value::as_array);
        all.extend(list.into_iter().flatten().cloned());
        if !kept.has_next {
            break;
        }
    }
    Ok(all)
}

/// Asks, with the mark of what is remembered: an unchanged answer is the remembered one.
async fn read(session: &Session, path: &str) -> Result<Kept, Fault> {
    let hub = &session.github;
    let known = hub.memory.lock().await.find(path);
    let mark = known.as_ref().map(|kept| kept.mark.clone());
    let answer = ask(session, Method::GET, path, mark.as_deref()).await?;
    if let Some(known) = known.filter(|_| answer.code == StatusCode::NOT_MODIFIED.as_u16()) {
        return Ok(known);
    }
    let kept = Kept::of(&answer)
        .ok_or_else(|| Fault::Unreadable("GitHub's answer is not JSON".to_owned()))?;
    if !kept.mark.is_empty() {
        hub.memory.lock().await.keep(path, kept.clone());
    }
    Ok(kept)
}

/// Sends a request; a refusal is a fault with a sentence of ours around GitHub's.
pub(super) async fn ask(
    session: &Session,
    method: Method,
    path: &str,
    mark: Option<&str>,
) -> Result<Answer, Fault> {
    let hub = &session.github;
    let server = hub.server(session).await?;
    if let Some(limit) = hub.state.lock().await.limit.as_ref() {
        limit.allows(session.now(), server.has_token)?;
    }
    let answer = match server.ask(session, (method, path), mark).await {
        Ok(answer) => answer,
        Err(fault) => {
            // It may be elsewhere by now.
            *hub.server.lock().await = None;
            return Err(fault);
        }
    };
    let limit = Limit::of(&answer, session.now());
    if limit.is_some() {
        hub.state.lock().await.limit = limit;
    }
    match answer.code {
        200..=299 | 304 => Ok(answer),
        _ => Err(answers::fault(&answer, (path, server.has_token))),
    }
}

impl Hub {
    async fn server(&self, session: &Session) -> Result<Arc<Server>, Fault> {
        if let Some(known) = &*self.server.lock().await {
            return Ok(Arc::clone(known));
        }
        let found = Arc::new(Server::find(session).await?);
        tracing::info!(at = %found.name, "runs of Actions are read there");
        *self.server.lock().await = Some(Arc::clone(&found));
        Ok(found)
    }

    /// Returns the repositories to look at: those that are named, else what the token may see.
    async fn repositories(&self, session: &Session) -> Result<Vec<String>, Fault> {
        let server = self.server(session).await?;
        if !server.repositories.is_empty() {
            return Ok(server.repositories.clone());
        }
        let path = format!("/user/repos?sort=pushed&per_page={}", table::REPOSITORIES);
        let list = get(session, &path).await?;
        let names = list.as_array().into_iter().flatten();
        let names = names.filter_map(|one| one.get("full_name")?.as_str());
        Ok(names.map(str::to_owned).collect())
    }

    /// Tells how the server is, once for every change.
    async fn tell(&self, session: &Session, outcome: Result<(), &Fault>) -> Freshness {
        let freshness = {
            let mut state = self.state.lock().await;
            let freshness = match outcome {
                Ok(()) => {
                    state.answered_at = Some(session.now());
                    Freshness::Live
                }
                Err(fault) => state.freshness(fault, session),
            };
            if state.told.as_ref() == Some(&freshness) {
                return freshness;
            }
            state.told = Some(freshness.clone());
            freshness
        };
        let told = freshness.clone();
        session.report_freshness(SourceName::GitHub, told).await;
        freshness
    }

    /// Waits until GitHub may be asked again; returns whether the engine goes on.
    async fn pause(&self, session: &Session, usual: TimeDelta) -> bool {
        let span = match &self.state.lock().await.limit {
            Some(limit) => limit.pace(usual, session.now()),
            None => usual,
        };
        wait(session, span).await
    }

    /// Says how much of the limit is left, where that is worth knowing.
    async fn limit_note(&self, session: &Session) -> Option<Text> {
        let state = self.state.lock().await;
        let limit = state.limit.as_ref()?;
        limit.note(session.now()).map(Text::from)
    }
}

impl State {
    fn freshness(&self, fault: &Fault, session: &Session) -> Freshness {
        let reason = Text::from(fault.to_string());
        match fault {
            Fault::Unauthorized(_) => Freshness::NeedsCredentials { reason },
            Fault::Forbidden(_) => Freshness::Forbidden { reason },
            Fault::NotFound(_) | Fault::Refused(_) => Freshness::Absent { reason },
            Fault::Unreachable(_)
            | Fault::Busy(_)
            | Fault::Unreadable(_)
            | Fault::Gone
            | Fault::Conflict(_) => {
                let limit = self.limit.as_ref();
                let until = limit.and_then(|limit| limit.closed_until(session.now()));
                let next = session.after(CALM.to_std().unwrap_or(Duration::from_secs(30)));
                Freshness::Stale {
                    since: self.answered_at.unwrap_or_else(|| session.now()),
                    retry_at: until.unwrap_or(next),
                    reason,
                }
            }
        }
    }
}
