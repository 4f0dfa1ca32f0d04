//! How many bytes repositories take, each blob counted once however many refer to it.
//!
//! Kept as content comes and goes, so that a quota is not a walk over everything that is stored.

use super::manifest::Manifest;
use std::collections::HashMap;

/// Bytes that a set of artifacts takes.
#[derive(Clone, Debug, Default)]
pub(super) struct Usage {
    /// How many artifacts refer to each blob, by a hash of its digest.
    held: HashMap<u128, u32>,
    bytes: u64,
}

/// A digest is random already; a quarter of its length tells all of them apart (FNV-1a).
fn short(digest: &str) -> u128 {
    const PRIME: u128 = 0x0000_0000_0100_0000_0000_0000_0000_013b;
    let start: u128 = 0x6c62_272e_07bb_0142_62b8_2175_6295_c58d;
    let fold = |hash: u128, byte: u8| (hash ^ u128::from(byte)).wrapping_mul(PRIME);
    digest.bytes().fold(start, fold)
}

/// What an artifact takes: itself, its configuration and its layers.
fn parts(manifest: &Manifest) -> impl Iterator<Item = (u128, u64)> {
    let own = (short(&manifest.digest), manifest.bytes.len() as u64);
    let blobs = manifest.config.iter().chain(&manifest.layers);
    std::iter::once(own).chain(blobs.map(|blob| (short(&blob.digest), blob.size)))
}

impl Usage {
    pub(super) fn bytes(&self) -> u64 {
        self.bytes
    }

    pub(super) fn add(&mut self, manifest: &Manifest) {
        for (blob, size) in parts(manifest) {
            let count = self.held.entry(blob).or_default();
            *count += 1;
            if *count == 1 {
                self.bytes += size;
            }
        }
    }

    pub(super) fn remove(&mut self, manifest: &Manifest) {
        for (blob, size) in parts(manifest) {
            let Some(count) = self.held.get_mut(&blob) else {
                continue;
            };
            *count -= 1;
            if *count == 0 {
                self.held.remove(&blob);
                self.bytes -= size;
            }
        }
    }
}
