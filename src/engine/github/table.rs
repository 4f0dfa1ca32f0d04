//! The newest runs of every repository as rows of the table of runs.
//!
//! What a run's jobs say (how far it is, what failed) is asked for while it runs, and once more
//! when it is over; a few a look, the newest first.

use super::{BUSY, CALM, get, pages};
use crate::api::convert::actions::run_row;
use crate::domain::finding::{Finding, Severity};
use crate::domain::object::{ObjectRef, Text};
use crate::domain::pipeline::RunRow;
use crate::domain::status::Freshness;
use crate::engine::fault::Fault;
use crate::engine::protocol::Update;
use crate::engine::session::Session;
use crate::engine::watch::{Batch, asked_to_retry};
use serde_json::Value;
use std::collections::HashMap;
use std::sync::Arc;

/// How many repositories are looked at when none is named: those pushed to last.
pub(super) const REPOSITORIES: usize = 20;
/// How many runs of a repository are shown.
const RUNS: usize = 40;
/// For how many runs that are over jobs are asked for in one look.
const JOBS: usize = 10;

/// What a look brings.
pub(in crate::engine) enum Seen {
    Rows(Batch<RunRow>),
    Freshness(Freshness),
}

/// Looks at all repositories until the engine ends; `tell` returns whether anybody listens.
pub(in crate::engine) async fn watch<F>(session: Arc<Session>, tell: impl Fn(Seen) -> F)
where
    F: Future<Output = bool>,
{
    let mut table = Table::default();
    loop {
        let outcome = table.look(&session).await;
        let freshness = session
            .github
            .tell(&session, outcome.as_ref().map(|_| ()))
            .await;
        if let Ok(batch) = outcome
            && !(batch.rows.is_empty() && batch.removed.is_empty())
            && !tell(Seen::Rows(batch)).await
        {
            return;
        }
        let is_absent = matches!(freshness, Freshness::Absent { .. });
        if !tell(Seen::Freshness(freshness)).await {
            return;
        }
        table.warn(&session).await;
        let going = if is_absent {
            asked_to_retry(&session).await
        } else {
            let usual = if table.is_busy() { BUSY } else { CALM };
            session.github.pause(&session, usual).await
        };
        if !going {
            return;
        }
    }
}

#[derive(Default)]
struct Table {
    rows: HashMap<ObjectRef, RunRow>,
    /// The jobs of runs that are over, by the run's id and when it was last written to.
    jobs: HashMap<(u64, String), Arc<Vec<Value>>>,
    /// What is wrong with single repositories while others can be read, and was said before.
    unread: Vec<String>,
    warned: Vec<String>,
    warned_low: bool,
}

impl Table {
    fn is_busy(&self) -> bool {
        self.rows.values().any(|row| !row.phase.is_over())
    }

    /// Reads all repositories; fails only when none can be read.
    async fn look(&mut self, session: &Session) -> Result<Batch<RunRow>, Fault> {
        let repositories = session.github.repositories(session).await?;
        self.unread.clear();
        let mut found = HashMap::new();
        let mut first_fault = None;
        let mut budget = JOBS;
        for repository in &repositories {
            match self.runs_of(session, repository, &mut budget).await {
                Ok(rows) => found.extend(rows.into_iter().map(|row| (row.object.clone(), row))),
                Err(fault) if fault.passes() => return Err(fault),
                Err(fault) => {
                    self.unread.push(fault.to_string());
                    first_fault.get_or_insert(fault);
                }
            }
        }
        match first_fault {
            Some(fault) if self.unread.len() == repositories.len() => Err(fault),
            _ => Ok(self.changed(found)),
        }
    }

    async fn runs_of(
        &mut self,
        session: &Session,
        repository: &str,
        budget: &mut usize,
    ) -> Result<Vec<RunRow>, Fault> {
        let path = format!("/repos/{repository}/actions/runs?per_page={RUNS}");
        let list = get(session, &path).await?;
        let mut rows = Vec::new();
        for run in list
            .get("workflow_runs")
            .and_then(Value::as_array)
            .into_iter()
            .flatten()
        {
            let jobs = self.jobs_of(session, (repository, run), budget).await;
            let jobs = jobs.as_ref().map(|jobs| jobs.as_slice());
            rows.push(run_row(run, jobs, &session.cluster, repository));
        }
        Ok(rows)
    }

    async fn jobs_of(
        &mut self,
        session: &Session,
        (repository, run): (&str, &Value),
        budget: &mut usize,
    ) -> Option<Arc<Vec<Value>>> {
        let id = run.get("id")?.as_u64()?;
        let written = run.get("updated_at")?.as_str()?.to_owned();
        let key = (id, written);
        if let Some(known) = self.jobs.get(&key) {
            return Some(Arc::clone(known));
        }
        let is_over = run.get("status")?.as_str()? == "completed";
        if is_over {
            *budget = budget.checked_sub(1)?;
        }
        let path = format!("/repos/{repository}/actions/runs/{id}/jobs");
        let jobs = Arc::new(pages(session, &path, "jobs").await.ok()?);
        if is_over {
            self.jobs.retain(|(other, _), _| *other != id);
            self.jobs.insert(key, Arc::clone(&jobs));
        }
        Some(jobs)
    }

    /// Returns what is different from the look before.
    fn changed(&mut self, found: HashMap<ObjectRef, RunRow>) -> Batch<RunRow> {
        let gone = self
            .rows
            .iter()
            .filter(|(object, _)| !found.contains_key(*object));
        let removed = gone
            .map(|(object, row)| (object.clone(), row.uid.clone()))
            .collect();
        let new = found
            .values()
            .filter(|row| self.rows.get(&row.object) != Some(*row));
        let rows = new.cloned().collect();
        self.rows = found;
        Batch {
            reset: false,
            rows,
            removed,
        }
    }

    /// Says once what cannot be read while the rest can, and that the limit runs low.
    async fn warn(&mut self, session: &Session) {
        let low = session.github.limit_note(session).await;
        let is_news = low.is_some() && !self.warned_low;
        self.warned_low = low.is_some();
        let unread = self.unread.iter().filter(|one| !self.warned.contains(one));
        let mut sentences: Vec<Text> = unread.map(|one| one.as_str().into()).collect();
        sentences.extend(low.filter(|_| is_news));
        for sentence in sentences {
            let finding = Finding::new(Severity::Warning, sentence);
            let generation = session.generation;
            session
                .report(Update::Trouble {
                    generation,
                    finding,
                })
                .await;
        }
        self.warned.clone_from(&self.unread);
    }
}
