//! What may follow what was typed into the prompt.

use crate::app::commands::COMMANDS;
use crate::app::filter::FIELDS;
use crate::app::intent_words::{INTENT_WORDS, intent_named};
use crate::app::overlays::Completion;
use crate::app::screens::applications;
use crate::app::state::State;
use crate::domain::kind::KINDS;
use crate::domain::object::{GroupKind, Text};

/// How many completions are offered.
const OFFERED: usize = 8;

pub(super) fn completions(state: &State, line: &str) -> Vec<Completion> {
    let (head, word) = match line.rsplit_once(' ') {
        Some((head, word)) => (format!("{head} "), word),
        None => (String::new(), line),
    };
    let first = line.split_whitespace().next().unwrap_or_default();
    let mut words: Vec<(String, &str)> = if head.is_empty() {
        first_words(state)
    } else if word.starts_with('@') {
        let contexts = state.contexts.iter();
        contexts
            .map(|context| (format!("@{}", context.name), "context"))
            .collect()
    } else {
        later_words(state, first, &head)
    };
    let lower = word.to_lowercase();
    words.retain(|(text, _)| text.to_lowercase().starts_with(&lower) && text != word);
    words.sort_by_key(|(text, _)| text.len());
    words.dedup();
    words.truncate(OFFERED);
    words
        .into_iter()
        .map(|(text, about)| Completion {
            line: format!("{head}{text}"),
            word: text,
            about: about.to_owned(),
        })
        .collect()
}

fn first_words(state: &State) -> Vec<(String, &'static str)> {
    let kinds = KINDS.iter().flat_map(|info| {
        let words = info.short_names.iter().copied().chain([info.plural]);
        words.map(|word| (word.to_owned(), "kind"))
    });
    let found = state
        .kinds
        .iter()
        .map(|entry| (entry.plural.to_string(), "kind"));
    let commands = COMMANDS.iter().flat_map(|info| {
        let words = info.words.iter().copied().chain([info.id]);
        words.map(|word| (word.to_owned(), "command"))
    });
    let intents = INTENT_WORDS
        .iter()
        .map(|intent| (intent.word.to_owned(), "intent"));
    let mut words: Vec<_> = kinds.chain(found).chain(intents).chain(commands).collect();
    let mut seen = std::collections::HashSet::new();
    words.retain(|(word, _)| seen.insert(word.clone()));
    words
}

fn later_words(state: &State, first: &str, head: &str) -> Vec<(String, &'static str)> {
    if matches!(first, "ctx" | "context" | "contexts") {
        let contexts = state.contexts.iter();
        return contexts
            .map(|context| (context.name.to_string(), "context"))
            .collect();
    }
    if matches!(first, "query" | "promql") {
        return Vec::new();
    }
    let Some(intent) = intent_named(first) else {
        let all = [("all".to_owned(), "namespace")];
        let names = namespaces(state).into_iter();
        return names
            .map(|name| (name.to_string(), "namespace"))
            .chain(all)
            .collect();
    };
    if head.split_whitespace().count() > 1 {
        let parameters = intent.parameters.iter();
        return parameters
            .map(|name| (format!("{name}="), "parameter"))
            .collect();
    }
    let kind = applications();
    let table = state
        .store
        .table(&kind)
        .filter(|_| intent.applications_only);
    let rows = table.into_iter().flat_map(crate::store::Table::rows);
    rows.map(|row| (row.object().path(), "Application"))
        .collect()
}

fn namespaces(state: &State) -> Vec<Text> {
    let table = state.store.table(&GroupKind::new("", "Namespace"));
    let rows = table.into_iter().flat_map(crate::store::Table::rows);
    let mut names: Vec<Text> = rows.map(|row| row.object().name.clone()).collect();
    if names.is_empty() {
        names.clone_from(&state.link.favourites);
    }
    names.sort();
    names
}

pub(super) fn filter_completions(line: &str) -> Vec<Completion> {
    let (head, word) = match line.rsplit_once(' ') {
        Some((head, word)) => (format!("{head} "), word),
        None => (String::new(), line),
    };
    if word.len() < 2 || word.contains(':') {
        return Vec::new();
    }
    let fields = FIELDS.iter().filter(|field| field.starts_with(word));
    fields
        .map(|field| Completion {
            line: format!("{head}{field}:"),
            word: format!("{field}:"),
            about: "field".to_owned(),
        })
        .collect()
}
