//! Charts in our words: which queries belong to a panel, and which panels to a dashboard.
//!
//! The Metrics screen and dashboards written for Grafana are both made of these. A query is a
//! template until it is asked: variables, the step and the span are filled in by [`resolved`].

use super::object::Text;

/// What a value counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Default)]
pub enum Unit {
    #[default]
    Plain,
    PerSecond,
    /// A share of 1, shown in percent.
    Share,
    /// Already in percent.
    Percent,
    Seconds,
    Milliseconds,
    Bytes,
}

/// One query of a panel.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Curve {
    /// PromQL; `$name`, `${name}` and `[[name]]` stand for variables.
    pub expr: Text,
    /// What its lines are called: `{{label}}` stands for a label. Empty: the labels themselves.
    pub legend: Text,
}

/// A limit that the values of a panel are held against.
#[derive(Clone, Debug, PartialEq)]
pub struct Limit {
    pub value: f64,
    /// Such as `≥ 0.95`.
    pub text: Text,
}

/// How a panel is shown.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum PanelKind {
    /// Lines over time.
    Chart,
    /// The newest value, large.
    Number,
    /// The newest values in rows.
    Table,
    /// Words only.
    Words(Text),
    /// A kind of panel that cannot be drawn here.
    Other(Text),
}

/// One chart.
#[derive(Clone, Debug, PartialEq)]
pub struct Panel {
    pub title: Text,
    pub kind: PanelKind,
    pub unit: Unit,
    pub curves: Vec<Curve>,
    pub limits: Vec<Limit>,
    pub place: GridPlace,
}

/// Where a panel stands in a grid 24 units wide.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub struct GridPlace {
    pub x: u16,
    pub y: u16,
    pub width: u16,
    pub height: u16,
}

/// Panels that belong together.
#[derive(Clone, Debug, PartialEq)]
pub struct Dashboard {
    /// What it is called after `:dashboard`: the uid, else the title.
    pub name: Text,
    pub title: Text,
    /// Where it was found: a ConfigMap or a file.
    pub origin: Text,
    /// Names and values of its variables.
    pub variables: Vec<(Text, Text)>,
    pub panels: Vec<Panel>,
    /// How far it looks back, in seconds, when it says so.
    pub span: Option<u32>,
    /// What of it cannot be shown.
    pub remarks: Vec<Text>,
}

/// Fills in the variables of a query. The step and the span, in seconds, stand for Grafana's own
/// variables: `$__rate_interval` is at least four steps of 15 s, so that `rate` finds two samples.
pub fn resolved(expr: &str, variables: &[(Text, Text)], step: u32, span: u32) -> String {
    let rate = step.max(15).saturating_mul(4);
    let own = [
        ("__rate_interval", format!("{rate}s")),
        ("__interval_ms", format!("{}", u64::from(step) * 1_000)),
        ("__interval", format!("{step}s")),
        ("__range_s", span.to_string()),
        ("__range", format!("{span}s")),
    ];
    let mut pairs: Vec<(&str, &str)> = own
        .iter()
        .map(|(name, value)| (*name, value.as_str()))
        .chain(variables.iter().map(|(name, value)| (&**name, &**value)))
        .collect();
    // `$namespace` must not be read as `$name` followed by text.
    pairs.sort_by_key(|(name, _)| std::cmp::Reverse(name.len()));
    let mut text = expr.to_owned();
    for (name, value) in pairs {
        text = text.replace(&format!("${{{name}}}"), value);
        text = replace_formatted(&text, name, value);
        text = text.replace(&format!("[[{name}]]"), value);
        text = text.replace(&format!("${name}"), value);
    }
    text
}

/// `${name:regex}` and the like: the format is left to the value.
fn replace_formatted(text: &str, name: &str, value: &str) -> String {
    let opening = format!("${{{name}:");
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some((before, after)) = rest.split_once(&opening) {
        let Some((_, behind)) = after.split_once('}') else {
            break;
        };
        out.push_str(before);
        out.push_str(value);
        rest = behind;
    }
    out.push_str(rest);
    out
}

/// Returns what a line is called: the template with labels filled in, else the labels without
/// the metric's name.
pub fn legend(template: &str, labels: &[(Text, Text)]) -> String {
    let value = |wanted: &str| {
        let found = labels.iter().find(|(name, _)| **name == *wanted);
        found.map(|(_, value)| &**value).unwrap_or_default()
    };
    if template.is_empty() || template == "__auto" {
        return bare_legend(labels);
    }
    let mut out = String::new();
    let mut rest = template;
    while let Some((before, after)) = rest.split_once("{{") {
        let Some((name, behind)) = after.split_once("}}") else {
            break;
        };
        out.push_str(before);
        out.push_str(value(name.trim()));
        rest = behind;
    }
    out.push_str(rest);
    let out = out.trim();
    if out.is_empty() {
        bare_legend(labels)
    } else {
        out.to_owned()
    }
}

fn bare_legend(labels: &[(Text, Text)]) -> String {
    let name = labels.iter().find(|(name, _)| &**name == "__name__");
    let name = name.map(|(_, value)| &**value).unwrap_or_default();
    let others: Vec<String> = labels
        .iter()
        .filter(|(name, _)| &**name != "__name__")
        .map(|(name, value)| format!("{name}={value}"))
        .collect();
    match (name, others.is_empty()) {
        ("", true) => "value".to_owned(),
        (name, true) => name.to_owned(),
        ("", false) => others.join(" "),
        (name, false) => format!("{name} {}", others.join(" ")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pairs(all: &[(&str, &str)]) -> Vec<(Text, Text)> {
        all.iter()
            .map(|(name, value)| ((*name).into(), (*value).into()))
            .collect()
    }

    #[test]
    fn variables_are_filled_in_the_longest_name_first() {
        let variables = pairs(&[("name", "web"), ("namespace", "shop")]);
        let expr = r#"rate(x{n="$namespace",a=~"${name:regex}",b="[[name]]"}[$__rate_interval])"#;
        assert_eq!(
            resolved(expr, &variables, 30, 3_600),
            r#"rate(x{n="shop",a=~"web",b="web"}[120s])"#
        );
        assert_eq!(resolved("x[$__range]", &[], 5, 600), "x[600s]");
    }

    #[test]
    fn legend_is_the_template_or_the_labels() {
        let labels = pairs(&[("__name__", "up"), ("job", "api"), ("version", "v2")]);
        assert_eq!(legend("{{job}} {{ version }}", &labels), "api v2");
        assert_eq!(legend("", &labels), "up job=api version=v2");
        assert_eq!(legend("{{nothing}}", &labels), "up job=api version=v2");
        assert_eq!(legend("", &[]), "value");
    }
}
