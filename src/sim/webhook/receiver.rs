//! Argo CD's side: a push becomes a refresh of the Applications that follow it.

use super::payload::{PushEvent, read};
use crate::sim::git::repository_path;
use axum::Router;
use axum::body::Bytes;
use axum::extract::State;
use axum::routing::post;
use futures::StreamExt as _;
use http::{HeaderMap, Request, StatusCode};
use serde::Deserialize;
use serde_json::json;

/// Refreshes are asked for so many at a time.
const AT_ONCE: usize = 16;

/// What the receiver needs: a client that may patch Applications, and the shared secret.
#[derive(Clone)]
pub struct Receiver {
    pub client: kube::Client,
    pub secret: String,
}

impl std::fmt::Debug for Receiver {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Receiver").finish_non_exhaustive()
    }
}

/// Answers `POST /api/webhook`.
pub fn router(receiver: Receiver) -> Router {
    Router::new()
        .route("/api/webhook", post(receive))
        .with_state(receiver)
}

async fn receive(
    State(receiver): State<Receiver>,
    headers: HeaderMap,
    body: Bytes,
) -> (StatusCode, String) {
    match read(&headers, &body, &receiver.secret) {
        Ok(Some(event)) => match receiver.refresh(&event).await {
            Ok(count) => (StatusCode::OK, format!("refreshed {count} Applications\n")),
            Err(error) => (StatusCode::SERVICE_UNAVAILABLE, format!("{error}\n")),
        },
        Ok(None) => (StatusCode::OK, String::new()),
        Err(message) => (StatusCode::BAD_REQUEST, format!("{message}\n")),
    }
}

/// The part of an Application that says what it follows.
#[derive(Debug, Deserialize)]
struct Follower {
    metadata: Name,
    spec: Spec,
}

#[derive(Debug, Deserialize)]
struct Name {
    name: String,
    namespace: String,
}

#[derive(Debug, Deserialize)]
struct Spec {
    #[serde(default)]
    source: Option<Source>,
    #[serde(default)]
    sources: Option<Vec<Source>>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Source {
    #[serde(default, rename = "repoURL")]
    repo_url: String,
    #[serde(default)]
    target_revision: Option<String>,
}

#[derive(Debug, Deserialize)]
struct Followers {
    items: Vec<Follower>,
}

impl Source {
    fn is_touched_by(&self, event: &PushEvent, repository: &str) -> bool {
        if repository_path(&self.repo_url) != repository {
            return false;
        }
        let target = self.target_revision.as_deref().unwrap_or_default();
        let target = ["refs/heads/", "refs/tags/"]
            .iter()
            .find_map(|prefix| target.strip_prefix(prefix))
            .unwrap_or(target);
        match target {
            "" | "HEAD" => event.touched_head(),
            target => target == event.revision(),
        }
    }
}

impl Receiver {
    /// Asks for a refresh of every Application that follows what was pushed; returns how many.
    async fn refresh(&self, event: &PushEvent) -> Result<usize, kube::Error> {
        let url = match event.repository.clone_url.as_str() {
            "" => &event.repository.html_url,
            url => url,
        };
        let repository = repository_path(url);
        let request = Request::get("/apis/argoproj.io/v1alpha1/applications")
            .body(Vec::new())
            .map_err(kube::Error::HttpError)?;
        let all: Followers = self.client.request(request).await?;
        let touched: Vec<Name> = all
            .items
            .into_iter()
            .filter(|one| {
                let sources = one
                    .spec
                    .source
                    .iter()
                    .chain(one.spec.sources.iter().flatten());
                sources
                    .into_iter()
                    .any(|source| source.is_touched_by(event, &repository))
            })
            .map(|one| one.metadata)
            .collect();
        let count = touched.len();
        let mut asked = futures::stream::iter(touched.into_iter().map(|name| self.ask(name)))
            .buffer_unordered(AT_ONCE);
        while let Some(outcome) = asked.next().await {
            // One Application that is gone by now must not keep the others from refreshing.
            if let Err(error) = outcome {
                tracing::warn!(%error, "cannot ask for a refresh after a push");
            }
        }
        Ok(count)
    }

    async fn ask(&self, name: Name) -> Result<(), kube::Error> {
        let body = json!({"metadata": {"annotations": {"argocd.argoproj.io/refresh": "normal"}}});
        let request = Request::patch(format!(
            "/apis/argoproj.io/v1alpha1/namespaces/{}/applications/{}?fieldManager=argocd-server",
            name.namespace, name.name
        ))
        .header("content-type", "application/merge-patch+json")
        .body(body.to_string().into_bytes())
        .map_err(kube::Error::HttpError)?;
        self.client
            .request::<serde_json::Value>(request)
            .await
            .map(drop)
    }
}

#[cfg(test)]
mod tests {
    use super::super::payload::EventRepository;
    use super::*;

    #[test]
    fn sources_follow_head_a_branch_or_a_tag() {
        let event = |reference: &str| PushEvent {
            reference: reference.to_owned(),
            repository: EventRepository {
                clone_url: "http://127.0.0.1:1/platform/app.git".to_owned(),
                html_url: String::new(),
                default_branch: "main".to_owned(),
            },
        };
        let touched = |target: Option<&str>, reference: &str| {
            let source = Source {
                repo_url: "http://git.tiphys.local/platform/app".to_owned(),
                target_revision: target.map(str::to_owned),
            };
            source.is_touched_by(&event(reference), "platform/app")
        };

        assert!(touched(None, "refs/heads/main"));
        assert!(touched(Some("HEAD"), "refs/heads/main"));
        assert!(!touched(Some("HEAD"), "refs/heads/next"));
        assert!(touched(Some("next"), "refs/heads/next"));
        assert!(touched(Some("v1"), "refs/tags/v1"));
        assert!(touched(Some("refs/heads/next"), "refs/heads/next"));
    }
}
