//! What a path of a repository renders to, as Argo CD's repo server decides it.
//!
//! A `Chart.yaml` means Helm (refused, not guessed at), a kustomization file means Kustomize,
//! anything else is a directory of YAML and JSON. Follows `reposerver/repository/repository.go`.

use super::files::{EntryKind, FileTree};
use super::kustomize;
use crate::api::yaml;
use serde::Deserialize;
use serde_json::Value;

/// How a source is rendered; the words are those of `status.sourceType`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SourceType {
    Directory,
    Kustomize,
    Helm,
}

impl SourceType {
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Directory => "Directory",
            Self::Kustomize => "Kustomize",
            Self::Helm => "Helm",
        }
    }
}

/// The objects of a source, in the order of its files or of kustomize.
#[derive(Clone, Debug, PartialEq)]
pub struct Rendered {
    pub source_type: SourceType,
    pub objects: Vec<Value>,
}

/// Why a source cannot be rendered, mostly in Argo CD's words.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum RenderError {
    #[error("{0}: app path does not exist")]
    UnknownPath(String),
    #[error("{0}: app path is not a directory")]
    NotAFolder(String),
    #[error("{0}: app path is absolute")]
    AbsolutePath(String),
    #[error("Helm is not rendered by the embedded platform (`{0}` is a chart)")]
    Helm(String),
    #[error("`kustomize build {path}` failed: {source}")]
    Kustomize {
        path: String,
        source: kustomize::KustomizeError,
    },
    #[error("Failed to unmarshal \"{file}\": {message}")]
    Unreadable { file: String, message: String },
    #[error("spec.source: {0}")]
    Options(String),
}

/// What an Application's `spec.source` says about rendering.
#[derive(Clone, Debug, Default)]
pub struct Options {
    pub directory: DirectoryOptions,
    pub kustomize: kustomize::Overrides,
    /// Refused with a sentence that names it: Jsonnet, plugins, Helm.
    unsupported: Option<String>,
}

/// `spec.source.directory`.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct DirectoryOptions {
    /// Whether folders below the path count, too.
    pub recurse: bool,
    /// A glob such as `*.yaml` or `{a,b}/*.yml`; empty means everything.
    pub include: String,
    /// A glob of what does not count; wins over `include`.
    pub exclude: String,
}

impl Options {
    /// Reads `spec.source` (or one entry of `spec.sources`) of an Application.
    pub fn from_source(source: &Value) -> Result<Self, RenderError> {
        let present = |field: &str| source.get(field).filter(|value| !value.is_null());
        let directory = match present("directory") {
            Some(value) => DirectoryOptions::deserialize(value)
                .map_err(|error| RenderError::Options(format!("directory: {error}")))?,
            None => DirectoryOptions::default(),
        };
        let kustomize = match present("kustomize") {
            Some(value) => {
                kustomize::Overrides::from_source(value).map_err(RenderError::Options)?
            }
            None => kustomize::Overrides::default(),
        };
        let unsupported = ["chart", "helm", "plugin"]
            .into_iter()
            .find(|field| present(field).is_some())
            .map(str::to_owned);
        Ok(Self {
            directory,
            kustomize,
            unsupported,
        })
    }
}

/// Decides how a path is rendered.
pub fn source_type(files: &dyn FileTree, path: &str) -> SourceType {
    let has = |name: &str| files.read(&inside(path, name)).is_some();
    if has("Chart.yaml") {
        SourceType::Helm
    } else if kustomize::FILE_NAMES.iter().any(|name| has(name)) {
        SourceType::Kustomize
    } else {
        SourceType::Directory
    }
}

/// Renders a path of a repository.
pub fn load(files: &dyn FileTree, path: &str, options: &Options) -> Result<Rendered, RenderError> {
    if let Some(field) = &options.unsupported {
        let message = format!("`{field}` is not rendered by the embedded platform");
        return Err(RenderError::Options(message));
    }
    let folder = checked_folder(files, path)?;
    let source_type = source_type(files, &folder);
    let objects = match source_type {
        SourceType::Helm => return Err(RenderError::Helm(path.to_owned())),
        SourceType::Kustomize => kustomize::build_with(files, &folder, &options.kustomize)
            .map_err(|source| RenderError::Kustomize {
                path: path.to_owned(),
                source,
            })?,
        SourceType::Directory => read_directory(files, &folder, &options.directory)?,
    };
    Ok(Rendered {
        source_type,
        objects,
    })
}

fn checked_folder(files: &dyn FileTree, path: &str) -> Result<String, RenderError> {
    if path.starts_with('/') {
        return Err(RenderError::AbsolutePath(path.to_owned()));
    }
    let folder =
        super::files::join("", path).ok_or_else(|| RenderError::UnknownPath(path.to_owned()))?;
    if files.is_folder(&folder) {
        Ok(folder)
    } else if files.read(&folder).is_some() {
        Err(RenderError::NotAFolder(path.to_owned()))
    } else {
        Err(RenderError::UnknownPath(path.to_owned()))
    }
}

fn inside(folder: &str, name: &str) -> String {
    match (folder, name) {
        ("", name) => name.to_owned(),
        (folder, "") => folder.to_owned(),
        (folder, name) => format!("{folder}/{name}"),
    }
}

fn read_directory(
    files: &dyn FileTree,
    folder: &str,
    options: &DirectoryOptions,
) -> Result<Vec<Value>, RenderError> {
    let include = Glob::new(&options.include);
    let exclude = Glob::new(&options.exclude);
    let mut names = Vec::new();
    collect(files, folder, "", options.recurse, &mut names);
    let mut objects = Vec::new();
    for name in names {
        let is_wanted = include.as_ref().is_none_or(|glob| glob.matches(&name))
            && !exclude.as_ref().is_some_and(|glob| glob.matches(&name));
        if is_wanted && let Some(bytes) = files.read(&inside(folder, &name)) {
            read_file(&name, &bytes, &mut objects)?;
        }
    }
    Ok(objects)
}

/// Lists manifest files by their path below the folder, in the order of a directory walk.
fn collect(files: &dyn FileTree, folder: &str, below: &str, deep: bool, into: &mut Vec<String>) {
    for entry in files.list(&inside(folder, below)) {
        let name = inside(below, &entry.name);
        match entry.kind {
            EntryKind::Folder if deep => collect(files, folder, &name, deep, into),
            EntryKind::Folder => {}
            EntryKind::File => {
                let is_manifest = [".yaml", ".yml", ".json"]
                    .iter()
                    .any(|end| name.ends_with(end));
                if is_manifest {
                    into.push(name);
                }
            }
        }
    }
}

/// Files with this text are left alone.
const SKIP_MARK: &str = "+argocd:skip-file-rendering";

fn read_file(name: &str, bytes: &[u8], objects: &mut Vec<Value>) -> Result<(), RenderError> {
    let text = String::from_utf8_lossy(bytes);
    if text.contains(SKIP_MARK) {
        return Ok(());
    }
    let unreadable = |message: String| RenderError::Unreadable {
        file: name.to_owned(),
        message,
    };
    let is_json = name.ends_with(".json");
    let found = if is_json {
        serde_json::from_str(&text)
            .map(|value| vec![value])
            .map_err(|error| error.to_string())
    } else {
        yaml::from_multi::<Value>(&text).map_err(|error| error.to_string())
    };
    match found.and_then(check_objects) {
        Ok(found) => {
            for object in found {
                flatten(object, objects);
            }
            Ok(())
        }
        // A YAML file that does not look like manifests at all (a values file) is none of ours.
        Err(message) => {
            let looks_like_manifests = ["apiVersion:", "kind:", "metadata:"]
                .iter()
                .all(|field| text.contains(field));
            if is_json || looks_like_manifests {
                Err(unreadable(message))
            } else {
                Ok(())
            }
        }
    }
}

fn check_objects(objects: Vec<Value>) -> Result<Vec<Value>, String> {
    for object in &objects {
        for field in ["kind", "apiVersion"] {
            let is_there = object
                .get(field)
                .and_then(Value::as_str)
                .is_some_and(|text| !text.is_empty());
            if !is_there {
                return Err(format!("Object '{field}' is missing"));
            }
        }
    }
    Ok(objects)
}

fn flatten(object: Value, objects: &mut Vec<Value>) {
    let is_list = object
        .get("kind")
        .and_then(Value::as_str)
        .is_some_and(|kind| kind.ends_with("List"));
    match object.get("items") {
        Some(Value::Array(items)) if is_list => {
            items
                .iter()
                .cloned()
                .for_each(|item| flatten(item, objects));
        }
        _ => objects.push(object),
    }
}

/// A shell pattern over a path: `*` and `?` within one part, `**` across parts, `{a,b}`.
#[derive(Debug)]
struct Glob(regex::Regex);

impl Glob {
    /// `None` for the empty pattern; a pattern that cannot be read matches only itself.
    fn new(pattern: &str) -> Option<Self> {
        if pattern.is_empty() {
            return None;
        }
        let made = regex::Regex::new(&format!("^(?:{})$", as_regex(pattern)));
        let literal = || regex::Regex::new(&format!("^{}$", regex::escape(pattern)));
        made.or_else(|_broken| literal()).ok().map(Self)
    }

    fn matches(&self, path: &str) -> bool {
        self.0.is_match(path)
    }
}

fn as_regex(pattern: &str) -> String {
    let mut made = String::new();
    let mut letters = pattern.chars().peekable();
    let mut depth = 0_u32;
    while let Some(letter) = letters.next() {
        match letter {
            '*' if letters.peek() == Some(&'*') => {
                letters.next();
                if letters.peek() == Some(&'/') {
                    letters.next();
                    made.push_str("(?:.*/)?");
                } else {
                    made.push_str(".*");
                }
            }
            '*' => made.push_str("[^/]*"),
            '?' => made.push_str("[^/]"),
            '{' => {
                depth += 1;
                made.push_str("(?:");
            }
            '}' if depth > 0 => {
                depth -= 1;
                made.push(')');
            }
            ',' if depth > 0 => made.push('|'),
            other => made.push_str(&regex::escape(&other.to_string())),
        }
    }
    made
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sim::files::MemoryFiles;

    const SERVICE: &str = "apiVersion: v1\nkind: Service\nmetadata:\n  name: a\n";

    fn names(rendered: &Rendered) -> Vec<&str> {
        rendered
            .objects
            .iter()
            .filter_map(|object| object.pointer("/metadata/name")?.as_str())
            .collect()
    }

    fn directory(recurse: bool, include: &str, exclude: &str) -> Options {
        Options {
            directory: DirectoryOptions {
                recurse,
                include: include.to_owned(),
                exclude: exclude.to_owned(),
            },
            ..Options::default()
        }
    }

    fn named(name: &str) -> String {
        SERVICE.replace("name: a", &format!("name: {name}"))
    }

    #[test]
    fn a_directory_is_read_flat_unless_asked_otherwise() {
        let files: MemoryFiles = [
            ("app/b.yaml", named("b")),
            ("app/a.yml", named("a")),
            ("app/deep/c.yaml", named("c")),
            ("app/readme.md", "no".to_owned()),
            ("app/values.yaml", "replicas: 3\n".to_owned()),
        ]
        .into_iter()
        .collect();

        let flat = load(&files, "app", &Options::default()).expect("rendered");
        let deep = load(&files, "app", &directory(true, "", "")).expect("rendered");
        let some = load(&files, "app", &directory(true, "{a.yml,deep/*}", "")).expect("rendered");
        let rest = load(&files, "./app/", &directory(true, "", "deep/**")).expect("rendered");

        assert_eq!(names(&flat), ["a", "b"]);
        assert_eq!(names(&deep), ["a", "b", "c"]);
        assert_eq!(names(&some), ["a", "c"]);
        assert_eq!(names(&rest), ["a", "b"]);
        assert_eq!(flat.source_type, SourceType::Directory);
    }

    #[test]
    fn lists_are_taken_apart_and_a_marked_file_is_skipped() {
        let list = "apiVersion: v1\nkind: List\nitems:\n- {apiVersion: v1, kind: Secret, metadata: {name: x}}\n- {apiVersion: v1, kind: Secret, metadata: {name: z}}\n";
        let marked = format!("# {SKIP_MARK}\n{SERVICE}");
        let files: MemoryFiles = [("a/list.yaml", list.to_owned()), ("a/m.yaml", marked)]
            .into_iter()
            .collect();

        let rendered = load(&files, "a", &Options::default()).expect("rendered");

        assert_eq!(names(&rendered), ["x", "z"]);
    }

    #[test]
    fn paths_and_charts_that_cannot_be_rendered_say_so() {
        let files: MemoryFiles = [("chart/Chart.yaml", "name: x"), ("file.yaml", "a: 1")]
            .into_iter()
            .collect();
        let error = |path: &str| {
            load(&files, path, &Options::default())
                .expect_err("an error")
                .to_string()
        };

        assert_eq!(error("none"), "none: app path does not exist");
        assert_eq!(error("../x"), "../x: app path does not exist");
        assert_eq!(error("file.yaml"), "file.yaml: app path is not a directory");
        assert!(error("chart").starts_with("Helm is not rendered by the embedded platform"));
    }

    #[test]
    fn a_broken_manifest_names_its_file_and_line() {
        let broken = format!("{SERVICE}---\napiVersion: v1\nkind: [\nmetadata: {{}}\n");
        let files: MemoryFiles = [("a/broken.yaml", broken)].into_iter().collect();

        let error = load(&files, "a", &Options::default())
            .expect_err("an error")
            .to_string();

        assert!(
            error.contains("broken.yaml") && error.contains("line "),
            "{error}"
        );
    }
}
