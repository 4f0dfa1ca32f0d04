//! Custom resources: registered by their definitions, validated by their schemas.

use crate::apiserver_basic::server;
use kube::api::{Api, DynamicObject, Patch, PatchParams, PostParams};
use kube::core::{ApiResource, GroupVersionKind};
use kube::{Client, Discovery};
use serde_json::{Value, json};

fn resource(kind: &str, plural: &str) -> ApiResource {
    let gvk = GroupVersionKind::gvk("argoproj.io", "v1alpha1", kind);
    ApiResource::from_gvk_with_plural(&gvk, plural)
}

pub(crate) async fn post_raw(
    client: &Client,
    path: &str,
    object: &Value,
) -> Result<Value, kube::Error> {
    let request = http::Request::post(path)
        .header("content-type", "application/json")
        .body(object.to_string().into_bytes())
        .expect("a request");
    client.request(request).await
}

/// Registers a definition of widgets with the subresources given.
pub(crate) async fn register(client: &Client, kind: &str, plural: &str, subresources: Value) {
    let definition = json!({
        "apiVersion": "apiextensions.k8s.io/v1", "kind": "CustomResourceDefinition",
        "metadata": {"name": format!("{plural}.argoproj.io")},
        "spec": {
            "group": "argoproj.io", "scope": "Namespaced",
            "names": {"kind": kind, "plural": plural},
            "versions": [{
                "name": "v1alpha1", "served": true, "storage": true,
                "subresources": subresources,
                "additionalPrinterColumns": [
                    {"name": "Size", "type": "integer", "jsonPath": ".spec.size"}],
                "schema": {"openAPIV3Schema": {"type": "object", "properties": {
                    "spec": {"type": "object", "properties": {
                        "size": {"type": "integer", "minimum": 1},
                        "colour": {"type": "string", "default": "red"},
                    }},
                    "status": {"type": "object", "x-kubernetes-preserve-unknown-fields": true},
                }}},
            }],
        },
    });
    let path = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions";
    post_raw(client, path, &definition)
        .await
        .expect("registered");
}

fn widget(kind: &str, spec: &Value) -> DynamicObject {
    serde_json::from_value(json!({
        "apiVersion": "argoproj.io/v1alpha1", "kind": kind,
        "metadata": {"name": "w"}, "spec": spec, "status": {"phase": "set"},
    }))
    .expect("an object")
}

#[tokio::test]
async fn a_definition_is_established_and_served_at_once() {
    let client = server().client("test");
    register(&client, "Widget", "widgets", json!({"status": {}})).await;

    let discovery = Discovery::new(client.clone())
        .run_aggregated()
        .await
        .expect("discovered");
    let gvk = GroupVersionKind::gvk("argoproj.io", "v1alpha1", "Widget");
    let (found, _) = discovery.resolve_gvk(&gvk).expect("served");
    let path = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions/widgets.argoproj.io";
    let request = http::Request::get(path)
        .body(Vec::new())
        .expect("a request");
    let definition: Value = client.request(request).await.expect("the definition");

    assert_eq!(found.plural, "widgets");
    let conditions = definition["status"]["conditions"].to_string();
    assert!(conditions.contains("Established"), "{conditions}");
}

#[tokio::test]
async fn status_is_split_only_where_the_definition_says_so() {
    let client = server().client("test");
    register(&client, "Split", "splits", json!({"status": {}})).await;
    register(&client, "Whole", "wholes", json!({})).await;
    let split: Api<DynamicObject> =
        Api::namespaced_with(client.clone(), "default", &resource("Split", "splits"));
    let whole: Api<DynamicObject> =
        Api::namespaced_with(client, "default", &resource("Whole", "wholes"));

    let in_split = split
        .create(
            &PostParams::default(),
            &widget("Split", &json!({"size": 2})),
        )
        .await
        .expect("created");
    let in_whole = whole
        .create(
            &PostParams::default(),
            &widget("Whole", &json!({"size": 2})),
        )
        .await
        .expect("created");

    assert!(in_split.data.get("status").is_none());
    assert_eq!(in_whole.data["status"]["phase"], "set");
    assert_eq!(in_whole.data["spec"]["colour"], "red");
    let patch = Patch::Merge(json!({"status": {"phase": "new"}, "spec": {"size": 9}}));
    let patched = split
        .patch_status("w", &PatchParams::default(), &patch)
        .await
        .expect("patched");
    assert_eq!(patched.data["status"]["phase"], "new");
    assert_eq!(patched.data["spec"]["size"], 2);
    assert_eq!(patched.metadata.generation, Some(1));
    let refused = whole
        .patch_status("w", &PatchParams::default(), &patch)
        .await;
    assert!(matches!(refused, Err(kube::Error::Api(status)) if status.code == 404));
}

#[tokio::test]
async fn strict_validation_names_the_unknown_field() {
    let client = server().client("test");
    register(&client, "Widget", "widgets", json!({})).await;
    let path = "/apis/argoproj.io/v1alpha1/namespaces/default/widgets?fieldValidation=Strict";
    let object = json!({
        "apiVersion": "argoproj.io/v1alpha1", "kind": "Widget",
        "metadata": {"name": "typo"}, "spec": {"siez": 1},
    });

    let refused = post_raw(&client, path, &object).await.expect_err("refused");

    let kube::Error::Api(status) = refused else {
        panic!("{refused}");
    };
    assert_eq!(status.code, 400);
    assert_eq!(
        status.message,
        "Widget in version \"v1alpha1\" cannot be handled as a Widget: strict decoding error: \
         unknown field \"spec.siez\""
    );
}

#[tokio::test]
async fn server_side_apply_reports_who_owns_a_field() {
    let client = server().client("test");
    register(&client, "Widget", "widgets", json!({})).await;
    let widgets: Api<DynamicObject> =
        Api::namespaced_with(client, "default", &resource("Widget", "widgets"));
    let apply = |manager: &str, size: i64, force: bool| {
        let object = json!({
            "apiVersion": "argoproj.io/v1alpha1", "kind": "Widget",
            "metadata": {"name": "w"}, "spec": {"size": size},
        });
        let mut params = PatchParams::apply(manager);
        params.force = force;
        let widgets = widgets.clone();
        async move { widgets.patch("w", &params, &Patch::Apply(object)).await }
    };
    apply("oncall", 1, false).await.expect("created");

    let refused = apply("bert", 2, false).await.expect_err("a conflict");
    let forced = apply("bert", 2, true).await.expect("forced");

    let kube::Error::Api(status) = refused else {
        panic!("{refused}");
    };
    assert_eq!(status.code, 409);
    assert_eq!(
        status.message,
        "Apply failed with 1 conflict: conflict with \"oncall\": .spec.size"
    );
    assert_eq!(forced.data["spec"]["size"], 2);
}
