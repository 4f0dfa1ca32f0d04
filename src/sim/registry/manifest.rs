//! Manifests and indexes, read as far as a registry must understand them.
//!
//! The bytes stay as they came: a digest is the hash of exactly these bytes.

use bytes::Bytes;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use std::collections::BTreeMap;

/// Media types of the OCI image specification 1.1 and of Docker's schema 2.
pub const OCI_INDEX: &str = "application/vnd.oci.image.index.v1+json";
pub const OCI_MANIFEST: &str = "application/vnd.oci.image.manifest.v1+json";
pub const OCI_CONFIG: &str = "application/vnd.oci.image.config.v1+json";
pub const OCI_LAYER: &str = "application/vnd.oci.image.layer.v1.tar+gzip";
pub const OCI_EMPTY: &str = "application/vnd.oci.empty.v1+json";
pub const DOCKER_LIST: &str = "application/vnd.docker.distribution.manifest.list.v2+json";
pub const DOCKER_MANIFEST: &str = "application/vnd.docker.distribution.manifest.v2+json";
pub const DOCKER_CONFIG: &str = "application/vnd.docker.container.image.v1+json";

/// Returns `sha256:…` of bytes.
pub fn digest_of(bytes: &[u8]) -> String {
    use sha2::{Digest as _, Sha256};
    let hash = Sha256::digest(bytes);
    let hex: String = hash.iter().map(|byte| format!("{byte:02x}")).collect();
    format!("sha256:{hex}")
}

/// The text is a digest: `sha256:` and 64 digits.
pub fn is_digest(text: &str) -> bool {
    text.strip_prefix("sha256:").is_some_and(|hex| {
        hex.len() == 64
            && hex
                .bytes()
                .all(|b| b.is_ascii_digit() || (b'a'..=b'f').contains(&b))
    })
}

/// One entry of a manifest or an index.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Descriptor {
    pub media_type: String,
    pub digest: String,
    pub size: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub platform: Option<Value>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub artifact_type: Option<String>,
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub annotations: BTreeMap<String, String>,
}

impl Descriptor {
    /// Describes bytes.
    pub fn of(media_type: &str, bytes: &[u8]) -> Self {
        Self {
            media_type: media_type.to_owned(),
            digest: digest_of(bytes),
            size: bytes.len() as u64,
            ..Self::default()
        }
    }
}

#[derive(Deserialize, Default)]
#[serde(rename_all = "camelCase", default)]
struct Raw {
    schema_version: u32,
    media_type: Option<String>,
    artifact_type: Option<String>,
    config: Option<Descriptor>,
    layers: Option<Vec<Descriptor>>,
    manifests: Option<Vec<Descriptor>>,
    subject: Option<Descriptor>,
    annotations: Option<BTreeMap<String, String>>,
}

/// A manifest or an index.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Manifest {
    pub media_type: String,
    pub digest: String,
    pub bytes: Bytes,
    /// What the manifest says it is, or its configuration's media type.
    pub artifact_type: Option<String>,
    /// None in an index.
    pub config: Option<Descriptor>,
    pub layers: Vec<Descriptor>,
    /// The manifests of an index.
    pub children: Vec<Descriptor>,
    /// What it is about: a signature's image.
    pub subject: Option<Descriptor>,
    pub annotations: BTreeMap<String, String>,
}

impl Manifest {
    /// Reads a manifest that came with a content type; the error says what is wrong with it.
    pub fn read(content_type: Option<&str>, bytes: Bytes) -> Result<Self, String> {
        let raw: Raw =
            serde_json::from_slice(&bytes).map_err(|error| format!("manifest invalid: {error}"))?;
        let is_index = raw.manifests.is_some();
        if raw.schema_version != 2 {
            return Err(format!(
                "manifest invalid: schema version {} is not supported",
                raw.schema_version
            ));
        }
        if !is_index && raw.config.is_none() {
            return Err("manifest invalid: it has neither `config` nor `manifests`".to_owned());
        }
        let usual = if is_index { OCI_INDEX } else { OCI_MANIFEST };
        let sent = content_type
            .map(|text| text.split(';').next().unwrap_or_default().trim())
            .filter(|text| text.starts_with("application/vnd."));
        let media_type = raw.media_type.as_deref().or(sent).unwrap_or(usual);
        if let (Some(sent), Some(own)) = (sent, &raw.media_type)
            && sent != own
        {
            return Err(format!(
                "manifest invalid: mediaType in manifest is `{own}`, but it was sent as `{sent}`"
            ));
        }
        let of_config = raw.config.as_ref().map(|config| config.media_type.clone());
        Ok(Self {
            media_type: media_type.to_owned(),
            digest: digest_of(&bytes),
            artifact_type: raw.artifact_type.or(of_config),
            config: raw.config,
            layers: raw.layers.unwrap_or_default(),
            children: raw.manifests.unwrap_or_default(),
            subject: raw.subject,
            annotations: raw.annotations.unwrap_or_default(),
            bytes,
        })
    }

    /// It lists manifests of platforms.
    pub fn is_index(&self) -> bool {
        self.config.is_none()
    }

    /// Bytes of the manifest with what it refers to, without the children of an index.
    pub fn size(&self) -> u64 {
        let config = self.config.as_ref().map_or(0, |config| config.size);
        let layers: u64 = self.layers.iter().map(|layer| layer.size).sum();
        self.bytes.len() as u64 + config + layers
    }

    /// Describes the manifest itself.
    pub fn descriptor(&self) -> Descriptor {
        Descriptor {
            media_type: self.media_type.clone(),
            digest: self.digest.clone(),
            size: self.bytes.len() as u64,
            ..Descriptor::default()
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_digest_is_the_hash_of_the_bytes() {
        assert_eq!(
            digest_of(b""),
            "sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
        );
        assert!(is_digest(&digest_of(b"x")));
        assert!(!is_digest("sha256:abc"));
        assert!(!is_digest("latest"));
    }

    #[test]
    fn what_was_sent_as_something_else_is_refused() {
        let index =
            br#"{"schemaVersion":2,"mediaType":"application/vnd.oci.image.index.v1+json","manifests":[]}"#;
        let bytes = Bytes::from_static(index);

        let read = Manifest::read(Some(OCI_INDEX), bytes.clone()).expect("an index");
        assert!(read.is_index());
        let refused = Manifest::read(Some(OCI_MANIFEST), bytes).expect_err("a wrong type");
        assert!(refused.contains("was sent as"), "{refused}");
        assert!(Manifest::read(None, Bytes::from_static(b"{}")).is_err());
        assert!(Manifest::read(None, Bytes::from_static(b"no json")).is_err());
    }
}
