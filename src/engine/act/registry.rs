//! Intents on images and on accounts of registries.

use super::{Accepted, Errand};
use crate::domain::finding::Finding;
use crate::domain::image::ImageVerb;

impl Errand {
    /// Carries out what is asked of a registry.
    pub(super) async fn change_image(&self, _verb: &ImageVerb) -> Result<Accepted, Finding> {
        Err(self.refuse(
            "no registry can be asked",
            "name one in the configuration: `[[registry]]`",
        ))
    }
}
