//! The REST API, asked as a program would.

mod connections;
mod sign_in_to_crm;
