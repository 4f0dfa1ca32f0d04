//! Reads a query with `promql_parser` and makes its tree ready for evaluation.
//!
//! That parser knows no positions; when it refuses, [`super::mistake`] finds the place.

use super::ast::{
    Aggregate, Aggregation, At, Binary, Cardinality, Expr, Grouping, MatchLabels, Matching,
    Operator, Selector, Shift, Subquery,
};
use super::mistake;
use super::types::ParseError;
use crate::sim::prometheus::labels::NAME;
use crate::sim::prometheus::matcher::{Comparison, Matcher};
use promql_parser::label::MatchOp;
use promql_parser::parser::token::{self, TokenType};
use promql_parser::parser::{self as grammar, LabelModifier, VectorMatchCardinality};
use std::time::{Duration, SystemTime};

/// How deeply a query may be nested.
const DEEPEST: usize = 200;

/// Reads a query.
///
/// # Errors
/// What is wrong and where.
pub fn parse(text: &str) -> Result<Expr, ParseError> {
    if let Some(mistake) = mistake::before_parsing(text, DEEPEST) {
        return Err(mistake);
    }
    grammar::parse(text)
        .and_then(|expr| convert(&expr))
        .map_err(|message| mistake::locate(text, &message))
}

/// Reads a selector such as `up{job="x"}`, as `match[]` takes it.
///
/// # Errors
/// What is wrong and where.
pub fn parse_selector(text: &str) -> Result<Vec<Matcher>, ParseError> {
    match parse(text)? {
        Expr::Selector(selector) if selector.shift == Shift::default() => Ok(selector.matchers),
        Expr::Selector(_)
        | Expr::Number(_)
        | Expr::Text(_)
        | Expr::Range(..)
        | Expr::Subquery(_)
        | Expr::Call(..)
        | Expr::Aggregate(_)
        | Expr::Binary(_)
        | Expr::Negate(_)
        | Expr::Paren(_) => Err(mistake::at_start("expected a series selector")),
    }
}

/// Writes a query in the usual form.
///
/// # Errors
/// What is wrong and where.
pub fn format(text: &str) -> Result<String, ParseError> {
    parse(text)?;
    grammar::parse(text)
        .map(|expr| expr.prettify())
        .map_err(|message| mistake::locate(text, &message))
}

/// Returns what an expression yields, when that has no value at each step of a range.
pub fn not_for_ranges(expr: &Expr) -> Option<&'static str> {
    match expr {
        Expr::Paren(inner) => not_for_ranges(inner),
        Expr::Text(_) => Some("string"),
        Expr::Range(..) | Expr::Subquery(_) => Some("range vector"),
        Expr::Number(_)
        | Expr::Selector(_)
        | Expr::Call(..)
        | Expr::Aggregate(_)
        | Expr::Binary(_)
        | Expr::Negate(_) => None,
    }
}

fn convert(expr: &grammar::Expr) -> Result<Expr, String> {
    Ok(match expr {
        grammar::Expr::NumberLiteral(number) => Expr::Number(number.val),
        grammar::Expr::StringLiteral(text) => Expr::Text(text.val.clone()),
        grammar::Expr::Paren(inner) => Expr::Paren(Box::new(convert(&inner.expr)?)),
        grammar::Expr::Unary(inner) => Expr::Negate(Box::new(convert(&inner.expr)?)),
        grammar::Expr::VectorSelector(selector) => Expr::Selector(convert_selector(selector)?),
        grammar::Expr::MatrixSelector(range) => {
            Expr::Range(convert_selector(&range.vs)?, milliseconds(range.range)?)
        }
        grammar::Expr::Subquery(query) => Expr::Subquery(Box::new(Subquery {
            expr: convert(&query.expr)?,
            range: milliseconds(query.range)?,
            step: query.step.map(milliseconds).transpose()?,
            shift: convert_shift(query.offset.as_ref(), query.at.as_ref())?,
        })),
        grammar::Expr::Call(call) => {
            let args = call.args.args.iter().map(|arg| convert(arg));
            Expr::Call(call.func.name.to_owned(), args.collect::<Result<_, _>>()?)
        }
        grammar::Expr::Aggregate(aggregate) => convert_aggregate(aggregate)?,
        grammar::Expr::Binary(binary) => convert_binary(binary)?,
        grammar::Expr::Extension(_) => return Err("unknown kind of expression".to_owned()),
    })
}

fn milliseconds(span: Duration) -> Result<i64, String> {
    i64::try_from(span.as_millis()).map_err(|error| format!("duration out of range: {error}"))
}

fn convert_selector(selector: &grammar::VectorSelector) -> Result<Selector, String> {
    if !selector.matchers.or_matchers.is_empty() {
        return Err("`or` between label matchers is not supported".to_owned());
    }
    let mut matchers = Vec::new();
    if let Some(name) = &selector.name {
        matchers.push(Matcher::new(NAME, Comparison::Equal, name)?);
    }
    for matcher in &selector.matchers.matchers {
        let comparison = match matcher.op {
            MatchOp::Equal => Comparison::Equal,
            MatchOp::NotEqual => Comparison::NotEqual,
            MatchOp::Re(_) => Comparison::Matches,
            MatchOp::NotRe(_) => Comparison::MatchesNot,
        };
        matchers.push(Matcher::new(&matcher.name, comparison, &matcher.value)?);
    }
    if matchers.iter().all(|matcher| matcher.accepts("")) {
        return Err("vector selector must contain at least one non-empty matcher".to_owned());
    }
    Ok(Selector {
        matchers,
        shift: convert_shift(selector.offset.as_ref(), selector.at.as_ref())?,
    })
}

fn convert_shift(
    offset: Option<&grammar::Offset>,
    at: Option<&grammar::AtModifier>,
) -> Result<Shift, String> {
    let offset = match offset {
        None => 0,
        Some(grammar::Offset::Pos(span)) => milliseconds(*span)?,
        Some(grammar::Offset::Neg(span)) => -milliseconds(*span)?,
    };
    let at = match at {
        None => None,
        Some(grammar::AtModifier::Start) => Some(At::Start),
        Some(grammar::AtModifier::End) => Some(At::End),
        Some(grammar::AtModifier::At(time)) => {
            let time = match time.duration_since(SystemTime::UNIX_EPOCH) {
                Ok(after) => milliseconds(after)?,
                Err(before) => -milliseconds(before.duration())?,
            };
            Some(At::Time(time))
        }
    };
    Ok(Shift { offset, at })
}

fn convert_aggregate(aggregate: &grammar::AggregateExpr) -> Result<Expr, String> {
    let grouping = match &aggregate.modifier {
        None => Grouping::By(Vec::new()),
        Some(LabelModifier::Include(labels)) => Grouping::By(labels.labels.clone()),
        Some(LabelModifier::Exclude(labels)) => Grouping::Without(labels.labels.clone()),
    };
    Ok(Expr::Aggregate(Box::new(Aggregate {
        operator: aggregation(aggregate.op)?,
        expr: convert(&aggregate.expr)?,
        param: aggregate.param.as_deref().map(convert).transpose()?,
        grouping,
    })))
}

fn aggregation(token: TokenType) -> Result<Aggregation, String> {
    Ok(match token.id() {
        token::T_SUM => Aggregation::Sum,
        token::T_AVG => Aggregation::Avg,
        token::T_COUNT => Aggregation::Count,
        token::T_MIN => Aggregation::Min,
        token::T_MAX => Aggregation::Max,
        token::T_GROUP => Aggregation::Group,
        token::T_STDDEV => Aggregation::Stddev,
        token::T_STDVAR => Aggregation::Stdvar,
        token::T_TOPK => Aggregation::Topk,
        token::T_BOTTOMK => Aggregation::Bottomk,
        token::T_COUNT_VALUES => Aggregation::CountValues,
        token::T_QUANTILE => Aggregation::Quantile,
        token::T_LIMITK => Aggregation::Limitk,
        _ => return Err(format!("the aggregation {token} is not supported")),
    })
}

fn convert_binary(binary: &grammar::BinaryExpr) -> Result<Expr, String> {
    let modifier = binary.modifier.clone().unwrap_or_default();
    let labels = match &modifier.matching {
        None => MatchLabels::Ignoring(Vec::new()),
        Some(LabelModifier::Include(labels)) => MatchLabels::On(labels.labels.clone()),
        Some(LabelModifier::Exclude(labels)) => MatchLabels::Ignoring(labels.labels.clone()),
    };
    let cardinality = match &modifier.card {
        VectorMatchCardinality::ManyToOne(labels) => Cardinality::ManyToOne(labels.labels.clone()),
        VectorMatchCardinality::OneToMany(labels) => Cardinality::OneToMany(labels.labels.clone()),
        VectorMatchCardinality::OneToOne | VectorMatchCardinality::ManyToMany => {
            Cardinality::OneToOne
        }
    };
    Ok(Expr::Binary(Box::new(Binary {
        operator: operator(binary.op)?,
        left: convert(&binary.lhs)?,
        right: convert(&binary.rhs)?,
        as_bool: modifier.return_bool,
        matching: Matching {
            labels,
            cardinality,
            fill_left: modifier.fill_values.lhs,
            fill_right: modifier.fill_values.rhs,
        },
    })))
}

fn operator(token: TokenType) -> Result<Operator, String> {
    Ok(match token.id() {
        token::T_ADD => Operator::Add,
        token::T_SUB => Operator::Subtract,
        token::T_MUL => Operator::Multiply,
        token::T_DIV => Operator::Divide,
        token::T_MOD => Operator::Modulo,
        token::T_POW => Operator::Power,
        token::T_ATAN2 => Operator::Atan2,
        token::T_EQLC => Operator::Equal,
        token::T_NEQ => Operator::NotEqual,
        token::T_GTR => Operator::Greater,
        token::T_GTE => Operator::GreaterOrEqual,
        token::T_LSS => Operator::Less,
        token::T_LTE => Operator::LessOrEqual,
        token::T_LAND => Operator::And,
        token::T_LOR => Operator::Or,
        token::T_LUNLESS => Operator::Unless,
        _ => return Err(format!("the operator {token} is not supported")),
    })
}
