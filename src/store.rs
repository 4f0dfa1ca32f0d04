//! The world in memory: rows by kind, as the watches report them.
//!
//! One owner (the cockpit's state, or a report), no locks. [`Store::apply`] takes a batch and
//! says whether anything visible changed.
