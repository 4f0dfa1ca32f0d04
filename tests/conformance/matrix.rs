//! All checks with all kubectls, and a table of what passed.

use crate::kubectl::{Check, Kubectl, installed};
use crate::platform::Platform;
use crate::{applying, custom, following, reading, workloads, writing};
use std::sync::atomic::{AtomicUsize, Ordering};

/// How many kubectls run at the same time.
const AT_ONCE: usize = 3;

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
    let kubeconfig = platform.kubeconfig();
    // The newest has most to do, so it begins.
    let waiting: Vec<_> = kubectls.iter().rev().collect();
    let next = AtomicUsize::new(0);
    let work = || {
        let mut done = Vec::new();
        loop {
            let place = next.fetch_add(1, Ordering::Relaxed);
            let Some((version, program)) = waiting.get(place) else {
                return done;
            };
            let kubectl = Kubectl::new(version, program, &kubeconfig);
            done.push(run_all(&kubectl, place == 0));
        }
    };
    let mut failures = Vec::new();
    std::thread::scope(|scope| {
        let running: Vec<_> = (0..AT_ONCE).map(|_| scope.spawn(work)).collect();
        for one in running {
            for (line, failed) in one.join().expect("the checks do not panic") {
                println!("{line}");
                failures.extend(failed);
            }
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
