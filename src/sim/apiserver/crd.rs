//! Reads a custom resource definition into the kinds that it makes the server serve.
//!
//! Definitions are checked as far as they would break the server otherwise: names, versions, one
//! storage version, and schemas that can be read. Conversion between versions only changes
//! `apiVersion` (strategy `None`); webhooks are never called.

use super::schema::{FieldError, Schema};
use serde_json::{Value, json};

/// A printer column of a custom resource definition.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CrdColumn {
    pub name: String,
    /// `string`, `integer`, `number`, `boolean` or `date`.
    pub kind: String,
    pub format: String,
    pub description: String,
    pub priority: i64,
    /// A JSONPath without braces, such as `.status.phase`.
    pub json_path: String,
}

/// Where a custom resource keeps what its scale subresource shows, such as `.spec.replicas`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CrdScale {
    pub spec: String,
    pub status: String,
    pub selector: Option<String>,
}

/// One version of a custom resource.
#[derive(Clone, Debug)]
pub struct KindFromCrd {
    pub group: String,
    pub version: String,
    pub kind: String,
    pub list_kind: String,
    pub plural: String,
    pub singular: String,
    pub short_names: Vec<String>,
    pub categories: Vec<String>,
    pub namespaced: bool,
    pub served: bool,
    /// Whether objects are stored in this version.
    pub storage: bool,
    /// The warning to send with each answer, if the version is deprecated.
    pub deprecation: Option<String>,
    /// Whether `status` is a subresource of its own.
    pub status: bool,
    pub scale: Option<CrdScale>,
    pub columns: Vec<CrdColumn>,
    /// Paths that field selectors may use, such as `.spec.color`.
    pub selectable_fields: Vec<String>,
    pub schema: Schema,
    /// The schema as it was written, for OpenAPI documents.
    pub open_api: Value,
}

impl KindFromCrd {
    /// Reads all versions of a definition; refuses what the API server would refuse.
    pub fn all(definition: &Value) -> Result<Vec<Self>, Vec<FieldError>> {
        let mut errors = Vec::new();
        check_names(definition, &mut errors);
        let versions = list(definition, "/spec/versions");
        check_versions(versions, &mut errors);
        let mut kinds = Vec::new();
        for (index, version) in versions.iter().enumerate() {
            match read_version(definition, version, index) {
                Ok(kind) => kinds.push(kind),
                Err(error) => errors.push(error),
            }
        }
        if errors.is_empty() {
            Ok(kinds)
        } else {
            Err(errors)
        }
    }
}

fn check_names(definition: &Value, errors: &mut Vec<FieldError>) {
    let (group, plural) = (
        text(definition, "/spec/group"),
        text(definition, "/spec/names/plural"),
    );
    for (field, value) in [
        ("spec.group", group),
        ("spec.names.plural", plural),
        ("spec.names.kind", text(definition, "/spec/names/kind")),
        ("spec.scope", text(definition, "/spec/scope")),
    ] {
        if value.is_empty() {
            errors.push(FieldError::required(field, ""));
        }
    }
    let name = text(definition, "/metadata/name");
    let wanted = format!("{plural}.{group}");
    if !plural.is_empty() && !group.is_empty() && name != wanted {
        let detail = "must be spec.names.plural+\".\"+spec.group";
        errors.push(FieldError::invalid("metadata.name", &json!(name), detail));
    }
    let scope = text(definition, "/spec/scope");
    if !["", "Cluster", "Namespaced"].contains(&scope) {
        let known = ["Cluster".to_owned(), "Namespaced".to_owned()];
        errors.push(FieldError::not_supported(
            "spec.scope",
            &json!(scope),
            &known,
        ));
    }
    let preserve = definition.pointer("/spec/preserveUnknownFields");
    if preserve == Some(&Value::Bool(true)) {
        let detail = "cannot set to true, set x-kubernetes-preserve-unknown-fields to true in spec.versions[*].schema instead";
        errors.push(FieldError::invalid(
            "spec.preserveUnknownFields",
            &Value::Bool(true),
            detail,
        ));
    }
}

fn check_versions(versions: &[Value], errors: &mut Vec<FieldError>) {
    if versions.is_empty() {
        errors.push(FieldError::required("spec.versions", ""));
        return;
    }
    let stored = versions.iter().filter(|one| flag(one, "storage")).count();
    if stored != 1 {
        errors.push(FieldError::invalid(
            "spec.versions",
            &json!(
                versions
                    .iter()
                    .map(|one| text(one, "/name"))
                    .collect::<Vec<_>>()
            ),
            "must have exactly one version marked as storage version",
        ));
    }
    for (index, version) in versions.iter().enumerate() {
        let name = text(version, "/name");
        let earlier = versions.iter().take(index);
        if earlier.clone().any(|one| text(one, "/name") == name) {
            errors.push(FieldError::duplicate(
                format!("spec.versions[{index}].name"),
                &json!(name),
            ));
        }
    }
}

fn read_version(
    definition: &Value,
    version: &Value,
    index: usize,
) -> Result<KindFromCrd, FieldError> {
    let names = definition.pointer("/spec/names").unwrap_or(&Value::Null);
    let kind = text(names, "/kind").to_owned();
    let open_api = open_api(version, index)?;
    let schema = read_schema(&open_api, index)?;
    let default_name = |pointer: &str, otherwise: String| match text(names, pointer) {
        "" => otherwise,
        given => given.to_owned(),
    };
    Ok(KindFromCrd {
        group: text(definition, "/spec/group").to_owned(),
        version: text(version, "/name").to_owned(),
        list_kind: default_name("/listKind", format!("{kind}List")),
        singular: default_name("/singular", kind.to_lowercase()),
        plural: text(names, "/plural").to_owned(),
        kind,
        short_names: texts(names, "/shortNames"),
        categories: texts(names, "/categories"),
        namespaced: text(definition, "/spec/scope") != "Cluster",
        served: flag(version, "served"),
        storage: flag(version, "storage"),
        deprecation: deprecation(definition, version),
        status: version
            .pointer("/subresources/status")
            .is_some_and(Value::is_object),
        scale: scale(version),
        columns: columns(version),
        selectable_fields: list(version, "/selectableFields")
            .iter()
            .map(|one| text(one, "/jsonPath").to_owned())
            .collect(),
        schema,
        open_api,
    })
}

fn open_api(version: &Value, index: usize) -> Result<Value, FieldError> {
    let schema = version.pointer("/schema/openAPIV3Schema").cloned();
    schema.ok_or_else(|| {
        FieldError::required(
            format!("spec.versions[{index}].schema.openAPIV3Schema"),
            "schemas are required",
        )
    })
}

fn read_schema(open_api: &Value, index: usize) -> Result<Schema, FieldError> {
    let at = format!("spec.versions[{index}].schema");
    if open_api.get("type").and_then(Value::as_str) != Some("object") {
        let field = format!("{at}.openAPIV3Schema.type");
        return Err(match open_api.get("type") {
            None => FieldError::required(field, "must not be empty at the root"),
            Some(other) => FieldError::invalid(field, other, "must be object at the root"),
        });
    }
    Schema::from_openapi(open_api).map_err(|error| {
        FieldError::invalid(format!("{at}.{}", error.path), &Value::Null, &error.problem)
    })
}

fn deprecation(definition: &Value, version: &Value) -> Option<String> {
    if !flag(version, "deprecated") {
        return None;
    }
    let own = text(version, "/deprecationWarning");
    if !own.is_empty() {
        return Some(own.to_owned());
    }
    Some(format!(
        "{}/{} {} is deprecated",
        text(definition, "/spec/group"),
        text(version, "/name"),
        text(definition, "/spec/names/kind")
    ))
}

fn scale(version: &Value) -> Option<CrdScale> {
    let scale = version.pointer("/subresources/scale")?;
    let selector = text(scale, "/labelSelectorPath");
    Some(CrdScale {
        spec: text(scale, "/specReplicasPath").to_owned(),
        status: text(scale, "/statusReplicasPath").to_owned(),
        selector: (!selector.is_empty()).then(|| selector.to_owned()),
    })
}

fn columns(version: &Value) -> Vec<CrdColumn> {
    let columns = list(version, "/additionalPrinterColumns");
    columns
        .iter()
        .map(|column| CrdColumn {
            name: text(column, "/name").to_owned(),
            kind: text(column, "/type").to_owned(),
            format: text(column, "/format").to_owned(),
            description: text(column, "/description").to_owned(),
            priority: column
                .get("priority")
                .and_then(Value::as_i64)
                .unwrap_or_default(),
            json_path: text(column, "/jsonPath").to_owned(),
        })
        .collect()
}

fn text<'a>(value: &'a Value, pointer: &str) -> &'a str {
    let found = value.pointer(pointer).and_then(Value::as_str);
    found.unwrap_or_default()
}

fn list<'a>(value: &'a Value, pointer: &str) -> &'a [Value] {
    let found = value.pointer(pointer).and_then(Value::as_array);
    found.map(Vec::as_slice).unwrap_or_default()
}

fn texts(value: &Value, pointer: &str) -> Vec<String> {
    let found = list(value, pointer).iter().filter_map(Value::as_str);
    found.map(str::to_owned).collect()
}

fn flag(value: &Value, name: &str) -> bool {
    value.get(name).and_then(Value::as_bool).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn definition() -> Value {
        json!({
            "apiVersion": "apiextensions.k8s.io/v1", "kind": "CustomResourceDefinition",
            "metadata": {"name": "ships.example.org"},
            "spec": {
                "group": "example.org", "scope": "Namespaced",
                "names": {"plural": "ships", "kind": "Ship", "shortNames": ["sh"]},
                "versions": [{
                    "name": "v1", "served": true, "storage": true,
                    "subresources": {"status": {}, "scale": {"specReplicasPath": ".spec.oars", "statusReplicasPath": ".status.oars"}},
                    "additionalPrinterColumns": [{"name": "Oars", "type": "integer", "jsonPath": ".spec.oars"}],
                    "schema": {"openAPIV3Schema": {"type": "object", "properties": {"spec": {"type": "object", "properties": {"oars": {"type": "integer"}}}}}},
                }],
            },
        })
    }

    #[test]
    fn a_definition_yields_its_versions_with_default_names() {
        let kinds = KindFromCrd::all(&definition()).unwrap();

        let ship = &kinds[0];
        assert_eq!(ship.singular, "ship");
        assert_eq!(ship.list_kind, "ShipList");
        assert!(ship.status && ship.namespaced && ship.served && ship.storage);
        assert_eq!(ship.scale.as_ref().unwrap().spec, ".spec.oars");
        assert_eq!(ship.columns[0].json_path, ".spec.oars");
    }

    #[test]
    fn a_definition_whose_name_does_not_fit_is_refused() {
        let mut wrong = definition();
        wrong["metadata"]["name"] = json!("boats.example.org");

        let errors = KindFromCrd::all(&wrong).unwrap_err();

        assert_eq!(
            errors[0].to_string(),
            "metadata.name: Invalid value: \"boats.example.org\": must be spec.names.plural+\".\"+spec.group"
        );
    }

    #[test]
    fn two_storage_versions_are_refused() {
        let mut wrong = definition();
        let mut second = wrong["spec"]["versions"][0].clone();
        second["name"] = json!("v2");
        wrong["spec"]["versions"]
            .as_array_mut()
            .unwrap()
            .push(second);

        let errors = KindFromCrd::all(&wrong).unwrap_err();

        assert!(
            errors[0]
                .to_string()
                .contains("exactly one version marked as storage")
        );
    }

    #[test]
    fn a_schema_with_an_unknown_type_names_its_place() {
        let mut wrong = definition();
        wrong["spec"]["versions"][0]["schema"]["openAPIV3Schema"]["properties"]["spec"]["type"] =
            json!("objekt");

        let errors = KindFromCrd::all(&wrong).unwrap_err();

        assert_eq!(
            errors[0].field,
            "spec.versions[0].schema.openAPIV3Schema.properties[spec]"
        );
    }
}
