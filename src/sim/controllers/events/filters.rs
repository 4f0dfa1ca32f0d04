//! Whether an event passes the filters of a dependency. Pure.
//!
//! Follows Argo Events' `pkg/sensors/dependencies/filter.go`. An event that does not pass is
//! dropped with a sentence that says which filter it was and what it found.

use super::expression;
use super::model::{Event, list, text};
use super::path;
use super::template;
use chrono::{NaiveTime, Timelike as _};
use regex::Regex;
use serde_json::{Value, json};

type Passes = Result<(), String>;

/// Returns why an event is dropped, if it is.
pub(super) fn passes(event: &Event, dependency: &Value) -> Passes {
    let Some(filters) = dependency.get("filters").filter(|all| all.is_object()) else {
        return Ok(());
    };
    let has = |field: &str| filters.get(field).is_some_and(|value| !value.is_null());
    let mut verdicts: Vec<Passes> = Vec::new();
    if has("exprs") {
        let verdict = list(filters, "exprs").iter().map(|one| expr(event, one));
        verdicts.push(join(
            text(filters, "exprLogicalOperator"),
            &verdict.collect::<Vec<_>>(),
        ));
    }
    if has("data") {
        let verdict = list(filters, "data").iter().map(|one| data(event, one));
        verdicts.push(join(
            text(filters, "dataLogicalOperator"),
            &verdict.collect::<Vec<_>>(),
        ));
    }
    if has("context") {
        verdicts.push(context(
            event,
            filters.get("context").unwrap_or(&Value::Null),
        ));
    }
    if has("time") {
        verdicts.push(time(event, filters.get("time").unwrap_or(&Value::Null)));
    }
    if has("script") {
        verdicts.push(Err(
            "the filter `script` needs Lua, which the embedded platform does not run".to_owned(),
        ));
    }
    join(text(dependency, "filtersLogicalOperator"), &verdicts)
}

/// All must pass, or one of them with `or`.
fn join(operator: &str, verdicts: &[Passes]) -> Passes {
    let failed: Vec<String> = verdicts
        .iter()
        .filter_map(|one| one.as_ref().err().cloned())
        .collect();
    let passed = if operator == "or" {
        verdicts.is_empty() || failed.len() < verdicts.len()
    } else {
        failed.is_empty()
    };
    if passed {
        Ok(())
    } else {
        Err(failed.join("; "))
    }
}

fn expr(event: &Event, filter: &Value) -> Passes {
    let wanted = text(filter, "expr");
    let fields = list(filter, "fields");
    let lookup = |name: &str| {
        let field = fields.iter().find(|field| text(field, "name") == name)?;
        path::get(&event.data, text(field, "path"))
    };
    if expression::holds(wanted, &lookup)? {
        return Ok(());
    }
    let found = fields.iter().map(|field| {
        let value = path::get(&event.data, text(field, "path")).unwrap_or_default();
        format!("{}={value}", text(field, "name"))
    });
    let found: Vec<String> = found.collect();
    Err(format!("`{wanted}` is false with {}", found.join(", ")))
}

fn data(event: &Event, filter: &Value) -> Passes {
    let at = text(filter, "path");
    let found = path::get(&event.data, at)
        .ok_or_else(|| format!("path `{at}` does not exist in the event"))?;
    let found = match text(filter, "template") {
        "" => found,
        given => template::fill(given, &found)?.into(),
    };
    let values: Vec<String> = list(filter, "value").iter().map(path::text).collect();
    let comparator = match text(filter, "comparator") {
        "" | "==" => "=",
        comparator => comparator,
    };
    let kind = text(filter, "type");
    let mut fits = false;
    for value in &values {
        fits |= match kind {
            "bool" => {
                let found = path::text(&found) == value.trim().to_lowercase();
                found == (comparator != "!=")
            }
            "number" => number(&found, comparator, value)?,
            "string" => {
                let pattern = Regex::new(value)
                    .map_err(|error| format!("`{value}` is not a pattern: {error}"))?;
                pattern.is_match(&path::text(&found)) == (comparator != "!=")
            }
            other => return Err(format!("`{other}` is not a type: bool, number, string")),
        };
    }
    if fits {
        return Ok(());
    }
    let not = if comparator == "!=" { "" } else { "not " };
    Err(format!(
        "`{at}` is `{}`, {not}{} {}",
        path::text(&found),
        if kind == "string" { "like" } else { comparator },
        values.join(" or ")
    ))
}

fn number(found: &Value, comparator: &str, value: &str) -> Result<bool, String> {
    let found: f64 = path::text(found)
        .parse()
        .map_err(|_not_a_number| format!("`{found}` is not a number"))?;
    let value: f64 = value
        .trim()
        .parse()
        .map_err(|_not_a_number| format!("`{value}` is not a number"))?;
    let order = found.total_cmp(&value);
    Ok(match comparator {
        "=" => order.is_eq(),
        "!=" => order.is_ne(),
        ">" => order.is_gt(),
        ">=" => order.is_ge(),
        "<" => order.is_lt(),
        "<=" => order.is_le(),
        other => return Err(format!("`{other}` is not a comparator")),
    })
}

fn context(event: &Event, wanted: &Value) -> Passes {
    let found = event.context();
    for (field, wanted) in wanted.as_object().into_iter().flatten() {
        let wanted = path::text(wanted);
        let found = path::text(found.get(field).unwrap_or(&json!("")));
        if !wanted.is_empty() && wanted != found {
            return Err(format!("the event's {field} is `{found}`, not `{wanted}`"));
        }
    }
    Ok(())
}

fn time(event: &Event, filter: &Value) -> Passes {
    let read = |field: &str| {
        let given = text(filter, field);
        NaiveTime::parse_from_str(given, "%H:%M:%S")
            .map_err(|_not_a_time| format!("`{given}` is not a time such as 15:04:05"))
    };
    let (start, stop) = (read("start")?, read("stop")?);
    let now = event.at.time().with_nanosecond(0).unwrap_or(start);
    let inside = if start < stop {
        start <= now && now < stop
    } else {
        // The span goes over midnight.
        now >= start || now < stop
    };
    if inside {
        return Ok(());
    }
    Err(format!("it is {now}, not between {start} and {stop}"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use chrono::{DateTime, TimeDelta};

    #[allow(clippy::needless_pass_by_value, reason = "reads better at the call")]
    fn why(filters: Value) -> String {
        let event = Event {
            id: "1".into(),
            kind: "webhook".into(),
            source: "git".into(),
            subject: "push".into(),
            namespace: "argo-events".into(),
            bus: "default".into(),
            at: DateTime::UNIX_EPOCH + TimeDelta::hours(23),
            data: json!({"body": {"ref": "refs/heads/main", "size": 3, "forced": false}}),
        };
        passes(&event, &filters).err().unwrap_or_default()
    }

    fn data(path: &str, kind: &str, comparator: &str, value: &str) -> Value {
        json!({"path": path, "type": kind, "comparator": comparator, "value": [value]})
    }

    #[test]
    fn data_is_compared_by_its_type() {
        let one = |filter: Value| why(json!({"filters": {"data": [filter]}}));
        assert_eq!(
            one(data("body.ref", "string", "", "refs/heads/(main|next)")),
            ""
        );
        assert_eq!(
            one(data("body.ref", "string", "", "refs/tags/.*")),
            "`body.ref` is `refs/heads/main`, not like refs/tags/.*"
        );
        assert_eq!(one(data("body.ref", "string", "!=", "refs/tags/.*")), "");
        assert_eq!(one(data("body.size", "number", ">=", "3")), "");
        assert!(!one(data("body.size", "number", "<", "3")).is_empty());
        assert_eq!(one(data("body.forced", "bool", "", "false")), "");
        assert_eq!(
            one(data("body.none", "string", "", "x")),
            "path `body.none` does not exist in the event"
        );
    }

    #[test]
    fn filters_are_joined_as_asked() {
        let good = data("body.size", "number", "", "3");
        let bad = data("body.size", "number", "", "4");
        assert!(!why(json!({"filters": {"data": [good, bad]}})).is_empty());
        assert_eq!(
            why(json!({"filters": {"dataLogicalOperator": "or", "data": [good, bad]}})),
            ""
        );
        let time = json!({"start": "22:00:00", "stop": "06:00:00"});
        assert_eq!(why(json!({"filters": {"time": time}})), "");
        let other = json!({"start": "06:00:00", "stop": "22:00:00"});
        assert_eq!(
            why(json!({"filters": {"time": other}})),
            "it is 23:00:00, not between 06:00:00 and 22:00:00"
        );
        assert_eq!(
            why(
                json!({"filtersLogicalOperator": "or", "filters": {"time": other, "data": [good]}})
            ),
            ""
        );
        assert_eq!(
            why(json!({"filters": {"context": {"source": "other"}}})),
            "the event's source is `git`, not `other`"
        );
        let expr = json!({"expr": "r =~ \"main$\" && n == 3",
            "fields": [{"name": "r", "path": "body.ref"}, {"name": "n", "path": "body.size"}]});
        assert_eq!(why(json!({"filters": {"exprs": [expr]}})), "");
        assert!(why(json!({"filters": {"script": "return true"}})).contains("Lua"));
    }
}
