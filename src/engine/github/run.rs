//! One open run with its jobs and steps.

use super::{BUSY, CALM, get, pages, path_of};
use crate::api::convert::actions::{self, needs};
use crate::domain::finding::{Finding, Severity};
use crate::domain::object::{ObjectRef, Text};
use crate::domain::pipeline::RunDetail;
use crate::engine::fault::Fault;
use crate::engine::protocol::{Ticket, Update};
use crate::engine::session::Session;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::Value;
use std::sync::Arc;

/// Shows a run until it is unsubscribed.
pub(in crate::engine) async fn run(session: Arc<Session>, ticket: Ticket, object: ObjectRef) {
    let mut sent: Option<Option<RunDetail>> = None;
    loop {
        let outcome = detail(&session, &object).await;
        let (shown, told) = match outcome {
            Ok(detail) => (Some(Some(detail)), Ok(())),
            // The run is gone; that its server is well is not in doubt.
            Err(Fault::NotFound(_)) => (Some(None), Ok(())),
            Err(fault) => (None, Err(fault)),
        };
        session.github.tell(&session, told.as_ref().copied()).await;
        if let Some(shown) = shown
            && sent.as_ref() != Some(&shown)
        {
            let detail = shown.clone().map(Box::new);
            sent = Some(shown);
            let generation = session.generation;
            session
                .report(Update::Run {
                    generation,
                    ticket,
                    detail,
                })
                .await;
        }
        let shown = sent.as_ref().and_then(Option::as_ref);
        let is_over = shown.is_some_and(|detail| detail.row.phase.is_over());
        let usual = if is_over { CALM } else { BUSY };
        if !session.github.pause(&session, usual).await {
            return;
        }
    }
}

/// Reads a run with its jobs once.
pub(in crate::engine) async fn detail(
    session: &Session,
    object: &ObjectRef,
) -> Result<RunDetail, Fault> {
    let repository = object.namespace.as_deref().unwrap_or_default();
    let path = path_of(object)?;
    let run = get(session, &path).await?;
    let jobs = pages(session, &format!("{path}/jobs"), "jobs").await?;
    let needs = needs_of(session, repository, &run).await;
    let none = Vec::new();
    let known = needs.as_ref().unwrap_or(&none);
    let cluster = &session.cluster;
    let mut detail = actions::detail(&run, &jobs, known, cluster, repository);
    // Whoever asks may have named it otherwise; identity is what was asked for.
    detail.row.object = object.clone();
    if let Err(fault) = &needs {
        let sentence = format!("which job waits for which is not known: {fault}");
        detail.findings.push(Finding::new(Severity::Info, sentence));
    }
    detail
        .notes
        .extend(session.github.limit_note(session).await);
    Ok(detail)
}

/// Reads the workflow file of the run's commit for which job needs which.
async fn needs_of(
    session: &Session,
    repository: &str,
    run: &Value,
) -> Result<Vec<(Text, Vec<Text>)>, Fault> {
    let text = |name: &str| run.get(name).and_then(Value::as_str).unwrap_or_default();
    // A workflow of the repository's own; `dynamic/…` ones have no file.
    let file = text("path").split('@').next().unwrap_or_default();
    if !file.starts_with(".github/") {
        return Ok(Vec::new());
    }
    let path = format!(
        "/repos/{repository}/contents/{file}?ref={}",
        text("head_sha")
    );
    let contents = get(session, &path).await?;
    let encoded = contents.get("content").and_then(Value::as_str);
    let encoded: String = encoded.unwrap_or_default().split_whitespace().collect();
    let bytes = STANDARD.decode(encoded).unwrap_or_default();
    Ok(needs(&String::from_utf8_lossy(&bytes)))
}
