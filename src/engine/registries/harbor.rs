//! Harbor's API v2.0, as far as the cockpit asks it.

use super::registry::{Kind, Registry, Trouble};
use super::route::{Asked, Reply};
use crate::api::convert::harbor::{
    ArtifactRead, Quota, ReportProblem, accessory_list, artifact, health, history, in_path,
    project, quota, report, robot, volumes,
};
use crate::api::convert::oci::next_page;
use crate::domain::image::{
    Accessory, Component, Digest, HistoryStep, ProjectRow, Report, RobotRow, Scan,
};
use crate::domain::object::Text;
use crate::engine::session::Session;
use crate::engine::transport::segment;
use http::Method;
use serde_json::Value;

/// The root of the API.
pub(super) const API: &str = "/api/v2.0";
/// How many a page holds at most.
pub(super) const PAGE: usize = 100;
/// How many pages of a list are read at once; more is asked for when somebody scrolls.
const PAGES: usize = 20;

/// What a page of artifacts is asked with.
const WITH: &str = "with_tag=true&with_label=true&with_scan_overview=true&with_accessory=true";
/// Both reports, the one with scores first.
const REPORTS: &str = "application/vnd.security.vulnerability.report; version=1.1, application/vnd.scanner.adapter.vuln.report.harbor+json; version=1.0";

/// One page of artifacts.
#[derive(Debug)]
pub(super) struct ArtifactPage {
    pub(super) artifacts: Vec<ArtifactRead>,
    pub(super) total: Option<u64>,
}

fn json(registry: &Registry, reply: &Reply) -> Result<Value, Trouble> {
    serde_json::from_slice(&reply.body).map_err(|_not_json| {
        let page = reply.header("content-type").contains("html");
        let what = if page {
            "the answer is a web page, not data; a login page, perhaps"
        } else {
            "the answer is not JSON"
        };
        let sentence = format!("`{}`: {what}", registry.host);
        Trouble::new(
            Kind::Passing,
            sentence,
            "is this the address of Harbor itself?",
        )
    })
}

fn items(value: &Value) -> &[Value] {
    value.as_array().map(Vec::as_slice).unwrap_or_default()
}

/// Splits `project/name` where Harbor does.
pub(in crate::engine) fn split(repository: &str) -> (&str, &str) {
    repository.split_once('/').unwrap_or((repository, ""))
}

/// Returns the path of a repository.
pub(in crate::engine) fn repository_path(repository: &str) -> String {
    let (project, name) = split(repository);
    format!(
        "{API}/projects/{}/repositories/{}",
        segment(project),
        in_path(name)
    )
}

impl Registry {
    pub(super) async fn harbor_get(&self, session: &Session, path: &str) -> Result<Value, Trouble> {
        let asked = Asked::get(format!("{API}{path}")).accept("application/json");
        let reply = self.ask(session, asked).await?;
        json(self, &reply)
    }

    /// Reads a whole list, page by page.
    async fn list(&self, session: &Session, path: &str) -> Result<Vec<Value>, Trouble> {
        let mark = if path.contains('?') { '&' } else { '?' };
        let mut next = Some(format!("{API}{path}{mark}page=1&page_size={PAGE}"));
        let mut found = Vec::new();
        for _ in 0..PAGES {
            let Some(path) = next.take() else { break };
            let asked = Asked::get(path).accept("application/json");
            let reply = self.ask(session, asked).await?;
            found.extend(items(&json(self, &reply)?).iter().cloned());
            next = next_page(reply.header("link")).map(|link| self.route.path_of(&link));
        }
        Ok(found)
    }

    /// Reads one page of a repository's artifacts, the newest first.
    pub(super) async fn artifacts(
        &self,
        session: &Session,
        repository: &str,
        page: usize,
    ) -> Result<ArtifactPage, Trouble> {
        let path = format!(
            "{}/artifacts?page={page}&page_size={PAGE}&sort=-push_time&{WITH}",
            repository_path(repository)
        );
        let reply = self
            .ask(session, Asked::get(path).accept("application/json"))
            .await
            .map_err(|trouble| trouble.doing(&format!("list artifacts of `{repository}`")))?;
        let list = json(self, &reply)?;
        let name = Text::from(repository);
        let read = |one: &Value| artifact(one, &session.cluster, &self.host, &name);
        Ok(ArtifactPage {
            artifacts: items(&list).iter().map(read).collect(),
            total: reply.header("x-total-count").parse().ok(),
        })
    }

    /// Reads one artifact by tag or digest; `None` when it is not there.
    pub(super) async fn artifact(
        &self,
        session: &Session,
        repository: &str,
        reference: &str,
    ) -> Result<Option<ArtifactRead>, Trouble> {
        let path = format!(
            "{}/artifacts/{}?{WITH}&with_sbom_overview=true",
            repository_path(repository),
            segment(reference)
        );
        let asked = Asked::get(path).accept("application/json");
        let reply = match self.ask(session, asked).await {
            Ok(reply) => reply,
            Err(trouble) if trouble.kind == Kind::Absent => return Ok(None),
            Err(trouble) => {
                return Err(trouble.doing(&format!("read `{repository}@{reference}`")));
            }
        };
        let one = json(self, &reply)?;
        let name = Text::from(repository);
        Ok(Some(artifact(&one, &session.cluster, &self.host, &name)))
    }

    /// Reads the newest artifact of every repository of a project.
    pub(super) async fn newest_of(
        &self,
        session: &Session,
        project: &str,
    ) -> Result<Vec<ArtifactRead>, Trouble> {
        let wanted = segment("media_type=application/vnd.oci.image.config.v1+json");
        let path = format!(
            "/projects/{}/artifacts?latest_in_repository=true&q={wanted}&sort=-push_time&{WITH}",
            segment(project)
        );
        let list = self.list(session, &path).await;
        let list = list.map_err(|trouble| {
            trouble.doing(&format!("list the newest artifacts of `{project}`"))
        })?;
        let read = list.iter().map(|one| {
            let name = one.get("repository_name").and_then(Value::as_str);
            let name = Text::from(name.unwrap_or_default());
            artifact(one, &session.cluster, &self.host, &name)
        });
        Ok(read.filter(|one| !one.row.repository.is_empty()).collect())
    }

    /// Reads the report on an artifact.
    pub(super) async fn report(
        &self,
        session: &Session,
        repository: &str,
        digest: &str,
    ) -> Result<Result<Report, ReportProblem>, Trouble> {
        let path = format!(
            "{}/artifacts/{}/additions/vulnerabilities",
            repository_path(repository),
            segment(digest)
        );
        let mut asked = Asked::get(path).accept("application/json");
        let wanted = http::HeaderValue::from_static(REPORTS);
        drop(asked.headers.insert("x-accept-vulnerabilities", wanted));
        let reply = match self.ask(session, asked).await {
            Ok(reply) => reply,
            Err(trouble) if trouble.kind == Kind::Absent => return Ok(Err(ReportProblem::None)),
            Err(trouble) => return Err(trouble.doing("read the vulnerabilities")),
        };
        Ok(report(&reply.body))
    }

    /// Reads the steps of an image's build.
    pub(super) async fn history(
        &self,
        session: &Session,
        repository: &str,
        digest: &str,
    ) -> Result<Vec<HistoryStep>, Trouble> {
        let path = format!(
            "{}/artifacts/{}/additions/build_history",
            repository_path(repository),
            segment(digest)
        );
        let asked = Asked::get(path).accept("application/json");
        let reply = self.ask(session, asked).await;
        let reply = reply.map_err(|trouble| trouble.doing("read the build history"))?;
        Ok(history(&json(self, &reply)?))
    }

    /// Reads what accompanies an artifact.
    pub(super) async fn accessories(
        &self,
        session: &Session,
        repository: &str,
        digest: &str,
    ) -> Result<Vec<Accessory>, Trouble> {
        let path = format!(
            "{}/artifacts/{}/accessories?page_size={PAGE}",
            repository_path(repository),
            segment(digest)
        );
        let asked = Asked::get(path).accept("application/json");
        let reply = self.ask(session, asked).await?;
        Ok(accessory_list(&json(self, &reply)?))
    }

    /// Reads the projects that the account sees, with their quotas where it may see them.
    pub(super) async fn projects(&self, session: &Session) -> Result<Vec<ProjectRow>, Trouble> {
        let list = self
            .list(session, "/projects?with_detail=true&sort=name")
            .await;
        let list = list.map_err(|trouble| trouble.doing("list projects"))?;
        let mut rows: Vec<ProjectRow> = list
            .iter()
            .map(|one| project(one, &session.cluster, &self.host))
            .collect();
        let quotas = match self
            .list(session, "/quotas?reference=project&sort=id")
            .await
        {
            Ok(list) => list.iter().filter_map(quota).collect(),
            Err(trouble) => {
                tracing::debug!(%trouble.sentence, "quotas cannot be listed");
                self.quotas_one_by_one(session, &rows).await
            }
        };
        for row in &mut rows {
            let own = quotas.iter().find(|quota: &&Quota| quota.project == row.id);
            row.used = own.and_then(|quota| quota.used);
            row.quota = own.and_then(|quota| quota.hard);
        }
        Ok(rows)
    }

    /// An account of a project may read the summary of its own.
    async fn quotas_one_by_one(&self, session: &Session, rows: &[ProjectRow]) -> Vec<Quota> {
        let mut quotas = Vec::new();
        for row in rows.iter().take(20) {
            let path = format!("/projects/{}/summary", row.id);
            let Ok(summary) = self.harbor_get(session, &path).await else {
                break;
            };
            let bytes = |part: &str| summary.get("quota")?.get(part)?.get("storage")?.as_i64();
            quotas.push(Quota {
                project: row.id,
                used: bytes("used").and_then(|used| u64::try_from(used).ok()),
                hard: bytes("hard").and_then(|hard| u64::try_from(hard).ok()),
            });
        }
        quotas
    }

    /// Reads robot accounts: of the system, and of every project that can be seen.
    pub(super) async fn robots(
        &self,
        session: &Session,
        projects: &[(i64, Text)],
    ) -> Result<Vec<RobotRow>, Trouble> {
        let now = session.now();
        let system = self.list(session, "/robots?sort=name").await;
        let mut of_system = system.as_ref().err().cloned();
        let mut list = system.unwrap_or_default();
        for (id, name) in projects {
            let query = segment(&format!("Level=project,ProjectID={id}"));
            match self
                .list(session, &format!("/robots?q={query}&sort=name"))
                .await
            {
                Ok(more) => {
                    list.extend(more);
                    of_system = None;
                }
                Err(trouble) if trouble.kind == Kind::NeedsCredentials => return Err(trouble),
                Err(trouble) => {
                    tracing::debug!(%name, %trouble.sentence, "robots cannot be listed");
                }
            }
        }
        if let Some(trouble) = of_system {
            return Err(trouble.doing("list robot accounts"));
        }
        let mut rows: Vec<RobotRow> = list
            .iter()
            .map(|one| robot(one, &session.cluster, &self.host, now))
            .collect();
        for row in &mut rows {
            row.own = row.object.name == self.account.name;
        }
        rows.sort_by(|a, b| a.object.cmp(&b.object));
        rows.dedup_by(|a, b| a.id == b.id);
        Ok(rows)
    }

    /// Reads how all its parts are.
    pub(super) async fn health(
        &self,
        session: &Session,
    ) -> Result<(Option<bool>, Vec<Component>), Trouble> {
        Ok(health(&self.harbor_get(session, "/health").await?))
    }

    /// Reads free and total bytes, when the account may.
    pub(super) async fn volumes(&self, session: &Session) -> Option<(u64, u64)> {
        let value = self.harbor_get(session, "/systeminfo/volumes").await.ok()?;
        volumes(&value)
    }

    /// Changes something; the answer's body, if there is one.
    pub(in crate::engine) async fn change(
        &self,
        session: &Session,
        (method, path): (Method, &str),
        body: Option<&Value>,
    ) -> Result<Value, Trouble> {
        let mut asked = Asked::new(method, format!("{API}{path}")).accept("application/json");
        if let Some(body) = body {
            asked = asked.json(body);
        }
        let reply = self.ask(session, asked).await?;
        Ok(serde_json::from_slice(&reply.body).unwrap_or_default())
    }
}

/// What intents ask besides.
impl Registry {
    /// Returns what a tag names now.
    pub(in crate::engine) async fn digest_by_tag(
        &self,
        session: &Session,
        repository: &str,
        tag: &str,
    ) -> Result<Option<Digest>, Trouble> {
        if self.is_harbor() {
            let read = self.artifact(session, repository, tag).await?;
            return Ok(read.and_then(|read| read.row.digest));
        }
        self.digest_of(session, repository, tag).await
    }

    /// Returns how far the scan of an artifact is.
    pub(in crate::engine) async fn scan_of(
        &self,
        session: &Session,
        repository: &str,
        digest: &str,
    ) -> Result<Scan, Trouble> {
        let read = self.artifact(session, repository, digest).await?;
        read.map(|read| read.row.scan).ok_or_else(|| {
            let sentence = format!("`{}` does not have `{repository}@{digest}`", self.host);
            Trouble::new(
                Kind::Absent,
                sentence,
                "it may have been deleted a moment ago",
            )
        })
    }

    /// Returns whether an artifact is there.
    pub(in crate::engine) async fn has(
        &self,
        session: &Session,
        repository: &str,
        digest: &str,
    ) -> Result<bool, Trouble> {
        if self.is_harbor() {
            let read = self.artifact(session, repository, digest).await?;
            return Ok(read.is_some());
        }
        let found = self.digest_of(session, repository, digest).await?;
        Ok(found.is_some())
    }

    /// Writes the very same manifest under a tag: it moves without a gap.
    pub(in crate::engine) async fn retag(
        &self,
        session: &Session,
        (repository, digest): (&str, &Digest),
        tag: &str,
    ) -> Result<(), Trouble> {
        let read = self.resolve(session, repository, digest.text()).await?;
        let read = read.ok_or_else(|| {
            let sentence = format!("`{}` has no manifest `{digest}`", self.host);
            Trouble::new(
                Kind::Absent,
                sentence,
                "it may have been deleted a moment ago",
            )
        })?;
        let body = (&*read.media_type, read.bytes);
        self.put_manifest(session, (repository, tag), body).await
    }

    /// Reads the robot accounts of the system and of all projects.
    pub(in crate::engine) async fn all_robots(
        &self,
        session: &Session,
    ) -> Result<Vec<RobotRow>, Trouble> {
        let projects = self.projects(session).await?;
        let named: Vec<(i64, Text)> = projects
            .iter()
            .map(|row| (row.id, Text::clone(&row.object.name)))
            .collect();
        self.robots(session, &named).await
    }
}
