//! The screens as the server writes them: complete without script, for every role, and their forms as a browser without
//! script sends them.

mod conflicts;
mod connect;
mod logs;
mod mappings;
mod settings;
