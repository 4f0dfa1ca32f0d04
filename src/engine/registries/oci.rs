//! The OCI distribution API: tokens, digests, manifests, tags and referrers. Never the catalog.
//!
//! A token is fetched for one repository and used for four fifths of the time that it is good,
//! measured by our own timer: the registry's clock may be wrong. Who pulls is told by nobody but the
//! registry, so a challenge is answered once, and a second 401 is final.

use super::registry::{Kind, Registry, Trouble};
use super::route::{Asked, Reply};
use crate::api::convert::oci::{
    Challenge, Config, MANIFESTS, Manifest, Token, challenge, config, manifest, next_page,
    referrers, tags, token,
};
use crate::domain::image::{Accessory, DOCKER_HUB, Digest};
use crate::domain::object::Text;
use crate::engine::session::Session;
use crate::engine::transport::segment;
use bytes::Bytes;
use http::{HeaderValue, Method};
use sha2::{Digest as _, Sha256};
use std::time::Duration;
use tokio::time::Instant;

/// How many pages of tags are read: ten thousand tags, a hundred a page.
const PAGES: usize = 100;
/// How many tags a page is asked to hold; registries may send more, or fewer.
const PAGE: usize = 1_000;
/// The longest list of tags that is kept.
const TAGS: usize = 50_000;

/// What is behind a tag or digest, with the bytes it came as.
#[derive(Clone, Debug)]
pub(super) struct Resolved {
    pub(super) digest: Digest,
    pub(super) media_type: String,
    pub(super) bytes: Bytes,
    pub(super) manifest: Manifest,
}

/// What a repository is wanted for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Want<'w> {
    Pull,
    Push,
    /// Push what another repository has.
    Mount {
        from: &'w str,
    },
}

impl Want<'_> {
    /// Returns what a token is asked for; several scopes are parted by a blank.
    fn scope(self, repository: &str) -> String {
        match self {
            Self::Pull => format!("repository:{repository}:pull"),
            Self::Push => format!("repository:{repository}:pull,push"),
            Self::Mount { from } => {
                format!("repository:{repository}:pull,push repository:{from}:pull")
            }
        }
    }
}

impl Registry {
    /// Asks about a repository; a challenge is answered once.
    pub(super) async fn v2(
        &self,
        session: &Session,
        (repository, want): (&str, Want<'_>),
        asked: Asked,
    ) -> Result<Reply, Trouble> {
        let scope = want.scope(repository);
        let known = self.known_token(&scope).await;
        let reply = self
            .exchange(session, asked.clone().authorised(known))
            .await?;
        if reply.code != 401 {
            return Ok(reply);
        }
        let login = match challenge(reply.header("www-authenticate")) {
            Some(Challenge::Basic) => self.account.basic(),
            Some(Challenge::Bearer { realm, service, .. }) => Some(
                self.fetch_token(session, (&realm, &service), &scope)
                    .await?,
            ),
            None => None,
        };
        let Some(login) = login else {
            return Ok(reply);
        };
        let reply = self
            .exchange(session, asked.authorised(Some(login.clone())))
            .await?;
        let mut tokens = self.tokens.lock().await;
        if reply.code == 401 {
            tokens.remove(&scope);
        } else {
            // Basic logins are good as long as the account is.
            let until = Instant::now() + Duration::from_secs(600);
            tokens.entry(scope).or_insert((login, until));
        }
        drop(tokens);
        Ok(reply)
    }

    async fn known_token(&self, scope: &str) -> Option<HeaderValue> {
        let tokens = self.tokens.lock().await;
        let (value, until) = tokens.get(scope)?;
        (*until > Instant::now()).then(|| value.clone())
    }

    async fn fetch_token(
        &self,
        session: &Session,
        (realm, service): (&str, &str),
        scope: &str,
    ) -> Result<HeaderValue, Trouble> {
        let mark = if realm.contains('?') { '&' } else { '?' };
        let scopes = scope
            .split(' ')
            .map(|one| format!("&scope={}", segment(one)));
        let scopes: String = scopes.collect();
        let query = format!("{mark}service={}{scopes}", segment(service));
        let asked = Asked::get(String::new()).accept("application/json");
        let mut asked = asked.authorised(self.account.basic());
        let reply = if let Some(path) = self.own_path(realm) {
            asked.path = format!("{path}{query}");
            self.exchange(session, asked).await?
        } else {
            // Another server hands the tokens out: `auth.docker.io` for `registry-1.docker.io`.
            let route = super::route::Route::url(realm, &crate::domain::servers::Login::default());
            let route = route.map_err(|fault| self.token_trouble(&fault.to_string()))?;
            asked.path = query;
            let sent = route.send(session, asked).await;
            sent.map_err(|fault| self.token_trouble(&fault.to_string()))?
        };
        if !reply.is_good() {
            return Err(self.trouble_of(&reply).doing("get a token"));
        }
        let read = serde_json::from_slice(&reply.body).ok();
        let read: Option<Token> = read.as_ref().and_then(token);
        let read = read.ok_or_else(|| self.token_trouble("the answer holds no token"))?;
        let mut value = HeaderValue::from_str(&format!("Bearer {}", read.token))
            .map_err(|_odd| self.token_trouble("the token cannot be sent"))?;
        value.set_sensitive(true);
        let good_for = Duration::from_secs(read.expires_in.min(3_600)).mul_f64(0.8);
        let until = Instant::now() + good_for;
        let mut tokens = self.tokens.lock().await;
        tokens.insert(scope.to_owned(), (value.clone(), until));
        Ok(value)
    }

    fn token_trouble(&self, what: &str) -> Trouble {
        let sentence = format!("`{}`: no token was given: {what}", self.host);
        Trouble::new(
            Kind::Passing,
            sentence,
            "is its token server reachable from here?",
        )
    }

    /// Returns the path of an address that is on this registry itself. Behind a proxy it calls
    /// itself by its outer name.
    fn own_path(&self, realm: &str) -> Option<String> {
        let (_, rest) = realm.split_once("://")?;
        let (host, path) = rest.split_once('/').unwrap_or((rest, ""));
        let external = self.info.external.split("://").last().unwrap_or_default();
        let external = external.trim_end_matches('/');
        let own = match &self.route {
            super::route::Route::Url { base, .. } => base.split("://").last().unwrap_or_default(),
            super::route::Route::Proxy { .. } => "",
        };
        let is_own = [own, external, &*self.host].contains(&host);
        (is_own || self.route.is_proxy()).then(|| format!("/{path}"))
    }

    /// Like [`Registry::v2`]; anything but success is trouble.
    pub(super) async fn v2_good(
        &self,
        session: &Session,
        place: (&str, Want<'_>),
        asked: Asked,
    ) -> Result<Reply, Trouble> {
        let outcome = match self.v2(session, place, asked).await {
            Ok(reply) if reply.is_good() => Ok(reply),
            Ok(reply) => Err(self.trouble_of(&reply)),
            Err(trouble) => Err(trouble),
        };
        self.book(session, outcome).await
    }

    /// Returns the path below which a repository is; Docker Hub's own name for the host differs.
    fn v2_path(repository: &str, rest: &str) -> String {
        format!("/v2/{repository}/{rest}")
    }

    /// Finds out what a tag names now, as cheaply as it can be; `None` when there is no such tag.
    pub(super) async fn digest_of(
        &self,
        session: &Session,
        repository: &str,
        reference: &str,
    ) -> Result<Option<Digest>, Trouble> {
        let path = Self::v2_path(repository, &format!("manifests/{reference}"));
        let asked = Asked::new(Method::HEAD, path).accept(MANIFESTS);
        let reply = self.v2_good(session, (repository, Want::Pull), asked).await;
        let reply = match reply {
            Ok(reply) => reply,
            Err(trouble) if trouble.kind == Kind::Absent => return Ok(None),
            Err(trouble) => {
                return Err(trouble.doing(&format!("look up `{repository}:{reference}`")));
            }
        };
        match Digest::parse(reply.header("docker-content-digest")) {
            Some(digest) => Ok(Some(digest)),
            None => Ok(self
                .resolve(session, repository, reference)
                .await?
                .map(|one| one.digest)),
        }
    }

    /// Reads a manifest; `None` when it is not there. The digest is that of the very bytes.
    pub(super) async fn resolve(
        &self,
        session: &Session,
        repository: &str,
        reference: &str,
    ) -> Result<Option<Resolved>, Trouble> {
        let doing = format!("read the manifest of `{repository}@{reference}`");
        let path = Self::v2_path(repository, &format!("manifests/{reference}"));
        let asked = Asked::get(path).accept(MANIFESTS);
        let reply = match self.v2_good(session, (repository, Want::Pull), asked).await {
            Ok(reply) => reply,
            Err(trouble) if trouble.kind == Kind::Absent => return Ok(None),
            Err(trouble) => return Err(trouble.doing(&doing)),
        };
        let digest = sha256(&reply.body);
        if let Some(wanted) = Digest::parse(reference)
            && wanted.text().starts_with("sha256:")
            && wanted != digest
        {
            let sentence = format!("`{}` sent other bytes than `{reference}` names", self.host);
            return Err(Trouble::new(
                Kind::Passing,
                sentence,
                "is there a cache or a proxy before it?",
            ));
        }
        let read = manifest(&reply.body).map_err(|problem| {
            let sentence = format!("`{}`: {problem}", self.host);
            Trouble::new(Kind::Passing, sentence, "is this a registry?").doing(&doing)
        })?;
        Ok(Some(Resolved {
            digest,
            media_type: reply.header("content-type").to_owned(),
            bytes: reply.body,
            manifest: read,
        }))
    }

    /// Reads an image's configuration.
    pub(super) async fn config(
        &self,
        session: &Session,
        repository: &str,
        (digest, sizes): (&Digest, &[u64]),
    ) -> Result<Option<Config>, Trouble> {
        let path = Self::v2_path(repository, &format!("blobs/{digest}"));
        let reply = self
            .v2_good(session, (repository, Want::Pull), Asked::get(path))
            .await;
        match reply {
            Ok(reply) => Ok(config(&reply.body, sizes)),
            Err(trouble) if trouble.kind == Kind::Absent => Ok(None),
            Err(trouble) => Err(trouble.doing("read the image's configuration")),
        }
    }

    /// Reads all tags of a repository, whichever way the registry pages. Their order means nothing.
    pub(super) async fn tags(
        &self,
        session: &Session,
        repository: &str,
    ) -> Result<Vec<Text>, Trouble> {
        let mut next = Some(Self::v2_path(repository, &format!("tags/list?n={PAGE}")));
        let mut found: Vec<Text> = Vec::new();
        let mut seen = std::collections::HashSet::new();
        for _ in 0..PAGES {
            let Some(path) = next.take() else { break };
            if !seen.insert(path.clone()) {
                break;
            }
            let asked = Asked::get(path).accept("application/json");
            let reply = match self.v2_good(session, (repository, Want::Pull), asked).await {
                Ok(reply) => reply,
                Err(trouble) if trouble.kind == Kind::Absent => break,
                Err(trouble) => return Err(trouble.doing(&format!("list tags of `{repository}`"))),
            };
            let value = serde_json::from_slice(&reply.body).unwrap_or_default();
            found.extend(tags(&value));
            next = next_page(reply.header("link")).map(|link| self.route.path_of(&link));
            if found.len() >= TAGS {
                break;
            }
        }
        found.sort_by(|a, b| crate::domain::image::tag::newest_first(a, b));
        found.dedup();
        Ok(found)
    }

    /// Reads what names a manifest as its subject: by the API, else under the tag that stands in for
    /// it, else under cosign's own.
    pub(super) async fn referrers(
        &self,
        session: &Session,
        repository: &str,
        digest: &Digest,
    ) -> Result<Vec<Accessory>, Trouble> {
        let path = Self::v2_path(repository, &format!("referrers/{digest}"));
        let asked = Asked::get(path).accept("application/vnd.oci.image.index.v1+json");
        let reply = self.v2(session, (repository, Want::Pull), asked).await?;
        if reply.is_good() {
            let value = serde_json::from_slice(&reply.body).unwrap_or_default();
            return Ok(referrers(&value));
        }
        let stem = digest.text().replace(':', "-");
        if let Some(index) = self.resolve(session, repository, &stem).await? {
            let value = serde_json::from_slice(&index.bytes).unwrap_or_default();
            return Ok(referrers(&value));
        }
        let mut found = Vec::new();
        for (end, kind) in [
            ("sig", "signature.cosign"),
            ("sbom", "sbom"),
            ("att", "attestation"),
        ] {
            let tag = format!("{stem}.{end}");
            if let Some(digest) = self.digest_of(session, repository, &tag).await? {
                found.push(Accessory {
                    kind: kind.into(),
                    digest: Text::clone(digest.text()),
                    size: None,
                    created: None,
                });
            }
        }
        Ok(found)
    }

    /// Writes a manifest under a tag; what it names must be in the repository already.
    pub(in crate::engine) async fn put_manifest(
        &self,
        session: &Session,
        (repository, tag): (&str, &str),
        (media_type, bytes): (&str, Bytes),
    ) -> Result<(), Trouble> {
        let path = Self::v2_path(repository, &format!("manifests/{tag}"));
        let asked = Asked::new(Method::PUT, path).bytes(media_type, bytes);
        let reply = self.v2_good(session, (repository, Want::Push), asked).await;
        reply.map(|_reply| ())
    }

    /// Deletes a tag, or a manifest by its digest.
    pub(in crate::engine) async fn delete_manifest(
        &self,
        session: &Session,
        repository: &str,
        reference: &str,
    ) -> Result<(), Trouble> {
        let path = Self::v2_path(repository, &format!("manifests/{reference}"));
        let scope = format!("repository:{repository}:pull,push,delete");
        let asked = Asked::new(Method::DELETE, path);
        let _none = self.tokens.lock().await.remove(&scope);
        let reply = self.v2_good(session, (repository, Want::Push), asked).await;
        reply.map(|_reply| ())
    }
}

/// Returns the digest of bytes.
pub(super) fn sha256(bytes: &[u8]) -> Digest {
    let hash = Sha256::digest(bytes);
    let mut text = String::from("sha256:");
    for byte in hash {
        text.push_str(&format!("{byte:02x}"));
    }
    Digest::parse(&text).unwrap_or_else(unreachable_digest)
}

#[allow(clippy::expect_used, reason = "64 hexadecimal digits are a digest")]
fn unreachable_digest() -> Digest {
    let zeros: String = std::iter::repeat_n('0', 64).collect();
    Digest::parse(&zeros).expect("64 hexadecimal digits are a digest")
}

/// Returns the URL of a host's API.
pub(super) fn usual_url(host: &str) -> String {
    if host == DOCKER_HUB {
        return String::from("https://registry-1.docker.io");
    }
    let plain = host.starts_with("localhost") || host.starts_with("127.0.0.1");
    let scheme = if plain { "http" } else { "https" };
    format!("{scheme}://{host}")
}
