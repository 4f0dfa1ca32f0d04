//! The control loops of the embedded platform.
//!
//! Each is a client of the API server like any other: it lists, watches and writes over
//! `kube::Client` and never reaches into the server's storage.

pub mod argocd;
pub mod deployment;
pub mod ownership;
pub mod pods;
pub mod replicaset;
pub mod runtime;
pub mod scheduler;
