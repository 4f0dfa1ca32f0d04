//! What strategic merge patches make of Deployments and Pods.

use super::*;
use crate::sim::apiserver::schema::core_types;
use proptest::prelude::*;
use serde_json::json;

fn deployment() -> Schema {
    core_types()
        .find("apps", "v1", "Deployment")
        .unwrap()
        .schema()
}

fn with_containers(containers: &Value) -> Value {
    json!({"spec": {"template": {"spec": {"containers": containers}}}})
}

fn patched(current: &Value, patch: &Value) -> Value {
    merge(current, patch, &deployment()).unwrap()
}

#[test]
fn containers_merge_by_name() {
    let current =
        with_containers(&json!([{"name": "a", "image": "a:1"}, {"name": "b", "image": "b:1"}]));

    let merged = patched(
        &current,
        &with_containers(&json!([{"name": "b", "image": "b:2"}])),
    );

    assert_eq!(
        merged,
        with_containers(&json!([{"name": "a", "image": "a:1"}, {"name": "b", "image": "b:2"}]))
    );
}

#[test]
fn an_item_is_deleted_by_its_key() {
    let current = with_containers(&json!([{"name": "a"}, {"name": "b"}]));

    let merged = patched(
        &current,
        &with_containers(&json!([{"name": "a", "$patch": "delete"}])),
    );

    assert_eq!(merged, with_containers(&json!([{"name": "b"}])));
}

#[test]
fn a_list_is_replaced_on_request() {
    let current = with_containers(&json!([{"name": "a"}, {"name": "b"}]));

    let merged = patched(
        &current,
        &with_containers(&json!([{"name": "c"}, {"$patch": "replace"}])),
    );

    assert_eq!(merged, with_containers(&json!([{"name": "c"}])));
}

#[test]
fn a_map_is_replaced_on_request() {
    let current = json!({"spec": {"template": {"metadata": {"labels": {"a": "1", "b": "2"}}}}});
    let patch =
        json!({"spec": {"template": {"metadata": {"labels": {"c": "3", "$patch": "replace"}}}}});

    let merged = patched(&current, &patch);

    assert_eq!(
        merged,
        json!({"spec": {"template": {"metadata": {"labels": {"c": "3"}}}}})
    );
}

#[test]
fn retained_keys_drop_the_others() {
    let current =
        json!({"spec": {"strategy": {"type": "RollingUpdate", "rollingUpdate": {"maxSurge": 1}}}});
    let patch = json!({"spec": {"strategy": {"$retainKeys": ["type"], "type": "Recreate"}}});

    let merged = patched(&current, &patch);

    assert_eq!(merged, json!({"spec": {"strategy": {"type": "Recreate"}}}));
}

#[test]
fn finalizers_merge_as_a_set_and_are_deleted_by_value() {
    let current = json!({"metadata": {"finalizers": ["a", "b"]}});
    let patch =
        json!({"metadata": {"finalizers": ["c"], "$deleteFromPrimitiveList/finalizers": ["a"]}});

    let merged = patched(&current, &patch);

    assert_eq!(merged, json!({"metadata": {"finalizers": ["b", "c"]}}));
}

#[test]
fn lists_take_the_order_that_the_patch_asks_for() {
    let current = with_containers(&json!([{"name": "a"}, {"name": "b"}]));
    let patch = json!({"spec": {"template": {"spec": {
        "$setElementOrder/containers": [{"name": "c"}, {"name": "b"}, {"name": "a"}],
        "containers": [{"name": "c", "image": "c:1"}],
    }}}});

    let merged = patched(&current, &patch);

    assert_eq!(
        merged,
        with_containers(&json!([{"name": "c", "image": "c:1"}, {"name": "b"}, {"name": "a"}]))
    );
}

#[test]
fn a_list_without_merge_key_is_replaced() {
    let current = with_containers(&json!([{"name": "a", "args": ["x", "y"]}]));

    let merged = patched(
        &current,
        &with_containers(&json!([{"name": "a", "args": ["z"]}])),
    );

    assert_eq!(
        merged,
        with_containers(&json!([{"name": "a", "args": ["z"]}]))
    );
}

#[test]
fn an_item_without_its_merge_key_is_refused() {
    let error = merge(
        &with_containers(&json!([])),
        &with_containers(&json!([{"image": "a"}])),
        &deployment(),
    )
    .unwrap_err();

    assert_eq!(
        error.to_string(),
        "map: {\"image\":\"a\"} does not contain declared merge key: name"
    );
}

#[test]
fn an_unknown_directive_is_refused() {
    let error = merge(&json!({}), &json!({"$patch": "explode"}), &deployment()).unwrap_err();

    assert_eq!(
        error.to_string(),
        "Unknown value \"explode\" for field $patch"
    );
}

#[test]
fn null_removes_a_field() {
    let merged = patched(
        &json!({"spec": {"replicas": 3, "paused": true}}),
        &json!({"spec": {"paused": null}}),
    );

    assert_eq!(merged, json!({"spec": {"replicas": 3}}));
}

fn containers() -> impl Strategy<Value = Value> {
    prop::collection::btree_map("[a-d]", "[a-z]{1,3}:[0-9]", 0..4).prop_map(|images| {
        let list: Vec<Value> = images
            .into_iter()
            .map(|(name, image)| json!({"name": name, "image": image}))
            .collect();
        with_containers(&Value::Array(list))
    })
}

proptest! {
    #[test]
    fn a_patch_applied_twice_is_a_patch_applied_once(current in containers(), patch in containers()) {
        let once = patched(&current, &patch);

        prop_assert_eq!(&patched(&once, &patch), &once);
    }

    #[test]
    fn an_empty_patch_changes_nothing(current in containers()) {
        prop_assert_eq!(&patched(&current, &json!({})), &current);
    }

    #[test]
    fn an_object_patched_with_itself_stays(current in containers()) {
        prop_assert_eq!(&patched(&current, &current), &current);
    }
}
