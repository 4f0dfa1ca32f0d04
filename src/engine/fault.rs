//! What can go wrong with a request, told apart by what is to be done about it.

use crate::api::meta::StatusWire;
use crate::domain::finding::{Finding, Severity};
use std::error::Error as StdError;

/// A failed request. The text says what the other side (or the network) said.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum Fault {
    /// No answer: network, name, TLS. Tried again by itself.
    #[error("{0}")]
    Unreachable(String),
    /// 401, or no credentials could be obtained. Not tried again by itself.
    #[error("{0}")]
    Unauthorized(String),
    /// 403.
    #[error("{0}")]
    Forbidden(String),
    /// 404.
    #[error("{0}")]
    NotFound(String),
    /// 410: the version asked for is gone; list again.
    #[error("the server no longer has that version")]
    Gone,
    /// 409.
    #[error("{0}")]
    Conflict(String),
    /// 429 or 5xx. Tried again by itself.
    #[error("{0}")]
    Busy(String),
    /// Any other refusal (400, 405, 415, 422 …).
    #[error("{0}")]
    Refused(String),
    /// An answer that is not what the protocol says.
    #[error("{0}")]
    Unreadable(String),
}

impl Fault {
    /// Tells a refused request by its HTTP code and `Status` body.
    pub(super) fn from_answer(code: u16, body: &[u8]) -> Self {
        let status: StatusWire<'_> = serde_json::from_slice(body).unwrap_or_default();
        let message = status.message.value().filter(|message| !message.is_empty());
        let text = message.map_or_else(|| plain_body(code, body), |message| message.to_string());
        match code {
            401 => Self::Unauthorized(text),
            403 => Self::Forbidden(text),
            404 => Self::NotFound(text),
            409 => Self::Conflict(text),
            410 => Self::Gone,
            429 | 500..=599 => Self::Busy(text),
            _ => Self::Refused(text),
        }
    }

    /// Tells a request that got no answer.
    pub(super) fn from_client(error: &kube::Error) -> Self {
        if let kube::Error::Api(status) = error {
            let message = serde_json::json!({ "message": status.message }).to_string();
            return Self::from_answer(status.code, message.as_bytes());
        }
        if let Some(sentence) = credentials_trouble(error) {
            return Self::Unauthorized(sentence);
        }
        Self::Unreachable(network_trouble(error))
    }

    /// Whether the same request may work a little later.
    pub(super) fn passes(&self) -> bool {
        match self {
            Self::Unreachable(_) | Self::Busy(_) | Self::Unreadable(_) => true,
            Self::Unauthorized(_)
            | Self::Forbidden(_)
            | Self::NotFound(_)
            | Self::Gone
            | Self::Conflict(_)
            | Self::Refused(_) => false,
        }
    }

    /// Makes a sentence of it: what was being done, and what the other side said.
    pub(super) fn into_finding(self, doing: &str) -> Finding {
        let hint = match &self {
            Self::Unreachable(_) => {
                "check the network, a VPN or a proxy; it is tried again by itself when it is watched"
            }
            Self::Unauthorized(_) => "renew the credentials (log in again), then reconnect",
            Self::Forbidden(_) => "ask for that right, or switch to a context that has it",
            Self::NotFound(_) => "it may have been deleted a moment ago",
            Self::Gone => "try again",
            Self::Conflict(_) => "it was changed at the same time; look at it again and repeat",
            Self::Busy(_) => "the server has trouble; try again in a moment",
            Self::Refused(_) => "correct what the server names",
            Self::Unreadable(_) => "is this a Kubernetes API server, or a proxy before it?",
        };
        Finding::new(Severity::Error, format!("{doing}: {self}")).with_hint(hint)
    }
}

fn plain_body(code: u16, body: &[u8]) -> String {
    let text = String::from_utf8_lossy(body);
    let line = text.lines().next().unwrap_or_default().trim();
    let short: String = line.chars().take(200).collect();
    if short.is_empty() || short.starts_with('<') {
        format!("the server answered {code}")
    } else {
        format!("the server answered {code}: {short}")
    }
}

/// Walks the causes of an error, looking into `io::Error`, which hides what it carries.
fn causes<'e>(error: &'e (dyn StdError + 'static)) -> Vec<&'e (dyn StdError + 'static)> {
    let mut found: Vec<&'e (dyn StdError + 'static)> = Vec::new();
    let mut next = Some(error);
    while let Some(error) = next {
        if found.len() > 16 {
            break;
        }
        found.push(error);
        let hidden = error
            .downcast_ref::<std::io::Error>()
            .and_then(std::io::Error::get_ref)
            .map(|inner| inner as &(dyn StdError + 'static));
        next = hidden.or_else(|| error.source());
    }
    found
}

fn credentials_trouble(error: &kube::Error) -> Option<String> {
    let auth = causes(error)
        .into_iter()
        .find_map(|cause| cause.downcast_ref::<kube::client::AuthError>())?;
    if let kube::client::AuthError::AuthExecRun { cmd, out } = auth {
        let said = String::from_utf8_lossy(&out.stderr);
        let last = said.lines().rev().find(|line| !line.trim().is_empty());
        let command = cmd.split_whitespace().next().unwrap_or_default();
        return Some(format!(
            "the credential plugin {} failed ({}): {}",
            command.replace('"', "`"),
            out.status,
            last.unwrap_or("it said nothing")
        ));
    }
    if let kube::client::AuthError::AuthExecStart(cause) = auth {
        return Some(format!("the credential plugin cannot be started: {cause}"));
    }
    Some(format!("no credentials could be obtained: {auth}"))
}

fn network_trouble(error: &kube::Error) -> String {
    let causes = causes(error);
    let tls = causes
        .iter()
        .find_map(|cause| cause.downcast_ref::<rustls::Error>());
    if let Some(tls) = tls {
        return tls_trouble(tls);
    }
    let io = causes
        .iter()
        .find_map(|cause| cause.downcast_ref::<std::io::Error>());
    match io.map(std::io::Error::kind) {
        Some(std::io::ErrorKind::ConnectionRefused) => {
            String::from("nothing listens there (connection refused)")
        }
        Some(std::io::ErrorKind::TimedOut) => String::from("no answer in time"),
        Some(std::io::ErrorKind::ConnectionReset | std::io::ErrorKind::UnexpectedEof) => {
            String::from("the connection was cut")
        }
        Some(_) | None => {
            let last = causes.last().map(ToString::to_string);
            last.unwrap_or_else(|| error.to_string())
        }
    }
}

fn tls_trouble(error: &rustls::Error) -> String {
    use rustls::CertificateError;
    let rustls::Error::InvalidCertificate(what) = error else {
        return format!("TLS failed: {error}");
    };
    if matches!(what, CertificateError::UnknownIssuer) {
        return String::from(
            "the server's certificate is signed by an authority the kubeconfig does not trust \
             (check `certificate-authority-data`)",
        );
    }
    if matches!(
        what,
        CertificateError::Expired | CertificateError::ExpiredContext { .. }
    ) {
        return String::from(
            "the server's certificate has expired (or this machine's clock is wrong)",
        );
    }
    if matches!(
        what,
        CertificateError::NotValidForName | CertificateError::NotValidForNameContext { .. }
    ) {
        return String::from(
            "the server's certificate is for another host (check `server`, or set \
             `tls-server-name`)",
        );
    }
    format!("the server's certificate is not valid: {what}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn refusals_are_told_apart_by_what_to_do_about_them() {
        let body = br#"{"kind":"Status","message":"applications is forbidden","code":403}"#;

        assert_eq!(
            Fault::from_answer(403, body),
            Fault::Forbidden(String::from("applications is forbidden"))
        );
        assert_eq!(Fault::from_answer(410, b"{}"), Fault::Gone);
        assert!(Fault::from_answer(503, b"upstream down").passes());
        assert_eq!(
            Fault::from_answer(502, b"<html>").to_string(),
            "the server answered 502"
        );
    }

    #[test]
    fn a_tls_error_deep_inside_is_explained() {
        let tls = rustls::Error::InvalidCertificate(rustls::CertificateError::UnknownIssuer);
        let io = std::io::Error::other(tls);
        let error = kube::Error::Service(Box::new(io));

        let Fault::Unreachable(sentence) = Fault::from_client(&error) else {
            panic!("it is a network fault");
        };
        assert!(sentence.contains("does not trust"), "{sentence}");
    }
}
