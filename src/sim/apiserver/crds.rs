//! Custom resource definitions: writing one makes its kinds servable at once.

use super::core::Core;
use super::json;
use super::kinds::{Kind, PrinterColumn, ScalePaths};
use super::store::{Draft, Stored};
use serde_json::{Value, json};
use std::sync::Arc;

fn is_definition(kind: &Kind) -> bool {
    kind.is("apiextensions.k8s.io", "CustomResourceDefinition")
}

/// Registers the kinds of a definition that was written, and says so in its status.
pub(super) fn on_write(core: &Arc<Core>, kind: &Kind, stored: &Stored) {
    if !is_definition(kind) {
        return;
    }
    let definition = stored.value();
    let group = json::text_at(&definition, &["spec", "group"]).unwrap_or_default();
    let plural = json::text_at(&definition, &["spec", "names", "plural"]).unwrap_or_default();
    core.registry.replace(group, plural, kinds_of(&definition));
    establish(core, kind, stored, definition.clone());
}

/// Takes the kinds of a definition that is gone out of service, and removes their objects.
pub(super) fn on_delete(core: &Arc<Core>, kind: &Kind, stored: &Stored) {
    if !is_definition(kind) {
        return;
    }
    let definition = stored.value();
    let group = json::text_at(&definition, &["spec", "group"]).unwrap_or_default();
    let plural = json::text_at(&definition, &["spec", "names", "plural"]).unwrap_or_default();
    core.registry.replace(group, plural, Vec::new());
}

/// Writes the conditions `NamesAccepted` and `Established`, unless they are there.
fn establish(core: &Core, kind: &Kind, stored: &Stored, mut definition: Value) {
    let now = json::timestamp(core.now());
    let versions: Vec<Value> = definition["spec"]["versions"]
        .as_array()
        .into_iter()
        .flatten()
        .filter(|version| version["storage"] == true)
        .map(|version| version["name"].clone())
        .collect();
    let present = definition["status"].clone();
    let mut wanted = json!({
        "acceptedNames": definition["spec"]["names"],
        "storedVersions": versions,
        "conditions": present["conditions"],
    });
    if present["conditions"].as_array().is_none_or(Vec::is_empty) {
        wanted["conditions"] = json!([
            {
                "type": "NamesAccepted", "status": "True", "lastTransitionTime": now,
                "reason": "NoConflicts", "message": "no conflicts found",
            },
            {
                "type": "Established", "status": "True", "lastTransitionTime": now,
                "reason": "InitialNamesAccepted",
                "message": "the initial names have been accepted",
            },
        ]);
    }
    if present == wanted {
        return;
    }
    definition["status"] = wanted;
    let draft = Draft::new(kind, definition);
    // When somebody wrote meanwhile, that write establishes it.
    drop(core.store.replace(&kind.shelf(), stored.version, draft));
}

fn kinds_of(definition: &Value) -> Vec<Kind> {
    let spec = &definition["spec"];
    let names = &spec["names"];
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let kind = text(&names["kind"]);
    let list_kind =
        json::text_at(names, &["listKind"]).map_or_else(|| format!("{kind}List"), str::to_owned);
    let singular =
        json::text_at(names, &["singular"]).map_or_else(|| kind.to_lowercase(), str::to_owned);
    spec["versions"]
        .as_array()
        .into_iter()
        .flatten()
        .filter(|version| version["served"] == true)
        .map(|version| Kind {
            group: text(&spec["group"]),
            version: text(&version["name"]),
            kind: kind.clone(),
            list_kind: list_kind.clone(),
            plural: text(&names["plural"]),
            singular: singular.clone(),
            short_names: json::texts_at(names, &["shortNames"]),
            categories: json::texts_at(names, &["categories"]),
            namespaced: spec["scope"] == "Namespaced",
            status: version["subresources"].get("status").is_some(),
            scale: scale_of(version),
            subresources: Vec::new(),
            custom: true,
            storage: version["storage"] == true,
            columns: columns_of(version),
            selectable: selectable_of(version),
            deprecation: None,
            create_only: false,
        })
        .collect()
}

fn scale_of(version: &Value) -> Option<ScalePaths> {
    let scale = version["subresources"].get("scale")?;
    Some(ScalePaths {
        spec: json::text_at(scale, &["specReplicasPath"])?.to_owned(),
        status: json::text_at(scale, &["statusReplicasPath"])?.to_owned(),
        selector: json::text_at(scale, &["labelSelectorPath"]).map(str::to_owned),
    })
}

fn selectable_of(version: &Value) -> Vec<String> {
    version["selectableFields"]
        .as_array()
        .into_iter()
        .flatten()
        .filter_map(|field| field["jsonPath"].as_str())
        .map(str::to_owned)
        .collect()
}

fn columns_of(version: &Value) -> Vec<PrinterColumn> {
    version["additionalPrinterColumns"]
        .as_array()
        .into_iter()
        .flatten()
        .map(|column| PrinterColumn {
            name: column["name"].as_str().unwrap_or_default().to_owned(),
            kind: column["type"].as_str().unwrap_or("string").to_owned(),
            format: column["format"].as_str().unwrap_or_default().to_owned(),
            description: column["description"]
                .as_str()
                .unwrap_or_default()
                .to_owned(),
            priority: column["priority"].as_i64().unwrap_or(0),
            json_path: column["jsonPath"].as_str().unwrap_or_default().to_owned(),
        })
        .collect()
}
