//! `tiphys do`: carries out one intent and says what became of it.

use super::session::Session;
use super::{Ending, ReportError, documents, names, write_json, write_yaml};
use crate::cli::{Do, Output};
use crate::domain::intent::{Intent, IntentId, Stage};
use crate::domain::object::Text;
use crate::engine::protocol::{Request, Update};
use crate::ui::text::harmless;
use serde_json::json;
use std::io::Write;
use std::time::Duration;

const ID: IntentId = IntentId(1);

/// Sends the intent and reports each stage; with `--wait` until it is observed.
pub async fn run(
    session: &mut Session,
    intent: Intent,
    options: &Do,
    out: &mut dyn Write,
) -> Result<Ending, ReportError> {
    let verb = intent.verb.id();
    let target = documents::path(&intent.target);
    let object = intent.target.clone();
    let dry_run = options.dry_run;
    session
        .send(Request::Act {
            id: ID,
            intent,
            dry_run,
        })
        .await?;
    let wait = options.wait && !dry_run;
    let outcome = tokio::time::timeout(options.timeout, outcome(session, wait)).await;
    if let Ok(Ok(Stage::Failed { .. })) = outcome {
        names::present(session, &object).await?;
    }
    let (word, detail, ending) = match outcome {
        Ok(Ok(Stage::Failed { sentence, hint })) => (
            "failed",
            with_hint(&sentence, hint.as_ref()),
            Ending::Failed,
        ),
        Ok(Ok(Stage::Observed { detail })) => ("observed", detail.to_string(), Ending::Done),
        Ok(Ok(Stage::Accepted { detail })) => ("accepted", detail.to_string(), Ending::Done),
        Ok(Ok(Stage::Requested)) => ("requested", String::new(), Ending::Done),
        Ok(Err(error)) => return Err(error),
        Err(_elapsed) => {
            let seconds = options.timeout.as_secs();
            (
                "not observed",
                format!("not observed within {seconds} s"),
                Ending::NotObserved,
            )
        }
    };
    let mut document = json!({ "intent": verb, "object": target, "stage": word, "detail": detail, "dryRun": dry_run });
    // Nobody can ask for it again, so it goes to whoever asked for the account.
    let secret = session.secret.take();
    if let (Some((account, secret)), Some(members)) = (&secret, document.as_object_mut()) {
        drop(members.insert(String::from("account"), json!(&**account)));
        drop(members.insert(String::from("secret"), json!(secret.reveal())));
    }
    match options.output {
        Output::Json => write_json(out, &document)?,
        Output::Yaml => write_yaml(out, &document)?,
        Output::Table | Output::Wide | Output::Name => {
            let dry = if dry_run { " (dry run)" } else { "" };
            let detail: Vec<_> = detail.lines().map(harmless).collect();
            writeln!(out, "{verb} {target}{dry}: {word}; {}", detail.join("\n"))?;
            if let Some((account, secret)) = &secret {
                writeln!(
                    out,
                    "account {account}\nsecret {}",
                    harmless(secret.reveal())
                )?;
            }
        }
    }
    Ok(ending)
}

fn with_hint(sentence: &str, hint: Option<&Text>) -> String {
    let hint = hint.map(|hint| format!("\nhint: {hint}"));
    format!("{sentence}{}", hint.unwrap_or_default())
}

/// Waits for the last stage that matters.
async fn outcome(session: &mut Session, wait: bool) -> Result<Stage, ReportError> {
    loop {
        let update = session.next(Duration::from_secs(24 * 3600)).await?;
        let Update::Outcome { id: ID, stage, .. } = update else {
            session.take(update)?;
            session.unread.clear();
            continue;
        };
        let last = match &stage {
            Stage::Failed { .. } | Stage::Observed { .. } => true,
            Stage::Accepted { .. } => !wait,
            Stage::Requested => false,
        };
        if last {
            return Ok(stage);
        }
    }
}
