//! `spec.ignoreDifferences`: parts of objects that do not count in a comparison.
//!
//! Paths that cannot be understood are an error of the Application, not silently dropped.

use super::jq::Path;
use super::key::Key;
use super::{globs, json, owned};
use serde_json::Value;

/// The rules of one Application.
#[derive(Clone, Debug, Default)]
pub struct Ignores(Vec<Rule>);

#[derive(Clone, Debug)]
struct Rule {
    group: String,
    kind: String,
    name: String,
    namespace: String,
    pointers: Vec<Vec<String>>,
    paths: Vec<Path>,
    managers: Vec<String>,
}

impl Ignores {
    /// Reads the rules of a spec.
    pub fn read(spec: &Value) -> Result<Self, String> {
        json::items(spec, &["ignoreDifferences"])
            .iter()
            .map(Rule::read)
            .collect::<Result<_, _>>()
            .map(Self)
    }

    /// Returns whether any rule speaks of an object.
    pub fn concern(&self, key: &Key) -> bool {
        self.0.iter().any(|rule| rule.matches(key))
    }

    /// Removes from `value` what is to be ignored; `live` tells who owns what.
    pub fn remove(&self, key: &Key, live: &Value, value: &mut Value) {
        for rule in self.0.iter().filter(|rule| rule.matches(key)) {
            rule.remove(live, value);
        }
    }
}

impl Rule {
    fn read(value: &Value) -> Result<Self, String> {
        let own = |name: &str| json::text(value, &[name]).to_owned();
        let paths = json::texts(value, &["jqPathExpressions"])
            .into_iter()
            .map(Path::parse)
            .collect::<Result<_, _>>()?;
        let pointers = json::texts(value, &["jsonPointers"])
            .into_iter()
            .map(|text| {
                pointer(text).ok_or_else(|| format!("JSON pointer `{text}` must begin with `/`"))
            })
            .collect::<Result<_, _>>()?;
        Ok(Self {
            group: own("group"),
            kind: own("kind"),
            name: own("name"),
            namespace: own("namespace"),
            pointers,
            paths,
            managers: json::texts(value, &["managedFieldsManagers"])
                .into_iter()
                .map(str::to_owned)
                .collect(),
        })
    }

    fn matches(&self, key: &Key) -> bool {
        globs::matches(&self.group, &key.group)
            && globs::matches(&self.kind, &key.kind)
            && (self.name.is_empty() || self.name == *key.name)
            && (self.namespace.is_empty() || self.namespace == *key.namespace)
    }

    fn remove(&self, live: &Value, value: &mut Value) {
        for pointer in &self.pointers {
            remove_pointer(value, pointer);
        }
        for path in &self.paths {
            path.delete(value);
        }
        let managers: Vec<_> = self.managers.iter().map(String::as_str).collect();
        for fields in owned::fields_of(live, &managers) {
            owned::remove(value, fields);
        }
    }
}

fn pointer(text: &str) -> Option<Vec<String>> {
    let parts = text.strip_prefix('/')?.split('/');
    Some(
        parts
            .map(|part| part.replace("~1", "/").replace("~0", "~"))
            .collect(),
    )
}

fn remove_pointer(value: &mut Value, pointer: &[String]) {
    let Some((first, rest)) = pointer.split_first() else {
        return;
    };
    if let Some(map) = value.as_object_mut() {
        if rest.is_empty() {
            map.remove(first);
        } else if let Some(member) = map.get_mut(first) {
            remove_pointer(member, rest);
        }
    } else if let Some(list) = value.as_array_mut() {
        let Some(index) = first.parse().ok().filter(|index| *index < list.len()) else {
            return;
        };
        if rest.is_empty() {
            list.remove(index);
        } else if let Some(item) = list.get_mut(index) {
            remove_pointer(item, rest);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn key() -> Key {
        Key::new("apps", "Deployment", "shop", "web")
    }

    #[allow(clippy::needless_pass_by_value, reason = "reads better at the call")]
    fn after(rule: Value, mut object: Value) -> Value {
        let ignores = Ignores::read(&json!({"ignoreDifferences": [rule]})).expect("it reads");
        let live = object.clone();
        ignores.remove(&key(), &live, &mut object);
        object
    }

    #[test]
    fn pointers_remove_members_and_items() {
        let rule = json!({"group": "apps", "kind": "Deployment", "jsonPointers":
            ["/spec/replicas", "/metadata/annotations/a~1b", "/spec/list/0"]});

        assert_eq!(
            after(
                rule,
                json!({"metadata": {"annotations": {"a/b": "1", "c": "2"}},
                "spec": {"replicas": 3, "list": [1, 2]}})
            ),
            json!({"metadata": {"annotations": {"c": "2"}}, "spec": {"list": [2]}})
        );
    }

    #[test]
    fn rules_are_for_their_own_objects() {
        let untouched = |rule: Value| {
            let object = json!({"spec": {"replicas": 3}});
            after(rule, object.clone()) == object
        };
        let rule = |field: &str, value: &str| {
            let mut rule = json!({"group": "*", "kind": "*", "jsonPointers": ["/spec/replicas"]});
            rule[field] = json!(value);
            rule
        };

        assert!(untouched(rule("kind", "StatefulSet")));
        assert!(untouched(rule("name", "other")));
        assert!(untouched(rule("namespace", "other")));
        assert!(!untouched(rule("namespace", "shop")));
    }

    #[test]
    fn a_path_that_is_not_understood_is_an_error() {
        let spec = json!({"ignoreDifferences": [{"kind": "*", "jqPathExpressions": ["walk(.)"]}]});

        assert!(Ignores::read(&spec).is_err_and(|error| error.contains("walk(.)")));
    }
}
