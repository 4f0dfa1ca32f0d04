//! Charts: of one object, of one query, or of a dashboard; all are panels side by side.
//!
//! A panel keeps its last good lines when its source goes away; how old they are is said by the
//! source's freshness. Values that are not there stay gaps.

use super::lists::{ListCursor, Loaded};
use crate::domain::dashboard::{Dashboard, Panel, PanelKind, Place, Windows, interpolate, legend};
use crate::domain::metric::{
    Board, Grid, Point, QueryAnswer, QueryError, QueryResult, RangeWish, Series, Unit,
};
use crate::domain::object::{ObjectRef, Text};
use crate::engine::protocol::Ticket;
use chrono::{DateTime, TimeDelta, Utc};

/// Spans of time to look back over, in seconds: 1, 2 and 5 of each unit.
pub const SPANS: &[u32] = &[
    60, 120, 300, 600, 1_200, 3_600, 7_200, 18_000, 36_000, 86_400, 172_800, 432_000,
];
/// The span that charts begin with.
const FIRST_SPAN: usize = 4;
/// How often most servers read their targets; the engine knows better when it asks.
const SCRAPE: TimeDelta = TimeDelta::seconds(15);

/// What the charts are about.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ChartsOf {
    /// Requests, errors and latency of an object, by version.
    Object(ObjectRef),
    Query(Text),
    /// A dashboard, by uid or title.
    Dashboard(Text),
}

/// The screen of charts.
#[derive(Debug)]
pub struct ChartsScreen {
    pub what: ChartsOf,
    /// Index into [`SPANS`].
    pub span: usize,
    pub feeds: Vec<Feed>,
    pub panels: Loaded<Vec<ChartPanel>>,
    /// Which metrics the charts are made of; empty when it needs no saying.
    pub source: Text,
    pub notes: Vec<Text>,
    /// When the newest answer was made.
    pub at: Option<DateTime<Utc>>,
    pub dashboard: Option<Dashboard>,
    /// Asked for the dashboards of the cluster.
    pub list_ticket: Option<Ticket>,
    /// Asked for the options of a variable.
    pub variable_tickets: Vec<(Ticket, usize)>,
    pub cursor: ListCursor,
    /// One panel fills the screen.
    pub zoomed: bool,
}

/// A subscription and what it feeds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Feed {
    pub ticket: Ticket,
    pub panel: usize,
    pub target: usize,
}

/// One chart with its newest answer.
#[derive(Clone, Debug, PartialEq)]
pub struct ChartPanel {
    pub title: Text,
    pub kind: PanelKind,
    pub unit: Unit,
    pub place: Place,
    /// Values that are drawn as lines to stay below or above.
    pub limits: Vec<f64>,
    pub lines: Vec<ChartLine>,
    pub grid: Option<Grid>,
    pub problem: Option<QueryError>,
    /// Whether anything was answered yet.
    pub answered: bool,
    /// What was asked, for the eyes.
    pub expr: Text,
}

/// One line of a chart.
#[derive(Clone, Debug, PartialEq)]
pub struct ChartLine {
    /// Which query of the panel it belongs to.
    pub target: usize,
    pub legend: String,
    pub series: Series,
}

impl ChartsScreen {
    /// Makes the screen before anything has arrived.
    pub fn new(what: ChartsOf) -> Self {
        let panels = match &what {
            ChartsOf::Query(expr) => Loaded::Ready(vec![ChartPanel::of_query(expr)]),
            ChartsOf::Object(_) | ChartsOf::Dashboard(_) => Loaded::Waiting,
        };
        Self {
            what,
            span: FIRST_SPAN,
            feeds: Vec::new(),
            panels,
            source: "".into(),
            notes: Vec::new(),
            at: None,
            dashboard: None,
            list_ticket: None,
            variable_tickets: Vec::new(),
            cursor: ListCursor::default(),
            zoomed: false,
        }
    }

    /// Returns the span that is looked back over, in seconds.
    pub fn seconds(&self) -> u32 {
        SPANS.get(self.span).copied().unwrap_or(1_200)
    }

    /// Returns the panels; none while they are on their way.
    pub fn shown(&self) -> &[ChartPanel] {
        self.panels
            .ready()
            .map(|panels| &**panels)
            .unwrap_or_default()
    }

    /// Returns the panel under the cursor.
    pub fn current(&self) -> Option<&ChartPanel> {
        self.shown().get(self.cursor.position)
    }

    /// Returns what to ask for, so that every column of the window can show a point.
    pub(in crate::app) fn wish(&self, columns: u16) -> RangeWish {
        RangeWish::last(self.seconds(), columns.max(20))
    }

    pub(in crate::app) fn set_board(&mut self, board: Board) {
        self.source = board.source;
        self.notes = board.notes;
        self.at = Some(board.at);
        let panels: Vec<ChartPanel> = board.charts.into_iter().map(ChartPanel::of_chart).collect();
        let last = panels.len().saturating_sub(1);
        self.cursor.position = self.cursor.position.min(last);
        self.panels = Loaded::Ready(panels);
    }

    /// Takes the answer to one query in; returns whether it belongs here.
    pub(in crate::app) fn set_answer(
        &mut self,
        ticket: Ticket,
        answer: Result<Box<QueryAnswer>, QueryError>,
    ) -> bool {
        let Some(feed) = self
            .feeds
            .iter()
            .find(|feed| feed.ticket == ticket)
            .copied()
        else {
            return false;
        };
        let template = self.dashboard.as_ref().and_then(|board| {
            let target = board.panels.get(feed.panel)?.targets.get(feed.target)?;
            Some(target.legend.clone())
        });
        let Loaded::Ready(panels) = &mut self.panels else {
            return false;
        };
        let Some(panel) = panels.get_mut(feed.panel) else {
            return false;
        };
        panel.answered = true;
        match answer {
            Ok(answer) => {
                self.at = Some(answer.at);
                for note in answer.notes {
                    if !self.notes.contains(&note) {
                        self.notes.push(note);
                    }
                }
                panel.take(
                    feed.target,
                    template.as_deref().unwrap_or_default(),
                    answer.result,
                );
            }
            Err(error) => panel.problem = Some(error),
        }
        true
    }

    /// Shows a dashboard; its queries are asked when its variables are known.
    pub(in crate::app) fn set_dashboard(&mut self, dashboard: Dashboard) {
        let nearest = SPANS
            .iter()
            .position(|span| *span >= dashboard.range_seconds);
        self.span = nearest.unwrap_or(SPANS.len() - 1);
        let panels = dashboard.panels.iter().map(ChartPanel::of_panel).collect();
        self.panels = Loaded::Ready(panels);
        self.notes.clone_from(&dashboard.problems);
        self.dashboard = Some(dashboard);
    }

    /// Returns the queries to ask: panel, target, expression with its variables filled in.
    pub(in crate::app) fn queries(
        &self,
        columns: u16,
        now: DateTime<Utc>,
    ) -> Vec<(usize, usize, Text)> {
        match (&self.what, &self.dashboard) {
            (ChartsOf::Query(expr), _) => vec![(0, 0, expr.clone())],
            (ChartsOf::Dashboard(_), Some(dashboard)) => {
                let grid = Grid::for_wish(self.wish(columns), SCRAPE, now);
                let windows = Windows::of(&grid, SCRAPE);
                let mut queries = Vec::new();
                for (number, panel) in dashboard.panels.iter().enumerate() {
                    for (target, one) in panel.targets.iter().enumerate() {
                        if !one.hidden {
                            let expr = interpolate(&one.expr, &dashboard.variables, &windows);
                            queries.push((number, target, expr.into()));
                        }
                    }
                }
                queries
            }
            (ChartsOf::Dashboard(_), None) | (ChartsOf::Object(_), _) => Vec::new(),
        }
    }
}

impl ChartPanel {
    fn empty(title: Text, kind: PanelKind, unit: Unit, place: Place) -> Self {
        Self {
            title,
            kind,
            unit,
            place,
            limits: Vec::new(),
            lines: Vec::new(),
            grid: None,
            problem: None,
            answered: false,
            expr: "".into(),
        }
    }

    fn of_query(expr: &Text) -> Self {
        let place = Place {
            x: 0,
            y: 0,
            width: 24,
            height: 8,
        };
        let mut panel = Self::empty("".into(), PanelKind::TimeSeries, Unit::Plain, place);
        panel.expr = expr.clone();
        panel
    }

    fn of_chart(chart: crate::domain::metric::Chart) -> Self {
        let place = Place {
            x: 0,
            y: 0,
            width: 24,
            height: 8,
        };
        let mut panel = Self::empty(chart.title, PanelKind::TimeSeries, chart.unit, place);
        panel.expr = chart.expr;
        panel.grid = Some(chart.grid);
        panel.problem = chart.problem;
        panel.answered = true;
        let lines = chart.lines.into_iter();
        panel.lines = lines
            .map(|(legend, series)| ChartLine {
                target: 0,
                legend: legend.to_string(),
                series,
            })
            .collect();
        panel
    }

    fn of_panel(panel: &Panel) -> Self {
        let mut own = Self::empty(
            panel.title.clone(),
            panel.kind.clone(),
            panel.unit,
            panel.place,
        );
        // The lowest threshold colours what is below all others.
        own.limits = panel
            .thresholds
            .iter()
            .skip(1)
            .map(|(value, _)| *value)
            .collect();
        let exprs = panel.targets.iter().map(|target| &*target.expr);
        own.expr = exprs.collect::<Vec<_>>().join("; ").into();
        own.answered = panel.targets.is_empty();
        own
    }

    fn take(&mut self, target: usize, template: &str, result: QueryResult) {
        self.problem = None;
        self.lines.retain(|line| line.target != target);
        let series = match result {
            QueryResult::Range { grid, series } => {
                self.grid = Some(grid);
                series
            }
            QueryResult::Raw(series) => series,
            QueryResult::Vector(samples) => samples
                .into_iter()
                .map(|sample| Series {
                    labels: sample.labels,
                    points: vec![Point {
                        at: sample.at,
                        value: sample.value,
                    }],
                })
                .collect(),
            QueryResult::Scalar(point) => vec![Series {
                labels: Vec::new(),
                points: vec![point],
            }],
            QueryResult::Text(_) => Vec::new(),
        };
        self.lines
            .extend(series.into_iter().map(|series| ChartLine {
                target,
                legend: legend(template, &series.labels),
                series,
            }));
        self.lines.sort_by_key(|line| line.target);
    }
}

/// The dashboards that were found in the cluster.
#[derive(Debug)]
pub struct DashboardsScreen {
    pub ticket: Option<Ticket>,
    pub content: Loaded<Vec<Dashboard>>,
    pub cursor: ListCursor,
}

/// The list before anything has arrived.
impl Default for DashboardsScreen {
    fn default() -> Self {
        Self {
            ticket: None,
            content: Loaded::Waiting,
            cursor: ListCursor::default(),
        }
    }
}

impl DashboardsScreen {
    /// Returns the dashboard under the cursor.
    pub fn current(&self) -> Option<&Dashboard> {
        self.content.ready()?.get(self.cursor.position)
    }
}

/// Returns whether a name means this dashboard.
pub fn is_named(dashboard: &Dashboard, name: &str) -> bool {
    *dashboard.uid == *name || dashboard.title.eq_ignore_ascii_case(name)
}
