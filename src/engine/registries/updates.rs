//! Images that Argo CD Image Updater follows: what it would choose now, and why.
//!
//! Its objects tell only what was done last. What stands against a newer tag is found out here, by the
//! rules that the updater itself goes by ([`crate::domain::image_update`]), from its objects, the
//! annotations of Applications, and the tags that the registry has.

use super::directory::Directory;
use super::registry::{Registry, Trouble};
use super::stock::Depth;
use super::{BETWEEN_LOOKS, Sender, freshness_of};
use crate::api::convert::application_kind;
use crate::api::convert::image_updater::{
    Recent, UpdaterStatus, annotated, application_refs, image_updater_kind, rules_for, running,
    source_tool, updater_status,
};
use crate::domain::finding::{Finding, Severity};
use crate::domain::image::{Reference, RegistryRow};
use crate::domain::image_update::{
    ANNOTATION_PREFIX, ApplicationRef, Current, ImageRule, Policy, TagFact, UpdateRow, WriteBack,
    choose, update_object, updates_kind,
};
use crate::domain::object::{GroupKind, ObjectRef, Text, Uid};
use crate::domain::status::Freshness;
use crate::engine::metrics::real;
use crate::engine::protocol::Ticket;
use crate::engine::session::Session;
use crate::engine::watch::{Batch, Outlet, Target, Typed, Watcher};
use futures::FutureExt as _;
use serde_json::{Map, Value, json};
use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::mpsc;
use tokio::time::Instant;
use tokio_util::task::AbortOnDropHandle;

/// How long changes are gathered.
const GATHERED: Duration = Duration::from_millis(250);

/// What the watches report.
#[derive(Debug)]
enum Change {
    Updaters(Batch<(ObjectRef, Value)>),
    Applications(Batch<(ObjectRef, Value)>),
    Freshness(GroupKind, Freshness),
}

/// A kind, what is kept of its objects, and how they are reported.
type Watched = (
    GroupKind,
    fn(&Value) -> Value,
    fn(Batch<(ObjectRef, Value)>) -> Change,
);

/// An ImageUpdater.
struct Updater {
    references: Vec<ApplicationRef>,
    status: UpdaterStatus,
}

/// Everything that is known of updaters and Applications.
#[derive(Default)]
struct Known {
    updaters: HashMap<ObjectRef, Updater>,
    applications: HashMap<ObjectRef, Value>,
    states: HashMap<GroupKind, Freshness>,
    /// The cluster has no ImageUpdaters: annotations alone count, as before version 1.
    annotations_only: bool,
}

/// What is needed of an Application.
fn slim(application: &Value) -> Value {
    let at = |pointer: &str| application.pointer(pointer).cloned().unwrap_or_default();
    let annotations = application
        .pointer("/metadata/annotations")
        .and_then(Value::as_object);
    let annotations: Map<String, Value> = annotations
        .into_iter()
        .flatten()
        .filter(|(key, _)| key.starts_with(ANNOTATION_PREFIX))
        .map(|(key, value)| (key.clone(), value.clone()))
        .collect();
    json!({
        "metadata": {
            "name": at("/metadata/name"),
            "labels": at("/metadata/labels"),
            "annotations": annotations,
        },
        "status": {
            "sourceType": at("/status/sourceType"),
            "sourceTypes": at("/status/sourceTypes"),
            "summary": {"images": at("/status/summary/images")},
        },
    })
}

impl Known {
    /// Begins to watch; the tasks end when they are dropped.
    async fn watch(
        &mut self,
        session: &Arc<Session>,
        changes: &mpsc::Sender<Change>,
    ) -> Vec<AbortOnDropHandle<()>> {
        let mut tasks = Vec::new();
        let kinds: [Watched; 2] = [
            (image_updater_kind(), Value::clone, Change::Updaters),
            (application_kind(), slim, Change::Applications),
        ];
        for (kind, keep, wrap) in kinds {
            let Ok(resource) = session.resource(&kind).await else {
                self.annotations_only |= kind == image_updater_kind();
                self.states.insert(kind, Freshness::Live);
                continue;
            };
            let target = Target::in_scope(resource, &session.scope);
            let own = kind.clone();
            let read = move |value: &Value, cluster: &_| {
                let part = |name: &str| {
                    let text = value
                        .get("metadata")
                        .and_then(|meta| meta.get(name)?.as_str());
                    Text::from(text.unwrap_or_default())
                };
                let (namespace, name) = (part("namespace"), part("name"));
                let object = crate::api::convert::object_ref(cluster, &own, &namespace, &name);
                (object, keep(value))
            };
            let projection = Typed::new(session.cluster.clone(), kind.clone(), read);
            let told = changes.clone();
            let tell = move |freshness| {
                let (told, kind) = (told.clone(), kind.clone());
                async move {
                    if told.send(Change::Freshness(kind, freshness)).await.is_err() {
                        tracing::debug!("nobody looks at image updates any more");
                    }
                }
                .boxed()
            };
            let wrap = move |_: &Typed<_>, batch| wrap(batch);
            let outlet = Outlet::new(changes.clone(), wrap, tell);
            let watcher = Watcher::new(Arc::clone(session), target, projection, outlet);
            tasks.push(AbortOnDropHandle::new(tokio::spawn(watcher.run())));
        }
        tasks
    }

    fn apply(&mut self, change: Change) {
        match change {
            Change::Updaters(batch) => {
                if batch.reset {
                    self.updaters.clear();
                }
                for (object, _) in &batch.removed {
                    let _gone = self.updaters.remove(object);
                }
                for (object, value) in batch.rows {
                    let updater = Updater {
                        references: application_refs(&value),
                        status: updater_status(&value),
                    };
                    self.updaters.insert(object, updater);
                }
            }
            Change::Applications(batch) => {
                if batch.reset {
                    self.applications.clear();
                }
                for (object, _) in &batch.removed {
                    let _gone = self.applications.remove(object);
                }
                self.applications.extend(batch.rows);
            }
            Change::Freshness(kind, freshness) => {
                self.states.insert(kind, freshness);
            }
        }
    }

    fn is_complete(&self) -> bool {
        let settled = |kind: &GroupKind| {
            self.states.get(kind).is_some_and(|state| {
                !matches!(state, Freshness::Connecting | Freshness::Loading { .. })
            })
        };
        settled(&image_updater_kind()) && settled(&application_kind())
    }

    /// Returns every image that is followed, in a fixed order.
    fn followed(&self) -> Vec<Followed<'_>> {
        let mut found = Vec::new();
        for (object, application) in &self.applications {
            let mut taken = false;
            let mut updaters: Vec<_> = self.updaters.iter().collect();
            updaters.sort_by_key(|(updater, _)| *updater);
            for (updater, known) in updaters {
                if updater.namespace != object.namespace {
                    continue;
                }
                if let Some(rules) = rules_for(&known.references, application) {
                    taken = true;
                    add(
                        &mut found,
                        (object, application),
                        rules,
                        Some((updater, known)),
                    );
                }
            }
            if !taken {
                add(
                    &mut found,
                    (object, application),
                    annotated(application),
                    None,
                );
            }
        }
        found.sort_by(|a, b| {
            (a.object, &a.rule.alias, &a.rule.image).cmp(&(b.object, &b.rule.alias, &b.rule.image))
        });
        found
    }
}

fn add<'k>(
    found: &mut Vec<Followed<'k>>,
    (object, application): (&'k ObjectRef, &'k Value),
    (rules, write_back): (Vec<ImageRule>, WriteBack),
    updater: Option<(&'k ObjectRef, &'k Updater)>,
) {
    for rule in rules {
        found.push(Followed {
            object,
            application,
            rule,
            write_back: write_back.clone(),
            updater,
        });
    }
}

/// One image of one Application.
struct Followed<'k> {
    object: &'k ObjectRef,
    application: &'k Value,
    rule: ImageRule,
    write_back: WriteBack,
    updater: Option<(&'k ObjectRef, &'k Updater)>,
}

impl Followed<'_> {
    /// Returns the row without a decision.
    fn row(&self, session: &Session) -> UpdateRow {
        let rule = &self.rule;
        let short = rule.image.rsplit('/').next().unwrap_or_default();
        let alias = if rule.alias.is_empty() {
            short
        } else {
            &rule.alias
        };
        let object = update_object(&session.cluster, self.object, alias);
        let status = self.updater.map(|(_, updater)| &updater.status);
        let mut findings = Vec::new();
        if let Some(trouble) = status.map(|status| &status.trouble)
            && trouble.contains(&*rule.image)
        {
            let sentence = format!("the updater says: {trouble}");
            findings.push(Finding::new(Severity::Error, sentence));
        }
        UpdateRow {
            uid: Uid(Text::clone(&object.name)),
            object,
            application: self.object.clone(),
            updater: self.updater.map(|(object, _)| object.clone()),
            alias: Text::clone(&rule.alias),
            image: Text::clone(&rule.image),
            strategy: rule.policy.strategy,
            constraint: Text::clone(&rule.policy.constraint),
            current: "".into(),
            decision: None,
            trouble: "".into(),
            write_back: self.write_back.text().into(),
            checked: status.and_then(|status| status.checked),
            updated: status.and_then(|status| last_update(status, rule)),
            findings,
        }
    }

    /// Returns what runs; the error says why the updater leaves it alone.
    fn current(&self, known: &Known) -> Result<Current, String> {
        if self.updater.is_none() && !known.annotations_only {
            return Err(String::from(
                "no ImageUpdater with `useAnnotations` is about this Application: annotations alone count for nothing since version 1",
            ));
        }
        let _tool = source_tool(self.application, &self.write_back)?;
        match running(self.application, &self.rule.image) {
            Some(current) => Ok(current),
            None if self.rule.force => Ok(Current::default()),
            None => Err(String::from(
                "no container of this Application runs it, and `force-update` is not set",
            )),
        }
    }
}

/// Returns when this image was written last, and from what to what.
fn last_update(
    status: &UpdaterStatus,
    rule: &ImageRule,
) -> Option<(chrono::DateTime<chrono::Utc>, Text)> {
    let own = |one: &&Recent| {
        one.alias == rule.alias && (one.image.is_empty() || one.image.starts_with(&*rule.image))
    };
    let one = status.recent.iter().find(own)?;
    let words = one
        .message
        .strip_prefix("Updated from ")
        .unwrap_or(&one.message);
    let words = words.trim_end_matches('.').replace(" to ", " → ");
    Some((one.at?, words.into()))
}

/// What registries said in one look, so that each repository is asked once.
struct Look<'l> {
    session: &'l Session,
    directory: Arc<Directory>,
    names: HashMap<(Text, Text), Result<Vec<Text>, Trouble>>,
    troubles: Vec<Trouble>,
    answered: usize,
}

impl Look<'_> {
    async fn decide(&mut self, rule: &ImageRule, current: &Current, row: &mut UpdateRow) {
        let Some(reference) = Reference::parse(&rule.image) else {
            row.trouble = format!("`{}` is no image", rule.image).into();
            return;
        };
        let Some(registry) = self.directory.of_host(&reference.host).cloned() else {
            let host = &reference.host;
            row.trouble = format!("`{host}` is not asked; name it in `[[registry]]`").into();
            return;
        };
        match self.tags(&registry, &reference, &rule.policy).await {
            Ok(tags) => row.decision = Some(choose(&rule.policy, current, &tags)),
            Err(trouble) => row.trouble = trouble.sentence.into(),
        }
    }

    async fn tags(
        &mut self,
        registry: &Registry,
        reference: &Reference,
        policy: &Policy,
    ) -> Result<Vec<TagFact>, Trouble> {
        let key = (
            Text::clone(&reference.host),
            Text::clone(&reference.repository),
        );
        if !self.names.contains_key(&key) {
            let names = registry.tags(self.session, &reference.repository).await;
            match &names {
                Ok(_) => self.answered += 1,
                Err(trouble) => self.troubles.push(trouble.clone()),
            }
            self.names.insert(key.clone(), names);
        }
        let names = match self.names.get(&key) {
            Some(Ok(names)) => names.clone(),
            Some(Err(trouble)) => return Err(trouble.clone()),
            None => Vec::new(),
        };
        let mut facts: Vec<TagFact> = names
            .into_iter()
            .map(|name| TagFact {
                name,
                ..TagFact::default()
            })
            .collect();
        if policy.strategy.needs_metadata() {
            self.look_into(registry, (reference, policy), &mut facts)
                .await?;
        }
        Ok(facts)
    }

    /// Adds when tags were built, for what, and their digests.
    async fn look_into(
        &self,
        registry: &Registry,
        (reference, policy): (&Reference, &Policy),
        facts: &mut [TagFact],
    ) -> Result<(), Trouble> {
        let considered =
            |name: &str| policy.allow.matches(name) && policy.ignored_by(name).is_none();
        let digest = policy.strategy == crate::domain::image_update::Strategy::Digest;
        let wanted: Vec<Reference> = facts
            .iter()
            .filter(|fact| {
                if digest {
                    fact.name == policy.constraint
                } else {
                    considered(&fact.name)
                }
            })
            // A plain registry is asked tag by tag; Harbor's first page has a hundred at once.
            .take(LOOKED_INTO)
            .map(|fact| reference.at(Some(Text::clone(&fact.name)), None))
            .collect();
        let place = (registry, &reference.repository);
        let stock = self
            .session
            .registries
            .stock(self.session, place, (&wanted, Depth::Rows))
            .await?;
        for fact in facts {
            let mut rows = stock.rows();
            if let Some(row) = rows.find(|row| row.tags.contains(&fact.name)) {
                fact.built = row.built.or(row.pushed);
                fact.digest = row.digest.as_ref().map(|digest| Text::clone(digest.text()));
                fact.platforms.clone_from(&row.platforms);
            }
        }
        Ok(())
    }
}

/// How many tags of a repository are looked into for their dates.
const LOOKED_INTO: usize = 50;

/// Asks the registries and decides, image by image.
async fn look(session: &Session, known: &Known) -> (Vec<RegistryRow>, Vec<Trouble>, usize) {
    let followed = known.followed();
    let hosts: BTreeSet<Text> = followed
        .iter()
        .filter_map(|one| Some(Reference::parse(&one.rule.image)?.host))
        .collect();
    let mut look = Look {
        session,
        directory: session.registries.directory(session, &hosts).await,
        names: HashMap::new(),
        troubles: Vec::new(),
        answered: 0,
    };
    let mut rows = Vec::with_capacity(followed.len());
    for one in &followed {
        let mut row = one.row(session);
        match one.current(known) {
            Ok(current) => {
                row.current = current.text().into();
                look.decide(&one.rule, &current, &mut row).await;
            }
            Err(why) => row.trouble = why.into(),
        }
        rows.push(RegistryRow::Update(Box::new(row)));
    }
    (rows, look.troubles, look.answered)
}

/// Takes changes in for a while. Returns whether to go on.
async fn gather(session: &Session, known: &mut Known, inbox: &mut mpsc::Receiver<Change>) -> bool {
    let until = Instant::now() + real(session, BETWEEN_LOOKS);
    let mut wake = session.wake.clone();
    drop(wake.borrow_and_update());
    let mut changes = session.registries.changes.subscribe();
    let mut due: Option<Instant> = None;
    loop {
        tokio::select! {
            change = inbox.recv() => match change {
                Some(change) => {
                    let news = !matches!(change, Change::Freshness(..));
                    known.apply(change);
                    if news {
                        due.get_or_insert(Instant::now() + GATHERED);
                    }
                }
                None => return false,
            },
            changed = wake.changed() => return changed.is_ok(),
            changed = changes.changed() => return changed.is_ok(),
            () = tokio::time::sleep_until(due.unwrap_or(until).min(until)) => return true,
        }
    }
}

async fn begin(known: &mut Known, inbox: &mut mpsc::Receiver<Change>) -> bool {
    while !known.is_complete() {
        match inbox.recv().await {
            Some(change) => known.apply(change),
            None => return known.is_complete(),
        }
    }
    true
}

/// Serves the table of images that are followed.
pub(super) async fn updates(session: Arc<Session>, ticket: Ticket) {
    let mut sender = Sender::new(&session, ticket, updates_kind());
    sender.freshness(Freshness::Connecting).await;
    let (changes, mut inbox) = mpsc::channel(64);
    let mut known = Known::default();
    let tasks = known.watch(&session, &changes).await;
    drop(changes);
    if !begin(&mut known, &mut inbox).await {
        return;
    }
    loop {
        let (rows, troubles, answered) = look(&session, &known).await;
        // Without any registry the rows say so themselves.
        let told = if rows.is_empty() { 1 } else { answered };
        sender.send(rows).await;
        sender
            .freshness(freshness_of(&troubles, told, &session))
            .await;
        if !gather(&session, &mut known, &mut inbox).await {
            break;
        }
    }
    drop(tasks);
}

/// Reads the images that are followed once, for reports.
pub(super) async fn once(session: &Arc<Session>) -> Vec<RegistryRow> {
    let (changes, mut inbox) = mpsc::channel(64);
    let mut known = Known::default();
    let tasks = known.watch(session, &changes).await;
    drop(changes);
    let begun = begin(&mut known, &mut inbox).await;
    drop(tasks);
    if !begun {
        return Vec::new();
    }
    look(session, &known).await.0
}
