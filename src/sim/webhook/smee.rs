//! A client of a Smee channel: webhooks that a public server receives are brought to a local one.
//!
//! Follows smee-client (`index.ts`): the channel is a stream of server-sent events whose data holds
//! the headers of a request, its `query` and its `body`. The body goes on byte by byte as the
//! channel gives it, so that its signature can still be checked. A channel that breaks off is
//! asked again, later each time.

use crate::sim::network::Network;
use bytes::Bytes;
use futures::StreamExt as _;
use http::{HeaderName, HeaderValue, Request};
use serde::Deserialize;
use serde_json::value::RawValue;
use std::collections::BTreeMap;
use std::time::Duration;
use tokio_util::sync::CancellationToken;

/// Headers that are about the way to the channel, not about the event.
const OF_THE_WAY: [&str; 4] = ["host", "content-length", "connection", "transfer-encoding"];
const SHORTEST_PAUSE: Duration = Duration::from_secs(1);
const LONGEST_PAUSE: Duration = Duration::from_secs(60);
/// The channel sends a ping every half minute; silence longer than this is a broken connection.
const LONGEST_SILENCE: Duration = Duration::from_secs(90);
/// The longest event; what is longer is dropped with the connection.
const LONGEST_EVENT: usize = 16 * 1024 * 1024;

/// A channel and where its events go.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SmeeShape {
    /// Such as `https://smee.io/abc`.
    pub channel: String,
    /// A service of the platform, or any server that can be reached.
    pub target: String,
}

impl SmeeShape {
    /// Returns what is wrong with it.
    pub fn mistake(&self) -> Option<&'static str> {
        let is_http = |url: &str| url.starts_with("http://") || url.starts_with("https://");
        (!is_http(&self.channel) || !is_http(&self.target))
            .then_some("a Smee channel needs a `channel` and a `target`, both addresses")
    }
}

/// Follows a channel until it is told to stop.
pub fn follow(shape: SmeeShape, network: Network, stop: CancellationToken) {
    tokio::spawn(async move {
        let following = async {
            let mut pause = SHORTEST_PAUSE;
            loop {
                let ended = listen(&shape, &network, &mut pause).await;
                let channel = &shape.channel;
                tracing::warn!(
                    channel,
                    why = ended,
                    ?pause,
                    "a Smee channel broke off; it is asked again"
                );
                tokio::time::sleep(pause).await;
                pause = (pause * 2).min(LONGEST_PAUSE);
            }
        };
        stop.run_until_cancelled(following).await.unwrap_or(());
    });
}

/// Reads the channel until it breaks off; returns why it did.
async fn listen(shape: &SmeeShape, network: &Network, pause: &mut Duration) -> String {
    let client = reqwest::Client::builder()
        .read_timeout(LONGEST_SILENCE)
        .build();
    let client = match client {
        Ok(client) => client,
        Err(error) => return error.to_string(),
    };
    let request = client
        .get(&shape.channel)
        .header("accept", "text/event-stream");
    let answer = match request
        .send()
        .await
        .and_then(reqwest::Response::error_for_status)
    {
        Ok(answer) => answer,
        Err(error) => return error.to_string(),
    };
    *pause = SHORTEST_PAUSE;
    let mut reader = Reader::default();
    let mut pieces = answer.bytes_stream();
    while let Some(piece) = pieces.next().await {
        match piece {
            Ok(piece) => reader.feed(&piece),
            Err(error) => return error.to_string(),
        }
        if reader.rest.len() > LONGEST_EVENT {
            return "an event is too long".to_owned();
        }
        while let Some(data) = reader.next_event() {
            deliver(shape, network, &data).await;
        }
    }
    "the server closed it".to_owned()
}

async fn deliver(shape: &SmeeShape, network: &Network, data: &str) {
    let request = match request_of(&shape.target, data) {
        Ok(Some(request)) => request,
        Ok(None) => return,
        Err(why) => {
            tracing::warn!(why, "an event of a Smee channel cannot be read");
            return;
        }
    };
    let target = &shape.target;
    match network.send(request).await {
        Ok(answer) if answer.status().is_success() => {}
        Ok(answer) => {
            let said = String::from_utf8_lossy(answer.body()).into_owned();
            tracing::warn!(target, status = %answer.status(), said, "an event of a Smee channel was refused");
        }
        Err(error) => tracing::warn!(target, %error, "an event of a Smee channel was not taken"),
    }
}

/// Returns the request that an event stands for; none for one without a body (`ready`, `ping`).
fn request_of(target: &str, data: &str) -> Result<Option<Request<Bytes>>, String> {
    let fields: BTreeMap<String, Box<RawValue>> =
        serde_json::from_str(data).map_err(|error| error.to_string())?;
    let Some(body) = fields.get("body") else {
        return Ok(None);
    };
    let query: BTreeMap<String, String> = fields
        .get("query")
        .and_then(|query| serde_json::from_str(query.get()).ok())
        .unwrap_or_default();
    let mut url = reqwest::Url::parse(target).map_err(|error| error.to_string())?;
    if !query.is_empty() {
        url.query_pairs_mut().extend_pairs(&query);
    }
    let mut request = Request::post(url.as_str());
    for (name, value) in &fields {
        let skipped = ["body", "query", "timestamp"].contains(&name.as_str());
        let Ok(value) = serde_json::from_str::<String>(value.get()) else {
            continue;
        };
        let name = HeaderName::try_from(name.as_str());
        let (Ok(name), Ok(value)) = (name, HeaderValue::try_from(value)) else {
            continue;
        };
        if !skipped && !OF_THE_WAY.contains(&name.as_str()) {
            request = request.header(name, value);
        }
    }
    let body = Bytes::from(body.get().to_owned());
    request
        .body(body)
        .map(Some)
        .map_err(|error| error.to_string())
}

/// Takes a stream of server-sent events apart (WHATWG HTML, 9.2.6).
#[derive(Debug, Default)]
struct Reader {
    rest: Vec<u8>,
    data: Vec<String>,
}

impl Reader {
    fn feed(&mut self, piece: &[u8]) {
        self.rest.extend_from_slice(piece);
    }

    /// Returns the data of the next whole event.
    fn next_event(&mut self) -> Option<String> {
        loop {
            let end = self.rest.iter().position(|byte| *byte == b'\n')?;
            let line: Vec<u8> = self.rest.drain(..=end).collect();
            let line = String::from_utf8_lossy(&line).into_owned();
            let line = line.trim_end_matches(['\n', '\r']);
            if line.is_empty() {
                if self.data.is_empty() {
                    continue;
                }
                return Some(std::mem::take(&mut self.data).join("\n"));
            }
            if let Some(data) = line.strip_prefix("data:") {
                self.data
                    .push(data.strip_prefix(' ').unwrap_or(data).to_owned());
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sim::apiserver::{ApiServer, ServerOptions};
    use crate::sim::clock::PlatformClock;
    use axum::Router;
    use axum::body::Body;
    use axum::routing::{get, post};
    use http::HeaderMap;
    use tokio::sync::mpsc;

    #[test]
    fn a_stream_is_taken_apart_wherever_it_is_cut() {
        let mut reader = Reader::default();
        let stream =
            "event: ready\ndata: {}\n\n: comment\ndata: {\"a\":1,\r\ndata: \"b\":2}\r\n\r\n";
        let mut events = Vec::new();
        for byte in stream.bytes() {
            reader.feed(&[byte]);
            events.extend(reader.next_event());
        }
        assert_eq!(events, ["{}", "{\"a\":1,\n\"b\":2}"]);
    }

    #[test]
    fn headers_query_and_body_become_the_request_again() {
        let data = r#"{"host":"smee.io","x-github-event":"push","query":{"a":"b c"},"timestamp":1,"body":{"z":1,"a":2}}"#;

        let request = request_of("http://127.0.0.1:1/push", data);

        let request = request.expect("it reads").expect("a request");
        assert_eq!(request.uri(), "http://127.0.0.1:1/push?a=b+c");
        assert_eq!(request.headers()["x-github-event"], "push");
        assert!(!request.headers().contains_key("host"));
        assert_eq!(&request.body()[..], br#"{"z":1,"a":2}"#);
        assert!(request_of("http://x/", "{}").expect("it reads").is_none());
    }

    async fn served(router: Router) -> String {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await;
        let listener = listener.expect("a port");
        let address = listener.local_addr().expect("an address");
        tokio::spawn(async move { axum::serve(listener, router).await });
        format!("http://{address}")
    }

    #[tokio::test]
    async fn events_of_the_channel_reach_the_target_with_their_bytes() {
        let (sender, mut received) = mpsc::channel::<(String, Bytes)>(4);
        let take = move |headers: HeaderMap, body: Bytes| async move {
            let event = headers["x-github-event"]
                .to_str()
                .unwrap_or_default()
                .to_owned();
            sender.send((event, body)).await.expect("somebody waits");
        };
        let target = served(Router::new().route("/push", post(take))).await;
        let event = "event: ready\ndata: {}\n\ndata: {\"x-github-event\":\"push\",\"body\":{\"z\":1,\"a\":2}}\n\n";
        let channel = get(move || async move { Body::from(event) });
        let channel = served(Router::new().route("/abc", channel)).await;
        let clock = PlatformClock::stepped(chrono::DateTime::UNIX_EPOCH);
        let server = ApiServer::start(ServerOptions::new(clock));
        let network = Network::of(server).expect("a network");
        let stop = CancellationToken::new();
        let shape = SmeeShape {
            channel: format!("{channel}/abc"),
            target: format!("{target}/push"),
        };
        assert_eq!(shape.mistake(), None);

        follow(shape, network, stop.clone());

        let first = tokio::time::timeout(Duration::from_secs(20), received.recv()).await;
        let (event, body) = first.expect("in time").expect("an event");
        assert_eq!(event, "push");
        assert_eq!(&body[..], br#"{"z":1,"a":2}"#);
        stop.cancel();
    }
}
