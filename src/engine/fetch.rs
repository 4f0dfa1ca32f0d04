//! What is read once, on demand: YAML, describe, events, diff, why, access, kinds.

mod access;
mod dashboards;
mod describe;
mod diff;
mod events;
mod manifest;
mod page;
mod why;

pub(super) use manifest::MASK;

use super::metrics;
use super::protocol::{Answer, Fetch};
use super::registries;
use super::session::Session;
use crate::api::convert::run_template::run_template;
use crate::domain::finding::Finding;
use crate::domain::image::is_of_registries;
use crate::domain::object::{ObjectRef, Text};
use std::sync::Arc;

/// Answers one fetch.
pub(super) async fn answer(session: &Arc<Session>, what: Fetch) -> Result<Answer, Finding> {
    match what {
        Fetch::Describe { object } | Fetch::Yaml { object, .. }
            if is_of_registries(&object.kind) =>
        {
            let lines = registries::describe(session, &object).await?;
            let title = title(&object);
            Ok(Answer::Text { title, lines })
        }
        Fetch::Yaml {
            object,
            reveal_secrets,
        } => {
            let live = session.object_or_finding(&object).await?;
            let lines = manifest::yaml_lines(live, reveal_secrets)?;
            Ok(Answer::Text {
                title: title(&object),
                lines,
            })
        }
        Fetch::Describe { object } => described(session, &object).await,
        Fetch::Events { object } => Ok(Answer::Events(events::of(session, &object).await?)),
        Fetch::Diff {
            application,
            object,
        } => diff::of(session, &application, object.as_ref())
            .await
            .map(Answer::Diff),
        Fetch::Why { object } => why::of(session, &object).await.map(Answer::Why),
        Fetch::Access { object } => Ok(Answer::Access(access::of(session, &object).await)),
        Fetch::Kinds => {
            let kinds = session.rediscovered().await;
            let kinds =
                kinds.map_err(|fault| fault.into_finding("cannot list the kinds of the server"))?;
            Ok(Answer::Kinds(kinds.entries().to_vec()))
        }
        Fetch::Query { expr } => {
            let answer = metrics::instant(session, &expr).await;
            Ok(Answer::Query(answer.map(Box::new)))
        }
        Fetch::Values { query } => metrics::values(session, &query).await.map(Answer::Values),
        Fetch::Dashboards { namespace } => dashboards::of(session, namespace.as_deref())
            .await
            .map(Answer::Dashboards),
        Fetch::Dashboard { json } => dashboard(&json),
        Fetch::GitHub => super::github::standing(session).await,
        Fetch::Template { object } => template(session, &object).await,
        Fetch::ImagePlans {
            objects,
            container,
            image,
        } => plans(session, &objects, (&container, &image)).await,
        // The platform answers this one without a connection.
        Fetch::Contexts => Ok(Answer::Contexts(vec![session.context.clone()])),
    }
}

async fn described(session: &Session, object: &ObjectRef) -> Result<Answer, Finding> {
    let live = session.object_or_finding(object).await?;
    let events = events::of(session, object).await;
    Ok(Answer::Text {
        title: title(object),
        lines: describe::describe(&live, &events, session.now()),
    })
}

async fn plans(
    session: &Session,
    objects: &[ObjectRef],
    wanted: (&Text, &Text),
) -> Result<Answer, Finding> {
    let mut plans = Vec::new();
    for object in objects {
        plans.push(super::git::plan(session, object, wanted).await?);
    }
    Ok(Answer::ImagePlans(plans))
}

fn dashboard(json: &str) -> Result<Answer, Finding> {
    let read = crate::api::convert::dashboard::dashboard(json, "");
    let read = read.map_err(|problem| {
        let sentence = format!("cannot read the dashboard: {problem}");
        Finding::new(crate::domain::finding::Severity::Error, sentence)
            .with_hint("export it from Grafana as JSON")
    });
    read.map(|read| Answer::Dashboards(vec![read]))
}

async fn template(session: &Session, object: &ObjectRef) -> Result<Answer, Finding> {
    let live = session.object_or_finding(object).await?;
    let read = run_template(&live, &session.cluster, &object.kind);
    Ok(Answer::Template(Box::new(read)))
}

fn title(object: &ObjectRef) -> Text {
    format!("{} {}", object.kind.kind, object.path()).into()
}
