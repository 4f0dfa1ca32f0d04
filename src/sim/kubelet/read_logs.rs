//! Serving container logs to the API server's `pods/log`.

use super::logs::{LogBook, LogStyle};
use super::{Kubelet, container::Span};
use crate::domain::clock::Clock;
use crate::sim::apiserver::{LogRequest, PodLogs};
use crate::sim::controllers::runtime::ObjectKey;
use bytes::Bytes;
use chrono::{DateTime, Utc};
use futures::future::BoxFuture;
use futures::stream::{self, BoxStream, StreamExt};
use k8s_openapi::api::core::v1::Container;
use std::sync::PoisonError;
use tokio::sync::watch;

impl PodLogs for Kubelet {
    fn read(
        &self,
        request: LogRequest,
    ) -> BoxFuture<'static, Result<BoxStream<'static, Bytes>, String>> {
        let kubelet = self.clone();
        Box::pin(async move { kubelet.open_log(request) })
    }
}

impl Kubelet {
    fn open_log(&self, request: LogRequest) -> Result<BoxStream<'static, Bytes>, String> {
        let reader = Reader::open(self.clone(), request)?;
        let limit = reader.request.limit_bytes;
        let chunks = stream::unfold(reader, |mut reader| async move {
            let chunk = reader.next().await?;
            Some((chunk, reader))
        });
        Ok(match limit {
            None => chunks.map(Bytes::from).boxed(),
            Some(limit) => {
                let mut left = limit as usize;
                chunks
                    .map(move |chunk| {
                        let mut bytes = Bytes::from(chunk);
                        bytes.truncate(left);
                        left -= bytes.len();
                        bytes
                    })
                    .take_while(|bytes| std::future::ready(!bytes.is_empty()))
                    .boxed()
            }
        })
    }
}

/// A client that reads the log of one run of a container.
struct Reader {
    kubelet: Kubelet,
    key: ObjectKey,
    request: LogRequest,
    spec: Container,
    number: u32,
    next_line: u64,
    changed: watch::Receiver<u64>,
    done: bool,
    begun: bool,
}

impl Reader {
    #[allow(
        clippy::too_many_lines,
        reason = "each step can end with its own sentence"
    )]
    fn open(kubelet: Kubelet, request: LogRequest) -> Result<Self, String> {
        let key = ObjectKey::new(request.namespace.clone(), request.pod.clone());
        let waiting = format!(
            "container \"{}\" in pod \"{}\" is waiting to start: ContainerCreating",
            request.container, request.pod
        );
        let pod = kubelet
            .0
            .pods
            .informer()
            .get(&key)
            .ok_or_else(|| waiting.clone())?;
        let spec = pod
            .spec
            .iter()
            .flat_map(|spec| {
                spec.containers
                    .iter()
                    .chain(spec.init_containers.iter().flatten())
            })
            .find(|container| container.name == request.container)
            .cloned()
            .ok_or_else(|| waiting.clone())?;
        let run = kubelet.run_of(&key, pod.metadata.uid.as_deref().unwrap_or_default());
        let container = run
            .as_ref()
            .and_then(|run| run.container(&request.container))
            .ok_or_else(|| waiting.clone())?;
        let span = if request.previous {
            let ended = container
                .spans
                .iter()
                .rev()
                .skip(usize::from(container.is_running()));
            ended
                .clone()
                .find(|span| span.end.is_some())
                .ok_or_else(|| {
                    format!(
                        "previous terminated container \"{}\" in pod \"{}\" not found",
                        request.container, request.pod
                    )
                })?
        } else {
            container.spans.last().ok_or_else(|| {
                let (reason, message) = container.waiting(&pod, false);
                let why = match reason.as_str() {
                    "ErrImagePull" | "ImagePullBackOff" => {
                        "trying and failing to pull image".to_owned()
                    }
                    _ => message.unwrap_or(reason),
                };
                format!(
                    "container \"{}\" in pod \"{}\" is waiting to start: {why}",
                    request.container, request.pod
                )
            })?
        };
        let number = span.number;
        let changed = kubelet.0.changed.subscribe();
        Ok(Self {
            kubelet,
            key,
            request,
            spec,
            number,
            next_line: 0,
            changed,
            done: false,
            begun: false,
        })
    }

    /// Returns the log as far as it is known now; none when the run is forgotten.
    fn book(&self) -> Option<LogBook> {
        let runs = self
            .kubelet
            .0
            .runs
            .read()
            .unwrap_or_else(PoisonError::into_inner);
        let run = runs.get(&self.key)?;
        let span: &Span = run
            .container(&self.request.container)?
            .spans
            .iter()
            .find(|span| span.number == self.number)?;
        let image = self.spec.image.as_deref().unwrap_or_default();
        let profile = self.kubelet.0.options.images.profile(image);
        let number = self.number.to_string();
        let seed = self
            .kubelet
            .0
            .seed
            .stream(&[&run.uid, &self.spec.name, &number])
            .next_u64();
        Some(LogBook::new(
            &self.spec,
            &profile,
            span,
            crate::sim::rng::Seed(seed),
        ))
    }

    /// Waits for the next piece of the log.
    async fn next(&mut self) -> Option<String> {
        while !self.done {
            let book = self.book()?;
            let now = self.kubelet.0.clock.now();
            let text = self.written(&book, now);
            self.done = book.has_ended() || !self.request.follow;
            if !text.is_empty() {
                return Some(text);
            }
            if !self.done {
                self.wait(book.time_of(self.next_line)).await?;
            }
        }
        None
    }

    fn written(&mut self, book: &LogBook, now: DateTime<Utc>) -> String {
        let style = LogStyle {
            timestamps: self.request.timestamps,
            since: self.request.since,
        };
        let until = book.count_until(now);
        let closing = if book.has_ended() {
            book.last_word_count()
        } else {
            0
        };
        let mut last_words = book.last_words(&style);
        if !self.begun {
            self.begun = true;
            if let Some(tail) = self.request.tail_lines {
                self.next_line = (until + closing).saturating_sub(tail).min(until);
                if tail < closing {
                    let skipped = (closing - tail) as usize;
                    last_words = last_words.split_inclusive('\n').skip(skipped).collect();
                }
            }
        }
        let mut text = book.lines(self.next_line, until, &style);
        self.next_line = self.next_line.max(until);
        if book.has_ended() {
            text.push_str(&last_words);
        }
        text
    }

    async fn wait(&mut self, due: Option<DateTime<Utc>>) -> Option<()> {
        let clock = self.kubelet.0.clock.clone();
        let next_line = async move {
            match due {
                Some(due) => clock.sleep_until(due).await,
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            () = next_line => Some(()),
            changed = self.changed.changed() => changed.ok(),
        }
    }
}
