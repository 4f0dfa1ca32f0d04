//! The terminal: enter, leave, suspend, and crossterm events as keys.
