//! The life of an alert: pending, firing, gone (`rules/alerting.go`: `AlertingRule.Eval`).

use crate::sim::prometheus::labels::{Labels, NAME};
use crate::sim::prometheus::promql::Sample;
use std::time::Duration;

/// How long an alert that ended is still reported as such.
const REMEMBERED: i64 = 15 * 60_000;

/// Where in its life an alert is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::sim::prometheus) enum Phase {
    /// The condition holds, not yet long enough.
    Pending,
    /// It holds long enough.
    Firing,
    /// It held and does no more.
    Resolved,
}

/// An alert that is there, or was a short while ago.
#[derive(Clone, Debug)]
pub(in crate::sim::prometheus) struct ActiveAlert {
    pub(in crate::sim::prometheus) labels: Labels,
    pub(in crate::sim::prometheus) annotations: Vec<(String, String)>,
    pub(in crate::sim::prometheus) value: f64,
    pub(in crate::sim::prometheus) phase: Phase,
    pub(in crate::sim::prometheus) active_at: i64,
    pub(in crate::sim::prometheus) fired_at: Option<i64>,
    pub(in crate::sim::prometheus) resolved_at: Option<i64>,
    /// Since when it fires on although its condition is gone.
    pub(in crate::sim::prometheus) kept_since: Option<i64>,
}

/// A series of the alert's expression.
pub(super) struct Found {
    pub(super) labels: Labels,
    pub(super) annotations: Vec<(String, String)>,
    pub(super) value: f64,
}

impl ActiveAlert {
    fn new(found: Found, at: i64) -> Self {
        Self {
            labels: found.labels,
            annotations: found.annotations,
            value: found.value,
            phase: Phase::Pending,
            active_at: at,
            fired_at: None,
            resolved_at: None,
            kept_since: None,
        }
    }

    /// Returns the name of the phase, as the API and `ALERTS` have it.
    pub(in crate::sim::prometheus) fn state(&self) -> &'static str {
        match self.phase {
            Phase::Pending => "pending",
            Phase::Firing => "firing",
            Phase::Resolved => "inactive",
        }
    }

    /// Returns the samples that tell of this alert.
    pub(super) fn samples(&self) -> Vec<(Labels, Sample)> {
        if self.phase == Phase::Resolved {
            return Vec::new();
        }
        let alerts = self
            .labels
            .with(NAME, "ALERTS")
            .with("alertstate", self.state());
        let since = self.labels.with(NAME, "ALERTS_FOR_STATE");
        let began = (self.active_at / 1000) as f64;
        vec![(alerts, 1.0.into()), (since, began.into())]
    }
}

/// Moves all alerts of a rule on by what its expression found.
pub(super) fn progress(
    active: &mut Vec<ActiveAlert>,
    found: Vec<Found>,
    at: i64,
    (hold, keep_firing): (Duration, Duration),
) {
    let hold = hold.as_millis() as i64;
    let keep_firing = keep_firing.as_millis() as i64;
    for alert in active.iter_mut() {
        if !found.iter().any(|found| found.labels == alert.labels) {
            fade(alert, at, keep_firing);
        }
    }
    active.retain(|alert| {
        let over = alert
            .resolved_at
            .is_some_and(|resolved| at - resolved > REMEMBERED);
        let never_fired = alert.phase == Phase::Resolved && alert.fired_at.is_none();
        !over && !never_fired
    });
    for found in found {
        let there = active
            .iter_mut()
            .find(|alert| alert.labels == found.labels && alert.phase != Phase::Resolved);
        if let Some(alert) = there {
            alert.value = found.value;
            alert.annotations = found.annotations;
            alert.kept_since = None;
        } else {
            active.retain(|alert| alert.labels != found.labels);
            active.push(ActiveAlert::new(found, at));
        }
    }
    for alert in active.iter_mut() {
        if alert.phase == Phase::Pending && at - alert.active_at >= hold {
            alert.phase = Phase::Firing;
            alert.fired_at = Some(at);
        }
    }
}

/// Moves on an alert whose condition is gone.
fn fade(alert: &mut ActiveAlert, at: i64, keep_firing: i64) {
    match alert.phase {
        Phase::Resolved => {}
        Phase::Pending => {
            alert.phase = Phase::Resolved;
            alert.resolved_at = Some(at);
        }
        Phase::Firing => {
            if keep_firing > 0 {
                let since = *alert.kept_since.get_or_insert(at);
                if at - since < keep_firing {
                    return;
                }
            }
            alert.phase = Phase::Resolved;
            alert.resolved_at = Some(at);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found() -> Vec<Found> {
        vec![Found {
            labels: Labels::of(&[("alertname", "A")]),
            annotations: Vec::new(),
            value: 1.0,
        }]
    }

    const SPANS: (Duration, Duration) = (Duration::from_secs(60), Duration::from_secs(30));

    #[test]
    fn an_alert_waits_fires_lingers_and_ends() {
        let mut active = Vec::new();
        let mut seen = Vec::new();

        for second in 0..12 {
            let at = second * 15_000;
            let condition = if second < 6 { found() } else { Vec::new() };
            progress(&mut active, condition, at, SPANS);
            seen.push(active.first().map_or("none", ActiveAlert::state));
        }

        assert_eq!(seen[..4], ["pending"; 4]);
        assert_eq!(
            seen[4..8],
            ["firing"; 4],
            "kept firing for 30 s after the condition went"
        );
        assert_eq!(seen[8..], ["inactive"; 4]);
    }

    #[test]
    fn a_pending_alert_that_ends_leaves_no_trace() {
        let mut active = Vec::new();
        progress(&mut active, found(), 0, SPANS);
        progress(&mut active, Vec::new(), 15_000, SPANS);

        assert!(active.is_empty());
    }
}
