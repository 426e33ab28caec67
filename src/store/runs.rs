//! Runs and their logs.

use chrono::{DateTime, Utc};
use uuid::Uuid;

use super::{StoreError, WorkspaceTx, holds};
use crate::model::{Entity, LogDirection, LogStatus, RunState, RunTrigger, SyncDirection};

/// A run as stored.
#[derive(Debug, Clone)]
pub struct StoredRun {
    /// The run.
    pub id: Uuid,
    /// Its connection.
    pub config_id: Uuid,
    /// Its state.
    pub state: RunState,
    /// What started it.
    pub trigger: RunTrigger,
    /// Direction asked for.
    pub direction: SyncDirection,
    /// Entities asked for, in the order of work.
    pub entities: Vec<Entity>,
    /// Where it stands; the engine's own form.
    pub position: serde_json::Value,
    /// Fences commits.
    pub version: i64,
    /// What a screen shows of it.
    pub progress: serde_json::Value,
    /// Records it is expected to look at.
    pub estimated_records: Option<i64>,
    /// It compares both sides in full, whatever was read before.
    pub compares: bool,
    /// The database was restored since the last run: an admin is asked before anything is overwritten or deleted.
    pub is_wary: bool,
    /// Somebody asked it to stop.
    pub cancel_requested: bool,
    /// What an admin decided about a held run.
    pub held_decision: Option<String>,
    /// Why it is held.
    pub held_reason: Option<serde_json::Value>,
    /// Why it stopped, as a sentence.
    pub error_message: Option<String>,
    /// Code of the error.
    pub error_code: Option<String>,
    /// When it was asked for.
    pub created_at: DateTime<Utc>,
    /// When its first step began.
    pub started_at: Option<DateTime<Utc>>,
    /// When it ended.
    pub finished_at: Option<DateTime<Utc>>,
}

/// What is asked of a run.
#[derive(Debug, Clone, Copy)]
pub struct RunRequest<'a> {
    /// What starts it.
    pub trigger: RunTrigger,
    /// Direction.
    pub direction: SyncDirection,
    /// Entities.
    pub entities: &'a [Entity],
    /// Both sides are compared in full, whatever was read before.
    pub compares: bool,
    /// Who asks, if a person does.
    pub requested_by: Option<Uuid>,
}

impl<'a> RunRequest<'a> {
    /// A run that carries out what a person has decided.
    pub fn of_decision(direction: SyncDirection, entities: &'a [Entity], requested_by: Uuid) -> Self {
        let requested_by = Some(requested_by);
        RunRequest { trigger: RunTrigger::Decision, direction, entities, compares: false, requested_by }
    }
}

/// Adds a queued run, or widens the waiting one of the connection to the union of what was asked. Returns its id and
/// whether it is new.
pub async fn request(
    tx: &mut WorkspaceTx,
    config_id: Uuid,
    request: &RunRequest<'_>,
) -> Result<(Uuid, bool), StoreError> {
    let (workspace_id, now) = (tx.workspace_id(), tx.now());
    let entities: Vec<String> = request.entities.iter().map(|entity| entity.plural().to_owned()).collect();
    let row = sqlx::query!(
        r#"INSERT INTO crm_sync_runs (workspace_id, config_id, state, trigger, sync_direction, sync_entities, requested_by, created_at,
           compares)
         VALUES ($1, $2, 'queued', $3, $4, $5, $6, $7, $8)
         ON CONFLICT (workspace_id, config_id) WHERE state = 'queued' DO UPDATE SET
           sync_direction = CASE WHEN crm_sync_runs.sync_direction = excluded.sync_direction
                                 THEN excluded.sync_direction ELSE 'bidirectional' END,
           sync_entities = ARRAY(SELECT DISTINCT unnest(crm_sync_runs.sync_entities || excluded.sync_entities)),
           trigger = CASE WHEN excluded.trigger = 'manual' THEN 'manual' ELSE crm_sync_runs.trigger END,
           requested_by = coalesce(crm_sync_runs.requested_by, excluded.requested_by),
           compares = crm_sync_runs.compares OR excluded.compares
         RETURNING id, (xmax = 0) AS "is_new!""#,
        workspace_id,
        config_id,
        request.trigger.as_str(),
        request.direction.as_str(),
        &entities,
        request.requested_by,
        now,
        request.compares
    )
    .fetch_one(tx.connection())
    .await?;
    Ok((row.id, row.is_new))
}

/// Loads a run; `None` where this workspace has none of that id.
pub async fn load(tx: &mut WorkspaceTx, run_id: Uuid) -> Result<Option<StoredRun>, StoreError> {
    let workspace_id = tx.workspace_id();
    let row = sqlx::query!(
        "SELECT id, config_id, state, trigger, sync_direction, sync_entities, position, version, progress, estimated_records,
                compares, is_wary, cancel_requested, held_decision, held_reason, error_message, error_code, created_at, started_at, finished_at
         FROM crm_sync_runs WHERE workspace_id = $1 AND id = $2",
        workspace_id,
        run_id
    )
    .fetch_optional(tx.connection())
    .await?;
    let Some(row) = row else { return Ok(None) };
    Ok(Some(StoredRun {
        id: row.id,
        config_id: row.config_id,
        state: row.state.parse()?,
        trigger: row.trigger.parse()?,
        direction: row.sync_direction.parse()?,
        entities: Entity::ALL
            .iter()
            .copied()
            .filter(|entity| row.sync_entities.iter().any(|name| name == entity.plural()))
            .collect(),
        position: row.position,
        version: row.version,
        progress: row.progress,
        estimated_records: row.estimated_records,
        compares: row.compares,
        is_wary: row.is_wary,
        cancel_requested: row.cancel_requested,
        held_decision: row.held_decision,
        held_reason: row.held_reason,
        error_message: row.error_message,
        error_code: row.error_code,
        created_at: row.created_at,
        started_at: row.started_at,
        finished_at: row.finished_at,
    }))
}

/// Takes a queued run to `running`, unless another run of the connection is open.
pub async fn start(tx: &mut WorkspaceTx, run_id: Uuid) -> Result<bool, StoreError> {
    let (workspace_id, now) = (tx.workspace_id(), tx.now());
    let started = sqlx::query!(
        "UPDATE crm_sync_runs r SET state = 'running', started_at = $3, version = version + 1
         WHERE workspace_id = $1 AND id = $2 AND state = 'queued'
           AND NOT EXISTS (SELECT FROM crm_sync_runs o WHERE o.workspace_id = r.workspace_id AND o.config_id = r.config_id
                           AND o.state = 'running')",
        workspace_id,
        run_id,
        now
    )
    .execute(tx.connection())
    .await?
    .rows_affected();
    Ok(started == 1)
}

/// Holds off everybody who [waits for the step](wait_for_step), from before a step reads links until what it made of them is
/// committed. Transactions of one step do not hold off each other.
pub async fn hold_step(tx: &mut WorkspaceTx, run_id: Uuid) -> Result<(), StoreError> {
    let workspace_id = tx.workspace_id();
    sqlx::query!(
        "SELECT id FROM crm_sync_runs WHERE workspace_id = $1 AND id = $2 FOR KEY SHARE",
        workspace_id,
        run_id
    )
    .fetch_optional(tx.connection())
    .await?;
    Ok(())
}

/// Waits for the step that an open run is committing and lets none begin until the transaction ends: whoever else changes
/// links does so before or after a step, never on what one has read and will write back. Locks are taken in one order by
/// everybody: run, rows of the app, links, questions, connection.
pub async fn wait_for_step(tx: &mut WorkspaceTx, config_id: Uuid) -> Result<(), StoreError> {
    let workspace_id = tx.workspace_id();
    sqlx::query!(
        "SELECT id FROM crm_sync_runs
         WHERE workspace_id = $1 AND config_id = $2 AND state IN ('queued', 'running', 'held') ORDER BY id FOR UPDATE",
        workspace_id,
        config_id
    )
    .fetch_all(tx.connection())
    .await?;
    Ok(())
}

/// Commits a step: only where the run is still at `version`. `false` means that somebody else has taken over.
pub async fn advance(
    tx: &mut WorkspaceTx,
    run_id: Uuid,
    version: i64,
    position: &serde_json::Value,
    progress: &serde_json::Value,
) -> Result<bool, StoreError> {
    let workspace_id = tx.workspace_id();
    let moved = sqlx::query!(
        "UPDATE crm_sync_runs SET version = version + 1, position = $4, progress = $5
         WHERE workspace_id = $1 AND id = $2 AND version = $3 AND state = 'running'",
        workspace_id,
        run_id,
        version,
        position,
        progress
    )
    .execute(tx.connection())
    .await?
    .rows_affected();
    Ok(moved == 1)
}

/// Whether calls may be made for a run: its connection is connected, and nobody cancelled it.
pub async fn is_wanted(tx: &mut WorkspaceTx, run_id: Uuid, config_id: Uuid) -> Result<bool, StoreError> {
    let workspace_id = tx.workspace_id();
    Ok(sqlx::query_scalar!(
        r#"SELECT EXISTS (SELECT FROM crm_sync_configs c JOIN crm_sync_runs r ON r.workspace_id = c.workspace_id AND r.config_id = c.id
           WHERE c.workspace_id = $1 AND c.id = $2 AND r.id = $3 AND c.status = 'connected' AND NOT r.cancel_requested) AS "wanted!""#,
        workspace_id,
        config_id,
        run_id
    )
    .fetch_one(tx.connection())
    .await?)
}

/// Ends a run.
pub async fn end(
    tx: &mut WorkspaceTx,
    run_id: Uuid,
    version: i64,
    state: RunState,
    error: Option<(&str, &str)>,
) -> Result<bool, StoreError> {
    let (workspace_id, now) = (tx.workspace_id(), tx.now());
    let ended = sqlx::query!(
        "UPDATE crm_sync_runs SET version = version + 1, state = $4, error_code = $5, error_message = $6, finished_at = $7
         WHERE workspace_id = $1 AND id = $2 AND version = $3 AND state IN ('queued', 'running', 'held')",
        workspace_id,
        run_id,
        version,
        state.as_str(),
        error.map(|(code, _)| code),
        error.map(|(_, message)| message),
        now
    )
    .execute(tx.connection())
    .await?
    .rows_affected();
    Ok(ended == 1)
}

/// Asks an open run to stop at its next step; a queued or held one ends at once. `false`: it is over.
pub async fn request_cancel(tx: &mut WorkspaceTx, run_id: Uuid) -> Result<bool, StoreError> {
    let (workspace_id, now) = (tx.workspace_id(), tx.now());
    let asked = sqlx::query!(
        "UPDATE crm_sync_runs SET cancel_requested = true,
           version = CASE WHEN state IN ('queued', 'held') THEN version + 1 ELSE version END,
           finished_at = CASE WHEN state IN ('queued', 'held') THEN $3 ELSE finished_at END,
           state = CASE WHEN state IN ('queued', 'held') THEN 'cancelled' ELSE state END
         WHERE workspace_id = $1 AND id = $2 AND state IN ('queued', 'running', 'held')",
        workspace_id,
        run_id,
        now
    )
    .execute(tx.connection())
    .await?
    .rows_affected();
    // What it was held for is met again by the next run.
    holds::release(tx, run_id).await?;
    Ok(asked == 1)
}

/// The ids of a run's logs in order of their start.
pub async fn log_ids(tx: &mut WorkspaceTx, run_id: Uuid) -> Result<Vec<Uuid>, StoreError> {
    let workspace_id = tx.workspace_id();
    Ok(sqlx::query_scalar!(
        "SELECT id FROM crm_sync_logs WHERE workspace_id = $1 AND run_id = $2 ORDER BY started_at, sync_direction, id",
        workspace_id,
        run_id
    )
    .fetch_all(tx.connection())
    .await?)
}

/// What a step adds to a log. `processed` is the sum of synced, failed and skipped.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct Counters {
    /// Written on the side that the direction points to.
    pub synced: i64,
    /// Could not be written.
    pub failed: i64,
    /// Looked at; nothing to write, or no partner allowed.
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
}

impl Counters {
    /// Whether anything was counted.
    pub fn is_empty(&self) -> bool {
        *self == Counters::default()
    }
}

/// The log of a run for one direction and entity, made when first asked for.
pub async fn ensure_log(
    tx: &mut WorkspaceTx,
    run: &StoredRun,
    direction: LogDirection,
    entity: Entity,
) -> Result<Uuid, StoreError> {
    let (workspace_id, now) = (tx.workspace_id(), tx.now());
    // One that is there is found without a lock: two parts of a page write into it side by side.
    let found = sqlx::query_scalar!(
        "SELECT id FROM crm_sync_logs WHERE workspace_id = $1 AND run_id = $2 AND sync_direction = $3 AND entity_type = $4",
        workspace_id,
        run.id,
        direction.as_str(),
        entity.as_str()
    )
    .fetch_optional(tx.connection())
    .await?;
    if let Some(id) = found {
        return Ok(id);
    }
    Ok(sqlx::query_scalar!(
        "INSERT INTO crm_sync_logs (workspace_id, config_id, run_id, sync_direction, entity_type, started_at)
         VALUES ($1, $2, $3, $4, $5, $6)
         ON CONFLICT (workspace_id, run_id, sync_direction, entity_type) DO UPDATE SET status = crm_sync_logs.status
         RETURNING id",
        workspace_id,
        run.config_id,
        run.id,
        direction.as_str(),
        entity.as_str(),
        now
    )
    .fetch_one(tx.connection())
    .await?)
}

/// Adds counters to a log.
pub async fn count(tx: &mut WorkspaceTx, log_id: Uuid, counters: &Counters) -> Result<(), StoreError> {
    if counters.is_empty() {
        return Ok(());
    }
    let workspace_id = tx.workspace_id();
    sqlx::query!(
        "UPDATE crm_sync_logs SET records_processed = records_processed + $3, records_synced = records_synced + $4,
           records_failed = records_failed + $5, records_skipped = records_skipped + $6, records_created = records_created + $7,
           records_updated = records_updated + $8, records_deleted = records_deleted + $9,
           conflicts_detected = conflicts_detected + $10, conflicts_resolved = conflicts_resolved + $11,
           records_missed = CASE WHEN $12::bigint IS NULL THEN records_missed ELSE coalesce(records_missed, 0) + $12 END
         WHERE workspace_id = $1 AND id = $2",
        workspace_id,
        log_id,
        counters.synced + counters.failed + counters.skipped,
        counters.synced,
        counters.failed,
        counters.skipped,
        counters.created,
        counters.updated,
        counters.deleted,
        counters.conflicts_detected,
        counters.conflicts_resolved,
        counters.missed
    )
    .execute(tx.connection())
    .await?;
    Ok(())
}

/// Adds a step's time, records and calls to a stage of a log's timeline.
pub async fn note_stage(
    tx: &mut WorkspaceTx,
    log_id: Uuid,
    stage: &str,
    started_at: DateTime<Utc>,
    records: i64,
    calls: i64,
) -> Result<(), StoreError> {
    let (workspace_id, now) = (tx.workspace_id(), tx.now());
    let duration_ms = (now - started_at).num_milliseconds();
    sqlx::query!(
        r#"UPDATE crm_sync_logs SET stages = CASE
             WHEN stages @> jsonb_build_array(jsonb_build_object('name', $3::text)) THEN
               (SELECT jsonb_agg(CASE WHEN s ->> 'name' = $3 THEN s || jsonb_build_object(
                  'durationMs', (s ->> 'durationMs')::bigint + $5, 'records', (s ->> 'records')::bigint + $6,
                  'calls', (s ->> 'calls')::bigint + $7) ELSE s END ORDER BY position)
                FROM jsonb_array_elements(stages) WITH ORDINALITY AS e (s, position))
             ELSE stages || jsonb_build_array(jsonb_build_object('name', $3::text, 'startedAt',
               to_char($4::timestamptz AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.MS"Z"'), 'durationMs', $5::bigint,
               'records', $6::bigint, 'calls', $7::bigint)) END
         WHERE workspace_id = $1 AND id = $2"#,
        workspace_id,
        log_id,
        stage,
        started_at,
        duration_ms,
        records,
        calls
    )
    .execute(tx.connection())
    .await?;
    Ok(())
}

/// Ends the logs of a run: each `completed`, `partial` where records failed, or `status` where the run stopped.
pub async fn end_logs(
    tx: &mut WorkspaceTx,
    run_id: Uuid,
    status: Option<LogStatus>,
    error: Option<&str>,
) -> Result<(), StoreError> {
    let (workspace_id, now) = (tx.workspace_id(), tx.now());
    sqlx::query!(
        "UPDATE crm_sync_logs SET completed_at = $3, error_message = $5,
           sync_duration_ms = (extract(epoch FROM $3 - started_at) * 1000)::bigint,
           status = coalesce($4, CASE WHEN records_failed > 0 THEN 'partial' ELSE 'completed' END)
         WHERE workspace_id = $1 AND run_id = $2 AND status = 'running'",
        workspace_id,
        run_id,
        now,
        status.map(LogStatus::as_str),
        error
    )
    .execute(tx.connection())
    .await?;
    Ok(())
}

/// Removes the logs of a run in which nothing was found: no record was written or failed, no question came up. Records that
/// the overlap of two windows shows again are looked at and nothing more.
pub async fn drop_empty_logs(tx: &mut WorkspaceTx, run_id: Uuid) -> Result<(), StoreError> {
    let workspace_id = tx.workspace_id();
    sqlx::query!(
        "DELETE FROM crm_sync_logs AS l WHERE workspace_id = $1 AND run_id = $2 AND records_processed = records_skipped
           AND conflicts_detected = 0 AND records_deleted = 0
           AND NOT EXISTS (SELECT FROM crm_sync_changes c WHERE c.workspace_id = l.workspace_id AND c.log_id = l.id)",
        workspace_id,
        run_id
    )
    .execute(tx.connection())
    .await?;
    Ok(())
}

/// Records that failed in a run so far.
pub async fn failed_records(tx: &mut WorkspaceTx, run_id: Uuid) -> Result<i64, StoreError> {
    let workspace_id = tx.workspace_id();
    Ok(sqlx::query_scalar!(
        r#"SELECT coalesce(sum(records_failed), 0)::bigint AS "failed!" FROM crm_sync_logs WHERE workspace_id = $1 AND run_id = $2"#,
        workspace_id,
        run_id
    )
    .fetch_one(tx.connection())
    .await?)
}
