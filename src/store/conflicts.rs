//! Conflicts as people list, read and settle them. How the engine raises them is in `questions`.

use chrono::{DateTime, Utc};
use uuid::Uuid;

use super::{StoreError, WorkspaceTx};
use crate::model::{ConflictKind, ConflictStatus, Entity, ResolutionStrategy};
use crate::sync::Record;

/// A conflict as stored.
#[derive(Debug, Clone)]
pub struct StoredConflict {
    /// The conflict.
    pub id: Uuid,
    /// Its connection.
    pub config_id: Uuid,
    /// Its link, unless there is none yet.
    pub link_id: Option<Uuid>,
    /// The run that found it.
    pub run_id: Option<Uuid>,
    /// What it asks.
    pub kind: ConflictKind,
    /// Which entity.
    pub entity: Entity,
    /// The app record.
    pub record_id: Option<Uuid>,
    /// The CRM record.
    pub crm_record_id: Option<String>,
    /// App values by app field.
    pub app: Record,
    /// CRM values in app form by app field.
    pub crm: Record,
    /// App values at the last agreement by app field.
    pub base: Record,
    /// CRM values as stored by app field.
    pub crm_raw: Record,
    /// Fields in conflict.
    pub fields: Vec<String>,
    /// Whether it waits.
    pub status: ConflictStatus,
    /// How it was settled.
    pub strategy: Option<ResolutionStrategy>,
    /// Values that were decided, in app form.
    pub merged: Option<Record>,
    /// Raised whenever either side moves.
    pub version: i32,
    /// Who settled it.
    pub resolved_by: Option<Uuid>,
    /// When it was settled.
    pub resolved_at: Option<DateTime<Utc>>,
    /// When it was found.
    pub detected_at: DateTime<Utc>,
    /// When it last changed.
    pub updated_at: DateTime<Utc>,
}

struct ConflictRow {
    id: Uuid,
    config_id: Uuid,
    link_id: Option<Uuid>,
    run_id: Option<Uuid>,
    kind: String,
    entity_type: String,
    entity_id: Option<Uuid>,
    crm_record_id: Option<String>,
    app_data: serde_json::Value,
    crm_data: serde_json::Value,
    base_data: serde_json::Value,
    crm_raw: serde_json::Value,
    conflicting_fields: Vec<String>,
    status: String,
    resolution_strategy: Option<String>,
    merged_data: Option<serde_json::Value>,
    version: i32,
    resolved_by: Option<Uuid>,
    resolved_at: Option<DateTime<Utc>>,
    detected_at: DateTime<Utc>,
    updated_at: DateTime<Utc>,
}

impl ConflictRow {
    fn read(self) -> Result<StoredConflict, StoreError> {
        Ok(StoredConflict {
            id: self.id,
            config_id: self.config_id,
            link_id: self.link_id,
            run_id: self.run_id,
            kind: self.kind.parse()?,
            entity: self.entity_type.parse()?,
            record_id: self.entity_id,
            crm_record_id: self.crm_record_id,
            app: serde_json::from_value(self.app_data)?,
            crm: serde_json::from_value(self.crm_data)?,
            base: serde_json::from_value(self.base_data)?,
            crm_raw: serde_json::from_value(self.crm_raw)?,
            fields: self.conflicting_fields,
            status: self.status.parse()?,
            strategy: self.resolution_strategy.map(|strategy| strategy.parse()).transpose()?,
            merged: self.merged_data.map(serde_json::from_value).transpose()?,
            version: self.version,
            resolved_by: self.resolved_by,
            resolved_at: self.resolved_at,
            detected_at: self.detected_at,
            updated_at: self.updated_at,
        })
    }
}

/// Which conflicts are asked for.
#[derive(Debug, Clone, Default)]
pub struct ConflictFilter {
    /// Of one connection.
    pub config_id: Option<Uuid>,
    /// In one state.
    pub status: Option<ConflictStatus>,
    /// Of one entity.
    pub entity: Option<Entity>,
    /// About one app record.
    pub record_id: Option<Uuid>,
}

/// Conflicts, newest first: at most `limit` after `offset` rows, or after the place `after`.
pub async fn list(
    tx: &mut WorkspaceTx,
    filter: &ConflictFilter,
    limit: i64,
    offset: i64,
    after: Option<(DateTime<Utc>, Uuid)>,
) -> Result<Vec<StoredConflict>, StoreError> {
    let workspace_id = tx.workspace_id();
    let rows = sqlx::query_as!(
        ConflictRow,
        "SELECT id, config_id, link_id, run_id, kind, entity_type, entity_id, crm_record_id, app_data, crm_data, base_data, crm_raw,
                conflicting_fields, status, resolution_strategy, merged_data, version, resolved_by, resolved_at, detected_at, updated_at
         FROM crm_sync_conflicts
         WHERE workspace_id = $1 AND ($2::uuid IS NULL OR config_id = $2) AND ($3::text IS NULL OR status = $3)
           AND ($4::text IS NULL OR entity_type = $4) AND ($5::uuid IS NULL OR entity_id = $5)
           AND ($6::timestamptz IS NULL OR (detected_at, id) < ($6, $7))
         ORDER BY detected_at DESC, id DESC LIMIT $8 OFFSET $9",
        workspace_id,
        filter.config_id,
        filter.status.map(ConflictStatus::as_str),
        filter.entity.map(Entity::as_str),
        filter.record_id,
        after.map(|(at, _)| at),
        after.map(|(_, id)| id),
        limit,
        offset
    )
    .fetch_all(tx.connection())
    .await?;
    rows.into_iter().map(ConflictRow::read).collect()
}

/// How many conflicts a filter finds.
pub async fn count(tx: &mut WorkspaceTx, filter: &ConflictFilter) -> Result<i64, StoreError> {
    let workspace_id = tx.workspace_id();
    Ok(sqlx::query_scalar!(
        r#"SELECT count(*) AS "count!" FROM crm_sync_conflicts
           WHERE workspace_id = $1 AND ($2::uuid IS NULL OR config_id = $2) AND ($3::text IS NULL OR status = $3)
             AND ($4::text IS NULL OR entity_type = $4) AND ($5::uuid IS NULL OR entity_id = $5)"#,
        workspace_id,
        filter.config_id,
        filter.status.map(ConflictStatus::as_str),
        filter.entity.map(Entity::as_str),
        filter.record_id
    )
    .fetch_one(tx.connection())
    .await?)
}

/// Conflicts of one entity that a run found, oldest first.
pub async fn of_run(
    tx: &mut WorkspaceTx,
    run_id: Uuid,
    entity: Entity,
    most: i64,
) -> Result<Vec<StoredConflict>, StoreError> {
    let workspace_id = tx.workspace_id();
    let rows = sqlx::query_as!(
        ConflictRow,
        "SELECT id, config_id, link_id, run_id, kind, entity_type, entity_id, crm_record_id, app_data, crm_data, base_data, crm_raw,
                conflicting_fields, status, resolution_strategy, merged_data, version, resolved_by, resolved_at, detected_at, updated_at
         FROM crm_sync_conflicts WHERE workspace_id = $1 AND run_id = $2 AND entity_type = $3
         ORDER BY status = 'pending' DESC, detected_at, id LIMIT $4",
        workspace_id,
        run_id,
        entity.as_str(),
        most
    )
    .fetch_all(tx.connection())
    .await?;
    rows.into_iter().map(ConflictRow::read).collect()
}

/// One conflict; `None` where this workspace has none of that id.
pub async fn load(tx: &mut WorkspaceTx, id: Uuid) -> Result<Option<StoredConflict>, StoreError> {
    let workspace_id = tx.workspace_id();
    let row = sqlx::query_as!(
        ConflictRow,
        "SELECT id, config_id, link_id, run_id, kind, entity_type, entity_id, crm_record_id, app_data, crm_data, base_data, crm_raw,
                conflicting_fields, status, resolution_strategy, merged_data, version, resolved_by, resolved_at, detected_at, updated_at
         FROM crm_sync_conflicts WHERE workspace_id = $1 AND id = $2",
        workspace_id,
        id
    )
    .fetch_optional(tx.connection())
    .await?;
    row.map(ConflictRow::read).transpose()
}
