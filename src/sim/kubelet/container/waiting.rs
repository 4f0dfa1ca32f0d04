//! What is told of a container that does not run: why it waits, and of which image it is.

use super::super::image::full_reference;
use super::{ContainerRun, Phase};
use k8s_openapi::api::core::v1::Pod;

impl ContainerRun {
    /// Returns reason and message while the container waits.
    pub(in crate::sim::kubelet) fn waiting(
        &self,
        pod: &Pod,
        initializing: bool,
    ) -> (String, Option<String>) {
        let meta = &pod.metadata;
        let (reason, message) = match &self.phase {
            Phase::PullFailed {
                message,
                back_off_from: Some(_),
                ..
            } => ("ErrImagePull", Some(message.clone())),
            Phase::PullFailed { message, .. } => (
                "ImagePullBackOff",
                Some(format!(
                    "Back-off pulling image \"{}\": ErrImagePull: {message}",
                    self.image_of(pod)
                )),
            ),
            Phase::Blocked(reason, message, _) => (*reason, Some(message.clone())),
            Phase::CrashLoop { delay, .. } => (
                "CrashLoopBackOff",
                Some(format!(
                    "back-off {} restarting failed container={} pod={}_{}({})",
                    spell(*delay),
                    self.name,
                    meta.name.as_deref().unwrap_or_default(),
                    meta.namespace.as_deref().unwrap_or_default(),
                    meta.uid.as_deref().unwrap_or_default()
                )),
            ),
            Phase::Waiting(_)
            | Phase::Pulling { .. }
            | Phase::Creating { .. }
            | Phase::Running { .. }
            | Phase::Finishing { .. }
            | Phase::Ended(_) => (
                if initializing {
                    "PodInitializing"
                } else {
                    "ContainerCreating"
                },
                None,
            ),
        };
        (reason.to_owned(), message)
    }

    fn image_of<'a>(&self, pod: &'a Pod) -> &'a str {
        let spec = pod.spec.as_ref();
        spec.into_iter()
            .flat_map(|spec| {
                spec.containers
                    .iter()
                    .chain(spec.init_containers.iter().flatten())
            })
            .find(|container| container.name == self.name)
            .and_then(|container| container.image.as_deref())
            .unwrap_or_default()
    }

    /// Returns the image as the runtime resolved it.
    pub(in crate::sim::kubelet) fn image_id(&self, image: &str) -> String {
        let full = full_reference(image);
        let name = full.split('@').next().unwrap_or_default();
        let name = match name.rfind(':') {
            Some(at) if name.rfind('/').is_none_or(|slash| slash < at) => name.split_at(at).0,
            Some(_) | None => name,
        };
        self.digest
            .as_ref()
            .map(|digest| format!("{name}@{digest}"))
            .unwrap_or_default()
    }
}

/// Spells a delay as Go does.
pub(super) fn spell(delay: f64) -> String {
    let whole = delay.round() as u64;
    match (whole / 60, whole % 60) {
        (0, seconds) => format!("{seconds}s"),
        (minutes, seconds) => format!("{minutes}m{seconds}s"),
    }
}
