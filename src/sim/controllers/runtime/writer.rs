//! Writing objects through the cache, so that the writer reads its own writes at once.
//!
//! Status and other changes are sent as the smallest JSON merge patch; when nothing changed,
//! nothing is sent. That is what keeps a settled platform silent.

use super::error::ReconcileError;
use super::informer::{Informer, Watched};
use super::key::ObjectKey;
use kube::api::{DeleteParams, Patch, PatchParams, PostParams, Preconditions};
use kube::core::Request;
use serde::Serialize;
use serde_json::{Map, Value};
use std::sync::Arc;

type Result<T> = std::result::Result<T, ReconcileError>;

/// Writes the objects of one kind in the name of one field manager.
#[derive(Clone, Debug)]
pub struct Writer<K: Watched> {
    informer: Informer<K>,
    manager: &'static str,
}

impl<K: Watched + Serialize> Informer<K> {
    /// Returns a writer whose changes are owned by `manager`.
    pub fn writer(&self, manager: &'static str) -> Writer<K> {
        Writer {
            informer: self.clone(),
            manager,
        }
    }
}

impl<K: Watched + Serialize> Writer<K> {
    /// Creates an object in the namespace it names.
    pub async fn create(&self, object: &K) -> Result<Arc<K>> {
        let key = ObjectKey::of(object);
        let doing = || format!("create {} in `{}`", self.plural(), key.namespace);
        let body = serde_json::to_vec(object).map_err(|source| encoding(doing(), source))?;
        let params = PostParams {
            field_manager: Some(self.manager.into()),
            ..PostParams::default()
        };
        let request = self.request(&key).create(&params, body);
        self.send(request, doing).await
    }

    /// Sends a merge patch to an object.
    pub async fn patch(&self, key: &ObjectKey, patch: &Value) -> Result<Arc<K>> {
        let request = self
            .request(key)
            .patch(&key.name, &self.params(), &Patch::Merge(patch));
        self.send(request, || format!("patch {} `{key}`", self.plural()))
            .await
    }

    /// Writes what differs between `old` and `new` outside of the status, if anything does.
    ///
    /// The patch carries `old`'s resource version, so a change meanwhile makes it a conflict.
    pub async fn update(&self, old: &K, new: &K) -> Result<Option<Arc<K>>> {
        let key = ObjectKey::of(old);
        let before = self.encode(old, &key)?;
        let after = self.encode(new, &key)?;
        let Some(mut patch) = merge_patch(&before, &after) else {
            return Ok(None);
        };
        if let Some(patch) = patch.as_object_mut() {
            patch.remove("status");
            if patch.is_empty() {
                return Ok(None);
            }
            let meta = patch
                .entry("metadata")
                .or_insert_with(|| Value::Object(Map::new()));
            if let Some(version) = &old.meta().resource_version {
                meta["resourceVersion"] = Value::String(version.clone());
            }
        }
        self.patch(&key, &patch).await.map(Some)
    }

    /// Writes what differs between two states of an object's status, if anything does.
    pub async fn update_status<S: Serialize + Sync>(
        &self,
        object: &K,
        old: &S,
        new: &S,
    ) -> Result<Option<Arc<K>>> {
        let key = ObjectKey::of(object);
        let doing = || format!("update the status of {} `{key}`", self.plural());
        let value =
            |status: &S| serde_json::to_value(status).map_err(|source| encoding(doing(), source));
        let Some(patch) = merge_patch(&value(old)?, &value(new)?) else {
            return Ok(None);
        };
        // The uid guards against a status for an object that was deleted and made anew.
        let patch = serde_json::json!({
            "metadata": {"uid": object.meta().uid},
            "status": patch,
        });
        let request = self.request(&key).patch_subresource(
            "status",
            &key.name,
            &self.params(),
            &Patch::Merge(&patch),
        );
        self.send(request, doing).await.map(Some)
    }

    /// Deletes an object, unless it is already gone or another object has taken its name.
    pub async fn delete(&self, object: &K, params: &DeleteParams) -> Result<()> {
        let key = ObjectKey::of(object);
        let uid = object.meta().uid.clone();
        let mut params = params.clone();
        params.preconditions = Some(Preconditions {
            resource_version: None,
            uid: uid.clone(),
        });
        let doing = || format!("delete {} `{key}`", self.plural());
        let request = self
            .request(&key)
            .delete(&key.name, &params)
            .map_err(|source| ReconcileError::api(doing(), kube::Error::BuildRequest(source)))?;
        match self.informer.client().request::<Value>(request).await {
            Ok(answer) if answer.pointer("/metadata/deletionTimestamp").is_some() => {
                let left =
                    serde_json::from_value(answer).map_err(|source| encoding(doing(), source))?;
                self.informer.observe(left);
                Ok(())
            }
            Ok(_) => {
                self.informer.observe_deleted(&key, uid.as_deref());
                Ok(())
            }
            Err(source) => {
                let error = ReconcileError::api(doing(), source);
                if error.is_not_found() || error.is_conflict() {
                    return Ok(());
                }
                Err(error)
            }
        }
    }

    /// Posts to a subresource that answers with something other than the object.
    pub async fn post(&self, key: &ObjectKey, subresource: &str, body: &Value) -> Result<()> {
        let doing = || format!("post {subresource} of {} `{key}`", self.plural());
        let bytes = serde_json::to_vec(body).map_err(|source| encoding(doing(), source))?;
        let request = self
            .request(key)
            .create_subresource(subresource, &key.name, &PostParams::default(), bytes)
            .map_err(|source| ReconcileError::api(doing(), kube::Error::BuildRequest(source)))?;
        self.informer
            .client()
            .request::<Value>(request)
            .await
            .map_err(|source| ReconcileError::api(doing(), source))?;
        Ok(())
    }

    /// Returns the cache this writer writes through.
    pub fn informer(&self) -> &Informer<K> {
        &self.informer
    }

    async fn send(
        &self,
        request: std::result::Result<http::Request<Vec<u8>>, kube::core::request::Error>,
        doing: impl Fn() -> String,
    ) -> Result<Arc<K>> {
        let request = request
            .map_err(|source| ReconcileError::api(doing(), kube::Error::BuildRequest(source)))?;
        let object = self
            .informer
            .client()
            .request::<K>(request)
            .await
            .map_err(|source| ReconcileError::api(doing(), source))?;
        Ok(self.informer.observe(object))
    }

    fn request(&self, key: &ObjectKey) -> Request {
        Request::new(K::url_path(self.informer.kind(), key.namespace()))
    }

    fn params(&self) -> PatchParams {
        PatchParams {
            field_manager: Some(self.manager.into()),
            ..PatchParams::default()
        }
    }

    fn encode(&self, object: &K, key: &ObjectKey) -> Result<Value> {
        serde_json::to_value(object)
            .map_err(|source| encoding(format!("update {} `{key}`", self.plural()), source))
    }

    fn plural(&self) -> String {
        K::plural(self.informer.kind()).into_owned()
    }
}

fn encoding(doing: String, source: serde_json::Error) -> ReconcileError {
    ReconcileError::Encoding { doing, source }
}

/// Returns the JSON merge patch (RFC 7386) that turns `old` into `new`; none when they are equal.
pub fn merge_patch(old: &Value, new: &Value) -> Option<Value> {
    if old == new {
        return None;
    }
    let (Value::Object(old), Value::Object(new)) = (old, new) else {
        return Some(new.clone());
    };
    let mut patch = Map::new();
    for name in old.keys().filter(|name| !new.contains_key(*name)) {
        patch.insert(name.clone(), Value::Null);
    }
    for (name, value) in new {
        let known = old.get(name).unwrap_or(&Value::Null);
        if let Some(change) = merge_patch(known, value) {
            patch.insert(name.clone(), change);
        }
    }
    Some(Value::Object(patch))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn a_merge_patch_names_only_what_differs() {
        let old = json!({"replicas": 3, "conditions": [1], "gone": 1, "deep": {"a": 1, "b": 2}});
        let new = json!({"replicas": 3, "conditions": [1, 2], "deep": {"a": 1, "b": 3}});

        let patch = merge_patch(&old, &new).expect("they differ");

        assert_eq!(
            patch,
            json!({"conditions": [1, 2], "gone": null, "deep": {"b": 3}})
        );
        let mut merged = old;
        json_patch::merge(&mut merged, &patch);
        assert_eq!(merged, new);
    }

    #[test]
    fn equal_states_need_no_patch() {
        assert_eq!(merge_patch(&json!({"a": [1]}), &json!({"a": [1]})), None);
    }
}
