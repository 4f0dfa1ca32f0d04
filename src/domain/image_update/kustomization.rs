//! Sets an image in the text of a kustomization, as `kustomize edit set image` does, and leaves every
//! other line as it is.

/// Sets the tag and digest of an image; `new_name` is written where it differs from the name. The error
/// says why the file is left alone.
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
    let lines: Vec<&str> = text.lines().collect();
    let start = lines.iter().position(|line| is_key(line, "images"));
    let Some(start) = start else {
        let mut out = text.trim_end().to_owned();
        out.push_str("\nimages:\n");
        out.push_str(&wanted.entry(""));
        return Ok(out);
    };
    let beside = lines.get(start).and_then(|line| line.split_once(':'));
    let beside = beside.map_or("", |(_, value)| value.trim());
    if !matches!(beside, "" | "[]") && !beside.starts_with('#') {
        return Err(String::from("its `images` are written in one line"));
    }
    let head = lines.get(..start).unwrap_or_default();
    let rest = lines.get(start + 1..).unwrap_or_default();
    let end = rest
        .iter()
        .position(|line| is_outside(line))
        .unwrap_or(rest.len());
    let (list, tail) = rest.split_at(end);
    let mut out: Vec<String> = head.iter().map(|line| (*line).to_owned()).collect();
    out.push(String::from("images:"));
    out.extend(wanted.set_in(list));
    out.extend(tail.iter().map(|line| (*line).to_owned()));
    Ok(out.join("\n") + "\n")
}

fn is_key(line: &str, key: &str) -> bool {
    line.strip_prefix(key)
        .is_some_and(|rest| rest.starts_with(':'))
}

/// A line at the margin that is no item ends a list.
fn is_outside(line: &str) -> bool {
    !line.is_empty() && !line.starts_with([' ', '-', '#'])
}

struct Wanted<'w> {
    name: &'w str,
    new_name: &'w str,
    tag: &'w str,
    digest: &'w str,
}

impl Wanted<'_> {
    fn set_in(&self, list: &[&str]) -> Vec<String> {
        let indent = list
            .iter()
            .find_map(|line| line.trim_start().starts_with('-').then(|| indent_of(line)))
            .unwrap_or("  ");
        let mut out: Vec<String> = Vec::new();
        let mut found = false;
        let mut rest = list;
        while let Some((first, after)) = rest.split_first() {
            if !first.trim_start().starts_with('-') {
                out.push((*first).to_owned());
                rest = after;
                continue;
            }
            let end = after
                .iter()
                .position(|line| line.trim_start().starts_with('-') || line.trim().is_empty())
                .unwrap_or(after.len());
            let (more, after) = after.split_at(end);
            rest = after;
            if self.is_about(first, more) {
                found = true;
                out.push(self.entry(indent).trim_end().to_owned());
            } else {
                out.push((*first).to_owned());
                out.extend(more.iter().map(|line| (*line).to_owned()));
            }
        }
        if !found {
            let blank = out.iter().rev().take_while(|line| line.is_empty()).count();
            let at = out.len() - blank;
            out.insert(at, self.entry(indent).trim_end().to_owned());
        }
        out
    }

    fn is_about(&self, first: &str, more: &[&str]) -> bool {
        let first = first.trim_start().trim_start_matches('-').trim();
        let inside = first.trim_start_matches('{').trim_end_matches('}');
        let parts = inside
            .split(", ")
            .chain(more.iter().map(|line| line.trim()));
        parts
            .filter_map(|part| part.split_once(':'))
            .any(|(key, value)| key.trim() == "name" && plain(value) == self.name)
    }

    fn entry(&self, indent: &str) -> String {
        let mut text = format!("{indent}- name: {}\n", quoted(self.name));
        let mut add = |key: &str, value: &str| {
            if !value.is_empty() {
                text = format!("{text}{indent}  {key}: {}\n", quoted(value));
            }
        };
        add(
            "newName",
            if self.new_name == self.name {
                ""
            } else {
                self.new_name
            },
        );
        add("newTag", self.tag);
        add("digest", self.digest);
        text
    }
}

fn indent_of(line: &str) -> &str {
    let end = line.len() - line.trim_start().len();
    line.get(..end).unwrap_or_default()
}

fn plain(value: &str) -> &str {
    let value = value.split_once(" #").map_or(value, |(value, _)| value);
    value.trim().trim_matches(['"', '\''])
}

/// Quotes what YAML would read as something else than text.
fn quoted(text: &str) -> String {
    let special = text.parse::<f64>().is_ok()
        || matches!(
            text.to_ascii_lowercase().as_str(),
            "true" | "false" | "yes" | "no" | "on" | "off" | "null" | "~"
        )
        || text.starts_with("0x");
    if special {
        format!("\"{text}\"")
    } else {
        text.to_owned()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const FILE: &str = "resources:\n  - ../base\nimages:\n  - name: r.io/db # ours\n    newTag: \"16\"\n  - name: r.io/web\n    newTag: 1.2.0\nreplicas:\n  - name: web\n    count: 1\n";

    #[test]
    fn one_tag_changes_and_nothing_else() {
        let out = set_image(FILE, ("r.io/web", "r.io/web"), ("1.3.0", "")).expect("a text");
        assert_eq!(out, FILE.replace("1.2.0", "1.3.0"));
        let out = set_image(FILE, ("r.io/db", "r.io/db"), ("17", "")).expect("a text");
        assert_eq!(
            out,
            FILE.replace("r.io/db # ours", "r.io/db")
                .replace("16", "17")
        );
    }

    #[test]
    fn an_image_that_is_not_there_is_added() {
        let out = set_image(FILE, ("web", "r.io/x"), ("main", "sha256:1")).expect("a text");
        assert!(
            out.contains("    newTag: 1.2.0\n  - name: web\n    newName: r.io/x\n    newTag: main\n    digest: sha256:1\nreplicas:"),
            "{out}"
        );
        let out = set_image("resources: [a.yaml]\n", ("w", "w"), ("1.5", "")).expect("a text");
        assert_eq!(
            out,
            "resources: [a.yaml]\nimages:\n- name: w\n  newTag: \"1.5\"\n"
        );
    }

    #[test]
    fn items_in_braces_are_known_and_lists_in_one_line_are_left() {
        let flow = "images:\n- {name: w, newTag: a}\n- name: x\n";
        let out = set_image(flow, ("w", "w"), ("b", "")).expect("a text");
        assert_eq!(out, "images:\n- name: w\n  newTag: b\n- name: x\n");
        let refused = set_image("images: [{name: w}]\n", ("w", "w"), ("b", ""));
        assert_eq!(
            refused.expect_err("left"),
            "its `images` are written in one line"
        );
        let out = set_image("images: []\nx: 1\n", ("w", "w"), ("b", "")).expect("a text");
        assert_eq!(out, "images:\n  - name: w\n    newTag: b\nx: 1\n");
    }
}
