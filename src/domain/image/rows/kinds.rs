//! What the kinds of registries' rows are called, and how their objects are named.

use crate::domain::image::reference::Reference;
use crate::domain::object::{Cluster, GroupKind, ObjectRef};

/// Group of the kinds of registries; no server has it.
pub const IMAGES_GROUP: &str = "images.tiphys";

/// Returns the kind of the table of images: what runs, and the newest of every repository.
pub fn images_kind() -> GroupKind {
    GroupKind::new(IMAGES_GROUP, "Image")
}

/// Returns the kind of registries' projects.
pub fn projects_kind() -> GroupKind {
    GroupKind::new(IMAGES_GROUP, "RegistryProject")
}

/// Returns the kind of registries' robot accounts.
pub fn robots_kind() -> GroupKind {
    GroupKind::new(IMAGES_GROUP, "Robot")
}

/// Returns the kind of vulnerabilities in what runs.
pub fn cves_kind() -> GroupKind {
    GroupKind::new(IMAGES_GROUP, "Cve")
}

/// Returns the kind of registries.
pub fn registries_kind() -> GroupKind {
    GroupKind::new(IMAGES_GROUP, "Registry")
}

/// Returns the kind of the table of one repository's artifacts, `host/repository`.
pub fn repository_kind(name: &str) -> GroupKind {
    GroupKind::new(IMAGES_GROUP, format!("{REPOSITORY}{name}"))
}

const REPOSITORY: &str = "Repository ";

/// Returns the repository whose artifacts a kind is the table of.
pub fn repository_of(kind: &GroupKind) -> Option<&str> {
    (&*kind.group == IMAGES_GROUP)
        .then(|| kind.kind.strip_prefix(REPOSITORY))
        .flatten()
}

/// Returns whether a kind's rows are images.
pub fn has_images(kind: &GroupKind) -> bool {
    *kind == images_kind() || repository_of(kind).is_some()
}

/// Returns whether a kind is one of registries.
pub fn is_of_registries(kind: &GroupKind) -> bool {
    &*kind.group == IMAGES_GROUP
}

/// Names an image: `host/project` and `name@digest`, or `name:tag` as long as no digest is known.
pub fn image_object(cluster: &Cluster, image: &Reference) -> ObjectRef {
    let name = image.short_name();
    let name = match (&image.digest, image.tag_or_latest()) {
        (Some(digest), _) => format!("{name}@{digest}"),
        (None, Some(tag)) => format!("{name}:{tag}"),
        (None, None) => name.to_owned(),
    };
    let project = image.project();
    let slash = if project.is_empty() { "" } else { "/" };
    ObjectRef {
        cluster: cluster.clone(),
        kind: images_kind(),
        namespace: Some(format!("{}{slash}{project}", image.host).into()),
        name: name.into(),
    }
}

/// Returns which image an object names.
pub fn image_of(object: &ObjectRef) -> Option<Reference> {
    if object.kind != images_kind() {
        return None;
    }
    Reference::parse(&object.path())
}

/// Names something of a registry: its host, and a name.
pub fn registry_object(cluster: &Cluster, kind: GroupKind, host: &str, name: &str) -> ObjectRef {
    ObjectRef {
        cluster: cluster.clone(),
        kind,
        namespace: (!host.is_empty()).then(|| host.into()),
        name: name.into(),
    }
}
