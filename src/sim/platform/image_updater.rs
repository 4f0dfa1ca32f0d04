//! Argo CD Image Updater as a part of the platform: which registry it asks and as whom, and the webhook
//! by which Harbor tells it of pushes.

use super::parts::Ground;
use super::{SimError, objects};
use crate::sim::controllers::image_updater::{ImageUpdaters, NAME};
use crate::sim::harbor::Harbor;
use crate::sim::network::Network;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use http::{Request, header};
use serde_json::{Value, json};

const NAMESPACE: &str = "argocd";
/// Where Harbor is reached from inside of the cluster.
const HARBOR: &str = "http://harbor-core.harbor.svc";

/// Starts the updater.
pub(super) async fn start(ground: &Ground<'_>, harbor: Option<&Harbor>) -> Result<(), SimError> {
    let admin = ground.server.client("tiphys:scenario");
    objects::create_part(&admin, "image-updater.yaml").await?;
    objects::create_all(&admin, &[config(harbor)]).await?;
    let network = Network::of(ground.server.clone())
        .map_err(|refusal| SimError::ArgoCd(refusal.to_string()))?;
    ImageUpdaters::start(ground.runtime, ground.git, &network);
    if let Some(harbor) = harbor
        && let Err(why) = tell_of_pushes(&network, harbor).await
    {
        tracing::warn!("Harbor does not tell the image updater of pushes: {why}");
    }
    Ok(())
}

/// Returns its ConfigMap.
fn config(harbor: Option<&Harbor>) -> Value {
    let registries = harbor.map_or_else(String::new, |harbor| {
        let host = harbor.host();
        format!(
            "registries:\n- name: Harbor\n  prefix: {host}\n  api_url: {HARBOR}\n  \
             credentials: pullsecret:harbor/updater-robot\n"
        )
    });
    json!({
        "apiVersion": "v1", "kind": "ConfigMap",
        "metadata": {"name": "argocd-image-updater-config", "namespace": NAMESPACE},
        "data": {"interval": "1m", "registries.conf": registries},
    })
}

/// Gives each project of Harbor a webhook, as its administrator would.
async fn tell_of_pushes(network: &Network, harbor: &Harbor) -> Result<(), String> {
    let account = STANDARD.encode(format!("admin:{}", harbor.admin_password()));
    let send = async |method: &str, path: &str, body: String| {
        let request = Request::builder()
            .method(method)
            .uri(format!("{HARBOR}/api/v2.0{path}"))
            .header(header::AUTHORIZATION, format!("Basic {account}"))
            .header(header::CONTENT_TYPE, "application/json")
            .body(Bytes::from(body))
            .map_err(|error| error.to_string())?;
        let answer = network.send(request).await;
        let answer = answer.map_err(|error| error.to_string())?;
        if answer.status().is_success() {
            Ok(answer)
        } else {
            Err(format!("{path}: {}", answer.status()))
        }
    };
    let projects = send("GET", "/projects?page_size=100", String::new()).await?;
    let projects: Vec<Value> =
        serde_json::from_slice(projects.body()).map_err(|error| error.to_string())?;
    for project in &projects {
        let policy = json!({
            "name": "image-updater",
            "enabled": true,
            "event_types": ["PUSH_ARTIFACT"],
            "targets": [{
                "type": "http",
                "address": format!("http://{NAME}.{NAMESPACE}.svc:8082/webhook?type=harbor"),
                "skip_cert_verify": false,
                "payload_format": "Default",
            }],
        });
        let path = format!("/projects/{}/webhook/policies", project["project_id"]);
        send("POST", &path, policy.to_string()).await?;
    }
    Ok(())
}
