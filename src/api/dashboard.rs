//! Dashboards written for Grafana, read as far as a terminal can show them.
//!
//! Panels of any age are read: `timeseries`, `graph`, `stat`, `gauge`, `table`, rows with panels
//! inside, and `rows` of dashboards before schema 16. What cannot be drawn becomes a remark.
//! Field meanings: Grafana, "Dashboard JSON model".

use crate::domain::chart::{Curve, Dashboard, GridPlace, Limit, Panel, PanelKind, Unit};
use crate::domain::object::Text;
use serde_json::Value;

/// Reads one dashboard; `origin` says where it was found.
///
/// # Errors
/// A sentence, when the text is no dashboard.
pub fn read(json: &str, origin: &str) -> Result<Dashboard, String> {
    let value: Value =
        serde_json::from_str(json).map_err(|error| format!("{origin} is not JSON: {error}"))?;
    // The HTTP API wraps it.
    let board = value.get("dashboard").unwrap_or(&value);
    let title = text(board, "title");
    let panels = panels_of(board);
    if title.is_empty() && panels.is_empty() {
        return Err(format!(
            "{origin} is no dashboard: it has neither title nor panels"
        ));
    }
    let uid = text(board, "uid");
    let mut remarks = Vec::new();
    for panel in &panels {
        if let PanelKind::Other(kind) = &panel.kind {
            remarks.push(
                format!(
                    "`{}` is a `{kind}` panel, which is not drawn here",
                    panel.title
                )
                .into(),
            );
        }
    }
    Ok(Dashboard {
        name: if uid.is_empty() { title.clone() } else { uid },
        title,
        origin: origin.into(),
        variables: variables_of(board),
        panels,
        span: board
            .pointer("/time/from")
            .and_then(Value::as_str)
            .and_then(span_of),
        remarks,
    })
}

fn text(value: &Value, field: &str) -> Text {
    value
        .get(field)
        .and_then(Value::as_str)
        .unwrap_or_default()
        .into()
}

fn list<'v>(value: &'v Value, field: &str) -> impl Iterator<Item = &'v Value> + use<'v> {
    value
        .get(field)
        .and_then(Value::as_array)
        .into_iter()
        .flatten()
}

fn panels_of(board: &Value) -> Vec<Panel> {
    let mut panels = Vec::new();
    for value in list(board, "panels") {
        push_panel(value, &mut panels);
    }
    for (number, row) in list(board, "rows").enumerate() {
        let mut x = 0;
        for value in list(row, "panels") {
            let before = panels.len();
            push_panel(value, &mut panels);
            // Rows of old know a width of twelve units and no place.
            let width = value.get("span").and_then(Value::as_u64).unwrap_or(12) as u16 * 2;
            for panel in panels.iter_mut().skip(before) {
                panel.place = GridPlace {
                    x,
                    y: number as u16 * 8,
                    width,
                    height: 8,
                };
            }
            x += width;
        }
    }
    panels
}

fn push_panel(value: &Value, panels: &mut Vec<Panel>) {
    let kind = text(value, "type");
    if &*kind == "row" {
        for inner in list(value, "panels") {
            push_panel(inner, panels);
        }
        return;
    }
    let curves: Vec<Curve> = list(value, "targets")
        .filter(|target| target.get("hide").and_then(Value::as_bool) != Some(true))
        .map(|target| Curve {
            expr: text(target, "expr"),
            legend: text(target, "legendFormat"),
        })
        .filter(|curve| !curve.expr.trim().is_empty())
        .collect();
    let kind = match &*kind {
        "timeseries" | "graph" | "barchart" | "" => PanelKind::Chart,
        "stat" | "singlestat" | "gauge" | "bargauge" => PanelKind::Number,
        "table" | "table-old" => PanelKind::Table,
        "text" => PanelKind::Words(words_of(value)),
        _ => PanelKind::Other(kind),
    };
    panels.push(Panel {
        title: text(value, "title"),
        kind,
        unit: unit_of(value),
        curves,
        limits: limits_of(value),
        place: place_of(value),
    });
}

fn words_of(value: &Value) -> Text {
    let inner = value.pointer("/options/content").and_then(Value::as_str);
    inner.map_or_else(|| text(value, "content"), Text::from)
}

fn place_of(value: &Value) -> GridPlace {
    let number = |field: &str, default: u16| {
        let found = value
            .pointer(&format!("/gridPos/{field}"))
            .and_then(Value::as_u64);
        found.map_or(default, |number| number.min(10_000) as u16)
    };
    GridPlace {
        x: number("x", 0).min(23),
        y: number("y", 0),
        width: number("w", 12).clamp(1, 24),
        height: number("h", 8).max(1),
    }
}

fn unit_of(value: &Value) -> Unit {
    let new = value
        .pointer("/fieldConfig/defaults/unit")
        .and_then(Value::as_str);
    let old = || value.pointer("/yaxes/0/format").and_then(Value::as_str);
    let oldest = || value.get("format").and_then(Value::as_str);
    match new.or_else(old).or_else(oldest).unwrap_or_default() {
        "percentunit" => Unit::Share,
        "percent" => Unit::Percent,
        "s" => Unit::Seconds,
        "ms" => Unit::Milliseconds,
        "bytes" | "decbytes" => Unit::Bytes,
        "reqps" | "ops" | "rps" | "cps" | "rows/s" => Unit::PerSecond,
        _ => Unit::Plain,
    }
}

/// The first step is the colour below every threshold and has no value.
fn limits_of(value: &Value) -> Vec<Limit> {
    let drawn = value
        .pointer("/fieldConfig/defaults/custom/thresholdsStyle/mode")
        .and_then(Value::as_str);
    if matches!(drawn, None | Some("off")) {
        return Vec::new();
    }
    let steps = value.pointer("/fieldConfig/defaults/thresholds/steps");
    let steps = steps.and_then(Value::as_array).into_iter().flatten();
    steps
        .filter_map(|step| step.get("value").and_then(Value::as_f64))
        .map(|value| Limit {
            value,
            text: format!("{value}").into(),
        })
        .collect()
}

fn variables_of(board: &Value) -> Vec<(Text, Text)> {
    let variables = board.pointer("/templating/list").and_then(Value::as_array);
    variables
        .into_iter()
        .flatten()
        .filter(|variable| variable.get("type").and_then(Value::as_str) != Some("datasource"))
        .map(|variable| (text(variable, "name"), current_value(variable)))
        .filter(|(name, _)| !name.is_empty())
        .collect()
}

/// The value chosen when the dashboard was saved; several are joined as a regular expression.
fn current_value(variable: &Value) -> Text {
    let chosen = variable.pointer("/current/value");
    let all = |text: &str| if text == "$__all" { ".*" } else { text }.to_owned();
    let value = match chosen {
        Some(Value::String(one)) => all(one),
        Some(Value::Array(many)) => {
            let many = many.iter().filter_map(Value::as_str).map(all);
            many.collect::<Vec<_>>().join("|")
        }
        Some(Value::Number(number)) => number.to_string(),
        Some(Value::Null | Value::Bool(_) | Value::Object(_)) | None => {
            let query = variable
                .get("query")
                .and_then(Value::as_str)
                .unwrap_or_default();
            let kind = variable
                .get("type")
                .and_then(Value::as_str)
                .unwrap_or_default();
            match kind {
                "constant" | "textbox" => query.to_owned(),
                "custom" | "interval" => query
                    .split(',')
                    .next()
                    .unwrap_or_default()
                    .trim()
                    .to_owned(),
                _ => ".*".to_owned(),
            }
        }
    };
    value.into()
}

/// Reads `now-6h`.
fn span_of(from: &str) -> Option<u32> {
    let text = from.strip_prefix("now-")?;
    let span = crate::domain::age::parse_span(text)?;
    u32::try_from(span.num_seconds()).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    const BOARD: &str = r#"{"title":"Shop","uid":"shop","time":{"from":"now-6h"},
      "templating":{"list":[{"name":"namespace","type":"query","current":{"value":["a","b"]}},
        {"name":"all","type":"query","current":{"value":"$__all"}},
        {"name":"ds","type":"datasource","current":{"value":"x"}},
        {"name":"window","type":"interval","query":"5m,10m"}]},
      "panels":[{"type":"row","title":"r","panels":[
        {"type":"timeseries","title":"Errors","gridPos":{"x":12,"y":3,"w":12,"h":7},
         "fieldConfig":{"defaults":{"unit":"percentunit","custom":{"thresholdsStyle":{"mode":"line"}},
           "thresholds":{"steps":[{"color":"green","value":null},{"color":"red","value":0.05}]}}},
         "targets":[{"expr":"a","legendFormat":"{{app}}"},{"expr":"b","hide":true},{"expr":" "}]}]},
        {"type":"stat","title":"Now","targets":[{"expr":"c"}]},
        {"type":"geomap","title":"Map"},
        {"type":"text","title":"Read me","options":{"content":"hello"}}]}"#;

    #[test]
    fn dashboard_is_read_as_far_as_it_can_be_drawn() {
        let board = read(BOARD, "ConfigMap monitoring/shop").expect("a dashboard");

        assert_eq!(
            (&*board.name, &*board.title, board.span),
            ("shop", "Shop", Some(21_600))
        );
        let values: Vec<_> = board
            .variables
            .iter()
            .map(|(name, value)| (&**name, &**value))
            .collect();
        assert_eq!(
            values,
            [("namespace", "a|b"), ("all", ".*"), ("window", "5m")]
        );
        let kinds: Vec<_> = board
            .panels
            .iter()
            .map(|panel| panel.kind.clone())
            .collect();
        assert_eq!(
            kinds,
            [
                PanelKind::Chart,
                PanelKind::Number,
                PanelKind::Other("geomap".into()),
                PanelKind::Words("hello".into())
            ]
        );
        let errors = &board.panels[0];
        assert_eq!(errors.unit, Unit::Share);
        assert_eq!(
            errors.curves,
            [Curve {
                expr: "a".into(),
                legend: "{{app}}".into()
            }]
        );
        assert!((errors.limits[0].value - 0.05).abs() < f64::EPSILON);
        assert_eq!(
            errors.place,
            GridPlace {
                x: 12,
                y: 3,
                width: 12,
                height: 7
            }
        );
        assert!(board.remarks[0].contains("geomap"));
    }

    #[test]
    fn rows_of_old_dashboards_become_a_grid() {
        let old = r#"{"title":"Old","rows":[{"panels":[{"type":"graph","span":6,"title":"l",
            "yaxes":[{"format":"ms"}],"targets":[{"expr":"x"}]},{"type":"graph","span":6,"title":"r"}]}]}"#;
        let board = read(old, "file").expect("a dashboard");
        assert_eq!(board.panels[0].unit, Unit::Milliseconds);
        assert_eq!(
            board.panels[1].place,
            GridPlace {
                x: 12,
                y: 0,
                width: 12,
                height: 8
            }
        );
    }

    #[test]
    fn what_is_no_dashboard_says_so() {
        assert!(
            read("{", "file x")
                .expect_err("no JSON")
                .contains("file x is not JSON")
        );
        assert!(
            read("{}", "file x")
                .expect_err("nothing")
                .contains("no dashboard")
        );
    }
}
