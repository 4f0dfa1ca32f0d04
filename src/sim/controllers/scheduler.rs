//! The scheduler: binds pods to nodes that have room and that they accept.
//!
//! Filters by requested resources, node selector, required node affinity by label, taints and
//! `unschedulable`; among what is left the emptiest node wins. How full a node is follows the
//! watch, so that binding one pod does not look at all others. No preemption.

use super::pods::{is_finished, node_of};
use super::runtime::time::api_time;
use super::runtime::{
    Controller, Informer, ObjectKey, Queue, ReconcileError, Requeue, Runtime, Writer,
};
use crate::domain::clock::Clock;
use crate::sim::clock::PlatformClock;
use crate::sim::events::{About, Events, Recorder};
use k8s_openapi::api::core::v1::{Container, Node, Pod, PodCondition, Taint, Toleration};
use k8s_openapi::apimachinery::pkg::api::resource::Quantity;
use serde_json::json;
use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;

const MANAGER: &str = "kube-scheduler";
/// Unschedulable pods are looked at again after this even if nothing seems to have changed.
const RETRY: Duration = Duration::from_secs(300);

/// What a pod asks of a node, or a node has: millicores, bytes, pods.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Amount {
    cpu: i64,
    memory: i64,
    pods: i64,
}

#[derive(Debug, Default)]
struct Usage {
    nodes: HashMap<String, Amount>,
    /// What each bound pod takes, by uid.
    pods: HashMap<String, (String, Amount)>,
    unschedulable: BTreeSet<ObjectKey>,
}

impl Usage {
    fn put(&mut self, uid: &str, node: &str, amount: Amount) {
        self.take(uid);
        let used = self.nodes.entry(node.to_owned()).or_default();
        used.cpu += amount.cpu;
        used.memory += amount.memory;
        used.pods += 1;
        self.pods.insert(uid.to_owned(), (node.to_owned(), amount));
    }

    fn take(&mut self, uid: &str) -> bool {
        let Some((node, amount)) = self.pods.remove(uid) else {
            return false;
        };
        if let Some(used) = self.nodes.get_mut(&node) {
            used.cpu -= amount.cpu;
            used.memory -= amount.memory;
            used.pods -= 1;
        }
        true
    }
}

/// The scheduler.
#[derive(Debug)]
pub struct Scheduler {
    pods: Writer<Pod>,
    nodes: Informer<Node>,
    usage: Arc<RwLock<Usage>>,
    recorder: Recorder,
    clock: PlatformClock,
}

impl Scheduler {
    /// Starts the scheduler.
    pub fn start(runtime: &Runtime, events: &Events) {
        let pods = runtime.informer::<Pod>();
        let nodes = runtime.informer::<Node>();
        let usage = Arc::new(RwLock::new(Usage::default()));
        let queue: Queue<ObjectKey> = runtime.queue();
        pods.required_by(&queue);
        nodes.required_by(&queue);
        let (seen, wake) = (Arc::clone(&usage), queue.clone());
        pods.on_change(move |change| {
            let mut usage = seen.write().unwrap_or_else(PoisonError::into_inner);
            let Some(pod) = change.object() else { return };
            let uid = pod.metadata.uid.as_deref().unwrap_or_default();
            let freed = match change.new.as_ref().filter(|pod| !is_finished(pod)) {
                None => usage.take(uid),
                Some(pod) => {
                    match node_of(pod) {
                        Some(node) if !usage.pods.contains_key(uid) => {
                            usage.put(uid, node, request_of(pod));
                        }
                        Some(_) => {}
                        None => wake.add(ObjectKey::of(&**pod)),
                    }
                    false
                }
            };
            if freed {
                wake_all(&mut usage, &wake);
            }
        });
        let (seen, wake) = (Arc::clone(&usage), queue.clone());
        nodes.on_change(move |_| {
            wake_all(
                &mut seen.write().unwrap_or_else(PoisonError::into_inner),
                &wake,
            );
        });
        let scheduler = Self {
            pods: pods.writer(MANAGER),
            nodes,
            usage,
            recorder: events.recorder("default-scheduler"),
            clock: runtime.clock().clone(),
        };
        runtime.run(scheduler, queue);
    }

    /// Chooses a node, or counts by reason why none fits.
    fn choose(&self, pod: &Pod) -> Result<String, BTreeMap<String, usize>> {
        let request = request_of(pod);
        let usage = self.usage.read().unwrap_or_else(PoisonError::into_inner);
        let mut refusals: BTreeMap<String, usize> = BTreeMap::new();
        let mut best: Option<(i64, i64, String)> = None;
        for node in self.nodes.all() {
            let name = node.metadata.name.clone().unwrap_or_default();
            let used = usage.nodes.get(&name).copied().unwrap_or_default();
            if let Some(reason) = refusal(pod, request, &node, used) {
                *refusals.entry(reason).or_default() += 1;
                continue;
            }
            let rank = (used.pods, used.cpu, name);
            if best.as_ref().is_none_or(|known| rank < *known) {
                best = Some(rank);
            }
        }
        best.map(|(_, _, name)| name).ok_or(refusals)
    }

    async fn bind(&self, key: &ObjectKey, pod: &Pod, node: &str) -> Result<(), ReconcileError> {
        let uid = pod.metadata.uid.clone().unwrap_or_default();
        let binding = json!({
            "apiVersion": "v1",
            "kind": "Binding",
            "metadata": {"name": key.name, "namespace": key.namespace, "uid": uid},
            "target": {"apiVersion": "v1", "kind": "Node", "name": node},
        });
        self.usage
            .write()
            .unwrap_or_else(PoisonError::into_inner)
            .put(&uid, node, request_of(pod));
        if let Err(error) = self.pods.post(key, "binding", &binding).await {
            self.usage
                .write()
                .unwrap_or_else(PoisonError::into_inner)
                .take(&uid);
            return if error.is_not_found() || error.is_conflict() {
                Ok(())
            } else {
                Err(error)
            };
        }
        self.recorder.normal(
            About::object(pod),
            "Scheduled",
            format!("Successfully assigned {key} to {node}"),
        );
        Ok(())
    }

    async fn refuse(
        &self,
        key: &ObjectKey,
        pod: &Pod,
        refusals: &BTreeMap<String, usize>,
    ) -> Result<(), ReconcileError> {
        let message = refusal_text(self.nodes.len(), refusals);
        self.usage
            .write()
            .unwrap_or_else(PoisonError::into_inner)
            .unschedulable
            .insert(key.clone());
        let old = pod.status.clone().unwrap_or_default();
        let mut new = old.clone();
        let conditions = new.conditions.get_or_insert_default();
        let known = conditions
            .iter()
            .position(|one| one.type_ == "PodScheduled");
        let since = known
            .and_then(|index| conditions.get(index))
            .filter(|one| one.status == "False")
            .and_then(|one| one.last_transition_time.clone());
        if let Some(index) = known {
            conditions.remove(index);
        }
        conditions.push(PodCondition {
            type_: "PodScheduled".to_owned(),
            status: "False".to_owned(),
            reason: Some("Unschedulable".to_owned()),
            message: Some(message.clone()),
            last_transition_time: since.or_else(|| Some(api_time(self.clock.now()))),
            ..PodCondition::default()
        });
        if self.pods.update_status(pod, &old, &new).await?.is_some() {
            self.recorder
                .warning(About::object(pod), "FailedScheduling", message);
        }
        Ok(())
    }
}

impl Controller for Scheduler {
    type Key = ObjectKey;
    const NAME: &'static str = "scheduler";
    // One at a time: each binding must see what the one before took.
    const CONCURRENCY: usize = 1;

    async fn reconcile(&self, key: &ObjectKey) -> Result<Requeue, ReconcileError> {
        let Some(pod) = self.pods.informer().get(key) else {
            return Ok(Requeue::OnChange);
        };
        let foreign = pod
            .spec
            .as_ref()
            .and_then(|spec| spec.scheduler_name.as_deref())
            .is_some_and(|name| name != "default-scheduler");
        let gated = pod
            .spec
            .as_ref()
            .is_some_and(|spec| spec.scheduling_gates.iter().flatten().next().is_some());
        let settled = node_of(&pod).is_some() || pod.metadata.deletion_timestamp.is_some();
        if foreign || gated || settled || is_finished(&pod) || self.is_bound(&pod) {
            return Ok(Requeue::OnChange);
        }
        match self.choose(&pod) {
            Ok(node) => {
                self.bind(key, &pod, &node).await?;
                Ok(Requeue::OnChange)
            }
            Err(refusals) => {
                self.refuse(key, &pod, &refusals).await?;
                Ok(Requeue::After(RETRY))
            }
        }
    }
}

impl Scheduler {
    /// The pod was bound a moment ago and the watch has not told yet.
    fn is_bound(&self, pod: &Pod) -> bool {
        let uid = pod.metadata.uid.as_deref().unwrap_or_default();
        self.usage
            .read()
            .unwrap_or_else(PoisonError::into_inner)
            .pods
            .contains_key(uid)
    }
}

fn wake_all(usage: &mut Usage, queue: &Queue<ObjectKey>) {
    for key in std::mem::take(&mut usage.unschedulable) {
        queue.add(key);
    }
}

/// Returns why a node does not take a pod, in upstream's words.
fn refusal(pod: &Pod, request: Amount, node: &Node, used: Amount) -> Option<String> {
    let spec = node.spec.as_ref();
    if !is_node_ready(node) {
        return Some("node(s) had untolerated taint {node.kubernetes.io/not-ready: }".to_owned());
    }
    let taints = spec
        .and_then(|spec| spec.taints.as_deref())
        .unwrap_or_default();
    let tolerations = pod
        .spec
        .as_ref()
        .and_then(|spec| spec.tolerations.as_deref())
        .unwrap_or_default();
    let cordon = Taint {
        key: "node.kubernetes.io/unschedulable".to_owned(),
        effect: "NoSchedule".to_owned(),
        ..Taint::default()
    };
    if spec.is_some_and(|spec| spec.unschedulable == Some(true))
        && !tolerations.iter().any(|one| tolerates(one, &cordon))
    {
        return Some("node(s) were unschedulable".to_owned());
    }
    let untolerated = taints.iter().find(|taint| {
        taint.effect != "PreferNoSchedule" && !tolerations.iter().any(|one| tolerates(one, taint))
    });
    if let Some(taint) = untolerated {
        return Some(format!(
            "node(s) had untolerated taint {{{}: {}}}",
            taint.key,
            taint.value.as_deref().unwrap_or_default()
        ));
    }
    let labels = node.metadata.labels.as_ref();
    let wanted = pod
        .spec
        .as_ref()
        .and_then(|spec| spec.node_selector.as_ref());
    let selected = wanted
        .into_iter()
        .flatten()
        .all(|(key, value)| labels.and_then(|labels| labels.get(key)) == Some(value));
    if !selected || !affinity_allows(pod, node) {
        return Some("node(s) didn't match Pod's node affinity/selector".to_owned());
    }
    let has = allocatable(node);
    if used.pods + 1 > has.pods {
        return Some("Too many pods".to_owned());
    }
    if used.cpu + request.cpu > has.cpu {
        return Some("Insufficient cpu".to_owned());
    }
    (used.memory + request.memory > has.memory).then(|| "Insufficient memory".to_owned())
}

fn is_node_ready(node: &Node) -> bool {
    let conditions = node
        .status
        .iter()
        .flat_map(|status| status.conditions.iter().flatten());
    conditions
        .filter(|one| one.type_ == "Ready")
        .any(|one| one.status == "True")
}

/// The required node affinity names this node by its labels or fields.
fn affinity_allows(pod: &Pod, node: &Node) -> bool {
    let required = pod
        .spec
        .as_ref()
        .and_then(|spec| spec.affinity.as_ref()?.node_affinity.as_ref())
        .and_then(|one| {
            one.required_during_scheduling_ignored_during_execution
                .as_ref()
        });
    let Some(required) = required else {
        return true;
    };
    required.node_selector_terms.iter().any(|term| {
        let labels = term.match_expressions.iter().flatten().all(|one| {
            let value = node
                .metadata
                .labels
                .as_ref()
                .and_then(|all| all.get(&one.key));
            fits(&one.operator, one.values.as_deref(), value)
        });
        let fields = term.match_fields.iter().flatten().all(|one| {
            let value = (one.key == "metadata.name").then_some(node.metadata.name.as_ref());
            fits(&one.operator, one.values.as_deref(), value.flatten())
        });
        labels && fields
    })
}

fn fits(operator: &str, values: Option<&[String]>, value: Option<&String>) -> bool {
    let listed = |value: &String| values.unwrap_or_default().contains(value);
    match operator {
        "In" => value.is_some_and(listed),
        "NotIn" => !value.is_some_and(listed),
        "Exists" => value.is_some(),
        "DoesNotExist" => value.is_none(),
        _ => false,
    }
}

/// The toleration covers the taint.
pub(super) fn tolerates(toleration: &Toleration, taint: &Taint) -> bool {
    let effect = toleration.effect.as_deref().unwrap_or_default();
    let key = toleration.key.as_deref().unwrap_or_default();
    let exists = toleration.operator.as_deref() == Some("Exists");
    (effect.is_empty() || effect == taint.effect)
        && (key == taint.key || (key.is_empty() && exists))
        && (exists
            || toleration.value.as_deref().unwrap_or_default()
                == taint.value.as_deref().unwrap_or_default())
}

fn refusal_text(nodes: usize, refusals: &BTreeMap<String, usize>) -> String {
    let reasons: Vec<String> = refusals
        .iter()
        .map(|(reason, count)| format!("{count} {reason}"))
        .collect();
    let reasons = if reasons.is_empty() {
        "no nodes available to schedule pods".to_owned()
    } else {
        reasons.join(", ")
    };
    format!(
        "0/{nodes} nodes are available: {reasons}. preemption: 0/{nodes} nodes are available: \
         {nodes} Preemption is not helpful for scheduling."
    )
}

fn allocatable(node: &Node) -> Amount {
    let list = node
        .status
        .as_ref()
        .and_then(|status| status.allocatable.as_ref());
    amount(list)
}

fn amount(list: Option<&BTreeMap<String, Quantity>>) -> Amount {
    let value = |name: &str| {
        list.and_then(|list| list.get(name))
            .and_then(|quantity| quantity_value(&quantity.0))
            .unwrap_or_default()
    };
    Amount {
        cpu: (value("cpu") * 1000.0).round() as i64,
        memory: value("memory") as i64,
        pods: value("pods") as i64,
    }
}

/// Returns what a pod requests: its containers' sum, or its largest init container.
fn request_of(pod: &Pod) -> Amount {
    let Some(spec) = &pod.spec else {
        return Amount::default();
    };
    let one = |container: &Container| {
        let resources = container.resources.as_ref();
        let requests = resources.and_then(|one| one.requests.as_ref());
        amount(requests.or_else(|| resources.and_then(|one| one.limits.as_ref())))
    };
    let mut sum = Amount::default();
    for container in &spec.containers {
        let amount = one(container);
        sum.cpu += amount.cpu;
        sum.memory += amount.memory;
    }
    for container in spec.init_containers.iter().flatten() {
        let amount = one(container);
        sum.cpu = sum.cpu.max(amount.cpu);
        sum.memory = sum.memory.max(amount.memory);
    }
    sum
}

/// Reads a quantity such as `250m`, `1.5`, `64Mi` or `1e3`.
pub(super) fn quantity_value(text: &str) -> Option<f64> {
    const UNITS: [(&str, f64); 14] = [
        ("Ki", 1024.0),
        ("Mi", 1_048_576.0),
        ("Gi", 1_073_741_824.0),
        ("Ti", 1_099_511_627_776.0),
        ("Pi", 1_125_899_906_842_624.0),
        ("Ei", 1_152_921_504_606_846_976.0),
        ("n", 1e-9),
        ("u", 1e-6),
        ("m", 1e-3),
        ("k", 1e3),
        ("M", 1e6),
        ("G", 1e9),
        ("T", 1e12),
        ("P", 1e15),
    ];
    UNITS
        .iter()
        .find_map(|(unit, factor)| Some((text.strip_suffix(unit)?, *factor)))
        .map_or_else(
            || text.parse().ok(),
            |(number, factor)| number.parse::<f64>().ok().map(|number| number * factor),
        )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quantities_are_read_as_upstream_does() {
        let near = |text: &str, wanted: f64| {
            quantity_value(text).is_some_and(|value| (value - wanted).abs() < 1e-6)
        };
        assert!(near("250m", 0.25));
        assert!(near("64Mi", 67_108_864.0));
        assert!(near("1.5", 1.5));
        assert!(near("1e3", 1000.0));
        assert_eq!(quantity_value("lots"), None);
    }

    #[test]
    fn a_refusal_names_every_reason_with_its_count() {
        let refusals = BTreeMap::from([
            ("Insufficient cpu".to_owned(), 2),
            ("Too many pods".to_owned(), 1),
        ]);

        assert!(
            refusal_text(3, &refusals)
                .starts_with("0/3 nodes are available: 2 Insufficient cpu, 1 Too many pods.")
        );
    }

    #[test]
    fn usage_returns_to_nothing_when_pods_leave() {
        let mut usage = Usage::default();
        let amount = Amount {
            cpu: 100,
            memory: 5,
            pods: 0,
        };
        usage.put("u", "n", amount);
        usage.put("u", "n", amount);

        assert!(usage.take("u"));
        assert_eq!(usage.nodes.get("n"), Some(&Amount::default()));
        assert!(!usage.take("u"));
    }
}
