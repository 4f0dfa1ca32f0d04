//! The log of a job, of one of its steps, or of all jobs of a run.
//!
//! GitHub gives the log of a job as a whole, and only when the job is over; the embedded platform
//! gives what there is. Either way it is asked for again until the job is over, and what is new
//! goes out.

use super::{BUSY, ask, get, pages, path_of};
use crate::api::convert::actions::run_kind;
use crate::domain::object::{ObjectRef, Text};
use crate::engine::fault::Fault;
use crate::engine::protocol::{LogLine, LogOptions, Ticket, Update};
use crate::engine::session::Session;
use chrono::{DateTime, TimeDelta, Utc};
use http::Method;
use serde_json::Value;
use std::collections::HashMap;
use std::sync::Arc;

/// Lines go out in blocks of so many.
const BLOCK: usize = 500;

/// Follows logs until they end or are unsubscribed.
pub(in crate::engine) async fn run(
    session: Arc<Session>,
    ticket: Ticket,
    object: ObjectRef,
    options: LogOptions,
) {
    let mut reader = Reader {
        session: &session,
        ticket,
        sent: HashMap::new(),
        is_first: true,
        options: &options,
    };
    let ended = match reader.follow(&object).await {
        Ok(why) => why,
        Err(fault) => format!("cannot read the log of `{}`: {fault}", object.path()),
    };
    reader.send(Vec::new(), Some(ended.into())).await;
}

struct Reader<'r> {
    session: &'r Session,
    ticket: Ticket,
    options: &'r LogOptions,
    /// How many lines of a job went out.
    sent: HashMap<u64, usize>,
    is_first: bool,
}

impl Reader<'_> {
    async fn follow(&mut self, object: &ObjectRef) -> Result<String, Fault> {
        if self.options.previous {
            return Ok("GitHub shows the logs of earlier attempts on its own pages".to_owned());
        }
        let repository = object.namespace.as_deref().unwrap_or_default().to_owned();
        loop {
            let (jobs, is_over) = self.jobs(object).await?;
            let mut lines = Vec::new();
            for job in &jobs {
                lines.extend(self.news(&repository, job, jobs.len() > 1).await?);
            }
            lines.sort_by_key(|line| line.at);
            self.limit(&mut lines);
            self.is_first = false;
            self.send(lines, None).await;
            if is_over {
                return Ok("the job is over".to_owned());
            }
            if !self.options.follow {
                return Ok("it still runs".to_owned());
            }
            if !self.session.github.pause(self.session, BUSY).await {
                return Ok("the engine has stopped".to_owned());
            }
        }
    }

    /// Returns the jobs that are meant, and whether all of it is over.
    async fn jobs(&self, object: &ObjectRef) -> Result<(Vec<Value>, bool), Fault> {
        let path = path_of(object)?;
        let itself = get(self.session, &path).await?;
        let is_over = word(&itself, "status") == "completed";
        if object.kind == run_kind() {
            let jobs = pages(self.session, &format!("{path}/jobs"), "jobs").await?;
            return Ok((jobs, is_over));
        }
        Ok((vec![(*itself).clone()], is_over))
    }

    /// Reads what a job has said since the last look.
    async fn news(
        &mut self,
        repository: &str,
        job: &Value,
        is_mixed: bool,
    ) -> Result<Vec<LogLine>, Fault> {
        let id = job.get("id").and_then(Value::as_u64).unwrap_or_default();
        let path = format!("/repos/{repository}/actions/jobs/{id}/logs");
        let answer = match ask(self.session, Method::GET, &path, None).await {
            Ok(answer) => answer,
            // There is none before the job is over, or none any longer.
            Err(Fault::NotFound(_) | Fault::Gone) => return Ok(Vec::new()),
            Err(fault) => return Err(fault),
        };
        let text = String::from_utf8_lossy(&answer.body);
        let all: Vec<LogLine> = text.lines().map(|line| line_of(line, "")).collect();
        let mut wanted = match self.options.container.as_deref() {
            Some(step) => of_step(all, job, step),
            None => all,
        };
        let sent = self.sent.entry(id).or_default();
        let new = wanted.split_off((*sent).min(wanted.len()));
        *sent += new.len();
        let origin: Text = if is_mixed {
            word(job, "name").into()
        } else {
            "".into()
        };
        let named = new.into_iter().map(|line| LogLine {
            origin: Text::clone(&origin),
            ..line
        });
        Ok(named.collect())
    }

    /// Leaves out what is older than wanted, or more.
    fn limit(&self, lines: &mut Vec<LogLine>) {
        if let Some(seconds) = self.options.since_seconds {
            let oldest = self.session.now() - TimeDelta::seconds(i64::from(seconds));
            lines.retain(|line| line.at.is_none_or(|at| at >= oldest));
        }
        if self.is_first {
            let excess = lines.len().saturating_sub(self.options.tail as usize);
            lines.drain(..excess);
        }
    }

    async fn send(&self, mut lines: Vec<LogLine>, ended: Option<Text>) {
        let ticket = self.ticket;
        while lines.len() > BLOCK {
            let rest = lines.split_off(BLOCK);
            let block = std::mem::replace(&mut lines, rest);
            let update = Update::Logs {
                ticket,
                lines: block,
                ended: None,
            };
            self.session.report(update).await;
        }
        self.session
            .report(Update::Logs {
                ticket,
                lines,
                ended,
            })
            .await;
    }
}

fn word<'v>(value: &'v Value, name: &str) -> &'v str {
    value.get(name).and_then(Value::as_str).unwrap_or_default()
}

/// Reads `2026-01-01T00:00:00.1234567Z text`.
fn line_of(line: &str, origin: &str) -> LogLine {
    // The first line of a log may begin with a byte order mark.
    let line = line.trim_start_matches('\u{feff}');
    let stamped = line.split_once(' ').and_then(|(stamp, text)| {
        let at = DateTime::parse_from_rfc3339(stamp).ok()?;
        Some((at.with_timezone(&Utc), text))
    });
    let (at, text) = match stamped {
        Some((at, text)) => (Some(at), text),
        None => (None, line),
    };
    LogLine {
        origin: origin.into(),
        at,
        text: text.into(),
    }
}

/// Cuts out what one step said: from the heading of its group to that of the next step's, and
/// by time where the log has no such headings.
fn of_step(lines: Vec<LogLine>, job: &Value, number: &str) -> Vec<LogLine> {
    let steps = job.get("steps").and_then(Value::as_array);
    let steps = steps.map(Vec::as_slice).unwrap_or_default();
    let is_it =
        |step: &&Value| step.get("number").map(ToString::to_string).as_deref() == Some(number);
    let at = steps.iter().position(|step| is_it(&step));
    let Some((at, step)) = at.and_then(|at| Some((at, steps.get(at)?))) else {
        return lines;
    };
    let heading = |step: &Value| format!("##[group]{}", word(step, "name"));
    let begins = lines.iter().position(|line| *line.text == heading(step));
    if let Some(begins) = begins {
        let later = steps.iter().skip(at + 1).map(heading).collect::<Vec<_>>();
        let mut own: Vec<LogLine> = lines.into_iter().skip(begins).collect();
        let next = own
            .iter()
            .skip(1)
            .position(|line| later.iter().any(|one| **one == *line.text));
        own.truncate(next.map_or(usize::MAX, |next| next + 1));
        return own;
    }
    let time = |name: &str| {
        let time = DateTime::parse_from_rfc3339(word(step, name)).ok()?;
        Some(time.with_timezone(&Utc))
    };
    // Steps are told to the second, lines more exactly.
    let (from, to) = (
        time("started_at"),
        time("completed_at").map(|to| to + TimeDelta::seconds(1)),
    );
    lines
        .into_iter()
        .filter(|line| match line.at {
            Some(at) => from.is_some_and(|from| at >= from) && to.is_none_or(|to| at < to),
            None => false,
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn log(text: &str) -> Vec<LogLine> {
        text.lines().map(|line| line_of(line, "")).collect()
    }

    fn texts(lines: &[LogLine]) -> Vec<&str> {
        lines.iter().map(|line| &*line.text).collect()
    }

    #[test]
    fn a_step_has_what_stands_below_its_heading() {
        let lines = log(
            "2026-01-01T00:00:01.5Z ##[group]Test\n2026-01-01T00:00:02Z one\n\
            2026-01-01T00:00:02Z ##[group]Build\n2026-01-01T00:00:03Z two\n",
        );
        let job = json!({"steps": [{"number": 1, "name": "Test"}, {"number": 2, "name": "Build"}]});

        assert_eq!(
            texts(&of_step(lines.clone(), &job, "1")),
            ["##[group]Test", "one"]
        );
        assert_eq!(texts(&of_step(lines, &job, "2")), ["##[group]Build", "two"]);
    }

    #[test]
    fn a_step_without_a_heading_has_what_was_said_in_its_time() {
        let lines = log(
            "\u{feff}2026-01-01T00:00:01.5Z early\n2026-01-01T00:00:05.9Z mine\n\
            2026-01-01T00:00:09Z late\nno time\n",
        );
        let job = json!({"steps": [{"number": 3, "name": "Unit tests",
            "started_at": "2026-01-01T00:00:03Z", "completed_at": "2026-01-01T00:00:05Z"}]});

        assert_eq!(texts(&of_step(lines, &job, "3")), ["mine"]);
    }
}
