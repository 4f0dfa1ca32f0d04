//! What a request asks for, read from its method, path and query.
//!
//! The rules are those of apiserver `pkg/endpoints/request/requestinfo.go`.

use super::error::ApiError;
use http::Method;

/// The parts of a path below `/api` or `/apis`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct ResourcePath {
    pub(super) group: String,
    pub(super) version: String,
    pub(super) namespace: String,
    pub(super) plural: String,
    pub(super) name: String,
    pub(super) subresource: String,
    /// What follows the subresource, for proxies.
    pub(super) rest: Vec<String>,
    /// Whether the path has the old `watch/` prefix.
    pub(super) watch_prefix: bool,
}

impl ResourcePath {
    /// Reads a path with a resource in it; `None` for discovery and other paths.
    pub(super) fn parse(path: &str) -> Option<Self> {
        let parts: Vec<String> = path
            .split('/')
            .filter(|part| !part.is_empty())
            .map(percent_decode)
            .collect();
        let (mut found, mut parts) = match parts.first().map(String::as_str)? {
            "api" => (
                Self {
                    version: parts.get(1)?.clone(),
                    ..Self::default()
                },
                parts.get(2..)?,
            ),
            "apis" => (
                Self {
                    group: parts.get(1)?.clone(),
                    version: parts.get(2)?.clone(),
                    ..Self::default()
                },
                parts.get(3..)?,
            ),
            _ => return None,
        };
        if parts.first().is_some_and(|part| part == "watch") {
            found.watch_prefix = true;
            parts = parts.get(1..)?;
        }
        if parts.len() > 1 && parts.first().is_some_and(|part| part == "namespaces") {
            let of_namespace = ["status", "finalize"];
            match parts.get(2) {
                Some(next) if !of_namespace.contains(&next.as_str()) => {
                    found.namespace.clone_from(parts.get(1)?);
                    parts = parts.get(2..)?;
                }
                Some(_) | None => {}
            }
        }
        found.plural.clone_from(parts.first()?);
        found.name = parts.get(1).cloned().unwrap_or_default();
        found.subresource = parts.get(2).cloned().unwrap_or_default();
        found.rest = parts.get(3..).unwrap_or_default().to_vec();
        Some(found)
    }
}

fn percent_decode(part: &str) -> String {
    let mut bytes = Vec::with_capacity(part.len());
    let mut rest = part.bytes();
    while let Some(byte) = rest.next() {
        if byte != b'%' {
            bytes.push(byte);
            continue;
        }
        let digits = [rest.next(), rest.next()];
        let value = digits
            .iter()
            .map(|digit| digit.and_then(|one| char::from(one).to_digit(16)))
            .try_fold(0_u32, |sum, digit| digit.map(|one| sum * 16 + one));
        match value {
            Some(value) => bytes.push(value as u8),
            None => bytes.push(b'%'),
        }
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

/// Query parameters; the last of a name wins.
#[derive(Clone, Debug, Default)]
pub(super) struct Query(Vec<(String, String)>);

impl Query {
    /// Reads a query string.
    pub(super) fn parse(text: &str) -> Self {
        Self(
            text.split('&')
                .filter(|part| !part.is_empty())
                .map(|part| {
                    let (name, value) = part.split_once('=').unwrap_or((part, ""));
                    let decode = |text: &str| percent_decode(&text.replace('+', " "));
                    (decode(name), decode(value))
                })
                .collect(),
        )
    }

    /// Returns a parameter that is not empty.
    pub(super) fn text(&self, name: &str) -> Option<&str> {
        self.0
            .iter()
            .rev()
            .find(|(one, value)| one == name && !value.is_empty())
            .map(|(_, value)| value.as_str())
    }

    /// Says whether a parameter is given and not `false` or `0`.
    pub(super) fn flag(&self, name: &str) -> bool {
        self.0
            .iter()
            .rev()
            .find(|(one, _)| one == name)
            .is_some_and(|(_, value)| value != "false" && value != "0")
    }

    /// Returns a parameter that must be a number when given.
    pub(super) fn number(&self, name: &str) -> Result<Option<i64>, ApiError> {
        self.text(name)
            .map(|text| {
                text.parse().map_err(|error| {
                    ApiError::bad_request(format!("invalid value for `{name}`: {error}"))
                })
            })
            .transpose()
    }
}

/// What `fieldValidation` asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum FieldValidation {
    Ignore,
    Warn,
    Strict,
}

/// Parameters of the verbs that write.
#[derive(Clone, Debug)]
pub(super) struct WriteOptions {
    pub(super) dry_run: bool,
    pub(super) field_manager: String,
    pub(super) validation: FieldValidation,
    pub(super) force: bool,
    /// Whether this is a server-side apply, which settles the ownership of fields itself.
    pub(super) applied: bool,
}

impl WriteOptions {
    /// Reads the parameters; `user_agent` names the field manager when none is given.
    pub(super) fn read(query: &Query, user_agent: &str) -> Result<Self, ApiError> {
        let dry_run = match query.text("dryRun") {
            None => false,
            Some("All") => true,
            Some(other) => {
                return Err(ApiError::new(
                    422,
                    "Invalid",
                    format!(
                        " \"\" is invalid: dryRun: Unsupported value: \"{other}\": supported \
                         values: \"All\""
                    ),
                ));
            }
        };
        let validation = match query.text("fieldValidation") {
            None | Some("Warn") => FieldValidation::Warn,
            Some("Ignore") => FieldValidation::Ignore,
            Some("Strict") => FieldValidation::Strict,
            Some(other) => {
                return Err(ApiError::bad_request(format!(
                    "fieldValidation: Unsupported value: \"{other}\": supported values: \
                     \"Ignore\", \"Warn\", \"Strict\""
                )));
            }
        };
        let field_manager = query.text("fieldManager").map_or_else(
            || user_agent.split('/').next().unwrap_or_default().to_owned(),
            str::to_owned,
        );
        Ok(Self {
            dry_run,
            field_manager: if field_manager.is_empty() {
                "unknown".to_owned()
            } else {
                field_manager
            },
            validation,
            force: query.flag("force"),
            applied: false,
        })
    }
}

/// Returns the verb in the words of authorization (`get`, `list`, `deletecollection`).
pub(super) fn verb_of(method: &Method, path: &ResourcePath, query: &Query) -> &'static str {
    let one = !path.name.is_empty();
    match method.as_str() {
        "GET" | "HEAD"
            if path.watch_prefix || (query.flag("watch") && path.subresource.is_empty()) =>
        {
            "watch"
        }
        "GET" | "HEAD" if one => "get",
        "GET" | "HEAD" => "list",
        "POST" => "create",
        "PUT" => "update",
        "PATCH" => "patch",
        "DELETE" if one => "delete",
        "DELETE" => "deletecollection",
        _ => "",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parsed(path: &str) -> (String, String, String, String, String) {
        let found = ResourcePath::parse(path).expect(path);
        (
            found.group,
            found.namespace,
            found.plural,
            found.name,
            found.subresource,
        )
    }

    fn words(all: [&str; 5]) -> (String, String, String, String, String) {
        let [group, namespace, plural, name, sub] = all.map(str::to_owned);
        (group, namespace, plural, name, sub)
    }

    #[test]
    fn paths_name_resources_as_upstream_reads_them() {
        let cases = [
            ("/api/v1/namespaces", ["", "", "namespaces", "", ""]),
            ("/api/v1/namespaces/a", ["", "", "namespaces", "a", ""]),
            (
                "/api/v1/namespaces/a/finalize",
                ["", "", "namespaces", "a", "finalize"],
            ),
            (
                "/api/v1/namespaces/a/pods/p/log",
                ["", "a", "pods", "p", "log"],
            ),
            (
                "/apis/apps/v1/deployments",
                ["apps", "", "deployments", "", ""],
            ),
            (
                "/apis/apps/v1/namespaces/x/deployments/d%3Ae/scale",
                ["apps", "x", "deployments", "d:e", "scale"],
            ),
        ];
        for (path, expected) in cases {
            assert_eq!(parsed(path), words(expected), "{path}");
        }
    }

    #[test]
    fn discovery_paths_name_no_resource() {
        for path in [
            "/api",
            "/api/v1",
            "/apis",
            "/apis/apps",
            "/apis/apps/v1",
            "/version",
        ] {
            assert_eq!(ResourcePath::parse(path), None, "{path}");
        }
    }
}
