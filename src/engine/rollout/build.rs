//! Puts the picture of a Rollout together; pure.

use super::share::Share;
use super::{Part, Place};
use crate::api::convert::replica_set::Owned;
use crate::api::convert::rollout::rollout;
use crate::api::convert::route::{Backends, route};
use crate::domain::analysis::{AnalysisRun, Experiment};
use crate::domain::finding::{Finding, Severity};
use crate::domain::kind::ARGO;
use crate::domain::object::{Cluster, ObjectRef, Text, Uid};
use crate::domain::rollout::{
    Keeper, ReplicaSetView, Revision, Role, Rollout, RolloutDetail, RouteView, ServiceView,
    Strategy,
};
use crate::domain::status::Freshness;
use crate::engine::registries::Standings;
use serde_json::Value;
use std::collections::{BTreeMap, HashMap};

/// What is known at the moment.
pub(super) struct Parts<'p> {
    pub(super) rollout: &'p Value,
    pub(super) parts: &'p HashMap<ObjectRef, Part>,
    pub(super) states: &'p HashMap<Place, Freshness>,
    pub(super) keeper: Option<Keeper>,
    pub(super) share: Option<&'p Share>,
    pub(super) standings: &'p Standings,
}

/// Puts it together.
pub(super) fn build(parts: &Parts<'_>, cluster: &Cluster) -> RolloutDetail {
    let plain = rollout(parts.rollout, cluster, None);
    let mut sets = replica_sets(parts, &plain);
    // A list that is still on its way says nothing about how many Pods there are.
    let own = sets.iter().find(|set| set.hash == plain.current_hash);
    let available = own.map(|set| set.available);
    let mut row = rollout(parts.rollout, cluster, available);
    for set in &mut sets {
        set.roles = roles(&row, &set.hash);
    }
    let routes = routes(parts, &row);
    row.weights.routed = routes.iter().find_map(|route| route.canary);
    let share = parts.share;
    row.weights.measured = share.and_then(|share| {
        let share = share.canary?;
        Some(share * f64::from(row.weights.max))
    });
    let mut revisions = revisions(sets);
    add_analyses(parts, &row, &mut revisions);
    RolloutDetail {
        services: services(parts, &row),
        routes,
        revisions,
        keeper: parts.keeper.clone(),
        measured_at: share.map(|share| share.at),
        measured_by: share.map_or_else(|| "".into(), |share| Text::clone(&share.metric)),
        findings: findings(parts, &row),
        row,
    }
}

fn replica_sets(parts: &Parts<'_>, row: &Rollout) -> Vec<ReplicaSetView> {
    let mut pods: HashMap<&Uid, Vec<_>> = HashMap::new();
    for part in parts.parts.values() {
        if let Part::Pod(both) = part
            && let Some(owner) = &both.0.owner
        {
            let mut view = both.0.view.clone();
            let known = parts.standings.get(&view.object);
            view.image_states = known.cloned().unwrap_or_default();
            pods.entry(owner).or_default().push(view);
        }
    }
    let is_ours = |set: &Owned<ReplicaSetView>| set.owner.as_ref() == Some(&row.uid);
    let mut sets = Vec::new();
    for part in parts.parts.values() {
        if let Part::ReplicaSet(set) = part
            && is_ours(set)
        {
            let mut view = set.view.clone();
            view.pods = pods.remove(&view.uid).unwrap_or_default();
            view.pods.sort_by(|a, b| {
                a.created
                    .cmp(&b.created)
                    .then_with(|| a.object.name.cmp(&b.object.name))
            });
            sets.push(view);
        }
    }
    sets.sort_by(|a, b| a.object.name.cmp(&b.object.name));
    sets
}

fn roles(row: &Rollout, hash: &Text) -> Vec<Role> {
    let mut roles = Vec::new();
    let is = |wanted: &Text| !wanted.is_empty() && wanted == hash;
    match (row.strategy, &row.blue_green) {
        (Strategy::BlueGreen, Some(state)) => {
            if is(&row.stable_hash) {
                roles.push(Role::Stable);
            }
            if is(&state.active) {
                roles.push(Role::Active);
            }
            if is(&state.preview) && state.preview != state.active {
                roles.push(Role::Preview);
            }
        }
        (Strategy::Canary | Strategy::Unknown | Strategy::BlueGreen, _) => {
            if is(&row.stable_hash) {
                roles.push(Role::Stable);
            } else if is(&row.current_hash) {
                roles.push(Role::Canary);
            }
        }
    }
    roles
}

/// Newest first.
fn revisions(sets: Vec<ReplicaSetView>) -> Vec<Revision> {
    let mut by_number: BTreeMap<i64, Revision> = BTreeMap::new();
    for set in sets {
        let number = set.revision;
        let revision = by_number.entry(number).or_insert_with(|| Revision {
            number,
            ..Revision::default()
        });
        revision.replica_sets.push(set);
    }
    by_number.into_values().rev().collect()
}

fn add_analyses(parts: &Parts<'_>, row: &Rollout, revisions: &mut Vec<Revision>) {
    let is_ours = |owner: Option<&ObjectRef>| owner == Some(&row.object);
    let mut experiments: Vec<Experiment> = Vec::new();
    let mut runs: Vec<AnalysisRun> = Vec::new();
    for part in parts.parts.values() {
        match part {
            Part::Experiment(one) if is_ours(one.owner.as_ref()) => {
                experiments.push((**one).clone());
            }
            Part::Run(run) => runs.push((**run).clone()),
            Part::Experiment(_)
            | Part::ReplicaSet(_)
            | Part::Pod(_)
            | Part::Service(..)
            | Part::Route(_) => {}
        }
    }
    runs.retain(|run| {
        let of_experiment = |owner: &ObjectRef| experiments.iter().any(|one| one.object == *owner);
        is_ours(run.owner.as_ref()) || run.owner.as_ref().is_some_and(of_experiment)
    });
    runs.sort_by(|a, b| {
        b.created
            .cmp(&a.created)
            .then_with(|| b.object.cmp(&a.object))
    });
    experiments.sort_by(|a, b| {
        b.created
            .cmp(&a.created)
            .then_with(|| b.object.cmp(&a.object))
    });
    for run in runs {
        let number = run.revision.or_else(|| {
            let owner = run.owner.as_ref()?;
            let made_by = experiments.iter().find(|one| one.object == *owner)?;
            made_by.revision
        });
        revision_with(revisions, number, &run.hash)
            .analyses
            .push(run);
    }
    for one in experiments {
        revision_with(revisions, one.revision, &one.hash)
            .experiments
            .push(one);
    }
}

/// Finds the revision of a run by its number or its hash; a revision whose ReplicaSets are gone is
/// made anew.
fn revision_with<'r>(
    revisions: &'r mut Vec<Revision>,
    number: Option<i64>,
    hash: &Text,
) -> &'r mut Revision {
    let by_hash = |one: &Revision| one.replica_sets.iter().any(|set| set.hash == *hash);
    let found = revisions.iter().position(|one| match number {
        Some(number) => one.number == number,
        None => by_hash(one),
    });
    let at = found.unwrap_or_else(|| {
        let number = number.unwrap_or(0);
        let at = revisions.partition_point(|one| one.number > number);
        revisions.insert(
            at,
            Revision {
                number,
                ..Revision::default()
            },
        );
        at
    });
    &mut revisions[at]
}

fn services(parts: &Parts<'_>, row: &Rollout) -> Vec<ServiceView> {
    let named = [
        (&row.services.stable, Role::Stable),
        (&row.services.canary, Role::Canary),
        (&row.services.active, Role::Active),
        (&row.services.preview, Role::Preview),
    ];
    let hash_of = |wanted: &Text| {
        parts.parts.values().find_map(|part| match part {
            Part::Service(name, hash) if name == wanted => Some(Text::clone(hash)),
            Part::Service(..)
            | Part::ReplicaSet(_)
            | Part::Pod(_)
            | Part::Run(_)
            | Part::Experiment(_)
            | Part::Route(_) => None,
        })
    };
    let named = named.into_iter().filter(|(name, _)| !name.is_empty());
    named
        .map(|(name, role)| ServiceView {
            name: Text::clone(name),
            role,
            hash: hash_of(name),
        })
        .collect()
}

fn routes(parts: &Parts<'_>, row: &Rollout) -> Vec<RouteView> {
    let backends = Backends::of(parts.rollout);
    let wanted = row.router.iter().flat_map(|router| &router.routes);
    wanted
        .filter_map(|object| match parts.parts.get(object)? {
            Part::Route(value) => Some(route(value, object, &backends)),
            Part::ReplicaSet(_)
            | Part::Pod(_)
            | Part::Run(_)
            | Part::Experiment(_)
            | Part::Service(..) => None,
        })
        .collect()
}

fn findings(parts: &Parts<'_>, row: &Rollout) -> Vec<Finding> {
    let mut findings = row.findings.clone();
    for ((kind, namespace, name), state) in parts.states {
        let (Freshness::Forbidden { reason } | Freshness::Absent { reason }) = state else {
            continue;
        };
        // Experiments are few; a cluster without their CRD lacks nothing here.
        if kind.is(ARGO, "Experiment") && matches!(state, Freshness::Absent { .. }) {
            continue;
        }
        let place = namespace.as_deref().unwrap_or("the cluster");
        let what = name.as_deref().map_or_else(
            || format!("`{kind}`"),
            |name| format!("{} `{name}`", kind.kind),
        );
        let sentence = format!("cannot see {what} in `{place}`: {reason}");
        findings.push(Finding::new(Severity::Warning, sentence));
    }
    let listed = |object: &ObjectRef| {
        let name = Some(Text::clone(&object.name));
        let place = (object.kind.clone(), object.namespace.clone(), name);
        parts.states.get(&place) == Some(&Freshness::Live)
    };
    let routes = row.router.iter().flat_map(|router| &router.routes);
    for object in routes.filter(|object| listed(object) && !parts.parts.contains_key(*object)) {
        let sentence = format!("it routes by {object}, which does not exist");
        let hint = "create the route, or correct its name in `trafficRouting`";
        findings.push(Finding::new(Severity::Error, sentence).with_hint(hint));
    }
    findings.sort_by(|a, b| a.sentence.cmp(&b.sentence));
    findings
}
