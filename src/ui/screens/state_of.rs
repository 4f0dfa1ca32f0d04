//! What stands in for content that is not there: loading, empty, forbidden, absent, failed.

use crate::app::commands::Command;
use crate::app::state::State;
use crate::domain::age::age_text;
use crate::domain::finding::Finding;
use crate::domain::object::Text;
use crate::domain::status::Freshness;
use crate::ui::canvas::span;
use crate::ui::glyph;
use crate::ui::theme::Role;
use crate::ui::widgets::notice::Notice;

/// Returns the key of a command on the shown screen with what it does, when it has a key.
pub fn key(state: &State, command: Command, what: &str) -> Option<(String, String)> {
    let key = state.keymap.key_hint(state.screen(), command);
    (!key.is_empty()).then(|| (key, what.to_owned()))
}

/// Something is on its way.
pub fn loading(what: &str) -> Notice<'static> {
    Notice {
        headline: vec![span(
            Role::Progressing,
            format!("{} {what}", glyph::PROGRESSING),
        )],
        ..Notice::default()
    }
}

/// A request was refused or failed.
pub fn failed(finding: &Finding, state: &State) -> Notice<'static> {
    let mut sentences = vec![finding.sentence.to_string()];
    sentences.extend(finding.hint.as_ref().map(ToString::to_string));
    Notice {
        headline: vec![span(
            Role::Degraded,
            format!("{} Could not be read", glyph::DEGRADED),
        )],
        sentences,
        tries: [
            key(state, Command::Reload, "try again"),
            key(state, Command::Back, "go back"),
        ]
        .into_iter()
        .flatten()
        .collect(),
    }
}

/// What a table without rows says, by how current its source is.
pub fn without_rows(plural: &str, freshness: Option<&Freshness>, state: &State) -> Notice<'static> {
    match freshness {
        None | Some(Freshness::Connecting) => {
            loading(&format!("Connecting to {}", state.link.context_name()))
        }
        Some(Freshness::Loading { rows: 0 }) => loading(&format!("Loading {plural}")),
        Some(Freshness::Loading { rows }) => loading(&format!("Loading {plural}: {rows} so far")),
        Some(Freshness::Live) => empty(plural, state),
        Some(Freshness::Stale { reason, since, .. }) => {
            stale(reason, age_text(*since, state.now.platform).as_str(), state)
        }
        Some(Freshness::NeedsCredentials { reason }) => refused(
            "Your credentials are no longer accepted",
            reason,
            "Sign in again in another terminal; this screen continues by itself.",
            state,
        ),
        Some(Freshness::Forbidden { reason }) => refused(
            &format!("You may not list {plural} here"),
            reason,
            "Ask for that permission, or choose a namespace or context where you have it.",
            state,
        ),
        Some(Freshness::Absent { reason }) => absent(plural, reason, state),
    }
}

fn empty(plural: &str, state: &State) -> Notice<'static> {
    let place = match state.link.namespace() {
        Some(namespace) => format!("in namespace {namespace}"),
        None => "in any namespace".to_owned(),
    };
    let all = state.link.namespace().map(|_| "look in all namespaces");
    Notice {
        headline: vec![span(Role::Muted, format!("No {plural} {place}."))],
        sentences: Vec::new(),
        tries: [
            all.and_then(|what| key(state, Command::Namespace0, what)),
            key(state, Command::CommandPrompt, "show another kind"),
            key(state, Command::Contexts, "choose another context")
                .or_else(|| Some((":ctx".to_owned(), "choose another context".to_owned()))),
        ]
        .into_iter()
        .flatten()
        .collect(),
    }
}

/// Returns why a source cannot be read; absent while nothing is wrong with it.
pub fn reason(freshness: &Freshness) -> Option<String> {
    match freshness {
        Freshness::Stale { reason, .. }
        | Freshness::NeedsCredentials { reason }
        | Freshness::Forbidden { reason }
        | Freshness::Absent { reason } => Some(reason.to_string()),
        Freshness::Connecting | Freshness::Loading { .. } | Freshness::Live => None,
    }
}

/// What a table says whose rows are all hidden by the filter.
pub fn all_hidden(total: usize, plural: &str, state: &State) -> Notice<'static> {
    Notice {
        headline: vec![span(
            Role::Muted,
            format!("None of {total} {plural} match the filter."),
        )],
        sentences: Vec::new(),
        tries: key(state, Command::Clear, "clear the filter")
            .into_iter()
            .collect(),
    }
}

fn stale(reason: &Text, age: &str, state: &State) -> Notice<'static> {
    Notice {
        headline: vec![span(
            Role::Stale,
            format!("{} Not connected for {age}", glyph::WARNING),
        )],
        sentences: vec![
            reason.to_string(),
            "It is tried again by itself; nothing is lost meanwhile.".to_owned(),
        ],
        tries: [
            key(state, Command::Reload, "try now"),
            Some((":ctx".to_owned(), "choose another context".to_owned())),
        ]
        .into_iter()
        .flatten()
        .collect(),
    }
}

fn refused(headline: &str, reason: &Text, advice: &str, state: &State) -> Notice<'static> {
    Notice {
        headline: vec![span(
            Role::Degraded,
            format!("{} {headline}", glyph::DEGRADED),
        )],
        sentences: vec![reason.to_string(), advice.to_owned()],
        tries: [
            key(state, Command::Reload, "try again"),
            Some((":ns".to_owned(), "choose a namespace".to_owned())),
            Some((":ctx".to_owned(), "choose a context".to_owned())),
        ]
        .into_iter()
        .flatten()
        .collect(),
    }
}

/// What a table says when there is no context to connect to.
pub fn no_context(reason: &Text, state: &State) -> Notice<'static> {
    Notice {
        headline: vec![span(
            Role::Degraded,
            format!("{} Not connected", glyph::DEGRADED),
        )],
        sentences: vec![
            reason.to_string(),
            "Correct the kubeconfig, or choose another context.".to_owned(),
        ],
        tries: [
            Some((":ctx".to_owned(), "choose a context".to_owned())),
            key(state, Command::Reload, "try again"),
        ]
        .into_iter()
        .flatten()
        .collect(),
    }
}

/// What a table of the registries says when none of them could be asked.
pub fn not_known(plural: &str, reason: &Text, state: &State) -> Notice<'static> {
    Notice {
        headline: vec![span(
            Role::Stale,
            format!("{} Nothing is known of {plural}", glyph::WARNING),
        )],
        sentences: vec![reason.to_string()],
        tries: [
            key(state, Command::Reload, "ask again"),
            Some((":registries".to_owned(), "see who is asked".to_owned())),
        ]
        .into_iter()
        .flatten()
        .collect(),
    }
}

fn absent(plural: &str, reason: &Text, state: &State) -> Notice<'static> {
    Notice {
        headline: vec![span(
            Role::Muted,
            format!("{} This cluster has no {plural}", glyph::UNKNOWN),
        )],
        sentences: vec![reason.to_string()],
        tries: [
            key(state, Command::Aliases, "show the kinds it has"),
            Some((":ctx".to_owned(), "choose another context".to_owned())),
        ]
        .into_iter()
        .flatten()
        .collect(),
    }
}
