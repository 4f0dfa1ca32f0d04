//! Which Application has an object, from which files it comes, and which image it runs.

use super::edit::Wanted;
use crate::api::convert::application_kind;
use crate::api::convert::pod_images::tracked_by;
use crate::domain::image::{NoCommit, Reference};
use crate::domain::node::Node;
use crate::domain::object::{GroupKind, ObjectRef};
use crate::engine::facts::{items, text};
use crate::engine::session::Session;
use serde_json::Value;

/// An object that is to get an image.
#[derive(Clone, Copy, Debug)]
pub(in crate::engine) struct Wish<'w> {
    pub(in crate::engine) object: &'w ObjectRef,
    pub(in crate::engine) live: &'w Value,
    /// `*`: every one.
    pub(in crate::engine) container: &'w str,
    pub(in crate::engine) image: &'w str,
}

/// A folder of a git repository.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Source {
    pub(super) url: String,
    /// As the Application names it; empty for the default branch.
    pub(super) revision: String,
    folder: String,
    recurses: bool,
}

/// Returns the Application that manages an object, or the object itself when it is one.
pub(super) async fn managed_by(
    session: &Session,
    object: &ObjectRef,
    live: &Value,
) -> Option<(ObjectRef, Value)> {
    if object.kind == application_kind() {
        return Some((object.clone(), live.clone()));
    }
    let tracked = tracked_by(live);
    let labels = ["argocd.argoproj.io/instance", "app.kubernetes.io/instance"];
    let label = labels
        .iter()
        .map(|label| text(live, &["metadata", "labels", label]))
        .find(|name| !name.is_empty());
    let name = if tracked.is_empty() {
        label?
    } else {
        &*tracked
    };
    let own = session.options.argocd_namespace.as_str();
    let (namespace, name) = name.split_once('_').unwrap_or((own, name));
    let application = session.object_ref(application_kind(), namespace, name);
    let value = session.object(&application).await.ok()?;
    // A label may be anybody's; the Application knows what it has.
    let has = items(&value, &["status", "resources"]).iter().any(|one| {
        text(one, &["kind"]) == &*object.kind.kind
            && text(one, &["name"]) == &*object.name
            && Some(text(one, &["namespace"])) == object.namespace.as_deref()
    });
    (has || !tracked.is_empty()).then_some((application, value))
}

/// Returns the folder that an Application is made from, if a commit there changes it.
pub(super) fn source_of(application: &Value) -> Result<Source, NoCommit> {
    let spec = ["spec"];
    let spec = application.at(&spec).unwrap_or(&Value::Null);
    if spec
        .at(&["sourceHydrator"])
        .is_some_and(|one| !one.is_null())
    {
        let reason = "its manifests are hydrated by Argo CD from another branch";
        return Err(NoCommit::new(reason, "commit it to the dry source"));
    }
    let several = items(spec, &["sources"]);
    let is_folder = |source: &&Value| {
        !text(source, &["path"]).is_empty() && text(source, &["chart"]).is_empty()
    };
    let mut folders = several.iter().filter(is_folder);
    let source = match (several.is_empty(), folders.next(), folders.next()) {
        (true, ..) => spec.at(&["source"]).unwrap_or(&Value::Null),
        (false, Some(one), None) => one,
        (false, Some(_), Some(_)) => {
            let reason = "it has several sources, and any of them may have the image";
            return Err(NoCommit::new(reason, "change it by hand and push it"));
        }
        (false, None, _) => &Value::Null,
    };
    let url = text(source, &["repoURL"]).to_owned();
    if !text(source, &["chart"]).is_empty() || url.starts_with("oci://") {
        let reason =
            "its source is a packaged chart or an artifact, not a folder of a git repository";
        return Err(NoCommit::new(reason, "change its values"));
    }
    if url.is_empty() {
        let reason = "it has no source in a git repository";
        return Err(NoCommit::new(reason, "change it where it comes from"));
    }
    if source.at(&["plugin"]).is_some_and(|one| !one.is_null()) {
        let reason = "a plugin renders its source, and what the plugin reads is not known";
        return Err(NoCommit::new(reason, "change it by hand and push it"));
    }
    let folder = text(source, &["path"]).trim_matches(['/', '.']).to_owned();
    let recurse = source.at(&["directory", "recurse"]);
    Ok(Source {
        url,
        revision: text(source, &["targetRevision"]).to_owned(),
        folder,
        recurses: recurse.and_then(Node::boolean) == Some(true),
    })
}

/// Says what has to be found in the source, and what it becomes.
pub(super) async fn wanted(
    session: &Session,
    wish: &Wish<'_>,
    application: &Value,
    source: &Source,
) -> Result<Wanted, NoCommit> {
    let (object, from) = if wish.object.kind == application_kind() {
        (None, used_by(application, wish.image)?)
    } else {
        let (object, live) = template_of(session, wish).await;
        let named = (object.kind.kind.to_string(), object.name.to_string());
        (Some(named), used_in(&live, wish.container)?)
    };
    not_overridden(application, &from)?;
    Ok(Wanted {
        folder: source.folder.clone(),
        recurses: source.recurses,
        object,
        container: wish.container.to_owned(),
        from,
        image: wish.image.to_owned(),
    })
}

/// Where the template is: in the object, or in the workload that a Rollout refers to.
async fn template_of(session: &Session, wish: &Wish<'_>) -> (ObjectRef, Value) {
    let named = |field: &str| text(wish.live, &["spec", "workloadRef", field]);
    let own = || (wish.object.clone(), wish.live.clone());
    if named("name").is_empty() {
        return own();
    }
    let group = named("apiVersion")
        .split_once('/')
        .map_or("", |(group, _)| group);
    let kind = GroupKind::new(group, named("kind"));
    let namespace = wish.object.namespace.as_deref().unwrap_or_default();
    let object = session.object_ref(kind, namespace, named("name"));
    match session.object(&object).await {
        Ok(live) => (object, live),
        Err(_) => own(),
    }
}

/// Returns the name of an image without tag and digest, as it is written.
fn bare(image: &str) -> &str {
    let image = image.split('@').next().unwrap_or_default();
    match image.rsplit_once(':') {
        Some((name, tag)) if !tag.contains('/') => name,
        Some(_) | None => image,
    }
}

/// Returns what an Application runs of the repository of an image.
fn used_by(application: &Value, image: &str) -> Result<String, NoCommit> {
    let wanted = Reference::parse(image);
    let wanted = wanted.ok_or_else(|| {
        NoCommit::new(
            format!("`{image}` is no image"),
            "write host/repository:tag",
        )
    })?;
    let used = items(application, &["status", "summary", "images"]);
    let mut used = used.iter().filter_map(|one| one.as_str());
    let same =
        used.find(|one| Reference::parse(one).is_some_and(|one| one.name() == wanted.name()));
    same.map(|one| bare(one).to_owned()).ok_or_else(|| {
        let reason = format!("it runs no image `{}`", wanted.name());
        NoCommit::new(reason, "name the workload and its container instead")
    })
}

/// Names the container that is meant when none is named: the only one that runs the repository of
/// the image. Several, or none, stay `*`.
pub(in crate::engine) fn narrowed<'c>(live: &'c Value, container: &'c str, image: &str) -> &'c str {
    let wanted = Reference::parse(image).map(|one| one.name());
    let runs = |one: &&Value| {
        let own = Reference::parse(bare(text(one, &["image"])));
        own.is_some_and(|own| Some(own.name()) == wanted)
    };
    let mut fitting = containers(live).filter(runs);
    match (container, fitting.next(), fitting.next()) {
        ("*", Some(one), None) => text(one, &["name"]),
        _ => container,
    }
}

/// Completes `:tag` with the name that runs.
pub(in crate::engine) fn whole(
    live: &Value,
    container: &str,
    image: &str,
) -> Result<String, NoCommit> {
    if image.starts_with(':') {
        return Ok(format!("{}{image}", used_in(live, container)?));
    }
    Ok(image.to_owned())
}

fn containers(live: &Value) -> impl Iterator<Item = &Value> {
    let lists = ["containers", "initContainers"];
    lists
        .into_iter()
        .flat_map(|list| items(live, &["spec", "template", "spec", list]))
}

/// Returns what a container runs; all of them when they run the same.
fn used_in(live: &Value, container: &str) -> Result<String, NoCommit> {
    let mut names: Vec<&str> = containers(live)
        .filter(|one| container == "*" || text(one, &["name"]) == container)
        .map(|one| bare(text(one, &["image"])))
        .collect();
    names.sort_unstable();
    names.dedup();
    match names.as_slice() {
        [one] => Ok((*one).to_owned()),
        [] => Err(NoCommit::new(
            format!("it has no container `{container}`"),
            "look at its images for the names of its containers",
        )),
        several => Err(NoCommit::new(
            format!("its containers run {} different images", several.len()),
            "name one container",
        )),
    }
}

/// An image that the Application sets itself wins over what git says.
fn not_overridden(application: &Value, from: &str) -> Result<(), NoCommit> {
    let own = items(application, &["spec", "source", "kustomize", "images"]);
    let name = Reference::parse(from).map(|one| one.name());
    let same = own.iter().filter_map(|one| one.as_str()).any(|one| {
        let image = one.split_once('=').map_or(one, |(_, image)| image);
        Reference::parse(image).map(|one| one.name()) == name
    });
    if same {
        let reason =
            "the Application sets this image itself (`kustomize.images`), whatever git says";
        let hint = "take the override away first, or set it again by the patch";
        return Err(NoCommit::new(reason, hint));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn reason<T: std::fmt::Debug>(outcome: Result<T, NoCommit>) -> String {
        outcome.expect_err("no commit").reason.to_string()
    }

    #[test]
    fn only_one_folder_of_git_can_be_written() {
        let app = |source: Value| json!({"spec": {"source": source}});
        let plain = app(json!({"repoURL": "https://h/a.git", "path": "./apps/web/",
            "directory": {"recurse": true}}));
        let source = source_of(&plain).expect("a folder");
        assert_eq!((&*source.folder, source.recurses), ("apps/web", true));
        let chart = app(json!({"repoURL": "https://charts", "chart": "web"}));
        assert!(reason(source_of(&chart)).contains("packaged chart"));
        let plugin = app(json!({"repoURL": "https://h/a.git", "path": ".", "plugin": {}}));
        assert!(reason(source_of(&plugin)).contains("plugin"));
        let folder = json!({"repoURL": "https://h/a.git", "path": "a"});
        let values = json!({"repoURL": "https://h/v.git", "ref": "values"});
        let one = json!({"spec": {"sources": [values, folder]}});
        assert_eq!(source_of(&one).expect("a folder").folder, "a");
        let two = json!({"spec": {"sources": [folder, folder]}});
        assert!(reason(source_of(&two)).contains("several sources"));
    }

    #[test]
    fn what_runs_is_found_by_container_or_by_repository() {
        let live = json!({"spec": {"template": {"spec": {
            "initContainers": [{"name": "wait", "image": "busybox:1"}],
            "containers": [{"name": "app", "image": "r.io:5000/shop/api:1@sha256:00"}]}}}});
        assert_eq!(
            used_in(&live, "app"),
            Ok(String::from("r.io:5000/shop/api"))
        );
        assert!(reason(used_in(&live, "*")).contains("2 different images"));
        assert!(reason(used_in(&live, "web")).contains("no container"));
        let next = whole(&live, "wait", ":2");
        assert_eq!(next, Ok(String::from("busybox:2")));
        assert!(whole(&live, "*", ":2").is_err(), "which one is not said");
        assert_eq!(narrowed(&live, "*", "r.io:5000/shop/api:2"), "app");
        assert_eq!(narrowed(&live, "*", "r.io:5000/shop/web:2"), "*");
        assert_eq!(narrowed(&live, "wait", "r.io:5000/shop/api:2"), "wait");
        let app = json!({"status": {"summary": {"images": ["nginx:1.25", "r.io/shop/api:1"]}}});
        let nginx = used_by(&app, "docker.io/library/nginx:1.26");
        assert_eq!(nginx, Ok(String::from("nginx")));
        assert!(reason(used_by(&app, "r.io/shop/web:2")).contains("runs no image"));
    }

    #[test]
    fn an_override_of_the_application_wins_over_git() {
        let app = json!({"spec": {"source": {"kustomize": {"images": ["web=r.io/shop/web:2"]}}}});
        assert!(not_overridden(&app, "r.io/shop/api").is_ok());
        assert!(reason(not_overridden(&app, "r.io/shop/web")).contains("itself"));
    }
}
