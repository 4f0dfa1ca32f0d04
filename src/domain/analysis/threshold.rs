//! Lines to draw for the conditions of a metric.
//!
//! A condition is an expression (`result[0] >= 0.95 && result[0] < 2`). Only comparisons of the
//! result with a number can be a line; the rest of the expression is not judged here, the
//! controller's verdict is what counts.

/// How a value is compared with a threshold.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Comparison {
    Above,
    AtLeast,
    Below,
    AtMost,
    Equal,
    Different,
}

impl Comparison {
    /// Returns the sign as conditions spell it.
    pub fn sign(self) -> &'static str {
        match self {
            Self::Above => ">",
            Self::AtLeast => ">=",
            Self::Below => "<",
            Self::AtMost => "<=",
            Self::Equal => "==",
            Self::Different => "!=",
        }
    }

    fn turned(self) -> Self {
        match self {
            Self::Above => Self::Below,
            Self::AtLeast => Self::AtMost,
            Self::Below => Self::Above,
            Self::AtMost => Self::AtLeast,
            Self::Equal => Self::Equal,
            Self::Different => Self::Different,
        }
    }
}

/// A number that a measurement is compared with.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Threshold {
    pub comparison: Comparison,
    pub value: f64,
    /// From the success condition; else from the failure condition.
    pub of_success: bool,
}

impl Threshold {
    /// Returns the threshold as a person reads it, such as `>= 0.95`.
    pub fn words(&self) -> String {
        format!("{} {}", self.comparison.sign(), self.value)
    }

    /// Returns whether a number is on the side the condition names.
    pub fn holds(&self, number: f64) -> bool {
        match self.comparison {
            Comparison::Above => number > self.value,
            Comparison::AtLeast => number >= self.value,
            Comparison::Below => number < self.value,
            Comparison::AtMost => number <= self.value,
            Comparison::Equal => (number - self.value).abs() < f64::EPSILON,
            Comparison::Different => (number - self.value).abs() >= f64::EPSILON,
        }
    }
}

const OPERATORS: &[(&str, Comparison)] = &[
    (">=", Comparison::AtLeast),
    ("<=", Comparison::AtMost),
    ("==", Comparison::Equal),
    ("!=", Comparison::Different),
    (">", Comparison::Above),
    ("<", Comparison::Below),
];

/// Returns the thresholds in a condition, in the order they stand there.
pub fn thresholds_in(condition: &str, of_success: bool) -> Vec<Threshold> {
    let clauses = condition
        .split("&&")
        .flat_map(|part| part.split("||"))
        .flat_map(|part| part.split(" and "))
        .flat_map(|part| part.split(" or "));
    clauses
        .filter_map(|clause| threshold_in(clause, of_success))
        .collect()
}

fn threshold_in(clause: &str, of_success: bool) -> Option<Threshold> {
    let (left, comparison, right) = OPERATORS.iter().find_map(|(sign, comparison)| {
        let (left, right) = clause.split_once(sign)?;
        Some((left, *comparison, right))
    })?;
    let bare = |text: &str| text.trim_matches([' ', '(', ')', '!']).parse::<f64>().ok();
    // `#` is each of many values in turn, which is not the value that a chart shows.
    let is_result = |text: &str| text.contains("result") && !text.contains('#');
    let (comparison, value) = match (bare(left), bare(right)) {
        (None, Some(value)) if is_result(left) => (comparison, value),
        (Some(value), None) if is_result(right) => (comparison.turned(), value),
        (_, _) => return None,
    };
    Some(Threshold {
        comparison,
        value,
        of_success,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn words(condition: &str) -> Vec<String> {
        let found = thresholds_in(condition, true);
        found.iter().map(Threshold::words).collect()
    }

    #[test]
    fn comparisons_of_the_result_become_lines() {
        assert_eq!(words("result[0] >= 0.95"), [">= 0.95"]);
        assert_eq!(words("result <= 500"), ["<= 500"]);
        assert_eq!(words("0.9 < result[0] && result[0] < 2"), ["> 0.9", "< 2"]);
        assert_eq!(words("isNaN(result[0]) || (result[0] > 0.5)"), ["> 0.5"]);
        assert_eq!(words("default(result, 0) == 0"), ["== 0"]);
    }

    #[test]
    fn what_cannot_be_drawn_is_left_out() {
        assert!(words("len(result) == len(result)").is_empty());
        assert!(words("all(result, # > 0.9)").is_empty());
        assert!(words("").is_empty());
    }
}
