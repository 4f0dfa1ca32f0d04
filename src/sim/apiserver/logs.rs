//! The `pods/log` subresource; what the containers wrote comes from whoever runs them.

use super::error::ApiError;
use bytes::Bytes;
use chrono::{DateTime, Utc};
use futures::future::BoxFuture;
use futures::stream::BoxStream;

/// Which lines of a container are wanted.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct LogRequest {
    pub namespace: String,
    pub pod: String,
    pub pod_uid: String,
    pub container: String,
    /// The container's run before the present one.
    pub previous: bool,
    /// Keep sending lines as they come.
    pub follow: bool,
    pub tail_lines: Option<u64>,
    /// Only lines written at this time or later.
    pub since: Option<DateTime<Utc>>,
    /// Put the time before each line.
    pub timestamps: bool,
    pub limit_bytes: Option<u64>,
}

/// Supplies the logs of containers; the kubelet implements it.
pub trait PodLogs: Send + Sync {
    /// Returns the wanted lines as chunks of text, each line ending in a newline.
    ///
    /// The server has checked that pod and container exist. An error is the sentence shown to
    /// the client with status 400, such as ``container "c" in pod "p" is waiting to start``.
    fn read(
        &self,
        request: LogRequest,
    ) -> BoxFuture<'static, Result<BoxStream<'static, Bytes>, String>>;
}

/// What is answered while nothing runs containers.
pub(super) fn no_kubelet() -> ApiError {
    ApiError::new(
        503,
        "ServiceUnavailable",
        "no kubelet serves logs on this platform yet; try again when it has started",
    )
}
