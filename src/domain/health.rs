//! Our own verdict on an object's health, from the live object alone.
//!
//! Argo CD 3.0 and later no longer stores health for each resource, so it is computed here:
//! the built-in kinds as gitops-engine `pkg/health` does ([`builtin`]), the kinds of the Argo
//! projects by their own rules ([`argo`]), and every other kind by the conventions that
//! controllers follow ([`conventions`]). Nothing here asks a server or knows the time.

mod argo;
mod builtin;
mod conventions;
mod words;

use super::node::Node;
use super::status::Health;

/// A verdict and the sentence that belongs to it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Verdict {
    pub health: Health,
    /// Empty when there is nothing to say.
    pub message: String,
}

impl Verdict {
    fn new(health: Health, message: impl Into<String>) -> Self {
        Self {
            health,
            message: message.into(),
        }
    }

    fn healthy() -> Self {
        Self::new(Health::Healthy, "")
    }
}

/// Returns the health of a live object; `None` for kinds that have none (a ConfigMap).
///
/// An Application has none by default, as in Argo CD; an object that is being deleted is
/// Progressing unless only a hook finalizer holds it.
pub fn health_of<N: Node>(object: &N) -> Option<Verdict> {
    let group = group_of(object);
    let kind = string(object, &["kind"]);
    if object.at(&["metadata", "deletionTimestamp"]).is_some() && !held_by_hook(object) {
        return Some(Verdict::new(Health::Progressing, "Pending deletion"));
    }
    match builtin::rule(group, kind, object).or_else(|| argo::rule(group, kind, object)) {
        Some(Rule::Is(verdict)) => Some(verdict),
        Some(Rule::NoHealth) => None,
        None => conventions::verdict(group, kind, object),
    }
}

/// What a rule for one kind says.
enum Rule {
    Is(Verdict),
    /// Objects of this kind have no health.
    NoHealth,
}

/// The finalizer that keeps a hook until its sync is over (gitops-engine `hook.HookFinalizer`).
const HOOK_FINALIZER: &str = "argocd.argoproj.io/hook-finalizer";

fn held_by_hook<N: Node>(object: &N) -> bool {
    let finalizers = object.at(&["metadata", "finalizers"]);
    finalizers.is_some_and(|list| {
        list.items()
            .iter()
            .any(|one| one.text() == Some(HOOK_FINALIZER))
    })
}

fn group_of<N: Node>(object: &N) -> &str {
    string(object, &["apiVersion"])
        .rsplit_once('/')
        .map_or("", |(group, _)| group)
}

fn version_of<N: Node>(object: &N) -> &str {
    let version = string(object, &["apiVersion"]);
    version
        .rsplit_once('/')
        .map_or(version, |(_, version)| version)
}

/// Returns the text at a path, or the empty string.
fn string<'a, N: Node>(object: &'a N, path: &[&str]) -> &'a str {
    object.at(path).and_then(Node::text).unwrap_or_default()
}

/// Returns the integer at a path.
fn number<N: Node>(object: &N, path: &[&str]) -> Option<i64> {
    object.at(path).and_then(Node::integer)
}

/// Returns the integer at a path, or 0.
fn count<N: Node>(object: &N, path: &[&str]) -> i64 {
    number(object, path).unwrap_or(0)
}

/// Returns whether there is `true` at a path.
fn is_true<N: Node>(object: &N, path: &[&str]) -> bool {
    object.at(path).and_then(Node::boolean) == Some(true)
}

/// Returns whether the spec is newer than what the controller has seen.
fn generation_unobserved<N: Node>(object: &N) -> bool {
    count(object, &["metadata", "generation"]) > count(object, &["status", "observedGeneration"])
}

fn conditions<N: Node>(object: &N) -> &[N] {
    object
        .at(&["status", "conditions"])
        .map(Node::items)
        .unwrap_or_default()
}

fn condition<'a, N: Node>(object: &'a N, kind: &str) -> Option<&'a N> {
    conditions(object)
        .iter()
        .find(|one| string(*one, &["type"]) == kind)
}

fn holds<N: Node>(condition: &N) -> bool {
    string(condition, &["status"]) == "True"
}
