//! The story of the demo: drift, self-heal, rollback, sync with prune, delete.
//!
//! Told once by keys in a terminal and once by `tiphys do`.

use crate::demo::{A_MINUTE, Demo, has};

const IMAGE: &str = "registry.tiphys.local/shop/guestbook-frontend";

fn patch_image(demo: &Demo, tag: &str) {
    let patch = format!(
        r#"[{{"op":"replace","path":"/spec/template/spec/containers/0/image","value":"{IMAGE}:{tag}"}}]"#
    );
    let arguments = [
        "-n",
        "guestbook-dev",
        "patch",
        "deployment",
        "frontend",
        "--type=json",
        "-p",
        &patch,
    ];
    let said = demo.kubectl(&arguments);
    assert!(said.contains("patched"), "{said}");
}

fn image(demo: &Demo) -> String {
    let path = "jsonpath={.spec.template.spec.containers[0].image}";
    demo.kubectl(&[
        "-n",
        "guestbook-dev",
        "get",
        "deployment",
        "frontend",
        "-o",
        path,
    ])
}

/// Turns the second switch of the dialog, self-heal, over.
fn toggle_self_heal(demo: &mut Demo) {
    demo.terminal.press("T");
    demo.terminal.sees("Self-heal");
    for key in ["up", "up", "space", "down", "down", "down", "enter"] {
        demo.terminal.press(key);
    }
    demo.terminal.loses("revert changes made elsewhere");
}

#[test]
fn story_is_told_by_keys() {
    if !has("kubectl") {
        return;
    }
    let mut demo = Demo::start();
    demo.select("guestbook-dev");

    toggle_self_heal(&mut demo);
    demo.terminal.until("self-heal is off", |screen| {
        let row = screen
            .lines()
            .find(|line| line.contains("▸") && line.contains("guestbook-dev"));
        row.is_some_and(|row| row.contains("auto prune"))
    });
    patch_image(&demo, "1.1.0");
    demo.terminal.sees_line(&["guestbook-dev", "OutOfSync"]);
    demo.terminal.sees_line(&["why", "guestbook-dev"]);
    demo.terminal.press("D");
    demo.terminal.sees_line(&["-", "guestbook-frontend:1.1.0"]);
    demo.terminal.press("q");

    toggle_self_heal(&mut demo);
    demo.terminal
        .until_within(A_MINUTE, "the edit was reverted", |screen| {
            screen.lines().any(|line| {
                line.contains("guestbook-dev")
                    && line.contains("✓ Synced")
                    && line.contains("Healthy")
            })
        });
    assert!(image(&demo).ends_with(":1.2.0"), "{}", image(&demo));

    rollback_and_sync_by_keys(&mut demo);
    delete_by_keys(&mut demo);
    demo.terminal.types(":q\r");
    assert_eq!(demo.terminal.ends(), 0);
}

fn rollback_and_sync_by_keys(demo: &mut Demo) {
    demo.back_to_all();
    demo.select("guestbook-prod");
    demo.terminal.press("H");
    // Two syncs were made when the platform started: an older entry can be rolled back to.
    demo.terminal.sees_line(&["release-team", "now"]);
    demo.terminal.press("G");
    demo.terminal.press("r");
    demo.terminal.sees("Roll back");
    demo.terminal.press("tab");
    demo.terminal.press("enter");
    // A second operation is refused while the first is under way.
    demo.terminal.sees_line(&["✓", "rollback of", "done"]);
    demo.back_to_all();
    demo.select("guestbook-prod");

    demo.terminal.press("s");
    demo.terminal.sees("delete what left git");
    // Around past the buttons to the first field, on to prune, and back to the button.
    for key in ["down", "down", "down", "space"] {
        demo.terminal.press(key);
    }
    demo.terminal.sees_line(&["Prune", "[x]"]);
    for key in ["up", "up", "enter"] {
        demo.terminal.press(key);
    }
    demo.terminal.loses("delete what left git");
    demo.terminal
        .until_within(A_MINUTE, "guestbook-prod is synced", |screen| {
            screen
                .lines()
                .any(|line| line.contains("guestbook-prod") && line.contains("✓ Synced"))
        });
}

fn delete_by_keys(demo: &mut Demo) {
    demo.back_to_all();
    demo.select("catalog");
    demo.terminal.press("ctrl-d");
    demo.terminal.sees("Cascade");
    demo.terminal.press("tab");
    demo.terminal.press("enter");
    demo.terminal
        .until_within(A_MINUTE, "catalog is gone", |screen| {
            !screen
                .lines()
                .any(|line| line.contains("▸") && line.contains("catalog"))
        });
    let left = demo.kubectl(&["-n", "catalog", "get", "deploy,service", "-o", "name"]);
    assert_eq!(
        left.trim(),
        "",
        "the cascade took what the Application managed"
    );
}

#[test]
fn story_is_told_by_words() {
    if !has("kubectl") {
        return;
    }
    let demo = Demo::start();
    let done = |words: &[&str]| {
        let mut arguments = vec!["do"];
        arguments.extend(words);
        arguments.extend(["--yes", "--wait", "--timeout", "60s"]);
        let (code, text) = demo.tiphys(&arguments);
        assert_eq!(code, 0, "{words:?}: {text}");
        text
    };

    done(&["self-heal", "argocd/guestbook-dev", "on=false"]);
    patch_image(&demo, "1.1.0");
    wait_for(&demo, "guestbook-dev", "OutOfSync");
    let (code, why) = demo.tiphys(&["why", "argocd/guestbook-dev"]);
    assert_eq!(code, 0, "{why}");
    assert!(why.contains("differ") || why.contains("self-heal"), "{why}");

    done(&["self-heal", "argocd/guestbook-dev", "on=true"]);
    wait_for(&demo, "guestbook-dev", "Synced");
    assert!(image(&demo).ends_with(":1.2.0"), "{}", image(&demo));

    let (code, refused) = demo.tiphys(&[
        "do",
        "rollback",
        "argocd/guestbook-dev",
        "id=0",
        "--yes",
        "--wait",
    ]);
    assert_eq!(code, 1, "rollback with auto-sync on is refused: {refused}");
    done(&["rollback", "argocd/guestbook-prod", "id=0"]);
    done(&["sync", "argocd/guestbook-prod", "prune=true"]);
    wait_for(&demo, "guestbook-prod", "Synced");

    done(&["delete-app", "argocd/catalog", "cascade=foreground"]);
    let (code, gone) = demo.tiphys(&["get", "app", "argocd/catalog", "-A"]);
    assert_eq!(code, 1, "{gone}");
}

/// Waits until an Application has a sync status, by watching it.
fn wait_for(demo: &Demo, name: &str, sync: &str) {
    let condition = format!("jsonpath={{.status.sync.status}}={sync}");
    let app = format!("application/{name}");
    demo.kubectl(&[
        "-n",
        "argocd",
        "wait",
        &app,
        &format!("--for={condition}"),
        "--timeout=60s",
    ]);
}
