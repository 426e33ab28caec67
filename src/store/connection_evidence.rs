//! What the Integrations screen and the wizard show about a connection beside its settings: agreement, runs, held deletes,
//! records side by side.

use chrono::{DateTime, Utc};
use uuid::Uuid;

use super::{StoreError, WorkspaceTx};
use crate::model::{Entity, LogDirection, RunState};

/// Mapped fields of linked records, and how many of them wait to agree.
#[derive(Debug, Clone, Copy, Default)]
pub struct Agreement {
    /// Mapped fields of all linked records.
    pub fields: i64,
    /// Those whose sides are known to differ.
    pub open: i64,
}

/// How far a connection's linked records agree. Counts single values only where something waits.
pub async fn agreement(tx: &mut WorkspaceTx, config_id: Uuid) -> Result<Agreement, StoreError> {
    let workspace_id = tx.workspace_id();
    let row = sqlx::query!(
        r#"WITH mapped AS (
             SELECT entity_type, count(*) AS fields FROM crm_field_mappings
             WHERE workspace_id = $1 AND config_id = $2 AND sync_direction <> 'none' AND suspended_reason IS NULL
             GROUP BY entity_type),
           linked AS (
             SELECT entity_type, count(*) AS records FROM crm_record_links
             WHERE workspace_id = $1 AND config_id = $2 AND state = 'linked' GROUP BY entity_type),
           open AS (
             SELECT l.id, key AS field FROM crm_record_links l, jsonb_object_keys(l.seen) key
             WHERE l.workspace_id = $1 AND l.config_id = $2 AND l.state = 'linked' AND l.seen <> '{}'
             UNION
             SELECT l.id, m.app_field FROM crm_pending_changes p
             JOIN crm_record_links l ON l.workspace_id = p.workspace_id AND l.config_id = p.config_id
               AND l.entity_type = p.entity_type AND l.record_id = p.record_id AND l.state = 'linked'
             JOIN crm_field_mappings m ON m.workspace_id = p.workspace_id AND m.config_id = p.config_id
               AND m.entity_type = p.entity_type AND m.app_field = ANY (p.changed_fields)
             WHERE p.workspace_id = $1 AND p.config_id = $2)
           SELECT coalesce((SELECT sum(mapped.fields * linked.records) FROM mapped JOIN linked USING (entity_type)), 0)::bigint
                    AS "fields!",
                  (SELECT count(*) FROM open) AS "open!""#,
        workspace_id,
        config_id
    )
    .fetch_one(tx.connection())
    .await?;
    Ok(Agreement { fields: row.fields, open: row.open })
}

/// A run as a card shows it.
#[derive(Debug, Clone)]
pub struct CardRun {
    /// The run.
    pub id: Uuid,
    /// Its state.
    pub state: RunState,
    /// Entities asked for, in the order of work.
    pub entities: Vec<Entity>,
    /// `{ direction, entityType, stage, processed, total }`.
    pub progress: serde_json::Value,
    /// Why it is held.
    pub held_reason: Option<serde_json::Value>,
    /// Somebody asked it to stop.
    pub cancel_requested: bool,
    /// Name of the person who asked for it.
    pub requested_by: Option<String>,
    /// When it was asked for.
    pub created_at: DateTime<Utc>,
    /// When its first step began.
    pub started_at: Option<DateTime<Utc>>,
}

/// The newest runs of a connection, the newest first.
pub async fn runs(tx: &mut WorkspaceTx, config_id: Uuid, most: i64) -> Result<Vec<CardRun>, StoreError> {
    let workspace_id = tx.workspace_id();
    let rows = sqlx::query!(
        r#"SELECT r.id, r.state, r.sync_entities, r.progress, r.held_reason, r.cancel_requested, u.name AS "name?",
                  r.created_at, r.started_at
           FROM crm_sync_runs r LEFT JOIN auth.users u ON u.id = r.requested_by
           WHERE r.workspace_id = $1 AND r.config_id = $2 ORDER BY r.created_at DESC, r.id DESC LIMIT $3"#,
        workspace_id,
        config_id,
        most
    )
    .fetch_all(tx.connection())
    .await?;
    rows.into_iter()
        .map(|row| {
            let entities = Entity::ALL.iter().copied();
            Ok(CardRun {
                id: row.id,
                state: row.state.parse()?,
                entities: entities
                    .filter(|entity| row.sync_entities.iter().any(|name| name == entity.plural()))
                    .collect(),
                progress: row.progress,
                held_reason: row.held_reason,
                cancel_requested: row.cancel_requested,
                requested_by: row.name,
                created_at: row.created_at,
                started_at: row.started_at,
            })
        })
        .collect()
}

/// What one log of a run has counted so far.
#[derive(Debug, Clone)]
pub struct CardLog {
    /// The log.
    pub id: Uuid,
    /// Which entity.
    pub entity: Entity,
    /// Where values were written.
    pub direction: LogDirection,
    /// Records written.
    pub synced: i64,
    /// Records that failed.
    pub failed: i64,
    /// `[{ name, startedAt, durationMs, records, calls }]`.
    pub stages: serde_json::Value,
}

/// The logs of a run.
pub async fn logs(tx: &mut WorkspaceTx, run_id: Uuid) -> Result<Vec<CardLog>, StoreError> {
    let workspace_id = tx.workspace_id();
    let rows = sqlx::query!(
        "SELECT id, entity_type, sync_direction, records_synced, records_failed, stages FROM crm_sync_logs
         WHERE workspace_id = $1 AND run_id = $2 ORDER BY started_at, id",
        workspace_id,
        run_id
    )
    .fetch_all(tx.connection())
    .await?;
    rows.into_iter()
        .map(|row| {
            Ok(CardLog {
                id: row.id,
                entity: row.entity_type.parse()?,
                direction: row.sync_direction.parse()?,
                synced: row.records_synced,
                failed: row.records_failed,
                stages: row.stages,
            })
        })
        .collect()
}

/// The newest log of a connection in which records failed.
pub async fn last_failed_log(tx: &mut WorkspaceTx, config_id: Uuid) -> Result<Option<Uuid>, StoreError> {
    let workspace_id = tx.workspace_id();
    Ok(sqlx::query_scalar!(
        "SELECT id FROM crm_sync_logs WHERE workspace_id = $1 AND config_id = $2 AND records_failed > 0
         ORDER BY started_at DESC, id LIMIT 1",
        workspace_id,
        config_id
    )
    .fetch_optional(tx.connection())
    .await?)
}

/// Some records whose delete waits for an admin: entity and name, in order of the names.
pub async fn held_records(tx: &mut WorkspaceTx, run_id: Uuid, most: i64) -> Result<Vec<(Entity, String)>, StoreError> {
    let workspace_id = tx.workspace_id();
    let rows = sqlx::query!(
        r#"SELECT l.entity_type, coalesce(a.name, nullif(concat_ws(' ', c.first_name, c.last_name), ''), o.name,
                  l.base -> 'name' ->> 'app', l.base -> 'last_name' ->> 'app', l.crm_record_id, '') AS "name!"
           FROM crm_record_links l
           LEFT JOIN accounts a ON l.entity_type = 'account' AND a.workspace_id = l.workspace_id AND a.id = l.record_id
           LEFT JOIN contacts c ON l.entity_type = 'contact' AND c.workspace_id = l.workspace_id AND c.id = l.record_id
           LEFT JOIN opportunities o
             ON l.entity_type = 'opportunity' AND o.workspace_id = l.workspace_id AND o.id = l.record_id
           WHERE l.workspace_id = $1 AND l.held_by = $2
           ORDER BY l.entity_type, 2, l.id LIMIT $3"#,
        workspace_id,
        run_id,
        most
    )
    .fetch_all(tx.connection())
    .await?;
    rows.into_iter().map(|row| Ok((row.entity_type.parse()?, row.name))).collect()
}

/// How many living records of each entity the app has.
pub async fn records_here(tx: &mut WorkspaceTx) -> Result<[i64; 3], StoreError> {
    let workspace_id = tx.workspace_id();
    let row = sqlx::query!(
        r#"SELECT (SELECT count(*) FROM accounts WHERE workspace_id = $1 AND deleted_at IS NULL) AS "accounts!",
                  (SELECT count(*) FROM contacts WHERE workspace_id = $1 AND deleted_at IS NULL) AS "contacts!",
                  (SELECT count(*) FROM opportunities WHERE workspace_id = $1 AND deleted_at IS NULL) AS "opportunities!""#,
        workspace_id
    )
    .fetch_one(tx.connection())
    .await?;
    Ok([row.accounts, row.contacts, row.opportunities])
}

/// What the CRM described and counted, by entity.
pub async fn described(
    tx: &mut WorkspaceTx,
    config_id: Uuid,
) -> Result<Vec<(serde_json::Value, Option<i64>, DateTime<Utc>)>, StoreError> {
    let workspace_id = tx.workspace_id();
    let rows = sqlx::query!(
        "SELECT description, record_count, fetched_at FROM crm_descriptions WHERE workspace_id = $1 AND config_id = $2",
        workspace_id,
        config_id
    )
    .fetch_all(tx.connection())
    .await?;
    Ok(rows.into_iter().map(|row| (row.description, row.record_count, row.fetched_at)).collect())
}

/// A linked record on both sides: a name and what it was matched by.
#[derive(Debug, Clone)]
pub struct LinkedPair {
    /// The app record.
    pub record_id: Uuid,
    /// The app's values by field.
    pub app: serde_json::Value,
    /// Both values of each mapping when they last agreed.
    pub base: serde_json::Value,
    /// The CRM's values that are not settled.
    pub seen: serde_json::Value,
}

/// Some linked records of an entity that both sides had before they met, else that were brought over; by name.
pub async fn linked_pairs(
    tx: &mut WorkspaceTx,
    config_id: Uuid,
    entity: Entity,
    most: i64,
) -> Result<Vec<LinkedPair>, StoreError> {
    let workspace_id = tx.workspace_id();
    let rows = sqlx::query!(
        r#"SELECT l.record_id AS "record_id!", coalesce(to_jsonb(a), to_jsonb(c), to_jsonb(o)) AS "app!", l.base, l.seen
           FROM crm_record_links l
           LEFT JOIN accounts a ON l.entity_type = 'account' AND a.workspace_id = l.workspace_id AND a.id = l.record_id
           LEFT JOIN contacts c ON l.entity_type = 'contact' AND c.workspace_id = l.workspace_id AND c.id = l.record_id
           LEFT JOIN opportunities o
             ON l.entity_type = 'opportunity' AND o.workspace_id = l.workspace_id AND o.id = l.record_id
           WHERE l.workspace_id = $1 AND l.config_id = $2 AND l.entity_type = $3 AND l.state = 'linked'
             AND coalesce(a.id, c.id, o.id) IS NOT NULL
           ORDER BY coalesce(a.created_at, c.created_at, o.created_at) >= l.created_at,
                    coalesce(a.name, c.last_name, o.name), l.id
           LIMIT $4"#,
        workspace_id,
        config_id,
        entity.as_str(),
        most
    )
    .fetch_all(tx.connection())
    .await?;
    Ok(rows
        .into_iter()
        .map(|row| LinkedPair { record_id: row.record_id, app: row.app, base: row.base, seen: row.seen })
        .collect())
}
