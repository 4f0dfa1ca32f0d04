//! Everything the cockpit knows, owned in one place.
//!
//! `update` alone changes it; `ui` reads it. Screens own their own structs; what several of them
//! share (the rows, the link, the ledger) is here. Nothing here is optimistic: rows change when
//! a watch says so.

use super::columns::Shown;
use super::keymap::{Keymap, Pending};
use super::ledger::Ledger;
use super::now::Now;
use super::overlays::Overlay;
use super::overlays::toasts::{ToastKind, Toasts};
use super::screens::{Loaded, Place, Screen, TableScreen, applications};
use super::viewports::Viewports;
use crate::domain::finding::Finding;
use crate::domain::intent::{Intent, IntentId};
use crate::domain::object::{GroupKind, ObjectRef, Text, Uid};
use crate::domain::status::Freshness;
use crate::engine::protocol::{Connection, Generation, Scope, Ticket};
use crate::store::Store;
use std::collections::HashMap;

pub use crate::engine::protocol::{
    Column, ContextInfo, DiffBase, EventRow, KindEntry, LogLine, ObjectDiff, ObjectRow, SourceName,
};

/// The cockpit.
#[derive(Debug)]
pub struct State {
    /// The moment of the last message; ages on screen are compared with it.
    pub now: Now,
    pub settings: Settings,
    pub keymap: Keymap,
    pub store: Store,
    pub link: Link,
    /// The open screens, the shown one last; never empty.
    pub stack: Vec<Screen>,
    pub overlay: Option<Overlay>,
    pub toasts: Toasts,
    pub ledger: Ledger,
    /// Keys typed of a sequence that is not complete.
    pub pending: Pending,
    pub history: History,
    /// What fits on the screen, as the last draw reported it.
    pub viewports: Viewports,
    /// Columns and rows of the terminal.
    pub size: (u16, u16),
    /// Kinds that the server has; empty until fetched.
    pub kinds: Vec<KindEntry>,
    pub contexts: Vec<ContextInfo>,
    /// Whether anything visible changed since the last draw.
    pub dirty: bool,
    /// Whether rows arrived that the shown table has not taken in.
    pub unsettled: bool,
    /// Whether the last line given to `:` was refused.
    pub refused_line: bool,
    pub quitting: bool,
    pub(super) tickets: Tickets,
}

/// What the user chose before the start, and toggles that belong to no screen.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Settings {
    /// No intent leaves the cockpit; the engine refuses them as well.
    pub read_only: bool,
    /// Contexts that are always read-only; `*` matches anything.
    pub read_only_contexts: Vec<Text>,
    /// Contexts where a destroying intent needs the object's name typed; `*` matches anything.
    pub protected_contexts: Vec<Text>,
    /// Whether the header is shown (ctrl-e).
    pub header: bool,
    /// Whether the terminal has the focus.
    pub focused: bool,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            read_only: false,
            read_only_contexts: Vec::new(),
            protected_contexts: Vec::new(),
            header: true,
            focused: true,
        }
    }
}

/// The connection, as far as it is known.
#[derive(Clone, Debug, PartialEq)]
pub struct Link {
    pub generation: Generation,
    /// The context asked for; `None` is the current one.
    pub context: Option<Text>,
    pub scope: Scope,
    pub connection: Option<Connection>,
    /// How current each source is, in the order in which they were first heard of.
    pub freshness: Vec<(SourceName, Freshness)>,
    /// Trouble of the connection that belongs to no request, newest last.
    pub troubles: Vec<Finding>,
    /// Why there is no platform at all (no kubeconfig): a screen of its own, with the demo's offer.
    pub nothing: Option<Finding>,
    /// Namespaces for keys 1 to 9, in that order; 0 is all.
    pub favourites: Vec<Text>,
}

impl Default for Link {
    fn default() -> Self {
        Self {
            generation: Generation::default(),
            context: None,
            scope: Scope::All,
            connection: None,
            freshness: Vec::new(),
            troubles: Vec::new(),
            nothing: None,
            favourites: Vec::new(),
        }
    }
}

impl Link {
    /// Returns how current the watch of a kind is.
    pub fn freshness_of(&self, kind: &GroupKind) -> Option<&Freshness> {
        let known = self.freshness.iter();
        known
            .filter(|(source, _)| matches!(source, SourceName::Kind(of) if of == kind))
            .map(|(_, freshness)| freshness)
            .next()
    }

    /// Returns how current a source is that is neither the API server nor a kind.
    pub fn freshness_at(&self, source: &SourceName) -> Option<&Freshness> {
        let known = self.freshness.iter();
        known
            .filter(|(name, _)| name == source)
            .map(|(_, freshness)| freshness)
            .next()
    }

    /// Returns how current the API server itself is.
    pub fn server_freshness(&self) -> Option<&Freshness> {
        let known = self.freshness.iter();
        known
            .filter(|(source, _)| *source == SourceName::Kubernetes)
            .map(|(_, freshness)| freshness)
            .next()
    }

    /// Returns the context's name for people: the connected one, else the one asked for.
    pub fn context_name(&self) -> &str {
        match (&self.connection, &self.context) {
            (Some(connection), _) => &connection.context,
            (None, Some(context)) => context,
            (None, None) => "current context",
        }
    }

    /// Returns the watched namespace, or `None` for all of them.
    pub fn namespace(&self) -> Option<&Text> {
        match &self.scope {
            Scope::All => None,
            Scope::Namespace(namespace) => Some(namespace),
        }
    }
}

/// Where the user has been; `[` and `]` walk it, `-` goes to the one before.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct History {
    /// Each entry is a whole stack of places.
    pub visited: Vec<Vec<Place>>,
    pub position: usize,
    /// Lines accepted by the `:` prompt, newest last.
    pub commands: Vec<String>,
}

/// Numbers subscriptions and fetches, and remembers what each is for.
#[derive(Clone, Debug, Default)]
pub(super) struct Tickets {
    last: u64,
    /// The Applications table is watched as long as there is a connection.
    pub(super) applications: Option<Ticket>,
    /// Rollouts too: the rows of Applications tell of them.
    pub(super) rollouts: Option<Ticket>,
    pub(super) namespaces: Option<Ticket>,
    pub(super) kinds: Option<Ticket>,
    pub(super) contexts: Option<Ticket>,
    /// Manifests on their way to the editor.
    pub(super) edits: HashMap<Ticket, (ObjectRef, Option<Uid>)>,
    /// Templates on their way to a dialog, with the life that was chosen.
    pub(super) templates: HashMap<Ticket, Option<Uid>>,
    /// Plans for an image, for the dialog that was asked for last.
    pub(super) plans: Option<Ticket>,
    /// Edited manifests that the server is checking.
    pub(super) checks: HashMap<IntentId, Intent>,
}

impl Tickets {
    pub(super) fn next(&mut self) -> Ticket {
        self.last += 1;
        Ticket(self.last)
    }
}

impl State {
    /// Makes the cockpit before its first message: the Applications table, and nothing in it.
    pub fn new(settings: Settings, keymap: Keymap) -> Self {
        let applications = TableScreen::new(applications());
        Self {
            now: Now::default(),
            settings,
            keymap,
            store: Store::default(),
            link: Link::default(),
            stack: vec![Screen::Applications(applications)],
            overlay: None,
            toasts: Toasts::default(),
            ledger: Ledger::default(),
            pending: Pending::default(),
            history: History::default(),
            viewports: Viewports::default(),
            size: (80, 24),
            kinds: Vec::new(),
            contexts: Vec::new(),
            dirty: true,
            unsettled: false,
            refused_line: false,
            quitting: false,
            tickets: Tickets::default(),
        }
    }

    /// Returns the screen that is shown.
    #[allow(clippy::expect_used, reason = "the first screen is never closed")]
    pub fn screen(&self) -> &Screen {
        self.stack.last().expect("the first screen is never closed")
    }

    #[allow(clippy::expect_used, reason = "the first screen is never closed")]
    pub(super) fn screen_mut(&mut self) -> &mut Screen {
        let last = self.stack.last_mut();
        last.expect("the first screen is never closed")
    }

    /// Returns what the crumbs say, outermost first.
    pub fn crumbs(&self) -> impl Iterator<Item = String> + '_ {
        self.stack.iter().map(Screen::crumb)
    }

    /// Returns whether what is shown has not arrived yet.
    pub fn is_loading(&self) -> bool {
        match self.screen() {
            Screen::Applications(table) | Screen::Namespaces(table) | Screen::Kind(table) => {
                let freshness = self.link.freshness_of(&table.view.kind);
                freshness.is_none_or(|freshness| {
                    matches!(freshness, Freshness::Connecting | Freshness::Loading { .. })
                })
            }
            Screen::Application(screen) => screen.detail == Loaded::Waiting || !screen.tree_known,
            Screen::History(screen) => screen.detail == Loaded::Waiting,
            Screen::Diff(screen) => screen.content == Loaded::Waiting,
            Screen::Text(screen) => screen.content == Loaded::Waiting,
            Screen::Events(screen) => screen.content == Loaded::Waiting,
            Screen::Logs(screen) => !screen.started,
            Screen::Contexts(screen) => !screen.loaded && screen.problem.is_none(),
            Screen::Rollout(screen) => screen.detail == Loaded::Waiting,
            Screen::Analysis(screen) => screen.detail == Loaded::Waiting,
            Screen::Charts(screen) => {
                screen.panels == Loaded::Waiting || screen.shown().iter().any(|one| !one.answered)
            }
            Screen::Alerts(screen) => screen.board == Loaded::Waiting,
            Screen::Dashboards(screen) => screen.content == Loaded::Waiting,
            Screen::Run(screen) => screen.detail == Loaded::Waiting,
            Screen::Flow(screen) => screen.flow == Loaded::Waiting,
            Screen::Image(screen) => screen.detail == Loaded::Waiting,
            Screen::Help(_) | Screen::Ledger(_) => false,
        }
    }

    /// Returns whether rows of one namespace or of several are shown.
    pub fn shown(&self) -> Shown {
        match self.link.scope {
            Scope::All => Shown::AllNamespaces,
            Scope::Namespace(_) => Shown::OneNamespace,
        }
    }

    /// Returns whether destroying intents need a typed confirmation in this context.
    pub fn is_protected(&self) -> bool {
        self.context_is_one_of(&self.settings.protected_contexts)
    }

    /// Returns whether no intent may leave the cockpit in this context.
    pub fn is_read_only(&self) -> bool {
        self.settings.read_only || self.context_is_one_of(&self.settings.read_only_contexts)
    }

    fn context_is_one_of(&self, patterns: &[Text]) -> bool {
        let context = self.link.context_name();
        patterns
            .iter()
            .any(|pattern| matches_glob(pattern, context))
    }

    /// Returns how many rows of the main list are visible.
    pub(super) fn window(&self) -> usize {
        usize::from(self.viewports.rows.max(1))
    }

    /// Shows a short message.
    pub(super) fn toast(&mut self, kind: ToastKind, text: impl Into<Text>, hint: Option<Text>) {
        self.toasts.push((kind, None), text, hint, self.now.real);
        self.dirty = true;
    }

    /// Shows a short message that takes the place of an older one about the same.
    pub(super) fn news(
        &mut self,
        kind: ToastKind,
        topic: impl Into<Text>,
        text: impl Into<Text>,
        hint: Option<Text>,
    ) {
        let topic = Some(topic.into());
        self.toasts.push((kind, topic), text, hint, self.now.real);
        self.dirty = true;
    }

    /// Shows a short message for information.
    pub(super) fn note(&mut self, text: impl Into<Text>) {
        self.toast(ToastKind::Note, text, None);
    }

    /// Says what cannot be done, and what to try.
    pub(super) fn refuse(&mut self, text: impl Into<Text>, hint: &str) {
        let hint = (!hint.is_empty()).then(|| hint.into());
        self.toast(ToastKind::Trouble, text, hint);
    }
}

/// Compares with `*` for any run of characters.
fn matches_glob(pattern: &str, text: &str) -> bool {
    match pattern.split_once('*') {
        None => pattern == text,
        Some((head, tail)) => text.strip_prefix(head).is_some_and(|rest| {
            (0..=rest.len())
                .filter_map(|at| rest.get(at..))
                .any(|rest| matches_glob(tail, rest))
        }),
    }
}
