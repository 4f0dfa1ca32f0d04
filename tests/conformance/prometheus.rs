//! The embedded Prometheus beside a real one, and under Prometheus's own tools.
//!
//! The real server is what the machine has installed (2.x in Debian), so the embedded one is asked to
//! follow the rules of 2.x here. Random series are written as `OpenMetrics`, made into blocks by
//! `promtool`, and random queries have to come out the same. `TIPHYS_SEED` repeats a run.

mod differential;
mod generate;
mod real;
mod tools;

use std::path::PathBuf;

/// Finds a program; says that it is missing, which is a failure when tools are required.
pub(crate) fn program(name: &str) -> Option<PathBuf> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let found = std::env::split_paths(&path)
        .map(|folder| folder.join(name))
        .find(|file| file.is_file());
    if found.is_none() {
        let required = std::env::var_os("TIPHYS_REQUIRE_TOOLS").is_some_and(|value| value == "1");
        assert!(
            !required,
            "`{name}` is not installed, and TIPHYS_REQUIRE_TOOLS=1"
        );
        println!("skipped: `{name}` is not installed");
    }
    found
}
