//! The one way the state changes.

use super::effect::Effect;
use super::msg::Msg;
use super::now::Now;
use super::state::State;

/// Takes one message in; returns what the runtime is to do.
pub fn update(state: &mut State, msg: Msg, now: Now) -> Vec<Effect> {
    state.now = now;
    let _ = msg;
    Vec::new()
}
