//! The control loops of the embedded platform.
//!
//! Each is a client of the API server like any other: it lists, watches and writes over
//! `kube::Client` and never reaches into the server's storage.

pub mod runtime;
