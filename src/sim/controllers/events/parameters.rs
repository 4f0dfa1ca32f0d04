//! Puts what events say into what a trigger makes. Pure.
//!
//! Follows Argo Events' `pkg/sensors/triggers/params.go`. A parameter whose event has not come and
//! which has no value of its own is passed over.

use super::model::{Event, list, text};
use super::path;
use super::template;
use serde_json::Value;
use std::collections::BTreeMap;
use std::sync::Arc;

/// The events that a trigger fires for, by dependency.
pub(super) type Events = BTreeMap<String, Arc<Event>>;

/// Applies the parameters that `holder` lists under `parameters` to an object.
pub(super) fn apply(object: &mut Value, holder: &Value, events: &Events) -> Result<(), String> {
    for parameter in list(holder, "parameters") {
        let dest = text(parameter, "dest");
        let source = parameter.get("src").unwrap_or(&Value::Null);
        let Some(value) = resolve(source, events)
            .map_err(|why| format!("cannot find the value of the parameter `{dest}`: {why}"))?
        else {
            continue;
        };
        let before = path::get(object, dest);
        let before = before.as_ref().map(path::text).unwrap_or_default();
        let value = match text(parameter, "operation") {
            "append" => Value::from(format!("{before}{}", path::text(&value))),
            "prepend" => Value::from(format!("{}{before}", path::text(&value))),
            _ => value,
        };
        path::set(object, dest, value)?;
    }
    Ok(())
}

/// Returns the object that `holder` lists parameters of a payload for.
pub(super) fn payload(holder: &Value, events: &Events) -> Result<Value, String> {
    let mut payload = Value::Null;
    for parameter in list(holder, "payload") {
        let dest = text(parameter, "dest");
        let source = parameter.get("src").unwrap_or(&Value::Null);
        if let Some(value) = resolve(source, events)? {
            path::set(&mut payload, dest, value)?;
        }
    }
    Ok(payload)
}

fn resolve(source: &Value, events: &Events) -> Result<Option<Value>, String> {
    let default = source
        .get("value")
        .filter(|value| !value.is_null())
        .cloned();
    let Some(event) = events.get(text(source, "dependencyName")) else {
        return Ok(default);
    };
    let is_raw = source.get("useRawData").and_then(Value::as_bool) == Some(true);
    let found = find(source, event);
    match (found, default) {
        (Ok(Some(value)), _) if is_raw => Ok(Some(value)),
        (Ok(Some(value)), _) => Ok(Some(path::text(&value).into())),
        (Ok(None) | Err(_), Some(default)) => Ok(Some(default)),
        (Ok(None), None) => {
            let key = [text(source, "contextKey"), text(source, "dataKey")].concat();
            Err(format!("the event has no `{key}`"))
        }
        (Err(why), None) => Err(why),
    }
}

/// Templates come before keys, the context before the data; without any it is all of the data.
fn find(source: &Value, event: &Event) -> Result<Option<Value>, String> {
    let (context_template, data_template) = (
        text(source, "contextTemplate"),
        text(source, "dataTemplate"),
    );
    if !context_template.is_empty() {
        return template::fill(context_template, &event.context()).map(|text| Some(text.into()));
    }
    if !data_template.is_empty() {
        return template::fill(data_template, &event.data).map(|text| Some(text.into()));
    }
    Ok(
        match (text(source, "contextKey"), text(source, "dataKey")) {
            ("", "") => Some(event.data.clone()),
            ("", key) => path::get(&event.data, key),
            (key, _) => path::get(&event.context(), key),
        },
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use chrono::DateTime;
    use serde_json::json;

    fn events() -> Events {
        let event = Event {
            id: "1".into(),
            kind: "webhook".into(),
            source: "git".into(),
            subject: "push".into(),
            namespace: "argo-events".into(),
            bus: "default".into(),
            at: DateTime::UNIX_EPOCH,
            data: json!({"body": {"after": "abcdef0123", "size": 3}}),
        };
        BTreeMap::from([("push".to_owned(), Arc::new(event))])
    }

    #[test]
    fn values_come_from_data_templates_context_or_the_default() {
        let mut object = json!({"metadata": {"generateName": "ci-"}, "spec": {}});
        let holder = json!({"parameters": [
            {"src": {"dependencyName": "push", "dataKey": "body.after"}, "dest": "spec.arguments.parameters.0.value"},
            {"src": {"dependencyName": "push", "dataTemplate": "{{ .Input.body.after | substr 0 7 }}-"},
             "dest": "metadata.generateName", "operation": "append"},
            {"src": {"dependencyName": "push", "contextKey": "subject"}, "dest": "spec.subject"},
            {"src": {"dependencyName": "push", "dataKey": "body.none", "value": "x"}, "dest": "spec.default"},
            {"src": {"dependencyName": "push", "dataKey": "body.size", "useRawData": true}, "dest": "spec.size"},
            {"src": {"dependencyName": "other", "dataKey": "body"}, "dest": "spec.other"},
        ]});

        apply(&mut object, &holder, &events()).expect("it applies");

        assert_eq!(
            object,
            json!({
                "metadata": {"generateName": "ci-abcdef0-"},
                "spec": {"arguments": {"parameters": [{"value": "abcdef0123"}]},
                    "subject": "push", "default": "x", "size": 3},
            })
        );
    }

    #[test]
    fn what_is_missing_is_named() {
        let holder = json!({"parameters": [
            {"src": {"dependencyName": "push", "dataKey": "body.tag"}, "dest": "spec.tag"}]});
        let error = apply(&mut json!({}), &holder, &events()).expect_err("it fails");
        assert_eq!(
            error,
            "cannot find the value of the parameter `spec.tag`: the event has no `body.tag`"
        );
    }
}
