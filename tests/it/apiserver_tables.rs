//! What `kubectl get` is shown.

use crate::apiserver_basic::{config_map, server};
use crate::apiserver_custom::{post_raw, register};
use k8s_openapi::api::core::v1::ConfigMap;
use kube::Client;
use kube::api::{Api, PostParams};
use serde_json::{Value, json};

async fn table(client: &Client, path: &str) -> Value {
    let accept = "application/json;as=Table;v=v1;g=meta.k8s.io,application/json";
    let request = http::Request::get(path)
        .header("accept", accept)
        .body(Vec::new())
        .expect("a request");
    client.request(request).await.expect("a table")
}

fn names(table: &Value) -> Vec<&str> {
    table["columnDefinitions"]
        .as_array()
        .expect("columns")
        .iter()
        .filter(|column| column["priority"] == 0)
        .map(|column| column["name"].as_str().expect("a name"))
        .collect()
}

#[tokio::test]
async fn built_in_kinds_have_the_columns_that_users_know() {
    let client = server().client("test");
    let maps: Api<ConfigMap> = Api::namespaced(client.clone(), "default");
    maps.create(&PostParams::default(), &config_map("one"))
        .await
        .expect("created");

    let config_maps = table(&client, "/api/v1/configmaps").await;
    let pods = table(&client, "/api/v1/pods").await;

    assert_eq!(names(&config_maps), ["Name", "Data", "Age"]);
    assert_eq!(config_maps["rows"][0]["cells"], json!(["one", 1, "0s"]));
    assert_eq!(
        config_maps["rows"][0]["object"]["kind"],
        "PartialObjectMetadata"
    );
    assert_eq!(names(&pods), ["Name", "Ready", "Status", "Restarts", "Age"]);
}

#[tokio::test]
async fn custom_kinds_have_the_columns_of_their_definition() {
    let client = server().client("test");
    register(&client, "Widget", "widgets", json!({})).await;
    let path = "/apis/argoproj.io/v1alpha1/namespaces/default/widgets";
    let object = json!({"metadata": {"name": "w"}, "spec": {"size": 3}});
    post_raw(&client, path, &object).await.expect("created");

    let widgets = table(&client, path).await;

    assert_eq!(names(&widgets), ["Name", "Size"]);
    assert_eq!(widgets["rows"][0]["cells"], json!(["w", 3]));
}

#[tokio::test]
async fn typed_clients_may_send_protobuf() {
    let client = server().client("test");
    let field = |number: u8, bytes: &[u8]| {
        let mut all = vec![(number << 3) | 2, u8::try_from(bytes.len()).expect("short")];
        all.extend_from_slice(bytes);
        all
    };
    let meta = [field(1, b"v1"), field(2, b"Namespace")].concat();
    let raw = field(1, &field(1, b"shop"));
    let body = [b"k8s\0".to_vec(), field(1, &meta), field(2, &raw)].concat();

    let request = http::Request::post("/api/v1/namespaces")
        .header("content-type", "application/vnd.kubernetes.protobuf")
        .body(body)
        .expect("a request");
    let made: Value = client.request(request).await.expect("created");

    assert_eq!(made["metadata"]["name"], "shop");
    assert_eq!(made["status"]["phase"], "Active");
}
