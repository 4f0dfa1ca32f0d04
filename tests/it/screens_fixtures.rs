//! A small platform in plain data, for looking at screens: one moment, fixed for ever.

use chrono::{DateTime, TimeDelta, Utc};
use std::time::Duration;
use tiphys::app::keymap::Keymap;
use tiphys::app::screens::Screen;
use tiphys::app::state::{Settings, State};
use tiphys::app::view::TableView;
use tiphys::domain::application::{
    Application, AutoSync, Condition, Destination, OperationView, Phase, Source,
};
use tiphys::domain::kind::ARGO;
use tiphys::domain::object::{Cluster, GroupKind, ObjectRef, ResourceVersion, Text, Uid};
use tiphys::domain::rows::{Delta, Rows};
use tiphys::domain::status::{Freshness, Health, SyncStatus};
use tiphys::engine::protocol::{Connection, SourceName};
use tiphys::ui::draw_buffer;
use tiphys::ui::export::{plain, roles, svg};
use tiphys::ui::theme::{Background, Capability, Theme};

pub(crate) const NARROW: (u16, u16) = (80, 24);
pub(crate) const USUAL: (u16, u16) = (120, 40);
pub(crate) const WIDE: (u16, u16) = (200, 60);

pub(crate) fn now() -> DateTime<Utc> {
    DateTime::from_timestamp(1_790_000_000, 0).expect("a time")
}

pub(crate) fn ago(seconds: i64) -> DateTime<Utc> {
    now() - TimeDelta::seconds(seconds)
}

pub(crate) fn dark() -> Theme {
    Theme::for_background(Background::Dark, Capability::default())
}

pub(crate) fn object(kind: (&str, &str), namespace: &str, name: &str) -> ObjectRef {
    ObjectRef {
        cluster: Cluster("kind-demo".into()),
        kind: GroupKind::new(kind.0, kind.1),
        namespace: Some(namespace.into()),
        name: name.into(),
    }
}

pub(crate) fn application_ref(namespace: &str, name: &str) -> ObjectRef {
    object((ARGO, "Application"), namespace, name)
}

pub(crate) fn finished(phase: Phase, seconds: i64) -> OperationView {
    OperationView::Finished {
        phase,
        message: match phase {
            Phase::Succeeded => "successfully synced (all tasks run)".into(),
            Phase::Running | Phase::Terminating | Phase::Failed | Phase::Error | Phase::Unknown => {
                "one or more objects failed to apply".into()
            }
        },
        at: Some(ago(seconds)),
        by: "automated".into(),
    }
}

/// An Application that is well.
pub(crate) fn application(namespace: &str, name: &str) -> Application {
    Application {
        object: application_ref(namespace, name),
        uid: Uid(format!("{namespace}-{name}").into()),
        resource_version: ResourceVersion("1".into()),
        created: Some(ago(12 * 86_400)),
        deleting: None,
        labels: Vec::new(),
        project: "default".into(),
        sources: vec![Source {
            repo: "https://git.example.com/platform/deploy.git".into(),
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
        auto_sync: AutoSync {
            present: true,
            on: true,
            prune: true,
            self_heal: true,
            allow_empty: false,
        },
        sync: SyncStatus::Synced,
        revisions: vec!["3f2a91c4d5e6f7089123456789abcdef01234567".into()],
        health: Health::Healthy,
        health_message: None,
        resources: 9,
        out_of_sync: 0,
        operation: finished(Phase::Succeeded, 7_200),
        conditions: Vec::new(),
        reconciled_at: Some(ago(30)),
        refresh_pending: None,
        verdict_outdated: false,
        skip_reconcile: false,
        owner_set: None,
        parent: None,
        images: vec!["registry.example.com/demo/app:1.4.2".into()],
        rollouts: Vec::new(),
        findings: Vec::new(),
    }
}

/// Twelve Applications that show every state once.
pub(crate) fn applications() -> Vec<Application> {
    let mut all: Vec<Application> = [
        "checkout-prod",
        "checkout-staging",
        "guestbook-dev",
        "guestbook-prod",
        "inventory",
        "ledger",
        "mail-relay",
        "notifications-with-a-rather-long-name-that-has-to-be-cut-somewhere",
        "payments",
        "search",
        "ゲストブック",
        "zeta",
    ]
    .iter()
    .map(|name| application("argocd", name))
    .collect();
    all[0].project = "shop".into();
    all[0].sync = SyncStatus::OutOfSync;
    all[0].out_of_sync = 2;
    all[0].auto_sync = AutoSync::default();
    all[1].project = "shop".into();
    all[1].health = Health::Progressing;
    all[1].auto_sync.prune = false;
    all[1].revisions = vec!["9b1c22e4d5e6f7089123456789abcdef01234567".into()];
    all[1].operation = OperationView::Active {
        phase: Phase::Running,
        message: "waiting for healthy state of apps/Deployment/checkout".into(),
        started: Some(ago(40)),
    };
    all[2].health = Health::Degraded;
    all[2].health_message = Some("deployment `guestbook-ui` exceeded its progress deadline".into());
    all[2].operation = finished(Phase::Failed, 300);
    all[2].created = Some(ago(3 * 86_400));
    all[4].health = Health::Missing;
    all[4].sync = SyncStatus::OutOfSync;
    all[4].out_of_sync = 9;
    all[4].operation = OperationView::None;
    all[4].created = Some(ago(50));
    all[5].health = Health::Suspended;
    all[6].health = Health::Unknown;
    all[6].sync = SyncStatus::Unknown;
    all[6].conditions = vec![Condition {
        kind: "ComparisonError".into(),
        message: "repository `https://git.example.com/mail.git` not found".into(),
        since: Some(ago(600)),
    }];
    all[8].operation = OperationView::WaitingRetry {
        attempt: 2,
        limit: 5,
        at: ago(-20),
        message: "admission webhook denied the request".into(),
    };
    all[8].sync = SyncStatus::OutOfSync;
    all[8].out_of_sync = 1;
    all
}

pub(crate) fn connection() -> Connection {
    Connection {
        cluster: Cluster("kind-demo".into()),
        context: "kind-demo".into(),
        server: "https://127.0.0.1:6443".into(),
        user: "admin".into(),
        server_version: "v1.33.2".into(),
        argocd_version: "v3.1.0".into(),
        automated_enabled: true,
        restricted_to: None,
    }
}

/// A cockpit that is connected and current, before any row.
pub(crate) fn connected(size: (u16, u16)) -> State {
    let mut state = State::new(Settings::default(), Keymap::default());
    state.now.platform = now();
    state.now.real = Duration::from_secs(100);
    state.size = size;
    state.link.connection = Some(connection());
    state.link.freshness = vec![
        (SourceName::Kubernetes, Freshness::Live),
        (
            SourceName::Kind(GroupKind::new(ARGO, "Application")),
            Freshness::Live,
        ),
    ];
    state
}

/// A connected cockpit with these Applications.
pub(crate) fn with_applications(size: (u16, u16), apps: Vec<Application>) -> State {
    let mut state = connected(size);
    state.store.apply(Delta {
        kind: GroupKind::new(ARGO, "Application"),
        reset: true,
        rows: Rows::Applications(apps),
        removed: Vec::new(),
    });
    refresh(&mut state);
    state
}

/// Brings the shown table up to date with the store.
pub(crate) fn refresh(state: &mut State) {
    let shown = state.shown();
    let window = usize::from(state.size.1) - 6;
    if let Some(Screen::Applications(screen) | Screen::Kind(screen) | Screen::Namespaces(screen)) =
        state.stack.last_mut()
    {
        screen.view.refresh(&state.store, shown, window, now());
        screen.view.freeze_widths();
    }
}

/// Changes the shown table.
pub(crate) fn on_table(state: &mut State, change: impl FnOnce(&mut TableView)) {
    match state.stack.last_mut() {
        Some(Screen::Applications(screen) | Screen::Kind(screen) | Screen::Namespaces(screen)) => {
            change(&mut screen.view);
        }
        other => panic!("no table is shown but {other:?}"),
    }
}

/// Puts the cursor of the shown table on a row.
pub(crate) fn move_to(state: &mut State, position: usize) {
    let window = usize::from(state.size.1) - 6;
    let store = std::mem::take(&mut state.store);
    on_table(state, |view| view.move_to(position, &store, window));
    state.store = store;
}

pub(crate) fn text(value: &str) -> Text {
    value.into()
}

/// The screen as text.
pub(crate) fn shown(state: &State) -> String {
    plain(&draw_buffer(state, &dark(), state.size))
}

/// The screen as one symbol for each role.
pub(crate) fn styled(state: &State) -> String {
    let theme = dark();
    roles(&draw_buffer(state, &theme, state.size), &theme)
}

/// Writes pictures of a screen in every theme, for people to look at.
pub(crate) fn picture(name: &str, state: &State) {
    let folder = std::path::Path::new(env!("CARGO_TARGET_TMPDIR")).join("gallery");
    std::fs::create_dir_all(&folder).expect("a folder");
    for theme in ["tiphys-dark", "tiphys-light", "mono"] {
        let theme = Theme::named(theme, Capability::default()).expect("built in");
        let buffer = draw_buffer(state, &theme, state.size);
        let file = folder.join(format!("{name}.{}.svg", theme.name));
        std::fs::write(file, svg(&buffer, &theme)).expect("a picture");
    }
}
