//! Where other projects' data with known answers lie, when they are at hand.
//!
//! `TIPHYS_ORACLES` names the folder; without it, `../shared/oracles` beside the checkout is
//! tried. A test that finds none says so and passes: the data belong to other projects.

use std::path::{Path, PathBuf};

/// Returns a folder of the oracles, or says that it is not there.
pub(crate) fn folder(below: &str) -> Option<PathBuf> {
    let checkout = Path::new(env!("CARGO_MANIFEST_DIR"));
    let root = std::env::var_os("TIPHYS_ORACLES")
        .map_or_else(|| checkout.join("../shared/oracles"), PathBuf::from);
    let path = root.join(below);
    if path.is_dir() {
        return Some(path);
    }
    announce(&path);
    None
}

#[allow(clippy::print_stdout, reason = "a skipped test has to say so")]
fn announce(path: &Path) {
    println!("skipped: no oracles at {}", path.display());
}
