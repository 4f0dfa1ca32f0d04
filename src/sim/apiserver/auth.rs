//! Who makes a request, and how callers prove it.

/// The group whose members may do everything.
pub(super) const MASTERS: &str = "system:masters";

/// A caller, as authentication sees it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct User {
    pub name: String,
    pub groups: Vec<String>,
}

impl User {
    /// A user with exactly these groups and `system:authenticated`; what they may do is decided by
    /// the RBAC objects on the server.
    pub fn new(name: &str, groups: &[&str]) -> Self {
        let mut groups: Vec<String> = groups.iter().map(|group| (*group).to_owned()).collect();
        groups.push("system:authenticated".to_owned());
        Self {
            name: name.to_owned(),
            groups,
        }
    }

    /// A user who may do everything.
    pub fn admin(name: &str) -> Self {
        Self::new(name, &[MASTERS])
    }

    /// Says whether the user may do everything.
    pub(super) fn is_admin(&self) -> bool {
        self.groups.iter().any(|group| group == MASTERS)
    }
}
