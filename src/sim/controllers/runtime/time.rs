//! Platform time as the API writes it: whole seconds, RFC 3339.

use chrono::{DateTime, TimeDelta, Utc};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::{MicroTime, Time};
use k8s_openapi::jiff::Timestamp;

/// Returns a time as the API stores it, cut to whole seconds.
pub fn api_time(time: DateTime<Utc>) -> Time {
    Time(Timestamp::from_second(time.timestamp()).unwrap_or_default())
}

/// Returns a time with microseconds, as leases and events store it.
pub fn micro_time(time: DateTime<Utc>) -> MicroTime {
    MicroTime(Timestamp::from_microsecond(time.timestamp_micros()).unwrap_or_default())
}

/// Reads a time of the API.
pub fn utc(time: &Time) -> DateTime<Utc> {
    DateTime::from_timestamp(time.0.as_second(), 0).unwrap_or_default()
}

/// Returns a span of whole or partial seconds, never negative.
pub fn seconds(count: f64) -> TimeDelta {
    TimeDelta::microseconds((count.max(0.0) * 1e6) as i64)
}
