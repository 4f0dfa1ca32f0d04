//! canary (being written).
