//! Tiphys: the terminal from which one person watches and steers a whole GitOps delivery.
//!
//! One engine ([`engine`]) talks to a Kubernetes API server: a live cluster, or the embedded
//! platform ([`sim`]) that speaks the same protocol inside the process. The cockpit is a pure
//! state machine ([`app`]) drawn by [`ui`] and driven by [`runtime`], the only loop.
//! `docs/ARCHITECTURE.md` says who may import whom; `tests/it/architecture.rs` enforces it.

pub mod api;
pub mod app;
pub mod cli;
pub mod config;
pub mod domain;
pub mod engine;
pub mod report;
pub mod runtime;
pub mod sim;
pub mod store;
pub mod term;
pub mod ui;
