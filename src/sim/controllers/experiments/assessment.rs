//! What templates and analyses add up to, and what is due when. Pure.
//!
//! Follows Argo Rollouts' `experiments/experiment.go` (`calculateStatus`, `assessTemplates`,
//! `assessAnalysisRuns`), `experiments/conditions.go` and `utils/experiment/experiment.go`.

use super::model::{
    Condition, Experiment, ExperimentStatus, TemplatePhase, TemplateSpec, TemplateStatus,
};
use crate::sim::controllers::analysis::duration;
use crate::sim::controllers::analysis::model::Phase;
use crate::sim::controllers::runtime::time::{api_time, utc};
use chrono::{DateTime, TimeDelta, Utc};

const DEADLINE: i32 = 600;
const REQUIRED_DONE: &str = "Required AnalysisRuns completed";

/// The experiment is ending: it was told to, it has ended, or a part of it has gone wrong.
pub(super) fn is_terminating(experiment: &Experiment) -> bool {
    let status = &experiment.status;
    let bad_run = status.analysis_runs.iter().any(|run| {
        matches!(
            run.phase,
            Phase::Failed | Phase::Error | Phase::Inconclusive
        )
    });
    experiment.spec.terminate
        || status.phase.has_ended()
        || bad_run
        || status
            .template_statuses
            .iter()
            .any(|one| one.status.is_bad())
}

/// Returns how many pods a template should have now.
pub(super) fn wanted(experiment: &Experiment, template: &TemplateSpec) -> i32 {
    let status = experiment.status.template(&template.name);
    if is_terminating(experiment) || status.is_some_and(|one| one.status.has_ended()) {
        return 0;
    }
    template.replicas.unwrap_or(1)
}

/// Returns when the time of the experiment is up.
pub(super) fn ends_at(experiment: &Experiment, status: &ExperimentStatus) -> Option<DateTime<Utc>> {
    let span = experiment.spec.duration.as_deref()?;
    let span = duration::go(span).ok()?;
    Some(utc(status.available_at.as_ref()?) + span)
}

fn deadline_seconds(experiment: &Experiment) -> i32 {
    experiment
        .spec
        .progress_deadline_seconds
        .unwrap_or(DEADLINE)
}

fn deadline(
    experiment: &Experiment,
    template: &TemplateStatus,
    now: DateTime<Utc>,
) -> DateTime<Utc> {
    let from = template.last_transition_time.as_ref().map_or(now, utc);
    from + TimeDelta::seconds(i64::from(deadline_seconds(experiment)))
}

/// Brings the phase of a template up to date, given how many pods it should have.
pub(super) fn settle(
    experiment: &Experiment,
    template: &mut TemplateStatus,
    wanted: i32,
    now: DateTime<Utc>,
) {
    if template.status.has_ended() {
        return;
    }
    let terminating = is_terminating(experiment);
    if wanted == template.available_replicas {
        let over = ends_at(experiment, &experiment.status).is_some_and(|end| end <= now);
        template.status = if over || terminating {
            TemplatePhase::Successful
        } else {
            TemplatePhase::Running
        };
        return;
    }
    if now > deadline(experiment, template, now) {
        template.status = TemplatePhase::Failed;
        template.message = format!(
            "Template '{}' exceeded its progressDeadlineSeconds ({})",
            template.name,
            deadline_seconds(experiment)
        );
    } else if terminating {
        template.status = TemplatePhase::Successful;
    } else {
        template.status = TemplatePhase::Progressing;
    }
}

fn templates(experiment: &Experiment, status: &ExperimentStatus) -> (Phase, String) {
    let mut worst = (TemplatePhase::Successful, String::new());
    for template in &experiment.spec.templates {
        let one = match status.template(&template.name) {
            None => (TemplatePhase::Progressing, String::new()),
            Some(known) => (known.status, known.message.clone()),
        };
        if one.0 > worst.0 {
            worst = one;
        }
    }
    let phase = match worst.0 {
        TemplatePhase::Progressing => Phase::Pending,
        TemplatePhase::Failed => Phase::Failed,
        TemplatePhase::Error => Phase::Error,
        TemplatePhase::Successful => Phase::Successful,
        TemplatePhase::Running | TemplatePhase::Unset | TemplatePhase::Unknown => Phase::Running,
    };
    (phase, worst.1)
}

fn has_required(experiment: &Experiment) -> bool {
    let mut analyses = experiment.spec.analyses.iter();
    analyses.any(|one| one.required_for_completion)
}

/// There are analyses that the experiment waits for, and all of them have succeeded.
fn required_done(experiment: &Experiment, status: &ExperimentStatus) -> bool {
    let required = experiment.spec.analyses.iter();
    let mut required = required.filter(|one| one.required_for_completion);
    has_required(experiment)
        && required.all(|one| {
            let run = status.run(&one.name);
            run.is_some_and(|run| run.phase == Phase::Successful)
        })
}

fn analyses(experiment: &Experiment, status: &ExperimentStatus) -> (Phase, String) {
    let mut worst = (Phase::Successful, String::new());
    for analysis in &experiment.spec.analyses {
        if let Some(run) = status.run(&analysis.name)
            && run.phase.is_worse_than(worst.0)
        {
            worst = (run.phase, run.message.clone());
        }
    }
    let going_on = matches!(worst.0, Phase::Running | Phase::Pending);
    if required_done(experiment, status) && (going_on || worst.0 == Phase::Successful) {
        return (Phase::Successful, REQUIRED_DONE.to_owned());
    }
    if worst.0 == Phase::Pending {
        worst.0 = Phase::Running;
    }
    worst
}

/// Brings the phase of an experiment up to date.
pub(super) fn assess(experiment: &Experiment, status: &mut ExperimentStatus, now: DateTime<Utc>) {
    if status.phase == Phase::Unset {
        status.phase = Phase::Pending;
    } else if !status.phase.has_ended() {
        let (template, analysis) = (templates(experiment, status), analyses(experiment, status));
        if template.0 == Phase::Running {
            status.available_at.get_or_insert_with(|| api_time(now));
        }
        let bad_analysis = analysis.0.has_ended() && analysis.0 != Phase::Successful;
        let counts = analysis.0.has_ended() || has_required(experiment);
        let decided_by_analysis = if template.0.has_ended() {
            template.0 == Phase::Successful && counts
        } else {
            bad_analysis || required_done(experiment, status)
        };
        let (phase, message) = if decided_by_analysis {
            analysis
        } else {
            template
        };
        status.phase = phase;
        status.message = message;
    }
    set_condition(experiment, status, now);
}

fn set_condition(experiment: &Experiment, status: &mut ExperimentStatus, now: DateTime<Utc>) {
    let name = experiment.metadata.name.as_deref().unwrap_or_default();
    let (value, reason, what) = if status.phase.has_ended() {
        (
            "False",
            "ExperimentCompleted",
            "has successfully ran and completed",
        )
    } else if status.available_at.is_some() {
        ("True", "NewReplicaSetAvailable", "is running")
    } else {
        ("True", "ReplicaSetUpdated", "is progressing")
    };
    let known = status
        .conditions
        .iter()
        .position(|one| one.type_ == "Progressing");
    let before = known.map(|at| status.conditions.remove(at));
    let condition = match before {
        Some(before) if before.status == value && before.reason == reason => before,
        before => Condition {
            type_: "Progressing".to_owned(),
            status: value.to_owned(),
            reason: reason.to_owned(),
            message: format!("Experiment \"{name}\" {what}."),
            last_update_time: api_time(now),
            last_transition_time: before
                .filter(|before| before.status == value)
                .map_or_else(|| api_time(now), |before| before.last_transition_time),
        },
    };
    status.conditions.push(condition);
}

/// Returns when the experiment has to be looked at again.
pub(super) fn next_look(
    experiment: &Experiment,
    status: &ExperimentStatus,
    now: DateTime<Utc>,
) -> Option<DateTime<Utc>> {
    let open = |template: &&TemplateStatus| {
        matches!(
            template.status,
            TemplatePhase::Progressing | TemplatePhase::Running
        )
    };
    let late = status
        .template_statuses
        .iter()
        .filter(open)
        // A deadline that has passed is only noticed after it.
        .map(|template| deadline(experiment, template, now) + TimeDelta::seconds(1))
        .filter(|due| *due > now);
    let end = ends_at(experiment, status).filter(|end| *end > now);
    late.chain(end).min()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sim::controllers::experiments::model::{AnalysisSpec, RunState};

    fn at(seconds: i64) -> DateTime<Utc> {
        DateTime::UNIX_EPOCH + TimeDelta::seconds(seconds)
    }

    fn experiment(required: bool) -> Experiment {
        let mut experiment = Experiment::default();
        experiment.spec.duration = Some("1m".to_owned());
        experiment.spec.templates = vec![TemplateSpec {
            name: "canary".to_owned(),
            ..TemplateSpec::default()
        }];
        experiment.spec.analyses = vec![AnalysisSpec {
            name: "rate".to_owned(),
            required_for_completion: required,
            ..AnalysisSpec::default()
        }];
        experiment
    }

    fn status(template: TemplatePhase, run: Phase) -> ExperimentStatus {
        let mut status = ExperimentStatus {
            phase: Phase::Running,
            ..ExperimentStatus::default()
        };
        status.set_template(TemplateStatus {
            name: "canary".to_owned(),
            status: template,
            message: "of the template".to_owned(),
            ..TemplateStatus::default()
        });
        status.set_run(RunState {
            name: "rate".to_owned(),
            phase: run,
            ..RunState::default()
        });
        status
    }

    #[test]
    fn templates_and_analyses_decide_together() {
        use TemplatePhase as T;
        for (required, template, run, wanted) in [
            (false, T::Progressing, Phase::Unset, Phase::Pending),
            (false, T::Running, Phase::Running, Phase::Running),
            (false, T::Running, Phase::Failed, Phase::Failed),
            (false, T::Running, Phase::Inconclusive, Phase::Inconclusive),
            (false, T::Running, Phase::Successful, Phase::Running),
            (true, T::Running, Phase::Successful, Phase::Successful),
            (false, T::Successful, Phase::Running, Phase::Successful),
            (true, T::Successful, Phase::Running, Phase::Running),
            (true, T::Successful, Phase::Failed, Phase::Failed),
            (false, T::Failed, Phase::Running, Phase::Failed),
            (true, T::Error, Phase::Successful, Phase::Error),
        ] {
            let experiment = experiment(required);
            let mut status = status(template, run);

            assess(&experiment, &mut status, at(1));

            assert_eq!(status.phase, wanted, "{required} {template:?} {run:?}");
        }
    }

    #[test]
    fn pods_that_do_not_come_in_time_fail_their_template() {
        let experiment = experiment(false);
        let mut template = TemplateStatus {
            name: "canary".to_owned(),
            last_transition_time: Some(api_time(at(0))),
            ..TemplateStatus::default()
        };

        settle(&experiment, &mut template, 1, at(600));
        assert_eq!(template.status, TemplatePhase::Progressing);
        settle(&experiment, &mut template, 1, at(601));

        assert_eq!(template.status, TemplatePhase::Failed);
        assert_eq!(
            template.message,
            "Template 'canary' exceeded its progressDeadlineSeconds (600)"
        );
    }

    #[test]
    fn the_time_counts_from_when_all_pods_were_available() {
        let mut experiment = experiment(false);
        let mut running = status(TemplatePhase::Running, Phase::Running);
        assess(&experiment, &mut running, at(10));
        assert_eq!(ends_at(&experiment, &running), Some(at(70)));
        assert_eq!(next_look(&experiment, &running, at(10)), Some(at(70)));
        experiment.status = running;

        let mut template = TemplateStatus {
            available_replicas: 1,
            ..TemplateStatus::default()
        };
        settle(&experiment, &mut template, 1, at(69));
        assert_eq!(template.status, TemplatePhase::Running);
        settle(&experiment, &mut template, 1, at(70));
        assert_eq!(template.status, TemplatePhase::Successful);
    }
}
