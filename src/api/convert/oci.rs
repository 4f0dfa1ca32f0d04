//! Turns manifests, configurations and lists of the OCI distribution API into
//! [`domain::image`](crate::domain::image).
//!
//! Shapes: OCI image-spec and distribution-spec 1.1, Docker's schema 2 likewise. A registry's login
//! challenge follows distribution's `docs/content/spec/auth/token.md`.

use super::loose::{Loose, at};
use crate::domain::image::{Accessory, Digest, HistoryStep, Platform};
use crate::domain::object::Text;
use chrono::{DateTime, Datelike as _, Utc};
use serde_json::Value;

/// Every kind of manifest that is understood, as the Accept header names them.
pub const MANIFESTS: &str = "application/vnd.oci.image.index.v1+json, application/vnd.docker.distribution.manifest.list.v2+json, application/vnd.oci.image.manifest.v1+json, application/vnd.docker.distribution.manifest.v2+json";

/// One descriptor.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Descriptor {
    pub digest: Digest,
    pub size: u64,
    pub media_type: Text,
    pub artifact_type: Text,
}

/// What stands behind a tag or a digest.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Manifest {
    /// One image for several platforms.
    Index(Vec<Platform>),
    Image {
        config: Descriptor,
        layers: Vec<Descriptor>,
        annotations: Vec<(Text, Text)>,
    },
}

/// Reads a manifest of any kind.
///
/// # Errors
/// Says what is missing.
pub fn manifest(body: &[u8]) -> Result<Manifest, String> {
    let value: Value = serde_json::from_slice(body)
        .map_err(|error| format!("the manifest is not JSON: {error}"))?;
    if value.get("manifests").is_some_and(Value::is_array) {
        return Ok(Manifest::Index(platforms(&value)));
    }
    let config = value.get("config").and_then(descriptor);
    let config = config.ok_or_else(|| String::from("the manifest names no configuration"))?;
    let mut loose = Loose::default();
    let layers = loose.list(&value, &["layers"]).iter();
    Ok(Manifest::Image {
        config,
        layers: layers.filter_map(descriptor).collect(),
        annotations: loose.pairs(&value, &["annotations"]),
    })
}

fn descriptor(value: &Value) -> Option<Descriptor> {
    let text = |name: &str| {
        let text = value.get(name).and_then(Value::as_str).unwrap_or_default();
        Text::from(text)
    };
    Some(Descriptor {
        digest: Digest::parse(value.get("digest")?.as_str()?)?,
        size: value
            .get("size")
            .and_then(Value::as_u64)
            .unwrap_or_default(),
        media_type: text("mediaType"),
        artifact_type: text("artifactType"),
    })
}

fn platforms(index: &Value) -> Vec<Platform> {
    let list = index.get("manifests").and_then(Value::as_array);
    let entries = list.into_iter().flatten().filter(|one| {
        let kind = at(one, &["annotations", "vnd.docker.reference.type"]);
        // What BuildKit attests is listed beside the platforms.
        kind.and_then(Value::as_str) != Some("attestation-manifest")
    });
    let read = entries.filter_map(|one| {
        let descriptor = descriptor(one)?;
        let part = |name: &str| {
            let text = at(one, &["platform", name]).and_then(Value::as_str);
            text.unwrap_or_default()
        };
        let parts = [part("os"), part("architecture"), part("variant")];
        let parts: Vec<&str> = parts.into_iter().filter(|part| !part.is_empty()).collect();
        Some(Platform {
            name: parts.join("/").into(),
            digest: descriptor.digest,
            size: None,
        })
    });
    read.filter(|one| &*one.name != "unknown/unknown").collect()
}

/// What an image's configuration says.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub struct Config {
    /// `None` for reproducible builds, which pretend to be from 1970 or 1980.
    pub created: Option<DateTime<Utc>>,
    pub platform: Text,
    pub labels: Vec<(Text, Text)>,
    pub history: Vec<HistoryStep>,
}

/// Reads a configuration; `sizes` are those of the manifest's layers, in order.
pub fn config(body: &[u8], sizes: &[u64]) -> Option<Config> {
    let value: Value = serde_json::from_slice(body).ok()?;
    let mut loose = Loose::default();
    let part = |name: &str| value.get(name).and_then(Value::as_str).unwrap_or_default();
    let parts = [part("os"), part("architecture"), part("variant")];
    let parts: Vec<&str> = parts.into_iter().filter(|part| !part.is_empty()).collect();
    let mut sizes = sizes.iter().copied();
    let mut history = Vec::new();
    for one in loose.list(&value, &["history"]) {
        let empty = loose.flag(one, &["empty_layer"]).unwrap_or_default();
        history.push(HistoryStep {
            created: loose.time(one, &["created"]),
            created_by: loose.text(one, &["created_by"]),
            comment: loose.text(one, &["comment"]),
            empty,
            size: if empty { None } else { sizes.next() },
        });
    }
    Some(Config {
        created: loose
            .time(&value, &["created"])
            .filter(|at| at.year() > 1980),
        platform: parts.join("/").into(),
        labels: loose.pairs(&value, &["config", "Labels"]),
        history,
    })
}

/// Reads `tags/list`; `null` is an empty list.
pub fn tags(value: &Value) -> Vec<Text> {
    let list = value.get("tags").and_then(Value::as_array);
    let tags = list.into_iter().flatten().filter_map(Value::as_str);
    tags.map(Text::from).collect()
}

/// Reads referrers: signatures and other things that name a manifest as their subject.
pub fn referrers(value: &Value) -> Vec<Accessory> {
    let list = value.get("manifests").and_then(Value::as_array);
    let read = list.into_iter().flatten().filter_map(|one| {
        let descriptor = descriptor(one)?;
        let created = at(one, &["annotations", "org.opencontainers.image.created"])
            .and_then(Value::as_str)
            .and_then(|text| DateTime::parse_from_rfc3339(text).ok());
        let kind = if descriptor.artifact_type.is_empty() {
            &descriptor.media_type
        } else {
            &descriptor.artifact_type
        };
        Some(Accessory {
            kind: kind_of(kind).into(),
            digest: Text::clone(descriptor.digest.text()),
            size: Some(descriptor.size),
            created: created.map(|at| at.with_timezone(&Utc)),
        })
    });
    read.collect()
}

/// Harbor's word for what is attached, else its media type.
fn kind_of(media_type: &str) -> &str {
    if media_type.contains("notary") || media_type.contains("notation") {
        "signature.notation"
    } else if media_type.contains("cosign") || media_type.contains("sigstore") {
        "signature.cosign"
    } else if media_type.contains("spdx")
        || media_type.contains("cyclonedx")
        || media_type.contains("sbom")
    {
        "sbom"
    } else {
        media_type
    }
}

/// How a registry wants to be asked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Challenge {
    /// With user and password.
    Basic,
    /// With a token that is fetched from `realm`.
    Bearer {
        realm: String,
        service: String,
        scope: String,
        /// Such as `insufficient_scope`: the token was taken, but is for less.
        error: String,
    },
}

/// Reads `WWW-Authenticate`.
pub fn challenge(header: &str) -> Option<Challenge> {
    let (scheme, rest) = header.trim().split_once(' ').unwrap_or((header.trim(), ""));
    if scheme.eq_ignore_ascii_case("basic") {
        return Some(Challenge::Basic);
    }
    if !scheme.eq_ignore_ascii_case("bearer") {
        return None;
    }
    let parameters = parameters(rest);
    let take = |name: &str| {
        let found = parameters.iter().find(|(known, _)| known == name);
        found.map(|(_, value)| value.clone()).unwrap_or_default()
    };
    let realm = take("realm");
    (!realm.is_empty()).then(|| Challenge::Bearer {
        service: take("service"),
        scope: take("scope"),
        error: take("error"),
        realm,
    })
}

/// Reads `name="value",name=value`; commas inside quotes belong to the value.
fn parameters(text: &str) -> Vec<(String, String)> {
    let mut found = Vec::new();
    let (mut name, mut value) = (String::new(), String::new());
    let (mut quoted, mut in_value) = (false, false);
    for letter in text.chars().chain([',']) {
        match letter {
            '"' => quoted = !quoted,
            '=' if !quoted && !in_value => in_value = true,
            ',' if !quoted => {
                let key = name.trim().to_ascii_lowercase();
                if !key.is_empty() {
                    found.push((key, std::mem::take(&mut value)));
                }
                name.clear();
                value.clear();
                in_value = false;
            }
            letter if in_value => value.push(letter),
            letter => name.push(letter),
        }
    }
    found
}

/// A token and how long the server says that it is good.
#[derive(Clone, PartialEq, Eq)]
pub struct Token {
    pub token: String,
    pub expires_in: u64,
}

impl std::fmt::Debug for Token {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Token(…, {} s)", self.expires_in)
    }
}

/// Reads the answer of a token server. The length counts from now, whatever its clock says: a
/// registry whose clock is wrong must not make us use old tokens.
pub fn token(value: &Value) -> Option<Token> {
    let text = |name: &str| value.get(name).and_then(Value::as_str);
    let token = text("token").or_else(|| text("access_token"))?;
    let expires_in = value.get("expires_in").and_then(Value::as_u64);
    (!token.is_empty()).then(|| Token {
        token: token.to_owned(),
        // The specification's default.
        expires_in: expires_in.filter(|seconds| *seconds > 0).unwrap_or(60),
    })
}

/// Returns the address of the next page, from a `Link` header.
pub fn next_page(link: &str) -> Option<String> {
    let mut parts = link.split(',');
    parts.find_map(|part| {
        let (address, relation) = part.trim().split_once('>')?;
        let relation = relation.replace(['"', ' '], "");
        relation
            .contains("rel=next")
            .then(|| address.trim_start_matches('<').to_owned())
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    const A: &str = "sha256:aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa";
    const B: &str = "sha256:bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb";

    #[test]
    fn an_index_lists_platforms_and_no_attestations() {
        let body = json!({"manifests": [
            {"digest": A, "size": 5, "platform": {"os": "linux", "architecture": "amd64"}},
            {"digest": B, "size": 5, "platform": {"os": "unknown", "architecture": "unknown"},
             "annotations": {"vnd.docker.reference.type": "attestation-manifest"}}]});
        let Ok(Manifest::Index(platforms)) = manifest(body.to_string().as_bytes()) else {
            panic!("an index");
        };
        assert_eq!(platforms.len(), 1);
        assert_eq!(&*platforms[0].name, "linux/amd64");
    }

    #[test]
    fn an_image_has_a_configuration_and_layers() {
        let body =
            json!({"config": {"digest": A, "size": 7}, "layers": [{"digest": B, "size": 9}, {}]});
        let Ok(Manifest::Image { config, layers, .. }) = manifest(body.to_string().as_bytes())
        else {
            panic!("an image");
        };
        assert_eq!((config.size, layers.len()), (7, 1));
        assert!(manifest(b"{}").is_err());
        assert!(manifest(b"<html>").is_err());
    }

    #[test]
    fn a_configuration_tells_where_layers_came_from() {
        let body = json!({"created": "1970-01-01T00:00:00Z", "os": "linux", "architecture": "arm64",
            "config": {"Labels": {"org.opencontainers.image.revision": "3f2a91c"}},
            "history": [{"created_by": "ADD /"}, {"created_by": "ENV A=1", "empty_layer": true},
                        {"created_by": "COPY app"}]});
        let read = config(body.to_string().as_bytes(), &[10, 20]).expect("a configuration");
        assert_eq!(read.created, None, "a reproducible build");
        assert_eq!(&*read.labels[0].1, "3f2a91c");
        let sizes: Vec<_> = read.history.iter().map(|step| step.size).collect();
        assert_eq!(sizes, [Some(10), None, Some(20)]);
    }

    #[test]
    fn challenges_are_read_with_commas_in_quotes() {
        let header = r#"Bearer realm="https://auth.docker.io/token",service="registry.docker.io",scope="repository:a/b:pull,push",error="insufficient_scope""#;
        let Some(Challenge::Bearer {
            realm,
            scope,
            error,
            ..
        }) = challenge(header)
        else {
            panic!("a challenge");
        };
        assert_eq!(
            (&*realm, &*scope),
            ("https://auth.docker.io/token", "repository:a/b:pull,push")
        );
        assert_eq!(error, "insufficient_scope");
        assert_eq!(challenge("Basic realm=\"x\""), Some(Challenge::Basic));
        assert_eq!(challenge("Bearer service=x"), None);
        assert_eq!(challenge("Negotiate"), None);
    }

    #[test]
    fn tokens_come_under_two_names_and_are_not_printed() {
        let read = token(&json!({"access_token": "s3cret", "issued_at": "1999-01-01T00:00:00Z"}));
        let read = read.expect("a token");
        assert_eq!(read.expires_in, 60);
        assert!(!format!("{read:?}").contains("s3cret"));
        assert_eq!(token(&json!({"token": ""})), None);
    }

    #[test]
    fn links_lead_on_relative_or_not() {
        assert_eq!(
            next_page("</v2/a/tags/list?last=b&n=2>; rel=\"next\"").as_deref(),
            Some("/v2/a/tags/list?last=b&n=2")
        );
        let both = "</api/v2.0/x?page=1>; rel=\"prev\" , </api/v2.0/x?page=3>; rel=\"next\"";
        assert_eq!(next_page(both).as_deref(), Some("/api/v2.0/x?page=3"));
        assert_eq!(next_page("</x>; rel=\"prev\""), None);
    }

    #[test]
    fn referrers_are_told_by_what_they_are() {
        let read = referrers(&json!({"manifests": [
            {"digest": A, "size": 1, "artifactType": "application/vnd.dev.cosign.artifact.sig.v1+json"},
            {"digest": B, "size": 2, "artifactType": "application/spdx+json"}]}));
        assert!(read[0].is_signature());
        assert_eq!(&*read[1].kind, "sbom");
        assert_eq!(tags(&json!({"tags": null})).len(), 0);
    }
}
