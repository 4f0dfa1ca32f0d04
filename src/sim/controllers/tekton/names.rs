//! The names of what runs make: shortened by a hash where they would be too long.
//!
//! Follows the shape of Knative's `kmeta.ChildName`; the hash is another (SHA-256), which nobody
//! can tell: children are found by reference, never by name.

use sha2::{Digest, Sha256};

const LONGEST: usize = 63;
const HASH: usize = 32;

/// Returns the name of a child: the parent's with a suffix.
pub(super) fn child_name(parent: &str, suffix: &str) -> String {
    if parent.len() + suffix.len() <= LONGEST {
        return format!("{parent}{suffix}");
    }
    let room = LONGEST - HASH;
    let head = |length: usize| -> String { parent.chars().take(length).collect() };
    match room.checked_sub(suffix.len()) {
        Some(left) if left > 0 => format!("{}{}{suffix}", head(left), hash(parent)),
        Some(_) | None => format!("{}{}", head(room), hash(&format!("{parent}{suffix}"))),
    }
}

/// Returns the claim that a workspace of a run gets from its template.
pub(super) fn claim_name(template: &str, workspace: &str, owner: &str) -> String {
    let hash: String = hash(&format!("{workspace}{owner}"))
        .chars()
        .take(10)
        .collect();
    match template {
        "" => format!("pvc-{hash}"),
        template => format!("{template}-{hash}"),
    }
}

fn hash(text: &str) -> String {
    let digest = Sha256::digest(text.as_bytes());
    let digit = |nibble: u8| char::from_digit(u32::from(nibble), 16);
    digest
        .iter()
        .flat_map(|byte| [byte >> 4, byte & 15])
        .filter_map(digit)
        .take(HASH)
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_joined_and_long_ones_hashed() {
        assert_eq!(child_name("run", "-build"), "run-build");
        let long = child_name(&"a".repeat(60), "-build");
        assert_eq!(long.len(), 63);
        assert!(long.ends_with("-build"));
        assert_ne!(long, child_name(&"a".repeat(61), "-build"));
        let longer = child_name(&"a".repeat(60), &format!("-{}", "b".repeat(50)));
        assert_eq!(longer.len(), 63);
        assert_eq!(claim_name("", "source", "uid").len(), 14);
    }
}
