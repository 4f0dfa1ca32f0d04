//! Reads what a controller compressed to fit into an object, and writes it back the same way.
//!
//! Argo Workflows writes the nodes of a large Workflow as base64 of compressed JSON (`util/file/
//! fileutil.go`): gzip by default, zstd or brotli when it is told so. Brotli has no magic number,
//! so it is what is left.

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use std::io::{Read, Write};

/// Nobody's nodes are larger; more would be a bomb.
const LIMIT: u64 = 256 * 1024 * 1024;

/// How bytes are compressed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Packing {
    Gzip,
    Zstd,
    Brotli,
}

impl Packing {
    /// Returns its name.
    pub fn word(self) -> &'static str {
        match self {
            Self::Gzip => "gzip",
            Self::Zstd => "zstd",
            Self::Brotli => "brotli",
        }
    }

    fn of(bytes: &[u8]) -> Self {
        match bytes {
            [0x1f, 0x8b, ..] => Self::Gzip,
            [0x28, 0xb5, 0x2f, 0xfd, ..] => Self::Zstd,
            _ => Self::Brotli,
        }
    }
}

/// Unpacks base64 of compressed bytes; returns them with how they were packed.
///
/// # Errors
/// Says in what way the text is not what it should be.
pub fn unpack(text: &str) -> Result<(Vec<u8>, Packing), String> {
    let packed = BASE64_STANDARD
        .decode(text.trim())
        .map_err(|error| format!("it is no base64: {error}"))?;
    let packing = Packing::of(&packed);
    let mut bytes = Vec::new();
    let read = match packing {
        Packing::Gzip => flate2::read::GzDecoder::new(&*packed)
            .take(LIMIT)
            .read_to_end(&mut bytes)
            .map_err(|error| error.to_string()),
        Packing::Zstd => ruzstd::decoding::StreamingDecoder::new(&*packed)
            .map_err(|error| error.to_string())
            .and_then(|decoder| {
                let read = decoder.take(LIMIT).read_to_end(&mut bytes);
                read.map_err(|error| error.to_string())
            }),
        Packing::Brotli => brotli_decompressor::Decompressor::new(&*packed, 64 * 1024)
            .take(LIMIT)
            .read_to_end(&mut bytes)
            .map_err(|error| error.to_string()),
    };
    match read {
        Ok(size) if size as u64 == LIMIT => Err(String::from("it is larger than 256 MiB")),
        Ok(_) => Ok((bytes, packing)),
        Err(error) => Err(format!("it is no {}: {error}", packing.word())),
    }
}

/// Packs bytes as Argo Workflows does by default.
///
/// # Errors
/// Says why they could not be packed.
pub fn pack(bytes: &[u8]) -> Result<String, String> {
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::default());
    let written = encoder.write_all(bytes).and_then(|()| encoder.finish());
    let packed = written.map_err(|error| error.to_string())?;
    Ok(BASE64_STANDARD.encode(packed))
}

#[cfg(test)]
mod tests {
    use super::*;

    const JSON: &str = r#"{"w":{"id":"w","phase":"Succeeded"}}"#;

    #[test]
    fn each_packing_is_told_by_its_first_bytes() {
        let gzip = pack(JSON.as_bytes()).expect("packed");
        let (bytes, packing) = unpack(&gzip).expect("gzip");
        assert_eq!((&*bytes, packing), (JSON.as_bytes(), Packing::Gzip));

        // One raw block, as RFC 8878 has it.
        let mut zstd = vec![0x28, 0xb5, 0x2f, 0xfd, 0x20, JSON.len() as u8];
        let header = 1 | (JSON.len() as u32) << 3;
        zstd.extend(header.to_le_bytes().iter().take(3));
        zstd.extend(JSON.as_bytes());
        let (bytes, packing) = unpack(&BASE64_STANDARD.encode(zstd)).expect("zstd");
        assert_eq!((&*bytes, packing), (JSON.as_bytes(), Packing::Zstd));

        // One uncompressed meta-block and an empty last one, as RFC 7932 has it.
        let length = JSON.len() as u32 - 1;
        let bits: u32 = length << 4 | 1 << 20;
        let mut brotli = bits
            .to_le_bytes()
            .get(..3)
            .map(<[u8]>::to_vec)
            .expect("three");
        brotli.extend(JSON.as_bytes());
        brotli.push(3);
        let (bytes, packing) = unpack(&BASE64_STANDARD.encode(brotli)).expect("brotli");
        assert_eq!((&*bytes, packing), (JSON.as_bytes(), Packing::Brotli));
    }

    #[test]
    fn what_is_none_of_them_is_told() {
        assert!(unpack("%%%").is_err_and(|why| why.contains("base64")));
        let cut = BASE64_STANDARD.encode([0x1f, 0x8b, 8, 0]);
        assert!(unpack(&cut).is_err_and(|why| why.contains("gzip")));
    }
}
