//! What an Application's last or current operation is doing.
//!
//! Argo CD spreads this over `.operation` (the request), `status.operationState` (the work) and
//! `metadata.deletionTimestamp`; `controller/appcontroller.go` says which combination means what.

use super::reader::Reader;
use crate::api::application::{
    BackoffWire, InitiatorWire, OperationStateWire, OperationWire, RetryWire,
};
use crate::api::field::{Field, Str};
use crate::domain::application::{OperationView, Phase};
use crate::domain::duration::parse_duration;
use crate::domain::object::Text;
use chrono::{DateTime, TimeDelta, Utc};

const STATE: &str = "status.operationState";

/// Returns the view of an operation from the request and the state.
pub(super) fn operation_view(
    requested: bool,
    state: Option<OperationStateWire<'_>>,
    reader: &mut Reader<'_>,
) -> OperationView {
    let Some(state) = state else {
        return if requested {
            OperationView::Queued
        } else {
            OperationView::None
        };
    };
    let phase_word = reader.take(state.phase, "status.operationState.phase");
    let phase = Phase::from_word(&phase_word.unwrap_or_default());
    let message = text_of(reader, state.message);
    let started = reader.take(state.started_at, "status.operationState.startedAt");
    let finished = reader.take(state.finished_at, "status.operationState.finishedAt");
    let operation = reader.take(state.operation, "status.operationState.operation");
    let attempt = reader
        .take(state.retry_count, "status.operationState.retryCount")
        .unwrap_or_default();
    match phase {
        Phase::Running | Phase::Terminating if !requested => OperationView::Stuck { phase },
        Phase::Running => match finished {
            Some(finished) => waiting_retry(operation, attempt, finished, message),
            None => running(message, started),
        },
        Phase::Terminating => OperationView::Active {
            phase,
            message,
            started,
        },
        // The state is of an older operation; the new one has not been taken up.
        Phase::Succeeded | Phase::Failed | Phase::Error | Phase::Unknown if requested => {
            OperationView::Queued
        }
        Phase::Succeeded | Phase::Failed | Phase::Error | Phase::Unknown => {
            OperationView::Finished {
                phase,
                message,
                at: finished,
                by: initiator(operation.and_then(|one| one.initiated_by.value()), reader),
            }
        }
    }
}

fn text_of(reader: &mut Reader<'_>, field: Field<Str<'_>>) -> Text {
    // Most messages are one of a few ("successfully synced (all tasks run)").
    reader.shared(field, &format!("{STATE}.message"))
}

fn running(message: Text, started: Option<DateTime<Utc>>) -> OperationView {
    if message.starts_with("Sync operation blocked by sync window") {
        OperationView::Blocked { message }
    } else if message.contains("waiting for pruning confirmation")
        || message.contains("waiting for deletion confirmation")
    {
        OperationView::NeedsConfirmation { message }
    } else if message.starts_with("waiting for ") {
        OperationView::Waiting { message, started }
    } else {
        OperationView::Active {
            phase: Phase::Running,
            message,
            started,
        }
    }
}

fn waiting_retry(
    operation: Option<OperationWire<'_>>,
    attempt: i64,
    finished: DateTime<Utc>,
    message: Text,
) -> OperationView {
    let retry = operation.and_then(|operation| operation.retry.value());
    let retry = retry.unwrap_or_default();
    let limit = retry.limit.as_ref().copied().unwrap_or_default();
    OperationView::WaitingRetry {
        attempt,
        limit,
        at: finished + retry_delay(retry, attempt),
        message,
    }
}

/// `min(maxDuration, duration · factor^attempt)`; Argo CD `types.go`, `NextRetryAt`.
fn retry_delay(retry: RetryWire<'_>, attempt: i64) -> TimeDelta {
    let backoff: BackoffWire<'_> = retry.backoff.value().unwrap_or_default();
    let span = |field: Field<Str<'_>>, default: i64| {
        field
            .value()
            .and_then(|text| parse_duration(&text))
            .unwrap_or(TimeDelta::seconds(default))
    };
    let first = span(backoff.duration, 5);
    let most = span(backoff.max_duration, 180);
    let factor = backoff.factor.value().unwrap_or(2).max(1) as f64;
    let exponent = i32::try_from(attempt.max(0)).unwrap_or(i32::MAX);
    let milliseconds = first.num_milliseconds() as f64 * factor.powi(exponent);
    let wanted = TimeDelta::milliseconds(milliseconds.min(1.0e15) as i64);
    wanted.min(most)
}

/// Returns who asked: a user name, or `automated`.
pub(super) fn initiator(by: Option<InitiatorWire<'_>>, reader: &mut Reader<'_>) -> Text {
    let Some(by) = by else {
        return reader.interner.shared("");
    };
    if by.automated == Field::Is(true) {
        return reader.interner.shared("automated");
    }
    reader.shared(
        by.username,
        "status.operationState.operation.initiatedBy.username",
    )
}
