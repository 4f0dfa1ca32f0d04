//! What steps of pipelines really do to the platform: images into its registry, commits into its
//! repositories.
//!
//! A repository or registry elsewhere is left alone, and the step says so.

mod mentions;

use super::{GIT_URL, registry};
use crate::sim::git::{Author, GitError, GitServer, NewCommit, Sha, repository_path};
use crate::sim::harbor::Harbor;
use crate::sim::harbor::nodes::CI;
use crate::sim::kubelet::image::ImageCatalog;
use crate::sim::registry::image::Built;
use crate::sim::steps::{Doer, Effect, Effects};
use futures::future::BoxFuture;
use std::collections::HashMap;
use std::sync::{Arc, PoisonError, RwLock};

type Said = Result<Vec<String>, String>;

/// Carries out what steps do, on the platform's git server and in its registries.
#[derive(Debug)]
pub(super) struct PlatformEffects {
    git: GitServer,
    images: Arc<ImageCatalog>,
    harbor: Option<Harbor>,
    /// Images that steps have built and not pushed yet.
    built: Arc<RwLock<HashMap<String, Built>>>,
    /// Two pipelines must not overwrite each other's change of one file.
    committing: Arc<tokio::sync::Mutex<()>>,
}

impl PlatformEffects {
    pub(super) fn new(git: GitServer, images: Arc<ImageCatalog>, harbor: Option<Harbor>) -> Self {
        Self {
            git,
            images,
            harbor,
            built: Arc::default(),
            committing: Arc::default(),
        }
    }
}

impl Effects for PlatformEffects {
    fn carry_out(&self, effect: Effect, doer: Doer) -> BoxFuture<'static, Said> {
        tracing::debug!(%effect, pod = doer.pod, namespace = doer.namespace, "a step has an effect");
        let git = self.git.clone();
        match effect {
            Effect::PushImage { reference } => {
                let pushed = self.push(reference);
                Box::pin(std::future::ready(pushed.map(|()| Vec::new())))
            }
            Effect::Clone {
                repository,
                revision,
            } => Box::pin(aside(move || clone(&git, &repository, &revision))),
            Effect::CommitImage {
                repository,
                branch,
                path,
                image,
                message,
            } => {
                let turn = self.committing.clone();
                let change = Change {
                    repository,
                    branch,
                    path,
                    image,
                    message,
                };
                Box::pin(async move {
                    let _turn = turn.lock().await;
                    aside(move || change.commit(&git)).await
                })
            }
        }
    }

    fn digest_of(&self, reference: &str) -> Option<String> {
        let harbor = self.harbor.as_ref()?;
        let labels = registry::labels(&self.git, reference);
        let built = harbor.build(reference, labels)?;
        let digest = built.digest().to_owned();
        let mut waiting = self.built.write().unwrap_or_else(PoisonError::into_inner);
        waiting.insert(reference.to_owned(), built);
        Some(digest)
    }
}

impl PlatformEffects {
    /// Pushes what was built; the error is the line that the step fails with.
    fn push(&self, reference: String) -> Result<(), String> {
        let Some(harbor) = &self.harbor else {
            self.images.add(reference);
            return Ok(());
        };
        let waiting = {
            let mut waiting = self.built.write().unwrap_or_else(PoisonError::into_inner);
            waiting.remove(&reference)
        };
        let labels = || registry::labels(&self.git, &reference);
        match waiting.or_else(|| harbor.build(&reference, labels())) {
            Some(built) => harbor.push_as(&reference, &built, CI),
            // A registry elsewhere is left alone.
            None => Ok(()),
        }
    }
}

/// Runs what reads and writes files apart from the tasks that must not wait.
async fn aside(work: impl FnOnce() -> Said + Send + 'static) -> Said {
    match tokio::task::spawn_blocking(work).await {
        Ok(said) => said,
        Err(error) => Err(format!("fatal: {error}")),
    }
}

/// A repository that is not on this platform's git server is somebody else's.
fn is_elsewhere(git: &GitServer, repository: &str) -> bool {
    let own = repository.starts_with(GIT_URL) || !repository.contains("://");
    !own && !git.exists(repository)
}

fn clone(git: &GitServer, repository: &str, revision: &str) -> Said {
    if is_elsewhere(git, repository) {
        return Ok(vec![format!(
            "note: {repository} is no repository of the embedded platform; nothing was read"
        )]);
    }
    let head = git.resolve(repository, revision);
    let head = head.map_err(|error| refusal(&error, repository, revision))?;
    let commit = git.commit(repository, &head);
    let commit = commit.map_err(|error| refusal(&error, repository, revision))?;
    let subject = commit.message.lines().next().unwrap_or_default();
    Ok(vec![format!("HEAD is now at {} {subject}", short(&head))])
}

fn refusal(error: &GitError, repository: &str, revision: &str) -> String {
    match error {
        GitError::UnknownRepository { .. } => format!("fatal: repository '{repository}' not found"),
        GitError::UnknownRevision { .. } => {
            format!("fatal: Remote branch {revision} not found in upstream origin")
        }
        GitError::BadName(_)
        | GitError::Exists(_)
        | GitError::Refused { .. }
        | GitError::Git { .. }
        | GitError::Folder { .. } => format!("fatal: {error}"),
    }
}

fn short(sha: &Sha) -> String {
    sha.as_str().chars().take(7).collect()
}

/// The manifests are to name another image.
struct Change {
    repository: String,
    branch: String,
    path: String,
    image: String,
    message: String,
}

impl Change {
    fn commit(&self, git: &GitServer) -> Said {
        if is_elsewhere(git, &self.repository) {
            return Err(format!(
                "fatal: {} is no repository of the embedded platform; nothing was committed",
                self.repository
            ));
        }
        let refused = |error: GitError| refusal(&error, &self.repository, &self.branch);
        let head = git.resolve(&self.repository, &self.branch);
        let tree = git.tree(&self.repository, &head.map_err(refused)?);
        let tree = tree.map_err(refused)?;
        let name = mentions::name_of(&self.image);
        let found = mentions::find(&*tree, self.path.trim_matches('/'), &self.image);
        if found.mentioned == 0 {
            let place = if self.path.is_empty() {
                "."
            } else {
                &self.path
            };
            return Err(format!(
                "error: no manifest in {place} of {} names the image {name}",
                self.repository
            ));
        }
        if found.changed.is_empty() {
            return Ok(vec!["nothing to commit, working tree clean".to_owned()]);
        }
        let message = if self.message.is_empty() {
            let tag = self.image.rsplit(':').next().unwrap_or_default();
            let short = name.rsplit('/').next().unwrap_or_default();
            format!("Release {short} {tag}")
        } else {
            self.message.clone()
        };
        let author = Author::new("ci-bot", "ci@shop.example");
        let mut commit = NewCommit::new(author, format!("{message}\n"));
        commit.branch = match self.branch.as_str() {
            "" => git
                .default_branch(&self.repository)
                .unwrap_or(commit.branch),
            branch => branch.to_owned(),
        };
        let count = found.changed.len();
        for (file, text) in found.changed {
            commit = commit.write(file, text);
        }
        let sha = git
            .commit_files(&self.repository, &commit)
            .map_err(refused)?;
        let noun = if count == 1 { "file" } else { "files" };
        Ok(vec![
            format!("[{} {}] {message}", commit.branch, short(&sha)),
            format!(" {count} {noun} changed"),
            format!("To {GIT_URL}/{}.git", repository_path(&self.repository)),
        ])
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sim::clock::PlatformClock;
    use crate::sim::harbor::shape::{ProjectShape, RegistryFault, RegistryShape};
    use chrono::DateTime;

    #[tokio::test]
    async fn a_manifest_step_makes_a_commit_and_a_second_one_none() {
        let clock = PlatformClock::stepped(DateTime::UNIX_EPOCH);
        let git = GitServer::start(clock, None).expect("a git server");
        git.create("shop/manifests").expect("a repository");
        let first = NewCommit::new(Author::new("a", "a@b.example"), "first\n")
            .write("dev/app.yaml", "image: r.example/shop/app:1\n")
            .write("prod/app.yaml", "image: r.example/shop/app:1\n");
        git.commit_files("shop/manifests", &first)
            .expect("a commit");
        let effects = PlatformEffects::new(git.clone(), Arc::default(), None);
        let effect = |path: &str| Effect::CommitImage {
            repository: format!("{GIT_URL}/shop/manifests.git"),
            branch: String::new(),
            path: path.to_owned(),
            image: "r.example/shop/app:2".to_owned(),
            message: String::new(),
        };

        let said = effects.carry_out(effect("dev"), Doer::default()).await;
        let again = effects.carry_out(effect("dev"), Doer::default()).await;
        let nothing = effects.carry_out(effect("edge"), Doer::default()).await;

        assert!(
            said.expect("it is done")
                .concat()
                .contains("Release app 2 1 file changed")
        );
        assert_eq!(
            again.expect("it is done"),
            ["nothing to commit, working tree clean"]
        );
        assert!(
            nothing
                .expect_err("it fails")
                .contains("names the image r.example/shop/app")
        );
        let head = git.resolve("shop/manifests", "HEAD").expect("a commit");
        let tree = git.tree("shop/manifests", &head).expect("files");
        let read = |file: &str| tree.read(file).expect("a file");
        assert_eq!(read("dev/app.yaml"), "image: r.example/shop/app:2\n");
        assert_eq!(read("prod/app.yaml"), "image: r.example/shop/app:1\n");
    }

    #[tokio::test]
    async fn a_push_is_of_the_digest_that_was_told_and_fails_when_the_robot_ends() {
        let clock = PlatformClock::stepped(DateTime::UNIX_EPOCH + chrono::TimeDelta::days(1));
        let git = GitServer::start(clock.clone(), None).expect("a git server");
        let harbor = Harbor::new(crate::sim::harbor::HarborOptions {
            clock,
            seed: crate::sim::rng::Seed(1),
            host: "r.example".to_owned(),
            shape: RegistryShape {
                projects: vec![ProjectShape {
                    name: "shop".to_owned(),
                    ..ProjectShape::default()
                }],
                ..RegistryShape::default()
            },
            images: Vec::new(),
        });
        let effects = PlatformEffects::new(git, Arc::default(), Some(harbor.clone()));
        let push = || Effect::PushImage {
            reference: "r.example/shop/app:1".to_owned(),
        };

        let told = effects.digest_of("r.example/shop/app:1");
        let pushed = effects.carry_out(push(), Doer::default()).await;
        let end = RegistryFault::ExpireRobot(CI.to_owned());
        harbor.play(&end).expect("it happens");
        let refused = effects.carry_out(push(), Doer::default()).await;

        assert_eq!(pushed, Ok(Vec::new()));
        let store = harbor.registry().read();
        let stored = store
            .repository("shop/app")
            .and_then(|one| one.artifact("1"));
        assert_eq!(stored.map(|one| one.manifest.digest.clone()), told);
        let said = refused.expect_err("it fails");
        assert!(said.contains("401 Unauthorized"), "{said}");
        assert!(
            said.contains("the robot account is expired: robot$ci"),
            "{said}"
        );
    }

    #[test]
    fn a_clone_of_what_is_not_there_fails_unless_it_is_elsewhere() {
        let clock = PlatformClock::stepped(DateTime::UNIX_EPOCH);
        let git = GitServer::start(clock, None).expect("a git server");

        let gone = clone(&git, &format!("{GIT_URL}/shop/gone.git"), "main");
        let elsewhere = clone(&git, "https://forge.example/a/b.git", "main");

        assert!(gone.expect_err("it fails").contains("not found"));
        assert!(
            elsewhere
                .expect("it goes on")
                .concat()
                .starts_with("note: ")
        );
    }
}
