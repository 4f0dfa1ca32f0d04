//! What happens by itself: pushes reach Argo CD, people sync, things go wrong on time.

use super::{GIT_URL, objects};
use crate::domain::globs;
use crate::sim::clock::PlatformClock;
use crate::sim::git::{GitServer, NewCommit, Push};
use crate::sim::harbor::Harbor;
use crate::sim::network::Network;
use crate::sim::scenario::{Fault, FaultEffect, ObjectName, Scenario, SeedSync, WebhookShape};
use crate::sim::webhook::smee::{self, SmeeShape};
use crate::sim::webhook::{self, Form};
use axum::Router;
use axum::body::Body;
use chrono::{DateTime, TimeDelta, Utc};
use kube::Client;
use kube::api::{Api, DeleteParams, DynamicObject, Patch, PatchParams};
use kube::runtime::wait::await_condition;
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::time::Duration;
use tokio::sync::broadcast::error::RecvError;
use tokio_util::sync::CancellationToken;
use tower::ServiceExt as _;

/// A sync that takes longer than this in platform time does not hold up the next one.
const SYNC_PATIENCE: Duration = Duration::from_secs(60);

/// Who is told of pushes.
pub(super) struct Deliveries {
    /// Argo CD's webhook receiver.
    pub(super) receiver: Router,
    pub(super) hooks: Vec<WebhookShape>,
    /// Reaches the hooks of the scenario.
    pub(super) network: Option<Network>,
    /// Signs what no secret was given for.
    pub(super) secret: String,
}

impl Deliveries {
    async fn tell(&self, git: &GitServer, push: &Push) {
        let to_argo = (Form::Gitea, "/api/webhook", self.secret.as_str());
        for request in webhook::requests_for(git, push, GIT_URL, to_argo) {
            match self.receiver.clone().oneshot(request.map(Body::from)).await {
                Ok(answer) if answer.status().is_success() => {}
                Ok(answer) => {
                    tracing::warn!(status = %answer.status(), "a push event was refused");
                }
                Err(never) => match never {},
            }
        }
        let Some(network) = &self.network else { return };
        let wanted = |hook: &&WebhookShape| globs::matches(&hook.repository, &push.repository);
        for hook in self.hooks.iter().filter(wanted) {
            let secret = hook.secret.as_deref().unwrap_or(&self.secret);
            let to = (hook.form, hook.url.as_str(), secret);
            for request in webhook::requests_for(git, push, GIT_URL, to) {
                match network.send(request).await {
                    Ok(answer) if answer.status().is_success() => {}
                    Ok(answer) => {
                        let said = String::from_utf8_lossy(answer.body()).into_owned();
                        tracing::warn!(url = hook.url, status = %answer.status(), said, "a push event was refused");
                    }
                    Err(error) => {
                        tracing::warn!(url = hook.url, %error, "a push event could not be sent");
                    }
                }
            }
        }
    }
}

/// Brings what Smee channels receive to where it belongs.
pub(super) fn follow_channels(
    channels: &[SmeeShape],
    network: Option<&Network>,
    stop: &CancellationToken,
) {
    for channel in channels {
        if let Some(network) = network {
            smee::follow(channel.clone(), network.clone(), stop.clone());
        }
    }
}

/// Sends every push to those who are to be told.
pub(super) fn deliver_pushes(git: &GitServer, to: Deliveries, stop: &CancellationToken) {
    let (git, mut pushes) = (git.clone(), git.pushes());
    let deliver = async move {
        loop {
            let push = match pushes.recv().await {
                Ok(push) => push,
                Err(RecvError::Lagged(missed)) => {
                    tracing::warn!(missed, "pushes came faster than they could be delivered");
                    continue;
                }
                Err(RecvError::Closed) => return,
            };
            to.tell(&git, &push).await;
        }
    };
    spawn(stop, deliver);
}

/// Plays the scenario's syncs at once, those of one Application in turn, and its faults when their
/// time comes.
pub(super) fn tell(
    scenario: &Scenario,
    stage: &Stage,
    (clock, started): (PlatformClock, DateTime<Utc>),
    stop: &CancellationToken,
) {
    let mut of_application: BTreeMap<(&str, &str), Vec<SeedSync>> = BTreeMap::new();
    for sync in &scenario.syncs {
        let key = (sync.namespace.as_str(), sync.application.as_str());
        of_application.entry(key).or_default().push(sync.clone());
    }
    for syncs in of_application.into_values() {
        let (client, clock) = (stage.client.clone(), clock.clone());
        spawn(stop, async move {
            for sync in syncs {
                if let Err(error) = play_sync(&client, &clock, &sync).await {
                    tracing::warn!(application = %sync.application, %error, "a sync of the scenario failed");
                }
            }
        });
    }
    for fault in scenario.faults.clone() {
        let Some(after) = fault.after else { continue };
        let (stage, clock) = (stage.clone(), clock.clone());
        spawn(stop, async move {
            let after = TimeDelta::from_std(after).unwrap_or(TimeDelta::MAX);
            clock.sleep_until(started + after).await;
            if let Err(error) = stage.play_fault(&fault).await {
                tracing::warn!(fault = %fault.what, %error, "a fault of the scenario did not happen");
            }
        });
    }
}

/// What faults happen to. Clones share it.
#[derive(Clone)]
pub(super) struct Stage {
    pub(super) client: Client,
    git: GitServer,
    harbor: Option<Harbor>,
}

pub(super) fn spawn(stop: &CancellationToken, work: impl Future<Output = ()> + Send + 'static) {
    let stop = stop.clone();
    tokio::spawn(async move {
        stop.run_until_cancelled(work).await;
    });
}

pub(super) type Failure = Box<dyn std::error::Error + Send + Sync>;

/// Asks for a sync with the patch that `argocd app sync` writes, and waits until it is over.
async fn play_sync(client: &Client, clock: &PlatformClock, sync: &SeedSync) -> Result<(), Failure> {
    let resource = objects::resource_of("argoproj.io/v1alpha1", "Application");
    let api: Api<DynamicObject> = Api::namespaced_with(client.clone(), &sync.namespace, &resource);
    ask(&api, sync).await?;
    let is_over = |found: Option<&DynamicObject>| {
        found.is_some_and(|application| {
            application.data.get("operation").is_none_or(Value::is_null)
                && application
                    .data
                    .pointer("/status/operationState/finishedAt")
                    .is_some()
        })
    };
    let is_healthy = |found: Option<&DynamicObject>| {
        let health = |application: &DynamicObject| {
            let status = application.data.pointer("/status/health/status");
            status.and_then(Value::as_str) == Some("Healthy")
        };
        is_over(found) && found.is_some_and(health)
    };
    let reached = async {
        if sync.until_healthy {
            await_condition(api, &sync.application, is_healthy).await
        } else {
            await_condition(api, &sync.application, is_over).await
        }
    };
    tokio::select! {
        over = reached => over.map(drop).map_err(Failure::from),
        () = clock.sleep(SYNC_PATIENCE) => Err("it did not end within a minute".into()),
    }
}

/// How often a patch is made again after the controller has written in between.
const ATTEMPTS: usize = 20;

async fn ask(api: &Api<DynamicObject>, sync: &SeedSync) -> Result<(), Failure> {
    let mut attempt = 1;
    loop {
        let application = api.get(&sync.application).await?;
        let mut request = json!({"syncStrategy": {"hook": {}}});
        if !sync.revision.is_empty() {
            request["revision"] = json!(sync.revision);
        }
        if let Some(options) = application.data.pointer("/spec/syncPolicy/syncOptions") {
            request["syncOptions"] = options.clone();
        }
        let patch = json!({
            "metadata": {"resourceVersion": application.metadata.resource_version},
            "operation": {"initiatedBy": {"username": sync.by}, "sync": request},
            "status": {"operationState": null},
        });
        let params = PatchParams::default();
        match api
            .patch(&sync.application, &params, &Patch::Merge(&patch))
            .await
        {
            Ok(_) => return Ok(()),
            Err(kube::Error::Api(status)) if status.code == 409 && attempt < ATTEMPTS => {
                attempt += 1;
            }
            Err(error) => return Err(error.into()),
        }
    }
}

impl Stage {
    pub(super) fn new(client: Client, git: &GitServer, harbor: Option<&Harbor>) -> Self {
        Self {
            client,
            git: git.clone(),
            harbor: harbor.cloned(),
        }
    }

    /// Lets a fault happen.
    pub(super) async fn play_fault(&self, fault: &Fault) -> Result<(), Failure> {
        let (client, git) = (&self.client, &self.git);
        match &fault.effect {
            FaultEffect::Registry(fault) => match &self.harbor {
                Some(harbor) => harbor.play(fault).map_err(Failure::from),
                None => Err("the scenario does not start Harbor".into()),
            },
            FaultEffect::Patch { object, patch } => {
                let manager = PatchParams::apply("kubectl-edit");
                let manager = PatchParams {
                    force: false,
                    ..manager
                };
                api_of(client, object)
                    .patch(&object.name, &manager, &Patch::Merge(patch))
                    .await?;
                Ok(())
            }
            FaultEffect::Delete { object } => {
                api_of(client, object)
                    .delete(&object.name, &DeleteParams::default())
                    .await?;
                Ok(())
            }
            FaultEffect::Commit {
                repository,
                file,
                text,
                instead,
                author,
                message,
            } => {
                let head = git.resolve(repository, "HEAD")?;
                let contents = git.tree(repository, &head)?.read(file).unwrap_or_default();
                let old = String::from_utf8_lossy(&contents).into_owned();
                let commit = NewCommit::new(author.clone(), format!("{message}\n"))
                    .write(file.clone(), old.replace(text, instead));
                git.commit_files(repository, &commit)?;
                Ok(())
            }
        }
    }
}

fn api_of(client: &Client, object: &ObjectName) -> Api<DynamicObject> {
    let resource = objects::resource_of(&object.api_version, &object.kind);
    match &object.namespace {
        Some(namespace) => Api::namespaced_with(client.clone(), namespace, &resource),
        None => Api::all_with(client.clone(), &resource),
    }
}
