//! Turns wire ImageUpdaters (argocd-image-updater.argoproj.io/v1alpha1), and what Applications say of
//! their images, into the rules of [`crate::domain::image_update`].

use crate::domain::image::Reference;
use crate::domain::image_update::{
    ApplicationRef, Current, ImageRule, Keys, LabelOperator, LabelRule, Manifest, Settings,
    WriteBack, from_annotations, reference_for, split_identifier,
};
use crate::domain::object::{GroupKind, Text};
use chrono::{DateTime, Utc};
use serde_json::Value;

/// The group of ImageUpdaters.
pub const IMAGE_UPDATER_GROUP: &str = "argocd-image-updater.argoproj.io";

/// Returns the kind of ImageUpdaters.
pub fn image_updater_kind() -> GroupKind {
    GroupKind::new(IMAGE_UPDATER_GROUP, "ImageUpdater")
}

fn text<'v>(value: &'v Value, pointer: &str) -> &'v str {
    value
        .pointer(pointer)
        .and_then(Value::as_str)
        .unwrap_or_default()
}

fn list<'v>(value: &'v Value, pointer: &str) -> &'v [Value] {
    let found = value.pointer(pointer).and_then(Value::as_array);
    found.map_or(&[], Vec::as_slice)
}

fn strings(value: &Value) -> Option<Vec<Text>> {
    let all = value.as_array()?.iter();
    Some(all.filter_map(Value::as_str).map(Text::from).collect())
}

/// Reads `spec.applicationRefs`, with what the levels above say of them.
pub fn application_refs(updater: &Value) -> Vec<ApplicationRef> {
    let nothing = Value::Null;
    let spec = updater.get("spec").unwrap_or(&nothing);
    let above = settings(spec);
    let refs = list(spec, "/applicationRefs").iter();
    refs.map(|one| {
        let own = settings(one).over(&above);
        let images = list(one, "/images").iter();
        ApplicationRef {
            name_pattern: text(one, "/namePattern").into(),
            labels: label_rules(one),
            use_annotations: one.get("useAnnotations").and_then(Value::as_bool) == Some(true),
            images: images.map(|image| image_rule(image, &own)).collect(),
            write_back: write_back(one, spec),
        }
    })
    .collect()
}

fn settings(level: &Value) -> Settings {
    let at = |key: &str| level.pointer(&format!("/commonUpdateSettings/{key}"));
    let word = |key: &str| {
        at(key)
            .and_then(Value::as_str)
            .filter(|word| !word.is_empty())
    };
    Settings {
        strategy: word("updateStrategy").map(Text::from),
        force: at("forceUpdate").and_then(Value::as_bool),
        allow: word("allowTags").map(Text::from),
        ignore: at("ignoreTags").and_then(strings),
        pull_secret: word("pullSecret").map(Text::from),
        platforms: at("platforms").and_then(strings),
        verify: level
            .get("imagesVerification")
            .filter(|one| one.is_object())
            .map(|one| one.get("enabled").and_then(Value::as_bool) != Some(false)),
    }
}

fn image_rule(image: &Value, above: &Settings) -> ImageRule {
    let own = settings(image).over(above);
    let (name, constraint) = split_identifier(text(image, "/imageName"));
    ImageRule {
        alias: text(image, "/alias").into(),
        image: name.into(),
        policy: own.policy(constraint),
        force: own.force.unwrap_or_default(),
        pull_secret: own.pull_secret.unwrap_or_default(),
        verify: own.verify.unwrap_or_default(),
        manifest: manifest(image),
    }
}

fn manifest(image: &Value) -> Manifest {
    let keys = |place: &str| {
        let place = image.pointer(&format!("/manifestTargets/{place}"))?;
        Some(Keys {
            name: text(place, "/name").into(),
            tag: text(place, "/tag").into(),
            spec: text(place, "/spec").into(),
        })
    };
    if let Some(keys) = keys("helm") {
        return Manifest::Helm(keys);
    }
    if let Some(keys) = keys("plugin") {
        return Manifest::Plugin(keys);
    }
    match keys("kustomize") {
        Some(keys) => Manifest::Kustomize {
            // The name may be written with a tag.
            name: split_identifier(&keys.name).0.into(),
        },
        None => Manifest::Plain,
    }
}

/// Reads how updates are written back, each part from the nearest level that has it.
fn write_back(own: &Value, above: &Value) -> WriteBack {
    let part = |key: &str| {
        let pointer = format!("/writeBackConfig/{key}");
        let near = text(own, &pointer);
        if near.is_empty() {
            text(above, &pointer)
        } else {
            near
        }
    };
    let asks = |level: &Value| {
        let place = level.pointer("/writeBackConfig/gitConfig/pullRequest");
        place.is_some_and(Value::is_object)
    };
    WriteBack {
        pull_request: asks(own) || asks(above),
        ..WriteBack::read(
            part("method"),
            part("gitConfig/repository"),
            part("gitConfig/branch"),
            part("gitConfig/writeBackTarget"),
        )
    }
}

fn label_rules(reference: &Value) -> Vec<LabelRule> {
    let labels = reference
        .pointer("/labelSelectors/matchLabels")
        .and_then(Value::as_object);
    let mut rules: Vec<LabelRule> = labels
        .into_iter()
        .flatten()
        .map(|(key, value)| LabelRule {
            key: key.as_str().into(),
            operator: LabelOperator::In,
            values: value.as_str().map(Text::from).into_iter().collect(),
        })
        .collect();
    for one in list(reference, "/labelSelectors/matchExpressions") {
        let operator = match text(one, "/operator") {
            "NotIn" => LabelOperator::NotIn,
            "Exists" => LabelOperator::Exists,
            "DoesNotExist" => LabelOperator::DoesNotExist,
            _ => LabelOperator::In,
        };
        rules.push(LabelRule {
            key: text(one, "/key").into(),
            operator,
            values: one.get("values").and_then(strings).unwrap_or_default(),
        });
    }
    rules
}

/// Returns what an ImageUpdater's references say of an Application: nothing when none is about it.
pub fn rules_for(
    references: &[ApplicationRef],
    application: &Value,
) -> Option<(Vec<ImageRule>, WriteBack)> {
    let meta = application.get("metadata")?;
    let label = |key: &str| meta.get("labels")?.get(key)?.as_str();
    let found = reference_for(references, text(meta, "/name"), label)?;
    if found.use_annotations {
        return Some(annotated(application));
    }
    Some((found.images.clone(), found.write_back.clone()))
}

/// Returns what the annotations of an Application say.
pub fn annotated(application: &Value) -> (Vec<ImageRule>, WriteBack) {
    let annotations = application.pointer("/metadata/annotations");
    from_annotations(|key| annotations?.get(key)?.as_str())
}

/// Returns which tag of an image an Application runs; `None` when the image is not among its own.
pub fn running(application: &Value, image: &str) -> Option<Current> {
    let wanted = Reference::parse(image)?.name();
    let images = list(application, "/status/summary/images").iter();
    let found = images
        .filter_map(Value::as_str)
        .filter_map(Reference::parse)
        .find(|one| one.name() == wanted)?;
    Some(Current {
        tag: found.tag.clone().unwrap_or_default(),
        digest: found.digest.map(|digest| Text::clone(digest.text())),
    })
}

/// Which tool renders an Application, as far as an updater knows how to change its input.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SourceTool {
    Kustomize,
    Helm,
    Plugin,
}

/// Returns the tool behind an Application; the error says why it cannot be updated.
pub fn source_tool(application: &Value, write_back: &WriteBack) -> Result<SourceTool, String> {
    use crate::domain::image_update::FileTarget;
    match write_back.target {
        FileTarget::Kustomization(_) => return Ok(SourceTool::Kustomize),
        FileTarget::HelmValues(_) => return Ok(SourceTool::Helm),
        FileTarget::Source => {}
    }
    let one = text(application, "/status/sourceType");
    let several = list(application, "/status/sourceTypes").iter();
    let mut all = several.filter_map(Value::as_str).chain([one]);
    let known = all.find_map(|word| match word {
        "Kustomize" => Some(SourceTool::Kustomize),
        "Helm" => Some(SourceTool::Helm),
        "Plugin" => Some(SourceTool::Plugin),
        _ => None,
    });
    known.ok_or_else(|| match one {
        "" => String::from("its source was not rendered yet"),
        kind => format!("its source is a {kind}; images are set for Kustomize and Helm only"),
    })
}

/// What an ImageUpdater says of itself.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub struct UpdaterStatus {
    pub checked: Option<DateTime<Utc>>,
    /// Alias, image, new version, when, and its words.
    pub recent: Vec<Recent>,
    /// The message of `Error` or of `Ready` when something went wrong; empty otherwise.
    pub trouble: Text,
}

/// One of `status.recentUpdates`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Recent {
    pub alias: Text,
    pub image: Text,
    pub new: Text,
    pub at: Option<DateTime<Utc>>,
    pub message: Text,
}

/// Reads the status of an ImageUpdater.
pub fn updater_status(updater: &Value) -> UpdaterStatus {
    let time = |value: &Value, pointer: &str| {
        let read = DateTime::parse_from_rfc3339(text(value, pointer)).ok()?;
        Some(read.with_timezone(&Utc))
    };
    let recent = list(updater, "/status/recentUpdates")
        .iter()
        .map(|one| Recent {
            alias: text(one, "/alias").into(),
            image: text(one, "/image").into(),
            new: text(one, "/newVersion").into(),
            at: time(one, "/updatedAt"),
            message: text(one, "/message").into(),
        });
    let wrong = |one: &&Value| {
        matches!(
            (text(one, "/type"), text(one, "/status")),
            ("Error", "True") | ("Ready", "False")
        )
    };
    let conditions = list(updater, "/status/conditions").iter();
    let trouble = conditions
        .filter(wrong)
        .map(|one| text(one, "/message"))
        .next();
    UpdaterStatus {
        checked: time(updater, "/status/lastCheckedAt"),
        recent: recent.collect(),
        trouble: trouble.unwrap_or_default().into(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::image_update::{FileTarget, Method, Strategy};
    use serde_json::json;

    fn updater() -> Value {
        json!({"spec": {
            "commonUpdateSettings": {"updateStrategy": "semver", "ignoreTags": ["*-rc*"]},
            "writeBackConfig": {"method": "git", "gitConfig": {"branch": "main"}},
            "applicationRefs": [
                {"namePattern": "shop-*", "images": [
                    {"alias": "web", "imageName": "r.io/shop/web:~1.4", "manifestTargets": {"kustomize": {"name": "web:1"}}},
                    {"alias": "api", "imageName": "r.io/shop/api", "commonUpdateSettings": {"updateStrategy": "newest-build"},
                     "manifestTargets": {"helm": {"name": "api.image", "tag": "api.tag"}}},
                ], "writeBackConfig": {"gitConfig": {"writeBackTarget": "kustomization"}}},
                {"namePattern": "legacy", "useAnnotations": true},
            ],
        }})
    }

    fn application(name: &str) -> Value {
        json!({
            "metadata": {"name": name, "annotations": {
                "argocd-image-updater.argoproj.io/image-list": "r.io/shop/old:2.x",
            }},
            "status": {"sourceType": "Kustomize", "summary": {"images": ["r.io/shop/web:1.4.0", "nginx"]}},
        })
    }

    #[test]
    fn levels_are_put_together() {
        let refs = application_refs(&updater());
        let (rules, write_back) = rules_for(&refs, &application("shop-dev")).expect("rules");

        let [web, api] = rules.as_slice() else {
            panic!("two images: {rules:?}")
        };
        assert_eq!(
            (&*web.image, &*web.policy.constraint),
            ("r.io/shop/web", "~1.4")
        );
        assert_eq!(web.manifest, Manifest::Kustomize { name: "web".into() });
        assert_eq!(api.policy.strategy, Strategy::NewestBuild);
        assert_eq!(api.policy.ignore, [Text::from("*-rc*")]);
        assert!(matches!(&api.manifest, Manifest::Helm(keys) if &*keys.tag == "api.tag"));
        assert_eq!(write_back.method, Method::Git);
        assert_eq!(&*write_back.branches.base, "main");
        assert_eq!(write_back.target, FileTarget::Kustomization("".into()));
    }

    #[test]
    fn annotations_count_where_the_updater_says_so() {
        let refs = application_refs(&updater());
        let (rules, write_back) = rules_for(&refs, &application("legacy")).expect("rules");
        assert_eq!(rules.first().map(|one| &*one.image), Some("r.io/shop/old"));
        assert_eq!(write_back.method, Method::ArgoCd);
        assert!(rules_for(&refs, &application("other")).is_none());
    }

    #[test]
    fn what_runs_is_found_by_its_full_name() {
        let app = application("a");
        assert_eq!(
            running(&app, "r.io/shop/web")
                .map(|one| one.text())
                .as_deref(),
            Some("1.4.0")
        );
        assert_eq!(
            running(&app, "docker.io/library/nginx")
                .map(|one| one.text())
                .as_deref(),
            Some("")
        );
        assert_eq!(running(&app, "r.io/shop/none"), None);
    }

    #[test]
    fn only_tools_that_know_images_can_be_updated() {
        let mut app = application("a");
        let argocd = WriteBack::default();
        assert_eq!(source_tool(&app, &argocd), Ok(SourceTool::Kustomize));
        app["status"]["sourceType"] = json!("Directory");
        assert!(source_tool(&app, &argocd).is_err());
        let git = WriteBack::read("git", "", "", "helmvalues");
        assert_eq!(source_tool(&app, &git), Ok(SourceTool::Helm));
    }

    #[test]
    fn a_status_tells_the_last_cycle() {
        let status = updater_status(&json!({"status": {
            "lastCheckedAt": "2026-01-02T03:04:05Z",
            "recentUpdates": [{"alias": "web", "image": "r.io/shop/web:1.4.2", "newVersion": "1.4.2",
                "applicationsUpdated": 1, "updatedAt": "2026-01-02T03:04:00Z", "message": "Updated from 1.4.0 to 1.4.2."}],
            "conditions": [
                {"type": "Ready", "status": "True", "message": "fine"},
                {"type": "Error", "status": "True", "message": "1 error"},
            ],
        }}));
        assert!(status.checked.is_some());
        assert_eq!(status.recent.len(), 1);
        assert_eq!(&*status.trouble, "1 error");
    }
}
