//! Fields of pods, as `kubectl run` and `kubectl create job --from` send them.

use super::messages::{BOOL, Entry, Field, INT, NAMED, SET_BOOL, SET_INT, Shape, TEXT_MAP};
use Shape::{Inline, Map, Marker, Message, Messages, Quantity, Text, Texts};

/// The name of another object, embedded in what refers to it.
const NAME: Shape = Inline(NAMED);
const KEY: &[Field] = &[
    (1, "localObjectReference", NAME),
    (2, "key", Text),
    (3, "optional", SET_BOOL),
];
const VALUE_FROM: &[Field] = &[
    (
        1,
        "fieldRef",
        Message(&[(1, "apiVersion", Text), (2, "fieldPath", Text)]),
    ),
    (3, "configMapKeyRef", Message(KEY)),
    (4, "secretKeyRef", Message(KEY)),
];
const MOUNT: &[Field] = &[
    (1, "name", Text),
    (2, "readOnly", BOOL),
    (3, "mountPath", Text),
    (4, "subPath", Text),
];
const ITEMS: Shape = Messages(&[(1, "key", Text), (2, "path", Text), (3, "mode", SET_INT)]);
const SOURCE: &[Field] = &[
    (
        2,
        "emptyDir",
        Marker(&[(1, "medium", Text), (2, "sizeLimit", Quantity)]),
    ),
    (
        6,
        "secret",
        Message(&[
            (1, "secretName", Text),
            (2, "items", ITEMS),
            (3, "defaultMode", SET_INT),
            (4, "optional", SET_BOOL),
        ]),
    ),
    (
        10,
        "persistentVolumeClaim",
        Message(&[(1, "claimName", Text), (2, "readOnly", BOOL)]),
    ),
    (
        19,
        "configMap",
        Message(&[
            (1, "localObjectReference", NAME),
            (2, "items", ITEMS),
            (3, "defaultMode", SET_INT),
            (4, "optional", SET_BOOL),
        ]),
    ),
];
const VOLUME: &[Field] = &[(1, "name", Text), (2, "volumeSource", Inline(SOURCE))];
const CONTAINER: &[Field] = &[
    (1, "name", Text),
    (2, "image", Text),
    (3, "command", Texts),
    (4, "args", Texts),
    (5, "workingDir", Text),
    (
        6,
        "ports",
        Messages(&[
            (1, "name", Text),
            (2, "hostPort", INT),
            (3, "containerPort", INT),
            (4, "protocol", Text),
            (5, "hostIP", Text),
        ]),
    ),
    (
        7,
        "env",
        Messages(&[
            (1, "name", Text),
            (2, "value", Text),
            (3, "valueFrom", Message(VALUE_FROM)),
        ]),
    ),
    (
        8,
        "resources",
        Message(&[
            (1, "limits", Map(Entry::Quantity)),
            (2, "requests", Map(Entry::Quantity)),
        ]),
    ),
    (9, "volumeMounts", Messages(MOUNT)),
    (13, "terminationMessagePath", Text),
    (14, "imagePullPolicy", Text),
    (16, "stdin", BOOL),
    (17, "stdinOnce", BOOL),
    (18, "tty", BOOL),
    (20, "terminationMessagePolicy", Text),
];
pub(super) const SPEC: &[Field] = &[
    (1, "volumes", Messages(VOLUME)),
    (2, "containers", Messages(CONTAINER)),
    (3, "restartPolicy", Text),
    (4, "terminationGracePeriodSeconds", SET_INT),
    (5, "activeDeadlineSeconds", SET_INT),
    (6, "dnsPolicy", Text),
    (7, "nodeSelector", TEXT_MAP),
    (8, "serviceAccountName", Text),
    (10, "nodeName", Text),
    (11, "hostNetwork", BOOL),
    (15, "imagePullSecrets", Messages(NAMED)),
    (19, "schedulerName", Text),
    (20, "initContainers", Messages(CONTAINER)),
];
