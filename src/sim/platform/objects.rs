//! Creates the objects of a scenario through the API, as any client would.

use super::SimError;
use crate::api::yaml;
use crate::sim::scenario::embedded_files;
use futures::{StreamExt as _, TryStreamExt as _};
use kube::Client;
use kube::api::{Api, ApiResource, DynamicObject, GroupVersionKind, PostParams};
use serde_json::Value;
use std::time::Duration;

/// Creations that run at the same time.
const AT_ONCE: usize = 32;
/// A definition is served a moment after it was created.
const ATTEMPTS: u32 = 50;
const PAUSE: Duration = Duration::from_millis(20);

/// Creates the custom resource definitions that the program carries.
pub(super) async fn create_definitions(client: &Client) -> Result<(), SimError> {
    let mut definitions = Vec::new();
    for (file, bytes) in embedded_files("crds").iter() {
        if file.ends_with(".yaml") {
            definitions.extend(documents(file, bytes)?);
        }
    }
    create_all(client, &definitions).await
}

/// Creates the objects that a part of the platform comes with, from one file of `parts`.
pub(super) async fn create_part(client: &Client, wanted: &str) -> Result<(), SimError> {
    let files = embedded_files("parts");
    let mut objects = Vec::new();
    for (file, bytes) in files.iter().filter(|(file, _)| *file == wanted) {
        objects.extend(documents(file, bytes)?);
    }
    create_all(client, &objects).await
}

fn documents(file: &str, bytes: &[u8]) -> Result<Vec<Value>, SimError> {
    yaml::from_multi(&String::from_utf8_lossy(bytes)).map_err(|error| SimError::Definition {
        file: file.to_owned(),
        message: error.to_string(),
    })
}

/// Creates objects, many at a time: what others live in first, Applications last, so that their
/// projects are there when a controller first looks.
pub(super) async fn create_all(client: &Client, objects: &[Value]) -> Result<(), SimError> {
    let turn = |object: &&Value| match object.get("kind").and_then(Value::as_str) {
        Some("Namespace" | "CustomResourceDefinition") => 0_u8,
        Some("Application") => 2,
        _ => 1,
    };
    let of_turn = |wanted: u8| {
        objects
            .iter()
            .filter(|object| turn(object) == wanted)
            .collect::<Vec<_>>()
    };
    for group in [of_turn(0), of_turn(1), of_turn(2)] {
        // Collected first: a stream over the closure itself is not `Send` for every lifetime.
        let creations: Vec<_> = group
            .into_iter()
            .map(|object| create(client, object))
            .collect();
        futures::stream::iter(creations)
            .buffer_unordered(AT_ONCE)
            .try_collect::<()>()
            .await?;
    }
    Ok(())
}

async fn create(client: &Client, object: &Value) -> Result<(), SimError> {
    let (what, api, object) = prepare(client, object)?;
    let mut attempt = 1;
    loop {
        match api.create(&PostParams::default(), &object).await {
            Ok(_) => return Ok(()),
            Err(kube::Error::Api(status)) if status.reason == "AlreadyExists" => return Ok(()),
            // The kind's definition, or the namespace, is about to be there.
            Err(kube::Error::Api(status)) if status.code == 404 && attempt < ATTEMPTS => {
                attempt += 1;
                tokio::time::sleep(PAUSE).await;
            }
            Err(source) => return Err(SimError::Create { what, source }),
        }
    }
}

fn prepare(
    client: &Client,
    object: &Value,
) -> Result<(String, Api<DynamicObject>, DynamicObject), SimError> {
    let text = |pointer: &str| {
        object
            .pointer(pointer)
            .and_then(Value::as_str)
            .unwrap_or_default()
    };
    let (kind, namespace) = (text("/kind"), text("/metadata/namespace"));
    let what = match namespace {
        "" => format!("{kind} `{}`", text("/metadata/name")),
        namespace => format!("{kind} `{namespace}/{}`", text("/metadata/name")),
    };
    let resource = resource_of(text("/apiVersion"), kind);
    let api = match namespace {
        "" => Api::all_with(client.clone(), &resource),
        namespace => Api::namespaced_with(client.clone(), namespace, &resource),
    };
    let object = serde_json::from_value(object.clone()).map_err(|source| SimError::Create {
        what: what.clone(),
        source: kube::Error::SerdeError(source),
    })?;
    Ok((what, api, object))
}

/// Returns where the API serves a kind.
pub(super) fn resource_of(api_version: &str, kind: &str) -> ApiResource {
    let (group, version) = api_version.split_once('/').unwrap_or(("", api_version));
    let mut resource = ApiResource::from_gvk(&GroupVersionKind::gvk(group, version, kind));
    if kind == "EventBus" {
        // Its authors took the word for a plural.
        "eventbus".clone_into(&mut resource.plural);
    }
    resource
}
