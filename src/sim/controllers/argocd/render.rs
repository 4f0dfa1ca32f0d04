//! From a source in git to the objects it means, with what was rendered before kept at hand.
//!
//! A revision is resolved anew after a push at once and otherwise after a few seconds; what a
//! commit renders to never changes, so that is kept. Files `.argocd-source.yaml` and
//! `.argocd-source-APPLICATION.yaml` beside the manifests are merged into the source, as Argo CD does
//! (`reposerver/repository/repository.go`, `mergeSourceParameters`).

use super::json;
use crate::api::yaml;
use crate::domain::clock::Clock;
use crate::sim::clock::PlatformClock;
use crate::sim::files::{FileTree, join};
use crate::sim::git::{GitServer, Sha, repository_path};
use crate::sim::manifests::{self, Options};
use chrono::{DateTime, TimeDelta, Utc};
use serde_json::Value;
use std::collections::HashMap;
use std::sync::{Arc, PoisonError, RwLock};

/// How long a resolved branch is believed when nothing was pushed.
const BELIEVED: TimeDelta = TimeDelta::seconds(10);
/// What is rendered is forgotten when this many results have come together.
const KEPT: usize = 20_000;

/// What a source renders to.
#[derive(Clone, Debug)]
pub struct Manifests {
    pub objects: Arc<Vec<Value>>,
    /// `Directory` or `Kustomize`.
    pub source_type: &'static str,
}

/// Where branches point, by repository and name, and since when that is known.
type Resolved = HashMap<(String, String), (Sha, DateTime<Utc>)>;

/// Which commit a source was rendered at.
type Place = (String, String, String);

const OVERRIDES: &str = ".argocd-source";

/// Renders sources. Clones share what is kept.
#[derive(Clone, Debug)]
pub struct Renderer {
    git: GitServer,
    clock: PlatformClock,
    resolved: Arc<RwLock<Resolved>>,
    rendered: Arc<RwLock<HashMap<Place, Manifests>>>,
    /// Files that change the source, by repository, commit and folder.
    overrides: Arc<RwLock<HashMap<Place, Arc<Vec<String>>>>>,
}

impl Renderer {
    /// Renders from a git server.
    pub fn new(git: GitServer, clock: PlatformClock) -> Self {
        Self {
            git,
            clock,
            resolved: Arc::default(),
            rendered: Arc::default(),
            overrides: Arc::default(),
        }
    }

    /// Returns the git server.
    pub fn git(&self) -> &GitServer {
        &self.git
    }

    /// Forgets where the branches of a repository pointed.
    pub fn forget_revisions(&self, repository: Option<&str>) {
        let mut resolved = self
            .resolved
            .write()
            .unwrap_or_else(PoisonError::into_inner);
        match repository {
            Some(repository) => resolved.retain(|(known, _), _| known != repository),
            None => resolved.clear(),
        }
    }

    /// Forgets what was rendered from a source (a hard refresh).
    pub fn forget_rendered(&self, source: &Value) {
        let repository = repository_path(json::text(source, &["repoURL"]));
        self.forget_revisions(Some(&repository));
        self.rendered
            .write()
            .unwrap_or_else(PoisonError::into_inner)
            .retain(|(known, _, _), _| *known != repository);
    }

    /// Resolves a branch, tag or commit of a source to a commit.
    pub async fn resolve(&self, source: &Value, revision: &str) -> Result<Sha, String> {
        let url = json::text(source, &["repoURL"]).to_owned();
        let revision = match revision {
            "" => "HEAD".to_owned(),
            revision => revision.to_owned(),
        };
        let place = (repository_path(&url), revision.clone());
        let now = self.clock.now();
        let known = self
            .resolved
            .read()
            .unwrap_or_else(PoisonError::into_inner)
            .get(&place)
            .filter(|(_, at)| now - *at < BELIEVED)
            .map(|(sha, _)| sha.clone());
        if let Some(sha) = known {
            return Ok(sha);
        }
        let git = self.git.clone();
        let sha = blocking(move || {
            git.resolve(&url, &revision)
                .map_err(|error| error.to_string())
        })
        .await?;
        self.resolved
            .write()
            .unwrap_or_else(PoisonError::into_inner)
            .insert(place, (sha.clone(), now));
        Ok(sha)
    }

    /// Renders a source of an Application at a commit.
    pub async fn render(
        &self,
        source: &Value,
        sha: &Sha,
        instance: &str,
    ) -> Result<Manifests, String> {
        let url = json::text(source, &["repoURL"]).to_owned();
        let source = self.merged(source, sha, instance).await?;
        let mut options = source.clone();
        json::remove(&mut options, &["repoURL"]);
        json::remove(&mut options, &["targetRevision"]);
        let place = (repository_path(&url), sha.to_string(), options.to_string());
        let known = self
            .rendered
            .read()
            .unwrap_or_else(PoisonError::into_inner)
            .get(&place)
            .cloned();
        if let Some(manifests) = known {
            return Ok(manifests);
        }
        let (git, sha) = (self.git.clone(), sha.clone());
        let manifests = blocking(move || render(&git, &url, &sha, &source)).await?;
        let mut rendered = self
            .rendered
            .write()
            .unwrap_or_else(PoisonError::into_inner);
        if rendered.len() >= KEPT {
            rendered.clear();
        }
        rendered.insert(place, manifests.clone());
        Ok(manifests)
    }

    /// Returns a source with what files beside its manifests say of it.
    async fn merged(&self, source: &Value, sha: &Sha, instance: &str) -> Result<Value, String> {
        let url = json::text(source, &["repoURL"]).to_owned();
        let folder = folder_of(source).to_owned();
        let place = (repository_path(&url), sha.to_string(), folder.clone());
        let known = {
            let overrides = self
                .overrides
                .read()
                .unwrap_or_else(PoisonError::into_inner);
            overrides.get(&place).cloned()
        };
        let names = if let Some(names) = known {
            names
        } else {
            let (git, sha, url, folder) =
                (self.git.clone(), sha.clone(), url.clone(), folder.clone());
            let names = blocking(move || {
                let files = git.tree(&url, &sha).map_err(|error| error.to_string())?;
                let names = files.list(folder.trim_matches('/')).into_iter();
                let names = names.map(|entry| entry.name);
                Ok(names.filter(|name| name.starts_with(OVERRIDES)).collect())
            });
            let names: Arc<Vec<String>> = Arc::new(names.await?);
            let mut overrides = self
                .overrides
                .write()
                .unwrap_or_else(PoisonError::into_inner);
            if overrides.len() >= KEPT {
                overrides.clear();
            }
            overrides.insert(place, names.clone());
            names
        };
        let own = [
            format!("{OVERRIDES}.yaml"),
            format!("{OVERRIDES}-{instance}.yaml"),
        ];
        let own: Vec<String> = own.into_iter().filter(|one| names.contains(one)).collect();
        if own.is_empty() {
            return Ok(source.clone());
        }
        let (git, sha, mut source) = (self.git.clone(), sha.clone(), source.clone());
        blocking(move || {
            let files = git.tree(&url, &sha).map_err(|error| error.to_string())?;
            for name in own {
                let path = join(&folder, &name).unwrap_or(name);
                merge_file(&*files, &path, &mut source)?;
            }
            Ok(source)
        })
        .await
    }
}

fn folder_of(source: &Value) -> &str {
    match json::text(source, &["path"]) {
        "." => "",
        path => path.trim_matches('/'),
    }
}

/// Merges a file into a source; where the source comes from stays.
fn merge_file(files: &dyn FileTree, path: &str, source: &mut Value) -> Result<(), String> {
    let Some(bytes) = files.read(path) else {
        return Ok(());
    };
    let text = String::from_utf8_lossy(&bytes);
    let patch: Value = yaml::from_str(&text).map_err(|error| format!("{path}: {error}"))?;
    for field in ["kustomize", "directory", "helm", "plugin"] {
        if let Some(own) = patch.get(field) {
            merge(&mut source[field], own);
        }
    }
    Ok(())
}

/// Puts a value into another (RFC 7386).
fn merge(target: &mut Value, patch: &Value) {
    let Value::Object(patch) = patch else {
        *target = patch.clone();
        return;
    };
    if !target.is_object() {
        *target = Value::Object(serde_json::Map::new());
    }
    for (key, value) in patch {
        if value.is_null() {
            json::remove(target, &[key]);
        } else {
            merge(&mut target[key.as_str()], value);
        }
    }
}

/// Git and kustomize read files: not on the threads that serve everyone.
async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, String> + Send + 'static,
) -> Result<T, String> {
    tokio::task::spawn_blocking(work)
        .await
        .unwrap_or_else(|error| Err(format!("rendering stopped: {error}")))
}

fn render(git: &GitServer, url: &str, sha: &Sha, source: &Value) -> Result<Manifests, String> {
    let files = git.tree(url, sha).map_err(|error| error.to_string())?;
    let options = Options::from_source(source).map_err(|error| error.to_string())?;
    let path = match json::text(source, &["path"]) {
        "" => ".",
        path => path,
    };
    let rendered = manifests::load(&*files, path, &options).map_err(|error| error.to_string())?;
    Ok(Manifests {
        source_type: rendered.source_type.as_str(),
        objects: Arc::new(rendered.objects.into_iter().flat_map(unpacked).collect()),
    })
}

/// A `List` stands for its items.
fn unpacked(object: Value) -> Vec<Value> {
    let is_list = json::text(&object, &["kind"]).ends_with("List") && object.get("items").is_some();
    if is_list {
        json::items(&object, &["items"]).to_vec()
    } else {
        vec![object]
    }
}
