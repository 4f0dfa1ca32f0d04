//! The platform in our words.
//!
//! Plain data and pure rules: no kube, tokio, ratatui or `serde_json`. Everything that came from
//! a server has been settled (absent fields given their meaning) before it becomes one of these.

pub mod age;
pub mod alert;
pub mod analysis;
pub mod application;
pub mod clock;
pub mod cron;
pub mod dashboard;
pub mod duration;
pub mod event_flow;
pub mod finding;
pub mod globs;
pub mod graph;
pub mod health;
pub mod image;
pub mod image_edit;
pub mod image_update;
pub mod intent;
pub mod kind;
pub mod metric;
pub mod nearest;
pub mod node;
pub mod object;
pub mod pipeline;
pub mod rollout;
pub mod rows;
pub mod servers;
pub mod status;
pub mod why;
pub mod window;
