//! The cockpit in a pty, with a clock beside it.

use portable_pty::{Child, CommandBuilder, MasterPty, PtySize, native_pty_system};
use std::io::{Read, Write};
use std::sync::mpsc::{Receiver, channel};
use std::time::{Duration, Instant};

pub(crate) struct Terminal {
    screen: vt100::Parser,
    output: Receiver<(Instant, Vec<u8>)>,
    input: Box<dyn Write + Send>,
    child: Box<dyn Child + Send + Sync>,
    started: Instant,
    first: Option<Instant>,
    written: usize,
    _master: Box<dyn MasterPty + Send>,
    _home: tempfile::TempDir,
}

fn milliseconds(span: Duration) -> f64 {
    span.as_secs_f64() * 1000.0
}

impl Terminal {
    pub(crate) fn start(arguments: &[&str], (columns, rows): (u16, u16)) -> Self {
        let home = tempfile::tempdir().expect("a folder");
        let size = PtySize {
            rows,
            cols: columns,
            pixel_width: 0,
            pixel_height: 0,
        };
        let pair = native_pty_system().openpty(size).expect("a pty");
        let mut command = CommandBuilder::new(env!("CARGO_BIN_EXE_tiphys"));
        command.args(arguments);
        command.args(["--theme", "tiphys-dark"]);
        command.env("TERM", "xterm-256color");
        command.env("COLORTERM", "truecolor");
        command.env("LANG", "C.UTF-8");
        command.env("XDG_CONFIG_HOME", home.path());
        let mut reader = pair.master.try_clone_reader().expect("a reader");
        let (sender, output) = channel();
        let started = Instant::now();
        let child = pair.slave.spawn_command(command).expect("tiphys starts");
        std::thread::spawn(move || {
            let mut buffer = vec![0; 65536];
            while let Ok(count @ 1..) = reader.read(&mut buffer) {
                let bytes = buffer.iter().take(count).copied().collect();
                if sender.send((Instant::now(), bytes)).is_err() {
                    return;
                }
            }
        });
        let side = |side: u16| side.try_into().expect("a size above zero");
        Self {
            screen: vt100::Parser::new(side(rows), side(columns), 0),
            output,
            input: pair.master.take_writer().expect("a writer"),
            child,
            started,
            first: None,
            written: 0,
            _master: pair.master,
            _home: home,
        }
    }

    /// Returns the milliseconds since the start.
    pub(crate) fn now(&self) -> f64 {
        milliseconds(self.started.elapsed())
    }

    pub(crate) fn shows(&self, text: &str) -> bool {
        self.screen.screen().contents().contains(text)
    }

    pub(crate) fn pid(&self) -> u32 {
        self.child.process_id().expect("it runs")
    }

    pub(crate) fn written(&self) -> usize {
        self.written
    }

    /// Takes in one piece of output; returns when it came.
    fn pump(&mut self, patience: Duration) -> Option<Instant> {
        let (at, bytes) = self.output.recv_timeout(patience).ok()?;
        self.written += bytes.len();
        self.screen.process(&bytes);
        let drawn = !self.screen.screen().contents().trim().is_empty();
        if drawn && self.first.is_none() {
            self.first = Some(at);
        }
        Some(at)
    }

    /// Waits for the first frame; milliseconds since the start.
    pub(crate) fn first_output(&mut self) -> f64 {
        while self.first.is_none() {
            assert!(
                self.started.elapsed() < Duration::from_secs(30),
                "no frame came"
            );
            self.pump(Duration::from_millis(10));
        }
        milliseconds(self.first.map_or(Duration::MAX, |at| at - self.started))
    }

    /// Waits until the screen is as wanted; milliseconds since the start.
    pub(crate) fn until(&mut self, wanted: impl Fn(&str) -> bool) -> f64 {
        let begun = Instant::now();
        let mut at = begun;
        while !wanted(&self.screen.screen().contents()) {
            let seen = self.screen.screen().contents();
            assert!(
                begun.elapsed() < Duration::from_secs(60),
                "never seen:\n{seen}"
            );
            at = self.pump(Duration::from_millis(10)).unwrap_or(at);
        }
        milliseconds(at - self.started)
    }

    /// Takes in output until there was none for a quarter of a second.
    pub(crate) fn settle(&mut self) {
        while self.pump(Duration::from_millis(250)).is_some() {}
    }

    /// Takes in output for a time.
    pub(crate) fn listen(&mut self, span: Duration) {
        let end = Instant::now() + span;
        while let Some(left) = end.checked_duration_since(Instant::now()) {
            self.pump(left.min(Duration::from_millis(50)));
        }
    }

    /// Takes in output until something else is done; returns the seconds it took.
    pub(crate) fn listen_until(&mut self, done: impl Fn() -> bool) -> f64 {
        let start = Instant::now();
        while !done() {
            assert!(
                start.elapsed() < Duration::from_secs(120),
                "it takes too long"
            );
            self.pump(Duration::from_millis(20));
        }
        start.elapsed().as_secs_f64()
    }

    /// Presses a key; returns the milliseconds to the first output and the bytes of the answer.
    pub(crate) fn key(&mut self, key: &str) -> (f64, usize) {
        while self.pump(Duration::from_millis(40)).is_some() {}
        let before = self.written;
        let pressed = Instant::now();
        self.input
            .write_all(key.as_bytes())
            .and_then(|()| self.input.flush())
            .expect("it reads");
        let first = self.pump(Duration::from_millis(500));
        while self.pump(Duration::from_millis(30)).is_some() {}
        (
            first.map_or(f64::NAN, |at| milliseconds(at - pressed)),
            self.written - before,
        )
    }
}

impl Terminal {
    /// Presses a key; returns the milliseconds until the screen is as wanted.
    pub(crate) fn open(&mut self, key: &str, wanted: impl Fn(&str) -> bool) -> f64 {
        self.settle();
        let pressed = milliseconds(self.started.elapsed());
        self.input
            .write_all(key.as_bytes())
            .and_then(|()| self.input.flush())
            .expect("it reads");
        self.until(wanted) - pressed
    }
}

impl Drop for Terminal {
    fn drop(&mut self) {
        let _killed = self.child.kill().is_ok();
    }
}
