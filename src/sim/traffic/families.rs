//! The families of metrics that requests show up in: the application's own and Istio's.

use super::latency::BOUNDS_MS;
use super::meter::{Mesh, Meter, Receiver};
use crate::sim::exposition::{Metric, Page};

/// What is counted, and by whom.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Family {
    Requests,
    Seconds,
    Milliseconds,
    IstioRequests,
    IstioMilliseconds,
    IstioConnections,
    IstioSent,
    IstioReceived,
}

/// One number of a family.
#[derive(Clone, Debug)]
pub(super) struct Sample {
    pub(super) name: &'static str,
    /// The labels that tell it from the others of the same pod.
    pub(super) own: Vec<(&'static str, String)>,
    pub(super) value: f64,
}

type Labels<'r> = Vec<(&'static str, &'r str)>;

impl Family {
    /// What pods say of themselves.
    pub(super) const OF_APPS: [Self; 3] = [Self::Requests, Self::Seconds, Self::Milliseconds];
    /// What the mesh says.
    pub(super) const OF_MESH: [Self; 5] = [
        Self::IstioRequests,
        Self::IstioMilliseconds,
        Self::IstioConnections,
        Self::IstioSent,
        Self::IstioReceived,
    ];

    fn name(self) -> &'static str {
        match self {
            Self::Requests => "http_requests_total",
            Self::Seconds => "http_request_duration_seconds",
            Self::Milliseconds => "http_request_duration_milliseconds",
            Self::IstioRequests => "istio_requests_total",
            Self::IstioMilliseconds => "istio_request_duration_milliseconds",
            Self::IstioConnections => "istio_tcp_connections_opened_total",
            Self::IstioSent => "istio_tcp_sent_bytes_total",
            Self::IstioReceived => "istio_tcp_received_bytes_total",
        }
    }

    fn metric(self) -> Metric {
        match self {
            Self::Seconds | Self::Milliseconds | Self::IstioMilliseconds => Metric::Histogram,
            Self::Requests
            | Self::IstioRequests
            | Self::IstioConnections
            | Self::IstioSent
            | Self::IstioReceived => Metric::Counter,
        }
    }

    fn help(self) -> &'static str {
        match self {
            Self::Requests => "Requests that were answered, by status code.",
            Self::Seconds => "How long requests took, in seconds.",
            Self::Milliseconds => "How long requests took, in milliseconds.",
            Self::IstioRequests => "Requests that a proxy of the mesh passed on.",
            Self::IstioMilliseconds => "How long requests took as a proxy of the mesh saw it.",
            Self::IstioConnections => "Connections that a proxy of the mesh opened.",
            Self::IstioSent => "Bytes sent in answers over the mesh's connections.",
            Self::IstioReceived => "Bytes received in requests over the mesh's connections.",
        }
    }

    /// Opens the family on a page.
    pub(super) fn open(self, page: &mut Page) {
        page.family(self.name(), self.metric(), self.help());
    }

    /// Whether the family has anything of a pod in such a mesh.
    pub(super) fn covers(self, mesh: Option<Mesh>) -> bool {
        let sees_requests = matches!(mesh, Some(Mesh::Sidecar | Mesh::Waypoint));
        match self {
            Self::Requests | Self::Seconds | Self::Milliseconds => true,
            Self::IstioRequests | Self::IstioMilliseconds => sees_requests,
            Self::IstioConnections | Self::IstioSent | Self::IstioReceived => {
                mesh == Some(Mesh::Ambient)
            }
        }
    }

    /// Returns the labels that all samples of a pod share.
    pub(super) fn labels(self, receiver: &Receiver) -> Labels<'_> {
        match self {
            Self::Requests | Self::Seconds | Self::Milliseconds => app_labels(receiver),
            Self::IstioRequests | Self::IstioMilliseconds => {
                let mut labels = mesh_labels(receiver);
                labels.push(("request_protocol", "http"));
                labels
            }
            Self::IstioConnections | Self::IstioSent | Self::IstioReceived => {
                let mut labels = mesh_labels(receiver);
                labels.push(("request_protocol", "tcp"));
                labels
            }
        }
    }

    /// Returns what a pod has counted.
    pub(super) fn samples(self, meter: &Meter) -> Vec<Sample> {
        let one = |value: f64| {
            vec![Sample {
                name: self.name(),
                own: Vec::new(),
                value,
            }]
        };
        let (sent, received) = meter.bytes();
        match self {
            Self::Requests => by_code(self.name(), meter, app_code),
            Self::IstioRequests => by_code(self.name(), meter, istio_code),
            Self::Seconds => histogram(
                [
                    "http_request_duration_seconds_bucket",
                    "http_request_duration_seconds_sum",
                    "http_request_duration_seconds_count",
                ],
                meter,
                1_000.0,
            ),
            Self::Milliseconds => histogram(
                [
                    "http_request_duration_milliseconds_bucket",
                    "http_request_duration_milliseconds_sum",
                    "http_request_duration_milliseconds_count",
                ],
                meter,
                1.0,
            ),
            Self::IstioMilliseconds => histogram(
                [
                    "istio_request_duration_milliseconds_bucket",
                    "istio_request_duration_milliseconds_sum",
                    "istio_request_duration_milliseconds_count",
                ],
                meter,
                1.0,
            ),
            // A connection carries many requests.
            Self::IstioConnections => one((received / 62_000.0).floor()),
            Self::IstioSent => one(sent),
            Self::IstioReceived => one(received),
        }
    }
}

fn app_labels(receiver: &Receiver) -> Labels<'_> {
    vec![
        ("namespace", &receiver.service.namespace),
        ("app", &receiver.app),
        ("service", &receiver.service.name),
        ("version", &receiver.version),
        ("pod", &receiver.pod),
        ("rollouts_pod_template_hash", &receiver.template_hash),
    ]
}

fn mesh_labels(receiver: &Receiver) -> Labels<'_> {
    let reporter = match receiver.mesh {
        Some(Mesh::Waypoint) => "waypoint",
        Some(Mesh::Sidecar | Mesh::Ambient) | None => "destination",
    };
    let namespace = receiver.service.namespace.as_str();
    vec![
        ("namespace", namespace),
        ("pod", &receiver.pod),
        ("reporter", reporter),
        ("source_workload", "istio-ingressgateway"),
        ("source_workload_namespace", "istio-system"),
        ("source_canonical_service", "istio-ingressgateway"),
        ("source_app", "istio-ingressgateway"),
        ("destination_workload", &receiver.workload),
        ("destination_workload_namespace", namespace),
        ("destination_canonical_service", &receiver.app),
        ("destination_canonical_revision", &receiver.revision),
        ("destination_app", &receiver.app),
        ("destination_version", &receiver.version),
        ("destination_service_name", &receiver.service.name),
        ("destination_service_namespace", namespace),
        ("connection_security_policy", "mutual_tls"),
        ("response_flags", "-"),
    ]
}

fn app_code(code: u16) -> Vec<(&'static str, String)> {
    vec![
        ("method", "GET".to_owned()),
        ("code", code.to_string()),
        ("status", code.to_string()),
    ]
}

fn istio_code(code: u16) -> Vec<(&'static str, String)> {
    vec![("response_code", code.to_string())]
}

fn by_code(
    name: &'static str,
    meter: &Meter,
    own: fn(u16) -> Vec<(&'static str, String)>,
) -> Vec<Sample> {
    let (good, bad) = meter.answered();
    [(200, good), (meter.receiver.load.error_code, bad)]
        .into_iter()
        .map(|(code, value)| Sample {
            name,
            own: own(code),
            value,
        })
        .collect()
}

fn histogram([bucket, sum, count]: [&'static str; 3], meter: &Meter, unit: f64) -> Vec<Sample> {
    let (counts, total) = meter.histogram();
    let mut samples = Vec::with_capacity(BOUNDS_MS.len() + 3);
    samples.extend(counts.map(|(bound, value)| Sample {
        name: bucket,
        own: vec![("le", (bound / unit).to_string())],
        value,
    }));
    samples.push(Sample {
        name: bucket,
        own: vec![("le", "+Inf".to_owned())],
        value: total,
    });
    let whole = |name, value| Sample {
        name,
        own: Vec::new(),
        value,
    };
    samples.push(whole(sum, meter.sum_ms() / unit));
    samples.push(whole(count, total));
    samples
}
