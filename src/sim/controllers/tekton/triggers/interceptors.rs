//! Interceptors: whether an event is for a Trigger, and what is added to it.
//!
//! Follows `pkg/interceptors/{github,gitlab,cel}`. Signatures are checked on the bytes as they
//! came.

use super::process::said;
use crate::sim::controllers::tekton::cel;
use crate::sim::webhook::is_signed;
use bytes::Bytes;
use k8s_openapi::api::core::v1::Secret;
use kube::{Api, Client};
use serde_json::{Map, Value, json};

/// An event on its way through the interceptors.
#[derive(Clone, Debug)]
pub(super) struct Incoming {
    pub(super) body: Value,
    /// The body as it came.
    pub(super) raw: Bytes,
    pub(super) headers: Map<String, Value>,
    pub(super) url: String,
    pub(super) extensions: Map<String, Value>,
}

impl Incoming {
    /// Returns the first value of a header; empty without it.
    fn header(&self, name: &str) -> &str {
        let found = self
            .headers
            .iter()
            .find(|(key, _)| key.eq_ignore_ascii_case(name));
        let value = found.and_then(|(_, values)| values.get(0));
        value.and_then(Value::as_str).unwrap_or_default()
    }
}

/// An interceptor with its parameters.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Interceptor {
    name: String,
    params: Map<String, Value>,
}

/// Reads how an EventListener writes an interceptor, in today's or an older way.
pub(super) fn read(written: &Value) -> Result<Interceptor, String> {
    for old in ["github", "gitlab", "bitbucket", "cel"] {
        if let Some(Value::Object(params)) = written.get(old) {
            return Ok(Interceptor {
                name: old.to_owned(),
                params: params.clone(),
            });
        }
    }
    if written.get("webhook").is_some() {
        return Err("webhook interceptors are not called by the embedded platform".to_owned());
    }
    let name = written.pointer("/ref/name").and_then(Value::as_str);
    let name = name.ok_or("an interceptor has to name what it is: ref.name")?;
    let params = written.get("params").and_then(Value::as_array);
    let params = params.into_iter().flatten().filter_map(|param| {
        let name = param.get("name")?.as_str()?;
        Some((name.to_owned(), param.get("value")?.clone()))
    });
    Ok(Interceptor {
        name: name.to_owned(),
        params: params.collect(),
    })
}

/// Passes an event through an interceptor; the error says why it stops.
pub(super) async fn pass(
    interceptor: &Interceptor,
    event: &mut Incoming,
    (client, namespace): (&Client, &str),
) -> Result<(), String> {
    match interceptor.name.as_str() {
        "github" => {
            let secret = secret(interceptor, client, namespace).await?;
            github(interceptor, event, secret.as_deref())
        }
        "gitlab" => {
            let secret = secret(interceptor, client, namespace).await?;
            gitlab(interceptor, event, secret.as_deref())
        }
        "cel" => expressions(interceptor, event),
        other => Err(format!(
            "the interceptor `{other}` is not served by the embedded platform; it has github, \
             gitlab and cel"
        )),
    }
}

async fn secret(
    interceptor: &Interceptor,
    client: &Client,
    namespace: &str,
) -> Result<Option<String>, String> {
    let Some(reference) = interceptor.params.get("secretRef") else {
        return Ok(None);
    };
    let text = |field: &str| {
        reference
            .get(field)
            .and_then(Value::as_str)
            .unwrap_or_default()
    };
    let (name, key) = (text("secretName"), text("secretKey"));
    if key.is_empty() {
        let kind = &interceptor.name;
        return Err(format!("{kind} interceptor secretRef.secretKey is empty"));
    }
    let api = Api::<Secret>::namespaced(client.clone(), namespace);
    let found = api.get(name).await;
    let found = found.map_err(|error| format!("error getting secret: {}", said(&error)))?;
    let data = found.data.unwrap_or_default();
    let value = data
        .get(key)
        .ok_or_else(|| format!("error getting secret: secret {name:?} has no key {key:?}"))?;
    Ok(Some(String::from_utf8_lossy(&value.0).into_owned()))
}

fn github(interceptor: &Interceptor, event: &Incoming, secret: Option<&str>) -> Result<(), String> {
    if let Some(secret) = secret {
        let given = event.header("X-Hub-Signature-256");
        if given.is_empty() {
            return Err("Must set X-Hub-Signature-256 or X-Hub-Signature header".to_owned());
        }
        if !is_signed(secret, &event.raw, given) {
            return Err("payload signature check failed".to_owned());
        }
    }
    allows(interceptor, event.header("X-GitHub-Event"))
}

fn gitlab(interceptor: &Interceptor, event: &Incoming, secret: Option<&str>) -> Result<(), String> {
    if let Some(secret) = secret {
        let given = event.header("X-GitLab-Token");
        if given.is_empty() {
            return Err("no X-GitLab-Token header set".to_owned());
        }
        let differs = given.len() != secret.len()
            || given
                .bytes()
                .zip(secret.bytes())
                .fold(0_u8, |all, (a, b)| all | (a ^ b))
                != 0;
        if differs {
            return Err("Invalid X-GitLab-Token".to_owned());
        }
    }
    allows(interceptor, event.header("X-GitLab-Event"))
}

fn allows(interceptor: &Interceptor, actual: &str) -> Result<(), String> {
    let Some(Value::Array(types)) = interceptor.params.get("eventTypes") else {
        return Ok(());
    };
    if types.is_empty() || types.iter().any(|one| one.as_str() == Some(actual)) {
        return Ok(());
    }
    Err(format!("event type {actual} is not allowed"))
}

fn expressions(interceptor: &Interceptor, event: &mut Incoming) -> Result<(), String> {
    let known = |event: &Incoming| {
        json!({
            "body": event.body,
            "header": event.headers,
            "extensions": event.extensions,
            "requestURL": event.url,
        })
    };
    let filter = interceptor.params.get("filter").and_then(Value::as_str);
    if let Some(filter) = filter.filter(|filter| !filter.is_empty()) {
        let value = cel::evaluate(filter, &known(event));
        let value =
            value.map_err(|why| format!("error evaluating cel expression: {filter}: {why}"))?;
        if value != json!(true) {
            return Err(format!("expression {filter} did not return true"));
        }
    }
    let overlays = interceptor.params.get("overlays").and_then(Value::as_array);
    for overlay in overlays.into_iter().flatten() {
        let text = |field: &str| {
            overlay
                .get(field)
                .and_then(Value::as_str)
                .unwrap_or_default()
        };
        let (key, expression) = (text("key"), text("expression"));
        let value = cel::evaluate(expression, &known(event));
        let value =
            value.map_err(|why| format!("error evaluating cel expression: {expression}: {why}"))?;
        put(&mut event.extensions, key, value);
    }
    Ok(())
}

/// Puts a value under a key, whose dots lead into maps.
fn put(map: &mut Map<String, Value>, key: &str, value: Value) {
    match key.split_once('.') {
        None => {
            map.insert(key.to_owned(), value);
        }
        Some((first, rest)) => {
            let inner = map.entry(first.to_owned()).or_insert_with(|| json!({}));
            if let Some(inner) = inner.as_object_mut() {
                put(inner, rest, value);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[allow(
        clippy::needless_pass_by_value,
        reason = "the caller has no other use for it"
    )]
    fn event(headers: Value, body: &str) -> Incoming {
        Incoming {
            body: serde_json::from_str(body).expect("JSON"),
            raw: Bytes::copy_from_slice(body.as_bytes()),
            headers: headers.as_object().cloned().expect("a map"),
            url: "/".to_owned(),
            extensions: Map::new(),
        }
    }

    #[allow(
        clippy::needless_pass_by_value,
        reason = "the caller has no other use for it"
    )]
    fn interceptor(written: Value) -> Interceptor {
        read(&written).expect("an interceptor")
    }

    #[test]
    fn a_github_event_is_checked_on_its_bytes_and_its_type() {
        let signature = format!("sha256={}", "0".repeat(64));
        let own = interceptor(json!({
            "ref": {"name": "github"},
            "params": [{"name": "eventTypes", "value": ["push"]}],
        }));
        let push = event(json!({"X-Github-Event": ["push"]}), r#"{"ref": "main"}"#);
        let forged = event(
            json!({"X-Github-Event": ["push"], "X-Hub-Signature-256": [signature]}),
            r#"{"ref": "main"}"#,
        );
        let ping = event(json!({"X-Github-Event": ["ping"]}), "{}");

        assert_eq!(github(&own, &push, None), Ok(()));
        assert_eq!(
            github(&own, &push, Some("secret")),
            Err("Must set X-Hub-Signature-256 or X-Hub-Signature header".to_owned())
        );
        assert_eq!(
            github(&own, &forged, Some("secret")),
            Err("payload signature check failed".to_owned())
        );
        assert_eq!(
            github(&own, &ping, None),
            Err("event type ping is not allowed".to_owned())
        );
    }

    #[test]
    fn expressions_filter_and_add() {
        let own = interceptor(json!({"cel": {
            "filter": "body.ref == 'refs/heads/main'",
            "overlays": [
                {"key": "short", "expression": "body.after.truncate(3)"},
                {"key": "deep.branch", "expression": "body.ref.split('/')[2]"},
            ],
        }}));
        let body = r#"{"ref": "refs/heads/main", "after": "abcdef"}"#;
        let mut main = event(json!({}), body);
        let mut other = event(json!({}), r#"{"ref": "refs/heads/dev", "after": "abcdef"}"#);

        assert_eq!(expressions(&own, &mut main), Ok(()));
        assert_eq!(
            Value::Object(main.extensions),
            json!({"short": "abc", "deep": {"branch": "main"}})
        );
        let why = expressions(&own, &mut other).expect_err("it is filtered");
        assert_eq!(
            why,
            "expression body.ref == 'refs/heads/main' did not return true"
        );
    }

    #[test]
    fn what_is_not_served_says_so() {
        assert!(read(&json!({"webhook": {}})).is_err());
        assert!(read(&json!({})).is_err());
    }
}
