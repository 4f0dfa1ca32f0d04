//! Intents on Rollouts and analyses: check, patch, read back.
//!
//! Flags are merge patches, as the kubectl plugin sends them, but with the version that was looked
//! at, so that two promotions never follow from one look. A list is rewritten with GET and PUT.

use super::observe::Expectation;
use super::steer::{self, Steering};
use super::{Accepted, Errand, TRIES, conflict_pause, text};
use crate::api::convert::replica_set::{HASH_LABEL, replica_set};
use crate::api::convert::rollout::rollout_kind;
use crate::domain::analysis::AnalysisPhase;
use crate::domain::finding::Finding;
use crate::domain::intent::Verb;
use crate::domain::kind::{ARGO, info_of};
use crate::domain::node::Node;
use crate::domain::object::{GroupKind, ObjectRef};
use crate::engine::facts::items;
use crate::engine::fault::Fault;
use crate::engine::git;
use crate::engine::transport::{Call, JSON, JSON_PATCH, MERGE_PATCH};
use http::Method;
use serde_json::{Value, json};

const NOTHING_CHANGED: &str = "the server would take it; nothing was changed";
const BUSY: &str = "it keeps changing while it is being written";

impl Errand {
    fn must_be_a_rollout(&self) -> Result<(), Finding> {
        if self.intent.target.kind == rollout_kind() {
            return Ok(());
        }
        Err(self.refuse(
            format!("it is a {}, not a Rollout", self.intent.target.kind.kind),
            "choose a Rollout",
        ))
    }

    /// Sets flags of the status and the spec.
    pub(super) async fn steer(&self) -> Result<Accepted, Finding> {
        self.must_be_a_rollout()?;
        let _alone = self.alone().await?;
        let mut first_step = None;
        for attempt in 0..TRIES {
            let live = self.target().await?;
            let before = steer::row(&live);
            if *first_step.get_or_insert(before.step_index) != before.step_index {
                return Err(self.refuse(
                    "it moved to another step meanwhile",
                    "look at it again, then decide",
                ));
            }
            let steering = steer::steer(&live, &self.intent.verb, self.session.now());
            let steering = steering.unwrap_or_else(|| Ok(Steering::default()));
            let steering =
                steering.map_err(|refusal| self.refuse(&refusal.reason, refusal.hint))?;
            match self.send(&live, &steering).await? {
                Ok(()) => return self.steered(&live, steering).await,
                Err(Fault::Conflict(_)) => conflict_pause(attempt).await,
                Err(fault) => return Err(self.explain(fault)),
            }
        }
        Err(self.refuse(BUSY, "try again in a moment"))
    }

    /// One intent at a time for one Rollout: what the second would do was seen before the first.
    async fn alone(&self) -> Result<Alone, Finding> {
        let target = self.intent.target.clone();
        let is_new = self.session.in_flight.lock().await.insert(target.clone());
        if !is_new {
            return Err(self.refuse(
                "another intent on it has not been answered yet",
                "wait until the ledger shows what became of it",
            ));
        }
        Ok(Alone {
            target,
            session: std::sync::Arc::clone(&self.session),
        })
    }

    /// Sends the status first, then the spec; each only if the object is as it was looked at.
    async fn send(&self, live: &Value, steering: &Steering) -> Result<Result<(), Fault>, Finding> {
        let mut version = text(live, &["metadata", "resourceVersion"]).to_owned();
        let parts = [("/status", &steering.status), ("", &steering.spec)];
        for (subresource, patch) in parts {
            let Some(patch) = patch else { continue };
            let mut body = patch.clone();
            body["metadata"] = json!({ "resourceVersion": version });
            match self.patch(subresource, MERGE_PATCH, &body).await? {
                Ok(written) if !self.dry_run => {
                    text(&written, &["metadata", "resourceVersion"]).clone_into(&mut version);
                }
                Ok(_dry) => {}
                Err(fault) => return Ok(Err(fault)),
            }
        }
        Ok(Ok(()))
    }

    async fn steered(&self, live: &Value, steering: Steering) -> Result<Accepted, Finding> {
        if self.dry_run {
            return Ok(Accepted::dry(format!(
                "{}; {NOTHING_CHANGED}",
                steering.what
            )));
        }
        let warning = if steering.spec.is_some() {
            self.will_be_reverted(live).await
        } else {
            String::new()
        };
        let expects = Expectation::Steered(self.intent.verb.clone(), Box::new(steer::row(live)));
        Ok(Accepted::waiting(
            format!("{}{warning}", steering.what),
            expects,
        ))
    }

    /// Says whether Argo CD will put the spec back.
    async fn will_be_reverted(&self, live: &Value) -> String {
        match git::keeper(&self.session, &self.intent.target, live).await {
            Some(keeper) if keeper.self_heal => format!(
                "; self-heal of `{}` will set it back",
                keeper.application.path()
            ),
            Some(keeper) => format!("; `{}` becomes OutOfSync", keeper.application.path()),
            None => String::new(),
        }
    }

    /// Changes an image by GET and PUT.
    pub(super) async fn set_image(
        &self,
        container: &str,
        image: &str,
    ) -> Result<Accepted, Finding> {
        let is_rollout = self.intent.target.kind == rollout_kind();
        if !is_rollout
            && !info_of(&self.intent.target.kind).is_some_and(|one| one.abilities.restart)
        {
            return Err(self.refuse(
                format!("a {} has no template", self.intent.target.kind.kind),
                "choose a Rollout, a Deployment, a StatefulSet or a DaemonSet",
            ));
        }
        let _alone = self.alone().await?;
        let rollout = self.target().await?;
        let place = if is_rollout {
            self.template_place(&rollout)
        } else {
            self.intent.target.clone()
        };
        for attempt in 0..TRIES {
            let mut live = self.read(&place).await?;
            let image = git::whole(&live, container, image);
            let image = image.map_err(|why| self.no_commit(&why))?;
            steer::set_image(&mut live, container, &image)
                .map_err(|refusal| self.refuse(&refusal.reason, refusal.hint))?;
            let path = self.path_of(&place).await?;
            let put = Call::new(Method::PUT, path).body(JSON, &live);
            match self.session.send_json(put).await {
                Ok(_) => {
                    let what = format!("`{container}` gets `{image}`{}", elsewhere(&place));
                    return self.changed(&rollout, what).await;
                }
                Err(Fault::Conflict(_)) => conflict_pause(attempt).await,
                Err(fault) => return Err(self.explain(fault)),
            }
        }
        Err(self.refuse(BUSY, "try again in a moment"))
    }

    async fn changed(&self, rollout: &Value, what: String) -> Result<Accepted, Finding> {
        if self.dry_run {
            return Ok(Accepted::dry(format!("{what}; {NOTHING_CHANGED}")));
        }
        let warning = self.will_be_reverted(rollout).await;
        let expects = if self.intent.target.kind == rollout_kind() {
            let before = Box::new(steer::row(rollout));
            Expectation::Steered(self.intent.verb.clone(), before)
        } else {
            Expectation::RolledOut
        };
        Ok(Accepted::waiting(format!("{what}{warning}"), expects))
    }

    /// Writes the template of an earlier revision back.
    pub(super) async fn undo(&self, revision: Option<i64>) -> Result<Accepted, Finding> {
        self.must_be_a_rollout()?;
        let _alone = self.alone().await?;
        let rollout = self.target().await?;
        let sets = self.own_replica_sets(&rollout).await?;
        let (number, template) = self.revision_in(&sets, revision)?;
        let place = self.template_place(&rollout);
        let live = self.read(&place).await?;
        let now = live.at(&["spec", "template"]).cloned().unwrap_or_default();
        if steer::without_hash(&now) == template {
            return Err(self.refuse(
                format!("its template is that of revision {number} already"),
                "choose another revision",
            ));
        }
        let patch = json!([{ "op": "replace", "path": "/spec/template", "value": template }]);
        let path = self.path_of(&place).await?;
        let call = Call::new(Method::PATCH, path).body(JSON_PATCH, &patch);
        let answer = self.session.send_json(call).await;
        answer.map_err(|fault| self.explain(fault))?;
        let what = format!("revision {number} is written back{}", elsewhere(&place));
        self.changed(&rollout, what).await
    }

    /// Returns number and template of the ReplicaSets that the Rollout owns, newest first.
    async fn own_replica_sets(&self, rollout: &Value) -> Result<Vec<(i64, Value)>, Finding> {
        let kind = GroupKind::new("apps", "ReplicaSet");
        let resource = self.session.resource(&kind).await;
        let resource = resource.map_err(|fault| self.explain(fault))?;
        let collection = resource.collection(self.intent.target.namespace.as_deref());
        let call = Call::get(format!("{collection}?labelSelector={HASH_LABEL}"));
        let list = self.session.send_json(call).await;
        let list = list.map_err(|fault| self.explain(fault))?;
        let uid = text(rollout, &["metadata", "uid"]);
        let mut sets: Vec<(i64, Value)> = items(&list, &["items"])
            .iter()
            .filter_map(|value| {
                let set = replica_set(value, &self.session.cluster);
                let is_ours = set.owner.as_ref().is_some_and(|owner| &*owner.0 == uid);
                let template = value.at(&["spec", "template"])?;
                is_ours.then(|| (set.view.revision, steer::without_hash(template)))
            })
            .collect();
        sets.sort_by_key(|(number, _)| std::cmp::Reverse(*number));
        sets.dedup_by_key(|(number, _)| *number);
        Ok(sets)
    }

    fn revision_in(
        &self,
        sets: &[(i64, Value)],
        wanted: Option<i64>,
    ) -> Result<(i64, Value), Finding> {
        let found = match wanted {
            Some(number) => sets.iter().find(|(known, _)| *known == number),
            None => sets.get(1),
        };
        found.cloned().ok_or_else(|| {
            let known: Vec<String> = sets.iter().map(|(number, _)| number.to_string()).collect();
            let reason = match wanted {
                Some(number) => format!("there is no revision {number}"),
                None => String::from("there is no earlier revision"),
            };
            let mut finding = self.refuse(reason, "");
            finding.hint = Some(format!("its revisions are {}", known.join(", ")).into());
            finding
        })
    }

    /// Where the template is: in the Rollout, or in the workload that it refers to.
    fn template_place(&self, rollout: &Value) -> ObjectRef {
        let row = steer::row(rollout);
        match row.workload {
            Some(workload) => ObjectRef {
                cluster: self.intent.target.cluster.clone(),
                ..workload
            },
            None => self.intent.target.clone(),
        }
    }

    async fn read(&self, place: &ObjectRef) -> Result<Value, Finding> {
        if *place == self.intent.target {
            return self.target().await;
        }
        let read = self.session.object(place).await;
        read.map_err(|fault| self.explain(fault))
    }

    async fn path_of(&self, place: &ObjectRef) -> Result<String, Finding> {
        let resource = self.session.resource(&place.kind).await;
        let resource = resource.map_err(|fault| self.explain(fault))?;
        let dry = if self.dry_run { "&dryRun=All" } else { "" };
        Ok(format!(
            "{}?fieldManager=tiphys{dry}",
            resource.object(place)
        ))
    }

    /// Ends an AnalysisRun or an Experiment.
    pub(super) async fn terminate_analysis(&self) -> Result<Accepted, Finding> {
        let kind = &self.intent.target.kind;
        if !kind.is(ARGO, "AnalysisRun") && !kind.is(ARGO, "Experiment") {
            return Err(self.refuse(
                format!("it is a {}", kind.kind),
                "choose an AnalysisRun or an Experiment",
            ));
        }
        let live = self.target().await?;
        let word = text(&live, &["status", "phase"]);
        if AnalysisPhase::from_word(word).is_some_and(AnalysisPhase::is_over) {
            return Err(self.refuse(format!("it is {word} already"), "nothing has to be ended"));
        }
        let body = json!({ "spec": { "terminate": true } });
        let answer = self.patch("", MERGE_PATCH, &body).await?;
        answer.map_err(|fault| self.explain(fault))?;
        if self.dry_run {
            return Ok(Accepted::dry(NOTHING_CHANGED));
        }
        Ok(Accepted::waiting("it is to end", Expectation::AnalysisOver))
    }

    /// Returns whether the intent restarts a Rollout, which has its own way to do so.
    pub(super) fn restarts_a_rollout(&self) -> bool {
        self.intent.verb == Verb::Restart && self.intent.target.kind == rollout_kind()
    }
}

fn elsewhere(place: &ObjectRef) -> String {
    if place.kind == rollout_kind() {
        String::new()
    } else {
        format!(" in {place}")
    }
}

/// Holds a Rollout for one intent until its request is answered.
struct Alone {
    target: ObjectRef,
    session: std::sync::Arc<crate::engine::session::Session>,
}

impl Drop for Alone {
    fn drop(&mut self) {
        let session = std::sync::Arc::clone(&self.session);
        let target = self.target.clone();
        drop(tokio::spawn(async move {
            session.in_flight.lock().await.remove(&target);
        }));
    }
}
