//! Use cases: authorise, validate, one transaction, enqueue; then row to view.
//!
//! Must not know: axum, Leptos, how a screen looks. Invariant: every public function takes the [`Viewer`] that asks (or is
//! part of signing in) and checks what the viewer may do before it reads or writes.

mod crm_host;
mod crm_refusal;
mod descriptions;
mod diff;
mod error;
mod held;
mod run_words;
mod viewer;

pub mod administration;
pub mod api_keys;
pub mod auth;
pub mod conflict_pages;
pub mod conflicts;
pub mod connecting;
pub mod connections;
pub mod events;
pub mod files;
pub mod frame;
pub mod idempotency;
pub mod integrations;
pub mod log_pages;
pub mod logs;
pub mod mappings;
pub mod members;
pub mod oauth;
pub mod paging;
mod record_fields;
pub mod record_form;
pub mod record_page;
mod record_why;
pub mod records;
pub mod runs;
pub mod set_up;
pub mod settings;
pub mod settle;
mod settle_values;

use std::sync::Arc;

use sqlx::PgPool;

use crate::blobs::BlobStore;
use crate::clock::Clock;
use crate::engine::CrmAccess;
use crate::security::{Rng, Vault};
use crate::store::{Actor, StoreError, WorkspaceTx};
use crate::transform::TransformHost;

pub use error::{ErrorKind, FieldProblem, ServiceError};
pub use viewer::Viewer;

/// What use cases work with. Cheap to clone.
#[derive(Clone)]
pub struct Services {
    /// Connections to Postgres.
    pub pool: PgPool,
    /// The time.
    pub clock: Arc<dyn Clock>,
    /// Randomness.
    pub rng: Arc<dyn Rng>,
    /// Seals what must not be read in the database.
    pub vault: Arc<Vault>,
    /// The way to the connected CRMs: connectors, tokens, OAuth clients.
    pub crm: Arc<CrmAccess>,
    /// Runs user transforms.
    pub transforms: Arc<TransformHost>,
    /// What files hold.
    pub blobs: BlobStore,
    /// Settings of this server.
    pub settings: Arc<ServiceSettings>,
    /// What changed, for server-sent events.
    pub events: events::EventBus,
}

/// Settings that use cases need.
#[derive(Debug, Clone)]
pub struct ServiceSettings {
    /// Address that people and CRMs reach this server at, without a final slash.
    pub public_url: String,
    /// Whether this is a demo: its sign-in page offers its people by one click, its connections default to the simulators.
    pub demo: Option<DemoSettings>,
}

/// What a demo offers.
#[derive(Debug, Clone)]
pub struct DemoSettings {
    /// The demo's people: e-mail, password, role.
    pub people: Vec<(String, secrecy::SecretString, crate::model::Role)>,
}

impl Services {
    /// Begins a transaction for `viewer` in the viewer's workspace.
    pub async fn begin(&self, viewer: &Viewer) -> Result<WorkspaceTx, StoreError> {
        WorkspaceTx::begin(&self.pool, viewer.workspace_id, Actor::Person(viewer.user_id), self.clock.now()).await
    }

    /// Begins a transaction for the system in `workspace_id`.
    pub async fn begin_as_system(&self, workspace_id: uuid::Uuid) -> Result<WorkspaceTx, StoreError> {
        WorkspaceTx::begin(&self.pool, workspace_id, Actor::System, self.clock.now()).await
    }
}
