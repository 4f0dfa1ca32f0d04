//! Queries in PromQL: read, then evaluated over a span of time at once.
//!
//! The rules are those of Prometheus 3.x (`promql/engine.go`, `promql/functions.go`) for floats and
//! native histograms, with a switch for 2.x where numbers differ.
//! Nothing here knows where series come from: a [`Source`] does.

mod aggregate;
mod annotations;
mod ast;
mod binary;
mod calendar;
mod call;
mod eval;
mod histogram;
mod instant;
mod mistake;
mod native;
mod over_time;
mod parse;
mod quantile;
mod rate;
mod reshape;
mod row;
mod select;
mod stamp;
mod sums;
mod types;
mod window;

pub use annotations::Annotations;
pub use ast::Expr;
pub use eval::evaluate;
pub use parse::{format, not_for_ranges, parse, parse_selector};
pub use row::{Histograms, Row, Sample};
pub use stamp::{ABSENT, is_absent};
pub use types::{
    EvalError, EvalOptions, Outcome, ParseError, Rules, Sampled, Source, Steps, Value,
};
