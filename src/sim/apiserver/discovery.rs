//! What is served: groups, versions and resources, aggregated and not; version and health.

use super::call::json_response;
use super::core::Core;
use super::error::ApiError;
use super::kinds::{Kind, KindTable, Subresource};
use super::openapi;
use axum::response::Response;
use http::{HeaderValue, Uri, header};
use serde_json::{Value, json};

/// Answers a path that names no resource.
pub(super) fn answer(core: &Core, uri: &Uri, accept: &str) -> Result<Response, ApiError> {
    let parts: Vec<&str> = uri
        .path()
        .split('/')
        .filter(|part| !part.is_empty())
        .collect();
    let table = core.table();
    match parts.as_slice() {
        ["version"] => Ok(json_response(200, version(&core.version).to_string())),
        ["healthz" | "livez" | "readyz", ..] => Ok(plain("ok")),
        ["api"] => Ok(aggregated(&table, accept, true)
            .unwrap_or_else(|| json_response(200, core_versions().to_string()))),
        ["apis"] => Ok(aggregated(&table, accept, false)
            .unwrap_or_else(|| json_response(200, group_list(&table).to_string()))),
        ["api", version] => resource_list(&table, "", version),
        ["apis", group] => table
            .groups()
            .into_iter()
            .find(|(name, _)| name == group && !name.is_empty())
            .map(|(name, versions)| {
                let mut group = group_object(&name, &versions);
                group["kind"] = "APIGroup".into();
                group["apiVersion"] = "v1".into();
                json_response(200, group.to_string())
            })
            .ok_or_else(ApiError::no_such_path),
        ["apis", group, version] => resource_list(&table, group, version),
        ["openapi", "v2"] => Ok(openapi_v2(accept)),
        ["openapi", "v3"] => Ok(json_response(200, openapi_index(&table).to_string())),
        ["openapi", "v3", "api", version] => openapi_document(core, &table, ("", version)),
        ["openapi", "v3", "apis", group, version] => {
            openapi_document(core, &table, (group, version))
        }
        [] => Ok(json_response(200, paths(&table).to_string())),
        _ => Err(ApiError::no_such_path()),
    }
}

fn plain(text: &'static str) -> Response {
    let mut response = json_response(200, text);
    response.headers_mut().insert(
        header::CONTENT_TYPE,
        HeaderValue::from_static("text/plain; charset=utf-8"),
    );
    response
}

fn version(git_version: &str) -> Value {
    let mut numbers = git_version.trim_start_matches('v').split('.');
    json!({
        "major": numbers.next().unwrap_or("1"),
        "minor": numbers.next().unwrap_or("33"),
        "gitVersion": git_version,
        "gitCommit": "",
        "gitTreeState": "clean",
        "buildDate": "1970-01-01T00:00:00Z",
        "goVersion": "",
        "compiler": "rustc",
        "platform": format!("{}/{}", std::env::consts::OS, std::env::consts::ARCH),
    })
}

fn paths(table: &KindTable) -> Value {
    let mut paths = vec!["/api".to_owned(), "/api/v1".to_owned(), "/apis".to_owned()];
    for (group, versions) in table.groups() {
        if group.is_empty() {
            continue;
        }
        paths.push(format!("/apis/{group}"));
        paths.extend(versions.iter().map(|one| format!("/apis/{group}/{one}")));
    }
    for path in [
        "/healthz",
        "/livez",
        "/openapi/v2",
        "/openapi/v3",
        "/readyz",
        "/version",
    ] {
        paths.push(path.to_owned());
    }
    json!({ "paths": paths })
}

fn core_versions() -> Value {
    json!({
        "kind": "APIVersions",
        "versions": ["v1"],
        "serverAddressByClientCIDRs": [],
    })
}

fn group_object(name: &str, versions: &[String]) -> Value {
    let shown: Vec<Value> = versions
        .iter()
        .map(|version| json!({"groupVersion": format!("{name}/{version}"), "version": version}))
        .collect();
    json!({
        "name": name,
        "versions": shown,
        "preferredVersion": shown.first(),
    })
}

fn group_list(table: &KindTable) -> Value {
    let groups: Vec<Value> = table
        .groups()
        .iter()
        .filter(|(name, _)| !name.is_empty())
        .map(|(name, versions)| group_object(name, versions))
        .collect();
    json!({ "kind": "APIGroupList", "apiVersion": "v1", "groups": groups })
}

fn resource_list(table: &KindTable, group: &str, version: &str) -> Result<Response, ApiError> {
    let kinds = table.in_version(group, version);
    let Some(first) = kinds.first() else {
        return Err(ApiError::no_such_path());
    };
    let resources: Vec<Value> = kinds
        .iter()
        .flat_map(|kind| resource_entries(kind))
        .collect();
    let list = json!({
        "kind": "APIResourceList",
        "apiVersion": "v1",
        "groupVersion": first.api_version(),
        "resources": resources,
    });
    Ok(json_response(200, list.to_string()))
}

fn answered_kind(kind: &Kind, one: &Subresource) -> (String, String, String) {
    one.answers
        .clone()
        .unwrap_or_else(|| (kind.group.clone(), kind.version.clone(), kind.kind.clone()))
}

fn resource_entries(kind: &Kind) -> Vec<Value> {
    let mut entry = json!({
        "name": kind.plural,
        "singularName": kind.singular,
        "namespaced": kind.namespaced,
        "kind": kind.kind,
        "verbs": kind.verbs,
    });
    if !kind.short_names.is_empty() {
        entry["shortNames"] = kind.short_names.clone().into();
    }
    if !kind.categories.is_empty() {
        entry["categories"] = kind.categories.clone().into();
    }
    let mut entries = vec![entry];
    for one in &kind.subresources {
        let (group, version, answer) = answered_kind(kind, one);
        let mut entry = json!({
            "name": format!("{}/{}", kind.plural, one.name),
            "singularName": "",
            "namespaced": kind.namespaced,
            "kind": answer,
            "verbs": one.verbs,
        });
        if group != kind.group {
            entry["group"] = group.into();
            entry["version"] = version.into();
        }
        entries.push(entry);
    }
    entries
}

/// The aggregated form, in the newest version that the client accepts.
fn aggregated(table: &KindTable, accept: &str, core: bool) -> Option<Response> {
    let version = ["v2", "v2beta1"].into_iter().find(|version| {
        accept.split(',').any(|clause| {
            let parameters: Vec<&str> = clause.split(';').map(str::trim).collect();
            parameters.contains(&"g=apidiscovery.k8s.io")
                && parameters.contains(&"as=APIGroupDiscoveryList")
                && parameters.contains(&format!("v={version}").as_str())
        })
    })?;
    let items: Vec<Value> = table
        .groups()
        .iter()
        .filter(|(name, _)| name.is_empty() == core)
        .map(|(name, versions)| aggregated_group(table, name, versions))
        .collect();
    let list = json!({
        "kind": "APIGroupDiscoveryList",
        "apiVersion": format!("apidiscovery.k8s.io/{version}"),
        "metadata": {},
        "items": items,
    });
    let mut response = json_response(200, list.to_string());
    let media =
        format!("application/json;g=apidiscovery.k8s.io;v={version};as=APIGroupDiscoveryList");
    if let Ok(media) = HeaderValue::from_str(&media) {
        response.headers_mut().insert(header::CONTENT_TYPE, media);
    }
    response
        .headers_mut()
        .insert(header::VARY, HeaderValue::from_static("Accept"));
    Some(response)
}

fn aggregated_group(table: &KindTable, name: &str, versions: &[String]) -> Value {
    let versions: Vec<Value> = versions
        .iter()
        .map(|version| {
            let resources: Vec<Value> = table
                .in_version(name, version)
                .iter()
                .map(|kind| aggregated_resource(kind))
                .collect();
            json!({ "version": version, "resources": resources, "freshness": "Current" })
        })
        .collect();
    let metadata = if name.is_empty() {
        json!({})
    } else {
        json!({ "name": name })
    };
    json!({ "metadata": metadata, "versions": versions })
}

fn aggregated_resource(kind: &Kind) -> Value {
    let gvk = |group: &str, version: &str, kind: &str| json!({"group": group, "version": version, "kind": kind});
    let mut resource = json!({
        "resource": kind.plural,
        "responseKind": gvk(&kind.group, &kind.version, &kind.kind),
        "scope": if kind.namespaced { "Namespaced" } else { "Cluster" },
        "singularResource": kind.singular,
        "verbs": kind.verbs,
    });
    if !kind.short_names.is_empty() {
        resource["shortNames"] = kind.short_names.clone().into();
    }
    if !kind.categories.is_empty() {
        resource["categories"] = kind.categories.clone().into();
    }
    let subresources: Vec<Value> = kind
        .subresources
        .iter()
        .map(|one| {
            let (group, version, answer) = answered_kind(kind, one);
            json!({
                "subresource": one.name,
                "responseKind": gvk(&group, &version, &answer),
                "verbs": one.verbs,
            })
        })
        .collect();
    if !subresources.is_empty() {
        resource["subresources"] = subresources.into();
    }
    resource
}

/// Answers the old document with an empty one: what clients read from it is in version 3.
///
/// `kubectl` before 1.29 asks for it as protobuf and needs an answer to apply anything.
fn openapi_v2(accept: &str) -> Response {
    const EMPTY: &[u8] = b"\x0a\x03\x32.0\x12\x07\x0a\x01k\x12\x021.";
    if !accept.contains("com.github.proto-openapi.spec.v2") {
        let empty = json!({
            "swagger": "2.0",
            "info": {"title": "Kubernetes", "version": "1."},
            "paths": {},
            "definitions": {},
        });
        return json_response(200, empty.to_string());
    }
    let mut response = json_response(200, EMPTY);
    response.headers_mut().insert(
        header::CONTENT_TYPE,
        HeaderValue::from_static("application/com.github.proto-openapi.spec.v2.v1.0+protobuf"),
    );
    response
}

fn openapi_index(table: &KindTable) -> Value {
    let documents: Vec<(String, String, String)> = table
        .groups()
        .into_iter()
        .flat_map(|(group, versions)| {
            versions
                .into_iter()
                .map(move |version| (group.clone(), version))
        })
        .map(|(group, version)| {
            let kinds = table.in_version(&group, &version);
            let shown: Vec<_> = kinds.iter().map(|kind| kind.documented()).collect();
            let fingerprint = openapi::fingerprint(&shown);
            (group, version, fingerprint)
        })
        .collect();
    openapi::index(
        documents
            .iter()
            .map(|(group, version, print)| (group.as_str(), version.as_str(), print.clone())),
    )
}

fn openapi_document(
    core: &Core,
    table: &KindTable,
    (group, version): (&str, &str),
) -> Result<Response, ApiError> {
    let kinds = table.in_version(group, version);
    if kinds.is_empty() {
        return Err(ApiError::no_such_path());
    }
    let shown: Vec<_> = kinds.iter().map(|kind| kind.documented()).collect();
    let make = || openapi::document(group, version, &shown).to_string();
    Ok(json_response(
        200,
        core.document(&openapi::fingerprint(&shown), make),
    ))
}
