//! All SQL, one module per aggregate.
//!
//! Must not know: HTTP, connectors, screens. Opens no transaction itself: every function takes a [`WorkspaceTx`], so that
//! row-level security binds each statement and a use case decides what commits together.
//! Invariant: no statement runs outside a workspace but the look-ups of [`lookup`], which return ids only.

pub mod api_keys;
pub mod app_rows;
pub mod auth;
pub mod changes;
pub mod conflicts;
pub mod connection_evidence;
pub mod connections;
pub mod credentials;
mod error;
pub mod events;
pub mod file_ties;
pub mod files;
pub mod frame;
pub mod guarded;
pub mod history;
pub mod holds;
pub mod idempotency;
pub mod journal;
pub mod links;
pub mod logs;
pub mod lookup;
pub mod mappings;
mod migrate;
pub mod oauth;
pub mod pending;
pub mod people;
pub mod questions;
pub mod record_evidence;
pub mod records;
pub mod restores;
pub mod runs;
pub mod settings;
pub mod setup;
pub mod statistics;
mod tx;

pub use error::StoreError;
pub use migrate::{MigrateError, ROLES_SQL, migrate};
pub use tx::{Actor, WorkspaceTx};
