//! What schemas accept, refuse, prune and fill in.

use super::*;
use proptest::prelude::*;
use serde_json::json;

fn custom(schema: &Value) -> Schema {
    Schema::from_openapi(schema).unwrap()
}

fn texts(errors: &[FieldError]) -> Vec<String> {
    errors.iter().map(ToString::to_string).collect()
}

fn spec(properties: &Value) -> Schema {
    custom(
        &json!({"type": "object", "properties": {"spec": {"type": "object", "properties": properties}}}),
    )
}

/// Checks `spec.x` against a schema and returns what is wrong.
fn wrong_with(schema: &Value, value: &Value) -> Vec<String> {
    let schema = spec(&json!({ "x": schema }));
    texts(&schema.validate(&json!({"spec": {"x": value}})))
}

fn core(group: &str, kind: &str) -> Schema {
    core_types().find(group, "v1", kind).unwrap().schema()
}

fn deployment() -> Value {
    json!({
        "apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "web"},
        "spec": {
            "selector": {"matchLabels": {"app": "web"}},
            "template": {"metadata": {"labels": {"app": "web"}}, "spec": {"containers": [{"name": "web", "image": "nginx:1.27"}]}},
        },
    })
}

#[test]
fn rules_are_worded_as_upstream_does() {
    for (schema, value, wanted) in [
        (
            json!({"type": "integer"}),
            json!("big"),
            "spec.x: Invalid value: \"string\": spec.x in body must be of type integer: \"string\"",
        ),
        (
            json!({"type": "string"}),
            json!(null),
            "spec.x: Invalid value: \"null\": spec.x in body must be of type string: \"null\"",
        ),
        (
            json!({"type": "string", "enum": ["a", "b"]}),
            json!("c"),
            "spec.x: Unsupported value: \"c\": supported values: \"a\", \"b\"",
        ),
        (
            json!({"type": "string", "pattern": "^a$"}),
            json!("b"),
            "spec.x: Invalid value: \"b\": spec.x in body should match '^a$'",
        ),
        (
            json!({"type": "string", "maxLength": 1}),
            json!("ab"),
            "spec.x: Too long: may not be more than 1 bytes",
        ),
        (
            json!({"type": "string", "minLength": 1}),
            json!(""),
            "spec.x: Invalid value: \"\": spec.x in body should be at least 1 chars long",
        ),
        (
            json!({"type": "integer", "minimum": 1}),
            json!(0),
            "spec.x: Invalid value: 0: spec.x in body should be greater than or equal to 1",
        ),
        (
            json!({"type": "integer", "maximum": 1}),
            json!(2),
            "spec.x: Invalid value: 2: spec.x in body should be less than or equal to 1",
        ),
        (
            json!({"type": "integer", "minimum": 1, "exclusiveMinimum": true}),
            json!(1),
            "spec.x: Invalid value: 1: spec.x in body should be greater than 1",
        ),
    ] {
        assert_eq!(wrong_with(&schema, &value), [wanted], "{schema}");
    }
}

#[test]
fn rules_of_formats_and_lists_are_worded_as_upstream_does() {
    for (schema, value, wanted) in [
        (
            json!({"type": "string", "format": "date-time"}),
            json!("today"),
            "spec.x: Invalid value: \"today\": spec.x in body must be of type date-time: \"today\"",
        ),
        (
            json!({"type": "array", "maxItems": 1, "items": {"type": "integer"}}),
            json!([1, 2]),
            "spec.x: Too many: 2: must have at most 1 items",
        ),
        (
            json!({"type": "array", "x-kubernetes-list-type": "set", "items": {"type": "string"}}),
            json!(["a", "a"]),
            "spec.x[1]: Duplicate value: \"a\"",
        ),
        (
            json!({"type": "array", "x-kubernetes-list-type": "map", "x-kubernetes-list-map-keys": ["k"], "items": {"type": "object", "properties": {"k": {"type": "string"}}}}),
            json!([{"k": "a"}, {"k": "a"}]),
            "spec.x[1]: Duplicate value: {\"k\":\"a\"}",
        ),
        (
            json!({"type": "object", "required": ["y"], "properties": {"y": {"type": "string"}}}),
            json!({}),
            "spec.x.y: Required value",
        ),
        (
            json!({"x-kubernetes-int-or-string": true}),
            json!(true),
            "spec.x: Invalid value: \"boolean\": spec.x in body must be of type integer,string: \"boolean\"",
        ),
    ] {
        assert_eq!(wrong_with(&schema, &value), [wanted], "{schema}");
    }
}

#[test]
fn what_fits_is_accepted() {
    for (schema, value) in [
        (json!({"type": "integer"}), json!(3)),
        (json!({"type": "number"}), json!(3)),
        (json!({"type": "string", "nullable": true}), json!(null)),
        (json!({"x-kubernetes-int-or-string": true}), json!("25%")),
        (
            json!({"type": "object", "additionalProperties": {"type": "string"}}),
            json!({"a": "b"}),
        ),
        (
            json!({"type": "object", "oneOf": [{"required": ["a"]}, {"required": ["b"]}], "properties": {"a": {"type": "string"}, "b": {"type": "string"}}}),
            json!({"a": "1"}),
        ),
    ] {
        assert_eq!(
            wrong_with(&schema, &value),
            Vec::<String>::new(),
            "{schema}"
        );
    }
}

#[test]
fn alternatives_that_both_fit_are_refused() {
    let schema = json!({"type": "object", "oneOf": [{"required": ["a"]}, {"required": ["b"]}], "properties": {"a": {"type": "string"}, "b": {"type": "string"}}});

    let errors = wrong_with(&schema, &json!({"a": "1", "b": "2"}));

    assert!(
        errors[0].contains("must validate one and only one schema (oneOf)"),
        "{errors:?}"
    );
}

#[test]
fn an_unsupported_pattern_names_its_place() {
    let error = Schema::from_openapi(
        &json!({"type": "object", "properties": {"a": {"type": "string", "pattern": "("}}}),
    )
    .unwrap_err();

    assert_eq!(error.path, "openAPIV3Schema.properties[a].pattern");
}

#[test]
fn unknown_fields_are_found_through_lists_maps_and_metadata() {
    let schema = core("apps", "Deployment");
    let mut object = deployment();
    object["spec"]["replcas"] = json!(2);
    object["metadata"]["lables"] = json!({});
    object["spec"]["template"]["spec"]["containers"][0]["imag"] = json!("x");

    let mut found = schema.unknown_fields(&object);
    found.sort();

    assert_eq!(
        found,
        [
            "metadata.lables",
            "spec.replcas",
            "spec.template.spec.containers[0].imag"
        ]
    );
    assert_eq!(
        strict_message(&found),
        "strict decoding error: unknown field \"metadata.lables\", unknown field \"spec.replcas\", unknown field \"spec.template.spec.containers[0].imag\""
    );
}

#[test]
fn preserved_parts_keep_unknown_fields_and_the_rest_loses_them() {
    let schema = spec(&json!({
        "open": {"type": "object", "x-kubernetes-preserve-unknown-fields": true, "properties": {"known": {"type": "object", "properties": {"a": {"type": "string"}}}}},
        "closed": {"type": "object"},
    }));
    let mut object = json!({"spec": {"open": {"any": {"thing": 1}, "known": {"a": "1", "b": "2"}}, "closed": {"c": 1}}});

    assert_eq!(
        schema.unknown_fields(&object),
        ["spec.closed.c", "spec.open.known.b"]
    );
    schema.prune(&mut object);

    assert_eq!(
        object,
        json!({"spec": {"open": {"any": {"thing": 1}, "known": {"a": "1"}}, "closed": {}}})
    );
}

#[test]
fn an_embedded_resource_may_have_metadata() {
    let schema = spec(
        &json!({"template": {"type": "object", "x-kubernetes-embedded-resource": true, "x-kubernetes-preserve-unknown-fields": true}}),
    );

    let found = schema.unknown_fields(&json!({"spec": {"template": {"kind": "Pod", "metadata": {"name": "a", "nmae": "b"}, "spec": {}}}}));

    assert_eq!(found, ["spec.template.metadata.nmae"]);
}

#[test]
fn a_built_in_type_says_in_go_why_it_cannot_be_decoded() {
    let schema = core("apps", "Deployment");
    let mut object = deployment();
    object["spec"]["replicas"] = json!("three");

    assert_eq!(
        schema.decode_error(&object).as_deref(),
        Some(
            "json: cannot unmarshal string into Go struct field DeploymentSpec.spec.replicas of type int32"
        )
    );
    assert_eq!(schema.decode_error(&deployment()), None);
}

#[test]
fn a_quantity_that_is_none_is_refused() {
    let schema = core("apps", "Deployment");
    let mut object = deployment();
    object["spec"]["template"]["spec"]["containers"][0]["resources"] =
        json!({"limits": {"cpu": "many"}});

    assert!(
        schema
            .decode_error(&object)
            .unwrap()
            .starts_with("quantities must match")
    );
}

#[test]
fn nulls_in_built_in_types_count_as_absent() {
    let schema = core("apps", "Deployment");
    let mut object = deployment();
    object["metadata"]["creationTimestamp"] = json!(null);
    object["spec"]["replicas"] = json!(null);

    assert_eq!(schema.validate(&object), []);
    schema.prune(&mut object);
    assert_eq!(object, deployment());
}

#[test]
fn a_deployment_without_selector_is_refused() {
    let mut object = deployment();
    object["spec"].as_object_mut().unwrap().remove("selector");

    let errors = core("apps", "Deployment").validate(&object);

    assert_eq!(
        invalid_message("Deployment.apps", "web", &errors),
        "Deployment.apps \"web\" is invalid: spec.selector: Required value"
    );
}

#[test]
fn a_deployment_gets_the_defaults_that_upstream_gives_it() {
    let mut object = deployment();

    core("apps", "Deployment").default(&mut object);

    assert_eq!(object["spec"]["replicas"], 1);
    assert_eq!(object["spec"]["revisionHistoryLimit"], 10);
    assert_eq!(object["spec"]["progressDeadlineSeconds"], 600);
    assert_eq!(
        object["spec"]["strategy"],
        json!({"type": "RollingUpdate", "rollingUpdate": {"maxSurge": "25%", "maxUnavailable": "25%"}})
    );
    let pod = &object["spec"]["template"]["spec"];
    assert_eq!(
        *pod,
        json!({
            "restartPolicy": "Always", "dnsPolicy": "ClusterFirst", "terminationGracePeriodSeconds": 30,
            "securityContext": {}, "schedulerName": "default-scheduler",
            "containers": [{
                "name": "web", "image": "nginx:1.27", "imagePullPolicy": "IfNotPresent", "resources": {},
                "terminationMessagePath": "/dev/termination-log", "terminationMessagePolicy": "File",
            }],
        })
    );
}

#[test]
fn what_is_limited_is_requested_and_quantities_are_canonical() {
    let mut object = deployment();
    object["spec"]["template"]["spec"]["containers"][0]["resources"] =
        json!({"limits": {"cpu": 1, "memory": "1024Mi"}});

    core("apps", "Deployment").default(&mut object);

    assert_eq!(
        object["spec"]["template"]["spec"]["containers"][0]["resources"],
        json!({"limits": {"cpu": "1", "memory": "1Gi"}, "requests": {"cpu": "1", "memory": "1Gi"}})
    );
}

#[test]
fn a_service_port_goes_to_itself_and_a_secret_is_encoded() {
    let mut service =
        json!({"apiVersion": "v1", "kind": "Service", "spec": {"ports": [{"port": 80}]}});
    core("", "Service").default(&mut service);
    assert_eq!(
        service["spec"]["ports"],
        json!([{"port": 80, "protocol": "TCP", "targetPort": 80}])
    );
    assert_eq!(service["spec"]["type"], "ClusterIP");

    let mut secret = json!({"apiVersion": "v1", "kind": "Secret", "stringData": {"a": "b"}});
    core("", "Secret").default(&mut secret);
    assert_eq!(
        secret,
        json!({"apiVersion": "v1", "kind": "Secret", "type": "Opaque", "data": {"a": "Yg=="}})
    );
}

#[test]
fn custom_defaults_fill_absent_fields_and_nulls() {
    let schema = spec(&json!({
        "a": {"type": "integer", "default": 1},
        "b": {"type": "object", "default": {}, "properties": {"c": {"type": "string", "default": "d"}}},
        "n": {"type": "string", "nullable": true, "default": "x"},
    }));
    let mut object = json!({"spec": {"a": null, "n": null}});

    schema.default(&mut object);

    assert_eq!(
        object,
        json!({"spec": {"a": 1, "b": {"c": "d"}, "n": null}})
    );
}

#[test]
fn every_built_in_kind_has_a_schema_with_its_fields() {
    for kind in core_types().all() {
        let schema = kind.schema();
        let known = schema.node();
        assert!(
            known.properties.contains_key("metadata")
                || kind.create_only()
                || kind.kind == "ComponentStatus",
            "{} has no definition",
            kind.definition()
        );
        let object =
            json!({"apiVersion": "x", "kind": kind.kind, "metadata": {"name": "a"}, "tpyo": 1});
        assert_eq!(
            schema.unknown_fields(&object),
            ["tpyo"],
            "{}",
            kind.definition()
        );
    }
}

#[test]
fn kubectl_finds_the_usual_short_names() {
    for (group, kind, short, plural, singular) in [
        ("", "Pod", "po", "pods", "pod"),
        ("", "Endpoints", "ep", "endpoints", "endpoints"),
        ("apps", "Deployment", "deploy", "deployments", "deployment"),
        (
            "networking.k8s.io",
            "Ingress",
            "ing",
            "ingresses",
            "ingress",
        ),
        (
            "networking.k8s.io",
            "NetworkPolicy",
            "netpol",
            "networkpolicies",
            "networkpolicy",
        ),
        ("batch", "CronJob", "cj", "cronjobs", "cronjob"),
        (
            "storage.k8s.io",
            "StorageClass",
            "sc",
            "storageclasses",
            "storageclass",
        ),
    ] {
        let found = core_types().find(group, "v1", kind).unwrap();
        assert_eq!(found.plural, plural);
        assert_eq!(found.singular, singular);
        assert!(found.short_names.contains(&short), "{kind}");
    }
}

fn json_value() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        (-5..5_i64).prop_map(Value::from),
        "[a-z]{0,3}".prop_map(Value::from),
    ];
    leaf.prop_recursive(4, 24, 4, |inner| {
        let names =
            prop::sample::select(vec!["spec", "a", "b", "metadata", "name", "items", "kind"]);
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..3).prop_map(Value::from),
            prop::collection::btree_map(names, inner, 0..4).prop_map(|map| {
                Value::Object(
                    map.into_iter()
                        .map(|(name, value)| (name.to_owned(), value))
                        .collect(),
                )
            }),
        ]
    })
}

fn mixed_schema() -> Schema {
    spec(&json!({
        "a": {"type": "object", "properties": {"b": {"type": "integer", "default": 3}}},
        "b": {"type": "array", "items": {"type": "object", "properties": {"name": {"type": "string", "default": "x"}}}},
        "items": {"type": "object", "x-kubernetes-preserve-unknown-fields": true},
    }))
}

proptest! {
    #[test]
    fn a_pruned_object_has_no_unknown_fields(mut object in json_value()) {
        let schema = mixed_schema();

        schema.prune(&mut object);

        prop_assert_eq!(schema.unknown_fields(&object), Vec::<String>::new());
    }

    #[test]
    fn defaults_filled_in_twice_are_filled_in_once(mut object in json_value()) {
        let schema = mixed_schema();
        schema.default(&mut object);
        let once = object.clone();

        schema.default(&mut object);

        prop_assert_eq!(object, once);
    }

    #[test]
    fn no_object_makes_a_schema_stumble(object in json_value()) {
        for schema in [mixed_schema(), core("apps", "Deployment"), core("", "Service"), core("", "Secret")] {
            let mut object = object.clone();
            drop((schema.validate(&object), schema.decode_error(&object)));
            schema.prune(&mut object);
            schema.default(&mut object);
        }
    }
}
