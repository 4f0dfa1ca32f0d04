//! The paths of a document: which requests a kind takes, with which parameters.
//!
//! kubectl looks for the operation with its kind and asks whether it knows `dryRun`,
//! `fieldValidation` and strategic merge patches.

use super::{DELETE_OPTIONS, DocKind, DocSchema, SCALE, STATUS, reference};
use serde_json::{Map, Value, json};

/// Adds the paths of one kind.
pub(super) fn of_kind(kind: &DocKind<'_>, paths: &mut Map<String, Value>) {
    let root = format!("/{}", super::path(kind.group, kind.version));
    let collection = if kind.namespaced {
        format!("{root}/namespaces/{{namespace}}/{}", kind.plural)
    } else {
        format!("{root}/{}", kind.plural)
    };
    if kind.create_only {
        let mut item = parameters_of(kind, false);
        item.insert("post".to_owned(), create(kind));
        paths.insert(collection, Value::Object(item));
        return;
    }
    if kind.namespaced {
        let everywhere = json!({"get": read(kind, "list"), "parameters": []});
        paths.insert(format!("{root}/{}", kind.plural), everywhere);
    }
    let mut all = parameters_of(kind, false);
    all.insert("get".to_owned(), read(kind, "list"));
    all.insert("post".to_owned(), create(kind));
    all.insert("delete".to_owned(), delete(kind, "deletecollection"));
    let item = format!("{collection}/{{name}}");
    paths.insert(collection, Value::Object(all));
    let mut one = changes(kind, &kind.component(), &kind.identity());
    one.insert("delete".to_owned(), delete(kind, "delete"));
    paths.insert(item.clone(), Value::Object(one));
    if kind.status {
        let status = changes(kind, &kind.component(), &kind.identity());
        paths.insert(format!("{item}/status"), Value::Object(status));
    }
    if kind.scale {
        let identity = json!({"group": "autoscaling", "kind": "Scale", "version": "v1"});
        let scale = changes(kind, SCALE, &identity);
        paths.insert(format!("{item}/scale"), Value::Object(scale));
    }
}

/// The operations on one object: get, put, patch.
fn changes(kind: &DocKind<'_>, component: &str, identity: &Value) -> Map<String, Value> {
    let mut item = parameters_of(kind, true);
    let answer = responses(component);
    item.insert(
        "get".to_owned(),
        json!({"responses": answer, "x-kubernetes-action": "get", "x-kubernetes-group-version-kind": identity}),
    );
    item.insert(
        "put".to_owned(),
        json!({
            "parameters": writing(),
            "requestBody": {"required": true, "content": {"*/*": {"schema": reference(component)}}},
            "responses": answer,
            "x-kubernetes-action": "put",
            "x-kubernetes-group-version-kind": identity,
        }),
    );
    let mut parameters = writing();
    parameters.push(query("force", "Force is going to \"force\" Apply requests. It means user will re-acquire conflicting fields owned by other people.", "boolean"));
    item.insert(
        "patch".to_owned(),
        json!({
            "parameters": parameters,
            "requestBody": {"required": true, "content": patches(kind)},
            "responses": answer,
            "x-kubernetes-action": "patch",
            "x-kubernetes-group-version-kind": identity,
        }),
    );
    item
}

/// The kinds of patches that a kind takes; custom resources have no strategic merge.
fn patches(kind: &DocKind<'_>) -> Value {
    let body = json!({"schema": {"type": "object", "description": "Patch is provided to give a concrete name and type to the Kubernetes PATCH request body."}});
    let mut content = json!({
        "application/apply-patch+yaml": body,
        "application/json-patch+json": body,
        "application/merge-patch+json": body,
    });
    if let DocSchema::Core(_) = kind.schema {
        content["application/strategic-merge-patch+json"] = body;
    }
    content
}

fn create(kind: &DocKind<'_>) -> Value {
    let component = kind.component();
    json!({
        "parameters": writing(),
        "requestBody": {"required": true, "content": {"*/*": {"schema": reference(&component)}}},
        "responses": responses(&component),
        "x-kubernetes-action": "post",
        "x-kubernetes-group-version-kind": kind.identity(),
    })
}

fn read(kind: &DocKind<'_>, action: &str) -> Value {
    let mut parameters = selecting();
    parameters.push(query(
        "resourceVersion",
        "resourceVersion sets a constraint on what resource versions a request may be served from.",
        "string",
    ));
    parameters.push(query("watch", "Watch for changes to the described resources and return them as a stream of add, update, and remove notifications.", "boolean"));
    json!({
        "parameters": parameters,
        "responses": responses(&format!("{}List", kind.component())),
        "x-kubernetes-action": action,
        "x-kubernetes-group-version-kind": kind.identity(),
    })
}

fn delete(kind: &DocKind<'_>, action: &str) -> Value {
    let mut parameters = vec![
        dry_run(),
        query(
            "gracePeriodSeconds",
            "The duration in seconds before the object should be deleted.",
            "integer",
        ),
        query(
            "propagationPolicy",
            "Whether and how garbage collection will be performed.",
            "string",
        ),
    ];
    if action == "deletecollection" {
        parameters.extend(selecting());
    }
    json!({
        "parameters": parameters,
        "requestBody": {"content": {"*/*": {"schema": reference(DELETE_OPTIONS)}}},
        "responses": responses(STATUS),
        "x-kubernetes-action": action,
        "x-kubernetes-group-version-kind": kind.identity(),
    })
}

fn responses(component: &str) -> Value {
    json!({
        "200": {"description": "OK", "content": {"application/json": {"schema": reference(component)}}},
        "401": {"description": "Unauthorized"},
    })
}

/// The parameters in the path itself.
fn parameters_of(kind: &DocKind<'_>, named: bool) -> Map<String, Value> {
    let in_path = |name: &str, text: &str| json!({"name": name, "in": "path", "required": true, "description": text, "schema": {"type": "string", "uniqueItems": true}});
    let mut parameters = Vec::new();
    if named {
        parameters.push(in_path("name", &format!("name of the {}", kind.kind)));
    }
    if kind.namespaced {
        let text = "object name and auth scope, such as for teams and projects";
        parameters.push(in_path("namespace", text));
    }
    Map::from_iter([("parameters".to_owned(), Value::Array(parameters))])
}

fn query(name: &str, text: &str, kind: &str) -> Value {
    json!({"name": name, "in": "query", "description": text, "schema": {"type": kind, "uniqueItems": true}})
}

fn dry_run() -> Value {
    query(
        "dryRun",
        "When present, indicates that modifications should not be persisted. Valid values are: - All: all dry run stages will be processed",
        "string",
    )
}

fn writing() -> Vec<Value> {
    vec![
        dry_run(),
        query(
            "fieldManager",
            "fieldManager is a name associated with the actor or entity that is making these changes.",
            "string",
        ),
        query(
            "fieldValidation",
            "fieldValidation instructs the server on how to handle objects in the request (POST/PUT/PATCH) containing unknown or duplicate fields. Valid values are: Ignore, Warn, Strict",
            "string",
        ),
    ]
}

fn selecting() -> Vec<Value> {
    vec![
        query(
            "continue",
            "The continue option should be set when retrieving more results from the server.",
            "string",
        ),
        query(
            "fieldSelector",
            "A selector to restrict the list of returned objects by their fields. Defaults to everything.",
            "string",
        ),
        query(
            "labelSelector",
            "A selector to restrict the list of returned objects by their labels. Defaults to everything.",
            "string",
        ),
        query(
            "limit",
            "limit is a maximum number of responses to return for a list call.",
            "integer",
        ),
    ]
}
