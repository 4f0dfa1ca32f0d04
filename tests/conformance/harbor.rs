//! The embedded registry and Harbor under clients that nobody here wrote: `skopeo`, and `harborapi`,
//! whose models validate every answer.

use super::platform::Platform;
use super::prometheus::program;
use serde_json::Value;
use std::path::{Path, PathBuf};
use std::process::Command;
use tiphys::sim::platform::HarborEndpoint;

/// Runs a program and returns what it says; the test ends where it fails.
fn run(mut command: Command) -> String {
    let output = command.output().expect("the program starts");
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    let wrong = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(output.status.success(), "{command:?}\n{said}\n{wrong}");
    said
}

/// Skopeo with what it needs to reach one place of the registry.
struct Skopeo<'e> {
    program: PathBuf,
    endpoint: &'e HarborEndpoint,
    account: (String, String),
}

impl Skopeo<'_> {
    fn reference(&self, image: &str) -> String {
        let host = self.endpoint.url.trim_start_matches("https://");
        format!("docker://{host}/{image}")
    }

    /// Adds account and certificate; `side` is empty, `src-` or `dest-`.
    fn reach(&self, command: &mut Command, side: &str) {
        let folder = Path::new(&self.endpoint.certificate_authority).parent();
        let folder = folder.expect("a folder").display();
        let (user, password) = &self.account;
        command.arg(format!("--{side}creds={user}:{password}"));
        command.arg(format!("--{side}cert-dir={folder}"));
    }

    fn ask(&self, verb: &str, image: &str) -> Value {
        let mut command = Command::new(&self.program);
        command.arg(verb);
        self.reach(&mut command, "");
        command.arg(self.reference(image));
        serde_json::from_str(&run(command)).expect("skopeo prints JSON")
    }

    fn copy(&self, from: &str, to: &str) {
        let mut command = Command::new(&self.program);
        command.args(["--insecure-policy", "copy", "--all", "--quiet"]);
        for (place, side) in [(from, "src-"), (to, "dest-")] {
            if place.starts_with("docker://") {
                self.reach(&mut command, side);
            }
        }
        command.args([from, to]);
        run(command);
    }
}

#[test]
fn skopeo_copies_an_image_of_two_platforms_out_and_in() {
    let Some(program) = program("skopeo") else {
        return;
    };
    let platform = Platform::start();
    let endpoint = platform.harbor();
    let folder = tempfile::tempdir().expect("a folder");
    let layout = format!("oci:{}:copy", folder.path().join("layout").display());
    let robot = "robot$ci".to_owned();
    let secret = endpoint.robots[&robot].clone();
    let skopeo = Skopeo {
        program,
        endpoint: &endpoint,
        account: (robot, secret),
    };
    let image = "shop/guestbook-frontend:1.3.0";

    let before = skopeo.ask("inspect", image);
    skopeo.copy(&skopeo.reference(image), &layout);
    skopeo.copy(&layout, &skopeo.reference("shop/copied/frontend:1"));
    let after = skopeo.ask("inspect", "shop/copied/frontend:1");
    let tags = skopeo.ask("list-tags", "shop/guestbook-frontend");

    assert_eq!(before["Digest"], after["Digest"]);
    assert_eq!(
        before["Labels"]["org.opencontainers.image.version"],
        "1.3.0"
    );
    assert_eq!(after["Architecture"], "amd64");
    let tags: Vec<&str> = tags["Tags"]
        .as_array()
        .into_iter()
        .flatten()
        .filter_map(Value::as_str)
        .collect();
    assert_eq!(tags, ["1.0.0", "1.1.0", "1.2.0", "1.3.0", "latest"]);
}

/// Finds a Python that has `harborapi`; `.ci/run` makes one.
fn python() -> Option<PathBuf> {
    let usual = Path::new(env!("CARGO_MANIFEST_DIR")).join("target/harborapi/bin/python");
    let python = std::env::var_os("TIPHYS_HARBORAPI_PYTHON").map_or(usual, PathBuf::from);
    if python.is_file() {
        return Some(python);
    }
    let required = std::env::var_os("TIPHYS_REQUIRE_TOOLS").is_some_and(|value| value == "1");
    assert!(
        !required,
        "there is no Python with harborapi at {}",
        python.display()
    );
    println!("skipped: no Python with harborapi at {}", python.display());
    None
}

#[test]
fn harborapi_walks_everything_without_a_validation_error() {
    let Some(python) = python() else { return };
    let platform = Platform::start();
    let endpoint = platform.harbor();
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/conformance/harbor/walk.py");

    let mut command = Command::new(python);
    command.arg(script).arg(&endpoint.url);
    command.args([
        &endpoint.username,
        &endpoint.password,
        &endpoint.certificate_authority,
    ]);
    let said = run(command);

    assert!(said.ends_with("done\n"), "{said}");
}
