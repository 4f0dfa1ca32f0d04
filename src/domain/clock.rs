//! Where `now` comes from.
//!
//! A live cluster uses the system clock; the embedded platform brings its own, which may run
//! faster or be stepped by a test. Ages on screen are differences on this clock.

use chrono::{DateTime, Utc};

/// Tells the time of the platform that is being watched.
pub trait Clock: Send + Sync + std::fmt::Debug {
    /// Returns the platform's present time.
    fn now(&self) -> DateTime<Utc>;

    /// Returns how many platform seconds pass in one real second; 0 for a stepped clock.
    fn speed(&self) -> f64 {
        1.0
    }
}

/// The machine's clock.
#[derive(Clone, Copy, Debug, Default)]
pub struct SystemClock;

impl Clock for SystemClock {
    fn now(&self) -> DateTime<Utc> {
        Utc::now()
    }
}
