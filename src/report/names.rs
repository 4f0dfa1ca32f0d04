//! Which object a person means: the short forms of a name, and the nearest name of a mistyped one.

use super::ReportError;
use super::session::Session;
use crate::domain::finding::{Finding, Severity};
use crate::domain::image::is_of_registries;
use crate::domain::kind::{self, ARGO};
use crate::domain::nearest::nearest;
use crate::domain::object::{GroupKind, ObjectRef};

/// How many objects of one name are listed.
const LISTED: usize = 5;

/// Finds the only object of a kind with this name, in whichever namespace.
pub(super) async fn by_name(
    session: &mut Session,
    kind: &GroupKind,
    name: &str,
) -> Result<ObjectRef, ReportError> {
    session.watch(kind).await?;
    let found = named(session, kind, name);
    match found.as_slice() {
        [] => Err(absent(session, kind, name)),
        [only] => Ok(only.clone()),
        several => {
            let paths: Vec<String> = several.iter().take(LISTED).map(ObjectRef::path).collect();
            let usage = format!(
                "{} objects of kind {} are called `{name}`: say which, such as {}",
                several.len(),
                kind.kind,
                paths.join(", ")
            );
            Err(ReportError::Usage(usage))
        }
    }
}

/// Returns the kind of `KIND/NAME`, where the first word can only be a kind.
pub(super) fn kind_before(word: &str) -> Option<GroupKind> {
    kind::info_named(word).map(kind::KindInfo::group_kind)
}

/// Returns the kind that a name alone is of.
pub(super) fn applications() -> GroupKind {
    GroupKind::new(ARGO, "Application")
}

/// Is an error when the object is surely not there: a better one than what a server says.
pub(super) async fn present(session: &mut Session, object: &ObjectRef) -> Result<(), ReportError> {
    // A table of images shows what runs, not what there is.
    if is_of_registries(&object.kind) {
        return Ok(());
    }
    let watched = session.watch(&object.kind).await.is_ok();
    let table = session.store.table(&object.kind);
    let is_there = table.is_some_and(|table| table.find(object).is_some());
    if !watched || is_there {
        return Ok(());
    }
    Err(absent(session, &object.kind, &object.path()))
}

/// Says that there is no such object, and which name is nearest.
pub(super) fn absent(session: &Session, kind: &GroupKind, name: &str) -> ReportError {
    let sentence = format!("there is no {} `{name}`", kind.kind);
    let finding = Finding::new(Severity::Error, sentence);
    let table = session.store.table(kind);
    let rows = table.into_iter().flat_map(crate::store::Table::rows);
    let paths: Vec<(String, String)> = rows
        .map(|row| (row.object().name.to_string(), row.object().path()))
        .collect();
    let last = name.rsplit('/').next().unwrap_or_default();
    let by_path = nearest(name, paths.iter().map(|(_, path)| &**path));
    let by_name = || {
        let near = nearest(last, paths.iter().map(|(name, _)| &**name))?;
        let found = paths.iter().find(|(name, _)| name == near);
        found.map(|(_, path)| &**path)
    };
    match by_path.or_else(by_name) {
        Some(near) => finding.with_hint(format!("did you mean `{near}`?")).into(),
        None => finding.into(),
    }
}

fn named(session: &Session, kind: &GroupKind, name: &str) -> Vec<ObjectRef> {
    let table = session.store.table(kind);
    let rows = table.into_iter().flat_map(crate::store::Table::rows);
    let mut found: Vec<ObjectRef> = rows
        .map(|row| row.object().clone())
        .filter(|object| &*object.name == name)
        .collect();
    found.sort();
    found
}
