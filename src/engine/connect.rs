//! Makes a session: a client first, then what can be told of the server.
//!
//! The session is handed out before the server has answered anything, so that rows are asked for
//! at once; version and capabilities follow as updates.

use super::EngineOptions;
use super::backoff::Backoff;
use super::fault::Fault;
use super::platform::{Link, Platform};
use super::protocol::{Connection, Generation, Scope, SourceName, Update};
use super::session::{Session, Wake};
use super::supervisor::Current;
use super::transport::Call;
use super::watch::{asked_to_retry, pause};
use crate::domain::finding::Finding;
use crate::domain::node::Node;
use crate::domain::object::{Cluster, Text};
use crate::domain::status::Freshness;
use serde_json::Value;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicI64};
use tokio::sync::{RwLock, mpsc, watch};

/// All that a session is made of.
pub(super) struct Blueprint {
    pub(super) platform: Arc<dyn Platform>,
    pub(super) options: EngineOptions,
    pub(super) updates: mpsc::Sender<Update>,
    pub(super) wake: watch::Receiver<Wake>,
    pub(super) generation: Generation,
    pub(super) context: Option<Text>,
    pub(super) scope: Scope,
}

/// Connects, hands the session out and learns about the server.
pub(super) async fn run(blueprint: Blueprint, current: watch::Sender<Current>) {
    for finding in blueprint.platform.mistakes() {
        let generation = blueprint.generation;
        let trouble = Update::Trouble {
            generation,
            finding,
        };
        if blueprint.updates.send(trouble).await.is_err() {
            return;
        }
    }
    let link = match blueprint.platform.connect(blueprint.context.clone()).await {
        Ok(link) => link,
        Err(finding) => return refuse(&blueprint, finding).await,
    };
    let session = Arc::new(session_of(blueprint, link));
    current.send_replace(Some(Arc::clone(&session)));
    let connection = session.facts.borrow().clone();
    let generation = session.generation;
    session
        .report(Update::Connection {
            generation,
            connection,
        })
        .await;
    session
        .report_freshness(SourceName::Kubernetes, Freshness::Connecting)
        .await;
    learn_version(&session).await;
    learn_argocd(&session).await;
}

/// Makes a new client for a session whose server was out of reach: credentials may have been
/// renewed, a certificate replaced. Then every task tries again.
pub(super) async fn renew(
    platform: Arc<dyn Platform>,
    session: Arc<Session>,
    wake: watch::Sender<Wake>,
) {
    let context = Text::clone(&session.context.name);
    match platform.connect(Some(context)).await {
        Ok(link) => {
            session.link.send_replace(link);
        }
        Err(finding) => {
            let generation = session.generation;
            session
                .report(Update::Trouble {
                    generation,
                    finding,
                })
                .await;
        }
    }
    wake.send_modify(|wake| wake.retries += 1);
}

/// The context cannot be used: nothing is tried until the user changes something. A context that
/// is there and fails does so for its credentials.
async fn refuse(blueprint: &Blueprint, finding: Finding) {
    let generation = blueprint.generation;
    let reason = Text::clone(&finding.sentence);
    let contexts = blueprint.platform.contexts().unwrap_or_default();
    let is_there = contexts.iter().any(|one| match &blueprint.context {
        Some(wanted) => one.name == *wanted,
        None => one.current,
    });
    let freshness = if is_there {
        Freshness::NeedsCredentials { reason }
    } else {
        Freshness::Absent { reason }
    };
    let source = SourceName::Kubernetes;
    // What is wrong and what to try comes first: a command ends with it.
    let reports = [
        Update::Trouble {
            generation,
            finding,
        },
        Update::Freshness {
            generation,
            source,
            freshness,
        },
    ];
    for report in reports {
        if blueprint.updates.send(report).await.is_err() {
            return;
        }
    }
}

fn session_of(blueprint: Blueprint, link: Link) -> Session {
    let context = &link.context;
    let facts = Connection {
        cluster: Cluster(Text::clone(&context.name)),
        context: Text::clone(&context.name),
        server: Text::clone(&context.server),
        user: Text::clone(&context.user),
        server_version: "".into(),
        argocd_version: "".into(),
        automated_enabled: true,
        restricted_to: None,
    };
    Session {
        generation: blueprint.generation,
        cluster: facts.cluster.clone(),
        context: link.context.clone(),
        link: watch::Sender::new(link),
        scope: blueprint.scope,
        clock: blueprint.platform.clock(),
        updates: blueprint.updates,
        options: blueprint.options,
        wake: blueprint.wake,
        facts: watch::Sender::new(facts),
        kinds: RwLock::new(None),
        reachable: AtomicBool::new(false),
        away_since: AtomicI64::new(0),
        access: RwLock::new(std::collections::HashMap::new()),
        metrics: super::metrics::Hub::default(),
        registries: super::registries::Hub::default(),
        github: super::github::Hub::default(),
        in_flight: tokio::sync::Mutex::default(),
    }
}

async fn learn_version(session: &Session) {
    let mut backoff = Backoff::default();
    loop {
        let fault = match session.send_json(Call::get("/version")).await {
            Ok(version) => {
                let text: Text = string(&version, &["gitVersion"]).into();
                session.learn(|facts| facts.server_version = text).await;
                return session.reached().await;
            }
            // `/version` may be closed to us while everything else is open.
            Err(Fault::Forbidden(_) | Fault::NotFound(_)) => return session.reached().await,
            Err(fault) => fault,
        };
        let going = if let Fault::Unauthorized(reason) = fault {
            let reason = Text::from(reason);
            session
                .unreached(Freshness::NeedsCredentials { reason })
                .await;
            asked_to_retry(session).await
        } else {
            let wait = backoff.next();
            let stale = session.stale(&fault, session.away_since(), wait);
            session.unreached(stale).await;
            pause(session, wait).await
        };
        if !going {
            return;
        }
    }
}

/// Learns whether `automated.enabled` exists, and which Argo CD runs.
async fn learn_argocd(session: &Session) {
    let crd = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions/applications.argoproj.io";
    if let Ok(crd) = session.send_json(Call::get(crd)).await {
        let enabled = has_automated_enabled(&crd);
        session
            .learn(|facts| facts.automated_enabled = enabled)
            .await;
    }
    let namespace = super::transport::segment(&session.options.argocd_namespace);
    for name in ["argocd-server", "argocd-application-controller"] {
        let path = format!(
            "/api/v1/namespaces/{namespace}/pods?labelSelector=app.kubernetes.io%2Fname%3D{name}&limit=1"
        );
        let Ok(pods) = session.send_json(Call::get(path)).await else {
            continue;
        };
        if let Some(version) = image_version(&pods) {
            let version: Text = version.into();
            return session.learn(|facts| facts.argocd_version = version).await;
        }
    }
}

fn has_automated_enabled(crd: &Value) -> bool {
    let versions = crd.at(&["spec", "versions"]).map(Node::items);
    versions.unwrap_or_default().iter().any(|version| {
        let automated = [
            "schema",
            "openAPIV3Schema",
            "properties",
            "spec",
            "properties",
            "syncPolicy",
            "properties",
            "automated",
        ];
        let Some(automated) = version.at(&automated) else {
            return false;
        };
        let open = ["x-kubernetes-preserve-unknown-fields"];
        automated.at(&["properties", "enabled"]).is_some()
            || automated.at(&open).and_then(Node::boolean) == Some(true)
    })
}

fn image_version(pods: &Value) -> Option<String> {
    let pod = pods.member("items")?.items().first()?;
    let containers = pod.at(&["spec", "containers"])?.items();
    let image = containers.first()?.member("image")?.text()?;
    let image = image.split('@').next().unwrap_or(image);
    let (_, tag) = image.rsplit_once(':')?;
    (tag.starts_with('v') && !tag.contains('/')).then(|| tag.to_owned())
}

fn string(value: &Value, path: &[&str]) -> String {
    let text = value.at(path).and_then(Node::text);
    text.unwrap_or_default().to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn the_version_is_the_tag_of_the_image() {
        let pods = |image: &str| json!({"items": [{"spec": {"containers": [{"image": image}]}}]});

        let tagged = pods("quay.io:443/argoproj/argocd:v3.1.0@sha256:abc");
        assert_eq!(image_version(&tagged).as_deref(), Some("v3.1.0"));
        assert_eq!(image_version(&pods("registry:5000/argocd")), None);
        assert_eq!(image_version(&json!({"items": []})), None);
    }
}
