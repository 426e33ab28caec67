//! Moves data: runs in steps, tokens, limits, schedules.
//!
//! Must not know: screens, HTTP servers. Makes no merge decision: it reads both sides, asks the pure core, and carries the
//! answer out. Invariants: no remote call inside a database transaction; a step commits only while its run is at the version
//! it was read at; a CRM write's intent is committed before the call, and an open intent is settled before anything else.

mod absent;
mod associated;
mod batch;
mod context;
mod deletes;
mod edit_times;
mod fights;
mod files;
pub mod jobs;
mod matching;
mod position;
mod push;
mod push_outcome;
mod read;
pub mod review;
mod run;
mod scope;
mod settle;
mod sweeps;
pub mod tokens;
mod translate;
pub mod worker;

use std::sync::Arc;

use chrono::TimeDelta;

use crate::blobs::BlobStore;
use crate::transform::TransformHost;

pub use tokens::{AccessError, CrmAccess, CrmClient, CrmConnection};

/// What the engine works with. Cheap to clone.
#[derive(Clone)]
pub struct Engine {
    /// The way to Postgres and to the connected CRMs.
    pub crm: Arc<CrmAccess>,
    /// Runs user transforms.
    pub transforms: Arc<TransformHost>,
    /// What files hold.
    pub blobs: BlobStore,
    /// Settings.
    pub settings: EngineSettings,
}

/// Settings of the engine.
#[derive(Debug, Clone)]
pub struct EngineSettings {
    /// How long a claimed step stays ours without a heartbeat; outlives a remote call's time-out.
    pub lease: TimeDelta,
    /// How long a worker stays with one run before it lets others have their turn; at least one step.
    pub turn: TimeDelta,
    /// How old a describe may be.
    pub describe_age: TimeDelta,
    /// Share of the org's day, in percent, at which Crosstie stops calling.
    pub budget_percent: u8,
}

impl Default for EngineSettings {
    fn default() -> Self {
        EngineSettings {
            lease: TimeDelta::seconds(180),
            turn: TimeDelta::seconds(2),
            describe_age: TimeDelta::hours(1),
            budget_percent: 80,
        }
    }
}
