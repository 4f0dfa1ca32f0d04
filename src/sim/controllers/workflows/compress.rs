//! Nodes that are too many for an object: base64 of gzip of JSON (`util/file/fileutil.go`).

use super::model::WorkflowStatus;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use flate2::Compression;
use flate2::read::GzDecoder;
use flate2::write::GzEncoder;
use std::io::{Read as _, Write as _};

/// Objects above this are compressed, as upstream's `MAX_WORKFLOW_SIZE`.
const MOST_BYTES: usize = 1024 * 1024;
/// Nothing unpacks to more than this.
const MOST_UNPACKED: u64 = 256 * 1024 * 1024;

/// Unpacks the nodes, if they are packed.
pub(super) fn expand(status: &mut WorkflowStatus) -> Result<(), String> {
    if status.compressed_nodes.is_empty() {
        return Ok(());
    }
    let packed = STANDARD
        .decode(&status.compressed_nodes)
        .map_err(|error| error.to_string())?;
    let mut json = Vec::new();
    GzDecoder::new(packed.as_slice())
        .take(MOST_UNPACKED)
        .read_to_end(&mut json)
        .map_err(|error| error.to_string())?;
    status.nodes = serde_json::from_slice(&json).map_err(|error| error.to_string())?;
    status.compressed_nodes.clear();
    Ok(())
}

/// Packs the nodes, if they are too many.
pub(super) fn shrink(status: &mut WorkflowStatus) {
    // A node is never that small; most workflows need not be written out to know.
    if status.nodes.len() < 500 {
        return;
    }
    let Ok(json) = serde_json::to_vec(&status.nodes) else {
        return;
    };
    if json.len() <= MOST_BYTES {
        return;
    }
    let mut encoder = GzEncoder::new(Vec::new(), Compression::default());
    let packed = encoder.write_all(&json).and_then(|()| encoder.finish());
    if let Ok(packed) = packed {
        status.compressed_nodes = STANDARD.encode(packed);
        status.nodes.clear();
    }
}
