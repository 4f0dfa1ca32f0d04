//! Who asks, and what they may do (`src/common/rbac`).

use super::error::Refusal;
use super::model::Grant;

/// Where a permission is needed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Scope<'a> {
    System,
    Project(&'a str),
}

/// A client of Harbor.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Caller {
    Anonymous,
    /// The name of an account that may do everything.
    Admin(String),
    Robot {
        id: i64,
        name: String,
        grants: Vec<Grant>,
    },
}

/// What everybody may do in a public project.
const PUBLIC: [(&str, &str); 16] = [
    ("project", "read"),
    ("repository", "list"),
    ("repository", "read"),
    ("repository", "pull"),
    ("artifact", "list"),
    ("artifact", "read"),
    ("artifact-addition", "read"),
    ("accessory", "list"),
    ("tag", "list"),
    ("scan", "read"),
    ("sbom", "read"),
    ("scanner", "read"),
    ("label", "list"),
    ("label", "read"),
    ("quota", "read"),
    ("metadata", "list"),
];

/// May be done by whoever may read a project at all.
const COMES_WITH_READING: [&str; 2] = ["metadata", "member"];

impl Caller {
    /// Returns the name that is written into the log.
    pub(super) fn name(&self) -> &str {
        match self {
            Self::Anonymous => "anonymous",
            Self::Admin(name) | Self::Robot { name, .. } => name,
        }
    }

    pub(super) fn is_authenticated(&self) -> bool {
        !matches!(self, Self::Anonymous)
    }

    /// It may do this; `public` says that the project is open to everybody.
    pub(super) fn may(&self, scope: Scope<'_>, wanted: (&str, &str), public: bool) -> bool {
        if public && matches!(scope, Scope::Project(_)) && PUBLIC.contains(&wanted) {
            return true;
        }
        match self {
            Self::Anonymous => false,
            Self::Admin(_) => true,
            Self::Robot { grants, .. } => grants.iter().any(|grant| grant.covers(scope, wanted)),
        }
    }

    /// A robot has at least one permission in the project.
    pub(super) fn knows(&self, project: &str, public: bool) -> bool {
        match self {
            Self::Anonymous => public,
            Self::Admin(_) => true,
            Self::Robot { grants, .. } => {
                public || grants.iter().any(|grant| grant.is_about(project))
            }
        }
    }

    /// Refuses what it may not do, as Harbor words it (`server/v2.0/handler/base.go`).
    pub(super) fn refusal(&self, wanted: (&str, &str)) -> Refusal {
        let (resource, action) = wanted;
        if self.is_authenticated() {
            return Refusal::forbidden(format!(
                "forbidden: `{}` needs {resource}:{action}",
                self.name()
            ));
        }
        Refusal::unauthorized(format!("unauthorized: {resource}:{action}"))
    }
}

impl Grant {
    fn covers(&self, scope: Scope<'_>, (resource, action): (&str, &str)) -> bool {
        let is_in = match scope {
            Scope::System => self.kind == "system",
            Scope::Project(name) => self.is_about(name),
        };
        let named = |one: &(String, String)| {
            let (of, to) = one;
            (of == resource || of == "*") && (to == action || to == "*")
        };
        let implied = COMES_WITH_READING.contains(&resource)
            && matches!(action, "list" | "read")
            && self
                .access
                .iter()
                .any(|(of, to)| of == "project" && to == "read");
        is_in && (implied || self.access.iter().any(named))
    }

    fn is_about(&self, project: &str) -> bool {
        self.kind == "project" && (self.namespace == "*" || self.namespace == project)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn robot(kind: &str, namespace: &str) -> Caller {
        Caller::Robot {
            id: 1,
            name: "robot$x".to_owned(),
            grants: vec![Grant {
                kind: kind.to_owned(),
                namespace: namespace.to_owned(),
                access: vec![("repository".to_owned(), "push".to_owned())],
            }],
        }
    }

    #[test]
    fn a_robot_may_do_what_it_was_granted_and_nothing_else() {
        let push = ("repository", "push");
        assert!(robot("project", "shop").may(Scope::Project("shop"), push, false));
        assert!(robot("project", "*").may(Scope::Project("shop"), push, false));
        assert!(!robot("project", "shop").may(Scope::Project("other"), push, false));
        assert!(!robot("project", "shop").may(Scope::System, push, false));
        assert!(!robot("system", "/").may(Scope::Project("shop"), push, false));
        let pull = ("repository", "pull");
        assert!(!robot("project", "shop").may(Scope::Project("shop"), pull, false));
        assert!(robot("project", "shop").may(Scope::Project("shop"), pull, true));
    }

    #[test]
    fn everybody_reads_what_is_public_and_nobody_else_what_is_not() {
        let read = ("artifact", "list");
        assert!(Caller::Anonymous.may(Scope::Project("a"), read, true));
        assert!(!Caller::Anonymous.may(Scope::Project("a"), read, false));
        assert!(!Caller::Anonymous.may(Scope::Project("a"), ("scan", "create"), true));
        assert_eq!(Caller::Anonymous.refusal(read).status, 401);
        assert_eq!(robot("project", "x").refusal(read).status, 403);
    }
}
