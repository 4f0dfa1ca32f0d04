//! A pod's status, told from how its containers run.
//!
//! Follows kubelet `pkg/kubelet/kubelet_pods.go` (`getPhase`) and `status/generate.go`.

use super::container::{ContainerRun, Ended, Phase, Policy, Role};
use super::pod::{PodRun, init_role};
use crate::sim::controllers::runtime::time::api_time;
use chrono::{DateTime, Utc};
use k8s_openapi::api::core::v1::{
    Container, ContainerState, ContainerStateRunning, ContainerStateTerminated,
    ContainerStateWaiting, ContainerStatus, HostIP, Pod, PodCondition, PodIP, PodSpec, PodStatus,
};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;

/// Returns the status of a pod as its node reports it.
pub(super) fn pod_status(pod: &Pod, run: &PodRun, host_ip: &str, now: DateTime<Utc>) -> PodStatus {
    let empty = PodSpec::default();
    let spec = pod.spec.as_ref().unwrap_or(&empty);
    let init_specs = spec.init_containers.as_deref().unwrap_or_default();
    let initialized = initialized(init_specs, &run.init);
    let phase = phase(init_specs, run, Policy::of(pod));
    let old = pod.status.clone().unwrap_or_default();
    let has_sandbox = run
        .init
        .iter()
        .chain(&run.main)
        .any(|one| !matches!(one.phase, Phase::Waiting(_)));
    let statuses = |specs: &[Container], runs: &[ContainerRun], waits_for_init: bool| {
        specs
            .iter()
            .zip(runs)
            .map(|(spec, one)| container_status(pod, spec, one, waits_for_init))
            .collect::<Vec<_>>()
    };
    let init = statuses(init_specs, &run.init, true);
    let main = statuses(&spec.containers, &run.main, !run.init.is_empty());
    PodStatus {
        conditions: Some(conditions(
            &old,
            &Facts {
                has_sandbox,
                initialized,
                phase,
                pod,
                run,
            },
            now,
        )),
        phase: Some(phase.to_owned()),
        host_ip: Some(host_ip.to_owned()),
        host_ips: Some(vec![HostIP {
            ip: host_ip.to_owned(),
        }]),
        pod_ip: has_sandbox.then(|| run.ip.clone()),
        pod_ips: has_sandbox.then(|| vec![PodIP { ip: run.ip.clone() }]),
        start_time: Some(api_time(run.began)),
        init_container_statuses: (!init.is_empty()).then_some(init),
        container_statuses: Some(main),
        reason: run.expired.then(|| "DeadlineExceeded".to_owned()),
        message: run
            .expired
            .then(|| "Pod was active on the node longer than the specified deadline".to_owned()),
        ..old
    }
}

fn initialized(specs: &[Container], runs: &[ContainerRun]) -> bool {
    specs.iter().zip(runs).all(|(spec, run)| {
        if init_role(spec) == Role::Sidecar {
            run.is_started() || matches!(run.phase, Phase::Ended(_))
        } else {
            run.exit_code() == Some(0)
        }
    })
}

/// Returns the pod's phase.
pub(super) fn phase(init: &[Container], run: &PodRun, policy: Policy) -> &'static str {
    let init_failed = init.iter().zip(&run.init).any(|(spec, one)| {
        init_role(spec) == Role::Init && one.exit_code().is_some_and(|code| code != 0)
    });
    if init_failed || run.expired {
        return "Failed";
    }
    if !initialized(init, &run.init) {
        return "Pending";
    }
    let codes: Option<Vec<i32>> = run.main.iter().map(ContainerRun::exit_code).collect();
    match codes {
        Some(codes) if codes.is_empty() => "Pending",
        Some(codes) => match policy {
            Policy::OnFailure | Policy::Never if codes.iter().all(|code| *code == 0) => "Succeeded",
            Policy::Always | Policy::OnFailure => "Running",
            Policy::Never => "Failed",
        },
        None => {
            let has_run = |one: &ContainerRun| {
                one.is_running() || one.last.is_some() || one.exit_code().is_some()
            };
            let waits = run.main.iter().any(|one| !has_run(one));
            if waits { "Pending" } else { "Running" }
        }
    }
}

fn container_status(
    pod: &Pod,
    spec: &Container,
    run: &ContainerRun,
    waits_for_init: bool,
) -> ContainerStatus {
    let image = spec.image.clone().unwrap_or_default();
    let state = match &run.phase {
        Phase::Running { since, .. } | Phase::Finishing { since, .. } => ContainerState {
            running: Some(ContainerStateRunning {
                started_at: Some(api_time(*since)),
            }),
            ..ContainerState::default()
        },
        Phase::Ended(ended) => terminated(ended),
        Phase::Waiting(_)
        | Phase::Pulling { .. }
        | Phase::PullFailed { .. }
        | Phase::Blocked(..)
        | Phase::Creating { .. }
        | Phase::CrashLoop { .. } => {
            let initializing = waits_for_init && matches!(run.phase, Phase::Waiting(_));
            let (reason, message) = run.waiting(pod, initializing);
            ContainerState {
                waiting: Some(ContainerStateWaiting {
                    reason: Some(reason),
                    message,
                }),
                ..ContainerState::default()
            }
        }
    };
    let is_init_done = run.exit_code() == Some(0) && waits_for_init;
    ContainerStatus {
        name: spec.name.clone(),
        image_id: run.image_id(&image),
        image,
        container_id: (!run.id.is_empty()).then(|| run.id.clone()),
        ready: run.is_ready() || is_init_done,
        started: Some(run.is_started()),
        restart_count: run.restarts as i32,
        state: Some(state),
        last_state: Some(run.last.as_ref().map(terminated).unwrap_or_default()),
        ..ContainerStatus::default()
    }
}

fn terminated(ended: &Ended) -> ContainerState {
    ContainerState {
        terminated: Some(ContainerStateTerminated {
            exit_code: ended.code,
            reason: Some(ended.reason.to_owned()),
            started_at: Some(api_time(ended.started)),
            finished_at: Some(api_time(ended.finished)),
            container_id: Some(ended.id.clone()),
            message: ended.message.clone(),
            ..ContainerStateTerminated::default()
        }),
        ..ContainerState::default()
    }
}

struct Facts<'a> {
    has_sandbox: bool,
    initialized: bool,
    phase: &'static str,
    pod: &'a Pod,
    run: &'a PodRun,
}

#[allow(
    clippy::too_many_lines,
    reason = "one list of conditions, read from top to bottom"
)]
fn conditions(old: &PodStatus, facts: &Facts<'_>, now: DateTime<Utc>) -> Vec<PodCondition> {
    let unready: Vec<&str> = facts
        .run
        .main
        .iter()
        .filter(|one| !one.is_ready())
        .map(|one| one.name.as_str())
        .collect();
    let ready = match facts.phase {
        "Succeeded" => Err(("PodCompleted", String::new())),
        "Failed" => Err(("PodFailed", String::new())),
        _ if !unready.is_empty() => Err((
            "ContainersNotReady",
            format!("containers with unready status: [{}]", unready.join(" ")),
        )),
        _ => Ok(()),
    };
    let initialized = if facts.initialized {
        match facts.phase {
            "Succeeded" => Ok(Some("PodCompleted")),
            _ => Ok(None),
        }
    } else {
        let incomplete: Vec<&str> = facts
            .run
            .init
            .iter()
            .filter(|one| one.exit_code() != Some(0))
            .map(|one| one.name.as_str())
            .collect();
        Err((
            "ContainersNotInitialized",
            format!(
                "containers with incomplete status: [{}]",
                incomplete.join(" ")
            ),
        ))
    };
    let sandbox = if facts.has_sandbox {
        Ok(None)
    } else {
        Err(("", String::new()))
    };
    let mut list = vec![
        condition("PodReadyToStartContainers", sandbox),
        condition("Initialized", initialized),
        condition(
            "Ready",
            ready
                .clone()
                .map(|()| None)
                .and_then(|none| gates(facts.pod).map(|()| none)),
        ),
        condition("ContainersReady", ready.map(|()| None)),
        condition("PodScheduled", Ok(None)),
    ];
    for condition in &mut list {
        let known = old
            .conditions
            .iter()
            .flatten()
            .find(|known| known.type_ == condition.type_);
        condition.last_transition_time = match known {
            Some(known) if known.status == condition.status => known.last_transition_time.clone(),
            Some(_) | None => Some(api_time(now)),
        };
    }
    let foreign = old
        .conditions
        .iter()
        .flatten()
        .filter(|known| list.iter().all(|one| one.type_ != known.type_))
        .cloned()
        .collect::<Vec<_>>();
    list.extend(foreign);
    list
}

/// Checks the readiness gates: conditions that others must set to true.
fn gates(pod: &Pod) -> Result<(), (&'static str, String)> {
    let set = |name: &str| {
        let conditions = pod
            .status
            .iter()
            .flat_map(|status| status.conditions.iter().flatten());
        conditions
            .filter(|one| one.type_ == name)
            .any(|one| one.status == "True")
    };
    let missing = pod
        .spec
        .iter()
        .flat_map(|spec| spec.readiness_gates.iter().flatten())
        .find(|gate| !set(&gate.condition_type));
    match missing {
        None => Ok(()),
        Some(gate) => Err((
            "ReadinessGatesNotReady",
            format!(
                "corresponding condition of pod readiness gate \"{}\" does not exist.",
                gate.condition_type
            ),
        )),
    }
}

/// A condition that holds (perhaps with a reason), or does not (with reason and message).
fn condition(
    name: &str,
    state: Result<Option<&'static str>, (&'static str, String)>,
) -> PodCondition {
    let (status, reason, message) = match state {
        Ok(reason) => ("True", reason, None),
        Err((reason, message)) => (
            "False",
            (!reason.is_empty()).then_some(reason),
            (!message.is_empty()).then_some(message),
        ),
    };
    PodCondition {
        type_: name.to_owned(),
        status: status.to_owned(),
        reason: reason.map(str::to_owned),
        message,
        last_probe_time: None::<Time>,
        ..PodCondition::default()
    }
}
