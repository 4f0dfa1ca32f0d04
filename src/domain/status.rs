//! The few states that every screen speaks of: sync, health, and how fresh a source is.

use super::object::Text;
use chrono::{DateTime, Utc};

/// Whether live objects equal the target state (Argo CD `status.sync.status`).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum SyncStatus {
    Synced,
    OutOfSync,
    Unknown,
}

/// Argo CD health; the derived order is best to worst as in gitops-engine `health.go`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Health {
    Healthy,
    Suspended,
    Progressing,
    Missing,
    Degraded,
    Unknown,
}

impl SyncStatus {
    /// Returns the word Argo CD uses.
    pub fn word(self) -> &'static str {
        match self {
            Self::Synced => "Synced",
            Self::OutOfSync => "OutOfSync",
            Self::Unknown => "Unknown",
        }
    }

    /// Reads Argo CD's word; anything else is [`SyncStatus::Unknown`].
    pub fn from_word(word: &str) -> Self {
        match word {
            "Synced" => Self::Synced,
            "OutOfSync" => Self::OutOfSync,
            _ => Self::Unknown,
        }
    }
}

impl Health {
    /// Returns the word Argo CD uses.
    pub fn word(self) -> &'static str {
        match self {
            Self::Healthy => "Healthy",
            Self::Suspended => "Suspended",
            Self::Progressing => "Progressing",
            Self::Missing => "Missing",
            Self::Degraded => "Degraded",
            Self::Unknown => "Unknown",
        }
    }

    /// Reads Argo CD's word; anything else is [`Health::Unknown`].
    pub fn from_word(word: &str) -> Self {
        match word {
            "Healthy" => Self::Healthy,
            "Suspended" => Self::Suspended,
            "Progressing" => Self::Progressing,
            "Missing" => Self::Missing,
            "Degraded" => Self::Degraded,
            _ => Self::Unknown,
        }
    }

    /// Returns how loudly this asks for a person: 0 for Healthy, higher is worse.
    ///
    /// Display order is worst first: Degraded, Unknown, Missing, Progressing, Suspended, Healthy.
    pub fn severity(self) -> u8 {
        match self {
            Self::Healthy => 0,
            Self::Suspended => 1,
            Self::Progressing => 2,
            Self::Missing => 3,
            Self::Unknown => 4,
            Self::Degraded => 5,
        }
    }
}

/// How current a source (the API server, one watched kind, Harbor …) is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Freshness {
    /// Nothing has arrived yet.
    Connecting,
    /// The first list is on its way; `rows` have arrived so far.
    Loading { rows: usize },
    /// The watch is open and caught up.
    Live,
    /// The connection went away; what is shown was true at `since`. `retry_at` is the next try.
    Stale {
        since: DateTime<Utc>,
        retry_at: DateTime<Utc>,
        reason: Text,
    },
    /// The server said 401; nothing is retried until credentials are renewed.
    NeedsCredentials { reason: Text },
    /// The server said 403 for this source.
    Forbidden { reason: Text },
    /// The server does not know this kind (a CRD is not installed).
    Absent { reason: Text },
}
