//! A store keeps what refers to each other together.

use super::super::manifest::{Descriptor, OCI_INDEX, OCI_MANIFEST};
use super::*;
use chrono::TimeDelta;
use serde_json::json;

const REPOSITORY: &str = "shop/web";

fn at(seconds: i64) -> DateTime<Utc> {
    DateTime::UNIX_EPOCH + TimeDelta::seconds(seconds)
}

fn read(value: &serde_json::Value) -> Manifest {
    Manifest::read(None, Bytes::from(value.to_string())).expect("a manifest")
}

/// Stores the blobs of an image and returns its manifest.
fn image(store: &mut Store, what: &str) -> Manifest {
    let layer = Bytes::from(what.to_owned());
    let config = Bytes::from(format!("{{\"os\":\"{what}\"}}"));
    let described = (Descriptor::of("c", &config), Descriptor::of("l", &layer));
    store.put_blob(REPOSITORY, layer, at(0));
    store.put_blob(REPOSITORY, config, at(0));
    read(&json!({
        "schemaVersion": 2, "mediaType": OCI_MANIFEST,
        "config": described.0, "layers": [described.1],
    }))
}

#[test]
fn a_manifest_needs_what_it_refers_to() {
    let mut store = Store::default();
    let manifest = image(&mut store, "a");
    store.remove_blob(REPOSITORY, &manifest.layers[0].digest);

    let missing = store.put_manifest(REPOSITORY, "1", manifest.clone(), at(1));
    let wrong = store.put_manifest(
        REPOSITORY,
        &format!("sha256:{}", "0".repeat(64)),
        manifest,
        at(1),
    );

    assert!(matches!(missing, Err(Refusal::MissingBlob(_))));
    assert_eq!(wrong, Err(Refusal::DigestMismatch));
}

#[test]
fn a_tag_moves_and_the_old_artifact_stays() {
    let mut store = Store::default();
    let (old, new) = (image(&mut store, "a"), image(&mut store, "b"));
    store
        .put_manifest(REPOSITORY, "1", old.clone(), at(1))
        .expect("stored");
    store
        .put_manifest(REPOSITORY, "1", new.clone(), at(2))
        .expect("stored");

    let repository = store.repository(REPOSITORY).expect("a repository");
    let now = repository.artifact("1").expect("an artifact");
    assert_eq!(now.manifest.digest, new.digest);
    assert!(repository.artifact(&old.digest).is_some());
    assert_eq!(repository.tags["1"].pushed, at(2));
    assert_eq!(store.collect_garbage(true, true).0, 1);
    assert_eq!(store.collect_garbage(true, false).0, 1);
    let repository = store.repository(REPOSITORY).expect("a repository");
    assert!(repository.artifact(&old.digest).is_none());
}

#[test]
fn an_index_keeps_its_platforms_and_takes_them_along() {
    let mut store = Store::default();
    let child = image(&mut store, "a");
    let digest = child.digest.clone();
    let index = read(&json!({
        "schemaVersion": 2, "mediaType": OCI_INDEX, "manifests": [child.descriptor()],
    }));
    let early = store.put_manifest(REPOSITORY, "1", index.clone(), at(1));
    assert!(matches!(early, Err(Refusal::MissingManifest(_))));
    store
        .put_manifest(REPOSITORY, &digest, child, at(1))
        .expect("stored");
    store
        .put_manifest(REPOSITORY, "1", index.clone(), at(1))
        .expect("stored");

    assert_eq!(
        store.remove_artifact(REPOSITORY, &digest),
        Err(Refusal::Referenced)
    );
    store
        .remove_artifact(REPOSITORY, &index.digest)
        .expect("removed");

    let repository = store.repository(REPOSITORY).expect("a repository");
    assert!(repository.artifacts.is_empty() && repository.tags.is_empty());
}

#[test]
fn what_is_about_an_image_goes_with_it() {
    let mut store = Store::default();
    let subject = image(&mut store, "a");
    let about = image(&mut store, "signature");
    let mut value: serde_json::Value = serde_json::from_slice(&about.bytes).expect("json");
    value["subject"] = json!(subject.descriptor());
    let signature = read(&value);
    store
        .put_manifest(REPOSITORY, "1", subject.clone(), at(1))
        .expect("stored");
    store
        .put_manifest(REPOSITORY, &signature.digest, signature.clone(), at(1))
        .expect("stored");

    let repository = store.repository(REPOSITORY).expect("a repository");
    assert_eq!(repository.referrers_of(&subject.digest).count(), 1);
    store
        .remove_artifact(REPOSITORY, &subject.digest)
        .expect("removed");
    assert!(
        store
            .repository(REPOSITORY)
            .expect("a repository")
            .artifacts
            .is_empty()
    );
}

#[test]
fn a_blob_is_read_where_it_was_pushed_or_mounted() {
    let mut store = Store::default();
    let digest = store.put_blob(REPOSITORY, Bytes::from_static(b"x"), at(0));

    assert!(store.blob("other/web", &digest).is_none());
    assert!(!store.mount("nobody/here", "other/web", &digest, at(0)));
    assert!(store.mount(REPOSITORY, "other/web", &digest, at(0)));
    assert!(store.blob("other/web", &digest).is_some());
}

#[test]
fn pulls_are_counted_and_dated() {
    let mut store = Store::default();
    let manifest = image(&mut store, "a");
    store
        .put_manifest(REPOSITORY, "1", manifest.clone(), at(1))
        .expect("stored");

    assert_eq!(
        store.note_pull(REPOSITORY, "1", at(5)),
        Some(manifest.digest.clone())
    );
    assert_eq!(store.note_pull(REPOSITORY, "2", at(6)), None);

    let repository = store.repository(REPOSITORY).expect("a repository");
    assert_eq!(repository.pulls, 1);
    assert_eq!(repository.tags["1"].pulled, Some(at(5)));
    assert_eq!(repository.artifacts[&manifest.digest].pulled, Some(at(5)));
}

#[test]
fn what_is_shared_is_counted_once_until_nobody_has_it() {
    let mut store = Store::default();
    let bytes = |manifest: &Manifest| manifest.bytes.len() as u64;
    let (a, b) = (image(&mut store, "a"), image(&mut store, "b"));
    let both = json!({
        "schemaVersion": 2, "mediaType": OCI_MANIFEST,
        "config": a.config, "layers": [a.layers[0], b.layers[0]],
    });
    let both = read(&both);
    for manifest in [&a, &b, &both] {
        store
            .put_manifest(REPOSITORY, &manifest.digest, manifest.clone(), at(1))
            .expect("stored");
    }
    let all = a.size() + b.size() + bytes(&both);
    assert_eq!((store.used(), store.used_by("shop")), (all, all));

    // Pushed again it takes nothing more.
    store
        .put_manifest(REPOSITORY, "again", a.clone(), at(2))
        .expect("stored");
    assert_eq!(store.used(), all);
    store.remove_artifact(REPOSITORY, &a.digest).expect("gone");
    assert_eq!(store.used(), all - bytes(&a));
    store
        .remove_artifact(REPOSITORY, &both.digest)
        .expect("gone");
    assert_eq!(store.used_by("shop"), b.size());
    store.remove_repository(REPOSITORY);
    assert_eq!((store.used(), store.used_by("shop")), (0, 0));
}
