//! Where a new tag is written: into the Application, or into files of a repository, and in which words.

use super::settings::{ImageRule, Keys, Manifest};
use crate::domain::object::Text;
use std::fmt::Write as _;

/// Who is told of the new tag.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub enum Method {
    /// The Application's own spec, through the API server.
    #[default]
    ArgoCd,
    /// A commit.
    Git,
}

/// Which file a commit changes.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub enum FileTarget {
    /// `.argocd-source-APPLICATION.yaml`, which Argo CD merges into the source.
    #[default]
    Source,
    /// The kustomization in a folder; empty for the source's own.
    Kustomization(Text),
    /// A file of Helm values; empty for `values.yaml` in the source's folder.
    HelmValues(Text),
}

/// From which branch, and to which.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub struct Branches {
    /// Empty: the branch that the Application follows.
    pub base: Text,
    /// A template for another branch to push to; empty for none.
    pub push: Text,
}

/// How updates are written back.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub struct WriteBack {
    pub method: Method,
    /// What follows upon `git:`, such as `secret:argocd/git-creds`.
    pub credentials: Text,
    /// Empty: the Application's own repository.
    pub repository: Text,
    pub branches: Branches,
    pub target: FileTarget,
    /// The commit is to be offered as a pull request.
    pub pull_request: bool,
}

/// One image that is written with a new tag.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Written {
    pub alias: Text,
    /// Without tag.
    pub image: Text,
    pub old: Text,
    pub new: Text,
}

impl WriteBack {
    /// Reads the four settings; what is empty or unknown is as if it were not there.
    pub fn read(method: &str, repository: &str, branch: &str, target: &str) -> Self {
        let (word, credentials) = method.split_once(':').unwrap_or((method, ""));
        let (base, push) = branch.split_once(':').unwrap_or((branch, ""));
        let (form, path) = target.split_once(':').unwrap_or((target, ""));
        Self {
            method: if word == "git" {
                Method::Git
            } else {
                Method::ArgoCd
            },
            credentials: credentials.into(),
            repository: repository.into(),
            branches: Branches {
                base: base.into(),
                push: push.into(),
            },
            target: match form {
                "kustomization" => FileTarget::Kustomization(path.into()),
                "helmvalues" => FileTarget::HelmValues(path.into()),
                _ => FileTarget::Source,
            },
            pull_request: false,
        }
    }

    /// Returns it in a few words: `argocd`, `git main → kustomization`.
    pub fn text(&self) -> String {
        if self.method == Method::ArgoCd {
            return String::from("argocd");
        }
        let mut text = String::from("git");
        let branch = if self.branches.push.is_empty() {
            &self.branches.base
        } else {
            &self.branches.push
        };
        if !branch.is_empty() {
            text = format!("{text} {branch}");
        }
        match &self.target {
            FileTarget::Source => text,
            FileTarget::Kustomization(path) => format!("{text} kustomization {path}"),
            FileTarget::HelmValues(path) => format!("{text} helmvalues {path}"),
        }
        .trim_end()
        .to_owned()
    }

    /// Returns the file that a commit changes, from the repository's root. For a kustomization it
    /// is the folder.
    pub fn path(&self, source_path: &str, application: &str) -> String {
        let source = source_path.trim_matches('/');
        match &self.target {
            FileTarget::Source => joined(source, &format!(".argocd-source-{application}.yaml")),
            FileTarget::HelmValues(path) if path.is_empty() => joined(source, "values.yaml"),
            FileTarget::Kustomization(path) | FileTarget::HelmValues(path) => joined(source, path),
        }
    }
}

/// Joins paths; one that begins with a slash counts from the root.
fn joined(folder: &str, path: &str) -> String {
    let mut parts: Vec<&str> = Vec::new();
    let from = if path.starts_with('/') { "" } else { folder };
    for part in from.split('/').chain(path.split('/')) {
        match part {
            "" | "." => {}
            ".." => drop(parts.pop()),
            part => parts.push(part),
        }
    }
    parts.join("/")
}

impl Branches {
    /// Returns the branch to push to, of a template in Go's manner: `{{.AppName}}`, `{{.SHA256}}`
    /// and `{{range .Images}}…{{end}}` with `.Name`, `.Alias`, `.OldTag`, `.NewTag` are known.
    pub fn push_to(&self, application: &str, changes: &[Written], sha: &str) -> String {
        let mut text = self.push.to_string();
        while let Some((before, rest)) = split_range(&text) {
            let Some((body, after)) = split_end(&rest) else {
                break;
            };
            let mut all = String::new();
            for one in changes {
                let name = one.image.rsplit('/').next().unwrap_or_default();
                let filled = fill(&body, "Name", name);
                let filled = fill(&filled, "Alias", &one.alias);
                let filled = fill(&filled, "OldTag", &one.old);
                all.push_str(&fill(&filled, "NewTag", &one.new));
            }
            text = format!("{before}{all}{after}");
        }
        let text = fill(&text, "AppName", application);
        fill(&text, "SHA256", sha)
    }
}

fn split_range(text: &str) -> Option<(String, String)> {
    let (before, rest) = text.split_once("{{")?;
    let (inside, after) = rest.split_once("}}")?;
    if inside.trim().trim_matches('-').trim() == "range .Images" {
        return Some((before.to_owned(), after.to_owned()));
    }
    let (deeper, rest) = split_range(after)?;
    Some((format!("{before}{{{{{inside}}}}}{deeper}"), rest))
}

fn split_end(text: &str) -> Option<(String, String)> {
    let ends = [
        "{{end}}",
        "{{ end }}",
        "{{- end }}",
        "{{- end -}}",
        "{{end -}}",
    ];
    let found = ends.iter().find_map(|end| text.split_once(end))?;
    Some((found.0.to_owned(), found.1.to_owned()))
}

fn fill(text: &str, field: &str, value: &str) -> String {
    text.replace(&format!("{{{{.{field}}}}}"), value)
        .replace(&format!("{{{{ .{field} }}}}"), value)
}

/// Returns the words of a commit.
pub fn commit_message(application: &str, changes: &[Written]) -> String {
    let mut text = format!("build: automatic update of {application}\n\n");
    for one in changes {
        // Writing into a String cannot be refused.
        let _written = writeln!(
            text,
            "updates image {} tag '{}' to '{}'",
            one.image, one.old, one.new
        )
        .is_ok();
    }
    text
}

/// Returns the entry of `kustomize.images` that sets an image.
pub fn kustomize_image(rule: &ImageRule, new: &str) -> String {
    let separator = if new.starts_with("sha256:") { '@' } else { ':' };
    let full = format!("{}{separator}{new}", rule.image);
    match &rule.manifest {
        Manifest::Kustomize { name } => format!("{name}={full}"),
        Manifest::Plain | Manifest::Helm(_) | Manifest::Plugin(_) => full,
    }
}

/// Puts an entry in place of the one for the same image, or at the end.
pub fn merge_kustomize_image(entries: &mut Vec<String>, new: String) {
    let own = kustomize_name(&new).to_owned();
    match entries.iter_mut().find(|one| kustomize_name(one) == own) {
        Some(known) => *known = new,
        None => entries.push(new),
    }
}

/// Returns which image of the manifests an entry is about.
fn kustomize_name(entry: &str) -> &str {
    let name = entry.split_once('=').map_or(entry, |(name, _)| name);
    let name = name.split_once('@').map_or(name, |(name, _)| name);
    super::settings::split_identifier(name).0
}

/// One parameter of a Helm chart, or one variable of a plugin's environment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Parameter {
    pub name: Text,
    pub value: Text,
}

/// Returns the parameters that set an image: `image.name` and `image.tag` where nothing else is said.
pub fn parameters(rule: &ImageRule, new: &str) -> Vec<Parameter> {
    let parameter = |name: &str, value: &str| Parameter {
        name: name.into(),
        value: value.into(),
    };
    let keys = match &rule.manifest {
        Manifest::Helm(keys) | Manifest::Plugin(keys) if *keys != Keys::default() => keys.clone(),
        Manifest::Helm(_) | Manifest::Plugin(_) | Manifest::Plain | Manifest::Kustomize { .. } => {
            Keys {
                name: "image.name".into(),
                tag: "image.tag".into(),
                spec: "".into(),
            }
        }
    };
    if !keys.spec.is_empty() {
        return vec![parameter(&keys.spec, &format!("{}:{new}", rule.image))];
    }
    let both = [(&keys.name, &*rule.image), (&keys.tag, new)];
    let set = both.into_iter().filter(|(name, _)| !name.is_empty());
    set.map(|(name, value)| parameter(name, value)).collect()
}

#[cfg(test)]
mod tests {
    use super::super::rules::Policy;
    use super::*;

    fn rule(manifest: Manifest) -> ImageRule {
        ImageRule {
            alias: "web".into(),
            image: "r.io/shop/web".into(),
            policy: Policy::default(),
            force: false,
            pull_secret: "".into(),
            verify: false,
            manifest,
        }
    }

    fn written() -> Written {
        Written {
            alias: "web".into(),
            image: "r.io/shop/web".into(),
            old: "1.0.0".into(),
            new: "1.1.0".into(),
        }
    }

    #[test]
    fn files_are_found_from_the_source() {
        let read = |target: &str| WriteBack::read("git", "", "", target);
        for (target, path) in [
            ("", "overlays/dev/.argocd-source-web-dev.yaml"),
            ("argocd", "overlays/dev/.argocd-source-web-dev.yaml"),
            ("kustomization", "overlays/dev"),
            ("kustomization:../prod", "overlays/prod"),
            ("kustomization:/base", "base"),
            ("helmvalues", "overlays/dev/values.yaml"),
            ("helmvalues:./helm/dev.yaml", "overlays/dev/helm/dev.yaml"),
        ] {
            assert_eq!(
                read(target).path("overlays/dev/", "web-dev"),
                path,
                "{target}"
            );
        }
        assert_eq!(read("").path(".", "web"), ".argocd-source-web.yaml");
    }

    #[test]
    fn a_way_back_is_told_in_few_words() {
        assert_eq!(WriteBack::default().text(), "argocd");
        let git = WriteBack::read("git:repocreds", "", "main", "kustomization");
        assert_eq!(git.text(), "git main kustomization");
    }

    #[test]
    fn branches_are_named_by_template() {
        let branches = |push: &str| Branches {
            base: "main".into(),
            push: push.into(),
        };
        let named = |push: &str| branches(push).push_to("shop", &[written()], "abc");
        assert_eq!(
            named("image-updater{{range .Images}}-{{.Name}}-{{.NewTag}}{{end}}"),
            "image-updater-web-1.1.0"
        );
        assert_eq!(named("bot/{{.AppName}}-{{ .SHA256 }}"), "bot/shop-abc");
        assert_eq!(
            named("{{.AppName}}{{range .Images}}/{{.Alias}}{{end}}"),
            "shop/web"
        );
        assert_eq!(named("updates"), "updates");
    }

    #[test]
    fn commits_say_what_they_change() {
        assert_eq!(
            commit_message("shop", &[written()]),
            "build: automatic update of shop\n\nupdates image r.io/shop/web tag '1.0.0' to '1.1.0'\n"
        );
    }

    #[test]
    fn entries_of_kustomize_replace_those_of_the_same_image() {
        let mut entries = vec![
            "r.io/shop/web:1.0.0".to_owned(),
            "db=postgres:16".to_owned(),
        ];
        merge_kustomize_image(
            &mut entries,
            kustomize_image(&rule(Manifest::Plain), "1.1.0"),
        );
        let db = Manifest::Kustomize { name: "db".into() };
        merge_kustomize_image(&mut entries, kustomize_image(&rule(db), "2"));
        let digest = kustomize_image(&rule(Manifest::Plain), "main@sha256:1");
        assert_eq!(entries, ["r.io/shop/web:1.1.0", "db=r.io/shop/web:2"]);
        merge_kustomize_image(&mut entries, digest);
        assert_eq!(
            entries.first().map(String::as_str),
            Some("r.io/shop/web:main@sha256:1")
        );
    }

    #[test]
    fn helm_has_name_and_tag_or_one_key() {
        let keys = |name: &str, tag: &str, spec: &str| {
            Manifest::Helm(Keys {
                name: name.into(),
                tag: tag.into(),
                spec: spec.into(),
            })
        };
        let set = |manifest| {
            let found = parameters(&rule(manifest), "1.1.0").into_iter();
            found
                .map(|one| format!("{}={}", one.name, one.value))
                .collect::<Vec<_>>()
                .join(" ")
        };
        assert_eq!(
            set(Manifest::Plain),
            "image.name=r.io/shop/web image.tag=1.1.0"
        );
        assert_eq!(set(keys("", "web.tag", "")), "web.tag=1.1.0");
        assert_eq!(
            set(keys("a", "b", "web.image")),
            "web.image=r.io/shop/web:1.1.0"
        );
    }
}
