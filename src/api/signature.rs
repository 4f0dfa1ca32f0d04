//! Signatures of webhooks: HMAC-SHA256 over the raw bytes of an event (RFC 2104).

use sha2::{Digest as _, Sha256};

const BLOCK: usize = 64;

/// Returns the signature in hexadecimal.
pub(crate) fn sign(secret: &str, body: &[u8]) -> String {
    let mut key = [0_u8; BLOCK];
    let short: Vec<u8> = if secret.len() > BLOCK {
        Sha256::digest(secret.as_bytes()).to_vec()
    } else {
        secret.as_bytes().to_vec()
    };
    for (place, byte) in key.iter_mut().zip(short) {
        *place = byte;
    }
    let padded = |pad: u8| key.map(|byte| byte ^ pad);
    let inner = Sha256::new()
        .chain_update(padded(0x36))
        .chain_update(body)
        .finalize();
    let outer = Sha256::new()
        .chain_update(padded(0x5c))
        .chain_update(inner)
        .finalize();
    outer.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// Compares in constant time, so that the time taken tells nothing about the secret.
pub(crate) fn is_valid(secret: &str, body: &[u8], given: &str) -> bool {
    let expected = sign(secret, body);
    let given = given.strip_prefix("sha256=").unwrap_or(given);
    let differences = expected
        .bytes()
        .zip(given.bytes())
        .fold(0_u8, |all, (a, b)| all | (a ^ b));
    given.len() == expected.len() && differences == 0
}

#[cfg(test)]
mod tests {
    use super::*;

    /// RFC 4231, test cases 1 and 2.
    #[test]
    fn signatures_are_those_of_the_standard() {
        let key = "\u{b}".repeat(20);
        assert_eq!(
            sign(&key, b"Hi There"),
            "b0344c61d8db38535ca8afceaf0bf12b881dc200c9833da726e9376c2e32cff7"
        );
        assert_eq!(
            sign("Jefe", b"what do ya want for nothing?"),
            "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843"
        );
        assert!(!is_valid(
            "Jefe",
            b"other",
            &sign("Jefe", b"what do ya want for nothing?")
        ));
    }
}
