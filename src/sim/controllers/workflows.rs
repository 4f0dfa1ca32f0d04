//! Argo Workflows: runs templates of containers, steps and tasks, and says in every node how it goes.
//!
//! Follows Argo Workflows 4.1. One pass ([`operate`]) is pure: it reads the workflow, its pods and what
//! they reported, and leaves a status and wishes; the loop ([`controller`]) carries them out. Pods
//! are real objects that the simulated kubelet runs. Not simulated, and said so on the workflow:
//! plugin, data and containerSet templates, memoization, locks.

mod compress;
mod controller;
mod cron;
mod dag;
mod depends;
mod ending;
mod execute;
mod expand;
mod http;
mod library;
mod locks;
mod merge;
pub mod model;
pub mod node;
mod operate;
mod pod_spec;
mod pods;
mod progress;
mod retries;
mod scope;
mod steps;
mod substitute;
mod suspend;
mod template;
mod validate;
mod when;

pub use controller::Workflows;
