//! What containers write: the same lines for the same run, told from its times alone.
//!
//! Nothing is stored. A line's time and text follow from its number, so a log of days costs
//! nothing until it is read, and following sleeps until the next line is due.

use super::command;
use super::container::Span;
use super::image::ImageProfile;
use crate::sim::controllers::runtime::time::seconds;
use crate::sim::rng::{Rng, Seed};
use chrono::{DateTime, SecondsFormat, TimeDelta, Utc};
use k8s_openapi::api::core::v1::Container;

const EVERY_SECONDS: f64 = 5.0;
/// No reader gets more than this many lines of history.
const MOST_LINES: u64 = 10_000;

/// The log of one run of a container.
#[derive(Clone, Debug)]
pub(super) struct LogBook {
    start: DateTime<Utc>,
    end: Option<DateTime<Utc>>,
    opening: Vec<String>,
    /// The time between two of the opening lines.
    opening_every: TimeDelta,
    repeated: Vec<String>,
    every: f64,
    closing: Vec<String>,
    seed: Seed,
}

impl LogBook {
    pub(super) fn new(spec: &Container, profile: &ImageProfile, span: &Span, seed: Seed) -> Self {
        if let Some(script) = &span.script {
            return Self {
                start: script.began,
                end: span.end,
                opening: script.lines.clone(),
                opening_every: script.every,
                repeated: Vec::new(),
                every: EVERY_SECONDS,
                closing: script.last_words.clone(),
                seed,
            };
        }
        let port = spec
            .ports
            .iter()
            .flatten()
            .next()
            .map(|port| port.container_port);
        let command = command::follow(spec);
        let said = command.is_some();
        let image = spec.image.as_deref().unwrap_or_default();
        let opening = match command {
            Some(outcome) => outcome.lines,
            None if !profile.log_start.is_empty() => profile.log_start.clone(),
            None => std::iter::once(format!("level=info msg=\"starting\" image={image}"))
                .chain(port.map(|port| format!("level=info msg=\"listening\" address=:{port}")))
                .collect(),
        };
        let repeated = match (profile.log_lines.is_empty(), port) {
            (false, _) => profile.log_lines.clone(),
            (true, _) if said => Vec::new(),
            (true, Some(_)) => vec![
                "level=info msg=\"request\" method=GET path=/ status=200 duration={ms}ms".into(),
                "level=info msg=\"request\" method=GET path=/healthz status=200 duration=1ms"
                    .into(),
                "level=info msg=\"request\" method=POST path=/api/items status=201 duration={ms}ms"
                    .into(),
            ],
            (true, None) => vec!["level=info msg=\"working\" item={n}".into()],
        };
        Self {
            start: span.start,
            end: span.end,
            opening,
            opening_every: TimeDelta::milliseconds(20),
            repeated,
            every: profile.log_every.unwrap_or(EVERY_SECONDS).max(0.05),
            closing: if span.finished {
                profile.log_end.clone()
            } else {
                Vec::new()
            },
            seed,
        }
    }

    /// Returns when a line is written; none if there is no such line.
    pub(super) fn time_of(&self, index: u64) -> Option<DateTime<Utc>> {
        let opening = self.opening.len() as u64;
        if index < opening {
            return Some(self.start + self.opening_every * index as i32);
        }
        if self.repeated.is_empty() {
            return None;
        }
        let number = index - opening;
        let jitter = self.rng(number).fraction() * 0.6;
        Some(self.start + seconds(1.0 + (number as f64 + jitter) * self.every))
    }

    fn text_of(&self, index: u64) -> String {
        let opening = self.opening.len() as u64;
        if let Some(line) = self.opening.get(index as usize) {
            return line.clone();
        }
        let number = index.saturating_sub(opening);
        let mut rng = self.rng(number);
        let choice = rng.below(self.repeated.len() as u64) as usize;
        let Some(line) = self.repeated.get(choice) else {
            return String::new();
        };
        line.replace("{n}", &(number + 1).to_string())
            .replace("{ms}", &(3 + rng.below(180)).to_string())
    }

    fn rng(&self, number: u64) -> Rng {
        self.seed.stream(&["log", &number.to_string()])
    }

    /// Returns how many lines have been written before `time`, the closing ones not counted.
    pub(super) fn count_until(&self, time: DateTime<Utc>) -> u64 {
        let time = self.end.map_or(time, |end| end.min(time));
        if self.repeated.is_empty() {
            let written = (0..self.opening.len() as u64)
                .take_while(|index| self.time_of(*index).is_some_and(|at| at <= time));
            return written.count() as u64;
        }
        let (mut low, mut high) = (0, 1);
        while self.time_of(high).is_some_and(|at| at <= time) {
            low = high;
            high *= 2;
        }
        while low < high {
            let middle = low.midpoint(high);
            if self.time_of(middle).is_some_and(|at| at <= time) {
                low = middle + 1;
            } else {
                high = middle;
            }
        }
        low
    }

    /// The run has ended: no line follows the closing ones.
    pub(super) fn has_ended(&self) -> bool {
        self.end.is_some()
    }

    /// Returns the lines `from..until` as text.
    pub(super) fn lines(&self, from: u64, until: u64, style: &LogStyle) -> String {
        let mut text = String::new();
        for index in from.max(until.saturating_sub(MOST_LINES))..until {
            if let Some(at) = self.time_of(index) {
                style.push(&mut text, at, &self.text_of(index));
            }
        }
        text
    }

    /// Returns what the program wrote as it ended by itself.
    pub(super) fn last_words(&self, style: &LogStyle) -> String {
        let mut text = String::new();
        for line in &self.closing {
            style.push(&mut text, self.end.unwrap_or(self.start), line);
        }
        text
    }

    pub(super) fn last_word_count(&self) -> u64 {
        self.closing.len() as u64
    }
}

/// How lines are written out.
#[derive(Clone, Debug, Default)]
pub(super) struct LogStyle {
    pub(super) timestamps: bool,
    pub(super) since: Option<DateTime<Utc>>,
}

impl LogStyle {
    fn push(&self, text: &mut String, at: DateTime<Utc>, line: &str) {
        if self.since.is_some_and(|since| at < since) {
            return;
        }
        if self.timestamps {
            text.push_str(&at.to_rfc3339_opts(SecondsFormat::Nanos, true));
            text.push(' ');
        }
        text.push_str(line);
        text.push('\n');
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use k8s_openapi::api::core::v1::ContainerPort;

    fn book(end: Option<f64>) -> LogBook {
        let spec = Container {
            image: Some("nginx:1".into()),
            ports: Some(vec![ContainerPort {
                container_port: 8080,
                ..ContainerPort::default()
            }]),
            ..Container::default()
        };
        let profile = ImageProfile {
            log_end: vec!["panic: out of cheese".into()],
            ..ImageProfile::default()
        };
        let span = Span {
            number: 0,
            start: DateTime::UNIX_EPOCH,
            end: end.map(|end| DateTime::UNIX_EPOCH + seconds(end)),
            finished: end.is_some(),
            script: None,
        };
        LogBook::new(&spec, &profile, &span, Seed(3))
    }

    #[test]
    fn the_log_grows_with_platform_time_and_never_changes_its_past() {
        let book = book(None);
        let at = |second| book.count_until(DateTime::UNIX_EPOCH + seconds(second));

        assert_eq!(at(0.5), 2);
        assert!(at(60.0) > at(20.0));
        let early = book.lines(0, at(20.0), &LogStyle::default());
        let late = book.lines(0, at(60.0), &LogStyle::default());
        assert!(late.starts_with(&early));
        assert!(early.contains("listening"));
    }

    #[test]
    fn a_log_of_days_is_counted_without_walking_it() {
        let book = book(None);

        let count = book.count_until(DateTime::UNIX_EPOCH + TimeDelta::days(30));

        assert!((518_000..518_500).contains(&count), "{count}");
    }

    #[test]
    fn a_run_that_ended_says_its_last_words_and_nothing_after() {
        let book = book(Some(10.0));

        let hour_later = book.count_until(DateTime::UNIX_EPOCH + TimeDelta::hours(1));

        assert_eq!(
            hour_later,
            book.count_until(DateTime::UNIX_EPOCH + seconds(10.0))
        );
        assert_eq!(
            book.last_words(&LogStyle::default()),
            "panic: out of cheese\n"
        );
    }
}
