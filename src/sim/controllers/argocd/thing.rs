//! Any object of any kind, as the controller's caches keep it.
//!
//! What no Application tracks is kept small: a cluster is full of objects that nobody compares.

use super::json;
use super::key::annotation;
use super::tracking::TRACKING_ID;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use kube::Resource;
use kube::discovery::ApiResource;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use serde_json::{Map, Value};
use std::borrow::Cow;
use std::sync::Arc;

/// An object with the little metadata that an informer needs.
#[derive(Clone, Debug)]
pub struct Thing {
    meta: ObjectMeta,
    pub body: Arc<Value>,
    /// Whether the body is whole; otherwise it has to be read again before it is compared.
    pub whole: bool,
}

impl Thing {
    /// Takes an object as a server sent it.
    pub fn new(mut value: Value) -> Self {
        let own = |name: &str| {
            let text = json::text(&value, &["metadata", name]);
            (!text.is_empty()).then(|| text.to_owned())
        };
        let meta = ObjectMeta {
            name: own("name"),
            namespace: own("namespace"),
            uid: own("uid"),
            resource_version: own("resourceVersion"),
            ..ObjectMeta::default()
        };
        let whole = is_wanted(&value);
        if !whole {
            shrink(&mut value);
        }
        Self {
            meta,
            body: Arc::new(value),
            whole,
        }
    }
}

/// Applications and projects are read by the controller itself; the rest only when tracked.
fn is_wanted(value: &Value) -> bool {
    let argo = json::text(value, &["apiVersion"]).starts_with("argoproj.io/")
        && matches!(json::text(value, &["kind"]), "Application" | "AppProject");
    argo || json::at(value, &["spec", "destination"]).is_some()
        || json::at(value, &["spec", "sourceRepos"]).is_some()
        || !annotation(value, TRACKING_ID).is_empty()
}

/// Keeps identity, owners and images.
fn shrink(value: &mut Value) {
    json::remove(value, &["metadata", "managedFields"]);
    json::remove(value, &["metadata", "annotations"]);
    let images: Vec<Value> = ["initContainers", "containers"]
        .iter()
        .flat_map(|list| json::items(value, &["spec", list]))
        .filter_map(|container| container.get("image").cloned())
        .map(|image| serde_json::json!({"image": image}))
        .collect();
    if let Some(map) = value.as_object_mut() {
        map.retain(|name, _| matches!(name.as_str(), "apiVersion" | "kind" | "metadata"));
    }
    if !images.is_empty() {
        json::put(value, &["spec", "containers"], Value::Array(images));
    }
}

/// Returns the images of a Pod's containers.
pub fn images_of(value: &Value) -> Vec<&str> {
    ["initContainers", "containers"]
        .iter()
        .flat_map(|list| json::items(value, &["spec", list]))
        .map(|container| json::text(container, &["image"]))
        .filter(|image| !image.is_empty())
        .collect()
}

impl<'de> Deserialize<'de> for Thing {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Map::deserialize(deserializer).map(|map| Self::new(Value::Object(map)))
    }
}

impl Serialize for Thing {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.body.serialize(serializer)
    }
}

impl Resource for Thing {
    type DynamicType = ApiResource;
    type Scope = kube::core::DynamicResourceScope;

    fn kind(kind: &ApiResource) -> Cow<'_, str> {
        kind.kind.as_str().into()
    }

    fn group(kind: &ApiResource) -> Cow<'_, str> {
        kind.group.as_str().into()
    }

    fn version(kind: &ApiResource) -> Cow<'_, str> {
        kind.version.as_str().into()
    }

    fn api_version(kind: &ApiResource) -> Cow<'_, str> {
        kind.api_version.as_str().into()
    }

    fn plural(kind: &ApiResource) -> Cow<'_, str> {
        kind.plural.as_str().into()
    }

    fn meta(&self) -> &ObjectMeta {
        &self.meta
    }

    fn meta_mut(&mut self) -> &mut ObjectMeta {
        &mut self.meta
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json as make;

    #[test]
    fn an_untracked_object_is_kept_small_and_a_tracked_one_whole() {
        let pod = |annotations: Value| {
            Thing::new(make!({"apiVersion": "v1", "kind": "Pod",
                "metadata": {"name": "a", "uid": "1", "annotations": annotations,
                    "ownerReferences": [{"uid": "2"}]},
                "spec": {"containers": [{"name": "x", "image": "web:1", "env": []}]},
                "status": {"phase": "Running"}}))
        };

        let small = pod(make!({"x": "y"}));
        assert!(!small.whole);
        assert_eq!(images_of(&small.body), ["web:1"]);
        assert_eq!(small.body.get("status"), None);
        assert_eq!(
            json::items(&small.body, &["metadata", "ownerReferences"]).len(),
            1
        );

        let whole = pod(make!({TRACKING_ID: "a:/Pod:n/a"}));
        assert!(whole.whole);
        assert!(whole.body.get("status").is_some());
    }
}
