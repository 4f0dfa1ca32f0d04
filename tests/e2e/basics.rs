//! Starting, looking around and leaving.

use crate::demo::SIZE;
use crate::terminal::{Terminal, now};
use std::time::Duration;

#[test]
fn demo_is_synced_and_healthy_within_ten_seconds_and_quits() {
    let home = tempfile::tempdir().expect("a folder");
    let started = now();
    let mut terminal = Terminal::start(&["demo"], SIZE, home.path());

    let settled = |screen: &str| {
        let well = |name: &str| {
            let row = screen.lines().find(|line| line.contains(name));
            row.is_some_and(|row| row.contains("Synced") && row.contains("Healthy"))
        };
        [
            "guestbook-dev",
            "guestbook-staging",
            "demo-app-dev",
            "demo-app-staging",
            "edge",
        ]
        .iter()
        .all(|name| well(name))
    };
    // The debug build on a busy machine gets more time; the platform's own ten seconds are
    // asserted by the clock of the release bench.
    terminal.until_within(Duration::from_secs(45), "saw healthy Applications", settled);
    let took = started.elapsed();

    terminal.types(":q\r");
    assert_eq!(terminal.ends(), 0);
    let raw = String::from_utf8_lossy(&terminal.raw).into_owned();
    assert!(
        raw.contains("\u{1b}[?1049l"),
        "the screen before is given back"
    );
    assert!(took < Duration::from_secs(45), "{took:?}");
}

#[test]
fn without_kubeconfig_the_demo_is_offered() {
    let home = tempfile::tempdir().expect("a folder");
    let mut terminal = Terminal::start(&[], (80, 24), home.path());

    let screen = terminal.sees("tiphys demo");
    assert!(screen.contains("kubeconfig"), "{screen}");

    // Nothing but the keys themselves wakes the program here.
    for _ in 0..3 {
        terminal.press("?");
        terminal.sees("WHAT IT DOES");
        terminal.press("esc");
        terminal.loses("WHAT IT DOES");
    }
    terminal.types(":q\r");
    assert_eq!(terminal.ends(), 0);
}

#[test]
fn unreachable_server_is_named_and_nothing_hangs() {
    let home = tempfile::tempdir().expect("a folder");
    let kubeconfig = home.path().join("kubeconfig");
    // The discard port of this machine: nobody listens there.
    let text = "apiVersion: v1\nkind: Config\ncurrent-context: gone\n\
        clusters:\n- name: gone\n  cluster: {server: 'https://127.0.0.1:9'}\n\
        contexts:\n- name: gone\n  context: {cluster: gone, user: gone}\n\
        users:\n- name: gone\n  user: {token: secret-token}\n";
    std::fs::write(&kubeconfig, text).expect("the kubeconfig is written");
    let path = kubeconfig.display().to_string();
    let mut terminal = Terminal::start(&["--kubeconfig", &path], (100, 30), home.path());

    let screen = terminal.until("said that the server is away", |screen| {
        screen.contains("refused") || screen.contains("reach") || screen.contains("connect")
    });
    assert!(!screen.contains("secret-token"));

    terminal.press("?");
    terminal.sees("WHAT IT DOES");
    terminal.types(":q\r");
    assert_eq!(terminal.ends(), 0);

    let examined = std::process::Command::new(env!("CARGO_BIN_EXE_tiphys"))
        .args(["--kubeconfig", &path, "doctor"])
        .output()
        .expect("it runs");
    let said = String::from_utf8_lossy(&examined.stdout);
    assert_eq!(examined.status.code(), Some(1), "{said}");
    let about_server: Vec<&str> = said
        .lines()
        .filter(|line| line.contains("127.0.0.1"))
        .collect();
    assert_eq!(about_server.len(), 1, "{said}");
    assert!(about_server[0].starts_with("fail  server"), "{said}");
}

#[test]
fn window_may_become_small_and_large_again() {
    let home = tempfile::tempdir().expect("a folder");
    let mut terminal = Terminal::start(&["demo"], SIZE, home.path());
    terminal.sees("guestbook-dev");

    terminal.resize(30, 8);
    terminal.loses("guestbook-dev");
    terminal.resize(80, 24);
    terminal.sees("guestbook-dev");

    terminal.press("ctrl-c");
    assert_eq!(terminal.ends(), 0);
}
