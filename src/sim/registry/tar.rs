//! Layers: small gzipped tar archives (POSIX `ustar`), written the same way every time.

use bytes::Bytes;
use flate2::read::GzDecoder;
use flate2::{Compress, Compression, Crc, FlushCompress, Status};
use std::io::Read as _;

const BLOCK: usize = 512;
/// The longest layer that is looked into, uncompressed.
const LONGEST: u64 = 64 * 1024 * 1024;
/// What a gzip file begins with (RFC 1952): deflated, no name, no time, system unknown.
const GZIP: [u8; 10] = [0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 0xff];

/// A layer with the digest of what is inside the compression, which the configuration names.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Layer {
    pub bytes: Bytes,
    pub digest: String,
    pub diff_id: String,
}

/// Packs layers. A compressor is large beside what it compresses here: it is made once.
#[derive(Debug)]
pub struct Packer(Compress);

impl Default for Packer {
    fn default() -> Self {
        Self(Compress::new(Compression::new(6), false))
    }
}

impl Packer {
    /// Packs files, path and contents.
    pub fn pack(&mut self, files: &[(String, Vec<u8>)]) -> Layer {
        let mut tar = Vec::new();
        for (path, contents) in files {
            tar.extend(header(path, contents.len()));
            tar.extend_from_slice(contents);
            tar.resize(tar.len().next_multiple_of(BLOCK), 0);
        }
        tar.resize(tar.len() + 2 * BLOCK, 0);
        let bytes = Bytes::from(self.compress(&tar));
        Layer {
            digest: super::manifest::digest_of(&bytes),
            diff_id: super::manifest::digest_of(&tar),
            bytes,
        }
    }

    fn compress(&mut self, tar: &[u8]) -> Vec<u8> {
        let mut packed = Vec::with_capacity(tar.len() / 4 + 64);
        packed.extend(GZIP);
        self.0.reset();
        loop {
            let read = usize::try_from(self.0.total_in()).unwrap_or(usize::MAX);
            let rest = tar.get(read..).unwrap_or_default();
            let step = self
                .0
                .compress_vec(rest, &mut packed, FlushCompress::Finish);
            match step {
                Ok(Status::Ok | Status::BufError) => packed.reserve(BLOCK),
                // Deflating does not fail.
                Ok(Status::StreamEnd) | Err(_) => break,
            }
        }
        let mut sum = Crc::new();
        sum.update(tar);
        packed.extend(sum.sum().to_le_bytes());
        packed.extend(sum.amount().to_le_bytes());
        packed.shrink_to_fit();
        packed
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

        let mut packer = Packer::default();
        let layer = packer.pack(&files);

        assert_eq!(packer.pack(&files), layer);
        assert_eq!(Packer::default().pack(&files), layer);
        assert_eq!(
            file(&layer.bytes, "lib/apk/db/installed"),
            Some(vec![b'x'; 1000])
        );
        assert_eq!(file(&layer.bytes, "etc/passwd"), None);
        assert_eq!(file(b"no archive", "etc/passwd"), None);
    }
}
