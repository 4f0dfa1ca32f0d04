//! Turns Grafana's dashboard JSON into [`domain::dashboard`](crate::domain::dashboard).
//!
//! The model is Grafana's "Dashboard JSON model"; old panel types (`graph`, `singlestat`) are
//! read as what replaced them. What cannot be read becomes a problem of the dashboard, never a
//! lost dashboard.

use crate::domain::dashboard::{
    Dashboard, Panel, PanelKind, PanelTarget, Place, Variable, VariableKind,
};
use crate::domain::duration::parse_duration;
use crate::domain::metric::Unit;
use crate::domain::object::Text;
use serde_json::Value;

/// Reads a dashboard from its JSON; `origin` says where it came from.
///
/// # Errors
/// Says in a sentence why it is no dashboard.
pub fn dashboard(json: &str, origin: &str) -> Result<Dashboard, String> {
    let value: Value =
        serde_json::from_str(json).map_err(|error| format!("it is not JSON: {error}"))?;
    // The HTTP API and some exports wrap the model.
    let model = value
        .get("dashboard")
        .filter(|inner| inner.is_object())
        .unwrap_or(&value);
    let has_panels = model.get("panels").is_some_and(Value::is_array);
    let has_rows = model.get("rows").is_some_and(Value::is_array);
    if !has_panels && !has_rows {
        return Err(String::from("it has no panels, so it is no dashboard"));
    }
    let mut problems = Vec::new();
    let mut panels = Vec::new();
    for one in list(model, "panels") {
        read_panel(one, &mut panels, &mut problems);
    }
    // Before schema version 16 panels lay in rows.
    for row in list(model, "rows") {
        for one in list(row, "panels") {
            read_panel(one, &mut panels, &mut problems);
        }
    }
    Ok(Dashboard {
        uid: text(model, "uid"),
        title: text(model, "title"),
        origin: origin.into(),
        panels,
        variables: variables(model),
        range_seconds: range_seconds(model),
        problems,
    })
}

fn text(value: &Value, field: &str) -> Text {
    value
        .get(field)
        .and_then(Value::as_str)
        .unwrap_or_default()
        .into()
}

fn list<'v>(value: &'v Value, field: &str) -> &'v [Value] {
    value
        .get(field)
        .and_then(Value::as_array)
        .map(Vec::as_slice)
        .unwrap_or_default()
}

fn flag(value: &Value, field: &str) -> bool {
    value.get(field).and_then(Value::as_bool).unwrap_or(false)
}

fn read_panel(value: &Value, panels: &mut Vec<Panel>, problems: &mut Vec<Text>) {
    let kind = kind(value);
    let title = text(value, "title");
    if let PanelKind::Other(name) = &kind {
        problems.push(format!("panel `{title}` is a `{name}`, which cannot be drawn here").into());
    }
    let defaults = value
        .pointer("/fieldConfig/defaults")
        .unwrap_or(&Value::Null);
    let number = |field: &str| defaults.get(field).and_then(Value::as_f64);
    panels.push(Panel {
        id: value.get("id").and_then(Value::as_i64).unwrap_or(0),
        targets: targets(value),
        unit: unit(value, defaults),
        min: number("min"),
        max: number("max"),
        thresholds: thresholds(defaults),
        place: place(value),
        title,
        kind,
    });
    // A row that is folded up holds its panels itself.
    for inner in list(value, "panels") {
        read_panel(inner, panels, problems);
    }
}

fn kind(value: &Value) -> PanelKind {
    let name = text(value, "type");
    match &*name {
        "timeseries" | "graph" => PanelKind::TimeSeries,
        "stat" | "singlestat" => PanelKind::Stat,
        "gauge" => PanelKind::Gauge,
        "barchart" | "bargauge" => PanelKind::BarChart,
        "table" | "table-old" => PanelKind::Table,
        "row" => PanelKind::Row,
        "text" => {
            let content = value
                .pointer("/options/content")
                .or_else(|| value.get("content"));
            PanelKind::Text(content.and_then(Value::as_str).unwrap_or_default().into())
        }
        _ => PanelKind::Other(name),
    }
}

fn targets(value: &Value) -> Vec<PanelTarget> {
    let targets = list(value, "targets").iter();
    let targets = targets.filter(|one| one.get("expr").is_some_and(Value::is_string));
    targets
        .map(|one| PanelTarget {
            expr: text(one, "expr"),
            legend: text(one, "legendFormat"),
            instant: flag(one, "instant") && !flag(one, "range"),
            hidden: flag(one, "hide"),
        })
        .collect()
}

fn unit(value: &Value, defaults: &Value) -> Unit {
    let modern = defaults.get("unit").and_then(Value::as_str);
    let axis = value.pointer("/yaxes/0/format").and_then(Value::as_str);
    match modern
        .or(axis)
        .or_else(|| value.get("format")?.as_str())
        .unwrap_or_default()
    {
        "percentunit" => Unit::Ratio,
        "percent" => Unit::Percent,
        "s" | "dtdurations" | "clocks" => Unit::Seconds,
        "ms" | "dtdurationms" | "clockms" => Unit::Milliseconds,
        "bytes" | "decbytes" | "kbytes" => Unit::Bytes,
        "reqps" | "ops" | "rps" | "cps" | "wps" | "iops" => Unit::PerSecond,
        _ => Unit::Plain,
    }
}

fn thresholds(defaults: &Value) -> Vec<(f64, Text)> {
    let steps = defaults
        .pointer("/thresholds/steps")
        .and_then(Value::as_array);
    let steps = steps.into_iter().flatten();
    steps
        .filter_map(|step| Some((step.get("value")?.as_f64()?, text(step, "color"))))
        .collect()
}

fn place(value: &Value) -> Place {
    let number = |field: &str| {
        let number = value
            .pointer(&format!("/gridPos/{field}"))
            .and_then(Value::as_u64);
        u16::try_from(number.unwrap_or(0)).unwrap_or(u16::MAX)
    };
    Place {
        x: number("x").min(24),
        y: number("y"),
        width: number("w").min(24),
        height: number("h"),
    }
}

fn variables(model: &Value) -> Vec<Variable> {
    let list = model.pointer("/templating/list").and_then(Value::as_array);
    list.into_iter().flatten().map(variable).collect()
}

fn variable(value: &Value) -> Variable {
    let name = text(value, "name");
    let kind = match &*text(value, "type") {
        "query" => VariableKind::Query(query_of(value)),
        "custom" => VariableKind::Custom,
        "constant" => VariableKind::Constant,
        "interval" => VariableKind::Interval,
        "textbox" => VariableKind::Textbox,
        "datasource" => VariableKind::Datasource,
        other => VariableKind::Other(other.into()),
    };
    let stored = list(value, "options").iter().map(|one| text(one, "value"));
    let mut options: Vec<Text> = stored.filter(|one| &**one != "$__all").collect();
    let listed = matches!(kind, VariableKind::Custom | VariableKind::Interval);
    if listed && options.is_empty() {
        let query = text(value, "query");
        options = query.split(',').map(|one| one.trim().into()).collect();
    }
    let mut chosen = chosen(value);
    if chosen.is_empty() && kind == VariableKind::Constant {
        chosen.push(text(value, "query"));
    }
    let all = chosen.iter().any(|one| &**one == "$__all");
    if chosen.is_empty() {
        chosen.extend(options.first().cloned());
    }
    let label = text(value, "label");
    Variable {
        label: if label.is_empty() {
            name.clone()
        } else {
            label
        },
        name,
        kind,
        chosen,
        options,
        multi: flag(value, "multi") || flag(value, "includeAll"),
        all_value: value
            .get("allValue")
            .and_then(Value::as_str)
            .filter(|all| !all.is_empty())
            .map(Text::from),
        all,
        hidden: value.get("hide").and_then(Value::as_i64) == Some(2),
    }
}

/// The query of a variable is a text, or an object around one.
fn query_of(value: &Value) -> Text {
    let query = value.get("query").unwrap_or(&Value::Null);
    let inner = query.as_str().or_else(|| query.get("query")?.as_str());
    let definition = value.get("definition").and_then(Value::as_str);
    inner.or(definition).unwrap_or_default().into()
}

fn chosen(value: &Value) -> Vec<Text> {
    match value.pointer("/current/value") {
        Some(Value::String(one)) if !one.is_empty() => vec![one.as_str().into()],
        Some(Value::Array(all)) => all
            .iter()
            .filter_map(Value::as_str)
            .map(Text::from)
            .collect(),
        Some(_) | None => Vec::new(),
    }
}

/// Reads `now-6h`; other ranges open with an hour.
fn range_seconds(model: &Value) -> u32 {
    let from = model.pointer("/time/from").and_then(Value::as_str);
    let span = from.and_then(|from| from.strip_prefix("now-"));
    let seconds = span.and_then(|span| match span.strip_suffix('d') {
        Some(days) => Some(days.parse::<i64>().ok()?.saturating_mul(86_400)),
        None => Some(parse_duration(span)?.num_seconds()),
    });
    let seconds = seconds.filter(|seconds| *seconds > 0);
    seconds
        .and_then(|seconds| u32::try_from(seconds).ok())
        .unwrap_or(3_600)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn panels_variables_and_range_are_read() {
        let json = r#"{"uid":"u","title":"Shop","time":{"from":"now-6h"},"panels":[
            {"id":1,"type":"row","title":"R","gridPos":{"h":1,"w":24,"x":0,"y":0},"panels":[
              {"id":2,"type":"timeseries","title":"Rate","gridPos":{"h":8,"w":12,"x":0,"y":1},
               "fieldConfig":{"defaults":{"unit":"reqps","thresholds":{"steps":[
                 {"color":"green","value":null},{"color":"red","value":80}]}}},
               "targets":[{"expr":"rate(x[$__rate_interval])","legendFormat":"{{pod}}"},{"refId":"B"}]}]},
            {"type":"worldmap","title":"M"}],
          "templating":{"list":[
            {"name":"ns","type":"query","query":{"query":"label_values(up, namespace)"},
             "current":{"value":["a","b"]},"multi":true},
            {"name":"step","type":"interval","query":"1m,5m"},
            {"name":"c","type":"constant","query":"7"}]}}"#;

        let read = dashboard(json, "file").expect("a dashboard");

        assert_eq!((&*read.title, read.range_seconds), ("Shop", 21_600));
        let kinds: Vec<_> = read.panels.iter().map(|panel| panel.kind.clone()).collect();
        assert_eq!(
            kinds,
            [
                PanelKind::Row,
                PanelKind::TimeSeries,
                PanelKind::Other("worldmap".into())
            ]
        );
        let rate = &read.panels[1];
        assert_eq!((rate.unit, rate.targets.len()), (Unit::PerSecond, 1));
        assert_eq!(rate.thresholds, [(80.0, "red".into())]);
        assert_eq!(read.problems.len(), 1);
        let chosen: Vec<_> = read
            .variables
            .iter()
            .map(|one| one.chosen.join("|"))
            .collect();
        assert_eq!(chosen, ["a|b", "1m", "7"]);
        assert_eq!(
            read.variables[0].kind,
            VariableKind::Query("label_values(up, namespace)".into())
        );
    }

    #[test]
    fn what_is_no_dashboard_says_why() {
        assert!(dashboard("{", "").is_err());
        assert_eq!(
            dashboard("{\"a\":1}", "").unwrap_err(),
            "it has no panels, so it is no dashboard"
        );
    }
}
