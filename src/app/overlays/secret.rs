//! The secret of an account that was just made: shown once, until the note is closed.
//!
//! It is in no ledger, no toast and no file; frames that are written somewhere else than to the
//! terminal show dots instead. Closing the note forgets it.

use crate::domain::object::Text;
use crate::domain::servers::Secret;

/// The note with the secret.
#[derive(Clone, Debug)]
pub struct SecretNote {
    /// Whose it is.
    pub account: Text,
    pub secret: Secret,
    /// Whether it went to the clipboard.
    pub copied: bool,
}
