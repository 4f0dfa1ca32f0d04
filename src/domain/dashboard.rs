//! A Grafana dashboard, as far as a terminal can draw it.
//!
//! Read from Grafana's JSON model (schema versions with `panels`); panels of other kinds than
//! [`PanelKind`] keep their title and say that they cannot be drawn.

use super::metric::Unit;
use super::object::Text;

mod interpolate;

pub use interpolate::{Windows, interpolate, legend};

/// One dashboard.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Dashboard {
    pub uid: Text,
    pub title: Text,
    /// Where it came from: `NAMESPACE/NAME key` of a ConfigMap, or a file; empty otherwise.
    pub origin: Text,
    pub panels: Vec<Panel>,
    pub variables: Vec<Variable>,
    /// Length of the range that it opens with; an hour when it does not say.
    pub range_seconds: u32,
    /// What could not be read of it.
    pub problems: Vec<Text>,
}

/// How a panel draws its values.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum PanelKind {
    TimeSeries,
    Stat,
    Gauge,
    BarChart,
    Table,
    /// A heading; panels follow it.
    Row,
    /// Words.
    Text(Text),
    /// Cannot be drawn here; its type.
    Other(Text),
}

/// One panel.
#[derive(Clone, Debug, PartialEq)]
pub struct Panel {
    pub id: i64,
    pub title: Text,
    pub kind: PanelKind,
    pub targets: Vec<PanelTarget>,
    pub unit: Unit,
    pub min: Option<f64>,
    pub max: Option<f64>,
    /// Value and Grafana's colour word, lowest first.
    pub thresholds: Vec<(f64, Text)>,
    /// Place on Grafana's grid of 24 columns.
    pub place: Place,
}

/// `gridPos`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Place {
    pub x: u16,
    pub y: u16,
    pub width: u16,
    pub height: u16,
}

/// One query of a panel.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PanelTarget {
    pub expr: Text,
    /// Such as `{{pod}}`; empty: the labels themselves.
    pub legend: Text,
    /// One value instead of a line.
    pub instant: bool,
    pub hidden: bool,
}

/// One template variable.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Variable {
    pub name: Text,
    pub label: Text,
    pub kind: VariableKind,
    /// The chosen values; more than one only if `multi`.
    pub chosen: Vec<Text>,
    pub options: Vec<Text>,
    pub multi: bool,
    /// `allValue`, or empty: all options joined.
    pub all_value: Option<Text>,
    /// All options are chosen.
    pub all: bool,
    /// It is not shown to be chosen.
    pub hidden: bool,
}

/// Where the options of a variable come from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum VariableKind {
    /// A query such as `label_values(up, job)`.
    Query(Text),
    Custom,
    Constant,
    Interval,
    Textbox,
    Datasource,
    /// Its type.
    Other(Text),
}
