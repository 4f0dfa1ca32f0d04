//! What documents say about built-in and custom kinds.

use super::*;
use crate::sim::apiserver::schema::core_types;

fn core_document(group: &str, version: &str) -> Value {
    let kinds: Vec<DocKind<'_>> = core_types()
        .all()
        .iter()
        .filter(|one| one.group == group && one.version == version)
        .map(|one| DocKind {
            group: one.group,
            version: one.version,
            kind: one.kind,
            plural: one.plural,
            namespaced: one.namespaced,
            create_only: one.create_only(),
            status: true,
            scale: one.kind == "Deployment",
            schema: DocSchema::Core(one.definition()),
        })
        .collect();
    document(group, version, &kinds)
}

#[test]
fn every_reference_of_a_document_is_in_it() {
    for (group, version) in [("", "v1"), ("apps", "v1"), ("apiextensions.k8s.io", "v1")] {
        let document = core_document(group, version);

        let mut wanted = Vec::new();
        references(&document, &mut wanted);

        let schemas = &document["components"]["schemas"];
        for name in wanted {
            assert!(schemas.get(&name).is_some(), "{group} lacks {name}");
        }
    }
}

#[test]
fn the_patch_of_a_deployment_offers_strict_validation_and_strategic_merge() {
    let document = core_document("apps", "v1");

    let patch =
        &document["paths"]["/apis/apps/v1/namespaces/{namespace}/deployments/{name}"]["patch"];

    assert_eq!(
        patch["x-kubernetes-group-version-kind"]["kind"],
        "Deployment"
    );
    let names: Vec<_> = patch["parameters"]
        .as_array()
        .unwrap()
        .iter()
        .map(|one| one["name"].as_str().unwrap())
        .collect();
    assert_eq!(
        names,
        ["dryRun", "fieldManager", "fieldValidation", "force"]
    );
    assert!(
        patch["requestBody"]["content"]
            .get("application/strategic-merge-patch+json")
            .is_some()
    );
}

#[test]
fn texts_come_with_the_fields_of_built_in_kinds() {
    let document = core_document("apps", "v1");
    let spec = &document["components"]["schemas"]["io.k8s.api.apps.v1.DeploymentSpec"];

    let replicas = spec["properties"]["replicas"]["description"]
        .as_str()
        .unwrap();

    assert!(replicas.starts_with("Number of desired pods"));
    let template = &spec["properties"]["template"];
    assert!(template["allOf"][0]["$ref"].is_string() && template["description"].is_string());
}

#[test]
fn a_custom_kind_is_described_with_its_metadata() {
    let schema = json!({"type": "object", "properties": {"spec": {"type": "object"}}});
    let kind = DocKind {
        group: "argoproj.io",
        version: "v1alpha1",
        kind: "Application",
        plural: "applications",
        namespaced: true,
        create_only: false,
        status: false,
        scale: false,
        schema: DocSchema::Custom(&schema),
    };

    let document = document("argoproj.io", "v1alpha1", &[kind]);

    let found = &document["components"]["schemas"]["io.argoproj.v1alpha1.Application"];
    assert_eq!(
        found["x-kubernetes-group-version-kind"][0]["kind"],
        "Application"
    );
    assert!(found["properties"]["metadata"]["allOf"][0]["$ref"].is_string());
    let patch = &document["paths"]["/apis/argoproj.io/v1alpha1/namespaces/{namespace}/applications/{name}"]
        ["patch"];
    assert!(
        patch["requestBody"]["content"]
            .get("application/strategic-merge-patch+json")
            .is_none()
    );
}

#[test]
fn a_changed_schema_changes_the_fingerprint() {
    let kind = |schema| DocKind {
        group: "a.org",
        version: "v1",
        kind: "A",
        plural: "as",
        namespaced: true,
        create_only: false,
        status: false,
        scale: false,
        schema: DocSchema::Custom(schema),
    };
    let (one, two) = (json!({"type": "object"}), json!({"type": "string"}));

    assert_ne!(fingerprint(&[kind(&one)]), fingerprint(&[kind(&two)]));
    assert_eq!(fingerprint(&[kind(&one)]), fingerprint(&[kind(&one)]));
}
