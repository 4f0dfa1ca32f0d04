//! Logs of a Pod or of everything below an object.
//!
//! Lines of several containers are merged by their time, wherever they arrive late: a batch is
//! put where it belongs at the cost of the lines after it. Lines beyond [`CAPACITY`] fall out at
//! the top. A paused view stays on its line while others arrive above or below it.

use crate::domain::object::{ObjectRef, Text};
use crate::engine::protocol::{LogLine, LogOptions, Ticket};
use chrono::{DateTime, Utc};
use std::collections::VecDeque;

/// How many lines are kept.
pub const CAPACITY: usize = 100_000;

/// A log that may still be growing.
#[derive(Debug)]
pub struct LogsScreen {
    pub object: ObjectRef,
    pub options: LogOptions,
    pub ticket: Option<Ticket>,
    /// Why the stream is over; absent while it runs.
    pub ended: Option<Text>,
    /// Whether anything has arrived (or the stream ended).
    pub started: bool,
    pub autoscroll: bool,
    pub wrap: bool,
    pub timestamps: bool,
    pub full: bool,
    /// Only lines that contain this (lower case); empty for all.
    pub filter: String,
    /// First visible line, as an index into [`LogsScreen::visible`].
    pub top: usize,
    pub left: usize,
    lines: VecDeque<LogLine>,
    /// Number of the first kept line.
    first: u64,
    shown: VecDeque<u64>,
}

impl LogsScreen {
    /// Makes a screen that follows the last lines.
    pub fn new(object: ObjectRef, previous: bool) -> Self {
        Self {
            object,
            options: LogOptions {
                container: None,
                previous,
                tail: 500,
                since_seconds: None,
                follow: !previous,
            },
            ticket: None,
            ended: None,
            started: false,
            autoscroll: true,
            wrap: false,
            timestamps: false,
            full: false,
            filter: String::new(),
            top: 0,
            left: 0,
            lines: VecDeque::new(),
            first: 0,
            shown: VecDeque::new(),
        }
    }

    /// Returns how many lines pass the filter.
    pub fn len(&self) -> usize {
        self.shown.len()
    }

    /// Returns whether no line passes the filter.
    pub fn is_empty(&self) -> bool {
        self.shown.is_empty()
    }

    /// Returns how many lines are kept in all.
    pub fn total(&self) -> usize {
        self.lines.len()
    }

    /// Returns a line by its index among those that pass the filter.
    pub fn line(&self, index: usize) -> Option<&LogLine> {
        let number = *self.shown.get(index)?;
        self.lines.get(number.checked_sub(self.first)? as usize)
    }

    /// Returns the lines that pass the filter, from an index on.
    pub fn visible(&self, from: usize) -> impl Iterator<Item = &LogLine> + '_ {
        (from..self.len()).filter_map(|index| self.line(index))
    }

    pub(in crate::app) fn push(&mut self, mut lines: Vec<LogLine>) {
        self.started = true;
        let newest = self.lines.back().and_then(|line| line.at);
        let ordered = lines.is_sorted_by_key(|line| line.at);
        let oldest = lines.iter().filter_map(|line| line.at).min();
        if ordered && (newest.is_none() || oldest.is_none() || oldest >= newest) {
            for line in lines {
                self.append(line);
            }
        } else {
            // What has no time of its own belongs to the line before it.
            let mut last = newest;
            for line in &mut lines {
                line.at = line.at.or(last);
                last = line.at;
            }
            lines.sort_by_key(|line| line.at);
            self.merge(lines, oldest);
        }
        self.forget_oldest();
    }

    fn append(&mut self, line: LogLine) {
        if self.passes(&line) {
            let number = self.first + self.lines.len() as u64;
            self.shown.push_back(number);
        }
        self.lines.push_back(line);
    }

    /// Puts sorted lines among those that are not older.
    fn merge(&mut self, lines: Vec<LogLine>, oldest: Option<DateTime<Utc>>) {
        let from = self.lines.partition_point(|line| line.at <= oldest);
        let later: Vec<LogLine> = self.lines.drain(from..).collect();
        let number = self.first + from as u64;
        let kept = self.shown.partition_point(|shown| *shown < number);
        let followed = self.top.checked_sub(kept);
        self.shown.truncate(kept);
        let mut later = later.into_iter().peekable();
        let mut seen_again = 0;
        let mut above = 0;
        for line in lines {
            while later.peek().is_some_and(|other| other.at <= line.at) {
                if let Some(other) = later.next() {
                    let before = self.shown.len();
                    self.append(other);
                    seen_again += self.shown.len() - before;
                }
            }
            let before = self.shown.len();
            self.append(line);
            if followed.is_some_and(|followed| seen_again <= followed) {
                above += self.shown.len() - before;
            }
        }
        for line in later {
            self.append(line);
        }
        if followed.is_some() {
            self.top += above;
        }
    }

    fn forget_oldest(&mut self) {
        while self.lines.len() > CAPACITY {
            self.lines.pop_front();
            if self.shown.front() == Some(&self.first) {
                self.shown.pop_front();
                self.top = self.top.saturating_sub(1);
            }
            self.first += 1;
        }
    }

    pub(in crate::app) fn set_filter(&mut self, filter: &str) {
        let filter = filter.to_lowercase();
        // More letters can only hide more: what is hidden need not be asked again.
        let narrows = !filter.starts_with('!') && filter.starts_with(&self.filter);
        self.filter = filter;
        let passes = |number: &u64| {
            let at = number.checked_sub(self.first);
            let line = at.and_then(|at| self.lines.get(at as usize));
            line.is_some_and(|line| self.passes(line))
        };
        let shown: VecDeque<u64> = if narrows {
            self.shown.iter().copied().filter(passes).collect()
        } else {
            let last = self.first + self.lines.len() as u64;
            (self.first..last).filter(passes).collect()
        };
        self.shown = shown;
    }

    pub(in crate::app) fn clear(&mut self) {
        self.lines.clear();
        self.shown.clear();
        self.first = 0;
        self.top = 0;
        self.ended = None;
        self.started = false;
    }

    fn passes(&self, line: &LogLine) -> bool {
        match self.filter.strip_prefix('!') {
            Some("") => true,
            Some(not) => !contains(&line.text, not),
            None => self.filter.is_empty() || contains(&line.text, &self.filter),
        }
    }
}

/// Whether a text contains a lower-case text, whatever its case; without a copy where both are
/// ASCII, because a filter asks a hundred thousand lines.
fn contains(text: &str, wanted: &str) -> bool {
    if !wanted.is_ascii() || !text.is_ascii() {
        return text.to_lowercase().contains(wanted);
    }
    let (text, wanted) = (text.as_bytes(), wanted.as_bytes());
    let Some((first, rest)) = wanted.split_first() else {
        return true;
    };
    let upper = first.to_ascii_uppercase();
    let mut from = 0;
    while let Some(found) = text
        .get(from..)
        .and_then(|text| text.iter().position(|byte| byte == first || *byte == upper))
    {
        let start = from + found + 1;
        let Some(candidate) = text.get(start..start + rest.len()) else {
            return false;
        };
        if candidate.eq_ignore_ascii_case(rest) {
            return true;
        }
        from = start;
    }
    false
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::object::{Cluster, GroupKind};
    use chrono::TimeDelta;

    fn screen() -> LogsScreen {
        let object = ObjectRef {
            cluster: Cluster("test".into()),
            kind: GroupKind::new("", "Pod"),
            namespace: Some("a".into()),
            name: "b".into(),
        };
        LogsScreen::new(object, false)
    }

    fn line(second: i64, text: &str) -> LogLine {
        LogLine {
            origin: "".into(),
            at: Some(DateTime::<Utc>::UNIX_EPOCH + TimeDelta::seconds(second)),
            text: text.into(),
        }
    }

    fn texts(log: &LogsScreen) -> String {
        let texts: Vec<&str> = log.visible(0).map(|line| &*line.text).collect();
        texts.join(" ")
    }

    #[test]
    fn lines_of_several_containers_are_merged_by_time() {
        let mut log = screen();
        log.push(vec![line(1, "a1"), line(5, "a5"), line(9, "a9")]);
        log.push(vec![
            line(2, "b2"),
            line(5, "b5"),
            line(7, "b7"),
            line(10, "b10"),
        ]);
        log.push(vec![line(8, "c8"), line(3, "c3")]);

        assert_eq!(texts(&log), "a1 b2 c3 a5 b5 b7 c8 a9 b10");
        log.set_filter("b");
        assert_eq!(texts(&log), "b2 b5 b7 b10");
        log.push(vec![line(6, "b6"), line(6, "d6")]);
        assert_eq!(texts(&log), "b2 b5 b6 b7 b10");
    }

    #[test]
    fn a_paused_view_stays_on_its_line() {
        let mut log = screen();
        log.push((10..30).map(|second| line(second, "x")).collect());
        log.top = 10;
        let before = log.line(log.top).cloned();

        log.push(vec![line(11, "late"), line(12, "late"), line(28, "late")]);

        assert_eq!(log.line(log.top).cloned(), before);
        assert_eq!(log.top, 12);
    }

    #[test]
    fn a_hundred_thousand_lines_are_kept_merged_and_filtered() {
        let mut log = screen();
        for batch in 0..220 {
            let second = batch / 2 * 500;
            let lines = (0..500).map(|at| line(second + at, "GET /healthz 200 OK from somewhere"));
            log.push(lines.collect());
        }

        assert_eq!(log.total(), CAPACITY);
        let sorted = log.visible(0).is_sorted_by_key(|line| line.at);
        assert!(sorted);
        for filter in ["h", "he", "HEALTHZ", "nowhere"] {
            log.set_filter(filter);
        }
        assert_eq!(log.len(), 0);
    }

    #[test]
    fn filters_do_not_look_at_the_case_of_letters() {
        assert!(contains("Error: NO route", "no r"));
        assert!(contains("aab", "ab"));
        assert!(!contains("aa", "ab"));
        assert!(contains("ÄRGER", "ärg"));
        assert!(contains("x", ""));
    }
}
