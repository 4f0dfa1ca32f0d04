//! Kustomize, as far as files alone decide the outcome.
//!
//! Follows `kustomize build` 5.x: the order of its steps, names that are fixed up last, content
//! hashes, and the order of its output. What would need a network, another program or a plugin
//! (remote bases, Helm charts, generators, transformers) is refused by name, never skipped.

mod document;
mod fields;
mod generate;
mod images;
mod labels;
mod merge;
mod names;
mod namespace;
mod order;
mod patch;
mod replace;
mod resource;
mod target;

pub use document::{FILE_NAMES, Overrides};

use crate::sim::files::{FileTree, join};
use document::Source;
use resource::{Resource, Set};
use serde_json::Value;

/// Why a kustomization could not be built, and where to look.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{}: {message}", at(file, *line))]
pub struct KustomizeError {
    /// The file that has to change, from the repository's root.
    pub file: String,
    /// Its line, when known; starts at 1.
    pub line: Option<u64>,
    pub message: String,
}

impl KustomizeError {
    fn new(file: impl Into<String>, message: impl Into<String>) -> Self {
        Self {
            file: file.into(),
            line: None,
            message: message.into(),
        }
    }

    fn at_line(mut self, line: Option<u64>) -> Self {
        self.line = self.line.or(line);
        self
    }
}

fn at(file: &str, line: Option<u64>) -> String {
    match line {
        Some(line) => format!("{file}:{line}"),
        None => file.to_owned(),
    }
}

/// Builds the kustomization in a folder and returns its objects in kustomize's order.
pub fn build(files: &dyn FileTree, path: &str) -> Result<Vec<Value>, KustomizeError> {
    build_with(files, path, &Overrides::default())
}

/// Builds a kustomization after changing it as an Application's `source.kustomize` asks.
pub fn build_with(
    files: &dyn FileTree,
    path: &str,
    overrides: &Overrides,
) -> Result<Vec<Value>, KustomizeError> {
    let mut builder = Builder {
        files,
        inside: Vec::new(),
    };
    let folder = path.trim_matches('/');
    let mut source = document::read(files, folder)?;
    overrides.apply(&mut source.document);
    let mut set = builder.accumulate(&source, Set::default())?;
    names::add_hashes(&mut set);
    names::fix_references(&mut set, &source.file)?;
    order::sort(&mut set, source.document.sort_options.as_ref());
    Ok(set.into_values())
}

/// Walks from a kustomization to those it is made of.
struct Builder<'f> {
    files: &'f dyn FileTree,
    /// The folders being built, outermost first; a folder inside itself is a cycle.
    inside: Vec<String>,
}

impl Builder<'_> {
    /// Runs one kustomization's steps over `set`: empty, or what a component is applied to.
    fn accumulate(&mut self, source: &Source, set: Set) -> Result<Set, KustomizeError> {
        if self.inside.contains(&source.folder) {
            let message = format!(
                "`{}` is part of itself, through {}",
                source.folder,
                self.inside.join(" → ")
            );
            return Err(KustomizeError::new(&source.file, message));
        }
        self.inside.push(source.folder.clone());
        let result = self.run_steps(source, set);
        self.inside.pop();
        result
    }

    fn run_steps(&mut self, source: &Source, mut set: Set) -> Result<Set, KustomizeError> {
        let document = &source.document;
        for entry in document.resources.iter().chain(document.bases.iter()) {
            for resource in self.load(source, entry)? {
                set.add(resource)
                    .map_err(|error| error.at_line(source.line_of(entry)))?;
            }
        }
        generate::run(self.files, source, &mut set)?;
        for entry in document.components.iter() {
            let component = self.folder_entry(source, entry)?;
            if component.document.kind.as_deref() != Some("Component") {
                let message = "is listed under `components`, so its kind has to be `Component`";
                return Err(KustomizeError::new(&component.file, message));
            }
            set = self.accumulate(&component, set)?;
        }
        self.transform(source, &mut set)?;
        Ok(set)
    }

    /// Applies the transformers in the order kustomize runs them.
    fn transform(&self, source: &Source, set: &mut Set) -> Result<(), KustomizeError> {
        let document = &source.document;
        patch::run_strategic_merges(self.files, source, set)?;
        patch::run(self.files, source, &document.patches, set)?;
        if let Some(namespace) = document
            .namespace
            .as_deref()
            .filter(|name| !name.is_empty())
        {
            namespace::run(set, namespace);
        }
        names::add_affixes(
            set,
            document.name_prefix.as_deref().unwrap_or_default(),
            document.name_suffix.as_deref().unwrap_or_default(),
        );
        labels::run(document, set);
        patch::run(self.files, source, &document.patches_json6902, set)?;
        images::run_replicas(source, set)?;
        images::run(document, set);
        replace::run(self.files, source, set)
    }

    /// Loads what one entry of `resources` names: a file of objects or another kustomization.
    fn load(&mut self, source: &Source, entry: &str) -> Result<Vec<Resource>, KustomizeError> {
        let path = Self::local_path(source, entry)?;
        if let Some(bytes) = self.files.read(&path) {
            return resource::parse(&path, &bytes);
        }
        let base = self.folder_entry(source, entry)?;
        if base.document.kind.as_deref() == Some("Component") {
            let message = format!("`{entry}` is a Component; list it under `components`");
            let error = KustomizeError::new(&source.file, message);
            return Err(error.at_line(source.line_of(entry)));
        }
        Ok(self.accumulate(&base, Set::default())?.into_resources())
    }

    fn folder_entry(&self, source: &Source, entry: &str) -> Result<Source, KustomizeError> {
        let path = Self::local_path(source, entry)?;
        if !self.files.is_folder(&path) {
            let message = format!("`{entry}` is neither a file nor a folder of this repository");
            let error = KustomizeError::new(&source.file, message);
            return Err(error.at_line(source.line_of(entry)));
        }
        document::read(self.files, &path)
    }

    fn local_path(source: &Source, entry: &str) -> Result<String, KustomizeError> {
        let refused = |message: String| {
            KustomizeError::new(&source.file, message).at_line(source.line_of(entry))
        };
        if is_remote(entry) {
            return Err(refused(format!(
                "`{entry}` is a remote base, and the embedded platform has no network; \
                 copy it into this repository"
            )));
        }
        join(&source.folder, entry)
            .ok_or_else(|| refused(format!("`{entry}` leaves the repository")))
    }
}

/// Tells a URL from a path, as kustomize does for `resources` and `components`.
fn is_remote(entry: &str) -> bool {
    entry.contains("://")
        || entry.starts_with("git@")
        || entry.starts_with("git::")
        || ["github.com/", "gitlab.com/", "bitbucket.org/"]
            .iter()
            .any(|host| entry.starts_with(host))
        || entry.contains("?ref=")
}

#[cfg(test)]
mod tests;
