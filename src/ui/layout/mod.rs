//! The frame around every screen: rail, top bar, who looks.

mod frame;
mod not_found;
mod rail;
mod server;
mod top_bar;
mod viewer;

pub use frame::Frame;
pub use not_found::NotFound;
pub use rail::Logo;
pub use viewer::{use_reason, use_viewer};
