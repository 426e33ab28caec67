//! What must not leak or be guessed: sealed secrets, tokens, passwords, randomness.
//!
//! Must not know: SQL, HTTP. Invariant: nothing here can be printed; a sealed value opens only for the purpose and the
//! workspace that it was sealed for.

pub mod passwords;
mod rng;
pub mod tokens;
mod vault;

pub use rng::{Rng, SeededRng, SystemRng};
pub use vault::{Vault, VaultError};
