//! Who owns what after applies and updates by several managers.

use super::*;
use crate::sim::apiserver::schema::core_types;
use chrono::TimeZone as _;
use proptest::prelude::*;

fn deployment_schema() -> Schema {
    core_types()
        .find("apps", "v1", "Deployment")
        .unwrap()
        .schema()
}

fn custom_schema() -> Schema {
    Schema::from_openapi(&json!({
        "type": "object",
        "properties": {"spec": {"type": "object", "properties": {
            "size": {"type": "integer"},
            "tags": {"type": "array", "items": {"type": "string"}, "x-kubernetes-list-type": "set"},
            "plain": {"type": "array", "items": {"type": "string"}},
            "labels": {"type": "object", "additionalProperties": {"type": "string"}},
            "parts": {"type": "array", "x-kubernetes-list-type": "map", "x-kubernetes-list-map-keys": ["name"],
                "items": {"type": "object", "properties": {"name": {"type": "string"}, "value": {"type": "string"}}}},
        }}, "status": {"type": "object", "x-kubernetes-preserve-unknown-fields": true}},
    }))
    .unwrap()
}

fn writer<'a>(manager: &'a str, schema: &'a Schema) -> Writer<'a> {
    Writer {
        manager,
        subresource: None,
        status: true,
        schema,
        now: Utc.with_ymd_and_hms(2026, 1, 2, 3, 4, 5).unwrap(),
    }
}

fn custom(spec: &Value) -> Value {
    json!({"apiVersion": "example.org/v1", "kind": "Ship", "metadata": {"name": "argo"}, "spec": spec})
}

fn deployment(spec: &Value) -> Value {
    json!({"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "web"}, "spec": spec})
}

/// Applies a custom resource and insists that it works.
fn applied(live: Option<&Value>, manager: &str, spec: &Value) -> Value {
    let schema = custom_schema();
    server_side_apply(live, &custom(spec), false, &writer(manager, &schema)).unwrap()
}

fn fields_of(object: &Value, manager: &str) -> Value {
    let entries = object["metadata"]["managedFields"].as_array().unwrap();
    let entry = entries.iter().find(|one| one["manager"] == manager);
    entry.map(|one| one["fieldsV1"].clone()).unwrap_or_default()
}

#[test]
fn an_applied_object_belongs_to_its_applier() {
    let object = applied(
        None,
        "one",
        &json!({"size": 3, "tags": ["a"], "parts": [{"name": "x", "value": "1"}]}),
    );

    assert_eq!(
        fields_of(&object, "one"),
        json!({"f:spec": {
            "f:size": {},
            "f:tags": {"v:\"a\"": {}},
            "f:parts": {"k:{\"name\":\"x\"}": {".": {}, "f:name": {}, "f:value": {}}},
        }})
    );
    let entry = &object["metadata"]["managedFields"][0];
    assert_eq!(entry["operation"], "Apply");
    assert_eq!(entry["apiVersion"], "example.org/v1");
    assert_eq!(entry["time"], "2026-01-02T03:04:05Z");
}

#[test]
fn a_created_deployment_is_owned_field_by_field_as_upstream_does() {
    let schema = deployment_schema();
    let mut object = deployment(&json!({
        "replicas": 1, "selector": {"matchLabels": {"app": "web"}},
        "strategy": {"type": "RollingUpdate", "rollingUpdate": {"maxSurge": "25%"}},
        "template": {"metadata": {"labels": {"app": "web"}}, "spec": {"containers": [
            {"name": "web", "image": "nginx", "ports": [{"containerPort": 80}]},
        ]}},
    }));

    record_update(None, &mut object, &writer("kubectl-create", &schema));

    assert_eq!(
        fields_of(&object, "kubectl-create"),
        json!({"f:spec": {
            "f:replicas": {},
            "f:selector": {},
            "f:strategy": {"f:type": {}, "f:rollingUpdate": {".": {}, "f:maxSurge": {}}},
            "f:template": {
                "f:metadata": {"f:labels": {".": {}, "f:app": {}}},
                "f:spec": {"f:containers": {"k:{\"name\":\"web\"}": {
                    ".": {}, "f:name": {}, "f:image": {},
                    "f:ports": {".": {}, "k:{\"containerPort\":80,\"protocol\":\"TCP\"}": {".": {}, "f:containerPort": {}}},
                }}},
            },
        }})
    );
}

#[test]
fn another_managers_value_is_a_conflict_that_names_it() {
    let schema = custom_schema();
    let live = applied(None, "one", &json!({"size": 3}));

    let error = server_side_apply(
        Some(&live),
        &custom(&json!({"size": 4})),
        false,
        &writer("two", &schema),
    )
    .unwrap_err();

    assert_eq!(
        error.to_string(),
        "Apply failed with 1 conflict: conflict with \"one\": .spec.size"
    );
}

#[test]
fn several_conflicts_are_listed_by_manager() {
    let schema = deployment_schema();
    let mut live = deployment(&json!({"replicas": 1, "paused": true}));
    record_update(
        None,
        &mut live,
        &writer("kubectl-client-side-apply", &schema),
    );

    let wanted = deployment(&json!({"replicas": 2, "paused": false}));
    let error =
        server_side_apply(Some(&live), &wanted, false, &writer("two", &schema)).unwrap_err();

    assert_eq!(
        error.to_string(),
        "Apply failed with 2 conflicts: conflicts with \"kubectl-client-side-apply\" using apps/v1:\n- .spec.paused\n- .spec.replicas"
    );
    let ApplyError::Conflicts(conflicts) = error else {
        panic!("conflicts");
    };
    assert_eq!(
        conflicts[0].message(),
        "conflict with \"kubectl-client-side-apply\" using apps/v1"
    );
}

#[test]
fn force_takes_the_field_over() {
    let schema = custom_schema();
    let live = applied(None, "one", &json!({"size": 3, "labels": {"a": "1"}}));

    let object = server_side_apply(
        Some(&live),
        &custom(&json!({"size": 4})),
        true,
        &writer("two", &schema),
    )
    .unwrap();

    assert_eq!(object["spec"], json!({"size": 4, "labels": {"a": "1"}}));
    assert_eq!(
        fields_of(&object, "one"),
        json!({"f:spec": {"f:labels": {"f:a": {}}}})
    );
    assert_eq!(fields_of(&object, "two"), json!({"f:spec": {"f:size": {}}}));
}

#[test]
fn the_same_value_is_shared_and_stays_until_its_last_owner_drops_it() {
    let live = applied(None, "one", &json!({"size": 3, "labels": {"a": "1"}}));
    let live = applied(Some(&live), "two", &json!({"size": 3}));

    let live = applied(Some(&live), "one", &json!({"labels": {"a": "1"}}));
    assert_eq!(live["spec"], json!({"size": 3, "labels": {"a": "1"}}));

    let live = applied(Some(&live), "two", &json!({}));
    assert_eq!(live["spec"], json!({"labels": {"a": "1"}}));
}

#[test]
fn dropped_items_go_and_those_of_others_stay() {
    let live = applied(
        None,
        "one",
        &json!({"tags": ["a", "b"], "parts": [{"name": "x"}, {"name": "y"}]}),
    );
    let live = applied(
        Some(&live),
        "two",
        &json!({"tags": ["c"], "parts": [{"name": "z"}]}),
    );

    let live = applied(
        Some(&live),
        "one",
        &json!({"tags": ["b"], "parts": [{"name": "y"}]}),
    );

    let tags: Vec<_> = live["spec"]["tags"]
        .as_array()
        .unwrap()
        .iter()
        .map(|one| one.as_str().unwrap())
        .collect();
    assert_eq!(tags, ["b", "c"]);
    assert_eq!(live["spec"]["parts"], json!([{"name": "y"}, {"name": "z"}]));
}

#[test]
fn a_label_dropped_from_the_configuration_leaves_the_name_alone() {
    let schema = custom_schema();
    let mut with_label = custom(&json!({"size": 1}));
    with_label["metadata"]["labels"] = json!({"a": "1"});
    let live = server_side_apply(None, &with_label, false, &writer("one", &schema)).unwrap();

    let live = applied(Some(&live), "one", &json!({"size": 1}));

    assert_eq!(live["metadata"]["name"], "argo");
    assert!(live["metadata"].get("labels").is_none());
}

#[test]
fn a_list_without_type_belongs_to_one_as_a_whole() {
    let live = applied(None, "one", &json!({"plain": ["a", "b"]}));

    let live = applied(Some(&live), "one", &json!({"plain": ["c"]}));

    assert_eq!(live["spec"]["plain"], json!(["c"]));
    assert_eq!(fields_of(&live, "one"), json!({"f:spec": {"f:plain": {}}}));
}

#[test]
fn an_update_takes_the_fields_that_it_changes() {
    let schema = custom_schema();
    let live = applied(None, "one", &json!({"size": 3, "labels": {"a": "1"}}));
    let mut edited = live.clone();
    edited["spec"]["size"] = json!(5);

    record_update(Some(&live), &mut edited, &writer("kubectl-edit", &schema));

    assert_eq!(
        fields_of(&edited, "kubectl-edit"),
        json!({"f:spec": {"f:size": {}}})
    );
    assert_eq!(
        fields_of(&edited, "one"),
        json!({"f:spec": {"f:labels": {"f:a": {}}}})
    );
}

#[test]
fn an_update_that_changes_nothing_leaves_the_entries_as_they_are() {
    let schema = custom_schema();
    let live = applied(None, "one", &json!({"size": 3}));
    let mut same = live.clone();

    record_update(Some(&live), &mut same, &writer("two", &schema));

    assert_eq!(same, live);
}

#[test]
fn status_written_through_its_subresource_is_an_entry_of_its_own() {
    let schema = custom_schema();
    let live = applied(None, "one", &json!({"size": 3}));
    let mut reported = live.clone();
    reported["status"] = json!({"phase": "Ready"});
    let status = Writer {
        subresource: Some("status"),
        ..writer("one", &schema)
    };

    record_update(Some(&live), &mut reported, &status);

    let entries = reported["metadata"]["managedFields"].as_array().unwrap();
    assert_eq!(entries.len(), 2);
    assert_eq!(entries[1]["subresource"], "status");
    assert_eq!(entries[1]["operation"], "Update");
    assert_eq!(
        entries[1]["fieldsV1"],
        json!({"f:status": {".": {}, "f:phase": {}}})
    );
}

#[test]
fn an_apply_to_the_status_subresource_sets_status_alone() {
    let schema = custom_schema();
    let live = applied(None, "one", &json!({"size": 3}));
    let mut report = custom(&json!({"size": 99}));
    report["status"] = json!({"phase": "Ready"});
    let status = Writer {
        subresource: Some("status"),
        ..writer("two", &schema)
    };

    let object = server_side_apply(Some(&live), &report, false, &status).unwrap();

    assert_eq!(object["spec"]["size"], 3);
    assert_eq!(object["status"], json!({"phase": "Ready"}));
    assert_eq!(
        fields_of(&object, "two"),
        json!({"f:status": {"f:phase": {}}})
    );
}

#[test]
fn status_in_an_applied_object_is_ignored_where_it_is_a_subresource() {
    let schema = custom_schema();
    let mut wanted = custom(&json!({"size": 3}));
    wanted["status"] = json!({"phase": "Ready"});

    let object = server_side_apply(None, &wanted, false, &writer("one", &schema)).unwrap();

    assert!(object.get("status").is_none());
}

#[test]
fn what_was_there_before_the_first_apply_is_owned_by_nobody_in_particular() {
    let schema = custom_schema();
    let live = custom(&json!({"size": 3}));

    let error = server_side_apply(
        Some(&live),
        &custom(&json!({"size": 4})),
        false,
        &writer("one", &schema),
    )
    .unwrap_err();

    assert_eq!(
        error.to_string(),
        "Apply failed with 1 conflict: conflict with \"before-first-apply\" using example.org/v1: .spec.size"
    );
}

#[test]
fn kubectl_takes_over_what_it_set_by_client_side_apply() {
    let schema = custom_schema();
    let mut live = custom(&json!({"size": 3}));
    let last = live.to_string();
    live["metadata"]["annotations"] = json!({(LAST_APPLIED): last});
    record_update(
        None,
        &mut live,
        &writer("kubectl-client-side-apply", &schema),
    );

    let object = server_side_apply(
        Some(&live),
        &custom(&json!({"size": 4})),
        false,
        &writer("kubectl", &schema),
    )
    .unwrap();

    assert_eq!(object["spec"]["size"], 4);
    let annotation = object["metadata"]["annotations"][LAST_APPLIED]
        .as_str()
        .unwrap();
    assert!(annotation.contains("\"size\":4"));
}

#[test]
fn one_empty_entry_takes_all_ownership_away() {
    let schema = custom_schema();
    let live = applied(None, "one", &json!({"size": 3}));
    let mut reset = live.clone();
    reset["metadata"]["managedFields"] = json!([{}]);

    record_update(Some(&live), &mut reset, &writer("two", &schema));

    assert!(reset["metadata"].get("managedFields").is_none());
}

#[test]
fn an_empty_list_of_entries_changes_nothing() {
    let schema = custom_schema();
    let live = applied(None, "one", &json!({"size": 3}));
    let mut forgetful = live.clone();
    forgetful["metadata"]["managedFields"] = json!([]);

    record_update(Some(&live), &mut forgetful, &writer("two", &schema));

    assert_eq!(forgetful, live);
}

#[test]
fn an_applied_object_may_not_carry_managed_fields() {
    let schema = custom_schema();
    let live = applied(None, "one", &json!({"size": 3}));

    let error = server_side_apply(Some(&live), &live, false, &writer("one", &schema)).unwrap_err();

    assert_eq!(error.to_string(), "metadata.managedFields must be nil");
}

fn specs() -> impl Strategy<Value = Value> {
    let labels = prop::collection::btree_map("[a-c]", "[0-9]", 0..3);
    let tags = prop::collection::btree_set("[a-d]", 0..4);
    let parts = prop::collection::btree_map("[x-z]", "[0-9]", 0..3);
    let size = prop::option::of(0..5_i64);
    (labels, tags, parts, size).prop_map(|(labels, tags, parts, size)| {
        let parts: Vec<Value> = parts
            .into_iter()
            .map(|(name, value)| json!({"name": name, "value": value}))
            .collect();
        let mut spec = json!({"labels": labels, "tags": tags, "parts": parts});
        if let Some(size) = size {
            spec["size"] = json!(size);
        }
        spec
    })
}

fn forced(live: Option<&Value>, manager: &str, spec: &Value) -> Value {
    let schema = custom_schema();
    server_side_apply(live, &custom(spec), true, &writer(manager, &schema)).unwrap()
}

/// Says whether all that a configuration names is in the object.
fn holds(object: &Value, wanted: &Value) -> bool {
    match (object, wanted) {
        (Value::Object(one), Value::Object(two)) => two
            .iter()
            .all(|(name, value)| one.get(name).is_some_and(|one| holds(one, value))),
        (Value::Array(one), Value::Array(two)) => two
            .iter()
            .all(|value| one.iter().any(|one| holds(one, value))),
        _ => object == wanted,
    }
}

proptest! {
    #[test]
    fn applying_twice_is_applying_once(first in specs(), second in specs()) {
        let live = forced(None, "one", &first);
        let once = forced(Some(&live), "two", &second);

        prop_assert_eq!(&forced(Some(&once), "two", &second), &once);
    }

    #[test]
    fn a_forced_apply_gets_what_it_asks_for(first in specs(), second in specs()) {
        let live = forced(None, "one", &first);

        let object = forced(Some(&live), "two", &second);

        prop_assert!(holds(&object["spec"], &second));
    }

    #[test]
    fn the_only_manager_gets_exactly_its_last_configuration(first in specs(), second in specs()) {
        let live = forced(None, "one", &first);

        let object = forced(Some(&live), "one", &second);
        let fresh = forced(None, "one", &second);

        prop_assert_eq!(
            typed::field_set(custom_schema().node(), &object),
            typed::field_set(custom_schema().node(), &fresh)
        );
    }

    #[test]
    fn managed_fields_survive_being_written_and_read(spec in specs()) {
        let set = typed::field_set(custom_schema().node(), &custom(&spec));

        prop_assert_eq!(&FieldSet::read(&set.write()), &set);
    }
}
