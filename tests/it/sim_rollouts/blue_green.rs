//! blue_green (being written).
