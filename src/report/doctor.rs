//! `tiphys doctor`: what this terminal, configuration and server can and cannot do.
//!
//! Every line is a check with its answer; a check that fails says what to try. Nothing is
//! changed and nothing is asked of the user.

use super::session::Session;
use super::{Ending, ReportError};
use crate::config::{Config, Environment, Problem};
use crate::domain::image::{RegistryRow, registries_kind};
use crate::domain::kind::{ARGO, KINDS};
use crate::domain::metric::QueryResult;
use crate::domain::object::{GroupKind, ObjectRef, Text};
use crate::engine::EngineOptions;
use crate::engine::platform::Platform;
use crate::engine::protocol::{Answer, Fetch, Scope};
use crate::store::{Row, Table};
use crate::ui::text::harmless;
use std::io::{self, Write};
use std::sync::Arc;

/// What is looked at.
#[derive(Debug)]
pub struct Patient<'a> {
    pub config: &'a Config,
    pub problems: &'a [Problem],
    pub environment: &'a Environment,
    /// Columns and rows, when the output is a terminal.
    pub terminal: Option<(u16, u16)>,
    /// What `git --version` says, when there is a git.
    pub git: Option<String>,
    pub context: Option<Text>,
}

/// Runs every check. Ends with [`Ending::Failed`] when one of them failed.
pub async fn run(
    platform: Arc<dyn Platform>,
    options: EngineOptions,
    patient: Patient<'_>,
    out: &mut dyn Write,
) -> Result<Ending, ReportError> {
    let mut sheet = Sheet { out, failed: false };
    terminal(&mut sheet, &patient)?;
    settings(&mut sheet, &patient)?;
    if contexts(&mut sheet, &*platform)? {
        server(&mut sheet, platform, options, patient.context).await?;
    }
    Ok(if sheet.failed {
        Ending::Failed
    } else {
        Ending::Done
    })
}

/// Where the answers are written.
struct Sheet<'a> {
    out: &'a mut dyn Write,
    failed: bool,
}

impl Sheet<'_> {
    fn good(&mut self, check: &str, answer: &str) -> io::Result<()> {
        self.line("ok", check, answer)
    }

    fn note(&mut self, check: &str, answer: &str) -> io::Result<()> {
        self.line("note", check, answer)
    }

    fn bad(&mut self, check: &str, answer: &str) -> io::Result<()> {
        self.failed = true;
        self.line("fail", check, answer)
    }

    fn line(&mut self, verdict: &str, check: &str, answer: &str) -> io::Result<()> {
        let mut lines = answer.lines();
        let first = lines.next().unwrap_or_default();
        writeln!(self.out, "{verdict:<5} {check:<14} {}", harmless(first))?;
        lines.try_for_each(|line| writeln!(self.out, "{:20} {}", "", harmless(line)))
    }
}

fn terminal(sheet: &mut Sheet<'_>, patient: &Patient<'_>) -> io::Result<()> {
    let variable = |name| patient.environment.get(name).unwrap_or("not set");
    match patient.terminal {
        Some((columns, rows)) if columns >= 80 && rows >= 24 => {
            sheet.good(
                "terminal",
                &format!("{} {columns}x{rows}", variable("TERM")),
            )?;
        }
        Some((columns, rows)) => {
            sheet.note(
                "terminal",
                &format!("{columns}x{rows}; screens are made for 80x24 upwards"),
            )?;
        }
        None => sheet.note(
            "terminal",
            "the output is not a terminal; the cockpit needs one",
        )?,
    }
    let color = match patient.config.color.value {
        false => format!("off by {}", patient.config.color.origin),
        true if variable("COLORTERM").contains("truecolor") => String::from("true colour"),
        true => format!(
            "COLORTERM is {}; 256 or 16 colours are used",
            variable("COLORTERM")
        ),
    };
    sheet.good("colours", &color)?;
    let locale = ["LC_ALL", "LC_CTYPE", "LANG"]
        .iter()
        .find_map(|name| patient.environment.get(name));
    match locale {
        Some(locale) if locale.to_lowercase().contains("utf") => sheet.good("locale", locale),
        Some(locale) => sheet.note("locale", &format!("{locale} is not UTF-8; try --ascii")),
        None => sheet.note("locale", "none is set; if symbols look wrong, try --ascii"),
    }
}

fn settings(sheet: &mut Sheet<'_>, patient: &Patient<'_>) -> io::Result<()> {
    let file = patient
        .config
        .file
        .as_ref()
        .map(|path| path.display().to_string());
    match (patient.problems, file) {
        ([], Some(file)) => sheet.good("configuration", &file)?,
        ([], None) => sheet.good("configuration", "no file; defaults")?,
        (problems, _) => {
            let said: Vec<String> = problems.iter().map(ToString::to_string).collect();
            sheet.bad("configuration", &said.join("\n"))?;
        }
    }
    match &patient.git {
        Some(version) => sheet.good("git", version),
        None => sheet.note(
            "git",
            "not found; the demo works, but takes no pushes and clones",
        ),
    }
}

/// Returns whether there is a context to connect to.
fn contexts(sheet: &mut Sheet<'_>, platform: &dyn Platform) -> io::Result<bool> {
    match platform.contexts() {
        Ok(contexts) if contexts.is_empty() => {
            sheet.note("kubeconfig", "no contexts; `tiphys demo` needs none")?;
            Ok(false)
        }
        Ok(contexts) => {
            let current = contexts
                .iter()
                .find(|one| one.current)
                .map_or("none", |one| &*one.name);
            let count = contexts.len();
            sheet.good(
                "kubeconfig",
                &format!("{count} contexts, current {current}"),
            )?;
            Ok(true)
        }
        Err(finding) => {
            sheet.bad("kubeconfig", &super::sentence(&finding))?;
            Ok(false)
        }
    }
}

async fn server(
    sheet: &mut Sheet<'_>,
    platform: Arc<dyn Platform>,
    options: EngineOptions,
    context: Option<Text>,
) -> Result<(), ReportError> {
    let mut session = match Session::open(platform, options, context, Scope::All).await {
        Ok(session) => session,
        Err(error) => return Ok(sheet.bad("server", &error.to_string())?),
    };
    if let Err(error) = session.reached().await {
        sheet.bad("server", &error.to_string())?;
        let rest = "kinds, metrics, registries and rights are not checked: they need the server";
        return Ok(sheet.note("the rest", rest)?);
    }
    if let Some(connection) = session.connection.clone() {
        let version = match &*connection.server_version {
            "" => "an unknown version",
            version => version,
        };
        let server = format!("{version} at {} as {}", connection.server, connection.user);
        sheet.good("server", &server)?;
        match (&*connection.argocd_version, connection.automated_enabled) {
            ("", _) => sheet.note("argo cd", "its version cannot be told")?,
            (version, true) => sheet.good("argo cd", version)?,
            (version, false) => {
                let text = format!("{version}; auto-sync is switched by removing `automated`");
                sheet.note("argo cd", &text)?;
            }
        }
        if let Some(namespace) = &connection.restricted_to {
            let text = format!("cluster-wide lists are forbidden; looking at {namespace} alone");
            sheet.note("scope", &text)?;
        }
    }
    match session.fetch(Fetch::Kinds).await {
        Ok(Answer::Kinds(kinds)) => sheet.good("discovery", &format!("{} kinds", kinds.len()))?,
        Ok(_) => {}
        Err(error) => sheet.bad("discovery", &error.to_string())?,
    }
    metrics(sheet, &mut session).await?;
    registries(sheet, &mut session).await?;
    github(sheet, &mut session).await?;
    steering(sheet, &mut session).await?;
    for info in KINDS.iter().filter(|info| WATCHED.contains(&info.kind)) {
        match session.watch(&info.group_kind()).await {
            Ok(()) => {
                let rows = session
                    .store
                    .table(&info.group_kind())
                    .map_or(0, Table::len);
                sheet.good(info.plural, &format!("watched, {rows} rows"))?;
            }
            // Argo Rollouts may not be installed.
            Err(error) if info.group == ARGO && info.kind != "Application" => {
                sheet.note(info.plural, &error.to_string())?;
            }
            Err(error) => sheet.bad(info.plural, &error.to_string())?,
        }
    }
    Ok(())
}

/// Asks the registries of the images that run.
async fn registries(sheet: &mut Sheet<'_>, session: &mut Session) -> io::Result<()> {
    let kind = registries_kind();
    if let Err(error) = session.watch(&kind).await {
        return sheet.note("registries", &error.to_string());
    }
    let rows = session.store.table(&kind).into_iter().flat_map(Table::rows);
    for row in rows {
        let Row::Registry(RegistryRow::Registry(registry)) = row else {
            continue;
        };
        let name = &registry.object.name;
        match registry.findings.first() {
            Some(finding) => {
                sheet.note("registry", &format!("{name}: {}", super::sentence(finding)))?;
            }
            None if registry.status() == "not asked" => {
                sheet.note("registry", &format!("{name} is not asked"))?;
            }
            None => {
                let (flavour, status) = (registry.flavour.word(), registry.status());
                let text = format!("{name} ({flavour} {}) is {status}", registry.version);
                sheet.good("registry", &text)?;
            }
        }
    }
    Ok(())
}

/// Asks GitHub, where it is configured.
async fn github(sheet: &mut Sheet<'_>, session: &mut Session) -> io::Result<()> {
    match session.fetch(Fetch::GitHub).await {
        Ok(Answer::Text { lines, .. }) => {
            lines.iter().try_for_each(|line| sheet.good("github", line))
        }
        Ok(_) => Ok(()),
        Err(error) => sheet.note("github", &error.to_string()),
    }
}

/// Asks each metrics server something small.
async fn metrics(sheet: &mut Sheet<'_>, session: &mut Session) -> Result<(), ReportError> {
    let expr = Text::from("count(up)");
    match session.fetch(Fetch::Query { expr }).await {
        Ok(Answer::Query(Ok(answer))) => {
            let targets = match &answer.result {
                QueryResult::Vector(samples) => samples.first().and_then(|one| one.value),
                QueryResult::Scalar(point) => point.value,
                QueryResult::Range { .. } | QueryResult::Text(_) | QueryResult::Raw(_) => None,
            };
            let text = format!("it answers; {} targets", targets.unwrap_or(0.0));
            sheet.good("prometheus", &text)?;
        }
        Ok(Answer::Query(Err(error))) => {
            let hint = error
                .hint
                .map(|hint| format!("; {hint}"))
                .unwrap_or_default();
            sheet.note("prometheus", &format!("{}{hint}", error.message))?;
        }
        Ok(_) => {}
        Err(error) => sheet.note("prometheus", &error.to_string())?,
    }
    let board = super::metrics::board(session).await;
    match board {
        Ok(board) => {
            let trouble = board
                .notes
                .iter()
                .find(|note| note.starts_with("alertmanager"));
            match trouble {
                Some(note) => sheet.note("alertmanager", note)?,
                None => {
                    let text = format!("it answers; {} alerts", board.alerts.len());
                    sheet.good("alertmanager", &text)?;
                }
            }
        }
        Err(error) => sheet.note("alertmanager", &error.to_string())?,
    }
    Ok(())
}

/// Whether Rollouts may be promoted: that needs a right on their status.
async fn steering(sheet: &mut Sheet<'_>, session: &mut Session) -> Result<(), ReportError> {
    let object = ObjectRef {
        cluster: session.cluster(),
        kind: GroupKind::new(ARGO, "Rollout"),
        namespace: None,
        name: "any".into(),
    };
    let Ok(Answer::Access(rights)) = session.fetch(Fetch::Access { object }).await else {
        return Ok(());
    };
    let may = |verb: &str| rights.iter().any(|(known, may)| &**known == verb && *may);
    if may("promote") {
        sheet.good("rollouts", "may be promoted and aborted in all namespaces")?;
    } else {
        let text = "promote, abort and retry need `patch rollouts/status`, which is not given in all namespaces";
        sheet.note("rollouts", text)?;
    }
    Ok(())
}

/// Kinds whose watch is tried.
const WATCHED: &[&str] = &[
    "Application",
    "AppProject",
    "Namespace",
    "Deployment",
    "Pod",
    "Rollout",
    "AnalysisRun",
];
