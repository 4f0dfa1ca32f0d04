//! The way to the server over TLS: an authority of its own, tokens and client certificates.
//!
//! The authority, its keys and all tokens live in memory and end with the server.

use super::auth::User;
use super::core::Core;
use super::handler::{self, Front, Identity};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use hyper_util::rt::TokioIo;
use rcgen::{
    BasicConstraints, CertificateParams, DnType, ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair,
    KeyUsagePurpose,
};
use rustls::RootCertStore;
use rustls::pki_types::{PrivateKeyDer, PrivatePkcs8KeyDer};
use rustls::server::WebPkiClientVerifier;
use serde_json::{Value, json};
use std::net::SocketAddr;
use std::sync::Arc;
use tokio::net::{TcpListener, TcpStream};
use tokio_rustls::TlsAcceptor;
use tokio_util::sync::CancellationToken;

/// Why the server cannot be reached over TLS.
#[derive(Debug, thiserror::Error)]
pub enum ListenError {
    /// The address cannot be bound.
    #[error("cannot listen on `{addr}`: {source}")]
    Bind {
        addr: SocketAddr,
        source: std::io::Error,
    },
    /// A certificate could not be made.
    #[error("cannot make a certificate for `{subject}`: {source}")]
    Certificate {
        subject: String,
        source: rcgen::Error,
    },
    /// The keys and certificates made do not fit together.
    #[error("cannot set TLS up: {0}")]
    Tls(String),
}

/// An open door over TLS.
#[derive(Clone, Debug)]
pub struct Listening {
    /// Where it is, with the port that the system chose.
    pub addr: SocketAddr,
    /// The authority that signed the server's certificate.
    pub ca_pem: String,
    /// A bearer token that may do everything.
    pub token: String,
}

/// The signer of the server's and its clients' certificates.
pub(super) struct Authority {
    issuer: Issuer<'static, KeyPair>,
    certificate: rcgen::Certificate,
}

impl std::fmt::Debug for Authority {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Authority").finish_non_exhaustive()
    }
}

impl Authority {
    /// Makes a new authority.
    pub(super) fn new() -> Result<Self, ListenError> {
        let subject = "tiphys embedded platform CA";
        let make = || {
            let mut params = CertificateParams::new(Vec::new())?;
            params.distinguished_name.push(DnType::CommonName, subject);
            params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
            params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
            let key = KeyPair::generate()?;
            let certificate = params.self_signed(&key)?;
            Ok(Self {
                issuer: Issuer::new(params, key),
                certificate,
            })
        };
        make().map_err(|source| ListenError::Certificate {
            subject: subject.to_owned(),
            source,
        })
    }

    fn issue(
        &self,
        subject: &str,
        names: Vec<String>,
        usage: ExtendedKeyUsagePurpose,
    ) -> Result<(rcgen::Certificate, KeyPair), ListenError> {
        let make = || {
            let mut params = CertificateParams::new(names)?;
            params.distinguished_name.push(DnType::CommonName, subject);
            params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
            params.extended_key_usages = vec![usage];
            let key = KeyPair::generate()?;
            let certificate = params.signed_by(&key, &self.issuer)?;
            Ok((certificate, key))
        };
        make().map_err(|source| ListenError::Certificate {
            subject: subject.to_owned(),
            source,
        })
    }
}

/// Opens a door on `addr` and serves it until the runtime ends.
pub(super) async fn listen(core: &Arc<Core>, addr: SocketAddr) -> Result<Listening, ListenError> {
    let bind = |source| ListenError::Bind { addr, source };
    let listener = TcpListener::bind(addr).await.map_err(bind)?;
    let local = listener.local_addr().map_err(bind)?;
    let authority = core.authority()?;
    let acceptor = TlsAcceptor::from(Arc::new(server_config(&authority, local)?));
    let listening = Listening {
        addr: local,
        ca_pem: authority.certificate.pem(),
        token: core.issue_token(User::admin("tiphys-admin"), None),
    };
    tokio::spawn(accept_all(Arc::clone(core), listener, acceptor));
    Ok(listening)
}

/// Opens a port for another server, with a certificate of the same authority, until `stop`.
pub(super) async fn listen_for(
    core: &Arc<Core>,
    addr: SocketAddr,
    (subject, router): (&str, axum::Router),
    stop: CancellationToken,
) -> Result<SocketAddr, ListenError> {
    let bind = |source| ListenError::Bind { addr, source };
    let listener = TcpListener::bind(addr).await.map_err(bind)?;
    let local = listener.local_addr().map_err(bind)?;
    let authority = core.authority()?;
    let names = vec!["localhost".to_owned(), subject.to_owned()];
    let usage = ExtendedKeyUsagePurpose::ServerAuth;
    let (certificate, key) = authority.issue(subject, with_own(names, local), usage)?;
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let key = PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(key.serialize_der()));
    let mut config = rustls::ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(|error| ListenError::Tls(error.to_string()))?
        .with_no_client_auth()
        .with_single_cert(vec![certificate.der().clone()], key)
        .map_err(|error| ListenError::Tls(error.to_string()))?;
    config.alpn_protocols = vec![b"http/1.1".to_vec()];
    let acceptor = TlsAcceptor::from(Arc::new(config));
    tokio::spawn(async move {
        let accepting = async {
            loop {
                let Ok((stream, _)) = listener.accept().await else {
                    tokio::time::sleep(std::time::Duration::from_millis(50)).await;
                    continue;
                };
                tokio::spawn(serve_router(router.clone(), stream, acceptor.clone()));
            }
        };
        stop.run_until_cancelled(accepting).await;
    });
    Ok(local)
}

async fn serve_router(router: axum::Router, stream: TcpStream, acceptor: TlsAcceptor) {
    let stream = match acceptor.accept(stream).await {
        Ok(stream) => stream,
        Err(error) => {
            tracing::debug!(%error, "a TLS handshake failed");
            return;
        }
    };
    let service = hyper_util::service::TowerToHyperService::new(router);
    let served = hyper::server::conn::http1::Builder::new()
        .serve_connection(TokioIo::new(stream), service)
        .await;
    if let Err(error) = served {
        tracing::trace!(%error, "a connection ended");
    }
}

/// Adds the addresses that a certificate is used at.
fn with_own(mut names: Vec<String>, local: SocketAddr) -> Vec<String> {
    for own in ["127.0.0.1".to_owned(), local.ip().to_string()] {
        if !names.contains(&own) {
            names.push(own);
        }
    }
    names
}

fn server_config(
    authority: &Authority,
    local: SocketAddr,
) -> Result<rustls::ServerConfig, ListenError> {
    let tls = |error: &dyn std::fmt::Display| ListenError::Tls(error.to_string());
    let names = vec!["localhost".to_owned(), "kubernetes.default.svc".to_owned()];
    let names = with_own(names, local);
    let usage = ExtendedKeyUsagePurpose::ServerAuth;
    let (certificate, key) = authority.issue("kube-apiserver", names, usage)?;
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let mut roots = RootCertStore::empty();
    roots
        .add(authority.certificate.der().clone())
        .map_err(|error| tls(&error))?;
    let verifier =
        WebPkiClientVerifier::builder_with_provider(Arc::new(roots), Arc::clone(&provider))
            .allow_unauthenticated()
            .build()
            .map_err(|error| tls(&error))?;
    let key = PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(key.serialize_der()));
    let mut config = rustls::ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(|error| tls(&error))?
        .with_client_cert_verifier(verifier)
        .with_single_cert(vec![certificate.der().clone()], key)
        .map_err(|error| tls(&error))?;
    config.alpn_protocols = vec![b"http/1.1".to_vec()];
    Ok(config)
}

async fn accept_all(core: Arc<Core>, listener: TcpListener, acceptor: TlsAcceptor) {
    loop {
        match listener.accept().await {
            Ok((stream, _)) => {
                let (core, acceptor) = (Arc::clone(&core), acceptor.clone());
                tokio::spawn(async move { serve(core, stream, acceptor).await });
            }
            Err(error) => {
                tracing::warn!(%error, "a connection could not be accepted");
                // Out of file descriptors, most likely; let others close theirs first.
                tokio::time::sleep(std::time::Duration::from_millis(50)).await;
            }
        }
    }
}

async fn serve(core: Arc<Core>, stream: TcpStream, acceptor: TlsAcceptor) {
    if let Err(error) = stream.set_nodelay(true) {
        tracing::trace!(%error, "nodelay is not available");
    }
    let stream = match acceptor.accept(stream).await {
        Ok(stream) => stream,
        Err(error) => {
            tracing::debug!(%error, "a TLS handshake failed");
            return;
        }
    };
    let known = stream
        .get_ref()
        .1
        .peer_certificates()
        .and_then(|chain| core.user_of_certificate(chain.first()?.as_ref()));
    let identity = known.map_or(Identity::Token, Identity::Known);
    let router = handler::router(Front { core, identity });
    let service = hyper_util::service::TowerToHyperService::new(router);
    let served = hyper::server::conn::http1::Builder::new()
        .serve_connection(TokioIo::new(stream), service)
        .with_upgrades()
        .await;
    if let Err(error) = served {
        tracing::trace!(%error, "a connection ended");
    }
}

/// Makes a client certificate: certificate and key as PEM, and the certificate's bytes.
pub(super) fn client_certificate(
    authority: &Authority,
    user: &User,
) -> Result<(String, String, Vec<u8>), ListenError> {
    let usage = ExtendedKeyUsagePurpose::ClientAuth;
    let (certificate, key) = authority.issue(&user.name, Vec::new(), usage)?;
    let bytes = certificate.der().to_vec();
    Ok((certificate.pem(), key.serialize_pem(), bytes))
}

/// Writes a kubeconfig with the given credentials.
pub(super) fn kubeconfig(listening: &Listening, user: &Value) -> String {
    let host = if listening.addr.ip().is_unspecified() {
        SocketAddr::from(([127, 0, 0, 1], listening.addr.port()))
    } else {
        listening.addr
    };
    let config = json!({
        "apiVersion": "v1",
        "kind": "Config",
        "clusters": [{"name": "tiphys", "cluster": {
            "server": format!("https://{host}"),
            "certificate-authority-data": STANDARD.encode(&listening.ca_pem),
        }}],
        "users": [{"name": "tiphys-admin", "user": user}],
        "contexts": [{"name": "tiphys", "context": {
            "cluster": "tiphys", "user": "tiphys-admin", "namespace": "default",
        }}],
        "current-context": "tiphys",
    });
    // JSON is YAML, should the writer ever refuse.
    crate::api::yaml::to_string(&config).unwrap_or_else(|_| config.to_string())
}

/// Returns 32 letters that nobody can guess.
pub(super) fn secret() -> String {
    let mut bytes = [0_u8; 24];
    let random = rustls::crypto::ring::default_provider().secure_random;
    if random.fill(&mut bytes).is_err() {
        tracing::error!("the system has no random numbers; tokens of this run can be guessed");
    }
    base64::engine::general_purpose::URL_SAFE_NO_PAD.encode(bytes)
}
