//! Fields of the `HorizontalPodAutoscaler`s that `kubectl autoscale` sends.

use super::messages::{Field, INT, META, SELECTOR, SET_INT, Shape};
use Shape::{Message, Messages, Quantity, Text};

const REFERENCE: &[Field] = &[
    (1, "kind", Text),
    (2, "name", Text),
    (3, "apiVersion", Text),
];
const TARGET: &[Field] = &[
    (1, "type", Text),
    (2, "value", Quantity),
    (3, "averageValue", Quantity),
    (4, "averageUtilization", SET_INT),
];
const IDENTIFIER: &[Field] = &[(1, "name", Text), (2, "selector", Message(SELECTOR))];
const METRIC: &[Field] = &[
    (1, "metric", Message(IDENTIFIER)),
    (2, "target", Message(TARGET)),
];
const METRICS: &[Field] = &[
    (1, "type", Text),
    (
        2,
        "object",
        Message(&[
            (1, "describedObject", Message(REFERENCE)),
            (2, "target", Message(TARGET)),
            (3, "metric", Message(IDENTIFIER)),
        ]),
    ),
    (3, "pods", Message(METRIC)),
    (
        4,
        "resource",
        Message(&[(1, "name", Text), (2, "target", Message(TARGET))]),
    ),
    (5, "external", Message(METRIC)),
    (
        7,
        "containerResource",
        Message(&[
            (1, "name", Text),
            (2, "target", Message(TARGET)),
            (3, "container", Text),
        ]),
    ),
];
const SCALING: &[Field] = &[
    (1, "selectPolicy", Text),
    (
        2,
        "policies",
        Messages(&[
            (1, "type", Text),
            (2, "value", INT),
            (3, "periodSeconds", INT),
        ]),
    ),
    (3, "stabilizationWindowSeconds", SET_INT),
    (4, "tolerance", Quantity),
];

/// Of `autoscaling/v1`.
pub(super) const V1: &[Field] = &[
    META,
    (
        2,
        "spec",
        Message(&[
            (1, "scaleTargetRef", Message(REFERENCE)),
            (2, "minReplicas", SET_INT),
            (3, "maxReplicas", INT),
            (4, "targetCPUUtilizationPercentage", SET_INT),
        ]),
    ),
];
/// Of `autoscaling/v2`.
pub(super) const V2: &[Field] = &[
    META,
    (
        2,
        "spec",
        Message(&[
            (1, "scaleTargetRef", Message(REFERENCE)),
            (2, "minReplicas", SET_INT),
            (3, "maxReplicas", INT),
            (4, "metrics", Messages(METRICS)),
            (
                5,
                "behavior",
                Message(&[
                    (1, "scaleUp", Message(SCALING)),
                    (2, "scaleDown", Message(SCALING)),
                ]),
            ),
        ]),
    ),
];
