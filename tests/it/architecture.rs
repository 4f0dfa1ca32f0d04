//! Who may import whom, and that every file says what it is for.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

/// For each module: which other modules of the crate it may name.
fn allowed() -> BTreeMap<&'static str, Vec<&'static str>> {
    let everything_but_sim = vec![
        "api", "app", "cli", "config", "domain", "engine", "report", "runtime", "store", "term",
        "ui",
    ];
    BTreeMap::from([
        ("domain", vec![]),
        ("store", vec!["domain"]),
        ("api", vec!["domain"]),
        ("engine", vec!["api", "domain"]),
        ("app", vec!["domain", "store", "engine::protocol"]),
        ("ui", vec!["app", "store", "domain"]),
        ("config", vec!["app::keymap", "ui::theme", "domain"]),
        ("cli", vec!["app::keymap", "ui::theme"]),
        ("term", vec!["app::key", "app::keymap", "ui::theme"]),
        ("sim", vec!["api", "domain"]),
        ("runtime", everything_but_sim.clone()),
        ("report", everything_but_sim),
    ])
}

fn source_files(folder: &Path, found: &mut Vec<PathBuf>) {
    for entry in std::fs::read_dir(folder).expect("the folder can be read") {
        let path = entry.expect("the entry can be read").path();
        if path.is_dir() {
            source_files(&path, found);
        } else if path.extension().is_some_and(|end| end == "rs") {
            found.push(path);
        }
    }
}

fn all_sources() -> Vec<(String, String)> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut files = Vec::new();
    source_files(&root, &mut files);
    files
        .into_iter()
        .map(|path| {
            let text = std::fs::read_to_string(&path).expect("a source file is text");
            let name = path
                .strip_prefix(&root)
                .expect("below src")
                .display()
                .to_string();
            (name, text)
        })
        .collect()
}

#[test]
fn modules_import_only_what_they_may() {
    let allowed = allowed();
    let mut wrong = Vec::new();
    for (name, text) in all_sources() {
        let module = name.split(['/', '.']).next().unwrap_or_default();
        let Some(may) = allowed.get(module) else {
            continue;
        };
        for (number, line) in text.lines().enumerate() {
            let code = line.trim_start();
            if code.starts_with("//") {
                continue;
            }
            for piece in code.split("crate::").skip(1) {
                let used: String = piece
                    .chars()
                    .take_while(|c| c.is_alphanumeric() || "_:".contains(*c))
                    .collect();
                let own = used.split("::").next() == Some(module);
                let ok = own
                    || may
                        .iter()
                        .any(|one| used == *one || used.starts_with(&format!("{one}::")));
                if !ok {
                    wrong.push(format!(
                        "{name}:{}: {module} may not use {used}",
                        number + 1
                    ));
                }
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn every_source_file_says_what_it_is_for() {
    let silent: Vec<_> = all_sources()
        .into_iter()
        .filter(|(_, text)| !text.starts_with("//!"))
        .map(|(name, _)| name)
        .collect();
    assert!(
        silent.is_empty(),
        "no header comment: {}",
        silent.join(", ")
    );
}

#[test]
fn domain_knows_no_framework() {
    let frameworks = [
        "kube",
        "k8s_openapi",
        "tokio",
        "ratatui",
        "serde_json",
        "reqwest",
    ];
    let mut wrong = Vec::new();
    for (name, text) in all_sources()
        .iter()
        .filter(|(name, _)| name.starts_with("domain"))
    {
        for framework in frameworks {
            let path = format!("{framework}::");
            let code = text
                .lines()
                .filter(|line| !line.trim_start().starts_with("//"));
            if code.into_iter().any(|line| line.contains(&path)) {
                wrong.push(format!("{name} uses {framework}"));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}
