//! Which objects a patch or replacement is meant for.

use super::resource::Resource;
use regex::Regex;
use serde::Deserialize;
use serde_json::Value;

/// Every condition that is given has to hold; the names are anchored regular expressions.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase", default)]
pub(super) struct Selector {
    group: Option<String>,
    version: Option<String>,
    kind: Option<String>,
    name: Option<String>,
    namespace: Option<String>,
    label_selector: Option<String>,
    annotation_selector: Option<String>,
    #[serde(rename = "skip")]
    _skip: Option<bool>,
}

/// A [`Selector`] whose patterns have been read.
#[derive(Debug)]
pub(super) struct Matcher {
    group: Option<Regex>,
    version: Option<Regex>,
    kind: Option<Regex>,
    name: Option<Regex>,
    namespace: Option<Regex>,
    labels: Vec<Requirement>,
    annotations: Vec<Requirement>,
}

impl Selector {
    /// Reads the patterns; the error says which is wrong.
    pub(super) fn matcher(&self) -> Result<Matcher, String> {
        Ok(Matcher {
            group: pattern("group", self.group.as_deref())?,
            version: pattern("version", self.version.as_deref())?,
            kind: pattern("kind", self.kind.as_deref())?,
            name: pattern("name", self.name.as_deref())?,
            namespace: pattern("namespace", self.namespace.as_deref())?,
            labels: requirements(self.label_selector.as_deref())?,
            annotations: requirements(self.annotation_selector.as_deref())?,
        })
    }

    /// Says what is looked for, for messages.
    pub(super) fn describe(&self) -> String {
        let fields = [
            ("group", &self.group),
            ("version", &self.version),
            ("kind", &self.kind),
            ("name", &self.name),
            ("namespace", &self.namespace),
            ("labelSelector", &self.label_selector),
            ("annotationSelector", &self.annotation_selector),
        ];
        let given: Vec<String> = fields
            .iter()
            .filter_map(|(field, value)| value.as_ref().map(|value| format!("{field} `{value}`")))
            .collect();
        given.join(", ")
    }
}

impl Matcher {
    pub(super) fn matches(&self, resource: &Resource) -> bool {
        let fits = |pattern: &Option<Regex>, text: &str| {
            pattern
                .as_ref()
                .is_none_or(|pattern| pattern.is_match(text))
        };
        let (original, now) = (resource.original_id(), resource.id());
        fits(&self.group, resource.group())
            && fits(&self.version, resource.version())
            && fits(&self.kind, resource.kind())
            && (fits(&self.name, &original.name) || fits(&self.name, &now.name))
            && (fits(&self.namespace, original.effective_namespace())
                || fits(&self.namespace, now.effective_namespace()))
            && all_hold(&self.labels, resource.value.pointer("/metadata/labels"))
            && all_hold(
                &self.annotations,
                resource.value.pointer("/metadata/annotations"),
            )
    }
}

fn pattern(field: &str, text: Option<&str>) -> Result<Option<Regex>, String> {
    let Some(text) = text.filter(|text| !text.is_empty()) else {
        return Ok(None);
    };
    Regex::new(&format!("^(?:{text})$"))
        .map(Some)
        .map_err(|_broken| format!("`{text}` (target {field}) is not a regular expression"))
}

/// One term of a selector such as `tier in (web, api), !canary`.
#[derive(Debug, PartialEq, Eq)]
struct Requirement {
    key: String,
    test: Test,
}

#[derive(Debug, PartialEq, Eq)]
enum Test {
    In(Vec<String>),
    NotIn(Vec<String>),
    Exists,
    Absent,
}

fn requirements(text: Option<&str>) -> Result<Vec<Requirement>, String> {
    let Some(text) = text.filter(|text| !text.trim().is_empty()) else {
        return Ok(Vec::new());
    };
    terms(text)
        .iter()
        .map(|term| requirement(term.trim()))
        .collect()
}

/// Splits at commas that are not inside brackets.
fn terms(text: &str) -> Vec<String> {
    let mut terms = vec![String::new()];
    let mut depth = 0_u32;
    for letter in text.chars() {
        match letter {
            '(' => depth += 1,
            ')' => depth = depth.saturating_sub(1),
            _ => {}
        }
        if letter == ',' && depth == 0 {
            terms.push(String::new());
        } else if let Some(term) = terms.last_mut() {
            term.push(letter);
        }
    }
    terms
}

fn requirement(term: &str) -> Result<Requirement, String> {
    let made = |key: &str, test: Test| {
        let key = key.trim().to_owned();
        let is_key = !key.is_empty() && !key.contains(char::is_whitespace);
        is_key
            .then_some(Requirement { key, test })
            .ok_or_else(|| format!("`{term}` is not a term of a selector"))
    };
    let one = |value: &str| vec![value.trim().to_owned()];
    if let Some((key, list)) = term.split_once(" notin ") {
        return made(key, Test::NotIn(values(list)));
    }
    if let Some((key, list)) = term.split_once(" in ") {
        return made(key, Test::In(values(list)));
    }
    if let Some((key, value)) = term.split_once("!=") {
        return made(key, Test::NotIn(one(value)));
    }
    if let Some((key, value)) = term.split_once("==").or_else(|| term.split_once('=')) {
        return made(key, Test::In(one(value)));
    }
    match term.strip_prefix('!') {
        Some(key) => made(key, Test::Absent),
        None => made(term, Test::Exists),
    }
}

fn values(list: &str) -> Vec<String> {
    let list = list.trim().trim_start_matches('(').trim_end_matches(')');
    list.split(',')
        .map(|value| value.trim().to_owned())
        .collect()
}

fn all_hold(requirements: &[Requirement], map: Option<&Value>) -> bool {
    requirements.iter().all(|requirement| {
        let value = map
            .and_then(|map| map.get(&requirement.key))
            .and_then(Value::as_str);
        match &requirement.test {
            Test::In(wanted) => value.is_some_and(|value| wanted.iter().any(|one| one == value)),
            Test::NotIn(refused) => {
                value.is_none_or(|value| refused.iter().all(|one| one != value))
            }
            Test::Exists => value.is_some(),
            Test::Absent => value.is_none(),
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn selectors_read_every_kind_of_term() {
        let wanted = requirements(Some(
            "tier in (web, api), stage!=prod, app=x, !canary, owner",
        ))
        .expect("a selector");
        let fits = |labels: Value| all_hold(&wanted, Some(&labels));

        assert!(fits(json!({"tier": "api", "app": "x", "owner": "o"})));
        assert!(!fits(json!({"tier": "db", "app": "x", "owner": "o"})));
        assert!(!fits(
            json!({"tier": "api", "app": "x", "owner": "o", "stage": "prod"})
        ));
        assert!(!fits(
            json!({"tier": "api", "app": "x", "owner": "o", "canary": ""})
        ));
        assert!(!fits(json!({"tier": "api", "app": "x"})));
    }
}
