//! Reads kubeconfig files, all of them, and tells every mistake with its file.
//!
//! A file that cannot be read costs what is in it and nothing else. The first file that defines a
//! name wins, as in `kubectl`.

use crate::domain::finding::{Finding, Severity};
use crate::domain::object::Text;
use crate::engine::protocol::ContextInfo;
use kube::config::Kubeconfig;
use std::collections::HashSet;
use std::path::{Path, PathBuf};

/// The merged kubeconfig and what is wrong with its files.
#[derive(Clone, Debug, Default)]
pub(super) struct Read {
    pub(super) config: Kubeconfig,
    pub(super) findings: Vec<Finding>,
    /// Files that were there.
    pub(super) files: Vec<PathBuf>,
}

impl Read {
    /// Reads the files in their order; `explicit` ones must exist.
    pub(super) fn files(paths: &[PathBuf], explicit: bool) -> Self {
        let mut read = Self::default();
        for path in paths {
            match Kubeconfig::read_from(path) {
                Ok(config) => {
                    read.check(path, &config);
                    read.files.push(path.clone());
                    read.merge(path, config);
                }
                Err(kube::config::KubeconfigError::ReadConfig(error, _))
                    if error.kind() == std::io::ErrorKind::NotFound && !explicit => {}
                Err(error) => read.say(
                    path,
                    &innermost(&error),
                    "correct the file, or take it out of `KUBECONFIG`",
                ),
            }
        }
        read.check_references();
        read
    }

    fn say(&mut self, path: &Path, what: &str, hint: &str) {
        let sentence = format!("{}: {what}", path.display());
        let finding = Finding::new(Severity::Error, sentence).with_hint(hint);
        self.findings.push(finding);
    }

    fn merge(&mut self, path: &Path, config: Kubeconfig) {
        let before = self.config.clone();
        match std::mem::take(&mut self.config).merge(config) {
            Ok(merged) => self.config = merged,
            Err(error) => {
                self.config = before;
                self.say(path, &error.to_string(), "correct `kind` and `apiVersion`");
            }
        }
    }

    /// Tells names that one file defines twice, and credential files that are not there.
    fn check(&mut self, path: &Path, config: &Kubeconfig) {
        let mut said = Vec::new();
        let contexts = config.contexts.iter().map(|one| ("context", &one.name));
        let clusters = config.clusters.iter().map(|one| ("cluster", &one.name));
        let users = config.auth_infos.iter().map(|one| ("user", &one.name));
        let mut seen = HashSet::new();
        for (what, name) in contexts.chain(clusters).chain(users) {
            if !seen.insert((what, name)) {
                said.push(format!(
                    "the {what} `{name}` is there twice; the first one counts"
                ));
            }
        }
        for cluster in &config.clusters {
            let file = cluster
                .cluster
                .as_ref()
                .and_then(|one| one.certificate_authority.as_ref());
            said.extend(missing("cluster", &cluster.name, file));
        }
        for user in &config.auth_infos {
            let Some(info) = &user.auth_info else {
                continue;
            };
            for file in [&info.client_certificate, &info.client_key, &info.token_file] {
                said.extend(missing("user", &user.name, file.as_ref()));
            }
        }
        for what in said {
            self.say(path, &what, "correct the kubeconfig");
        }
    }

    /// Tells contexts that name a cluster or user which no file defines.
    fn check_references(&mut self) {
        let files = self.files.iter().map(|file| file.display().to_string());
        let files = files.collect::<Vec<_>>().join(", ");
        let mut said = Vec::new();
        for named in &self.config.contexts {
            let name = &named.name;
            let Some(context) = &named.context else {
                said.push(format!("the context `{name}` is empty"));
                continue;
            };
            if !self
                .config
                .clusters
                .iter()
                .any(|one| one.name == context.cluster)
            {
                let cluster = &context.cluster;
                said.push(format!(
                    "the context `{name}` names the cluster `{cluster}`, which is not there"
                ));
            }
            let user = context.user.as_deref().unwrap_or_default();
            if !user.is_empty() && !self.config.auth_infos.iter().any(|one| one.name == user) {
                said.push(format!(
                    "the context `{name}` names the user `{user}`, which is not there"
                ));
            }
        }
        if let Some(current) = self
            .config
            .current_context
            .as_deref()
            .filter(|name| !name.is_empty())
            && !self.config.contexts.iter().any(|one| one.name == current)
        {
            said.push(format!(
                "`current-context` is `{current}`, which is not there"
            ));
        }
        for what in said {
            let finding = Finding::new(Severity::Error, format!("{files}: {what}"));
            self.findings
                .push(finding.with_hint("correct the kubeconfig"));
        }
    }

    /// Returns the name of the context to use when none is asked for.
    pub(super) fn current(&self) -> Option<&str> {
        let named = self.config.current_context.as_deref();
        named.filter(|name| !name.is_empty())
    }

    /// Lists the contexts in the order of the files.
    pub(super) fn contexts(&self, current: Option<&str>) -> Vec<ContextInfo> {
        let contexts = self.config.contexts.iter();
        contexts
            .filter_map(|named| self.context(&named.name, current))
            .collect()
    }

    pub(super) fn context(&self, name: &str, current: Option<&str>) -> Option<ContextInfo> {
        let named = self.config.contexts.iter().find(|one| one.name == name)?;
        let context = named.context.clone().unwrap_or_default();
        let cluster = self
            .config
            .clusters
            .iter()
            .find(|one| one.name == context.cluster)
            .and_then(|one| one.cluster.as_ref());
        let server = cluster.and_then(|one| one.server.as_deref());
        Some(ContextInfo {
            name: name.into(),
            server: server.unwrap_or_default().into(),
            cluster: context.cluster.into(),
            user: context.user.unwrap_or_default().into(),
            namespace: Text::from(context.namespace.unwrap_or_default()),
            current: current == Some(name),
        })
    }
}

fn missing(what: &str, name: &str, file: Option<&String>) -> Option<String> {
    let file = file.filter(|file| !file.is_empty() && !Path::new(file).exists())?;
    Some(format!(
        "the {what} `{name}` needs the file `{file}`, which is not there"
    ))
}

/// Returns the last cause: the outer ones repeat it or say less.
pub(super) fn innermost(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut next = error.source();
    while let Some(cause) = next {
        text = cause.to_string();
        next = cause.source();
    }
    text.lines().next().unwrap_or_default().to_owned()
}

#[cfg(test)]
#[allow(
    clippy::expect_used,
    reason = "a test stops at the first thing that is not as it should"
)]
mod tests {
    use super::*;

    fn write(folder: &Path, name: &str, text: &str) -> PathBuf {
        let path = folder.join(name);
        std::fs::write(&path, text).expect("the file is written");
        path
    }

    #[test]
    fn every_mistake_is_told_with_its_file_and_the_rest_still_counts() {
        let folder = tempfile::tempdir().expect("a folder");
        let good = write(
            folder.path(),
            "good",
            "current-context: gone\ncontexts:\n- {name: a, context: {cluster: c, user: nobody}}\n\
             - {name: b, context: {cluster: nowhere}}\nclusters:\n- {name: c, cluster: {server: https://x, certificate-authority: /no/ca}}\n",
        );
        let broken = write(folder.path(), "broken", "contexts: [}");
        let missing = folder.path().join("missing");

        let read = Read::files(&[broken.clone(), good, missing], false);

        let told: Vec<_> = read
            .findings
            .iter()
            .map(|one| one.sentence.to_string())
            .collect();
        assert_eq!(told.len(), 5, "{told:#?}");
        assert!(told[0].starts_with(&broken.display().to_string()));
        for part in ["`/no/ca`", "user `nobody`", "cluster `nowhere`", "`gone`"] {
            assert!(
                told.iter().any(|one| one.contains(part)),
                "{part}: {told:#?}"
            );
        }
        let contexts = read.contexts(read.current());
        assert_eq!(contexts.len(), 2);
        assert_eq!(&*contexts[0].server, "https://x");
    }

    #[test]
    fn an_explicit_file_that_is_not_there_is_a_mistake() {
        let read = Read::files(&[PathBuf::from("/no/kubeconfig")], true);

        assert_eq!(read.findings.len(), 1);
    }
}
