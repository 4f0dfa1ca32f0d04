//! All checks with all kubectls, and a table of what passed.

use crate::kubectl::{Check, Kubectl, installed};
use crate::platform::Platform;
use crate::{applying, custom, following, reading, workloads, writing};

/// A check by its name.
pub(crate) type Named = (&'static str, fn(&Kubectl) -> Check);

fn checks() -> Vec<Named> {
    let mut all: Vec<Named> = Vec::new();
    // Later groups use what earlier ones made.
    all.extend(writing::BEFORE);
    all.extend(reading::CHECKS);
    all.extend(applying::CHECKS);
    all.extend(custom::CHECKS);
    all.extend(following::CHECKS);
    all.extend(workloads::CHECKS);
    all.extend(writing::AFTER);
    all
}

#[test]
#[ignore = "kubectl 1.32 and later send Ingresses and HorizontalPodAutoscalers as protobuf, which the server does not read yet"]
fn every_kubectl_passes_every_check() {
    let kubectls = installed();
    if kubectls.is_empty() {
        let required = std::env::var_os("TIPHYS_REQUIRE_TOOLS").is_some_and(|one| one == "1");
        assert!(
            !required,
            "no kubectl on the path, and TIPHYS_REQUIRE_TOOLS=1"
        );
        println!("skipped: no kubectl on the path");
        return;
    }
    let platform = Platform::start();
    let newest = kubectls.keys().last().cloned().unwrap_or_default();
    let mut failures = Vec::new();
    std::thread::scope(|scope| {
        let mut running = Vec::new();
        for (version, program) in &kubectls {
            let kubectl = Kubectl::new(version, program, &platform.kubeconfig());
            let examples = *version == newest;
            running.push(scope.spawn(move || run_all(&kubectl, examples)));
        }
        for one in running {
            let (line, failed) = one.join().expect("the checks do not panic");
            println!("{line}");
            failures.extend(failed);
        }
    });
    drop(platform);
    assert!(failures.is_empty(), "\n{}", failures.join("\n"));
}

/// Runs all checks with one kubectl; the newest one also brings in other projects' kinds.
fn run_all(kubectl: &Kubectl, examples: bool) -> (String, Vec<String>) {
    let mut checks = checks();
    if examples {
        checks.extend(custom::EXAMPLES);
    }
    let mut failed = Vec::new();
    for (name, check) in &checks {
        if let Err(why) = check(kubectl) {
            failed.push(format!("kubectl {}: {name}: {why}", kubectl.version));
        }
    }
    let passed = checks.len() - failed.len();
    let line = format!(
        "kubectl {}: {passed} of {} checks",
        kubectl.version,
        checks.len()
    );
    (line, failed)
}
