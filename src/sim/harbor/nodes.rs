//! How nodes pull and pipelines push: with a robot, and refused in the registry's words.

use super::access::Caller;
use super::error::Refusal;
use super::seed::base_packages;
use super::state::Bench;
use super::{Harbor, PoisonError, wire};
use crate::sim::kubelet::image::OwnRegistry;
use crate::sim::registry::error::OciError;
use crate::sim::registry::image::{self, Built, ImageShape, Package};
use crate::sim::registry::manifest::is_digest;
use crate::sim::registry::store::Artifact;
use crate::sim::registry::text::escape;
use crate::sim::registry::{Deed, Happening, Wish};
use chrono::TimeDelta;
use http::StatusCode;
use std::collections::BTreeMap;

/// The robots that nodes and pipelines use.
pub const KUBELET: &str = "robot$kubelet";
pub const CI: &str = "robot$ci";
/// What the nodes run.
const NODE: (&str, &str) = ("linux", "amd64");

/// Where an image of the registry is.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Reference {
    repository: String,
    /// A tag or a digest.
    reference: String,
}

impl Reference {
    /// Reads a whole reference of a host; a digest beside a tag counts.
    fn read(image: &str, host: &str) -> Option<Self> {
        let rest = image.strip_prefix(host)?.strip_prefix('/')?;
        let (name, digest) = match rest.split_once('@') {
            Some((name, digest)) => (name, Some(digest)),
            None => (rest, None),
        };
        let (repository, tag) = name.rsplit_once(':').unwrap_or((name, "latest"));
        Some(Self {
            repository: repository.to_owned(),
            reference: digest.unwrap_or(tag).to_owned(),
        })
    }
}

impl Harbor {
    /// Returns who a robot is without asking for its secret: nodes have what is current.
    fn robot(&self, name: &str) -> Result<Caller, String> {
        let secret = self.robot_secret(name);
        match self.account(name, &secret.unwrap_or_default()) {
            (caller, None) => Ok(caller),
            (_, Some(why)) => Err(why),
        }
    }

    /// Pulls like containerd; the error is what it says.
    fn pull_as(&self, image: &str, robot: &str) -> Result<(String, u64), String> {
        let not_found = || format!("failed to resolve reference \"{image}\": {image}: not found");
        let found = Reference::read(image, &self.0.host).ok_or_else(not_found)?;
        let Reference {
            repository,
            reference,
        } = &found;
        let caller = self.robot(robot).map_err(|why| {
            format!(
                "failed to resolve reference \"{image}\": failed to authorize: failed to fetch \
                 oauth token: unexpected status from GET request to \
                 https://{}/service/token?scope=repository%3A{}%3Apull&service=harbor-registry: \
                 401 Unauthorized: {why}",
                self.0.host,
                escape(repository)
            )
        })?;
        let refused = |error: OciError| {
            let kind = if is_digest(reference) {
                ""
            } else {
                "reference "
            };
            format!(
                "failed to resolve {kind}\"{image}\": unexpected status from HEAD request to \
                 https://{}/v2/{repository}/manifests/{reference}: {}: {}",
                self.0.host, error.status, error.message
            )
        };
        self.admit_caller(&caller, Wish::Pull(repository))
            .map_err(refused)?;
        self.with(|bench| {
            let artifact = bench.artifact(repository, reference).map_err(|_gone| not_found())?;
            let digest = artifact.manifest.digest.clone();
            let platform = platform(bench, (repository, artifact)).ok_or_else(|| {
                let (os, architecture) = NODE;
                format!(
                    "failed to resolve image: no match for platform in manifest: {os}/{architecture}: not found"
                )
            })?;
            bench
                .refuse_pull(repository, &platform.0)
                .map_err(|refusal| refused(OciError::from(refusal)))?;
            let now = bench.now;
            bench.store.note_pull(repository, reference, now);
            bench.on_happening(&Happening {
                deed: Deed::Pulled,
                repository: repository.clone(),
                digest: digest.clone(),
                reference: reference.clone(),
                by: caller.name().to_owned(),
            });
            Ok((digest, platform.1))
        })
    }

    /// Makes the image that a pipeline is about to push: what the newest one of the repository
    /// holds, with the labels of the commit.
    pub fn build(&self, image: &str, labels: BTreeMap<String, String>) -> Option<Built> {
        let found = Reference::read(image, &self.0.host)?;
        let now = self.now();
        let packages = self.with(|bench| newest_packages(bench, &found.repository));
        let name = format!("{}:{}", found.repository, found.reference);
        let mut shape = ImageShape::new(name, now);
        shape.packages = packages.unwrap_or_else(|| base_packages(TimeDelta::zero()));
        "ci@shop.example".clone_into(&mut shape.author);
        shape.claimed = 24 * 1024 * 1024;
        let title = found.repository.rsplit('/').next().unwrap_or_default();
        for (key, value) in [("version", found.reference.as_str()), ("title", title)] {
            shape
                .labels
                .insert(format!("org.opencontainers.image.{key}"), value.to_owned());
        }
        shape.labels.extend(labels);
        Some(image::image(&shape))
    }

    /// Pushes as a robot; the error is the line that a push fails with.
    pub fn push_as(&self, image: &str, built: &Built, robot: &str) -> Result<(), String> {
        let host = &self.0.host;
        let Some(found) = Reference::read(image, host) else {
            return Err(format!("error: {image} is no image of {host}"));
        };
        let Reference {
            repository,
            reference,
        } = found;
        let refused = |status: StatusCode, message: &str| {
            format!(
                "error: failed to push {image}: unexpected status from \
                 https://{host}/v2/{repository}/blobs/uploads/: {status}: {message}"
            )
        };
        let caller = self.robot(robot).map_err(|why| {
            let what =
                format!("unauthorized to access repository: {repository}, action: push: {why}");
            refused(StatusCode::UNAUTHORIZED, &what)
        })?;
        self.admit_caller(&caller, Wish::Push(&repository))
            .map_err(|error| refused(error.status, &error.message))?;
        let bytes: u64 = built.blobs.iter().map(|(_, blob)| blob.len() as u64).sum();
        let pushed = self.with(|bench| {
            bench.refuse_push(&repository, &reference, bytes)?;
            let now = bench.now;
            built
                .push(bench.store, &repository, &reference, now)
                .map_err(|refusal| Refusal::bad_request(format!("{refusal:?}")))?;
            bench.on_happening(&Happening {
                deed: Deed::Pushed,
                repository: repository.clone(),
                digest: built.digest().to_owned(),
                reference: reference.clone(),
                by: caller.name().to_owned(),
            });
            Ok(())
        });
        self.0.wake.notify_one();
        pushed.map_err(|refusal: Refusal| refused(refusal.status, &refusal.message))
    }
}

/// Returns digest and claimed size of what a node runs of an artifact.
fn platform(bench: &Bench<'_>, (name, artifact): (&str, &Artifact)) -> Option<(String, u64)> {
    let repository = bench.store.repository(name)?;
    let (os, architecture) = NODE;
    let fits = |image: &&Artifact| {
        let child = artifact.manifest.children.iter();
        let mut child = child.filter(|child| child.digest == image.manifest.digest);
        child.any(|child| {
            let own = child.platform.as_ref();
            own.is_some_and(|own| own["os"] == os && own["architecture"] == architecture)
        })
    };
    let image = if artifact.manifest.is_index() {
        repository.images(artifact).into_iter().find(fits)?
    } else {
        artifact
    };
    let layers = image.manifest.layers.iter();
    let claimed: u64 = layers
        .filter_map(|layer| {
            layer
                .annotations
                .get("tiphys.dev/claimed-size")?
                .parse::<u64>()
                .ok()
        })
        .sum();
    let size = image.manifest.size().max(claimed);
    Some((image.manifest.digest.clone(), size))
}

fn newest_packages(bench: &Bench<'_>, name: &str) -> Option<Vec<Package>> {
    let repository = bench.store.repository(name)?;
    let images = repository
        .artifacts
        .values()
        .filter(|one| wire::kind(one) == "IMAGE" && !one.manifest.is_index());
    let newest = images.max_by_key(|one| (one.pushed, one.id))?;
    let packages = bench.packages(newest);
    (!packages.is_empty()).then_some(packages)
}

impl OwnRegistry for Harbor {
    fn holds(&self, image: &str) -> bool {
        image
            .strip_prefix(&self.0.host)
            .is_some_and(|rest| rest.starts_with('/'))
    }

    fn pull(&self, image: &str) -> Result<(String, u64), String> {
        self.pull_as(image, KUBELET)
    }
}

impl Harbor {
    /// Returns the names of all robots with their secrets, for those who are to use them.
    pub fn robots(&self) -> Vec<(String, String)> {
        let state = self.0.state.read().unwrap_or_else(PoisonError::into_inner);
        let all = state.robots.values();
        all.map(|robot| (robot.name.clone(), robot.secret.clone()))
            .collect()
    }
}
