//! AnalysisRuns and Experiments on the embedded platform, on stepped time.

mod bed;
mod experiments;
mod jobs;
mod prometheus;
mod rollouts;
mod runs;
mod web;
