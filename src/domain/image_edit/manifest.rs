//! Sets an image in the text of a plain manifest: in the `image:` of the containers that run it.

use super::{Lines, Scalar, indent_of, is_divider, key_and_value};
use crate::domain::image::Reference;

/// Whose containers are meant.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Whose<'w> {
    /// Kind and name of one object; every object of the file where absent.
    pub object: Option<(&'w str, &'w str)>,
    /// A container by name; `*` is all of them.
    pub container: &'w str,
}

/// A text in which an image was found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Found {
    /// With the image set.
    pub text: String,
    /// In how many lines it stands.
    pub lines: usize,
}

/// Sets an image wherever its repository stands. Nothing when the file does not have it.
///
/// # Errors
/// Says which line could not be changed for certain.
pub fn set_in_manifest(
    text: &str,
    whose: Whose<'_>,
    (from, to): (&str, &str),
) -> Result<Option<Found>, String> {
    let Some(from) = Reference::parse(from) else {
        return Ok(None);
    };
    let lines = Lines::of(text);
    let mut out: Vec<String> = lines.lines.iter().map(|line| (*line).to_owned()).collect();
    let mut count = 0;
    for (start, end) in documents(&lines.lines) {
        let document = lines.lines.get(start..end).unwrap_or_default();
        if !whose.object.is_none_or(|object| is_of(document, object)) {
            continue;
        }
        for (at, line) in document.iter().enumerate() {
            if in_braces(line).is_some_and(|text| text.contains(&*from.repository)) {
                let number = start + at + 1;
                return Err(format!("its line {number} has a container in one line"));
            }
            let Some((before, scalar)) = image_in(line) else {
                continue;
            };
            if scalar.text.starts_with('&') && scalar.text.ends_with(&from.name()) {
                return Err(format!("its line {} has an anchor", start + at + 1));
            }
            let same = Reference::parse(scalar.text).is_some_and(|one| one.name() == from.name());
            let own = whose.container == "*" || container_of(document, at) == whose.container;
            if same && own {
                count += 1;
                if let Some(line) = out.get_mut(start + at) {
                    *line = format!("{before}{}", scalar.with(to));
                }
            }
        }
    }
    let found = Found {
        text: lines.joined(&out),
        lines: count,
    };
    Ok((count > 0).then_some(found))
}

/// Returns an item that is written in braces and has an image.
fn in_braces(line: &str) -> Option<&str> {
    let item = line.trim_start().trim_start_matches("- ").trim_start();
    (item.starts_with('{') && item.contains("image:")).then_some(item)
}

fn image_in(line: &str) -> Option<(&str, Scalar<'_>)> {
    let (before, key, value) = key_and_value(line)?;
    (key == "image").then_some(())?;
    Some((before, Scalar::read(value)?))
}

/// Returns from where to where each document goes.
fn documents(lines: &[&str]) -> Vec<(usize, usize)> {
    let mut found = Vec::new();
    let mut start = 0;
    for (at, line) in lines.iter().enumerate() {
        if is_divider(line) {
            found.push((start, at));
            start = at + 1;
        }
    }
    found.push((start, lines.len()));
    found
}

/// Whether a document is an object of this kind and name.
fn is_of(document: &[&str], (kind, name): (&str, &str)) -> bool {
    let at_margin = |key: &str| {
        let mut values = document.iter().filter_map(|line| {
            let (_, known, value) = key_and_value(line)?;
            (indent_of(line) == 0 && known == key).then_some(value)
        });
        values.next()
    };
    let is_kind = at_margin("kind").and_then(Scalar::read);
    if is_kind.is_none_or(|scalar| scalar.text != kind) {
        return false;
    }
    let metadata = document
        .iter()
        .position(|line| line.starts_with("metadata:"));
    let inside = metadata.and_then(|at| document.get(at + 1..));
    let inside = inside.unwrap_or_default().iter();
    let mut block = inside.take_while(|line| indent_of(line) > 0 || line.trim().is_empty());
    let mut indent = None;
    block.any(|line| {
        if line.trim().is_empty() || line.trim_start().starts_with('#') {
            return false;
        }
        let own = *indent.get_or_insert(indent_of(line)) == indent_of(line);
        let value = key_and_value(line).filter(|(_, key, _)| own && *key == "name");
        let scalar = value.and_then(|(_, _, value)| Scalar::read(value));
        scalar.is_some_and(|scalar| scalar.text == name)
    })
}

/// Where the key of a line stands: behind the dash of an item.
fn column(line: &str) -> usize {
    let mut rest = line.trim_start();
    while let Some(inside) = rest.strip_prefix("- ") {
        rest = inside.trim_start();
    }
    line.len() - rest.len()
}

/// Returns the name of the container that has a line: `name` beside its `image`.
fn container_of<'d>(document: &[&'d str], at: usize) -> &'d str {
    let Some(own) = document.get(at).map(|line| column(line)) else {
        return "";
    };
    let begins = |line: &str| line.trim_start().starts_with("- ") && column(line) == own;
    let is_below = |line: &str| line.trim().is_empty() || indent_of(line) >= own;
    let above = document.get(..=at).unwrap_or_default();
    let start = above.iter().rposition(|line| begins(line)).unwrap_or(at);
    let rest = document.get(start + 1..).unwrap_or_default();
    let length = rest.iter().take_while(|line| is_below(line)).count();
    let item = document.get(start..=start + length).unwrap_or_default();
    let mut names = item.iter().filter(|line| column(line) == own);
    let name = names.find_map(|line| {
        let (_, key, value) = key_and_value(line)?;
        (key == "name").then(|| Scalar::read(value))?
    });
    name.map_or("", |scalar| scalar.text)
}

#[cfg(test)]
mod tests {
    use super::*;

    const FILE: &str = "# the shop\napiVersion: apps/v1\nkind: Deployment\nmetadata:\n  labels:\n    name: other\n  name: api # main\nspec:\n  template:\n    spec:\n      containers:\n        - name: app\n          image: \"r.io/shop/api:1.0\" # tested\n          env:\n            - name: image\n              value: x\n        - image: r.io/shop/api:1.0\n          name: side\n---\nkind: Job\nmetadata: \n  name: migrate\nspec:\n  template:\n    spec:\n      containers:\n      - {name: a, image: r.io/shop/other:1.0}\n      initContainers:\n      - name: wait\n        image: r.io/shop/api@sha256:aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa\n      - name: b\n        image: busybox\n";
    const ALL: Whose<'_> = Whose {
        object: None,
        container: "*",
    };

    fn set(whose: Whose<'_>, to: (&str, &str)) -> Found {
        let found = set_in_manifest(FILE, whose, to).expect("certain");
        found.expect("it is there")
    }

    #[test]
    fn every_line_with_the_image_changes_and_nothing_else() {
        let found = set(ALL, ("r.io/shop/api", "r.io/shop/api:1.1"));

        assert_eq!(found.lines, 3);
        let wanted = FILE
            .replace("\"r.io/shop/api:1.0\"", "\"r.io/shop/api:1.1\"")
            .replace("- image: r.io/shop/api:1.0", "- image: r.io/shop/api:1.1");
        let (head, tail) = wanted.split_once("@sha256").expect("a digest");
        let (_, tail) = tail.split_once('\n').expect("a line");
        assert_eq!(found.text, format!("{head}:1.1\n{tail}"));
    }

    #[test]
    fn one_container_of_one_object_is_meant() {
        let whose = Whose {
            object: Some(("Deployment", "api")),
            container: "side",
        };
        let found = set(whose, ("r.io/shop/api", "r.io/shop/api:1.1"));
        assert_eq!(
            found.text,
            FILE.replace("- image: r.io/shop/api:1.0", "- image: r.io/shop/api:1.1")
        );
        let job = Whose {
            object: Some(("Job", "migrate")),
            container: "wait",
        };
        assert_eq!(set(job, ("r.io/shop/api", "x/y:1")).lines, 1);
        let nobody = Whose {
            object: Some(("Deployment", "other")),
            container: "*",
        };
        let none = set_in_manifest(FILE, nobody, ("r.io/shop/api", "r.io/shop/api:1.1"));
        assert_eq!(none, Ok(None));
    }

    #[test]
    fn short_names_are_the_same_image() {
        let found = set(ALL, ("docker.io/library/busybox", "busybox:1.36"));
        assert_eq!(
            found.text,
            FILE.replace("image: busybox", "image: busybox:1.36")
        );
    }

    #[test]
    fn what_is_not_there_is_nothing_and_an_anchor_is_left_alone() {
        let none = set_in_manifest(FILE, ALL, ("r.io/shop/web", "r.io/shop/web:2"));
        assert_eq!(none, Ok(None));
        let anchored = "image: &it r.io/shop/api\n";
        let refused = set_in_manifest(anchored, ALL, ("r.io/shop/api", "r.io/shop/api:2"));
        assert_eq!(refused, Err(String::from("its line 1 has an anchor")));
        let refused = set_in_manifest(FILE, ALL, ("r.io/shop/other", "r.io/shop/other:2"));
        let sentence = "its line 27 has a container in one line";
        assert_eq!(refused, Err(String::from(sentence)));
    }
}
