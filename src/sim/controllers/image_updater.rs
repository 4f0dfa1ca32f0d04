//! Argo CD Image Updater: follows images of Applications in registries and writes new tags back.
//!
//! By ImageUpdater objects as upstream 1.x has it, with images named in them or in annotations of the
//! Applications. It looks at an interval, after a change of an object's spec, and when a registry's
//! webhook calls. What tag is used decides [`crate::domain::image_update`].

mod registries;
mod status;
mod webhook;
mod write;

use super::runtime::{Controller, Informer, ObjectKey, ReconcileError, Requeue, Runtime, Writer};
use crate::api::convert::image_updater::{
    application_refs, image_updater_kind, rules_for, running, source_tool,
};
use crate::domain::clock::Clock as _;
use crate::domain::image_update::{
    ApplicationRef, ImageRule, Method, Verdict, WriteBack, Written, choose,
};
use crate::sim::clock::PlatformClock;
use crate::sim::git::GitServer;
use crate::sim::network::Network;
use kube::api::{Api, ApiResource, DynamicObject, GroupVersionKind, ListParams};
use registries::{Registries, Settings};
use serde_json::Value;
use status::Round;
use write::Scribe;

/// The name that upstream's manifests give it.
pub const NAME: &str = "argocd-image-updater-controller";
const MANAGER: &str = "argocd-image-updater";
const VERSION: &str = "v1alpha1";

/// The controller of ImageUpdaters.
pub struct ImageUpdaters {
    updaters: Writer<DynamicObject>,
    client: kube::Client,
    registries: Registries,
    scribe: Scribe,
    clock: PlatformClock,
}

impl std::fmt::Debug for ImageUpdaters {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("ImageUpdaters").finish_non_exhaustive()
    }
}

impl ImageUpdaters {
    /// Starts the controller and its webhook receiver, the service `argocd/NAME`.
    pub fn start(runtime: &Runtime, git: &GitServer, network: &Network) {
        let updaters: Informer<DynamicObject> = runtime.informer_of(resource());
        let queue = runtime.queue();
        updaters.feed(&queue, |change| {
            // Its own status must not wake it: only another spec does.
            let generation = |object: &Option<std::sync::Arc<DynamicObject>>| {
                object.as_ref().map(|one| one.metadata.generation)
            };
            if generation(&change.old) == generation(&change.new) {
                return Vec::new();
            }
            vec![change.key()]
        });
        let all = updaters.clone();
        let woken = queue.clone();
        let router = webhook::router(move || {
            for updater in all.all() {
                woken.add(ObjectKey::of(&*updater));
            }
        });
        network.serve("argocd", NAME, router);
        let client = runtime.client().clone();
        let controller = Self {
            updaters: updaters.writer(MANAGER),
            registries: Registries::new(network.clone(), client.clone()),
            scribe: Scribe::new(client.clone(), git.clone(), runtime.clock().clone()),
            client,
            clock: runtime.clock().clone(),
        };
        runtime.run(controller, queue);
    }

    /// Returns the Applications that references are about. Those with exact names are asked for one
    /// by one, so that a large fleet is not read for a few.
    async fn applications(
        &self,
        namespace: &str,
        references: &[ApplicationRef],
    ) -> Result<Vec<Value>, ReconcileError> {
        let api = applications(&self.client, namespace);
        let failed = |source| ReconcileError::api("read Applications", source);
        let mut found = Vec::new();
        if references
            .iter()
            .any(|one| one.name_pattern.contains(['*', '?', '[', '{']))
        {
            let list = api.list(&ListParams::default()).await.map_err(failed)?;
            found = list.items;
        } else {
            for one in references {
                found.extend(api.get_opt(&one.name_pattern).await.map_err(failed)?);
            }
        }
        Ok(found
            .into_iter()
            .filter_map(|one| serde_json::to_value(one).ok())
            .collect())
    }

    /// Looks at the images of one Application and writes what is new.
    async fn look_at(&self, application: &Value, work: Work<'_>, round: &mut Round) {
        let tool = match source_tool(application, &work.write_back) {
            Ok(tool) => tool,
            Err(why) => {
                tracing::debug!(application = name_of(application), "{why}");
                return;
            }
        };
        let mut changes = Vec::new();
        for rule in &work.rules {
            match self.change_of(application, rule, &work, round).await {
                Ok(Some(change)) => changes.push((rule.clone(), change)),
                Ok(None) => {}
                Err(why) => round.fail(application, rule, &why),
            }
        }
        if changes.is_empty() {
            return;
        }
        if work.write_back.pull_request && work.write_back.method == Method::Git {
            let why = "its update is to be a pull request (`pullRequest`), and none can be opened \
                       here, so nothing is written";
            for (rule, _) in &changes {
                round.fail(application, rule, why);
            }
            return;
        }
        let written = self
            .scribe
            .write(application, tool, &work.write_back, &changes)
            .await;
        match written {
            Ok(false) => {}
            Ok(true) => {
                let changes: Vec<Written> = changes.into_iter().map(|(_, change)| change).collect();
                self.scribe.tell(application, &changes).await;
                round.updated(changes, self.clock.now());
            }
            Err(why) => {
                for (rule, _) in &changes {
                    round.fail(application, rule, &why);
                }
            }
        }
    }

    /// Returns what is to be written for an image, if anything; the error says why nobody can tell.
    async fn change_of(
        &self,
        application: &Value,
        rule: &ImageRule,
        work: &Work<'_>,
        round: &mut Round,
    ) -> Result<Option<Written>, String> {
        let current = match running(application, &rule.image) {
            Some(current) => current,
            // What does not run is left alone unless it is to be set by all means.
            None if rule.force => crate::domain::image_update::Current::default(),
            None => return Ok(None),
        };
        round.considered += 1;
        if rule.verify {
            // A signature that somebody asks for is not to be passed over in silence.
            return Err(String::from(
                "its signature is to be verified (`imagesVerification`), which is not done here, \
                 so it is left as it is",
            ));
        }
        let tags = self.registries.tags(work.settings, rule).await?;
        let decision = choose(&rule.policy, &current, &tags);
        match (decision.verdict, decision.candidate) {
            (Verdict::Update, Some(candidate)) => Ok(Some(Written {
                alias: rule.alias.clone(),
                image: rule.image.clone(),
                old: current.text().into(),
                new: candidate.text().into(),
            })),
            (Verdict::Wrong, _) => Err(decision.why.to_string()),
            (Verdict::Update | Verdict::UpToDate | Verdict::NoCandidate, _) => Ok(None),
        }
    }
}

/// What is to be done for one Application.
struct Work<'w> {
    rules: Vec<ImageRule>,
    write_back: WriteBack,
    settings: &'w Settings,
}

impl Controller for ImageUpdaters {
    type Key = ObjectKey;
    const NAME: &'static str = "image-updater";

    async fn reconcile(&self, key: &ObjectKey) -> Result<Requeue, ReconcileError> {
        let Some(updater) = self.updaters.informer().get(key) else {
            return Ok(Requeue::OnChange);
        };
        let settings = self.registries.settings(&key.namespace).await;
        let references = application_refs(&updater.data);
        let mut round = Round::default();
        for application in self.applications(&key.namespace, &references).await? {
            let Some((rules, write_back)) = rules_for(&references, &application) else {
                continue;
            };
            round.matched += 1;
            let work = Work {
                rules,
                write_back,
                settings: &settings,
            };
            self.look_at(&application, work, &mut round).await;
        }
        let old = updater.data.get("status").cloned().unwrap_or(Value::Null);
        let generation = updater.metadata.generation;
        let new = status::status(&old, &round, (generation, self.clock.now()));
        self.updaters.update_status(&updater, &old, &new).await?;
        Ok(Requeue::After(settings.interval))
    }
}

fn resource() -> ApiResource {
    let kind = image_updater_kind();
    ApiResource::from_gvk(&GroupVersionKind::gvk(&kind.group, VERSION, &kind.kind))
}

fn applications(client: &kube::Client, namespace: &str) -> Api<DynamicObject> {
    let kind = GroupVersionKind::gvk("argoproj.io", VERSION, "Application");
    Api::namespaced_with(client.clone(), namespace, &ApiResource::from_gvk(&kind))
}

fn text<'v>(value: &'v Value, pointer: &str) -> &'v str {
    value
        .pointer(pointer)
        .and_then(Value::as_str)
        .unwrap_or_default()
}

fn name_of(application: &Value) -> &str {
    text(application, "/metadata/name")
}
