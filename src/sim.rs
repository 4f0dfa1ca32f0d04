//! The embedded platform: servers and controllers that speak the real protocols, in the process.
//!
//! Nothing here is a mock: clients that nobody here wrote (`kubectl`, `git`) work against it.

pub mod actions;
pub mod apiserver;
pub mod clock;
pub mod controllers;
pub mod events;
pub mod exporters;
pub mod exposition;
pub mod files;
pub mod git;
pub mod harbor;
pub mod kubelet;
pub mod kustomize;
pub mod manifests;
pub mod network;
pub mod platform;
pub mod prometheus;
pub mod registry;
pub mod rng;
pub mod scenario;
pub mod steps;
pub mod traffic;
pub mod webhook;

pub use platform::{Endpoints, Pace, SimError, Simulation, SimulationOptions};
