//! Sets an image in the text of a kustomization, as `kustomize edit set image` does.

use super::{Lines, Scalar, indent_of, is_divider, key_and_value, quoted};

/// Sets the tag and digest of the entry with a name, which is added where there is none; `new_name`
/// is written where it differs from the name. The error says why the file is left alone.
pub fn set_image(
    text: &str,
    (name, new_name): (&str, &str),
    (tag, digest): (&str, &str),
) -> Result<String, String> {
    let wanted = Wanted {
        name,
        new_name,
        tag,
        digest,
    };
    let lines = Lines::of(text);
    let all: Vec<String> = lines.lines.iter().map(|line| (*line).to_owned()).collect();
    let Some((start, end)) = list_of(&lines.lines)? else {
        let mut out = all;
        while out.last().is_some_and(|line| line.trim().is_empty()) {
            out.pop();
        }
        out.push(String::from("images:"));
        out.extend(wanted.entry(""));
        let text = out.join(lines.end);
        return Ok(text + lines.end);
    };
    let (head, rest) = all.split_at(start);
    let (list, tail) = rest.split_at(end - start);
    let mut out = head.to_vec();
    if let Some(line) = out.last_mut()
        && line.trim_end().ends_with("[]")
    {
        *line = String::from("images:");
    }
    out.extend(wanted.set_in(list));
    out.extend(tail.iter().cloned());
    Ok(lines.joined(&out))
}

/// Returns the names of the entries that make an image of a name: that rename another one to it, or
/// that are called so and rename nothing.
pub fn entries_of(text: &str, image: &str) -> Vec<String> {
    let lines = Lines::of(text);
    let Ok(Some((start, end))) = list_of(&lines.lines) else {
        return Vec::new();
    };
    let list = lines.lines.get(start..end).unwrap_or_default();
    let entries = items(list).into_iter().map(|(from, to)| {
        let own = list.get(from..to).unwrap_or_default();
        let value = |key: &str| value_of(own, key);
        let name = value("name").unwrap_or_default();
        let made = value("newName").unwrap_or_else(|| name.clone());
        (name, made)
    });
    let fitting = entries.filter(|(name, made)| made == image && !name.is_empty());
    fitting.map(|(name, _)| name).collect()
}

/// Returns from where to where the items of `images` are; nothing where it has none.
fn list_of(lines: &[&str]) -> Result<Option<(usize, usize)>, String> {
    let is_key = |line: &&str| line.starts_with("images:");
    let Some(at) = lines.iter().position(is_key) else {
        return Ok(None);
    };
    let beside = lines.get(at).and_then(|line| line.split_once(':'));
    let beside = beside.map_or("", |(_, value)| value.trim());
    if !matches!(beside, "" | "[]") && !beside.starts_with('#') {
        return Err(String::from("its `images` are written in one line"));
    }
    let rest = lines.get(at + 1..).unwrap_or_default();
    let length = rest.iter().position(|line| is_outside(line));
    Ok(Some((at + 1, at + 1 + length.unwrap_or(rest.len()))))
}

/// A line at the margin that is no item ends a list.
fn is_outside(line: &str) -> bool {
    is_divider(line) || (!line.trim().is_empty() && !line.starts_with([' ', '-', '#']))
}

/// Returns where each item begins and ends: behind its last key.
fn items(list: &[impl AsRef<str>]) -> Vec<(usize, usize)> {
    let mut found: Vec<(usize, usize)> = Vec::new();
    for (at, line) in list.iter().enumerate() {
        let line = line.as_ref().trim();
        if line.starts_with('-') {
            found.push((at, at + 1));
        } else if !line.is_empty()
            && !line.starts_with('#')
            && let Some((_, end)) = found.last_mut()
        {
            *end = at + 1;
        }
    }
    found
}

/// Returns the value of a key of an item, in braces or not.
fn value_of(item: &[impl AsRef<str>], key: &str) -> Option<String> {
    let first = item.first()?.as_ref().trim_start().trim_start_matches('-');
    let braces = first.trim().strip_prefix('{');
    if let Some(inside) = braces {
        let inside = inside.split('}').next().unwrap_or_default();
        let mut pairs = inside.split(',').filter_map(|pair| pair.split_once(':'));
        let found = pairs.find(|(known, _)| known.trim() == key);
        return found.map(|(_, value)| value.trim().trim_matches(['"', '\'']).to_owned());
    }
    item.iter().find_map(|line| {
        let (_, known, value) = key_and_value(line.as_ref())?;
        let scalar = Scalar::read(value)?;
        (known == key).then(|| scalar.text.to_owned())
    })
}

struct Wanted<'w> {
    name: &'w str,
    new_name: &'w str,
    tag: &'w str,
    digest: &'w str,
}

impl Wanted<'_> {
    /// The keys that may follow the name, each with its value; empty: it is not to be there.
    fn keys(&self) -> [(&'static str, &str); 3] {
        let new_name = if self.new_name == self.name {
            ""
        } else {
            self.new_name
        };
        [
            ("newName", new_name),
            ("newTag", self.tag),
            ("digest", self.digest),
        ]
    }

    fn set_in(&self, list: &[String]) -> Vec<String> {
        let items = items(list);
        let mut out: Vec<String> = Vec::new();
        let mut done = 0;
        let mut found = false;
        for (start, end) in &items {
            let own = list.get(*start..*end).unwrap_or_default();
            out.extend(list.get(done..*start).unwrap_or_default().iter().cloned());
            if value_of(own, "name").as_deref() == Some(self.name) {
                found = true;
                out.extend(self.changed(own));
            } else {
                out.extend(own.iter().cloned());
            }
            done = *end;
        }
        if !found {
            let indent = items.first().and_then(|(at, _)| list.get(*at));
            let indent = indent.map_or(2, |line| indent_of(line));
            out.extend(self.entry(&" ".repeat(indent)));
        }
        out.extend(list.get(done..).unwrap_or_default().iter().cloned());
        out
    }

    /// Returns an item with other values.
    fn changed(&self, item: &[String]) -> Vec<String> {
        let first = item.first().map(String::as_str).unwrap_or_default();
        let indent = " ".repeat(indent_of(first));
        let plain = key_and_value(first).is_some_and(|(_, key, _)| key == "name");
        if !plain {
            return self.entry(&indent);
        }
        let column = first.find("name").unwrap_or(indent.len() + 2);
        let mut out = item.to_vec();
        let mut last = 0;
        for (key, value) in self.keys() {
            let is_it =
                |line: &String| key_and_value(line).is_some_and(|(_, known, _)| known == key);
            match (out.iter().position(is_it), value) {
                (None, "") => {}
                (Some(at), "") => drop(out.remove(at)),
                (None, value) => {
                    last += 1;
                    let line = format!("{}{key}: {}", " ".repeat(column), quoted(value));
                    out.insert(last, line);
                }
                (Some(at), value) => {
                    last = at;
                    if let Some(line) = out.get_mut(at) {
                        *line = replaced(line, value);
                    }
                }
            }
        }
        out
    }

    fn entry(&self, indent: &str) -> Vec<String> {
        let mut lines = vec![format!("{indent}- name: {}", quoted(self.name))];
        let given = self
            .keys()
            .into_iter()
            .filter(|(_, value)| !value.is_empty());
        lines.extend(given.map(|(key, value)| format!("{indent}  {key}: {}", quoted(value))));
        lines
    }
}

/// Puts another value into a line and keeps its comment and its quotes.
fn replaced(line: &str, value: &str) -> String {
    let parts = key_and_value(line).and_then(|(before, _, old)| Some((before, Scalar::read(old)?)));
    match parts {
        Some((before, scalar)) => format!("{before}{}", scalar.with(value)),
        None => line.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const FILE: &str = "resources:\n  - ../base\nimages:\n  - name: r.io/db # ours\n    newTag: \"16\"\n  - name: r.io/web\n    newTag: 1.2.0\nreplicas:\n  - name: web\n    count: 1\n";

    fn set(text: &str, names: (&str, &str), to: (&str, &str)) -> String {
        set_image(text, names, to).expect("a text")
    }

    #[test]
    fn one_tag_changes_and_nothing_else() {
        let out = set(FILE, ("r.io/web", "r.io/web"), ("1.3.0", ""));
        assert_eq!(out, FILE.replace("1.2.0", "1.3.0"));
        let out = set(FILE, ("r.io/db", "r.io/db"), ("17", ""));
        assert_eq!(out, FILE.replace("16", "17"));
    }

    #[test]
    fn comments_quotes_blank_lines_and_line_ends_stay() {
        let file = "# of us\r\nimages:\r\n# the front\r\n- name: w   # short\r\n\r\n  newTag: '1.0' # tested\r\n\r\n  # the rest\r\n- name: x\r\n  newTag: a";
        let out = set(file, ("w", "w"), ("1.1", ""));
        assert_eq!(out, file.replace("'1.0'", "'1.1'"));
        let out = set(file, ("x", "x"), ("b", ""));
        assert_eq!(out, file.replace("newTag: a", "newTag: b"));
    }

    #[test]
    fn a_digest_takes_the_place_of_a_tag_and_back() {
        let digest = "sha256:0123";
        let out = set(FILE, ("r.io/web", "r.io/web"), ("", digest));
        assert_eq!(out, FILE.replace("newTag: 1.2.0", "digest: sha256:0123"));
        let both = set(FILE, ("r.io/web", "r.io/web"), ("1.3.0", digest));
        assert!(
            both.contains("    newTag: 1.3.0\n    digest: sha256:0123\nreplicas"),
            "{both}"
        );
        assert_eq!(set(&out, ("r.io/web", "r.io/web"), ("1.2.0", "")), FILE);
    }

    #[test]
    fn an_image_that_is_not_there_is_added() {
        let out = set(FILE, ("web", "r.io/x"), ("main", "sha256:1"));
        assert!(
            out.contains("    newTag: 1.2.0\n  - name: web\n    newName: r.io/x\n    newTag: main\n    digest: sha256:1\nreplicas:"),
            "{out}"
        );
        let out = set("resources: [a.yaml]\n", ("w", "w"), ("1.5", ""));
        assert_eq!(
            out,
            "resources: [a.yaml]\nimages:\n- name: w\n  newTag: \"1.5\"\n"
        );
        let out = set("resources: [a.yaml]\n\n", ("w", "w"), ("v1", ""));
        assert_eq!(
            out,
            "resources: [a.yaml]\nimages:\n- name: w\n  newTag: v1\n"
        );
    }

    #[test]
    fn a_new_name_comes_stays_and_goes() {
        let renamed = "images:\n- name: web\n  newName: r.io/web # ours\n  newTag: a\n";
        assert_eq!(entries_of(renamed, "r.io/web"), ["web"]);
        assert!(entries_of(renamed, "web").is_empty());
        let out = set(renamed, ("web", "r.io/web"), ("b", ""));
        assert_eq!(out, renamed.replace("newTag: a", "newTag: b"));
        let out = set(renamed, ("web", "r.io/other"), ("b", ""));
        assert!(out.contains("newName: r.io/other # ours\n"), "{out}");
        assert_eq!(
            set(renamed, ("web", "web"), ("b", "")),
            "images:\n- name: web\n  newTag: b\n"
        );
        let plain = "images:\n- name: web\n  newTag: a\n";
        assert_eq!(
            set(plain, ("web", "r.io/web"), ("a", "")),
            "images:\n- name: web\n  newName: r.io/web\n  newTag: a\n"
        );
    }

    #[test]
    fn an_image_that_is_named_twice_is_set_twice() {
        let file = "images:\n- name: w\n  newTag: a\n- name: x\n- name: w\n  newTag: c\n";
        assert_eq!(entries_of(file, "w"), ["w", "w"]);
        assert_eq!(
            set(file, ("w", "w"), ("b", "")),
            "images:\n- name: w\n  newTag: b\n- name: x\n- name: w\n  newTag: b\n"
        );
    }

    #[test]
    fn items_in_braces_are_known_and_lists_in_one_line_are_left() {
        let flow = "images:\n- {name: w, newTag: a}\n- name: x\n";
        assert_eq!(entries_of(flow, "w"), ["w"]);
        let out = set(flow, ("w", "w"), ("b", ""));
        assert_eq!(out, "images:\n- name: w\n  newTag: b\n- name: x\n");
        let refused = set_image("images: [{name: w}]\n", ("w", "w"), ("b", ""));
        assert_eq!(
            refused.expect_err("left"),
            "its `images` are written in one line"
        );
        let out = set("images: []\nx: 1\n", ("w", "w"), ("b", ""));
        assert_eq!(out, "images:\n  - name: w\n    newTag: b\nx: 1\n");
    }

    #[test]
    fn what_is_set_already_changes_nothing() {
        assert_eq!(set(FILE, ("r.io/web", "r.io/web"), ("1.2.0", "")), FILE);
    }
}
