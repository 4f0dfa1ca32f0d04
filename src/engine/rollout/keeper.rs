//! Which Application tracks a Rollout, and whether it puts changes back.

use super::Change;
use crate::api::convert::application_kind;
use crate::domain::application::Application;
use crate::domain::object::Text;
use crate::domain::rollout::Keeper;
use crate::engine::session::Session;
use crate::engine::watch::{Applications, Batch, Outlet, Target, Watcher};
use futures::FutureExt;
use std::sync::Arc;
use tokio::sync::mpsc;

/// Follows the Application: `NAMESPACE_NAME`, or a name in Argo CD's own namespace.
pub(super) async fn follow(session: Arc<Session>, name: Text, changes: mpsc::Sender<Change>) {
    let own = session.options.argocd_namespace.clone();
    let (namespace, name) = name.split_once('_').unwrap_or((&own, &name));
    let object = session.object_ref(application_kind(), namespace, name);
    let Ok(resource) = session.resource(&object.kind).await else {
        return;
    };
    let target = Target::object(resource, &object);
    let projection = Applications::new(session.cluster.clone());
    let outlet = Outlet::new(
        changes,
        |_: &Applications, batch: Batch<Application>| {
            Change::Keeper(batch.rows.first().map(keeper_of))
        },
        |_freshness| async {}.boxed(),
    );
    Watcher::new(session, target, projection, outlet)
        .run()
        .await;
}

/// Says which Application it is, and whether it puts changes back.
pub(in crate::engine) fn keeper_of(app: &Application) -> Keeper {
    Keeper {
        application: app.object.clone(),
        auto_sync: app.auto_sync.on,
        self_heal: app.auto_sync.on && app.auto_sync.self_heal,
    }
}
