//! What is wanted of one image, with settings of several levels: the nearest wins.

use super::rules::{Allow, Policy, Strategy};
use crate::domain::object::Text;

/// Settings of one level; what is not set is left to the level above.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub struct Settings {
    pub strategy: Option<Text>,
    pub force: Option<bool>,
    pub allow: Option<Text>,
    pub ignore: Option<Vec<Text>>,
    pub pull_secret: Option<Text>,
    pub platforms: Option<Vec<Text>>,
    /// Whether signatures are to be verified.
    pub verify: Option<bool>,
}

impl Settings {
    /// Returns these settings, with what they lack from the level above.
    #[must_use]
    pub fn over(self, above: &Self) -> Self {
        Self {
            strategy: self.strategy.or_else(|| above.strategy.clone()),
            force: self.force.or(above.force),
            allow: self.allow.or_else(|| above.allow.clone()),
            ignore: self.ignore.or_else(|| above.ignore.clone()),
            pull_secret: self.pull_secret.or_else(|| above.pull_secret.clone()),
            platforms: self.platforms.or_else(|| above.platforms.clone()),
            verify: self.verify.or(above.verify),
        }
    }

    /// Returns the rule for an image with a constraint. An unknown strategy is `semver`, as upstream
    /// has it.
    pub fn policy(&self, constraint: &str) -> Policy {
        let word = self.strategy.as_deref().unwrap_or_default();
        Policy {
            strategy: Strategy::parse(word).unwrap_or_default(),
            constraint: constraint.into(),
            allow: Allow::parse(self.allow.as_deref().unwrap_or_default()),
            ignore: self.ignore.clone().unwrap_or_default(),
            platforms: self.platforms.clone().unwrap_or_default(),
        }
    }
}

/// Where in the manifests an image is named.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub enum Manifest {
    /// By the type of the source.
    #[default]
    Plain,
    /// The name in the kustomization, where it differs from the image's.
    Kustomize {
        name: Text,
    },
    Helm(Keys),
    /// Variables of a plugin's environment.
    Plugin(Keys),
}

/// Where name and tag are set apart, or the whole reference as `spec`; empty for none.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub struct Keys {
    pub name: Text,
    pub tag: Text,
    pub spec: Text,
}

/// What is wanted of one image of an Application.
#[derive(Clone, Debug, PartialEq)]
pub struct ImageRule {
    /// Empty for none.
    pub alias: Text,
    /// As written, without constraint.
    pub image: Text,
    pub policy: Policy,
    /// Also when the image is not among those that run.
    pub force: bool,
    pub pull_secret: Text,
    /// Its signature is to be verified before it is written.
    pub verify: bool,
    pub manifest: Manifest,
}

/// Splits `name[:constraint]`; a colon before a slash belongs to a port.
pub fn split_identifier(text: &str) -> (&str, &str) {
    let text = text.trim();
    match text.rsplit_once(':') {
        Some((name, constraint)) if !constraint.contains('/') => (name, constraint.trim()),
        Some(_) | None => (text, ""),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_nearest_level_wins() {
        let above = Settings {
            strategy: Some("latest".into()),
            ignore: Some(vec!["*-rc".into()]),
            ..Settings::default()
        };
        let near = Settings {
            strategy: Some("digest".into()),
            ..Settings::default()
        };
        let policy = near.over(&above).policy("main");
        assert_eq!(policy.strategy, Strategy::Digest);
        assert_eq!(policy.ignore, [Text::from("*-rc")]);
        assert_eq!(Settings::default().policy("").strategy, Strategy::Semver);
    }

    #[test]
    fn a_port_is_no_constraint() {
        assert_eq!(split_identifier("r.io:5000/a/b"), ("r.io:5000/a/b", ""));
        assert_eq!(
            split_identifier("r.io:5000/a/b:~1.2"),
            ("r.io:5000/a/b", "~1.2")
        );
        assert_eq!(split_identifier("nginx:>=1.2 <2"), ("nginx", ">=1.2 <2"));
    }
}
