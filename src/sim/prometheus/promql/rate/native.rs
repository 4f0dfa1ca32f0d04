//! The change of native histograms (`promql/functions.go`: `histogramRate`, `instantValue`).

use super::super::annotations::Annotations;
use super::super::window::Window;
use crate::sim::prometheus::histogram::{Histogram, ResetHint};
use std::borrow::Cow;

/// Returns last minus first; a counter that was reset counts from nothing.
pub(super) fn difference(
    window: &Window<'_>,
    counter: bool,
    remarks: &mut Annotations,
) -> Option<Histogram> {
    let all = || {
        window
            .histograms
            .iter()
            .map(|(_, histogram)| histogram.as_ref())
    };
    let (first, last) = (all().next()?, all().next_back()?);
    let gauge = |histogram: &Histogram| histogram.hint == ResetHint::Gauge;
    if counter && all().any(gauge) {
        remarks.histogram_not_a_counter(window.metric);
    }
    let mut before = Cow::Borrowed(first);
    if let Some(second) = all().nth(1)
        && counter
        && second.is_reset_after(first)
    {
        // Nothing of the first is looked at, so its buckets need not fit those of the others.
        before = Cow::Owned(Histogram::new(second.layout.clone()));
    }
    let mut change = last.clone();
    let mut fits = change.subtract(&before);
    if counter {
        for now in all().skip(1) {
            if fits.is_ok() && now.is_reset_after(&before) {
                fits = change.add(&before);
            }
            before = Cow::Borrowed(now);
        }
    }
    if let Err(why) = fits {
        remarks.incompatible(window.metric, why);
        return None;
    }
    let gauges = gauge(first) && gauge(last);
    if !counter && !gauges {
        remarks.histogram_not_a_gauge(window.metric);
    }
    Some(change.as_gauge().compact())
}

/// Returns the change from one histogram to the next.
pub(super) fn step(
    metric: &str,
    (before, after): (&Histogram, &Histogram),
    counter: bool,
    remarks: &mut Annotations,
) -> Option<Histogram> {
    let gauge = |histogram: &Histogram| histogram.hint == ResetHint::Gauge;
    if counter && (gauge(before) || gauge(after)) {
        remarks.histogram_not_a_counter(metric);
    }
    let gauges = gauge(before) && gauge(after);
    if !counter && !gauges {
        remarks.histogram_not_a_gauge(metric);
    }
    let mut change = after.clone();
    if !(counter && after.is_reset_after(before))
        && let Err(why) = change.subtract(before)
    {
        remarks.incompatible(metric, why);
        return None;
    }
    Some(change.as_gauge().compact())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sim::prometheus::histogram::{Buckets, Layout};
    use std::sync::Arc;

    fn of(layout: Layout, counts: &[f64]) -> Histogram {
        Histogram {
            count: counts.iter().sum(),
            positive: Buckets::run(0, counts),
            ..Histogram::new(layout)
        }
    }

    fn increase(histograms: Vec<Histogram>) -> (Option<String>, Annotations) {
        let samples: Vec<_> = (0..).zip(histograms.into_iter().map(Arc::new)).collect();
        let window = Window {
            metric: "some",
            times: &[],
            values: &[],
            histograms: &samples,
            start: 0,
            end: 9,
            now: 9,
            step: 0,
        };
        let mut remarks = Annotations::default();
        let change = difference(&window, true, &mut remarks);
        (change.map(|change| change.to_string()), remarks)
    }

    #[test]
    fn a_reset_in_any_bucket_counts_from_nothing() {
        let exponential = |counts: &[f64]| of(Layout::default(), counts);

        let (change, remarks) = increase(vec![
            exponential(&[1.0, 2.0]),
            exponential(&[4.0, 1.0]),
            exponential(&[5.0, 1.0]),
        ]);

        assert_eq!(
            change.as_deref(),
            Some("{count:6, sum:0, (0.5,1]:5, (1,2]:1}")
        );
        assert_eq!(remarks, Annotations::default());
    }

    #[test]
    fn buckets_of_another_kind_fit_only_if_nothing_of_them_is_needed() {
        let custom = || of(Layout::Custom([1.0].into()), &[1.0]);
        let exponential = |count| of(Layout::default(), &[count]);

        let (change, _) = increase(vec![custom(), exponential(1.0), exponential(3.0)]);
        let (nothing, remarks) = increase(vec![exponential(1.0), custom(), exponential(3.0)]);

        assert_eq!(change.as_deref(), Some("{count:3, sum:0, (0.5,1]:3}"));
        assert_eq!(nothing, None);
        assert_eq!(remarks.warnings().len(), 1);
    }
}
