//! The results of a PipelineRun, told from those of its tasks.
//!
//! Follows `ApplyTaskResultsToPipelineResults` of `pkg/reconciler/pipelinerun/resources/apply.go`:
//! a result that refers to something that is not there is left out.

use crate::sim::controllers::tekton::facts::{Facts, Judgement};
use crate::sim::controllers::tekton::model::spec::ResultSpec;
use crate::sim::controllers::tekton::model::status::RunResult;
use crate::sim::controllers::tekton::model::value::ParamValue;
use crate::sim::controllers::tekton::replace::{Replacements, result_references};

/// Returns the results that can be told.
pub(super) fn of(declared: &[ResultSpec], facts: &Facts<'_>, judged: &Judgement) -> Vec<RunResult> {
    let result = |declared: &ResultSpec| {
        let mut value = serde_json::to_value(declared.value.as_ref()?).ok()?;
        let mut known = Replacements::default();
        for reference in result_references(&value) {
            let found = facts.result(&reference, judged).ok()?;
            known.result(&reference.task, &reference.result, &found);
        }
        known.apply(&mut value);
        Some(RunResult {
            name: declared.name.clone(),
            kind: String::new(),
            value: ParamValue::read(&value),
        })
    };
    declared.iter().filter_map(result).collect()
}
