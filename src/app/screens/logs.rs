//! Logs of a Pod or of everything below an object.
//!
//! Lines beyond [`CAPACITY`] fall out at the top; numbers of lines never change, so a paused
//! view stays where it is while new lines arrive.

use crate::domain::object::{ObjectRef, Text};
use crate::engine::protocol::{LogLine, LogOptions, Ticket};
use std::collections::VecDeque;

/// How many lines are kept.
pub const CAPACITY: usize = 20_000;

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

    pub(in crate::app) fn push(&mut self, lines: Vec<LogLine>) {
        self.started = true;
        for line in lines {
            let number = self.first + self.lines.len() as u64;
            if self.passes(&line) {
                self.shown.push_back(number);
            }
            self.lines.push_back(line);
            if self.lines.len() > CAPACITY {
                self.lines.pop_front();
                if self.shown.front() == Some(&self.first) {
                    self.shown.pop_front();
                    self.top = self.top.saturating_sub(1);
                }
                self.first += 1;
            }
        }
    }

    pub(in crate::app) fn set_filter(&mut self, filter: &str) {
        self.filter = filter.to_lowercase();
        let numbered = self.lines.iter().enumerate();
        self.shown = numbered
            .filter(|(_, line)| self.passes(line))
            .map(|(index, _)| self.first + index as u64)
            .collect();
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
            Some(not) => !line.text.to_lowercase().contains(not),
            None => self.filter.is_empty() || line.text.to_lowercase().contains(&self.filter),
        }
    }
}
