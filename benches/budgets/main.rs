//! Measures the budgets on the release binary and prints them as a table.
//!
//! `cargo bench --bench budgets [-- --apps N] [--minute] [--images]`. A server with N Applications runs
//! in a process of its own; the cockpit runs in a pty of 200×60, as a person would have it. `--minute`
//! watches a whole idle minute instead of ten seconds. A registry of many artifacts is measured after
//! that, with a server and a cockpit of its own; `--images` measures nothing else (`--repositories N
//! --artifacts N` for other numbers). Exit code 1 when a budget is broken.

#![allow(
    clippy::expect_used,
    clippy::print_stdout,
    clippy::disallowed_methods,
    clippy::let_underscore_must_use,
    reason = "a measuring program talks to a person, measures real time and stops at the first fault"
)]

mod images;
mod process;
mod server;
mod terminal;

use process::Usage;
use std::time::Duration;
use terminal::Terminal;

const SIZE: (u16, u16) = (200, 60);
/// Starts of the cockpit; their median counts, because the first one reads the program from disk.
const STARTS: usize = 5;

fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let value = |name: &str| {
        let at = arguments.iter().position(|argument| argument == name)?;
        arguments.get(at + 1)?.parse::<usize>().ok()
    };
    if let Some(count) = value("--serve") {
        return server::run(count);
    }
    if let Some(at) = arguments.iter().position(|one| one == "--serve-images") {
        let number = |after: usize| arguments.get(at + after)?.parse().ok();
        let numbers = number(1).zip(number(2));
        let (repositories, artifacts) = numbers.expect("how many of each");
        return images::run(repositories, artifacts);
    }
    let many = (
        value("--repositories").unwrap_or(200),
        value("--artifacts").unwrap_or(500),
    );
    let mut table = Table::default();
    if arguments.iter().any(|one| one == "--images") {
        images::measure(&mut table, many);
        return table.end();
    }
    let apps = value("--apps").unwrap_or(10_000);
    let idle = if arguments.iter().any(|one| one == "--minute") {
        60
    } else {
        10
    };
    let size = std::fs::metadata(env!("CARGO_BIN_EXE_tiphys")).map_or(0, |file| file.len());
    table.row("stripped binary, MB", size as f64 / 1e6, 18.0);
    let server = process::Server::start(&["--serve", &apps.to_string()]);
    let kubeconfig = server.kubeconfig();
    measure(&mut table, server, &kubeconfig, (apps, idle));
    images::measure(&mut table, many);
    table.end();
}

#[allow(
    clippy::too_many_lines,
    reason = "one measurement after the other, in the order of the table"
)]
fn measure(
    table: &mut Table,
    mut server: process::Server,
    kubeconfig: &str,
    (apps, idle): (usize, u64),
) {
    let counted = format!("[{apps}]");
    let mut starts = Vec::new();
    let mut last = None;
    for _ in 0..STARTS {
        // The one before is gone before the next one starts.
        drop(last.take());
        let mut cockpit = Terminal::start(&["--kubeconfig", kubeconfig, "-A"], SIZE);
        starts.push([
            cockpit.first_output(),
            cockpit.until(|screen| screen.contains("app-0")),
            cockpit.until(|screen| screen.contains(&counted)),
        ]);
        last = Some(cockpit);
    }
    let mut cockpit = last.expect("it was started");
    let median = |which: fn(&[f64; 3]) -> f64| {
        let mut times: Vec<f64> = starts.iter().map(which).collect();
        times.sort_by(f64::total_cmp);
        times.get(STARTS / 2).copied().unwrap_or(f64::NAN)
    };
    table.row("exec → first frame, ms", median(|times| times[0]), 20.0);
    table.row("exec → first row, ms", median(|times| times[1]), 40.0);
    let all = format!("exec → all {apps} Applications, ms");
    table.row(&all, median(|times| times[2]), 300.0);
    cockpit.settle();
    let pid = cockpit.pid();
    let resident = Usage::of(pid).resident_mib;
    table.row("resident memory, MiB", resident, 80.0);

    let mut latencies = Vec::new();
    for key in ["j"; 60].iter().chain(&["k"; 40]) {
        latencies.push(cockpit.key(key).0);
    }
    latencies.sort_by(f64::total_cmp);
    let percentile = |p: usize| {
        latencies
            .get(latencies.len() * p / 100)
            .copied()
            .unwrap_or(f64::NAN)
    };
    table.row("key → output p50, ms", percentile(50), 1.0);
    table.row("key → output p95, ms", percentile(95), 2.0);
    table.row(
        "key → output worst, ms",
        latencies.last().copied().unwrap_or(f64::NAN),
        8.0,
    );

    table.row("bytes: move the cursor", cockpit.key("j").1 as f64, 500.0);
    for _ in 0..55 {
        cockpit.key("j");
    }
    table.row("bytes: scroll a row", cockpit.key("j").1 as f64, 4000.0);
    table.row("bytes: page", cockpit.key("\u{6}").1 as f64, 4000.0);
    cockpit.key("g");

    cockpit.key("/");
    let letters: Vec<f64> = "0999"
        .chars()
        .map(|letter| cockpit.key(&letter.to_string()).0)
        .collect();
    table.row(
        "filter letter → table, ms (worst)",
        letters.iter().copied().fold(0.0, f64::max),
        4.0,
    );
    cockpit.key("\u{1b}");
    cockpit.key("\u{1b}");
    cockpit.settle();

    let before = (Usage::of(pid), server.requests(), cockpit.written());
    cockpit.listen(Duration::from_secs(idle));
    let after = (Usage::of(pid), server.requests(), cockpit.written());
    let minute = 60.0 / idle as f64;
    table.row(
        "idle minute: CPU, s",
        (after.0.cpu - before.0.cpu) * minute,
        0.05,
    );
    table.row(
        "idle minute: bytes",
        (after.2 - before.2) as f64 * minute,
        0.0,
    );
    table.row(
        "idle minute: requests",
        (after.1 - before.1) as f64 * minute,
        0.0,
    );

    let before = (Usage::of(pid), cockpit.written());
    server.tell("pace 100 10");
    cockpit.listen_until(|| server.answered());
    let after = (Usage::of(pid), cockpit.written());
    table.row(
        "100 changes/s: CPU, %",
        (after.0.cpu - before.0.cpu) * 10.0,
        8.0,
    );
    table.row(
        "100 changes/s: bytes/s",
        (after.1 - before.1) as f64 / 10.0,
        500.0,
    );

    let before = Usage::of(pid);
    server.tell("change 10000");
    let took = cockpit.listen_until(|| server.answered());
    cockpit.settle();
    let after = Usage::of(pid);
    let capacity = 10_000.0 / (after.cpu - before.cpu);
    table.at_least("watch events absorbed a second of CPU", capacity, 20_000.0);
    table.note(&format!("10,000 updates were put in {took:.1} s"));
    table.row(
        "memory after 10,000 updates, MiB more",
        after.resident_mib - resident,
        4.0,
    );
    measure_run(table, &mut cockpit);
    measure_log(table, &mut cockpit, pid);
    cockpit.key(":");
    cockpit.key("q");
    cockpit.key("\r");
}

/// A run of many steps opens and scrolls; then the cockpit is where it was before.
fn measure_run(table: &mut Table, cockpit: &mut Terminal) {
    for letter in ":open wf/argocd/fan-out".chars() {
        cockpit.key(&letter.to_string());
    }
    let last = format!("each({}:", server::NODES - 1);
    let opened = cockpit.open("\r", |screen| screen.contains("each(0:item-0)"));
    let what = format!("open a run of {} steps, ms", server::NODES);
    table.row(&what, opened, 100.0);
    let mut worst: f64 = 0.0;
    for key in ["j"; 80].iter().chain(&["\u{6}"; 20]) {
        worst = worst.max(cockpit.key(key).0);
    }
    table.row("scroll it, ms (worst)", worst, 8.0);
    let end = cockpit.open("G", |screen| screen.contains(&last));
    table.row("to its last step, ms", end, 8.0);
    cockpit.key("\u{1b}");
    cockpit.settle();
}

/// A log of many lines is read whole, answers keys meanwhile and is filtered.
fn measure_log(table: &mut Table, cockpit: &mut Terminal, pid: u32) {
    for letter in ":logs pod/argocd/chatty".chars() {
        cockpit.key(&letter.to_string());
    }
    let last = format!("line {}", server::LINES - 1);
    cockpit.open("\r", |screen| screen.contains(&last));
    let before = Usage::of(pid);
    // From the first line on; then to the end, where new lines are followed.
    let all = format!(" {} lines", server::LINES);
    let took = cockpit.open("1", |screen| screen.contains(&all));
    let after = Usage::of(pid);
    let what = format!("follow {} log lines, ms", server::LINES);
    table.row(&what, took, 2_000.0);
    let more = after.resident_mib - before.resident_mib;
    table.row("memory for them, MiB", more, 40.0);
    let mut worst: f64 = 0.0;
    for key in ["k"; 20].iter().chain(&["\u{2}"; 20]) {
        worst = worst.max(cockpit.key(key).0);
    }
    table.row("scroll the log, ms (worst)", worst, 8.0);
    cockpit.key("/");
    let letters = "9999"
        .chars()
        .map(|letter| cockpit.key(&letter.to_string()).0);
    let worst = letters.fold(0.0, f64::max);
    table.row("filter letter → log, ms (worst)", worst, 16.0);
    cockpit.key("\u{1b}");
    cockpit.key("\u{1b}");
    cockpit.settle();
}

/// What was measured beside what is allowed.
#[derive(Default)]
struct Table {
    lines: Vec<String>,
    broken: bool,
}

impl Table {
    fn row(&mut self, what: &str, value: f64, at_most: f64) {
        self.add(what, value, &format!("≤ {at_most}"), value <= at_most);
    }

    fn at_least(&mut self, what: &str, value: f64, least: f64) {
        self.add(what, value, &format!("≥ {least}"), value >= least);
    }

    fn add(&mut self, what: &str, value: f64, budget: &str, holds: bool) {
        self.broken |= !holds;
        let verdict = if holds { "holds" } else { "BROKEN" };
        self.lines
            .push(format!("{what:42} {value:12.2}   {budget:10} {verdict}"));
    }

    fn note(&mut self, text: &str) {
        self.lines.push(format!("  {text}"));
    }

    /// Prints everything; a budget that is broken is a failure.
    fn end(&self) {
        println!("{:42} {:>12}   {:10}", "what", "measured", "budget");
        for line in &self.lines {
            println!("{line}");
        }
        if self.broken {
            std::process::exit(1);
        }
    }
}
