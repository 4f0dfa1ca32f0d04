//! What a step changes outside of its pod, and who carries it out.

use futures::future::BoxFuture;
use std::fmt::{self, Debug};

/// A change that a step makes when it ends well.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Effect {
    /// An image is there from now on.
    PushImage {
        /// Such as `registry.tiphys.local/shop/demo-app:abc123`.
        reference: String,
    },
    /// The manifests of a repository name an image from now on: one commit.
    CommitImage {
        /// The URL, or the path on the embedded git server.
        repository: String,
        /// Empty: the default branch.
        branch: String,
        /// The file or folder whose mentions of the image are changed.
        path: String,
        /// The whole reference; everything before its tag says which mentions are meant.
        image: String,
        /// Empty: a message of the doer's own.
        message: String,
    },
    /// A repository was read; its revision must exist.
    Clone {
        repository: String,
        /// A branch, tag or commit; empty: the default branch.
        revision: String,
    },
}

impl fmt::Display for Effect {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::PushImage { reference } => write!(f, "push `{reference}`"),
            Self::CommitImage {
                repository, image, ..
            } => write!(f, "commit `{image}` to `{repository}`"),
            Self::Clone {
                repository,
                revision,
            } => write!(f, "clone `{repository}` at `{revision}`"),
        }
    }
}

/// The step on whose behalf something is done.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Doer {
    pub namespace: String,
    pub pod: String,
    pub container: String,
}

/// Carries out what steps do.
pub trait Effects: Debug + Send + Sync + 'static {
    /// Does it, and returns the lines that the step says about it; the error is the line it
    /// fails with.
    fn carry_out(
        &self,
        effect: Effect,
        doer: Doer,
    ) -> BoxFuture<'static, Result<Vec<String>, String>>;

    /// Returns the digest that an image has which a step is about to push, where that is known.
    fn digest_of(&self, _reference: &str) -> Option<String> {
        None
    }
}

/// Nothing outside is changed.
#[derive(Clone, Copy, Debug, Default)]
pub struct NoEffects;

impl Effects for NoEffects {
    fn carry_out(&self, _: Effect, _: Doer) -> BoxFuture<'static, Result<Vec<String>, String>> {
        Box::pin(std::future::ready(Ok(Vec::new())))
    }
}
