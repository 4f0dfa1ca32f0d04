//! Rollouts, analyses, metrics and alerts in plain data, for looking at screens.

use super::screens_fixtures::{ago, now, object};
use chrono::TimeDelta;
use tiphys::domain::alert::{Alert, AlertBoard, AlertState, Matcher, Silence, SilenceState};
use tiphys::domain::analysis::{
    AnalysisPhase, AnalysisRole, AnalysisRun, Counts, Limits, Measurement, MetricResult, Tally,
    thresholds_in,
};
use tiphys::domain::dashboard::{Dashboard, Panel, PanelKind, PanelTarget, Place};
use tiphys::domain::image::{ImageState, Severity};
use tiphys::domain::kind::ARGO;
use tiphys::domain::metric::{
    Board, Chart, Grid, Labels, Point, Position, QueryAnswer, QueryError, QueryResult, RangeWish,
    Series, Unit,
};
use tiphys::domain::object::{ObjectRef, ResourceVersion, Uid};
use tiphys::domain::rollout::{
    AnalysisLink, BlueGreen, ContainerImage, Keeper, Pause, PodView, ReplicaSetView, Replicas,
    Revision, Role, Rollout, RolloutDetail, RolloutPhase, Router, Services, Step, Strategy,
    Weights,
};
use tiphys::domain::status::Health;

pub(crate) fn rollout_ref(namespace: &str, name: &str) -> ObjectRef {
    object((ARGO, "Rollout"), namespace, name)
}

/// A healthy canary with all steps done.
pub(crate) fn rollout(namespace: &str, name: &str) -> Rollout {
    let minutes = |minutes| Step::Pause {
        duration: Some(TimeDelta::minutes(minutes)),
    };
    Rollout {
        object: rollout_ref(namespace, name),
        uid: Uid(format!("uid-{namespace}-{name}").into()),
        resource_version: ResourceVersion("1".into()),
        created: Some(ago(12 * 86_400)),
        deleting: None,
        labels: Vec::new(),
        strategy: Strategy::Canary,
        phase: RolloutPhase::Healthy,
        message: "".into(),
        steps: vec![
            Step::SetWeight(20),
            minutes(2),
            Step::Analysis {
                templates: vec!["success-rate".into(), "latency-p95".into()],
            },
            Step::SetWeight(50),
            minutes(5),
            Step::SetWeight(100),
        ],
        step_index: Some(6),
        weights: Weights {
            set: 100,
            actual: 100,
            ..Weights::default()
        },
        replicas: Replicas {
            desired: 5,
            current: 5,
            updated: 5,
            ready: 5,
            available: 5,
        },
        current_hash: "7d9f8c6b9".into(),
        stable_hash: "7d9f8c6b9".into(),
        pauses: Vec::new(),
        controller_pause: false,
        spec_paused: false,
        aborted: false,
        aborted_at: None,
        promote_full: false,
        restart_at: None,
        restarted_at: None,
        unobserved: false,
        images: vec![image(
            "app",
            &format!("registry.example.com/shop/{name}:2.4.1"),
        )],
        workload: None,
        services: Services::default(),
        router: None,
        blue_green: None,
        analyses: Vec::new(),
        conditions: Vec::new(),
        application: None,
        findings: Vec::new(),
    }
}

fn image(container: &str, image: &str) -> ContainerImage {
    ContainerImage {
        container: container.into(),
        image: image.into(),
        init: false,
    }
}

/// Paused in its second step, with traffic routed and measured.
pub(crate) fn paused() -> Rollout {
    Rollout {
        phase: RolloutPhase::Paused,
        message: "CanaryPauseStep".into(),
        step_index: Some(1),
        weights: Weights {
            set: 20,
            actual: 20,
            routed: Some(20),
            measured: Some(19.62),
            ..Weights::default()
        },
        current_hash: "58c4f7d6f".into(),
        pauses: vec![Pause {
            reason: "CanaryPauseStep".into(),
            since: Some(ago(48)),
        }],
        controller_pause: true,
        images: vec![image("app", "registry.example.com/shop/demo-app:2.5.0")],
        router: Some(Router {
            name: "Gateway API".into(),
            routes: Vec::new(),
        }),
        analyses: vec![AnalysisLink {
            role: AnalysisRole::Background,
            name: "demo-app-58c4f7d6f-7".into(),
            phase: AnalysisPhase::Running,
            message: "".into(),
        }],
        ..rollout("demo-app-dev", "demo-app")
    }
}

pub(crate) fn aborted() -> Rollout {
    Rollout {
        phase: RolloutPhase::Degraded,
        message: "RolloutAborted: Rollout aborted update to revision 4: Step-based analysis phase error/failed: Metric \"success-rate\" assessed Failed due to failed (1) > failureLimit (0)".into(),
        step_index: Some(0),
        weights: Weights {
            set: 0,
            actual: 0,
            ..Weights::default()
        },
        current_hash: "6bb97f55c4".into(),
        aborted: true,
        aborted_at: Some(ago(300)),
        ..rollout("shop", "payments")
    }
}

pub(crate) fn blue_green() -> Rollout {
    Rollout {
        strategy: Strategy::BlueGreen,
        phase: RolloutPhase::Paused,
        message: "BlueGreenPause".into(),
        steps: Vec::new(),
        step_index: None,
        current_hash: "5f6d8b7c9".into(),
        pauses: vec![Pause {
            reason: "BlueGreenPause".into(),
            since: Some(ago(900)),
        }],
        blue_green: Some(BlueGreen {
            active: "7d9f8c6b9".into(),
            preview: "5f6d8b7c9".into(),
            auto_promotion: false,
            auto_promotion_after: None,
        }),
        ..rollout("shop", "search")
    }
}

pub(crate) fn rollouts() -> Vec<Rollout> {
    let mut moving = rollout("shop", "checkout");
    moving.phase = RolloutPhase::Progressing;
    moving.message = "more replicas need to be updated".into();
    moving.step_index = Some(3);
    moving.current_hash = "84cd9b5f7".into();
    moving.weights.set = 50;
    moving.weights.actual = 40;
    moving.replicas.ready = 4;
    vec![
        paused(),
        moving,
        aborted(),
        blue_green(),
        rollout("shop", "guestbook"),
    ]
}

fn pod(set: &str, end: &str, seconds: i64) -> PodView {
    let name = format!("{set}-{end}");
    PodView {
        object: object(("", "Pod"), "demo-app-dev", &name),
        uid: Uid(name.into()),
        created: Some(ago(seconds)),
        status: "Running".into(),
        health: Health::Healthy,
        ready: 1,
        containers: 1,
        restarts: 0,
        image_states: match end {
            "zq4vm" => vec![
                ImageState::Behind(2),
                ImageState::Vulnerable {
                    severity: Severity::Critical,
                    fixable: 3,
                },
            ],
            _ => vec![ImageState::Behind(2)],
        },
    }
}

fn set(hash: &str, tag: &str, (revision, count): (i64, u32), roles: Vec<Role>) -> ReplicaSetView {
    let name = format!("demo-app-{hash}");
    let ends = ["x2x9p", "zq4vm", "b7k2d", "m9s4t"];
    let seconds = if revision == 7 { 70 } else { 86_400 };
    ReplicaSetView {
        object: object(("apps", "ReplicaSet"), "demo-app-dev", &name),
        uid: Uid(name.as_str().into()),
        hash: hash.into(),
        revision,
        roles,
        created: Some(ago(seconds)),
        images: vec![image(
            "app",
            &format!("registry.example.com/shop/demo-app:{tag}"),
        )],
        desired: count,
        current: count,
        ready: count,
        available: count,
        health: (count > 0).then_some(Health::Healthy),
        scale_down_at: None,
        pods: ends
            .iter()
            .take(count as usize)
            .map(|end| pod(&name, end, seconds))
            .collect(),
    }
}

pub(crate) fn metric(
    name: &str,
    condition: &str,
    numbers: &[f64],
    phase: AnalysisPhase,
) -> MetricResult {
    let thresholds = thresholds_in(condition, true);
    let measurements: Vec<Measurement> = numbers
        .iter()
        .enumerate()
        .map(|(at, number)| Measurement {
            phase: if thresholds.iter().all(|one| one.holds(*number)) {
                AnalysisPhase::Successful
            } else {
                AnalysisPhase::Failed
            },
            started: Some(ago(60 - at as i64 * 10)),
            finished: Some(ago(60 - at as i64 * 10)),
            value: format!("[{number}]").into(),
            number: Some(*number),
            message: "".into(),
        })
        .collect();
    let failed = measurements
        .iter()
        .filter(|one| one.phase == AnalysisPhase::Failed);
    let failed = failed.count() as u32;
    let total = measurements.len() as u32;
    MetricResult {
        name: name.into(),
        phase,
        message: "".into(),
        provider: "prometheus".into(),
        query: "sum(rate(http_requests_total{app=\"demo-app\",code!~\"5..\"}[1m])) / sum(rate(http_requests_total{app=\"demo-app\"}[1m]))".into(),
        address: "http://prometheus.monitoring.svc.cluster.local:9090".into(),
        success_condition: condition.into(),
        failure_condition: "".into(),
        thresholds,
        interval: Some(TimeDelta::seconds(10)),
        limits: Limits {
            count: Some(6),
            failure: Some(1),
            ..Limits::default()
        },
        measurements,
        counts: Counts {
            total,
            successful: total - failed,
            failed,
            ..Counts::default()
        },
        dry_run: false,
    }
}

pub(crate) fn run() -> AnalysisRun {
    AnalysisRun {
        object: object(
            (ARGO, "AnalysisRun"),
            "demo-app-dev",
            "demo-app-58c4f7d6f-7",
        ),
        uid: Uid("uid-run".into()),
        resource_version: ResourceVersion("1".into()),
        created: Some(ago(60)),
        deleting: false,
        labels: Vec::new(),
        phase: AnalysisPhase::Running,
        message: "".into(),
        role: AnalysisRole::Background,
        owner: Some(rollout_ref("demo-app-dev", "demo-app")),
        revision: Some(7),
        hash: "58c4f7d6f".into(),
        started: Some(ago(60)),
        completed: None,
        metrics: vec![
            metric(
                "success-rate",
                "result[0] >= 0.95",
                &[0.992, 0.987, 0.941, 0.981, 0.993],
                AnalysisPhase::Running,
            ),
            metric(
                "latency-p95",
                "result[0] <= 500",
                &[182.0, 190.0, 310.5, 201.0, 182.0],
                AnalysisPhase::Running,
            ),
        ],
        args: vec![("service".into(), "demo-app".into())],
        tally: Tally {
            count: 2,
            ..Tally::default()
        },
        dry_tally: Tally::default(),
        terminating: false,
        findings: Vec::new(),
    }
}

pub(crate) fn detail(row: Rollout) -> RolloutDetail {
    let mut revisions = vec![
        Revision {
            number: 7,
            replica_sets: vec![set("58c4f7d6f", "2.5.0", (7, 1), vec![Role::Canary])],
            analyses: vec![run()],
            experiments: Vec::new(),
        },
        Revision {
            number: 6,
            replica_sets: vec![set("7d9f8c6b9", "2.4.1", (6, 4), vec![Role::Stable])],
            ..Revision::default()
        },
        Revision {
            number: 5,
            replica_sets: vec![set("6c5d7f8b4", "2.4.0", (5, 0), Vec::new())],
            ..Revision::default()
        },
    ];
    if row.strategy == Strategy::BlueGreen {
        for (revision, role) in revisions.iter_mut().zip([Role::Preview, Role::Active]) {
            for set in &mut revision.replica_sets {
                set.roles = vec![role];
            }
            revision.analyses.clear();
        }
    }
    RolloutDetail {
        row,
        revisions,
        services: Vec::new(),
        routes: Vec::new(),
        keeper: Some(Keeper {
            application: object((ARGO, "Application"), "argocd", "demo-app-dev"),
            auto_sync: true,
            self_heal: true,
        }),
        measured_at: Some(ago(5)),
        measured_by: "http_requests_total".into(),
        findings: Vec::new(),
    }
}

pub(crate) fn rollout_detail(object: &ObjectRef) -> Option<RolloutDetail> {
    let row = rollouts().into_iter().find(|row| row.object == *object)?;
    Some(detail(row))
}

fn grid() -> Grid {
    Grid::for_wish(RangeWish::last(1_200, 80), TimeDelta::seconds(15), now())
}

/// A wave with a gap in its middle.
fn series(labels: &[(&str, &str)], (middle, swing): (f64, f64), began: usize) -> Series {
    let labels: Labels = labels
        .iter()
        .map(|(name, value)| ((*name).into(), (*value).into()))
        .collect();
    let points = grid().instants().enumerate().map(|(number, at)| {
        let angle = number as f64 / 7.0;
        let there = number >= began && !(30..36).contains(&number);
        Point {
            at,
            value: there.then(|| middle + swing * angle.sin()),
        }
    });
    Series {
        labels,
        points: points.collect(),
    }
}

pub(crate) fn board() -> Board {
    let chart = |title: &str, unit: Unit, lines: Vec<(&str, Series)>| Chart {
        title: title.into(),
        unit,
        expr: "sum by (version) (rate(http_requests_total{namespace=\"demo-app-dev\"}[1m]))".into(),
        grid: grid(),
        lines: lines
            .into_iter()
            .map(|(legend, line)| (legend.into(), line))
            .collect(),
        problem: None,
    };
    Board {
        source: "http_requests_total".into(),
        charts: vec![
            chart(
                "Requests",
                Unit::PerSecond,
                vec![
                    ("2.4.1 stable", series(&[], (160.0, 8.0), 0)),
                    ("2.5.0 canary", series(&[], (40.0, 6.0), 50)),
                ],
            ),
            chart(
                "Errors",
                Unit::Ratio,
                vec![
                    ("2.4.1 stable", series(&[], (0.004, 0.001), 0)),
                    ("2.5.0 canary", series(&[], (0.03, 0.02), 50)),
                ],
            ),
            chart(
                "Latency",
                Unit::Seconds,
                vec![
                    ("2.4.1 stable p50", series(&[], (0.04, 0.004), 0)),
                    ("2.4.1 stable p95", series(&[], (0.18, 0.02), 0)),
                    ("2.5.0 canary p50", series(&[], (0.05, 0.006), 50)),
                    ("2.5.0 canary p95", series(&[], (0.26, 0.05), 50)),
                ],
            ),
        ],
        notes: Vec::new(),
        at: now(),
    }
}

pub(crate) fn query(expr: &str) -> Result<Box<QueryAnswer>, QueryError> {
    if expr.contains("(((") {
        return Err(QueryError {
            message: "unclosed left parenthesis".into(),
            position: Some(Position { line: 1, column: 5 }),
            hint: Some("close it".into()),
            of_expression: true,
        });
    }
    Ok(Box::new(QueryAnswer {
        expr: expr.into(),
        result: QueryResult::Range {
            grid: grid(),
            series: vec![
                series(&[("version", "2.4.1")], (160.0, 8.0), 0),
                series(&[("version", "2.5.0")], (40.0, 6.0), 50),
            ],
        },
        notes: Vec::new(),
        at: now(),
    }))
}

fn alert(name: &str, state: AlertState, severity: &str, seconds: i64) -> Alert {
    let pairs = |all: &[(&str, &str)]| -> Labels {
        all.iter()
            .map(|(name, value)| ((*name).into(), (*value).into()))
            .collect()
    };
    Alert {
        fingerprint: format!("{name}-{seconds}").into(),
        labels: pairs(&[
            ("alertname", name),
            ("app", "demo-app"),
            ("namespace", "demo-app-dev"),
            ("severity", severity),
        ]),
        annotations: pairs(&[
            (
                "description",
                "More than 5 % of the requests fail for two minutes.",
            ),
            ("summary", "demo-app answers with errors"),
        ]),
        state,
        since: Some(ago(seconds)),
        value: Some(0.083),
        silenced_by: Vec::new(),
        inhibited_by: Vec::new(),
        receivers: vec!["team".into()],
        expression: "".into(),
        delivered: state != AlertState::Pending,
    }
}

pub(crate) fn alerts() -> AlertBoard {
    let mut quiet = alert(
        "CertificateExpires",
        AlertState::Suppressed,
        "warning",
        90_000,
    );
    quiet.silenced_by = vec!["7c1e".into()];
    AlertBoard {
        alerts: vec![
            alert("HighErrorRate", AlertState::Firing, "page", 240),
            alert("HighLatency", AlertState::Pending, "warning", 30),
            quiet,
        ],
        silences: vec![Silence {
            id: "7c1e".into(),
            state: SilenceState::Active,
            matchers: vec![Matcher::equal("alertname", "CertificateExpires")],
            starts: Some(ago(3_600)),
            ends: Some(now() + TimeDelta::minutes(83)),
            created_by: "oncall".into(),
            comment: "renewal is on its way".into(),
        }],
        notes: Vec::new(),
    }
}

pub(crate) fn dashboards() -> Vec<Dashboard> {
    let panel = |title: &str, kind: PanelKind, (x, y, width, height): (u16, u16, u16, u16)| Panel {
        id: 1,
        title: title.into(),
        kind,
        targets: vec![PanelTarget {
            expr: "rate(http_requests_total[$__rate_interval])".into(),
            legend: "{{version}}".into(),
            instant: false,
            hidden: false,
        }],
        unit: Unit::PerSecond,
        min: None,
        max: None,
        thresholds: vec![(0.0, "green".into()), (170.0, "red".into())],
        place: Place {
            x,
            y,
            width,
            height,
        },
    };
    let mut words = panel(
        "Read me",
        PanelKind::Text("What the shop does.".into()),
        (12, 4, 12, 8),
    );
    words.targets.clear();
    vec![Dashboard {
        uid: "shop".into(),
        title: "Shop".into(),
        origin: "monitoring/shop-dashboard shop.json".into(),
        panels: vec![
            panel("Now", PanelKind::Stat, (0, 0, 24, 4)),
            panel("Requests", PanelKind::TimeSeries, (0, 4, 12, 8)),
            words,
            panel("By version", PanelKind::Table, (0, 12, 24, 6)),
        ],
        variables: Vec::new(),
        range_seconds: 1_200,
        problems: Vec::new(),
    }]
}
