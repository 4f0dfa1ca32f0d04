//! What a platform would answer, in plain data.

use super::screens_delivery_data as delivery;
use super::screens_fixtures::{ago, application, applications, object, text};
use super::screens_runs_data as runs;
use tiphys::domain::application::{Application, ApplicationDetail, HistoryEntry, ManagedResource};
use tiphys::domain::finding::{Finding, Severity};
use tiphys::domain::graph::{ResourceTree, TreeNode};
use tiphys::domain::health::Verdict;
use tiphys::domain::image::{ChangedLine, CommitPlan, FileChange, ImagePlan, ImageState};
use tiphys::domain::kind::ARGO;
use tiphys::domain::object::{GroupKind, ObjectRef, Text, Uid};
use tiphys::domain::pipeline::cron::cron_kind;
use tiphys::domain::pipeline::runs_kind;
use tiphys::domain::rollout::Keeper;
use tiphys::domain::rows::{Column, Delta, ObjectRow, Rows};
use tiphys::domain::status::{Health, SyncStatus};
use tiphys::engine::protocol::{
    Answer, ContextInfo, DiffBase, EventRow, Fetch, Generation, KindEntry, LogLine, ObjectDiff,
    Ticket, Topic, Update,
};

pub(crate) fn answer_topic(generation: Generation, ticket: Ticket, topic: &Topic) -> Vec<Update> {
    match topic {
        Topic::Kind(kind) => vec![Update::Delta {
            generation,
            ticket,
            delta: Delta {
                kind: kind.clone(),
                reset: true,
                rows: rows_of(kind),
                removed: Vec::new(),
            },
        }],
        Topic::Namespaces => vec![Update::Delta {
            generation,
            ticket,
            delta: Delta {
                kind: GroupKind::new("", "Namespace"),
                reset: true,
                rows: namespaces(),
                removed: Vec::new(),
            },
        }],
        Topic::Application(object) => vec![
            Update::Application {
                generation,
                ticket,
                detail: Some(Box::new(detail(object))),
            },
            Update::Tree {
                generation,
                ticket,
                tree: Box::new(tree()),
            },
        ],
        Topic::Logs { .. } => vec![Update::Logs {
            ticket,
            lines: logs(),
            ended: None,
        }],
        Topic::Image(_) => vec![Update::Image {
            generation,
            ticket,
            detail: Some(Box::new(super::screens_images_data::detail())),
        }],
        Topic::Rollout(object) => vec![Update::Rollout {
            generation,
            ticket,
            detail: delivery::rollout_detail(object).map(Box::new),
        }],
        Topic::AnalysisRun(_) => vec![Update::AnalysisRun {
            generation,
            ticket,
            run: Some(Box::new(delivery::run())),
        }],
        Topic::Query { expr, .. } => vec![Update::Query {
            generation,
            ticket,
            answer: delivery::query(expr),
        }],
        Topic::Board { .. } => vec![Update::Board {
            generation,
            ticket,
            board: Box::new(delivery::board()),
        }],
        Topic::Alerts => vec![Update::Alerts {
            generation,
            ticket,
            board: Box::new(delivery::alerts()),
        }],
        Topic::Run(object) => vec![Update::Run {
            generation,
            ticket,
            detail: runs::detail_of(object).map(Box::new),
        }],
        Topic::EventFlow => vec![Update::EventFlow {
            generation,
            ticket,
            flow: Box::new(runs::flow()),
        }],
    }
}

pub(crate) fn answer(what: &Fetch) -> Result<Answer, Finding> {
    match what {
        Fetch::Yaml { object, .. } => Ok(Answer::Text {
            title: object.name.clone(),
            lines: lines(YAML),
        }),
        Fetch::Describe { object } => Ok(Answer::Text {
            title: object.name.clone(),
            lines: lines(DESCRIBE),
        }),
        Fetch::Events { .. } => Ok(Answer::Events(events())),
        Fetch::Diff { .. } => Ok(Answer::Diff(diffs())),
        Fetch::Why { object } => Ok(Answer::Why(vec![
            Finding::new(
                Severity::Error,
                "deployment `guestbook-ui` exceeded its progress deadline",
            )
            .about(object.clone())
            .with_hint("look at the Pod that does not start"),
        ])),
        Fetch::Access { .. } => Ok(Answer::Access(Vec::new())),
        Fetch::Contexts => Ok(Answer::Contexts(contexts())),
        Fetch::Kinds => Ok(Answer::Kinds(kinds())),
        Fetch::GitHub => Ok(Answer::Text {
            title: "GitHub".into(),
            lines: lines("github/api answers"),
        }),
        Fetch::Template { object } => Ok(Answer::Template(Box::new(runs::template(object)))),
        Fetch::ImagePlans {
            objects,
            container,
            image,
        } => {
            let plans = objects.iter().map(|object| plan(object, container, image));
            Ok(Answer::ImagePlans(plans.collect()))
        }
        Fetch::Query { .. }
        | Fetch::Values { .. }
        | Fetch::Dashboards { .. }
        | Fetch::Dashboard { .. } => Ok(Answer::Dashboards(delivery::dashboards())),
    }
}

/// A commit to the repository of the Application that manages an object.
pub(crate) fn plan(object: &ObjectRef, container: &Text, image: &Text) -> ImagePlan {
    let application = ObjectRef {
        kind: GroupKind::new("argoproj.io", "Application"),
        namespace: Some("argocd".into()),
        name: "demo-app-dev".into(),
        ..object.clone()
    };
    let tag = image.rsplit(':').next().unwrap_or_default();
    let line = |comes: bool, tag: &str| ChangedLine {
        number: 12,
        comes,
        text: format!("    newTag: {tag} # by the release train").into(),
    };
    ImagePlan {
        object: object.clone(),
        uid: None,
        container: Text::clone(container),
        image: Text::clone(image),
        commit: Ok(CommitPlan {
            application: application.clone(),
            repository: "https://git.example.com/platform/demo-app.git".into(),
            branch: "main".into(),
            head: "3f2a91c0c1d2e3f4a5b60718293a4b5c6d7e8f90".into(),
            account: "cockpit".into(),
            changes: vec![FileChange {
                path: "overlays/dev/kustomization.yaml".into(),
                lines: vec![line(false, "2.5.0"), line(true, tag)],
            }],
            auto_sync: true,
        }),
        keeper: Some(Keeper {
            application,
            auto_sync: true,
            self_heal: true,
        }),
    }
}

fn lines(content: &str) -> Vec<Text> {
    content.lines().map(text).collect()
}

fn column(name: &str, numeric: bool) -> Column {
    Column {
        name: name.into(),
        priority: 0,
        numeric,
    }
}

fn row(kind: (&str, &str), name: &str, cells: &[&str]) -> ObjectRow {
    ObjectRow {
        object: object(kind, "shop", name),
        uid: Uid(name.into()),
        cells: cells.iter().map(|cell| text(cell)).collect(),
        verdict: None,
        labels: Vec::new(),
        created: Some(ago(7_300)),
        deleting: false,
    }
}

fn rows_of(kind: &GroupKind) -> Rows {
    if let Some(rows) = super::screens_images_data::rows_of(kind) {
        return Rows::Registry(rows);
    }
    if *kind == runs_kind() {
        return Rows::Runs(runs::rows());
    }
    if *kind == cron_kind() {
        return Rows::CronRuns(runs::crons());
    }
    if runs::is_template(kind) {
        return Rows::Objects {
            columns: Some(vec![column("Age", false)]),
            rows: vec![row((&kind.group, &kind.kind), "ci", &["2h"])],
        };
    }
    if kind.is("", "Event") {
        return cluster_events();
    }
    if kind.is(ARGO, "Application") {
        return Rows::Applications(applications());
    }
    if kind.is(ARGO, "Rollout") {
        return Rows::Rollouts(delivery::rollouts());
    }
    if kind.is(ARGO, "AnalysisRun") {
        return Rows::AnalysisRuns(vec![delivery::run()]);
    }
    let columns = vec![
        column("Name", false),
        column("Ready", false),
        column("Status", false),
        column("Restarts", true),
        column("Age", false),
    ];
    let pod = ("", "Pod");
    let mut rows = vec![
        row(
            pod,
            "checkout-7d9f8c-x2x9p",
            &["checkout-7d9f8c-x2x9p", "1/1", "Running", "0", "2h"],
        ),
        row(
            pod,
            "checkout-7d9f8c-zq4vm",
            &["checkout-7d9f8c-zq4vm", "1/1", "Running", "3", "2h"],
        ),
        row(
            pod,
            "checkout-84c66b-aaaaa",
            &[
                "checkout-84c66b-aaaaa",
                "0/1",
                "ImagePullBackOff",
                "0",
                "2h",
            ],
        ),
        row(
            pod,
            "migrate-1",
            &["migrate-1", "0/1", "Completed", "0", "2h"],
        ),
    ];
    rows[2].verdict = Some(Verdict {
        health: Health::Degraded,
        message: "container `app`: image `registry.example.com/shop/checkout:2.0` cannot be pulled"
            .to_owned(),
    });
    rows[1].deleting = true;
    Rows::Objects {
        columns: Some(columns),
        rows,
    }
}

fn cluster_events() -> Rows {
    let names = [
        "Last Seen",
        "Type",
        "Reason",
        "Object",
        "Subobject",
        "Source",
        "Message",
    ];
    let event = |name: &str, cells: [&str; 7]| row(("", "Event"), name, &cells);
    let image = "Failed to pull image \"registry.example.com/shop/checkout:2.0\": not found";
    let rows = vec![
        event(
            "checkout-84c66b-aaaaa.18ea3e76",
            [
                "12s",
                "Warning",
                "Failed",
                "pod/checkout-84c66b-aaaaa",
                "",
                "kubelet",
                image,
            ],
        ),
        event(
            "checkout.18ea3e75",
            [
                "2m",
                "Normal",
                "ScalingReplicaSet",
                "deployment/checkout",
                "",
                "deployment-controller",
                "Scaled up replica set checkout-84c66b from 0 to 1",
            ],
        ),
    ];
    Rows::Objects {
        columns: Some(names.map(|name| column(name, false)).to_vec()),
        rows,
    }
}

fn namespaces() -> Rows {
    let columns = vec![
        column("Name", false),
        column("Status", false),
        column("Age", false),
    ];
    let rows = [
        "argocd",
        "default",
        "guestbook-dev",
        "guestbook-prod",
        "shop",
    ]
    .iter()
    .map(|name| {
        let mut row = row(("", "Namespace"), name, &[name, "Active", "12d"]);
        row.object.namespace = None;
        row
    })
    .collect();
    Rows::Objects {
        columns: Some(columns),
        rows,
    }
}

fn detail(object: &ObjectRef) -> ApplicationDetail {
    let known = applications().into_iter();
    let row: Application = known
        .into_iter()
        .find(|app| app.object == *object)
        .unwrap_or_else(|| application("argocd", &object.name));
    let history = (1..=6)
        .rev()
        .map(|id| HistoryEntry {
            id,
            revisions: vec![format!("{:07x}{:033}", id * 0x0012_3457, 0).into()],
            sources: row.sources.clone(),
            deployed_at: Some(ago((7 - id) * 86_400)),
            started_at: Some(ago((7 - id) * 86_400 + 14)),
            initiated_by: if id % 2 == 0 { "automated" } else { "oncall" }.into(),
        })
        .collect();
    ApplicationDetail {
        resources: vec![ManagedResource {
            kind: GroupKind::new("apps", "Deployment"),
            version: "v1".into(),
            namespace: "shop".into(),
            name: "checkout".into(),
            sync: SyncStatus::OutOfSync,
            health: None,
            hook: false,
            requires_pruning: false,
            requires_deletion_confirmation: false,
            wave: 0,
        }],
        history,
        results: Vec::new(),
        external_urls: Vec::new(),
        sync_options: vec!["CreateNamespace=true".into()],
        row,
    }
}

fn node(kind: (&str, &str), name: &str, parent: Option<usize>) -> TreeNode {
    TreeNode {
        object: object(kind, "shop", name),
        uid: Some(Uid(format!("{}-{name}", kind.1).into())),
        parent,
        health: Some(Health::Healthy),
        health_message: None,
        sync: parent.is_none().then_some(SyncStatus::Synced),
        requires_pruning: false,
        hook: false,
        wave: None,
        info: Vec::new(),
        images: Vec::new(),
        image_states: Vec::new(),
        created: Some(ago(7_300)),
        deleting: None,
    }
}

fn tree() -> ResourceTree {
    let mut nodes = vec![
        node(("", "ConfigMap"), "checkout-config-5f7d8", None),
        node(("", "ConfigMap"), "checkout-config-old", None),
        node(("", "Service"), "checkout", None),
        node(
            ("discovery.k8s.io", "EndpointSlice"),
            "checkout-8x7vq",
            Some(2),
        ),
        node(("apps", "Deployment"), "checkout", None),
        node(("apps", "ReplicaSet"), "checkout-84c66b", Some(4)),
        node(("", "Pod"), "checkout-84c66b-aaaaa", Some(5)),
        node(("apps", "ReplicaSet"), "checkout-7d9f8c", Some(4)),
        node(("", "Pod"), "checkout-7d9f8c-x2x9p", Some(7)),
        node(("", "Pod"), "checkout-7d9f8c-zq4vm", Some(7)),
        node(("batch", "Job"), "migrate", None),
        node(("networking.k8s.io", "Ingress"), "checkout", None),
    ];
    nodes[0].health = None;
    nodes[1].health = None;
    nodes[1].sync = Some(SyncStatus::OutOfSync);
    nodes[1].requires_pruning = true;
    nodes[3].health = None;
    nodes[4].sync = Some(SyncStatus::OutOfSync);
    nodes[4].health = Some(Health::Progressing);
    nodes[4].health_message = Some("2 of 3 replicas are updated".into());
    nodes[4].info = vec!["2/3".into(), "rev 7".into()];
    nodes[4].images = vec!["registry.example.com/shop/checkout:2.0".into()];
    nodes[5].info = vec!["0/1".into(), "rev 7".into()];
    nodes[5].health = Some(Health::Progressing);
    nodes[6].health = Some(Health::Degraded);
    nodes[6].health_message = Some(
        "container `app`: image `registry.example.com/shop/checkout:2.0` cannot be pulled".into(),
    );
    nodes[6].info = vec!["0/1".into(), "ImagePullBackOff".into()];
    nodes[6].images = vec!["registry.example.com/shop/checkout:2.0".into()];
    nodes[7].info = vec!["2/2".into(), "rev 6".into()];
    for pod in [8, 9] {
        nodes[pod].info = vec!["1/1".into(), "Running".into()];
        nodes[pod].images = vec!["registry.example.com/shop/checkout:1.9".into()];
    }
    nodes[9].deleting = Some(ago(12));
    nodes[10].hook = true;
    nodes[10].info = vec!["1/1".into(), "Complete".into()];
    nodes[10].wave = Some(-1);
    nodes[11].uid = None;
    nodes[11].health = Some(Health::Missing);
    nodes[11].sync = Some(SyncStatus::OutOfSync);
    nodes[11].created = None;
    let mut tree = ResourceTree {
        nodes,
        findings: Vec::new(),
    };
    tree.set_image_states(|object| match &*object.name {
        "checkout-7d9f8c-x2x9p" => vec![ImageState::Behind(1)],
        "checkout-7d9f8c-zq4vm" => vec![ImageState::MovedTag, ImageState::Behind(1)],
        _ => Vec::new(),
    });
    tree
}

fn logs() -> Vec<LogLine> {
    let line = |origin: &str, seconds: i64, content: &str| LogLine {
        origin: origin.into(),
        at: Some(ago(seconds)),
        text: content.into(),
    };
    vec![
        line(
            "checkout-7d9f8c-x2x9p",
            40,
            "level=info msg=\"listening\" port=8080",
        ),
        line(
            "checkout-7d9f8c-zq4vm",
            39,
            "level=info msg=\"listening\" port=8080",
        ),
        line(
            "checkout-7d9f8c-x2x9p",
            31,
            "level=debug msg=\"cache is cold\" keys=0",
        ),
        line(
            "checkout-7d9f8c-x2x9p",
            30,
            "level=warn msg=\"slow query\" took=1.2s",
        ),
        line(
            "checkout-84c66b-aaaaa",
            12,
            "level=error msg=\"cannot reach ledger\" error=\"connection refused\"",
        ),
        line(
            "checkout-84c66b-aaaaa",
            11,
            "\u{1b}[31mFATAL\u{1b}[0m giving up\tafter 3 tries",
        ),
        line(
            "checkout-7d9f8c-x2x9p",
            2,
            "level=info msg=\"order placed\" id=4711 total=12.90",
        ),
    ]
}

fn events() -> Vec<EventRow> {
    let event = |seconds: i64, reason: &str, message: &str, count: u32| EventRow {
        last_seen: Some(ago(seconds)),
        warning: reason == "Failed" || reason == "BackOff",
        reason: reason.into(),
        message: message.into(),
        count,
        source: "kubelet".into(),
    };
    vec![
        event(
            130,
            "Scheduled",
            "Successfully assigned shop/checkout-84c66b-aaaaa to node-1",
            1,
        ),
        event(
            120,
            "Pulling",
            "Pulling image \"registry.example.com/shop/checkout:2.0\"",
            4,
        ),
        event(118, "Failed", "Failed to pull image: not found", 4),
        event(
            12,
            "BackOff",
            "Back-off pulling image \"registry.example.com/shop/checkout:2.0\"",
            9,
        ),
    ]
}

fn diffs() -> Vec<ObjectDiff> {
    let target = YAML
        .replace("checkout:1.9", "checkout:2.0")
        .replace("replicas: 2", "replicas: 3");
    vec![
        ObjectDiff {
            object: object(("apps", "Deployment"), "shop", "checkout"),
            against: DiffBase::Git,
            live: Some(YAML.into()),
            target: Some(target.into()),
        },
        ObjectDiff {
            object: object(("", "ConfigMap"), "shop", "checkout-config-old"),
            against: DiffBase::Git,
            live: Some("apiVersion: v1\nkind: ConfigMap\ndata:\n  LEDGER: http://ledger\n".into()),
            target: None,
        },
    ]
}

fn contexts() -> Vec<ContextInfo> {
    [("kind-demo", true), ("prod-eu", false), ("prod-us", false)]
        .iter()
        .map(|(name, current)| ContextInfo {
            name: (*name).into(),
            cluster: (*name).into(),
            server: format!("https://{name}.example.com:6443").into(),
            user: "oncall".into(),
            namespace: "default".into(),
            current: *current,
        })
        .collect()
}

fn kinds() -> Vec<KindEntry> {
    tiphys::domain::kind::KINDS
        .iter()
        .map(|info| KindEntry {
            kind: info.group_kind(),
            version: info.version.into(),
            plural: info.plural.into(),
            short_names: info.short_names.iter().map(|name| text(name)).collect(),
            namespaced: info.namespaced,
        })
        .collect()
}

const YAML: &str = "\
apiVersion: apps/v1
kind: Deployment
metadata:
  name: checkout
  namespace: shop
  labels:
    app: checkout
spec:
  replicas: 2 # scaled by hand
  paused: false
  selector:
    matchLabels:
      app: checkout
  template:
    spec:
      containers:
        - name: app
          image: registry.example.com/shop/checkout:1.9
          args: [\"--listen\", \":8080\"]
          ports:
            - containerPort: 8080
";

const DESCRIBE: &str = "\
Name:         checkout-84c66b-aaaaa
Namespace:    shop
Status:       Pending
Containers:
  app:
    Image:    registry.example.com/shop/checkout:2.0
    State:    Waiting
      Reason: ImagePullBackOff
";
