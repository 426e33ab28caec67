//! What the engine must know of a connection before it can work for it.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use sqlx::types::Json;
use uuid::Uuid;

use super::{StoreError, WorkspaceTx};
use crate::model::{
    ConflictPolicy, ConnectionStatus, Entity, Environment, FieldDirection, FieldRule, Options, Provider, Schedule,
    SyncDirection, SyncFrequency, SyncRules, ValuePair,
};

/// A connection as the engine sees it.
#[derive(Debug, Clone)]
pub struct ConnectionSetup {
    /// The connection.
    pub id: Uuid,
    /// Which CRM.
    pub provider: Provider,
    /// Which of the CRM's worlds.
    pub environment: Environment,
    /// Its state.
    pub status: ConnectionStatus,
    /// Direction of the connection.
    pub direction: SyncDirection,
    /// How often it runs by itself.
    pub frequency: SyncFrequency,
    /// When within the hour or day.
    pub schedule: Option<Schedule>,
    /// Entities that it synchronises, in the order in which a run takes them.
    pub entities: Vec<Entity>,
    /// Who wins a conflict.
    pub policy: ConflictPolicy,
    /// Options.
    pub options: Options,
    /// Filters and fields that rest.
    pub rules: SyncRules,
    /// Time zone of the CRM account (IANA), where the CRM tells.
    pub time_zone: Option<String>,
    /// The CRM's id of whoever is signed in.
    pub crm_user: Option<String>,
    /// The CRM's clock minus ours, milliseconds.
    pub clock_skew_ms: i64,
    /// Calls of the whole org in its day, used and allowed, as last heard.
    pub org_calls: Option<(i64, i64)>,
    /// No call before this instant.
    pub limited_until: Option<DateTime<Utc>>,
    /// Set-up is complete or somebody triggered a run: it may run by itself.
    pub set_up: bool,
}

/// One published mapping.
#[derive(Debug, Clone)]
pub struct StoredMapping {
    /// The mapping.
    pub id: Uuid,
    /// Field in the app.
    pub app_field: String,
    /// Field in the CRM.
    pub crm_field: String,
    /// Direction of the mapping alone.
    pub direction: FieldDirection,
    /// JavaScript, if any.
    pub transform: Option<String>,
    /// Pairs of values, if any.
    pub value_map: Vec<ValuePair>,
    /// The field's rule, if any.
    pub rule: Option<FieldRule>,
}

/// Loads a connection; `None` where this workspace has none of that id.
pub async fn connection(tx: &mut WorkspaceTx, config_id: Uuid) -> Result<Option<ConnectionSetup>, StoreError> {
    let workspace_id = tx.workspace_id();
    let row = sqlx::query!(
        "SELECT id, crm_provider, environment, status, sync_direction, sync_frequency, schedule, sync_entities,
                sync_rules, time_zone, oauth_user_id, conflict_resolution, options, clock_skew_ms, limited_until,
                setup_completed_at, org_calls_used, org_calls_allowed
         FROM crm_sync_configs WHERE workspace_id = $1 AND id = $2",
        workspace_id,
        config_id
    )
    .fetch_optional(tx.connection())
    .await?;
    let Some(row) = row else { return Ok(None) };
    let entities = Entity::ALL
        .iter()
        .copied()
        .filter(|entity| row.sync_entities.iter().any(|name| name == entity.plural()))
        .collect();
    Ok(Some(ConnectionSetup {
        id: row.id,
        provider: row.crm_provider.parse()?,
        environment: row.environment.parse()?,
        status: row.status.parse()?,
        direction: row.sync_direction.parse()?,
        frequency: row.sync_frequency.parse()?,
        schedule: row.schedule.map(serde_json::from_value).transpose()?,
        entities,
        policy: row.conflict_resolution.parse()?,
        options: serde_json::from_value(row.options)?,
        rules: row.sync_rules.map(serde_json::from_value).transpose()?.unwrap_or_default(),
        time_zone: row.time_zone,
        crm_user: row.oauth_user_id,
        clock_skew_ms: row.clock_skew_ms,
        org_calls: row.org_calls_used.zip(row.org_calls_allowed),
        limited_until: row.limited_until,
        set_up: row.setup_completed_at.is_some(),
    }))
}

/// The mappings of one entity that are not suspended, with their rules.
pub async fn mappings(tx: &mut WorkspaceTx, config_id: Uuid, entity: Entity) -> Result<Vec<StoredMapping>, StoreError> {
    let workspace_id = tx.workspace_id();
    let rows = sqlx::query!(
        r#"SELECT m.id, m.app_field, m.crm_field, m.sync_direction, m.transform_function, m.value_map, r.rule AS "rule?"
         FROM crm_field_mappings m LEFT JOIN crm_field_rules r
           ON r.workspace_id = m.workspace_id AND r.config_id = m.config_id AND r.entity_type = m.entity_type
           AND r.app_field = m.app_field
         WHERE m.workspace_id = $1 AND m.config_id = $2 AND m.entity_type = $3
         ORDER BY m.app_field"#,
        workspace_id,
        config_id,
        entity.as_str()
    )
    .fetch_all(tx.connection())
    .await?;
    rows.into_iter()
        .map(|row| {
            Ok(StoredMapping {
                id: row.id,
                app_field: row.app_field,
                crm_field: row.crm_field,
                direction: row.sync_direction.parse()?,
                transform: row.transform_function.filter(|script| !script.trim().is_empty()),
                value_map: row.value_map.map(serde_json::from_value).transpose()?.unwrap_or_default(),
                rule: row.rule.map(|rule| rule.parse()).transpose()?,
            })
        })
        .collect()
}

/// Marks mappings whose CRM field the describe no longer shows, and frees those that it shows again.
pub async fn suspend_unseen_mappings(
    tx: &mut WorkspaceTx,
    config_id: Uuid,
    entity: Entity,
    seen_fields: &[String],
) -> Result<(), StoreError> {
    let workspace_id = tx.workspace_id();
    sqlx::query!(
        "UPDATE crm_field_mappings SET suspended_reason =
           CASE WHEN crm_field = ANY ($4) THEN NULL
                ELSE 'The CRM no longer shows this field to the connected user. Give the user access to it, or map another field.' END
         WHERE workspace_id = $1 AND config_id = $2 AND entity_type = $3
           AND (suspended_reason IS NULL) <> (crm_field = ANY ($4))",
        workspace_id,
        config_id,
        entity.as_str(),
        seen_fields
    )
    .execute(tx.connection())
    .await?;
    Ok(())
}

/// The CRM's description of one entity as last fetched, and when.
pub async fn description(
    tx: &mut WorkspaceTx,
    config_id: Uuid,
    entity: Entity,
) -> Result<Option<(serde_json::Value, DateTime<Utc>)>, StoreError> {
    let workspace_id = tx.workspace_id();
    let row = sqlx::query!(
        "SELECT description, fetched_at FROM crm_descriptions
         WHERE workspace_id = $1 AND config_id = $2 AND entity_type = $3",
        workspace_id,
        config_id,
        entity.as_str()
    )
    .fetch_optional(tx.connection())
    .await?;
    Ok(row.map(|row| (row.description, row.fetched_at)))
}

/// Lets every entity of a connection be described anew.
pub async fn forget_descriptions(tx: &mut WorkspaceTx, config_id: Uuid) -> Result<(), StoreError> {
    let workspace_id = tx.workspace_id();
    sqlx::query!("DELETE FROM crm_descriptions WHERE workspace_id = $1 AND config_id = $2", workspace_id, config_id)
        .execute(tx.connection())
        .await?;
    Ok(())
}

/// Stores the CRM's description of one entity.
pub async fn store_description(
    tx: &mut WorkspaceTx,
    config_id: Uuid,
    entity: Entity,
    description: serde_json::Value,
) -> Result<(), StoreError> {
    let (workspace_id, now) = (tx.workspace_id(), tx.now());
    sqlx::query!(
        "INSERT INTO crm_descriptions (workspace_id, config_id, entity_type, description, fetched_at)
         VALUES ($1, $2, $3, $4, $5)
         ON CONFLICT (workspace_id, config_id, entity_type) DO UPDATE SET description = $4, fetched_at = $5",
        workspace_id,
        config_id,
        entity.as_str(),
        description,
        now
    )
    .execute(tx.connection())
    .await?;
    Ok(())
}

/// Where the reading of an entity stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Cursor {
    /// Everything before has been read.
    pub read_until: Option<DateTime<Utc>>,
    /// What the last full read covered.
    pub covers: Option<String>,
    /// When the CRM's index was last given a second look, by its distance in seconds: epoch milliseconds.
    pub looked_back: BTreeMap<String, i64>,
    /// When the CRM's list of deletions was last read to its end.
    pub deletions_read_at: Option<DateTime<Utc>>,
    /// When both sides were last compared in full.
    pub compared_at: Option<DateTime<Utc>>,
}

/// What a run has read of an entity.
#[derive(Debug, Clone, Copy)]
pub struct HasRead<'a> {
    /// Everything before.
    pub until: DateTime<Utc>,
    /// What the reading covered.
    pub covers: &'a str,
    /// Second looks that it took.
    pub looked_back: &'a BTreeMap<String, i64>,
    /// The CRM's list of deletions was read to its end.
    pub deletions_listed: bool,
    /// Both sides were compared in full.
    pub compared: bool,
}

/// Reads the cursor of one entity.
pub async fn cursor(tx: &mut WorkspaceTx, config_id: Uuid, entity: Entity) -> Result<Option<Cursor>, StoreError> {
    let workspace_id = tx.workspace_id();
    let row = sqlx::query!(
        r#"SELECT read_until, covers, looked_back AS "looked_back: Json<BTreeMap<String, i64>>", deletions_read_at, compared_at
         FROM crm_cursors WHERE workspace_id = $1 AND config_id = $2 AND entity_type = $3"#,
        workspace_id,
        config_id,
        entity.as_str()
    )
    .fetch_optional(tx.connection())
    .await?;
    Ok(row.map(|row| Cursor {
        read_until: row.read_until,
        covers: row.covers,
        looked_back: row.looked_back.0,
        deletions_read_at: row.deletions_read_at,
        compared_at: row.compared_at,
    }))
}

/// Moves the cursor of one entity.
pub async fn move_cursor(
    tx: &mut WorkspaceTx,
    config_id: Uuid,
    entity: Entity,
    read: &HasRead<'_>,
) -> Result<(), StoreError> {
    let (workspace_id, now) = (tx.workspace_id(), tx.now());
    sqlx::query!(
        "INSERT INTO crm_cursors AS c (workspace_id, config_id, entity_type, read_until, covers, looked_back, deletions_read_at,
           compared_at)
         VALUES ($1, $2, $3, $4, $5, $6, CASE WHEN $7 THEN $9::timestamptz END, CASE WHEN $8 THEN $9::timestamptz END)
         ON CONFLICT (workspace_id, config_id, entity_type) DO UPDATE SET read_until = $4, covers = $5,
           looked_back = c.looked_back || $6, deletions_read_at = coalesce(excluded.deletions_read_at, c.deletions_read_at),
           compared_at = coalesce(excluded.compared_at, c.compared_at)",
        workspace_id,
        config_id,
        entity.as_str(),
        read.until,
        read.covers,
        Json(read.looked_back) as _,
        read.deletions_listed,
        read.compared,
        now
    )
    .execute(tx.connection())
    .await?;
    Ok(())
}

/// Adds calls made to the connection's day and notes what the CRM said about its own.
pub async fn note_calls(
    tx: &mut WorkspaceTx,
    config_id: Uuid,
    calls: i64,
    org: Option<(i64, i64)>,
    clock_skew_ms: i64,
) -> Result<(), StoreError> {
    let (workspace_id, now) = (tx.workspace_id(), tx.now());
    sqlx::query!(
        "UPDATE crm_sync_configs SET
           calls_today = CASE WHEN calls_day = $3::date THEN calls_today ELSE 0 END + $4, calls_day = $3::date,
           org_calls_used = coalesce($5, org_calls_used), org_calls_allowed = coalesce($6, org_calls_allowed),
           clock_skew_ms = $7
         WHERE workspace_id = $1 AND id = $2",
        workspace_id,
        config_id,
        now.date_naive(),
        calls,
        org.map(|(used, _)| used),
        org.map(|(_, allowed)| allowed),
        clock_skew_ms
    )
    .execute(tx.connection())
    .await?;
    Ok(())
}

/// How a run's end leaves its connection.
#[derive(Debug, Clone)]
pub struct SyncEnd<'a> {
    /// `success`, `partial` or `failed`.
    pub status: &'a str,
    /// Sentence for people, where something stopped.
    pub error: Option<&'a str>,
    /// When it runs next by itself.
    pub next_sync_at: Option<DateTime<Utc>>,
}

/// Notes a run's end on its connection.
pub async fn note_sync_end(tx: &mut WorkspaceTx, config_id: Uuid, end: &SyncEnd<'_>) -> Result<(), StoreError> {
    let (workspace_id, now) = (tx.workspace_id(), tx.now());
    sqlx::query!(
        "UPDATE crm_sync_configs SET last_sync_at = $3, last_sync_status = $4, last_sync_error = $5, next_sync_at = $6
         WHERE workspace_id = $1 AND id = $2",
        workspace_id,
        config_id,
        now,
        end.status,
        end.error,
        end.next_sync_at
    )
    .execute(tx.connection())
    .await?;
    Ok(())
}

/// Moves the next run of a connection.
pub async fn set_next_sync(
    tx: &mut WorkspaceTx,
    config_id: Uuid,
    next_sync_at: Option<DateTime<Utc>>,
) -> Result<(), StoreError> {
    let workspace_id = tx.workspace_id();
    sqlx::query!(
        "UPDATE crm_sync_configs SET next_sync_at = $3 WHERE workspace_id = $1 AND id = $2",
        workspace_id,
        config_id,
        next_sync_at
    )
    .execute(tx.connection())
    .await?;
    Ok(())
}

/// Set-up counts as complete from the first run that anybody starts.
pub async fn complete_set_up(tx: &mut WorkspaceTx, config_id: Uuid) -> Result<(), StoreError> {
    let (workspace_id, now) = (tx.workspace_id(), tx.now());
    sqlx::query!(
        "UPDATE crm_sync_configs SET setup_completed_at = $3
         WHERE workspace_id = $1 AND id = $2 AND setup_completed_at IS NULL",
        workspace_id,
        config_id,
        now
    )
    .execute(tx.connection())
    .await?;
    Ok(())
}

/// Puts a connection into `error` with a sentence for people.
pub async fn mark_error(tx: &mut WorkspaceTx, config_id: Uuid, sentence: &str) -> Result<(), StoreError> {
    let workspace_id = tx.workspace_id();
    sqlx::query!(
        "UPDATE crm_sync_configs SET status = 'error', last_sync_error = $3, next_sync_at = NULL
         WHERE workspace_id = $1 AND id = $2 AND status IN ('connected', 'paused', 'error')",
        workspace_id,
        config_id,
        sentence
    )
    .execute(tx.connection())
    .await?;
    Ok(())
}

/// No call before this instant.
pub async fn limit_until(tx: &mut WorkspaceTx, config_id: Uuid, until: DateTime<Utc>) -> Result<(), StoreError> {
    let workspace_id = tx.workspace_id();
    sqlx::query!(
        "UPDATE crm_sync_configs SET limited_until = $3 WHERE workspace_id = $1 AND id = $2",
        workspace_id,
        config_id,
        until
    )
    .execute(tx.connection())
    .await?;
    Ok(())
}
