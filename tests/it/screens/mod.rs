//! The screens as the server writes them: complete without script, for every role.

mod mappings;
mod settings;
