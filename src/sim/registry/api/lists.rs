//! Repositories, tags and referrers, page by page.

use super::super::error::OciError;
use super::super::manifest::OCI_INDEX;
use super::super::text::escape;
use super::{Call, Oci, plain};
use axum::response::Response;
use bytes::Bytes;
use http::{HeaderName, StatusCode, header};
use serde_json::json;
use std::ops::Bound;

/// One page of names in their order, and the query of the next one.
fn page<'n>(
    call: &Call,
    after: impl Iterator<Item = &'n String>,
) -> Result<(Vec<&'n String>, Option<String>), OciError> {
    let count = match call.parameter("n") {
        None => usize::MAX,
        Some(text) => text.parse().map_err(|_not_a_number| {
            let message = format!("invalid number of results requested: `{text}`");
            OciError::invalid("PAGINATION_NUMBER_INVALID", message)
        })?,
    };
    let mut page: Vec<&String> = after.take(count.saturating_add(1)).collect();
    let is_more = page.len() > count && count > 0;
    page.truncate(count);
    let next = page.last().filter(|_| is_more);
    let next = next.map(|last| format!("last={}&n={count}", escape(last)));
    Ok((page, next))
}

/// What comes after the last name of the page before.
fn after(call: &Call) -> (Bound<String>, Bound<String>) {
    let last = call.parameter("last").unwrap_or_default().to_owned();
    (Bound::Excluded(last), Bound::Unbounded)
}

fn listed(body: &serde_json::Value, path: &str, next: Option<String>) -> Response {
    let mut headers = vec![(header::CONTENT_TYPE, "application/json".to_owned())];
    headers.extend(next.map(|query| (header::LINK, format!("<{path}?{query}>; rel=\"next\""))));
    plain(StatusCode::OK, &headers, Bytes::from(body.to_string()))
}

impl Oci {
    pub(super) fn catalog(&self, call: &Call) -> Result<Response, OciError> {
        if !self.abilities.catalog {
            return Err(OciError::unsupported());
        }
        let store = self.registry.read();
        if let Some(last) = call.parameter("last")
            && store.repository(last).is_none()
        {
            let message = format!("the last: {last} should be a valid repository");
            return Err(OciError::invalid("BAD_REQUEST", message));
        }
        let held = store.repositories().range(after(call));
        let names = held.filter(|(_, one)| !one.artifacts.is_empty());
        let (page, next) = page(call, names.map(|(name, _)| name))?;
        Ok(listed(&json!({"repositories": page}), "/v2/_catalog", next))
    }

    pub(super) fn tags(&self, call: &Call, name: &str) -> Result<Response, OciError> {
        let store = self.registry.read();
        let repository = store
            .repository(name)
            .ok_or_else(|| OciError::name_unknown(name))?;
        let names = repository.tags.range(after(call)).map(|(name, _)| name);
        let (page, next) = page(call, names)?;
        let body = json!({"name": name, "tags": page});
        Ok(listed(&body, &format!("/v2/{name}/tags/list"), next))
    }

    pub(super) fn referrers(
        &self,
        call: &Call,
        name: &str,
        digest: &str,
    ) -> Result<Response, OciError> {
        if !self.abilities.referrers {
            let message = "page not found";
            return Err(OciError::new(StatusCode::NOT_FOUND, "NOT_FOUND", message));
        }
        let wanted = call.parameter("artifactType");
        let store = self.registry.read();
        let about = store.repository(name).into_iter();
        let about = about.flat_map(|repository| repository.referrers_of(digest));
        let entries: Vec<_> = about
            .filter(|one| wanted.is_none() || one.manifest.artifact_type.as_deref() == wanted)
            .map(|one| {
                let mut entry = one.manifest.descriptor();
                entry.artifact_type.clone_from(&one.manifest.artifact_type);
                entry.annotations.clone_from(&one.manifest.annotations);
                entry
            })
            .collect();
        let body = json!({"schemaVersion": 2, "mediaType": OCI_INDEX, "manifests": entries});
        let mut headers = vec![(header::CONTENT_TYPE, OCI_INDEX.to_owned())];
        if wanted.is_some() {
            let name = HeaderName::from_static("oci-filters-applied");
            headers.push((name, "artifactType".to_owned()));
        }
        Ok(plain(
            StatusCode::OK,
            &headers,
            Bytes::from(body.to_string()),
        ))
    }
}
