//! Volume claims are bound at once to volumes made for them.
//!
//! As a dynamic provisioner with immediate binding would: every claim gets a volume of the size
//! it asks for, of the class it names or the default one. Deleting the claim deletes the volume.

use super::runtime::{Controller, ObjectKey, ReconcileError, Requeue, Runtime, Writer};
use k8s_openapi::api::core::v1::{
    HostPathVolumeSource, ObjectReference, PersistentVolume, PersistentVolumeClaim,
    PersistentVolumeClaimStatus, PersistentVolumeSpec, PersistentVolumeStatus,
};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use kube::api::DeleteParams;
use serde_json::json;

const MANAGER: &str = "kube-controller-manager";
/// The class of claims that name none.
pub const DEFAULT_CLASS: &str = "standard";

/// The controller that binds claims to volumes.
#[derive(Debug)]
pub struct Volumes {
    claims: Writer<PersistentVolumeClaim>,
    volumes: Writer<PersistentVolume>,
}

impl Volumes {
    /// Starts the controller.
    pub fn start(runtime: &Runtime) {
        let claims = runtime.informer::<PersistentVolumeClaim>();
        let volumes = runtime.informer::<PersistentVolume>();
        let queue = runtime.queue();
        claims.feed(&queue, |change| [change.key()]);
        volumes.required_by(&queue);
        let controller = Self {
            claims: claims.writer(MANAGER),
            volumes: volumes.writer(MANAGER),
        };
        runtime.run(controller, queue);
    }

    async fn release(&self, key: &ObjectKey) -> Result<(), ReconcileError> {
        for volume in self.volumes.informer().all() {
            let claim = volume
                .spec
                .as_ref()
                .and_then(|spec| spec.claim_ref.as_ref());
            let was_ours = claim.is_some_and(|claim| {
                claim.namespace.as_deref() == Some(&key.namespace)
                    && claim.name.as_deref() == Some(&key.name)
            });
            let retained = volume.spec.as_ref().is_some_and(|spec| {
                spec.persistent_volume_reclaim_policy.as_deref() != Some("Delete")
            });
            if was_ours && !retained {
                self.volumes
                    .delete(&*volume, &DeleteParams::default())
                    .await?;
            }
        }
        Ok(())
    }

    async fn bind(
        &self,
        key: &ObjectKey,
        claim: &PersistentVolumeClaim,
    ) -> Result<(), ReconcileError> {
        let spec = claim.spec.clone().unwrap_or_default();
        let made = format!("pvc-{}", claim.metadata.uid.as_deref().unwrap_or_default());
        let name = spec.volume_name.clone().unwrap_or(made);
        if self
            .volumes
            .informer()
            .get(&ObjectKey::new("", name.clone()))
            .is_none()
        {
            match self.volumes.create(&volume_for(claim, &name)).await {
                Ok(volume) => {
                    let bound = PersistentVolumeStatus {
                        phase: Some("Bound".to_owned()),
                        ..PersistentVolumeStatus::default()
                    };
                    let old = volume.status.clone().unwrap_or_default();
                    self.volumes.update_status(&*volume, &old, &bound).await?;
                }
                Err(error) if error.is_conflict() => {}
                Err(error) => return Err(error),
            }
        }
        if spec.volume_name.is_none() {
            let class = spec
                .storage_class_name
                .unwrap_or_else(|| DEFAULT_CLASS.to_owned());
            let patch = json!({"spec": {"volumeName": name, "storageClassName": class}});
            self.claims.patch(key, &patch).await?;
        }
        let old = claim.status.clone().unwrap_or_default();
        let new = PersistentVolumeClaimStatus {
            phase: Some("Bound".to_owned()),
            access_modes: spec.access_modes,
            capacity: spec.resources.and_then(|resources| resources.requests),
            ..old.clone()
        };
        self.claims.update_status(claim, &old, &new).await?;
        Ok(())
    }
}

impl Controller for Volumes {
    type Key = ObjectKey;
    const NAME: &'static str = "persistentvolume-binder";

    async fn reconcile(&self, key: &ObjectKey) -> Result<Requeue, ReconcileError> {
        let Some(claim) = self.claims.informer().get(key) else {
            self.release(key).await?;
            return Ok(Requeue::OnChange);
        };
        let phase = claim
            .status
            .as_ref()
            .and_then(|status| status.phase.as_deref());
        if phase != Some("Bound") && claim.metadata.deletion_timestamp.is_none() {
            self.bind(key, &claim).await?;
        }
        Ok(Requeue::OnChange)
    }
}

fn volume_for(claim: &PersistentVolumeClaim, name: &str) -> PersistentVolume {
    let spec = claim.spec.clone().unwrap_or_default();
    PersistentVolume {
        metadata: ObjectMeta {
            name: Some(name.to_owned()),
            ..ObjectMeta::default()
        },
        spec: Some(PersistentVolumeSpec {
            access_modes: spec.access_modes,
            capacity: spec.resources.and_then(|resources| resources.requests),
            claim_ref: Some(ObjectReference {
                api_version: Some("v1".to_owned()),
                kind: Some("PersistentVolumeClaim".to_owned()),
                namespace: claim.metadata.namespace.clone(),
                name: claim.metadata.name.clone(),
                uid: claim.metadata.uid.clone(),
                ..ObjectReference::default()
            }),
            host_path: Some(HostPathVolumeSource {
                path: format!("/var/lib/volumes/{name}"),
                type_: Some("DirectoryOrCreate".to_owned()),
            }),
            persistent_volume_reclaim_policy: Some("Delete".to_owned()),
            storage_class_name: Some(
                spec.storage_class_name
                    .unwrap_or_else(|| DEFAULT_CLASS.to_owned()),
            ),
            volume_mode: Some("Filesystem".to_owned()),
            ..PersistentVolumeSpec::default()
        }),
        status: None,
    }
}
