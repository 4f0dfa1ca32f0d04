//! Intents on runs, on what makes runs, and on event sources.

use super::{Accepted, Errand};
use crate::domain::finding::Finding;
use crate::domain::pipeline::RunVerb;

impl Errand {
    /// Carries out what is asked of a run or of what makes runs.
    pub(super) async fn change_run(&self, verb: &RunVerb) -> Result<Accepted, Finding> {
        let _live = self.target().await?;
        Err(self.refuse(
            format!("`{}` is not built into this version", verb.id()),
            "use the system's own command line",
        ))
    }
}
