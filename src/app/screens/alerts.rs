//! Alerts that fire or are about to, and the silences below them, in one list.

use super::lists::{ListCursor, Loaded};
use crate::domain::alert::{Alert, AlertBoard, Matcher, Silence};
use crate::domain::object::Text;
use crate::engine::protocol::Ticket;

/// The screen of alerts and silences.
#[derive(Debug)]
pub struct AlertsScreen {
    pub ticket: Option<Ticket>,
    pub board: Loaded<AlertBoard>,
    /// Only what contains this (lower case).
    pub filter: String,
    pub cursor: ListCursor,
    rows: Vec<AlertRow>,
}

/// A row of the list: a place in the board.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AlertRow {
    Alert(usize),
    Silence(usize),
}

/// What a row stands for.
#[derive(Clone, Copy, Debug)]
pub enum AlertItem<'board> {
    Alert(&'board Alert),
    Silence(&'board Silence),
}

/// The screen before anything has arrived.
impl Default for AlertsScreen {
    fn default() -> Self {
        Self {
            ticket: None,
            board: Loaded::Waiting,
            filter: String::new(),
            cursor: ListCursor::default(),
            rows: Vec::new(),
        }
    }
}

impl AlertsScreen {
    /// Returns the visible rows in order: alerts, then silences.
    pub fn rows(&self) -> &[AlertRow] {
        &self.rows
    }

    /// Returns what a row stands for.
    pub fn item(&self, row: AlertRow) -> Option<AlertItem<'_>> {
        let board = self.board.ready()?;
        match row {
            AlertRow::Alert(number) => board.alerts.get(number).map(AlertItem::Alert),
            AlertRow::Silence(number) => board.silences.get(number).map(AlertItem::Silence),
        }
    }

    /// Returns what is under the cursor.
    pub fn current(&self) -> Option<AlertItem<'_>> {
        self.item(*self.rows.get(self.cursor.position)?)
    }

    pub(in crate::app) fn set_board(&mut self, board: AlertBoard, window: usize) {
        let kept = self.current().map(|item| item.identity());
        self.board = Loaded::Ready(board);
        self.rebuild(kept.as_ref(), window);
    }

    pub(in crate::app) fn set_filter(&mut self, filter: &str, window: usize) {
        let kept = self.current().map(|item| item.identity());
        self.filter = filter.to_lowercase();
        self.rebuild(kept.as_ref(), window);
    }

    fn rebuild(&mut self, kept: Option<&Text>, window: usize) {
        let Some(board) = self.board.ready() else {
            return;
        };
        let passes = |text: String| text.to_lowercase().contains(&self.filter);
        let alerts = board.alerts.iter().enumerate();
        let alerts = alerts.filter(|(_, alert)| passes(words_of_alert(alert)));
        let mut rows: Vec<AlertRow> = alerts.map(|(at, _)| AlertRow::Alert(at)).collect();
        let silences = board.silences.iter().enumerate();
        let silences = silences.filter(|(_, silence)| passes(words_of_silence(silence)));
        rows.extend(silences.map(|(at, _)| AlertRow::Silence(at)));
        self.rows = rows;
        let same = self.rows.iter().position(|row| {
            let item = self.item(*row);
            kept.is_some() && item.map(|item| item.identity()).as_ref() == kept
        });
        let position = same.unwrap_or(self.cursor.position);
        let total = self.rows.len();
        self.cursor.move_to(position, window, total);
    }
}

impl AlertItem<'_> {
    /// Returns what stays the same from one report to the next.
    fn identity(&self) -> Text {
        match self {
            Self::Alert(alert) => alert.fingerprint.clone(),
            Self::Silence(silence) => silence.id.clone(),
        }
    }
}

fn words_of_alert(alert: &Alert) -> String {
    let labels = alert.labels.iter().chain(&alert.annotations);
    let pairs: Vec<String> = labels
        .map(|(name, value)| format!("{name}={value}"))
        .collect();
    format!("{} {}", alert.state.word(), pairs.join(" "))
}

fn words_of_silence(silence: &Silence) -> String {
    let matchers: Vec<String> = silence.matchers.iter().map(Matcher::words).collect();
    format!(
        "silence {} {} {} {}",
        silence.state.word(),
        matchers.join(" "),
        silence.created_by,
        silence.comment
    )
}
