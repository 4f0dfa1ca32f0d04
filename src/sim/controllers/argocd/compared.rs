//! Making the comparison of one Application: load targets, gather live objects, judge.
//!
//! Manifests and verdicts are reused as long as nothing they depend on changed, so that a look
//! costs what changed and not what is there.

use super::application::App;
use super::compare::MANAGER;
use super::controller::{Argo, Level, Memo};
use super::ignore::Ignores;
use super::key::Key;
use super::options::SyncOptions;
use super::verdict::{self, Basis, Compared, Condition, Target};
use super::{json, project};
use serde_json::{Value, json as make};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, PoisonError};

/// What sources rendered to.
#[derive(Clone, Debug, Default)]
pub(super) struct Loaded {
    pub(super) objects: Vec<Arc<Vec<Value>>>,
    pub(super) revisions: Vec<String>,
    pub(super) source_types: Vec<&'static str>,
}

impl Argo {
    /// Compares an Application with its spec's revisions and remembers the outcome.
    pub(super) async fn compare_app(&self, app: &App, level: Level) -> Arc<Compared> {
        let name = app.name();
        let memo = self.memo(&name);
        let sources = app.sources();
        if level == Level::Hard {
            for source in &sources {
                self.0.renderer.forget_rendered(source);
            }
        }
        let known =
            level == Level::Recent && memo.basis == basis_of(app) && !memo.rendered.is_empty();
        let loaded = if known {
            Ok(Loaded {
                objects: memo.rendered.clone(),
                revisions: memo.revisions.clone(),
                source_types: memo.source_types.clone(),
            })
        } else {
            self.load(app, &sources, &[]).await
        };
        let (compared, memo) = self.compare_loaded(app, loaded, memo).await;
        let compared = Arc::new(compared);
        let claims: Vec<Key> = memo
            .targets
            .iter()
            .map(|target| target.key.clone())
            .collect();
        self.0.world.claim(&name, &memo.claims, &claims);
        self.remember(
            &name,
            Memo {
                claims,
                compared: Some(Arc::clone(&compared)),
                ..memo
            },
        );
        compared
    }

    /// Renders sources at given revisions, or where the sources themselves point.
    pub(super) async fn load(
        &self,
        app: &App,
        sources: &[Value],
        revisions: &[String],
    ) -> Result<Loaded, String> {
        let instance = app.name().instance();
        let mut loaded = Loaded::default();
        let count = sources.len();
        for (index, source) in sources.iter().enumerate() {
            let wanted = revisions
                .get(index)
                .filter(|revision| !revision.is_empty())
                .map_or_else(|| json::text(source, &["targetRevision"]), String::as_str);
            let failed = |error: String| {
                format!(
                    "Failed to load target state: failed to generate manifest for source {} of {count}: rpc error: code = Unknown desc = {error}",
                    index + 1
                )
            };
            let sha = self
                .0
                .renderer
                .resolve(source, wanted)
                .await
                .map_err(failed)?;
            loaded.revisions.push(sha.to_string());
            let has = |field: &str| !json::text(source, &[field]).is_empty();
            // A source that is only referred to has files, and no manifests of its own.
            if has("ref") && !has("path") && !has("chart") {
                continue;
            }
            let rendered = self.0.renderer.render(source, &sha, &instance).await;
            let manifests = rendered.map_err(failed)?;
            loaded.objects.push(manifests.objects);
            loaded.source_types.push(manifests.source_type);
        }
        Ok(loaded)
    }

    /// Compares loaded targets; the memo that comes back fits them.
    pub(super) async fn compare_loaded(
        &self,
        app: &App,
        loaded: Result<Loaded, String>,
        mut memo: Memo,
    ) -> (Compared, Memo) {
        let name = app.name();
        let instance = name.instance();
        let project = self.project(app.project()).unwrap_or_default();
        let options = app.sync_options();
        let loaded = loaded.and_then(|loaded| Ok((loaded, Ignores::read(app.spec())?)));
        let (loaded, ignores) = match loaded {
            Ok(both) => both,
            Err(message) => {
                let live = self.live(app, &instance, &[]).await;
                return (
                    verdict::unknown(&live, vec![("ComparisonError", message)]),
                    memo,
                );
            }
        };
        let cluster = self.0.cluster.clone();
        let namespaced = move |key: &Key| {
            cluster
                .served(&key.group, &key.kind)
                .map(|served| served.namespaced)
        };
        let basis = Basis {
            instance: &instance,
            namespace: app.destination_namespace(),
            project: &project,
            ignores: &ignores,
            options: &options,
            namespaced: &namespaced,
        };
        Self::fit(app, &mut memo, &loaded, &basis);
        memo.misses_kinds = self.watch_kinds(app, &memo.targets).await;
        let live = self.live(app, &instance, &memo.targets).await;
        let mut compared = {
            let mut remembered = memo
                .remembered
                .write()
                .unwrap_or_else(PoisonError::into_inner);
            verdict::compare(&memo.targets, &live, &basis, &mut remembered)
        };
        compared.conditions.extend(memo.warnings.iter().cloned());
        compared
            .conditions
            .extend(self.orphans(app, &project).await);
        compared.revisions = loaded.revisions;
        compared.source_types = loaded.source_types;
        (compared, memo)
    }

    /// Places the targets anew when anything they depend on changed.
    fn fit(app: &App, memo: &mut Memo, loaded: &Loaded, basis: &Basis<'_>) {
        let same = memo.rendered.len() == loaded.objects.len()
            && memo
                .rendered
                .iter()
                .zip(&loaded.objects)
                .all(|(one, other)| Arc::ptr_eq(one, other))
            && memo.basis == basis_of(app)
            && !memo.misses_kinds;
        memo.revisions.clone_from(&loaded.revisions);
        memo.source_types.clone_from(&loaded.source_types);
        if same {
            return;
        }
        let objects: Vec<Value> = loaded
            .objects
            .iter()
            .flat_map(|list| list.iter().cloned())
            .collect();
        let (targets, warnings) = verdict::place(&objects, basis);
        memo.targets = Arc::new(targets);
        memo.warnings = warnings;
        memo.rendered.clone_from(&loaded.objects);
        memo.basis = basis_of(app);
        memo.remembered = Arc::default();
    }

    /// Watches the kinds an Application has to do with; true when one is not served.
    async fn watch_kinds(&self, app: &App, targets: &[Target]) -> bool {
        let mut kinds: BTreeSet<(String, String)> = targets
            .iter()
            .map(|target| (target.key.group.to_string(), target.key.kind.to_string()))
            .collect();
        kinds.extend(
            json::items(app.status(), &["resources"])
                .iter()
                .map(|resource| {
                    (
                        json::text(resource, &["group"]).to_owned(),
                        json::text(resource, &["kind"]).to_owned(),
                    )
                }),
        );
        let mut misses = false;
        for (group, kind) in kinds {
            misses |= !self.watch(&group, &kind).await;
        }
        misses
    }

    /// Gathers live objects: those that targets name and those that the instance tracks.
    pub(super) async fn live(
        &self,
        app: &App,
        instance: &str,
        targets: &[Target],
    ) -> BTreeMap<Key, Arc<Value>> {
        if targets.is_empty() {
            self.watch_kinds(app, targets).await;
        }
        let itself = super::reconcile::app_key(&app.name());
        let mut live: BTreeMap<Key, Arc<Value>> = self
            .0
            .world
            .tracked_by(instance)
            .into_iter()
            .filter(|(key, _)| *key != itself)
            .map(|(key, live)| (key, live.body))
            .collect();
        for target in targets {
            if live.contains_key(&target.key) {
                continue;
            }
            let Some(known) = self.0.world.get(&target.key) else {
                continue;
            };
            let body = if known.whole {
                Some(known.body)
            } else {
                self.0
                    .cluster
                    .read(&target.key)
                    .await
                    .ok()
                    .flatten()
                    .map(Arc::new)
            };
            live.extend(body.map(|body| (target.key.clone(), body)));
        }
        live
    }

    async fn orphans(&self, app: &App, project: &Value) -> Option<Condition> {
        let monitored =
            json::at(project, &["spec", "orphanedResources"]).filter(|one| !one.is_null())?;
        if monitored.get("warn") == Some(&make!(false)) || app.destination_namespace().is_empty() {
            return None;
        }
        self.watch_all().await;
        let count = self
            .0
            .world
            .orphans(app.destination_namespace())
            .iter()
            .filter(|key| !project::ignores_orphan(project, key))
            .count();
        (count > 0).then(|| {
            (
                "OrphanedResourceWarning",
                format!("Application has {count} orphaned resources"),
            )
        })
    }
}

/// The parts of a spec that targets and verdicts depend on, besides what is rendered.
fn basis_of(app: &App) -> String {
    let spec = app.spec();
    make!([
        spec.get("destination"),
        spec.get("ignoreDifferences"),
        app.sync_options().words(),
        app.project(),
        app.sources(),
        MANAGER,
    ])
    .to_string()
}

/// Returns the options of an operation, or else of the spec.
pub(super) fn options_of(operation: &Value) -> SyncOptions {
    SyncOptions::new(json::texts(operation, &["sync", "syncOptions"]))
}
