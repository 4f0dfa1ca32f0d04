//! Intents on images and on accounts of registries: asked of the registry itself, and read back from
//! it.
//!
//! Tags are unique in a repository and Harbor never moves one by itself: a tag moves by writing the
//! very same manifest under it, which leaves no moment without it. Secrets of accounts go to the
//! cockpit once and into no outcome.

use super::{Accepted, Errand, text};
use crate::api::convert::application_kind;
use crate::api::convert::harbor::{made_robot, robot};
use crate::domain::finding::{Finding, Severity};
use crate::domain::image::{
    Digest, ImageVerb, Permission, Reference, RobotRow, RobotWish, Scan, image_of, registries_kind,
};
use crate::domain::node::Node;
use crate::domain::object::Text;
use crate::domain::servers::Secret;
use crate::engine::protocol::Update;
use crate::engine::registries::{Registry, Trouble, repository_path, split};
use crate::engine::transport::{MERGE_PATCH, segment};
use http::Method;
use serde_json::{Value, json};
use std::sync::Arc;
use std::time::Duration;

const NO_DRY_RUN: &str = "registries have no dry run; nothing was sent";
/// How often, and how far apart, an effect is looked for.
const LOOKS: u32 = 20;
const BETWEEN_LOOKS: Duration = Duration::from_millis(500);

/// An image on the way to be changed.
struct ImagePlace {
    registry: Arc<Registry>,
    repository: Text,
    digest: Digest,
}

impl Errand {
    /// Carries out what is asked of a registry.
    pub(super) async fn change_image(&self, verb: &ImageVerb) -> Result<Accepted, Finding> {
        if let ImageVerb::Override { image } = verb {
            return self.override_image(image).await;
        }
        if let ImageVerb::Commit {
            container,
            image,
            or_patch,
        } = verb
        {
            return self.commit_image((container, image), *or_patch).await;
        }
        if self.dry_run {
            return Ok(Accepted::dry(NO_DRY_RUN));
        }
        let outcome = match verb {
            ImageVerb::ScanAll => self.scan_all().await,
            ImageVerb::CreateRobot(wish) => self.create_robot(wish).await,
            ImageVerb::RefreshRobot => self.refresh_robot().await,
            ImageVerb::SwitchRobot { on } => self.switch_robot(*on).await,
            ImageVerb::DeleteRobot => self.delete_robot().await,
            ImageVerb::Scan => self.scan("vulnerability", false).await,
            ImageVerb::MakeSbom => self.scan("sbom", false).await,
            ImageVerb::StopScan => self.scan("vulnerability", true).await,
            ImageVerb::Tag { tag, moves } => self.tag(tag, *moves).await,
            ImageVerb::Untag { tag } => self.untag(tag).await,
            ImageVerb::Copy { to } => self.copy(to).await,
            ImageVerb::Delete => self.delete_image().await,
            ImageVerb::Override { .. } | ImageVerb::Commit { .. } => Ok(Accepted::dry("done")),
        };
        self.session.registries.changed().await;
        outcome
    }

    fn registry_trouble(&self, trouble: &Trouble) -> Finding {
        let sentence = format!("{}: {}", self.cannot(), trouble.sentence);
        Finding::new(Severity::Error, sentence).with_hint(trouble.hint.as_str())
    }

    async fn registry(&self, host: &str) -> Result<Arc<Registry>, Finding> {
        let found = self.session.registries.registry(&self.session, host).await;
        found.ok_or_else(|| {
            self.refuse(
                format!("`{host}` is not asked"),
                "name it in the configuration: `[[registry]]`",
            )
        })
    }

    async fn harbor(&self, host: &str) -> Result<Arc<Registry>, Finding> {
        let registry = self.registry(host).await?;
        if registry.is_harbor() {
            return Ok(registry);
        }
        Err(self.refuse(
            format!("`{host}` is a plain registry, which has nothing of the kind"),
            "choose something in a Harbor",
        ))
    }

    /// Sets an image in the Application: Argo CD renders with it from then on, so self-heal keeps it
    /// (Argo CD `docs/user-guide/kustomize.md`). Git is not touched.
    async fn override_image(&self, image: &str) -> Result<Accepted, Finding> {
        let wanted = Reference::parse(image).ok_or_else(|| {
            self.refuse(
                format!("`{image}` is no image"),
                "write host/repository:tag",
            )
        })?;
        if self.intent.target.kind != application_kind() {
            return Err(self.refuse("it is no Application", "choose an Application"));
        }
        let live = self.target().await?;
        let kind = text(&live, &["status", "sourceType"]);
        let several = live.at(&["spec", "sources"]).is_some();
        if several || !matches!(kind, "Kustomize" | "") {
            let reason = if several {
                String::from("it has several sources")
            } else {
                format!("its source is of type {kind}, which takes no images")
            };
            return Err(self.refuse(reason, "commit the image to its repository"));
        }
        let images = images_with(&live, &wanted, image);
        let patch = json!({ "metadata": { "resourceVersion": text(&live, &["metadata", "resourceVersion"]) },
            "spec": { "source": { "kustomize": { "images": images } } } });
        let answer = self.patch("", MERGE_PATCH, &patch).await?;
        let read = answer.map_err(|fault| self.explain(fault))?;
        if self.dry_run {
            return Ok(Accepted::dry(
                "the server would take it; nothing was changed",
            ));
        }
        let set = read
            .at(&["spec", "source", "kustomize", "images"])
            .map(Node::items);
        let count = set.unwrap_or_default().len();
        Ok(Accepted::seen(
            format!("the Application renders with `{image}`; git still names the old one"),
            format!("{count} images are set in the Application"),
        ))
    }

    /// Finds the image; one that was named by its tag is what the tag names now.
    async fn image_place(&self) -> Result<ImagePlace, Finding> {
        let reference = image_of(&self.intent.target)
            .ok_or_else(|| self.refuse("it is no image", "choose an image in `:images`"))?;
        let registry = self.registry(&reference.host).await?;
        let digest = match &reference.digest {
            Some(digest) => Some(digest.clone()),
            None => {
                let tag = reference.tag_or_latest().unwrap_or("latest");
                self.named(&registry, &reference.repository, tag).await?
            }
        };
        let digest = digest.ok_or_else(|| {
            let hint = "look at the image again; it may have been deleted";
            self.refuse("the registry does not have it", hint)
        })?;
        Ok(ImagePlace {
            registry,
            repository: reference.repository,
            digest,
        })
    }

    /// Returns what a tag names now.
    async fn named(
        &self,
        registry: &Registry,
        repository: &str,
        tag: &str,
    ) -> Result<Option<Digest>, Finding> {
        let found = registry.digest_by_tag(&self.session, repository, tag).await;
        found.map_err(|trouble| self.registry_trouble(&trouble))
    }

    async fn ask(
        &self,
        registry: &Registry,
        (method, path): (Method, &str),
        body: Option<&Value>,
    ) -> Result<Value, Finding> {
        let answer = registry.change(&self.session, (method, path), body).await;
        answer.map_err(|trouble| self.registry_trouble(&trouble))
    }

    async fn scan(&self, kind: &str, stop: bool) -> Result<Accepted, Finding> {
        let place = self.image_place().await?;
        if !place.registry.is_harbor() {
            return Err(self.refuse("this registry does not scan", "scan it in a Harbor"));
        }
        let end = if stop { "/stop" } else { "" };
        let path = format!("{}/scan{end}", artifact_path(&place));
        let body = json!({ "scan_type": kind });
        self.ask(&place.registry, (Method::POST, &path), Some(&body))
            .await?;
        if kind == "sbom" {
            return Ok(Accepted::seen(
                "the registry makes it",
                String::from("it is queued"),
            ));
        }
        let mut seen = String::from("the registry has queued it");
        for _ in 0..LOOKS {
            let scan = self.scan_of(&place).await?;
            let running = matches!(scan, Scan::Running { .. });
            seen = scan.text();
            if running != stop {
                break;
            }
            tokio::time::sleep(BETWEEN_LOOKS).await;
        }
        let detail = if stop {
            "the scan is to stop"
        } else {
            "the scan is queued"
        };
        Ok(Accepted::seen(detail, seen))
    }

    async fn scan_of(&self, place: &ImagePlace) -> Result<Scan, Finding> {
        let digest = place.digest.text();
        let read = place
            .registry
            .scan_of(&self.session, &place.repository, digest)
            .await;
        read.map_err(|trouble| self.registry_trouble(&trouble))
    }

    async fn tag(&self, tag: &Text, moves: bool) -> Result<Accepted, Finding> {
        let place = self.image_place().await?;
        let before = self.named(&place.registry, &place.repository, tag).await?;
        if before.as_ref() == Some(&place.digest) {
            return Err(self.refuse(
                format!("it has the tag `{tag}` already"),
                "choose another tag",
            ));
        }
        if before.is_some() && !moves {
            return Err(self.refuse(
                format!("`{tag}` names another artifact"),
                "ask to move it, or choose another tag",
            ));
        }
        if before.is_none() && place.registry.is_harbor() {
            let path = format!("{}/tags", artifact_path(&place));
            let body = json!({ "name": &**tag });
            self.ask(&place.registry, (Method::POST, &path), Some(&body))
                .await?;
        } else {
            let from = (&*place.repository, &place.digest);
            let moved = place.registry.retag(&self.session, from, tag).await;
            moved.map_err(|trouble| self.registry_trouble(&trouble))?;
        }
        let now = self.named(&place.registry, &place.repository, tag).await?;
        if now.as_ref() != Some(&place.digest) {
            let hint = "look at the tag again: somebody else may have moved it";
            return Err(self.refuse(format!("`{tag}` does not name it afterwards"), hint));
        }
        let seen = format!("`{tag}` names {}", place.digest.short());
        Ok(Accepted::seen("the registry has taken the tag", seen))
    }

    async fn untag(&self, tag: &Text) -> Result<Accepted, Finding> {
        let place = self.image_place().await?;
        if place.registry.is_harbor() {
            let path = format!("{}/tags/{}", artifact_path(&place), segment(tag));
            self.ask(&place.registry, (Method::DELETE, &path), None)
                .await?;
        } else {
            let deleted = place
                .registry
                .delete_manifest(&self.session, &place.repository, tag)
                .await;
            deleted.map_err(|trouble| self.registry_trouble(&trouble))?;
        }
        let now = self.named(&place.registry, &place.repository, tag).await?;
        if now.as_ref() == Some(&place.digest) {
            return Err(self.refuse(format!("`{tag}` still names it"), "try again in a moment"));
        }
        Ok(Accepted::seen(
            "the registry has taken the tag away",
            format!("`{tag}` is gone"),
        ))
    }

    async fn copy(&self, to: &str) -> Result<Accepted, Finding> {
        let place = self.image_place().await?;
        let target = self.copy_target(&place, to).await?;
        if place.registry.is_harbor() {
            return self.copy_in_harbor(&place, &target).await;
        }
        let from = (&*place.repository, &place.digest);
        let copied = place.registry.copy(&self.session, from, &target).await;
        copied.map_err(|trouble| self.registry_trouble(&trouble))?;
        let wanted = target.tag.as_deref().unwrap_or(place.digest.text());
        let now = self
            .named(&place.registry, &target.repository, wanted)
            .await?;
        if now.as_ref() != Some(&place.digest) {
            let hint = "look at the repository again: somebody else may have pushed to it";
            return Err(self.refuse(format!("`{wanted}` does not name it afterwards"), hint));
        }
        Ok(Accepted::seen(
            "the registry shares its layers with the other repository",
            format!("`{}` has {}", target.repository, place.digest.short()),
        ))
    }

    /// Reads where an image is to be copied to; it stays within its registry.
    async fn copy_target(&self, place: &ImagePlace, to: &str) -> Result<Reference, Finding> {
        let host = &*place.registry.host;
        let to = to.strip_prefix(&format!("{host}/")).unwrap_or(to);
        let other = to.split_once('/').map_or("", |(first, _)| first);
        // A project of Harbor may be named like a host.
        let is_host = if place.registry.is_harbor() {
            other.contains(':') || self.session.registries.knows(other).await
        } else {
            other.contains(['.', ':'])
        };
        if is_host {
            return Err(self.refuse(
                format!("it would leave `{host}` for `{other}`, and what is in one registry cannot be shared with another"),
                "copy it with `skopeo copy --all`, which carries the bytes over",
            ));
        }
        let target = Reference::parse(&format!("{host}/{to}"));
        target.filter(|one| one.digest.is_none()).ok_or_else(|| {
            self.refuse(
                format!("`{to}` is no repository"),
                "write project/repository, or with :tag",
            )
        })
    }

    async fn copy_in_harbor(
        &self,
        place: &ImagePlace,
        target: &Reference,
    ) -> Result<Accepted, Finding> {
        let from = segment(&format!("{}@{}", place.repository, place.digest));
        let path = relative(&format!(
            "{}/artifacts?from={from}",
            repository_path(&target.repository)
        ));
        self.ask(&place.registry, (Method::POST, &path), None)
            .await?;
        let copied = ImagePlace {
            registry: Arc::clone(&place.registry),
            repository: Text::clone(&target.repository),
            digest: place.digest.clone(),
        };
        if let Some(tag) = &target.tag {
            let path = format!("{}/tags", artifact_path(&copied));
            let body = json!({ "name": &**tag });
            self.ask(&place.registry, (Method::POST, &path), Some(&body))
                .await?;
        }
        let _read = self.scan_of(&copied).await?;
        let (project, _) = split(&target.repository);
        let seen = format!("`{}` has {}", target.repository, place.digest.short());
        Ok(Accepted::seen(
            format!("the project `{project}` has taken it"),
            seen,
        ))
    }

    async fn delete_image(&self) -> Result<Accepted, Finding> {
        let place = self.image_place().await?;
        if place.registry.is_harbor() {
            let path = artifact_path(&place);
            self.ask(&place.registry, (Method::DELETE, &path), None)
                .await?;
        } else {
            let digest = place.digest.text();
            let deleted = place
                .registry
                .delete_manifest(&self.session, &place.repository, digest)
                .await;
            deleted.map_err(|trouble| self.registry_trouble(&trouble))?;
        }
        let digest = place.digest.text();
        let left = place
            .registry
            .has(&self.session, &place.repository, digest)
            .await;
        if left.map_err(|trouble| self.registry_trouble(&trouble))? {
            return Err(self.refuse("the registry still has it", "try again in a moment"));
        }
        Ok(Accepted::seen(
            "the registry has deleted it",
            String::from("it is gone"),
        ))
    }

    /// Returns the Harbor that the target is, or is of.
    async fn own_harbor(&self) -> Result<Arc<Registry>, Finding> {
        let target = &self.intent.target;
        let host = if target.kind == registries_kind() {
            Text::clone(&target.name)
        } else {
            target.namespace.clone().unwrap_or_else(|| "".into())
        };
        self.harbor(&host).await
    }

    async fn scan_all(&self) -> Result<Accepted, Finding> {
        let registry = self.own_harbor().await?;
        let body = json!({ "schedule": { "type": "Manual" } });
        let path = (Method::POST, "/system/scanAll/schedule");
        self.ask(&registry, path, Some(&body)).await?;
        let metrics = (Method::GET, "/scans/all/metrics");
        let metrics = registry.change(&self.session, metrics, None).await;
        let seen = metrics.map_or_else(
            |_may_not| String::from("it is queued"),
            |metrics| {
                let count = |name: &str| metrics.get(name).and_then(Value::as_u64);
                let (done, all) = (count("completed"), count("total"));
                format!(
                    "{} of {} scanned",
                    done.unwrap_or_default(),
                    all.unwrap_or_default()
                )
            },
        );
        Ok(Accepted::seen("the registry scans everything", seen))
    }

    async fn tell_secret(&self, account: &str, secret: &str) {
        let (id, account, secret) = (self.id, account.into(), Secret::new(secret));
        self.session
            .report(Update::Secret {
                id,
                account,
                secret,
            })
            .await;
    }

    async fn create_robot(&self, wish: &RobotWish) -> Result<Accepted, Finding> {
        if let Some(problem) = wish.problem() {
            return Err(self.refuse(problem, "correct that, and ask again"));
        }
        let registry = self.own_harbor().await?;
        let made = self
            .ask(&registry, (Method::POST, "/robots"), Some(&body_of(wish)))
            .await?;
        let (name, secret) = made_robot(&made);
        self.tell_secret(&name, &secret).await;
        let id = made.get("id").and_then(Value::as_i64).unwrap_or_default();
        let row = self.robot(&registry, id).await?;
        let seen = format!("`{}` is {}", row.object.name, row.status());
        Ok(Accepted::seen(
            "the account is made; its secret was shown once",
            seen,
        ))
    }

    async fn robot(&self, registry: &Registry, id: i64) -> Result<RobotRow, Finding> {
        let value = self.raw_robot(registry, id).await?;
        let (cluster, now) = (&self.session.cluster, self.session.now());
        Ok(robot(&value, cluster, &registry.host, now))
    }

    async fn raw_robot(&self, registry: &Registry, id: i64) -> Result<Value, Finding> {
        let path = format!("/robots/{id}");
        self.ask(registry, (Method::GET, &path), None).await
    }

    /// Returns the number of the account: the one that was looked at, else by its name.
    async fn robot_id(&self, registry: &Registry) -> Result<i64, Finding> {
        let looked_at = self.intent.uid.as_ref();
        if let Some(id) = looked_at.and_then(|uid| uid.0.parse().ok()) {
            return Ok(id);
        }
        let rows = registry.all_robots(&self.session).await;
        let rows = rows.map_err(|trouble| self.registry_trouble(&trouble))?;
        let named = rows
            .iter()
            .find(|row| row.object.name == self.intent.target.name);
        named.map(|row| row.id).ok_or_else(|| {
            self.refuse(
                "there is no such account",
                "`tiphys get robots -A` lists them",
            )
        })
    }

    async fn refresh_robot(&self) -> Result<Accepted, Finding> {
        let registry = self.own_harbor().await?;
        let id = self.robot_id(&registry).await?;
        let path = format!("/robots/{id}");
        let body = json!({ "secret": "" });
        let made = self
            .ask(&registry, (Method::PATCH, &path), Some(&body))
            .await?;
        let (_, secret) = made_robot(&made);
        let row = self.robot(&registry, id).await?;
        self.tell_secret(&row.object.name, &secret).await;
        let seen = format!("`{}` is {}", row.object.name, row.status());
        Ok(Accepted::seen(
            "it has a new secret, which was shown once",
            seen,
        ))
    }

    async fn switch_robot(&self, on: bool) -> Result<Accepted, Finding> {
        let registry = self.own_harbor().await?;
        let id = self.robot_id(&registry).await?;
        let mut robot = self.raw_robot(&registry, id).await?;
        if let Some(members) = robot.as_object_mut() {
            drop(members.insert(String::from("disable"), json!(!on)));
        }
        let path = format!("/robots/{id}");
        self.ask(&registry, (Method::PUT, &path), Some(&robot))
            .await?;
        let row = self.robot(&registry, id).await?;
        if row.disabled == on {
            return Err(self.refuse("the registry has not changed it", "try again"));
        }
        let detail = if on {
            "it may log in again"
        } else {
            "it may log in no more"
        };
        Ok(Accepted::seen(detail, format!("it is {}", row.status())))
    }

    async fn delete_robot(&self) -> Result<Accepted, Finding> {
        let registry = self.own_harbor().await?;
        let id = self.robot_id(&registry).await?;
        let path = format!("/robots/{id}");
        self.ask(&registry, (Method::DELETE, &path), None).await?;
        Ok(Accepted::seen(
            "the registry has deleted it",
            String::from("it is gone"),
        ))
    }
}

/// Returns the Application's images with one of them set anew.
fn images_with(live: &Value, wanted: &Reference, image: &str) -> Vec<String> {
    let now = live.at(&["spec", "source", "kustomize", "images"]);
    let now = now.map(Node::items).unwrap_or_default().iter();
    let mut images: Vec<String> = now
        .filter_map(Value::as_str)
        .filter(|one| {
            // `name=new:tag` names what it replaces first.
            let name = one.split('=').next().unwrap_or(one);
            Reference::parse(name).is_none_or(|known| known.name() != wanted.name())
        })
        .map(String::from)
        .collect();
    images.push(image.to_owned());
    images
}

/// The path of an artifact below the API's root.
fn artifact_path(place: &ImagePlace) -> String {
    relative(&format!(
        "{}/artifacts/{}",
        repository_path(&place.repository),
        segment(place.digest.text())
    ))
}

fn relative(path: &str) -> String {
    path.strip_prefix("/api/v2.0").unwrap_or(path).to_owned()
}

/// Writes a wish as Harbor takes it: permissions in one block for each scope.
fn body_of(wish: &RobotWish) -> Value {
    let mut blocks: Vec<(&Text, Vec<&Permission>)> = Vec::new();
    for one in &wish.permissions {
        match blocks.iter_mut().find(|(scope, _)| **scope == one.scope) {
            Some((_, own)) => own.push(one),
            None => blocks.push((&one.scope, vec![one])),
        }
    }
    let permissions: Vec<Value> = blocks
        .into_iter()
        .map(|(scope, own)| {
            let kind = if &**scope == "/" { "system" } else { "project" };
            let access: Vec<Value> = own
                .into_iter()
                .map(|one| json!({ "resource": &*one.resource, "action": &*one.action }))
                .collect();
            json!({ "kind": kind, "namespace": &**scope, "access": access })
        })
        .collect();
    let level = if wish.project.is_some() {
        "project"
    } else {
        "system"
    };
    let days = wish.days.map_or(-1, i64::from);
    json!({ "name": &*wish.name, "description": &*wish.description, "level": level,
        "duration": days, "disable": false, "permissions": permissions })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_override_takes_the_place_of_the_one_before() {
        let live = json!({"spec": {"source": {"kustomize": {"images": [
            "r.io/shop/api=r.io/shop/api:1.0", "r.io/shop/web:2.0"]}}}});
        let image = "r.io/shop/api:1.1";
        let wanted = Reference::parse(image).expect("a reference");
        assert_eq!(
            images_with(&live, &wanted, image),
            ["r.io/shop/web:2.0", image]
        );
        assert_eq!(images_with(&json!({}), &wanted, image), [image]);
    }

    #[test]
    fn a_robots_permissions_go_in_blocks() {
        let wish = RobotWish {
            name: "ci".into(),
            project: Some("shop".into()),
            days: None,
            ..RobotWish::default()
        };
        let wish = wish
            .with_permissions("pull,push,scan:create")
            .expect("readable");
        let body = body_of(&wish);
        assert_eq!(body["level"], "project");
        assert_eq!(body["duration"], -1);
        assert_eq!(body["permissions"].as_array().map(Vec::len), Some(1));
        assert_eq!(body["permissions"][0]["access"][2]["resource"], "scan");
        assert_eq!(body["permissions"][0]["kind"], "project");
    }
}
