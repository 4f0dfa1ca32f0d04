//! The files that steps find and leave: in claims, from ConfigMaps and Secrets, as artifacts.
//!
//! Files are texts in memory, by their paths in the pod. They last as long as the platform.

use super::pod::PodRun;
use super::step::Cabinet;
use crate::sim::steps::PodNote;
use k8s_openapi::api::core::v1::{ConfigMap, KeyToPath, Pod, Secret, Volume};
use kube::{Api, Client};
use std::collections::BTreeMap;
use std::sync::{PoisonError, RwLock};

/// What outlives the pods that wrote it.
#[derive(Debug, Default)]
pub(super) struct Kept {
    /// By namespace and claim, and the path inside of the claim.
    claims: RwLock<BTreeMap<String, Cabinet>>,
    /// By namespace and key.
    artifacts: RwLock<BTreeMap<String, String>>,
}

fn namespace(pod: &Pod) -> &str {
    pod.metadata.namespace.as_deref().unwrap_or_default()
}

/// Returns the volumes of a pod, each with the folders that it is mounted at.
fn mounts(pod: &Pod) -> Vec<(&Volume, Vec<String>)> {
    let Some(spec) = &pod.spec else {
        return Vec::new();
    };
    let volumes = spec.volumes.iter().flatten();
    volumes
        .map(|volume| {
            let folders = spec
                .containers
                .iter()
                .flat_map(|container| container.volume_mounts.iter().flatten())
                .filter(|mount| mount.name == volume.name)
                .map(|mount| {
                    let below = mount.sub_path.as_deref().unwrap_or_default();
                    format!("{}|{below}", mount.mount_path.trim_end_matches('/'))
                });
            (volume, folders.collect())
        })
        .collect()
}

/// Splits a mount into where it is in the pod and what it is in the volume.
fn split(mount: &str) -> (&str, &str) {
    mount.split_once('|').unwrap_or((mount, ""))
}

fn claim_key(pod: &Pod, volume: &Volume) -> Option<String> {
    let claim = &volume.persistent_volume_claim.as_ref()?.claim_name;
    Some(format!("{}/{claim}", namespace(pod)))
}

fn inside(path: &str, below: &str) -> String {
    let below = below.trim_matches('/');
    if below.is_empty() {
        path.to_owned()
    } else {
        format!("/{below}{path}")
    }
}

impl Kept {
    /// Returns the files that the steps of a pod find when it starts.
    pub(super) async fn found_by(&self, client: &Client, pod: &Pod, note: &PodNote) -> Cabinet {
        let mut files = Cabinet::new();
        for (volume, mounts) in mounts(pod) {
            let texts = match claim_key(pod, volume) {
                Some(key) => {
                    let claims = self.claims.read().unwrap_or_else(PoisonError::into_inner);
                    claims.get(&key).cloned().unwrap_or_default()
                }
                None => fixed(client, namespace(pod), volume).await,
            };
            for mount in &mounts {
                let (folder, below) = split(mount);
                files.insert(format!("{folder}/"), String::new());
                let prefix = inside("", below);
                for (path, text) in &texts {
                    if let Some(rest) = path.strip_prefix(&prefix) {
                        files.insert(format!("{folder}{rest}"), text.clone());
                    }
                }
            }
        }
        let artifacts = self
            .artifacts
            .read()
            .unwrap_or_else(PoisonError::into_inner);
        for step in note.steps.values() {
            files.extend(step.files.clone());
            for (path, key) in &step.artifacts_in {
                let kept = artifacts.get(&format!("{}/{key}", namespace(pod)));
                files.insert(path.clone(), kept.cloned().unwrap_or_default());
            }
        }
        files
    }

    /// Keeps what the steps of a pod have left so far.
    pub(super) fn keep(&self, pod: &Pod, run: &PodRun) {
        for (volume, mounts) in mounts(pod) {
            let Some(key) = claim_key(pod, volume) else {
                continue;
            };
            let mut claims = self.claims.write().unwrap_or_else(PoisonError::into_inner);
            let claim = claims.entry(key).or_default();
            for mount in &mounts {
                let (folder, below) = split(mount);
                for step in run
                    .main
                    .iter()
                    .filter_map(|container| container.step.as_ref())
                {
                    for path in &step.behaviour.removed {
                        if let Some(rest) = path.strip_prefix(folder) {
                            claim.remove(&inside(rest, below));
                        }
                    }
                }
                for (path, text) in &run.files {
                    if let Some(rest) = path.strip_prefix(folder).filter(|rest| rest.len() > 1) {
                        claim.insert(inside(rest, below), text.clone());
                    }
                }
            }
        }
        let Some(note) = &run.note else { return };
        let mut artifacts = self
            .artifacts
            .write()
            .unwrap_or_else(PoisonError::into_inner);
        for step in note.steps.values() {
            for (path, key) in &step.artifacts_out {
                if let Some(text) = run.files.get(path) {
                    artifacts.insert(format!("{}/{key}", namespace(pod)), text.clone());
                }
            }
        }
    }
}

/// Returns the files of a volume that an object of the cluster fills.
async fn fixed(client: &Client, namespace: &str, volume: &Volume) -> Cabinet {
    // What cannot be read holds up the pod as a missing reference; here it is just not there.
    if let Some(source) = &volume.config_map {
        let api: Api<ConfigMap> = Api::namespaced(client.clone(), namespace);
        let found = api.get_opt(&source.name).await.ok().flatten();
        let data = found.and_then(|found| found.data).unwrap_or_default();
        return named(data, source.items.as_deref());
    }
    if let Some(source) = &volume.secret {
        let api: Api<Secret> = Api::namespaced(client.clone(), namespace);
        let name = source.secret_name.as_deref().unwrap_or_default();
        let found = api.get_opt(name).await.ok().flatten();
        let data = found.and_then(|found| found.data).unwrap_or_default();
        let texts = data
            .into_iter()
            .map(|(key, value)| (key, String::from_utf8_lossy(&value.0).into_owned()));
        return named(texts.collect(), source.items.as_deref());
    }
    Cabinet::new()
}

fn named(data: BTreeMap<String, String>, items: Option<&[KeyToPath]>) -> Cabinet {
    match items {
        None => data
            .into_iter()
            .map(|(key, text)| (format!("/{key}"), text))
            .collect(),
        Some(items) => items
            .iter()
            .filter_map(|item| Some((format!("/{}", item.path), data.get(&item.key)?.clone())))
            .collect(),
    }
}
