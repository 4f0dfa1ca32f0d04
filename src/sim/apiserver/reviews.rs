//! Kinds that only answer: who am I, may I, whose token is this.

use super::auth::User;
use super::call::{self, Call};
use super::core::Core;
use super::error::ApiError;
use super::json;
use super::rbac::{self, Attempt};
use axum::response::Response;
use serde_json::{Value, json};

/// Answers a review.
pub(super) fn answer(call: &Call, mut object: Value) -> Result<Response, ApiError> {
    let spec = object.get("spec").cloned().unwrap_or_default();
    let status = match call.kind.kind.as_str() {
        "SelfSubjectAccessReview" => access(&call.core, &call.user, &spec),
        "SubjectAccessReview" | "LocalSubjectAccessReview" => {
            access(&call.core, &subject(&spec), &spec)
        }
        "SelfSubjectRulesReview" => rules(call, &spec),
        "SelfSubjectReview" => json!({ "userInfo": user_info(&call.user) }),
        "TokenReview" => token(call, &spec),
        _ => return Err(ApiError::method_not_allowed(&call.kind, call.verb)),
    };
    object["apiVersion"] = call.kind.api_version().into();
    object["kind"] = call.kind.kind.clone().into();
    let metadata = json::metadata_mut(&mut object);
    metadata.entry("creationTimestamp").or_insert(Value::Null);
    object["status"] = status;
    Ok(call::json_response(201, object.to_string()))
}

fn subject(spec: &Value) -> User {
    User {
        name: json::text_at(spec, &["user"])
            .unwrap_or_default()
            .to_owned(),
        groups: json::texts_at(spec, &["groups"]),
    }
}

fn access(core: &Core, user: &User, spec: &Value) -> Value {
    let Some(wanted) = spec.get("resourceAttributes").filter(|one| one.is_object()) else {
        // Everything that is no resource is discovery and health, open to all who got in.
        return json!({ "allowed": true });
    };
    let text = |field: &str| {
        json::text_at(wanted, &[field])
            .unwrap_or_default()
            .to_owned()
    };
    let resource = match text("subresource") {
        sub if sub.is_empty() => text("resource"),
        sub => format!("{}/{sub}", text("resource")),
    };
    let attempt = Attempt {
        verb: text("verb"),
        group: text("group"),
        resource,
        namespace: text("namespace"),
        name: text("name"),
    };
    if rbac::allows(core, user, &attempt) {
        json!({ "allowed": true, "reason": "" })
    } else {
        json!({ "allowed": false })
    }
}

fn rules(call: &Call, spec: &Value) -> Value {
    let namespace = json::text_at(spec, &["namespace"]).unwrap_or_default();
    let mut rules = rbac::rules_for(&call.core, &call.user, namespace);
    rules.push(json!({
        "verbs": ["create"],
        "apiGroups": ["authorization.k8s.io"],
        "resources": ["selfsubjectaccessreviews", "selfsubjectrulesreviews"],
    }));
    let open = json!([{
        "verbs": ["get"],
        "nonResourceURLs": [
            "/api", "/api/*", "/apis", "/apis/*", "/healthz", "/livez", "/openapi",
            "/openapi/*", "/readyz", "/version",
        ],
    }]);
    json!({ "resourceRules": rules, "nonResourceRules": open, "incomplete": false })
}

fn user_info(user: &User) -> Value {
    json!({ "username": user.name, "groups": user.groups })
}

fn token(call: &Call, spec: &Value) -> Value {
    let token = json::text_at(spec, &["token"]).unwrap_or_default();
    match call.core.user_of_token(token) {
        Some(user) => json!({ "authenticated": true, "user": user_info(&user) }),
        None => json!({ "authenticated": false, "error": "invalid bearer token" }),
    }
}

/// Answers `POST serviceaccounts/NAME/token`.
pub(super) fn request_token(call: &Call, mut object: Value) -> Result<Response, ApiError> {
    call.core.require(&call.kind, &call.key())?;
    let (namespace, name) = (&call.path.namespace, &call.path.name);
    let user = User::new(
        &format!("system:serviceaccount:{namespace}:{name}"),
        &[
            "system:serviceaccounts",
            &format!("system:serviceaccounts:{namespace}"),
        ],
    );
    let seconds = json::at(&object, &["spec", "expirationSeconds"])
        .and_then(Value::as_i64)
        .unwrap_or(3_600)
        .clamp(600, 86_400);
    let expires = call.core.now() + chrono::TimeDelta::seconds(seconds);
    let token = call.core.issue_token(user, Some(expires));
    object["apiVersion"] = "authentication.k8s.io/v1".into();
    object["kind"] = "TokenRequest".into();
    json::object_mut(&mut object, "spec").insert("expirationSeconds".to_owned(), seconds.into());
    json::metadata_mut(&mut object);
    object["status"] = json!({
        "token": token,
        "expirationTimestamp": json::timestamp(expires),
    });
    Ok(call::json_response(201, object.to_string()))
}
