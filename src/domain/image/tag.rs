//! The order of tags: which of two is newer, as far as their names tell.
//!
//! A tag that begins with numbers (`v1.2.3`, `1.27-alpine`) is a version. What stands behind a dash
//! is a pre-release when it is one of the usual words or a number (semver 2.0 §11), else a variant:
//! `1.27-alpine` is not older than `1.27`, it is another image, and is compared with its like only.

use super::reference::is_tag;
use std::cmp::Ordering;

/// A tag read as a version.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Version<'t> {
    /// Two to four numbers; a single one only behind a `v`.
    numbers: Vec<u64>,
    pre_release: Vec<&'t str>,
    /// Such as `alpine`; empty for none.
    pub variant: &'t str,
}

const PRE: &[&str] = &[
    "alpha", "beta", "rc", "pre", "preview", "dev", "snapshot", "canary", "nightly", "m", "a", "b",
];

impl<'t> Version<'t> {
    /// Reads a tag; `None` when it is no version.
    pub fn parse(tag: &'t str) -> Option<Self> {
        let with_v = tag.strip_prefix('v').or_else(|| tag.strip_prefix('V'));
        let rest = with_v.unwrap_or(tag);
        let (core, tail) = rest.split_once('-').unwrap_or((rest, ""));
        // Build metadata has no rank; tags write its `+` as `_`.
        let core = core.split('_').next().unwrap_or_default();
        let numbers: Option<Vec<u64>> = core.split('.').map(number).collect();
        let numbers = numbers?;
        let enough = numbers.len() > 1 || with_v.is_some();
        if !enough || numbers.len() > 4 {
            return None;
        }
        let (pre_release, variant) = split_tail(tail);
        Some(Self {
            numbers,
            pre_release,
            variant,
        })
    }

    /// Returns whether it is a pre-release.
    pub fn is_pre_release(&self) -> bool {
        !self.pre_release.is_empty()
    }

    /// Compares two versions by precedence; the variant does not count.
    pub fn precedence(&self, other: &Self) -> Ordering {
        let places = self.numbers.len().max(other.numbers.len());
        let at = |version: &Self, place: usize| version.numbers.get(place).copied().unwrap_or(0);
        let by_numbers = (0..places)
            .map(|place| at(self, place).cmp(&at(other, place)))
            .find(|order| *order != Ordering::Equal);
        by_numbers.unwrap_or_else(|| self.by_pre_release(other))
    }

    fn by_pre_release(&self, other: &Self) -> Ordering {
        match (self.is_pre_release(), other.is_pre_release()) {
            (false, false) => Ordering::Equal,
            (false, true) => Ordering::Greater,
            (true, false) => Ordering::Less,
            (true, true) => {
                let parts = self.pre_release.iter().zip(&other.pre_release);
                let first = parts
                    .map(|(own, their)| natural(own, their))
                    .find(|order| *order != Ordering::Equal);
                first.unwrap_or_else(|| self.pre_release.len().cmp(&other.pre_release.len()))
            }
        }
    }
}

fn number(text: &str) -> Option<u64> {
    let digits = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    digits.then(|| text.parse().ok()).flatten()
}

/// Tells a pre-release from a variant: `rc.1-alpine` is both.
fn split_tail(tail: &str) -> (Vec<&str>, &str) {
    if tail.is_empty() {
        return (Vec::new(), "");
    }
    let (first, rest) = tail.split_once('-').unwrap_or((tail, ""));
    let word = first.split('.').next().unwrap_or_default();
    let letters = word.trim_end_matches(|letter: char| letter.is_ascii_digit());
    let is_pre = letters.is_empty() || PRE.iter().any(|pre| letters.eq_ignore_ascii_case(pre));
    if is_pre {
        (first.split('.').collect(), rest)
    } else {
        (Vec::new(), tail)
    }
}

/// Compares texts with runs of digits by their number: `rc9` before `rc10`.
pub fn natural(left: &str, right: &str) -> Ordering {
    let (mut own, mut their) = (left, right);
    loop {
        let (own_head, own_rest) = head(own);
        let (their_head, their_rest) = head(their);
        if own_head.is_empty() || their_head.is_empty() {
            return own_head.len().cmp(&their_head.len());
        }
        let order = match (number(own_head), number(their_head)) {
            (Some(one), Some(other)) => one.cmp(&other),
            // Numbers come before words (semver 2.0 §11.4.3).
            (Some(_), None) => Ordering::Less,
            (None, Some(_)) => Ordering::Greater,
            (None, None) => own_head.cmp(their_head),
        };
        if order != Ordering::Equal {
            return order;
        }
        (own, their) = (own_rest, their_rest);
    }
}

/// Splits the leading run of digits, or of anything else, off.
fn head(text: &str) -> (&str, &str) {
    let digits = text
        .bytes()
        .next()
        .is_some_and(|byte| byte.is_ascii_digit());
    let end = text
        .find(|letter: char| letter.is_ascii_digit() != digits)
        .unwrap_or(text.len());
    text.split_at(end)
}

/// Returns whether a tag names no release: `latest`, and what signatures are kept under.
pub fn is_technical(tag: &str) -> bool {
    tag == "latest" || tag.starts_with("sha256-") || !is_tag(tag)
}

/// Orders tags for a list: the newest version first, then other names, technical ones last.
pub fn newest_first(left: &str, right: &str) -> Ordering {
    let rank = |tag: &str| match (is_technical(tag), Version::parse(tag)) {
        (true, _) if tag == "latest" => 2,
        (true, _) => 3,
        (false, None) => 1,
        (false, Some(_)) => 0,
    };
    rank(left)
        .cmp(&rank(right))
        .then_with(|| match (Version::parse(left), Version::parse(right)) {
            (Some(own), Some(their)) => their
                .precedence(&own)
                .then_with(|| own.variant.cmp(their.variant))
                .then_with(|| left.cmp(right)),
            _ => natural(right, left),
        })
}

/// Returns whether `tag` may follow upon `running`: a version of the same variant, and a
/// pre-release only upon a pre-release.
pub fn may_follow(running: &Version<'_>, tag: &str) -> bool {
    Version::parse(tag).is_some_and(|one| {
        one.variant == running.variant && (running.is_pre_release() || !one.is_pre_release())
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sorted(tags: &[&'static str]) -> Vec<&'static str> {
        let mut tags = tags.to_vec();
        tags.sort_by(|a, b| newest_first(a, b));
        tags
    }

    #[test]
    fn the_newest_version_comes_first() {
        assert_eq!(
            sorted(&[
                "latest",
                "1.9.0",
                "main",
                "1.10.0",
                "v1.10.1-rc.2",
                "1.10.1",
                "sha256-aa.sig",
                "1.10.1-rc.10"
            ]),
            [
                "1.10.1",
                "1.10.1-rc.10",
                "v1.10.1-rc.2",
                "1.10.0",
                "1.9.0",
                "main",
                "latest",
                "sha256-aa.sig"
            ]
        );
    }

    #[test]
    fn pre_releases_rank_as_semver_says() {
        let order = [
            "1.0.0-alpha",
            "1.0.0-alpha.1",
            "1.0.0-alpha.beta",
            "1.0.0-beta",
            "1.0.0-beta.2",
            "1.0.0-beta.11",
            "1.0.0-rc.1",
            "1.0.0",
        ];
        for pair in order.windows(2) {
            let (low, high) = (Version::parse(pair[0]), Version::parse(pair[1]));
            let (low, high) = (low.expect("a version"), high.expect("a version"));
            assert_eq!(low.precedence(&high), Ordering::Less, "{pair:?}");
        }
    }

    #[test]
    fn a_variant_is_no_pre_release() {
        let alpine = Version::parse("1.27-alpine").expect("a version");
        assert_eq!((alpine.variant, alpine.is_pre_release()), ("alpine", false));
        assert!(may_follow(&alpine, "1.28-alpine"));
        assert!(!may_follow(&alpine, "1.28"));
        assert!(!may_follow(&alpine, "1.28-alpine3.20"));
        let both = Version::parse("3.13.0-rc1-slim").expect("a version");
        assert_eq!((both.variant, both.is_pre_release()), ("slim", true));
    }

    #[test]
    fn pre_releases_follow_pre_releases_only() {
        let release = Version::parse("2.0.0").expect("a version");
        assert!(!may_follow(&release, "2.1.0-rc.1"));
        let candidate = Version::parse("2.1.0-rc.1").expect("a version");
        assert!(may_follow(&candidate, "2.1.0-rc.2"));
        assert!(may_follow(&candidate, "2.1.0"));
    }

    #[test]
    fn names_and_commits_are_no_versions() {
        for tag in [
            "latest",
            "main",
            "3f2a91c",
            "20260101",
            "1",
            "1.2.3.4.5",
            "v",
            "1..2",
            "99999999999999999999.1",
        ] {
            assert_eq!(Version::parse(tag), None, "{tag}");
        }
        assert!(Version::parse("v7").is_some());
        assert!(Version::parse("2026.01.31").is_some());
    }

    #[test]
    fn numbers_inside_names_count_as_numbers() {
        assert_eq!(natural("rc9", "rc10"), Ordering::Less);
        assert_eq!(natural("build-2", "build-2"), Ordering::Equal);
        assert_eq!(natural("a", "a1"), Ordering::Less);
        assert_eq!(sorted(&["build-9", "build-10"]), ["build-10", "build-9"]);
    }
}
