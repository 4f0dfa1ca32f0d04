//! Who gets in, and what they may do: tokens, certificates, RBAC.

use crate::apiserver_basic::{config_map, server};
use crate::apiserver_custom::post_raw;
use k8s_openapi::api::core::v1::ConfigMap;
use kube::api::{Api, ListParams, PostParams};
use kube::config::{KubeConfigOptions, Kubeconfig};
use kube::{Client, Config};
use serde_json::json;
use tiphys::sim::apiserver::User;

async fn client_of(kubeconfig: &str) -> Client {
    let kubeconfig = Kubeconfig::from_yaml(kubeconfig).expect("a kubeconfig");
    let config = Config::from_custom_kubeconfig(kubeconfig, &KubeConfigOptions::default())
        .await
        .expect("a configuration");
    Client::try_from(config).expect("a client")
}

fn loopback() -> std::net::SocketAddr {
    std::net::SocketAddr::from(([127, 0, 0, 1], 0))
}

#[tokio::test]
async fn the_kubeconfig_opens_the_door_over_tls() {
    let server = server();
    let listening = server.listen_tls(loopback()).await.expect("listening");

    let client = client_of(&server.kubeconfig(&listening)).await;

    let maps: Api<ConfigMap> = Api::default_namespaced(client);
    maps.create(&PostParams::default(), &config_map("one"))
        .await
        .expect("created");
    assert_eq!(
        maps.list(&ListParams::default())
            .await
            .expect("list")
            .items
            .len(),
        1
    );
}

#[tokio::test]
async fn a_wrong_token_is_unauthorized() {
    let server = server();
    let listening = server.listen_tls(loopback()).await.expect("listening");
    let kubeconfig = server
        .kubeconfig(&listening)
        .replace(&listening.token, "wrong");

    let refused = client_of(&kubeconfig)
        .await
        .apiserver_version()
        .await
        .expect_err("refused");

    assert!(matches!(refused, kube::Error::Api(status) if status.code == 401));
}

#[tokio::test]
async fn a_client_certificate_names_its_user() {
    let server = server();
    let listening = server.listen_tls(loopback()).await.expect("listening");
    let kubeconfig = server
        .kubeconfig_with_certificate(&listening, User::admin("oncall"))
        .expect("a certificate");

    let client = client_of(&kubeconfig).await;

    let path = "/apis/authentication.k8s.io/v1/selfsubjectreviews";
    let me = post_raw(&client, path, &json!({})).await.expect("answered");
    assert_eq!(me["status"]["userInfo"]["username"], "oncall");
}

#[tokio::test]
async fn a_restricted_user_may_what_the_roles_grant() {
    let server = server();
    let admin = server.client("admin");
    let rbac = "/apis/rbac.authorization.k8s.io/v1/namespaces/default";
    let role = json!({
        "metadata": {"name": "reader"},
        "rules": [{"verbs": ["list"], "apiGroups": [""], "resources": ["configmaps"]}],
    });
    post_raw(&admin, &format!("{rbac}/roles"), &role)
        .await
        .expect("a role");
    let binding = json!({
        "metadata": {"name": "readers"},
        "subjects": [{"kind": "User", "name": "oncall", "apiGroup": "rbac.authorization.k8s.io"}],
        "roleRef": {"kind": "Role", "name": "reader", "apiGroup": "rbac.authorization.k8s.io"},
    });
    post_raw(&admin, &format!("{rbac}/rolebindings"), &binding)
        .await
        .expect("a binding");

    let oncall = server.client_as(User::new("oncall", &[]));
    let maps: Api<ConfigMap> = Api::namespaced(oncall.clone(), "default");
    let may = maps.list(&ListParams::default()).await;
    let may_not = maps.get("x").await.expect_err("refused");
    let review = json!({"spec": {"resourceAttributes": {
        "verb": "list", "resource": "configmaps", "namespace": "default"}}});
    let path = "/apis/authorization.k8s.io/v1/selfsubjectaccessreviews";
    let answer = post_raw(&oncall, path, &review).await.expect("answered");

    assert!(may.is_ok());
    let kube::Error::Api(status) = may_not else {
        panic!("{may_not}");
    };
    assert_eq!(status.code, 403);
    assert_eq!(
        status.message,
        "configmaps \"x\" is forbidden: User \"oncall\" cannot get resource \"configmaps\" in API \
         group \"\" in the namespace \"default\""
    );
    assert_eq!(answer["status"]["allowed"], true);
}
