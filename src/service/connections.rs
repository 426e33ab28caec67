//! Connections: what is connected, pausing and resuming.
//!
//! Signing in to a CRM is in `oauth`.

use chrono::{DateTime, Utc};
use uuid::Uuid;

use super::{ServiceError, Services, Viewer};
use crate::model::{ConnectionStatus, Provider};
use crate::store::connections::{self, StoredConnection};
use crate::view::connections::Config;
use crate::view::instant::rfc3339;

/// Every connection of the workspace, the newest first.
pub async fn list(services: &Services, viewer: &Viewer) -> Result<Vec<Config>, ServiceError> {
    let mut tx = services.begin(viewer).await?;
    let stored = connections::list(&mut tx).await?;
    tx.commit().await?;
    Ok(stored.into_iter().map(config).collect())
}

/// One connection.
pub async fn get(services: &Services, viewer: &Viewer, id: Uuid) -> Result<Config, ServiceError> {
    let mut tx = services.begin(viewer).await?;
    let stored = connections::get(&mut tx, id).await?;
    tx.commit().await?;
    stored.map(config).ok_or_else(|| ServiceError::not_found("connection"))
}

/// The connection to a CRM, a disconnected one included.
pub async fn by_provider(services: &Services, viewer: &Viewer, provider: Provider) -> Result<Config, ServiceError> {
    let mut tx = services.begin(viewer).await?;
    let stored = connections::by_provider(&mut tx, provider).await?;
    tx.commit().await?;
    stored.map(config).ok_or_else(|| ServiceError::not_found("connection"))
}

/// A stored connection as outsiders see it.
pub(super) fn config(stored: StoredConnection) -> Config {
    let is_on = stored.status == ConnectionStatus::Connected;
    let instant = |at: Option<DateTime<Utc>>| at.map(rfc3339);
    Config {
        id: stored.id,
        provider: stored.provider,
        environment: stored.environment,
        status: stored.status,
        sync_direction: stored.direction,
        sync_frequency: stored.frequency,
        schedule: stored.schedule,
        sync_entities: stored.entities.iter().map(|entity| entity.plural().to_owned()).collect(),
        sync_rules: stored.rules,
        conflict_resolution: stored.policy,
        options: stored.options,
        instance_url: stored.instance_url,
        connected_as: stored.user_email,
        last_sync_at: instant(stored.last_sync_at),
        last_sync_status: stored.last_sync_status,
        last_sync_error: stored.last_sync_error,
        next_sync_at: instant(stored.next_sync_at.filter(|_| is_on)),
    }
}
