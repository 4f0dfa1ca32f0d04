//! The embedded git server against the real git program.

use std::path::Path;
use std::process::{Command, Output};
use tiphys::sim::clock::PlatformClock;
use tiphys::sim::git::http::{Access, router};
use tiphys::sim::git::{Author, GitServer, NewCommit};

struct Served {
    git: GitServer,
    address: String,
    folder: tempfile::TempDir,
}

/// Serves one repository; `None` (announced) where git is not installed.
async fn served() -> Option<Served> {
    if Command::new("git").arg("--version").output().is_err() {
        assert!(
            std::env::var_os("TIPHYS_REQUIRE_TOOLS").is_none_or(|value| value != "1"),
            "git is required and not installed"
        );
        println!("skipped: git is not installed");
        return None;
    }
    let clock = PlatformClock::running(chrono::Utc::now(), 1.0);
    let git = GitServer::start(clock, None).expect("a git server");
    git.create("platform/app").expect("a repository");
    let commit = NewCommit::new(Author::new("Developer", "developer@example.com"), "First")
        .write("deploy/app.yaml", "kind: A\n");
    git.commit_files("platform/app", &commit).expect("a commit");
    let access = Access {
        username: "tiphys".to_owned(),
        password: "open".to_owned(),
    };
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0")
        .await
        .expect("a port");
    let address = listener.local_addr().expect("an address").to_string();
    let app = router(git.clone(), access);
    tokio::spawn(async move { axum::serve(listener, app).await });
    Some(Served {
        git,
        address,
        folder: tempfile::tempdir().expect("a folder"),
    })
}

impl Served {
    fn url(&self, credentials: &str, repository: &str) -> String {
        format!("http://{credentials}{}/{repository}", self.address)
    }

    /// Runs git without the machine's configuration.
    async fn run(&self, folder: &Path, arguments: &[&str]) -> Output {
        let mut command = tokio::process::Command::new("git");
        command
            .args(["-c", "user.name=Ben", "-c", "user.email=ben@example.com"])
            .args(arguments)
            .current_dir(folder)
            .env("GIT_CONFIG_NOSYSTEM", "1")
            .env("GIT_CONFIG_GLOBAL", "/dev/null")
            .env("GIT_TERMINAL_PROMPT", "0")
            .env("HOME", self.folder.path())
            .kill_on_drop(true);
        tokio::time::timeout(std::time::Duration::from_secs(60), command.output())
            .await
            .expect("git ends")
            .expect("git runs")
    }

    async fn succeeds(&self, folder: &Path, arguments: &[&str]) {
        let output = self.run(folder, arguments).await;
        assert!(
            output.status.success(),
            "git {arguments:?}: {}",
            String::from_utf8_lossy(&output.stderr)
        );
    }

    async fn fails(&self, folder: &Path, arguments: &[&str]) -> String {
        let output = self.run(folder, arguments).await;
        assert!(!output.status.success(), "git {arguments:?} has to fail");
        String::from_utf8_lossy(&output.stderr).into_owned()
    }

    /// Clones the repository and commits a change to it.
    async fn changed_clone(&self) -> std::path::PathBuf {
        let clone = self.folder.path().join("clone");
        let url = self.url("tiphys:open@", "platform/app.git");
        self.succeeds(self.folder.path(), &["clone", "-q", &url, "clone"])
            .await;
        std::fs::write(clone.join("deploy/app.yaml"), "kind: B\n").expect("written");
        self.succeeds(&clone, &["commit", "-qam", "Second"]).await;
        clone
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_clone_commit_and_push_arrive_and_are_announced() {
    let Some(served) = served().await else { return };
    let before = served
        .git
        .resolve("platform/app", "HEAD")
        .expect("a commit");
    let mut pushes = served.git.pushes();

    let clone = served.changed_clone().await;
    served
        .succeeds(&clone, &["push", "-q", "origin", "main"])
        .await;

    let after = served
        .git
        .resolve("platform/app", "HEAD")
        .expect("a commit");
    let push = tokio::time::timeout(std::time::Duration::from_secs(10), pushes.recv())
        .await
        .expect("in time")
        .expect("a push");
    let change = push.changes.first().expect("a change");
    assert_eq!(push.repository, "platform/app");
    assert_eq!(push.pusher, "tiphys");
    assert_eq!(
        (change.before.as_ref(), change.after.as_ref()),
        (Some(&before), Some(&after))
    );
    let tree = served.git.tree("platform/app", &after).expect("a tree");
    assert_eq!(
        tree.read("deploy/app.yaml").as_deref(),
        Some(b"kind: B\n".as_slice())
    );
    let log = served.git.log("platform/app", "main", 5).expect("a log");
    assert_eq!(
        log.first().map(|commit| commit.author.name.as_str()),
        Some("Ben")
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_push_to_a_new_name_creates_the_repository_with_any_branch() {
    let Some(served) = served().await else { return };
    let clone = served.changed_clone().await;
    let url = served.url("tiphys:open@", "team/brought-along.git");

    served
        .succeeds(&clone, &["push", "-q", &url, "HEAD:refs/heads/trunk"])
        .await;

    let pushed = served
        .git
        .resolve("http://any.host/team/brought-along", "HEAD");
    assert_eq!(
        pushed.expect("HEAD"),
        served
            .git
            .resolve("team/brought-along", "trunk")
            .expect("trunk")
    );
    let again = served.folder.path().join("again");
    served
        .succeeds(served.folder.path(), &["clone", "-q", &url, "again"])
        .await;
    assert!(again.join("deploy/app.yaml").exists());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn large_pushes_come_in_chunks_and_arrive_whole() {
    let Some(served) = served().await else { return };
    let clone = served.changed_clone().await;
    // Larger than git's post buffer and not compressible, so that it is sent in chunks.
    let mut state = 1_u64;
    let noise: Vec<u8> = (0..3_000_000)
        .map(|_| {
            state = state
                .wrapping_mul(6_364_136_223_846_793_005)
                .wrapping_add(1);
            (state >> 56) as u8
        })
        .collect();
    std::fs::write(clone.join("noise.bin"), &noise).expect("written");
    served.succeeds(&clone, &["add", "."]).await;
    served.succeeds(&clone, &["commit", "-qm", "Noise"]).await;

    served
        .succeeds(&clone, &["push", "-q", "origin", "main"])
        .await;

    let head = served
        .git
        .resolve("platform/app", "main")
        .expect("a commit");
    let tree = served.git.tree("platform/app", &head).expect("a tree");
    assert_eq!(tree.read("noise.bin").expect("a file").len(), noise.len());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn refusals_say_why() {
    let Some(served) = served().await else { return };
    let clone = served.changed_clone().await;
    let folder = served.folder.path().to_owned();

    let nobody = served.url("", "platform/app.git");
    let wrong = served.url("tiphys:shut@", "platform/app.git");
    let bad_name = served.url("tiphys:open@", "..hidden/x.git");
    let unknown = served.url("", "platform/none.git");

    let no_password = served.fails(&clone, &["push", &nobody, "main"]).await;
    assert!(
        no_password.contains("could not read Username")
            || no_password.contains("terminal prompts disabled"),
        "{no_password}"
    );
    let wrong_password = served.fails(&clone, &["push", &wrong, "main"]).await;
    assert!(
        wrong_password.contains("wrong user or password"),
        "{wrong_password}"
    );
    let name = served.fails(&clone, &["push", &bad_name, "main"]).await;
    assert!(name.contains("cannot be a repository"), "{name}");
    let missing = served.fails(&folder, &["clone", &unknown, "x"]).await;
    assert!(missing.contains("not found"), "{missing}");
    assert!(
        !served.git.exists("platform/none"),
        "a clone creates nothing"
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn everyone_may_read() {
    let Some(served) = served().await else { return };

    let url = served.url("", "platform/app");
    served
        .succeeds(served.folder.path(), &["clone", "-q", &url, "read"])
        .await;

    assert!(served.folder.path().join("read/deploy/app.yaml").exists());
}
