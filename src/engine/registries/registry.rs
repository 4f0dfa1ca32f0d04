//! One registry: how to ask it, with which account, and what its refusals mean.
//!
//! At most four requests are under way. After the first 401 nothing is asked any more until the
//! user retries: a wrong login locks accounts, and every further try makes it worse. A registry
//! that asks to wait (429 with `Retry-After`) is left alone for so long.

use super::account::Account;
use super::route::{Asked, Reply, Route, UNTRUSTED};
use crate::api::convert::harbor::{SystemInfo, error_body};
use crate::domain::finding::{Finding, Severity};
use crate::domain::image::Flavour;
use crate::domain::object::Text;
use crate::domain::status::Freshness;
use crate::engine::fault::Fault;
use crate::engine::protocol::SourceName;
use crate::engine::session::Session;
use chrono::{DateTime, Utc};
use http::Method;
use std::collections::HashMap;
use std::time::Duration;
use tokio::sync::{Mutex, Semaphore};
use tokio::time::Instant;

const AT_ONCE: usize = 4;
/// A wait that is asked for is waited out when it is no longer than this; else it is told.
const WAITED_OUT: Duration = Duration::from_secs(5);
/// Nobody is left alone for longer, whatever is asked for.
const LONGEST_WAIT: Duration = Duration::from_secs(600);

/// What is to be done about a refusal.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// It may work later.
    Passing,
    NeedsCredentials,
    Forbidden,
    /// It is not there.
    Absent,
    /// 409: something else is in the way.
    Conflict,
    /// A policy, a limit or a wrong parameter.
    Refused,
}

/// Why a registry gives no answer that can be used: one sentence, and what to try.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::engine) struct Trouble {
    pub(in crate::engine) sentence: String,
    pub(in crate::engine) hint: String,
    pub(super) kind: Kind,
    /// How long the registry asks to wait.
    after: Option<Duration>,
}

impl Trouble {
    pub(super) fn new(kind: Kind, sentence: impl Into<String>, hint: impl Into<String>) -> Self {
        Self {
            sentence: sentence.into(),
            hint: hint.into(),
            kind,
            after: None,
        }
    }

    /// A host that nobody has configured.
    pub(super) fn unasked(host: &str) -> Self {
        Self::new(
            Kind::Absent,
            format!("`{host}` is not asked"),
            format!("name it in the configuration: `[[registry]]` with `host = \"{host}\"`"),
        )
    }

    /// Says what was being done.
    pub(super) fn doing(mut self, doing: &str) -> Self {
        self.sentence = format!("cannot {doing}: {}", self.sentence);
        self
    }

    pub(in crate::engine) fn finding(&self) -> Finding {
        let severity = match self.kind {
            Kind::Passing | Kind::Absent => Severity::Warning,
            Kind::NeedsCredentials | Kind::Forbidden | Kind::Conflict | Kind::Refused => {
                Severity::Error
            }
        };
        Finding::new(severity, self.sentence.as_str()).with_hint(self.hint.as_str())
    }

    fn freshness(
        &self,
        session: &Session,
        since: Option<DateTime<Utc>>,
        wait: Duration,
    ) -> Freshness {
        let reason = Text::from(self.sentence.as_str());
        match self.kind {
            Kind::Passing => Freshness::Stale {
                since: since.unwrap_or_else(|| session.now()),
                retry_at: session.after(wait),
                reason,
            },
            Kind::NeedsCredentials => Freshness::NeedsCredentials { reason },
            Kind::Forbidden => Freshness::Forbidden { reason },
            // The registry answers; what it was asked about is another matter.
            Kind::Absent | Kind::Conflict | Kind::Refused => Freshness::Live,
        }
    }
}

/// What changes while a registry is asked.
#[derive(Debug, Default)]
struct State {
    /// The first 401, and how often the user had retried by then.
    refused: Option<(u64, Trouble)>,
    told: Option<Freshness>,
    answered_at: Option<DateTime<Utc>>,
    /// Until when it asks not to be asked.
    quiet: Option<Instant>,
}

/// A token for a scope, and until when it is used (by the runtime's timer).
pub(super) type Tokens = HashMap<String, (http::HeaderValue, Instant)>;

/// A registry that can be asked.
#[derive(Debug)]
pub(in crate::engine) struct Registry {
    /// The host in image references.
    pub(in crate::engine) host: Text,
    pub(super) flavour: Flavour,
    pub(super) route: Route,
    pub(super) account: Account,
    /// Why the configured account could not be had.
    pub(super) without_account: Option<String>,
    pub(super) info: SystemInfo,
    pub(super) tokens: Mutex<Tokens>,
    permits: Semaphore,
    state: Mutex<State>,
}

impl Registry {
    pub(super) fn new(host: Text, route: Route, account: Account) -> Self {
        Self {
            host,
            flavour: Flavour::Distribution,
            route,
            account,
            without_account: None,
            info: SystemInfo::default(),
            tokens: Mutex::default(),
            permits: Semaphore::new(AT_ONCE),
            state: Mutex::default(),
        }
    }

    /// Returns whether it has Harbor's API.
    pub(in crate::engine) fn is_harbor(&self) -> bool {
        self.flavour == Flavour::Harbor
    }

    /// Sends a request and returns the answer as it is.
    pub(super) async fn exchange(&self, session: &Session, asked: Asked) -> Result<Reply, Trouble> {
        let is_read = matches!(asked.method, Method::GET | Method::HEAD);
        let reply = self.exchange_once(session, asked.clone()).await?;
        let wait = self.note_quiet(session, &reply).await;
        // What changes something is never sent twice.
        if is_read && wait.is_some_and(|wait| wait <= WAITED_OUT) {
            let again = self.exchange_once(session, asked).await?;
            let _wait = self.note_quiet(session, &again).await;
            return Ok(again);
        }
        Ok(reply)
    }

    async fn exchange_once(&self, session: &Session, asked: Asked) -> Result<Reply, Trouble> {
        if let Some(trouble) = self.refused(session).await {
            return Err(trouble);
        }
        let Ok(_permit) = self.permits.acquire().await else {
            let sentence = format!("`{}`: the connection is over", self.host);
            return Err(Trouble::new(Kind::Passing, sentence, ""));
        };
        self.hold_off().await?;
        let sent = self.route.send(session, asked).await;
        sent.map_err(|fault| self.unreachable(&fault))
    }

    /// Notes that the registry asks to wait; returns for how long.
    async fn note_quiet(&self, session: &Session, reply: &Reply) -> Option<Duration> {
        let wait = asked_wait(reply, session.now())?;
        self.state.lock().await.quiet = Some(Instant::now() + wait);
        Some(wait)
    }

    /// Waits as long as the registry has asked for, or says that this is too long.
    async fn hold_off(&self) -> Result<(), Trouble> {
        let quiet = self.state.lock().await.quiet;
        let left = quiet.map(|until| until.saturating_duration_since(Instant::now()));
        let Some(left) = left.filter(|left| !left.is_zero()) else {
            return Ok(());
        };
        if left <= WAITED_OUT {
            tokio::time::sleep(left).await;
            return Ok(());
        }
        let seconds = left.as_secs().max(1);
        let sentence = format!("`{}` asks to be left alone for {seconds} s", self.host);
        let hint = "too many requests came; it is asked again then. Log in to be allowed more";
        Err(Trouble {
            after: Some(left),
            ..Trouble::new(Kind::Passing, sentence, hint)
        })
    }

    /// Sends a request with the account; anything but success is trouble.
    pub(super) async fn ask(&self, session: &Session, asked: Asked) -> Result<Reply, Trouble> {
        let asked = asked.authorised(self.account.basic());
        let outcome = match self.exchange(session, asked).await {
            Ok(reply) if reply.is_good() => Ok(reply),
            Ok(reply) => Err(self.trouble_of(&reply)),
            Err(trouble) => Err(trouble),
        };
        self.book(session, outcome).await
    }

    /// Tells how the registry is, by how the question went.
    pub(super) async fn book<T>(
        &self,
        session: &Session,
        outcome: Result<T, Trouble>,
    ) -> Result<T, Trouble> {
        let mut state = self.state.lock().await;
        let freshness = match &outcome {
            Ok(_) => {
                state.refused = None;
                Freshness::Live
            }
            Err(trouble) => {
                if trouble.kind == Kind::NeedsCredentials && state.refused.is_none() {
                    let retries = session.wake.borrow().retries;
                    state.refused = Some((retries, trouble.clone()));
                }
                let wait = trouble.after.unwrap_or(Duration::from_secs(30));
                trouble.freshness(session, state.answered_at, wait)
            }
        };
        if freshness == Freshness::Live {
            state.answered_at = Some(session.now());
        }
        // One thing that is forbidden does not make the registry forbidden.
        let is_news = match (&state.told, &freshness) {
            (Some(Freshness::Live), Freshness::Forbidden { .. }) => false,
            (Some(Freshness::Stale { reason, .. }), Freshness::Stale { reason: newer, .. }) => {
                reason != newer
            }
            (told, freshness) => told.as_ref() != Some(freshness),
        };
        if is_news {
            state.told = Some(freshness.clone());
            drop(state);
            let source = SourceName::Registry(Text::clone(&self.host));
            session.report_freshness(source, freshness).await;
        }
        outcome
    }

    /// Returns the first 401, as long as the user has not asked to try again.
    async fn refused(&self, session: &Session) -> Option<Trouble> {
        let mut state = self.state.lock().await;
        let retries = session.wake.borrow().retries;
        match &state.refused {
            Some((then, trouble)) if *then == retries => Some(trouble.clone()),
            Some(_) => {
                state.refused = None;
                None
            }
            None => None,
        }
    }

    fn unreachable(&self, fault: &Fault) -> Trouble {
        let text = fault.to_string();
        let hint = if text.starts_with(UNTRUSTED) {
            "put its authority's certificate into a file and name it: `[[registry]]` with `certificate-authority = \"…\"`"
        } else if matches!(fault, Fault::Forbidden(_)) {
            "ask for `get services/proxy` in its namespace, or configure its URL"
        } else {
            "it is asked again by itself; other registries are not affected"
        };
        let kind = match fault {
            Fault::Forbidden(_) => Kind::Forbidden,
            Fault::NotFound(_) => Kind::Absent,
            Fault::Refused(_) => Kind::Refused,
            Fault::Unreachable(_)
            | Fault::Unauthorized(_)
            | Fault::Gone
            | Fault::Conflict(_)
            | Fault::Busy(_)
            | Fault::Unreadable(_) => Kind::Passing,
        };
        Trouble::new(kind, format!("`{}`: {text}", self.host), hint)
    }

    /// Says what a refusal means: the code, Harbor's own words, and the number of the request, by
    /// which its log can be searched.
    pub(super) fn trouble_of(&self, reply: &Reply) -> Trouble {
        let said = error_body(&reply.body).map(|(_, message)| message);
        let said = said.filter(|message| !message.is_empty());
        let id = match reply.header("x-request-id") {
            "" => String::new(),
            id => format!(" (request {id})"),
        };
        let account = self.account.shown();
        let what = |plain: &str| match &said {
            Some(said) => format!("`{}`: {plain}: {said}{id}", self.host),
            None => format!("`{}`: {plain}{id}", self.host),
        };
        match reply.code {
            401 => self.not_logged_in(&id),
            403 => Trouble::new(
                Kind::Forbidden,
                what(&format!("forbidden for `{account}`")),
                "give the account that permission; what it needs to read is in the README, under images",
            ),
            404 => Trouble::new(
                Kind::Absent,
                what("not found"),
                "it may have been deleted a moment ago",
            ),
            409 => Trouble::new(Kind::Conflict, what("conflict"), "look again and repeat"),
            412 => Trouble::new(
                Kind::Refused,
                what("refused by a policy"),
                "an immutable tag, a quota or the project's rule on vulnerabilities stands against it",
            ),
            413 => Trouble::new(
                Kind::Refused,
                what("too large"),
                "the registry limits what it takes",
            ),
            422 => Trouble::new(
                Kind::Refused,
                what("a parameter is wrong"),
                "correct what the registry names",
            ),
            429 => too_many(what("too many requests"), reply.header("retry-after")),
            500..=599 => Trouble::new(
                Kind::Passing,
                what(&format!("the registry has trouble ({})", reply.code)),
                "it is asked again by itself; `:registries` shows its parts",
            ),
            code => Trouble::new(
                Kind::Refused,
                what(&format!("refused ({code})")),
                "correct what the registry names",
            ),
        }
    }

    fn not_logged_in(&self, id: &str) -> Trouble {
        let mut sentence = if self.account.is_nobody() {
            format!("`{}` asks for an account{id}", self.host)
        } else {
            format!(
                "`{}` does not log `{}` in{id}",
                self.host, self.account.name
            )
        };
        if let Some(problem) = &self.without_account {
            sentence = format!("{sentence}; {problem}");
        }
        let hint = if &*self.info.auth_mode == "oidc_auth" && !self.account.name.contains('$') {
            "it logs people in by OIDC, which serves no API calls: use a robot account"
        } else if self.account.is_nobody() {
            "name an account: `[[registry]]` with `username` and `password-env`, `password-file`, `password-command` or `secret`"
        } else if self.route.is_proxy() {
            "is it disabled, expired, or its secret changed? An API server that keeps the login of its service proxy to itself needs `[[registry]]` with `url`. Nothing is asked again until you retry"
        } else {
            "is it disabled, expired, or its secret changed? Nothing is asked again until you retry, because wrong logins lock accounts"
        };
        Trouble::new(Kind::NeedsCredentials, sentence, hint)
    }
}

fn too_many(sentence: String, after: &str) -> Trouble {
    let hint = if after.is_empty() {
        String::from("wait a moment; log in to be allowed more")
    } else {
        format!("it asks to wait for {after} s; log in to be allowed more")
    };
    let wait = after.parse().ok().map(Duration::from_secs);
    Trouble {
        after: wait.map(|wait| wait.min(LONGEST_WAIT)),
        ..Trouble::new(Kind::Passing, sentence, hint)
    }
}

/// Reads for how long a registry asks to wait: seconds, or until a date (RFC 9110, 10.2.3).
fn asked_wait(reply: &Reply, now: DateTime<Utc>) -> Option<Duration> {
    let text = reply.header("retry-after");
    if reply.code != 429 || text.is_empty() {
        return None;
    }
    let by_date = || {
        let date = DateTime::parse_from_rfc2822(text).ok()?;
        (date.to_utc() - now).to_std().ok()
    };
    let wait = text.parse().ok().map(Duration::from_secs).or_else(by_date);
    wait.map(|wait| wait.min(LONGEST_WAIT))
}

#[cfg(test)]
mod tests {
    use super::*;
    use http::HeaderMap;

    #[test]
    fn a_wait_is_asked_for_in_seconds_or_until_a_date() {
        let now = DateTime::parse_from_rfc3339("2026-10-01T10:00:00Z").expect("a time");
        let wait = |code: u16, text: &'static str| {
            let mut headers = HeaderMap::new();
            let value = http::HeaderValue::from_static(text);
            drop(headers.insert("retry-after", value));
            let reply = Reply {
                code,
                headers,
                body: bytes::Bytes::new(),
                moved_to: None,
            };
            asked_wait(&reply, now.to_utc()).map(|wait| wait.as_secs())
        };
        assert_eq!(wait(429, "7"), Some(7));
        assert_eq!(wait(429, "Thu, 01 Oct 2026 10:00:42 GMT"), Some(42));
        assert_eq!(wait(429, "Thu, 01 Oct 2026 09:00:00 GMT"), None);
        assert_eq!(wait(429, "99999999"), Some(600));
        assert_eq!(wait(503, "7"), None);
        assert_eq!(wait(429, "soon"), None);
    }

    fn registry() -> Registry {
        Registry::new(
            "r.io".into(),
            Route::proxy("harbor", "harbor-core:80"),
            Account::default(),
        )
    }

    fn refused(code: u16, body: &str, id: &'static str) -> Trouble {
        let mut headers = HeaderMap::new();
        if !id.is_empty() {
            drop(headers.insert("x-request-id", http::HeaderValue::from_static(id)));
        }
        registry().trouble_of(&Reply {
            code,
            headers,
            body: body.to_owned().into(),
            moved_to: None,
        })
    }

    #[test]
    fn every_refusal_is_one_clear_sentence() {
        let body = |code: &str, message: &str| {
            format!(r#"{{"errors":[{{"code":"{code}","message":"{message}"}}]}}"#)
        };
        let conflict = refused(409, &body("CONFLICT", "tag prod already exists"), "4f2a");
        assert_eq!(
            conflict.sentence,
            "`r.io`: conflict: tag prod already exists (request 4f2a)"
        );
        assert_eq!(conflict.kind, Kind::Conflict);
        let policy = refused(412, &body("PRECONDITION", "the tag is immutable"), "");
        assert_eq!(
            policy.sentence,
            "`r.io`: refused by a policy: the tag is immutable"
        );
        let nobody = refused(401, "", "");
        assert_eq!(nobody.sentence, "`r.io` asks for an account");
        assert!(nobody.hint.contains("password-env"));
        assert_eq!(
            refused(403, "", "").sentence,
            "`r.io`: forbidden for `nobody`"
        );
        assert_eq!(
            refused(422, &body("UNPROCESSABLE_ENTITY", "page_size"), "").kind,
            Kind::Refused
        );
        assert_eq!(refused(429, "", "").kind, Kind::Passing);
        assert!(
            refused(500, "<html>", "9")
                .sentence
                .contains("has trouble (500) (request 9)")
        );
    }

    #[test]
    fn an_untrusted_certificate_says_how_to_trust_it() {
        let fault = Fault::Unreachable(format!("{UNTRUSTED} (UnknownIssuer)"));
        let trouble = registry().unreachable(&fault);
        assert!(
            trouble.hint.contains("certificate-authority"),
            "{}",
            trouble.hint
        );
    }
}
