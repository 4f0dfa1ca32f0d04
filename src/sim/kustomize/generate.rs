//! ConfigMaps and Secrets made from literals, files and env files, and their content hash.

use super::document::{Generator, GeneratorOptions, Source};
use super::names::{ConfigMapOrSecret, content_hash};
use super::resource::{Resource, Set, object_at};
use super::{KustomizeError, join};
use crate::sim::files::FileTree;
use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use serde_json::{Map, Value, json};

/// kustomize breaks long base64 texts after so many letters.
const BASE64_LINE: usize = 70;

pub(super) fn run(
    files: &dyn FileTree,
    source: &Source,
    set: &mut Set,
) -> Result<(), KustomizeError> {
    let document = &source.document;
    for generator in document.config_map_generator.iter() {
        generate(files, source, generator, ConfigMapOrSecret::ConfigMap, set)?;
    }
    for generator in document.secret_generator.iter() {
        generate(files, source, generator, ConfigMapOrSecret::Secret, set)?;
    }
    Ok(())
}

fn generate(
    files: &dyn FileTree,
    source: &Source,
    generator: &Generator,
    kind: ConfigMapOrSecret,
    set: &mut Set,
) -> Result<(), KustomizeError> {
    if generator.name.is_empty() {
        let field = match kind {
            ConfigMapOrSecret::ConfigMap => "configMapGenerator",
            ConfigMapOrSecret::Secret => "secretGenerator",
        };
        return Err(source.error(field, format!("an entry of `{field}` has no `name`")));
    }
    let resource = make(files, source, generator, kind)?;
    let known = set.iter_mut().find(|known| known.is_meant_by(&resource));
    match (generator.behavior.as_deref(), known) {
        (None | Some("" | "create" | "unspecified"), None) => set.add(resource),
        (None | Some("" | "create" | "unspecified"), Some(known)) => Err(source.error(
            &generator.name,
            format!(
                "{} exists already; say `behavior: merge` or `behavior: replace`",
                known.title()
            ),
        )),
        (Some("merge"), Some(known)) => {
            absorb(known, resource, true);
            Ok(())
        }
        (Some("replace"), Some(known)) => {
            absorb(known, resource, false);
            Ok(())
        }
        (Some(behavior @ ("merge" | "replace")), None) => Err(source.error(
            &generator.name,
            format!(
                "there is no {} `{}` to {behavior}; `behavior: create` makes one",
                kind.name(),
                generator.name
            ),
        )),
        (Some(other), _) => Err(source.error(
            other,
            format!("`{other}` is not a behavior; it is create, merge or replace"),
        )),
    }
}

/// Takes over the new data, and the labels and annotations of both; the old name stays.
fn absorb(known: &mut Resource, new: Resource, merge: bool) {
    let mut value = new.value;
    for field in ["data", "binaryData"] {
        let Some(Value::Object(old)) = known.value.get(field).cloned() else {
            continue;
        };
        if merge && let Some(data) = object_at(&mut value, field) {
            for (key, text) in old {
                data.entry(key).or_insert(text);
            }
        }
    }
    let mut metadata = known.value.get("metadata").cloned().unwrap_or(json!({}));
    for field in ["labels", "annotations"] {
        let Some(Value::Object(added)) = value.pointer(&format!("/metadata/{field}")) else {
            continue;
        };
        if let Some(map) = object_at(&mut metadata, field) {
            map.extend(added.clone());
        }
    }
    if let Some(map) = value.as_object_mut() {
        map.insert("metadata".to_owned(), metadata);
    }
    known.value = value;
    known.needs_hash |= new.needs_hash;
}

fn make(
    files: &dyn FileTree,
    source: &Source,
    generator: &Generator,
    kind: ConfigMapOrSecret,
) -> Result<Resource, KustomizeError> {
    let mut value = json!({
        "apiVersion": "v1",
        "kind": kind.name(),
        "metadata": {"name": generator.name},
    });
    let (data, binary) = collect(files, source, generator, kind)?;
    if let Some(map) = value.as_object_mut() {
        if !data.is_empty() {
            map.insert("data".to_owned(), Value::Object(data));
        }
        if !binary.is_empty() {
            map.insert("binaryData".to_owned(), Value::Object(binary));
        }
        if kind == ConfigMapOrSecret::Secret {
            let secret_type = generator
                .secret_type
                .clone()
                .filter(|text| !text.is_empty());
            map.insert(
                "type".to_owned(),
                Value::String(secret_type.unwrap_or_else(|| "Opaque".to_owned())),
            );
        }
    }
    let mut resource = Resource::new(value, &source.file);
    if let Some(namespace) = generator
        .namespace
        .as_deref()
        .filter(|text| !text.is_empty())
    {
        resource.set_metadata("namespace", namespace.to_owned());
    }
    let global = source.document.generator_options.as_ref();
    let own = generator.options.as_ref();
    apply_options(&mut resource, global, own);
    resource.needs_hash = ![global, own]
        .into_iter()
        .flatten()
        .any(|options| options.disable_name_suffix_hash);
    Ok(resource)
}

/// The generator's own labels and annotations win over those for all generators.
fn apply_options(
    resource: &mut Resource,
    global: Option<&GeneratorOptions>,
    own: Option<&GeneratorOptions>,
) {
    for options in [global, own].into_iter().flatten() {
        for (field, pairs) in [
            ("labels", &options.labels),
            ("annotations", &options.annotations),
        ] {
            if pairs.is_empty() {
                continue;
            }
            let Some(metadata) = resource.value.get_mut("metadata") else {
                continue;
            };
            if let Some(map) = object_at(metadata, field) {
                map.extend(
                    pairs
                        .iter()
                        .map(|(key, text)| (key.clone(), text.clone().into())),
                );
            }
        }
        if options.immutable
            && let Some(map) = resource.value.as_object_mut()
        {
            map.insert("immutable".to_owned(), Value::Bool(true));
        }
    }
}

type Data = Map<String, Value>;

fn collect(
    files: &dyn FileTree,
    source: &Source,
    generator: &Generator,
    kind: ConfigMapOrSecret,
) -> Result<(Data, Data), KustomizeError> {
    let mut entries: Vec<(String, Vec<u8>)> = Vec::new();
    for path in generator.envs.iter().chain(&generator.env) {
        let bytes = read(files, source, path)?;
        env_entries(source, path, &String::from_utf8_lossy(&bytes), &mut entries)?;
    }
    for entry in generator.files.iter() {
        let (key, path) = match entry.split_once('=') {
            Some((key, path)) => (key, path),
            None => (entry.rsplit('/').next().unwrap_or(entry), entry.as_str()),
        };
        entries.push((key.to_owned(), read(files, source, path)?.to_vec()));
    }
    for literal in generator.literals.iter() {
        let Some((key, text)) = literal.split_once('=').filter(|(key, _)| !key.is_empty()) else {
            let message = format!("the literal `{literal}` needs the form key=value");
            return Err(source.error(literal, message));
        };
        entries.push((key.to_owned(), unquoted(text).as_bytes().to_vec()));
    }
    store(source, generator, kind, entries)
}

fn store(
    source: &Source,
    generator: &Generator,
    kind: ConfigMapOrSecret,
    entries: Vec<(String, Vec<u8>)>,
) -> Result<(Data, Data), KustomizeError> {
    let (mut data, mut binary) = (Data::new(), Data::new());
    for (key, bytes) in entries {
        let legal = |c: char| c.is_ascii_alphanumeric() || "-_.".contains(c);
        let message = if !key.chars().all(legal) || key.is_empty() {
            format!("`{key}` cannot be a key: use letters, digits, `-`, `_` and `.`")
        } else if data.contains_key(&key) || binary.contains_key(&key) {
            format!("`{}` gets the key `{key}` twice", generator.name)
        } else {
            String::new()
        };
        if !message.is_empty() {
            return Err(source.error(&key, message));
        }
        match (kind, String::from_utf8(bytes)) {
            (ConfigMapOrSecret::ConfigMap, Ok(text)) => data.insert(key, text.into()),
            (ConfigMapOrSecret::ConfigMap, Err(error)) => {
                binary.insert(key, base64_lines(error.as_bytes()).into())
            }
            (ConfigMapOrSecret::Secret, Ok(text)) => {
                data.insert(key, base64_lines(text.as_bytes()).into())
            }
            (ConfigMapOrSecret::Secret, Err(error)) => {
                data.insert(key, base64_lines(error.as_bytes()).into())
            }
        };
    }
    Ok((data, binary))
}

fn read(files: &dyn FileTree, source: &Source, path: &str) -> Result<bytes::Bytes, KustomizeError> {
    join(&source.folder, path)
        .and_then(|full| files.read(&full))
        .ok_or_else(|| source.error(path, format!("the file `{path}` does not exist")))
}

/// `KEY=value` lines; white space before the key and lines that start with `#` do not count.
fn env_entries(
    source: &Source,
    path: &str,
    text: &str,
    entries: &mut Vec<(String, Vec<u8>)>,
) -> Result<(), KustomizeError> {
    for (number, line) in text.trim_start_matches('\u{feff}').lines().enumerate() {
        let line = line.trim_start();
        if line.is_empty() || line.starts_with('#') {
            continue;
        }
        let Some((key, value)) = line.split_once('=') else {
            let file = join(&source.folder, path).unwrap_or_else(|| path.to_owned());
            let message = format!(
                "`{line}` has no `=`; the embedded platform takes no values from the environment"
            );
            return Err(KustomizeError::new(file, message).at_line(Some(number as u64 + 1)));
        };
        entries.push((key.to_owned(), value.as_bytes().to_vec()));
    }
    Ok(())
}

/// Drops one pair of quotes around a literal's value.
fn unquoted(text: &str) -> &str {
    ['"', '\'']
        .iter()
        .find_map(|quote| text.strip_prefix(*quote)?.strip_suffix(*quote))
        .unwrap_or(text)
}

fn base64_lines(bytes: &[u8]) -> String {
    let encoded = BASE64_STANDARD.encode(bytes);
    if encoded.len() < BASE64_LINE {
        return encoded;
    }
    let letters: Vec<char> = encoded.chars().collect();
    letters
        .chunks(BASE64_LINE)
        .flat_map(|line| line.iter().copied().chain(std::iter::once('\n')))
        .collect()
}

/// Appends the content hash to a generated object's name.
pub(super) fn add_hash(resource: &mut Resource) {
    let kind = match resource.kind() {
        "Secret" => ConfigMapOrSecret::Secret,
        _ => ConfigMapOrSecret::ConfigMap,
    };
    let hash = content_hash(&resource.value, kind);
    let name = format!("{}-{hash}", resource.name());
    resource.rename(name);
}
