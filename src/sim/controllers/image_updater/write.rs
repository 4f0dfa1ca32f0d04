//! Writes new tags: into the spec of an Application, or as a commit that Argo CD then finds.

use super::{NAME, applications, name_of, text};
use crate::api::convert::image_updater::SourceTool;
use crate::api::yaml;
use crate::domain::clock::Clock as _;
use crate::domain::image_edit::set_image;
use crate::domain::image_update::{
    FileTarget, ImageRule, Manifest, Method, WriteBack, Written, commit_message, kustomize_image,
    merge_kustomize_image, parameters,
};
use crate::sim::clock::PlatformClock;
use crate::sim::controllers::runtime::time::api_time;
use crate::sim::git::{Author, GitServer, NewCommit};
use crate::sim::kustomize::FILE_NAMES;
use k8s_openapi::api::core::v1::Event;
use kube::api::{Api, Patch, PatchParams, PostParams};
use serde_json::{Map, Value, json};
use sha2::{Digest as _, Sha256};
use std::sync::Arc;

/// Somebody else may change the Application meanwhile.
const ATTEMPTS: usize = 3;
const CONFLICT: u16 = 409;

type Change = (ImageRule, Written);

/// Writes what was decided.
pub(super) struct Scribe {
    client: kube::Client,
    git: GitServer,
    clock: PlatformClock,
    /// Two Applications must not overwrite each other's change of one file.
    committing: Arc<tokio::sync::Mutex<()>>,
}

impl std::fmt::Debug for Scribe {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Scribe").finish_non_exhaustive()
    }
}

impl Scribe {
    pub(super) fn new(client: kube::Client, git: GitServer, clock: PlatformClock) -> Self {
        Self {
            client,
            git,
            clock,
            committing: Arc::default(),
        }
    }

    /// Writes changes back; `false` when they are written already and only wait to run.
    pub(super) async fn write(
        &self,
        application: &Value,
        tool: SourceTool,
        write_back: &WriteBack,
        changes: &[Change],
    ) -> Result<bool, String> {
        match write_back.method {
            Method::ArgoCd => self.patch(application, tool, changes).await,
            Method::Git => {
                let commit = Commit::new(application, tool, write_back, changes)?;
                let _turn = self.committing.lock().await;
                let git = self.git.clone();
                let made = tokio::task::spawn_blocking(move || commit.make(&git)).await;
                made.unwrap_or_else(|error| Err(error.to_string()))
            }
        }
    }

    /// Changes the source in the Application itself.
    async fn patch(
        &self,
        application: &Value,
        tool: SourceTool,
        changes: &[Change],
    ) -> Result<bool, String> {
        let namespace = text(application, "/metadata/namespace");
        let api = applications(&self.client, namespace);
        let mut current = application.clone();
        for _ in 0..ATTEMPTS {
            let Some(spec) = changed_spec(&current, tool, changes) else {
                return Ok(false);
            };
            let version = current.pointer("/metadata/resourceVersion").cloned();
            let patch = json!({"metadata": {"resourceVersion": version}, "spec": spec});
            let params = PatchParams::apply(super::MANAGER);
            let params = PatchParams {
                force: false,
                ..params
            };
            match api
                .patch(name_of(&current), &params, &Patch::Merge(&patch))
                .await
            {
                Ok(_) => return Ok(true),
                Err(kube::Error::Api(refusal)) if refusal.code == CONFLICT => {
                    let read = api.get(name_of(&current)).await;
                    let read = read.map_err(|error| error.to_string())?;
                    current = serde_json::to_value(read).map_err(|error| error.to_string())?;
                }
                Err(error) => return Err(error.to_string()),
            }
        }
        Err(String::from(
            "the Application changes too often to be written",
        ))
    }

    /// Tells at the Application what was updated (`pkg/argocd/update.go`).
    pub(super) async fn tell(&self, application: &Value, changes: &[Written]) {
        let namespace = text(application, "/metadata/namespace");
        let mut annotations = Map::new();
        let mut lines = Vec::new();
        for (at, one) in changes.iter().enumerate() {
            let key = |part: &str| format!("argocd-image-updater.image-{at}/{part}");
            let short = one.image.rsplit('/').next().unwrap_or_default();
            annotations.insert(key("full-image-name"), json!(&*one.image));
            annotations.insert(key("image-name"), json!(short));
            annotations.insert(key("old-tag"), json!(&*one.old));
            annotations.insert(key("new-tag"), json!(&*one.new));
            lines.push(format!("{} from {} to {}", one.image, one.old, one.new));
        }
        let now = api_time(self.clock.now());
        let event = json!({
            "metadata": {"generateName": "image-update-", "namespace": namespace, "annotations": annotations},
            "involvedObject": {
                "apiVersion": application["apiVersion"], "kind": "Application",
                "namespace": namespace, "name": name_of(application),
                "uid": application.pointer("/metadata/uid"),
                "resourceVersion": application.pointer("/metadata/resourceVersion"),
            },
            "type": "Normal",
            "reason": "ImagesUpdated",
            "message": format!("Successfully updated application '{}': {}", name_of(application), lines.join(", ")),
            "source": {"component": "ArgocdImageUpdater"},
            "reportingComponent": NAME,
            "reportingInstance": "",
            "count": 1,
            "firstTimestamp": now,
            "lastTimestamp": now,
        });
        let events: Api<Event> = Api::namespaced(self.client.clone(), namespace);
        let created = match serde_json::from_value(event) {
            Ok(event) => events
                .create(&PostParams::default(), &event)
                .await
                .map(drop),
            Err(error) => Err(kube::Error::SerdeError(error)),
        };
        if let Err(error) = created {
            tracing::debug!("an event was not recorded: {error}");
        }
    }
}

/// Returns the part of the spec that sets images, unless it is as it should be.
fn changed_spec(application: &Value, tool: SourceTool, changes: &[Change]) -> Option<Value> {
    if let Some(source) = application.pointer("/spec/source") {
        let new = changed_source(source, tool, changes);
        return (new != *source).then(|| json!({"source": new}));
    }
    let sources = application.pointer("/spec/sources")?.as_array()?;
    let word = match tool {
        SourceTool::Kustomize => "Kustomize",
        SourceTool::Helm => "Helm",
        SourceTool::Plugin => "Plugin",
    };
    let kinds = application
        .pointer("/status/sourceTypes")
        .and_then(Value::as_array);
    let at = kinds.and_then(|kinds| kinds.iter().position(|one| one == word))?;
    let source = sources.get(at)?;
    let new = changed_source(source, tool, changes);
    if new == *source {
        return None;
    }
    let mut sources = sources.clone();
    *sources.get_mut(at)? = new;
    Some(json!({"sources": sources}))
}

fn changed_source(source: &Value, tool: SourceTool, changes: &[Change]) -> Value {
    let mut source = source.clone();
    match tool {
        SourceTool::Kustomize => {
            let images = kustomize_images(source.pointer("/kustomize/images"), changes);
            set(&mut source, "kustomize", "images", json!(images));
        }
        SourceTool::Helm => {
            let known = source.pointer("/helm/parameters").cloned();
            set(
                &mut source,
                "helm",
                "parameters",
                merged(known, changes, true),
            );
        }
        SourceTool::Plugin => {
            let known = source.pointer("/plugin/env").cloned();
            set(&mut source, "plugin", "env", merged(known, changes, false));
        }
    }
    source
}

fn set(source: &mut Value, part: &str, field: &str, value: Value) {
    if !source[part].is_object() {
        source[part] = json!({});
    }
    source[part][field] = value;
}

fn kustomize_images(known: Option<&Value>, changes: &[Change]) -> Vec<String> {
    let known = known.and_then(Value::as_array).into_iter().flatten();
    let mut images: Vec<String> = known.filter_map(Value::as_str).map(str::to_owned).collect();
    for (rule, written) in changes {
        merge_kustomize_image(&mut images, kustomize_image(rule, &written.new));
    }
    images
}

/// Puts parameters in place of those of the same name, or at the end.
fn merged(known: Option<Value>, changes: &[Change], forced: bool) -> Value {
    let mut all = match known {
        Some(Value::Array(known)) => known,
        Some(_) | None => Vec::new(),
    };
    for (rule, written) in changes {
        for parameter in parameters(rule, &written.new) {
            let mut new = json!({"name": &*parameter.name, "value": &*parameter.value});
            if forced {
                new["forceString"] = json!(true);
            }
            match all.iter_mut().find(|one| one["name"] == new["name"]) {
                Some(own) => *own = new,
                None => all.push(new),
            }
        }
    }
    Value::Array(all)
}

/// A commit to make.
#[derive(Debug)]
struct Commit {
    application: String,
    repository: String,
    base: String,
    push: String,
    path: String,
    target: FileTarget,
    tool: SourceTool,
    changes: Vec<Change>,
}

impl Commit {
    fn new(
        application: &Value,
        tool: SourceTool,
        write_back: &WriteBack,
        changes: &[Change],
    ) -> Result<Self, String> {
        let source = application
            .pointer("/spec/source")
            .or_else(|| application.pointer("/spec/sources/0"))
            .ok_or("the Application has no source")?;
        let or = |own: &str, other: &str| if own.is_empty() { other } else { own }.to_owned();
        let written: Vec<Written> = changes.iter().map(|(_, written)| written.clone()).collect();
        let name = name_of(application);
        let sha = hex(&written);
        Ok(Self {
            application: name.to_owned(),
            repository: or(&write_back.repository, text(source, "/repoURL")),
            base: or(&write_back.branches.base, text(source, "/targetRevision")),
            push: write_back.branches.push_to(name, &written, &sha),
            path: write_back.path(text(source, "/path"), name),
            target: write_back.target.clone(),
            tool,
            changes: changes.to_vec(),
        })
    }

    /// Makes the commit unless the files are as they should be.
    fn make(&self, git: &GitServer) -> Result<bool, String> {
        let said = |error: crate::sim::git::GitError| error.to_string();
        let head = git.resolve(&self.repository, &self.base).map_err(said)?;
        let base = match self.base.as_str() {
            "" | "HEAD" => git
                .default_branch(&self.repository)
                .unwrap_or_else(|| "main".to_owned()),
            branch => branch.to_owned(),
        };
        let branch = if self.push.is_empty() {
            base
        } else {
            self.push.clone()
        };
        // What was pushed to its own branch before is built upon.
        let from = match git.resolve(&self.repository, &branch) {
            Ok(pushed) => pushed,
            Err(_) => head.clone(),
        };
        let tree = git.tree(&self.repository, &from).map_err(said)?;
        let (file, old) = match &self.target {
            FileTarget::Kustomization(_) => {
                let places = FILE_NAMES.iter().map(|name| match self.path.as_str() {
                    "" => (*name).to_owned(),
                    folder => format!("{folder}/{name}"),
                });
                let mut found =
                    places.filter_map(|place| Some((place.clone(), tree.read(&place)?)));
                found
                    .next()
                    .ok_or_else(|| format!("no kustomization in `{}`", self.path))?
            }
            FileTarget::Source => (self.path.clone(), tree.read(&self.path).unwrap_or_default()),
            FileTarget::HelmValues(_) => {
                return Err(String::from(
                    "Helm values are not written by the embedded updater",
                ));
            }
        };
        let old = String::from_utf8_lossy(&old).into_owned();
        let new = self
            .changed(&old)
            .map_err(|why| format!("`{file}`: {why}"))?;
        if new == old {
            return Ok(false);
        }
        let written: Vec<Written> = self
            .changes
            .iter()
            .map(|(_, written)| written.clone())
            .collect();
        let author = Author::new("argocd-image-updater", "noreply@argoproj.io");
        let mut commit = NewCommit::new(author, commit_message(&self.application, &written));
        commit.branch = branch;
        commit.base = Some(head);
        let commit = commit.write(file, new);
        git.commit_files(&self.repository, &commit).map_err(said)?;
        Ok(true)
    }

    fn changed(&self, old: &str) -> Result<String, String> {
        if let FileTarget::Kustomization(_) = self.target {
            let mut text = old.to_owned();
            for (rule, written) in &self.changes {
                let name = match &rule.manifest {
                    Manifest::Kustomize { name } => name,
                    Manifest::Plain | Manifest::Helm(_) | Manifest::Plugin(_) => &rule.image,
                };
                let (tag, digest) = written.new.split_once('@').unwrap_or((&written.new, ""));
                text = set_image(&text, (name, &rule.image), (tag, digest))?;
            }
            return Ok(text);
        }
        let known: Value = if old.trim().is_empty() {
            json!({})
        } else {
            yaml::from_str(old).map_err(|error| error.to_string())?
        };
        let new = changed_source(&known, self.tool, &self.changes);
        if new == known {
            return Ok(old.to_owned());
        }
        yaml::to_string(&new).map_err(|error| error.to_string())
    }
}

/// Returns what tells one set of changes from another.
fn hex(changes: &[Written]) -> String {
    let mut hash = Sha256::new();
    for one in changes {
        hash.update(format!("{}:{}:{}", one.image, one.old, one.new));
    }
    hash.finalize()
        .iter()
        .map(|byte| format!("{byte:02x}"))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::image_update::Policy;

    fn change(new: &str) -> Vec<Change> {
        let rule = ImageRule {
            alias: "web".into(),
            image: "r.io/web".into(),
            policy: Policy::default(),
            force: false,
            pull_secret: "".into(),
            verify: false,
            manifest: Manifest::Plain,
        };
        let written = Written {
            alias: "web".into(),
            image: "r.io/web".into(),
            old: "1.0".into(),
            new: new.into(),
        };
        vec![(rule, written)]
    }

    #[test]
    fn a_spec_that_says_it_already_is_left_alone() {
        let old = json!({"spec": {"source": {"path": "a", "kustomize": {"images": ["r.io/web:1.1", "b:2"]}}}});
        assert_eq!(
            changed_spec(&old, SourceTool::Kustomize, &change("1.1")),
            None
        );
        assert_eq!(
            changed_spec(&old, SourceTool::Kustomize, &change("1.2")),
            Some(
                json!({"source": {"path": "a", "kustomize": {"images": ["r.io/web:1.2", "b:2"]}}})
            )
        );
    }

    #[test]
    fn one_of_several_sources_is_changed_by_its_type() {
        let old = json!({"spec": {"sources": [{"ref": "values"}, {"chart": "web"}]},
            "status": {"sourceTypes": ["Directory", "Helm"]}});
        let new = changed_spec(&old, SourceTool::Helm, &change("1.1")).expect("a change");
        assert_eq!(new["sources"][0], json!({"ref": "values"}));
        assert_eq!(
            new["sources"][1]["helm"]["parameters"][1],
            json!({"name": "image.tag", "value": "1.1", "forceString": true})
        );
    }
}
