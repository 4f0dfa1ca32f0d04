//! A query as a tree, made ready for evaluation.

use super::types::Rules;
use crate::sim::prometheus::matcher::Matcher;

/// An expression.
#[derive(Clone, Debug)]
pub enum Expr {
    /// A number.
    Number(f64),
    /// A text.
    Text(String),
    /// `metric{label="value"}`
    Selector(Selector),
    /// `metric[5m]`
    Range(Selector, i64),
    /// `expr[5m:1m]`
    Subquery(Box<Subquery>),
    /// `rate(…)`
    Call(String, Vec<Self>),
    /// `sum by (…) (…)`
    Aggregate(Box<Aggregate>),
    /// `a + b`
    Binary(Box<Binary>),
    /// `-a`
    Negate(Box<Self>),
    /// `(a)`
    Paren(Box<Self>),
}

impl Expr {
    /// Returns the expression inside any parentheses.
    pub(super) fn bare(&self) -> &Self {
        let mut bare = self;
        while let Self::Paren(inner) = bare {
            bare = inner;
        }
        bare
    }
}

/// Which series, and when.
#[derive(Clone, Debug)]
pub struct Selector {
    /// All conditions, the metric's name included.
    pub matchers: Vec<Matcher>,
    /// Moved in time.
    pub shift: Shift,
}

/// `offset` and `@`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Shift {
    /// How far into the past, in milliseconds; negative: into the future.
    pub offset: i64,
    /// A fixed time instead of the evaluation's.
    pub at: Option<At>,
}

/// The time given by `@`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum At {
    /// `@ start()`
    Start,
    /// `@ end()`
    End,
    /// `@ 1609746000`, in milliseconds.
    Time(i64),
}

/// `expr[range:step]`
#[derive(Clone, Debug)]
pub struct Subquery {
    /// What is evaluated again and again.
    pub expr: Expr,
    /// How far back, in milliseconds.
    pub range: i64,
    /// The distance of two evaluations, in milliseconds.
    pub step: Option<i64>,
    /// Moved in time.
    pub shift: Shift,
}

/// An aggregation over series.
#[derive(Clone, Debug)]
pub struct Aggregate {
    /// Which.
    pub operator: Aggregation,
    /// Over what.
    pub expr: Expr,
    /// The parameter of `topk`, `quantile` and the like.
    pub param: Option<Expr>,
    /// Into which groups.
    pub grouping: Grouping,
}

/// The groups of an aggregation.
#[derive(Clone, Debug)]
pub enum Grouping {
    /// `by (…)`; without any, all series are one group.
    By(Vec<String>),
    /// `without (…)`
    Without(Vec<String>),
}

/// The aggregations.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(missing_docs, reason = "named as in PromQL")]
pub enum Aggregation {
    Sum,
    Avg,
    Count,
    Min,
    Max,
    Group,
    Stddev,
    Stdvar,
    Topk,
    Bottomk,
    CountValues,
    Quantile,
    Limitk,
}

/// `left op right`
#[derive(Clone, Debug)]
pub struct Binary {
    /// Which.
    pub operator: Operator,
    /// The left side.
    pub left: Expr,
    /// The right side.
    pub right: Expr,
    /// Whether a comparison yields 0 and 1 instead of a filter.
    pub as_bool: bool,
    /// Which series meet which.
    pub matching: Matching,
}

/// How the series of two sides find each other.
#[derive(Clone, Debug)]
pub struct Matching {
    /// By which labels.
    pub labels: MatchLabels,
    /// Which side may have many.
    pub cardinality: Cardinality,
    /// `fill_left`: the value of a missing left side.
    pub fill_left: Option<f64>,
    /// `fill_right`: the value of a missing right side.
    pub fill_right: Option<f64>,
}

/// The labels that have to be equal.
#[derive(Clone, Debug)]
pub enum MatchLabels {
    /// `on (…)`
    On(Vec<String>),
    /// All but `ignoring (…)`
    Ignoring(Vec<String>),
}

/// Which side may have many series for one of the other.
#[derive(Clone, Debug)]
pub enum Cardinality {
    /// Neither.
    OneToOne,
    /// `group_left (…)`: the left; the labels come from the right.
    ManyToOne(Vec<String>),
    /// `group_right (…)`: the right; the labels come from the left.
    OneToMany(Vec<String>),
}

/// The binary operators.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(missing_docs, reason = "named as in PromQL")]
pub enum Operator {
    Add,
    Subtract,
    Multiply,
    Divide,
    Modulo,
    Power,
    Atan2,
    Equal,
    NotEqual,
    Greater,
    GreaterOrEqual,
    Less,
    LessOrEqual,
    And,
    Or,
    Unless,
}

impl Operator {
    pub(super) fn is_comparison(self) -> bool {
        match self {
            Self::Equal
            | Self::NotEqual
            | Self::Greater
            | Self::GreaterOrEqual
            | Self::Less
            | Self::LessOrEqual => true,
            Self::Add
            | Self::Subtract
            | Self::Multiply
            | Self::Divide
            | Self::Modulo
            | Self::Power
            | Self::Atan2
            | Self::And
            | Self::Or
            | Self::Unless => false,
        }
    }

    /// Whether the result is no longer the metric it was. 2.x forgot one operator here.
    pub(super) fn drops_name(self, rules: Rules) -> bool {
        match self {
            Self::Add
            | Self::Subtract
            | Self::Multiply
            | Self::Divide
            | Self::Modulo
            | Self::Power => true,
            Self::Atan2 => rules == Rules::V3,
            Self::Equal
            | Self::NotEqual
            | Self::Greater
            | Self::GreaterOrEqual
            | Self::Less
            | Self::LessOrEqual
            | Self::And
            | Self::Or
            | Self::Unless => false,
        }
    }

    /// Returns the operator as it is written.
    pub(super) fn text(self) -> &'static str {
        match self {
            Self::Add => "+",
            Self::Subtract => "-",
            Self::Multiply => "*",
            Self::Divide => "/",
            Self::Modulo => "%",
            Self::Power => "^",
            Self::Atan2 => "atan2",
            Self::Equal => "==",
            Self::NotEqual => "!=",
            Self::Greater => ">",
            Self::GreaterOrEqual => ">=",
            Self::Less => "<",
            Self::LessOrEqual => "<=",
            Self::And => "and",
            Self::Or => "or",
            Self::Unless => "unless",
        }
    }

    pub(super) fn is_set(self) -> bool {
        matches!(self, Self::And | Self::Or | Self::Unless)
    }
}
