//! `replacements`: a field of one object copied into fields of others.

use super::document::{FieldOptions, Replacement, ReplacementSource, Source};
use super::resource::{Resource, Set};
use super::{KustomizeError, join};
use crate::api::yaml;
use crate::domain::nearest::explain_unknown_field;
use crate::sim::files::FileTree;
use base64::Engine as _;
use serde_json::{Map, Value};

pub(super) fn run(
    files: &dyn FileTree,
    source: &Source,
    set: &mut Set,
) -> Result<(), KustomizeError> {
    for entry in source.document.replacements.iter() {
        match &entry.path {
            None => apply(source, entry, set)?,
            Some(path) => {
                for replacement in load(files, source, path)? {
                    apply(source, &replacement, set)?;
                }
            }
        }
    }
    Ok(())
}

/// A replacement file holds one replacement or a list of them.
fn load(
    files: &dyn FileTree,
    source: &Source,
    path: &str,
) -> Result<Vec<Replacement>, KustomizeError> {
    let file = join(&source.folder, path).unwrap_or_default();
    let bytes = files
        .read(&file)
        .ok_or_else(|| source.error(path, format!("the file `{path}` does not exist")))?;
    let text = String::from_utf8_lossy(&bytes).into_owned();
    let wrong = |error: yaml::YamlError| {
        let message = explain_unknown_field(&error.message);
        KustomizeError::new(&file, message).at_line(error.line)
    };
    let is_list = yaml::from_str::<Value>(&text).map_err(wrong)?.is_array();
    if is_list {
        yaml::from_str(&text).map_err(wrong)
    } else {
        yaml::from_str(&text).map(|one| vec![one]).map_err(wrong)
    }
}

fn apply(source: &Source, entry: &Replacement, set: &mut Set) -> Result<(), KustomizeError> {
    let value = match (&entry.source_value, &entry.source) {
        (Some(text), None) => Value::String(text.clone()),
        (None, Some(from)) => source_value(source, from, set)?,
        _ => return Err(source.error("replacements:", "a replacement needs a `source`")),
    };
    for target in entry.targets.iter() {
        let Some(select) = &target.select else {
            return Err(source.error("targets:", "a replacement's target needs `select`"));
        };
        let wrong = |message: String| source.error("select:", message);
        let wanted = select.matcher().map_err(wrong)?;
        let refused: Vec<_> = target
            .reject
            .iter()
            .map(super::target::Selector::matcher)
            .collect::<Result<_, _>>()
            .map_err(wrong)?;
        let default_paths = vec!["metadata.name".to_owned()];
        let paths = if target.field_paths.is_empty() {
            &default_paths
        } else {
            &*target.field_paths
        };
        for resource in set.iter_mut() {
            let is_meant =
                wanted.matches(resource) && !refused.iter().any(|one| one.matches(resource));
            if is_meant {
                for path in paths {
                    write(source, resource, path, &target.options, &value)?;
                }
            }
        }
    }
    Ok(())
}

fn source_value(
    source: &Source,
    from: &ReplacementSource,
    set: &Set,
) -> Result<Value, KustomizeError> {
    let fits = |wanted: &Option<String>, text: &str| {
        wanted
            .as_deref()
            .is_none_or(|wanted| wanted.is_empty() || wanted == text)
    };
    let found: Vec<&Resource> = set
        .iter()
        .filter(|resource| {
            fits(&from.group, resource.group())
                && fits(&from.version, resource.version())
                && fits(&from.kind, resource.kind())
                && resource.ids().any(|id| {
                    fits(&from.name, &id.name) && fits(&from.namespace, id.effective_namespace())
                })
        })
        .collect();
    let [resource] = found.as_slice() else {
        let what = from
            .name
            .as_deref()
            .or(from.kind.as_deref())
            .unwrap_or("source:");
        let message = format!(
            "a replacement's source fits {} objects; it has to fit one",
            found.len()
        );
        return Err(source.error(what, message));
    };
    let path = from.field_path.as_deref().unwrap_or("metadata.name");
    let mut value = resource.value.clone();
    let mut found = None;
    visit(&mut value, &steps(path), None, &mut |field| {
        found.get_or_insert(field.clone());
    });
    let Some(value) = found else {
        let message = format!("{} has no field `{path}`", resource.title());
        return Err(source.error(path, message));
    };
    Ok(piece(value, &from.options))
}

fn piece(value: Value, options: &FieldOptions) -> Value {
    match (&options.delimiter, value) {
        (Some(delimiter), Value::String(text)) if !delimiter.is_empty() => {
            let index = usize::try_from(options.index).unwrap_or_default();
            let piece = text.split(delimiter.as_str()).nth(index).unwrap_or(&text);
            Value::String(piece.to_owned())
        }
        (_, value) => value,
    }
}

fn write(
    source: &Source,
    resource: &mut Resource,
    path: &str,
    options: &FieldOptions,
    value: &Value,
) -> Result<(), KustomizeError> {
    let before = resource.id();
    let mut count = 0;
    let template = options.create.then(|| {
        if value.is_object() {
            Value::Object(Map::new())
        } else {
            Value::Null
        }
    });
    visit(
        &mut resource.value,
        &steps(path),
        template.as_ref(),
        &mut |field| {
            count += 1;
            *field = replaced(field, value, options);
        },
    );
    if count == 0 {
        let message = format!("{} has no field `{path}`", resource.title());
        return Err(source.error(path, message));
    }
    if resource.id() != before {
        resource.earlier.push(before);
    }
    Ok(())
}

/// Puts the value in place, or one piece of it between delimiters.
fn replaced(field: &Value, value: &Value, options: &FieldOptions) -> Value {
    let value = match (options.encoding.as_deref(), value) {
        (Some("base64"), Value::String(text)) => {
            Value::String(base64::prelude::BASE64_STANDARD.encode(text))
        }
        _ => value.clone(),
    };
    let Some(delimiter) = options.delimiter.as_deref().filter(|text| !text.is_empty()) else {
        // A text that stays a text: numbers put into one are written out.
        return match (field, value) {
            (Value::String(_), Value::Number(number)) => Value::String(number.to_string()),
            (Value::String(_), Value::Bool(flag)) => Value::String(flag.to_string()),
            (_, value) => value,
        };
    };
    let old = field.as_str().unwrap_or_default();
    let new = value
        .as_str()
        .map_or_else(|| value.to_string(), str::to_owned);
    let mut pieces: Vec<String> = old.split(delimiter).map(str::to_owned).collect();
    match usize::try_from(options.index) {
        Err(_before_the_first) => pieces.insert(0, new),
        Ok(index) => match pieces.get_mut(index) {
            Some(piece) => *piece = new,
            None => pieces.push(new),
        },
    }
    Value::String(pieces.join(delimiter))
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Step {
    Field(String),
    /// `[name=web]`: entries of a list whose field has the value.
    Where(String, String),
    Any,
}

/// Splits `spec.containers.[name=web].image`; `\.` stands for a dot inside a name.
fn steps(path: &str) -> Vec<Step> {
    let mut words = vec![String::new()];
    let (mut is_escaped, mut depth) = (false, 0_u32);
    for letter in path.chars() {
        match letter {
            '[' => depth += 1,
            ']' => depth = depth.saturating_sub(1),
            _ => {}
        }
        if letter == '\\' && !is_escaped {
            is_escaped = true;
        } else if letter == '.' && !is_escaped && depth == 0 {
            words.push(String::new());
        } else {
            is_escaped = false;
            if let Some(word) = words.last_mut() {
                word.push(letter);
            }
        }
    }
    words
        .into_iter()
        .filter(|word| !word.is_empty())
        .map(|word| {
            let inside = word
                .strip_prefix('[')
                .and_then(|rest| rest.strip_suffix(']'));
            match inside.and_then(|inside| inside.split_once('=')) {
                Some((field, value)) => Step::Where(field.to_owned(), value.to_owned()),
                None if word == "*" => Step::Any,
                None => Step::Field(inside.map_or(word.clone(), str::to_owned)),
            }
        })
        .collect()
}

fn visit(
    value: &mut Value,
    steps: &[Step],
    create: Option<&Value>,
    visit_value: &mut dyn FnMut(&mut Value),
) {
    let Some((first, rest)) = steps.split_first() else {
        visit_value(value);
        return;
    };
    match (first, value) {
        (Step::Any, Value::Array(items)) => {
            for item in items {
                visit(item, rest, create, visit_value);
            }
        }
        (Step::Where(field, wanted), Value::Array(items)) => {
            let fits = |item: &&mut Value| match item.get(field) {
                Some(Value::String(text)) => text == wanted,
                Some(other) => serde_json::to_string(other).is_ok_and(|text| text == *wanted),
                None => field.is_empty() && item.as_str() == Some(wanted),
            };
            items
                .iter_mut()
                .filter(fits)
                .for_each(|item| visit(item, rest, create, visit_value));
        }
        (Step::Field(name), Value::Array(items)) => {
            let index = if name == "-" {
                items.len().checked_sub(1)
            } else {
                name.parse().ok()
            };
            if let Some(item) = index.and_then(|index: usize| items.get_mut(index)) {
                visit(item, rest, create, visit_value);
            }
        }
        (Step::Field(name), Value::Object(map)) => {
            if create.is_some() && !map.contains_key(name) {
                let made = if rest.is_empty() {
                    create.cloned().unwrap_or_default()
                } else {
                    Value::Object(Map::new())
                };
                map.insert(name.clone(), made);
            }
            if let Some(next) = map.get_mut(name) {
                visit(next, rest, create, visit_value);
            }
        }
        _ => {}
    }
}
