//! Field numbers of the messages that typed clients send, from upstream's `generated.proto`.

/// Number, JSON name and shape of a field.
pub(super) type Field = (u64, &'static str, Shape);

/// What a field holds.
#[derive(Clone, Copy, Debug)]
pub(super) enum Shape {
    Text,
    Texts,
    Int {
        keep_zero: bool,
    },
    Bool {
        keep_false: bool,
    },
    Message(&'static [Field]),
    /// A message that says something even when it is empty.
    Marker(&'static [Field]),
    Messages(&'static [Field]),
    Map(Entry),
    IntOrText,
    Quantity,
    /// A message whose fields are the outer one's in JSON (embedded in Go).
    Inline(&'static [Field]),
}

/// What the entries of a map hold.
#[derive(Clone, Copy, Debug)]
pub(super) enum Entry {
    Text,
    Base64,
    Quantity,
}

use super::{autoscaling, networking, pods};
use Shape::{IntOrText, Map, Message, Messages, Text, Texts};

/// A plain number: zero means that it is not set.
pub(super) const INT: Shape = Shape::Int { keep_zero: false };
/// A number that may be set to zero.
pub(super) const SET_INT: Shape = Shape::Int { keep_zero: true };
pub(super) const BOOL: Shape = Shape::Bool { keep_false: false };
pub(super) const SET_BOOL: Shape = Shape::Bool { keep_false: true };
pub(super) const TEXT_MAP: Shape = Map(Entry::Text);

const OWNER: &[Field] = &[
    (1, "kind", Text),
    (3, "name", Text),
    (4, "uid", Text),
    (5, "apiVersion", Text),
    (6, "controller", SET_BOOL),
    (7, "blockOwnerDeletion", SET_BOOL),
];
const METADATA: &[Field] = &[
    (1, "name", Text),
    (2, "generateName", Text),
    (3, "namespace", Text),
    (5, "uid", Text),
    (6, "resourceVersion", Text),
    (11, "labels", TEXT_MAP),
    (12, "annotations", TEXT_MAP),
    (13, "ownerReferences", Messages(OWNER)),
    (14, "finalizers", Texts),
];
pub(super) const META: Field = (1, "metadata", Message(METADATA));
pub(super) const NAMED: &[Field] = &[(1, "name", Text)];

const NAMESPACE: &[Field] = &[META, (2, "spec", Message(&[(1, "finalizers", Texts)]))];
const CONFIG_MAP: &[Field] = &[
    META,
    (2, "data", TEXT_MAP),
    (3, "binaryData", Map(Entry::Base64)),
    (4, "immutable", SET_BOOL),
];
const SECRET: &[Field] = &[
    META,
    (2, "data", Map(Entry::Base64)),
    (3, "type", Text),
    (4, "stringData", TEXT_MAP),
    (5, "immutable", SET_BOOL),
];
const SERVICE_ACCOUNT: &[Field] = &[
    META,
    (2, "secrets", Messages(&[(3, "name", Text)])),
    (3, "imagePullSecrets", Messages(NAMED)),
    (4, "automountServiceAccountToken", SET_BOOL),
];

pub(super) const SELECTOR: &[Field] = &[
    (1, "matchLabels", TEXT_MAP),
    (
        2,
        "matchExpressions",
        Messages(&[
            (1, "key", Text),
            (2, "operator", Text),
            (3, "values", Texts),
        ]),
    ),
];
const TEMPLATE: &[Field] = &[META, (2, "spec", Message(pods::SPEC))];
const POD: &[Field] = &[META, (2, "spec", Message(pods::SPEC))];
const DEPLOYMENT: &[Field] = &[
    META,
    (
        2,
        "spec",
        Message(&[
            (1, "replicas", SET_INT),
            (2, "selector", Message(SELECTOR)),
            (3, "template", Message(TEMPLATE)),
            (
                4,
                "strategy",
                Message(&[
                    (1, "type", Text),
                    (
                        2,
                        "rollingUpdate",
                        Message(&[(1, "maxUnavailable", IntOrText), (2, "maxSurge", IntOrText)]),
                    ),
                ]),
            ),
            (5, "minReadySeconds", INT),
            (6, "revisionHistoryLimit", SET_INT),
            (7, "paused", BOOL),
            (9, "progressDeadlineSeconds", SET_INT),
        ]),
    ),
];
const JOB_SPEC: &[Field] = &[
    (1, "parallelism", SET_INT),
    (2, "completions", SET_INT),
    (3, "activeDeadlineSeconds", SET_INT),
    (4, "selector", Message(SELECTOR)),
    (5, "manualSelector", SET_BOOL),
    (6, "template", Message(TEMPLATE)),
    (7, "backoffLimit", SET_INT),
    (8, "ttlSecondsAfterFinished", SET_INT),
    (9, "completionMode", Text),
    (10, "suspend", SET_BOOL),
    (12, "backoffLimitPerIndex", SET_INT),
    (13, "maxFailedIndexes", SET_INT),
    (14, "podReplacementPolicy", Text),
    (15, "managedBy", Text),
];
const JOB: &[Field] = &[META, (2, "spec", Message(JOB_SPEC))];
const CRON_JOB: &[Field] = &[
    META,
    (
        2,
        "spec",
        Message(&[
            (1, "schedule", Text),
            (2, "startingDeadlineSeconds", SET_INT),
            (3, "concurrencyPolicy", Text),
            (4, "suspend", SET_BOOL),
            (
                5,
                "jobTemplate",
                Message(&[META, (2, "spec", Message(JOB_SPEC))]),
            ),
            (6, "successfulJobsHistoryLimit", SET_INT),
            (7, "failedJobsHistoryLimit", SET_INT),
            (8, "timeZone", Text),
        ]),
    ),
];
const SERVICE: &[Field] = &[
    META,
    (
        2,
        "spec",
        Message(&[
            (
                1,
                "ports",
                Messages(&[
                    (1, "name", Text),
                    (2, "protocol", Text),
                    (3, "port", INT),
                    (4, "targetPort", IntOrText),
                    (5, "nodePort", INT),
                    (6, "appProtocol", Text),
                ]),
            ),
            (2, "selector", TEXT_MAP),
            (3, "clusterIP", Text),
            (4, "type", Text),
            (5, "externalIPs", Texts),
            (7, "sessionAffinity", Text),
            (10, "externalName", Text),
            (11, "externalTrafficPolicy", Text),
        ]),
    ),
];
const ROLE: &[Field] = &[
    META,
    (
        2,
        "rules",
        Messages(&[
            (1, "verbs", Texts),
            (2, "apiGroups", Texts),
            (3, "resources", Texts),
            (4, "resourceNames", Texts),
            (5, "nonResourceURLs", Texts),
        ]),
    ),
];
const ROLE_BINDING: &[Field] = &[
    META,
    (
        2,
        "subjects",
        Messages(&[
            (1, "kind", Text),
            (2, "apiGroup", Text),
            (3, "name", Text),
            (4, "namespace", Text),
        ]),
    ),
    (
        3,
        "roleRef",
        Message(&[(1, "apiGroup", Text), (2, "kind", Text), (3, "name", Text)]),
    ),
];
const DISRUPTION_BUDGET: &[Field] = &[
    META,
    (
        2,
        "spec",
        Message(&[
            (1, "minAvailable", IntOrText),
            (2, "selector", Message(SELECTOR)),
            (3, "maxUnavailable", IntOrText),
        ]),
    ),
];
const QUOTA: &[Field] = &[
    META,
    (
        2,
        "spec",
        Message(&[(1, "hard", Map(Entry::Quantity)), (2, "scopes", Texts)]),
    ),
];
const PRIORITY_CLASS: &[Field] = &[
    META,
    (2, "value", SET_INT),
    (3, "globalDefault", BOOL),
    (4, "description", Text),
    (5, "preemptionPolicy", Text),
];
const ACCESS: &[Field] = &[
    (
        1,
        "resourceAttributes",
        Message(&[
            (1, "namespace", Text),
            (2, "verb", Text),
            (3, "group", Text),
            (4, "version", Text),
            (5, "resource", Text),
            (6, "subresource", Text),
            (7, "name", Text),
        ]),
    ),
    (
        2,
        "nonResourceAttributes",
        Message(&[(1, "path", Text), (2, "verb", Text)]),
    ),
];
const SELF_ACCESS_REVIEW: &[Field] = &[META, (2, "spec", Message(ACCESS))];
const SELF_RULES_REVIEW: &[Field] = &[META, (2, "spec", Message(&[(1, "namespace", Text)]))];
const SELF_REVIEW: &[Field] = &[META];
const TOKEN_REQUEST: &[Field] = &[
    META,
    (
        2,
        "spec",
        Message(&[(1, "audiences", Texts), (4, "expirationSeconds", SET_INT)]),
    ),
];
const DELETE_OPTIONS: &[Field] = &[
    (1, "gracePeriodSeconds", SET_INT),
    (
        2,
        "preconditions",
        Message(&[(1, "uid", Text), (2, "resourceVersion", Text)]),
    ),
    (3, "orphanDependents", SET_BOOL),
    (4, "propagationPolicy", Text),
    (5, "dryRun", Texts),
];
const EVICTION: &[Field] = &[META, (2, "deleteOptions", Message(DELETE_OPTIONS))];

/// Returns the fields of a kind; `None` for one that is not read.
pub(super) fn of_kind(api_version: &str, kind: &str) -> Option<&'static [Field]> {
    Some(match kind {
        "Namespace" => NAMESPACE,
        "ConfigMap" => CONFIG_MAP,
        "Secret" => SECRET,
        "ServiceAccount" => SERVICE_ACCOUNT,
        "Pod" => POD,
        "Deployment" => DEPLOYMENT,
        "Job" => JOB,
        "CronJob" => CRON_JOB,
        "Service" => SERVICE,
        "Ingress" if api_version == "networking.k8s.io/v1" => networking::INGRESS,
        "HorizontalPodAutoscaler" if api_version == "autoscaling/v1" => autoscaling::V1,
        "HorizontalPodAutoscaler" if api_version == "autoscaling/v2" => autoscaling::V2,
        "Role" | "ClusterRole" => ROLE,
        "RoleBinding" | "ClusterRoleBinding" => ROLE_BINDING,
        "PodDisruptionBudget" => DISRUPTION_BUDGET,
        "ResourceQuota" => QUOTA,
        "PriorityClass" => PRIORITY_CLASS,
        "SelfSubjectAccessReview" => SELF_ACCESS_REVIEW,
        "SelfSubjectRulesReview" => SELF_RULES_REVIEW,
        "SelfSubjectReview" => SELF_REVIEW,
        "TokenRequest" => TOKEN_REQUEST,
        "DeleteOptions" => DELETE_OPTIONS,
        "Eviction" => EVICTION,
        _ => return None,
    })
}
