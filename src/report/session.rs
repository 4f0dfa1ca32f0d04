//! One connection of a command to the engine: ask, wait, read.
//!
//! A command waits for its answers with the engine's own words for trouble; it never retries.

use super::{ReportError, names};
use crate::domain::finding::{Finding, Severity};
use crate::domain::image;
use crate::domain::kind;
use crate::domain::object::{Cluster, GroupKind, ObjectRef, Text};
use crate::domain::pipeline::runs_kind;
use crate::domain::servers::Secret;
use crate::domain::status::Freshness;
use crate::engine::platform::Platform;
use crate::engine::protocol::{
    Answer, Connection, Fetch, Generation, KindEntry, Request, Scope, SourceName, Ticket, Topic,
    Update,
};
use crate::engine::{self, EngineHandle, EngineOptions};
use crate::store::Store;
use std::sync::Arc;
use std::time::Duration;

const GENERATION: Generation = Generation(1);

/// How long a single answer may take before a command gives up.
const PATIENCE: Duration = Duration::from_secs(30);

/// How long a server that answers may take to tell its version.
const TELLING: Duration = Duration::from_secs(2);

/// A running engine with one connection.
#[derive(Debug)]
pub struct Session {
    handle: EngineHandle,
    tickets: u64,
    pub connection: Option<Connection>,
    pub store: Store,
    /// Updates that nobody has asked for yet, such as outcomes of intents.
    pub unread: Vec<Update>,
    /// What the reader of a report should know besides; told on stderr.
    pub notes: Vec<String>,
    /// The secret of an account that was just made; printed once.
    pub secret: Option<(Text, Secret)>,
}

impl Session {
    /// Starts the engine and connects. Waits until the server has answered or refused.
    pub async fn open(
        platform: Arc<dyn Platform>,
        options: EngineOptions,
        context: Option<Text>,
        scope: Scope,
    ) -> Result<Self, ReportError> {
        let handle = engine::start(platform, options);
        let store = Store::default();
        let mut session = Self {
            handle,
            tickets: 0,
            connection: None,
            store,
            unread: Vec::new(),
            notes: Vec::new(),
            secret: None,
        };
        session
            .send(Request::Connect {
                generation: GENERATION,
                context,
                scope,
            })
            .await?;
        while session.connection.is_none() {
            let update = session.next(PATIENCE).await?;
            session.take(update)?;
        }
        Ok(session)
    }

    /// Waits until the server has answered anything, and its version is known or not told.
    pub async fn reached(&mut self) -> Result<(), ReportError> {
        let mut answered = false;
        while !answered || self.lacks_version() {
            let patience = if answered { TELLING } else { PATIENCE };
            let update = match self.next(patience).await {
                // `/version` may be closed to us.
                Err(_) if answered => break,
                update => update?,
            };
            answered |= matches!(
                update,
                Update::Freshness {
                    source: SourceName::Kubernetes,
                    freshness: Freshness::Live,
                    ..
                }
            );
            self.take(update)?;
        }
        Ok(())
    }

    fn lacks_version(&self) -> bool {
        let connection = self.connection.as_ref();
        connection.is_none_or(|connection| connection.server_version.is_empty())
    }

    /// Sends a request to the engine.
    pub async fn send(&mut self, request: Request) -> Result<(), ReportError> {
        self.handle
            .requests
            .send(request)
            .await
            .map_err(|_closed| stopped())
    }

    /// Waits for the next update.
    pub async fn next(&mut self, patience: Duration) -> Result<Update, ReportError> {
        match tokio::time::timeout(patience, self.handle.updates.recv()).await {
            Ok(Some(update)) => Ok(update),
            Ok(None) => Err(stopped()),
            Err(_elapsed) => {
                let seconds = patience.as_secs();
                Err(ReportError::NotObserved(format!(
                    "no answer for {seconds} s"
                )))
            }
        }
    }

    /// Takes in what an update says; trouble that ends the command is an error.
    pub fn take(&mut self, update: Update) -> Result<(), ReportError> {
        match update {
            Update::Connection { connection, .. } => self.connection = Some(connection),
            Update::Delta { delta, .. } => {
                let _changed = self.store.apply(delta);
            }
            Update::Freshness {
                source: SourceName::Kubernetes,
                freshness,
                ..
            } => {
                trouble_of(&freshness).map_or(Ok(()), Err)?;
            }
            Update::Secret {
                account, secret, ..
            } => self.secret = Some((account, secret)),
            Update::Trouble { finding, .. } if self.connection.is_none() => {
                return Err(finding.into());
            }
            Update::Freshness { .. }
            | Update::Application { .. }
            | Update::Tree { .. }
            | Update::Rollout { .. }
            | Update::AnalysisRun { .. }
            | Update::Query { .. }
            | Update::Board { .. }
            | Update::Alerts { .. }
            | Update::Run { .. }
            | Update::EventFlow { .. }
            | Update::Image { .. }
            | Update::Logs { .. }
            | Update::Fetched { .. }
            | Update::Outcome { .. }
            | Update::Extent { .. }
            | Update::Trouble { .. } => self.unread.push(update),
        }
        Ok(())
    }

    /// Returns a ticket that was not used before.
    pub fn ticket(&mut self) -> Ticket {
        self.tickets += 1;
        Ticket(self.tickets)
    }

    /// Reads something once.
    pub async fn fetch(&mut self, what: Fetch) -> Result<Answer, ReportError> {
        let ticket = self.ticket();
        self.send(Request::Fetch { ticket, what }).await?;
        loop {
            let update = self.next(PATIENCE).await?;
            if let Update::Fetched { ticket: of, answer } = &update
                && *of == ticket
            {
                return answer.clone().map_err(ReportError::from);
            }
            self.take(update)?;
        }
    }

    /// Watches a kind and waits until its first list is complete.
    pub async fn watch(&mut self, kind: &GroupKind) -> Result<(), ReportError> {
        let ticket = self.ticket();
        let topic = Topic::Kind(kind.clone());
        self.send(Request::Subscribe { ticket, topic }).await?;
        // A report has no cursor that could come near the end.
        let rows = usize::MAX;
        self.send(Request::More { ticket, rows }).await?;
        loop {
            let update = self.next(PATIENCE).await?;
            let state = state_of(&update, kind);
            self.take(update)?;
            match state {
                Some(Freshness::Live) => return Ok(()),
                Some(other) => trouble_of(&other).map_or(Ok(()), Err)?,
                None => {}
            }
        }
    }

    /// Returns the cluster's name, as it is part of every identity.
    pub fn cluster(&self) -> Cluster {
        let unnamed = || Cluster(Text::from(""));
        self.connection
            .as_ref()
            .map_or_else(unnamed, |connection| connection.cluster.clone())
    }

    /// Finds the kind that a word names: one we know, or one that the server has.
    pub async fn kind_named(&mut self, word: &str) -> Result<KindEntry, ReportError> {
        if let Some(info) = kind::info_named(word) {
            return Ok(KindEntry {
                kind: info.group_kind(),
                version: Text::from(info.version),
                plural: Text::from(info.plural),
                short_names: info
                    .short_names
                    .iter()
                    .map(|name| Text::from(*name))
                    .collect(),
                namespaced: info.namespaced,
            });
        }
        let Answer::Kinds(kinds) = self.fetch(Fetch::Kinds).await? else {
            return Err(ReportError::Usage(format!("`{word}` is not a kind")));
        };
        let named = kinds.iter().find(|entry| answers_to(entry, word)).cloned();
        named.ok_or_else(|| {
            let names = kinds.iter().map(|entry| &*entry.plural);
            let near = crate::domain::nearest::nearest(word, names);
            let hint = near
                .map(|near| format!("; did you mean `{near}`?"))
                .unwrap_or_default();
            ReportError::Usage(format!("the server has no kind `{word}`{hint}"))
        })
    }

    /// Reads `[KIND/][NS/]NAME`; the kind is Application when it is left out, and the namespace may
    /// be where one object alone has the name. Of an image the name is its reference:
    /// `image/registry.example.com/shop/api:1.4`.
    pub async fn object(&mut self, text: &str) -> Result<ObjectRef, ReportError> {
        if let Some(object) = self.of_registry(text)? {
            return Ok(object);
        }
        let parts: Vec<&str> = text.split('/').collect();
        let repository = parts.get(1..3).map(|two| two.join("/"));
        let (word, namespace, name) = match parts.as_slice() {
            // The namespace of a run of Actions is its repository.
            [word, _, _, name] => (*word, repository.as_deref(), *name),
            [word, name] if names::kind_before(word).is_some() => {
                let kind = names::kind_before(word).unwrap_or_else(names::applications);
                return names::by_name(self, &kind, name).await;
            }
            [name] if !name.is_empty() => {
                return names::by_name(self, &names::applications(), name).await;
            }
            [namespace, name] => ("Application", Some(*namespace), *name),
            [word, "", name] => (*word, None, *name),
            [word, namespace, name] => (*word, Some(*namespace), *name),
            _ => {
                let usage = format!("`{text}` does not name an object; give [KIND/][NS/]NAME");
                return Err(ReportError::Usage(usage));
            }
        };
        let entry = self.kind_named(word).await?;
        let object = ObjectRef {
            cluster: self.cluster(),
            kind: entry.kind,
            namespace: namespace.filter(|_| entry.namespaced).map(Text::from),
            name: Text::from(name),
        };
        if object.kind == runs_kind() {
            return self.run(object).await;
        }
        Ok(object)
    }

    /// Names an image, or something else of a registry; `None` when the text begins otherwise.
    fn of_registry(&self, text: &str) -> Result<Option<ObjectRef>, ReportError> {
        let Some((word, rest)) = text.split_once('/') else {
            return Ok(None);
        };
        let info = kind::info_named(word);
        let Some(info) = info.filter(|info| info.group == image::IMAGES_GROUP) else {
            return Ok(None);
        };
        let kind = info.group_kind();
        if kind == image::images_kind() {
            let reference = image::Reference::parse(rest).ok_or_else(|| {
                ReportError::Usage(format!("`{rest}` is not the reference of an image"))
            })?;
            return Ok(Some(image::image_object(&self.cluster(), &reference)));
        }
        let (host, name) = match rest.split_once('/') {
            Some((host, name)) if info.namespaced => (host, name),
            Some(_) | None => ("", rest),
        };
        Ok(Some(image::registry_object(
            &self.cluster(),
            kind,
            host,
            name,
        )))
    }

    /// Finds which system a run is of that was only called a run.
    async fn run(&mut self, named: ObjectRef) -> Result<ObjectRef, ReportError> {
        self.watch(&runs_kind()).await?;
        let table = self.store.table(&runs_kind());
        let mut rows = table.into_iter().flat_map(crate::store::Table::rows);
        let found = rows.find(|row| {
            let object = row.object();
            object.name == named.name && object.namespace == named.namespace
        });
        found.map(|row| row.object().clone()).ok_or_else(|| {
            let sentence = format!("there is no run `{}`", named.path());
            Finding::new(Severity::Error, sentence).into()
        })
    }
}

/// Returns the state of a kind's watch, when the update is about it.
fn state_of(update: &Update, kind: &GroupKind) -> Option<Freshness> {
    let Update::Freshness {
        source: SourceName::Kind(of),
        freshness,
        ..
    } = update
    else {
        return None;
    };
    (of == kind).then(|| freshness.clone())
}

/// Returns whether a typed word names a kind of the server: plural, kind, short name, or
/// `plural.group`.
pub fn answers_to(entry: &KindEntry, word: &str) -> bool {
    let dotted = format!("{}.{}", entry.plural, entry.kind.group);
    entry.plural.eq_ignore_ascii_case(word)
        || entry.kind.kind.eq_ignore_ascii_case(word)
        || entry
            .short_names
            .iter()
            .any(|short| short.eq_ignore_ascii_case(word))
        || dotted.eq_ignore_ascii_case(word)
}

fn stopped() -> ReportError {
    ReportError::from(Finding::new(Severity::Error, "the engine has stopped"))
}

/// Returns the error that a source's state means for a command; `None` when it may go on.
fn trouble_of(freshness: &Freshness) -> Option<ReportError> {
    let (reason, hint) = match freshness {
        Freshness::Connecting | Freshness::Loading { .. } | Freshness::Live => return None,
        Freshness::Stale { reason, .. } => (reason, "check the network, a VPN or a proxy"),
        Freshness::NeedsCredentials { reason } => (reason, "log in again, then repeat the command"),
        Freshness::Forbidden { reason } => (reason, "ask for that verb, or use another context"),
        Freshness::Absent { reason } => (
            reason,
            "check the spelling, install its CRD, or name its server in the configuration",
        ),
    };
    Some(
        Finding::new(Severity::Error, reason.clone())
            .with_hint(hint)
            .into(),
    )
}
