//! Configuration: defaults < file < environment < flags; every value knows its origin.
//!
//! The environment is read here, once, and nowhere else. A mistake in the file is reported with
//! its line and the nearest valid name, all mistakes at once; the rest of the file still counts.

pub mod choice;
mod file;
mod github;
mod metrics;
mod registries;
mod section;

pub use file::{Problem, parse};

use crate::domain::servers::{GitHubOptions, GitOptions, MetricsOptions, RegistryOptions};
use std::collections::BTreeMap;
use std::fmt;
use std::path::{Path, PathBuf};

/// Where a value came from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Origin {
    Default,
    /// File and line, counted from 1.
    File(PathBuf, usize),
    Environment(&'static str),
    Flag(&'static str),
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Default => f.write_str("default"),
            Self::File(path, line) => write!(f, "{}:{line}", path.display()),
            Self::Environment(name) => write!(f, "${name}"),
            Self::Flag(name) => write!(f, "--{name}"),
        }
    }
}

/// A value and where it came from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Setting<T> {
    pub value: T,
    pub origin: Origin,
}

impl<T> Setting<T> {
    fn default(value: T) -> Self {
        Self {
            value,
            origin: Origin::Default,
        }
    }

    fn set(&mut self, value: Option<T>, origin: Origin) {
        if let Some(value) = value {
            *self = Self { value, origin };
        }
    }
}

/// Every setting, settled.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Config {
    /// A theme's name, a file, or `auto`: dark or light by the terminal's background.
    pub theme: Setting<String>,
    /// A keymap's name or a file.
    pub keymap: Setting<String>,
    pub read_only: Setting<bool>,
    pub ascii: Setting<bool>,
    pub color: Setting<bool>,
    /// Contexts in which destructive intents ask for the object's name; `*` stands for any text.
    pub protected_contexts: Setting<Vec<String>>,
    /// Contexts in which nothing may be changed; `*` stands for any text.
    pub readonly_contexts: Setting<Vec<String>>,
    pub argocd_namespace: Setting<String>,
    /// Who is named as the initiator of operations; the kubeconfig's user when empty.
    pub username: Setting<String>,
    /// Command line of the editor.
    pub editor: Setting<String>,
    pub log_file: Setting<Option<PathBuf>>,
    /// Kubeconfig file given by flag.
    pub kubeconfig: Setting<Option<PathBuf>>,
    /// Metrics servers that are not to be discovered.
    pub metrics: Vec<MetricsOptions>,
    /// Registries, with how to log in.
    pub registries: Vec<RegistryOptions>,
    /// Git servers, with how to log in.
    pub git: Vec<GitOptions>,
    /// Where runs of GitHub Actions are read.
    pub github: Vec<GitHubOptions>,
    /// The file that was read, when there is one.
    pub file: Option<PathBuf>,
}

/// The values that flags may give.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Flags {
    pub theme: Option<String>,
    pub keymap: Option<String>,
    pub readonly: bool,
    pub ascii: bool,
    pub no_color: bool,
    pub log_file: Option<PathBuf>,
    pub kubeconfig: Option<PathBuf>,
    pub config: Option<PathBuf>,
}

/// The variables that matter, read once.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Environment(BTreeMap<&'static str, String>);

const VARIABLES: &[&str] = &[
    "TIPHYS_THEME",
    "TIPHYS_KEYMAP",
    "TIPHYS_READONLY",
    "TIPHYS_ASCII",
    "TIPHYS_CONFIG",
    "TIPHYS_LOG_FILE",
    "KUBECONFIG",
    "NO_COLOR",
    "VISUAL",
    "EDITOR",
    "LANG",
    "LC_ALL",
    "LC_CTYPE",
    "TERM",
    "COLORTERM",
    "TMUX",
    "SSH_CONNECTION",
    "ARGOCD_AUTH_TOKEN",
    "ARGOCD_CONFIG_DIR",
    "TIPHYS_GITHUB_TOKEN",
    "GITHUB_TOKEN",
    "TIPHYS_GITHUB_URL",
    "TIPHYS_GITHUB_REPOSITORIES",
];

impl Environment {
    /// Reads the process environment. Text that is not UTF-8 counts as not set.
    #[allow(
        clippy::disallowed_methods,
        reason = "the one place where the environment is read"
    )]
    pub fn read() -> Self {
        let read = VARIABLES
            .iter()
            .filter_map(|name| Some((*name, std::env::var(name).ok()?)));
        Self(read.collect())
    }

    /// Builds an environment for a test.
    pub fn of(pairs: &[(&'static str, &str)]) -> Self {
        Self(
            pairs
                .iter()
                .map(|(name, value)| (*name, (*value).to_owned()))
                .collect(),
        )
    }

    /// Returns a variable that is set and not empty.
    pub fn get(&self, name: &str) -> Option<&str> {
        self.0
            .get(name)
            .map(String::as_str)
            .filter(|value| !value.is_empty())
    }

    /// Returns the variable that a setting names for a secret; it is read when it is asked for.
    #[allow(
        clippy::disallowed_methods,
        reason = "the one place where the environment is read"
    )]
    pub(crate) fn secret(&self, name: &str) -> Option<String> {
        let known = self.get(name).map(String::from);
        known.or_else(|| std::env::var(name).ok().filter(|value| !value.is_empty()))
    }

    fn truth(&self, name: &str) -> Option<bool> {
        self.get(name)
            .map(|value| !matches!(value, "0" | "false" | "no"))
    }
}

impl Default for Config {
    fn default() -> Self {
        let protected = ["*prod*", "*live*"].map(String::from).to_vec();
        Self {
            theme: Setting::default(String::from("auto")),
            keymap: Setting::default(String::from("k9s")),
            read_only: Setting::default(false),
            ascii: Setting::default(false),
            color: Setting::default(true),
            protected_contexts: Setting::default(protected),
            readonly_contexts: Setting::default(Vec::new()),
            argocd_namespace: Setting::default(String::from("argocd")),
            username: Setting::default(String::new()),
            editor: Setting::default(String::from("vi")),
            log_file: Setting::default(None),
            kubeconfig: Setting::default(None),
            metrics: Vec::new(),
            registries: Vec::new(),
            git: Vec::new(),
            github: Vec::new(),
            file: None,
        }
    }
}

/// Settles every value. Problems of the file are returned beside the configuration.
pub fn load(flags: &Flags, environment: &Environment) -> (Config, Vec<Problem>) {
    let mut config = Config::default();
    let mut problems = Vec::new();
    if let Some(path) = config_file(flags, environment) {
        match std::fs::read_to_string(&path) {
            Ok(text) => {
                problems = file::apply(&mut config, &path, &text);
                config.metrics = metrics::read(&path, &text, environment, &mut problems);
                config.registries = registries::read(&path, &text, environment, &mut problems);
                config.git = registries::read_git(&path, &text, environment, &mut problems);
                config.github = github::read(&path, &text, environment, &mut problems);
            }
            Err(error) if given(flags, environment) => {
                problems.push(Problem::of_file(&path, format!("cannot read it: {error}")));
            }
            Err(_) => {}
        }
    }
    config.github.extend(github::of_environment(environment));
    apply_environment(&mut config, environment);
    apply_flags(&mut config, flags);
    (config, problems)
}

fn given(flags: &Flags, environment: &Environment) -> bool {
    flags.config.is_some() || environment.get("TIPHYS_CONFIG").is_some()
}

/// Returns the file to read: by flag, by variable, or in the configuration folder.
fn config_file(flags: &Flags, environment: &Environment) -> Option<PathBuf> {
    let named = flags.config.clone();
    let named = named.or_else(|| environment.get("TIPHYS_CONFIG").map(PathBuf::from));
    named.or_else(|| Some(folder()?.join("config.toml")))
}

/// Returns the configuration folder: `$XDG_CONFIG_HOME/tiphys`, on every system.
pub fn folder() -> Option<PathBuf> {
    use etcetera::BaseStrategy;
    let base = etcetera::base_strategy::Xdg::new().ok()?;
    Some(base.config_dir().join("tiphys"))
}

/// Returns the folder for reports of crashes and logs: `$XDG_STATE_HOME/tiphys`.
pub fn state_folder() -> PathBuf {
    use etcetera::BaseStrategy;
    let base = etcetera::base_strategy::Xdg::new()
        .ok()
        .and_then(|base| base.state_dir());
    base.unwrap_or_else(std::env::temp_dir).join("tiphys")
}

fn apply_environment(config: &mut Config, environment: &Environment) {
    let text = |name| environment.get(name).map(String::from);
    let from = Origin::Environment;
    config.theme.set(text("TIPHYS_THEME"), from("TIPHYS_THEME"));
    config
        .keymap
        .set(text("TIPHYS_KEYMAP"), from("TIPHYS_KEYMAP"));
    config.read_only.set(
        environment.truth("TIPHYS_READONLY"),
        from("TIPHYS_READONLY"),
    );
    config
        .ascii
        .set(environment.truth("TIPHYS_ASCII"), from("TIPHYS_ASCII"));
    config
        .color
        .set(environment.get("NO_COLOR").map(|_| false), from("NO_COLOR"));
    let log_file = text("TIPHYS_LOG_FILE").map(|path| Some(PathBuf::from(path)));
    config.log_file.set(log_file, from("TIPHYS_LOG_FILE"));
    if config.editor.origin == Origin::Default {
        config.editor.set(text("EDITOR"), from("EDITOR"));
        config.editor.set(text("VISUAL"), from("VISUAL"));
    }
}

fn apply_flags(config: &mut Config, flags: &Flags) {
    let on = |flag: bool, value: bool| flag.then_some(value);
    config.theme.set(flags.theme.clone(), Origin::Flag("theme"));
    config
        .keymap
        .set(flags.keymap.clone(), Origin::Flag("keymap"));
    config
        .read_only
        .set(on(flags.readonly, true), Origin::Flag("readonly"));
    config
        .ascii
        .set(on(flags.ascii, true), Origin::Flag("ascii"));
    config
        .color
        .set(on(flags.no_color, false), Origin::Flag("no-color"));
    config
        .log_file
        .set(flags.log_file.clone().map(Some), Origin::Flag("log-file"));
    config.kubeconfig.set(
        flags.kubeconfig.clone().map(Some),
        Origin::Flag("kubeconfig"),
    );
}

impl Config {
    /// Returns name, value and origin of every setting, for `tiphys config`.
    pub fn table(&self) -> Vec<[String; 3]> {
        fn row<T>(name: &str, setting: &Setting<T>, show: impl Fn(&T) -> String) -> [String; 3] {
            [
                name.to_owned(),
                show(&setting.value),
                setting.origin.to_string(),
            ]
        }
        let path = |path: &Option<PathBuf>| {
            path.as_deref()
                .map_or_else(|| String::from("none"), |path| path.display().to_string())
        };
        vec![
            row("theme", &self.theme, String::clone),
            row("keymap", &self.keymap, String::clone),
            row("readonly", &self.read_only, ToString::to_string),
            row("ascii", &self.ascii, ToString::to_string),
            row("color", &self.color, ToString::to_string),
            row("protected-contexts", &self.protected_contexts, |list| {
                list.join(", ")
            }),
            row("readonly-contexts", &self.readonly_contexts, |list| {
                list.join(", ")
            }),
            row("argocd-namespace", &self.argocd_namespace, String::clone),
            row("username", &self.username, String::clone),
            row("editor", &self.editor, String::clone),
            row("log-file", &self.log_file, path),
            row("kubeconfig", &self.kubeconfig, path),
        ]
        .into_iter()
        .chain(self.metrics.iter().map(|one| self.metrics_row(one)))
        .chain(
            self.registries
                .iter()
                .map(|one| self.server_row("registry", one)),
        )
        .chain(
            self.git
                .iter()
                .map(|one| self.server_row("git", &one.server)),
        )
        .chain(self.github.iter().map(|one| self.github_row(one)))
        .collect()
    }

    /// Secrets are not shown.
    fn metrics_row(&self, one: &MetricsOptions) -> [String; 3] {
        let servers = [
            ("prometheus", &one.prometheus),
            ("alertmanager", &one.alertmanager),
        ];
        let named = servers.iter().filter_map(|(name, address)| {
            let address = crate::domain::servers::without_user(address.as_deref()?);
            Some(format!("{name} {address}"))
        });
        let origin = self.file.as_deref().map(shown).unwrap_or_default();
        [
            format!("metrics {}", one.context),
            named.collect::<Vec<_>>().join(", "),
            origin,
        ]
    }

    /// Secrets are not shown, and neither is what prints them.
    fn server_row(&self, list: &str, one: &RegistryOptions) -> [String; 3] {
        let address = one.address.as_deref();
        let address = address.map(crate::domain::servers::without_user);
        let words = [one.host.clone(), address, one.login.username.clone()];
        let words: Vec<String> = words.into_iter().flatten().collect();
        let origin = self.file.as_deref().map(shown).unwrap_or_default();
        [format!("{list} {}", one.context), words.join(", "), origin]
    }

    /// The token is not shown, only whether there is one.
    fn github_row(&self, one: &GitHubOptions) -> [String; 3] {
        let url = one.url.as_deref().unwrap_or("https://api.github.com");
        let url = crate::domain::servers::without_user(url);
        let token = match one.login.bearer_token {
            Some(_) => "with a token",
            None => "without a token",
        };
        let origin = self
            .file
            .as_deref()
            .map_or_else(|| String::from("environment"), shown);
        [
            format!("github {}", one.context),
            format!("{url} {token}: {}", one.repositories.join(", ")),
            origin,
        ]
    }

    /// Returns whether nothing may be changed in a context.
    pub fn is_read_only(&self, context: &str) -> bool {
        let listed = self
            .readonly_contexts
            .value
            .iter()
            .any(|glob| matches(glob, context));
        self.read_only.value || listed
    }
}

/// Returns whether a text matches a pattern in which `*` stands for any text.
pub fn matches(pattern: &str, text: &str) -> bool {
    match pattern.split_once('*') {
        None => pattern == text,
        Some((head, tail)) => text.strip_prefix(head).is_some_and(|rest| {
            let starts = rest.char_indices().map(|(at, _)| at).chain([rest.len()]);
            starts
                .into_iter()
                .any(|at| rest.get(at..).is_some_and(|rest| matches(tail, rest)))
        }),
    }
}

/// Returns a path for messages: below the working folder it is shown relative to it.
pub(crate) fn shown(path: &Path) -> String {
    path.display().to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn flags_win_over_the_environment_and_say_so() {
        let environment = Environment::of(&[("TIPHYS_THEME", "light"), ("EDITOR", "nano")]);
        let config = Some(PathBuf::from("does-not-exist.toml"));
        let flags = Flags {
            theme: Some(String::from("mono")),
            config,
            ..Flags::default()
        };

        let (config, problems) = load(&flags, &environment);

        assert_eq!(config.theme.value, "mono");
        assert_eq!(config.theme.origin, Origin::Flag("theme"));
        assert_eq!(config.editor.origin, Origin::Environment("EDITOR"));
        assert_eq!(problems.len(), 1, "a file that was named has to exist");
    }

    #[test]
    fn file_mistakes_are_all_reported_with_line_and_nearest_name() {
        let text = "theme = 'tiphys-dark'\nkeymp = 'k9s'\nreadonly = 'yes'\n";
        let mut config = Config::default();

        let problems = file::apply(&mut config, Path::new("config.toml"), text);

        let said: Vec<_> = problems.iter().map(ToString::to_string).collect();
        assert_eq!(
            said,
            [
                "config.toml:2: `keymp` is not a setting; did you mean `keymap`?",
                "config.toml:3: `readonly` takes true or false, not a string",
            ]
        );
        assert_eq!(
            config.theme.value, "tiphys-dark",
            "the rest of the file counts"
        );
        assert_eq!(
            config.theme.origin,
            Origin::File(PathBuf::from("config.toml"), 1)
        );
    }

    #[test]
    fn patterns_match_any_text_at_a_star() {
        assert!(matches("*prod*", "eu-prod-1"));
        assert!(matches("prod*", "prod"));
        assert!(!matches("prod*", "preprod"));
        assert!(matches("kind-demo", "kind-demo"));
    }
}
