//! Intents on workloads and on any other object.

use super::observe::Expectation;
use super::{Accepted, Errand, TRIES, conflict_pause, text};
use crate::api::yaml;
use crate::domain::finding::Finding;
use crate::domain::intent::Propagation;
use crate::domain::kind::info_of;
use crate::domain::node::Node;
use crate::engine::fault::Fault;
use crate::engine::fetch::MASK;
use crate::engine::transport::{Call, JSON, MERGE_PATCH};
use chrono::SecondsFormat;
use http::Method;
use serde_json::{Value, json};

const NOTHING_CHANGED: &str = "the server would take it; nothing was changed";

impl Errand {
    /// `kubectl rollout restart`: a template annotation changes, so new Pods are made.
    pub(super) async fn restart(&self) -> Result<Accepted, Finding> {
        if !info_of(&self.intent.target.kind).is_some_and(|info| info.abilities.restart) {
            return Err(self.refuse(
                "objects of this kind have no template to restart",
                "restart the Deployment, StatefulSet or DaemonSet above it",
            ));
        }
        let live = self.target().await?;
        if live.at(&["spec", "paused"]).and_then(Node::boolean) == Some(true) {
            return Err(self.refuse("its rollout is paused", "resume it first"));
        }
        let at = self
            .session
            .now()
            .to_rfc3339_opts(SecondsFormat::Secs, true);
        let body = json!({ "spec": { "template": { "metadata": { "annotations": {
            "kubectl.kubernetes.io/restartedAt": at } } } } });
        let answer = self.patch("", MERGE_PATCH, &body).await?;
        answer.map_err(|fault| self.explain(fault))?;
        if self.dry_run {
            return Ok(Accepted::dry(NOTHING_CHANGED));
        }
        Ok(Accepted::waiting(
            "the rollout has begun",
            Expectation::RolledOut,
        ))
    }

    /// Sets the replicas through the scale subresource.
    pub(super) async fn scale(&self, replicas: u32) -> Result<Accepted, Finding> {
        for attempt in 0..TRIES {
            let live = self.target().await?;
            let body = json!({
                "metadata": { "resourceVersion": text(&live, &["metadata", "resourceVersion"]) },
                "spec": { "replicas": replicas },
            });
            match self.patch("/scale", MERGE_PATCH, &body).await? {
                Ok(_) if self.dry_run => return Ok(Accepted::dry(NOTHING_CHANGED)),
                Ok(scale) => {
                    let wanted = scale.at(&["spec", "replicas"]).and_then(Node::integer);
                    if wanted != Some(i64::from(replicas)) {
                        return Err(self.refuse(
                            format!(
                                "the server answered {} replicas",
                                wanted.unwrap_or_default()
                            ),
                            "does an autoscaler own them?",
                        ));
                    }
                    return Ok(Accepted::waiting(
                        format!("{replicas} replicas are wanted"),
                        Expectation::Scaled(replicas),
                    ));
                }
                Err(Fault::Conflict(_)) => conflict_pause(attempt).await,
                Err(Fault::NotFound(_)) => {
                    return Err(self.refuse(
                        "objects of this kind cannot be scaled",
                        "scale the Deployment, StatefulSet or ReplicaSet above it",
                    ));
                }
                Err(fault) => return Err(self.explain(fault)),
            }
        }
        Err(self.refuse("it keeps changing while it is being scaled", "try again"))
    }

    /// Deletes exactly the object that was looked at.
    pub(super) async fn delete(
        &self,
        propagation: Propagation,
        force: bool,
    ) -> Result<Accepted, Finding> {
        let live = self.target().await?;
        let policy = match propagation {
            Propagation::Background => "Background",
            Propagation::Foreground => "Foreground",
            Propagation::Orphan => "Orphan",
        };
        let mut options = json!({
            "apiVersion": "v1",
            "kind": "DeleteOptions",
            "propagationPolicy": policy,
            "preconditions": { "uid": text(&live, &["metadata", "uid"]) },
        });
        if force {
            options["gracePeriodSeconds"] = 0.into();
        }
        let call = Call::new(Method::DELETE, self.path("").await?).body(JSON, &options);
        let answer = self.session.send(call).await;
        answer.map_err(|fault| self.explain(fault))?;
        if self.dry_run {
            return Ok(Accepted::dry(
                "the server would delete it; nothing was changed",
            ));
        }
        Ok(Accepted::waiting(
            "the deletion has begun",
            Expectation::Gone,
        ))
    }

    /// Replaces the object by an edited manifest, after the server has checked it.
    pub(super) async fn replace(&self, manifest: &str) -> Result<Accepted, Finding> {
        let live = self.target().await?;
        let mut wanted: Value = yaml::from_str(manifest).map_err(|error| {
            self.refuse(
                format!("the manifest cannot be read: {error}"),
                "correct it and save again; your text is kept",
            )
        })?;
        self.check_manifest(&live, &wanted)?;
        if text(&wanted, &["metadata", "resourceVersion"]).is_empty() {
            wanted["metadata"]["resourceVersion"] =
                text(&live, &["metadata", "resourceVersion"]).into();
        }
        let path = self.path("").await?;
        let put = |suffix: &str| {
            let path = format!("{path}&fieldValidation=Strict{suffix}");
            Call::new(Method::PUT, path).body(JSON, &wanted)
        };
        if !self.dry_run {
            let checked = self.session.send(put("&dryRun=All")).await;
            checked.map_err(|fault| self.explain(fault))?;
        }
        let written = self.session.send_json(put("")).await;
        let written = written.map_err(|fault| self.explain(fault))?;
        if self.dry_run {
            return Ok(Accepted::dry(NOTHING_CHANGED));
        }
        let before = text(&live, &["metadata", "resourceVersion"]);
        if text(&written, &["metadata", "resourceVersion"]) == before {
            return Ok(Accepted::dry("nothing in it was changed"));
        }
        Ok(Accepted::waiting(
            "the server took the new manifest",
            Expectation::Written(before.to_owned()),
        ))
    }

    fn check_manifest(&self, live: &Value, wanted: &Value) -> Result<(), Finding> {
        for path in [
            &["kind"][..],
            &["metadata", "name"],
            &["metadata", "namespace"],
        ] {
            let (now, new) = (text(live, path), text(wanted, path));
            if now != new {
                return Err(self.refuse(
                    format!(
                        "`{}` is `{new}` in the manifest, and `{now}` in the cluster",
                        path.join(".")
                    ),
                    "an edit cannot make another object; delete and create instead",
                ));
            }
        }
        let uid = text(wanted, &["metadata", "uid"]);
        if !uid.is_empty() && uid != text(live, &["metadata", "uid"]) {
            return Err(self.refuse(
                "it was deleted and made again since the manifest was read",
                "edit the new object",
            ));
        }
        if text(live, &["kind"]) == "Secret" && wanted.to_string().contains(MASK) {
            return Err(self.refuse(
                "the manifest holds masked values, which would replace the real ones",
                "reveal the Secret before you edit it",
            ));
        }
        Ok(())
    }
}
