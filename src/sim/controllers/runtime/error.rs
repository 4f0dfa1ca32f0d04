//! Why a reconcile did not end well.

use thiserror::Error;

/// What went wrong while a controller worked on a key; the key is tried again.
#[derive(Debug, Error)]
pub enum ReconcileError {
    /// The API server refused or could not be asked.
    #[error("cannot {doing}: {}", said(source))]
    Api {
        /// What was being done, to what: "create pods in `shop`".
        doing: String,
        /// What the server or the transport said.
        #[source]
        source: Box<kube::Error>,
    },
    /// An object cannot be read as what it should be.
    #[error("cannot {doing}: {source}")]
    Encoding {
        /// What was being done, to what.
        doing: String,
        /// Where reading or writing it stopped.
        #[source]
        source: serde_json::Error,
    },
    /// Anything else, in a sentence.
    #[error("{0}")]
    Other(String),
}

impl ReconcileError {
    /// Wraps what the API client said while `doing` something.
    pub fn api(doing: impl Into<String>, source: kube::Error) -> Self {
        Self::Api {
            doing: doing.into(),
            source: Box::new(source),
        }
    }

    /// Returns the server's status code, if a server answered.
    pub fn code(&self) -> Option<u16> {
        match self {
            Self::Api { source, .. } => code(source),
            Self::Encoding { .. } | Self::Other(_) => None,
        }
    }

    /// The object is not there (any more).
    pub fn is_not_found(&self) -> bool {
        self.code() == Some(404)
    }

    /// The object changed meanwhile, or exists already.
    pub fn is_conflict(&self) -> bool {
        self.code() == Some(409)
    }

    /// Returns the server's reason word, such as `AlreadyExists`.
    pub fn reason(&self) -> &str {
        match self {
            Self::Api { source, .. } => status(source).map_or("", |status| &status.reason),
            Self::Encoding { .. } | Self::Other(_) => "",
        }
    }

    /// Returns what the server said, without what was being done.
    pub fn message(&self) -> String {
        match self {
            Self::Api { source, .. } => said(source),
            Self::Encoding { source, .. } => source.to_string(),
            Self::Other(text) => text.clone(),
        }
    }
}

pub(super) fn code(error: &kube::Error) -> Option<u16> {
    status(error).map(|status| status.code)
}

pub(super) fn said(error: &kube::Error) -> String {
    status(error).map_or_else(|| error.to_string(), |status| status.message.clone())
}

fn status(error: &kube::Error) -> Option<&kube::core::Status> {
    if let kube::Error::Api(status) = error {
        Some(status)
    } else {
        None
    }
}
