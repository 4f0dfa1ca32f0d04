//! GitHub Actions, as far as a platform needs it: workflow files of the embedded repositories are
//! run when something is pushed, and told through a subset of GitHub's REST API.
//!
//! What is followed: `on: push` with branches, `on: workflow_dispatch`, jobs with `needs` and
//! outputs, steps with `uses`, `run`, `env`, `if: always()`, `continue-on-error`, and simple
//! `${{ … }}`. No process runs: what a step does is declared (see [`crate::sim::steps`]), and its
//! effects are real. Matrices, services and reusable workflows are refused when a run begins.

mod definition;
mod expression;
mod history;
mod record;
mod rest;
mod runner;

pub use rest::{cluster_router, router};

use super::clock::PlatformClock;
use super::controllers::runtime::Runtime;
use super::git::{GitError, GitServer, Sha};
use super::rng::Seed;
use super::steps::Steps;
use crate::domain::clock::Clock as _;
use definition::Definition;
use record::{Occasion, Run};
use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};
use tokio::sync::broadcast::error::RecvError;

/// Where workflow files lie in a repository.
const FOLDER: &str = ".github/workflows";
/// No more runs are kept; the oldest go first.
const MOST_RUNS: usize = 500;

/// The runs of all repositories. Clones share them.
#[derive(Clone, Debug)]
pub struct Actions(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    git: GitServer,
    steps: Steps,
    clock: PlatformClock,
    seed: Seed,
    runtime: Runtime,
    runs: RwLock<BTreeMap<u64, Run>>,
    ids: AtomicU64,
    hour: RwLock<rest::guard::Hour>,
}

impl Actions {
    /// Follows what is pushed from now on. What the repositories hold already was run then: it is
    /// told as history, unless it is new.
    pub fn start(runtime: &Runtime, git: &GitServer, steps: Steps) -> Self {
        let actions = Self(Arc::new(Shared {
            git: git.clone(),
            steps,
            clock: runtime.clock().clone(),
            seed: runtime.seed(),
            runtime: runtime.clone(),
            runs: RwLock::default(),
            ids: AtomicU64::new(1_000_000),
            hour: RwLock::default(),
        }));
        let pushes = git.pushes();
        runtime.spawn(actions.clone().follow(pushes));
        actions
    }

    /// Returns the token that changes are asked for with.
    pub fn token(&self) -> String {
        format!("ghs_{}", self.0.seed.stream(&["actions", "token"]).hex(36))
    }

    async fn follow(self, mut pushes: tokio::sync::broadcast::Receiver<super::git::Push>) {
        for repository in self.0.git.repositories() {
            let branch = self.0.git.default_branch(&repository).unwrap_or_default();
            self.remember(&repository, &branch);
        }
        loop {
            match pushes.recv().await {
                Ok(push) => {
                    for change in &push.changes {
                        let branch = change.name.strip_prefix("refs/heads/");
                        if let Some((branch, sha)) = branch.zip(change.after.as_ref()) {
                            self.on_push(&push.repository, (branch, sha), &push.pusher);
                        }
                    }
                }
                Err(RecvError::Lagged(missed)) => {
                    tracing::warn!(missed, "pushes were missed; their workflows are not run");
                }
                Err(RecvError::Closed) => return,
            }
        }
    }

    fn on_push(&self, repository: &str, (branch, sha): (&str, &Sha), actor: &str) {
        let found = match self.definitions(repository, sha) {
            Ok(found) => found,
            Err(error) => {
                tracing::debug!(repository, "workflow files cannot be read: {error}");
                return;
            }
        };
        for definition in found {
            if definition.runs_on_push(branch) {
                let occasion = Occasion {
                    event: "push",
                    branch: branch.to_owned(),
                    sha: sha.clone(),
                    actor: actor.to_owned(),
                    inputs: BTreeMap::new(),
                };
                self.begin(repository, definition, occasion);
            }
        }
    }

    /// Returns the workflow files of a commit.
    fn definitions(&self, repository: &str, sha: &Sha) -> Result<Vec<Definition>, GitError> {
        let tree = self.0.git.tree(repository, sha)?;
        let files = tree
            .list(FOLDER)
            .into_iter()
            .filter(|entry| entry.name.ends_with(".yml") || entry.name.ends_with(".yaml"));
        Ok(files
            .filter_map(|entry| {
                let path = format!("{FOLDER}/{}", entry.name);
                let bytes = tree.read(&path)?;
                Some(Definition::read(&path, &String::from_utf8_lossy(&bytes)))
            })
            .collect())
    }

    /// Makes a run with the next number of its workflow.
    fn new_run(
        &self,
        id: u64,
        repository: &str,
        definition: Definition,
        occasion: Occasion,
    ) -> Run {
        let known = self.read();
        let earlier = known
            .values()
            .filter(|run| run.repository == repository && run.path == definition.path);
        let number = earlier.map(|run| run.number).max().unwrap_or(0) + 1;
        let mut run = Run::new((id, number), repository, definition, occasion);
        for job in &mut run.jobs {
            job.id = self.new_id();
        }
        run
    }

    /// Begins a run; returns its id.
    fn begin(&self, repository: &str, definition: Definition, occasion: Occasion) -> u64 {
        let id = self.new_id();
        let commit = self.0.git.commit(repository, &occasion.sha).ok();
        let mut run = self.new_run(id, repository, definition, occasion);
        run.commit = commit;
        run.created = self.0.clock.now();
        run.updated = run.created;
        run.started = run.created;
        {
            let mut runs = self.write();
            runs.insert(id, run);
            while runs.len() > MOST_RUNS {
                runs.pop_first();
            }
        }
        self.0.runtime.spawn(runner::run(self.clone(), id));
        id
    }

    /// Runs jobs of a run that has ended again; false: it has not ended.
    fn again(&self, id: u64, only_failed: bool) -> bool {
        let now = self.0.clock.now();
        {
            let mut runs = self.write();
            let Some(run) = runs.get_mut(&id).filter(|run| run.conclusion().is_some()) else {
                return false;
            };
            run.reset(only_failed, now);
            for job in &mut run.jobs {
                if !job.state.is_done() {
                    job.id = self.new_id();
                }
            }
        }
        self.0.runtime.spawn(runner::run(self.clone(), id));
        true
    }

    fn new_id(&self) -> u64 {
        self.0.ids.fetch_add(1, Ordering::Relaxed)
    }

    fn read(&self) -> RwLockReadGuard<'_, BTreeMap<u64, Run>> {
        self.0.runs.read().unwrap_or_else(PoisonError::into_inner)
    }

    fn write(&self) -> RwLockWriteGuard<'_, BTreeMap<u64, Run>> {
        self.0.runs.write().unwrap_or_else(PoisonError::into_inner)
    }

    /// Changes a run.
    fn change<T>(&self, id: u64, change: impl FnOnce(&mut Run) -> T) -> Option<T> {
        let now = self.0.clock.now();
        let mut runs = self.write();
        let run = runs.get_mut(&id)?;
        run.updated = now;
        Some(change(run))
    }
}
