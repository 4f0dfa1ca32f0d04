//! What a watch does after a fault: wait for the right thing, then go on.

use super::{Projection, Target, Watcher};
use crate::api::meta::RawListWire;
use crate::domain::kind::info_of;
use crate::domain::object::{GroupKind, Text};
use crate::domain::status::Freshness;
use crate::engine::fault::Fault;
use crate::engine::resource::Resource;
use crate::engine::session::{Session, Wake};
use crate::engine::transport::{Call, open, segment};
use std::time::Duration;

/// How often a refusal is asked about again, in case the rights have changed.
const ASK_AGAIN: Duration = Duration::from_secs(60);

impl<P: Projection> Watcher<P> {
    /// Waits for what the fault calls for. Returns whether to go on.
    pub(super) async fn recover(&mut self, fault: Fault) -> bool {
        match fault {
            Fault::Gone => true,
            Fault::Unreachable(_) | Fault::Busy(_) | Fault::Unreadable(_) => {
                self.wait_out(&fault).await
            }
            Fault::Unauthorized(reason) => {
                let reason = Text::from(reason);
                let freshness = Freshness::NeedsCredentials { reason };
                self.session.unreached(freshness.clone()).await;
                self.outlet.freshness(freshness).await;
                asked_to_retry(&self.session).await
            }
            Fault::Forbidden(reason) => self.narrow_or_wait(reason).await,
            Fault::NotFound(reason) => self.wait_for_kind(reason).await,
            Fault::Conflict(reason) | Fault::Refused(reason) => {
                self.outlet
                    .freshness(Freshness::Absent {
                        reason: reason.into(),
                    })
                    .await;
                pause(&self.session, ASK_AGAIN).await
            }
        }
    }

    async fn wait_out(&mut self, fault: &Fault) -> bool {
        let wait = self.backoff.next();
        let away = matches!(fault, Fault::Unreachable(_));
        let since = if away {
            self.session.away_since()
        } else {
            *self.lost_at.get_or_insert_with(|| self.session.now())
        };
        let stale = self.session.stale(fault, since, wait);
        if away {
            self.session.unreached(stale.clone()).await;
        }
        self.outlet.freshness(stale).await;
        pause(&self.session, wait).await
    }

    /// Cluster-wide is forbidden: one namespace may not be.
    async fn narrow_or_wait(&mut self, reason: String) -> bool {
        if self.target.may_narrow {
            self.target.may_narrow = false;
            let namespace = self.fallback_namespace().await;
            tracing::info!(%namespace, %reason, "falling back to one namespace");
            self.target.namespace = Some(Text::clone(&namespace));
            self.session
                .learn(|facts| facts.restricted_to = Some(namespace))
                .await;
            return true;
        }
        self.outlet
            .freshness(Freshness::Forbidden {
                reason: reason.into(),
            })
            .await;
        pause(&self.session, ASK_AGAIN).await
    }

    /// The context's namespace; for Argo CD's kinds its own, when those can be listed there.
    async fn fallback_namespace(&self) -> Text {
        let context = &self.session.context.namespace;
        let own = if context.is_empty() {
            "default"
        } else {
            &**context
        };
        let argocd = self.session.options.argocd_namespace.as_str();
        let candidates = if self.target.resource.kind.group.as_ref() == "argoproj.io" {
            [own, argocd]
        } else {
            [own, own]
        };
        for candidate in candidates {
            let path = self.target.resource.collection(Some(candidate));
            let probe = self
                .session
                .send(Call::get(format!("{path}?limit=1")))
                .await;
            if probe.is_ok_and(|body| has_items(&body) || candidate == argocd) {
                return candidate.into();
            }
        }
        own.into()
    }

    /// The server does not serve this path: another version of the kind, or no such kind yet.
    async fn wait_for_kind(&mut self, reason: String) -> bool {
        let kind = self.target.resource.kind.clone();
        if let Ok(kinds) = self.session.rediscovered().await
            && let Some(resource) = kinds.resource(&kind)
            && resource != self.target.resource
        {
            self.target.resource = resource;
            return true;
        }
        tracing::debug!(%kind, %reason, "kind is absent");
        let sentence = format!(
            "the cluster does not know `{}`; rows appear here as soon as it is installed",
            self.target.resource.full_name()
        );
        self.outlet
            .freshness(Freshness::Absent {
                reason: sentence.into(),
            })
            .await;
        wait_until_installed(&self.session, &self.target).await
    }
}

fn has_items(body: &[u8]) -> bool {
    serde_json::from_slice::<RawListWire<'_>>(body).is_ok_and(|list| !list.items.is_empty())
}

/// Waits, or until the user asks to try again. Returns false when the engine ends.
pub(in crate::engine) async fn pause(session: &Session, wait: Duration) -> bool {
    tokio::select! {
        () = tokio::time::sleep(wait) => true,
        going = asked_to_retry(session) => going,
    }
}

/// Waits until the user asks to try again. Returns false when the engine ends.
pub(in crate::engine) async fn asked_to_retry(session: &Session) -> bool {
    let mut wake = session.wake.clone();
    let before: Wake = *wake.borrow_and_update();
    wake.wait_for(|now| *now != before).await.is_ok()
}

/// Waits for the CRD of a kind by watching for it; where that is not allowed, asks once a minute.
async fn wait_until_installed(session: &Session, target: &Target) -> bool {
    let kind = GroupKind::new("apiextensions.k8s.io", "CustomResourceDefinition");
    let Some(crds) = info_of(&kind).map(Resource::from) else {
        return pause(session, ASK_AGAIN).await;
    };
    let name = segment(&target.resource.full_name());
    let path = format!(
        "{}?fieldSelector=metadata.name%3D{name}&watch=1&allowWatchBookmarks=true",
        crds.collection(None)
    );
    let opened = open(&session.client(), Call::get(path)).await;
    let Ok(mut lines) = opened else {
        return pause(session, ASK_AGAIN).await;
    };
    loop {
        tokio::select! {
            block = lines.next_block() => match block {
                Some(Ok(block)) => {
                    let text = String::from_utf8_lossy(block);
                    if text.contains("\"Established\"") {
                        // The path is served a moment after the condition is written.
                        return pause(session, Duration::from_millis(200)).await;
                    }
                }
                Some(Err(_)) | None => return pause(session, Duration::from_secs(5)).await,
            },
            going = asked_to_retry(session) => return going,
        }
    }
}
