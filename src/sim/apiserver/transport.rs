//! The in-memory way to the server: real HTTP/1.1 over a duplex stream, without a port.
//!
//! Each connection has its own server task, so a heavy list is made there and not in the
//! client's task, and upgrades work as over TCP.

use hyper::rt::{Read, ReadBufCursor, Write};
use hyper_util::client::legacy::connect::{Connected, Connection};
use hyper_util::rt::{TokioExecutor, TokioIo};
use std::future::{Ready, ready};
use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};
use tokio::io::DuplexStream;
use tower::{Service, ServiceBuilder};

/// Bytes that a side may write before the other reads.
const PIPE: usize = 256 << 10;

/// Opens connections to a router.
#[derive(Clone, Debug)]
struct Duplex(axum::Router);

impl Service<http::Uri> for Duplex {
    type Response = DuplexIo;
    type Error = io::Error;
    type Future = Ready<io::Result<DuplexIo>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, _: http::Uri) -> Self::Future {
        let (near, far) = tokio::io::duplex(PIPE);
        let service = hyper_util::service::TowerToHyperService::new(self.0.clone());
        tokio::spawn(async move {
            let served = hyper::server::conn::http1::Builder::new()
                .serve_connection(TokioIo::new(far), service)
                .with_upgrades()
                .await;
            if let Err(error) = served {
                tracing::trace!(%error, "an in-memory connection ended");
            }
        });
        ready(Ok(DuplexIo(TokioIo::new(near))))
    }
}

/// The client's end of a connection.
#[derive(Debug)]
struct DuplexIo(TokioIo<DuplexStream>);

impl Read for DuplexIo {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: ReadBufCursor<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_read(context, buffer)
    }
}

impl Write for DuplexIo {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.0).poll_write(context, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_shutdown(context)
    }
}

impl Connection for DuplexIo {
    fn connected(&self) -> Connected {
        Connected::new()
    }
}

/// Makes a client whose requests go to `router`.
pub(super) fn client(router: axum::Router) -> kube::Client {
    let http = hyper_util::client::legacy::Client::builder(TokioExecutor::new())
        .build::<_, kube::client::Body>(Duplex(router));
    let base = http::Uri::from_static("http://embedded");
    let service = ServiceBuilder::new()
        .layer(kube::client::middleware::BaseUriLayer::new(base))
        .service(http);
    kube::Client::new(service, "default")
}
