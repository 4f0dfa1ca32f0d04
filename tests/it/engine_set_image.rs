//! Setting an image by a commit in the manifest repository of the embedded platform: what the plan
//! says, what is pushed, what Argo CD makes of it, and what stands in the way.

#![allow(
    clippy::wildcard_enum_match_arm,
    reason = "a test picks the one case it waits for"
)]

use crate::engine_bed::{Engine, OneClient};
use axum::extract::Request as Asked;
use axum::response::IntoResponse as _;
use k8s_openapi::api::apps::v1::Deployment;
use k8s_openapi::api::core::v1::Secret;
use kube::api::{Api, DeleteParams};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use tiphys::domain::image::{ImagePlan, ImageVerb, NoCommit};
use tiphys::domain::intent::{Stage, Verb};
use tiphys::domain::object::{GroupKind, ObjectRef};
use tiphys::domain::servers::{GitOptions, Login, RegistryOptions, Secret as Password};
use tiphys::engine::EngineOptions;
use tiphys::engine::protocol::{Answer, Fetch, Update};
use tiphys::sim::git::{Author, NewCommit, http};
use tiphys::sim::scenario::Component;
use tiphys::sim::{Pace, Simulation, SimulationOptions, scenario};
use tower::ServiceExt as _;

const REPOSITORY: &str = "platform/guestbook";
const NEW: &str = "registry.tiphys.local/shop/guestbook-frontend:1.3.0";
const FILE: &str = "overlays/dev/kustomization.yaml";

struct Bed {
    simulation: Simulation,
    engine: Engine,
    folder: tempfile::TempDir,
}

impl Bed {
    /// The guestbook of the default scenario, and only what it needs.
    async fn start() -> Option<Self> {
        if !git_is_there() {
            return None;
        }
        let (simulation, folder) = platform(".git").await;
        let mut bed = Self::of(simulation, folder, EngineOptions::default()).await;
        bed.until_image("1.2.0").await;
        Some(bed)
    }

    async fn of(simulation: Simulation, folder: tempfile::TempDir, options: EngineOptions) -> Self {
        let platform = Arc::new(OneClient(simulation.client()));
        let engine = Engine::connect(platform, options).await;
        Self {
            simulation,
            engine,
            folder,
        }
    }

    fn frontend(&self) -> ObjectRef {
        let kind = GroupKind::new("apps", "Deployment");
        self.engine.object(kind, "guestbook-dev", "frontend")
    }

    /// Waits until every Pod of the frontend runs a version.
    async fn until_image(&mut self, version: &str) {
        let api: Api<Deployment> = Api::namespaced(self.simulation.client(), "guestbook-dev");
        for _ in 0..400 {
            let found = api.get_opt("frontend").await.expect("an answer");
            let text = serde_json::to_value(found).expect("JSON");
            let image = text["spec"]["template"]["spec"]["containers"][0]["image"].as_str();
            let ready = text["status"]["availableReplicas"] == text["spec"]["replicas"]
                && text["status"]["updatedReplicas"] == text["spec"]["replicas"]
                && text["status"]["observedGeneration"] == text["metadata"]["generation"];
            if image.is_some_and(|image| image.ends_with(version)) && ready {
                return;
            }
            tokio::time::sleep(std::time::Duration::from_millis(50)).await;
        }
        panic!("the frontend never ran {version}");
    }

    async fn plan(&mut self, object: &ObjectRef) -> ImagePlan {
        let answer = self.engine.fetch(Fetch::ImagePlans {
            objects: vec![object.clone()],
            container: "*".into(),
            image: NEW.into(),
        });
        match answer.await {
            Ok(Answer::ImagePlans(mut plans)) => plans.pop().expect("a plan"),
            other => panic!("{other:?}"),
        }
    }

    async fn no_commit(&mut self) -> NoCommit {
        let frontend = self.frontend();
        let plan = self.plan(&frontend).await;
        plan.commit.expect_err("no commit is possible")
    }

    fn commit(&mut self, object: &ObjectRef, or_patch: bool) -> tiphys::domain::intent::IntentId {
        let verb = Verb::Image(ImageVerb::Commit {
            container: "*".into(),
            image: NEW.into(),
            or_patch,
        });
        self.engine.act(object, None, verb)
    }

    /// Waits for the last word on an intent.
    async fn end(&mut self, ours: tiphys::domain::intent::IntentId) -> Stage {
        self.engine
            .until("the end of an intent", |update| match update {
                Update::Outcome { id, stage, .. } if *id == ours => match stage {
                    Stage::Observed { .. } | Stage::Failed { .. } => Some(stage.clone()),
                    _ => None,
                },
                _ => None,
            })
            .await
    }

    fn head(&self) -> (String, String, String) {
        let git = self.simulation.git();
        let head = git.resolve(REPOSITORY, "main").expect("a commit");
        let commit = git.commit(REPOSITORY, &head).expect("a commit");
        let tree = git.tree(REPOSITORY, &head).expect("a tree");
        let text = tree.read(FILE).unwrap_or_default();
        let text = String::from_utf8_lossy(&text).into_owned();
        (head.to_string(), text, commit.message)
    }

    /// A person pushes something else.
    fn push_notes(&self) {
        let author = Author::new("Ada", "ada@example.com");
        let commit = NewCommit::new(author, "Write notes").write("NOTES.md", "notes\n");
        let git = self.simulation.git();
        git.commit_files(REPOSITORY, &commit).expect("a commit");
    }
}

/// Starts the platform; addresses of repositories end in `suffix`.
async fn platform(suffix: &str) -> (Simulation, tempfile::TempDir) {
    let mut scenario = scenario::load(scenario::DEFAULT, None).expect("a scenario");
    scenario.starts = vec![Component::Workloads, Component::ArgoCd, Component::Harbor];
    scenario.manifests.retain(|object| {
        let name = object["metadata"]["name"].as_str().unwrap_or_default();
        match object["kind"].as_str().unwrap_or_default() {
            "Application" => matches!(name, "guestbook-dev" | "guestbook-prod"),
            kind => matches!(kind, "AppProject" | "Namespace" | "ConfigMap"),
        }
    });
    for object in &mut scenario.manifests {
        if let Some(url) = object.pointer_mut("/spec/source/repoURL") {
            let plain = url.as_str().unwrap_or_default().trim_end_matches(".git");
            *url = format!("{plain}{suffix}").into();
        }
    }
    scenario.syncs.clear();
    scenario.faults.clear();
    let folder = tempfile::tempdir().expect("a folder");
    let options = SimulationOptions {
        pace: Pace::Running { speed: 20.0 },
        data: Some(folder.path().to_owned()),
        ..SimulationOptions::new(scenario)
    };
    let simulation = Simulation::start(options).await.expect("a platform");
    (simulation, folder)
}

/// Pushes go through `git http-backend`.
fn git_is_there() -> bool {
    let runs = std::process::Command::new("git").arg("--version").output();
    let is_there = runs.is_ok_and(|output| output.status.success());
    assert!(
        is_there || std::env::var_os("TIPHYS_REQUIRE_TOOLS").is_none_or(|value| value != "1"),
        "git is not installed"
    );
    if !is_there {
        println!("skipped: git is not installed");
    }
    is_there
}

fn sentence(stage: &Stage) -> (String, String) {
    match stage {
        Stage::Failed { sentence, hint } => {
            let hint = hint.as_ref().map(ToString::to_string);
            (sentence.to_string(), hint.unwrap_or_default())
        }
        other => panic!("it should have failed: {other:?}"),
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_commit_sets_the_image_and_argo_cd_rolls_it_out() {
    let Some(mut bed) = Bed::start().await else {
        return;
    };
    let (before, old, _) = bed.head();

    let frontend = bed.frontend();
    let plan = bed.plan(&frontend).await;
    let commit = plan.commit.as_ref().expect("a commit is possible");
    assert_eq!((&*commit.branch, &*commit.head), ("main", &*before));
    assert_eq!(commit.application.path(), "argocd/guestbook-dev");
    assert_eq!(&*commit.account, "tiphys");
    assert!(plan.keeper.as_ref().is_some_and(|keeper| keeper.self_heal));
    let words = format!("`{FILE}`: -newTag: 1.2.0 +newTag: 1.3.0");
    assert_eq!(commit.words(), words);
    assert_eq!(bed.head().0, before, "a plan changes nothing");

    let id = bed.commit(&frontend, false);
    let accepted = bed.engine.outcome(id).await;
    let Stage::Accepted { detail } = &accepted else {
        panic!("{accepted:?}");
    };
    let (head, new, message) = bed.head();
    let short = head.get(..7).unwrap_or_default().to_owned();
    assert!(
        detail.starts_with(&format!("commit {short} on `main`")),
        "{detail}"
    );
    assert_eq!(new, old.replace("newTag: 1.2.0", "newTag: 1.3.0"));
    assert!(
        message.starts_with(&format!("Set the image of guestbook-dev to {NEW}\n")),
        "{message}"
    );
    let parents = bed
        .simulation
        .git()
        .log(REPOSITORY, "main", 1)
        .expect("a log");
    assert_eq!(parents[0].parents[0].as_str(), before);
    let seen = bed.end(id).await;
    assert_eq!(
        seen,
        Stage::Observed {
            detail: format!("`guestbook-dev` is Synced to {short}").into()
        }
    );
    bed.until_image("1.3.0").await;

    let again = bed.no_commit().await;
    assert!(again.reason.contains("in git says"), "{}", again.reason);
    bed.simulation.shutdown().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn where_a_person_syncs_the_commit_is_shown_as_drift() {
    let Some(mut bed) = Bed::start().await else {
        return;
    };
    let prod = bed.engine.application("argocd", "guestbook-prod");
    let sync = Verb::Sync(tiphys::domain::intent::SyncRequest::default());
    let first = bed.engine.act(&prod, None, sync);
    let _synced = bed.end(first).await;

    // What it runs is told a moment after the sync.
    for _ in 0..200 {
        if bed.plan(&prod).await.commit.is_ok() {
            break;
        }
        tokio::time::sleep(std::time::Duration::from_millis(50)).await;
    }
    let id = bed.commit(&prod, true);
    let seen = bed.end(id).await;

    let Stage::Observed { detail } = &seen else {
        panic!("{seen:?}");
    };
    assert!(
        detail.contains("`guestbook-prod` is OutOfSync with"),
        "{detail}"
    );
    bed.simulation.shutdown().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_push_of_somebody_else_meanwhile_is_kept() {
    let Some(mut bed) = Bed::start().await else {
        return;
    };
    let (git, server) = (
        bed.simulation.git().clone(),
        bed.simulation.server().clone(),
    );
    let secrets: Api<Secret> = Api::namespaced(bed.simulation.client(), "argocd");
    let secret = secrets.get("git-repositories").await.expect("a Secret");
    let data = secret.data.expect("its data");
    let field = |name: &str| String::from_utf8_lossy(&data[name].0).into_owned();
    let access = http::Access {
        username: field("username"),
        password: field("password"),
    };
    let real = http::router(git.clone(), access);
    let first = Arc::new(AtomicBool::new(true));
    let racing = axum::Router::new().fallback(move |asked: Asked| {
        let (real, git, first) = (real.clone(), git.clone(), Arc::clone(&first));
        async move {
            if asked.uri().path().ends_with("/git-receive-pack")
                && first.swap(false, Ordering::Relaxed)
            {
                let author = Author::new("Ada", "ada@example.com");
                let commit = NewCommit::new(author, "Write notes").write("NOTES.md", "notes\n");
                git.commit_files(REPOSITORY, &commit).expect("a commit");
            }
            real.oneshot(asked).await
        }
    });
    server.add_service_backend("git", "git-http", racing);

    let frontend = bed.frontend();
    let id = bed.commit(&frontend, false);
    let accepted = bed.engine.outcome(id).await;

    assert!(matches!(accepted, Stage::Accepted { .. }), "{accepted:?}");
    let log = bed
        .simulation
        .git()
        .log(REPOSITORY, "main", 2)
        .expect("a log");
    let subjects: Vec<&str> = log
        .iter()
        .filter_map(|commit| commit.message.lines().next())
        .collect();
    assert_eq!(subjects[1], "Write notes");
    assert!(subjects[0].starts_with("Set the image"), "{subjects:?}");
    bed.simulation.shutdown().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_push_that_a_hook_refuses_changes_nothing() {
    let Some(mut bed) = Bed::start().await else {
        return;
    };
    write_hook(&bed.folder.path().join(format!("{REPOSITORY}.git/hooks")));
    let (before, ..) = bed.head();

    let frontend = bed.frontend();
    let id = bed.commit(&frontend, true);
    let failed = bed.end(id).await;

    let (sentence, hint) = sentence(&failed);
    assert!(
        sentence.contains("only the release team may push"),
        "{sentence}"
    );
    assert!(hint.contains("Nothing was changed"), "{hint}");
    assert_eq!(bed.head().0, before);
    bed.simulation.shutdown().await;
}

fn write_hook(folder: &Path) {
    use std::os::unix::fs::PermissionsExt as _;
    std::fs::create_dir_all(folder).expect("a folder");
    let hook = folder.join("pre-receive");
    let text = "#!/bin/sh\necho only the release team may push\nexit 1\n";
    std::fs::write(&hook, text).expect("written");
    let executable = std::fs::Permissions::from_mode(0o755);
    std::fs::set_permissions(&hook, executable).expect("a mode");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn without_an_account_the_reason_is_said_and_a_patch_is_asked_for_by_name() {
    let Some(mut bed) = Bed::start().await else {
        return;
    };
    let secrets: Api<Secret> = Api::namespaced(bed.simulation.client(), "argocd");
    let deleted = secrets
        .delete("git-repositories", &DeleteParams::default())
        .await;
    assert!(deleted.is_ok(), "{deleted:?}");
    bed.push_notes();

    let why = bed.no_commit().await;
    assert!(why.reason.contains("without an account"), "{}", why.reason);
    assert!(why.hint.contains("[[git]]"), "{}", why.hint);

    let frontend = bed.frontend();
    let id = bed.commit(&frontend, true);
    let (_, hint) = sentence(&bed.end(id).await);
    assert!(
        hint.contains("self-heal of `argocd/guestbook-dev`"),
        "{hint}"
    );
    assert!(hint.contains("route=patch"), "{hint}");

    let patch = Verb::SetImage {
        container: "*".into(),
        image: NEW.into(),
    };
    let id = bed.engine.act(&frontend, None, patch);
    let accepted = bed.engine.outcome(id).await;
    let Stage::Accepted { detail } = &accepted else {
        panic!("{accepted:?}");
    };
    assert!(detail.contains("will set it back"), "{detail}");
    bed.simulation.shutdown().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_elsewhere_is_followed_to_the_path_it_names() {
    if !git_is_there() {
        return;
    }
    let (simulation, folder) = platform("").await;
    let access = http::Access {
        username: String::from("bot"),
        password: String::from("s3cret"),
    };
    let real = http::router(simulation.git().clone(), access);
    // As GitLab does: a path without `.git` is sent to the one with it, and takes no posts.
    let app = axum::Router::new().fallback(move |asked: Asked| {
        let real = real.clone();
        async move {
            let uri = asked.uri().to_string();
            if uri.contains(".git/") {
                return real.oneshot(asked).await.expect("an answer");
            }
            let to = uri.replacen("/info/refs", ".git/info/refs", 1);
            axum::response::Redirect::permanent(&to).into_response()
        }
    });
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0")
        .await
        .expect("a port");
    let address = listener.local_addr().expect("an address");
    drop(tokio::spawn(
        async move { axum::serve(listener, app).await },
    ));
    let options = EngineOptions {
        git: vec![GitOptions {
            server: RegistryOptions {
                context: String::from("*"),
                host: Some(String::from("git.tiphys.local")),
                address: Some(format!("http://{address}")),
                login: Login {
                    username: Some(String::from("bot")),
                    password: Some(Password::new("s3cret")),
                    ..Login::default()
                },
                ..RegistryOptions::default()
            },
            author: Some(String::from("Deploy Bot <bot@example.com>")),
        }],
        ..EngineOptions::default()
    };
    let mut bed = Bed::of(simulation, folder, options).await;
    bed.until_image("1.2.0").await;

    let frontend = bed.frontend();
    let verb = Verb::Image(ImageVerb::Commit {
        container: "*".into(),
        image: ":1.3.0".into(),
        or_patch: false,
    });
    let id = bed.engine.act(&frontend, None, verb);
    let accepted = bed.engine.outcome(id).await;

    assert!(matches!(accepted, Stage::Accepted { .. }), "{accepted:?}");
    assert!(bed.head().1.contains("newTag: 1.3.0"), "the rest is kept");
    let log = bed
        .simulation
        .git()
        .log(REPOSITORY, "main", 1)
        .expect("a log");
    assert_eq!(log[0].author.to_string(), "Deploy Bot <bot@example.com>");
    bed.simulation.shutdown().await;
}
