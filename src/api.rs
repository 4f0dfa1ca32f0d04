//! What the servers say: minimal serde types, and their conversion into the domain.
//!
//! Wire types read only what a screen needs and skip the rest while parsing. Every absent or
//! wrongly typed field is settled here and nowhere else; it costs a row a finding, never its place.

pub mod application;
pub mod compressed;
pub mod convert;
pub mod field;
pub mod intern;
pub mod meta;
pub mod node;
pub(crate) mod signature;
pub mod table;
pub mod yaml;
