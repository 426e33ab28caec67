//! The pages. Leptos on both sides: the server renders every page completely, the browser takes it over.
//!
//! Must not know: anything but `view` and `model`; `service` only inside server-function bodies. Invariant: every page is
//! complete and every form works without script; every state has an address.

pub mod browser;
pub mod components;
pub mod server;

mod api_keys;
mod app;
mod conflicts;
mod connect;
mod integrations;
mod layout;
mod logs;
mod mappings;
mod members;
mod records;
mod refusal;
mod routes;
mod settings;
mod shell;
mod sign_in;

pub use app::App;
pub use layout::{use_reason, use_viewer};
pub use shell::shell;
