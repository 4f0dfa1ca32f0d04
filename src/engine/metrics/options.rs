//! Where metrics servers are, when discovery is not to decide, and how to log in there.

use std::fmt;
use std::path::PathBuf;

/// Text that is never printed.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(String);

impl Secret {
    /// Wraps a secret.
    pub fn new(text: impl Into<String>) -> Self {
        Self(text.into())
    }

    pub(in crate::engine) fn reveal(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret(…)")
    }
}

/// What is known of the metrics servers of some contexts.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct MetricsOptions {
    /// Contexts that this is for; `*` stands for any text.
    pub context: String,
    /// A URL, or `NAMESPACE/NAME:PORT` of a Service reached through the API server.
    pub prometheus: Option<String>,
    pub alertmanager: Option<String>,
    pub login: Login,
}

/// How to log in to a server that is reached by URL.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Login {
    pub username: Option<String>,
    pub password: Option<Secret>,
    pub bearer_token: Option<Secret>,
    /// PEM files.
    pub client_certificate: Option<PathBuf>,
    pub client_key: Option<PathBuf>,
    pub certificate_authority: Option<PathBuf>,
    /// Further headers, such as `X-Scope-OrgID`.
    pub headers: Vec<(String, Secret)>,
}
