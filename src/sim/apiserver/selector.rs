//! Label selectors and field selectors.
//!
//! The grammar is apimachinery's (`labels.Parse`, `fields.ParseSelector`). Fields that a kind does
//! not let select are refused by name.

use super::error::ApiError;
use super::json;
use super::kinds::Kind;
use super::store::Stored;
use serde_json::Value;

/// The values of a kind's selectable fields, in the kind's order.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct FieldValues(Box<[Box<str>]>);

impl FieldValues {
    /// Reads the fields that `kind` lets select.
    pub(super) fn read(kind: &Kind, object: &Value) -> Self {
        Self(
            kind.selectable
                .iter()
                .map(|path| field_text(object, path).into())
                .collect(),
        )
    }
}

fn field_text(object: &Value, path: &str) -> String {
    let path = path.trim_start_matches('.');
    let steps: Vec<&str> = match path {
        // Events select by `source` and `reportingComponent`, which live elsewhere.
        "source" => vec!["source", "component"],
        _ => path.split('.').collect(),
    };
    match json::at(object, &steps) {
        Some(Value::String(text)) => text.clone(),
        Some(Value::Bool(truth)) => truth.to_string(),
        Some(Value::Number(number)) => number.to_string(),
        Some(Value::Null | Value::Array(_) | Value::Object(_)) | None => String::new(),
    }
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Requirement {
    In(String, Vec<String>),
    NotIn(String, Vec<String>),
    Exists(String),
    Absent(String),
    Greater(String, i64),
    Less(String, i64),
}

/// A parsed label selector.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct LabelSelector(Vec<Requirement>);

impl LabelSelector {
    /// Parses the text of a `labelSelector` parameter.
    pub(super) fn parse(text: &str) -> Result<Self, ApiError> {
        split_outside_parentheses(text)
            .into_iter()
            .map(str::trim)
            .filter(|part| !part.is_empty())
            .map(parse_requirement)
            .collect::<Option<Vec<_>>>()
            .map(Self)
            .ok_or_else(|| ApiError::bad_request(format!("unable to parse requirement: `{text}`")))
    }

    /// Reads a `LabelSelector` object (`matchLabels`, `matchExpressions`).
    pub(super) fn from_object(selector: &Value) -> Self {
        let mut all = Vec::new();
        for (key, value) in selector
            .get("matchLabels")
            .and_then(Value::as_object)
            .into_iter()
            .flatten()
        {
            let value = value.as_str().unwrap_or_default().to_owned();
            all.push(Requirement::In(key.clone(), vec![value]));
        }
        for one in selector
            .get("matchExpressions")
            .and_then(Value::as_array)
            .into_iter()
            .flatten()
        {
            let key = json::text_at(one, &["key"]).unwrap_or_default().to_owned();
            let values = json::texts_at(one, &["values"]);
            match json::text_at(one, &["operator"]).unwrap_or_default() {
                "In" => all.push(Requirement::In(key, values)),
                "NotIn" => all.push(Requirement::NotIn(key, values)),
                "DoesNotExist" => all.push(Requirement::Absent(key)),
                _ => all.push(Requirement::Exists(key)),
            }
        }
        Self(all)
    }

    /// Says whether an object's labels meet all requirements.
    pub(super) fn matches(&self, object: &Stored) -> bool {
        self.0.iter().all(|one| one.met_by(object))
    }
}

impl Requirement {
    fn met_by(&self, object: &Stored) -> bool {
        let find = |key: &str| {
            object
                .labels
                .iter()
                .find(|(name, _)| **name == *key)
                .map(|(_, value)| &**value)
        };
        let number = |key: &str| find(key).and_then(|value| value.parse::<i64>().ok());
        match self {
            Self::In(key, values) => {
                find(key).is_some_and(|value| values.iter().any(|one| one == value))
            }
            Self::NotIn(key, values) => {
                find(key).is_none_or(|value| values.iter().all(|one| one != value))
            }
            Self::Exists(key) => find(key).is_some(),
            Self::Absent(key) => find(key).is_none(),
            Self::Greater(key, bound) => number(key).is_some_and(|value| value > *bound),
            Self::Less(key, bound) => number(key).is_some_and(|value| value < *bound),
        }
    }
}

fn split_outside_parentheses(text: &str) -> Vec<&str> {
    let mut depth = 0_usize;
    text.split(|letter| {
        match letter {
            '(' => depth += 1,
            ')' => depth = depth.saturating_sub(1),
            _ => {}
        }
        letter == ',' && depth == 0
    })
    .collect()
}

fn parse_requirement(part: &str) -> Option<Requirement> {
    if let Some(key) = part.strip_prefix('!') {
        return label_key(key).map(Requirement::Absent);
    }
    for (mark, negated) in [("!=", true), ("==", false), ("=", false)] {
        if let Some((key, value)) = part.split_once(mark) {
            let (key, values) = (label_key(key)?, vec![label_value(value)?]);
            return Some(if negated {
                Requirement::NotIn(key, values)
            } else {
                Requirement::In(key, values)
            });
        }
    }
    if let Some((key, bound)) = part.split_once('>') {
        return Some(Requirement::Greater(
            label_key(key)?,
            bound.trim().parse().ok()?,
        ));
    }
    if let Some((key, bound)) = part.split_once('<') {
        return Some(Requirement::Less(
            label_key(key)?,
            bound.trim().parse().ok()?,
        ));
    }
    if let Some((head, tail)) = part.split_once('(') {
        let values = tail.trim_end().strip_suffix(')')?;
        let values: Vec<String> = values
            .split(',')
            .map(label_value)
            .collect::<Option<Vec<_>>>()?;
        let mut words = head.split_whitespace();
        let key = label_key(words.next()?)?;
        return match (words.next()?, words.next()) {
            ("in", None) => Some(Requirement::In(key, values)),
            ("notin", None) => Some(Requirement::NotIn(key, values)),
            (_, _) => None,
        };
    }
    label_key(part).map(Requirement::Exists)
}

fn label_key(text: &str) -> Option<String> {
    let text = text.trim();
    let fine = |c: char| c.is_ascii_alphanumeric() || "-_./".contains(c);
    (!text.is_empty() && text.chars().all(fine)).then(|| text.to_owned())
}

fn label_value(text: &str) -> Option<String> {
    let text = text.trim();
    let fine = |c: char| c.is_ascii_alphanumeric() || "-_.".contains(c);
    text.chars().all(fine).then(|| text.to_owned())
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Field {
    Name,
    Namespace,
    Listed(usize),
}

/// A parsed field selector.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct FieldSelector(Vec<(Field, bool, String)>);

impl FieldSelector {
    /// Parses the text of a `fieldSelector` parameter for a kind.
    pub(super) fn parse(text: &str, kind: &Kind) -> Result<Self, ApiError> {
        let mut terms = Vec::new();
        for part in text.split(',').filter(|part| !part.is_empty()) {
            let (path, equal, value) = if let Some((path, value)) = part.split_once("!=") {
                (path, false, value)
            } else if let Some((path, value)) = part.split_once("==") {
                (path, true, value)
            } else if let Some((path, value)) = part.split_once('=') {
                (path, true, value)
            } else {
                return Err(ApiError::bad_request(format!(
                    "invalid selector: '{text}'; can't understand '{part}'"
                )));
            };
            terms.push((field_of(kind, path)?, equal, value.to_owned()));
        }
        Ok(Self(terms))
    }

    /// Says whether an object meets all terms.
    pub(super) fn matches(&self, object: &Stored) -> bool {
        self.0.iter().all(|(field, equal, wanted)| {
            let value = match field {
                Field::Name => &*object.key.name,
                Field::Namespace => &*object.key.namespace,
                Field::Listed(index) => object.fields.0.get(*index).map_or("", |text| text),
            };
            (value == wanted) == *equal
        })
    }
}

fn field_of(kind: &Kind, path: &str) -> Result<Field, ApiError> {
    match path {
        "metadata.name" => return Ok(Field::Name),
        "metadata.namespace" => return Ok(Field::Namespace),
        _ => {}
    }
    kind.selectable
        .iter()
        .position(|one| one.trim_start_matches('.') == path)
        .map(Field::Listed)
        .ok_or_else(|| {
            if kind.custom {
                return ApiError::bad_request(format!("field label not supported: {path}"));
            }
            ApiError::bad_request(format!(
                "\"{path}\" is not a known field selector: only \"metadata.name\", \
                 \"metadata.namespace\""
            ))
        })
}

/// What a list or watch lets through.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Selector {
    pub(super) labels: LabelSelector,
    pub(super) fields: FieldSelector,
}

impl Selector {
    /// Says whether an object is selected.
    pub(super) fn matches(&self, object: &Stored) -> bool {
        self.labels.matches(object) && self.fields.matches(object)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn labelled(labels: &[(&str, &str)]) -> Stored {
        Stored {
            key: super::super::store::Key::new("ns", "name"),
            uid: "".into(),
            version: 1,
            labels: labels
                .iter()
                .map(|(name, value)| ((*name).into(), (*value).into()))
                .collect(),
            fields: FieldValues::default(),
            owners: Box::default(),
            deleting: false,
            body: bytes::Bytes::new(),
        }
    }

    #[test]
    fn label_selectors_follow_the_grammar_of_kubernetes() {
        let object = labelled(&[("app", "web"), ("tier", "front"), ("n", "7")]);
        let cases = [
            ("app=web", true),
            ("app==web,tier!=back", true),
            ("app in (web, api)", true),
            ("app notin (web,api)", false),
            ("missing notin (a)", true),
            ("missing!=a", true),
            ("app,!missing", true),
            ("missing", false),
            ("n>6", true),
            ("n<7", false),
            ("", true),
        ];
        for (text, expected) in cases {
            let selector = LabelSelector::parse(text).expect(text);
            assert_eq!(selector.matches(&object), expected, "{text}");
        }
    }

    #[test]
    fn nonsense_is_refused() {
        for text in ["app in web", "a b", "app in (x", "=v", "a>x"] {
            assert!(LabelSelector::parse(text).is_err(), "{text}");
        }
    }
}
