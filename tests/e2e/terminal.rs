//! The real binary in a pseudo terminal: press keys, wait for text, look at the screen.
//!
//! Nothing here sleeps for a fixed time: every wait is for a state, with a deadline.

use portable_pty::{Child, CommandBuilder, MasterPty, PtySize, native_pty_system};
use std::io::{Read, Write};
use std::path::Path;
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::time::{Duration, Instant};

/// How long a state may take to appear before a test gives up.
const DEADLINE: Duration = Duration::from_secs(30);

/// A running `tiphys` and what its terminal shows.
pub(crate) struct Terminal {
    screen: vt100::Parser,
    output: Receiver<Vec<u8>>,
    input: Box<dyn Write + Send>,
    child: Box<dyn Child + Send + Sync>,
    master: Box<dyn MasterPty + Send>,
    /// Everything the program has written.
    pub(crate) raw: Vec<u8>,
}

impl Terminal {
    /// Starts `tiphys` with a home of its own, so that no file of the user's matters.
    pub(crate) fn start(arguments: &[&str], (columns, rows): (u16, u16), home: &Path) -> Self {
        let size = PtySize {
            rows,
            cols: columns,
            pixel_width: 0,
            pixel_height: 0,
        };
        let pair = native_pty_system().openpty(size).expect("a pty");
        let mut command = CommandBuilder::new(env!("CARGO_BIN_EXE_tiphys"));
        command.args(arguments);
        command.env_clear();
        command.env("PATH", std::env::var_os("PATH").unwrap_or_default());
        command.env("TERM", "xterm-256color");
        command.env("COLORTERM", "truecolor");
        command.env("LANG", "C.UTF-8");
        command.env("HOME", home);
        command.env("XDG_CONFIG_HOME", home.join("config"));
        command.env("XDG_STATE_HOME", home.join("state"));
        command.cwd(home);
        let child = pair.slave.spawn_command(command).expect("tiphys starts");
        let mut reader = pair.master.try_clone_reader().expect("a reader");
        let (sender, output) = channel();
        let _reading = std::thread::spawn(move || {
            let mut buffer = vec![0; 65536];
            while let Ok(count @ 1..) = reader.read(&mut buffer) {
                if sender
                    .send(buffer.iter().take(count).copied().collect())
                    .is_err()
                {
                    return;
                }
            }
        });
        let input = pair.master.take_writer().expect("a writer");
        let rows_and_columns = |side: u16| side.try_into().expect("a size above zero");
        let screen = vt100::Parser::new(rows_and_columns(rows), rows_and_columns(columns), 0);
        Self {
            screen,
            output,
            input,
            child,
            master: pair.master,
            raw: Vec::new(),
        }
    }

    /// Returns what a person sees, one line a row.
    pub(crate) fn text(&self) -> String {
        self.screen.screen().contents()
    }

    /// Takes in what the program writes for a while. Returns whether it still runs.
    fn pump(&mut self, patience: Duration) -> bool {
        match self.output.recv_timeout(patience) {
            Ok(bytes) => {
                self.answer_queries(&bytes);
                self.screen.process(&bytes);
                self.raw.extend(bytes);
                true
            }
            Err(RecvTimeoutError::Timeout) => true,
            Err(RecvTimeoutError::Disconnected) => false,
        }
    }

    /// Answers as a terminal does that is asked for its colours and kind.
    fn answer_queries(&mut self, bytes: &[u8]) {
        let asks = |query: &[u8]| bytes.windows(query.len()).any(|window| window == query);
        if asks(b"\x1b]11;?") {
            self.send("\x1b]11;rgb:1010/1414/1818\x1b\\");
        }
        if asks(b"\x1b[c") {
            self.send("\x1b[?62;c");
        }
    }

    fn send(&mut self, text: &str) {
        self.input
            .write_all(text.as_bytes())
            .expect("the program reads");
        self.input.flush().expect("the program reads");
    }

    /// Types text as it is.
    pub(crate) fn types(&mut self, text: &str) {
        self.send(text);
    }

    /// Presses one key: `enter`, `esc`, `tab`, `down`, `up`, `space`, `ctrl-d` or a character.
    pub(crate) fn press(&mut self, key: &str) {
        let sent = match key {
            "enter" => String::from("\r"),
            "esc" => String::from("\x1b"),
            "tab" => String::from("\t"),
            "backtab" => String::from("\x1b[Z"),
            "space" => String::from(" "),
            "up" => String::from("\x1b[A"),
            "down" => String::from("\x1b[B"),
            "right" => String::from("\x1b[C"),
            "left" => String::from("\x1b[D"),
            other => match other
                .strip_prefix("ctrl-")
                .and_then(|rest| rest.bytes().next())
            {
                Some(letter) => char::from(letter.to_ascii_uppercase() & 31).to_string(),
                None => other.to_owned(),
            },
        };
        self.send(&sent);
    }

    /// Waits until the screen is as wanted; fails with the screen if it never is.
    pub(crate) fn until(&mut self, what: &str, wanted: impl Fn(&str) -> bool) -> String {
        self.until_within(DEADLINE, what, wanted)
    }

    /// Waits with a deadline of its own. Returns the screen.
    pub(crate) fn until_within(
        &mut self,
        patience: Duration,
        what: &str,
        wanted: impl Fn(&str) -> bool,
    ) -> String {
        let end = deadline(patience);
        loop {
            let text = self.text();
            if wanted(&text) {
                return text;
            }
            let alive = self.pump(Duration::from_millis(50));
            let text = self.text();
            assert!(
                alive || wanted(&text),
                "never {what}; the program ended:\n{text}"
            );
            assert!(now() < end || wanted(&text), "never {what}:\n{text}");
        }
    }

    /// Waits for a text on the screen.
    pub(crate) fn sees(&mut self, text: &str) -> String {
        self.until(&format!("saw `{text}`"), |screen| screen.contains(text))
    }

    /// Waits until a text has left the screen.
    pub(crate) fn loses(&mut self, text: &str) -> String {
        self.until(&format!("lost `{text}`"), |screen| !screen.contains(text))
    }

    /// Waits for a line that holds all of the words.
    pub(crate) fn sees_line(&mut self, words: &[&str]) -> String {
        let holds = |screen: &str| {
            screen
                .lines()
                .any(|line| words.iter().all(|word| line.contains(word)))
        };
        self.until(&format!("saw a line with {words:?}"), holds)
    }

    /// Changes the size of the terminal.
    pub(crate) fn resize(&mut self, columns: u16, rows: u16) {
        let size = PtySize {
            rows,
            cols: columns,
            pixel_width: 0,
            pixel_height: 0,
        };
        self.master.resize(size).expect("the pty takes a size");
        let side = |side: u16| side.try_into().expect("a size above zero");
        self.screen.screen_mut().set_size(side(rows), side(columns));
    }

    /// Waits for the end of the program and returns its exit code.
    pub(crate) fn ends(&mut self) -> u32 {
        let end = deadline(DEADLINE);
        while self.pump(Duration::from_millis(50)) {
            assert!(now() < end, "the program does not end:\n{}", self.text());
        }
        self.child
            .wait()
            .expect("the program has ended")
            .exit_code()
    }
}

impl Drop for Terminal {
    fn drop(&mut self) {
        // It may have ended by itself.
        let _killed = self.child.kill().is_ok();
    }
}

#[allow(
    clippy::disallowed_methods,
    reason = "a test measures real time for its deadlines"
)]
pub(crate) fn now() -> Instant {
    Instant::now()
}

fn deadline(patience: Duration) -> Instant {
    now() + patience
}
