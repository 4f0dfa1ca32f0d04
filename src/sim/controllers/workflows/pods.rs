//! What a workflow's pods did (`operator.go`, `podReconciliation` and `assessNodeStatus`).

use super::execute::Ready;
use super::library::text_at;
use super::model::{Parameter, text_of};
use super::node::{NodeStatus, NodeType, Outputs, Phase};
use super::operate::{Halt, Operation, Wish};
use super::pod_spec::{TEMPLATE, pod_of};
use super::template::Template;
use crate::sim::controllers::runtime::time::{api_time, utc};
use k8s_openapi::api::core::v1::{ContainerStateTerminated, ContainerStatus, Pod};
use serde_json::{Value, json};

/// How a pod stands, as a node.
struct Assessment {
    phase: Phase,
    message: String,
    outputs: Option<Outputs>,
}

impl Operation<'_> {
    /// Makes a pod for a node, unless it has one.
    pub(super) fn execute_pod(&mut self, name: &str, ready: &Ready) -> Result<bool, Halt> {
        let is_new = self.node(name).is_none();
        if is_new {
            self.initialize_executable(name, NodeType::Pod, Phase::Pending, ready);
        }
        let id = self.id_of(name);
        let is_pending = self
            .by_id(&id)
            .is_some_and(|node| node.phase == Phase::Pending);
        // A pod that is known of a new node is a leftover of an attempt that was retried.
        if !is_pending || (!is_new && self.world.pods.contains_key(&id)) {
            return Ok(true);
        }
        if !self.may_execute(ready.options.on_exit) {
            let message = format!("workflow shutdown with strategy: {}", self.spec.shutdown);
            self.mark(name, Phase::Failed, &message);
            return Ok(true);
        }
        if self.is_overdue() && !ready.options.on_exit {
            self.mark(name, Phase::Failed, "Step exceeded its deadline");
            return Ok(true);
        }
        let pod = pod_of(self, name, ready)?;
        self.wishes.push(Wish::CreatePod(Box::new(pod)));
        Ok(true)
    }

    /// Brings the nodes up to what their pods did.
    pub(super) fn assess_pods(&mut self) {
        let nodes: Vec<NodeStatus> = self
            .status
            .nodes
            .values()
            .filter(|node| node.kind == NodeType::Pod && !node.is_fulfilled())
            .cloned()
            .collect();
        for node in nodes {
            let Some(pod) = self.world.pods.get(&node.id).cloned() else {
                self.mark(&node.name, Phase::Error, "pod deleted");
                continue;
            };
            if self.is_to_be_ended(&node, &pod) {
                continue;
            }
            self.assess_pod(&node, &pod);
        }
        self.label_completed();
    }

    /// Ends a pod whose workflow is shut down or over its time.
    fn is_to_be_ended(&mut self, node: &NodeStatus, pod: &Pod) -> bool {
        let phase = pod_phase(pod);
        if matches!(phase, "Succeeded" | "Failed") {
            return false;
        }
        let on_exit = label(pod, "workflows.argoproj.io/on-exit") == Some("true");
        let message = if !self.may_execute(on_exit) {
            format!("workflow shutdown with strategy:  {}", self.spec.shutdown)
        } else if self.is_overdue() && !on_exit {
            "Step exceeded its deadline".to_owned()
        } else {
            return false;
        };
        let name = pod.metadata.name.clone().unwrap_or_default();
        self.wishes.push(if phase == "Running" {
            Wish::ExpirePod(name)
        } else {
            Wish::DeletePod(name)
        });
        self.mark(&node.name, Phase::Failed, &message);
        true
    }

    fn assess_pod(&mut self, node: &NodeStatus, pod: &Pod) {
        let assessment = match pod_phase(pod) {
            "Running" => Some(Assessment {
                phase: Phase::Running,
                message: String::new(),
                outputs: None,
            }),
            "Succeeded" => self.assess_success(node, pod),
            "Failed" => Some(self.assess_failure(node, pod)),
            _ => Some(Assessment {
                phase: Phase::Pending,
                message: pending_reason(pod),
                outputs: None,
            }),
        };
        let finished = latest_end(pod);
        let published = assessment.as_ref().and_then(|one| one.outputs.clone());
        let Some(known) = self.status.nodes.get_mut(&node.id) else {
            return;
        };
        let status = pod.status.clone().unwrap_or_default();
        known.pod_ip = status.pod_ip.unwrap_or_default();
        let host = pod.spec.as_ref().and_then(|spec| spec.node_name.clone());
        known.host_node_name = host.unwrap_or_default();
        let Some(assessment) = assessment else { return };
        known.phase = assessment.phase;
        known.message = assessment.message;
        if assessment.outputs.is_some() {
            known.outputs = assessment.outputs;
        }
        if assessment.phase.is_fulfilled() {
            known.finished_at = finished.or_else(|| Some(api_time(self.now)));
        }
        if let Some(outputs) = published.filter(|_| assessment.phase == Phase::Succeeded) {
            self.publish(&outputs);
        }
        self.status.task_results_completion_status.extend(
            assessment
                .phase
                .is_fulfilled()
                .then(|| (node.id.clone(), true)),
        );
    }

    /// None: what the pod put out has not been reported yet.
    fn assess_success(&self, node: &NodeStatus, pod: &Pod) -> Option<Assessment> {
        let result = self.world.results.get(&node.id);
        let is_reported = result.is_some() || container(pod, "wait").is_none();
        is_reported.then(|| {
            let template = template_of(pod);
            match outputs(&template, pod, result, self.wants_result(&template)) {
                Ok(outputs) => Assessment {
                    phase: Phase::Succeeded,
                    message: String::new(),
                    outputs: Some(outputs),
                },
                Err(message) => Assessment {
                    phase: Phase::Error,
                    message,
                    outputs: None,
                },
            }
        })
    }

    fn assess_failure(&self, node: &NodeStatus, pod: &Pod) -> Assessment {
        let (phase, message) = failure(pod);
        let template = template_of(pod);
        let result = self.world.results.get(&node.id);
        let mut put_out = Outputs {
            exit_code: exit_code(pod),
            ..Outputs::default()
        };
        if self.wants_result(&template) {
            put_out.result = result.and_then(|result| result.result.clone());
        }
        if let Some(result) = result {
            put_out.parameters.clone_from(&result.parameters);
        }
        Assessment {
            phase,
            message,
            outputs: (!put_out.is_empty()).then_some(put_out),
        }
    }

    /// What a step printed is kept when somebody may ask for it.
    fn wants_result(&self, template: &Template) -> bool {
        template.script.is_some() || self.uses_results
    }

    /// Labels or removes the pods of nodes that have ended.
    fn label_completed(&mut self) {
        let strategy = self
            .spec
            .pod_gc
            .as_ref()
            .map_or("", |gc| gc.strategy.as_str());
        let strategy = strategy.to_owned();
        for (id, pod) in &self.world.pods {
            let Some(node) = self.status.nodes.get(id).filter(|node| node.is_fulfilled()) else {
                continue;
            };
            if !matches!(pod_phase(pod), "Succeeded" | "Failed") {
                continue;
            }
            let name = pod.metadata.name.clone().unwrap_or_default();
            let goes = strategy == "OnPodCompletion"
                || (strategy == "OnPodSuccess" && node.phase == Phase::Succeeded);
            if goes {
                self.wishes.push(Wish::DeletePod(name));
            } else if label(pod, "workflows.argoproj.io/completed") == Some("false") {
                self.wishes.push(Wish::LabelPodCompleted(name));
            }
        }
    }
}

pub(super) fn label<'p>(pod: &'p Pod, name: &str) -> Option<&'p str> {
    pod.metadata.labels.as_ref()?.get(name).map(String::as_str)
}

pub(super) fn pod_phase(pod: &Pod) -> &str {
    let status = pod.status.as_ref();
    status
        .and_then(|status| status.phase.as_deref())
        .unwrap_or("Pending")
}

/// Reads the template that a pod was made from.
fn template_of(pod: &Pod) -> Template {
    let containers = pod.spec.iter().flat_map(|spec| &spec.containers);
    let text = containers
        .flat_map(|container| container.env.iter().flatten())
        .find(|variable| variable.name == TEMPLATE)
        .and_then(|variable| variable.value.clone());
    text.and_then(|text| serde_json::from_str(&text).ok())
        .unwrap_or_default()
}

fn statuses(pod: &Pod) -> impl Iterator<Item = &ContainerStatus> {
    let status = pod.status.as_ref();
    let main = status
        .into_iter()
        .flat_map(|status| status.container_statuses.iter().flatten());
    let init = status
        .into_iter()
        .flat_map(|status| status.init_container_statuses.iter().flatten());
    main.chain(init)
}

fn container<'p>(pod: &'p Pod, name: &str) -> Option<&'p ContainerStatus> {
    statuses(pod).find(|one| one.name == name)
}

fn terminated(status: &ContainerStatus) -> Option<&ContainerStateTerminated> {
    status.state.as_ref()?.terminated.as_ref()
}

fn exit_code(pod: &Pod) -> Option<String> {
    let main = container(pod, "main").and_then(terminated)?;
    Some(main.exit_code.to_string())
}

fn latest_end(pod: &Pod) -> Option<k8s_openapi::apimachinery::pkg::apis::meta::v1::Time> {
    statuses(pod)
        .filter_map(terminated)
        .filter_map(|ended| ended.finished_at.clone())
        .max_by_key(utc)
}

fn pending_reason(pod: &Pod) -> String {
    let status = pod.status.as_ref();
    let conditions = status
        .into_iter()
        .flat_map(|status| status.conditions.iter().flatten());
    for condition in conditions {
        if condition.reason.as_deref() == Some("Unschedulable") {
            let message = condition.message.clone().unwrap_or_default();
            return format!("Unschedulable: {message}");
        }
    }
    for one in statuses(pod) {
        let waiting = one.state.as_ref().and_then(|state| state.waiting.as_ref());
        let Some(waiting) = waiting else { continue };
        let reason = waiting.reason.clone().unwrap_or_default();
        return match waiting.message.as_deref() {
            None | Some("") => reason,
            Some(message) => format!("{reason}: {message}"),
        };
    }
    String::new()
}

fn failure(pod: &Pod) -> (Phase, String) {
    let message = pod
        .status
        .as_ref()
        .and_then(|status| status.message.clone());
    if let Some(message) = message.filter(|message| !message.is_empty()) {
        return (Phase::Failed, message);
    }
    let order = |name: &str| match name {
        "init" => 0,
        "main" => 1,
        "wait" => 2,
        _ => 3,
    };
    let mut all: Vec<&ContainerStatus> = statuses(pod).collect();
    all.sort_by_key(|one| order(&one.name));
    for one in all {
        let Some(ended) = terminated(one).filter(|ended| ended.exit_code != 0) else {
            continue;
        };
        let reason = ended.reason.as_deref().unwrap_or("Error");
        let mut message = format!("{}: {reason} (exit code {})", one.name, ended.exit_code);
        if let Some(said) = ended.message.as_deref().filter(|said| !said.is_empty()) {
            message = format!("{message}: {said}");
        }
        let phase = match one.name.as_str() {
            "init" | "wait" => Phase::Error,
            _ => Phase::Failed,
        };
        return (phase, message);
    }
    (Phase::Failed, "pod failed for an unknown reason".to_owned())
}

/// Returns what a pod put out, as its template names it.
fn outputs(
    template: &Template,
    pod: &Pod,
    result: Option<&Outputs>,
    with_result: bool,
) -> Result<Outputs, String> {
    let empty = Outputs::default();
    let reported = result.unwrap_or(&empty);
    let mut outputs = Outputs {
        exit_code: exit_code(pod),
        result: reported.result.clone().filter(|_| with_result),
        ..Outputs::default()
    };
    for slot in &template.outputs.parameters {
        let known = reported.parameters.iter().find(|one| one.name == slot.name);
        let from = slot.value_from.clone().unwrap_or(Value::Null);
        let value = known
            .and_then(|one| one.value.clone())
            .or_else(|| from.get("default").and_then(text_of))
            .or_else(|| slot.value.clone())
            .ok_or_else(|| {
                let path = text_at(&from, "path").unwrap_or_default();
                format!(
                    "wait: Error (exit code 64): failed to save outputs: cannot read output \
                     parameter {}: {path}: no such file or directory",
                    slot.name
                )
            })?;
        outputs.parameters.push(Parameter {
            value: Some(value),
            ..slot.clone()
        });
    }
    let pod_name = pod.metadata.name.as_deref().unwrap_or_default();
    let workflow = label(pod, "workflows.argoproj.io/workflow").unwrap_or_default();
    for slot in &template.outputs.artifacts {
        let mut artifact = slot.clone();
        let name = text_at(slot, "name").unwrap_or_default();
        let has_place = ["s3", "gcs", "http", "oss", "azure", "hdfs"]
            .iter()
            .any(|one| slot.get(one).is_some());
        if !has_place {
            artifact["s3"] = json!({"key": format!("{workflow}/{pod_name}/{name}.tgz")});
        }
        outputs.artifacts.push(artifact);
    }
    Ok(outputs)
}
