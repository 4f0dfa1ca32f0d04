//! The ConfigMaps and Secrets a pod refers to, and which of them are missing.
//!
//! They are asked for when a container is about to be created, not watched: a platform with
//! thousands of them should not keep them all in memory for that.

use crate::sim::controllers::runtime::ReconcileError;
use k8s_openapi::api::core::v1::{ConfigMap, Container, Pod, Secret};
use kube::{Api, Client};
use std::collections::{BTreeMap, BTreeSet, HashMap};

#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Source {
    ConfigMap(String),
    Secret(String),
}

impl Source {
    fn missing(&self) -> String {
        match self {
            Self::ConfigMap(name) => format!("configmap \"{name}\" not found"),
            Self::Secret(name) => format!("secret \"{name}\" not found"),
        }
    }

    fn missing_key(&self, key: &str, namespace: &str) -> String {
        match self {
            Self::ConfigMap(name) => {
                format!("couldn't find key {key} in ConfigMap {namespace}/{name}")
            }
            Self::Secret(name) => format!("couldn't find key {key} in Secret {namespace}/{name}"),
        }
    }
}

#[derive(Clone, Debug, PartialEq, Eq)]
struct Wanted {
    source: Source,
    key: Option<String>,
}

/// What is missing for a pod.
#[derive(Debug, Default)]
pub(super) struct Missing {
    /// By container: why it cannot be created.
    pub(super) containers: HashMap<String, String>,
    /// Why a volume cannot be mounted.
    pub(super) mount: Option<String>,
}

/// Asks the API server for everything the pod refers to.
pub(super) async fn missing(client: &Client, pod: &Pod) -> Result<Missing, ReconcileError> {
    let namespace = pod.metadata.namespace.as_deref().unwrap_or_default();
    let volumes = wanted_by_volumes(pod);
    let spec = pod.spec.as_ref();
    let containers: Vec<(&str, Vec<Wanted>)> = spec
        .into_iter()
        .flat_map(|spec| {
            spec.containers
                .iter()
                .chain(spec.init_containers.iter().flatten())
        })
        .map(|container| (container.name.as_str(), wanted_by(container)))
        .collect();
    let sources: BTreeSet<&Source> = volumes
        .iter()
        .map(|(_, wanted)| &wanted.source)
        .chain(
            containers
                .iter()
                .flat_map(|(_, list)| list.iter().map(|wanted| &wanted.source)),
        )
        .collect();
    let mut found = BTreeMap::new();
    for source in sources {
        if let Some(keys) = keys_of(client, namespace, source).await? {
            found.insert(source.clone(), keys);
        }
    }
    let lacking = |wanted: &Wanted| match (found.get(&wanted.source), &wanted.key) {
        (None, _) => Some(wanted.source.missing()),
        (Some(keys), Some(key)) if !keys.contains(key) => {
            Some(wanted.source.missing_key(key, namespace))
        }
        (Some(_), _) => None,
    };
    Ok(Missing {
        containers: containers
            .iter()
            .filter_map(|(name, list)| Some(((*name).to_owned(), list.iter().find_map(lacking)?)))
            .collect(),
        mount: volumes.iter().find_map(|(volume, wanted)| {
            let why = lacking(wanted)?;
            Some(format!(
                "MountVolume.SetUp failed for volume \"{volume}\" : {why}"
            ))
        }),
    })
}

async fn keys_of(
    client: &Client,
    namespace: &str,
    source: &Source,
) -> Result<Option<BTreeSet<String>>, ReconcileError> {
    let failed = |error| ReconcileError::api(format!("read {source:?} in `{namespace}`"), error);
    Ok(match source {
        Source::ConfigMap(name) => Api::<ConfigMap>::namespaced(client.clone(), namespace)
            .get_opt(name)
            .await
            .map_err(failed)?
            .map(|map| {
                let text = map.data.into_iter().flatten().map(|(key, _)| key);
                let binary = map.binary_data.into_iter().flatten().map(|(key, _)| key);
                text.chain(binary).collect()
            }),
        Source::Secret(name) => Api::<Secret>::namespaced(client.clone(), namespace)
            .get_opt(name)
            .await
            .map_err(failed)?
            .map(|secret| {
                secret
                    .data
                    .into_iter()
                    .flatten()
                    .map(|(key, _)| key)
                    .collect()
            }),
    })
}

fn wanted_by(container: &Container) -> Vec<Wanted> {
    let mut wanted = Vec::new();
    for from in container.env_from.iter().flatten() {
        if let Some(map) = from
            .config_map_ref
            .as_ref()
            .filter(|one| one.optional != Some(true))
        {
            wanted.push(Wanted {
                source: Source::ConfigMap(map.name.clone()),
                key: None,
            });
        }
        if let Some(secret) = from
            .secret_ref
            .as_ref()
            .filter(|one| one.optional != Some(true))
        {
            wanted.push(Wanted {
                source: Source::Secret(secret.name.clone()),
                key: None,
            });
        }
    }
    for from in container
        .env
        .iter()
        .flatten()
        .filter_map(|env| env.value_from.as_ref())
    {
        if let Some(map) = from
            .config_map_key_ref
            .as_ref()
            .filter(|one| one.optional != Some(true))
        {
            wanted.push(Wanted {
                source: Source::ConfigMap(map.name.clone()),
                key: Some(map.key.clone()),
            });
        }
        if let Some(secret) = from
            .secret_key_ref
            .as_ref()
            .filter(|one| one.optional != Some(true))
        {
            wanted.push(Wanted {
                source: Source::Secret(secret.name.clone()),
                key: Some(secret.key.clone()),
            });
        }
    }
    wanted
}

fn wanted_by_volumes(pod: &Pod) -> Vec<(&str, Wanted)> {
    let mut wanted = Vec::new();
    let volumes = pod
        .spec
        .iter()
        .flat_map(|spec| spec.volumes.iter().flatten());
    for volume in volumes {
        if let Some(map) = volume
            .config_map
            .as_ref()
            .filter(|one| one.optional != Some(true))
        {
            let source = Source::ConfigMap(map.name.clone());
            wanted.push((volume.name.as_str(), Wanted { source, key: None }));
        }
        if let Some(secret) = volume
            .secret
            .as_ref()
            .filter(|one| one.optional != Some(true))
            && let Some(name) = &secret.secret_name
        {
            let source = Source::Secret(name.clone());
            wanted.push((volume.name.as_str(), Wanted { source, key: None }));
        }
    }
    wanted
}
