//! Image names, tags and digests, and replica counts.

use super::KustomizeError;
use super::document::{Image, Kustomization, Source};
use super::resource::{Set, object_at};
use serde_json::{Value, json};

pub(super) fn run(document: &Kustomization, set: &mut Set) {
    let images: Vec<&Image> = document
        .images
        .iter()
        .chain(document.image_tags.iter())
        .collect();
    if images.is_empty() {
        return;
    }
    for resource in set.iter_mut() {
        if resource.kind() != "CustomResourceDefinition" {
            for image in &images {
                replace_in(&mut resource.value, image);
            }
        }
    }
}

/// Containers may be anywhere: custom resources have pod templates, too.
fn replace_in(value: &mut Value, image: &Image) {
    match value {
        Value::Object(map) => {
            for (field, inner) in map.iter_mut() {
                if matches!(field.as_str(), "containers" | "initContainers")
                    && let Value::Array(containers) = inner
                {
                    for container in containers {
                        replace_one(container, image);
                    }
                } else {
                    replace_in(inner, image);
                }
            }
        }
        Value::Array(items) => items.iter_mut().for_each(|item| replace_in(item, image)),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
    }
}

fn replace_one(container: &mut Value, image: &Image) {
    if let Some(Value::String(reference)) = container.get_mut("image")
        && let Some(replaced) = replaced(reference, image)
    {
        *reference = replaced;
    }
}

/// Returns the new reference, if the image is the one that is meant.
fn replaced(reference: &str, image: &Image) -> Option<String> {
    let (rest, digest) = match reference.split_once('@') {
        Some((rest, digest)) => (rest, Some(digest)),
        None => (reference, None),
    };
    let (name, tag) = split_tag(rest);
    if name != image.name {
        return None;
    }
    let given = |text: &Option<String>| text.clone().filter(|text| !text.is_empty());
    let (tag, digest) = match (given(&image.new_tag), given(&image.digest)) {
        (Some(tag), digest) => (Some(tag), digest),
        (None, Some(digest)) => (None, Some(digest)),
        (None, None) => match given(&image.tag_suffix) {
            Some(suffix) => (Some(format!("{}{suffix}", tag.unwrap_or_default())), None),
            None => (tag.map(str::to_owned), digest.map(str::to_owned)),
        },
    };
    let mut made = given(&image.new_name).unwrap_or_else(|| name.to_owned());
    if let Some(tag) = tag.filter(|tag| !tag.is_empty()) {
        made.push(':');
        made.push_str(&tag);
    }
    if let Some(digest) = digest {
        made.push('@');
        made.push_str(&digest);
    }
    Some(made)
}

/// Splits `host:5000/name:tag`; a colon before a slash belongs to the host.
pub(super) fn split_tag(reference: &str) -> (&str, Option<&str>) {
    match reference.rsplit_once(':') {
        Some((name, tag)) if !tag.contains('/') => (name, Some(tag)),
        _ => (reference, None),
    }
}

/// Kinds that have `spec.replicas`.
const SCALED: [&str; 4] = [
    "Deployment",
    "ReplicationController",
    "ReplicaSet",
    "StatefulSet",
];

pub(super) fn run_replicas(source: &Source, set: &mut Set) -> Result<(), KustomizeError> {
    for replica in source.document.replicas.iter() {
        let mut found = false;
        for resource in set.iter_mut() {
            if SCALED.contains(&resource.kind()) && resource.had_name(&replica.name) {
                found = true;
                if let Some(spec) = object_at(&mut resource.value, "spec") {
                    spec.insert("replicas".to_owned(), json!(replica.count));
                }
            }
        }
        if !found {
            let message = format!(
                "`replicas` names `{}`, and there is no {} of that name",
                replica.name,
                SCALED.join(", ")
            );
            return Err(source.error(&replica.name, message));
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn image(name: &str) -> Image {
        Image {
            name: name.to_owned(),
            ..Image::default()
        }
    }

    #[test]
    fn a_registry_port_is_not_a_tag() {
        let mut wanted = image("localhost:5000/app");
        wanted.new_tag = Some("2".to_owned());

        assert_eq!(
            replaced("localhost:5000/app", &wanted).as_deref(),
            Some("localhost:5000/app:2")
        );
        assert_eq!(
            replaced("localhost:5000/app:1@sha256:ab", &wanted).as_deref(),
            Some("localhost:5000/app:2")
        );
        assert_eq!(replaced("localhost:5000/application:1", &wanted), None);
    }

    #[test]
    fn a_digest_replaces_the_tag_and_a_new_name_keeps_it() {
        let mut digest = image("app");
        digest.digest = Some("sha256:cd".to_owned());
        let mut renamed = image("app");
        renamed.new_name = Some("registry/app".to_owned());

        assert_eq!(replaced("app:1", &digest).as_deref(), Some("app@sha256:cd"));
        assert_eq!(
            replaced("app:1", &renamed).as_deref(),
            Some("registry/app:1")
        );
    }
}
