//! The same engine and the same store as the cockpit, printed for people and scripts.
//!
//! Tables are for reading and may change; JSON and YAML are stable and documented in the README.
//! Text that came from a server is made harmless before it is printed to a terminal.

pub mod act;
pub mod doctor;
pub mod documents;
pub mod flow;
pub mod get;
pub mod images;
pub mod lists;
pub mod metrics;
mod names;
mod picture;
pub mod rollouts;
pub mod runs;
pub mod session;
pub mod table;
pub mod why;

use crate::domain::finding::Finding;
use std::io::{self, Write};

/// How a command ended; the process's exit code.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ending {
    Done,
    /// The request was refused or failed.
    Failed,
    /// The command was used wrongly.
    Usage,
    /// The effect was not observed in time.
    NotObserved,
}

impl Ending {
    /// Returns the exit code: 0, 1, 2 or 3.
    pub fn code(self) -> u8 {
        match self {
            Self::Done => 0,
            Self::Failed => 1,
            Self::Usage => 2,
            Self::NotObserved => 3,
        }
    }
}

/// Why a report could not be made.
#[derive(Debug, thiserror::Error)]
pub enum ReportError {
    /// What the platform said, or what is wrong with the request.
    #[error("{}", sentence(.0))]
    Refused(Box<Finding>),
    /// The words of the command make no sense.
    #[error("{0}")]
    Usage(String),
    /// Nothing came before the timeout.
    #[error("{0}")]
    NotObserved(String),
    /// The output went away, as when it is piped into `head`.
    #[error("cannot write the report: {0}")]
    Output(#[from] io::Error),
}

impl From<Finding> for ReportError {
    fn from(finding: Finding) -> Self {
        Self::Refused(Box::new(finding))
    }
}

impl ReportError {
    /// Returns how the process ends after this error.
    pub fn ending(&self) -> Ending {
        match self {
            Self::Usage(_) => Ending::Usage,
            Self::NotObserved(_) => Ending::NotObserved,
            // A reader that went away has seen enough.
            Self::Output(error) if error.kind() == io::ErrorKind::BrokenPipe => Ending::Done,
            Self::Refused(_) | Self::Output(_) => Ending::Failed,
        }
    }
}

/// Returns a finding's sentence with its hint on a line of its own.
pub fn sentence(finding: &Finding) -> String {
    let hint = finding.hint.iter().map(|hint| format!("hint: {hint}"));
    let texts = std::iter::once(finding.sentence.to_string()).chain(hint);
    let lines: Vec<String> = texts.flat_map(|text| harmless_lines(&text)).collect();
    lines.join("\n")
}

fn harmless_lines(text: &str) -> Vec<String> {
    let lines = text.lines();
    lines
        .map(|line| crate::ui::text::harmless(line).into_owned())
        .collect()
}

/// Writes a JSON document and a line break.
pub(crate) fn write_json(out: &mut dyn Write, document: &serde_json::Value) -> io::Result<()> {
    serde_json::to_writer_pretty(&mut *out, document)?;
    writeln!(out)
}

/// Writes a document as YAML.
pub(crate) fn write_yaml(out: &mut dyn Write, document: &serde_json::Value) -> io::Result<()> {
    let text = crate::api::yaml::to_string(document).map_err(io::Error::other)?;
    write!(out, "{text}")
}
