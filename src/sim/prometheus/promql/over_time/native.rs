//! Functions of a window that look at numbers and native histograms alike.

use super::super::annotations::Annotations;
use super::super::row::Sample;
use super::super::sums::Sum;
use super::super::window::Window;
use super::{Look, mean, same, seconds};
use crate::sim::prometheus::histogram::Histogram;

/// Returns the function of a name.
pub(super) fn by_name(name: &str) -> Option<Look> {
    Some(match name {
        "avg_over_time" => |window, remarks| {
            let count = window.histograms.len() as f64;
            total(window, remarks).map(|total| match total {
                Total::Numbers => mean(window.values).into(),
                Total::Histograms(sum) => sum.divided_by(count).into(),
            })
        },
        "sum_over_time" => |window, remarks| {
            total(window, remarks).map(|total| match total {
                Total::Numbers => Sum::of(window.values.iter().copied()).total().into(),
                Total::Histograms(sum) => sum.into(),
            })
        },
        "count_over_time" => |window, _| {
            let count = window.values.len() + window.histograms.len();
            Some(Sample::Float(count as f64))
        },
        "last_over_time" => |window, _| window.last().map(|(_, sample)| sample),
        "first_over_time" => |window, _| window.first().map(|(_, sample)| sample),
        "present_over_time" => |_, _| Some(Sample::Float(1.0)),
        "changes" => |window, _| Some(steps(window, differs)),
        "resets" => |window, _| Some(steps(window, is_reset)),
        "ts_of_first_over_time" => |window, _| window.first().map(|(time, _)| seconds(time).into()),
        "ts_of_last_over_time" => |window, _| window.last().map(|(time, _)| seconds(time).into()),
        _ => return None,
    })
}

/// What can be added up in a window.
enum Total {
    Numbers,
    Histograms(Histogram),
}

fn total(window: &Window<'_>, remarks: &mut Annotations) -> Option<Total> {
    let [(_, first), others @ ..] = window.histograms else {
        return Some(Total::Numbers);
    };
    if window.is_mixed() {
        remarks.mixed_range(window.metric);
        return None;
    }
    let mut sum = Histogram::clone(first);
    for (_, histogram) in others {
        if let Err(why) = sum.add(histogram) {
            remarks.incompatible(window.metric, why);
            return None;
        }
    }
    Some(Total::Histograms(sum.compact()))
}

/// Counts the neighbours for which something holds.
fn steps(window: &Window<'_>, holds: fn(&Sample, &Sample) -> bool) -> Sample {
    let mut samples = window.samples().into_iter().map(|(_, sample)| sample);
    let Some(mut before) = samples.next() else {
        return Sample::Float(0.0);
    };
    let count = samples.filter(|after| {
        let counts = holds(&before, after);
        before = after.clone();
        counts
    });
    Sample::Float(count.count() as f64)
}

fn differs(before: &Sample, after: &Sample) -> bool {
    match (before, after) {
        (Sample::Float(before), Sample::Float(after)) => {
            let both_nan = before.is_nan() && after.is_nan();
            !same(*before, *after) && !both_nan
        }
        (Sample::Histogram(before), Sample::Histogram(after)) => before != after,
        (Sample::Float(_), Sample::Histogram(_)) | (Sample::Histogram(_), Sample::Float(_)) => true,
    }
}

fn is_reset(before: &Sample, after: &Sample) -> bool {
    match (before, after) {
        (Sample::Float(before), Sample::Float(after)) => after < before,
        (Sample::Histogram(before), Sample::Histogram(after)) => after.is_reset_after(before),
        (Sample::Float(_), Sample::Histogram(_)) | (Sample::Histogram(_), Sample::Float(_)) => true,
    }
}
