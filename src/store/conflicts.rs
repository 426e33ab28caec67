//! Conflicts as people list, read and settle them. How the engine raises them is in `questions`.

use chrono::{DateTime, Utc};
use uuid::Uuid;

use super::{StoreError, WorkspaceTx};
use crate::model::{ConflictKind, ConflictStatus, Entity, FieldRule, ResolutionStrategy};
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

/// Locks a conflict until the transaction ends and reads it.
pub async fn lock(tx: &mut WorkspaceTx, id: Uuid) -> Result<Option<StoredConflict>, StoreError> {
    let workspace_id = tx.workspace_id();
    sqlx::query!("SELECT id FROM crm_sync_conflicts WHERE workspace_id = $1 AND id = $2 FOR UPDATE", workspace_id, id)
        .fetch_optional(tx.connection())
        .await?;
    load(tx, id).await
}

/// Stores what both sides hold now as a new version of a pending conflict.
pub async fn renew(
    tx: &mut WorkspaceTx,
    id: Uuid,
    app: &Record,
    crm: &Record,
    crm_raw: &Record,
    fields: &[String],
) -> Result<(), StoreError> {
    let (workspace_id, now) = (tx.workspace_id(), tx.now());
    sqlx::query!(
        "UPDATE crm_sync_conflicts SET app_data = $3, crm_data = $4, crm_raw = $5, conflicting_fields = $6,
           version = version + 1, updated_at = $7
         WHERE workspace_id = $1 AND id = $2 AND status = 'pending'",
        workspace_id,
        id,
        serde_json::to_value(app)?,
        serde_json::to_value(crm)?,
        serde_json::to_value(crm_raw)?,
        fields,
        now
    )
    .execute(tx.connection())
    .await?;
    Ok(())
}

/// How a conflict ends.
#[derive(Debug)]
pub struct Settled<'a> {
    /// Resolved or ignored.
    pub status: ConflictStatus,
    /// How; none for one that is ignored.
    pub strategy: Option<ResolutionStrategy>,
    /// The values that were decided, in app form.
    pub merged: Option<&'a Record>,
    /// Who decided; none where it went away.
    pub by: Option<Uuid>,
}

/// Settles a pending conflict that is still at `version`; `false` where somebody was faster.
pub async fn settle(tx: &mut WorkspaceTx, id: Uuid, version: i32, settled: &Settled<'_>) -> Result<bool, StoreError> {
    let (workspace_id, now) = (tx.workspace_id(), tx.now());
    let rows = sqlx::query!(
        "UPDATE crm_sync_conflicts SET status = $4, resolution_strategy = $5, merged_data = $6, resolved_by = $7,
           resolved_at = $8, updated_at = $8, version = version + 1
         WHERE workspace_id = $1 AND id = $2 AND version = $3 AND status = 'pending'",
        workspace_id,
        id,
        version,
        settled.status.as_str(),
        settled.strategy.map(ResolutionStrategy::as_str),
        settled.merged.map(serde_json::to_value).transpose()?,
        settled.by,
        now
    )
    .execute(tx.connection())
    .await?
    .rows_affected();
    Ok(rows == 1)
}

/// Closes the other questions about the two records of a pair that is linked now.
pub async fn close_other_matches(tx: &mut WorkspaceTx, conflict: &StoredConflict) -> Result<u64, StoreError> {
    let (workspace_id, now) = (tx.workspace_id(), tx.now());
    Ok(sqlx::query!(
        "UPDATE crm_sync_conflicts SET status = 'resolved', resolution_strategy = 'converged', resolved_at = $6,
           updated_at = $6, version = version + 1
         WHERE workspace_id = $1 AND config_id = $2 AND entity_type = $3 AND status = 'pending' AND kind = 'match'
           AND id <> $7 AND (entity_id = $4 OR crm_record_id = $5)",
        workspace_id,
        conflict.config_id,
        conflict.entity.as_str(),
        conflict.record_id,
        conflict.crm_record_id,
        now,
        conflict.id
    )
    .execute(tx.connection())
    .await?
    .rows_affected())
}

/// Sets the rule of a field.
pub async fn set_rule(
    tx: &mut WorkspaceTx,
    config_id: Uuid,
    entity: Entity,
    app_field: &str,
    rule: FieldRule,
    by: Uuid,
) -> Result<(), StoreError> {
    let (workspace_id, now) = (tx.workspace_id(), tx.now());
    sqlx::query!(
        "INSERT INTO crm_field_rules (workspace_id, config_id, entity_type, app_field, rule, created_by, created_at)
         VALUES ($1, $2, $3, $4, $5, $6, $7)
         ON CONFLICT (workspace_id, config_id, entity_type, app_field) DO UPDATE SET rule = $5, created_by = $6, created_at = $7",
        workspace_id,
        config_id,
        entity.as_str(),
        app_field,
        rule.as_str(),
        by,
        now
    )
    .execute(tx.connection())
    .await?;
    Ok(())
}

/// How many other conflicts wait in which one of these fields differs.
pub async fn waiting_in_fields(
    tx: &mut WorkspaceTx,
    conflict: &StoredConflict,
    fields: &[String],
) -> Result<i64, StoreError> {
    let workspace_id = tx.workspace_id();
    Ok(sqlx::query_scalar!(
        r#"SELECT count(*) AS "count!" FROM crm_sync_conflicts
           WHERE workspace_id = $1 AND config_id = $2 AND entity_type = $3 AND status = 'pending' AND kind = 'field'
             AND conflicting_fields && $4 AND id <> $5"#,
        workspace_id,
        conflict.config_id,
        conflict.entity.as_str(),
        fields,
        conflict.id
    )
    .fetch_one(tx.connection())
    .await?)
}

/// Makes the records due in whose waiting conflicts one of these fields differs, so that a new rule decides them.
pub async fn make_waiting_due(
    tx: &mut WorkspaceTx,
    conflict: &StoredConflict,
    fields: &[String],
) -> Result<(), StoreError> {
    let workspace_id = tx.workspace_id();
    sqlx::query!(
        "UPDATE crm_record_links l SET due = true
         WHERE l.workspace_id = $1 AND l.state = 'linked' AND l.id IN
           (SELECT c.link_id FROM crm_sync_conflicts c
            WHERE c.workspace_id = $1 AND c.config_id = $2 AND c.entity_type = $3 AND c.status = 'pending' AND c.kind = 'field'
              AND c.conflicting_fields && $4 AND c.link_id IS NOT NULL)",
        workspace_id,
        conflict.config_id,
        conflict.entity.as_str(),
        fields
    )
    .execute(tx.connection())
    .await?;
    Ok(())
}

/// The pending conflicts before and after one in the order of the list, and its place: (newer, older, place, all).
pub async fn neighbours(
    tx: &mut WorkspaceTx,
    conflict: &StoredConflict,
) -> Result<(Option<Uuid>, Option<Uuid>, i64, i64), StoreError> {
    let workspace_id = tx.workspace_id();
    let row = sqlx::query!(
        r#"SELECT (SELECT id FROM crm_sync_conflicts WHERE workspace_id = $1 AND status = 'pending' AND (detected_at, id) > ($2, $3)
                   ORDER BY detected_at, id LIMIT 1) AS newer,
                  (SELECT id FROM crm_sync_conflicts WHERE workspace_id = $1 AND status = 'pending' AND (detected_at, id) < ($2, $3)
                   ORDER BY detected_at DESC, id DESC LIMIT 1) AS older,
                  (SELECT count(*) FROM crm_sync_conflicts WHERE workspace_id = $1 AND status = 'pending'
                     AND (detected_at, id) > ($2, $3)) AS "before!",
                  (SELECT count(*) FROM crm_sync_conflicts WHERE workspace_id = $1 AND status = 'pending') AS "all!""#,
        workspace_id,
        conflict.detected_at,
        conflict.id
    )
    .fetch_one(tx.connection())
    .await?;
    Ok((row.newer, row.older, row.before + 1, row.all))
}
