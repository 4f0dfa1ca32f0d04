//! `tiphys why`: what keeps an object from being synced, healthy or done.

use super::session::Session;
use super::{ReportError, documents, names, sentence, write_json, write_yaml};
use crate::cli::Output;
use crate::domain::object::ObjectRef;
use crate::engine::protocol::{Answer, Fetch};
use serde_json::{Value, json};
use std::io::Write;

/// Prints the findings, most important first; an object without any is well.
pub async fn run(
    session: &mut Session,
    object: ObjectRef,
    output: Output,
    out: &mut dyn Write,
) -> Result<(), ReportError> {
    let path = documents::path(&object);
    let asked = object.clone();
    let answer = match session.fetch(Fetch::Why { object }).await {
        Ok(answer) => answer,
        Err(error) => {
            names::present(session, &asked).await?;
            return Err(error);
        }
    };
    let Answer::Why(findings) = answer else {
        return Err(ReportError::Usage(format!("`{path}` cannot be explained")));
    };
    let document = || {
        let items: Vec<Value> = findings.iter().map(documents::finding).collect();
        json!({ "object": path, "findings": items })
    };
    match output {
        Output::Json => write_json(out, &document())?,
        Output::Yaml => write_yaml(out, &document())?,
        Output::Table | Output::Wide | Output::Name if findings.is_empty() => {
            writeln!(out, "{path}: nothing stands in its way")?;
        }
        Output::Table | Output::Wide | Output::Name => {
            for finding in &findings {
                writeln!(out, "{}", sentence(finding))?;
            }
        }
    }
    Ok(())
}
