//! Intents on Applications: check, patch, read back.

use super::observe::Expectation;
use super::plan::{self, Asker, Patch, Refusal};
use super::{Accepted, Errand, TRIES, conflict_pause, text};
use crate::domain::finding::Finding;
use crate::domain::intent::{Cascade, Switch, Verb};
use crate::domain::node::Node;
use crate::domain::object::GroupKind;
use crate::domain::window::{self, Decision, Subject};
use crate::engine::fault::Fault;
use crate::engine::transport::{Call, JSON, JSON_PATCH, MERGE_PATCH};
use http::Method;
use serde_json::{Value, json};

impl Errand {
    /// Patches the Application as the intent asks, checking its preconditions each time.
    pub(super) async fn change_application(&self) -> Result<Accepted, Finding> {
        let asker = self.asker();
        for attempt in 0..TRIES {
            let live = self.target().await?;
            self.check_windows(&live).await?;
            let patch = self
                .plan(&live, &asker)
                .map_err(|refusal| self.refused(&refusal))?;
            let answer = match &patch {
                Patch::Merge(body) => self.patch("", MERGE_PATCH, body).await?,
                Patch::Json(body) => self.patch("", JSON_PATCH, body).await?,
            };
            match answer {
                Ok(written) => return self.accept(&live, &written, &asker),
                Err(Fault::Conflict(_)) => conflict_pause(attempt).await,
                Err(fault @ Fault::Unreachable(_)) => {
                    return self.find_out(fault, &live, &asker).await;
                }
                Err(fault) => return Err(self.explain(fault)),
            }
        }
        Err(self.refuse(
            "it keeps changing while it is being written",
            "try again in a moment",
        ))
    }

    /// Refuses a sync that a sync window of the project would hold back.
    ///
    /// A project that cannot be read holds nothing back here: the controller decides in the end.
    async fn check_windows(&self, live: &Value) -> Result<(), Finding> {
        if !matches!(self.intent.verb, Verb::Sync(_)) {
            return Ok(());
        }
        let project = match text(live, &["spec", "project"]) {
            "" => "default",
            project => project,
        };
        let namespace = match text(live, &["status", "controllerNamespace"]) {
            "" => self.session.options.argocd_namespace.as_str(),
            namespace => namespace,
        };
        let kind = GroupKind::new(crate::domain::kind::ARGO, "AppProject");
        let project = self.session.object_ref(kind, namespace, project);
        let Ok(project) = self.session.object(&project).await else {
            return Ok(());
        };
        let destination = |field| text(live, &["spec", "destination", field]);
        let subject = Subject {
            application: text(live, &["metadata", "name"]),
            namespace: destination("namespace"),
            server: destination("server"),
            cluster: destination("name"),
        };
        let (windows, _unreadable) = window::matching(&project, &subject);
        if window::decide(&windows, true, self.session.now()) == Decision::Blocked {
            return Err(self.refuse(
                "a sync window of its project does not allow a manual sync now",
                "wait for the window, or allow `manualSync` in it",
            ));
        }
        Ok(())
    }

    fn refused(&self, refusal: &Refusal) -> Finding {
        self.refuse(&refusal.reason, refusal.hint)
    }

    /// Names the user and this one request.
    fn asker(&self) -> Asker {
        let options = &self.session.options;
        let context = &self.session.context;
        let named = options.username.as_deref().filter(|name| !name.is_empty());
        let username = named.unwrap_or(&context.user).to_owned();
        let stamp = self.session.now().timestamp_micros();
        Asker {
            request: format!("tiphys-{stamp}-{}", self.id.0),
            username: if username.is_empty() {
                String::from("tiphys")
            } else {
                username
            },
        }
    }

    fn plan(&self, live: &Value, asker: &Asker) -> Result<Patch, Refusal> {
        let now = self.session.now();
        let has_enabled = self.session.facts.borrow().automated_enabled;
        match &self.intent.verb {
            Verb::Refresh(kind) => plan::refresh(live, *kind),
            Verb::Sync(request) => plan::sync(live, request, asker, now),
            Verb::Terminate => plan::terminate(live),
            Verb::Rollback {
                history_id,
                prune,
                dry_run,
            } => plan::rollback(live, (*history_id, *prune, *dry_run), asker, now),
            Verb::Switch { switch, on } => plan::switch(live, *switch, *on, has_enabled),
            Verb::ConfirmDeletion => Ok(plan::confirm(now)),
            Verb::DeleteApplication(_)
            | Verb::Restart
            | Verb::Scale { .. }
            | Verb::Delete { .. }
            | Verb::Replace { .. }
            | Verb::Promote
            | Verb::PromoteFull
            | Verb::Abort
            | Verb::Retry
            | Verb::Pause
            | Verb::Resume
            | Verb::RestartRollout
            | Verb::Undo { .. }
            | Verb::SetImage { .. }
            | Verb::TerminateAnalysis
            | Verb::Silence(_)
            | Verb::ExpireSilence
            | Verb::Run(_)
            | Verb::Image(_) => Err(Refusal {
                reason: String::from("it is not a change of an Application"),
                hint: "",
            }),
        }
    }

    fn accept(&self, live: &Value, written: &Value, asker: &Asker) -> Result<Accepted, Finding> {
        if self.dry_run {
            return Ok(Accepted::dry(
                "the server would take it; nothing was changed",
            ));
        }
        Ok(match &self.intent.verb {
            Verb::Refresh(_) => {
                Accepted::waiting("the refresh is asked for", Expectation::Refreshed)
            }
            Verb::Sync(request) => {
                let dry = if request.dry_run { "dry run" } else { "sync" };
                Accepted::waiting(
                    format!("the {dry} is queued"),
                    Expectation::Operation(asker.request.clone()),
                )
            }
            Verb::Rollback { history_id, .. } => Accepted::waiting(
                format!("the rollback to {history_id} is queued; it will be OutOfSync after it"),
                Expectation::Operation(asker.request.clone()),
            ),
            Verb::Terminate => {
                Accepted::waiting("the operation is to stop", Expectation::Terminated)
            }
            Verb::ConfirmDeletion => {
                Accepted::waiting("deletions are approved", Expectation::Approved)
            }
            Verb::Switch { switch, on } => self.accept_switch(live, written, (*switch, *on))?,
            Verb::DeleteApplication(_)
            | Verb::Restart
            | Verb::Scale { .. }
            | Verb::Delete { .. }
            | Verb::Replace { .. }
            | Verb::Promote
            | Verb::PromoteFull
            | Verb::Abort
            | Verb::Retry
            | Verb::Pause
            | Verb::Resume
            | Verb::RestartRollout
            | Verb::Undo { .. }
            | Verb::SetImage { .. }
            | Verb::TerminateAnalysis
            | Verb::Silence(_)
            | Verb::ExpireSilence
            | Verb::Run(_)
            | Verb::Image(_) => Accepted::dry("done"),
        })
    }

    /// Reads back: an API server drops fields that its CRD does not know, without a word.
    fn accept_switch(
        &self,
        live: &Value,
        written: &Value,
        (switch, on): (Switch, bool),
    ) -> Result<Accepted, Finding> {
        if !plan::switch_is(written, switch, on) {
            return Err(self.refuse(
                "the server took the change and dropped it: its CRD does not know the field",
                "reconnect, so that the version of Argo CD is detected again",
            ));
        }
        let owned = owner_set(live).map_or(String::new(), |set| {
            format!("; the ApplicationSet `{set}` may set it back")
        });
        let word = if on { "on" } else { "off" };
        Ok(Accepted::waiting(
            format!("{} is {word}{owned}", self.intent.verb.id()),
            Expectation::Switched(switch, on),
        ))
    }

    /// The answer got lost: reads whether the request arrived. It is not sent again.
    async fn find_out(
        &self,
        fault: Fault,
        before: &Value,
        asker: &Asker,
    ) -> Result<Accepted, Finding> {
        let unknown = |fault: Fault| {
            let mut finding = self.explain(fault);
            finding.hint = Some(
                "it is not known whether the server carried it out; look at the object before \
                 you repeat it"
                    .into(),
            );
            finding
        };
        let Ok(live) = self.target().await else {
            return Err(unknown(fault));
        };
        let ours = live.to_string().contains(&asker.request);
        let version = |object: &Value| text(object, &["metadata", "resourceVersion"]).to_owned();
        let untouched = version(&live) == version(before);
        if ours {
            self.accept(before, &live, asker)
        } else if untouched {
            Err(self.refuse(format!("the request did not arrive ({fault})"), "try again"))
        } else {
            Err(unknown(fault))
        }
    }

    /// Sets the finalizers for the wished cascade, then deletes exactly that object.
    pub(super) async fn delete_application(&self, cascade: Cascade) -> Result<Accepted, Finding> {
        for attempt in 0..TRIES {
            let live = self.target().await?;
            let patch = plan::finalizers(&live, cascade);
            let patch = patch.map_err(|refusal| self.refused(&refusal))?;
            let current = match &patch {
                None => Ok(live),
                Some(Patch::Merge(body) | Patch::Json(body)) => {
                    self.patch("", MERGE_PATCH, body).await?
                }
            };
            let result = match current {
                Ok(current) => self.delete_exactly(&current).await?,
                Err(fault) => Err(fault),
            };
            match result {
                Ok(()) if self.dry_run => {
                    return Ok(Accepted::dry(
                        "the server would delete it; nothing was changed",
                    ));
                }
                Ok(()) => {
                    return Ok(Accepted::waiting(
                        "the deletion has begun",
                        Expectation::Gone,
                    ));
                }
                Err(Fault::Conflict(_)) => conflict_pause(attempt).await,
                Err(fault) => return Err(self.explain(fault)),
            }
        }
        Err(self.refuse(
            "it keeps changing while it is being deleted",
            "try again in a moment",
        ))
    }

    async fn delete_exactly(&self, live: &Value) -> Result<Result<(), Fault>, Finding> {
        let mut preconditions = json!({ "uid": text(live, &["metadata", "uid"]) });
        if !self.dry_run {
            preconditions["resourceVersion"] = text(live, &["metadata", "resourceVersion"]).into();
        }
        let options = json!({
            "apiVersion": "v1",
            "kind": "DeleteOptions",
            "preconditions": preconditions,
        });
        let call = Call::new(Method::DELETE, self.path("").await?).body(JSON, &options);
        Ok(self.session.send(call).await.map(drop))
    }
}

fn owner_set(live: &Value) -> Option<&str> {
    let owners = live.at(&["metadata", "ownerReferences"])?.items();
    let set = owners
        .iter()
        .find(|owner| text(owner, &["kind"]) == "ApplicationSet")?;
    set.member("name")?.text()
}
