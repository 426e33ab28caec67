//! Writing the settings of a connection.

use chrono::{DateTime, Utc};
use uuid::Uuid;

use super::{StoreError, WorkspaceTx};
use crate::model::{ConflictPolicy, Entity, Options, Schedule, SyncDirection, SyncFrequency, SyncRules};

/// Every setting of a connection that people choose.
#[derive(Debug, Clone, PartialEq)]
pub struct Settings {
    /// Direction.
    pub direction: SyncDirection,
    /// How often it runs by itself.
    pub frequency: SyncFrequency,
    /// When within the hour or day.
    pub schedule: Option<Schedule>,
    /// What it synchronises.
    pub entities: Vec<Entity>,
    /// Who wins a conflict.
    pub policy: ConflictPolicy,
    /// Options.
    pub options: Options,
    /// Filters and fields that rest.
    pub rules: SyncRules,
}

/// The rules as a connection stores them.
pub fn rules_of(stored: Option<serde_json::Value>) -> Result<SyncRules, StoreError> {
    Ok(stored.map(serde_json::from_value).transpose()?.unwrap_or_default())
}

/// Locks a connection's row until the transaction ends. `false` where there is none.
pub async fn lock(tx: &mut WorkspaceTx, config_id: Uuid) -> Result<bool, StoreError> {
    let workspace_id = tx.workspace_id();
    let row = sqlx::query!(
        "SELECT id FROM crm_sync_configs WHERE workspace_id = $1 AND id = $2 FOR NO KEY UPDATE",
        workspace_id,
        config_id
    )
    .fetch_optional(tx.connection())
    .await?;
    Ok(row.is_some())
}

/// Writes every setting, and when the connection runs next by itself.
pub async fn write(
    tx: &mut WorkspaceTx,
    config_id: Uuid,
    settings: &Settings,
    next_sync_at: Option<DateTime<Utc>>,
) -> Result<(), StoreError> {
    let (workspace_id, now) = (tx.workspace_id(), tx.now());
    let rules = (settings.rules != SyncRules::default()).then(|| serde_json::to_value(&settings.rules)).transpose()?;
    let entities: Vec<String> = settings.entities.iter().map(|entity| entity.plural().to_owned()).collect();
    sqlx::query!(
        "UPDATE crm_sync_configs SET sync_direction = $3, sync_frequency = $4, schedule = $5, sync_entities = $6,
           conflict_resolution = $7, options = $8, next_sync_at = $9, updated_at = $10, sync_rules = $11
         WHERE workspace_id = $1 AND id = $2",
        workspace_id,
        config_id,
        settings.direction.as_str(),
        settings.frequency.as_str(),
        settings.schedule.as_ref().map(serde_json::to_value).transpose()?,
        &entities,
        settings.policy.as_str(),
        serde_json::to_value(&settings.options)?,
        next_sync_at,
        now,
        rules
    )
    .execute(tx.connection())
    .await?;
    Ok(())
}

/// Conflicts of a connection that wait for a person.
pub async fn conflicts_waiting(tx: &mut WorkspaceTx, config_id: Uuid) -> Result<i64, StoreError> {
    let workspace_id = tx.workspace_id();
    Ok(sqlx::query_scalar!(
        r#"SELECT count(*) AS "count!" FROM crm_sync_conflicts
           WHERE workspace_id = $1 AND config_id = $2 AND status = 'pending'"#,
        workspace_id,
        config_id
    )
    .fetch_one(tx.connection())
    .await?)
}
