//! Finds where manifests name an image, and names another tag there.
//!
//! Three forms are known: the whole reference (`image: NAME:TAG`), an entry of a kustomization
//! (`name: NAME` beside `newTag: TAG`) and the values of a chart (`repository: NAME` beside
//! `tag: TAG`). The rest of a file stays as it is, byte by byte.

use crate::sim::files::{EntryKind, FileTree};

/// What was found.
#[derive(Debug, Default)]
pub(super) struct Found {
    /// How many places name the image, with whatever tag.
    pub(super) mentioned: usize,
    /// The files that change, with their new text.
    pub(super) changed: Vec<(String, String)>,
}

/// Returns a reference without its tag and digest.
pub(super) fn name_of(image: &str) -> &str {
    let image = image.split_once('@').map_or(image, |(name, _)| name);
    match image.rsplit_once(':') {
        Some((name, tag)) if !tag.contains('/') => name,
        Some(_) | None => image,
    }
}

fn tag_of(image: &str) -> &str {
    image.strip_prefix(name_of(image)).map_or("", |rest| {
        rest.trim_start_matches(':')
            .split('@')
            .next()
            .unwrap_or_default()
    })
}

/// Looks through a file, or every YAML file of a folder.
pub(super) fn find(tree: &dyn FileTree, path: &str, image: &str) -> Found {
    let mut found = Found::default();
    for file in files(tree, path) {
        let bytes = tree.read(&file).unwrap_or_default();
        let Ok(text) = std::str::from_utf8(&bytes) else {
            continue;
        };
        let (new, mentioned) = rewrite(text, name_of(image), tag_of(image));
        found.mentioned += mentioned;
        if new != text {
            found.changed.push((file, new));
        }
    }
    found
}

fn files(tree: &dyn FileTree, path: &str) -> Vec<String> {
    if !path.is_empty() && tree.read(path).is_some() {
        return vec![path.to_owned()];
    }
    let mut files = Vec::new();
    for entry in tree.list(path) {
        let below = match path {
            "" => entry.name.clone(),
            folder => format!("{folder}/{}", entry.name),
        };
        match entry.kind {
            EntryKind::Folder => files.extend(self::files(tree, &below)),
            EntryKind::File if [".yaml", ".yml"].iter().any(|end| below.ends_with(end)) => {
                files.push(below);
            }
            EntryKind::File => {}
        }
    }
    files
}

/// One line that is a field of a mapping, perhaps the first of a list's item.
struct Field<'t> {
    column: usize,
    starts_item: bool,
    key: &'t str,
    value: &'t str,
}

impl<'t> Field<'t> {
    fn of(line: &'t str) -> Option<Self> {
        let mut rest = line.trim_start();
        let starts_item = rest.starts_with("- ");
        while let Some(inner) = rest.strip_prefix("- ") {
            rest = inner.trim_start();
        }
        let column = line.len() - rest.len();
        let (key, value) = rest.split_once(':')?;
        Some(Self {
            column,
            starts_item,
            key,
            value: value.trim().trim_matches(['"', '\'']),
        })
    }
}

fn rewrite(text: &str, name: &str, tag: &str) -> (String, usize) {
    let mut lines: Vec<String> = text.split('\n').map(str::to_owned).collect();
    let mut mentioned = 0;
    for number in 0..lines.len() {
        let Some(line) = lines.get(number) else { break };
        if let Some(new) = with_reference(line, name, tag) {
            mentioned += 1;
            if let Some(line) = lines.get_mut(number) {
                *line = new;
            }
            continue;
        }
        let Some(field) = Field::of(line) else {
            continue;
        };
        let wanted = match field.key {
            "name" | "newName" if field.value == name => "newTag",
            "repository" if field.value == name => "tag",
            _ => continue,
        };
        if let Some(place) = sibling(&lines, number, wanted) {
            mentioned += 1;
            if let Some(line) = lines.get_mut(place) {
                *line = with_value(line, tag);
            }
        }
    }
    (lines.join("\n"), mentioned)
}

/// Returns the line with another tag behind the image's name, if it names the image.
fn with_reference(line: &str, name: &str, tag: &str) -> Option<String> {
    let (before, after) = line.split_once(&format!("{name}:"))?;
    let own_start = before.is_empty() || before.ends_with([' ', '"', '\'', '\t', '=']);
    let end = after
        .find(|letter: char| !(letter.is_ascii_alphanumeric() || "_.-".contains(letter)))
        .unwrap_or(after.len());
    let (old, rest) = after.split_at_checked(end)?;
    if !own_start || old.is_empty() {
        return None;
    }
    let rest = match rest.strip_prefix("@sha256:") {
        Some(digest) => digest.trim_start_matches(|letter: char| letter.is_ascii_hexdigit()),
        None => rest,
    };
    Some(format!("{before}{name}:{tag}{rest}"))
}

/// Returns the line of another field of the mapping that a line is in.
fn sibling(lines: &[String], at: usize, key: &str) -> Option<usize> {
    let own = Field::of(lines.get(at)?)?;
    let fits = |field: &Field<'_>| field.column == own.column && field.key == key;
    let mut place = at;
    // Up to the item's first field.
    while !Field::of(lines.get(place)?)?.starts_item {
        place = place.checked_sub(1)?;
        let Some(field) = Field::of(lines.get(place)?) else {
            break;
        };
        if field.column < own.column {
            break;
        }
        if fits(&field) {
            return Some(place);
        }
    }
    for (number, line) in lines.iter().enumerate().skip(at + 1) {
        if line.trim().is_empty() {
            continue;
        }
        let field = Field::of(line)?;
        if field.column < own.column || (field.starts_item && field.column <= own.column) {
            return None;
        }
        if fits(&field) {
            return Some(number);
        }
    }
    None
}

/// Replaces a field's value; a text that YAML would read as a number is quoted.
fn with_value(line: &str, value: &str) -> String {
    let Some((key, old)) = line.split_once(':') else {
        return line.to_owned();
    };
    let quote = match old.trim().chars().next() {
        Some(quote @ ('"' | '\'')) => Some(quote),
        Some(_) | None => value.parse::<f64>().is_ok().then_some('"'),
    };
    match quote {
        Some(quote) => format!("{key}: {quote}{value}{quote}"),
        None => format!("{key}: {value}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_form_of_naming_an_image_gets_the_new_tag() {
        let text = "images:\n- name: r.example/shop/other\n  newTag: 7\n- name: r.example/shop/app\n  newTag: 1.0\n\
                    values:\n  image:\n    tag: old\n    repository: r.example/shop/app\n\
                    spec:\n  image: \"r.example/shop/app:1.0@sha256:ab12\"\n  other: r.example/shop/app-two:1.0\n";

        let (new, mentioned) = rewrite(text, "r.example/shop/app", "abc123");

        assert_eq!(mentioned, 3);
        assert_eq!(
            new,
            "images:\n- name: r.example/shop/other\n  newTag: 7\n- name: r.example/shop/app\n  newTag: abc123\n\
             values:\n  image:\n    tag: abc123\n    repository: r.example/shop/app\n\
             spec:\n  image: \"r.example/shop/app:abc123\"\n  other: r.example/shop/app-two:1.0\n"
        );
    }

    #[test]
    fn a_tag_that_looks_like_a_number_stays_a_text() {
        let (new, _) = rewrite("- name: a/b\n  newTag: x1\n", "a/b", "1.10");
        assert_eq!(new, "- name: a/b\n  newTag: \"1.10\"\n");
        assert_eq!(name_of("h:5000/a/b:1@sha256:00"), "h:5000/a/b");
        assert_eq!(tag_of("h:5000/a/b:1@sha256:00"), "1");
    }
}
