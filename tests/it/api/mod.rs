//! The REST API, asked as a program would.

mod auth;
mod auto_map;
mod conflicts;
mod connections;
mod edges;
mod files;
mod logs;
mod mappings;
mod records;
mod runs;
mod settings;
mod sign_in_to_crm;
