//! The cockpit as a pure state machine: messages in, effects out.
