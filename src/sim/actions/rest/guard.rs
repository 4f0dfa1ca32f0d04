//! What surrounds every answer: how often it may be asked, and whether it has changed.
//!
//! As GitHub does it (`docs.github.com/en/rest/using-the-rest-api`): 5,000 requests an hour with a
//! token and 60 without, told in headers; an answer that is asked for by its `ETag` and has not
//! changed is a 304 and costs nothing.

use crate::domain::clock::Clock as _;
use crate::sim::actions::Actions;
use axum::body::Body;
use axum::extract::{Request, State};
use axum::middleware::Next;
use axum::response::Response;
use chrono::{DateTime, TimeDelta, Utc};
use http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode, header};
use std::collections::BTreeMap;
use std::hash::{DefaultHasher, Hasher as _};
use std::sync::PoisonError;

/// No answer is longer.
const LONGEST: usize = 64 * 1024 * 1024;

/// How many requests were answered since the hour began, by whether they had a token.
#[derive(Debug, Default)]
pub(in crate::sim::actions) struct Hour {
    ends: Option<DateTime<Utc>>,
    used: BTreeMap<bool, u64>,
}

impl Hour {
    /// Counts a request; returns how many are left, none when it is one too many.
    fn count(&mut self, has_token: bool, cost: u64, now: DateTime<Utc>) -> Option<u64> {
        if self.ends.is_none_or(|ends| ends <= now) {
            self.ends = Some(now + TimeDelta::hours(1));
            self.used.clear();
        }
        let used = self.used.entry(has_token).or_default();
        let left = most(has_token).checked_sub(*used + cost)?;
        *used += cost;
        Some(left)
    }
}

fn most(has_token: bool) -> u64 {
    if has_token { 5_000 } else { 60 }
}

/// Answers as [`crate::sim::actions::rest`] does, within the limit and by `ETag`.
pub(super) async fn keep(State(actions): State<Actions>, request: Request, next: Next) -> Response {
    let has_token = request.headers().contains_key(header::AUTHORIZATION);
    let is_free = request.uri().path() == "/rate_limit";
    let wanted = request.headers().get(header::IF_NONE_MATCH).cloned();
    let may_match = request.method() == Method::GET;
    let left = count(&actions, has_token, u64::from(!is_free));
    let Some(left) = left else {
        let message = "API rate limit exceeded.";
        let mut refusal = super::refuse(StatusCode::FORBIDDEN, message);
        tell(refusal.headers_mut(), &actions, (has_token, 0));
        return refusal;
    };
    let (mut parts, body) = next.run(request).await.into_parts();
    let Ok(bytes) = axum::body::to_bytes(body, LONGEST).await else {
        return super::refuse(StatusCode::BAD_GATEWAY, "Server Error");
    };
    parts.headers.remove(header::CONTENT_LENGTH);
    if may_match && parts.status == StatusCode::OK {
        let mut hasher = DefaultHasher::new();
        hasher.write(&bytes);
        let mark = format!("W/\"{:016x}\"", hasher.finish());
        let is_known = wanted.is_some_and(|wanted| wanted.as_bytes() == mark.as_bytes());
        put(&mut parts.headers, header::ETAG, &mark);
        if is_known {
            give_back(&actions, has_token);
            parts.status = StatusCode::NOT_MODIFIED;
            tell(&mut parts.headers, &actions, (has_token, left + 1));
            return Response::from_parts(parts, Body::empty());
        }
    }
    tell(&mut parts.headers, &actions, (has_token, left));
    Response::from_parts(parts, Body::from(bytes))
}

fn count(actions: &Actions, has_token: bool, cost: u64) -> Option<u64> {
    let now = actions.0.clock.now();
    let mut hour = actions
        .0
        .hour
        .write()
        .unwrap_or_else(PoisonError::into_inner);
    hour.count(has_token, cost, now)
}

fn give_back(actions: &Actions, has_token: bool) {
    let mut hour = actions
        .0
        .hour
        .write()
        .unwrap_or_else(PoisonError::into_inner);
    if let Some(used) = hour.used.get_mut(&has_token) {
        *used = used.saturating_sub(1);
    }
}

fn tell(headers: &mut HeaderMap, actions: &Actions, (has_token, left): (bool, u64)) {
    let hour = actions
        .0
        .hour
        .read()
        .unwrap_or_else(PoisonError::into_inner);
    let ends = hour.ends.map_or(0, |ends| ends.timestamp());
    let most = most(has_token);
    for (name, value) in [
        ("x-ratelimit-limit", most.to_string()),
        ("x-ratelimit-remaining", left.to_string()),
        ("x-ratelimit-used", most.saturating_sub(left).to_string()),
        ("x-ratelimit-reset", ends.to_string()),
        ("x-ratelimit-resource", "core".to_owned()),
    ] {
        put(headers, HeaderName::from_static(name), &value);
    }
}

fn put(headers: &mut HeaderMap, name: HeaderName, value: &str) {
    if let Ok(value) = HeaderValue::from_str(value) {
        headers.insert(name, value);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_hour_has_sixty_requests_without_a_token() {
        let now = DateTime::UNIX_EPOCH;
        let mut hour = Hour::default();
        let left: Vec<_> = (0..61).map(|_| hour.count(false, 1, now)).collect();

        assert_eq!((left[0], left[59], left[60]), (Some(59), Some(0), None));
        assert_eq!(hour.count(true, 1, now), Some(4_999));
        assert_eq!(hour.count(false, 1, now + TimeDelta::hours(1)), Some(59));
    }
}
