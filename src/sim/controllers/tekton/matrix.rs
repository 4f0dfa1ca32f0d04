//! The combinations of values that a task is run with.
//!
//! Follows `pkg/apis/pipeline/v1/matrix_types.go`: the first parameter varies fastest; an
//! included combination adds to those it agrees with, or is one of its own.

use super::model::spec::{Matrix, Param};
use super::model::value::ParamValue;

impl Matrix {
    /// A list to combine is empty, so that nothing is run.
    pub(super) fn has_empty_list(&self) -> bool {
        let is_empty =
            |param: &Param| matches!(&param.value, ParamValue::List(items) if items.is_empty());
        self.params.iter().any(is_empty)
    }

    /// Returns the parameters of each run.
    pub(super) fn combinations(&self) -> Vec<Vec<Param>> {
        let mut combinations: Vec<Vec<Param>> = Vec::new();
        for param in &self.params {
            let values = values_of(param);
            if combinations.is_empty() {
                combinations = values.into_iter().map(|one| vec![one]).collect();
                continue;
            }
            let mut longer = Vec::with_capacity(combinations.len() * values.len());
            for value in values {
                for combination in &combinations {
                    let mut combination = combination.clone();
                    combination.push(value.clone());
                    longer.push(combination);
                }
            }
            combinations = longer;
        }
        let (count, mut own) = (combinations.len(), Vec::new());
        for include in &self.include {
            if !add(&mut combinations, &include.params) || count == 0 {
                own.push(include.params.clone());
            }
        }
        combinations.extend(own);
        combinations
    }
}

fn values_of(param: &Param) -> Vec<Param> {
    let named = |value: ParamValue| Param {
        name: param.name.clone(),
        value,
    };
    match &param.value {
        ParamValue::List(items) => items
            .iter()
            .map(|item| named(ParamValue::Text(item.clone())))
            .collect(),
        value @ (ParamValue::Text(_) | ParamValue::Map(_)) => vec![named(value.clone())],
    }
}

/// Adds parameters to the combinations that agree with them; false when none does.
fn add(combinations: &mut [Vec<Param>], params: &[Param]) -> bool {
    let mut has_added = false;
    for combination in combinations {
        let agrees = params.iter().all(|param| {
            let known = combination.iter().find(|one| one.name == param.name);
            known.is_none_or(|known| known.value == param.value)
        });
        if !agrees {
            continue;
        }
        has_added = true;
        let new: Vec<Param> = params
            .iter()
            .filter(|param| combination.iter().all(|one| one.name != param.name))
            .cloned()
            .collect();
        combination.extend(new);
    }
    has_added
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn spelled(matrix: serde_json::Value) -> Vec<String> {
        let matrix: Matrix = serde_json::from_value(matrix).expect("a matrix");
        let spell = |params: &Vec<Param>| {
            let all: Vec<_> = params.iter().map(|one| one.value.to_text()).collect();
            all.join("-")
        };
        matrix.combinations().iter().map(spell).collect()
    }

    #[test]
    fn all_values_are_combined_the_first_parameter_fastest() {
        let found = spelled(json!({"params": [
            {"name": "os", "value": ["linux", "mac"]},
            {"name": "browser", "value": ["safari", "firefox"]},
        ]}));

        assert_eq!(
            found,
            ["linux-safari", "mac-safari", "linux-firefox", "mac-firefox"]
        );
    }

    #[test]
    fn an_included_combination_adds_or_stands_alone() {
        let found = spelled(json!({
            "params": [{"name": "os", "value": ["linux", "mac"]}],
            "include": [
                {"params": [{"name": "os", "value": "mac"}, {"name": "arm", "value": "yes"}]},
                {"params": [{"name": "os", "value": "plan9"}]},
            ],
        }));

        assert_eq!(found, ["linux", "mac-yes", "plan9"]);
        assert_eq!(
            spelled(json!({"include": [{"params": [{"name": "a", "value": "1"}]}]})),
            ["1"]
        );
    }
}
