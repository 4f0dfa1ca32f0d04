//! Fields of the `Ingress`es that `kubectl create ingress` sends.

use super::messages::{Field, INT, META, Shape};
use Shape::{Inline, Message, Messages, Text, Texts};

const BACKEND: &[Field] = &[
    (
        3,
        "resource",
        Message(&[(1, "apiGroup", Text), (2, "kind", Text), (3, "name", Text)]),
    ),
    (
        4,
        "service",
        Message(&[
            (1, "name", Text),
            (2, "port", Message(&[(1, "name", Text), (2, "number", INT)])),
        ]),
    ),
];
const PATHS: Shape = Messages(&[
    (1, "path", Text),
    (2, "backend", Message(BACKEND)),
    (3, "pathType", Text),
]);
const RULE: &[Field] = &[
    (1, "host", Text),
    (
        2,
        "ingressRuleValue",
        Inline(&[(1, "http", Message(&[(1, "paths", PATHS)]))]),
    ),
];

pub(super) const INGRESS: &[Field] = &[
    META,
    (
        2,
        "spec",
        Message(&[
            (1, "defaultBackend", Message(BACKEND)),
            (
                2,
                "tls",
                Messages(&[(1, "hosts", Texts), (2, "secretName", Text)]),
            ),
            (3, "rules", Messages(RULE)),
            (4, "ingressClassName", Text),
        ]),
    ),
];
