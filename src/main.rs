//! Chooses the platform (live or embedded), installs hooks and runs.

fn main() {}
