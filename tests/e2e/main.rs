//! The real binary in a pseudo terminal, with real clients beside it.

#![allow(
    clippy::expect_used,
    reason = "a test stops at the first thing that is not as it should"
)]

mod basics;
mod canary;
mod demo;
mod push;
mod story;
mod terminal;
