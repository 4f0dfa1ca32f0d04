//! Whole builds. The expected hashes and outcomes are those of kustomize 5.5.

use super::names::{ConfigMapOrSecret, content_hash};
use super::*;
use crate::sim::files::MemoryFiles;
use serde_json::json;

fn built(files: &[(&str, &str)], path: &str) -> Vec<Value> {
    let files: MemoryFiles = files
        .iter()
        .map(|(path, text)| ((*path).to_owned(), (*text).to_owned()))
        .collect();
    build(&files, path).expect("a build")
}

fn refused(files: &[(&str, &str)], path: &str) -> String {
    let files: MemoryFiles = files
        .iter()
        .map(|(path, text)| ((*path).to_owned(), (*text).to_owned()))
        .collect();
    build(&files, path).expect_err("an error").to_string()
}

fn object<'o>(objects: &'o [Value], kind: &str) -> &'o Value {
    objects
        .iter()
        .find(|object| object.get("kind").and_then(Value::as_str) == Some(kind))
        .expect("an object of the kind")
}

fn text<'o>(object: &'o Value, pointer: &str) -> &'o str {
    object
        .pointer(pointer)
        .and_then(Value::as_str)
        .unwrap_or("(none)")
}

const DEPLOYMENT: &str = "\
apiVersion: apps/v1
kind: Deployment
metadata: {name: web}
spec:
  replicas: 1
  selector: {matchLabels: {app: web}}
  template:
    metadata: {labels: {app: web}}
    spec:
      serviceAccountName: runner
      containers:
      - name: main
        image: registry.example.com:5000/web:1
        env: [{name: A, value: a}]
        envFrom: [{configMapRef: {name: settings}}]
      volumes: [{name: keys, secret: {secretName: keys}}]
---
apiVersion: v1
kind: ServiceAccount
metadata: {name: runner}
";

/// From kustomize's `api/hasher/hasher_test.go`.
#[test]
fn content_hashes_are_those_of_kustomize() {
    let map = |object: Value| content_hash(&object, ConfigMapOrSecret::ConfigMap);
    let secret = |object: Value| content_hash(&object, ConfigMapOrSecret::Secret);

    assert_eq!(map(json!({})), "6ct58987ht");
    assert_eq!(map(json!({"data": {"one": ""}})), "9g67k2htb6");
    assert_eq!(
        map(json!({"data": {"two": 2, "one": "", "three": 3}})),
        "7757f9kkct"
    );
    assert_eq!(map(json!({"binaryData": {"one": ""}})), "6mtk2m274t");
    assert_eq!(
        map(json!({"data": {"one": ""}, "binaryData": {"two": ""}})),
        "698h7c7t9m"
    );
    assert_eq!(secret(json!({"type": "my-type"})), "5gmgkf8578");
    assert_eq!(
        secret(json!({"type": "my-type", "data": {"one": ""}})),
        "74bd68bm66"
    );
    assert_eq!(
        secret(json!({"type": "my-type", "data": {"one": ""}, "stringData": {"two": 2}})),
        "c4h4264gdb"
    );
}

#[test]
fn generated_names_follow_into_every_reference() {
    let objects = built(
        &[
            (
                "base/kustomization.yaml",
                "resources: [all.yaml]\nconfigMapGenerator:\n- name: settings\n  literals: [b=2, a=1]\nsecretGenerator:\n- name: keys\n  literals: [k=v]\n",
            ),
            ("base/all.yaml", DEPLOYMENT),
            (
                "over/kustomization.yaml",
                "resources: [../base]\nnamePrefix: p-\nnameSuffix: -s\nconfigMapGenerator:\n- name: settings\n  behavior: merge\n  literals: [c=3]\n",
            ),
        ],
        "over",
    );

    let deployment = object(&objects, "Deployment");
    let pod = "/spec/template/spec";
    // The hash `kubectl kustomize` gives for {a: 1, b: 2, c: 3}.
    assert_eq!(
        text(
            deployment,
            &format!("{pod}/containers/0/envFrom/0/configMapRef/name")
        ),
        "p-settings-s-55f7kg2cf8"
    );
    assert_eq!(
        text(object(&objects, "ConfigMap"), "/metadata/name"),
        "p-settings-s-55f7kg2cf8"
    );
    assert_eq!(
        text(deployment, &format!("{pod}/volumes/0/secret/secretName")),
        text(object(&objects, "Secret"), "/metadata/name")
    );
    assert_eq!(
        text(deployment, &format!("{pod}/serviceAccountName")),
        "p-runner-s"
    );
    assert_eq!(text(deployment, "/metadata/name"), "p-web-s");
}

#[test]
fn long_and_binary_contents_hash_as_kustomize_hashes_them() {
    let long = format!("{}\n", "0123456789".repeat(15));
    let binary: Vec<u8> = (0..200).collect();
    let kustomization = "configMapGenerator:\n- name: html\n  literals: ['a=<b>&c']\n  files: [bin.dat, k=long.txt]\n  options: {immutable: true}\nsecretGenerator:\n- name: s\n  files: [long.txt]\n  literals: ['q=\"quoted\"', 'e=a=b', \"s='x'\"]\n  envs: [e.env]\n";
    let files: MemoryFiles = [
        ("kustomization.yaml", bytes::Bytes::from(kustomization)),
        ("long.txt", bytes::Bytes::from(long)),
        ("bin.dat", bytes::Bytes::from(binary)),
        (
            "e.env",
            bytes::Bytes::from_static(b"# c\nX=1 \n  Y=\"2\"\n\nZ=\n"),
        ),
    ]
    .into_iter()
    .collect();

    let objects = build(&files, "").expect("a build");

    assert_eq!(
        text(object(&objects, "ConfigMap"), "/metadata/name"),
        "html-tmgc6792dm"
    );
    assert_eq!(
        text(object(&objects, "Secret"), "/metadata/name"),
        "s-76mc22b692"
    );
    assert_eq!(text(object(&objects, "Secret"), "/data/q"), "cXVvdGVk");
}

#[test]
fn images_replicas_namespace_labels_and_annotations_are_set() {
    let objects = built(
        &[
            (
                "kustomization.yaml",
                "resources: [all.yaml]\nnamespace: shop\nimages:\n- name: registry.example.com:5000/web\n  newTag: v2\nreplicas:\n- {name: web, count: 4}\ncommonLabels: {team: a}\ncommonAnnotations: {note: hi}\nlabels:\n- pairs: {tier: front}\n  includeTemplates: true\n",
            ),
            ("all.yaml", DEPLOYMENT),
        ],
        "",
    );

    let deployment = object(&objects, "Deployment");
    assert_eq!(text(deployment, "/metadata/namespace"), "shop");
    assert_eq!(
        text(deployment, "/spec/template/spec/containers/0/image"),
        "registry.example.com:5000/web:v2"
    );
    assert_eq!(deployment.pointer("/spec/replicas"), Some(&json!(4)));
    assert_eq!(
        deployment.pointer("/spec/selector/matchLabels"),
        Some(&json!({"app": "web", "team": "a"}))
    );
    assert_eq!(
        deployment.pointer("/spec/template/metadata/labels"),
        Some(&json!({"app": "web", "team": "a", "tier": "front"}))
    );
    assert_eq!(
        text(deployment, "/spec/template/metadata/annotations/note"),
        "hi"
    );
}

#[test]
fn patches_reach_their_targets() {
    let objects = built(
        &[
            (
                "kustomization.yaml",
                "resources: [all.yaml]\npatches:\n- path: more.yaml\n- target: {kind: Deploy.*, name: w.b}\n  patch: |\n    - {op: replace, path: /spec/replicas, value: 7}\n- target: {kind: ServiceAccount}\n  patch: |\n    $patch: delete\n    kind: ServiceAccount\n    metadata: {name: any}\n",
            ),
            (
                "more.yaml",
                "apiVersion: apps/v1\nkind: Deployment\nmetadata: {name: web}\nspec:\n  template:\n    spec:\n      containers:\n      - name: side\n        image: side\n      - name: main\n        env: [{name: B, value: b}]\n        envFrom: null\n",
            ),
            ("all.yaml", DEPLOYMENT),
        ],
        "",
    );

    let deployment = object(&objects, "Deployment");
    let containers = deployment
        .pointer("/spec/template/spec/containers")
        .expect("containers");
    assert_eq!(objects.len(), 1, "the account is deleted");
    assert_eq!(deployment.pointer("/spec/replicas"), Some(&json!(7)));
    assert_eq!(
        containers,
        &json!([
            {"name": "side", "image": "side"},
            {"name": "main", "image": "registry.example.com:5000/web:1",
             "env": [{"name": "B", "value": "b"}, {"name": "A", "value": "a"}]},
        ])
    );
}

#[test]
fn components_change_what_is_there_already() {
    let objects = built(
        &[
            (
                "kustomization.yaml",
                "resources: [all.yaml]\ncomponents: [debug]\n",
            ),
            (
                "debug/kustomization.yaml",
                "apiVersion: kustomize.config.k8s.io/v1alpha1\nkind: Component\nreplicas: [{name: web, count: 9}]\n",
            ),
            ("all.yaml", DEPLOYMENT),
        ],
        "",
    );

    assert_eq!(
        object(&objects, "Deployment").pointer("/spec/replicas"),
        Some(&json!(9))
    );
}

#[test]
fn replacements_copy_fields() {
    let objects = built(
        &[
            (
                "kustomization.yaml",
                "resources: [all.yaml]\nreplacements:\n- source: {kind: ServiceAccount, fieldPath: metadata.name}\n  targets:\n  - select: {kind: Deployment}\n    fieldPaths: ['spec.template.spec.containers.[name=main].env.[name=A].value']\n- source: {kind: ServiceAccount}\n  targets:\n  - select: {kind: Deployment}\n    fieldPaths: [spec.template.spec.containers.0.image]\n    options: {delimiter: ':', index: 2}\n",
            ),
            ("all.yaml", DEPLOYMENT),
        ],
        "",
    );

    let main = object(&objects, "Deployment")
        .pointer("/spec/template/spec/containers/0")
        .expect("a container");
    assert_eq!(text(main, "/env/0/value"), "runner");
    assert_eq!(text(main, "/image"), "registry.example.com:5000/web:runner");
}

#[test]
fn objects_come_in_kustomizes_order() {
    let all = "{apiVersion: v1, kind: Service, metadata: {name: s}}\n---\n{apiVersion: apps/v1, kind: Deployment, metadata: {name: d}}\n---\n{apiVersion: v1, kind: Namespace, metadata: {name: ns}}\n---\n{apiVersion: example.com/v1, kind: Thing, metadata: {name: t}}\n---\n{apiVersion: v1, kind: ConfigMap, metadata: {name: c}}\n";
    let kinds = |extra: &str| -> Vec<String> {
        let kustomization = format!("resources: [all.yaml]\n{extra}");
        built(
            &[("kustomization.yaml", &kustomization), ("all.yaml", all)],
            "",
        )
        .iter()
        .map(|object| text(object, "/kind").to_owned())
        .collect()
    };

    assert_eq!(
        kinds(""),
        ["Namespace", "ConfigMap", "Service", "Deployment", "Thing"]
    );
    assert_eq!(
        kinds("sortOptions: {order: fifo}\n"),
        ["Service", "Deployment", "Namespace", "Thing", "ConfigMap"]
    );
}

#[test]
fn an_applications_overrides_win() {
    let files: MemoryFiles = [
        ("kustomization.yaml", "resources: [all.yaml]\nnamePrefix: old-\nimages: [{name: registry.example.com:5000/web, newTag: v2}]\n"),
        ("all.yaml", DEPLOYMENT),
    ]
    .into_iter()
    .collect();
    let overrides = Overrides::from_source(&json!({
        "namePrefix": "new-",
        "images": ["registry.example.com:5000/web:v3"],
        "replicas": [{"name": "web", "count": "5"}],
    }))
    .expect("overrides");

    let objects = build_with(&files, "", &overrides).expect("a build");

    let deployment = object(&objects, "Deployment");
    assert_eq!(text(deployment, "/metadata/name"), "new-web");
    assert_eq!(deployment.pointer("/spec/replicas"), Some(&json!(5)));
    assert_eq!(
        text(deployment, "/spec/template/spec/containers/0/image"),
        "registry.example.com:5000/web:v3"
    );
}

#[test]
fn mistakes_name_file_line_and_what_was_meant() {
    let wrong = |kustomization: &str| {
        refused(
            &[
                ("a/kustomization.yaml", kustomization),
                ("a/all.yaml", DEPLOYMENT),
            ],
            "a",
        )
    };

    assert_eq!(
        wrong("resources:\n- all.yaml\nnamePrefx: a-\n"),
        "a/kustomization.yaml:3: `namePrefx` is not a field here; did you mean `namePrefix`?"
    );
    assert_eq!(
        wrong("resources:\n- all.yaml\n- nothing.yaml\n"),
        "a/kustomization.yaml:3: `nothing.yaml` is neither a file nor a folder of this repository"
    );
    assert!(
        wrong("resources:\n- https://github.com/x/y\n")
            .contains(":2: `https://github.com/x/y` is a remote base")
    );
    assert!(
        wrong("helmCharts:\n- name: x\n")
            .starts_with("a/kustomization.yaml:1: `helmCharts` is not supported here: Helm")
    );
    assert!(wrong("generators: [x.yaml]\n").contains("`generators` is not supported here"));
    assert!(wrong("resources: [all.yaml, all.yaml]\n").contains("is there twice"));
    assert!(wrong("resources: [all.yaml]\nreplicas: [{name: wob, count: 1}]\n").contains("`wob`"));
    assert!(wrong("resources: [../a]\n").contains("is part of itself"));
    assert!(
        wrong("resources: [all.yaml]\npatches:\n- path: none.yaml\n")
            .contains(":3: the patch file `none.yaml` does not exist")
    );
    assert!(
        wrong("configMapGenerator:\n- name: x\n  behavior: merge\n")
            .contains("there is no ConfigMap `x` to merge")
    );
    assert_eq!(
        wrong("# nothing\n"),
        "a/kustomization.yaml: kustomization.yaml is empty"
    );
}

#[test]
fn a_broken_resource_names_its_line() {
    let message = refused(
        &[
            ("kustomization.yaml", "resources: [x.yaml]\n"),
            ("x.yaml", "kind: A\nmetadata: {name: a}\n---\n\nkind: B\n"),
        ],
        "",
    );

    assert_eq!(message, "x.yaml:5: holds a B without `metadata.name`");
}
