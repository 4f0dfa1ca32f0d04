//! The engine: everything that waits for a server.
//!
//! It watches, acts, follows logs and supervises. The rest of the program speaks to it only
//! through [`protocol`]; it never sees a screen and never reads a key.

pub mod platform;
pub mod protocol;
