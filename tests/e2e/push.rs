//! A push changes what runs: git → webhook → `OutOfSync` → `Synced` → a canary.

use crate::demo::{Demo, has};
use std::path::Path;

fn replace(folder: &Path, file: &str, old: &str, new: &str) {
    let path = folder.join(file);
    let text = std::fs::read_to_string(&path).expect("the file is in the clone");
    assert!(text.contains(old), "{file} holds {old}:\n{text}");
    std::fs::write(&path, text.replace(old, new)).expect("the file is written");
}

#[test]
fn push_of_an_image_rolls_out_where_auto_sync_is_on_and_shows_drift_where_it_is_off() {
    if !has("git") || !has("kubectl") {
        return;
    }
    let mut demo = Demo::start();
    // Prod waits at 20 % for a person.
    demo.terminal
        .sees_line(&["demo-app-prod", "Synced", "Suspended"]);
    let folder = demo.clone_repository("platform/demo-app");
    for stage in ["dev", "prod"] {
        let file = format!("overlays/{stage}/kustomization.yaml");
        replace(&folder, &file, "newTag: 2.4.1", "newTag: 2.5.0");
    }
    demo.git(&folder, &["commit", "-qam", "Release 2.5.0"]);
    demo.git(&folder, &["push", "-q", "origin", "HEAD"]);
    let sha = demo
        .git(&folder, &["rev-parse", "--short=7", "HEAD"])
        .trim()
        .to_owned();

    // The manual stage shows the drift and the reason.
    demo.terminal.sees_line(&["demo-app-prod", "OutOfSync"]);
    // The automatic one takes the commit and gives a fifth of its pods to it.
    demo.terminal.sees_line(&["demo-app-dev", "Synced", &sha]);
    demo.terminal
        .sees_line(&["demo-app-dev", "Synced", "Suspended", &sha]);
    let images = demo.kubectl(&[
        "-n",
        "demo-app-dev",
        "get",
        "pods",
        "-o",
        "jsonpath={.items[*].spec.containers[*].image}",
    ]);
    let of = |tag: &str| {
        images
            .split(' ')
            .filter(|image| image.ends_with(tag))
            .count()
    };
    assert_eq!((of(":2.5.0"), of(":2.4.1")), (1, 4), "{images}");

    demo.select("demo-app-dev");
    demo.terminal.press("enter");
    demo.terminal
        .sees_line(&["Rollout", "demo-app", "Suspended"]);
}

#[test]
fn refused_push_says_why_and_a_push_to_a_new_name_makes_the_repository() {
    if !has("git") {
        return;
    }
    let demo = Demo::start();
    let folder = demo.clone_repository("platform/gitops");
    let url = demo.endpoint("/git/url");
    let user = format!(
        "{}:{}@",
        demo.endpoint("/git/username"),
        demo.endpoint("/git/password")
    );
    let own = format!(
        "{}/my/own.git",
        url.replacen("://", &format!("://{user}"), 1)
    );

    demo.git(&folder, &["push", "-q", &own, "HEAD:refs/heads/main"]);

    let listed = demo.git(&folder, &["ls-remote", &own]);
    assert!(listed.contains("refs/heads/main"), "{listed}");

    let output = std::process::Command::new("git")
        .args([
            "push",
            &format!("{url}/my/own.git"),
            "HEAD:refs/heads/other",
        ])
        .current_dir(&folder)
        .env("GIT_TERMINAL_PROMPT", "0")
        .env("HOME", demo.home.path())
        .output()
        .expect("git runs");
    assert!(!output.status.success(), "credentials are needed");
}
