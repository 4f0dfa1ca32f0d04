//! Blobs: read whole or in part, pushed in one piece or in many, mounted from another repository.

use super::super::Upload;
use super::super::error::OciError;
use super::super::manifest::{digest_of, is_digest};
use super::{CONTENT_DIGEST, Call, Oci, UPLOAD_ID, entity, plain};
use crate::sim::registry::Wish;
use axum::response::Response;
use bytes::Bytes;
use http::{HeaderName, Method, StatusCode, header};

const OCTETS: &str = "application/octet-stream";

impl Oci {
    pub(super) fn blob(&self, call: &Call, name: &str, digest: &str) -> Result<Response, OciError> {
        if !is_digest(digest) {
            let message = format!("invalid digest `{digest}`");
            return Err(OciError::invalid("DIGEST_INVALID", message));
        }
        let found = self.registry.read().blob(name, digest).cloned();
        let blob = found.ok_or_else(|| OciError::blob_unknown(digest))?;
        match call.method.as_str() {
            "HEAD" => {
                let headers = entity(digest, OCTETS, blob.len());
                Ok(plain(StatusCode::OK, &headers, Bytes::new()))
            }
            "GET" => part(call, digest, &blob),
            "DELETE" if self.abilities.deleting => {
                self.registry.write().remove_blob(name, digest);
                Ok(plain(StatusCode::ACCEPTED, &[], Bytes::new()))
            }
            _ => Err(OciError::unsupported()),
        }
    }

    pub(super) fn begin_upload(
        &self,
        call: &Call,
        name: &str,
        sent: Bytes,
    ) -> Result<Response, OciError> {
        if call.method != Method::POST {
            return Err(OciError::unsupported());
        }
        self.rules.before_push(name, "", sent.len() as u64)?;
        let now = self.registry.now();
        if let (Some(digest), Some(from)) = (call.parameter("mount"), call.parameter("from")) {
            let may = self.rules.admit(&call.headers, Wish::Pull(from)).is_ok();
            if self.abilities.mounting
                && may
                && self.registry.write().mount(from, name, digest, now)
            {
                return Ok(stored(name, digest));
            }
        }
        if let Some(digest) = call.parameter("digest") {
            return self.finish(name, digest, sent);
        }
        let mut uploads = self.registry.uploads();
        let seed = format!("{name} {now} {}", uploads.len());
        let hash = digest_of(seed.as_bytes());
        let id: String = hash.chars().skip("sha256:".len()).take(32).collect();
        let upload = Upload {
            repository: name.to_owned(),
            bytes: sent.to_vec(),
        };
        let length = upload.bytes.len();
        uploads.insert(id.clone(), upload);
        Ok(going_on(StatusCode::ACCEPTED, (name, &id), length))
    }

    pub(super) fn upload(
        &self,
        call: &Call,
        (name, id): (&str, &str),
        sent: &Bytes,
    ) -> Result<Response, OciError> {
        let mut uploads = self.registry.uploads();
        let upload = uploads
            .get_mut(id)
            .filter(|upload| upload.repository == name);
        let upload = upload.ok_or_else(OciError::upload_unknown)?;
        match call.method.as_str() {
            "GET" => Ok(going_on(
                StatusCode::NO_CONTENT,
                (name, id),
                upload.bytes.len(),
            )),
            "PATCH" => {
                if begins_elsewhere(call, upload.bytes.len()) {
                    let status = StatusCode::RANGE_NOT_SATISFIABLE;
                    return Ok(going_on(status, (name, id), upload.bytes.len()));
                }
                self.rules.before_push(name, "", sent.len() as u64)?;
                upload.bytes.extend_from_slice(sent);
                Ok(going_on(
                    StatusCode::ACCEPTED,
                    (name, id),
                    upload.bytes.len(),
                ))
            }
            "PUT" => {
                let digest = call.parameter("digest").ok_or_else(|| {
                    OciError::invalid("DIGEST_INVALID", "the parameter `digest` is missing")
                })?;
                if begins_elsewhere(call, upload.bytes.len()) {
                    let status = StatusCode::RANGE_NOT_SATISFIABLE;
                    return Ok(going_on(status, (name, id), upload.bytes.len()));
                }
                let mut bytes = std::mem::take(&mut upload.bytes);
                bytes.extend_from_slice(sent);
                uploads.remove(id);
                drop(uploads);
                self.finish(name, digest, Bytes::from(bytes))
            }
            "DELETE" => {
                uploads.remove(id);
                Ok(plain(StatusCode::NO_CONTENT, &[], Bytes::new()))
            }
            _ => Err(OciError::unsupported()),
        }
    }

    fn finish(&self, name: &str, digest: &str, bytes: Bytes) -> Result<Response, OciError> {
        if !is_digest(digest) || digest_of(&bytes) != digest {
            let message = "provided digest did not match uploaded content";
            return Err(OciError::invalid("DIGEST_INVALID", message));
        }
        let now = self.registry.now();
        self.registry.write().put_blob(name, bytes, now);
        Ok(stored(name, digest))
    }
}

/// A piece that does not follow what has come so far.
fn begins_elsewhere(call: &Call, length: usize) -> bool {
    let range = call.header(header::CONTENT_RANGE);
    let start = range.and_then(|range| range.trim_start_matches("bytes ").split('-').next());
    start.is_some_and(|start| start.trim().parse() != Ok(length))
}

fn stored(name: &str, digest: &str) -> Response {
    let headers = [
        (header::LOCATION, format!("/v2/{name}/blobs/{digest}")),
        (CONTENT_DIGEST, digest.to_owned()),
    ];
    plain(StatusCode::CREATED, &headers, Bytes::new())
}

fn going_on(status: StatusCode, (name, id): (&str, &str), length: usize) -> Response {
    let headers = [
        (header::LOCATION, format!("/v2/{name}/blobs/uploads/{id}")),
        (header::RANGE, format!("0-{}", length.saturating_sub(1))),
        (UPLOAD_ID, id.to_owned()),
        (
            HeaderName::from_static("oci-chunk-min-length"),
            "1".to_owned(),
        ),
    ];
    plain(status, &headers, Bytes::new())
}

/// Gives a blob, or the part of it that is asked for.
fn part(call: &Call, digest: &str, blob: &Bytes) -> Result<Response, OciError> {
    let asked = call
        .header(header::RANGE)
        .and_then(|range| range.strip_prefix("bytes="));
    let Some((from, to)) = asked.and_then(|range| range.split_once('-')) else {
        let headers = entity(digest, OCTETS, blob.len());
        return Ok(plain(StatusCode::OK, &headers, blob.clone()));
    };
    let last = blob.len().saturating_sub(1);
    let from: usize = from.parse().unwrap_or(0);
    let to = to.parse().unwrap_or(last).min(last);
    if from > to || blob.is_empty() {
        let message = "the range is not in the blob";
        let status = StatusCode::RANGE_NOT_SATISFIABLE;
        return Err(OciError::new(status, "SIZE_INVALID", message));
    }
    let piece = blob.slice(from..=to);
    let mut headers = entity(digest, OCTETS, piece.len());
    let range = format!("bytes {from}-{to}/{}", blob.len());
    headers.push((header::CONTENT_RANGE, range));
    Ok(plain(StatusCode::PARTIAL_CONTENT, &headers, piece))
}
