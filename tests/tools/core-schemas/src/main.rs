//! Writes the schemas of the built-in Kubernetes types that the embedded API server carries.
//!
//! Input: the JSON schemas of `k8s-openapi` (feature `schemars`) and, from the same crate's source,
//! the merge strategies of its `DeepMerge` implementations, which follow the upstream
//! `x-kubernetes-list-type` and `x-kubernetes-patch-merge-key` annotations.
//! Output: `core-types.json.gz` (structure) and `core-descriptions.json.gz` (texts).
//!
//! ```text
//! CARGO_TARGET_DIR=/tmp/core-schemas cargo run -- <folder of k8s-openapi>/src/v1_33 ../../../src/sim/apiserver/schema
//! ```

mod annotate;

use std::io::Write as _;
use std::path::Path;

use k8s_openapi::api;
use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1 as apiextensions;
use k8s_openapi::apimachinery::pkg::apis::meta::v1 as meta;
use k8s_openapi::kube_aggregator::pkg::apis::apiregistration::v1 as apiregistration;
use schemars::SchemaGenerator;
use schemars::generate::SchemaSettings;
use serde_json::{Map, Value, json};

macro_rules! add {
    ($generator:expr, $($kind:path),+ $(,)?) => {
        $( let _ = $generator.subschema_for::<$kind>(); )+
    };
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut arguments = std::env::args().skip(1);
    let (Some(source), Some(target)) = (arguments.next(), arguments.next()) else {
        return Err("usage: core-schemas <k8s-openapi/src/v1_33> <folder to write to>".into());
    };
    let mut definitions = definitions();
    annotate::merge_strategies(&mut definitions, Path::new(&source))?;
    annotate::known_facts(&mut definitions);
    let descriptions = take_descriptions(&mut definitions);
    write(
        Path::new(&target).join("core-types.json.gz").as_path(),
        &Value::Object(definitions),
    )?;
    write(
        Path::new(&target)
            .join("core-descriptions.json.gz")
            .as_path(),
        &descriptions,
    )
}

/// Returns every definition that the built-in kinds reach, by its upstream name.
fn definitions() -> Map<String, Value> {
    let mut generator = SchemaSettings::draft2020_12().into_generator();
    workload_kinds(&mut generator);
    cluster_kinds(&mut generator);
    let found = generator.take_definitions(true);
    found
        .into_iter()
        .map(|(name, schema)| (name, upstream_form(schema)))
        .collect()
}

fn workload_kinds(generator: &mut SchemaGenerator) {
    add!(
        generator,
        api::core::v1::Binding,
        api::core::v1::ComponentStatus,
        api::core::v1::ConfigMap,
        api::core::v1::Endpoints,
        api::core::v1::Event,
        api::core::v1::LimitRange,
        api::core::v1::Namespace,
        api::core::v1::Node,
        api::core::v1::PersistentVolume,
        api::core::v1::PersistentVolumeClaim,
        api::core::v1::Pod,
        api::core::v1::PodTemplate,
        api::core::v1::ReplicationController,
        api::core::v1::ResourceQuota,
        api::core::v1::Secret,
        api::core::v1::Service,
        api::core::v1::ServiceAccount,
        api::apps::v1::ControllerRevision,
        api::apps::v1::DaemonSet,
        api::apps::v1::Deployment,
        api::apps::v1::ReplicaSet,
        api::apps::v1::StatefulSet,
        api::batch::v1::CronJob,
        api::batch::v1::Job,
        api::autoscaling::v1::Scale,
        api::autoscaling::v1::HorizontalPodAutoscaler,
        api::autoscaling::v2::HorizontalPodAutoscaler,
        api::policy::v1::Eviction,
        api::policy::v1::PodDisruptionBudget,
        api::discovery::v1::EndpointSlice,
        api::events::v1::Event,
        api::networking::v1::Ingress,
        api::networking::v1::IngressClass,
        api::networking::v1::NetworkPolicy,
    );
}

fn cluster_kinds(generator: &mut SchemaGenerator) {
    add!(
        generator,
        api::admissionregistration::v1::MutatingWebhookConfiguration,
        api::admissionregistration::v1::ValidatingWebhookConfiguration,
        api::authentication::v1::SelfSubjectReview,
        api::authentication::v1::TokenRequest,
        api::authentication::v1::TokenReview,
        api::authorization::v1::LocalSubjectAccessReview,
        api::authorization::v1::SelfSubjectAccessReview,
        api::authorization::v1::SelfSubjectRulesReview,
        api::authorization::v1::SubjectAccessReview,
        api::coordination::v1::Lease,
        api::node::v1::RuntimeClass,
        api::rbac::v1::ClusterRole,
        api::rbac::v1::ClusterRoleBinding,
        api::rbac::v1::Role,
        api::rbac::v1::RoleBinding,
        api::scheduling::v1::PriorityClass,
        api::storage::v1::CSIDriver,
        api::storage::v1::CSINode,
        api::storage::v1::CSIStorageCapacity,
        api::storage::v1::StorageClass,
        api::storage::v1::VolumeAttachment,
        apiextensions::CustomResourceDefinition,
        apiregistration::APIService,
        meta::DeleteOptions,
        meta::ListMeta,
        meta::ObjectMeta,
        meta::Status,
    );
}

/// Turns one generated schema into the form that upstream's OpenAPI v3 documents have.
fn upstream_form(schema: Value) -> Value {
    match schema {
        Value::Array(items) => items.into_iter().map(upstream_form).collect(),
        Value::Object(map) => object_form(map),
        other => other,
    }
}

fn object_form(map: Map<String, Value>) -> Value {
    let mut out: Map<String, Value> = map
        .into_iter()
        .map(|(key, value)| (key, upstream_form(value)))
        .collect();
    let Some(Value::String(reference)) = out.remove("$ref") else {
        return Value::Object(out);
    };
    let name = reference.rsplit('/').next().unwrap_or_default();
    let target = json!({ "$ref": format!("#/components/schemas/{name}") });
    if out.is_empty() {
        return target;
    }
    out.insert("allOf".to_owned(), json!([target]));
    Value::Object(out)
}

/// Moves the texts out: definition → field ("" for the definition itself) → text.
fn take_descriptions(definitions: &mut Map<String, Value>) -> Value {
    let mut all = Map::new();
    for (name, schema) in definitions {
        let mut texts = Map::new();
        if let Some(text) = schema
            .as_object_mut()
            .and_then(|one| one.remove("description"))
        {
            texts.insert(String::new(), text);
        }
        let fields = schema.get_mut("properties").and_then(Value::as_object_mut);
        for (field, property) in fields.into_iter().flatten() {
            let Some(property) = property.as_object_mut() else {
                continue;
            };
            if let Some(text) = property.remove("description") {
                texts.insert(field.clone(), text);
            }
            // A lone reference needs no wrapper; the text comes back with one.
            if property.len() == 1
                && let Some(target) = property.get("allOf").and_then(|all| all.get(0)).cloned()
            {
                *property = target.as_object().cloned().unwrap_or_default();
            }
        }
        all.insert(name.clone(), Value::Object(texts));
    }
    Value::Object(all)
}

fn write(path: &Path, value: &Value) -> Result<(), Box<dyn std::error::Error>> {
    let text = serde_json::to_vec(value)?;
    let file = std::fs::File::create(path)?;
    let mut zip = flate2::GzBuilder::new()
        .mtime(0)
        .write(file, flate2::Compression::best());
    zip.write_all(&text)?;
    zip.finish()?;
    println!("{}: {} bytes of JSON", path.display(), text.len());
    Ok(())
}
