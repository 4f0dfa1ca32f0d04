//! Parts that screens are made of. Each draws what is visible and nothing else.

pub mod hints;
pub mod log;
pub mod notice;
pub mod table;
pub mod viewer;
pub mod yaml;
