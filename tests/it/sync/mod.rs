//! Stories of the engine: both sides, what happens between them, and what goes wrong.

mod first_sync;
