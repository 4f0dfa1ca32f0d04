//! A cockpit without a terminal and without a server, for tests of `update`.

#![allow(
    unreachable_pub,
    clippy::wildcard_enum_match_arm,
    reason = "fixtures for the tests beside it, which look for one thing among many"
)]

use chrono::{DateTime, TimeDelta, Utc};
use std::time::Duration;
use tiphys::app::effect::Effect;
use tiphys::app::key::Key;
use tiphys::app::keymap::Keymap;
use tiphys::app::msg::Msg;
use tiphys::app::now::Now;
use tiphys::app::overlays::{Dialog, Overlay, Prompt};
use tiphys::app::screens::{Screen, TableScreen};
use tiphys::app::state::{Settings, State};
use tiphys::app::update::{settle, update};
use tiphys::app::viewports::Viewports;
use tiphys::domain::application::{
    Application, ApplicationDetail, AutoSync, Destination, HistoryEntry, OperationView, Source,
};
use tiphys::domain::graph::{ResourceTree, TreeNode};
use tiphys::domain::intent::Intent;
use tiphys::domain::object::{Cluster, GroupKind, ObjectRef, ResourceVersion, Text, Uid};
use tiphys::domain::status::{Freshness, Health, SyncStatus};
use tiphys::engine::protocol::{
    Connection, Delta, Request, Rows, SourceName, Ticket, Topic, Update,
};

/// A state machine under test, with the effects of the last message.
pub struct Cockpit {
    pub state: State,
    pub effects: Vec<Effect>,
    pub now: Now,
    requests: Vec<Request>,
}

impl Cockpit {
    /// Starts with a connection to `dev` and no rows.
    pub fn connected() -> Self {
        Self::connected_with(Settings::default())
    }

    pub fn connected_with(settings: Settings) -> Self {
        let mut cockpit = Self {
            state: State::new(settings, Keymap::default()),
            effects: Vec::new(),
            now: Now {
                platform: epoch() + TimeDelta::days(30),
                real: Duration::ZERO,
            },
            requests: Vec::new(),
        };
        cockpit.send(Msg::Start);
        cockpit.send(Msg::Viewports(Viewports {
            rows: 10,
            columns: 118,
            overlay_rows: 8,
        }));
        cockpit.connect();
        cockpit
    }

    pub fn connect(&mut self) {
        let update = Update::Connection {
            generation: self.state.link.generation,
            connection: Connection {
                cluster: cluster(),
                context: "dev".into(),
                server: "https://dev.example".into(),
                user: "oncall".into(),
                server_version: "v1.33.2".into(),
                argocd_version: "v3.1.0".into(),
                automated_enabled: true,
                restricted_to: None,
            },
        };
        self.report(update);
    }

    pub fn send(&mut self, msg: Msg) {
        self.effects = update(&mut self.state, msg, self.now);
        settle(&mut self.state, self.now);
        for effect in &self.effects {
            if let Effect::Engine(request) = effect {
                self.requests.push(request.clone());
            }
        }
    }

    pub fn report(&mut self, update: Update) {
        self.send(Msg::Update(Box::new(update)));
    }

    /// Presses keys by name, separated by spaces.
    pub fn press(&mut self, keys: &str) {
        for name in keys.split_whitespace() {
            let key = Key::parse(name).expect("a key");
            self.send(Msg::Key(key));
        }
    }

    /// Types text letter by letter.
    pub fn type_text(&mut self, text: &str) {
        for letter in text.chars() {
            self.send(Msg::Key(Key::char(letter)));
        }
    }

    /// Types a line after `:` and accepts it.
    pub fn command(&mut self, line: &str) {
        self.press(":");
        self.type_text(line);
        self.press("enter");
    }

    pub fn pass(&mut self, span: Duration) {
        self.now.real += span;
        self.now.platform += TimeDelta::from_std(span).expect("a short span");
        self.send(Msg::Tick);
    }

    /// Everything that the engine was asked.
    pub fn all_asked(&self) -> &[Request] {
        &self.requests
    }

    /// The newest ticket of a topic.
    pub fn ticket_of(&self, topic: &Topic) -> Ticket {
        let mut requests = self.requests.iter().rev();
        let found = requests.find_map(|request| match request {
            Request::Subscribe { ticket, topic: own } if own == topic => Some(*ticket),
            _ => None,
        });
        found.expect("something subscribed to it")
    }

    /// The newest ticket of any fetch.
    pub fn last_fetch(&self) -> Ticket {
        let mut requests = self.requests.iter().rev();
        let found = requests.find_map(|request| match request {
            Request::Fetch { ticket, .. } => Some(*ticket),
            _ => None,
        });
        found.expect("something was fetched")
    }

    pub fn delta(&mut self, rows: Vec<Application>, removed: Vec<(ObjectRef, Uid)>, reset: bool) {
        let ticket = self.ticket_of(&Topic::Kind(application_kind()));
        self.report(Update::Delta {
            generation: self.state.link.generation,
            ticket,
            delta: Delta {
                kind: application_kind(),
                reset,
                rows: Rows::Applications(rows),
                removed,
            },
        });
    }

    /// Lists Applications and says that the list is complete.
    pub fn list(&mut self, apps: Vec<Application>) {
        self.delta(apps, Vec::new(), true);
        self.report(Update::Freshness {
            generation: self.state.link.generation,
            source: SourceName::Kind(application_kind()),
            freshness: Freshness::Live,
        });
    }

    pub fn change(&mut self, app: Application) {
        self.delta(vec![app], Vec::new(), false);
    }

    pub fn table(&self) -> &TableScreen {
        self.state.screen().table().expect("a table is shown")
    }

    /// Names of the visible rows, in order.
    pub fn names(&self) -> Vec<String> {
        let view = &self.table().view;
        let table = self.state.store.table(&view.kind);
        let rows = view.visible().iter();
        rows.filter_map(|id| table?.row(*id))
            .map(|row| row.object().name.to_string())
            .collect()
    }

    pub fn cursor(&self) -> String {
        let row = self.table().view.current(&self.state.store);
        row.map(|row| row.object().path()).unwrap_or_default()
    }

    pub fn dialog(&self) -> &Dialog {
        match &self.state.overlay {
            Some(Overlay::Dialog(dialog)) => dialog,
            other => panic!("no dialog but {other:?}"),
        }
    }

    pub fn prompt(&self) -> &Prompt {
        match &self.state.overlay {
            Some(Overlay::Prompt(prompt)) => prompt,
            other => panic!("no prompt but {other:?}"),
        }
    }

    /// Intents that the last message sent.
    pub fn intents(&self) -> Vec<Intent> {
        let effects = self.effects.iter();
        effects
            .filter_map(|effect| match effect {
                Effect::Engine(Request::Act { intent, .. }) => Some(intent.clone()),
                _ => None,
            })
            .collect()
    }

    /// Requests that the last message sent.
    pub fn asked(&self) -> Vec<&Request> {
        let effects = self.effects.iter();
        effects
            .filter_map(|effect| match effect {
                Effect::Engine(request) => Some(request),
                _ => None,
            })
            .collect()
    }

    pub fn toasts(&self) -> Vec<String> {
        let toasts = self.state.toasts.shown().iter();
        toasts.map(|toast| toast.text.to_string()).collect()
    }

    pub fn screen_word(&self) -> String {
        self.state.screen().crumb()
    }

    /// Opens an Application's tree and lets it arrive.
    pub fn open_tree(&mut self, app: &Application, tree: ResourceTree) {
        self.press("enter");
        let ticket = self.ticket_of(&Topic::Application(app.object.clone()));
        let generation = self.state.link.generation;
        self.report(Update::Application {
            generation,
            ticket,
            detail: Some(Box::new(detail(app))),
        });
        self.report(Update::Tree {
            generation,
            ticket,
            tree: Box::new(tree),
        });
    }

    /// Names of the visible rows of the tree.
    pub fn tree_rows(&self) -> Vec<String> {
        let Screen::Application(screen) = self.state.screen() else {
            panic!("no tree is shown");
        };
        let rows = screen.rows().iter();
        rows.map(|row| match screen.node(row) {
            Some(node) => node.object.name.to_string(),
            None => screen.object.name.to_string(),
        })
        .collect()
    }

    pub fn tree_cursor(&self) -> String {
        let Screen::Application(screen) = self.state.screen() else {
            panic!("no tree is shown");
        };
        self.tree_rows().swap_remove(screen.position())
    }
}

pub fn epoch() -> DateTime<Utc> {
    DateTime::UNIX_EPOCH + TimeDelta::days(20_000)
}

pub fn cluster() -> Cluster {
    Cluster("dev".into())
}

pub fn application_kind() -> GroupKind {
    GroupKind::new("argoproj.io", "Application")
}

/// A healthy, synced Application in `argocd`.
pub fn app(name: &str) -> Application {
    app_in("argocd", name)
}

pub fn app_in(namespace: &str, name: &str) -> Application {
    Application {
        object: ObjectRef {
            cluster: cluster(),
            kind: application_kind(),
            namespace: Some(namespace.into()),
            name: name.into(),
        },
        uid: Uid(format!("uid-{namespace}-{name}").into()),
        resource_version: ResourceVersion("1".into()),
        created: Some(epoch()),
        deleting: None,
        labels: Vec::new(),
        project: "default".into(),
        sources: vec![Source {
            repo: "https://git.example/deploy.git".into(),
            path: format!("apps/{name}").into(),
            chart: "".into(),
            target_revision: "main".into(),
        }],
        multi_source: false,
        destination: Destination {
            server: "https://kubernetes.default.svc".into(),
            name: "".into(),
            namespace: name.into(),
        },
        auto_sync: AutoSync::default(),
        sync: SyncStatus::Synced,
        revisions: vec!["3f2a91c000000000000000000000000000000000".into()],
        health: Health::Healthy,
        health_message: None,
        resources: 4,
        out_of_sync: 0,
        operation: OperationView::None,
        conditions: Vec::new(),
        reconciled_at: None,
        refresh_pending: None,
        verdict_outdated: false,
        skip_reconcile: false,
        owner_set: None,
        parent: None,
        images: Vec::new(),
        rollouts: Vec::new(),
        findings: Vec::new(),
    }
}

pub fn detail(app: &Application) -> ApplicationDetail {
    ApplicationDetail {
        row: app.clone(),
        resources: Vec::new(),
        history: [(7, "bbb"), (4, "aaa")]
            .into_iter()
            .map(|(id, revision)| HistoryEntry {
                id,
                revisions: vec![revision.into()],
                sources: app.sources.clone(),
                deployed_at: Some(epoch()),
                started_at: None,
                initiated_by: "oncall".into(),
            })
            .collect(),
        results: Vec::new(),
        external_urls: vec!["https://guestbook.example".into()],
        sync_options: Vec::new(),
    }
}

/// A managed Deployment with a ReplicaSet and a Pod, and a managed ConfigMap.
pub fn tree() -> ResourceTree {
    ResourceTree {
        findings: Vec::new(),
        nodes: vec![
            node(
                "apps",
                "Deployment",
                "web",
                None,
                Some(SyncStatus::OutOfSync),
            ),
            node("apps", "ReplicaSet", "web-1", Some(0), None),
            node("", "Pod", "web-1-a", Some(1), None),
            node("", "ConfigMap", "settings", None, Some(SyncStatus::Synced)),
        ],
    }
}

pub fn node(
    group: &str,
    kind: &str,
    name: &str,
    parent: Option<usize>,
    sync: Option<SyncStatus>,
) -> TreeNode {
    let text: Text = format!("uid-{kind}-{name}").into();
    TreeNode {
        object: ObjectRef {
            cluster: cluster(),
            kind: GroupKind::new(group, kind),
            namespace: Some("shop".into()),
            name: name.into(),
        },
        uid: Some(Uid(text)),
        parent,
        health: Some(Health::Healthy),
        health_message: None,
        sync,
        requires_pruning: false,
        hook: false,
        wave: None,
        info: Vec::new(),
        images: Vec::new(),
        image_states: Vec::new(),
        created: Some(epoch()),
        deleting: None,
    }
}
