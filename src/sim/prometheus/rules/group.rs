//! A group of rules and its evaluation.

use super::alert::{ActiveAlert, Found, progress};
use super::template::{self, Template};
use crate::sim::prometheus::labels::{Label, Labels, NAME};
use crate::sim::prometheus::promql::{ABSENT, Expr, Row, Sample, Value};
use crate::sim::prometheus::{Core, QueryError, write};
use std::collections::HashSet;
use std::sync::Arc;
use std::time::Duration;
use tokio::time::Instant;

/// Rules that are evaluated one after the other.
#[derive(Clone, Debug)]
pub(in crate::sim::prometheus) struct Group {
    pub(in crate::sim::prometheus) file: String,
    pub(in crate::sim::prometheus) name: String,
    pub(in crate::sim::prometheus) interval: Duration,
    pub(in crate::sim::prometheus) limit: u64,
    pub(in crate::sim::prometheus) rules: Vec<Rule>,
    pub(in crate::sim::prometheus) last: Option<i64>,
    /// Tells two loads of one file apart.
    load: Arc<()>,
}

/// One rule and how its last evaluation went.
#[derive(Clone, Debug)]
pub(in crate::sim::prometheus) struct Rule {
    pub(in crate::sim::prometheus) kind: Kind,
    pub(in crate::sim::prometheus) query: String,
    pub(in crate::sim::prometheus) labels: Vec<(String, String)>,
    pub(in crate::sim::prometheus) error: Option<String>,
    pub(in crate::sim::prometheus) last: Option<i64>,
    pub(in crate::sim::prometheus) took: Duration,
    expr: Arc<Expr>,
    /// The series of the last evaluation: those that do not come again end.
    written: HashSet<Labels>,
}

/// What a rule does.
#[derive(Clone, Debug)]
pub(in crate::sim::prometheus) enum Kind {
    /// Stores the result under a name.
    Recording {
        /// The name.
        name: String,
    },
    /// Raises an alert for each series of the result.
    Alerting {
        /// The alert's name.
        name: String,
        /// How long before it fires.
        hold: Duration,
        /// How long it fires on after the result is gone.
        keep_firing: Duration,
        /// Texts with templates.
        annotations: Vec<(String, String)>,
        /// The alerts that are there.
        active: Vec<ActiveAlert>,
    },
}

impl Rule {
    pub(super) fn new(
        kind: Kind,
        query: String,
        expr: Expr,
        labels: Vec<(String, String)>,
    ) -> Self {
        Self {
            kind,
            query,
            labels,
            error: None,
            last: None,
            took: Duration::ZERO,
            expr: Arc::new(expr),
            written: HashSet::new(),
        }
    }
}

impl Group {
    pub(super) fn new(
        file: &str,
        name: &str,
        interval: Duration,
        (limit, rules): (u64, Vec<Rule>),
    ) -> Self {
        Self {
            file: file.to_owned(),
            name: name.to_owned(),
            interval,
            limit,
            rules,
            last: None,
            load: Arc::new(()),
        }
    }

    pub(super) fn same_load(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.load, &other.load)
    }

    pub(super) fn is_due(&self, at: i64) -> bool {
        let interval = self.interval.as_millis() as i64;
        self.last.is_none_or(|last| at - last >= interval)
    }

    pub(super) fn evaluate(&mut self, core: &Core, at: i64) {
        self.last = Some(at);
        for rule in &mut self.rules {
            let started = Instant::now();
            rule.last = Some(at);
            rule.error = rule.evaluate(core, at, self.limit, self.interval).err();
            // Real time, whatever the platform's clock says.
            rule.took = started.elapsed();
        }
    }
}

impl Rule {
    fn evaluate(
        &mut self,
        core: &Core,
        at: i64,
        limit: u64,
        interval: Duration,
    ) -> Result<(), String> {
        let rows = core
            .evaluate_instant(&self.expr, at)
            .map(|outcome| rows(outcome.value))
            .map_err(|error: QueryError| error.to_string())?;
        if limit > 0 && rows.len() as u64 > limit {
            return Err(format!(
                "exceeded limit of {limit} with {} series",
                rows.len()
            ));
        }
        let labels = self.labels.clone();
        let samples = match &mut self.kind {
            Kind::Recording { name } => recorded(name, &labels, rows)?,
            Kind::Alerting {
                name,
                hold,
                keep_firing,
                annotations,
                active,
            } => {
                let found = found(core, at, &rows, (name, &labels, annotations))?;
                progress(active, found, at, (*hold, *keep_firing));
                let samples = active.iter().flat_map(ActiveAlert::samples).collect();
                core.alertmanager
                    .receive(active, (&self.query, at, interval));
                samples
            }
        };
        self.write(core, at, samples);
        Ok(())
    }

    /// Stores samples, and ends the series of the evaluation before that are not among them.
    fn write(&mut self, core: &Core, at: i64, samples: Vec<(Labels, Sample)>) {
        let mut store = write(&core.store);
        let mut written = HashSet::with_capacity(samples.len());
        for (labels, sample) in samples {
            store.append(&labels, at, sample);
            written.insert(labels);
        }
        for gone in self.written.difference(&written) {
            store.append(gone, at, ABSENT);
        }
        self.written = written;
    }
}

/// Returns the series of a result at its only instant.
fn rows(value: Value) -> Vec<(Labels, Sample)> {
    match value {
        Value::Vector(rows) => {
            let single = |row: Row| Some((row.labels.clone(), row.sample(0)?));
            rows.into_iter().filter_map(single).collect()
        }
        Value::Scalar(numbers) => {
            let number = numbers.first().copied();
            number
                .map(|number| (Labels::default(), number.into()))
                .into_iter()
                .collect()
        }
        Value::Text(_) | Value::Matrix(_) => Vec::new(),
    }
}

fn recorded(
    name: &str,
    labels: &[(String, String)],
    rows: Vec<(Labels, Sample)>,
) -> Result<Vec<(Labels, Sample)>, String> {
    let mut seen = HashSet::new();
    let mut out = Vec::with_capacity(rows.len());
    for (row, sample) in rows {
        let mut row = row.with(NAME, name);
        for (label, value) in labels {
            row = row.with(label, value);
        }
        if !seen.insert(row.clone()) {
            return Err(
                "vector contains metrics with the same labelset after applying rule labels"
                    .to_owned(),
            );
        }
        out.push((row, sample));
    }
    Ok(out)
}

/// Names and their texts.
type Pairs = [(String, String)];

/// Makes an alert of each series of the result.
fn found(
    core: &Core,
    at: i64,
    rows: &[(Labels, Sample)],
    (name, labels, annotations): (&str, &Pairs, &Pairs),
) -> Result<Vec<Found>, String> {
    let mut seen = HashSet::new();
    let mut out = Vec::with_capacity(rows.len());
    for (row, sample) in rows {
        // A histogram has no value of its own: upstream says zero.
        let value = match sample {
            Sample::Float(value) => *value,
            Sample::Histogram(_) => 0.0,
        };
        let query = |text: &str| core.query_for_template(text, at);
        let template = Template {
            labels: row,
            value,
            external_url: &core.options.external_url,
            query: &query,
        };
        let expand =
            |(name, text): &(String, String)| (name.clone(), template::expand(text, &template));
        let mut pairs: Vec<Label> = row.without_name().iter().cloned().collect();
        pairs.extend(labels.iter().map(|label| {
            let (name, value) = expand(label);
            (name.into(), value.into())
        }));
        pairs.push(("alertname".into(), name.into()));
        let labels = Labels::new(pairs);
        if !seen.insert(labels.clone()) {
            return Err(
                "vector contains metrics with the same labelset after applying alert labels"
                    .to_owned(),
            );
        }
        out.push(Found {
            labels,
            annotations: annotations.iter().map(expand).collect(),
            value,
        });
    }
    Ok(out)
}
