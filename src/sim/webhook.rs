//! Push events: what a git server sends, and what Argo CD does when it receives one.
//!
//! The receiver is Argo CD's `/api/webhook` (`util/webhook/webhook.go`): it reads events in the
//! form of GitHub or Gitea, checks their signature and asks for a refresh of every Application
//! that follows the branch. Pushes to the embedded git server go through the same receiver.

mod payload;
mod receiver;
pub mod smee;

pub(in crate::sim) use crate::api::signature::{is_valid as is_signed, sign};
pub use payload::{Form, PushEvent, requests_for};
pub use receiver::{Receiver, router};
