//! Carries out intents: re-validates, asks the server, reads back, and waits for the effect.
//!
//! Nothing is sent twice after a network error: the object is read instead, to find out whether
//! the first request arrived. A 409 is different: the server refused, so the preconditions are
//! checked again and the request is made anew, a few times. Read-only mode ends here.

mod application;
mod commit;
mod observe;
mod plan;
mod registry;
mod rollout;
mod run;
mod silence;
mod steer;
mod workload;

use super::fault::Fault;
use super::protocol::Update;
use super::session::Session;
use super::transport::Call;
use crate::domain::finding::{Finding, Severity};
use crate::domain::intent::{Intent, IntentId, Stage, Verb};
use crate::domain::node::Node;
use crate::domain::object::{ObjectRef, Text, Uid};
use http::Method;
use observe::Expectation;
use serde_json::Value;
use std::sync::Arc;
use std::time::Duration;

/// How often a request is made anew after a conflict.
const TRIES: u32 = 5;

/// What the server took, and what is to be seen of it.
struct Accepted {
    detail: String,
    /// Absent for dry runs, and for what was seen already.
    expects: Option<Expectation>,
    /// What was read back where no watch can show it.
    seen: Option<String>,
    /// The object that shows the effect, when it is not the target: what was made.
    of: Option<ObjectRef>,
}

impl Accepted {
    fn dry(detail: impl Into<String>) -> Self {
        Self {
            detail: detail.into(),
            expects: None,
            seen: None,
            of: None,
        }
    }

    fn seen(detail: impl Into<String>, seen: String) -> Self {
        Self {
            detail: detail.into(),
            expects: None,
            seen: Some(seen),
            of: None,
        }
    }

    fn waiting(detail: impl Into<String>, expects: Expectation) -> Self {
        Self {
            detail: detail.into(),
            expects: Some(expects),
            seen: None,
            of: None,
        }
    }
}

/// One intent on its way.
pub(super) struct Errand {
    session: Arc<Session>,
    id: IntentId,
    intent: Intent,
    dry_run: bool,
}

/// Carries an intent out and reports every stage of it.
pub(super) async fn run(session: Arc<Session>, id: IntentId, intent: Intent, dry_run: bool) {
    let errand = Errand {
        session,
        id,
        intent,
        dry_run,
    };
    errand.report(Stage::Requested).await;
    let accepted = match errand.carry_out().await {
        Ok(accepted) => accepted,
        Err(finding) => return errand.fail(finding).await,
    };
    let looked_at = errand.looked_at(&accepted);
    let detail = match &accepted.expects {
        Some(expects) => format!("{}; waiting for {}", accepted.detail, expects.what()),
        None => accepted.detail,
    };
    let detail = Text::from(detail);
    errand.report(Stage::Accepted { detail }).await;
    if let Some(seen) = accepted.seen {
        let detail = seen.into();
        errand.report(Stage::Observed { detail }).await;
    }
    if let Some(expects) = accepted.expects {
        let seen = observe::wait(&errand.session, &looked_at, expects).await;
        match seen {
            Ok(detail) => {
                let detail = detail.into();
                errand.report(Stage::Observed { detail }).await;
            }
            Err(finding) => errand.fail(finding).await,
        }
    }
}

fn refusal(sentence: impl Into<Text>, hint: &str) -> Finding {
    Finding::new(Severity::Error, sentence).with_hint(hint)
}

impl Errand {
    async fn report(&self, stage: Stage) {
        let at = self.session.now();
        let id = self.id;
        self.session.report(Update::Outcome { id, at, stage }).await;
    }

    async fn fail(&self, finding: Finding) {
        self.report(Stage::Failed {
            sentence: finding.sentence,
            hint: finding.hint,
        })
        .await;
    }

    /// Returns the beginning of every sentence about this intent: what cannot be done to what.
    fn cannot(&self) -> String {
        format!(
            "cannot {} `{}`",
            self.intent.verb.id().replace('-', " "),
            self.intent.target.path()
        )
    }

    fn refuse(&self, reason: impl std::fmt::Display, hint: &str) -> Finding {
        refusal(format!("{}: {reason}", self.cannot()), hint)
    }

    fn explain(&self, fault: Fault) -> Finding {
        fault.into_finding(&self.cannot())
    }

    async fn carry_out(&self) -> Result<Accepted, Finding> {
        if self.session.options.read_only {
            return Err(self.refuse(
                "this session is read-only",
                "start without `--readonly`, or choose a context that is not read-only",
            ));
        }
        if self.intent.target.cluster != self.session.cluster {
            return Err(self.refuse(
                format!(
                    "it belongs to `{}`, which is no longer connected",
                    self.intent.target.cluster.0
                ),
                "switch to that context and ask again",
            ));
        }
        match &self.intent.verb {
            Verb::Refresh(_)
            | Verb::Sync(_)
            | Verb::Terminate
            | Verb::Rollback { .. }
            | Verb::Switch { .. }
            | Verb::ConfirmDeletion => self.change_application().await,
            Verb::DeleteApplication(cascade) => self.delete_application(*cascade).await,
            Verb::Restart if self.restarts_a_rollout() => self.steer().await,
            Verb::Restart => self.restart().await,
            Verb::Scale { replicas } => self.scale(*replicas).await,
            Verb::Delete { .. } if super::github::has(&self.intent.target.kind) => {
                self.delete_github_run().await
            }
            Verb::Delete { propagation, force } => self.delete(*propagation, *force).await,
            Verb::Replace { manifest } => self.replace(manifest).await,
            Verb::Promote
            | Verb::PromoteFull
            | Verb::Abort
            | Verb::Retry
            | Verb::Pause
            | Verb::Resume
            | Verb::RestartRollout => self.steer().await,
            Verb::Undo { revision } => self.undo(*revision).await,
            Verb::SetImage { container, image } => self.set_image(container, image).await,
            Verb::TerminateAnalysis => self.terminate_analysis().await,
            Verb::Silence(request) => self.silence(request).await,
            Verb::ExpireSilence => self.expire_silence().await,
            Verb::Run(verb) => self.change_run(verb).await,
            Verb::Image(verb) => self.change_image(verb).await,
        }
    }

    /// Reads the target and checks that it is the one the user saw.
    async fn target(&self) -> Result<Value, Finding> {
        let object = match self.session.object(&self.intent.target).await {
            Ok(object) => object,
            Err(fault) => return Err(self.explain(fault)),
        };
        let uid = text(&object, &["metadata", "uid"]);
        match &self.intent.uid {
            Some(Uid(seen)) if &**seen != uid => Err(self.refuse(
                "it was deleted and made again since you looked at it",
                "look at the new object and ask again",
            )),
            Some(_) | None => Ok(object),
        }
    }

    /// Returns the path of the target with our name and, for a dry run, the wish for one.
    async fn path(&self, subresource: &str) -> Result<String, Finding> {
        let resource = self.session.resource(&self.intent.target.kind).await;
        let resource = resource.map_err(|fault| self.explain(fault))?;
        let object = resource.object(&self.intent.target);
        let dry = if self.dry_run { "&dryRun=All" } else { "" };
        Ok(format!("{object}{subresource}?fieldManager=tiphys{dry}"))
    }

    async fn patch(
        &self,
        subresource: &str,
        content_type: &'static str,
        body: &Value,
    ) -> Result<Result<Value, Fault>, Finding> {
        let path = self.path(subresource).await?;
        let call = Call::new(Method::PATCH, path).body(content_type, body);
        Ok(self.session.send_json(call).await)
    }
}

fn text<'v>(object: &'v Value, path: &[&str]) -> &'v str {
    object.at(path).and_then(Node::text).unwrap_or_default()
}

/// A short pause between tries after a conflict.
async fn conflict_pause(attempt: u32) {
    tokio::time::sleep(Duration::from_millis(50 << attempt.min(4))).await;
}
