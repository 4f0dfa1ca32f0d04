//! The embedded Harbor: its API by its own definition, its accounts, its policies, its work.

mod api;
mod many;
mod registry;
mod rig;
mod swagger;
mod work;
