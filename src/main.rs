//! Chooses the platform (live or embedded), installs hooks and runs.
//!
//! The only file that joins `sim` to the engine: everything behind it works on a
//! [`Platform`] and cannot tell which one it has.

use clap::{CommandFactory, Parser};
use color_eyre::eyre::{Result, WrapErr};
use std::io::{IsTerminal, Write};
use std::process::ExitCode;
use std::sync::Arc;
use tiphys::cli::{Check, Cli, Command, Global};
use tiphys::config::{self, Config, Environment, Flags, Problem, choice};
use tiphys::domain::clock::Clock;
use tiphys::domain::object::Text;
use tiphys::engine::EngineOptions;
use tiphys::engine::live::{Live, LiveOptions};
use tiphys::engine::platform::Platform;
use tiphys::engine::protocol::Scope;
use tiphys::report::session::Session;
use tiphys::report::{self, Ending, ReportError, doctor, lists};

fn main() -> Result<ExitCode> {
    // TLS clients panic without a provider, so it comes before everything else. It may only be
    // set once, and nobody was before us.
    let _first = rustls::crypto::ring::default_provider()
        .install_default()
        .is_ok();
    color_eyre::config::HookBuilder::default()
        .display_env_section(false)
        .install()?;
    let cli = Cli::parse();
    let environment = Environment::read();
    let (config, problems) = config::load(&flags_of(&cli.global), &environment);
    let setup = Setup {
        global: cli.global,
        config,
        problems,
        environment,
    };
    let _log = setup.start_log()?;
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .wrap_err("cannot start the async runtime")?;
    let ending = runtime.block_on(setup.run(cli.command));
    // Tasks that wait for a server must not hold up the end.
    runtime.shutdown_background();
    match ending {
        Ok(ending) => Ok(ExitCode::from(ending.code())),
        Err(error) => {
            complain(&error.to_string());
            Ok(ExitCode::from(error.ending().code()))
        }
    }
}

fn complain(text: &str) {
    let mut stderr = std::io::stderr().lock();
    // There is nobody left to tell when stderr is gone.
    let _told = text.lines().try_for_each(|line| writeln!(stderr, "{line}"));
}

fn flags_of(global: &Global) -> Flags {
    Flags {
        theme: global.theme.clone(),
        keymap: global.keymap.clone(),
        readonly: global.readonly,
        ascii: global.ascii,
        no_color: global.no_color,
        log_file: global.log_file.clone(),
        kubeconfig: global.kubeconfig.clone(),
        config: global.config.clone(),
    }
}

/// What every command starts from.
struct Setup {
    global: Global,
    config: Config,
    problems: Vec<Problem>,
    environment: Environment,
}

impl Setup {
    async fn run(self, command: Option<Command>) -> Result<Ending, ReportError> {
        let mut out = std::io::stdout();
        match command {
            None => todo_cockpit(),
            Some(Command::Demo(_)) => todo_cockpit(),
            Some(Command::Get(get)) => {
                let mut session = self.session().await?;
                let query = report::get::Query {
                    get: &get,
                    all_namespaces: self.scope() == Scope::All,
                };
                let clock = self.live().clock();
                report::get::run(&mut session, query, || clock.now(), &mut out).await?;
                Ok(Ending::Done)
            }
            Some(Command::Do(_)) => todo_cockpit(),
            Some(Command::Why(why)) => {
                let mut session = self.session().await?;
                let object = session.object(&why.object).await?;
                report::why::run(&mut session, object, why.output, &mut out).await?;
                Ok(Ending::Done)
            }
            Some(Command::Snapshot(_)) => todo_cockpit(),
            Some(Command::Doctor) => self.doctor(&mut out).await,
            Some(Command::Keys(check)) => self.keys(&check, &mut out),
            Some(Command::Themes(check)) => self.themes(&check, &mut out),
            Some(Command::Scenarios(_)) => todo_cockpit(),
            Some(Command::Config(check)) => self.settings(&check, &mut out),
            Some(Command::Completions { shell }) => {
                clap_complete::generate(shell, &mut Cli::command(), "tiphys", &mut out);
                Ok(Ending::Done)
            }
            Some(Command::Man) => Ok(clap_mangen::Man::new(Cli::command())
                .render(&mut out)
                .map(|()| Ending::Done)?),
        }
    }

    /// Writes a log when one was asked for. The returned guard flushes it at the end.
    fn start_log(&self) -> Result<Option<tracing_appender::non_blocking::WorkerGuard>> {
        let Some(path) = &self.config.log_file.value else {
            return Ok(None);
        };
        let file = std::fs::OpenOptions::new()
            .create(true)
            .append(true)
            .open(path)
            .wrap_err_with(|| format!("cannot write the log to `{}`", path.display()))?;
        let (writer, guard) = tracing_appender::non_blocking(file);
        let filter = tracing_subscriber::EnvFilter::new("info,tiphys=debug");
        tracing_subscriber::fmt()
            .with_writer(writer)
            .with_ansi(false)
            .with_env_filter(filter)
            .init();
        Ok(Some(guard))
    }

    fn live(&self) -> Live {
        Live::new(LiveOptions {
            kubeconfig: self.config.kubeconfig.value.clone(),
            kubeconfig_variable: self.environment.get("KUBECONFIG").map(String::from),
            context: self.global.context.clone(),
        })
    }

    fn engine_options(&self) -> EngineOptions {
        let named = |text: &str| Some(text.to_owned()).filter(|text| !text.is_empty());
        EngineOptions {
            read_only: self
                .config
                .is_read_only(self.global.context.as_deref().unwrap_or_default()),
            username: named(&self.config.username.value),
            argocd_namespace: self.config.argocd_namespace.value.clone(),
            argocd_token: self.environment.get("ARGOCD_AUTH_TOKEN").map(String::from),
        }
    }

    fn context(&self) -> Option<Text> {
        self.global.context.as_deref().map(Text::from)
    }

    fn scope(&self) -> Scope {
        match &self.global.namespace {
            Some(namespace) if namespace != "all" => {
                Scope::Namespace(Text::from(namespace.as_str()))
            }
            _ => Scope::All,
        }
    }

    async fn session(&self) -> Result<Session, ReportError> {
        self.warn(&self.problems);
        let platform = Arc::new(self.live());
        platform.preflight().await?;
        Session::open(
            platform,
            self.engine_options(),
            self.context(),
            self.scope(),
        )
        .await
    }

    /// Mistakes in files do not stop a command; they are told on stderr.
    fn warn(&self, problems: &[Problem]) {
        for problem in problems {
            complain(&problem.to_string());
        }
    }

    async fn doctor(&self, out: &mut dyn Write) -> Result<Ending, ReportError> {
        let git = tokio::process::Command::new("git")
            .arg("--version")
            .output()
            .await;
        let git = git.ok().filter(|run| run.status.success());
        let patient = doctor::Patient {
            config: &self.config,
            problems: &self.problems,
            environment: &self.environment,
            terminal: std::io::stdout()
                .is_terminal()
                .then(|| crossterm::terminal::size().ok())
                .flatten(),
            git: git.map(|run| String::from_utf8_lossy(&run.stdout).trim().to_owned()),
            context: self.context(),
        };
        doctor::run(Arc::new(self.live()), self.engine_options(), patient, out).await
    }

    fn keys(&self, check: &Check, out: &mut dyn Write) -> Result<Ending, ReportError> {
        if let Some(path) = &check.check {
            let problems = choice::read_keymap(path).err().unwrap_or_default();
            return lists::checked(path, &problems, out);
        }
        let (keymap, problems) = choice::keymap(&self.config.keymap);
        self.warn(&problems);
        lists::keys(&self.config, &keymap, out)?;
        Ok(Ending::Done)
    }

    fn themes(&self, check: &Check, out: &mut dyn Write) -> Result<Ending, ReportError> {
        if let Some(path) = &check.check {
            let problems = choice::read_theme(path).err().unwrap_or_default();
            return lists::checked(path, &problems, out);
        }
        lists::themes(&self.config, out)?;
        Ok(Ending::Done)
    }

    fn settings(&self, check: &Check, out: &mut dyn Write) -> Result<Ending, ReportError> {
        if let Some(path) = &check.check {
            return lists::checked(path, &lists::check_settings(path), out);
        }
        self.warn(&self.problems);
        lists::settings(&self.config, out)?;
        Ok(Ending::Done)
    }
}

fn todo_cockpit() -> Result<Ending, ReportError> {
    Err(ReportError::Usage(String::from(
        "this command is not built yet",
    )))
}
