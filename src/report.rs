//! The same data as table, JSON or YAML, for scripts.
