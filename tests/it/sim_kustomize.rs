//! Our kustomize against the one inside `kubectl`, on every kustomization of the demo.

use serde_json::Value;
use std::path::{Path, PathBuf};
use std::process::Command;
use tiphys::api::yaml;
use tiphys::sim::files::MemoryFiles;
use tiphys::sim::kustomize;

/// Runs `kubectl kustomize`; `None` (announced) where kubectl is not installed.
fn theirs(folder: &Path) -> Option<Vec<Value>> {
    let Ok(output) = Command::new("kubectl")
        .arg("kustomize")
        .arg(folder)
        .output()
    else {
        assert!(
            std::env::var_os("TIPHYS_REQUIRE_TOOLS").is_none_or(|value| value != "1"),
            "kubectl is required and not installed"
        );
        println!("skipped: kubectl is not installed");
        return None;
    };
    assert!(
        output.status.success(),
        "{}: {}",
        folder.display(),
        String::from_utf8_lossy(&output.stderr)
    );
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    Some(yaml::from_multi(&text).expect("kubectl writes YAML"))
}

fn collect(folder: &Path, files: &mut Vec<PathBuf>) {
    for entry in std::fs::read_dir(folder).expect("a folder") {
        let path = entry.expect("an entry").path();
        if path.is_dir() {
            collect(&path, files);
        } else {
            files.push(path);
        }
    }
}

fn compare(root: &Path, folders: &[PathBuf]) {
    let mut paths = Vec::new();
    collect(root, &mut paths);
    let files: MemoryFiles = paths
        .iter()
        .map(|path| {
            let inside = path.strip_prefix(root).expect("below the root");
            (
                inside.display().to_string(),
                std::fs::read(path).expect("a file"),
            )
        })
        .collect();
    for folder in folders {
        let inside = folder
            .strip_prefix(root)
            .expect("below the root")
            .display()
            .to_string();
        let Some(theirs) = theirs(folder) else { return };
        let ours = kustomize::build(&files, &inside)
            .unwrap_or_else(|error| panic!("{}: {error}", folder.display()));
        for (ours, theirs) in ours.iter().zip(&theirs) {
            assert_eq!(ours, theirs, "{}", folder.display());
        }
        assert_eq!(ours.len(), theirs.len(), "{}", folder.display());
    }
}

#[test]
fn every_kustomization_of_the_demo_builds_as_kubectl_builds_it() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("demo-data");
    let mut files = Vec::new();
    collect(&root, &mut files);
    let folders: Vec<PathBuf> = files
        .iter()
        .filter(|path| path.ends_with("kustomization.yaml"))
        .filter_map(|path| path.parent().map(Path::to_owned))
        .collect();
    assert!(folders.len() >= 8, "{} kustomizations", folders.len());

    compare(&root, &folders);
}

#[test]
fn a_kustomization_with_everything_builds_as_kubectl_builds_it() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/it/kustomize");

    compare(&root, &[root.join("overlay")]);
}
