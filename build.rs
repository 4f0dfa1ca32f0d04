//! Embeds `demo-data/` in the program, so that the demo needs no files beside it.

#![allow(
    clippy::print_stdout,
    reason = "a build script speaks to cargo through its output"
)]
#![allow(
    clippy::unnecessary_debug_formatting,
    reason = "a path is written as a string literal, with its escapes"
)]

use std::fmt::Write as _;
use std::path::{Path, PathBuf};

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let root = PathBuf::from(std::env::var_os("CARGO_MANIFEST_DIR").unwrap_or_default());
    let folder = root.join("demo-data");
    println!("cargo::rerun-if-changed=demo-data");
    println!("cargo::rerun-if-changed=build.rs");

    let mut files = Vec::new();
    collect(&folder, "", &mut files)?;
    files.sort();

    let mut code = String::from("pub(super) static FILES: &[(&str, &[u8])] = &[\n");
    for file in files {
        let path = folder.join(&file);
        writeln!(code, "    ({file:?}, include_bytes!({path:?})),")?;
    }
    code.push_str("];\n");
    let out = PathBuf::from(std::env::var_os("OUT_DIR").unwrap_or_default());
    std::fs::write(out.join("demo_data.rs"), code)?;
    Ok(())
}

/// Lists files by their path below `demo-data`, separated by `/` on every system.
fn collect(folder: &Path, below: &str, files: &mut Vec<String>) -> std::io::Result<()> {
    for entry in std::fs::read_dir(folder)? {
        let entry = entry?;
        let Ok(name) = entry.file_name().into_string() else {
            continue;
        };
        let path = format!("{below}{name}");
        if entry.file_type()?.is_dir() {
            println!("cargo::rerun-if-changed=demo-data/{path}");
            collect(&entry.path(), &format!("{path}/"), files)?;
        } else {
            files.push(path);
        }
    }
    Ok(())
}
