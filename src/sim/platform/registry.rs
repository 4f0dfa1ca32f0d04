//! Harbor as a part of the platform: what it holds by the scenario, its Service, and the Secrets
//! with the robots that pods and the cockpit use.

use super::parts::Ground;
use super::{GIT_URL, SimError, objects};
use crate::sim::git::GitServer;
use crate::sim::harbor::nodes::CI;
use crate::sim::harbor::{Harbor, HarborOptions, ROBOT_PREFIX, SeedImage};
use crate::sim::network::Network;
use crate::sim::rng::Seed;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use chrono::TimeDelta;
use serde_json::{Value, json};
use std::collections::BTreeMap;

pub(super) const NAMESPACE: &str = "harbor";
const SERVICE: &str = "harbor-core";
/// The host of image references where a scenario names none.
const HOST: &str = "registry.tiphys.local";
/// From a commit to the push of its image.
const BUILD_SECONDS: i64 = 240;

/// Starts Harbor with what the scenario declares.
pub(super) async fn start(ground: &Ground<'_>) -> Result<Harbor, SimError> {
    let scenario = &ground.options.scenario;
    let host = scenario.registries.first();
    let images = scenario
        .images
        .iter()
        .map(|image| seed_image(ground.git, image));
    let harbor = Harbor::new(HarborOptions {
        clock: ground.runtime.clock().clone(),
        seed: Seed(ground.options.seed),
        host: host.cloned().unwrap_or_else(|| HOST.to_owned()),
        shape: scenario.registry.clone(),
        images: images.collect(),
    });
    let admin = ground.server.client("tiphys:scenario");
    objects::create_part(&admin, "harbor.yaml").await?;
    objects::create_all(&admin, &secrets(&harbor)).await?;
    harbor.start(Network::of(ground.server.clone()).ok(), ground.stop);
    let router = harbor.router(false);
    ground
        .server
        .add_service_backend(NAMESPACE, SERVICE, router);
    Ok(harbor)
}

/// Finds the commit that an image was built from: its tag in a repository of its name.
fn seed_image(git: &GitServer, image: &str) -> SeedImage {
    let mut seed = SeedImage {
        reference: image.to_owned(),
        ..SeedImage::default()
    };
    if let Some((repository, commit)) = built_from(git, image) {
        seed.source = Some(format!("{GIT_URL}/{repository}.git"));
        seed.revision = Some(commit.sha.as_str().to_owned());
        seed.pushed = Some(commit.date + TimeDelta::seconds(BUILD_SECONDS));
    }
    seed
}

/// Returns the repository and commit of an image whose tag is a release or a commit there.
fn built_from(git: &GitServer, image: &str) -> Option<(String, crate::sim::git::CommitInfo)> {
    let (name, tag) = image.rsplit_once(':')?;
    let short = name.rsplit('/').next()?;
    let mut candidates: Vec<String> = git
        .repositories()
        .into_iter()
        .filter(|repository| repository.rsplit('/').next() == Some(short))
        .collect();
    // The sources before the manifests.
    candidates.sort_by_key(|repository| repository.starts_with("platform/"));
    let revisions = [format!("v{tag}"), tag.to_owned()];
    candidates.into_iter().find_map(|repository| {
        let found = revisions
            .iter()
            .find_map(|one| git.resolve(&repository, one).ok())?;
        let commit = git.commit(&repository, &found).ok()?;
        Some((repository, commit))
    })
}

/// Returns the labels of an image that a pipeline builds now.
pub(super) fn labels(git: &GitServer, image: &str) -> BTreeMap<String, String> {
    let key = |name: &str| format!("org.opencontainers.image.{name}");
    let found = built_from(git, image);
    found.map_or_else(BTreeMap::new, |(repository, commit)| {
        BTreeMap::from([
            (key("source"), format!("{GIT_URL}/{repository}.git")),
            (key("revision"), commit.sha.as_str().to_owned()),
        ])
    })
}

fn secrets(harbor: &Harbor) -> Vec<Value> {
    let secret_of = |name: &str| harbor.robot_secret(name).unwrap_or_default();
    let robot = |short: &str| format!("{ROBOT_PREFIX}{short}");
    let (cockpit, kubelet, updater) = (robot("cockpit"), robot("kubelet"), robot("updater"));
    vec![
        json!({
            "apiVersion": "v1", "kind": "Secret", "type": "kubernetes.io/basic-auth",
            "metadata": {"name": "cockpit-robot", "namespace": NAMESPACE, "labels": {
                "app.kubernetes.io/part-of": "tiphys", "tiphys.dev/registry": "true",
            }},
            "stringData": {"username": cockpit, "password": secret_of(&cockpit)},
        }),
        docker_config(harbor.host(), "ci-robot", (CI, &secret_of(CI))),
        docker_config(
            harbor.host(),
            "kubelet-robot",
            (&kubelet, &secret_of(&kubelet)),
        ),
        docker_config(
            harbor.host(),
            "updater-robot",
            (&updater, &secret_of(&updater)),
        ),
    ]
}

fn docker_config(host: &str, name: &str, (user, password): (&str, &str)) -> Value {
    let auth = STANDARD.encode(format!("{user}:{password}"));
    let config = json!({"auths": {host: {"username": user, "password": password, "auth": auth}}});
    json!({
        "apiVersion": "v1", "kind": "Secret", "type": "kubernetes.io/dockerconfigjson",
        "metadata": {"name": name, "namespace": NAMESPACE},
        "stringData": {".dockerconfigjson": config.to_string()},
    })
}
