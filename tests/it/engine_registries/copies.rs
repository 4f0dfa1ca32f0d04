//! Copies within a plain registry share what is there; what would leave it is refused.

use super::{listen, named, refused};
use crate::engine_bed::Bed;
use chrono::{DateTime, Utc};
use std::sync::Arc;
use tiphys::domain::image::{ImageVerb, Reference, image_object};
use tiphys::domain::intent::{Stage, Verb};
use tiphys::domain::object::ObjectRef;
use tiphys::sim::clock::PlatformClock;
use tiphys::sim::registry::image::{ImageShape, image};
use tiphys::sim::registry::{Abilities, Open, Registry, api};

const FROM: &str = "acme/app";

/// A registry with an image of two platforms; its address.
async fn plain(abilities: Abilities) -> (Registry, String) {
    let registry = Registry::new(PlatformClock::stepped(DateTime::UNIX_EPOCH));
    let mut shape = ImageShape::new("acme/app:1.0.0", DateTime::UNIX_EPOCH);
    shape.platforms = vec![String::from("linux/amd64"), String::from("linux/arm64")];
    image(&shape)
        .push(&mut registry.write(), FROM, "1.0.0", Utc::now())
        .expect("it is stored");
    let address = listen(api::router(registry.clone(), Arc::new(Open), abilities)).await;
    (registry, address)
}

fn to(target: &str) -> ImageVerb {
    ImageVerb::Copy { to: target.into() }
}

/// The image as the cockpit names it.
fn object(engine: &crate::engine_bed::Engine) -> ObjectRef {
    let reference = Reference::parse("plain.test/acme/app:1.0.0").expect("an image");
    image_object(&engine.cluster, &reference)
}

#[tokio::test]
async fn an_image_is_copied_within_a_plain_registry_by_mounting_its_layers() {
    let bed = Bed::over_duplex().await;
    let (registry, address) = plain(Abilities::default()).await;
    let options = named("plain.test", format!("http://{address}"));
    let mut engine = bed.engine_with(options).await;
    let object = object(&engine);

    let id = engine.act(&object, None, Verb::Image(to("acme/stable:2.0.0")));
    let outcome = engine.outcome(id).await;

    assert!(matches!(outcome, Stage::Accepted { .. }), "{outcome:?}");
    let store = registry.read();
    let digest = |name: &str, tag: &str| {
        let artifact = store.repository(name).and_then(|one| one.artifact(tag));
        artifact.map(|one| one.manifest.digest.clone())
    };
    assert!(digest(FROM, "1.0.0").is_some());
    assert_eq!(digest("acme/stable", "2.0.0"), digest(FROM, "1.0.0"));
    let copied = store.repository("acme/stable").expect("a repository");
    assert_eq!(copied.artifacts.len(), 3, "the index and both platforms");
}

#[tokio::test]
async fn what_cannot_be_shared_is_refused_with_what_to_do_instead() {
    let bed = Bed::over_duplex().await;
    let abilities = Abilities {
        mounting: false,
        ..Abilities::default()
    };
    let (registry, address) = plain(abilities).await;
    let options = named("plain.test", format!("http://{address}"));
    let mut engine = bed.engine_with(options).await;
    let object = object(&engine);

    let elsewhere = refused(&mut engine, &object, to("ghcr.io/acme/app")).await;
    let unshared = refused(&mut engine, &object, to("acme/stable")).await;

    assert!(
        elsewhere.contains("it would leave `plain.test` for `ghcr.io`"),
        "{elsewhere}"
    );
    assert!(
        unshared.contains("does not share layers between `acme/app` and `acme/stable`"),
        "{unshared}"
    );
    let stored = registry.read().repository("acme/stable").is_some();
    assert!(!stored, "nothing is left half copied");
}
