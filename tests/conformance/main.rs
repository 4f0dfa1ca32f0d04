//! Drives the kubectls that are installed against the embedded platform.
//!
//! Each version works in a namespace of its own on one running platform. A machine without kubectl
//! skips the tests and says so; with `TIPHYS_REQUIRE_TOOLS=1` that is a failure.

#![allow(
    clippy::expect_used,
    clippy::print_stdout,
    reason = "a test stops at the first thing that is not as it should, and says what it did"
)]

mod applying;
mod custom;
mod following;
mod harbor;
mod kubectl;
mod matrix;
mod platform;
mod prometheus;
mod reading;
mod registry;
mod workloads;
mod writing;
