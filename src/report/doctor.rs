//! `tiphys doctor`: what this terminal, configuration and server can and cannot do.
//!
//! Every line is a check with its answer; a check that fails says what to try. Nothing is
//! changed and nothing is asked of the user.

use super::session::Session;
use super::{Ending, ReportError};
use crate::config::{Config, Environment, Problem};
use crate::domain::kind::KINDS;
use crate::domain::object::Text;
use crate::engine::EngineOptions;
use crate::engine::platform::Platform;
use crate::engine::protocol::{Answer, Fetch, Scope};
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
        writeln!(self.out, "ok    {check:<14} {}", harmless(answer))
    }

    fn note(&mut self, check: &str, answer: &str) -> io::Result<()> {
        writeln!(self.out, "note  {check:<14} {}", harmless(answer))
    }

    fn bad(&mut self, check: &str, answer: &str) -> io::Result<()> {
        self.failed = true;
        let mut lines = answer.lines();
        let first = lines.next().unwrap_or_default();
        writeln!(self.out, "fail  {check:<14} {}", harmless(first))?;
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
    if let Some(connection) = session.connection.clone() {
        let server = format!(
            "{} at {} as {}",
            connection.server_version, connection.server, connection.user
        );
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
    for info in KINDS.iter().filter(|info| WATCHED.contains(&info.kind)) {
        match session.watch(&info.group_kind()).await {
            Ok(()) => {
                let rows = session
                    .store
                    .table(&info.group_kind())
                    .map_or(0, crate::store::Table::len);
                sheet.good(info.plural, &format!("watched, {rows} rows"))?;
            }
            Err(error) => sheet.bad(info.plural, &error.to_string())?,
        }
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
];
