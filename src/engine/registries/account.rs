//! With which account a registry or a git server is asked, and where its secret is found.
//!
//! Secrets come from the environment, a file, a command or a Kubernetes Secret. They are kept in
//! memory, never written down and never printed.

use crate::domain::node::Node as _;
use crate::domain::object::Text;
use crate::domain::servers::{RegistryOptions, Secret};
use crate::engine::facts::{items, text};
use crate::engine::session::Session;
use crate::engine::transport::{Call, segment};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use http::HeaderValue;
use serde_json::Value;
use std::process::Stdio;
use std::time::Duration;

/// How long a command may take to print a password.
const PATIENCE: Duration = Duration::from_secs(20);

/// An account, or nobody.
#[derive(Clone, Debug, Default)]
pub(in crate::engine) struct Account {
    /// Empty for nobody.
    pub(super) name: Text,
    secret: Option<Secret>,
    /// Where it was found, for people.
    pub(in crate::engine) from: Text,
}

impl Account {
    pub(in crate::engine) fn new(name: &str, secret: &str, from: impl Into<Text>) -> Self {
        Self {
            name: name.into(),
            secret: Some(Secret::new(secret)),
            from: from.into(),
        }
    }

    pub(in crate::engine) fn is_nobody(&self) -> bool {
        self.name.is_empty()
    }

    /// Returns how people see it: `robot$ci`, or `nobody`.
    pub(in crate::engine) fn shown(&self) -> &str {
        if self.is_nobody() {
            "nobody"
        } else {
            &self.name
        }
    }

    /// Returns the header of basic authentication; `None` for nobody.
    pub(in crate::engine) fn basic(&self) -> Option<HeaderValue> {
        let secret = self.secret.as_ref().filter(|_| !self.is_nobody())?;
        let pair = BASE64.encode(format!("{}:{}", self.name, secret.reveal()));
        let mut value = HeaderValue::from_str(&format!("Basic {pair}")).ok()?;
        value.set_sensitive(true);
        Some(value)
    }
}

/// Finds the account that is configured.
///
/// # Errors
/// Says which source failed, and never what it holds.
pub(in crate::engine) async fn configured(
    session: &Session,
    options: &RegistryOptions,
) -> Result<Account, String> {
    let name = options.login.username.as_deref().unwrap_or_default();
    if let Some(secret) = &options.login.password {
        return Ok(Account::new(name, secret.reveal(), "the configuration"));
    }
    if let Some(command) = &options.command {
        return by_command(name, command).await;
    }
    if let Some((namespace, secret)) = options
        .secret
        .as_deref()
        .and_then(|secret| secret.split_once('/'))
    {
        let path = format!(
            "/api/v1/namespaces/{}/secrets/{}",
            segment(namespace),
            segment(secret)
        );
        let found = session.send_json(Call::get(path)).await;
        let found = found.map_err(|fault| {
            format!("the Secret `{namespace}/{secret}` cannot be read: {fault}")
        })?;
        let host = options.host.as_deref().unwrap_or_default();
        return of_secret(&found, host).ok_or_else(|| {
            format!("the Secret `{namespace}/{secret}` holds no account for `{host}`")
        });
    }
    Ok(Account::default())
}

async fn by_command(name: &str, command: &[String]) -> Result<Account, String> {
    let (program, arguments) = command.split_first().ok_or("the command is empty")?;
    let run = tokio::process::Command::new(program)
        .args(arguments)
        .stdin(Stdio::null())
        .stderr(Stdio::null())
        .kill_on_drop(true)
        .output();
    let output = tokio::time::timeout(PATIENCE, run)
        .await
        .map_err(|_elapsed| {
            format!(
                "`{program}` printed no password in {} s",
                PATIENCE.as_secs()
            )
        })?
        .map_err(|error| format!("`{program}` cannot be started: {error}"))?;
    if !output.status.success() {
        return Err(format!("`{program}` failed ({})", output.status));
    }
    let printed = String::from_utf8_lossy(&output.stdout);
    let from = format!("the command `{program}`");
    // What a Docker credential helper prints.
    if let Ok(helper) = serde_json::from_str::<Value>(&printed)
        && let Some(secret) = helper.get("Secret").and_then(Value::as_str)
    {
        let user = helper.get("Username").and_then(Value::as_str);
        return Ok(Account::new(user.unwrap_or(name), secret, from));
    }
    let password = printed.lines().next().unwrap_or_default();
    if password.is_empty() {
        return Err(format!("`{program}` printed nothing"));
    }
    Ok(Account::new(name, password, from))
}

/// Finds the account that somebody has put beside a registry for cockpits.
pub(super) async fn beside(session: &Session, namespace: &str) -> Option<Account> {
    let path = format!(
        "/api/v1/namespaces/{}/secrets?labelSelector={}",
        segment(namespace),
        segment("app.kubernetes.io/part-of=tiphys,tiphys.dev/registry=true")
    );
    let list = session.send_json(Call::get(path)).await.ok()?;
    items(&list, &["items"])
        .iter()
        .find_map(|secret| of_secret(secret, ""))
}

/// Reads a Secret with a user and a password, or with Docker's list of registries.
fn of_secret(secret: &Value, host: &str) -> Option<Account> {
    let from = format!(
        "the Secret `{}/{}`",
        text(secret, &["metadata", "namespace"]),
        text(secret, &["metadata", "name"])
    );
    let decoded = |name: &str| {
        let encoded = secret.at(&["data", name])?.as_str()?;
        String::from_utf8(BASE64.decode(encoded).ok()?).ok()
    };
    if let (Some(user), Some(password)) = (decoded("username"), decoded("password")) {
        return Some(Account::new(user.trim(), password.trim_end(), from));
    }
    let docker: Value = serde_json::from_str(&decoded(".dockerconfigjson")?).ok()?;
    let auths = docker.get("auths")?.as_object()?;
    let is_host = |name: &str| {
        let name = name.split("://").last().unwrap_or_default();
        name.split('/').next() == Some(host)
    };
    let named = auths.iter().find(|(name, _)| is_host(name));
    let (_, entry) = named.or_else(|| auths.iter().next().filter(|_| host.is_empty()))?;
    let (user, password) = (text(entry, &["username"]), text(entry, &["password"]));
    if !user.is_empty() {
        return Some(Account::new(user, password, from));
    }
    let pair = String::from_utf8(BASE64.decode(text(entry, &["auth"])).ok()?).ok()?;
    let (user, password) = pair.split_once(':')?;
    Some(Account::new(user, password, from))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn secrets_of_both_kinds_are_read_and_never_printed() {
        let basic = json!({"metadata": {"namespace": "harbor", "name": "cockpit-robot"},
            "data": {"username": BASE64.encode("robot$cockpit"), "password": BASE64.encode("s3cret\n")}});
        let account = of_secret(&basic, "").expect("an account");
        assert_eq!(account.shown(), "robot$cockpit");
        assert_eq!(&*account.from, "the Secret `harbor/cockpit-robot`");
        let header = account.basic().expect("a header");
        let expected = format!("Basic {}", BASE64.encode("robot$cockpit:s3cret"));
        assert_eq!(header.to_str().ok(), Some(&*expected));
        assert!(!format!("{account:?}").contains("s3cret"));

        let auths =
            json!({"auths": {"https://r.io/v1/": {"auth": BASE64.encode("me:pw:x")}, "q.io": {}}});
        let docker = json!({"data": {".dockerconfigjson": BASE64.encode(auths.to_string())}});
        let account = of_secret(&docker, "r.io").expect("an account");
        assert_eq!(account.shown(), "me");
        assert!(of_secret(&docker, "z.io").is_none());
    }

    #[tokio::test]
    async fn a_command_prints_a_password_or_what_a_helper_prints() {
        let words = |text: &str| vec!["sh".to_owned(), "-c".to_owned(), text.to_owned()];
        let plain = by_command("me", &words("echo pw"))
            .await
            .expect("an account");
        assert_eq!((plain.shown(), plain.basic().is_some()), ("me", true));
        let helper = words(r#"echo '{"Username":"robot$x","Secret":"y"}'"#);
        let helper = by_command("", &helper).await.expect("an account");
        assert_eq!(helper.shown(), "robot$x");
        let failed = by_command("me", &words("echo s3cret; exit 3"))
            .await
            .expect_err("it failed");
        assert!(
            !failed.contains("s3cret") && failed.contains("exit"),
            "{failed}"
        );
    }
}
