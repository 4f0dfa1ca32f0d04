//! The Argo CD application controller of the embedded platform.
//!
//! Renders Applications from git, compares them with the live objects, syncs (by request or by
//! itself), heals, prunes and deletes, and writes status as Argo CD 3.x does. The rules live in
//! pure submodules; the controller itself is a client of the API server like any other.

pub mod aggregate;
pub mod application;
pub mod apply;
pub mod autosync;
pub mod cluster;
pub mod compare;
pub mod compared;
pub mod conditions;
pub mod controller;
pub mod deletion;
pub mod durations;
pub mod hooks;
pub mod ignore;
pub mod jq;
pub mod json;
pub mod key;
pub mod normal;
pub mod operation;
pub mod options;
pub mod owned;
pub mod project;
pub mod quantity;
pub mod reconcile;
pub mod render;
pub mod retry;
pub mod server;
pub mod summary;
pub mod sync;
pub mod tasks;
pub mod thing;
pub mod threeway;
pub mod tracking;
pub mod verdict;
pub mod waves;
pub mod windows;
pub mod world;

pub use crate::domain::globs;
pub use controller::Argo;
