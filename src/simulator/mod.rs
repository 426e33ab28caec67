//! Simulators of the CRMs: what anyone may try Crosstie against, and the ground that its tests stand on.
//!
//! Must not know: anything of Crosstie. A shared type would hide a shared mistake. Invariant: a change is on disk before it
//! is answered; ids, tokens and stamps come from the seed and the clock that is passed in.

mod asked;
mod commands;
mod control;
mod digest;
pub mod hubspot;
mod journal;
mod net;
mod page;
mod reply;
pub mod salesforce;
pub mod seed;
mod skin;

use std::path::PathBuf;
use std::sync::Arc;

/// The real time as epoch milliseconds, passed in.
pub type Clock = Arc<dyn Fn() -> i64 + Send + Sync>;

/// What a simulated CRM starts with.
#[derive(Debug, Clone)]
pub struct SimulatorOptions {
    /// Seed of everything that is invented.
    pub seed: u64,
    /// Companies.
    pub accounts: usize,
    /// People.
    pub contacts: usize,
    /// Deals.
    pub opportunities: usize,
    /// Folder that the world is kept in; none keeps it in memory only.
    pub state_dir: Option<PathBuf>,
    /// Without rate limits.
    pub no_limits: bool,
}

/// Why a simulator cannot start.
#[derive(Debug, thiserror::Error)]
pub enum SimulatorError {
    /// Its folder cannot be read or written.
    #[error("the simulator's state cannot be kept in {path}: {source}")]
    State {
        /// The file.
        path: PathBuf,
        /// The operating system's error.
        source: std::io::Error,
    },
}

#[cfg(test)]
mod tests;
