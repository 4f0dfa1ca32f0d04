//! Requests to an API server as bytes: one answer, or a stream of lines.
//!
//! Typed layers sit above; this one knows timeouts, refusals and nothing of kinds. Nothing is
//! retried here: whoever asks knows whether asking twice is safe.

use super::fault::Fault;
use bytes::Bytes;
use futures::{Stream, StreamExt};
use http::{HeaderMap, HeaderName, HeaderValue, Method, Request, header};
use http_body_util::BodyExt;
use kube::Client;
use kube::client::Body;
use serde_json::Value;
use std::pin::Pin;
use std::time::Duration;

/// How long a single answer may take, a large list page included.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(30);

pub(super) const JSON: &str = "application/json";
pub(super) const MERGE_PATCH: &str = "application/merge-patch+json";
pub(super) const JSON_PATCH: &str = "application/json-patch+json";
pub(super) const TABLE: &str = "application/json;as=Table;v=v1;g=meta.k8s.io,application/json";

/// A request about to be sent.
#[derive(Debug)]
pub(super) struct Call {
    method: Method,
    path: String,
    accept: &'static str,
    body: Option<(&'static str, Vec<u8>)>,
    cookie: Option<String>,
    headers: Vec<(HeaderName, HeaderValue)>,
}

impl Call {
    pub(super) fn get(path: impl Into<String>) -> Self {
        Self::new(Method::GET, path)
    }

    pub(super) fn new(method: Method, path: impl Into<String>) -> Self {
        Self {
            method,
            path: path.into(),
            accept: JSON,
            body: None,
            cookie: None,
            headers: Vec::new(),
        }
    }

    pub(super) fn accept(mut self, accept: &'static str) -> Self {
        self.accept = accept;
        self
    }

    pub(super) fn body(mut self, content_type: &'static str, body: &Value) -> Self {
        self.body = Some((content_type, body.to_string().into_bytes()));
        self
    }

    /// Sends parameters as a form does.
    pub(super) fn form(mut self, parameters: String) -> Self {
        self.body = Some(("application/x-www-form-urlencoded", parameters.into_bytes()));
        self
    }

    /// Adds a header; text that cannot be one is left out.
    pub(super) fn with_header(mut self, name: HeaderName, value: &str) -> Self {
        if let Ok(value) = HeaderValue::from_str(value) {
            self.headers.push((name, value));
        }
        self
    }

    pub(super) fn cookie(mut self, cookie: Option<String>) -> Self {
        self.cookie = cookie;
        self
    }

    fn into_request(self, identity: bool) -> Result<Request<Body>, Fault> {
        let mut request = Request::builder()
            .method(self.method)
            .uri(&self.path)
            .header(header::ACCEPT, self.accept);
        if identity {
            // Servers compress streams in members that the client's decoder cannot follow.
            request = request.header(header::ACCEPT_ENCODING, "identity");
        }
        if let Some(cookie) = self.cookie {
            request = request.header(header::COOKIE, cookie);
        }
        for (name, value) in self.headers {
            request = request.header(name, value);
        }
        let body = match self.body {
            Some((content_type, body)) => {
                request = request.header(header::CONTENT_TYPE, content_type);
                Body::from(body)
            }
            None => Body::empty(),
        };
        let built = request.body(body);
        built.map_err(|error| Fault::Refused(format!("`{}` is no request: {error}", self.path)))
    }
}

/// A whole answer, whatever its code.
#[derive(Debug)]
pub(super) struct Answer {
    pub(super) code: u16,
    pub(super) headers: HeaderMap,
    pub(super) body: Bytes,
}

impl Answer {
    pub(super) fn new(code: u16, headers: HeaderMap, body: Bytes) -> Self {
        Self {
            code,
            headers,
            body,
        }
    }

    /// Returns a header's text; empty when there is none.
    pub(super) fn header(&self, name: &str) -> &str {
        let value = self.headers.get(name);
        value
            .and_then(|value| value.to_str().ok())
            .unwrap_or_default()
    }

    pub(super) fn content_type(&self) -> &str {
        self.header("content-type")
    }
}

/// Sends a request and returns the whole answer.
pub(super) async fn send(client: &Client, call: Call) -> Result<Bytes, Fault> {
    let answer = exchange(client, call).await?;
    if (200..300).contains(&answer.code) {
        Ok(answer.body)
    } else {
        Err(Fault::from_answer(answer.code, &answer.body))
    }
}

/// Sends a request and returns the answer as it is, refusals included.
pub(super) async fn exchange(client: &Client, call: Call) -> Result<Answer, Fault> {
    let request = call.into_request(false)?;
    let answer = async {
        let response = client
            .send(request)
            .await
            .map_err(|error| Fault::from_client(&error))?;
        let code = response.status().as_u16();
        let headers = response.headers().clone();
        let body = response.into_body().collect().await;
        let body = body.map_err(|error| Fault::from_client(&error))?.to_bytes();
        Ok(Answer::new(code, headers, body))
    };
    tokio::time::timeout(ANSWER_TIMEOUT, answer)
        .await
        .unwrap_or_else(|_| {
            let seconds = ANSWER_TIMEOUT.as_secs();
            Err(Fault::Unreachable(format!("no answer for {seconds} s")))
        })
}

/// Sends a request and reads the answer as JSON.
pub(super) async fn send_json(client: &Client, call: Call) -> Result<Value, Fault> {
    let body = send(client, call).await?;
    serde_json::from_slice(&body)
        .map_err(|error| Fault::Unreadable(format!("the answer is not JSON: {error}")))
}

/// Opens a stream whose lines arrive over time.
pub(super) async fn open(client: &Client, call: Call) -> Result<Lines, Fault> {
    let request = call.into_request(true)?;
    let opened = tokio::time::timeout(ANSWER_TIMEOUT, client.send(request)).await;
    let response = opened
        .map_err(|_elapsed| Fault::Unreachable(String::from("the stream did not open in time")))?
        .map_err(|error| Fault::from_client(&error))?;
    let code = response.status();
    if !code.is_success() {
        let body = response.into_body().collect().await;
        let body = body.map_err(|error| Fault::from_client(&error))?.to_bytes();
        return Err(Fault::from_answer(code.as_u16(), &body));
    }
    Ok(Lines {
        stream: Box::pin(response.into_body().into_data_stream()),
        buffer: Vec::new(),
        used: 0,
    })
}

/// The lines of an open stream, in blocks as they arrive.
pub(super) struct Lines {
    stream: Pin<Box<dyn Stream<Item = Result<Bytes, kube::Error>> + Send>>,
    buffer: Vec<u8>,
    used: usize,
}

impl Lines {
    /// Returns one or more whole lines; `None` when the server closed the stream. What is left
    /// without a line end is dropped: it was cut off. Safe to cancel.
    pub(super) async fn next_block(&mut self) -> Option<Result<&[u8], Fault>> {
        self.buffer.drain(..self.used);
        self.used = 0;
        loop {
            let chunk = match self.stream.next().await? {
                Ok(chunk) => chunk,
                Err(error) => return Some(Err(Fault::from_client(&error))),
            };
            self.buffer.extend_from_slice(&chunk);
            if let Some(at) = chunk.iter().rposition(|byte| *byte == b'\n') {
                self.used = self.buffer.len() - chunk.len() + at + 1;
                return Some(Ok(self.buffer.get(..self.used).unwrap_or_default()));
            }
        }
    }
}

/// Escapes one segment of a path.
pub(super) fn segment(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || b"-._~:".contains(&byte) {
            escaped.push(char::from(byte));
        } else {
            escaped.push('%');
            for nibble in [byte >> 4, byte & 15] {
                let digit = char::from_digit(u32::from(nibble), 16).unwrap_or('0');
                escaped.push(digit.to_ascii_uppercase());
            }
        }
    }
    escaped
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lines(chunks: &[&'static str]) -> Lines {
        let chunks: Vec<_> = chunks
            .iter()
            .map(|chunk| Ok(Bytes::from_static(chunk.as_bytes())))
            .collect();
        Lines {
            stream: Box::pin(futures::stream::iter(chunks)),
            buffer: Vec::new(),
            used: 0,
        }
    }

    #[tokio::test]
    async fn lines_come_whole_however_they_are_cut() {
        let mut lines = lines(&["on", "e\ntwo\nth", "r", "ee\nlost"]);
        let mut blocks = Vec::new();

        while let Some(block) = lines.next_block().await {
            let block = block.expect("no fault");
            blocks.push(String::from_utf8_lossy(block).into_owned());
        }

        assert_eq!(blocks, ["one\ntwo\n", "three\n"]);
    }

    #[test]
    fn path_segments_cannot_break_out() {
        assert_eq!(segment("system:node"), "system:node");
        assert_eq!(segment("../a?b"), "..%2Fa%3Fb");
    }
}
