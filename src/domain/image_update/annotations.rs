//! Settings in annotations of an Application (`pkg/argocd/annotations.go`).

use super::settings::{ImageRule, Keys, Manifest, Settings, split_identifier};
use super::write_back::WriteBack;
use crate::domain::object::Text;

/// What all keys begin with.
pub const ANNOTATION_PREFIX: &str = "argocd-image-updater.argoproj.io/";

/// Reads the rules in annotations; an Application without `image-list` has none.
pub fn from_annotations<'a>(
    annotation: impl Fn(&str) -> Option<&'a str>,
) -> (Vec<ImageRule>, WriteBack) {
    let value = |key: &str| annotation(&format!("{ANNOTATION_PREFIX}{key}")).map(str::trim);
    let list = value("image-list").unwrap_or_default();
    let all = settings(&value, "");
    let rules = list
        .split(',')
        .map(str::trim)
        .filter(|one| !one.is_empty())
        .map(|one| rule(&value, one, &all))
        .collect();
    let write_back = WriteBack::read(
        value("write-back-method").unwrap_or_default(),
        value("git-repository").unwrap_or_default(),
        value("git-branch").unwrap_or_default(),
        value("write-back-target").unwrap_or_default(),
    );
    (rules, write_back)
}

fn rule<'a>(
    value: &impl Fn(&str) -> Option<&'a str>,
    identifier: &str,
    all: &Settings,
) -> ImageRule {
    let (alias, image) = match identifier.split_once('=') {
        // A constraint may have a `=` too.
        Some((alias, image)) if !alias.contains([':', '<', '>', '!']) => (alias.trim(), image),
        Some(_) | None => ("", identifier),
    };
    let (image, constraint) = split_identifier(image);
    // Upstream writes an alias with `_` for what keys cannot hold.
    let prefix = alias.replace('/', "_");
    let own = if prefix.is_empty() {
        Settings::default()
    } else {
        settings(value, &format!("{prefix}."))
    };
    let own = own.over(all);
    let key = |name: &str| -> Text {
        let found = (!prefix.is_empty()).then(|| value(&format!("{prefix}.{name}")));
        found.flatten().unwrap_or_default().into()
    };
    let keys = Keys {
        name: key("helm.image-name"),
        tag: key("helm.image-tag"),
        spec: key("helm.image-spec"),
    };
    let name = key("kustomize.image-name");
    let manifest = if !name.is_empty() {
        Manifest::Kustomize { name }
    } else if keys != Keys::default() {
        Manifest::Helm(keys)
    } else {
        Manifest::Plain
    };
    ImageRule {
        alias: alias.into(),
        image: image.into(),
        policy: own.policy(constraint),
        force: own.force.unwrap_or_default(),
        pull_secret: own.pull_secret.unwrap_or_default(),
        verify: own.verify.unwrap_or_default(),
        manifest,
    }
}

fn settings<'a>(value: &impl Fn(&str) -> Option<&'a str>, prefix: &str) -> Settings {
    let text = |key: &str| value(&format!("{prefix}{key}")).filter(|text| !text.is_empty());
    let list = |key: &str| {
        let parts = text(key)?.split(',').map(str::trim);
        let parts = parts.filter(|part| !part.is_empty()).map(Text::from);
        Some(parts.collect::<Vec<Text>>())
    };
    Settings {
        strategy: text("update-strategy").map(Text::from),
        force: text("force-update").map(|word| word.eq_ignore_ascii_case("true")),
        allow: text("allow-tags").map(Text::from),
        ignore: list("ignore-tags"),
        pull_secret: text("pull-secret").map(Text::from),
        platforms: list("platforms"),
        verify: None,
    }
}

#[cfg(test)]
mod tests {
    use super::super::rules::Strategy;
    use super::super::write_back::{FileTarget, Method};
    use super::*;

    fn read(pairs: &[(&str, &str)]) -> (Vec<ImageRule>, WriteBack) {
        from_annotations(|key| {
            let key = key.strip_prefix(ANNOTATION_PREFIX).unwrap_or_default();
            pairs
                .iter()
                .find(|(own, _)| *own == key)
                .map(|(_, value)| *value)
        })
    }

    #[test]
    fn images_have_aliases_constraints_and_settings() {
        let (rules, write_back) = read(&[
            (
                "image-list",
                "web=r.io/shop/web:~1.2, nginx:>=1.20, r.io:5000/a/b",
            ),
            ("update-strategy", "latest"),
            ("web.update-strategy", "semver"),
            ("web.allow-tags", "regexp:^1"),
            ("web.ignore-tags", "*-rc, *-beta"),
            ("web.kustomize.image-name", "web"),
            ("web.platforms", "linux/amd64,linux/arm64"),
            ("write-back-method", "git:secret:argocd/git-creds"),
            ("git-branch", "main:image-updates"),
            ("write-back-target", "kustomization:../base"),
        ]);

        let [web, nginx, other] = rules.as_slice() else {
            panic!("three images: {rules:?}")
        };
        assert_eq!((&*web.alias, &*web.image), ("web", "r.io/shop/web"));
        assert_eq!(&*web.policy.constraint, "~1.2");
        assert_eq!(web.policy.strategy, Strategy::Semver);
        assert_eq!(web.policy.ignore.len(), 2);
        assert_eq!(web.policy.platforms.len(), 2);
        assert_eq!(web.manifest, Manifest::Kustomize { name: "web".into() });
        assert_eq!((&*nginx.alias, &*nginx.policy.constraint), ("", ">=1.20"));
        assert_eq!(nginx.policy.strategy, Strategy::NewestBuild);
        assert_eq!(&*other.image, "r.io:5000/a/b");
        assert_eq!(write_back.method, Method::Git);
        assert_eq!(&*write_back.credentials, "secret:argocd/git-creds");
        assert_eq!(
            write_back.target,
            FileTarget::Kustomization("../base".into())
        );
    }

    #[test]
    fn without_a_list_nothing_is_updated() {
        let (rules, write_back) = read(&[("update-strategy", "semver")]);
        assert!(rules.is_empty());
        assert_eq!(write_back.method, Method::ArgoCd);
    }
}
