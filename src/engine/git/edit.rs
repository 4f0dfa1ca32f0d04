//! Which files of a snapshot have to change so that an Application gets an image, and how.

use super::snapshot::Opened;
use crate::domain::image::{ChangedLine, FileChange, NoCommit};
use crate::domain::image_edit::{Whose, entries_of, set_image, set_in_manifest};
use similar::{ChangeTag, TextDiff};
use std::collections::BTreeMap;

/// Names that a kustomization may have (kustomize `api/konfig`).
const KUSTOMIZATIONS: [&str; 3] = ["kustomization.yaml", "kustomization.yml", "Kustomization"];
/// So many plain manifests are looked at.
const MOST_FILES: usize = 2_000;

/// What is to be changed.
#[derive(Clone, Debug)]
pub(super) struct Wanted {
    /// Folder of the source, without slashes at its ends.
    pub(super) folder: String,
    /// Whether plain manifests below it belong to it.
    pub(super) recurses: bool,
    /// Kind and name of one object; any when absent.
    pub(super) object: Option<(String, String)>,
    pub(super) container: String,
    /// The name that runs now, as it is written.
    pub(super) from: String,
    pub(super) image: String,
}

/// The new texts by path, and what changes in them.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Edit {
    pub(super) files: BTreeMap<String, String>,
    pub(super) changes: Vec<FileChange>,
}

impl Edit {
    fn add(&mut self, path: &str, old: &str, new: String) {
        let diff = TextDiff::from_lines(old, &new);
        let lines = diff.iter_all_changes().filter_map(|change| {
            let (number, comes) = match change.tag() {
                ChangeTag::Equal => return None,
                ChangeTag::Delete => (change.old_index(), false),
                ChangeTag::Insert => (change.new_index(), true),
            };
            Some(ChangedLine {
                number: number.unwrap_or_default() + 1,
                comes,
                text: change.value().trim_end_matches(['\r', '\n']).into(),
            })
        });
        let lines = lines.collect();
        self.changes.push(FileChange {
            path: path.into(),
            lines,
        });
        self.files.insert(path.to_owned(), new);
    }
}

/// Finds the files and sets the image in them.
pub(super) fn edit(snapshot: &Opened, wanted: &Wanted) -> Result<Edit, NoCommit> {
    let (name, tag, digest) = parts(&wanted.image);
    if tag.is_empty() && digest.is_empty() {
        let reason = format!("`{}` names neither a tag nor a digest", wanted.image);
        return Err(NoCommit::new(reason, "write host/repository:tag"));
    }
    let path = |file: &str| match &*wanted.folder {
        "" => file.to_owned(),
        folder => format!("{folder}/{file}"),
    };
    let mut kustomizations = KUSTOMIZATIONS.iter().map(|file| path(file));
    let found = kustomizations.find_map(|path| Some((snapshot.text(&path)?, path)));
    if let Some((old, path)) = found {
        return of_kustomization((&path, &old), wanted, (name, tag, digest));
    }
    if snapshot.text(&path("Chart.yaml")).is_some() {
        let reason = "its source is a Helm chart, where the image stands in values";
        return Err(NoCommit::new(
            reason,
            "commit it to the values that the chart reads",
        ));
    }
    of_manifests(snapshot, wanted)
}

/// Splits an image as it is written: name, tag and digest.
fn parts(image: &str) -> (&str, &str, &str) {
    let (rest, digest) = image.split_once('@').unwrap_or((image, ""));
    match rest.rsplit_once(':') {
        Some((name, tag)) if !tag.contains('/') => (name, tag, digest),
        Some(_) | None => (rest, "", digest),
    }
}

fn of_kustomization(
    (path, old): (&str, &str),
    wanted: &Wanted,
    (name, tag, digest): (&str, &str, &str),
) -> Result<Edit, NoCommit> {
    let mut entries = entries_of(old, &wanted.from);
    entries.dedup();
    if entries.is_empty() {
        entries.push(wanted.from.clone());
    }
    let mut new = old.to_owned();
    for entry in &entries {
        new = set_image(&new, (entry, name), (tag, digest)).map_err(|why| {
            let reason = format!("`{path}` cannot be changed for certain: {why}");
            NoCommit::new(reason, "change it by hand and push it")
        })?;
    }
    if new == old {
        return Err(is_so(path, &wanted.image));
    }
    let mut edit = Edit::default();
    edit.add(path, old, new);
    Ok(edit)
}

fn is_so(path: &str, image: &str) -> NoCommit {
    NoCommit::new(
        format!("`{path}` in git says `{image}` already"),
        "sync the Application, if it does not run it",
    )
}

fn of_manifests(snapshot: &Opened, wanted: &Wanted) -> Result<Edit, NoCommit> {
    let whose = Whose {
        object: wanted
            .object
            .as_ref()
            .map(|(kind, name)| (&**kind, &**name)),
        container: &wanted.container,
    };
    let mut edit = Edit::default();
    let mut same = None;
    let files = snapshot.files(&wanted.folder, wanted.recurses);
    let is_yaml = |path: &&String| {
        let end = path.rsplit('.').next().unwrap_or_default();
        matches!(end, "yaml" | "yml")
    };
    for path in files.iter().filter(is_yaml).take(MOST_FILES) {
        let Some(old) = snapshot.text(path) else {
            continue;
        };
        let found = set_in_manifest(&old, whose, (&wanted.from, &wanted.image));
        let found = found.map_err(|why| {
            let reason = format!("`{path}` cannot be changed for certain: {why}");
            NoCommit::new(reason, "change it by hand and push it")
        })?;
        match found {
            Some(found) if found.text == old => same = Some(path.clone()),
            Some(found) => edit.add(path, &old, found.text),
            None => {}
        }
    }
    match (edit.files.is_empty(), same) {
        (false, _) => Ok(edit),
        (true, Some(path)) => Err(is_so(&path, &wanted.image)),
        (true, None) => {
            let folder = if wanted.folder.is_empty() {
                "its repository"
            } else {
                &wanted.folder
            };
            let reason = format!(
                "no manifest in `{folder}` has the image `{}` in a line of its own",
                wanted.from
            );
            Err(NoCommit::new(reason, "change it by hand and push it"))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_image_is_split_as_it_is_written() {
        assert_eq!(parts("h:5000/a/b"), ("h:5000/a/b", "", ""));
        assert_eq!(parts("nginx:1"), ("nginx", "1", ""));
        assert_eq!(
            parts("h:5000/a/b:1.2@sha256:00"),
            ("h:5000/a/b", "1.2", "sha256:00")
        );
    }

    #[test]
    fn the_lines_that_change_are_told_with_their_numbers() {
        let mut edit = Edit::default();
        edit.add(
            "k.yaml",
            "a: 1\nb: 2\nc: 3\n",
            String::from("a: 1\nb: 4\nc: 3\n"),
        );
        let change = edit.changes.first().expect("a change");
        let lines: Vec<String> = change
            .lines
            .iter()
            .map(|line| format!("{} {} {}", line.number, line.comes, line.text))
            .collect();
        assert_eq!(lines, ["2 false b: 2", "2 true b: 4"]);
    }
}
