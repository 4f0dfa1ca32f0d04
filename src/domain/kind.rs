//! The resource types we know: one [`KindInfo`] row each.
//!
//! A kind that is not listed here still works everywhere through discovery and the server's
//! Table; a row only adds short names, a title and what can be done with it.

use super::image::IMAGES_GROUP;
use super::object::GroupKind;
use super::pipeline::{ACTIONS, RUNS_GROUP, TEKTON};

/// What can be asked of objects of a kind, beyond get, describe and delete.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub struct Abilities {
    /// `kubectl rollout restart` works.
    pub restart: bool,
    /// There is a `scale` subresource.
    pub scale: bool,
    /// It is a Pod, or owns Pods whose logs can be read.
    pub logs: bool,
}

/// One resource type.
#[derive(Clone, Copy, Debug)]
pub struct KindInfo {
    pub group: &'static str,
    /// Preferred version; the server's discovery decides in the end.
    pub version: &'static str,
    pub kind: &'static str,
    pub plural: &'static str,
    pub namespaced: bool,
    /// What people type after `:`, besides the plural and the lower-case kind.
    pub short_names: &'static [&'static str],
    pub abilities: Abilities,
}

const NONE: Abilities = Abilities {
    restart: false,
    scale: false,
    logs: false,
};
const LOGS: Abilities = Abilities {
    restart: false,
    scale: false,
    logs: true,
};
const WORKLOAD: Abilities = Abilities {
    restart: true,
    scale: true,
    logs: true,
};

/// API group of Argo CD, Rollouts, Workflows and Events.
pub const ARGO: &str = "argoproj.io";

macro_rules! kinds {
    ($($group:expr, $version:literal, $kind:literal, $plural:literal, $namespaced:literal, [$($short:literal),*], $abilities:expr;)*) => {
        &[$(KindInfo { group: $group, version: $version, kind: $kind, plural: $plural,
            namespaced: $namespaced, short_names: &[$($short),*], abilities: $abilities }),*]
    };
}

/// Every kind we know by name.
pub const KINDS: &[KindInfo] = kinds! {
    ARGO, "v1alpha1", "Application", "applications", true, ["app", "apps"], NONE;
    ARGO, "v1alpha1", "ApplicationSet", "applicationsets", true, ["appset", "appsets"], NONE;
    ARGO, "v1alpha1", "AppProject", "appprojects", true, ["appproj", "appprojs"], NONE;
    ARGO, "v1alpha1", "Rollout", "rollouts", true, ["ro"],
        Abilities { restart: false, scale: true, logs: true };
    ARGO, "v1alpha1", "AnalysisRun", "analysisruns", true, ["ar"], NONE;
    ARGO, "v1alpha1", "AnalysisTemplate", "analysistemplates", true, ["at"], NONE;
    ARGO, "v1alpha1", "ClusterAnalysisTemplate", "clusteranalysistemplates", false, ["cat"], NONE;
    ARGO, "v1alpha1", "Experiment", "experiments", true, ["exp"], NONE;
    ARGO, "v1alpha1", "Workflow", "workflows", true, ["wf"], LOGS;
    ARGO, "v1alpha1", "WorkflowTemplate", "workflowtemplates", true, ["wftmpl"], NONE;
    ARGO, "v1alpha1", "ClusterWorkflowTemplate", "clusterworkflowtemplates", false,
        ["clusterwftmpl", "cwft"], NONE;
    ARGO, "v1alpha1", "CronWorkflow", "cronworkflows", true, ["cwf", "cronwf"], NONE;
    ARGO, "v1alpha1", "EventBus", "eventbus", true, ["eb"], NONE;
    ARGO, "v1alpha1", "EventSource", "eventsources", true, ["es"], NONE;
    ARGO, "v1alpha1", "Sensor", "sensors", true, ["sn"], NONE;
    TEKTON, "v1", "Pipeline", "pipelines", true, [], NONE;
    TEKTON, "v1", "PipelineRun", "pipelineruns", true, ["pr", "prs"], LOGS;
    TEKTON, "v1", "Task", "tasks", true, [], NONE;
    TEKTON, "v1", "TaskRun", "taskruns", true, ["tr", "trs"], LOGS;
    "triggers.tekton.dev", "v1beta1", "EventListener", "eventlisteners", true, ["el"], NONE;
    ACTIONS, "v3", "WorkflowRun", "workflowruns", true, ["actions"], LOGS;
    ACTIONS, "v3", "WorkflowJob", "workflowjobs", true, [], LOGS;
    RUNS_GROUP, "v1", "Run", "runs", true, ["run"], LOGS;
    IMAGES_GROUP, "v1", "Image", "images", true, ["image", "img"], NONE;
    IMAGES_GROUP, "v1", "Registry", "registries", false, ["registry", "harbor"], NONE;
    IMAGES_GROUP, "v1", "RegistryProject", "registryprojects", true, ["projects", "project"], NONE;
    IMAGES_GROUP, "v1", "Robot", "robots", true, ["robot"], NONE;
    IMAGES_GROUP, "v1", "ImageUpdate", "image-updates", true, ["image-update", "updates"], NONE;
    IMAGES_GROUP, "v1", "Cve", "cves", false, ["cve", "security", "vulnerabilities"], NONE;
    "", "v1", "Namespace", "namespaces", false, ["ns"], NONE;
    "", "v1", "Node", "nodes", false, ["no"], NONE;
    "", "v1", "Pod", "pods", true, ["po"], LOGS;
    "", "v1", "Service", "services", true, ["svc"], LOGS;
    "", "v1", "ConfigMap", "configmaps", true, ["cm"], NONE;
    "", "v1", "Secret", "secrets", true, ["sec"], NONE;
    "", "v1", "ServiceAccount", "serviceaccounts", true, ["sa"], NONE;
    "", "v1", "Event", "events", true, ["ev"], NONE;
    "", "v1", "PersistentVolumeClaim", "persistentvolumeclaims", true, ["pvc"], NONE;
    "apps", "v1", "Deployment", "deployments", true, ["deploy", "dp"], WORKLOAD;
    "apps", "v1", "ReplicaSet", "replicasets", true, ["rs"],
        Abilities { restart: false, scale: true, logs: true };
    "apps", "v1", "StatefulSet", "statefulsets", true, ["sts"], WORKLOAD;
    "apps", "v1", "DaemonSet", "daemonsets", true, ["ds"],
        Abilities { restart: true, scale: false, logs: true };
    "batch", "v1", "Job", "jobs", true, ["jo"], LOGS;
    "batch", "v1", "CronJob", "cronjobs", true, ["cj"], NONE;
    "discovery.k8s.io", "v1", "EndpointSlice", "endpointslices", true, [], NONE;
    "networking.k8s.io", "v1", "Ingress", "ingresses", true, ["ing"], NONE;
    "gateway.networking.k8s.io", "v1", "Gateway", "gateways", true, ["gtw"], NONE;
    "gateway.networking.k8s.io", "v1", "HTTPRoute", "httproutes", true, [], NONE;
    "networking.istio.io", "v1", "VirtualService", "virtualservices", true, ["vs"], NONE;
    "networking.istio.io", "v1", "DestinationRule", "destinationrules", true, ["dr"], NONE;
    "autoscaling", "v2", "HorizontalPodAutoscaler", "horizontalpodautoscalers", true, ["hpa"], NONE;
    "apiextensions.k8s.io", "v1", "CustomResourceDefinition", "customresourcedefinitions", false,
        ["crd", "crds"], NONE;
};

impl KindInfo {
    /// Returns the identity of this kind.
    pub fn group_kind(&self) -> GroupKind {
        GroupKind::new(self.group, self.kind)
    }

    /// Returns whether a typed word names this kind; case does not matter.
    pub fn answers_to(&self, word: &str) -> bool {
        self.plural.eq_ignore_ascii_case(word)
            || self.kind.eq_ignore_ascii_case(word)
            || self
                .short_names
                .iter()
                .any(|short| short.eq_ignore_ascii_case(word))
    }
}

/// Returns the row of a kind, if we know it.
pub fn info_of(kind: &GroupKind) -> Option<&'static KindInfo> {
    KINDS.iter().find(|info| kind.is(info.group, info.kind))
}

/// Returns the kind that a typed word names: plural, kind or short name.
pub fn info_named(word: &str) -> Option<&'static KindInfo> {
    KINDS.iter().find(|info| info.answers_to(word))
}
