//! Where the servers of a listening platform are, as a file for other programs.
//!
//! The keys are a contract with scripts: they are added to and never renamed.

use super::SimError;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::path::Path;

/// The contents of `--endpoints FILE`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Endpoints {
    pub kubernetes: KubernetesEndpoint,
    pub git: GitEndpoint,
    pub webhook: WebhookEndpoint,
    /// The Prometheus API: the embedded one, or the one that takes its place.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub prometheus: Option<ServerEndpoint>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub alertmanager: Option<ServerEndpoint>,
    /// A page of metrics for a Prometheus elsewhere; it is to be scraped with `honor_labels`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub metrics: Option<ServerEndpoint>,
    /// The subset of GitHub's REST API that tells runs of GitHub Actions.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub github: Option<GitHubEndpoint>,
    /// Harbor's API, its token service and its registry.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub harbor: Option<HarborEndpoint>,
    /// The registry alone; it is at Harbor's address.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub registry: Option<ServerEndpoint>,
    /// The ports of the EventSources that the scenario starts with.
    #[serde(
        default,
        rename = "eventSources",
        skip_serializing_if = "Vec::is_empty"
    )]
    pub event_sources: Vec<EventSourceEndpoint>,
}

#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct HarborEndpoint {
    /// `https://127.0.0.1:PORT`; the API is at `URL/api/v2.0`, the registry at `URL/v2/`.
    pub url: String,
    /// The host in image references.
    pub registry: String,
    /// An account that may do everything.
    pub username: String,
    pub password: String,
    /// The robots that the scenario starts with, and their secrets.
    pub robots: BTreeMap<String, String>,
    /// The path of a file with the certificate to trust.
    pub certificate_authority: String,
}

impl std::fmt::Debug for HarborEndpoint {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("HarborEndpoint")
            .field("url", &self.url)
            .field("username", &self.username)
            .finish_non_exhaustive()
    }
}

#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct GitHubEndpoint {
    /// `http://127.0.0.1:PORT`; a repository is at `URL/repos/NAME`.
    pub url: String,
    /// Reading needs none; cancelling, running again and dispatching do.
    pub token: String,
}

impl std::fmt::Debug for GitHubEndpoint {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("GitHubEndpoint")
            .field("url", &self.url)
            .finish_non_exhaustive()
    }
}

/// A port of an EventSource.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct EventSourceEndpoint {
    pub namespace: String,
    pub name: String,
    /// The port inside the platform.
    pub port: u16,
    /// `http://127.0.0.1:PORT`, without a path.
    pub url: String,
    /// Where events are received, such as `/push`.
    pub paths: Vec<String>,
}

/// A server that asks for no credentials.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ServerEndpoint {
    /// `http://127.0.0.1:PORT`
    pub url: String,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct KubernetesEndpoint {
    /// `https://127.0.0.1:PORT`
    pub server: String,
    /// The path of a kubeconfig file with the certificate and a token.
    pub kubeconfig: String,
}

#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct GitEndpoint {
    /// `http://127.0.0.1:PORT`; a repository is at `URL/NAME.git`.
    pub url: String,
    pub username: String,
    pub password: String,
    /// The names at the start; a push to another name adds one.
    pub repositories: Vec<String>,
}

impl std::fmt::Debug for GitEndpoint {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("GitEndpoint")
            .field("url", &self.url)
            .field("username", &self.username)
            .field("repositories", &self.repositories)
            .finish_non_exhaustive()
    }
}

#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct WebhookEndpoint {
    /// Argo CD's receiver, `http://127.0.0.1:PORT/api/webhook`.
    pub url: String,
    pub secret: String,
}

impl std::fmt::Debug for WebhookEndpoint {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("WebhookEndpoint")
            .field("url", &self.url)
            .finish_non_exhaustive()
    }
}

impl Endpoints {
    /// Writes the file in one step, so that nobody reads half of it; only the user may read it.
    pub fn write(&self, path: &Path) -> Result<(), SimError> {
        let text = serde_json::to_string_pretty(self).unwrap_or_default();
        write_private(path, &format!("{text}\n"))
    }
}

/// Writes a file beside its place and moves it there.
pub(super) fn write_private(path: &Path, text: &str) -> Result<(), SimError> {
    let failed = |source: std::io::Error| SimError::Write {
        path: path.display().to_string(),
        source,
    };
    let folder = path
        .parent()
        .filter(|folder| !folder.as_os_str().is_empty())
        .unwrap_or_else(|| Path::new("."));
    // A temporary file is readable by its owner alone, and stays so when it is moved.
    let mut file = tempfile::NamedTempFile::new_in(folder).map_err(failed)?;
    std::io::Write::write_all(&mut file, text.as_bytes()).map_err(failed)?;
    file.persist(path)
        .map_err(|error| failed(error.error))
        .map(drop)
}
