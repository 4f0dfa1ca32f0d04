//! Argo CD Image Updater against the embedded registry, git server and Argo CD, on stepped time.

use k8s_openapi::api::core::v1::Event;
use kube::api::{Api, ApiResource, DynamicObject, GroupVersionKind, ListParams};
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::time::Duration;
use tiphys::domain::clock::Clock as _;
use tiphys::sim::harbor::nodes::CI;
use tiphys::sim::harbor::shape::RegistryFault;
use tiphys::sim::scenario::{Component, Scenario};
use tiphys::sim::{Pace, Simulation, SimulationOptions, scenario};

const REPOSITORY: &str = "platform/newsletter";
const IMAGE: &str = "registry.tiphys.local/shop/newsletter";
const STEP: Duration = Duration::from_secs(1);
const QUIET_LOOKS: u32 = 2;

/// The newsletter of the default scenario, and only what it needs.
#[allow(clippy::expect_used, reason = "the default scenario can be read")]
pub(crate) fn newsletter() -> Scenario {
    let mut scenario = scenario::load(scenario::DEFAULT, None).expect("a scenario");
    scenario.starts = vec![
        Component::Workloads,
        Component::ArgoCd,
        Component::Harbor,
        Component::ImageUpdater,
    ];
    scenario.manifests.retain(|object| {
        let name = object["metadata"]["name"].as_str().unwrap_or_default();
        let kind = object["kind"].as_str().unwrap_or_default();
        match kind {
            "Application" => name.starts_with("newsletter-"),
            _ => matches!(
                kind,
                "ImageUpdater" | "AppProject" | "Namespace" | "ConfigMap"
            ),
        }
    });
    scenario.syncs.clear();
    scenario.faults.clear();
    scenario
}

struct Bed(Simulation);

impl Bed {
    async fn start(scenario: Scenario) -> Self {
        let start = chrono::DateTime::UNIX_EPOCH + chrono::TimeDelta::days(20_000);
        let options = SimulationOptions {
            pace: Pace::Stepped { start },
            ..SimulationOptions::new(scenario)
        };
        Self(Simulation::start(options).await.expect("a platform"))
    }

    async fn until(&self, what: &str, seconds: i64, mut is_so: impl AsyncFnMut() -> bool) {
        let clock = self.0.clock();
        let end = clock.now() + chrono::TimeDelta::seconds(seconds);
        loop {
            let mut quiet = 0;
            while quiet < QUIET_LOOKS {
                tokio::time::sleep(Duration::from_millis(2)).await;
                quiet = if self.0.busy() == 0 { quiet + 1 } else { 0 };
            }
            if is_so().await {
                return;
            }
            if clock.now() >= end {
                let updater = self.updater().await;
                let dev = self.application("dev").await;
                panic!(
                    "{what}: not within {seconds} s of platform time: {:#} {:#} {:#}",
                    updater["status"], dev["spec"], dev["status"]["summary"]
                );
            }
            clock.step(STEP);
        }
    }

    async fn object(&self, group: &str, kind: &str, name: &str) -> Value {
        let kind = GroupVersionKind::gvk(group, "v1alpha1", kind);
        let resource = ApiResource::from_gvk(&kind);
        let api: Api<DynamicObject> = Api::namespaced_with(self.0.client(), "argocd", &resource);
        let found = api.get_opt(name).await.expect("an answer");
        found.map_or(Value::Null, |object| object.data)
    }

    async fn application(&self, stage: &str) -> Value {
        let name = format!("newsletter-{stage}");
        self.object("argoproj.io", "Application", &name).await
    }

    async fn updater(&self) -> Value {
        let group = "argocd-image-updater.argoproj.io";
        self.object(group, "ImageUpdater", "newsletter").await
    }

    /// Returns which image a stage runs, when it is healthy.
    async fn runs(&self, stage: &str) -> String {
        let application = self.application(stage).await;
        let healthy = application["status"]["health"]["status"] == "Healthy";
        let image = application["status"]["summary"]["images"][0].as_str();
        image.filter(|_| healthy).unwrap_or_default().to_owned()
    }

    /// Returns a file at the head of a branch, with who made the commit and its words.
    fn file(&self, branch: &str, path: &str) -> (String, String, String) {
        let git = self.0.git();
        let head = git.resolve(REPOSITORY, branch).expect("a commit");
        let commit = git.commit(REPOSITORY, &head).expect("a commit");
        let tree = git.tree(REPOSITORY, &head).expect("a tree");
        let text = tree.read(path).unwrap_or_default();
        let text = String::from_utf8_lossy(&text).into_owned();
        (text, commit.author.to_string(), commit.message)
    }

    fn commits(&self) -> usize {
        let git = self.0.git();
        let log = git.log(REPOSITORY, "main", 50).expect("a log");
        log.len()
    }

    fn push(&self, tag: &str) {
        let harbor = self.0.harbor().expect("a registry");
        let image = format!("{IMAGE}:{tag}");
        let labels = BTreeMap::from([("note".to_owned(), tag.to_owned())]);
        let built = harbor.build(&image, labels).expect("an image");
        harbor.push_as(&image, &built, CI).expect("it is taken");
    }
}

fn condition<'v>(updater: &'v Value, kind: &str) -> &'v Value {
    let conditions = updater["status"]["conditions"].as_array();
    let mut conditions = conditions.into_iter().flatten();
    conditions
        .find(|one| one["type"] == kind)
        .unwrap_or(&Value::Null)
}

/// Changes what the ImageUpdater of the scenario wants.
fn with(scenario: &mut Scenario, change: impl Fn(&mut Value)) {
    let updaters = scenario.manifests.iter_mut();
    for object in updaters.filter(|object| object["kind"] == "ImageUpdater") {
        change(&mut object["spec"]);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn versions_are_followed_by_commits_and_a_tag_by_its_digest() {
    let bed = Bed::start(newsletter()).await;

    bed.until("both stages run what is wanted", 180, async || {
        bed.runs("dev").await == format!("{IMAGE}:1.4.2")
            && bed
                .runs("next")
                .await
                .starts_with(&format!("{IMAGE}:stable@sha256:"))
    })
    .await;

    let (text, author, message) = bed.file("main", "overlays/dev/kustomization.yaml");
    assert!(text.contains("newTag: 1.4.2"), "{text}");
    assert_eq!(author, "argocd-image-updater <noreply@argoproj.io>");
    assert!(
        message.contains("automatic update of newsletter-dev"),
        "{message}"
    );
    let updater = bed.updater().await;
    assert_eq!(updater["status"]["applicationsMatched"], 2);
    assert_eq!(updater["status"]["imagesManaged"], 2);
    assert_eq!(condition(&updater, "Ready")["reason"], "ReconcileSucceeded");
    let recent = updater["status"]["recentUpdates"].to_string();
    assert!(recent.contains("Updated from"), "{recent}");
    let events: Api<Event> = Api::namespaced(bed.0.client(), "argocd");
    let of_updates = ListParams::default().fields("reason=ImagesUpdated");
    let events = events.list(&of_updates).await.expect("events").items;
    let told = events
        .iter()
        .filter_map(|event| event.metadata.annotations.as_ref());
    assert!(
        told.into_iter().any(|all| all
            .get("argocd-image-updater.image-0/new-tag")
            .map(String::as_str)
            == Some("1.4.2")),
        "{events:?}"
    );

    // What is current is left alone; what is pushed is taken at once, by Harbor's webhook.
    let (commits, pinned) = (bed.commits(), bed.runs("next").await);
    bed.push("1.4.3");
    bed.push("1.6.0");
    let moved = RegistryFault::MoveTag {
        image: format!("{IMAGE}:stable"),
        packages: Vec::new(),
    };
    bed.0
        .harbor()
        .expect("a registry")
        .play(&moved)
        .expect("it moves");
    bed.until("both stages follow", 120, async || {
        let next = bed.runs("next").await;
        bed.runs("dev").await == format!("{IMAGE}:1.4.3") && !next.is_empty() && next != pinned
    })
    .await;
    assert_eq!(bed.commits(), commits + 1);
    bed.0.shutdown().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn builds_are_followed_by_date_and_names_by_their_letters() {
    let mut scenario = newsletter();
    with(&mut scenario, |spec| {
        *spec = json!({
            "commonUpdateSettings": {"updateStrategy": "latest", "allowTags": "regexp:^1[.]"},
            "writeBackConfig": {"method": "git", "gitConfig": {"branch": "main"}},
            "applicationRefs": [
                {"namePattern": "newsletter-d*", "images": [{"alias": "newsletter", "imageName": IMAGE}]},
                {"namePattern": "newsletter-next",
                 "writeBackConfig": {"method": "argocd"},
                 "images": [{"alias": "newsletter", "imageName": IMAGE, "commonUpdateSettings": {
                    "updateStrategy": "name", "allowTags": "any", "ignoreTags": ["stable", "1.[56]*"]}}]},
            ],
        });
    });
    let bed = Bed::start(scenario).await;

    bed.until("both stages run what is wanted", 180, async || {
        bed.runs("dev").await == format!("{IMAGE}:1.5.0")
            && bed.runs("next").await == format!("{IMAGE}:1.4.2")
    })
    .await;

    let (text, _, _) = bed.file("main", "overlays/dev/.argocd-source-newsletter-dev.yaml");
    assert!(text.contains(&format!("{IMAGE}:1.5.0")), "{text}");
    let next = bed.application("next").await;
    assert_eq!(
        next["spec"]["source"]["kustomize"]["images"],
        json!([format!("{IMAGE}:1.4.2")])
    );
    bed.0.shutdown().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_branch_of_its_own_is_pushed_and_refusals_are_said() {
    let mut scenario = newsletter();
    with(&mut scenario, |spec| {
        let branch = "main:updates{{range .Images}}-{{.Name}}-{{.NewTag}}{{end}}";
        spec["applicationRefs"][0]["writeBackConfig"]["gitConfig"]["branch"] = json!(branch);
    });
    let bed = Bed::start(scenario).await;

    bed.until("the branch is there", 180, async || {
        let git = bed.0.git();
        git.resolve(REPOSITORY, "updates-newsletter-1.4.2").is_ok()
    })
    .await;
    let (text, _, _) = bed.file(
        "updates-newsletter-1.4.2",
        "overlays/dev/kustomization.yaml",
    );
    assert!(text.contains("newTag: 1.4.2"), "{text}");
    let (text, _, _) = bed.file("main", "overlays/dev/kustomization.yaml");
    assert!(text.contains("newTag: 1.4.0"), "{text}");

    let expired = RegistryFault::ExpireRobot("robot$updater".to_owned());
    bed.0
        .harbor()
        .expect("a registry")
        .play(&expired)
        .expect("it expires");
    bed.until("the refusal is said", 130, async || {
        let updater = bed.updater().await;
        let error = condition(&updater, "Error");
        error["status"] == "True"
            && error["message"]
                .as_str()
                .is_some_and(|text| text.contains("says 401"))
    })
    .await;
    let updater = bed.updater().await;
    assert_eq!(
        condition(&updater, "Ready")["reason"],
        "ReconcileCompletedWithErrors"
    );
    bed.0.shutdown().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_not_done_here_is_said_and_nothing_is_written() {
    let mut scenario = newsletter();
    with(&mut scenario, |spec| {
        *spec = json!({
            "writeBackConfig": {"method": "git", "gitConfig": {"branch": "main",
                "pullRequest": {"github": {}}}},
            "applicationRefs": [
                {"namePattern": "newsletter-dev",
                 "images": [{"alias": "newsletter", "imageName": IMAGE}]},
                {"namePattern": "newsletter-next",
                 "imagesVerification": {"cosignKey": {"secretName": "cosign", "key": "cosign.pub"}},
                 "images": [{"alias": "newsletter", "imageName": IMAGE}]},
            ],
        });
    });
    let bed = Bed::start(scenario).await;
    let commits = bed.commits();

    bed.until("both are said", 180, async || {
        let updater = bed.updater().await;
        let error = condition(&updater, "Error");
        let said = error["message"].as_str().unwrap_or_default();
        error["status"] == "True"
            && said.contains("newsletter-dev: ")
            && said.contains("`pullRequest`")
            && said.contains("newsletter-next: ")
            && said.contains("`imagesVerification`")
    })
    .await;

    assert_eq!(bed.commits(), commits);
    bed.0.shutdown().await;
}
