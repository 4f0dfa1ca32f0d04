//! The cockpit as a pure state machine: messages in, effects out.
//!
//! No await, no clock, no IO and no widgets: [`update::update`] takes the state, a message and the
//! time, and returns what the runtime is to do. `ui` draws the state; `engine::protocol` is all
//! that is known of the engine.

pub mod columns;
pub mod commands;
pub mod effect;
pub mod filter;
pub mod intent_words;
pub mod key;
pub mod keymap;
pub mod ledger;
pub mod msg;
pub mod now;
pub mod overlays;
pub mod schedule;
pub mod screens;
pub mod state;
pub mod update;
pub mod view;
pub mod viewports;
pub mod words;
