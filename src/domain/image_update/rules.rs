//! By which rule a tag is chosen, and which tags are considered at all.

use crate::domain::globs;
use crate::domain::object::Text;
use regex::Regex;

/// How the tag to use is found.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub enum Strategy {
    /// The highest version that the constraint allows.
    #[default]
    Semver,
    /// What was built last.
    NewestBuild,
    /// Whatever one tag stands for now.
    Digest,
    /// The last by name.
    Alphabetical,
}

impl Strategy {
    /// Reads a strategy, the words of former versions included; `None` for an unknown word.
    pub fn parse(text: &str) -> Option<Self> {
        match text.trim().to_ascii_lowercase().as_str() {
            "semver" => Some(Self::Semver),
            "newest-build" | "latest" => Some(Self::NewestBuild),
            "digest" => Some(Self::Digest),
            "alphabetical" | "name" => Some(Self::Alphabetical),
            _ => None,
        }
    }

    /// Returns the word of today.
    pub fn word(self) -> &'static str {
        match self {
            Self::Semver => "semver",
            Self::NewestBuild => "newest-build",
            Self::Digest => "digest",
            Self::Alphabetical => "alphabetical",
        }
    }

    /// Returns whether more than the tags' names must be known.
    pub fn needs_metadata(self) -> bool {
        match self {
            Self::NewestBuild | Self::Digest => true,
            Self::Semver | Self::Alphabetical => false,
        }
    }
}

/// Which tags are considered, by their names.
#[derive(Clone, Debug, Default)]
pub enum Allow {
    #[default]
    Any,
    Matching(Text, Regex),
    /// What was written cannot be used, so that nothing matches; with the reason.
    Nothing(Text, Text),
}

impl PartialEq for Allow {
    fn eq(&self, other: &Self) -> bool {
        self.text() == other.text()
    }
}

impl Allow {
    /// Reads `any`, `regexp:EXPRESSION` or nothing at all.
    pub fn parse(text: &str) -> Self {
        let text = text.trim();
        if text.is_empty() || text.eq_ignore_ascii_case("any") {
            return Self::Any;
        }
        let nothing = |why: &str| Self::Nothing(text.into(), why.into());
        match text.split_once(':') {
            Some((word, expression)) if word.eq_ignore_ascii_case("regexp") => {
                match Regex::new(expression) {
                    Ok(regex) => Self::Matching(text.into(), regex),
                    Err(_) => nothing("its expression cannot be read"),
                }
            }
            Some(_) | None => nothing("it is neither `any` nor `regexp:…`"),
        }
    }

    /// Returns what was written.
    pub fn text(&self) -> &str {
        match self {
            Self::Any => "any",
            Self::Matching(text, _) | Self::Nothing(text, _) => text,
        }
    }

    /// Returns whether a tag may be considered.
    pub fn matches(&self, tag: &str) -> bool {
        match self {
            Self::Any => true,
            Self::Matching(_, regex) => regex.is_match(tag),
            Self::Nothing(..) => false,
        }
    }
}

/// All that decides which tag is used.
#[derive(Clone, Debug, PartialEq, Default)]
pub struct Policy {
    pub strategy: Strategy,
    /// A range of versions, or the one tag to follow; empty for none.
    pub constraint: Text,
    pub allow: Allow,
    /// Globs.
    pub ignore: Vec<Text>,
    /// Such as `linux/amd64`; empty for any.
    pub platforms: Vec<Text>,
}

impl Policy {
    /// Returns the glob by which a tag is ignored.
    pub fn ignored_by(&self, tag: &str) -> Option<&Text> {
        self.ignore.iter().find(|glob| globs::matches(glob, tag))
    }

    /// Returns whether something that exists on these platforms may be used.
    pub fn suits(&self, platforms: &[Text]) -> bool {
        self.platforms.is_empty()
            || platforms.is_empty()
            || platforms.iter().any(|has| {
                self.platforms
                    .iter()
                    .any(|wanted| platform_suits(wanted, has))
            })
    }
}

/// Returns whether a platform is one that was asked for; what is not asked for does not matter.
pub fn platform_suits(wanted: &str, has: &str) -> bool {
    let mut has = has.split('/');
    wanted.split('/').all(|part| has.next() == Some(part))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_of_former_versions_are_understood() {
        assert_eq!(Strategy::parse("latest"), Some(Strategy::NewestBuild));
        assert_eq!(Strategy::parse("name"), Some(Strategy::Alphabetical));
        assert_eq!(Strategy::parse(" SemVer "), Some(Strategy::Semver));
        assert_eq!(Strategy::parse("newest"), None);
    }

    #[test]
    fn what_cannot_be_read_allows_nothing() {
        assert!(Allow::parse("any").matches("x") && Allow::parse("").matches("x"));
        let main = Allow::parse("regexp:^main-[0-9a-f]{7}$");
        assert!(main.matches("main-0a1b2c3") && !main.matches("v1"));
        for bad in ["regexp:(", "glob:*", "^v"] {
            assert!(!Allow::parse(bad).matches("v1"), "{bad}");
        }
    }

    #[test]
    fn a_platform_suits_with_what_is_asked_for() {
        assert!(platform_suits("linux/arm", "linux/arm/v7"));
        assert!(!platform_suits("linux/arm/v7", "linux/arm"));
        assert!(!platform_suits("linux/arm64", "linux/arm"));
        let policy = Policy {
            platforms: vec!["linux/arm64".into()],
            ..Policy::default()
        };
        assert!(policy.suits(&[]) && !policy.suits(&["linux/amd64".into()]));
    }
}
