//! Talking to the API server about any kind: discovery and the verbs that a sync needs.
//!
//! Errors come back as the server's own words, because they end up in operation results.

use super::json;
use super::key::Key;
use kube::Client;
use kube::discovery::ApiResource;
use serde_json::{Value, json as make};
use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, PoisonError, RwLock};

/// A kind as the server knows it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Served {
    pub resource: ApiResource,
    pub namespaced: bool,
    pub watchable: bool,
    /// Every version that is served; the preferred one is in `resource`.
    pub versions: Vec<String>,
}

/// Why a request failed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct Refusal {
    /// HTTP status; 0 when no server answered.
    pub code: u16,
    pub reason: String,
    pub message: String,
}

impl Refusal {
    fn new(error: kube::Error) -> Self {
        if let kube::Error::Api(status) = error {
            return Self {
                code: status.code,
                reason: status.reason.clone(),
                message: status.message.clone(),
            };
        }
        Self {
            code: 0,
            reason: String::new(),
            message: error.to_string(),
        }
    }

    /// Returns whether the object or kind is not there.
    pub fn is_not_found(&self) -> bool {
        self.code == 404
    }

    /// Returns whether the object changed meanwhile or exists already.
    pub fn is_conflict(&self) -> bool {
        self.code == 409
    }
}

/// How a patch is meant.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PatchKind {
    Merge,
    Json,
    Apply,
}

/// Whether a request changes anything.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Run {
    Dry,
    Wet,
}

/// Kinds by group and kind.
type Kinds = HashMap<(String, String), Arc<Served>>;

/// The API server, with what it was last known to serve. Clones share the knowledge.
#[derive(Clone)]
pub struct Cluster {
    client: Client,
    kinds: Arc<RwLock<Kinds>>,
    manager: &'static str,
}

impl std::fmt::Debug for Cluster {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Cluster").finish_non_exhaustive()
    }
}

impl Cluster {
    /// Speaks through a client as a field manager.
    pub fn new(client: Client, manager: &'static str) -> Self {
        Self {
            client,
            kinds: Arc::default(),
            manager,
        }
    }

    /// Asks the server again which kinds it serves.
    pub async fn discover(&self) -> Result<(), Refusal> {
        let groups = self.get("/apis").await?;
        let mut kinds = HashMap::new();
        learn(&mut kinds, ("", "v1"), &self.get("/api/v1").await?);
        for group in json::items(&groups, &["groups"]) {
            let name = json::text(group, &["name"]);
            let preferred = json::text(group, &["preferredVersion", "version"]);
            let versions: Vec<_> = json::items(group, &["versions"])
                .iter()
                .map(|version| json::text(version, &["version"]))
                .collect();
            let others = versions.iter().filter(|version| **version != preferred);
            for version in std::iter::once(&preferred).chain(others) {
                let list = self.get(&format!("/apis/{name}/{version}")).await?;
                learn(&mut kinds, (name, version), &list);
            }
        }
        let kinds = kinds
            .into_iter()
            .map(|(name, served)| (name, Arc::new(served)))
            .collect();
        *self.kinds.write().unwrap_or_else(PoisonError::into_inner) = kinds;
        Ok(())
    }

    /// Returns what the server says about a kind.
    pub fn served(&self, group: &str, kind: &str) -> Option<Arc<Served>> {
        self.kinds
            .read()
            .unwrap_or_else(PoisonError::into_inner)
            .get(&(group.to_owned(), kind.to_owned()))
            .cloned()
    }

    /// Returns every kind that can be watched, in order.
    pub fn all(&self) -> Vec<Arc<Served>> {
        let kinds = self.kinds.read().unwrap_or_else(PoisonError::into_inner);
        let sorted: BTreeMap<_, _> = kinds.iter().collect();
        sorted
            .into_values()
            .filter(|served| served.watchable)
            .cloned()
            .collect()
    }

    fn collection(&self, key: &Key, version: &str) -> Result<String, Refusal> {
        let served = self
            .served(&key.group, &key.kind)
            .ok_or_else(|| unknown_kind(key))?;
        let version = if version.is_empty() {
            &served.resource.version
        } else {
            version
        };
        let root = if key.group.is_empty() {
            format!("/api/{version}")
        } else {
            format!("/apis/{}/{version}", key.group)
        };
        let plural = &served.resource.plural;
        Ok(if served.namespaced {
            format!("{root}/namespaces/{}/{plural}", key.namespace)
        } else {
            format!("{root}/{plural}")
        })
    }

    /// Reads an object; `None` when it is not there.
    pub async fn read(&self, key: &Key) -> Result<Option<Value>, Refusal> {
        let path = format!("{}/{}", self.collection(key, "")?, key.name);
        match self.get(&path).await {
            Ok(value) => Ok(Some(value)),
            Err(refusal) if refusal.is_not_found() => Ok(None),
            Err(refusal) => Err(refusal),
        }
    }

    /// Creates an object.
    pub async fn create(
        &self,
        key: &Key,
        object: &Value,
        run: Run,
        strict: bool,
    ) -> Result<Value, Refusal> {
        let version = super::key::version_of(object);
        let path = format!(
            "{}?{}",
            self.collection(key, version)?,
            self.query(run, strict)
        );
        self.send("POST", &path, "application/json", object).await
    }

    /// Replaces an object.
    pub async fn replace(&self, key: &Key, object: &Value, run: Run) -> Result<Value, Refusal> {
        let version = super::key::version_of(object);
        let collection = self.collection(key, version)?;
        let path = format!("{collection}/{}?{}", key.name, self.query(run, false));
        self.send("PUT", &path, "application/json", object).await
    }

    /// Patches an object. Applying takes over what others own, as Argo CD does.
    pub async fn patch(
        &self,
        key: &Key,
        patch: &Value,
        kind: PatchKind,
        run: Run,
    ) -> Result<Value, Refusal> {
        let version = match kind {
            PatchKind::Apply => super::key::version_of(patch),
            PatchKind::Merge | PatchKind::Json => "",
        };
        let (content, extra) = match kind {
            PatchKind::Merge => ("application/merge-patch+json", ""),
            PatchKind::Json => ("application/json-patch+json", ""),
            PatchKind::Apply => ("application/apply-patch+yaml", "&force=true"),
        };
        let collection = self.collection(key, version)?;
        let path = format!(
            "{collection}/{}?{}{extra}",
            key.name,
            self.query(run, false)
        );
        self.send("PATCH", &path, content, patch).await
    }

    /// Deletes an object with a propagation policy; one that is gone already is fine.
    pub async fn delete(&self, key: &Key, propagation: &str) -> Result<(), Refusal> {
        let path = format!("{}/{}", self.collection(key, "")?, key.name);
        let options =
            make!({"kind": "DeleteOptions", "apiVersion": "v1", "propagationPolicy": propagation});
        match self
            .send("DELETE", &path, "application/json", &options)
            .await
        {
            Err(refusal) if !refusal.is_not_found() => Err(refusal),
            Ok(_) | Err(_) => Ok(()),
        }
    }

    fn query(&self, run: Run, strict: bool) -> String {
        let dry = match run {
            Run::Dry => "&dryRun=All",
            Run::Wet => "",
        };
        let validation = if strict {
            "&fieldValidation=Strict"
        } else {
            ""
        };
        format!("fieldManager={}{dry}{validation}", self.manager)
    }

    async fn get(&self, path: &str) -> Result<Value, Refusal> {
        let request = http::Request::get(path)
            .body(Vec::new())
            .map_err(unsendable)?;
        self.client.request(request).await.map_err(Refusal::new)
    }

    async fn send(
        &self,
        method: &str,
        path: &str,
        content: &str,
        body: &Value,
    ) -> Result<Value, Refusal> {
        let request = http::Request::builder()
            .method(method)
            .uri(path)
            .header("content-type", content)
            .body(body.to_string().into_bytes())
            .map_err(unsendable)?;
        self.client.request(request).await.map_err(Refusal::new)
    }
}

fn unsendable(error: http::Error) -> Refusal {
    Refusal::new(kube::Error::HttpError(error))
}

/// Argo CD's words for a kind whose CRD is not installed.
pub fn unknown_kind(key: &Key) -> Refusal {
    let group = if key.group.is_empty() {
        String::new()
    } else {
        format!("{}/", key.group)
    };
    Refusal {
        code: 404,
        reason: "NotFound".to_owned(),
        message: format!(
            "The Kubernetes API could not find {group}{kind} for requested resource {}/{}. Make sure the \"{kind}\" CRD is installed on the destination cluster.",
            key.namespace,
            key.name,
            kind = key.kind,
        ),
    }
}

fn learn(
    kinds: &mut HashMap<(String, String), Served>,
    (group, version): (&str, &str),
    list: &Value,
) {
    for resource in json::items(list, &["resources"]) {
        let plural = json::text(resource, &["name"]);
        if plural.contains('/') {
            continue;
        }
        let kind = json::text(resource, &["kind"]);
        let verbs = json::texts(resource, &["verbs"]);
        let api_version = if group.is_empty() {
            version.to_owned()
        } else {
            format!("{group}/{version}")
        };
        let served = kinds
            .entry((group.to_owned(), kind.to_owned()))
            .or_insert_with(|| Served {
                resource: ApiResource {
                    group: group.to_owned(),
                    version: version.to_owned(),
                    api_version,
                    kind: kind.to_owned(),
                    plural: plural.to_owned(),
                },
                namespaced: json::flag(resource, &["namespaced"]),
                watchable: verbs.contains(&"list") && verbs.contains(&"watch"),
                versions: Vec::new(),
            });
        served.versions.push(version.to_owned());
    }
}
