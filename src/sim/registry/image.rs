//! Makes small but true images: layers with files, a configuration, manifests, an index.
//!
//! The same shape always gives the same bytes. Installed packages are in the layer as Alpine
//! writes them (`lib/apk/db/installed`), so that whoever scans an image reads them there.

use super::manifest::{
    Descriptor, Manifest, OCI_CONFIG, OCI_EMPTY, OCI_INDEX, OCI_LAYER, OCI_MANIFEST,
};
use super::store::{Refusal, Store};
use super::tar;
use bytes::Bytes;
use chrono::{DateTime, SecondsFormat, Utc};
use serde_json::{Value, json};
use std::collections::{BTreeMap, HashMap};

/// Where Alpine keeps what is installed.
const INSTALLED: &str = "lib/apk/db/installed";
/// What a signature is made of (`sigstore/cosign` `specs/SIGNATURE_SPEC.md`).
pub const COSIGN_SIGNATURE: &str = "application/vnd.dev.cosign.artifact.sig.v1+json";
const COSIGN_PAYLOAD: &str = "application/vnd.dev.cosign.simplesigning.v1+json";
const COSIGN_ANNOTATION: &str = "dev.cosignproject.cosign/signature";
/// What Harbor stores a list of contents as.
pub const HARBOR_SBOM: &str = "application/vnd.goharbor.harbor.sbom.v1";

/// An installed package.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Package {
    pub name: String,
    pub version: String,
}

impl Package {
    /// Reads `openssl 3.0.11-r2`.
    pub fn read(text: &str) -> Option<Self> {
        let (name, version) = text.trim().split_once(' ')?;
        Some(Self {
            name: name.to_owned(),
            version: version.trim().to_owned(),
        })
    }
}

/// What an image is to be like.
#[derive(Clone, Debug, PartialEq)]
pub struct ImageShape {
    /// What is inside differs by it: `shop/demo-app:2.4.1`.
    pub name: String,
    /// `linux/amd64`, `linux/arm64/v8`; more than one makes an index.
    pub platforms: Vec<String>,
    pub created: DateTime<Utc>,
    pub author: String,
    pub labels: BTreeMap<String, String>,
    pub packages: Vec<Package>,
    pub command: Vec<String>,
    /// What a layer claims to weigh, in its annotations; its true size is a few hundred bytes.
    pub claimed: u64,
}

impl ImageShape {
    /// A usual image of one platform.
    pub fn new(name: impl Into<String>, created: DateTime<Utc>) -> Self {
        Self {
            name: name.into(),
            platforms: vec!["linux/amd64".to_owned()],
            created,
            author: String::new(),
            labels: BTreeMap::new(),
            packages: Vec::new(),
            command: Vec::new(),
            claimed: 0,
        }
    }
}

/// An image, or something about one, before it is pushed.
#[derive(Clone, Debug, PartialEq)]
pub struct Built {
    /// With their digests.
    pub blobs: Vec<(String, Bytes)>,
    /// What others refer to comes first; the last is the image itself.
    pub manifests: Vec<Manifest>,
}

impl Built {
    /// Returns the digest that the image is pulled by.
    pub fn digest(&self) -> &str {
        self.manifests.last().map_or("", |last| &last.digest)
    }

    /// Pushes it under a tag, or by digest when that is empty.
    pub fn push(
        &self,
        store: &mut Store,
        repository: &str,
        tag: &str,
        now: DateTime<Utc>,
    ) -> Result<(), Refusal> {
        for (digest, blob) in &self.blobs {
            store.keep_blob(repository, (digest, blob.clone()), now);
        }
        let Some((last, others)) = self.manifests.split_last() else {
            return Ok(());
        };
        for manifest in others {
            store.put_manifest(repository, &manifest.digest, manifest.clone(), now)?;
        }
        let reference = if tag.is_empty() { &last.digest } else { tag };
        store.put_manifest(repository, reference, last.clone(), now)
    }
}

fn described(value: &Value) -> Option<Manifest> {
    Manifest::read(None, Bytes::from(value.to_string())).ok()
}

/// Layers that many images share, each packed once.
#[derive(Debug, Default)]
pub struct Layers {
    packer: tar::Packer,
    /// By what is in them.
    packed: HashMap<String, tar::Layer>,
}

impl Layers {
    /// Returns the layer with these contents.
    fn shared(&mut self, key: String, files: &[(String, Vec<u8>)]) -> tar::Layer {
        if let Some(known) = self.packed.get(&key) {
            return known.clone();
        }
        let layer = self.packer.pack(files);
        self.packed.insert(key, layer.clone());
        layer
    }
}

/// Makes an image.
pub fn image(shape: &ImageShape) -> Built {
    image_of(shape, &mut Layers::default())
}

/// Makes an image, with layers that others have already.
pub fn image_of(shape: &ImageShape, layers: &mut Layers) -> Built {
    let mut built = Built {
        blobs: Vec::new(),
        manifests: Vec::new(),
    };
    let mut entries = Vec::new();
    for platform in &shape.platforms {
        let Some(manifest) = platform_image((shape, platform), layers, &mut built.blobs) else {
            continue;
        };
        entries.push(Descriptor {
            platform: Some(platform_value(platform)),
            ..manifest.descriptor()
        });
        built.manifests.push(manifest);
    }
    if shape.platforms.len() > 1 {
        let index = json!({
            "schemaVersion": 2,
            "mediaType": OCI_INDEX,
            "manifests": entries,
            "annotations": annotations(shape),
        });
        built.manifests.extend(described(&index));
    }
    built
}

fn platform_value(platform: &str) -> Value {
    let mut parts = platform.split('/');
    let os = parts.next().unwrap_or("linux");
    let mut value = json!({"os": os, "architecture": parts.next().unwrap_or("amd64")});
    if let Some(variant) = parts.next() {
        value["variant"] = json!(variant);
    }
    value
}

fn annotations(shape: &ImageShape) -> BTreeMap<String, String> {
    let mut annotations = shape.labels.clone();
    let created = rfc3339(shape.created);
    annotations.insert("org.opencontainers.image.created".to_owned(), created);
    annotations
}

fn rfc3339(at: DateTime<Utc>) -> String {
    at.to_rfc3339_opts(SecondsFormat::Secs, true)
}

/// Returns what Alpine writes about installed packages.
fn installed(packages: &[Package]) -> String {
    let entries = packages
        .iter()
        .map(|one| format!("P:{}\nV:{}\n\n", one.name, one.version));
    entries.collect()
}

/// Reads the packages that an image's layers say are installed; the last layer that says it wins.
pub fn packages<'a>(layers: impl DoubleEndedIterator<Item = &'a Bytes>) -> Vec<Package> {
    let found = layers.rev().find_map(|layer| tar::file(layer, INSTALLED));
    let text = String::from_utf8_lossy(&found.unwrap_or_default()).into_owned();
    let entry = |entry: &str| {
        let field = |key: &str| entry.lines().find_map(|line| line.strip_prefix(key));
        Some(Package {
            name: field("P:")?.to_owned(),
            version: field("V:")?.to_owned(),
        })
    };
    text.split("\n\n").filter_map(entry).collect()
}

fn platform_image(
    (shape, platform): (&ImageShape, &str),
    shared: &mut Layers,
    blobs: &mut Vec<(String, Bytes)>,
) -> Option<Manifest> {
    let packages = installed(&shape.packages);
    let base = shared.shared(
        format!("{platform}\n{packages}"),
        &[
            (
                "etc/os-release".to_owned(),
                format!("ID=alpine\nPLATFORM={platform}\n").into_bytes(),
            ),
            (INSTALLED.to_owned(), packages.into_bytes()),
        ],
    );
    // All versions of a program begin alike; what differs is in the layer after it.
    let repository = shape.name.split(':').next().unwrap_or_default();
    let program = format!("#!/bin/sh\n# {repository} for {platform}\nexec sleep infinity\n");
    let own = shared.shared(
        program.clone(),
        &[("app/start".to_owned(), program.into_bytes())],
    );
    let version = shape.name.clone().into_bytes();
    let settings = shared.packer.pack(&[("app/version".to_owned(), version)]);
    let layers = [base, own, settings];
    let config = Bytes::from(config(shape, platform, &layers).to_string());
    let shares = [70, 28, 2];
    let entries: Vec<Descriptor> = layers
        .iter()
        .zip(shares)
        .map(|(layer, share)| {
            let mut entry = Descriptor {
                media_type: OCI_LAYER.to_owned(),
                digest: layer.digest.clone(),
                size: layer.bytes.len() as u64,
                ..Descriptor::default()
            };
            if shape.claimed > 0 {
                let claimed = (shape.claimed * share / 100).to_string();
                entry
                    .annotations
                    .insert("tiphys.dev/claimed-size".to_owned(), claimed);
            }
            entry
        })
        .collect();
    let described_config = Descriptor::of(OCI_CONFIG, &config);
    let manifest = json!({
        "schemaVersion": 2,
        "mediaType": OCI_MANIFEST,
        "config": described_config,
        "layers": entries,
        "annotations": annotations(shape),
    });
    blobs.push((described_config.digest, config));
    blobs.extend(layers.into_iter().map(|layer| (layer.digest, layer.bytes)));
    described(&manifest)
}

fn config(shape: &ImageShape, platform: &str, layers: &[tar::Layer]) -> Value {
    let created = rfc3339(shape.created);
    let ids: Vec<&str> = layers.iter().map(|layer| layer.diff_id.as_str()).collect();
    let mut names: Vec<&str> = shape.packages.iter().map(|one| one.name.as_str()).collect();
    names.truncate(6);
    let command = if shape.command.is_empty() {
        vec!["/app/start".to_owned()]
    } else {
        shape.command.clone()
    };
    let base = format!("/bin/sh -c #(nop) ADD file:{} in /", names.join("+"));
    let step = |by: &str, empty: bool| {
        let mut step = json!({"created": created, "created_by": by});
        if empty {
            step["empty_layer"] = json!(true);
        }
        step
    };
    let mut value = json!({
        "created": created,
        "author": shape.author,
        "config": {
            "User": "10001",
            "ExposedPorts": {"8080/tcp": {}},
            "Env": ["PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", "PORT=8080"],
            "Entrypoint": command,
            "WorkingDir": "/app",
            "Labels": shape.labels,
        },
        "rootfs": {"type": "layers", "diff_ids": ids},
        "history": [
            step(&base, false),
            step("COPY /src/start /app/start # buildkit", false),
            step("RUN /bin/sh -c echo $VERSION > /app/version # buildkit", false),
            step("USER 10001", true),
            step("EXPOSE map[8080/tcp:{}]", true),
            step("ENTRYPOINT [\"/app/start\"]", true),
        ],
    });
    if let (Some(own), Value::Object(fields)) = (value.as_object_mut(), platform_value(platform)) {
        own.extend(fields);
    }
    value
}

/// Makes a signature of an image as cosign attaches it; whoever verifies needs the public key.
pub fn signature(name: &str, subject: &Manifest) -> Built {
    let payload = json!({
        "critical": {
            "identity": {"docker-reference": name},
            "image": {"docker-manifest-digest": subject.digest},
            "type": "cosign container image signature",
        },
        "optional": null,
    });
    let payload = Bytes::from(payload.to_string());
    let mut layer = Descriptor::of(COSIGN_PAYLOAD, &payload);
    let mark = super::manifest::digest_of(format!("signature of {}", subject.digest).as_bytes());
    layer.annotations.insert(COSIGN_ANNOTATION.to_owned(), mark);
    about(subject, (COSIGN_SIGNATURE, layer), payload)
}

/// Makes a list of an image's contents (SPDX) as Harbor stores it.
pub fn sbom(name: &str, subject: &Manifest, packages: &[Package], now: DateTime<Utc>) -> Built {
    let entries: Vec<Value> = packages
        .iter()
        .enumerate()
        .map(|(at, one)| {
            json!({
                "SPDXID": format!("SPDXRef-Package-{at}"),
                "name": one.name,
                "versionInfo": one.version,
                "downloadLocation": "NONE",
                "licenseConcluded": "NOASSERTION",
                "primaryPackagePurpose": "LIBRARY",
                "externalRefs": [{
                    "referenceCategory": "PACKAGE-MANAGER",
                    "referenceType": "purl",
                    "referenceLocator": format!("pkg:apk/alpine/{}@{}", one.name, one.version),
                }],
            })
        })
        .collect();
    let document = json!({
        "spdxVersion": "SPDX-2.3",
        "dataLicense": "CC0-1.0",
        "SPDXID": "SPDXRef-DOCUMENT",
        "name": name,
        "documentNamespace": format!("https://registry.tiphys.local/spdx/{}", subject.digest),
        "creationInfo": {"creators": ["Tool: Trivy"], "created": rfc3339(now)},
        "packages": entries,
    });
    let document = Bytes::from(document.to_string());
    let layer = Descriptor::of(HARBOR_SBOM, &document);
    about(subject, (HARBOR_SBOM, layer), document)
}

fn about(subject: &Manifest, (kind, layer): (&str, Descriptor), contents: Bytes) -> Built {
    let empty = Bytes::from_static(b"{}");
    let config = Descriptor::of(OCI_EMPTY, &empty);
    let manifest = json!({
        "schemaVersion": 2,
        "mediaType": OCI_MANIFEST,
        "artifactType": kind,
        "config": config,
        "layers": [layer],
        "subject": subject.descriptor(),
    });
    Built {
        blobs: vec![(config.digest, empty), (layer.digest, contents)],
        manifests: described(&manifest).into_iter().collect(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shape() -> ImageShape {
        let mut shape = ImageShape::new("shop/web:1", DateTime::UNIX_EPOCH);
        shape.platforms = vec!["linux/amd64".to_owned(), "linux/arm64/v8".to_owned()];
        shape.packages.extend(Package::read("openssl 3.0.11-r2"));
        shape
    }

    #[test]
    fn an_image_of_two_platforms_can_be_stored_and_read_back() {
        let (built, mut store) = (image(&shape()), Store::default());

        built
            .push(&mut store, "shop/web", "1", DateTime::UNIX_EPOCH)
            .expect("it is stored");

        let repository = store.repository("shop/web").expect("a repository");
        let index = repository.artifact("1").expect("an index");
        assert_eq!(index.manifest.digest, built.digest());
        let images = repository.images(index);
        assert_eq!(images.len(), 2);
        let layers: Vec<&Bytes> = images[1]
            .manifest
            .layers
            .iter()
            .filter_map(|layer| store.any_blob(&layer.digest))
            .collect();
        assert_eq!(packages(layers.into_iter()), shape().packages);
    }

    #[test]
    fn the_same_shape_gives_the_same_digest() {
        assert_eq!(image(&shape()), image(&shape()));
    }

    #[test]
    fn a_signature_and_a_list_of_contents_refer_to_their_image() {
        let (built, mut store) = (image(&shape()), Store::default());
        built
            .push(&mut store, "shop/web", "1", DateTime::UNIX_EPOCH)
            .expect("stored");
        let top = built.manifests.last().expect("an index").clone();

        for one in [
            signature("r/shop/web", &top),
            sbom("r/shop/web", &top, &shape().packages, DateTime::UNIX_EPOCH),
        ] {
            one.push(&mut store, "shop/web", "", DateTime::UNIX_EPOCH)
                .expect("stored");
        }

        let repository = store.repository("shop/web").expect("a repository");
        let kinds: Vec<_> = repository
            .referrers_of(&top.digest)
            .filter_map(|one| one.manifest.artifact_type.as_deref())
            .collect();
        assert!(kinds.contains(&COSIGN_SIGNATURE) && kinds.contains(&HARBOR_SBOM));
    }
}
