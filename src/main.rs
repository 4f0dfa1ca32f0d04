//! Chooses the platform (live or embedded), installs hooks and runs.
//!
//! Together with `embedded`, the only place that joins `sim` to the engine: everything behind it
//! works on a [`Platform`] and cannot tell which one it has.

mod embedded;

use clap::{CommandFactory, Parser};
use color_eyre::eyre::{Result, WrapErr};
use embedded::Embedded;
use std::io::{IsTerminal, Write};
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;
use tiphys::app::intent_words;
use tiphys::app::state::Settings;
use tiphys::cli::{Check, Cli, Command, Demo, Do, Format, Global, Snapshot};
use tiphys::config::{self, Config, Environment, Flags, Problem, choice};
use tiphys::domain::intent::{Intent, Risk, risk_of};
use tiphys::domain::kind::{KindInfo, info_named};
use tiphys::domain::object::{GroupKind, ObjectRef, Text};
use tiphys::engine::live::{Live, LiveOptions};
use tiphys::engine::platform::Platform;
use tiphys::engine::protocol::{Answer, Fetch, KindEntry, Scope};
use tiphys::engine::{self, EngineOptions};
use tiphys::report::session::Session;
use tiphys::report::{self, Ending, ReportError, doctor, documents, lists};
use tiphys::runtime::{self, Options, SnapshotOptions};
use tiphys::sim::scenario;
use tiphys::term;
use tiphys::ui::export;
use tiphys::ui::theme::{Background, Capability, Theme, detect_background};

/// How long tasks have to end when the program does.
const LAST_WORDS: Duration = Duration::from_millis(300);

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
    // Tasks give back what they hold, such as temporary folders; one that waits for a server must
    // not hold up the end.
    runtime.shutdown_timeout(LAST_WORDS);
    match ending {
        Ok(ending) => Ok(ExitCode::from(ending.code())),
        Err(error) => {
            // A reader of the output that went away has seen enough.
            if error.ending() != Ending::Done {
                complain(&error.to_string());
            }
            Ok(ExitCode::from(error.ending().code()))
        }
    }
}

fn complain(text: &str) {
    let mut stderr = std::io::stderr().lock();
    // There is nobody left to tell when stderr is gone.
    let _told = text.lines().try_for_each(|line| writeln!(stderr, "{line}"));
}

/// Mistakes in files do not stop a command; they are told on stderr.
fn warn(problems: &[Problem]) {
    for problem in problems {
        complain(&problem.to_string());
    }
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
            None => self.cockpit().await,
            Some(Command::Demo(demo)) => self.demo(&demo, &mut out).await,
            Some(Command::Get(get)) => {
                let live = Arc::new(self.live());
                let clock = live.clock();
                let mut session = self.session(live).await?;
                if report::flow::knows(&get.kind) {
                    report::flow::get(&mut session, &get, clock.now(), &mut out).await?;
                    return Ok(Ending::Done);
                }
                if report::metrics::knows(&get.kind) {
                    report::metrics::get(&mut session, &get, clock.now(), &mut out).await?;
                    return Ok(Ending::Done);
                }
                let all_namespaces = self.scope() == Scope::All;
                let query = report::get::Query {
                    get: &get,
                    all_namespaces,
                };
                report::get::run(&mut session, query, || clock.now(), &mut out).await?;
                complain(&session.notes.join("\n"));
                Ok(Ending::Done)
            }
            Some(Command::Query(query)) => {
                let mut session = self.session(Arc::new(self.live())).await?;
                report::metrics::query(&mut session, &query, &mut out).await
            }
            Some(Command::Do(options)) => self.act(&options, &mut out).await,
            Some(Command::Why(why)) => {
                let mut session = self.session(Arc::new(self.live())).await?;
                let object = session.object(&why.object).await?;
                report::why::run(&mut session, object, why.output, &mut out).await?;
                Ok(Ending::Done)
            }
            Some(Command::Snapshot(snapshot)) => self.snapshot(&snapshot, &mut out).await,
            Some(Command::Doctor) => self.doctor(&mut out).await,
            Some(Command::Keys(check)) => self.keys(&check, &mut out),
            Some(Command::Themes(check)) => self.themes(&check, &mut out),
            Some(Command::Scenarios(check)) => scenarios(&check, &mut out),
            Some(Command::Config(check)) => self.settings(&check, &mut out),
            Some(Command::Completions { shell }) => {
                // It panics when it cannot write: a reader may have seen enough.
                let mut script = Vec::new();
                clap_complete::generate(shell, &mut Cli::command(), "tiphys", &mut script);
                out.write_all(&script)?;
                Ok(Ending::Done)
            }
            Some(Command::Man) => {
                clap_mangen::Man::new(Cli::command()).render(&mut out)?;
                Ok(Ending::Done)
            }
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
        let log = tracing_subscriber::fmt()
            .with_writer(writer)
            .with_ansi(false);
        log.with_env_filter(filter).init();
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
            metrics: self.config.metrics.clone(),
            registries: self.config.registries.clone(),
            git: self.config.git.clone(),
            github: self.config.github.clone(),
        }
    }

    fn context(&self) -> Option<Text> {
        self.global.context.as_deref().map(Text::from)
    }

    fn scope(&self) -> Scope {
        match &self.global.namespace {
            Some(name) if name != "all" => Scope::Namespace(Text::from(name.as_str())),
            _ => Scope::All,
        }
    }

    async fn session(&self, live: Arc<Live>) -> Result<Session, ReportError> {
        warn(&self.problems);
        live.preflight().await?;
        Session::open(live, self.engine_options(), self.context(), self.scope()).await
    }

    /// Opens the cockpit on the kubeconfig's context, or on a screen that says why it cannot.
    async fn cockpit(&self) -> Result<Ending, ReportError> {
        let live = Arc::new(self.live());
        let nothing = match live.contexts() {
            Ok(_) => live.preflight().await.err(),
            Err(finding) => Some(finding),
        };
        let mut options = self.cockpit_options(&*live);
        options
            .notices
            .extend(live.mistakes().into_iter().map(|finding| finding.sentence));
        options.nothing.clone_from(&nothing);
        self.open(options, nothing.is_none().then_some(live)).await
    }

    async fn demo(&self, demo: &Demo, out: &mut dyn Write) -> Result<Ending, ReportError> {
        let embedded = Embedded::new(demo, config::folder().as_deref())?;
        if demo.headless {
            return embedded.headless(out).await;
        }
        let options = self.cockpit_options(&embedded);
        let ending = self.open(options, Some(Arc::new(embedded.clone()))).await;
        embedded.stop().await;
        ending
    }

    async fn open<P>(
        &self,
        options: Options,
        platform: Option<Arc<P>>,
    ) -> Result<Ending, ReportError>
    where
        P: Platform + 'static,
    {
        if !std::io::stdout().is_terminal() || !std::io::stdin().is_terminal() {
            let text = "the cockpit needs a terminal; `tiphys get` and `tiphys snapshot` do not";
            return Err(ReportError::Usage(String::from(text)));
        }
        term::install_panic_hook(config::state_folder());
        let engine = platform.map(|platform| engine::start(platform, self.engine_options()));
        let ran = runtime::run(options, engine).await;
        ran.map(|()| Ending::Done)
            .map_err(|error| ReportError::Usage(format!("{error:#}")))
    }

    fn cockpit_options(&self, platform: &dyn Platform) -> Options {
        let capability = self.capability(std::io::stdout().is_terminal());
        let (theme, theme_problems) =
            choice::theme(&self.config.theme, capability, detect_background);
        self.options_with(platform, theme, &theme_problems)
    }

    fn options_with(&self, platform: &dyn Platform, theme: Theme, problems: &[Problem]) -> Options {
        let (keymap, keymap_problems) = choice::keymap(&self.config.keymap);
        let all = self.problems.iter().chain(problems).chain(&keymap_problems);
        let texts = |list: &[String]| list.iter().map(|one| Text::from(one.as_str())).collect();
        Options {
            settings: Settings {
                read_only: self.config.read_only.value,
                read_only_contexts: texts(&self.config.readonly_contexts.value),
                protected_contexts: texts(&self.config.protected_contexts.value),
                ..Settings::default()
            },
            keymap,
            theme,
            clock: platform.clock(),
            context: self.context(),
            scope: self.scope(),
            nothing: None,
            notices: all.map(|problem| Text::from(problem.to_string())).collect(),
            editor: self.config.editor.value.clone(),
            save_folder: std::env::current_dir().unwrap_or_default(),
        }
    }

    fn capability(&self, terminal: bool) -> Capability {
        let mut capability = Capability {
            ascii: self.config.ascii.value,
            ..Capability::default()
        };
        if !self.config.color.value {
            capability.profile = termprofile::TermProfile::NoColor;
        } else if terminal {
            let settings = termprofile::DetectorSettings::default();
            capability.profile = termprofile::TermProfile::detect(&std::io::stdout(), settings);
        }
        capability
    }

    /// Prints one frame. Colours do not depend on the terminal it is printed to.
    async fn snapshot(
        &self,
        snapshot: &Snapshot,
        out: &mut dyn Write,
    ) -> Result<Ending, ReportError> {
        let capability = self.capability(false);
        let background = || Background::Dark;
        let (theme, problems) = choice::theme(&self.config.theme, capability, background);
        warn(&problems);
        let wanted = SnapshotOptions {
            line: snapshot.screen.join(" "),
            size: snapshot.size,
            after: snapshot.after,
            patience: snapshot.timeout,
        };
        let platform: Arc<dyn Platform> = if snapshot.demo {
            Arc::new(Embedded::new(
                &snapshot.platform(),
                config::folder().as_deref(),
            )?)
        } else {
            let live = Arc::new(self.live());
            live.preflight().await?;
            live
        };
        let options = self.options_with(&*platform, theme, &[]);
        let engine = engine::start(platform, self.engine_options());
        let frame = runtime::snapshot(&options, &wanted, Some(engine)).await;
        let frame = frame.map_err(|error| ReportError::Usage(format!("{error:#}")))?;
        let text = match snapshot.format {
            Format::Text => export::plain(&frame),
            Format::Ansi => export::ansi(&frame),
            Format::Svg => export::svg(&frame, &options.theme),
        };
        writeln!(out, "{}", text.trim_end())?;
        Ok(Ending::Done)
    }

    async fn act(&self, options: &Do, out: &mut dyn Write) -> Result<Ending, ReportError> {
        let mut session = self.session(Arc::new(self.live())).await?;
        let kinds = match session.fetch(Fetch::Kinds).await {
            Ok(Answer::Kinds(kinds)) => kinds,
            Ok(_) | Err(_) => Vec::new(),
        };
        let named = |word: &str| kind_named(&kinds, word);
        let worded = intent_words::parse(&options.words.join(" "), named).map_err(|problem| {
            let hint = problem
                .hint
                .map(|hint| format!("\nhint: {hint}"))
                .unwrap_or_default();
            ReportError::Usage(format!("{}{hint}", problem.sentence))
        })?;
        let target = ObjectRef {
            cluster: session.cluster(),
            kind: worded.kind,
            namespace: worded.namespace,
            name: worded.name,
        };
        let intent = Intent {
            target,
            uid: None,
            verb: worded.verb,
        };
        let asks = !options.yes && !options.dry_run && risk_of(&intent) > Risk::Harmless;
        if asks && !self.confirm(&intent, &session)? {
            complain("nothing was done");
            return Ok(Ending::Failed);
        }
        report::act::run(&mut session, intent, options, out).await
    }

    /// Asks on the terminal; without one, `--yes` is needed.
    #[allow(
        clippy::unused_self,
        reason = "a question belongs to the command's setup"
    )]
    fn confirm(&self, intent: &Intent, session: &Session) -> Result<bool, ReportError> {
        if !std::io::stdin().is_terminal() {
            return Err(ReportError::Usage(String::from(
                "nobody can be asked; add --yes",
            )));
        }
        let risk = match risk_of(intent) {
            Risk::Harmless => "changes nothing",
            Risk::Changes => "changes what runs",
            Risk::Destroys => "DESTROYS",
        };
        let path = documents::path(&intent.target);
        let cluster = session.cluster();
        let mut stderr = std::io::stderr();
        write!(
            stderr,
            "{} {path} in {} ({risk}). Go on? [y/N] ",
            intent.verb.id(),
            cluster.0
        )?;
        stderr.flush()?;
        let mut answer = String::new();
        let _length = std::io::stdin().read_line(&mut answer)?;
        Ok(matches!(answer.trim(), "y" | "yes"))
    }

    async fn doctor(&self, out: &mut dyn Write) -> Result<Ending, ReportError> {
        let git = tokio::process::Command::new("git")
            .arg("--version")
            .output()
            .await;
        let git = git.ok().filter(|run| run.status.success());
        let size = || crossterm::terminal::size().ok();
        let patient = doctor::Patient {
            config: &self.config,
            problems: &self.problems,
            environment: &self.environment,
            terminal: std::io::stdout().is_terminal().then(size).flatten(),
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
        warn(&problems);
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
        warn(&self.problems);
        lists::settings(&self.config, out)?;
        Ok(Ending::Done)
    }
}

fn kind_named(kinds: &[KindEntry], word: &str) -> Option<GroupKind> {
    let known = info_named(word).map(KindInfo::group_kind);
    known.or_else(|| {
        let found = kinds
            .iter()
            .find(|entry| report::session::answers_to(entry, word));
        found.map(|entry| entry.kind.clone())
    })
}

/// Lists the demo's scenarios, or checks one.
fn scenarios(check: &Check, out: &mut dyn Write) -> Result<Ending, ReportError> {
    let folder = config::folder();
    if let Some(path) = &check.check {
        let name = path.display().to_string();
        let name = if path.is_dir() && path.components().count() == 1 {
            format!("./{name}")
        } else {
            name
        };
        return match scenario::load(&name, folder.as_deref()) {
            Ok(scenario) => {
                writeln!(out, "{}: no mistakes", scenario.name)?;
                Ok(Ending::Done)
            }
            Err(error) => {
                writeln!(out, "{error}")?;
                Ok(Ending::Failed)
            }
        };
    }
    let rows: Vec<Vec<String>> = scenario::list(folder.as_deref())
        .into_iter()
        .map(|one| {
            let mistakes = one.mistakes.first().map(ToString::to_string);
            vec![
                one.name,
                mistakes.unwrap_or(one.title),
                one.origin.to_string(),
            ]
        })
        .collect();
    report::table::write(out, &["SCENARIO", "WHAT IT SHOWS", "FROM"], &rows)?;
    Ok(Ending::Done)
}
