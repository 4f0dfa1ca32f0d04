//! Filters of tables: what may be typed after `/`.
//!
//! Words are joined by and: `text` (a regular expression, case ignored), `!text`, typed terms
//! such as `health:degraded` or `age<2h`; `-l app=x` selects by label and `-f text` by fuzzy
//! match. Text that is no valid expression is searched as it is, so that every letter typed on
//! the way to a filter is a filter.

mod term;

pub use term::{FIELDS, FilterProblem};

use crate::store::Row;
use chrono::{DateTime, Utc};
use nucleo_matcher::pattern::{CaseMatching, Normalization, Pattern};
use nucleo_matcher::{Config, Matcher, Utf32Str};
use term::Term;

/// What rows have to match; the default matches all.
#[derive(Clone, Debug, Default)]
pub struct Filter {
    text: String,
    terms: Vec<Term>,
    fuzzy: Option<Pattern>,
    problem: Option<FilterProblem>,
}

impl PartialEq for Filter {
    fn eq(&self, other: &Self) -> bool {
        self.text == other.text
    }
}

impl Filter {
    /// Reads what was typed after `/`. A term that cannot be understood is left out and named by
    /// [`Filter::problem`].
    pub fn parse(text: &str) -> Self {
        let trimmed = text.trim();
        let mut filter = Self {
            text: trimmed.to_owned(),
            ..Self::default()
        };
        if let Some(pattern) = trimmed.strip_prefix("-f ") {
            let parsed = Pattern::parse(pattern.trim(), CaseMatching::Ignore, Normalization::Smart);
            filter.fuzzy = Some(parsed);
            return filter;
        }
        if let Some(selector) = trimmed.strip_prefix("-l ") {
            filter.terms = term::labels(selector.trim());
            return filter;
        }
        for word in trimmed.split_whitespace() {
            match Term::parse(word) {
                Ok(term) => filter.terms.extend(term),
                Err(problem) => filter.problem = Some(problem),
            }
        }
        filter
    }

    /// Returns what was typed.
    pub fn text(&self) -> &str {
        &self.text
    }

    /// Returns whether everything matches.
    pub fn is_empty(&self) -> bool {
        self.text.is_empty()
    }

    /// Returns which term was not understood, and what to type instead.
    pub fn problem(&self) -> Option<&FilterProblem> {
        self.problem.as_ref()
    }

    /// Returns whether everything that matches this filter is known to match `other`, too: a
    /// letter was typed behind a word.
    pub fn narrows(&self, other: &Self) -> bool {
        let plain = |filter: &Self| filter.fuzzy.is_none() && filter.problem.is_none();
        let every_term = || {
            let mut pairs = self.terms.iter().zip(&other.terms);
            self.terms.len() >= other.terms.len() && pairs.all(|(own, wider)| own.narrows(wider))
        };
        plain(self) && plain(other) && every_term()
    }

    /// Returns whether time alone can change what matches (`age<2h`).
    pub fn depends_on_time(&self) -> bool {
        self.terms.iter().any(Term::depends_on_time)
    }

    /// Makes ready to ask many rows.
    pub fn prepared(&self, now: DateTime<Utc>) -> Prepared {
        Prepared {
            terms: self.terms.clone(),
            fuzzy: self.fuzzy.clone().map(|pattern| {
                // Its scratch space takes longer to get than most filters to ask all rows.
                (pattern, Matcher::new(Config::DEFAULT))
            }),
            letters: Vec::new(),
            now,
        }
    }
}

/// A filter with the scratch space that matching needs.
#[derive(Debug)]
pub struct Prepared {
    terms: Vec<Term>,
    fuzzy: Option<(Pattern, Matcher)>,
    letters: Vec<char>,
    now: DateTime<Utc>,
}

impl Prepared {
    /// Returns whether a row matches; `haystack` is its lower-case text. The row is looked at only
    /// where its text does not decide.
    pub fn matches<'r>(&mut self, haystack: &str, row: impl FnOnce() -> Option<&'r Row>) -> bool {
        let mut decided = self.fuzzy.is_none();
        for term in &self.terms {
            match term.matches_text(haystack) {
                Some(true) => {}
                Some(false) => return false,
                None => decided = false,
            }
        }
        decided || row().is_some_and(|row| self.matches_row(row, haystack))
    }

    fn matches_row(&mut self, row: &Row, haystack: &str) -> bool {
        if let Some((pattern, matcher)) = &mut self.fuzzy {
            let name = Utf32Str::new(&row.object().name, &mut self.letters);
            return pattern.score(name, matcher).is_some();
        }
        self.terms
            .iter()
            .all(|term| term.matches(row, haystack, self.now))
    }
}
