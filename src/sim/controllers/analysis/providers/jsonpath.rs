//! JSONPath as kubectl writes it, `{$.data.items[0]}`, read by the standard's (RFC 9535).

use serde_json::Value;
use serde_json_path::JsonPath;

/// Returns the first value that a path finds; without a path the whole document.
pub(super) fn find(document: &Value, path: &str) -> Result<Value, String> {
    let inner = path.trim();
    let inner = inner
        .strip_prefix('{')
        .and_then(|inner| inner.strip_suffix('}'))
        .unwrap_or(inner)
        .trim();
    if inner.is_empty() || inner == "$" || inner == "." {
        return Ok(document.clone());
    }
    let standard = if inner.starts_with('$') {
        inner.to_owned()
    } else if inner.starts_with(['.', '[']) {
        format!("${inner}")
    } else {
        format!("$.{inner}")
    };
    let parsed = JsonPath::parse(&standard)
        .map_err(|error| format!("`{path}` is not a JSONPath: {error}"))?;
    if let Some(found) = parsed.query(document).first() {
        return Ok(found.clone());
    }
    let several = ["*", "?", "..", ":"]
        .iter()
        .any(|mark| standard.contains(mark));
    if several {
        return Err("result of web metric produced no value".to_owned());
    }
    let name = standard
        .split(['.', '[', ']', '\'', '"', '$'])
        .rfind(|name| !name.is_empty());
    let name = name.unwrap_or_default();
    Err(format!(
        "Could not find JSONPath in body: {name} is not found"
    ))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn paths_are_found_in_both_spellings() {
        let document = json!({"data": [{"a": 1}, {"a": 2}], "x-y": {"deep": true}});
        for (path, wanted) in [
            ("{$.data[0].a}", json!(1)),
            ("{.data[-1].a}", json!(2)),
            ("data[1].a", json!(2)),
            ("{ $['x-y'].deep }", json!(true)),
            ("{$.data[?(@.a == 2)].a}", json!(2)),
            ("{$..a}", json!(1)),
            ("{$}", document.clone()),
            ("", document.clone()),
        ] {
            assert_eq!(find(&document, path), Ok(wanted), "{path}");
        }
    }

    #[test]
    fn what_is_not_there_is_named() {
        let document = json!({"data": {}});
        for (path, wanted) in [
            (
                "{$.data.rate}",
                "Could not find JSONPath in body: rate is not found",
            ),
            ("{$.data[*].rate}", "result of web metric produced no value"),
        ] {
            assert_eq!(find(&document, path), Err(wanted.to_owned()));
        }
        assert!(find(&document, "{$.data[}").is_err());
    }
}
