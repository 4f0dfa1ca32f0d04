//! Queries: at one time, over a range, and formatted.

use super::params::{Params, invalid};
use super::{Shared, answer, result};
use crate::sim::prometheus::promql::{self, Expr, Outcome, Steps};
use crate::sim::prometheus::query::{QueryRange, Wishes, steps};
use crate::sim::prometheus::{Core, QueryError, QueryErrorKind};
use axum::extract::State;
use axum::response::Response;
use serde_json::json;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

/// How long a query may take when it does not say; also the most it may say.
const LONGEST: Duration = Duration::from_secs(120);

/// `GET|POST /api/v1/query`
pub(super) async fn instant(State(core): Shared, params: Params) -> Result<Response, QueryError> {
    let at = params.time("time", core.now())?;
    let expr = expression(&params)?;
    evaluate(core, expr, (Steps::instant(at), false), &params).await
}

/// `GET|POST /api/v1/query_range`
pub(super) async fn range(State(core): Shared, params: Params) -> Result<Response, QueryError> {
    let start_ms = params.required_time("start")?;
    let end_ms = params.required_time("end")?;
    let Some(step_ms) = params.span("step")? else {
        return Err(invalid("step", "cannot parse \"\" to a valid duration"));
    };
    let steps = steps(QueryRange {
        start_ms,
        end_ms,
        step_ms,
    })?;
    let expr = expression(&params)?;
    if let Some(kind) = promql::not_for_ranges(&expr) {
        return Err(invalid(
            "query",
            &format!(
                "invalid expression type \"{kind}\" for range query, must be Scalar or instant Vector"
            ),
        ));
    }
    evaluate(core, expr, (steps, true), &params).await
}

/// `GET|POST /api/v1/query_exemplars`: none are kept.
pub(super) async fn exemplars(params: Params) -> Result<Response, QueryError> {
    expression(&params)?;
    Ok(answer::success(&json!([])))
}

/// `GET|POST /api/v1/format_query`
pub(super) async fn format(params: Params) -> Result<Response, QueryError> {
    let formatted = promql::format(params.get("query"))
        .map_err(|error| invalid("query", &error.to_string()))?;
    Ok(answer::success(&json!(formatted)))
}

fn expression(params: &Params) -> Result<Expr, QueryError> {
    promql::parse(params.get("query")).map_err(|error| invalid("query", &error.to_string()))
}

async fn evaluate(
    core: Arc<Core>,
    expr: Expr,
    (steps, range): (Steps, bool),
    params: &Params,
) -> Result<Response, QueryError> {
    let most = params.limit()?;
    let lookback = params.span("lookback_delta")?;
    let asked = params
        .span("timeout")?
        .map(|span| Duration::from_millis(span.unsigned_abs()));
    let timeout = asked.unwrap_or(LONGEST).min(LONGEST);
    let stop = Stop::default();
    let told = Arc::clone(&stop.0);
    // Evaluating takes the processor, not time to wait: it must not hold up other requests.
    let work = tokio::task::spawn_blocking(move || {
        let wishes = Wishes {
            lookback,
            stop: Some(&told),
        };
        let Outcome { value, annotations } = core.evaluate(&expr, steps, wishes)?;
        let cut = result::is_cut(&value, most);
        Ok((result::json(value, steps, (range, most)), annotations, cut))
    });
    let outcome = match tokio::time::timeout(timeout, work).await {
        Ok(Ok(outcome)) => outcome,
        Ok(Err(_)) => Err(QueryError {
            kind: QueryErrorKind::Execution,
            message: "the evaluation broke down".to_owned(),
        }),
        Err(_) => Err(QueryError {
            kind: QueryErrorKind::Timeout,
            message: "query timed out in expression evaluation".to_owned(),
        }),
    };
    let (data, mut annotations, cut) = outcome?;
    if cut {
        annotations.cut();
    }
    Ok(answer::written(&data, &annotations))
}

/// Stops the evaluation when nobody waits for it any more.
#[derive(Default)]
struct Stop(Arc<AtomicBool>);

impl Drop for Stop {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}
