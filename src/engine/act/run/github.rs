//! Intents on runs of GitHub Actions: cancel, run again (all jobs, or those that failed), delete.
//!
//! `docs.github.com/en/rest/actions/workflow-runs`. GitHub runs again in place: the run keeps its
//! id and its attempt counts up. It has neither dry runs nor versions, so what was looked at is
//! checked right before.

use super::{Accepted, Errand, Expectation};
use crate::api::convert::actions::run_kind;
use crate::domain::finding::Finding;
use crate::domain::node::Node;
use crate::domain::pipeline::{CancelWay, RunVerb};
use crate::engine::github;
use http::Method;
use serde_json::Value;

impl Errand {
    /// Carries out what is asked of a run of Actions.
    pub(super) async fn change_github_run(&self, verb: &RunVerb) -> Result<Accepted, Finding> {
        let live = self.target().await?;
        let row = self.row(&live);
        let over = row.phase.is_over();
        match verb {
            RunVerb::Cancel(CancelWay::Now) => {
                self.must_go_on(&row)?;
                let expects = Expectation::Run(verb.clone());
                self.post("cancel", "GitHub ends its jobs", expects).await
            }
            RunVerb::Cancel(_) => Err(self.refuse(
                "a run of Actions has no final tasks",
                "cancel it at once: how=now",
            )),
            RunVerb::Resubmit | RunVerb::Retry if !over => {
                Err(self.refuse("it still runs", "cancel it first, or wait"))
            }
            RunVerb::Retry if !row.phase.is_bad() => Err(self.refuse(
                format!("it is {}; there is no failed job", row.status_words()),
                "rerun it as a whole",
            )),
            RunVerb::Resubmit => self.post("rerun", "all jobs run again", again(&live)).await,
            RunVerb::Retry => {
                let what = "failed jobs run again, and those that need them";
                self.post("rerun-failed-jobs", what, again(&live)).await
            }
            RunVerb::Submit { .. }
            | RunVerb::Suspend
            | RunVerb::Resume { .. }
            | RunVerb::Stop
            | RunVerb::Terminate
            | RunVerb::SuspendCron { .. }
            | RunVerb::TriggerCron
            | RunVerb::TestEvent { .. }
            | RunVerb::Replay { .. } => Err(self.refuse(
                "GitHub Actions knows no such thing",
                "its runs are cancelled, rerun, retried and deleted",
            )),
        }
    }

    /// Deletes a run of Actions with its logs.
    pub(in crate::engine::act) async fn delete_github_run(&self) -> Result<Accepted, Finding> {
        if self.intent.target.kind != run_kind() {
            return Err(self.refuse("a job goes with its run", "delete the run"));
        }
        let _live = self.target().await?;
        self.tell(
            Method::DELETE,
            "",
            "the run and its logs are deleted",
            Expectation::Gone,
        )
        .await
    }

    async fn post(
        &self,
        what: &str,
        words: &str,
        expects: Expectation,
    ) -> Result<Accepted, Finding> {
        self.tell(Method::POST, &format!("/{what}"), words, expects)
            .await
    }

    async fn tell(
        &self,
        method: Method,
        tail: &str,
        words: &str,
        expects: Expectation,
    ) -> Result<Accepted, Finding> {
        if self.dry_run {
            return Ok(Accepted::dry("GitHub has no dry run; nothing was sent"));
        }
        let path = github::path_of(&self.intent.target).map_err(|fault| self.explain(fault))?;
        let asked = github::ask(&self.session, method, &format!("{path}{tail}"), None).await;
        asked.map_err(|fault| self.explain(fault))?;
        Ok(Accepted::waiting(words, expects))
    }
}

/// The attempt after this one.
fn again(live: &Value) -> Expectation {
    let attempt = live.at(&["run_attempt"]).and_then(Node::integer);
    Expectation::Attempt(attempt.unwrap_or(1) + 1)
}
