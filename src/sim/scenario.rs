//! What the embedded platform starts with, and what happens to it later.
//!
//! A scenario is a folder: `scenario.toml`, plain Kubernetes YAML in `manifests/`, and the files
//! of git repositories. The program carries its own; a folder of the user's works the same way,
//! without recompiling. Reading one reports every mistake at once, with file, line and the
//! nearest valid name. Nothing is started here.

mod duration;
mod embedded;
mod history;
mod model;
mod read;
mod toml_items;

pub use embedded::files as embedded_files;
pub use model::{
    Component, Fault, FaultEffect, ObjectName, Repository, SeedCommit, SeedSync, WebhookShape,
};

use crate::domain::nearest::nearest;
use crate::sim::files::{FileTree, MemoryFiles};
use crate::sim::harbor::shape::RegistryShape;
use crate::sim::kubelet::image::ImageProfile;
use crate::sim::steps::StepProfile;
use crate::sim::traffic::TrafficShape;
use crate::sim::webhook::smee::SmeeShape;
use serde_json::Value;
use std::fmt;
use std::path::{Path, PathBuf};

/// The scenario that is started when none is named.
pub const DEFAULT: &str = "default";

/// One mistake in a scenario.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mistake {
    /// From the scenario's folder.
    pub file: String,
    /// Starts at 1.
    pub line: Option<u64>,
    pub message: String,
}

impl fmt::Display for Mistake {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.line {
            Some(line) => write!(f, "{}:{line}: {}", self.file, self.message),
            None => write!(f, "{}: {}", self.file, self.message),
        }
    }
}

/// Why there is no scenario to start.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ScenarioError {
    #[error("there is no scenario `{name}`{}", meant(suggestion.as_deref()))]
    Unknown {
        name: String,
        suggestion: Option<String>,
    },
    #[error("cannot read `{path}`: {message}")]
    Unreadable { path: String, message: String },
    #[error("{}", listed(mistakes))]
    Mistakes {
        name: String,
        mistakes: Vec<Mistake>,
    },
}

fn meant(suggestion: Option<&str>) -> String {
    suggestion.map_or_else(
        || "; `tiphys scenarios` lists them, and a folder with a scenario.toml works, too".into(),
        |name| format!("; did you mean `{name}`?"),
    )
}

fn listed(mistakes: &[Mistake]) -> String {
    let lines: Vec<String> = mistakes.iter().map(Mistake::to_string).collect();
    lines.join("\n")
}

/// Where a scenario was found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Origin {
    /// Inside the program.
    Embedded,
    Folder(PathBuf),
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Embedded => f.write_str("built in"),
            Self::Folder(folder) => write!(f, "{}", folder.display()),
        }
    }
}

/// A scenario that has been read and found right.
#[derive(Clone, Debug)]
pub struct Scenario {
    pub name: String,
    pub title: String,
    pub description: String,
    pub origin: Origin,
    pub starts: Vec<Component>,
    /// Hosts of the platform's own registries, and the images that exist there.
    pub registries: Vec<String>,
    pub images: Vec<String>,
    pub profiles: Vec<ImageProfile>,
    /// Projects, robots, contents of images, known vulnerabilities.
    pub registry: RegistryShape,
    /// What the steps of Workflows and TaskRuns do.
    pub steps: Vec<StepProfile>,
    /// The requests that services get.
    pub traffic: Vec<TrafficShape>,
    pub repositories: Vec<Repository>,
    /// Channels whose webhooks are brought here.
    pub smee: Vec<SmeeShape>,
    /// Who is told of pushes, besides Argo CD.
    pub webhooks: Vec<WebhookShape>,
    /// Objects to create, in the order of their files.
    pub manifests: Vec<Value>,
    pub syncs: Vec<SeedSync>,
    pub faults: Vec<Fault>,
}

/// One line of `tiphys scenarios`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Listed {
    pub name: String,
    pub title: String,
    pub origin: Origin,
    /// Mistakes that keep it from starting.
    pub mistakes: Vec<Mistake>,
}

/// Folders that hold scenario folders, first to last; those in the program come after them.
fn search_path(config_folder: Option<&Path>) -> Vec<PathBuf> {
    let mut path = vec![PathBuf::from("demo-data")];
    path.extend(config_folder.map(|folder| folder.join("scenarios")));
    path
}

/// Lists every scenario that can be named, the user's own first.
pub fn list(config_folder: Option<&Path>) -> Vec<Listed> {
    let mut names: Vec<String> = Vec::new();
    for folder in search_path(config_folder) {
        names.extend(scenario_folders(&folder));
    }
    names.extend(embedded::names());
    names.sort();
    names.dedup();
    names
        .into_iter()
        .map(|name| match load(&name, config_folder) {
            Ok(scenario) => Listed {
                name: scenario.name,
                title: scenario.title,
                origin: scenario.origin,
                mistakes: Vec::new(),
            },
            Err(error) => Listed {
                origin: locate(&name, config_folder).map_or(Origin::Embedded, |found| found.1),
                mistakes: match error {
                    ScenarioError::Mistakes { mistakes, .. } => mistakes,
                    ScenarioError::Unknown { .. } | ScenarioError::Unreadable { .. } => {
                        vec![Mistake {
                            file: name.clone(),
                            line: None,
                            message: error.to_string(),
                        }]
                    }
                },
                title: String::new(),
                name,
            },
        })
        .collect()
}

fn scenario_folders(folder: &Path) -> Vec<String> {
    let Ok(entries) = std::fs::read_dir(folder) else {
        return Vec::new();
    };
    entries
        .flatten()
        .filter(|entry| entry.path().join(read::FILE).is_file())
        .filter_map(|entry| entry.file_name().into_string().ok())
        .collect()
}

/// Loads a scenario by name, or from a folder when `name` is a path.
///
/// A name is looked for in `./demo-data`, in `scenarios` of the configuration folder and in the
/// program, in this order.
pub fn load(name: &str, config_folder: Option<&Path>) -> Result<Scenario, ScenarioError> {
    let (files, origin) = locate(name, config_folder)?;
    let name = match &origin {
        Origin::Embedded => name.to_owned(),
        Origin::Folder(folder) => folder.file_name().map_or_else(
            || name.to_owned(),
            |last| last.to_string_lossy().into_owned(),
        ),
    };
    from_files(&name, origin, &files)
}

/// Reads a scenario from its files, wherever they are from.
pub fn from_files(
    name: &str,
    origin: Origin,
    files: &dyn FileTree,
) -> Result<Scenario, ScenarioError> {
    read::read(name, origin, files).map_err(|mistakes| ScenarioError::Mistakes {
        name: name.to_owned(),
        mistakes,
    })
}

fn locate(
    name: &str,
    config_folder: Option<&Path>,
) -> Result<(MemoryFiles, Origin), ScenarioError> {
    let is_path = name.contains(['/', '\\']) || name.starts_with('.');
    let candidates: Vec<PathBuf> = if is_path {
        vec![PathBuf::from(name)]
    } else {
        search_path(config_folder)
            .into_iter()
            .map(|folder| folder.join(name))
            .collect()
    };
    for folder in candidates {
        if folder.join(read::FILE).is_file() {
            let files = read_folder(&folder)?;
            return Ok((files, Origin::Folder(folder)));
        }
    }
    if !is_path && embedded::names().iter().any(|known| known == name) {
        return Ok((embedded::files(name), Origin::Embedded));
    }
    let mut known = embedded::names();
    for folder in search_path(config_folder) {
        known.extend(scenario_folders(&folder));
    }
    Err(ScenarioError::Unknown {
        name: name.to_owned(),
        suggestion: nearest(name, known.iter().map(String::as_str)).map(str::to_owned),
    })
}

/// Reads a folder into memory, without what version control and editors leave there.
fn read_folder(folder: &Path) -> Result<MemoryFiles, ScenarioError> {
    let mut files = MemoryFiles::default();
    let mut open = vec![(folder.to_owned(), String::new())];
    while let Some((path, below)) = open.pop() {
        let unreadable = |error: std::io::Error| ScenarioError::Unreadable {
            path: path.display().to_string(),
            message: error.to_string(),
        };
        for entry in std::fs::read_dir(&path).map_err(unreadable)? {
            let entry = entry.map_err(unreadable)?;
            let Ok(name) = entry.file_name().into_string() else {
                continue;
            };
            if name == ".git" || name.ends_with('~') {
                continue;
            }
            let inside = format!("{below}{name}");
            if entry.path().is_dir() {
                open.push((entry.path(), format!("{inside}/")));
            } else {
                let contents = std::fs::read(entry.path()).map_err(unreadable)?;
                files.insert(inside, contents);
            }
        }
    }
    Ok(files)
}

#[cfg(test)]
mod tests;
