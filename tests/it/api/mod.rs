//! The REST API, asked as a program would.

mod auth;
mod conflicts;
mod connections;
mod edges;
mod mappings;
mod records;
mod settings;
mod logs;
mod records;
mod runs;
mod sign_in_to_crm;
