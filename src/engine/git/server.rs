//! Which server has a repository, and with which account it is asked.
//!
//! The account is that of `[[git]]`, else that of Argo CD's own Secrets (Argo CD
//! `docs/operator-manual/argocd-repo-creds.yaml`): those for writing first. A server inside of the
//! cluster is reached through the API server; one elsewhere over HTTPS. A password goes over plain
//! HTTP only to this machine, or where somebody has configured it so.

use super::wire::{NotPushed, Refs, Service};
use crate::domain::finding::Finding;
use crate::domain::globs;
use crate::domain::image::NoCommit;
use crate::domain::servers::{GitOptions, without_user};
use crate::engine::facts::{items, number, text};
use crate::engine::fault::Fault;
use crate::engine::registries::{Account, Asked, Reply, Route, UNTRUSTED, configured};
use crate::engine::session::Session;
use crate::engine::transport::{Call, segment};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use bytes::Bytes;
use http::Method;
use serde_json::Value;
use std::sync::OnceLock;

const NAME_IT: &str = "name an account in Argo CD's repository Secret, or in the configuration: `[[git]]` with `host`, `username` and `password-env`, `password-file`, `password-command` or `secret`";

/// A repository that can be asked.
#[derive(Debug)]
pub(super) struct Repository {
    /// Its URL, as people may see it.
    pub(super) shown: String,
    route: Route,
    path: String,
    /// Where the server has sent us: GitLab does to a path with `.git`.
    moved: OnceLock<String>,
    account: Account,
    /// Why there is no account.
    without: Option<String>,
    /// `Name <address>` that commits are to carry.
    pub(super) author: Option<String>,
}

/// A URL in its parts.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Address<'u> {
    scheme: &'u str,
    /// With its port.
    host: &'u str,
    /// Without the slash before it.
    path: &'u str,
}

impl<'u> Address<'u> {
    fn read(url: &'u str) -> Option<Self> {
        if let Some((scheme, rest)) = url.split_once("://") {
            let (authority, path) = rest.split_once('/')?;
            let host = authority.rsplit('@').next()?;
            return Some(Self { scheme, host, path });
        }
        // The short form of ssh: `git@host:path`.
        let (host, path) = url.split_once(':')?;
        let host = host.rsplit('@').next()?;
        (!host.contains('/')).then_some(Self {
            scheme: "ssh",
            host,
            path,
        })
    }

    fn bare_host(&self) -> &'u str {
        self.host.split(':').next().unwrap_or_default()
    }

    fn is_local(&self) -> bool {
        matches!(self.bare_host(), "localhost" | "127.0.0.1" | "[")
    }
}

/// Finds out how a repository is to be asked.
pub(super) async fn find(
    session: &Session,
    url: &str,
    namespace: &str,
) -> Result<Repository, NoCommit> {
    let shown = without_user(url);
    let Some(address) = Address::read(url) else {
        let reason = format!("`{shown}` is no address of a repository");
        return Err(NoCommit::new(
            reason,
            "correct the source of the Application",
        ));
    };
    let options = session.options.git.iter().find(|one| {
        let host = one.server.host.as_deref().unwrap_or_default();
        globs::matches(&one.server.context, &session.context.name)
            && (globs::matches(host, &address.host.to_lowercase()) || host == address.bare_host())
    });
    let (route, is_open) = route(session, &address, options).await?;
    let (account, without) = account(session, url, namespace, options).await;
    if is_open && !account.is_nobody() && options.is_none() {
        let reason =
            format!("`{shown}` is reached over plain HTTP, where the password could be read");
        let hint = "use HTTPS, or allow it by `[[git]]` with `host` and `url`";
        return Err(NoCommit::new(reason, hint));
    }
    Ok(Repository {
        shown,
        route,
        path: format!("/{}", address.path.trim_end_matches('/')),
        moved: OnceLock::new(),
        account,
        without,
        author: options.and_then(|one| one.author.clone()),
    })
}

/// Returns the way, and whether it is plain HTTP through a network.
async fn route(
    session: &Session,
    address: &Address<'_>,
    options: Option<&GitOptions>,
) -> Result<(Route, bool), NoCommit> {
    let unusable = |fault: Fault| {
        NoCommit::new(
            format!("`{}` cannot be asked: {fault}", address.host),
            "correct `[[git]]`",
        )
    };
    let login = options
        .map(|one| one.server.login.clone())
        .unwrap_or_default();
    if let Some(base) = options.and_then(|one| one.server.address.as_deref()) {
        return match base.split_once('/') {
            Some((namespace, service)) if !base.contains("://") => {
                Ok((Route::proxy(namespace, service), false))
            }
            Some(_) | None => Ok((Route::url(base, &login).map_err(unusable)?, false)),
        };
    }
    if !matches!(address.scheme, "http" | "https") {
        let scheme = address.scheme;
        let reason = format!(
            "its repository is reached by {scheme}, and commits are pushed over HTTPS only"
        );
        let hint =
            "name the way in the configuration: `[[git]]` with `host` and `url = \"https://…\"`";
        return Err(NoCommit::new(reason, hint));
    }
    if let Some((namespace, service)) = in_cluster(address) {
        return Ok((Route::proxy(namespace, &service), false));
    }
    if let Some((namespace, service)) = labelled(session, address.bare_host()).await {
        return Ok((Route::proxy(&namespace, &service), false));
    }
    let base = format!("{}://{}", address.scheme, address.host);
    let is_open = address.scheme == "http" && !address.is_local();
    Ok((Route::url(&base, &login).map_err(unusable)?, is_open))
}

/// Reads a host that names a Service: `NAME.NAMESPACE.svc`, with or without `cluster.local`.
fn in_cluster<'u>(address: &Address<'u>) -> Option<(&'u str, String)> {
    let parts: Vec<&str> = address.bare_host().split('.').collect();
    let ([name, namespace, "svc"] | [name, namespace, "svc", "cluster", "local"]) =
        parts.as_slice()
    else {
        return None;
    };
    let is_tls = address.scheme == "https";
    let usual = if is_tls { "443" } else { "80" };
    let port = address.host.split_once(':').map_or(usual, |(_, port)| port);
    let scheme = if is_tls { "https:" } else { "" };
    Some((namespace, format!("{scheme}{name}:{port}")))
}

/// Finds a Service that says it serves the repositories of a host.
async fn labelled(session: &Session, host: &str) -> Option<(String, String)> {
    let selector = segment("tiphys.dev/git=true");
    let path = format!("/api/v1/services?labelSelector={selector}");
    let list = session.send_json(Call::get(path)).await.ok()?;
    let mut services = items(&list, &["items"]).iter();
    let service = services.find(|service| {
        text(service, &["metadata", "annotations", "tiphys.dev/git-host"]) == host
    })?;
    let port = items(service, &["spec", "ports"]).first()?;
    let name = text(service, &["metadata", "name"]);
    Some((
        text(service, &["metadata", "namespace"]).to_owned(),
        format!("{name}:{}", number(port, &["port"])),
    ))
}

async fn account(
    session: &Session,
    url: &str,
    namespace: &str,
    options: Option<&GitOptions>,
) -> (Account, Option<String>) {
    if let Some(options) = options {
        match configured(session, &options.server).await {
            Ok(account) if account.is_nobody() => {}
            Ok(account) => return (account, None),
            Err(problem) => return (Account::default(), Some(problem)),
        }
    }
    let kinds = "repository,repo-creds,repository-write,repo-write-creds";
    let selector = segment(&format!("argocd.argoproj.io/secret-type in ({kinds})"));
    let path = format!(
        "/api/v1/namespaces/{}/secrets?labelSelector={selector}",
        segment(namespace)
    );
    match session.send_json(Call::get(path)).await {
        Ok(list) => of_argocd(items(&list, &["items"]), url),
        Err(fault) => {
            let problem =
                format!("the repository Secrets in `{namespace}` cannot be read: {fault}");
            (Account::default(), Some(problem))
        }
    }
}

/// Finds the account among Argo CD's Secrets: those for writing before those for reading, those of
/// the repository itself before those of a prefix, a long prefix before a short one.
fn of_argocd(secrets: &[Value], url: &str) -> (Account, Option<String>) {
    let wanted = normal(url);
    let mut fitting: Vec<(usize, &Value)> = Vec::new();
    for secret in secrets {
        let kind = text(
            secret,
            &["metadata", "labels", "argocd.argoproj.io/secret-type"],
        );
        let own = normal(&field(secret, "url"));
        let is_whole = kind.starts_with("repository");
        let fits = if is_whole {
            own == wanted
        } else {
            wanted.starts_with(&own)
        };
        if !fits || own.is_empty() {
            continue;
        }
        let writes = usize::from(kind.contains("write")) * 100_000;
        let whole = usize::from(is_whole) * 10_000;
        fitting.push((writes + whole + own.len().min(9_999), secret));
    }
    fitting.sort_by_key(|(rank, _)| std::cmp::Reverse(*rank));
    let mut problem = None;
    for (_, secret) in fitting {
        match login_of(secret) {
            Some(Ok(account)) => return (account, None),
            Some(Err(why)) => problem = problem.or(Some(why)),
            None => {}
        }
    }
    (Account::default(), problem)
}

/// Reads the login of a Secret; none when it has none, and why it cannot be used.
fn login_of(secret: &Value) -> Option<Result<Account, String>> {
    let name = format!(
        "the Secret `{}/{}`",
        text(secret, &["metadata", "namespace"]),
        text(secret, &["metadata", "name"])
    );
    let password = field(secret, "password");
    if !password.is_empty() {
        // What Argo CD takes when only a token is given (Argo CD `util/git/creds.go`).
        let user = match field(secret, "username") {
            user if user.is_empty() => String::from("x-access-token"),
            user => user,
        };
        return Some(Ok(Account::new(&user, &password, name)));
    }
    let others = [
        ("sshPrivateKey", "an SSH key"),
        ("githubAppPrivateKey", "a GitHub App"),
        ("bearerToken", "a bearer token"),
        ("gcpServiceAccountKey", "a Google service account"),
    ];
    let other = others
        .into_iter()
        .find(|(key, _)| !field(secret, key).is_empty());
    other.map(|(_, what)| Err(format!("{name} logs in by {what}, which is not used here")))
}

fn field(secret: &Value, key: &str) -> String {
    let decoded = BASE64.decode(text(secret, &["data", key])).ok();
    let decoded = decoded.and_then(|bytes| String::from_utf8(bytes).ok());
    decoded.unwrap_or_default().trim().to_owned()
}

/// As Argo CD compares URLs: without letters' case, user and `.git` (Argo CD `util/git/git.go`).
fn normal(url: &str) -> String {
    let url = without_user(url.trim()).to_lowercase();
    let url = url.trim_end_matches('/');
    url.strip_suffix(".git").unwrap_or(url).to_owned()
}

impl Repository {
    /// Returns how people see who pushes.
    pub(super) fn account(&self) -> &str {
        self.account.shown()
    }

    fn path(&self) -> &str {
        self.moved.get().unwrap_or(&self.path)
    }

    /// Asks what the repository has; for a push also whether the account may.
    pub(super) async fn refs(&self, session: &Session, service: Service) -> Result<Refs, NoCommit> {
        let path = format!("{}/info/refs?service={}", self.path(), service.name());
        let reply = self.send(session, Asked::get(path), service).await?;
        let moved = reply.moved_to.as_deref();
        let moved = moved.and_then(|path| path.strip_suffix("/info/refs"));
        if let Some(path) = moved.and_then(|path| path.strip_prefix(&*self.route.prefix())) {
            let _known = self.moved.set(path.to_owned());
        }
        Refs::read(&reply.body, service).map_err(|why| self.odd(&why))
    }

    /// Fetches one commit as a pack.
    pub(super) async fn fetch(
        &self,
        session: &Session,
        refs: &Refs,
        commit: &str,
    ) -> Result<Vec<u8>, NoCommit> {
        let body = refs.want(commit).map_err(|why| self.odd(&why))?;
        let reply = self.post(session, Service::Fetch, body).await?;
        refs.pack(&reply.body).map_err(|why| self.odd(&why))
    }

    /// Pushes a pack; the inner error says why the branch did not move.
    pub(super) async fn push(
        &self,
        session: &Session,
        refs: &Refs,
        (commits, branch, pack): ((&str, &str), &str, &[u8]),
    ) -> Result<Result<(), NotPushed>, NoCommit> {
        let body = refs.push(commits, branch, pack);
        let reply = self.post(session, Service::Push, body).await?;
        Ok(refs.report(&reply.body, branch))
    }

    async fn post(
        &self,
        session: &Session,
        service: Service,
        body: Vec<u8>,
    ) -> Result<Reply, NoCommit> {
        let path = format!("{}/{}", self.path(), service.name());
        let media_type = format!("application/x-{}-request", service.name());
        let asked = Asked::new(Method::POST, path).bytes(&media_type, Bytes::from(body));
        self.send(session, asked, service).await
    }

    async fn send(
        &self,
        session: &Session,
        asked: Asked,
        service: Service,
    ) -> Result<Reply, NoCommit> {
        let asked = asked.authorised(self.account.basic()).large();
        let reply = self.route.send(session, asked).await;
        let reply = reply.map_err(|fault| self.unreachable(&fault))?;
        if reply.is_good() {
            return Ok(reply);
        }
        Err(self.refused(&reply, service))
    }

    fn odd(&self, why: &str) -> NoCommit {
        let hint =
            "is it the address of a repository? `git ls-remote` with the same address says more";
        NoCommit::new(format!("`{}`: {why}", self.shown), hint)
    }

    fn unreachable(&self, fault: &Fault) -> NoCommit {
        let said = fault.to_string();
        let hint = if said.starts_with(UNTRUSTED) {
            "put its authority's certificate into a file and name it: `[[git]]` with `host` and `certificate-authority = \"…\"`"
        } else if matches!(fault, Fault::Forbidden(_)) {
            "ask for `get` and `create` of `services/proxy` in its namespace, or configure its URL: `[[git]]`"
        } else {
            "is it reached from here? A way of its own is configured by `[[git]]` with `host` and `url`"
        };
        NoCommit::new(format!("`{}`: {said}", self.shown), hint)
    }

    fn refused(&self, reply: &Reply, service: Service) -> NoCommit {
        let name = &self.shown;
        let body = String::from_utf8_lossy(&reply.body);
        let said = body.lines().next().unwrap_or_default().trim();
        let said = match said {
            "" => String::new(),
            page if page.starts_with('<') => String::new(),
            words => format!(": {}", words.chars().take(160).collect::<String>()),
        };
        let doing = match service {
            Service::Fetch => "read it",
            Service::Push => "push to it",
        };
        let hint = if self.account.is_nobody() {
            NAME_IT
        } else if self.route.is_proxy() {
            "may the account write there? An API server that keeps the login of its service proxy to itself needs `[[git]]` with `url`"
        } else {
            "may the account write there? Another one can be named in the configuration: `[[git]]`"
        };
        match (reply.code, self.account.is_nobody()) {
            (401 | 403 | 404, true) => {
                let without = self.without.as_ref();
                let without = without.map(|why| format!("; {why}")).unwrap_or_default();
                NoCommit::new(
                    format!("`{name}` lets nobody {doing} without an account{without}"),
                    hint,
                )
            }
            (401 | 403 | 404, false) => {
                let account = self.account.shown();
                let from = &self.account.from;
                let reason =
                    format!("`{name}` does not let `{account}` (from {from}) {doing}{said}");
                NoCommit::new(reason, hint)
            }
            (code, _) => NoCommit::new(
                format!("`{name}` answers {code}{said}"),
                "try again in a moment",
            ),
        }
    }
}

/// Makes a finding of what stands in the way.
pub(in crate::engine) fn finding(doing: &str, why: &NoCommit) -> Finding {
    let sentence = format!("{doing}: {}", why.reason);
    Finding::new(crate::domain::finding::Severity::Error, sentence).with_hint(&*why.hint)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn secret(kind: &str, fields: &[(&str, &str)]) -> Value {
        let mut secret = json!({"metadata": {"namespace": "argocd", "name": kind,
            "labels": {"argocd.argoproj.io/secret-type": kind}}, "data": {}});
        for (key, value) in fields {
            secret["data"][key] = BASE64.encode(value).into();
        }
        secret
    }

    #[test]
    fn addresses_of_every_form_are_read() {
        let address = Address::read("https://me@Git.example.com:8443/team/app.git");
        let address = address.expect("an address");
        assert_eq!(
            (address.host, address.path),
            ("Git.example.com:8443", "team/app.git")
        );
        let short = Address::read("git@github.com:team/app.git").expect("an address");
        assert_eq!((short.scheme, short.host), ("ssh", "github.com"));
        let inside = Address::read("https://gitea-http.git.svc:3000/a/b").expect("an address");
        assert_eq!(
            in_cluster(&inside),
            Some(("git", String::from("https:gitea-http:3000")))
        );
        let plain = Address::read("http://gitea.git.svc.cluster.local/a/b").expect("an address");
        assert_eq!(in_cluster(&plain), Some(("git", String::from("gitea:80"))));
        assert_eq!(in_cluster(&short), None);
    }

    #[test]
    fn the_secret_for_writing_and_the_nearest_comes_first() {
        let url = "https://git.example.com/team/app.git";
        let login = |user: &'static str, url: &'static str| {
            [("url", url), ("username", user), ("password", "s3cret")]
        };
        let prefix = secret("repo-creds", &login("prefix", "https://git.example.com"));
        let near = secret("repo-creds", &login("near", "https://git.example.com/team"));
        let own = secret(
            "repository",
            &login("own", "https://Git.example.com/team/app"),
        );
        let bare = secret("repository", &[("url", url)]);
        let writer = secret(
            "repo-write-creds",
            &login("writer", "https://git.example.com/"),
        );
        let other = secret(
            "repository",
            &login("other", "https://git.example.com/team/app2"),
        );
        let found = |secrets: &[&Value]| {
            let secrets: Vec<Value> = secrets.iter().map(|one| (*one).clone()).collect();
            of_argocd(&secrets, url).0.shown().to_owned()
        };
        assert_eq!(found(&[&prefix, &near, &own, &writer]), "writer");
        assert_eq!(found(&[&prefix, &near, &own]), "own");
        assert_eq!(found(&[&prefix, &near, &bare]), "near");
        assert_eq!(found(&[&other]), "nobody");
    }

    #[test]
    fn a_login_that_cannot_be_used_is_said() {
        let key = secret(
            "repository",
            &[("url", "git@h:a/b"), ("sshPrivateKey", "k")],
        );
        let (account, problem) = of_argocd(&[key], "git@h:a/b.git");
        assert!(account.is_nobody());
        assert_eq!(
            problem.as_deref(),
            Some("the Secret `argocd/repository` logs in by an SSH key, which is not used here")
        );
        let token = secret("repository", &[("url", "https://h/a"), ("password", "t")]);
        assert_eq!(
            of_argocd(&[token], "https://h/a").0.shown(),
            "x-access-token"
        );
    }
}
