//! A workflow file, as far as it is followed. Pure.

use crate::api::yaml;
use crate::domain::globs;
use serde_json::Value;
use std::collections::BTreeMap;

/// A workflow file; one that cannot be followed says why.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Definition {
    pub(super) path: String,
    pub(super) name: String,
    pub(super) env: BTreeMap<String, String>,
    pub(super) jobs: Vec<JobPlan>,
    pub(super) refusal: Option<String>,
    on: Value,
}

/// A job of a workflow file.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct JobPlan {
    pub(super) key: String,
    pub(super) name: String,
    pub(super) needs: Vec<String>,
    pub(super) runs_on: String,
    pub(super) env: BTreeMap<String, String>,
    pub(super) outputs: BTreeMap<String, String>,
    pub(super) steps: Vec<StepPlan>,
}

/// A step of a job.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct StepPlan {
    pub(super) id: String,
    pub(super) name: String,
    pub(super) uses: String,
    pub(super) run: String,
    pub(super) with: BTreeMap<String, String>,
    pub(super) env: BTreeMap<String, String>,
    /// It is run whatever became of the steps before it.
    pub(super) always: bool,
    pub(super) continue_on_error: bool,
}

fn text(value: Option<&Value>) -> String {
    match value {
        Some(Value::String(text)) => text.clone(),
        Some(value @ (Value::Bool(_) | Value::Number(_))) => value.to_string(),
        Some(Value::Null | Value::Array(_) | Value::Object(_)) | None => String::new(),
    }
}

fn texts(value: Option<&Value>) -> BTreeMap<String, String> {
    let entries = value.and_then(Value::as_object).into_iter().flatten();
    entries
        .map(|(key, value)| (key.clone(), text(Some(value))))
        .collect()
}

/// Reads one text or a list of them.
fn list(value: Option<&Value>) -> Vec<String> {
    match value {
        Some(Value::Array(items)) => items.iter().map(|item| text(Some(item))).collect(),
        value => Some(text(value))
            .filter(|one| !one.is_empty())
            .into_iter()
            .collect(),
    }
}

impl Definition {
    /// Reads a file.
    pub(super) fn read(path: &str, contents: &str) -> Self {
        let mut definition = Self {
            path: path.to_owned(),
            name: path.to_owned(),
            ..Self::default()
        };
        let written: Value = match yaml::from_str(contents) {
            Ok(written) => written,
            Err(error) => {
                definition.refusal = Some(format!("Invalid workflow file: {error}"));
                return definition;
            }
        };
        // `on` is a boolean in older YAML.
        let on = written.get("on").or_else(|| written.get("true"));
        definition.on = on.cloned().unwrap_or_default();
        let name = text(written.get("name"));
        if !name.is_empty() {
            definition.name = name;
        }
        definition.env = texts(written.get("env"));
        let jobs = written.get("jobs").and_then(Value::as_object);
        for (key, job) in jobs.into_iter().flatten() {
            for field in ["strategy", "services", "uses", "container"] {
                if job.get(field).is_some() {
                    definition.refusal = Some(format!(
                        "job `{key}`: `{field}` is not followed by the embedded platform"
                    ));
                }
            }
            definition.jobs.push(job_plan(key, job));
        }
        definition.order();
        definition
    }

    /// Puts jobs after those they need, and refuses what has no order.
    fn order(&mut self) {
        let mut left = std::mem::take(&mut self.jobs);
        while !left.is_empty() {
            let known: Vec<&str> = self.jobs.iter().map(|job| job.key.as_str()).collect();
            let next = left
                .iter()
                .position(|job| job.needs.iter().all(|need| known.contains(&need.as_str())));
            let Some(next) = next else {
                let names: Vec<String> = left.iter().map(|job| format!("`{}`", job.key)).collect();
                self.refusal = Some(format!(
                    "Invalid workflow file: jobs {} need each other, or jobs that are not there",
                    names.join(", ")
                ));
                self.jobs.append(&mut left);
                return;
            };
            self.jobs.push(left.remove(next));
        }
        if self.jobs.is_empty() {
            self.refusal = Some("Invalid workflow file: it has no jobs".to_owned());
        }
    }

    /// Returns what filters an event that runs it; null: nothing does.
    fn event(&self, event: &str) -> Option<&Value> {
        match &self.on {
            Value::String(one) => (one == event).then_some(&Value::Null),
            Value::Array(all) => {
                let is_there = all.iter().any(|one| one.as_str() == Some(event));
                is_there.then_some(&Value::Null)
            }
            Value::Object(all) => all.get(event),
            Value::Null | Value::Bool(_) | Value::Number(_) => None,
        }
    }

    /// A push to a branch runs it.
    pub(super) fn runs_on_push(&self, branch: &str) -> bool {
        let Some(filter) = self.event("push") else {
            return false;
        };
        let branches = list(filter.get("branches"));
        let fits = |pattern: &String| globs::matches(pattern, branch);
        branches.is_empty() || branches.iter().any(fits)
    }

    /// It can be started by hand.
    pub(super) fn runs_by_hand(&self) -> bool {
        self.event("workflow_dispatch").is_some()
    }
}

fn job_plan(key: &str, job: &Value) -> JobPlan {
    let name = text(job.get("name"));
    let steps = job.get("steps").and_then(Value::as_array);
    JobPlan {
        key: key.to_owned(),
        name: if name.is_empty() {
            key.to_owned()
        } else {
            name
        },
        needs: list(job.get("needs")),
        runs_on: text(job.get("runs-on")),
        env: texts(job.get("env")),
        outputs: texts(job.get("outputs")),
        steps: steps.into_iter().flatten().map(step_plan).collect(),
    }
}

fn step_plan(step: &Value) -> StepPlan {
    let field = |name: &str| text(step.get(name));
    let (uses, run) = (field("uses"), field("run"));
    let name = match (field("name"), uses.as_str()) {
        (name, _) if !name.is_empty() => name,
        (_, "") => format!("Run {}", run.lines().next().unwrap_or_default()),
        (_, uses) => format!("Run {uses}"),
    };
    StepPlan {
        id: field("id"),
        name,
        uses,
        run,
        with: texts(step.get("with")),
        env: texts(step.get("env")),
        always: field("if").contains("always()"),
        continue_on_error: field("continue-on-error") == "true",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn jobs_are_put_after_those_they_need() {
        let read = Definition::read(
            ".github/workflows/ci.yml",
            "name: CI\non:\n  push:\n    branches: [main, 'release/*']\n  workflow_dispatch:\njobs:\n  \
             deploy:\n    needs: [test, build]\n    steps: [{run: deploy}]\n  build:\n    needs: test\n    \
             steps: [{uses: actions/checkout@v4}]\n  test:\n    name: Unit tests\n    steps: [{name: Test, run: pytest}]\n",
        );

        let keys: Vec<_> = read.jobs.iter().map(|job| job.key.as_str()).collect();
        assert_eq!(keys, ["test", "build", "deploy"]);
        assert_eq!(read.refusal, None);
        assert_eq!(read.jobs[0].name, "Unit tests");
        assert_eq!(read.jobs[1].steps[0].name, "Run actions/checkout@v4");
        assert!(read.runs_on_push("main") && read.runs_on_push("release/2"));
        assert!(!read.runs_on_push("dev"));
        assert!(read.runs_by_hand());
    }

    #[test]
    fn what_is_not_followed_is_refused() {
        for (contents, part) in [
            ("jobs: {a: {needs: a, steps: []}}", "need each other"),
            ("jobs: {a: {strategy: {}, steps: []}}", "`strategy`"),
            ("name: x", "no jobs"),
            ("a: [", "Invalid workflow file"),
        ] {
            let refusal = Definition::read("x.yml", contents).refusal;
            assert!(
                refusal.as_ref().is_some_and(|why| why.contains(part)),
                "{refusal:?}"
            );
        }
    }
}
