//! What Argo CD Image Updater does with an image, and why it does not: settings, choice of a tag, and
//! what is written back. One implementation serves the embedded controller and the cockpit.
//!
//! Follows `registry-scanner/pkg/image` and `pkg/argocd` of argocd-image-updater 1.x. Nothing here asks
//! a registry or a cluster.

mod annotations;
mod application_ref;
mod choose;
mod constraint;
mod row;
mod rules;
mod settings;
mod version;
mod write_back;

pub use annotations::{ANNOTATION_PREFIX, from_annotations};
pub use application_ref::{ApplicationRef, LabelOperator, LabelRule, reference_for};
pub use choose::{Candidate, Current, Decision, TagFact, Verdict, choose};
pub use constraint::Constraint;
pub use row::{UpdateRow, update_object, updates_kind};
pub use rules::{Allow, Policy, Strategy, platform_suits};
pub use settings::{ImageRule, Keys, Manifest, Settings, split_identifier};
pub use version::Version;
pub use write_back::{
    Branches, FileTarget, Method, Parameter, WriteBack, Written, commit_message, kustomize_image,
    merge_kustomize_image, parameters,
};
