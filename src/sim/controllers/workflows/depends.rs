//! What a task of a graph waits for (`workflow/common/ancestry.go`). Pure.

use super::node::Phase;
use super::template::Step;
use super::when::{Term, evaluate};
use std::collections::BTreeMap;

const RESULTS: [&str; 8] = [
    "Succeeded",
    "Failed",
    "Skipped",
    "Daemoned",
    "Errored",
    "Omitted",
    "AnySucceeded",
    "AllFailed",
];

/// What a task has come to, as far as others depend on it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Result {
    pub(super) phase: Option<Phase>,
    pub(super) any_succeeded: bool,
    pub(super) all_failed: bool,
    pub(super) daemoned: bool,
}

impl Result {
    fn is(self, word: &str) -> bool {
        match word {
            "Succeeded" => self.phase == Some(Phase::Succeeded),
            "Failed" => self.phase == Some(Phase::Failed),
            "Errored" => self.phase == Some(Phase::Error),
            "Skipped" => self.phase == Some(Phase::Skipped),
            "Omitted" => self.phase == Some(Phase::Omitted),
            "Daemoned" => self.daemoned,
            "AnySucceeded" => self.any_succeeded,
            "AllFailed" => self.all_failed,
            _ => false,
        }
    }
}

/// Returns the logic of a task, with `dependencies` written as `depends`.
pub(super) fn logic(task: &Step, tasks: &[Step]) -> String {
    if !task.depends.is_empty() {
        return task.depends.clone();
    }
    let parts: Vec<String> = task
        .dependencies
        .iter()
        .map(|name| {
            let on = tasks
                .iter()
                .find(|one| one.name == *name)
                .and_then(|one| one.continue_on.clone())
                .unwrap_or_default();
            let mut ways = vec![
                format!("{name}.Succeeded"),
                format!("{name}.Skipped"),
                format!("{name}.Daemoned"),
            ];
            if on.failed {
                ways.push(format!("{name}.Failed"));
            }
            if on.error {
                ways.push(format!("{name}.Errored"));
            }
            format!("({})", ways.join(" || "))
        })
        .collect();
    parts.join(" && ")
}

/// Returns the tasks that some logic names, in order.
pub(super) fn names(logic: &str) -> Vec<String> {
    let mut found: Vec<String> = Vec::new();
    for word in words(logic) {
        let (name, _) = split(&word);
        if !found.iter().any(|known| known == name) {
            found.push(name.to_owned());
        }
    }
    found
}

fn words(logic: &str) -> Vec<String> {
    logic
        .split(|c: char| !(c.is_alphanumeric() || "-_.".contains(c)))
        .filter(|word| !word.is_empty())
        .map(str::to_owned)
        .collect()
}

fn split(word: &str) -> (&str, Option<&str>) {
    match word.rsplit_once('.') {
        Some((name, result)) if RESULTS.contains(&result) => (name, Some(result)),
        Some(_) | None => (word, None),
    }
}

/// Evaluates the logic, now that all tasks that it names have ended.
pub(super) fn holds(
    logic: &str,
    results: &BTreeMap<String, Result>,
) -> std::result::Result<bool, String> {
    // Names may hold dashes, which mean subtraction otherwise.
    let mut quoted = String::new();
    let mut word = String::new();
    for c in logic.chars().chain([' ']) {
        if c.is_alphanumeric() || "-_.".contains(c) {
            word.push(c);
            continue;
        }
        if !word.is_empty() {
            quoted.push('[');
            quoted.push_str(&word);
            quoted.push(']');
            word.clear();
        }
        quoted.push(c);
    }
    let value = evaluate(&quoted, &|word| {
        let (name, result) = split(word);
        let known = results.get(name)?;
        Some(Term::Truth(match result {
            Some(result) => known.is(result),
            None => known.is("Succeeded") || known.is("Skipped") || known.is("Daemoned"),
        }))
    })?;
    match value {
        Term::Truth(answer) => Ok(answer),
        Term::Number(_) | Term::Text(_) => Err(format!("unable to evaluate '{logic}'")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn result(phase: Phase) -> Result {
        Result {
            phase: Some(phase),
            ..Result::default()
        }
    }

    #[test]
    fn depends_is_evaluated_as_upstream_does() {
        let results = BTreeMap::from([
            ("A".to_owned(), result(Phase::Succeeded)),
            ("C-1".to_owned(), result(Phase::Failed)),
            ("O".to_owned(), result(Phase::Omitted)),
        ]);
        for (logic, wanted) in [
            ("A", true),
            ("A && (C-1.Succeeded || C-1.Failed)", true),
            ("A && C-1", false),
            ("A || C-1", true),
            ("A.Succeeded || O", true),
            ("O", false),
            ("!C-1.Succeeded", true),
        ] {
            assert_eq!(holds(logic, &results), Ok(wanted), "{logic}");
        }
        assert_eq!(names("A && (C-1.Succeeded || C-1.Failed)"), ["A", "C-1"]);
    }

    #[test]
    fn dependencies_allow_what_their_tasks_continue_on() {
        let task = |name: &str| Step {
            name: name.into(),
            ..Step::default()
        };
        let mut lax = task("B");
        lax.continue_on = Some(super::super::template::ContinueOn {
            failed: true,
            error: false,
        });
        let mut last = task("D");
        last.dependencies = vec!["A".into(), "B".into()];

        assert_eq!(
            logic(&last, &[task("A"), lax]),
            "(A.Succeeded || A.Skipped || A.Daemoned) && \
             (B.Succeeded || B.Skipped || B.Daemoned || B.Failed)"
        );
    }
}
