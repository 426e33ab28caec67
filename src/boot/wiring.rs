//! Puts the parts together.

use std::sync::Arc;

use anyhow::Context as _;
use secrecy::{ExposeSecret as _, SecretString};
use sqlx::PgPool;

use crate::blobs::BlobStore;
use crate::clock::{Clock, SystemClock};
use crate::connectors::HttpSettings;
use crate::connectors::hubspot::HubspotConnector;
use crate::connectors::salesforce::SalesforceConnector;
use crate::engine::{CrmAccess, CrmClient, Engine, EngineSettings};
use crate::security::{Rng, SystemRng, Vault};
use crate::service::events::EventBus;
use crate::service::{DemoSettings, ServiceSettings, Services};
use crate::transform::{TransformHost, TransformLimits};

/// What differs between servers.
pub struct Parts {
    /// Connections to Postgres.
    pub pool: PgPool,
    /// Seals tokens: 32 bytes in base64.
    pub secret_key: SecretString,
    /// OAuth clients registered at CRMs.
    pub clients: Vec<CrmClient>,
    /// Version of HubSpot's API.
    pub hubspot_version: String,
    /// Address that people and CRMs reach this server at.
    pub public_url: String,
    /// What files hold.
    pub blobs: BlobStore,
    /// What a demo offers.
    pub demo: Option<DemoSettings>,
}

/// What use cases work with.
pub fn services(parts: Parts) -> anyhow::Result<Services> {
    let clock: Arc<dyn Clock> = Arc::new(SystemClock);
    let rng: Arc<dyn Rng> = Arc::new(SystemRng);
    let vault = Arc::new(Vault::new(parts.secret_key.expose_secret()).context("CROSSTIE_SECRET_KEY is malformed")?);
    let salesforce = SalesforceConnector::new(HttpSettings::default(), Arc::clone(&clock))
        .context("no HTTP client could be made")?;
    let hubspot = HubspotConnector::new(HttpSettings::default(), Arc::clone(&clock), &parts.hubspot_version)
        .context("no HTTP client could be made")?;
    let program = std::env::current_exe().context("this program's own place is not known")?;
    let transforms = TransformHost::new(program, vec!["transform-child".to_owned()], TransformLimits::default());
    Ok(Services {
        pool: parts.pool.clone(),
        crm: Arc::new(CrmAccess {
            pool: parts.pool,
            clock: Arc::clone(&clock),
            rng: Arc::clone(&rng),
            vault: Arc::clone(&vault),
            connectors: vec![Arc::new(salesforce), Arc::new(hubspot)],
            clients: parts.clients,
            public_url: parts.public_url.clone(),
        }),
        clock,
        rng,
        vault,
        transforms: Arc::new(transforms),
        blobs: parts.blobs,
        settings: Arc::new(ServiceSettings { public_url: parts.public_url, demo: parts.demo }),
        events: EventBus::new(),
    })
}

/// The engine on the same parts.
pub fn engine(services: &Services) -> Engine {
    Engine {
        crm: Arc::clone(&services.crm),
        transforms: Arc::clone(&services.transforms),
        blobs: services.blobs.clone(),
        settings: EngineSettings::default(),
    }
}
