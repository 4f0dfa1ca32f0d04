//! The command line: clap types and nothing else.
//!
//! What a value means is settled in `config`, what a command does in `main` and `report`.
//! Exit codes: 0 done, 1 refused or failed, 2 wrong usage, 3 not observed before `--timeout`.

use clap::{Args, Parser, Subcommand, ValueEnum};
use clap_complete::Shell;
use std::net::SocketAddr;
use std::path::PathBuf;

/// Watches and steers a whole GitOps delivery from one terminal.
///
/// Without a command the cockpit opens on the current kubeconfig context.
/// `tiphys demo` opens it on an embedded platform that needs no cluster.
#[derive(Clone, Debug, Parser)]
#[command(
    name = "tiphys",
    version,
    disable_help_subcommand = true,
    propagate_version = true
)]
pub struct Cli {
    #[command(flatten)]
    pub global: Global,
    #[command(subcommand)]
    pub command: Option<Command>,
}

/// Options that every command takes.
#[derive(Clone, Debug, Default, Args)]
#[command(next_help_heading = "Global options")]
pub struct Global {
    /// Kubeconfig file; otherwise `KUBECONFIG`, otherwise `~/.kube/config`.
    #[arg(long, global = true, value_name = "FILE")]
    pub kubeconfig: Option<PathBuf>,
    /// Context of the kubeconfig; otherwise its current one.
    #[arg(long, global = true, value_name = "NAME")]
    pub context: Option<String>,
    /// Namespace to look at.
    #[arg(short, long, global = true, value_name = "NS")]
    pub namespace: Option<String>,
    /// Look at all namespaces.
    #[arg(short = 'A', long, global = true, conflicts_with = "namespace")]
    pub all_namespaces: bool,
    /// Refuse everything that would change the platform.
    #[arg(long, global = true)]
    pub readonly: bool,
    /// Theme: a name from `tiphys themes`, or a file.
    #[arg(long, global = true, value_name = "NAME|FILE")]
    pub theme: Option<String>,
    /// Keymap: a name from `tiphys keys`, or a file.
    #[arg(long, global = true, value_name = "NAME|FILE")]
    pub keymap: Option<String>,
    /// Configuration file; otherwise `tiphys/config.toml` in the configuration folder.
    #[arg(long, global = true, value_name = "FILE")]
    pub config: Option<PathBuf>,
    /// Draw with ASCII characters only.
    #[arg(long, global = true)]
    pub ascii: bool,
    /// Use no colours. `NO_COLOR` does the same.
    #[arg(long, global = true)]
    pub no_color: bool,
    /// Write a log to this file.
    #[arg(long, global = true, value_name = "FILE")]
    pub log_file: Option<PathBuf>,
}

/// What to do instead of opening the cockpit.
#[derive(Clone, Debug, Subcommand)]
pub enum Command {
    /// Opens the cockpit on an embedded GitOps platform.
    Demo(Demo),
    /// Prints objects.
    Get(Get),
    /// Asks Prometheus.
    Query(Query),
    /// Carries out an intent: sync, refresh, rollback, restart, scale, delete …
    Do(Do),
    /// Says why an object is not synced, not healthy or stuck.
    Why(Why),
    /// Prints one frame of a screen, without a terminal.
    Snapshot(Snapshot),
    /// Says what this terminal, kubeconfig and server can and cannot do.
    Doctor,
    /// Lists the keys, or checks a keymap file.
    Keys(Check),
    /// Lists the themes, or checks a theme file.
    Themes(Check),
    /// Lists the demo's scenarios, or checks a scenario folder.
    Scenarios(Check),
    /// Lists the settings with their origin, or checks a configuration file.
    Config(Check),
    /// Prints a shell's completion script.
    Completions {
        /// Which shell.
        shell: Shell,
    },
    /// Prints the manual page.
    Man,
}

/// Options of the embedded platform.
#[derive(Clone, Debug, Args)]
pub struct Demo {
    /// Scenario: a name from `tiphys scenarios`, or a folder.
    #[arg(long, value_name = "NAME|FOLDER", default_value = "default")]
    pub scenario: String,
    /// How many times faster than real time the platform runs.
    #[arg(long, value_name = "N", default_value_t = 1.0, value_parser = parse_speed)]
    pub speed: f64,
    /// Seed of everything that is drawn by chance.
    #[arg(long, value_name = "N", default_value_t = 1)]
    pub seed: u64,
    /// Further Applications to create.
    #[arg(long, value_name = "N", default_value_t = 0)]
    pub apps: u32,
    /// Opens each server on its own port of this loopback address, such as `127.0.0.1:0`; a port
    /// other than 0 is the API server's.
    #[arg(long, value_name = "ADDR", value_parser = parse_loopback)]
    pub listen: Option<SocketAddr>,
    /// Writes the addresses and credentials of the servers to this file.
    #[arg(long, value_name = "FILE", requires = "listen")]
    pub endpoints: Option<PathBuf>,
    /// Runs the platform without a screen until SIGINT or SIGTERM.
    #[arg(long)]
    pub headless: bool,
    /// Lets a real Prometheus stand in for the embedded one; it is to scrape the address that
    /// `--endpoints` names as `metrics`, with `honor_labels: true`.
    #[arg(long, value_name = "URL", requires = "listen", value_parser = parse_server)]
    pub prometheus: Option<String>,
    /// Keeps the git repositories in this folder instead of a temporary one.
    #[arg(long, value_name = "FOLDER")]
    pub data: Option<PathBuf>,
}

fn parse_speed(text: &str) -> Result<f64, String> {
    match text.parse::<f64>() {
        Ok(speed) if (0.01..=10_000.0).contains(&speed) => Ok(speed),
        _ => Err(String::from("give a number from 0.01 to 10000")),
    }
}

fn parse_server(text: &str) -> Result<String, String> {
    let rest = text
        .strip_prefix("http://")
        .or_else(|| text.strip_prefix("https://"));
    match rest {
        Some(rest) if !rest.is_empty() && !rest.starts_with('/') => Ok(text.to_owned()),
        Some(_) | None => Err(String::from(
            "give an address such as http://127.0.0.1:9090",
        )),
    }
}

fn parse_loopback(text: &str) -> Result<SocketAddr, String> {
    let address: SocketAddr = text
        .parse()
        .map_err(|error| format!("{error}; give an address such as 127.0.0.1:0"))?;
    if address.ip().is_loopback() {
        Ok(address)
    } else {
        Err(String::from(
            "the embedded servers listen on loopback addresses only",
        ))
    }
}

/// What `get` prints.
#[derive(Clone, Debug, Args)]
pub struct Get {
    /// Kind: plural, singular or short name.
    pub kind: String,
    /// One object; `NAME` or `NS/NAME`.
    pub name: Option<String>,
    /// Form of the output.
    #[arg(short, long, value_enum, default_value_t = Output::Table)]
    pub output: Output,
    /// Keeps printing rows as they change.
    #[arg(short, long)]
    pub watch: bool,
}

/// What `query` asks.
#[derive(Clone, Debug, Args)]
pub struct Query {
    /// A PromQL expression.
    pub expr: String,
    /// Asks for every step of this span up to now, such as `1h`, instead of now alone.
    #[arg(long, value_name = "D", value_parser = parse_span)]
    pub range: Option<std::time::Duration>,
    /// Time between two points; chosen from the range when it is left out.
    #[arg(long, value_name = "D", requires = "range", value_parser = parse_span)]
    pub step: Option<std::time::Duration>,
    /// Form of the output.
    #[arg(short, long, value_enum, default_value_t = Output::Table)]
    pub output: Output,
}

/// Forms of output. JSON and YAML are stable.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Output {
    Table,
    Wide,
    Json,
    Yaml,
    Name,
}

/// What `do` carries out.
#[derive(Clone, Debug, Args)]
pub struct Do {
    /// The intent in words: `INTENT [KIND/]NS/NAME [k=v …]`, as after `:` in the cockpit.
    #[arg(required = true, num_args = 1.., value_name = "INTENT")]
    pub words: Vec<String>,
    /// Does not ask.
    #[arg(short, long)]
    pub yes: bool,
    /// Lets the server check the change without making it.
    #[arg(long)]
    pub dry_run: bool,
    /// Waits until the effect was observed.
    #[arg(short, long)]
    pub wait: bool,
    /// How long to wait, such as `90s` or `5m`.
    #[arg(long, value_name = "D", default_value = "5m", value_parser = parse_span)]
    pub timeout: std::time::Duration,
    /// `json` for a document a script can read.
    #[arg(short, long, value_enum, default_value_t = Output::Table)]
    pub output: Output,
}

/// Reads `90s`, `5m`, `2h` or a plain number of seconds.
pub fn parse_span(text: &str) -> Result<std::time::Duration, String> {
    let wrong = || format!("`{text}` is not a time span; give one such as 90s, 5m or 2h");
    let split = text
        .find(|c: char| !c.is_ascii_digit())
        .unwrap_or(text.len());
    let (digits, unit) = text.split_at(split);
    let count: u64 = digits.parse().map_err(|_error| wrong())?;
    let factor = match unit {
        "" | "s" => 1,
        "m" => 60,
        "h" => 3600,
        _ => return Err(wrong()),
    };
    Ok(std::time::Duration::from_secs(count.saturating_mul(factor)))
}

/// What `why` explains.
#[derive(Clone, Debug, Args)]
pub struct Why {
    /// `[KIND/][NS/]NAME`; the kind is Application when it is left out.
    pub object: String,
    /// `json` for a document a script can read.
    #[arg(short, long, value_enum, default_value_t = Output::Table)]
    pub output: Output,
}

/// Which frame `snapshot` prints.
#[derive(Clone, Debug, Args)]
pub struct Snapshot {
    /// Screen: `apps`, `app NS/NAME`, `help`, or anything that can be typed after `:`.
    #[arg(required = true, num_args = 1.., value_name = "SCREEN")]
    pub screen: Vec<String>,
    /// Takes the embedded platform instead of a cluster.
    #[arg(long)]
    pub demo: bool,
    /// Width and height in cells.
    #[arg(long, value_name = "WxH", default_value = "120x40", value_parser = parse_size)]
    pub size: (u16, u16),
    /// Form of the frame.
    #[arg(long, value_enum, default_value_t = Format::Text)]
    pub format: Format,
    /// Lets the platform run at least this long before the frame is taken.
    #[arg(long, value_name = "D", default_value = "0s", value_parser = parse_span)]
    pub after: std::time::Duration,
    /// Scenario of the embedded platform.
    #[arg(
        long,
        value_name = "NAME|FOLDER",
        default_value = "default",
        requires = "demo"
    )]
    pub scenario: String,
    /// How many times faster than real time the embedded platform runs.
    #[arg(long, value_name = "N", default_value_t = 10.0, requires = "demo", value_parser = parse_speed)]
    pub speed: f64,
    /// How long to wait for the screen to settle.
    #[arg(long, value_name = "D", default_value = "20s", value_parser = parse_span)]
    pub timeout: std::time::Duration,
}

impl Snapshot {
    /// Returns the embedded platform that the frame is taken of.
    pub fn platform(&self) -> Demo {
        Demo {
            scenario: self.scenario.clone(),
            speed: self.speed,
            seed: 1,
            apps: 0,
            listen: None,
            endpoints: None,
            headless: false,
            data: None,
            prometheus: None,
        }
    }
}

/// Forms of a frame.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Format {
    Text,
    Ansi,
    Svg,
}

fn parse_size(text: &str) -> Result<(u16, u16), String> {
    let sides = text
        .split_once('x')
        .and_then(|(w, h)| Some((w.parse().ok()?, h.parse().ok()?)));
    match sides {
        Some((width @ 20..=500, height @ 5..=200)) => Ok((width, height)),
        _ => Err(String::from(
            "give columns and rows such as 120x40 (20x5 to 500x200)",
        )),
    }
}

/// A list to print, or a file to check.
#[derive(Clone, Debug, Args)]
pub struct Check {
    /// Checks this file or folder instead of listing; every mistake is printed.
    #[arg(long, value_name = "FILE")]
    pub check: Option<PathBuf>,
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::CommandFactory;

    #[test]
    fn command_line_is_well_formed() {
        Cli::command().debug_assert();
    }

    #[test]
    fn embedded_servers_refuse_an_address_others_can_reach() {
        let refused = Cli::try_parse_from(["tiphys", "demo", "--listen", "0.0.0.0:0"]);

        let message = refused
            .err()
            .map(|error| error.to_string())
            .unwrap_or_default();
        assert!(message.contains("loopback"), "{message}");
    }

    #[test]
    fn spans_are_read_in_seconds_minutes_and_hours() {
        assert_eq!(parse_span("90s").map(|span| span.as_secs()), Ok(90));
        assert_eq!(parse_span("5m").map(|span| span.as_secs()), Ok(300));
        assert_eq!(parse_span("2h").map(|span| span.as_secs()), Ok(7200));
        assert!(parse_span("soon").is_err_and(|error| error.contains("soon")));
    }
}
