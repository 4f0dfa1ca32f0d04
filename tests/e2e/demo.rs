//! A demo with open ports in a terminal, and the tools that people use beside it.

use crate::terminal::Terminal;
use serde_json::Value;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::time::Duration;

pub(crate) const SIZE: (u16, u16) = (140, 40);

/// A running demo.
pub(crate) struct Demo {
    pub(crate) terminal: Terminal,
    pub(crate) home: tempfile::TempDir,
    endpoints: Value,
}

impl Demo {
    /// Starts the demo in a terminal and waits until its servers answer and rows are there.
    pub(crate) fn start() -> Self {
        let home = tempfile::tempdir().expect("a folder");
        let file = home.path().join("demo.json");
        let path = file.display().to_string();
        let arguments = ["demo", "--listen", "127.0.0.1:0", "--endpoints", &path];
        let mut terminal = Terminal::start(&arguments, SIZE, home.path());
        terminal.sees_line(&["guestbook-dev", "Synced", "Healthy"]);
        let text = std::fs::read_to_string(&file).expect("the endpoints are written");
        let endpoints = serde_json::from_str(&text).expect("the endpoints are JSON");
        Self {
            terminal,
            home,
            endpoints,
        }
    }

    pub(crate) fn endpoint(&self, pointer: &str) -> String {
        let value = self.endpoints.pointer(pointer).and_then(Value::as_str);
        value
            .unwrap_or_else(|| panic!("no {pointer} in {}", self.endpoints))
            .to_owned()
    }

    /// Runs kubectl against the demo and returns what it printed.
    pub(crate) fn kubectl(&self, arguments: &[&str]) -> String {
        let mut command = Command::new("kubectl");
        command
            .args(arguments)
            .env("KUBECONFIG", self.endpoint("/kubernetes/kubeconfig"));
        command.env("HOME", self.home.path());
        succeeded(&command.output().expect("kubectl runs"), arguments)
    }

    /// Runs `tiphys` against the demo; returns its exit code and what it printed.
    pub(crate) fn tiphys(&self, arguments: &[&str]) -> (i32, String) {
        let mut command = Command::new(env!("CARGO_BIN_EXE_tiphys"));
        command
            .args(arguments)
            .env("KUBECONFIG", self.endpoint("/kubernetes/kubeconfig"));
        command.env("XDG_CONFIG_HOME", self.home.path());
        let output = command.output().expect("tiphys runs");
        let text = [output.stdout, output.stderr].concat();
        let text = String::from_utf8_lossy(&text).into_owned();
        (output.status.code().unwrap_or(-1), text)
    }

    /// Clones a repository of the demo and returns the folder.
    pub(crate) fn clone_repository(&self, name: &str) -> PathBuf {
        let url = self.endpoint("/git/url");
        let credentials = format!(
            "{}:{}@",
            self.endpoint("/git/username"),
            self.endpoint("/git/password")
        );
        let url = url.replacen("://", &format!("://{credentials}"), 1);
        let folder = self.home.path().join(name.replace('/', "-"));
        let target = folder.display().to_string();
        self.git(
            self.home.path(),
            &["clone", "-q", &format!("{url}/{name}.git"), &target],
        );
        folder
    }

    /// Runs git in a folder.
    pub(crate) fn git(&self, folder: &Path, arguments: &[&str]) -> String {
        let mut command = Command::new("git");
        command.current_dir(folder).args(arguments);
        command
            .env("HOME", self.home.path())
            .env("GIT_CONFIG_NOSYSTEM", "1");
        for who in ["AUTHOR", "COMMITTER"] {
            command.env(format!("GIT_{who}_NAME"), "Developer");
            command.env(format!("GIT_{who}_EMAIL"), "developer@shop.example");
        }
        succeeded(&command.output().expect("git runs"), arguments)
    }

    /// Moves the cursor to an Application by filtering for it.
    pub(crate) fn select(&mut self, name: &str) {
        self.terminal.press("/");
        self.terminal.until("opened the prompt", |screen| {
            screen
                .lines()
                .last()
                .is_some_and(|line| line.trim_start().starts_with('/'))
        });
        // What was filtered for before goes first.
        self.terminal.press("ctrl-u");
        self.terminal.types(name);
        self.terminal.press("enter");
        self.terminal.sees_line(&["▸", name]);
    }

    /// Leaves trees and other screens: back to the Applications.
    pub(crate) fn back_to_all(&mut self) {
        self.terminal.types(":apps\r");
        self.terminal.sees("Applications(all)");
    }
}

fn succeeded(output: &Output, arguments: &[&str]) -> String {
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    let trouble = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(
        output.status.success(),
        "{arguments:?} failed: {text}{trouble}"
    );
    text
}

/// Returns whether a tool is there; without it a test is skipped, or fails when
/// `TIPHYS_REQUIRE_TOOLS` is set.
pub(crate) fn has(tool: &str) -> bool {
    let there = Command::new(tool).arg("--help").output().is_ok();
    let required = std::env::var_os("TIPHYS_REQUIRE_TOOLS").is_some_and(|value| value == "1");
    assert!(there || !required, "`{tool}` is not installed");
    if !there {
        announce(tool);
    }
    there
}

#[allow(clippy::print_stdout, reason = "a skipped test has to say so")]
fn announce(tool: &str) {
    println!("skipped: `{tool}` is not installed");
}

/// A generous time for something that a controller does in a few seconds.
pub(crate) const A_MINUTE: Duration = Duration::from_secs(60);
