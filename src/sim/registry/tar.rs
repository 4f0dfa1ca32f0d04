//! Layers: small gzipped tar archives (POSIX `ustar`), written the same way every time.

use bytes::Bytes;
use flate2::read::GzDecoder;
use flate2::{Compression, GzBuilder};
use std::io::{Read as _, Write as _};

const BLOCK: usize = 512;
/// The longest layer that is looked into, uncompressed.
const LONGEST: u64 = 64 * 1024 * 1024;

/// A layer with the digest of what is inside the compression, which the configuration names.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Layer {
    pub bytes: Bytes,
    pub diff_id: String,
}

/// Packs files, path and contents.
pub fn pack(files: &[(String, Vec<u8>)]) -> Layer {
    let mut tar = Vec::new();
    for (path, contents) in files {
        tar.extend(header(path, contents.len()));
        tar.extend_from_slice(contents);
        tar.resize(tar.len().next_multiple_of(BLOCK), 0);
    }
    tar.resize(tar.len() + 2 * BLOCK, 0);
    let diff_id = super::manifest::digest_of(&tar);
    let mut packed = GzBuilder::new()
        .mtime(0)
        .write(Vec::new(), Compression::new(6));
    // Writing to memory does not fail.
    let written = packed.write_all(&tar).and_then(|()| packed.finish());
    Layer {
        bytes: Bytes::from(written.unwrap_or_default()),
        diff_id,
    }
}

fn header(path: &str, size: usize) -> Vec<u8> {
    let mut block = vec![0_u8; BLOCK];
    let mut put = |at: usize, text: &[u8]| {
        for (place, byte) in block.iter_mut().skip(at).zip(text) {
            *place = *byte;
        }
    };
    put(
        0,
        path.as_bytes()
            .get(..path.len().min(100))
            .unwrap_or_default(),
    );
    put(100, b"0000644\0");
    put(108, b"0000000\0");
    put(116, b"0000000\0");
    put(124, format!("{size:011o}\0").as_bytes());
    put(136, b"00000000000\0");
    put(148, b"        ");
    put(156, b"0");
    put(257, b"ustar\x0000");
    let sum: u32 = block.iter().map(|byte| u32::from(*byte)).sum();
    let text = format!("{sum:06o}\0 ");
    for (place, byte) in block.iter_mut().skip(148).zip(text.as_bytes()) {
        *place = *byte;
    }
    block
}

/// Returns the contents of a file of a layer, if the layer is such an archive and holds it.
pub fn file(layer: &[u8], wanted: &str) -> Option<Vec<u8>> {
    let mut tar = Vec::new();
    let read = GzDecoder::new(layer).take(LONGEST).read_to_end(&mut tar);
    read.ok()?;
    let mut at = 0;
    while let Some(block) = tar.get(at..at + BLOCK) {
        let text = |from: usize, to: usize| {
            let field = block.get(from..to).unwrap_or_default();
            let end = field.iter().position(|byte| *byte == 0);
            let field = field.get(..end.unwrap_or(field.len())).unwrap_or_default();
            String::from_utf8_lossy(field).trim().to_owned()
        };
        let path = text(0, 100);
        if path.is_empty() {
            return None;
        }
        let size = usize::from_str_radix(&text(124, 136), 8).ok()?;
        let from = at + BLOCK;
        if path.trim_start_matches("./") == wanted {
            return tar.get(from..from.checked_add(size)?).map(<[u8]>::to_vec);
        }
        at = from.checked_add(size.next_multiple_of(BLOCK))?;
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_packed_is_found_and_packing_is_the_same_each_time() {
        let files = [
            ("etc/os-release".to_owned(), b"ID=alpine\n".to_vec()),
            ("lib/apk/db/installed".to_owned(), vec![b'x'; 1000]),
        ];

        let layer = pack(&files);

        assert_eq!(pack(&files), layer);
        assert_eq!(
            file(&layer.bytes, "lib/apk/db/installed"),
            Some(vec![b'x'; 1000])
        );
        assert_eq!(file(&layer.bytes, "etc/passwd"), None);
        assert_eq!(file(b"no archive", "etc/passwd"), None);
    }
}
