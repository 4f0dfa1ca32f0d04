//! Draws the state; changes nothing.

pub mod glyph;
pub mod text;
pub mod theme;
