//! What a screen or an API client sees, shared by server and browser.
//!
//! Must not know: anything but `model`. Invariant: a view carries text that is ready to be read, and epoch
//! milliseconds where something counts; the browser formats no dates and no numbers but "how long ago".

pub mod conflicts;
pub mod connect;
pub mod connections;
pub mod files;
pub mod frame;
pub mod instant;
pub mod integrations;
pub mod logs;
pub mod mappings;
pub mod pagination;
pub mod people;
pub mod problem;
pub mod record_page;
pub mod records;
pub mod runs;
pub mod session;
pub mod settings;

pub use instant::Moment;
pub use pagination::Pagination;
pub use problem::{FieldError, Problem};
