//! Projects, quotas, robot accounts and the health of a Harbor.

use super::{Loose, at, time};
use crate::domain::finding::{Finding, Severity as Matter};
use crate::domain::image::{
    Component, Permission, ProjectRow, RobotRow, Severity, projects_kind, registry_object,
    robots_kind,
};
use crate::domain::object::{Cluster, Text, Uid};
use chrono::{DateTime, Utc};
use serde_json::Value;

/// Reads a project. Values of its metadata are all text.
pub fn project(value: &Value, cluster: &Cluster, host: &Text) -> ProjectRow {
    let mut loose = Loose::default();
    let id = loose.integer(value, &["project_id"]).unwrap_or_default();
    let name = loose.text(value, &["name"]);
    let object = registry_object(cluster, projects_kind(), host, &name);
    let mut on = |name: &str| loose.str(value, &["metadata", name]) == "true";
    let (public, scans, prevents) = (on("public"), on("auto_scan"), on("prevent_vul"));
    let makes_sboms = on("auto_sbom_generation");
    let needs_signature = on("enable_content_trust") || on("enable_content_trust_cosign");
    let severity = Severity::from_word(&capital(loose.str(value, &["metadata", "severity"])));
    let repositories = loose.integer(value, &["repo_count"]).unwrap_or_default();
    ProjectRow {
        uid: Uid(id.to_string().into()),
        registry: Text::clone(host),
        id,
        public,
        repositories: u64::try_from(repositories).unwrap_or_default(),
        owner: loose.text(value, &["owner_name"]),
        created: time(&mut loose, value, &["creation_time"]),
        used: None,
        quota: None,
        scans_pushes: scans,
        prevents: prevents.then_some(severity),
        makes_sboms,
        needs_signature,
        findings: loose.findings(&object),
        object,
    }
}

/// Severities of projects are written in lower case.
fn capital(word: &str) -> String {
    let mut letters = word.chars();
    letters.next().map_or(String::new(), |first| {
        first.to_uppercase().chain(letters).collect()
    })
}

/// How much a project may keep, and keeps.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Quota {
    pub project: i64,
    pub used: Option<u64>,
    /// `None` is unlimited.
    pub hard: Option<u64>,
}

/// Reads a quota.
pub fn quota(value: &Value) -> Option<Quota> {
    let bytes = |part: &str| at(value, &[part, "storage"]).and_then(Value::as_i64);
    Some(Quota {
        project: at(value, &["ref", "id"])?.as_i64()?,
        used: bytes("used").and_then(|used| u64::try_from(used).ok()),
        hard: bytes("hard").and_then(|hard| u64::try_from(hard).ok()),
    })
}

/// Reads a robot account.
pub fn robot(value: &Value, cluster: &Cluster, host: &Text, now: DateTime<Utc>) -> RobotRow {
    let mut loose = Loose::default();
    let id = loose.integer(value, &["id"]).unwrap_or_default();
    let name = loose.text(value, &["name"]);
    let object = registry_object(cluster, robots_kind(), host, &name);
    let of_project = loose.str(value, &["level"]) == "project";
    let blocks = loose.list(value, &["permissions"]);
    let mut permissions = Vec::new();
    let mut project = None;
    for block in blocks {
        let scope = loose.text(block, &["namespace"]);
        if of_project {
            project = Some(Text::clone(&scope));
        }
        for one in loose.list(block, &["access"]) {
            permissions.push(Permission {
                scope: Text::clone(&scope),
                resource: loose.text(one, &["resource"]),
                action: loose.text(one, &["action"]),
            });
        }
    }
    permissions.sort();
    let expires = loose
        .integer(value, &["expires_at"])
        .filter(|at| *at > 0)
        .and_then(|at| DateTime::from_timestamp(at, 0));
    let mut row = RobotRow {
        uid: Uid(id.to_string().into()),
        registry: Text::clone(host),
        id,
        project,
        description: loose.text(value, &["description"]),
        disabled: loose.flag(value, &["disable"]).unwrap_or_default(),
        expires,
        created: time(&mut loose, value, &["creation_time"]),
        permissions,
        as_of: now,
        own: false,
        findings: loose.findings(&object),
        object,
    };
    if row.has_expired() && !row.disabled {
        let sentence = format!(
            "`{}` has expired: logins and pulls with it are refused",
            row.object.name
        );
        let finding = Finding::new(Matter::Error, sentence)
            .about(row.object.clone())
            .with_hint("refresh it and renew the pull Secrets that carry it");
        row.findings.push(finding);
    }
    row
}

/// Returns the full name and the secret of a robot that was just made or refreshed.
pub fn made_robot(value: &Value) -> (String, String) {
    let text = |name: &str| {
        let text = value.get(name).and_then(Value::as_str).unwrap_or_default();
        text.to_owned()
    };
    (text("name"), text("secret"))
}

/// Reads `/health`: whether all is well, and every component.
pub fn health(value: &Value) -> (Option<bool>, Vec<Component>) {
    let mut loose = Loose::default();
    let healthy = match loose.str(value, &["status"]) {
        "" => None,
        status => Some(status == "healthy"),
    };
    let list = loose.list(value, &["components"]).iter();
    let components = list.map(|one| Component {
        name: loose.text(one, &["name"]),
        healthy: loose.str(one, &["status"]) == "healthy",
        error: loose.text(one, &["error"]),
    });
    (healthy, components.collect())
}

/// What a Harbor says of itself.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub struct SystemInfo {
    /// Empty for somebody it does not know.
    pub version: Text,
    /// The host in image references; empty for somebody it does not know.
    pub registry: Text,
    /// Empty for somebody it does not know.
    pub external: Text,
    /// Such as `db_auth`, `oidc_auth`.
    pub auth_mode: Text,
    pub read_only: bool,
}

/// Reads `/systeminfo`.
pub fn system_info(value: &Value) -> SystemInfo {
    let mut loose = Loose::default();
    let registry = loose.text(value, &["registry_url"]);
    let host = registry.split("://").last().unwrap_or_default();
    let host = host.trim_end_matches('/').to_ascii_lowercase();
    SystemInfo {
        version: loose.text(value, &["harbor_version"]),
        registry: host.into(),
        external: loose.text(value, &["external_url"]),
        auth_mode: loose.text(value, &["auth_mode"]),
        read_only: loose.flag(value, &["read_only"]).unwrap_or_default(),
    }
}

/// Reads `/systeminfo/volumes`: free and total bytes of all of them.
pub fn volumes(value: &Value) -> Option<(u64, u64)> {
    let list = value.get("storage")?.as_array()?;
    let sum = |name: &str| -> u64 {
        let values = list.iter().filter_map(|one| one.get(name)?.as_u64());
        values.sum()
    };
    (!list.is_empty()).then(|| (sum("free"), sum("total")))
}

#[cfg(test)]
mod tests {
    use super::*;
    use chrono::TimeDelta;
    use serde_json::json;

    fn cluster() -> Cluster {
        Cluster("demo".into())
    }

    #[test]
    fn a_project_reads_its_switches_out_of_text() {
        let row = project(
            &json!({"project_id": 3, "name": "shop", "repo_count": 4, "owner_name": "admin",
                "metadata": {"public": "true", "auto_scan": "true", "prevent_vul": "true",
                    "severity": "high"}}),
            &cluster(),
            &"r.io".into(),
        );
        assert!(row.public && row.scans_pushes && !row.needs_signature);
        assert_eq!(row.prevents, Some(Severity::High));
        assert_eq!(row.object.path(), "r.io/shop");
        let quota =
            quota(&json!({"ref": {"id": 3}, "hard": {"storage": -1}, "used": {"storage": 5}}));
        assert_eq!(
            quota,
            Some(Quota {
                project: 3,
                used: Some(5),
                hard: None
            })
        );
    }

    #[test]
    fn a_robot_that_has_expired_says_what_follows() {
        let now = DateTime::UNIX_EPOCH + TimeDelta::days(1_000);
        let value = json!({"id": 5, "name": "robot$shop+ci", "level": "project", "disable": false,
            "expires_at": now.timestamp(), "permissions": [{"kind": "project", "namespace": "shop",
                "access": [{"resource": "repository", "action": "push"},
                           {"resource": "repository", "action": "pull"}]}]});
        let row = robot(&value, &cluster(), &"r.io".into(), now);
        assert_eq!(
            (row.status(), row.project.as_deref()),
            ("expired", Some("shop"))
        );
        assert_eq!(row.permissions_text(), "shop: repository pull push");
        assert!(row.findings[0].sentence.contains("has expired"));
        let value = json!({"id": 6, "name": "robot$x", "level": "system", "expires_at": -1});
        let row = robot(&value, &cluster(), &"r.io".into(), now);
        assert_eq!((row.status(), row.expires), ("active", None));
    }

    #[test]
    fn anonymous_callers_learn_less() {
        let info = system_info(&json!({"auth_mode": "oidc_auth"}));
        assert_eq!((&*info.registry, &*info.auth_mode), ("", "oidc_auth"));
        let info = system_info(&json!({"registry_url": "https://Harbor.Example.com/"}));
        assert_eq!(&*info.registry, "harbor.example.com");
        let (healthy, parts) = health(&json!({"status": "unhealthy", "components": [
            {"name": "trivy", "status": "unhealthy", "error": "timeout"}]}));
        assert_eq!(healthy, Some(false));
        assert_eq!(&*parts[0].error, "timeout");
        assert_eq!(
            volumes(&json!({"storage": [{"total": 9, "free": 3}]})),
            Some((3, 9))
        );
    }
}
