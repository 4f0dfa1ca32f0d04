//! What registries say of tags, asked as any client asks: OCI distribution with a token.
//!
//! Which address and account a registry has says `registries.conf` in the ConfigMap
//! `argocd-image-updater-config`, in upstream's format; a host that is not in it is asked by its name.
//! Credentials are `pullsecret:NAMESPACE/NAME` or `secret:NAMESPACE/NAME#KEY`.

use crate::api::convert::oci::{self, Challenge, Manifest};
use crate::api::yaml;
use crate::domain::image::Reference;
use crate::domain::image_update::{ImageRule, Policy, TagFact};
use crate::domain::object::Text;
use crate::sim::network::Network;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use chrono::{DateTime, Utc};
use http::{Request, Response, StatusCode, header};
use k8s_openapi::api::core::v1::{ConfigMap, Secret};
use kube::api::Api;
use serde::Deserialize;
use serde_json::Value;
use std::collections::HashMap;
use std::time::Duration;
use tokio::sync::Mutex;

const CONFIG: &str = "argocd-image-updater-config";
/// Upstream's default of `--interval`.
const INTERVAL: Duration = Duration::from_secs(120);
const PAGES: usize = 200;
/// How many contents are remembered.
const KEPT: usize = 2_000;
const ACCEPT: &str = "application/vnd.oci.image.index.v1+json, application/vnd.oci.image.manifest.v1+json, application/vnd.docker.distribution.manifest.list.v2+json, application/vnd.docker.distribution.manifest.v2+json";

/// What the ConfigMap says.
#[derive(Debug)]
pub(super) struct Settings {
    pub(super) interval: Duration,
    registries: Vec<Place>,
}

/// One of `registries`.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
struct Place {
    prefix: String,
    api_url: String,
    credentials: String,
    default: bool,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Places {
    registries: Vec<Place>,
}

/// When a content was built, and for what.
type Built = (Option<DateTime<Utc>>, Vec<Text>);

/// Asks registries.
pub(super) struct Registries {
    network: Network,
    client: kube::Client,
    /// By digest: content never changes.
    built: Mutex<HashMap<String, Built>>,
}

/// A repository, and who asks for it.
struct Asked {
    host: Text,
    url: String,
    repository: Text,
    /// `user:password` in base64; empty for nobody.
    account: String,
    token: Mutex<String>,
}

impl std::fmt::Debug for Registries {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Registries").finish_non_exhaustive()
    }
}

impl Registries {
    pub(super) fn new(network: Network, client: kube::Client) -> Self {
        Self {
            network,
            client,
            built: Mutex::default(),
        }
    }

    /// Reads the ConfigMap in the namespace of an ImageUpdater.
    pub(super) async fn settings(&self, namespace: &str) -> Settings {
        let maps: Api<ConfigMap> = Api::namespaced(self.client.clone(), namespace);
        let data = match maps.get_opt(CONFIG).await {
            Ok(found) => found.and_then(|map| map.data).unwrap_or_default(),
            Err(error) => {
                tracing::warn!("cannot read `{CONFIG}`: {error}");
                return Settings {
                    interval: INTERVAL,
                    registries: Vec::new(),
                };
            }
        };
        let interval = data
            .get("interval")
            .and_then(|text| crate::domain::duration::parse_duration(text)?.to_std().ok());
        let places = data.get("registries.conf").map_or("", String::as_str);
        let places: Places = yaml::from_str(places).unwrap_or_default();
        Settings {
            interval: interval.unwrap_or(INTERVAL),
            registries: places.registries,
        }
    }

    /// Returns the tags of an image, with what its strategy needs to know of them.
    pub(super) async fn tags(
        &self,
        settings: &Settings,
        rule: &ImageRule,
    ) -> Result<Vec<TagFact>, String> {
        let reference =
            Reference::parse(&rule.image).ok_or_else(|| format!("`{}` is no image", rule.image))?;
        let asked = self.asked(settings, &reference, &rule.pull_secret).await?;
        let names = self.names(&asked).await?;
        let mut facts = Vec::with_capacity(names.len());
        for name in names {
            let mut fact = TagFact {
                name,
                ..TagFact::default()
            };
            if wants_metadata(&rule.policy, &fact.name) {
                self.look_into(&asked, &rule.policy, &mut fact).await?;
            }
            facts.push(fact);
        }
        Ok(facts)
    }

    async fn asked(
        &self,
        settings: &Settings,
        reference: &Reference,
        secret: &str,
    ) -> Result<Asked, String> {
        let host = &reference.host;
        let known = settings.registries.iter();
        let place = known.clone().find(|one| one.prefix == **host).or_else(|| {
            known
                .clone()
                .find(|one| one.default && **host == *"docker.io")
        });
        let url = match place {
            Some(place) if !place.api_url.is_empty() => place.api_url.clone(),
            Some(_) | None if **host == *"docker.io" => {
                String::from("https://registry-1.docker.io")
            }
            Some(_) | None => format!("https://{host}"),
        };
        let secret = match place {
            Some(place) if secret.is_empty() => place.credentials.as_str(),
            Some(_) | None => secret,
        };
        let account = if secret.is_empty() {
            String::new()
        } else {
            self.account(secret, host).await?
        };
        Ok(Asked {
            host: Text::clone(host),
            url: url.trim_end_matches('/').to_owned(),
            repository: Text::clone(&reference.repository),
            account,
            token: Mutex::default(),
        })
    }

    /// Reads an account from a Secret.
    async fn account(&self, from: &str, host: &str) -> Result<String, String> {
        let unknown = || format!("credentials `{from}` are of no kind that is known here");
        let (kind, place) = from.split_once(':').ok_or_else(unknown)?;
        let (place, key) = place.split_once('#').unwrap_or((place, "creds"));
        let (namespace, name) = place.split_once('/').ok_or_else(unknown)?;
        let secrets: Api<Secret> = Api::namespaced(self.client.clone(), namespace);
        let found = secrets
            .get_opt(name)
            .await
            .map_err(|error| error.to_string())?;
        let data = found
            .and_then(|secret| secret.data)
            .ok_or_else(|| format!("there is no Secret `{place}`"))?;
        let value = |key: &str| {
            let bytes = data.get(key).map(|value| value.0.clone());
            bytes.ok_or_else(|| format!("Secret `{place}` has no `{key}`"))
        };
        match kind {
            "secret" => Ok(STANDARD.encode(value(key)?)),
            "pullsecret" => {
                let config: Value = serde_json::from_slice(&value(".dockerconfigjson")?)
                    .map_err(|error| format!("Secret `{place}` is not JSON: {error}"))?;
                let auth = config["auths"][host]["auth"].as_str();
                let auth =
                    auth.ok_or_else(|| format!("Secret `{place}` has nothing for `{host}`"))?;
                Ok(auth.to_owned())
            }
            _ => Err(unknown()),
        }
    }

    /// Lists the names of tags, page by page.
    async fn names(&self, asked: &Asked) -> Result<Vec<Text>, String> {
        let mut names = Vec::new();
        let mut path = format!("/v2/{}/tags/list?n=1000", asked.repository);
        for _ in 0..PAGES {
            let answer = self.get(asked, &path, "application/json").await?;
            let value: Value = serde_json::from_slice(answer.body())
                .map_err(|error| format!("`{}` does not answer in JSON: {error}", asked.host))?;
            names.extend(oci::tags(&value));
            let link = answer.headers().get(header::LINK);
            let next = link.and_then(|link| oci::next_page(link.to_str().ok()?));
            match next {
                Some(next) => path = next.trim_start_matches(&asked.url).to_owned(),
                None => break,
            }
        }
        Ok(names)
    }

    /// Reads the digest of a tag, when it was built, and for which platforms.
    async fn look_into(
        &self,
        asked: &Asked,
        policy: &Policy,
        fact: &mut TagFact,
    ) -> Result<(), String> {
        let path = format!("/v2/{}/manifests/{}", asked.repository, fact.name);
        let answer = self.get(asked, &path, ACCEPT).await?;
        let digest = answer.headers().get("docker-content-digest");
        let digest = digest
            .and_then(|digest| digest.to_str().ok())
            .unwrap_or_default()
            .to_owned();
        fact.digest = (!digest.is_empty()).then(|| digest.as_str().into());
        let known = self.built.lock().await.get(&digest).cloned();
        let (built, platforms) = match known {
            Some(known) => known,
            None => {
                let found = self.built_of(asked, policy, answer.body()).await?;
                let mut kept = self.built.lock().await;
                if kept.len() >= KEPT {
                    kept.clear();
                }
                kept.insert(digest, found.clone());
                found
            }
        };
        fact.built = built;
        fact.platforms = platforms;
        Ok(())
    }

    async fn built_of(&self, asked: &Asked, policy: &Policy, body: &[u8]) -> Result<Built, String> {
        let wrong = |why: String| format!("`{}`: {why}", asked.host);
        let (platforms, config) = match oci::manifest(body).map_err(wrong)? {
            Manifest::Image { config, .. } => (Vec::new(), Some(config.digest)),
            Manifest::Index(platforms) => {
                let names: Vec<Text> = platforms.iter().map(|one| Text::clone(&one.name)).collect();
                let fitting = platforms
                    .iter()
                    .find(|one| policy.suits(&[Text::clone(&one.name)]));
                let Some(one) = fitting.or(platforms.first()) else {
                    return Ok((None, names));
                };
                let path = format!("/v2/{}/manifests/{}", asked.repository, one.digest);
                let answer = self.get(asked, &path, ACCEPT).await?;
                match oci::manifest(answer.body()).map_err(wrong)? {
                    Manifest::Image { config, .. } => (names, Some(config.digest)),
                    Manifest::Index(_) => (names, None),
                }
            }
        };
        let Some(config) = config else {
            return Ok((None, platforms));
        };
        let path = format!("/v2/{}/blobs/{config}", asked.repository);
        let answer = self.get(asked, &path, "*/*").await?;
        let read = oci::config(answer.body(), &[]).unwrap_or_default();
        let platforms = if platforms.is_empty() && !read.platform.is_empty() {
            vec![read.platform]
        } else {
            platforms
        };
        Ok((read.created, platforms))
    }

    /// Gets something, with a token where one is asked for.
    async fn get(
        &self,
        asked: &Asked,
        path: &str,
        accept: &str,
    ) -> Result<Response<Bytes>, String> {
        let url = format!("{}{path}", asked.url);
        let token = asked.token.lock().await.clone();
        let answer = self.send(asked, &url, (accept, &token)).await?;
        if answer.status() != StatusCode::UNAUTHORIZED {
            return judged(asked, answer);
        }
        let wish = answer.headers().get(header::WWW_AUTHENTICATE);
        let authorization = match wish.and_then(|wish| oci::challenge(wish.to_str().ok()?)) {
            Some(Challenge::Basic) if !asked.account.is_empty() => {
                format!("Basic {}", asked.account)
            }
            Some(Challenge::Bearer {
                realm,
                service,
                scope,
                ..
            }) => {
                let url = format!("{realm}?service={service}&scope={scope}");
                let account = if asked.account.is_empty() {
                    String::new()
                } else {
                    format!("Basic {}", asked.account)
                };
                let answer = judged(
                    asked,
                    self.send(asked, &url, ("application/json", &account))
                        .await?,
                )?;
                let value: Value = serde_json::from_slice(answer.body()).unwrap_or_default();
                let token = oci::token(&value);
                let token = token.ok_or_else(|| format!("`{}` gives no token", asked.host))?;
                format!("Bearer {}", token.token)
            }
            Some(Challenge::Basic) | None => return judged(asked, answer),
        };
        asked.token.lock().await.clone_from(&authorization);
        judged(
            asked,
            self.send(asked, &url, (accept, &authorization)).await?,
        )
    }

    async fn send(
        &self,
        asked: &Asked,
        url: &str,
        (accept, authorization): (&str, &str),
    ) -> Result<Response<Bytes>, String> {
        let mut request = Request::get(url)
            .header(header::ACCEPT, accept)
            .header(header::USER_AGENT, "argocd-image-updater");
        if !authorization.is_empty() {
            request = request.header(header::AUTHORIZATION, authorization);
        }
        let wrong = |why: String| format!("`{}` cannot be asked: {why}", asked.host);
        let request = request
            .body(Bytes::new())
            .map_err(|error| wrong(error.to_string()))?;
        let answer = self.network.send(request).await;
        answer.map_err(|error| wrong(error.to_string()))
    }
}

/// Returns whether more than the name of a tag is wanted.
fn wants_metadata(policy: &Policy, tag: &str) -> bool {
    use crate::domain::image_update::Strategy;
    let considered = policy.allow.matches(tag) && policy.ignored_by(tag).is_none();
    let followed = policy.strategy != Strategy::Digest || *tag == *policy.constraint;
    policy.strategy.needs_metadata() && considered && followed
}

/// An answer that is no success is a sentence: who says what.
fn judged(asked: &Asked, answer: Response<Bytes>) -> Result<Response<Bytes>, String> {
    let status = answer.status();
    if status.is_success() {
        return Ok(answer);
    }
    let body: Value = serde_json::from_slice(answer.body()).unwrap_or_default();
    let said = body["errors"][0]["message"].as_str().unwrap_or_default();
    let code = status.as_u16();
    Err(match (code, said) {
        (404, _) => format!("`{}` has no repository `{}`", asked.host, asked.repository),
        (_, "") => format!("registry `{}` says {code}", asked.host),
        (_, said) => format!("registry `{}` says {code}: {said}", asked.host),
    })
}
