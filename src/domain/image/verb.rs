//! What can be asked of images, repositories' tags and robot accounts.

use super::rows::Permission;
use crate::domain::intent::Risk;
use crate::domain::object::Text;

/// A change asked of a registry, or of what runs an image.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ImageVerb {
    /// Image: look for vulnerabilities.
    Scan,
    /// Image: look no further.
    StopScan,
    /// Image: list what is inside.
    MakeSbom,
    /// Image: give it a name. `moves`: takes the name from another artifact.
    Tag { tag: Text, moves: bool },
    /// Image: take a name away.
    Untag { tag: Text },
    /// Image: copy it by digest into another repository of the registry, with an optional tag.
    Copy { to: Text },
    /// Image: delete it, with all its tags.
    Delete,
    /// Application: render with this image, whatever git says (`kustomize.images`).
    Override { image: Text },
    /// Application or workload: set the image by a commit in the manifest repository. `or_patch`: by
    /// a patch where git has nothing to do with the object, or nothing would put the patch back.
    Commit {
        /// `*`: all that run the image.
        container: Text,
        image: Text,
        or_patch: bool,
    },
    /// Registry: scan every image.
    ScanAll,
    /// Registry: make a robot account.
    CreateRobot(Box<RobotWish>),
    /// Robot: give it a new secret; the old one is void at once.
    RefreshRobot,
    /// Robot: let it log in no more, or again.
    SwitchRobot { on: bool },
    /// Robot: delete it.
    DeleteRobot,
}

/// A robot account to be made.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub struct RobotWish {
    /// Without its prefix.
    pub name: Text,
    /// `None`: of the system.
    pub project: Option<Text>,
    pub description: Text,
    /// `None`: never expires.
    pub days: Option<u32>,
    pub permissions: Vec<Permission>,
}

impl RobotWish {
    /// Returns what is wrong with it (Harbor `controller/robot`), if anything is.
    pub fn problem(&self) -> Option<String> {
        let letters = |text: &str| {
            text.bytes()
                .all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit())
        };
        let parts: Vec<&str> = self.name.split(['.', '_', '-']).collect();
        if parts.iter().any(|part| part.is_empty() || !letters(part)) {
            return Some(format!(
                "`{}` is no name for a robot: lower-case letters and digits, joined by `.`, `_` or `-`",
                self.name
            ));
        }
        if self.days == Some(0) {
            return Some(String::from("it needs at least one day, or `never`"));
        }
        if self.permissions.is_empty() {
            return Some(String::from("it needs at least one permission"));
        }
        None
    }
}

/// Reads `pull,push,scan:create`: a bare action is one on repositories.
pub(super) fn permissions(scope: &str, text: &str) -> Option<Vec<Permission>> {
    let words = text.split([',', ' ']).filter(|word| !word.is_empty());
    let read = words.map(|word| {
        let (resource, action) = word.split_once(':').unwrap_or(("repository", word));
        let plain = |text: &str| {
            !text.is_empty()
                && text
                    .bytes()
                    .all(|byte| byte.is_ascii_lowercase() || byte == b'-')
        };
        (plain(resource) && plain(action)).then(|| Permission {
            scope: scope.into(),
            resource: resource.into(),
            action: action.into(),
        })
    });
    read.collect()
}

impl RobotWish {
    /// Reads the permissions of a wish from words, in the scope of its project or of all projects.
    pub fn with_permissions(mut self, text: &str) -> Option<Self> {
        let scope = self.project.clone().unwrap_or_else(|| "*".into());
        self.permissions = permissions(&scope, text)?;
        Some(self)
    }
}

impl ImageVerb {
    /// Returns the stable id used on the command line and in the ledger.
    pub fn id(&self) -> &'static str {
        match self {
            Self::Scan => "scan",
            Self::StopScan => "stop-scan",
            Self::MakeSbom => "make-sbom",
            Self::Tag { .. } => "tag",
            Self::Untag { .. } => "untag",
            Self::Copy { .. } => "copy-image",
            Self::Delete => "delete-image",
            Self::Override { .. } => "override-image",
            Self::Commit { .. } => "set-image",
            Self::ScanAll => "scan-all",
            Self::CreateRobot(_) => "create-robot",
            Self::RefreshRobot => "refresh-robot",
            Self::SwitchRobot { on: true } => "enable-robot",
            Self::SwitchRobot { on: false } => "disable-robot",
            Self::DeleteRobot => "delete-robot",
        }
    }

    /// Returns how dangerous it is.
    pub fn risk(&self) -> Risk {
        match self {
            Self::Scan | Self::StopScan | Self::MakeSbom | Self::ScanAll => Risk::Harmless,
            Self::Tag { moves: true, .. }
            | Self::Untag { .. }
            | Self::Delete
            | Self::RefreshRobot
            | Self::SwitchRobot { on: false }
            | Self::DeleteRobot => Risk::Destroys,
            Self::Tag { moves: false, .. }
            | Self::Copy { .. }
            | Self::Override { .. }
            | Self::Commit { .. }
            | Self::CreateRobot(_)
            | Self::SwitchRobot { on: true } => Risk::Changes,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_robots_wish_is_checked_before_it_is_sent() {
        let wish = RobotWish {
            name: "ci-push".into(),
            project: Some("shop".into()),
            days: Some(30),
            ..RobotWish::default()
        };
        assert!(
            wish.problem()
                .is_some_and(|text| text.contains("permission"))
        );
        let wish = wish
            .with_permissions("pull, push scan:create")
            .expect("readable");
        assert_eq!(wish.permissions.len(), 3);
        assert_eq!(&*wish.permissions[2].resource, "scan");
        assert_eq!(wish.problem(), None);
        let upper = RobotWish {
            name: "CI".into(),
            ..wish.clone()
        };
        assert!(upper.problem().is_some());
        assert!(
            RobotWish {
                days: Some(0),
                ..wish.clone()
            }
            .problem()
            .is_some()
        );
        assert!(wish.with_permissions("pull;push").is_none());
    }
}
