//! What a `kustomization.yaml` may say, read strictly.
//!
//! An unknown field is an error that names its line and the field that was probably meant.

use super::KustomizeError;
use super::target::Selector;
use crate::api::yaml;
use crate::domain::nearest::explain_unknown_field;
use crate::sim::files::FileTree;
use serde::{Deserialize, Deserializer};
use serde_json::Value;
use std::collections::BTreeMap;
use std::ops::{Deref, DerefMut};

/// The names kustomize recognises, in the order it tries them.
pub const FILE_NAMES: [&str; 3] = ["kustomization.yaml", "kustomization.yml", "Kustomization"];

/// A field that may be left empty: `resources:` means an empty list.
#[derive(Clone, Debug, Default)]
pub(super) struct Maybe<T>(pub(super) T);

impl<'de, T: Deserialize<'de> + Default> Deserialize<'de> for Maybe<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Option::<T>::deserialize(deserializer).map(|value| Self(value.unwrap_or_default()))
    }
}

impl<T> Deref for Maybe<T> {
    type Target = T;
    fn deref(&self) -> &T {
        &self.0
    }
}

impl<T> DerefMut for Maybe<T> {
    fn deref_mut(&mut self) -> &mut T {
        &mut self.0
    }
}

pub(super) type Pairs = BTreeMap<String, String>;

/// The fields of `api/types/kustomization.go`.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase", default)]
pub(super) struct Kustomization {
    pub(super) api_version: Option<String>,
    pub(super) kind: Option<String>,
    metadata: Option<Value>,
    pub(super) resources: Maybe<Vec<String>>,
    pub(super) bases: Maybe<Vec<String>>,
    pub(super) components: Maybe<Vec<String>>,
    pub(super) name_prefix: Option<String>,
    pub(super) name_suffix: Option<String>,
    pub(super) namespace: Option<String>,
    pub(super) common_labels: Maybe<Pairs>,
    pub(super) labels: Maybe<Vec<LabelRule>>,
    pub(super) common_annotations: Maybe<Pairs>,
    pub(super) patches_strategic_merge: Maybe<Vec<String>>,
    #[serde(rename = "patchesJson6902")]
    pub(super) patches_json6902: Maybe<Vec<Patch>>,
    pub(super) patches: Maybe<Vec<Patch>>,
    pub(super) images: Maybe<Vec<Image>>,
    pub(super) image_tags: Maybe<Vec<Image>>,
    pub(super) replicas: Maybe<Vec<Replica>>,
    pub(super) replacements: Maybe<Vec<Replacement>>,
    pub(super) config_map_generator: Maybe<Vec<Generator>>,
    pub(super) secret_generator: Maybe<Vec<Generator>>,
    pub(super) generator_options: Option<GeneratorOptions>,
    pub(super) sort_options: Option<SortOptions>,
    build_metadata: Option<Value>,
    configurations: Option<Value>,
    crds: Option<Value>,
    generators: Option<Value>,
    helm_chart_inflation_generator: Option<Value>,
    helm_charts: Option<Value>,
    helm_globals: Option<Value>,
    inventory: Option<Value>,
    openapi: Option<Value>,
    transformers: Option<Value>,
    validators: Option<Value>,
    vars: Option<Value>,
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase", default)]
pub(super) struct LabelRule {
    pub(super) pairs: Maybe<Pairs>,
    pub(super) include_selectors: bool,
    pub(super) include_templates: bool,
    pub(super) fields: Maybe<Vec<FieldSpec>>,
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase", default)]
pub(super) struct FieldSpec {
    pub(super) group: Option<String>,
    pub(super) version: Option<String>,
    pub(super) kind: Option<String>,
    pub(super) path: String,
    pub(super) create: bool,
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase", default)]
pub(super) struct Patch {
    pub(super) path: Option<String>,
    pub(super) patch: Option<String>,
    pub(super) target: Option<Selector>,
    pub(super) options: Maybe<PatchOptions>,
}

#[derive(Clone, Copy, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase", default)]
pub(super) struct PatchOptions {
    pub(super) allow_name_change: bool,
    pub(super) allow_kind_change: bool,
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase", default)]
pub(super) struct Image {
    pub(super) name: String,
    pub(super) new_name: Option<String>,
    pub(super) new_tag: Option<String>,
    pub(super) tag_suffix: Option<String>,
    pub(super) digest: Option<String>,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Replica {
    pub(super) name: String,
    pub(super) count: u32,
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase", default)]
pub(super) struct Generator {
    pub(super) name: String,
    pub(super) namespace: Option<String>,
    pub(super) behavior: Option<String>,
    pub(super) literals: Maybe<Vec<String>>,
    pub(super) files: Maybe<Vec<String>>,
    pub(super) envs: Maybe<Vec<String>>,
    pub(super) env: Option<String>,
    #[serde(rename = "type")]
    pub(super) secret_type: Option<String>,
    pub(super) options: Option<GeneratorOptions>,
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase", default)]
pub(super) struct GeneratorOptions {
    pub(super) labels: Maybe<Pairs>,
    pub(super) annotations: Maybe<Pairs>,
    pub(super) disable_name_suffix_hash: bool,
    pub(super) immutable: bool,
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase", default)]
pub(super) struct SortOptions {
    pub(super) order: Option<String>,
    pub(super) legacy_sort_options: Option<LegacySortOptions>,
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase", default)]
pub(super) struct LegacySortOptions {
    pub(super) order_first: Maybe<Vec<String>>,
    pub(super) order_last: Maybe<Vec<String>>,
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase", default)]
pub(super) struct Replacement {
    pub(super) path: Option<String>,
    pub(super) source: Option<ReplacementSource>,
    pub(super) source_value: Option<String>,
    pub(super) targets: Maybe<Vec<ReplacementTarget>>,
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase", default)]
pub(super) struct ReplacementSource {
    pub(super) group: Option<String>,
    pub(super) version: Option<String>,
    pub(super) kind: Option<String>,
    pub(super) name: Option<String>,
    pub(super) namespace: Option<String>,
    pub(super) field_path: Option<String>,
    pub(super) options: Maybe<FieldOptions>,
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase", default)]
pub(super) struct ReplacementTarget {
    pub(super) select: Option<Selector>,
    pub(super) reject: Maybe<Vec<Selector>>,
    pub(super) field_paths: Maybe<Vec<String>>,
    pub(super) options: Maybe<FieldOptions>,
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase", default)]
pub(super) struct FieldOptions {
    pub(super) delimiter: Option<String>,
    pub(super) index: i64,
    pub(super) encoding: Option<String>,
    pub(super) create: bool,
}

/// A kustomization with the place it was read from.
#[derive(Clone, Debug)]
pub(super) struct Source {
    pub(super) folder: String,
    pub(super) file: String,
    pub(super) text: String,
    pub(super) document: Kustomization,
}

impl Source {
    /// Finds the line an entry or field stands on.
    pub(super) fn line_of(&self, words: &str) -> Option<u64> {
        let index = self.text.lines().position(|line| {
            let code = line.split(" #").next().unwrap_or_default();
            code.contains(words) && !code.trim_start().starts_with('#')
        })?;
        Some(index as u64 + 1)
    }

    pub(super) fn error(&self, about: &str, message: impl Into<String>) -> KustomizeError {
        KustomizeError::new(&self.file, message).at_line(self.line_of(about))
    }
}

/// Reads the kustomization of a folder.
pub(super) fn read(files: &dyn FileTree, folder: &str) -> Result<Source, KustomizeError> {
    let path = |name: &str| match folder {
        "" => name.to_owned(),
        folder => format!("{folder}/{name}"),
    };
    let found: Vec<(String, bytes::Bytes)> = FILE_NAMES
        .iter()
        .filter_map(|name| files.read(&path(name)).map(|bytes| (path(name), bytes)))
        .collect();
    let (file, bytes) = match <[_; 1]>::try_from(found) {
        Ok([one]) => one,
        Err(found) if found.is_empty() => {
            let message =
                "no kustomization.yaml, kustomization.yml or Kustomization in this folder";
            return Err(KustomizeError::new(folder, message));
        }
        Err(_several) => {
            let message = "more than one kustomization file in this folder; keep one";
            return Err(KustomizeError::new(folder, message));
        }
    };
    let text = String::from_utf8_lossy(&bytes).into_owned();
    let document = parse(&file, &text)?;
    let source = Source {
        folder: folder.to_owned(),
        file,
        text,
        document,
    };
    refuse_unsupported(&source)?;
    Ok(source)
}

fn parse(file: &str, text: &str) -> Result<Kustomization, KustomizeError> {
    let is_blank = text
        .lines()
        .all(|line| line.trim().is_empty() || line.trim_start().starts_with('#'));
    if is_blank {
        return Err(KustomizeError::new(file, "kustomization.yaml is empty"));
    }
    yaml::from_str(text).map_err(|error| {
        let message = explain_unknown_field(&error.message);
        KustomizeError::new(file, message).at_line(error.line)
    })
}

fn refuse_unsupported(source: &Source) -> Result<(), KustomizeError> {
    let document = &source.document;
    let refused = [
        (
            "helmCharts",
            &document.helm_charts,
            "Helm is not rendered by the embedded platform",
        ),
        (
            "helmChartInflationGenerator",
            &document.helm_chart_inflation_generator,
            "Helm is not rendered by the embedded platform",
        ),
        (
            "helmGlobals",
            &document.helm_globals,
            "Helm is not rendered by the embedded platform",
        ),
        ("generators", &document.generators, PLUGINS),
        ("transformers", &document.transformers, PLUGINS),
        ("validators", &document.validators, PLUGINS),
        ("configurations", &document.configurations, NOT_HERE),
        ("crds", &document.crds, NOT_HERE),
        ("openapi", &document.openapi, NOT_HERE),
        ("inventory", &document.inventory, NOT_HERE),
        ("buildMetadata", &document.build_metadata, NOT_HERE),
        (
            "vars",
            &document.vars,
            "it is deprecated; use `replacements`",
        ),
    ];
    for (field, value, why) in refused {
        let used = match value {
            None | Some(Value::Null) => false,
            Some(Value::Array(list)) => !list.is_empty(),
            Some(_) => true,
        };
        if used {
            return Err(source.error(field, format!("`{field}` is not supported here: {why}")));
        }
    }
    check_kind(source)
}

const PLUGINS: &str = "the embedded platform runs no plugins";
const NOT_HERE: &str = "the embedded platform builds without it";

fn check_kind(source: &Source) -> Result<(), KustomizeError> {
    let document = &source.document;
    let expected = match document.kind.as_deref() {
        None | Some("Kustomization") => "kustomize.config.k8s.io/v1beta1",
        Some("Component") => "kustomize.config.k8s.io/v1alpha1",
        Some(other) => {
            let message = format!("kind is `{other}`; it should be Kustomization or Component");
            return Err(source.error("kind:", message));
        }
    };
    match document.api_version.as_deref() {
        Some(version) if version == expected => Ok(()),
        // kustomize reads the older version of either kind, too.
        None | Some("kustomize.config.k8s.io/v1") => Ok(()),
        Some(version) => {
            let message = format!("apiVersion is `{version}`; it should be {expected}");
            Err(source.error("apiVersion:", message))
        }
    }
}

/// What an Application's `spec.source.kustomize` changes in the kustomization it names.
///
/// Argo CD runs `kustomize edit` for each of them (`util/kustomize/kustomize.go`).
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Overrides {
    name_prefix: Option<String>,
    name_suffix: Option<String>,
    namespace: Option<String>,
    /// `name=new:tag`, `name:tag`, `name@digest` or `name=new@digest`.
    images: Maybe<Vec<String>>,
    replicas: Maybe<Vec<ReplicaOverride>>,
    common_labels: Maybe<Pairs>,
    common_annotations: Maybe<Pairs>,
    components: Maybe<Vec<String>>,
    patches: Maybe<Vec<Patch>>,
    label_without_selector: bool,
    label_include_templates: bool,
}

#[derive(Clone, Debug, Deserialize)]
struct ReplicaOverride {
    name: String,
    /// A number, or a number in quotes.
    count: Value,
}

impl Overrides {
    /// Reads `spec.source.kustomize`; fields it does not know are left to Argo CD's validation.
    pub fn from_source(kustomize: &Value) -> Result<Self, String> {
        Self::deserialize(kustomize).map_err(|error| format!("spec.source.kustomize: {error}"))
    }

    pub(super) fn apply(&self, document: &mut Kustomization) {
        let given = |value: &Option<String>| value.clone().filter(|text| !text.is_empty());
        document.name_prefix = given(&self.name_prefix).or_else(|| document.name_prefix.take());
        document.name_suffix = given(&self.name_suffix).or_else(|| document.name_suffix.take());
        document.namespace = given(&self.namespace).or_else(|| document.namespace.take());
        for text in self.images.iter() {
            let image = Image::from_override(text);
            document.images.retain(|known| known.name != image.name);
            document.images.push(image);
        }
        for replica in self.replicas.iter() {
            let count = match replica.count.as_str() {
                Some(text) => text.parse().ok(),
                None => replica
                    .count
                    .as_u64()
                    .and_then(|count| count.try_into().ok()),
            };
            if let Some(count) = count {
                let name = replica.name.clone();
                document.replicas.retain(|known| known.name != name);
                document.replicas.push(Replica { name, count });
            }
        }
        if self.label_without_selector && !self.common_labels.is_empty() {
            document.labels.push(LabelRule {
                pairs: self.common_labels.clone(),
                include_templates: self.label_include_templates,
                ..LabelRule::default()
            });
        } else {
            document.common_labels.extend(self.common_labels.0.clone());
        }
        document
            .common_annotations
            .extend(self.common_annotations.0.clone());
        document.components.extend(self.components.iter().cloned());
        document.patches.extend(self.patches.iter().cloned());
    }
}

impl Image {
    /// Reads the short form that `kustomize edit set image` takes.
    fn from_override(text: &str) -> Self {
        let (name, new) = match text.split_once('=') {
            Some((name, new)) => (name, new),
            None => ("", text),
        };
        let (reference, digest) = match new.split_once('@') {
            Some((reference, digest)) => (reference, Some(digest.to_owned())),
            None => (new, None),
        };
        let (repository, tag) = super::images::split_tag(reference);
        let renamed = !name.is_empty() && !repository.is_empty() && repository != name;
        Self {
            name: if name.is_empty() { repository } else { name }.to_owned(),
            new_name: renamed.then(|| repository.to_owned()),
            new_tag: tag.map(str::to_owned),
            tag_suffix: None,
            digest,
        }
    }
}
