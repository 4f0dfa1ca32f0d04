//! The git server inside the cluster: a Service through which it is reached without a port, and the
//! Secret with which Argo CD, and who commits in its place, log in.

use super::parts::Ground;
use super::{GIT_URL, SimError, objects};
use crate::sim::git::http::{Access, router};
use crate::sim::rng::Seed;
use crate::sim::scenario::Component;
use k8s_openapi::api::core::v1::Namespace;
use kube::Api;
use serde_json::json;

const USER: &str = "tiphys";
const NAMESPACE: &str = "git";
const SERVICE: &str = "git-http";

/// Returns who may push.
pub(super) fn access(seed: u64) -> Access {
    Access {
        username: USER.to_owned(),
        password: Seed(seed).stream(&["git", "password"]).hex(24),
    }
}

/// Puts the git server into the cluster of Argo CD; what it is in must be there already.
pub(super) async fn start(ground: &Ground<'_>) -> Result<(), SimError> {
    if !ground.starts(Component::ArgoCd) {
        return Ok(());
    }
    let access = access(ground.options.seed);
    let admin = ground.server.client("tiphys:scenario");
    objects::create_part(&admin, "git.yaml").await?;
    // As Argo CD keeps it (Argo CD `docs/operator-manual/argocd-repo-creds.yaml`).
    let secret = json!({
        "apiVersion": "v1", "kind": "Secret",
        "metadata": {"name": "git-repositories", "namespace": "argocd",
            "labels": {"argocd.argoproj.io/secret-type": "repo-creds"}},
        "stringData": {"type": "git", "url": GIT_URL,
            "username": &access.username, "password": &access.password},
    });
    let namespaces: Api<Namespace> = Api::all(admin.clone());
    // A scenario may have Argo CD's controllers and nothing of its own.
    if namespaces.get_opt("argocd").await.ok().flatten().is_some() {
        objects::create_all(&admin, &[secret]).await?;
    }
    let server = router(ground.git.clone(), access);
    ground
        .server
        .add_service_backend(NAMESPACE, SERVICE, server);
    Ok(())
}
