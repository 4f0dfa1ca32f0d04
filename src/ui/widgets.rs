//! Parts that screens are made of. Each draws what is visible and nothing else.

pub mod chart;
pub mod flow;
pub mod hints;
pub mod log;
pub mod notice;
pub mod plot;
pub mod spark;
pub mod table;
pub mod viewer;
pub mod yaml;
