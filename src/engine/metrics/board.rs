//! Request rate, errors and latency of what an object serves, by version.
//!
//! Which metrics there are differs from cluster to cluster: the first family that has series for
//! the object is used, and the labels of one of them decide how versions and errors are told.

use super::{SCRAPE, ask};
use crate::domain::metric::{Board, Chart, Grid, Labels, QueryError, QueryResult, Unit, label_of};
use crate::domain::object::{ObjectRef, Text};
use crate::engine::facts::text;
use crate::engine::session::Session;
use serde_json::Value;

/// A family of request metrics.
struct Family {
    requests: &'static str,
    /// Histogram of durations.
    buckets: &'static str,
    unit: Unit,
    /// Labels that may hold the status code.
    codes: &'static [&'static str],
    namespace: &'static str,
    /// Labels that tell what serves, and in which version; the first that is there counts.
    services: &'static [&'static str],
    versions: &'static [&'static str],
    fixed: &'static str,
}

const FAMILIES: &[Family] = &[
    Family {
        requests: "http_requests_total",
        buckets: "http_request_duration_seconds_bucket",
        unit: Unit::Seconds,
        codes: &["code", "status", "status_code"],
        namespace: "namespace",
        services: &["app", "service", "job"],
        versions: &["rollouts_pod_template_hash", "version", "pod"],
        fixed: "",
    },
    Family {
        requests: "istio_requests_total",
        buckets: "istio_request_duration_milliseconds_bucket",
        unit: Unit::Milliseconds,
        codes: &["response_code"],
        namespace: "destination_service_namespace",
        services: &["destination_service_name"],
        versions: &["destination_canonical_revision", "destination_version"],
        fixed: "reporter=~\"waypoint|destination\",",
    },
    Family {
        requests: "http_server_request_duration_seconds_count",
        buckets: "http_server_request_duration_seconds_bucket",
        unit: Unit::Seconds,
        codes: &["http_response_status_code", "http_status_code"],
        namespace: "namespace",
        services: &["service_name", "app", "job"],
        versions: &["rollouts_pod_template_hash", "service_version", "pod"],
        fixed: "",
    },
    Family {
        requests: "http_request_duration_seconds_count",
        buckets: "http_request_duration_seconds_bucket",
        unit: Unit::Seconds,
        codes: &["code", "status", "status_code"],
        namespace: "namespace",
        services: &["app", "service", "job"],
        versions: &["rollouts_pod_template_hash", "version", "pod"],
        fixed: "",
    },
];

/// What the board is about.
struct Subject {
    namespace: String,
    /// A Rollout, a workload or a Service; absent for a whole namespace.
    name: Option<String>,
    /// Hash and what it is called.
    hashes: Vec<(String, &'static str)>,
    /// Services of a Rollout.
    services: Vec<String>,
}

/// Asks for everything and puts the charts together.
pub(super) async fn draw(session: &Session, object: &ObjectRef, grid: Grid) -> Board {
    let subject = Subject::of(session, object).await;
    let mut board = Board {
        source: "".into(),
        charts: Vec::new(),
        notes: Vec::new(),
        at: session.now(),
    };
    for family in FAMILIES {
        let selector = subject.selector(family);
        let probe = format!("topk(1, {}{{{selector}}})", family.requests);
        let labels = match ask::instant(session, &probe).await {
            Ok(answer) => first_labels(answer.result),
            Err(error) => {
                board.notes.push(error.message);
                return board;
            }
        };
        let Some(labels) = labels else { continue };
        board.source = family.requests.into();
        let split = Split::of(family, &labels, &subject);
        for (title, unit, expr) in expressions(family, &selector, &split, grid) {
            board
                .charts
                .push(chart(session, (&title, unit, expr), grid, &subject).await);
        }
        return board;
    }
    let place = subject.name.as_deref().unwrap_or(&subject.namespace);
    board.notes.push(
        format!("no request metrics are known for `{place}`; they appear after its first requests")
            .into(),
    );
    board
}

fn first_labels(result: QueryResult) -> Option<Labels> {
    match result {
        QueryResult::Vector(samples) => samples.into_iter().next().map(|one| one.labels),
        QueryResult::Range { .. }
        | QueryResult::Scalar(_)
        | QueryResult::Text(_)
        | QueryResult::Raw(_) => None,
    }
}

impl Subject {
    async fn of(session: &Session, object: &ObjectRef) -> Self {
        let mut subject = Self {
            namespace: object.namespace.as_deref().unwrap_or_default().to_owned(),
            name: Some(object.name.to_string()),
            hashes: Vec::new(),
            services: Vec::new(),
        };
        match &*object.kind.kind {
            "Namespace" => {
                subject.namespace = object.name.to_string();
                subject.name = None;
            }
            "Application" => {
                let live = session.object(object).await.unwrap_or_default();
                text(&live, &["spec", "destination", "namespace"])
                    .clone_into(&mut subject.namespace);
                subject.name = None;
            }
            "Rollout" => {
                let live = session.object(object).await.unwrap_or_default();
                subject.read_rollout(&live);
            }
            _ => subject.services.push(object.name.to_string()),
        }
        subject
    }

    fn read_rollout(&mut self, live: &Value) {
        let stable = text(live, &["status", "stableRS"]);
        let current = text(live, &["status", "currentPodHash"]);
        if !stable.is_empty() {
            self.hashes.push((stable.to_owned(), "stable"));
        }
        if !current.is_empty() && current != stable {
            self.hashes.push((current.to_owned(), "canary"));
        }
        for (strategy, field) in [
            ("canary", "stableService"),
            ("canary", "canaryService"),
            ("blueGreen", "activeService"),
            ("blueGreen", "previewService"),
        ] {
            let name = text(live, &["spec", "strategy", strategy, field]);
            if !name.is_empty() {
                self.services.push(name.to_owned());
            }
        }
    }

    fn selector(&self, family: &Family) -> String {
        let mut selector = format!("{}{}={:?}", family.fixed, family.namespace, self.namespace);
        let Some(name) = &self.name else {
            return selector;
        };
        let more = if family.namespace == "namespace" {
            format!(",pod=~\"{name}-.+\"")
        } else if self.services.is_empty() {
            format!(",destination_service_name={name:?}")
        } else {
            let names = self.services.join("|");
            format!(",destination_service_name=~{names:?}")
        };
        selector.push_str(&more);
        selector
    }

    fn legend(&self, labels: &Labels) -> String {
        let values = labels.iter().map(|(_, value)| {
            let known = self.hashes.iter().find(|(hash, _)| **hash == **value);
            match known {
                Some((hash, role)) => format!("{role} {hash}"),
                None => value.to_string(),
            }
        });
        values.collect::<Vec<_>>().join(" ")
    }
}

/// How series are told apart.
struct Split {
    by: Vec<&'static str>,
    code: Option<&'static str>,
}

impl Split {
    fn of(family: &Family, labels: &Labels, subject: &Subject) -> Self {
        let there = |names: &[&'static str]| {
            let mut names = names.iter().copied();
            names.find(|name| !label_of(labels, name).is_empty())
        };
        let mut by = Vec::new();
        if subject.name.is_none() || subject.services.len() > 1 && family.fixed.len() > 1 {
            by.extend(there(family.services));
        }
        by.extend(there(family.versions).filter(|name| {
            // One line for each Pod of a whole namespace would be a thicket.
            *name != "pod" || subject.name.is_some()
        }));
        by.dedup();
        Self {
            by,
            code: there(family.codes),
        }
    }
}

type Wanted = (String, Unit, String);

fn expressions(family: &Family, selector: &str, split: &Split, grid: Grid) -> Vec<Wanted> {
    let window = grid.rate_window(SCRAPE).num_seconds();
    let by = split.by.join(", ");
    let requests = family.requests;
    let all = format!("sum by ({by}) (rate({requests}{{{selector}}}[{window}s]))");
    let mut wanted = vec![(String::from("Requests"), Unit::PerSecond, all.clone())];
    if let Some(code) = split.code {
        let bad =
            format!("sum by ({by}) (rate({requests}{{{selector},{code}=~\"5..\"}}[{window}s]))");
        // A version without errors has no such series: that is none, not unknown.
        wanted.push((
            String::from("Errors"),
            Unit::Ratio,
            format!("({bad} or {all} * 0) / {all}"),
        ));
    }
    for (name, quantile) in [("p50", "0.5"), ("p95", "0.95"), ("p99", "0.99")] {
        let comma = if by.is_empty() { "" } else { ", " };
        let buckets = family.buckets;
        wanted.push((
            format!("Latency {name}"),
            family.unit,
            format!(
                "histogram_quantile({quantile}, sum by (le{comma}{by}) (rate({buckets}{{{selector}}}[{window}s])))"
            ),
        ));
    }
    wanted
}

async fn chart(
    session: &Session,
    (title, unit, expr): (&str, Unit, String),
    grid: Grid,
    subject: &Subject,
) -> Chart {
    let expr = Text::from(expr);
    let mut chart = Chart {
        title: title.into(),
        unit,
        expr: Text::clone(&expr),
        grid,
        lines: Vec::new(),
        problem: None,
    };
    match session.metrics.shared(session, &expr, grid).await {
        Ok(answer) => {
            if let QueryResult::Range { series, .. } = answer.result {
                let lines = series.into_iter();
                chart.lines = lines
                    .map(|one| (Text::from(subject.legend(&one.labels)), one))
                    .collect();
                chart.lines.sort_by(|a, b| a.0.cmp(&b.0));
            }
        }
        Err(error) => chart.problem = Some(error),
    }
    if chart.lines.is_empty() && chart.problem.is_none() {
        chart.problem = Some(QueryError {
            message: "no data in this range".into(),
            position: None,
            hint: None,
            of_expression: false,
        });
    }
    chart
}
