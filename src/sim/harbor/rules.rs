//! What Harbor asks of clients of its registry, and what it does when they have done something.

use super::access::{Caller, Scope};
use super::error::Refusal;
use super::model::Project;
use super::scan::ScanKind;
use super::state::Bench;
use super::token::{self, SERVICE};
use super::webhook::Event;
use super::{FORWARDED, Harbor, PoisonError};
use crate::sim::registry::error::OciError;
use crate::sim::registry::{Deed, Happening, Rules, Wish};
use http::{HeaderMap, StatusCode, header};

impl From<Refusal> for OciError {
    fn from(refusal: Refusal) -> Self {
        Self::new(refusal.status, refusal.code, refusal.message)
    }
}

/// Returns what a wish is called in scopes and permissions.
fn action(wish: Wish<'_>) -> (&str, &'static str) {
    match wish {
        Wish::Pull(name) => (name, "pull"),
        Wish::Push(name) => (name, "push"),
        Wish::Delete(name) => (name, "delete"),
        Wish::Ping | Wish::Catalog => ("", ""),
    }
}

impl Harbor {
    /// Says where a client gets a token.
    fn challenge(headers: &HeaderMap, wish: Wish<'_>) -> String {
        if wish == Wish::Catalog {
            return "Basic realm=\"harbor\"".to_owned();
        }
        let text = |name| {
            headers
                .get(name)
                .and_then(|value: &http::HeaderValue| value.to_str().ok())
        };
        let scheme = text(FORWARDED).unwrap_or("http");
        let host = text(header::HOST).unwrap_or("localhost");
        let realm =
            format!("Bearer realm=\"{scheme}://{host}/service/token\",service=\"{SERVICE}\"");
        let scope = match wish {
            Wish::Ping | Wish::Catalog => return realm,
            Wish::Pull(name) => format!("repository:{name}:pull"),
            Wish::Push(name) => format!("repository:{name}:pull,push"),
            Wish::Delete(name) => format!("repository:{name}:delete,pull"),
        };
        format!("{realm},scope=\"{scope}\"")
    }

    fn unauthorized(headers: &HeaderMap, wish: Wish<'_>, why: Option<&str>) -> OciError {
        let (name, action) = action(wish);
        let mut message = match wish {
            Wish::Ping | Wish::Catalog => "unauthorized to access the registry".to_owned(),
            Wish::Pull(_) | Wish::Push(_) | Wish::Delete(_) => {
                format!("unauthorized to access repository: {name}, action: {action}")
            }
        };
        if let Some(why) = why {
            message = format!("{message}: {why}");
        }
        let mut error = OciError::new(StatusCode::UNAUTHORIZED, "UNAUTHORIZED", message);
        error.challenge = Some(Self::challenge(headers, wish));
        error
    }

    fn admit_token(
        &self,
        headers: &HeaderMap,
        token: &str,
        wish: Wish<'_>,
    ) -> Result<String, OciError> {
        let state = self.0.state.read().unwrap_or_else(PoisonError::into_inner);
        let claims = token::read(&state.token_key, token, self.now())
            .map_err(|why| Self::unauthorized(headers, wish, Some(why)))?;
        let (name, action) = action(wish);
        let allowed = match wish {
            Wish::Ping => true,
            Wish::Catalog => claims
                .access
                .iter()
                .any(|one| one.kind == "registry" && !one.actions.is_empty()),
            Wish::Pull(_) | Wish::Push(_) | Wish::Delete(_) => claims
                .access
                .iter()
                .any(|one| one.name == name && one.actions.iter().any(|own| own == action)),
        };
        if allowed {
            return Ok(claims.sub);
        }
        Err(Self::unauthorized(headers, wish, None))
    }

    /// Lets an account in, or says with the registry's words why not.
    pub(super) fn admit_caller(&self, caller: &Caller, wish: Wish<'_>) -> Result<String, OciError> {
        let state = self.0.state.read().unwrap_or_else(PoisonError::into_inner);
        let (name, action) = action(wish);
        let allowed = match wish {
            Wish::Ping => caller.is_authenticated(),
            Wish::Catalog => caller.may(Scope::System, ("catalog", "read"), false),
            Wish::Pull(_) | Wish::Push(_) | Wish::Delete(_) => {
                let project = name.split('/').next().unwrap_or_default();
                let public = state.project(project).is_some_and(Project::is_public);
                caller.may(Scope::Project(project), ("repository", action), public)
            }
        };
        if allowed {
            return Ok(caller.name().to_owned());
        }
        let message = format!("unauthorized to access repository: {name}, action: {action}");
        Err(OciError::new(
            StatusCode::UNAUTHORIZED,
            "UNAUTHORIZED",
            message,
        ))
    }
}

impl Rules for Harbor {
    fn admit(&self, headers: &HeaderMap, wish: Wish<'_>) -> Result<String, OciError> {
        let value = headers
            .get(header::AUTHORIZATION)
            .and_then(|value| value.to_str().ok());
        let Some(value) = value else {
            return Err(Self::unauthorized(headers, wish, None));
        };
        if let Some(token) = value.strip_prefix("Bearer ") {
            return self.admit_token(headers, token.trim(), wish);
        }
        let (caller, refused) = self.caller(headers);
        if let Some(why) = refused {
            return Err(Self::unauthorized(headers, wish, Some(&why)));
        }
        self.admit_caller(&caller, wish).map_err(|mut error| {
            error.challenge = Some(Self::challenge(headers, wish));
            error
        })
    }

    fn before_pull(&self, repository: &str, digest: &str, _by: &str) -> Result<(), OciError> {
        let refused = self.with(|bench| bench.refuse_pull(repository, digest));
        refused.map_err(OciError::from)
    }

    fn before_push(&self, repository: &str, reference: &str, bytes: u64) -> Result<(), OciError> {
        let refused = self.with(|bench| bench.refuse_push(repository, reference, bytes));
        refused.map_err(OciError::from)
    }

    fn before_delete(&self, repository: &str, reference: &str) -> Result<(), OciError> {
        let refused = self.with(|bench| bench.refuse_removal(repository, reference));
        refused.map_err(OciError::from)
    }

    fn happened(&self, happening: &Happening) {
        self.with(|bench| bench.on_happening(happening));
        self.0.wake.notify_one();
    }
}

impl Bench<'_> {
    /// Writes it into the log, tells those who asked, and scans what was pushed.
    pub(super) fn on_happening(&mut self, happening: &Happening) {
        let (operation, kind) = match happening.deed {
            Deed::Pulled => ("pull", "PULL_ARTIFACT"),
            Deed::Pushed => ("create", "PUSH_ARTIFACT"),
            Deed::Deleted => ("delete", "DELETE_ARTIFACT"),
        };
        let Happening {
            repository,
            digest,
            reference,
            by,
            ..
        } = happening;
        let joint = if reference == digest { '@' } else { ':' };
        let resource = format!("{repository}{joint}{reference}");
        let project = self.state.project_of(repository).map(|project| project.id);
        self.note(by, ("artifact", operation), resource, project);
        self.announce(&Event {
            kind,
            repository,
            digest,
            reference,
            by,
            scan: None,
        });
        if happening.deed == Deed::Pushed {
            self.on_push(repository, digest, by);
        }
    }

    fn on_push(&mut self, repository: &str, digest: &str, by: &str) {
        let Some(project) = self.state.project_of(repository) else {
            return;
        };
        let wanted = [
            (project.is("auto_scan"), ScanKind::Vulnerabilities),
            (project.is("auto_sbom_generation"), ScanKind::Sbom),
        ];
        let about = self.store.repository(repository);
        let about = about.and_then(|one| Some((one, one.artifact(digest)?)));
        if about.is_none_or(|(one, artifact)| one.is_accessory(artifact)) {
            return;
        }
        for (_, kind) in wanted.into_iter().filter(|(wanted, _)| *wanted) {
            if let Err(refusal) = self.begin_scan((repository, digest), kind, by, None) {
                tracing::debug!(repository, digest, message = refusal.message, "not scanned");
            }
        }
    }
}
