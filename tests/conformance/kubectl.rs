//! One kubectl: where it is, and how it is run with a deadline.

use std::collections::BTreeMap;
use std::ffi::OsStr;
use std::io::{Read as _, Write as _};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::sync::mpsc;
use std::time::Duration;

/// Nothing that kubectl does here takes longer.
const PATIENCE: Duration = Duration::from_secs(40);

/// Finds the kubectls of this machine by version; a plain one when there are no versioned ones.
pub(crate) fn installed() -> BTreeMap<String, PathBuf> {
    let mut found = BTreeMap::new();
    let path = std::env::var_os("PATH").unwrap_or_default();
    let Some(plain) = std::env::split_paths(&path)
        .map(|folder| folder.join("kubectl"))
        .find(|file| file.is_file())
    else {
        return found;
    };
    let real = plain.canonicalize().unwrap_or_else(|_| plain.clone());
    let folder = real.parent().unwrap_or(Path::new("/"));
    for minor in 27..=40 {
        let versioned = folder.join(format!("kubectl.1.{minor}"));
        if versioned.is_file() {
            found.insert(format!("1.{minor}"), versioned);
        }
    }
    if found.is_empty() {
        found.insert("installed".to_owned(), plain);
    }
    found
}

/// A kubectl with a home, a namespace and a log of what failed.
pub(crate) struct Kubectl {
    pub(crate) version: String,
    pub(crate) namespace: String,
    program: PathBuf,
    home: tempfile::TempDir,
    kubeconfig: PathBuf,
}

/// What a run of kubectl said.
#[derive(Debug)]
pub(crate) struct Said {
    pub(crate) code: i32,
    pub(crate) out: String,
    pub(crate) err: String,
    command: String,
}

/// Why a check failed.
pub(crate) type Check = Result<(), String>;

impl Kubectl {
    pub(crate) fn new(version: &str, program: &Path, kubeconfig: &Path) -> Self {
        Self {
            version: version.to_owned(),
            namespace: format!("conf-{}", version.replace('.', "-")),
            program: program.to_owned(),
            home: tempfile::tempdir().expect("a folder can be made"),
            kubeconfig: kubeconfig.to_owned(),
        }
    }

    /// Says whether this is at least kubectl 1.`minor`.
    pub(crate) fn is_at_least(&self, minor: u32) -> bool {
        let own = self.version.strip_prefix("1.");
        own.and_then(|own| own.parse::<u32>().ok())
            .is_none_or(|own| own >= minor)
    }

    fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(&self.program);
        command
            .args(arguments)
            .env_clear()
            .env("PATH", std::env::var_os("PATH").unwrap_or_default())
            .env("HOME", self.home.path())
            .env("KUBECONFIG", &self.kubeconfig)
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        command
    }

    /// Runs kubectl in its namespace.
    pub(crate) fn run(&self, arguments: &[&str]) -> Said {
        self.run_with(arguments, "", &[])
    }

    /// Runs kubectl with a text on its standard input.
    pub(crate) fn feed(&self, arguments: &[&str], input: &str) -> Said {
        self.run_with(arguments, input, &[])
    }

    /// Runs kubectl with an input and further environment variables.
    pub(crate) fn run_with(
        &self,
        arguments: &[&str],
        input: &str,
        environment: &[(&str, &OsStr)],
    ) -> Said {
        let mut all = vec!["--namespace", &self.namespace];
        all.extend(arguments);
        let mut command = self.command(&all);
        for (name, value) in environment {
            command.env(name, value);
        }
        let mut child = command
            .stdin(Stdio::piped())
            .spawn()
            .expect("kubectl can be started");
        let mut stdin = child.stdin.take().expect("stdin is a pipe");
        let text = input.to_owned();
        let feeder = std::thread::spawn(move || stdin.write_all(text.as_bytes()));
        let output = wait(child);
        // A kubectl that does not read its input closes the pipe; that is its business.
        drop(feeder.join());
        said(&all, &output)
    }

    /// Starts kubectl and returns a reader of what it says as it goes.
    pub(crate) fn follow(&self, arguments: &[&str]) -> Following {
        let mut all = vec!["--namespace", &self.namespace];
        all.extend(arguments);
        let mut child = self
            .command(&all)
            .stdin(Stdio::null())
            .spawn()
            .expect("kubectl can be started");
        let mut out = child.stdout.take().expect("stdout is a pipe");
        let (send, receive) = mpsc::channel();
        std::thread::spawn(move || {
            let mut buffer = [0_u8; 4096];
            while let Ok(count @ 1..) = out.read(&mut buffer) {
                let text = String::from_utf8_lossy(buffer.get(..count).unwrap_or_default());
                if send.send(text.into_owned()).is_err() {
                    break;
                }
            }
        });
        Following {
            child,
            receive,
            text: String::new(),
        }
    }

    /// Returns a place for files.
    pub(crate) fn folder(&self) -> &Path {
        self.home.path()
    }

    /// Runs kubectl and insists that it succeeds; returns what it printed.
    pub(crate) fn must(&self, arguments: &[&str]) -> Result<String, String> {
        self.run(arguments).must()
    }

    /// Feeds kubectl and insists that it succeeds.
    pub(crate) fn must_feed(&self, arguments: &[&str], input: &str) -> Result<String, String> {
        self.feed(arguments, input).must()
    }
}

impl Said {
    pub(crate) fn must(self) -> Result<String, String> {
        if self.code == 0 {
            Ok(self.out)
        } else {
            Err(format!(
                "`{}` failed: {}{}",
                self.command, self.out, self.err
            ))
        }
    }

    /// Insists that kubectl failed and said this.
    pub(crate) fn must_fail_with(self, wanted: &str) -> Check {
        if self.code == 0 {
            return Err(format!("`{}` succeeded: {}", self.command, self.out));
        }
        let all = format!("{}{}", self.out, self.err);
        contains(&self.command, &all, wanted)
    }
}

/// Insists that a text contains another.
pub(crate) fn contains(what: &str, text: &str, wanted: &str) -> Check {
    if text.contains(wanted) {
        Ok(())
    } else {
        Err(format!("{what}: `{wanted}` is not in: {text}"))
    }
}

/// Insists that a text is another, apart from space around it.
pub(crate) fn equals(what: &str, text: &str, wanted: &str) -> Check {
    if text.trim() == wanted {
        Ok(())
    } else {
        Err(format!("{what}: wanted `{wanted}`, got `{}`", text.trim()))
    }
}

/// A kubectl that is still running.
pub(crate) struct Following {
    child: Child,
    receive: mpsc::Receiver<String>,
    text: String,
}

impl Following {
    /// Waits until what was said contains a text.
    pub(crate) fn until(&mut self, wanted: &str) -> Check {
        while !self.text.contains(wanted) {
            match self.receive.recv_timeout(PATIENCE) {
                Ok(more) => self.text.push_str(&more),
                Err(_) => return contains("followed", &self.text, wanted),
            }
        }
        Ok(())
    }
}

impl Drop for Following {
    fn drop(&mut self) {
        // It may have ended by itself.
        drop(self.child.kill());
        drop(self.child.wait());
    }
}

/// Waits for a process with a deadline; one that is too slow is ended.
fn wait(mut child: Child) -> Output {
    let mut out = child.stdout.take().expect("stdout is a pipe");
    let mut err = child.stderr.take().expect("stderr is a pipe");
    let (send, receive) = mpsc::channel();
    let errors = std::thread::spawn(move || {
        let mut text = Vec::new();
        drop(err.read_to_end(&mut text));
        text
    });
    let reader = std::thread::spawn(move || {
        let mut text = Vec::new();
        drop(out.read_to_end(&mut text));
        // Whoever waited too long has left.
        let _waited = send.send(()).is_ok();
        text
    });
    if receive.recv_timeout(PATIENCE).is_err() {
        drop(child.kill());
    }
    Output {
        status: child.wait().expect("the process can be waited for"),
        stdout: reader.join().expect("stdout was read"),
        stderr: errors.join().expect("stderr was read"),
    }
}

fn said(arguments: &[&str], output: &Output) -> Said {
    Said {
        code: output.status.code().unwrap_or(-1),
        out: String::from_utf8_lossy(&output.stdout).into_owned(),
        err: String::from_utf8_lossy(&output.stderr).into_owned(),
        command: format!("kubectl {}", arguments.join(" ")),
    }
}
