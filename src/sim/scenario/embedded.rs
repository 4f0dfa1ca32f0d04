//! The scenarios inside the program, put there by `build.rs`.

use super::read;
use crate::sim::files::MemoryFiles;

mod generated {
    include!(concat!(env!("OUT_DIR"), "/demo_data.rs"));
}

/// Returns the files of one folder of `demo-data`, without the folder's name.
pub fn files(folder: &str) -> MemoryFiles {
    generated::FILES
        .iter()
        .filter_map(|(path, bytes)| {
            let inside = path.strip_prefix(folder)?.strip_prefix('/')?;
            Some((inside, *bytes))
        })
        .collect()
}

/// Lists the folders that are scenarios.
pub(super) fn names() -> Vec<String> {
    generated::FILES
        .iter()
        .filter_map(|(path, _)| {
            let (folder, file) = path.split_once('/')?;
            (file == read::FILE).then(|| folder.to_owned())
        })
        .collect()
}
