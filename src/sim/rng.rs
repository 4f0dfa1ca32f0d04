//! Seeded randomness: the same seed gives the same names, delays and jitter.
//!
//! Every consumer draws from its own stream, named by what it is for, so that the order in which
//! controllers happen to run does not change anybody's numbers. Nothing here is cryptographic.

/// The letters that upstream uses in generated names (`k8s.io/apimachinery/pkg/util/rand`).
const NAME_LETTERS: &[u8] = b"bcdfghjklmnpqrstvwxz2456789";

/// The seed of a platform, from which all streams come.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Seed(pub u64);

impl Seed {
    /// Returns the stream for one purpose, named by its parts.
    pub fn stream(self, purpose: &[&str]) -> Rng {
        let mut hash = mix(self.0 ^ 0x9e37_79b9_7f4a_7c15);
        for part in purpose {
            hash = mix(hash ^ u64::from(fnv32a(part.as_bytes())) ^ ((part.len() as u64) << 32));
        }
        Rng(hash)
    }
}

/// A stream of numbers (`SplitMix64`).
#[derive(Clone, Debug)]
pub struct Rng(u64);

impl Rng {
    /// Returns the next number.
    pub fn next_u64(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        mix(self.0)
    }

    /// Returns a number in `0.0..1.0`.
    pub fn fraction(&mut self) -> f64 {
        (self.next_u64() >> 11) as f64 / (1_u64 << 53) as f64
    }

    /// Returns a number in `low..high`.
    pub fn between(&mut self, low: f64, high: f64) -> f64 {
        low + (high - low) * self.fraction()
    }

    /// Returns a number below `bound`, or 0 when `bound` is 0.
    pub fn below(&mut self, bound: u64) -> u64 {
        self.next_u64().checked_rem(bound).unwrap_or(0)
    }

    /// Returns `count` letters as upstream's name generator would choose them.
    pub fn suffix(&mut self, count: usize) -> String {
        (0..count)
            .map(|_| letter(self.below(NAME_LETTERS.len() as u64) as usize))
            .collect()
    }

    /// Returns `count` hexadecimal digits.
    pub fn hex(&mut self, count: usize) -> String {
        (0..count)
            .filter_map(|_| char::from_digit(self.below(16) as u32, 16))
            .collect()
    }
}

/// Returns the 32-bit FNV-1a hash, the one upstream uses for template hashes.
pub fn fnv32a(bytes: &[u8]) -> u32 {
    bytes.iter().fold(0x811c_9dc5, |hash: u32, byte| {
        (hash ^ u32::from(*byte)).wrapping_mul(0x0100_0193)
    })
}

/// Spells a string with the letters that are safe in names (upstream's `SafeEncodeString`).
pub fn safe_encode(text: &str) -> String {
    text.chars()
        .map(|c| letter(c as usize % NAME_LETTERS.len()))
        .collect()
}

fn letter(index: usize) -> char {
    NAME_LETTERS.get(index).copied().map_or('b', char::from)
}

fn mix(mut value: u64) -> u64 {
    value = (value ^ (value >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    value = (value ^ (value >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    value ^ (value >> 31)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_purpose_always_draws_the_same_and_another_draws_differently() {
        let seed = Seed(7);

        let first = seed.stream(&["pull", "web"]).suffix(8);
        let again = seed.stream(&["pull", "web"]).suffix(8);
        let other = seed.stream(&["pullw", "eb"]).suffix(8);

        assert_eq!(first, again);
        assert_ne!(first, other);
    }

    #[test]
    fn hashes_agree_with_upstream() {
        // Go: fnv.New32a() over "hello"; rand.SafeEncodeString("1335831723").
        assert_eq!(fnv32a(b"hello"), 1_335_831_723);
        assert_eq!(safe_encode("1335831723").len(), 10);
        assert!(
            safe_encode("0123456789")
                .bytes()
                .all(|b| NAME_LETTERS.contains(&b))
        );
    }

    #[test]
    fn draws_stay_in_their_range() {
        let mut rng = Seed(1).stream(&["x"]);

        for _ in 0..1000 {
            let value = rng.between(0.5, 1.5);
            assert!((0.5..1.5).contains(&value));
            assert!(rng.below(3) < 3);
        }
    }
}
