//! Whether the conditions on a task allow it to run.

use super::cel;
use super::model::spec::When;
use serde_json::Value;

/// All conditions hold; one that cannot be judged is an error.
pub(super) fn allow(conditions: &[When]) -> Result<bool, String> {
    for condition in conditions {
        if !holds(condition)? {
            return Ok(false);
        }
    }
    Ok(true)
}

fn holds(condition: &When) -> Result<bool, String> {
    if !condition.cel.is_empty() {
        return match cel::evaluate(&condition.cel, &Value::Null)? {
            Value::Bool(holds) => Ok(holds),
            Value::Null
            | Value::Number(_)
            | Value::String(_)
            | Value::Array(_)
            | Value::Object(_) => Err(format!(
                "The CEL expression {} is not evaluated to a boolean",
                condition.cel
            )),
        };
    }
    let is_in = condition.values.contains(&condition.input);
    match condition.operator.as_str() {
        "in" => Ok(is_in),
        "notin" => Ok(!is_in),
        other => Err(format!(
            "operator {other:?} is not recognized. valid operators: in,notin"
        )),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn judged(conditions: Value) -> Result<bool, String> {
        let conditions: Vec<When> = serde_json::from_value(conditions).expect("conditions");
        allow(&conditions)
    }

    #[test]
    fn all_conditions_have_to_hold() {
        let is = |input: &str, operator: &str| json!({"input": input, "operator": operator, "values": ["yes", "maybe"]});

        assert_eq!(judged(json!([])), Ok(true));
        assert_eq!(
            judged(json!([is("yes", "in"), is("no", "notin")])),
            Ok(true)
        );
        assert_eq!(
            judged(json!([is("yes", "in"), is("yes", "notin")])),
            Ok(false)
        );
        assert_eq!(judged(json!([{"cel": "'a' == 'a' && 1 < 2"}])), Ok(true));
        assert!(judged(json!([{"cel": "'a'"}])).is_err());
        assert!(judged(json!([is("yes", "like")])).is_err());
    }
}
