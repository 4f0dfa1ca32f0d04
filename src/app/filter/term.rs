//! One term of a filter.

use crate::app::words::nearest;
use crate::domain::age::parse_span;
use crate::domain::application::OperationView;
use crate::domain::object::Text;
use crate::domain::status::{Health, SyncStatus};
use crate::store::Row;
use chrono::{DateTime, TimeDelta, Utc};
use memchr::memmem::Finder;
use regex::Regex;

/// Fields of typed terms.
pub const FIELDS: &[&str] = &[
    "name",
    "namespace",
    "project",
    "health",
    "sync",
    "auto",
    "op",
    "phase",
    "strategy",
    "repo",
    "path",
    "dest",
    "rev",
    "label",
    "image",
    "age",
];

/// A term that was not understood.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FilterProblem {
    /// Such as: `helth` is not a field of a filter; did you mean `health`?
    pub sentence: String,
}

#[derive(Clone, Debug)]
pub(super) struct Term {
    negated: bool,
    what: What,
}

#[derive(Clone, Debug)]
enum What {
    /// Lower-case text to be found as it is; made ready once, because each row is asked.
    Text(Box<Finder<'static>>),
    Pattern(Regex),
    Health(Vec<Health>),
    Sync(Vec<SyncStatus>),
    Auto(String),
    Operation(String),
    Phase(String),
    Field(Field, String),
    Label(String, Option<String>),
    Younger(TimeDelta),
    Older(TimeDelta),
}

#[derive(Clone, Copy, Debug)]
enum Field {
    Name,
    Namespace,
    Project,
    Repo,
    Path,
    Destination,
    Revision,
    Image,
    Strategy,
}

impl Term {
    /// Reads one word; `None` when it says nothing yet (a lone `!` or `health:`).
    pub(super) fn parse(word: &str) -> Result<Option<Self>, FilterProblem> {
        let (negated, body) = match word.strip_prefix('!') {
            Some(body) => (true, body),
            None => (false, word),
        };
        if body.is_empty() {
            return Ok(None);
        }
        let typed = body.find([':', '<', '>']).and_then(|at| {
            let (field, rest) = body.split_at_checked(at)?;
            let is_word = !field.is_empty() && field.bytes().all(|b| b.is_ascii_alphabetic());
            let mut rest = rest.chars();
            let operator = rest.next()?;
            is_word.then(|| (field.to_ascii_lowercase(), operator, rest.as_str()))
        });
        let text = || Some(what_of_text(body));
        let mut negated = negated;
        let what = match typed {
            // An address such as `http://…` or an image such as `nginx:1.27` is text.
            Some((field, ':', value)) if is_field(&field) && !value.starts_with("//") => {
                // `health:!healthy` reads as well as `!health:healthy`.
                negated ^= value.starts_with('!');
                by_field(&field, value.trim_start_matches('!'))?
            }
            Some((field, operator @ ('<' | '>'), value)) if field == "age" => {
                by_age(operator, value)?
            }
            Some(_) | None => text(),
        };
        Ok(what.map(|what| Self { negated, what }))
    }

    pub(super) fn depends_on_time(&self) -> bool {
        matches!(self.what, What::Younger(_) | What::Older(_))
    }

    /// Returns whether all that matches this term also matches `other`, as far as that is easily
    /// told: `gues` after `gue`.
    pub(super) fn narrows(&self, other: &Self) -> bool {
        match (&self.what, &other.what) {
            (What::Text(own), What::Text(wider)) => {
                !self.negated && !other.negated && wider.find(own.needle()).is_some()
            }
            (_, _) => false,
        }
    }

    /// Returns whether a row with this text matches; `None` when the row itself must be asked.
    pub(super) fn matches_text(&self, haystack: &str) -> Option<bool> {
        let held = self.what.is_in(haystack)?;
        Some(self.negated != held)
    }

    pub(super) fn matches(&self, row: &Row, haystack: &str, now: DateTime<Utc>) -> bool {
        self.negated != self.what.holds(row, haystack, now)
    }
}

impl What {
    fn is_in(&self, haystack: &str) -> Option<bool> {
        match self {
            Self::Text(text) => Some(text.find(haystack.as_bytes()).is_some()),
            Self::Pattern(pattern) => Some(pattern.is_match(haystack)),
            Self::Health(_)
            | Self::Sync(_)
            | Self::Auto(_)
            | Self::Operation(_)
            | Self::Phase(_)
            | Self::Field(..)
            | Self::Label(..)
            | Self::Younger(_)
            | Self::Older(_) => None,
        }
    }

    fn holds(&self, row: &Row, haystack: &str, now: DateTime<Utc>) -> bool {
        match self {
            Self::Text(_) | Self::Pattern(_) => self.is_in(haystack).unwrap_or_default(),
            Self::Health(wanted) => row.health().is_some_and(|health| wanted.contains(&health)),
            Self::Sync(wanted) => row
                .application()
                .is_some_and(|app| wanted.contains(&app.sync)),
            Self::Auto(word) => row.application().is_some_and(|app| {
                crate::app::columns::switches_text(app.auto_sync)
                    .split(' ')
                    .any(|switch| switch == word)
            }),
            Self::Operation(word) => row.application().is_some_and(|app| {
                operation_word(&app.operation)
                    .to_lowercase()
                    .starts_with(word.as_str())
            }),
            Self::Phase(word) => phase_word(row).to_lowercase().starts_with(word.as_str()),
            Self::Field(field, wanted) => field
                .texts(row)
                .iter()
                .any(|text| text.to_lowercase().contains(wanted.as_str())),
            Self::Label(key, value) => row.labels().iter().any(|(own, held)| {
                **own == **key && value.as_ref().is_none_or(|value| **held == **value)
            }),
            Self::Younger(span) => row.created().is_some_and(|at| now - at < *span),
            Self::Older(span) => row.created().is_some_and(|at| now - at > *span),
        }
    }
}

impl Field {
    fn texts(self, row: &Row) -> Vec<Text> {
        let object = row.object();
        let app = row.application();
        match self {
            Self::Name => vec![object.name.clone()],
            Self::Namespace => object.namespace.iter().cloned().collect(),
            Self::Project => app.map(|app| app.project.clone()).into_iter().collect(),
            Self::Destination => app
                .map(|app| {
                    let to = &app.destination;
                    vec![to.name.clone(), to.server.clone(), to.namespace.clone()]
                })
                .unwrap_or_default(),
            Self::Revision => match row.run() {
                Some(run) => vec![run.commit.revision.clone()],
                None => app.map(|app| app.revisions.clone()).unwrap_or_default(),
            },
            Self::Image => match row {
                Row::Application(app) => app.images.clone(),
                Row::Rollout(row) => row.images.iter().map(|one| one.image.clone()).collect(),
                Row::Run(row) => vec![row.commit.image.clone()],
                Row::Registry(_) => row.image().map(image_names).unwrap_or_default(),
                Row::AnalysisRun(_) | Row::Cron(_) | Row::Object(_) => Vec::new(),
            },
            Self::Strategy => row
                .rollout()
                .map(|row| row.strategy.word().into())
                .into_iter()
                .collect(),
            Self::Repo => app
                .map(|app| app.sources.iter().map(|one| one.repo.clone()).collect())
                .unwrap_or_default(),
            Self::Path => app
                .map(|app| app.sources.iter().map(|one| one.path.clone()).collect())
                .unwrap_or_default(),
        }
    }
}

fn image_names(row: &crate::domain::image::ArtifactRow) -> Vec<Text> {
    let tags = row.tags.iter();
    let mut names: Vec<Text> = tags
        .map(|tag| format!("{}/{}:{tag}", row.registry, row.repository).into())
        .collect();
    if names.is_empty() {
        names.push(format!("{}/{}", row.registry, row.repository).into());
    }
    names
}

fn phase_word(row: &Row) -> &'static str {
    match row {
        Row::Rollout(row) => row.phase.word(),
        Row::AnalysisRun(run) => run.phase.word(),
        Row::Run(row) => row.phase.word(),
        Row::Cron(row) => row.status_words(),
        Row::Application(app) => app.health.word(),
        Row::Registry(_) | Row::Object(_) => "",
    }
}

fn operation_word(operation: &OperationView) -> String {
    let text = crate::app::columns::operation_text(operation, DateTime::UNIX_EPOCH);
    text.split(' ').next().unwrap_or_default().to_owned()
}

fn by_field(field: &str, value: &str) -> Result<Option<What>, FilterProblem> {
    let lower = value.to_lowercase();
    let known = match field {
        "name" => Some(Field::Name),
        "namespace" | "ns" => Some(Field::Namespace),
        "project" => Some(Field::Project),
        "repo" => Some(Field::Repo),
        "path" => Some(Field::Path),
        "dest" | "destination" => Some(Field::Destination),
        "rev" | "revision" => Some(Field::Revision),
        "image" => Some(Field::Image),
        "strategy" => Some(Field::Strategy),
        _ => None,
    };
    if lower.is_empty() && FIELDS.contains(&field) {
        return Ok(None);
    }
    if let Some(known) = known {
        return Ok(Some(What::Field(known, lower)));
    }
    match field {
        "health" => words(field, &lower, &HEALTHS, Health::word).map(What::Health),
        "sync" => words(field, &lower, &SYNCS, SyncStatus::word).map(What::Sync),
        "auto" => Ok(What::Auto(lower)),
        "op" | "operation" => Ok(What::Operation(lower)),
        "phase" => Ok(What::Phase(lower)),
        "label" => Ok(label(value)),
        "age" => return by_age('<', value),
        _ => Err(unknown_field(field)),
    }
    .map(Some)
}

const HEALTHS: [Health; 6] = [
    Health::Healthy,
    Health::Suspended,
    Health::Progressing,
    Health::Missing,
    Health::Degraded,
    Health::Unknown,
];
const SYNCS: [SyncStatus; 3] = [
    SyncStatus::Synced,
    SyncStatus::OutOfSync,
    SyncStatus::Unknown,
];

/// Whether a word was meant as a field; text far from any is searched as it is.
fn is_field(word: &str) -> bool {
    let others = ["ns", "destination", "revision", "operation"];
    FIELDS.contains(&word)
        || others.contains(&word)
        || nearest(word, FIELDS.iter().copied()).is_some_and(|_| word.len() > 3)
}

/// States whose word begins with what was typed, so that every letter on the way matches.
fn words<T: Copy>(
    field: &str,
    typed: &str,
    all: &[T],
    word: impl Fn(T) -> &'static str,
) -> Result<Vec<T>, FilterProblem> {
    let mut found = Vec::new();
    for part in typed.split(',').filter(|part| !part.is_empty()) {
        let meant: Vec<T> = all
            .iter()
            .copied()
            .filter(|one| word(*one).to_lowercase().starts_with(part))
            .collect();
        if meant.is_empty() {
            let near = nearest(part, all.iter().map(|one| word(*one)));
            let hint = near.map_or(String::new(), |near| {
                format!("; did you mean `{}`?", near.to_lowercase())
            });
            return Err(FilterProblem {
                sentence: format!("`{part}` is not a word for `{field}`{hint}"),
            });
        }
        found.extend(meant);
    }
    Ok(found)
}

fn label(value: &str) -> What {
    match value.split_once('=') {
        Some((key, value)) => What::Label(key.to_owned(), Some(value.to_owned())),
        None => What::Label(value.to_owned(), None),
    }
}

/// Reads `a=b,c!=d,e` as kubectl's `-l` does.
pub(super) fn labels(selector: &str) -> Vec<Term> {
    let parts = selector.split(',').map(str::trim);
    parts
        .filter(|part| !part.is_empty())
        .map(|part| {
            let (negated, what) = if let Some((key, value)) = part.split_once("!=") {
                (true, What::Label(key.to_owned(), Some(value.to_owned())))
            } else if let Some(key) = part.strip_prefix('!') {
                (true, What::Label(key.to_owned(), None))
            } else {
                (false, label(&part.replacen("==", "=", 1)))
            };
            Term { negated, what }
        })
        .collect()
}

fn by_age(operator: char, value: &str) -> Result<Option<What>, FilterProblem> {
    if value.is_empty() || value.bytes().all(|b| b.is_ascii_digit()) {
        return Ok(None);
    }
    let Some(span) = parse_span(value) else {
        return Err(FilterProblem {
            sentence: format!("`{value}` is not an age; write `30s`, `15m`, `2h` or `4d`"),
        });
    };
    Ok(Some(if operator == '<' {
        What::Younger(span)
    } else {
        What::Older(span)
    }))
}

/// Text without the signs of regular expressions is found several times faster as text.
fn what_of_text(text: &str) -> What {
    let lower = text.to_lowercase();
    if lower.contains([
        '\\', '.', '+', '*', '?', '(', ')', '|', '[', ']', '{', '}', '^', '$',
    ]) {
        What::Pattern(pattern(&lower))
    } else {
        What::Text(Box::new(Finder::new(&lower).into_owned()))
    }
}

fn pattern(lower: &str) -> Regex {
    Regex::new(lower)
        .or_else(|_| Regex::new(&regex::escape(lower)))
        .unwrap_or_else(|_| empty_pattern())
}

fn empty_pattern() -> Regex {
    static EMPTY: std::sync::OnceLock<Regex> = std::sync::OnceLock::new();
    #[allow(clippy::expect_used, reason = "the empty expression is always valid")]
    EMPTY
        .get_or_init(|| Regex::new("").expect("the empty expression is valid"))
        .clone()
}

fn unknown_field(field: &str) -> FilterProblem {
    let hint = match nearest(field, FIELDS.iter().copied()) {
        Some(near) => format!("; did you mean `{near}`?"),
        None => format!("; fields are {}", FIELDS.join(", ")),
    };
    FilterProblem {
        sentence: format!("`{field}` is not a field of a filter{hint}"),
    }
}
