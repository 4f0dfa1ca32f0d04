//! One container's log: read once, or followed over restarts.

use super::PodRow;
use crate::engine::fault::Fault;
use crate::engine::protocol::{LogLine, LogOptions};
use crate::engine::session::Session;
use crate::engine::transport::{Call, open, segment};
use chrono::{DateTime, SecondsFormat, Utc};
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::{mpsc, watch};

/// When the Pod's watch says nothing, a stream that ended is tried again after this long.
const RETRY: Duration = Duration::from_secs(5);

/// A line on its way.
#[derive(Debug)]
pub(super) struct Line {
    origin: Arc<str>,
    at: Option<DateTime<Utc>>,
    text: String,
}

impl Line {
    pub(super) fn into_log_line(self) -> LogLine {
        LogLine {
            origin: self.origin,
            at: self.at,
            text: self.text.into(),
        }
    }
}

/// The log of one container.
pub(super) struct Follow {
    session: Arc<Session>,
    path: String,
    origin: Arc<str>,
    options: LogOptions,
    /// Only the last lines are wanted, because the Pod was there before us.
    limited: bool,
    last: Option<DateTime<Utc>>,
}

impl Follow {
    pub(super) fn new(
        session: &Arc<Session>,
        pod: &PodRow,
        container: &str,
        options: &LogOptions,
        limited: bool,
    ) -> Self {
        let path = format!(
            "/api/v1/namespaces/{}/pods/{}/log?timestamps=true&container={}",
            segment(&pod.namespace),
            segment(&pod.name),
            segment(container)
        );
        Self {
            session: Arc::clone(session),
            path,
            origin: format!("{}/{container}", pod.name).into(),
            options: options.clone(),
            limited,
            last: None,
        }
    }

    fn path(&self, follow: bool) -> String {
        let mut path = self.path.clone();
        let mut add = |text: String| path.push_str(&text);
        if follow {
            add(String::from("&follow=true"));
        }
        if self.options.previous {
            add(String::from("&previous=true"));
        }
        if let Some(last) = self.last {
            let since = last.to_rfc3339_opts(SecondsFormat::Secs, true);
            add(format!("&sinceTime={}", segment(&since)));
        } else {
            if self.limited {
                add(format!("&tailLines={}", self.options.tail));
            }
            if let Some(seconds) = self.options.since_seconds {
                add(format!("&sinceSeconds={seconds}"));
            }
        }
        path
    }

    /// Reads what there is.
    pub(super) async fn once(mut self, lines: &mpsc::Sender<Vec<Line>>) -> Result<(), Fault> {
        self.stream(false, lines).await
    }

    /// Follows until the Pod is gone or finished.
    pub(super) async fn forever(
        mut self,
        mut pod: watch::Receiver<PodRow>,
        lines: mpsc::Sender<Vec<Line>>,
    ) {
        loop {
            let finished = pod.borrow_and_update().finished;
            let ended = self.stream(true, &lines).await;
            if lines.is_closed() || (finished && ended.is_ok()) {
                return;
            }
            if let Err(fault) = &ended {
                tracing::debug!(origin = %self.origin, %fault, "log stream ended");
                if matches!(fault, Fault::Forbidden(_) | Fault::Unauthorized(_)) {
                    let text = format!("cannot read this log: {fault}");
                    self.say(&lines, text).await;
                    return;
                }
            }
            // A container that waits or restarts shows in the Pod's state.
            let changed = tokio::time::timeout(RETRY, pod.changed()).await;
            if matches!(changed, Ok(Err(_))) {
                return;
            }
        }
    }

    async fn say(&self, lines: &mpsc::Sender<Vec<Line>>, text: String) {
        let line = Line {
            origin: Arc::clone(&self.origin),
            at: None,
            text,
        };
        if lines.send(vec![line]).await.is_err() {
            tracing::debug!("nobody reads this log any more");
        }
    }

    async fn stream(&mut self, follow: bool, lines: &mpsc::Sender<Vec<Line>>) -> Result<(), Fault> {
        let before = self.last;
        let mut stream = open(&self.session.client(), Call::get(self.path(follow))).await?;
        while let Some(block) = stream.next_block().await {
            let read = self.read(block?, before);
            if !read.is_empty() && lines.send(read).await.is_err() {
                return Ok(());
            }
        }
        Ok(())
    }

    /// Returns the lines of a block that come after a time.
    fn read(&mut self, block: &[u8], before: Option<DateTime<Utc>>) -> Vec<Line> {
        let mut lines = Vec::new();
        let raw = block.split(|byte| *byte == b'\n');
        for raw in raw.filter(|raw| !raw.is_empty()) {
            let text = String::from_utf8_lossy(raw);
            let (at, text) = stamped(&text);
            // `sinceTime` counts whole seconds: what was seen comes again.
            if at.is_some() && at <= before {
                continue;
            }
            self.last = at.or(self.last);
            lines.push(Line {
                origin: Arc::clone(&self.origin),
                at,
                text: text.to_owned(),
            });
        }
        lines
    }
}

/// Splits the time that the kubelet puts before a line.
fn stamped(line: &str) -> (Option<DateTime<Utc>>, &str) {
    let line = line.strip_suffix('\r').unwrap_or(line);
    let (stamp, rest) = line.split_once(' ').unwrap_or((line, ""));
    match DateTime::parse_from_rfc3339(stamp) {
        Ok(at) => (Some(at.with_timezone(&Utc)), rest),
        Err(_) => (None, line),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_stamp_is_split_off_and_a_line_without_one_stays_whole() {
        let (at, text) = stamped("2026-01-01T00:00:00.5Z GET / 200");
        assert_eq!((at.is_some(), text), (true, "GET / 200"));

        assert_eq!(stamped("plain text"), (None, "plain text"));
        assert_eq!(stamped("2026-01-01T00:00:00Z").1, "");
    }
}
