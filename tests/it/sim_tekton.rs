//! Tekton on stepped time: Pipelines and Tasks run, skipped, retried, cancelled, refused.

mod bed;
mod examples;
mod pipelines;
mod tasks;
mod triggers;
