//! Versions as Masterminds/semver reads them: leniently, with a `v` and with parts left out.

use std::cmp::Ordering;

/// A version in a tag.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Version {
    pub(super) major: u64,
    pub(super) minor: u64,
    pub(super) patch: u64,
    /// Empty for none.
    pub(super) pre: String,
}

impl Version {
    /// Reads a version; `None` when it is none. Build metadata is checked and has no rank.
    pub fn parse(text: &str) -> Option<Self> {
        let text = text.strip_prefix('v').unwrap_or(text);
        let (text, metadata) = match text.split_once('+') {
            Some((text, metadata)) => (text, Some(metadata)),
            None => (text, None),
        };
        if !metadata.is_none_or(are_identifiers) {
            return None;
        }
        let (core, pre) = match text.split_once('-') {
            Some((core, pre)) => (core, Some(pre)),
            None => (text, None),
        };
        if !pre.is_none_or(|pre| are_identifiers(pre) && !pre.split('.').any(has_leading_zero)) {
            return None;
        }
        let mut numbers = [0; 3];
        let parts: Vec<&str> = core.split('.').collect();
        if parts.len() > numbers.len() {
            return None;
        }
        for (number, part) in numbers.iter_mut().zip(&parts) {
            *number = natural_number(part)?;
        }
        let [major, minor, patch] = numbers;
        Some(Self {
            major,
            minor,
            patch,
            pre: pre.unwrap_or_default().to_owned(),
        })
    }

    /// Returns whether it is a pre-release.
    pub fn is_pre_release(&self) -> bool {
        !self.pre.is_empty()
    }

    fn numbers(&self) -> (u64, u64, u64) {
        (self.major, self.minor, self.patch)
    }
}

impl PartialOrd for Version {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Version {
    fn cmp(&self, other: &Self) -> Ordering {
        self.numbers()
            .cmp(&other.numbers())
            .then_with(|| by_pre_release(&self.pre, &other.pre))
    }
}

pub(super) fn natural_number(text: &str) -> Option<u64> {
    let digits = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    digits.then(|| text.parse().ok()).flatten()
}

pub(super) fn are_identifiers(text: &str) -> bool {
    text.split('.').all(|part| {
        !part.is_empty()
            && part
                .bytes()
                .all(|byte| byte.is_ascii_alphanumeric() || byte == b'-')
    })
}

fn has_leading_zero(part: &str) -> bool {
    part.len() > 1 && part.starts_with('0') && part.bytes().all(|byte| byte.is_ascii_digit())
}

/// Compares pre-releases by semver 2.0 §11.4; none is newer than any.
fn by_pre_release(left: &str, right: &str) -> Ordering {
    match (left.is_empty(), right.is_empty()) {
        (true, true) => return Ordering::Equal,
        (true, false) => return Ordering::Greater,
        (false, true) => return Ordering::Less,
        (false, false) => {}
    }
    let (mut own, mut their) = (left.split('.'), right.split('.'));
    loop {
        let order = match (own.next(), their.next()) {
            (None, None) => return Ordering::Equal,
            (None, Some(_)) => return Ordering::Less,
            (Some(_), None) => return Ordering::Greater,
            (Some(one), Some(other)) => match (natural_number(one), natural_number(other)) {
                (Some(one), Some(other)) => one.cmp(&other),
                (Some(_), None) => Ordering::Less,
                (None, Some(_)) => Ordering::Greater,
                (None, None) => one.cmp(other),
            },
        };
        if order != Ordering::Equal {
            return order;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_are_read_leniently() {
        for good in [
            "1",
            "v1.2",
            "1.2.3",
            "v1.2.3-rc.1+b.5",
            "1.2.3-alpine",
            "01.2.3",
            "1.0.0-0",
        ] {
            assert!(Version::parse(good).is_some(), "{good}");
        }
        for bad in [
            "",
            "v",
            "latest",
            "1.2.3.4",
            "1..2",
            "1.2-",
            "1.2.3-01",
            "1.2.3-a..b",
            "1.2.3+",
            "V1",
            " 1",
        ] {
            assert!(Version::parse(bad).is_none(), "{bad}");
        }
    }

    #[test]
    fn precedence_is_that_of_semver() {
        let order = [
            "1.0.0-alpha",
            "1.0.0-alpha.1",
            "1.0.0-alpha.beta",
            "1.0.0-beta",
            "1.0.0-beta.2",
            "1.0.0-beta.11",
            "1.0.0-rc.1",
            "1",
            "1.0.1",
            "1.2",
            "1.10.0",
            "v2",
        ];
        let read: Vec<Version> = order
            .iter()
            .filter_map(|text| Version::parse(text))
            .collect();
        assert_eq!(read.len(), order.len());
        assert!(read.is_sorted());
        assert_eq!(Version::parse("1.2+a"), Version::parse("v1.2.0+b"));
    }
}
