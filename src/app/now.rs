//! The time that a message carries: the platform's for ages, and real time for what waits on
//! the person.
//!
//! The embedded platform may run sixty times as fast as life; a toast must not.

use chrono::{DateTime, Utc};
use std::time::Duration;

/// A moment on both clocks.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub struct Now {
    /// The platform's time: what ages and timestamps are compared with.
    pub platform: DateTime<Utc>,
    /// Real time since the program started: what toasts and key sequences wait by.
    pub real: Duration,
}
