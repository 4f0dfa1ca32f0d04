//! Owns every task of the engine, and restarts or ends them as requests come.

use super::EngineOptions;
use super::platform::Platform;
use super::protocol::{Answer, Fetch, Request, Update};
use std::sync::Arc;
use tokio::sync::mpsc;

/// Serves requests until the cockpit hangs up.
pub(super) async fn run(
    platform: Arc<dyn Platform>,
    _options: EngineOptions,
    mut requests: mpsc::Receiver<Request>,
    updates: mpsc::Sender<Update>,
) {
    while let Some(request) = requests.recv().await {
        if let Request::Fetch {
            ticket,
            what: Fetch::Contexts,
        } = request
        {
            let answer = platform.contexts().map(Answer::Contexts);
            if updates
                .send(Update::Fetched { ticket, answer })
                .await
                .is_err()
            {
                return;
            }
        }
    }
}
