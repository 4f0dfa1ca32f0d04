//! The server's process, and what the system says about a process.

use std::io::{BufRead, BufReader, Write};
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::time::Duration;

/// The server in a process of its own.
pub(crate) struct Server {
    child: Child,
    lines: Receiver<String>,
    address: String,
    folder: tempfile::TempDir,
}

impl Server {
    /// Starts this program as a server.
    pub(crate) fn start(arguments: &[&str]) -> Self {
        let own = std::env::current_exe().expect("this program");
        let mut child = Command::new(own)
            .args(arguments)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .expect("the server starts");
        let out = child.stdout.take().expect("a pipe");
        let (sender, lines) = channel();
        std::thread::spawn(move || {
            for line in BufReader::new(out).lines().map_while(Result::ok) {
                if sender.send(line).is_err() {
                    return;
                }
            }
        });
        let address = lines
            .recv_timeout(Duration::from_secs(300))
            .expect("the server's address");
        let folder = tempfile::tempdir().expect("a folder");
        Self {
            child,
            lines,
            address,
            folder,
        }
    }

    /// Writes a kubeconfig and returns its path.
    pub(crate) fn kubeconfig(&self) -> String {
        let path = self.folder.path().join("kubeconfig");
        let text = format!(
            "apiVersion: v1\nkind: Config\ncurrent-context: bench\nclusters:\n- name: bench\n  cluster: {{server: 'http://{}'}}\n\
             contexts:\n- name: bench\n  context: {{cluster: bench, user: bench}}\nusers:\n- name: bench\n  user: {{}}\n",
            self.address
        );
        std::fs::write(&path, text).expect("the kubeconfig is written");
        path.display().to_string()
    }

    pub(crate) fn tell(&mut self, line: &str) {
        let stdin = self.child.stdin.as_mut().expect("a pipe");
        writeln!(stdin, "{line}")
            .and_then(|()| stdin.flush())
            .expect("the server listens");
    }

    pub(crate) fn requests(&mut self) -> u64 {
        self.tell("requests");
        let line = self
            .lines
            .recv_timeout(Duration::from_secs(10))
            .expect("an answer");
        line.parse().expect("a number")
    }

    /// Returns whether the server has said that it is done.
    pub(crate) fn answered(&self) -> bool {
        self.lines.try_recv().is_ok()
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _killed = self.child.kill().is_ok();
        let _waited = self.child.wait().is_ok();
    }
}

/// What a process has used.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Usage {
    /// Seconds of CPU, user and system.
    pub(crate) cpu: f64,
    pub(crate) resident_mib: f64,
}

impl Usage {
    /// Reads `/proc`, so this works on Linux only.
    pub(crate) fn of(pid: u32) -> Self {
        let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).expect("the process runs");
        let after_name = stat.rsplit_once(')').map_or("", |(_, rest)| rest);
        let fields: Vec<&str> = after_name.split_whitespace().collect();
        let ticks = |at: usize| {
            fields
                .get(at)
                .and_then(|f| f.parse::<f64>().ok())
                .unwrap_or(0.0)
        };
        let statm =
            std::fs::read_to_string(format!("/proc/{pid}/statm")).expect("the process runs");
        let pages: f64 = statm
            .split_whitespace()
            .nth(1)
            .and_then(|f| f.parse().ok())
            .unwrap_or(0.0);
        // Linux counts 100 ticks a second, and pages of 4 KiB.
        Self {
            cpu: (ticks(11) + ticks(12)) / 100.0,
            resident_mib: pages * 4.0 / 1024.0,
        }
    }
}
