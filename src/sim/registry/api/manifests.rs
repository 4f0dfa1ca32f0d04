//! Manifests: read with the types a client accepts, stored under tag or digest, removed.

use super::super::error::OciError;
use super::super::manifest::{Manifest, OCI_INDEX, is_digest};
use super::super::store::Refusal;
use super::super::{Deed, Happening, text};
use super::{CONTENT_DIGEST, Call, Oci, entity, is_tag, plain};
use axum::response::Response;
use bytes::Bytes;
use http::{HeaderName, StatusCode, header};
use serde_json::json;

impl Oci {
    pub(super) fn manifest(
        &self,
        call: &Call,
        place: (&str, &str),
        sent: Bytes,
    ) -> Result<Response, OciError> {
        let (_, reference) = place;
        if !is_digest(reference) && !is_tag(reference) {
            let message = format!("`{reference}` is neither a tag nor a digest");
            return Err(OciError::invalid("TAG_INVALID", message));
        }
        match call.method.as_str() {
            "GET" | "HEAD" => self.read_manifest(call, place),
            "PUT" => self.put_manifest(call, place, sent),
            "DELETE" => self.delete_manifest(call, place),
            _ => Err(OciError::unsupported()),
        }
    }

    fn read_manifest(
        &self,
        call: &Call,
        (name, reference): (&str, &str),
    ) -> Result<Response, OciError> {
        let manifest = {
            let store = self.registry.read();
            let repository = store
                .repository(name)
                .ok_or_else(|| OciError::name_unknown(name))?;
            let artifact = repository.artifact(reference);
            let artifact = artifact.ok_or_else(|| OciError::manifest_unknown(reference))?;
            artifact.manifest.clone()
        };
        accepted(call, &manifest)?;
        self.rules.before_pull(name, &manifest.digest, &call.by)?;
        let headers = entity(&manifest.digest, &manifest.media_type, manifest.bytes.len());
        let known = call.header(header::IF_NONE_MATCH);
        if known.is_some_and(|known| known.trim_matches('"') == manifest.digest) {
            return Ok(plain(StatusCode::NOT_MODIFIED, &[], Bytes::new()));
        }
        if call.method == http::Method::HEAD {
            return Ok(plain(StatusCode::OK, &headers, Bytes::new()));
        }
        let now = self.registry.now();
        if self
            .registry
            .write()
            .note_pull(name, reference, now)
            .is_some()
        {
            self.tell(call, Deed::Pulled, (name, &manifest.digest, reference));
        }
        Ok(plain(StatusCode::OK, &headers, manifest.bytes))
    }

    fn put_manifest(
        &self,
        call: &Call,
        (name, reference): (&str, &str),
        sent: Bytes,
    ) -> Result<Response, OciError> {
        let content_type = call.header(header::CONTENT_TYPE);
        let manifest = Manifest::read(content_type, sent)
            .map_err(|message| OciError::invalid("MANIFEST_INVALID", message))?;
        let size = manifest.bytes.len() as u64;
        self.rules.before_push(name, reference, size)?;
        let tags = call.parameters.iter().filter(|(key, _)| key == "tag");
        let tags: Vec<&str> = tags.map(|(_, tag)| tag.as_str()).collect();
        if let Some(tag) = tags.iter().find(|tag| !is_tag(tag)) {
            return Err(OciError::invalid(
                "TAG_INVALID",
                format!("invalid tag `{tag}`"),
            ));
        }
        for tag in &tags {
            self.rules.before_push(name, tag, 0)?;
        }
        let (digest, subject) = (manifest.digest.clone(), manifest.subject.clone());
        let now = self.registry.now();
        {
            let mut store = self.registry.write();
            store
                .put_manifest(name, reference, manifest, now)
                .map_err(refused)?;
            for tag in &tags {
                store.tag(name, tag, &digest, now);
            }
        }
        let told = tags.first().copied().unwrap_or(reference);
        self.tell(call, Deed::Pushed, (name, &digest, told));
        let mut headers = vec![
            (header::LOCATION, format!("/v2/{name}/manifests/{digest}")),
            (CONTENT_DIGEST, digest),
        ];
        if let Some(subject) = subject.filter(|_| self.abilities.referrers) {
            headers.push((HeaderName::from_static("oci-subject"), subject.digest));
        }
        let mut response = plain(StatusCode::CREATED, &headers, Bytes::new());
        for tag in tags {
            if let Ok(value) = http::HeaderValue::from_str(&text::escape(tag)) {
                let name = HeaderName::from_static("oci-tag");
                response.headers_mut().append(name, value);
            }
        }
        Ok(response)
    }

    fn delete_manifest(
        &self,
        call: &Call,
        (name, reference): (&str, &str),
    ) -> Result<Response, OciError> {
        if !self.abilities.deleting {
            return Err(OciError::unsupported());
        }
        let digest = {
            let store = self.registry.read();
            let repository = store
                .repository(name)
                .ok_or_else(|| OciError::name_unknown(name))?;
            let artifact = repository.artifact(reference);
            let artifact = artifact.ok_or_else(|| OciError::manifest_unknown(reference))?;
            artifact.manifest.digest.clone()
        };
        self.rules.before_delete(name, reference)?;
        if is_digest(reference) {
            let removed = self.registry.write().remove_artifact(name, reference);
            removed.map_err(refused)?;
        } else {
            self.registry.write().untag(name, reference);
        }
        self.tell(call, Deed::Deleted, (name, &digest, reference));
        Ok(plain(StatusCode::ACCEPTED, &[], Bytes::new()))
    }

    fn tell(&self, call: &Call, deed: Deed, (name, digest, reference): (&str, &str, &str)) {
        self.rules.happened(&Happening {
            deed,
            repository: name.to_owned(),
            digest: digest.to_owned(),
            reference: reference.to_owned(),
            by: call.by.clone(),
        });
    }
}

/// The client takes the type, or did not say what it takes.
fn accepted(call: &Call, manifest: &Manifest) -> Result<(), OciError> {
    let all = call.headers.get_all(header::ACCEPT).iter();
    let types: Vec<&str> = all
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(','))
        .map(|one| one.split(';').next().unwrap_or_default().trim())
        .filter(|one| !one.is_empty())
        .collect();
    let takes = |one: &str| {
        one == manifest.media_type || matches!(one, "*/*" | "application/*" | "application/json")
    };
    if types.is_empty() || types.iter().any(|one| takes(one)) {
        return Ok(());
    }
    let message = if manifest.media_type == OCI_INDEX {
        "OCI index found, but accept header does not support OCI indexes".to_owned()
    } else {
        let found = &manifest.media_type;
        format!("{found} found, but accept header does not support it")
    };
    Err(OciError::new(
        StatusCode::NOT_FOUND,
        "MANIFEST_UNKNOWN",
        message,
    ))
}

fn refused(refusal: Refusal) -> OciError {
    match refusal {
        Refusal::DigestMismatch => OciError::invalid(
            "DIGEST_INVALID",
            "provided digest did not match uploaded content",
        ),
        Refusal::MissingBlob(digest) => {
            OciError::invalid("MANIFEST_BLOB_UNKNOWN", "blob unknown to registry")
                .with(json!({"digest": digest}))
        }
        Refusal::MissingManifest(digest) => {
            OciError::invalid("MANIFEST_BLOB_UNKNOWN", "manifest unknown to registry")
                .with(json!({"digest": digest}))
        }
        Refusal::Referenced => OciError::new(
            StatusCode::PRECONDITION_FAILED,
            "PRECONDITION",
            "the manifest is referenced by an index",
        ),
        Refusal::Unknown => OciError::manifest_unknown(""),
    }
}
