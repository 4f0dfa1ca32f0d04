//! What in-process readers and writers of repositories can rely on.

use super::*;
use chrono::TimeDelta;

fn server() -> GitServer {
    let clock = PlatformClock::stepped(DateTime::UNIX_EPOCH + TimeDelta::days(20_000));
    let server = GitServer::start(clock, None).expect("a server");
    server.create("platform/guestbook").expect("a repository");
    server
}

fn commit(text: &str) -> NewCommit {
    NewCommit::new(
        Author::new("Developer", "developer@example.com"),
        format!("Say {text}"),
    )
    .write("app/a.yaml", text.to_owned())
}

const URL: &str = "http://git.tiphys.local/platform/guestbook.git";

#[test]
fn every_url_with_the_same_path_is_the_same_repository() {
    for url in [
        "http://git.tiphys.local/platform/guestbook.git",
        "http://tiphys:secret@127.0.0.1:4321/platform/guestbook",
        "git@git.tiphys.local:platform/guestbook.git",
        "ssh://git@host:22/platform/guestbook.git/",
        "platform/guestbook",
    ] {
        assert_eq!(repository_path(url), "platform/guestbook", "{url}");
    }
}

#[test]
fn names_cannot_leave_the_folder_or_enter_another_repository() {
    for name in [
        "",
        "../x",
        "a//b",
        "a/../b",
        ".git/x",
        "a.git/hooks",
        "a b",
        "1/2/3/4/5",
    ] {
        assert!(!is_valid_name(name), "{name}");
    }
    assert!(is_valid_name("platform/demo-app.v2"));
}

#[test]
fn revisions_resolve_as_branch_tag_head_and_commit_id() {
    let server = server();
    let first = server.commit_files(URL, &commit("one")).expect("a commit");
    let second = server.commit_files(URL, &commit("two")).expect("a commit");
    server.tag(URL, "v1", &first).expect("a tag");

    let resolve = |revision: &str| server.resolve(URL, revision).expect("a commit");

    assert_eq!(resolve("HEAD"), second);
    assert_eq!(resolve(""), second);
    assert_eq!(resolve("main"), second);
    assert_eq!(resolve("v1"), first);
    assert_eq!(
        resolve(&first.as_str().chars().take(7).collect::<String>()),
        first
    );
    assert_eq!(resolve(first.as_str()), first);
}

#[test]
fn unknown_repository_and_revision_say_so_in_argo_cds_words() {
    let server = server();
    server.commit_files(URL, &commit("one")).expect("a commit");

    let repository = server
        .resolve("http://x/none.git", "HEAD")
        .expect_err("unknown");
    let revision = server.resolve(URL, "v9").expect_err("unknown");

    assert!(repository.to_string().ends_with("repository not found"));
    assert_eq!(
        revision.to_string(),
        "unable to resolve 'v9' to a commit SHA"
    );
    assert!(revision.hint().is_some_and(|hint| hint.contains("v9")));
}

#[test]
fn files_of_an_old_commit_stay_as_they_were() {
    let server = server();
    let first = server.commit_files(URL, &commit("one")).expect("a commit");
    let second = server
        .commit_files(URL, &commit("two").write("b.txt", "b"))
        .expect("a commit");
    let third = server
        .commit_files(
            URL,
            &NewCommit::new(Author::new("B", "b@x"), "Remove").remove("b.txt"),
        )
        .expect("a commit");

    let read = |sha: &Sha, path: &str| server.tree(URL, sha).expect("a tree").read(path);

    assert_eq!(
        read(&first, "app/a.yaml").as_deref(),
        Some(b"one".as_slice())
    );
    assert_eq!(
        read(&second, "app/a.yaml").as_deref(),
        Some(b"two".as_slice())
    );
    assert_eq!(read(&third, "b.txt"), None);
    let changed = server.diff(URL, Some(&first), &second).expect("a diff");
    let paths: Vec<_> = changed
        .iter()
        .map(|change| (change.path.as_str(), change.kind))
        .collect();
    assert_eq!(
        paths,
        [
            ("app/a.yaml", FileChangeKind::Modified),
            ("b.txt", FileChangeKind::Added)
        ]
    );
}

#[test]
fn log_is_newest_first_with_author_and_platform_time() {
    let server = server();
    server.commit_files(URL, &commit("one")).expect("a commit");
    server.0.clock.step(std::time::Duration::from_secs(60));
    server.commit_files(URL, &commit("two")).expect("a commit");

    let log = server.log(URL, "main", 10).expect("a log");

    let messages: Vec<_> = log.iter().map(|entry| entry.message.as_str()).collect();
    assert_eq!(messages, ["Say two", "Say one"]);
    let dates: Vec<_> = log.iter().map(|entry| entry.date).collect();
    assert_eq!(dates.first().copied(), Some(server.0.clock.now()));
    assert_eq!(
        log.first().map(|entry| entry.author.to_string()).as_deref(),
        Some("Developer <developer@example.com>")
    );
}

#[test]
fn a_commit_is_announced_as_a_push() {
    let server = server();
    let mut pushes = server.pushes();

    let sha = server.commit_files(URL, &commit("one")).expect("a commit");

    let push = pushes.try_recv().expect("a push");
    assert_eq!(push.repository, "platform/guestbook");
    assert_eq!(
        push.changes,
        [RefChange {
            name: "refs/heads/main".to_owned(),
            before: None,
            after: Some(sha)
        }]
    );
}

#[test]
fn thousands_of_files_in_one_commit_can_be_read_back() {
    let server = server();
    let mut many = commit("many");
    for number in 0..3000 {
        many = many.write(
            format!("apps/app-{number}/cm.yaml"),
            format!("n: {number}\n"),
        );
    }

    let sha = server.commit_files(URL, &many).expect("a commit");

    let tree = server.tree(URL, &sha).expect("a tree");
    assert_eq!(tree.list("apps").len(), 3000);
    assert_eq!(
        tree.read("apps/app-2999/cm.yaml").as_deref(),
        Some(b"n: 2999\n".as_slice())
    );
}
