//! The embedded Kubernetes API server.
//!
//! The parts below that know nothing of HTTP or storage are pure functions of JSON values.

pub mod apply;
pub mod crd;
pub mod openapi;
pub mod schema;
pub mod strategic;
