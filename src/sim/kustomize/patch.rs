//! `patches`, `patchesStrategicMerge` and `patchesJson6902`.

use super::document::{Patch, PatchOptions, Source};
use super::merge::merge;
use super::resource::{Resource, Set};
use super::target::{Matcher, Selector};
use super::{KustomizeError, join};
use crate::api::yaml;
use crate::sim::files::FileTree;
use serde_json::Value;

/// A patch that has been read: where it is from and what it does.
struct Loaded {
    /// What to search for in the kustomization to find the entry's line.
    entry: String,
    change: Change,
}

enum Change {
    Strategic(Vec<Value>),
    Json(json_patch::Patch),
}

/// Runs the deprecated list of paths or inline texts.
pub(super) fn run_strategic_merges(
    files: &dyn FileTree,
    source: &Source,
    set: &mut Set,
) -> Result<(), KustomizeError> {
    for entry in source.document.patches_strategic_merge.iter() {
        let is_file = join(&source.folder, entry).is_some_and(|path| files.read(&path).is_some());
        let patch = Patch {
            path: is_file.then(|| entry.clone()),
            patch: (!is_file).then(|| entry.clone()),
            ..Patch::default()
        };
        if !is_file && !entry.contains('\n') && !entry.contains('{') {
            return Err(source.error(entry, format!("the patch file `{entry}` does not exist")));
        }
        apply(files, source, &patch, set)?;
    }
    Ok(())
}

pub(super) fn run(
    files: &dyn FileTree,
    source: &Source,
    patches: &[Patch],
    set: &mut Set,
) -> Result<(), KustomizeError> {
    patches
        .iter()
        .try_for_each(|patch| apply(files, source, patch, set))
}

fn apply(
    files: &dyn FileTree,
    source: &Source,
    patch: &Patch,
    set: &mut Set,
) -> Result<(), KustomizeError> {
    let loaded = load(files, source, patch)?;
    match (&loaded.change, &patch.target) {
        (Change::Strategic(documents), None) => documents
            .iter()
            .try_for_each(|document| merge_by_name(source, &loaded.entry, document, set)),
        (Change::Strategic(documents), Some(target)) => {
            let [document] = documents.as_slice() else {
                let message = "several patches in one file cannot have a `target`";
                return Err(source.error(&loaded.entry, message));
            };
            let matcher = matcher(source, target)?;
            merge_selected(document, &matcher, *patch.options, set);
            Ok(())
        }
        (Change::Json(_), None) => {
            Err(source.error(&loaded.entry, "a JSON patch needs a `target`"))
        }
        (Change::Json(change), Some(target)) => {
            let matcher = matcher(source, target)?;
            for resource in set.iter_mut().filter(|resource| matcher.matches(resource)) {
                let title = resource.title();
                patch_json(resource, change, *patch.options).map_err(|error| {
                    let message = format!(
                        "the patch for {} fails on {title}: {error}",
                        target.describe()
                    );
                    source.error(&loaded.entry, message)
                })?;
            }
            Ok(())
        }
    }
}

fn matcher(source: &Source, target: &Selector) -> Result<Matcher, KustomizeError> {
    target.matcher().map_err(|message| {
        let words = message.split('`').nth(1).unwrap_or("target").to_owned();
        source.error(&words, message)
    })
}

fn load(files: &dyn FileTree, source: &Source, patch: &Patch) -> Result<Loaded, KustomizeError> {
    let given = |text: &Option<String>| text.clone().filter(|text| !text.is_empty());
    let (entry, file, text) = match (given(&patch.path), given(&patch.patch)) {
        (Some(path), None) => {
            let file = join(&source.folder, &path).unwrap_or_default();
            let bytes = files.read(&file).ok_or_else(|| {
                source.error(&path, format!("the patch file `{path}` does not exist"))
            })?;
            (
                path,
                Some(file),
                String::from_utf8_lossy(&bytes).into_owned(),
            )
        }
        (None, Some(text)) => {
            let entry = text.lines().next().unwrap_or_default().trim().to_owned();
            (entry, None, text)
        }
        (Some(path), Some(_)) => {
            return Err(source.error(&path, "a patch has either `path` or `patch`, not both"));
        }
        (None, None) => {
            return Err(source.error("patches:", "a patch needs `path` or `patch`"));
        }
    };
    let change = read(&text).map_err(|(line, message)| match &file {
        Some(file) => KustomizeError::new(file, message).at_line(line),
        None => {
            let inside = source.line_of(&entry);
            let line = inside.map(|first| first + line.unwrap_or(1) - 1);
            KustomizeError::new(&source.file, message).at_line(line)
        }
    })?;
    Ok(Loaded { entry, change })
}

/// A list of operations is a JSON patch, anything else a strategic merge patch.
fn read(text: &str) -> Result<Change, (Option<u64>, String)> {
    let documents: Vec<Value> =
        yaml::from_multi(text).map_err(|error| (error.line, error.message))?;
    if let [Value::Array(operations)] = documents.as_slice() {
        let patch = serde_json::from_value(Value::Array(operations.clone()));
        return patch
            .map(Change::Json)
            .map_err(|error| (None, format!("not a JSON patch: {error}")));
    }
    if documents.is_empty() || !documents.iter().all(Value::is_object) {
        return Err((
            None,
            "a patch is either an object or a list of operations".to_owned(),
        ));
    }
    Ok(Change::Strategic(documents))
}

fn merge_by_name(
    source: &Source,
    entry: &str,
    document: &Value,
    set: &mut Set,
) -> Result<(), KustomizeError> {
    let wanted = Resource::new(document.clone(), &source.file);
    if wanted.kind().is_empty() || wanted.name().is_empty() {
        let message = "a strategic merge patch without `target` needs `kind` and `metadata.name`";
        return Err(source.error(entry, message));
    }
    let mut found = false;
    let mut deleted = Vec::new();
    for resource in set
        .iter_mut()
        .filter(|resource| resource.is_meant_by(&wanted))
    {
        found = true;
        if !merge_into(resource, document, PatchOptions::default()) {
            deleted.push((resource.kind().to_owned(), resource.id()));
        }
    }
    if !found {
        let message = format!(
            "no object for the patch of {} ({})",
            wanted.title(),
            wanted.text("/apiVersion")
        );
        return Err(source.error(entry, message));
    }
    set.retain(|resource| !deleted.contains(&(resource.kind().to_owned(), resource.id())));
    Ok(())
}

fn merge_selected(document: &Value, matcher: &Matcher, options: PatchOptions, set: &mut Set) {
    let mut deleted = Vec::new();
    for resource in set.iter_mut().filter(|resource| matcher.matches(resource)) {
        if !merge_into(resource, document, options) {
            deleted.push((resource.kind().to_owned(), resource.id()));
        }
    }
    set.retain(|resource| !deleted.contains(&(resource.kind().to_owned(), resource.id())));
}

/// Merges, keeping kind and name unless the patch may change them; false: it was deleted.
fn merge_into(resource: &mut Resource, patch: &Value, options: PatchOptions) -> bool {
    let group = resource.group();
    let is_custom = group.contains('.') && !group.ends_with(".k8s.io");
    let before = resource.clone();
    let Some(merged) = merge(std::mem::take(&mut resource.value), patch, is_custom) else {
        resource.value = before.value;
        return false;
    };
    resource.value = merged;
    restore_identity(resource, &before, options);
    true
}

fn restore_identity(resource: &mut Resource, before: &Resource, options: PatchOptions) {
    if !options.allow_kind_change
        && let Some(map) = resource.value.as_object_mut()
    {
        for field in ["apiVersion", "kind"] {
            if let Some(value) = before.value.get(field) {
                map.insert(field.to_owned(), value.clone());
            }
        }
    }
    if options.allow_name_change {
        if resource.name() != before.name() {
            resource.earlier.push(before.id());
        }
    } else {
        resource.set_metadata("name", before.name().to_owned());
    }
    match before.namespace() {
        "" => {}
        namespace => resource.set_metadata("namespace", namespace.to_owned()),
    }
}

fn patch_json(
    resource: &mut Resource,
    change: &json_patch::Patch,
    options: PatchOptions,
) -> Result<(), String> {
    let before = resource.clone();
    json_patch::patch(&mut resource.value, change).map_err(|error| error.to_string())?;
    if options.allow_name_change || resource.name() != before.name() {
        // A JSON patch may always rename; what refers to the old name follows.
        if resource.name() != before.name() {
            resource.earlier.push(before.id());
        }
    }
    Ok(())
}
