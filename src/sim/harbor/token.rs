//! The token service of the registry (`distribution` `docs/content/spec/auth/token.md`).
//!
//! Tokens are JSON web tokens with a shared key; they say who holds them, what for, and until when
//! in platform time.

use super::access::{Caller, Scope};
use super::error::Refusal;
use super::model::Project;
use super::{Harbor, PoisonError};
use crate::sim::registry::text;
use crate::sim::webhook::sign;
use axum::extract::Request;
use axum::response::{IntoResponse, Response};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use chrono::{DateTime, SecondsFormat, Utc};
use serde::{Deserialize, Serialize};
use serde_json::json;

/// How long a token is good for, in seconds.
const LIFE: i64 = 1800;
pub(super) const SERVICE: &str = "harbor-registry";
const ISSUER: &str = "harbor-token-issuer";

/// What a token is for.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Access {
    #[serde(rename = "type")]
    pub(super) kind: String,
    pub(super) name: String,
    pub(super) actions: Vec<String>,
}

/// What a token says.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Claims {
    iss: String,
    pub(super) sub: String,
    aud: String,
    exp: i64,
    nbf: i64,
    iat: i64,
    pub(super) access: Vec<Access>,
}

fn signed(key: &str, text: &str) -> String {
    let hex = sign(key, text.as_bytes());
    let digits: Vec<u8> = hex
        .chars()
        .filter_map(|c| c.to_digit(16))
        .map(|d| d as u8)
        .collect();
    let bytes: Vec<u8> = digits
        .chunks(2)
        .map(|pair| pair.iter().fold(0, |all, digit| all << 4 | digit))
        .collect();
    URL_SAFE_NO_PAD.encode(bytes)
}

/// Makes a token.
fn issue(key: &str, subject: &str, access: Vec<Access>, now: DateTime<Utc>) -> String {
    let claims = Claims {
        iss: ISSUER.to_owned(),
        sub: subject.to_owned(),
        aud: SERVICE.to_owned(),
        exp: now.timestamp() + LIFE,
        nbf: now.timestamp(),
        iat: now.timestamp(),
        access,
    };
    let encode = |text: String| URL_SAFE_NO_PAD.encode(text);
    let head = encode(json!({"typ": "JWT", "alg": "HS256"}).to_string());
    let claims = encode(serde_json::to_string(&claims).unwrap_or_default());
    let text = format!("{head}.{claims}");
    let mark = signed(key, &text);
    format!("{text}.{mark}")
}

/// Reads a token; the error says why it is not good.
pub(super) fn read(key: &str, token: &str, now: DateTime<Utc>) -> Result<Claims, &'static str> {
    let (text, mark) = token.rsplit_once('.').ok_or("invalid token")?;
    if signed(key, text) != mark {
        return Err("invalid token");
    }
    let (_, claims) = text.split_once('.').ok_or("invalid token")?;
    let bytes = URL_SAFE_NO_PAD
        .decode(claims)
        .map_err(|_not_base64| "invalid token")?;
    let claims: Claims = serde_json::from_slice(&bytes).map_err(|_no_claims| "invalid token")?;
    if claims.exp <= now.timestamp() {
        return Err("token is expired");
    }
    Ok(claims)
}

/// Reads `repository:shop/web:pull,push`.
fn scope(text: &str) -> Option<Access> {
    let (kind, rest) = text.split_once(':')?;
    let (name, actions) = rest.rsplit_once(':')?;
    Some(Access {
        kind: kind.to_owned(),
        name: name.to_owned(),
        actions: actions.split(',').map(str::to_owned).collect(),
    })
}

/// Keeps the actions that the caller may do.
fn granted(harbor: &Harbor, caller: &Caller, mut wanted: Access) -> Access {
    let state = harbor
        .0
        .state
        .read()
        .unwrap_or_else(PoisonError::into_inner);
    let project = wanted.name.split('/').next().unwrap_or_default().to_owned();
    let public = state.project(&project).is_some_and(Project::is_public);
    let is_catalog = wanted.kind == "registry";
    wanted.actions.retain(|action| {
        if is_catalog {
            return caller.may(Scope::System, ("catalog", "read"), false);
        }
        let scope = Scope::Project(&project);
        caller.may(scope, ("repository", action), public)
    });
    wanted
}

/// Answers `GET /service/token?service=…&scope=…`.
pub(super) fn answer(harbor: &Harbor, request: &Request) -> Response {
    let (caller, refused) = harbor.caller(request.headers());
    if let Some(why) = refused {
        return Refusal::unauthorized(format!("unauthorized: {why}")).into_response();
    }
    let parameters = text::parameters(request.uri().query());
    let scopes: Vec<Access> = parameters
        .iter()
        .filter(|(key, _)| key == "scope")
        .flat_map(|(_, value)| value.split(' '))
        .filter_map(scope)
        .collect();
    if scopes.is_empty() && !caller.is_authenticated() {
        return Refusal::unauthorized("unauthorized").into_response();
    }
    let granted = scopes
        .into_iter()
        .map(|one| granted(harbor, &caller, one))
        .collect();
    let now = harbor.now();
    let key = {
        let state = harbor
            .0
            .state
            .read()
            .unwrap_or_else(PoisonError::into_inner);
        state.token_key.clone()
    };
    let subject = if caller.is_authenticated() {
        caller.name()
    } else {
        ""
    };
    let token = issue(&key, subject, granted, now);
    axum::Json(json!({
        "token": token,
        "access_token": "",
        "expires_in": LIFE,
        "issued_at": now.to_rfc3339_opts(SecondsFormat::Secs, true),
    }))
    .into_response()
}

#[cfg(test)]
mod tests {
    use super::*;
    use chrono::TimeDelta;

    #[test]
    fn a_token_is_good_until_its_time_and_only_as_it_was_made() {
        let now = DateTime::UNIX_EPOCH;
        let access = scope("repository:shop/web:pull,push").expect("a scope");
        assert_eq!(access.actions, ["pull", "push"]);

        let token = issue("key", "robot$ci", vec![access.clone()], now);

        let claims = read("key", &token, now + TimeDelta::seconds(LIFE - 1)).expect("claims");
        assert_eq!(
            (claims.sub.as_str(), &claims.access[..]),
            ("robot$ci", &[access][..])
        );
        assert_eq!(
            read("key", &token, now + TimeDelta::seconds(LIFE)),
            Err("token is expired")
        );
        assert_eq!(read("other", &token, now), Err("invalid token"));
        assert_eq!(read("key", "a.b.c", now), Err("invalid token"));
        assert!(scope("nonsense").is_none());
    }
}
