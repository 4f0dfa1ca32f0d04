//! The whole contract between the cockpit and the engine.
//!
//! The cockpit sends [`Request`]s (`try_send`, never awaited) and receives [`Update`]s. Every
//! answer carries the [`Generation`] of the connection it belongs to; after a switch of context
//! or namespace the cockpit drops what is older. Kube types never pass through here.

use crate::domain::alert::AlertBoard;
use crate::domain::analysis::AnalysisRun;
use crate::domain::application::ApplicationDetail;
use crate::domain::dashboard::Dashboard;
use crate::domain::event_flow::EventFlow;
use crate::domain::finding::Finding;
use crate::domain::graph::ResourceTree;
use crate::domain::image::{ArtifactDetail, ImagePlan};
use crate::domain::intent::{Intent, IntentId, Stage};
use crate::domain::metric::{Board, QueryAnswer, QueryError, RangeWish};
use crate::domain::object::{Cluster, GroupKind, ObjectRef, Text};
use crate::domain::pipeline::RunDetail;
use crate::domain::pipeline::template::RunTemplate;
use crate::domain::rollout::RolloutDetail;
use crate::domain::servers::Secret;
use crate::domain::status::Freshness;
use chrono::{DateTime, Utc};

pub use crate::domain::rows::{Column, Delta, ObjectRow, Rows};

/// Counts connections; a new context or namespace scope starts a new one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Default)]
pub struct Generation(pub u64);

/// Numbers a subscription or a fetch within one run; chosen by the cockpit.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Ticket(pub u64);

/// What the cockpit asks of the engine.
#[derive(Clone, Debug, PartialEq)]
pub enum Request {
    /// Connect to a context (`None`: the current one) and watch one namespace or all. Ends every
    /// subscription; those sent after it belong to the new connection.
    Connect {
        generation: Generation,
        context: Option<Text>,
        scope: Scope,
    },
    /// Begin to send something until [`Request::Unsubscribe`].
    Subscribe {
        ticket: Ticket,
        topic: Topic,
    },
    Unsubscribe {
        ticket: Ticket,
    },
    /// So many rows of a table that is read page by page are wanted; see [`Update::Extent`].
    More {
        ticket: Ticket,
        rows: usize,
    },
    /// Read something once.
    Fetch {
        ticket: Ticket,
        what: Fetch,
    },
    /// Carry out an intent. `dry_run` asks the server to check it only.
    Act {
        id: IntentId,
        intent: Intent,
        dry_run: bool,
    },
    /// List and watch again from the start (ctrl-r).
    Reload,
    /// Try again now, instead of at the next back-off.
    RetryNow,
}

/// One namespace, or all of them.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Scope {
    All,
    Namespace(Text),
}

/// What can be watched.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Topic {
    /// All objects of a kind in the scope. Applications, Rollouts, AnalysisRuns, CronWorkflows and
    /// runs (under [`crate::domain::pipeline::runs_kind`]) arrive as rows of their own, and so do the
    /// kinds of [`crate::domain::image`], which registries tell; other kinds as [`Rows::Objects`] with the server's own columns.
    Kind(GroupKind),
    /// One Application: its detail and its resource tree.
    Application(ObjectRef),
    /// Log lines of a Pod, or of all Pods below a workload or an Application.
    Logs {
        object: ObjectRef,
        options: LogOptions,
    },
    /// Namespaces of the cluster.
    Namespaces,
    /// One Rollout with all that hangs on it; arrives as [`Update::Rollout`].
    Rollout(ObjectRef),
    /// One AnalysisRun; arrives as [`Update::AnalysisRun`].
    AnalysisRun(ObjectRef),
    /// A range query, asked again at every step; arrives as [`Update::Query`].
    Query { expr: Text, wish: RangeWish },
    /// Request rate, errors and latency of what an object serves, by version; arrives as
    /// [`Update::Board`]. For a Rollout, a Service, an Application or a namespace.
    Board { object: ObjectRef, wish: RangeWish },
    /// Alerts and silences; arrives as [`Update::Alerts`].
    Alerts,
    /// One run of a pipeline; arrives as [`Update::Run`].
    Run(ObjectRef),
    /// One image with where it runs; arrives as [`Update::Image`].
    Image(ObjectRef),
    /// EventSources, Sensors, what they made and what came in; arrives as [`Update::EventFlow`].
    EventFlow,
}

/// Which log lines.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct LogOptions {
    /// `None`: every container, each line prefixed.
    pub container: Option<Text>,
    /// Of the run before the last restart.
    pub previous: bool,
    /// At most this many lines from the end to begin with.
    pub tail: u32,
    /// Only lines younger than this many seconds.
    pub since_seconds: Option<u32>,
    pub follow: bool,
}

/// What can be read once.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Fetch {
    /// The object as YAML; `managedFields` are left out, Secret values are masked unless asked.
    Yaml {
        object: ObjectRef,
        reveal_secrets: bool,
    },
    /// In the style of `kubectl describe`, with events.
    Describe { object: ObjectRef },
    /// Events about the object, oldest first.
    Events { object: ObjectRef },
    /// What differs between live and target, for one object or all objects of an Application.
    Diff {
        application: ObjectRef,
        object: Option<ObjectRef>,
    },
    /// Why an object is not synced, not healthy or not promoted.
    Why { object: ObjectRef },
    /// What the user may do: answers to access reviews, by verb id.
    Access { object: ObjectRef },
    /// Contexts of the kubeconfig.
    Contexts,
    /// Kinds that the server has.
    Kinds,
    /// An instant query.
    Query { expr: Text },
    /// The values a dashboard's variable can have, from its query (`label_values(…)`).
    Values { query: Text },
    /// Grafana dashboards in the cluster's ConfigMaps, those of one namespace or all.
    Dashboards { namespace: Option<Text> },
    /// A Grafana dashboard from its JSON text.
    Dashboard { json: Text },
    /// Where runs of GitHub Actions are read, and how many requests are left; as text.
    GitHub,
    /// What has to be given to make a run from a template, a Pipeline or a schedule.
    Template { object: ObjectRef },
    /// How an image can be set on objects: by which commit, or by a patch. Nothing is changed.
    ImagePlans {
        objects: Vec<ObjectRef>,
        /// `*`: every one.
        container: Text,
        image: Text,
    },
}

/// What the engine reports.
#[derive(Clone, Debug, PartialEq)]
pub enum Update {
    /// A connection was made or lost, with what is known of the server.
    Connection {
        generation: Generation,
        connection: Connection,
    },
    /// How current a source is.
    Freshness {
        generation: Generation,
        source: SourceName,
        freshness: Freshness,
    },
    /// Rows of one kind changed.
    Delta {
        generation: Generation,
        ticket: Ticket,
        delta: Delta,
    },
    /// How many rows a table has in all that is read page by page; `None` when nobody counts.
    /// More than arrived are read after [`Request::More`].
    Extent {
        generation: Generation,
        ticket: Ticket,
        total: Option<usize>,
    },
    /// The detail of a subscribed Application; `None` after it was deleted.
    Application {
        generation: Generation,
        ticket: Ticket,
        detail: Option<Box<ApplicationDetail>>,
    },
    /// The whole tree of a subscribed Application.
    Tree {
        generation: Generation,
        ticket: Ticket,
        tree: Box<ResourceTree>,
    },
    /// A subscribed Rollout; `None` after it was deleted.
    Rollout {
        generation: Generation,
        ticket: Ticket,
        detail: Option<Box<RolloutDetail>>,
    },
    /// A subscribed AnalysisRun; `None` after it was deleted.
    AnalysisRun {
        generation: Generation,
        ticket: Ticket,
        run: Option<Box<AnalysisRun>>,
    },
    /// The newest answer to a subscribed query. After an error the last good answer stands, and
    /// [`Update::Freshness`] of [`SourceName::Prometheus`] says since when.
    Query {
        generation: Generation,
        ticket: Ticket,
        answer: Result<Box<QueryAnswer>, QueryError>,
    },
    /// The charts of a subscribed board.
    Board {
        generation: Generation,
        ticket: Ticket,
        board: Box<Board>,
    },
    /// Alerts and silences.
    Alerts {
        generation: Generation,
        ticket: Ticket,
        board: Box<AlertBoard>,
    },
    /// A subscribed run; `None` after it was deleted.
    Run {
        generation: Generation,
        ticket: Ticket,
        detail: Option<Box<RunDetail>>,
    },
    /// A subscribed image; `None` when no registry has it and it runs nowhere.
    Image {
        generation: Generation,
        ticket: Ticket,
        detail: Option<Box<ArtifactDetail>>,
    },
    /// The secret of a robot account that was just made or refreshed. It is told once, kept by
    /// nobody, and never part of an outcome.
    Secret {
        id: IntentId,
        account: Text,
        secret: Secret,
    },
    /// From events to what they caused.
    EventFlow {
        generation: Generation,
        ticket: Ticket,
        flow: Box<EventFlow>,
    },
    /// Log lines in order. `ended` when the stream is over.
    Logs {
        ticket: Ticket,
        lines: Vec<LogLine>,
        ended: Option<Text>,
    },
    /// The answer to a fetch.
    Fetched {
        ticket: Ticket,
        answer: Result<Answer, Finding>,
    },
    /// An intent moved on.
    Outcome {
        id: IntentId,
        at: DateTime<Utc>,
        stage: Stage,
    },
    /// Something went wrong that belongs to no single request.
    Trouble {
        generation: Generation,
        finding: Finding,
    },
}

/// A source of data, as shown in the header.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum SourceName {
    /// The API server itself.
    Kubernetes,
    /// The watch of one kind.
    Kind(GroupKind),
    /// The metrics server.
    Prometheus,
    Alertmanager,
    /// A registry, by the host in image references.
    Registry(Text),
    /// GitHub, for runs of Actions.
    GitHub,
}

/// What is known of the connected server.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Connection {
    pub cluster: Cluster,
    pub context: Text,
    pub server: Text,
    pub user: Text,
    /// Such as `v1.33.2`; empty until known.
    pub server_version: Text,
    /// Such as `v3.1.0`; empty when it cannot be told.
    pub argocd_version: Text,
    /// `spec.syncPolicy.automated.enabled` exists in the CRD (Argo CD 3.1 and later).
    pub automated_enabled: bool,
    /// Namespace fallback after a 403 on cluster-wide lists.
    pub restricted_to: Option<Text>,
}

/// One line of a log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LogLine {
    /// Pod and container, when lines of several are mixed; empty otherwise.
    pub origin: Text,
    pub at: Option<DateTime<Utc>>,
    /// As the server sent it; made harmless when it is drawn.
    pub text: Text,
}

/// The answer to a [`Fetch`].
#[derive(Clone, Debug, PartialEq)]
pub enum Answer {
    /// YAML, describe: plain text by lines.
    Text {
        title: Text,
        lines: Vec<Text>,
    },
    Events(Vec<EventRow>),
    Diff(Vec<ObjectDiff>),
    Why(Vec<Finding>),
    Access(Vec<(Text, bool)>),
    Contexts(Vec<ContextInfo>),
    Kinds(Vec<KindEntry>),
    Query(Result<Box<QueryAnswer>, QueryError>),
    Values(Vec<Text>),
    Dashboards(Vec<Dashboard>),
    Template(Box<RunTemplate>),
    ImagePlans(Vec<ImagePlan>),
}

/// One Kubernetes event.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EventRow {
    pub last_seen: Option<DateTime<Utc>>,
    pub warning: bool,
    pub reason: Text,
    pub message: Text,
    pub count: u32,
    pub source: Text,
}

/// How one object differs from what it should be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ObjectDiff {
    pub object: ObjectRef,
    /// What the live object was compared with.
    pub against: DiffBase,
    /// Live state as YAML; `None` when there is no live object.
    pub live: Option<Text>,
    /// Target state as YAML; `None` when it will be pruned.
    pub target: Option<Text>,
}

/// What a diff was made against.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum DiffBase {
    /// The target state rendered from git by Argo CD.
    Git,
    /// `kubectl.kubernetes.io/last-applied-configuration`; not Argo CD's target.
    LastApplied,
    /// Neither is available; only the live state can be shown.
    Nothing,
}

/// One context of the kubeconfig.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ContextInfo {
    pub name: Text,
    pub cluster: Text,
    pub server: Text,
    pub user: Text,
    pub namespace: Text,
    pub current: bool,
}

/// A kind that the server has.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KindEntry {
    pub kind: GroupKind,
    pub version: Text,
    pub plural: Text,
    pub short_names: Vec<Text>,
    pub namespaced: bool,
}
