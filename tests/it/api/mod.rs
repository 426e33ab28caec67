//! The REST API, asked as a program would.

mod auth;
mod connections;
mod edges;
mod mappings;
mod records;
mod settings;
mod sign_in_to_crm;
