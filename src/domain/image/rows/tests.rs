//! What `rows` promises.

use super::*;
use chrono::TimeDelta;

fn cluster() -> Cluster {
    Cluster("demo".into())
}

#[test]
fn an_image_is_named_and_found_again() {
    let hex: String = std::iter::repeat_n('a', 64).collect();
    let text = format!("registry.tiphys.local/shop/team/app@sha256:{hex}");
    let image = Reference::parse(&text).expect("a reference");
    let object = image_object(&cluster(), &image);
    assert_eq!(
        object.namespace.as_deref(),
        Some("registry.tiphys.local/shop/team")
    );
    assert_eq!(image_of(&object), Some(image));

    let tagged = Reference::parse("localhost:5000/app:v1").expect("a reference");
    let object = image_object(&cluster(), &tagged);
    assert_eq!(object.path(), "localhost:5000/app:v1");
    assert_eq!(image_of(&object), Some(tagged));
}

#[test]
fn a_repository_has_a_table_of_its_own() {
    let kind = repository_kind("r.io/a/b");
    assert_eq!(repository_of(&kind), Some("r.io/a/b"));
    assert!(has_images(&kind) && has_images(&images_kind()));
    assert!(!has_images(&robots_kind()));
}

#[test]
fn robots_expire() {
    let now = DateTime::UNIX_EPOCH;
    let mut robot = RobotRow {
        object: registry_object(&cluster(), robots_kind(), "r.io", "robot$ci"),
        uid: Uid("1".into()),
        registry: "r.io".into(),
        id: 1,
        project: None,
        description: "".into(),
        disabled: false,
        expires: Some(now + TimeDelta::days(30)),
        created: None,
        permissions: ["pull", "push"]
            .iter()
            .map(|action| Permission {
                scope: "shop".into(),
                resource: "repository".into(),
                action: (*action).into(),
            })
            .collect(),
        as_of: now,
        own: false,
        findings: Vec::new(),
    };
    assert_eq!(robot.status(), "active");
    assert_eq!(robot.permissions_text(), "shop: repository pull push");
    robot.expires = Some(now + TimeDelta::days(2));
    assert_eq!(robot.status(), "expires soon");
    robot.expires = Some(now);
    assert_eq!(robot.status(), "expired");
    robot.disabled = true;
    assert_eq!(robot.status(), "disabled");
}

#[test]
fn the_loudest_state_is_trouble_when_there_is_any() {
    let image = Reference::parse("r.io/a/b:1").expect("a reference");
    let mut row = ArtifactRow::unknown(&cluster(), &image);
    row.states = vec![
        ImageState::Behind(2),
        ImageState::Vulnerable {
            severity: Severity::Critical,
            fixable: 1,
        },
    ];
    assert_eq!(
        row.loudest().map(ImageState::text).as_deref(),
        Some("critical (1 fixable)")
    );
    assert_eq!(row.health(), Health::Degraded);
    row.states.truncate(1);
    assert_eq!(
        row.loudest().map(ImageState::text).as_deref(),
        Some("behind 2")
    );
    assert_eq!(row.health(), Health::Healthy);
    assert_eq!(row.title(), "a/b:1");
}

#[test]
fn an_image_is_found_by_name_and_tag_together() {
    let image = Reference::parse("r.io/a/b:1.8.0").expect("a reference");
    let row = ArtifactRow::unknown(&cluster(), &image);

    let words = RegistryRow::Image(Box::new(row)).words();

    assert!(words.iter().any(|word| word.contains("b:1.8")), "{words:?}");
}
