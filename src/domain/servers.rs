//! Where metrics servers, registries, git servers and GitHub are, when discovery is not to decide, and how to
//! log in there.

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

    /// Returns the secret itself, for the server it belongs to.
    pub fn reveal(&self) -> &str {
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

/// Where runs of GitHub Actions are read in some contexts.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct GitHubOptions {
    /// Contexts that this is for; `*` stands for any text.
    pub context: String,
    /// Base URL of the REST API, or `NAMESPACE/NAME:PORT` of a Service that serves it; GitHub's
    /// own when absent.
    pub url: Option<String>,
    /// `OWNER/NAME`; those that the token may see when empty.
    pub repositories: Vec<String>,
    /// Its bearer token may come from the environment.
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

/// What a registry is said to be.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum RegistryKind {
    /// It is asked.
    #[default]
    Auto,
    Harbor,
    /// The distribution API and nothing else.
    Oci,
}

/// What is known of one registry in some contexts.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct RegistryOptions {
    /// Contexts that this is for; `*` stands for any text.
    pub context: String,
    /// The host in image references; `*`: every host in use that is not named otherwise.
    pub host: Option<String>,
    /// A URL, or `NAMESPACE/NAME:PORT` of a Service reached through the API server; `https://` and
    /// the host when absent.
    pub address: Option<String>,
    pub kind: RegistryKind,
    pub login: Login,
    /// Prints the password, or what a Docker credential helper prints. Run when it is needed.
    pub command: Option<Vec<String>>,
    /// `NAMESPACE/NAME` of a Secret with the account.
    pub secret: Option<String>,
}

/// How the repositories of a git server are written to in some contexts.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct GitOptions {
    /// Host, way and account; `host` is that of the sources' URLs, and `*` stands for any text.
    pub server: RegistryOptions,
    /// `Name <address>` of the commits; the user of the context when absent.
    pub author: Option<String>,
}

/// Returns an address to show: without the user and the password in it.
pub fn without_user(address: &str) -> String {
    let Some((scheme, rest)) = address.split_once("://") else {
        return address.to_owned();
    };
    let (authority, path) = rest.split_once('/').unwrap_or((rest, ""));
    let host = authority.rsplit('@').next().unwrap_or(authority);
    let slash = if path.is_empty() { "" } else { "/" };
    format!("{scheme}://{host}{slash}{path}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn passwords_in_addresses_are_not_shown() {
        assert_eq!(
            without_user("https://me:pw@prom.example.com/x"),
            "https://prom.example.com/x"
        );
        assert_eq!(
            without_user("https://prom.example.com"),
            "https://prom.example.com"
        );
    }
}
