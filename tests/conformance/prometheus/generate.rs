//! Random series and random queries, from a seed.

use tiphys::sim::rng::Rng;

/// When the series begin, in seconds.
pub(super) const BEGIN: i64 = 1_700_000_000;
/// How many scrapes there are, and how far apart they are in milliseconds.
const SCRAPES: i64 = 360;
const INTERVAL: i64 = 15_000;

/// A series: its labels and its samples (milliseconds, value).
pub(super) struct Series {
    pub(super) name: &'static str,
    pub(super) labels: Vec<(&'static str, String)>,
    pub(super) samples: Vec<(i64, f64)>,
}

impl Series {
    /// Writes a line for each sample, as `OpenMetrics` has them.
    pub(super) fn lines(&self) -> impl Iterator<Item = String> {
        let labels: Vec<String> = self
            .labels
            .iter()
            .map(|(name, value)| format!("{name}=\"{value}\""))
            .collect();
        let metric = format!("{}{{{}}}", self.name, labels.join(","));
        self.samples.iter().map(move |(at, value)| {
            let value = if value.is_infinite() && *value > 0.0 {
                "+Inf".into()
            } else {
                value.to_string()
            };
            format!("{metric} {value} {}.{:03}", at / 1000, at % 1000)
        })
    }
}

fn pick<'a>(rng: &mut Rng, choices: &[&'a str]) -> &'a str {
    choices[rng.below(choices.len() as u64) as usize]
}

/// Makes counters, gauges and histograms with resets, gaps, late starts and early ends.
pub(super) fn series(rng: &mut Rng) -> Vec<Series> {
    let mut out = Vec::new();
    for job in ["api", "web"] {
        for instance in ["0", "1", "2"] {
            let labels = |more: &[(&'static str, &str)]| {
                let own = [("job", job), ("instance", instance)];
                own.iter()
                    .chain(more)
                    .map(|(name, value)| (*name, (*value).to_owned()))
                    .collect::<Vec<_>>()
            };
            for code in ["200", "404", "500"] {
                let samples = counter(rng);
                out.push(Series {
                    name: "requests_total",
                    labels: labels(&[("code", code)]),
                    samples,
                });
            }
            out.push(Series {
                name: "temperature",
                labels: labels(&[]),
                samples: gauge(rng),
            });
            out.push(Series {
                name: "capacity",
                labels: labels(&[]),
                samples: gauge(rng),
            });
            histogram(rng, &labels(&[]), &mut out);
        }
    }
    let kind = |kind: &str| vec![("job", "api".to_owned()), ("kind", kind.to_owned())];
    out.push(Series {
        name: "info",
        labels: kind("a"),
        samples: times(rng).into_iter().map(|at| (at, 1.0)).collect(),
    });
    out
}

/// Most scrapes happen; some are late, some are missing, some series are not always there.
fn times(rng: &mut Rng) -> Vec<i64> {
    let first = if rng.below(3) == 0 {
        rng.below(SCRAPES as u64 / 2) as i64
    } else {
        0
    };
    let last = if rng.below(4) == 0 {
        SCRAPES - rng.below(SCRAPES as u64 / 4) as i64
    } else {
        SCRAPES
    };
    let jitters = rng.below(2) == 0;
    let mut gap = 0;
    let mut out = Vec::new();
    for scrape in first..last {
        if rng.below(80) == 0 {
            gap = rng.below(40);
        }
        if gap > 0 {
            gap -= 1;
            continue;
        }
        let late = if jitters { rng.below(900) as i64 } else { 0 };
        out.push(BEGIN * 1000 + scrape * INTERVAL + late);
    }
    out
}

fn counter(rng: &mut Rng) -> Vec<(i64, f64)> {
    let mut value = rng.below(50) as f64;
    let speed = rng.below(20) + 1;
    times(rng)
        .into_iter()
        .map(|at| {
            value = if rng.below(90) == 0 {
                0.0
            } else {
                value + rng.below(speed) as f64
            };
            (at, value)
        })
        .collect()
}

fn gauge(rng: &mut Rng) -> Vec<(i64, f64)> {
    let times = times(rng);
    times
        .into_iter()
        .map(|at| {
            let value = match rng.below(150) {
                0 => f64::NAN,
                1 => f64::INFINITY,
                2 => 0.0,
                _ => (rng.between(-40.0, 60.0) * 8.0).round() / 8.0,
            };
            (at, value)
        })
        .collect()
}

fn histogram(rng: &mut Rng, labels: &[(&'static str, String)], out: &mut Vec<Series>) {
    let bounds = ["0.1", "0.5", "1", "+Inf"];
    let times = times(rng);
    let mut counts = [0.0; 4];
    let mut buckets: Vec<Vec<(i64, f64)>> = vec![Vec::new(); 4];
    for at in times {
        for _ in 0..rng.below(12) {
            let hit = rng.below(4) as usize;
            for count in &mut counts[hit..] {
                *count += 1.0;
            }
        }
        for (bucket, count) in buckets.iter_mut().zip(counts) {
            bucket.push((at, count));
        }
    }
    for (bound, samples) in bounds.into_iter().zip(buckets) {
        let mut labels = labels.to_vec();
        labels.push(("le", bound.to_owned()));
        out.push(Series {
            name: "latency_seconds_bucket",
            labels,
            samples,
        });
    }
}

/// Makes a query that yields a vector.
pub(super) fn vector(rng: &mut Rng, depth: u32) -> String {
    if depth == 0 {
        return selector(rng);
    }
    match rng.below(12) {
        0 | 1 => range_call(rng),
        2 => aggregate(rng, depth),
        3 => format!(
            "{}({})",
            pick(rng, &["abs", "sgn", "sqrt", "exp", "ln", "log2", "deg"]),
            vector(rng, depth - 1)
        ),
        4 => with_scalar(rng, depth),
        5 | 6 => matched(rng, depth),
        7 => format!("clamp_max({}, {})", vector(rng, depth - 1), rng.below(50)),
        8 => quantile(rng),
        // Of stored values: a last bit decides where others are rounded to.
        9 => format!(
            "{}({})",
            pick(rng, &["round", "ceil", "floor"]),
            selector(rng)
        ),
        10 => relabelled(rng, depth),
        _ => time_call(rng, depth),
    }
}

fn selector(rng: &mut Rng) -> String {
    let name = pick(
        rng,
        &[
            "requests_total",
            "temperature",
            "capacity",
            "latency_seconds_bucket",
            "info",
            "nothing",
        ],
    );
    let matcher = pick(
        rng,
        &[
            "",
            "{job=\"api\"}",
            "{job!=\"api\"}",
            "{instance=~\"0|2\"}",
            "{code!~\"4..\"}",
            "{kind=\"\"}",
        ],
    );
    format!("{name}{matcher}{}", shift(rng))
}

fn shift(rng: &mut Rng) -> String {
    match rng.below(9) {
        0 => format!(" offset {}", span(rng)),
        1 => format!(" offset -{}", span(rng)),
        2 => format!(" @ {}", BEGIN + rng.below(5000) as i64),
        3 => pick(rng, &[" @ start()", " @ end()"]).to_owned(),
        _ => String::new(),
    }
}

fn span(rng: &mut Rng) -> &'static str {
    pick(rng, &["15s", "30s", "1m", "77s", "5m", "12m", "30m", "1h"])
}

fn range(rng: &mut Rng) -> String {
    if rng.below(4) == 0 {
        let step = pick(rng, &["", "30s", "1m", "47s"]);
        return format!("({})[{}:{step}]{}", vector(rng, 1), span(rng), shift(rng));
    }
    let name = pick(
        rng,
        &["requests_total", "temperature", "latency_seconds_bucket"],
    );
    let matcher = pick(rng, &["", "{job=\"api\"}", "{instance=~\"0|2\"}"]);
    format!("{name}{matcher}[{}]{}", span(rng), shift(rng))
}

fn range_call(rng: &mut Rng) -> String {
    let function = pick(
        rng,
        &[
            "rate",
            "increase",
            "irate",
            "delta",
            "idelta",
            "changes",
            "resets",
            "deriv",
            "avg_over_time",
            "min_over_time",
            "max_over_time",
            "sum_over_time",
            "count_over_time",
            "last_over_time",
            "stddev_over_time",
            "present_over_time",
            "absent_over_time",
            "stdvar_over_time",
        ],
    );
    match rng.below(10) {
        0 => format!("quantile_over_time(0.{}, {})", rng.below(10), range(rng)),
        // Without `@`: upstream moves the window of this one function on although it is fixed.
        1 => format!(
            "predict_linear(temperature[{}] offset {}, 600)",
            span(rng),
            span(rng)
        ),
        _ => format!("{function}({})", range(rng)),
    }
}

fn labels(rng: &mut Rng) -> &'static str {
    pick(
        rng,
        &[
            "job",
            "instance",
            "code",
            "job, instance",
            "le",
            "job, le",
            "",
        ],
    )
}

fn aggregate(rng: &mut Rng, depth: u32) -> String {
    let grouping = match rng.below(3) {
        0 => String::new(),
        1 => format!(" by ({})", labels(rng)),
        _ => format!(" without ({})", labels(rng)),
    };
    let inside = vector(rng, depth - 1);
    match rng.below(12) {
        0 => format!("quantile{grouping} (0.{}, {inside})", rng.below(10)),
        // The text of a value shows its last bit, which only stored values share.
        1 => format!("count_values{grouping} (\"value\", {})", selector(rng)),
        // Which of several equal values are the highest is nobody's promise.
        2 => format!(
            "max{grouping} (topk{grouping} ({}, {inside}))",
            rng.below(4)
        ),
        _ => {
            let operator = pick(
                rng,
                &[
                    "sum", "avg", "count", "min", "max", "group", "stddev", "stdvar",
                ],
            );
            format!("{operator}{grouping} ({inside})")
        }
    }
}

fn with_scalar(rng: &mut Rng, depth: u32) -> String {
    let inside = vector(rng, depth - 1);
    let number = rng.below(60);
    match rng.below(4) {
        0 => format!(
            "{inside} {} bool {number}",
            pick(rng, &["==", "!=", ">", "<", ">=", "<="])
        ),
        1 => format!(
            "{inside} {} {number}",
            pick(rng, &["==", "!=", ">", "<", ">=", "<="])
        ),
        2 => format!(
            "{number} {} ({inside})",
            pick(rng, &["+", "-", "*", "/", "%", ">", "<="])
        ),
        _ => format!(
            "({inside}) {} {number}",
            pick(rng, &["+", "-", "*", "/", "%", "^", "atan2"])
        ),
    }
}

fn matched(rng: &mut Rng, depth: u32) -> String {
    let (left, right) = (vector(rng, depth - 1), vector(rng, depth - 1));
    let on = match rng.below(3) {
        0 => String::new(),
        1 => format!("on ({})", labels(rng)),
        _ => format!("ignoring ({})", labels(rng)),
    };
    if rng.below(3) == 0 {
        return format!(
            "({left}) {} {on} ({right})",
            pick(rng, &["and", "or", "unless"])
        );
    }
    let operator = pick(
        rng,
        &["+", "-", "*", "/", ">", "<=", "==", "!= bool", "> bool"],
    );
    let group = match rng.below(4) {
        0 if !on.is_empty() => pick(
            rng,
            &[
                "group_left",
                "group_left (kind)",
                "group_right",
                "group_right (job)",
            ],
        ),
        _ => "",
    };
    format!("({left}) {operator} {on} {group} ({right})")
}

fn quantile(rng: &mut Rng) -> String {
    let by = pick(
        rng,
        &[
            "by (le)",
            "by (le, job)",
            "by (le, instance)",
            "without (job)",
        ],
    );
    format!(
        "histogram_quantile(0.{}, sum {by} (rate(latency_seconds_bucket[{}])))",
        rng.below(100),
        span(rng)
    )
}

fn relabelled(rng: &mut Rng, depth: u32) -> String {
    let inside = vector(rng, depth - 1);
    if rng.below(2) == 0 {
        format!("label_replace({inside}, \"to\", \"$1-x\", \"instance\", \"([01])\")")
    } else {
        format!("label_join({inside}, \"to\", \"/\", \"job\", \"instance\")")
    }
}

fn time_call(rng: &mut Rng, depth: u32) -> String {
    let inside = vector(rng, depth - 1);
    match rng.below(6) {
        0 => format!("timestamp({inside})"),
        1 => format!("absent({inside})"),
        2 => format!("vector(scalar({inside}))"),
        // Not of anything: what hour NaN has is up to the machine upstream.
        3 => format!(
            "hour({})",
            pick(
                rng,
                &[
                    "requests_total",
                    "requests_total * 1000",
                    "latency_seconds_bucket * 4000"
                ]
            )
        ),
        4 => format!("-({inside})"),
        _ => format!("({inside}) * 0 + time()"),
    }
}
