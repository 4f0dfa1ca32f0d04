//! Images.
use crate::app::state::State;
use crate::domain::image::ArtifactDetail;
use crate::domain::object::Text;
use crate::domain::servers::Secret;
use crate::engine::protocol::Ticket;

pub(super) fn on_detail(_state: &mut State, _ticket: Ticket, _detail: Option<Box<ArtifactDetail>>) {
}
pub(super) fn on_secret(_state: &mut State, _account: Text, _secret: Secret) {}
