//! Our health verdicts against Argo CD's own answers, when they are at hand (`TIPHYS_ORACLES`).

use crate::oracles;
use serde_json::Value;
use std::collections::BTreeMap;
use std::path::Path;
use tiphys::domain::health::health_of;

/// Agreement with Argo CD's scripts for custom kinds, in percent, that must not be lost again.
const CUSTOM_FLOOR: f64 = 90.97;

/// Reads an oracle file as leniently as Go does; `None` when even that fails.
fn parse(path: &Path) -> Option<Value> {
    let text = std::fs::read_to_string(path).expect("an oracle file can be read");
    let lenient = serde_saphyr::options! {
        duplicate_keys: serde_saphyr::DuplicateKeyPolicy::LastWins,
    };
    serde_saphyr::from_str_with_options(&text, lenient).ok()
}

fn read(path: &Path) -> Value {
    parse(path).unwrap_or_else(|| panic!("{} is not YAML", path.display()))
}

fn word_of(object: &Value) -> Option<&'static str> {
    health_of(object).map(|verdict| verdict.health.word())
}

#[test]
fn every_builtin_case_agrees_with_gitops_engine() {
    let Some(root) = oracles::folder("health/builtin") else {
        return;
    };
    let expected = read(&root.join("expected.json"));
    let cases = expected.as_object().expect("a map of file to health");
    let mut wrong = Vec::new();
    for (file, wanted) in cases {
        let found = word_of(&read(&root.join(file)));
        if found != wanted.as_str() {
            wrong.push(format!("{file}: {found:?} instead of {wanted}"));
        }
    }
    assert!(cases.len() >= 50, "only {} cases", cases.len());
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn custom_kinds_agree_with_argo_cd_as_far_as_they_did() {
    let Some(root) = oracles::folder("health/custom") else {
        return;
    };
    let mut groups: BTreeMap<String, (u32, u32)> = BTreeMap::new();
    let mut wrong = Vec::new();
    for group in children(&root) {
        for kind in children(&group) {
            let tests = read(&kind.join("health_test.yaml"));
            for case in tests["tests"].as_array().into_iter().flatten() {
                let Some(input) = case["inputPath"].as_str() else {
                    continue;
                };
                let wanted = case["healthStatus"]["status"].as_str();
                let object = parse(&kind.join(input)).unwrap_or_default();
                let found = word_of(&object);
                let name = group.file_name().map(|n| n.to_string_lossy().into_owned());
                let (agree, all) = groups.entry(name.unwrap_or_default()).or_default();
                *all += 1;
                if found == wanted {
                    *agree += 1;
                } else {
                    let kind = kind.strip_prefix(&root).unwrap_or(&kind).display();
                    wrong.push(format!("{kind} {input}: {found:?} instead of {wanted:?}"));
                }
            }
        }
    }
    let (agree, all) = groups
        .values()
        .fold((0, 0), |sum, one| (sum.0 + one.0, sum.1 + one.1));
    let percent = f64::from(agree) * 100.0 / f64::from(all);
    for (group, (agree, all)) in &groups {
        println!(
            "{:5.1} %  {agree:3} of {all:3}  {group}",
            f64::from(*agree) * 100.0 / f64::from(*all)
        );
    }
    println!("{percent:5.1} %  {agree:3} of {all:3}  all groups");
    let (argo_agrees, argo) = groups.get("argoproj.io").copied().unwrap_or_default();
    assert_eq!(argo_agrees, argo, "{}", wrong.join("\n"));
    assert!(
        percent >= CUSTOM_FLOOR,
        "{percent:.1} %\n{}",
        wrong.join("\n")
    );
}

fn children(folder: &Path) -> Vec<std::path::PathBuf> {
    let mut found: Vec<_> = std::fs::read_dir(folder)
        .expect("the folder can be read")
        .map(|entry| entry.expect("the entry can be read").path())
        .filter(|path| path.is_dir())
        .collect();
    found.sort();
    found
}
