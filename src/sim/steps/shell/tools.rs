//! The tools of pipelines: git, image builders, kustomize, test runners.
//!
//! What they change outside of the pod becomes an effect: a clone is checked, a push of an image
//! makes it available, and a `git push` commits the images that were set before it.

use super::Shell;
use crate::sim::kubelet::image::digest_of;
use crate::sim::steps::Effect;

/// A repository that the script has cloned.
#[derive(Clone, Debug, Default)]
pub(super) struct Clone {
    folder: String,
    repository: String,
    branch: String,
    commit: String,
    message: String,
    /// Files, and the image that each names from now on.
    images: Vec<(String, String)>,
}

impl Shell<'_> {
    pub(super) fn tool(&mut self, name: &str, words: &[&str]) -> i32 {
        match name {
            "git" => self.git(words),
            "git-init" => {
                let url = flag(words, "-url").unwrap_or_default();
                let path = flag(words, "-path").unwrap_or_else(|| ".".to_owned());
                let revision = flag(words, "-revision").unwrap_or_default();
                self.clone_to(&url, &path, &revision);
                0
            }
            "sed" => self.sed(words),
            "yq" => self.yq(words),
            "kustomize" => self.kustomize(words),
            "docker" | "podman" | "buildah" | "nerdctl" => self.docker(words),
            "executor" | "kaniko" => {
                match flag(words, "--destination") {
                    Some(image) => self.push(&image),
                    None => return 1,
                }
                self.seconds += 20.0;
                0
            }
            "crane" | "skopeo" => {
                if let (Some(&("push" | "copy")), Some(image)) = (words.first(), words.last()) {
                    self.push(image.trim_start_matches("docker://"));
                }
                self.unknown()
            }
            "npm" | "yarn" | "pnpm" | "go" | "cargo" | "mvn" | "gradle" | "make" | "pytest"
            | "pip" | "apk" | "apt-get" | "bundle" | "dotnet" => {
                self.work(name, words);
                0
            }
            _ => self.stranger(name),
        }
    }

    fn work(&mut self, name: &str, words: &[&str]) {
        self.input = None;
        let is_test = name == "pytest" || words.contains(&"test");
        let is_install = words
            .iter()
            .any(|word| matches!(*word, "install" | "add" | "ci" | "mod" | "update"));
        self.seconds += match (is_test, is_install) {
            (true, _) => self.rng.between(5.0, 9.0),
            (_, true) => self.rng.between(2.0, 5.0),
            _ => self.rng.between(4.0, 8.0),
        };
        if is_test {
            let count = 12 + self.rng.below(30);
            self.print(&format!("{count} tests, {count} passed, 0 failed\n"));
        } else if is_install {
            let count = 40 + self.rng.below(200);
            self.print(&format!("{name}: {count} packages\n"));
        } else {
            self.print(&format!("{name} {}: done\n", words.join(" ")));
        }
    }

    fn git(&mut self, words: &[&str]) -> i32 {
        let mut words = words;
        while let Some((first, rest)) = words.split_first() {
            match *first {
                "-C" => {
                    self.folder = self.absolute(rest.first().unwrap_or(&"."));
                    words = rest.get(1..).unwrap_or_default();
                }
                "-c" => words = rest.get(1..).unwrap_or_default(),
                _ => break,
            }
        }
        let Some((verb, rest)) = words.split_first() else {
            return 1;
        };
        self.seconds += 0.2;
        match *verb {
            "clone" => return self.git_clone(rest),
            "checkout" | "switch" | "reset" => self.git_checkout(rest),
            "rev-parse" => {
                let commit = self
                    .here()
                    .map(|clone| clone.commit.clone())
                    .unwrap_or_default();
                let short = rest.iter().any(|word| word.starts_with("--short"));
                let shown: String = commit.chars().take(if short { 7 } else { 40 }).collect();
                self.print(&format!("{shown}\n"));
            }
            "commit" => {
                let message = flag(rest, "-m")
                    .or_else(|| flag(rest, "-am"))
                    .unwrap_or_default();
                if let Some(clone) = self.here() {
                    clone.message = message;
                }
            }
            "push" => self.git_push(rest),
            "diff" => {
                return i32::from(self.here().is_some_and(|clone| !clone.images.is_empty()));
            }
            _ => {}
        }
        0
    }

    fn git_clone(&mut self, rest: &[&str]) -> i32 {
        let branch = flag(rest, "-b")
            .or_else(|| flag(rest, "--branch"))
            .unwrap_or_default();
        let values: Vec<&&str> = rest
            .iter()
            .enumerate()
            .filter(|(at, word)| {
                let before = at.checked_sub(1).and_then(|at| rest.get(at));
                let is_value = before
                    .is_some_and(|flag| matches!(*flag, "-b" | "--branch" | "--depth" | "-o"));
                !word.starts_with('-') && !is_value
            })
            .map(|(_, word)| word)
            .collect();
        let Some(url) = values.first() else {
            return 128;
        };
        let name = url
            .trim_end_matches('/')
            .rsplit('/')
            .next()
            .unwrap_or_default();
        let name = name.trim_end_matches(".git");
        let folder = values.get(1).map_or(name, |folder| **folder);
        self.print(&format!("Cloning into '{folder}'...\n"));
        self.clone_to(url, folder, &branch);
        0
    }

    fn git_checkout(&mut self, words: &[&str]) {
        let revision = words.iter().rev().find(|word| !word.starts_with('-'));
        let Some((revision, clone)) = revision.zip(self.here()) else {
            return;
        };
        if is_commit(revision) {
            (*revision).clone_into(&mut clone.commit);
        } else {
            (*revision).clone_into(&mut clone.branch);
        }
    }

    fn clone_to(&mut self, url: &str, folder: &str, revision: &str) {
        let commit = if is_commit(revision) {
            revision.to_owned()
        } else {
            self.rng.hex(40)
        };
        self.seconds += self.rng.between(0.8, 2.0);
        self.make_folder(folder);
        let folder = self.absolute(folder);
        self.print(&format!(
            "Successfully cloned {url} @ {commit} in path {folder}\n"
        ));
        self.effects.push(Effect::Clone {
            repository: url.to_owned(),
            revision: revision.to_owned(),
        });
        self.clones.push(Clone {
            folder,
            repository: url.to_owned(),
            branch: if is_commit(revision) {
                String::new()
            } else {
                revision.to_owned()
            },
            commit,
            ..Clone::default()
        });
    }

    /// Returns the clone that the script is in.
    fn here(&mut self) -> Option<&mut Clone> {
        let folder = self.folder.clone();
        let inside = |clone: &&mut Clone| {
            folder == clone.folder
                || folder.starts_with(&format!("{}/", clone.folder.trim_end_matches('/')))
        };
        self.clones.iter_mut().rev().find(inside)
    }

    fn git_push(&mut self, words: &[&str]) {
        let target = words
            .iter()
            .rev()
            .find(|word| !word.starts_with('-') && **word != "origin");
        let target = target.map(|word| word.rsplit(':').next().unwrap_or(word).to_owned());
        let mut made = Vec::new();
        if let Some(clone) = self.here() {
            for (path, image) in std::mem::take(&mut clone.images) {
                let branch = target.clone().filter(|branch| branch != "HEAD");
                made.push(Effect::CommitImage {
                    repository: clone.repository.clone(),
                    branch: branch.unwrap_or_else(|| clone.branch.clone()),
                    path,
                    image,
                    message: clone.message.clone(),
                });
            }
        }
        self.effects.extend(made);
        self.seconds += 0.5;
    }

    /// Notes that a file of a clone names an image from now on.
    fn set_image(&mut self, path: &str, image: String) {
        let path = self.absolute(path);
        let folder = self.folder.clone();
        self.folder.clone_from(&path);
        if let Some(clone) = self.here() {
            let inside = path.strip_prefix(&clone.folder).unwrap_or(&path);
            clone
                .images
                .push((inside.trim_start_matches('/').to_owned(), image));
        }
        self.folder = folder;
    }

    fn sed(&mut self, words: &[&str]) -> i32 {
        let in_place = words.iter().any(|word| word.starts_with("-i"));
        let plain: Vec<&str> = words
            .iter()
            .filter(|word| !word.starts_with('-'))
            .copied()
            .collect();
        let Some((program, files)) = plain.split_first() else {
            return 1;
        };
        let Some((from, to, all)) = substitution(program) else {
            let text = self.input.take().unwrap_or_default();
            self.print(&text);
            return 0;
        };
        if in_place && files.iter().all(|file| !self.is_file(file)) {
            if let Some(image) = image_in(&to) {
                for file in files {
                    self.set_image(file, image.clone());
                }
            }
            return 0;
        }
        let replace = |text: &str| match regex::Regex::new(&from) {
            Ok(regex) if all => regex.replace_all(text, to.as_str()).into_owned(),
            Ok(regex) => text
                .split_inclusive('\n')
                .map(|line| regex.replace(line, to.as_str()).into_owned())
                .collect(),
            Err(_) => text.to_owned(),
        };
        if in_place {
            for file in files {
                let text = self.files_at(file).cloned().unwrap_or_default();
                self.write(file, replace(&text));
                if let Some(image) = image_in(&to) {
                    self.set_image(file, image);
                }
            }
            return 0;
        }
        let text = match self.input.take() {
            Some(text) => text,
            None => files
                .first()
                .and_then(|file| self.files_at(file).cloned())
                .unwrap_or_default(),
        };
        self.print(&replace(&text));
        0
    }

    fn yq(&mut self, words: &[&str]) -> i32 {
        let program = words
            .iter()
            .find(|word| word.contains("image") || word.contains("newTag"));
        let file = words.last().copied().unwrap_or_default();
        let value = program.and_then(|program| program.rsplit_once('='));
        if let Some(image) = value.and_then(|(_, value)| image_in(value)) {
            self.set_image(file, image);
        }
        0
    }

    fn kustomize(&mut self, words: &[&str]) -> i32 {
        if let ["edit", "set", "image", images @ ..] = words {
            for image in images {
                let reference = match image.split_once('=') {
                    Some((name, new)) if new.starts_with(':') => format!("{name}{new}"),
                    Some((_, new)) => new.to_owned(),
                    None => (*image).to_owned(),
                };
                self.set_image(".", reference);
            }
        }
        0
    }

    fn docker(&mut self, words: &[&str]) -> i32 {
        match words {
            ["build" | "buildx" | "bud" | "bake", rest @ ..] => {
                self.seconds += self.rng.between(12.0, 20.0);
                let tag = flag(rest, "-t")
                    .or_else(|| flag(rest, "--tag"))
                    .unwrap_or_default();
                self.print(&format!("naming to {tag} done\n"));
                if rest.contains(&"--push") {
                    self.push(&tag);
                }
                0
            }
            ["push", rest @ ..] => {
                if let Some(image) = rest.iter().find(|word| !word.starts_with('-')) {
                    self.push(image);
                }
                0
            }
            _ => self.unknown(),
        }
    }

    fn push(&mut self, image: &str) {
        self.seconds += self.rng.between(1.5, 3.0);
        self.print(&format!("pushed {image} digest: {}\n", digest_of(image)));
        self.effects.push(Effect::PushImage {
            reference: image.to_owned(),
        });
    }
}

fn is_commit(revision: &str) -> bool {
    revision.len() == 40 && revision.bytes().all(|byte| byte.is_ascii_hexdigit())
}

fn flag(words: &[&str], name: &str) -> Option<String> {
    let mut words = words.iter();
    while let Some(word) = words.next() {
        if *word == name {
            return words.next().map(|value| (*value).to_owned());
        }
        if let Some(value) = word
            .strip_prefix(name)
            .and_then(|rest| rest.strip_prefix('='))
        {
            return Some(value.to_owned());
        }
    }
    None
}

/// Reads `s|from|to|g` into what it looks for, what it puts there, and whether everywhere.
fn substitution(program: &str) -> Option<(String, String, bool)> {
    let rest = program.strip_prefix('s')?;
    let mark = rest.chars().next()?;
    let mut parts = rest.split(mark).skip(1);
    let (from, to) = (parts.next()?, parts.next()?);
    let to = to
        .replace('$', "$$")
        .replace("\\1", "$1")
        .replace('&', "$0");
    Some((
        from.to_owned(),
        to,
        parts.next().is_some_and(|flags| flags.contains('g')),
    ))
}

/// Returns the image that a replacement such as `image: host/app:1` names.
fn image_in(text: &str) -> Option<String> {
    let text = text.trim().trim_matches(['"', '\'']);
    let text = text.rsplit_once("image:").map_or(text, |(_, image)| image);
    let text = text.trim().trim_matches(['"', '\'']);
    let has_tag = text
        .rsplit_once(':')
        .is_some_and(|(name, tag)| !name.is_empty() && !tag.contains('/'));
    (has_tag && !text.contains(char::is_whitespace)).then(|| text.to_owned())
}
