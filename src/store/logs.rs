//! Logs as people list and read them, with the journal behind them. How the engine writes them is in `runs` and `changes`.

use chrono::{DateTime, Utc};
use uuid::Uuid;

use super::{StoreError, WorkspaceTx};
use crate::model::{Entity, LogDirection, LogStatus};

/// A log as stored.
#[derive(Debug, Clone)]
pub struct StoredLog {
    /// The log.
    pub id: Uuid,
    /// Its connection.
    pub config_id: Uuid,
    /// Its run.
    pub run_id: Uuid,
    /// Its direction.
    pub direction: LogDirection,
    /// Its entity.
    pub entity: Entity,
    /// Synced, failed and skipped.
    pub processed: i64,
    /// Written.
    pub synced: i64,
    /// Could not be written.
    pub failed: i64,
    /// Nothing to write.
    pub skipped: i64,
    /// New records.
    pub created: i64,
    /// Changed records.
    pub updated: i64,
    /// Deleted records.
    pub deleted: i64,
    /// Conflicts found.
    pub conflicts_detected: i64,
    /// Conflicts settled by policy or rule.
    pub conflicts_resolved: i64,
    /// Changes that a full comparison found and earlier readings should have brought; `None`: nothing was compared.
    pub missed: Option<i64>,
    /// From start to end.
    pub duration_ms: Option<i64>,
    /// Its state.
    pub status: LogStatus,
    /// Why its run stopped.
    pub error_message: Option<String>,
    /// More about it.
    pub error_details: Option<serde_json::Value>,
    /// `[{ name, startedAt, durationMs, records, calls }]`.
    pub stages: serde_json::Value,
    /// Start.
    pub started_at: DateTime<Utc>,
    /// End.
    pub completed_at: Option<DateTime<Utc>>,
}

struct LogRow {
    id: Uuid,
    config_id: Uuid,
    run_id: Uuid,
    sync_direction: String,
    entity_type: String,
    records_processed: i64,
    records_synced: i64,
    records_failed: i64,
    records_skipped: i64,
    records_created: i64,
    records_updated: i64,
    records_deleted: i64,
    conflicts_detected: i64,
    conflicts_resolved: i64,
    records_missed: Option<i64>,
    sync_duration_ms: Option<i64>,
    status: String,
    error_message: Option<String>,
    error_details: Option<serde_json::Value>,
    stages: serde_json::Value,
    started_at: DateTime<Utc>,
    completed_at: Option<DateTime<Utc>>,
}

impl LogRow {
    fn read(self) -> Result<StoredLog, StoreError> {
        Ok(StoredLog {
            id: self.id,
            config_id: self.config_id,
            run_id: self.run_id,
            direction: self.sync_direction.parse()?,
            entity: self.entity_type.parse()?,
            processed: self.records_processed,
            synced: self.records_synced,
            failed: self.records_failed,
            skipped: self.records_skipped,
            created: self.records_created,
            updated: self.records_updated,
            deleted: self.records_deleted,
            conflicts_detected: self.conflicts_detected,
            conflicts_resolved: self.conflicts_resolved,
            missed: self.records_missed,
            duration_ms: self.sync_duration_ms,
            status: self.status.parse()?,
            error_message: self.error_message,
            error_details: self.error_details,
            stages: self.stages,
            started_at: self.started_at,
            completed_at: self.completed_at,
        })
    }
}

/// Which logs are asked for.
#[derive(Debug, Clone, Default)]
pub struct LogFilter {
    /// Of one connection.
    pub config_id: Option<Uuid>,
    /// In one state.
    pub status: Option<LogStatus>,
    /// Of one entity.
    pub entity: Option<Entity>,
    /// In one direction.
    pub direction: Option<LogDirection>,
    /// Begun then or later.
    pub from: Option<DateTime<Utc>>,
    /// Begun before.
    pub before: Option<DateTime<Utc>>,
}

/// Logs, newest first: at most `limit` after `offset` rows, or after the place `after`.
pub async fn list(
    tx: &mut WorkspaceTx,
    filter: &LogFilter,
    limit: i64,
    offset: i64,
    after: Option<(DateTime<Utc>, Uuid)>,
) -> Result<Vec<StoredLog>, StoreError> {
    let workspace_id = tx.workspace_id();
    let rows = sqlx::query_as!(
        LogRow,
        "SELECT id, config_id, run_id, sync_direction, entity_type, records_processed, records_synced, records_failed,
                records_skipped, records_created, records_updated, records_deleted, conflicts_detected, conflicts_resolved,
                records_missed, sync_duration_ms, status, error_message, error_details, stages, started_at, completed_at
         FROM crm_sync_logs
         WHERE workspace_id = $1 AND ($2::uuid IS NULL OR config_id = $2) AND ($3::text IS NULL OR status = $3)
           AND ($4::text IS NULL OR entity_type = $4) AND ($5::text IS NULL OR sync_direction = $5)
           AND ($6::timestamptz IS NULL OR started_at >= $6) AND ($7::timestamptz IS NULL OR started_at < $7)
           AND ($8::timestamptz IS NULL OR (started_at, id) < ($8, $9))
         ORDER BY started_at DESC, id DESC LIMIT $10 OFFSET $11",
        workspace_id,
        filter.config_id,
        filter.status.map(LogStatus::as_str),
        filter.entity.map(Entity::as_str),
        filter.direction.map(LogDirection::as_str),
        filter.from,
        filter.before,
        after.map(|(at, _)| at),
        after.map(|(_, id)| id),
        limit,
        offset
    )
    .fetch_all(tx.connection())
    .await?;
    rows.into_iter().map(LogRow::read).collect()
}

/// How many logs a filter finds.
pub async fn count(tx: &mut WorkspaceTx, filter: &LogFilter) -> Result<i64, StoreError> {
    let workspace_id = tx.workspace_id();
    Ok(sqlx::query_scalar!(
        r#"SELECT count(*) AS "count!" FROM crm_sync_logs
           WHERE workspace_id = $1 AND ($2::uuid IS NULL OR config_id = $2) AND ($3::text IS NULL OR status = $3)
             AND ($4::text IS NULL OR entity_type = $4) AND ($5::text IS NULL OR sync_direction = $5)
             AND ($6::timestamptz IS NULL OR started_at >= $6) AND ($7::timestamptz IS NULL OR started_at < $7)"#,
        workspace_id,
        filter.config_id,
        filter.status.map(LogStatus::as_str),
        filter.entity.map(Entity::as_str),
        filter.direction.map(LogDirection::as_str),
        filter.from,
        filter.before
    )
    .fetch_one(tx.connection())
    .await?)
}

/// One log; `None` where this workspace has none of that id.
pub async fn load(tx: &mut WorkspaceTx, id: Uuid) -> Result<Option<StoredLog>, StoreError> {
    let workspace_id = tx.workspace_id();
    let row = sqlx::query_as!(
        LogRow,
        "SELECT id, config_id, run_id, sync_direction, entity_type, records_processed, records_synced, records_failed,
                records_skipped, records_created, records_updated, records_deleted, conflicts_detected, conflicts_resolved,
                records_missed, sync_duration_ms, status, error_message, error_details, stages, started_at, completed_at
         FROM crm_sync_logs WHERE workspace_id = $1 AND id = $2",
        workspace_id,
        id
    )
    .fetch_optional(tx.connection())
    .await?;
    row.map(LogRow::read).transpose()
}

/// What a workspace's runs did since an instant.
#[derive(Debug, Clone, Copy, Default)]
pub struct Totals {
    /// Runs with a log.
    pub runs: i64,
    /// Records written.
    pub synced: i64,
    /// Records that failed.
    pub failed: i64,
    /// Logs that are running now, whenever they began.
    pub running: i64,
}

/// Sums of the logs begun since `since`.
pub async fn totals(tx: &mut WorkspaceTx, since: DateTime<Utc>) -> Result<Totals, StoreError> {
    let workspace_id = tx.workspace_id();
    Ok(sqlx::query_as!(
        Totals,
        r#"SELECT count(DISTINCT run_id) AS "runs!", coalesce(sum(records_synced), 0)::bigint AS "synced!",
                  coalesce(sum(records_failed), 0)::bigint AS "failed!",
                  (SELECT count(*) FROM crm_sync_runs WHERE workspace_id = $1 AND state = 'running') AS "running!"
           FROM crm_sync_logs WHERE workspace_id = $1 AND started_at >= $2"#,
        workspace_id,
        since
    )
    .fetch_one(tx.connection())
    .await?)
}

/// The names of records that a list shows, by id.
pub async fn record_names(
    tx: &mut WorkspaceTx,
    entity: Entity,
    ids: &[Uuid],
) -> Result<std::collections::HashMap<Uuid, String>, StoreError> {
    let workspace_id = tx.workspace_id();
    let rows = sqlx::query!(
        r#"SELECT id AS "id!", name AS "name!" FROM (
             SELECT id, name FROM accounts WHERE $2 = 'account' AND workspace_id = $1 AND id = ANY ($3)
             UNION ALL
             SELECT id, concat_ws(' ', first_name, last_name) FROM contacts
               WHERE $2 = 'contact' AND workspace_id = $1 AND id = ANY ($3)
             UNION ALL
             SELECT id, name FROM opportunities WHERE $2 = 'opportunity' AND workspace_id = $1 AND id = ANY ($3)
           ) named"#,
        workspace_id,
        entity.as_str(),
        ids
    )
    .fetch_all(tx.connection())
    .await?;
    Ok(rows.into_iter().map(|row| (row.id, row.name)).collect())
}
