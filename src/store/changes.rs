//! The journal: what was written to which record, by which run and rule. A CRM write's row is an intent, made before the call.

use chrono::{DateTime, Utc};
use sqlx::types::Json;
use uuid::Uuid;

use super::{StoreError, WorkspaceTx};
use crate::model::{ChangeAction, Entity, RecordRefusal, Side};
use crate::sync::Value;

/// One field of a journal row.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(into = "StoredFieldChange", from = "StoredFieldChange")]
pub struct FieldChange {
    /// Field name on the side that was written.
    pub field: String,
    /// App field of the mapping.
    pub app_field: String,
    /// Value before.
    pub before: Value,
    /// Value after.
    pub after: Value,
    /// What decided.
    pub rule: String,
    /// The app's value that a CRM write was made from: its base, once the write is known to be applied.
    pub from_app: Option<Value>,
}

/// The same as it is stored. A first load writes a row for every record, most fields of which were empty and have one name:
/// what says nothing is left out.
#[derive(serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "camelCase")]
struct StoredFieldChange {
    app_field: String,
    /// Left out where it is the app field's name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    field: Option<String>,
    /// Left out where it is empty.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    before: Value,
    after: Value,
    rule: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    from_app: Option<Value>,
}

impl From<FieldChange> for StoredFieldChange {
    fn from(change: FieldChange) -> Self {
        let FieldChange { field, app_field, before, after, rule, from_app } = change;
        let field = (field != app_field).then_some(field);
        StoredFieldChange { app_field, field, before, after, rule, from_app }
    }
}

impl From<StoredFieldChange> for FieldChange {
    fn from(stored: StoredFieldChange) -> Self {
        let StoredFieldChange { app_field, field, before, after, rule, from_app } = stored;
        FieldChange { field: field.unwrap_or_else(|| app_field.clone()), app_field, before, after, rule, from_app }
    }
}

/// A journal row to write.
#[derive(Debug, Clone)]
pub struct NewChange {
    /// The link.
    pub link_id: Option<Uuid>,
    /// The app record.
    pub record_id: Option<Uuid>,
    /// The CRM record.
    pub crm_record_id: Option<String>,
    /// The side written.
    pub side: Side,
    /// What was done.
    pub action: ChangeAction,
    /// `done` for the app's side, `sent` for an intent, `refused` for what was not tried.
    pub state: &'static str,
    /// Fields.
    pub fields: Vec<FieldChange>,
    /// Why it was refused.
    pub refusal: Option<RecordRefusal>,
}

/// Adds journal rows of one log; returns their ids in the order of `changes`.
pub async fn add(
    tx: &mut WorkspaceTx,
    config_id: Uuid,
    run_id: Uuid,
    log_id: Uuid,
    entity: Entity,
    changes: &[NewChange],
) -> Result<Vec<i64>, StoreError> {
    if changes.is_empty() {
        return Ok(Vec::new());
    }
    let (workspace_id, now) = (tx.workspace_id(), tx.now());
    let link_ids: Vec<Option<Uuid>> = changes.iter().map(|change| change.link_id).collect();
    let record_ids: Vec<Option<Uuid>> = changes.iter().map(|change| change.record_id).collect();
    let crm_record_ids: Vec<Option<&str>> = changes.iter().map(|change| change.crm_record_id.as_deref()).collect();
    let sides: Vec<&str> = changes.iter().map(|change| change.side.as_str()).collect();
    let actions: Vec<&str> = changes.iter().map(|change| change.action.as_str()).collect();
    let states: Vec<&str> = changes.iter().map(|change| change.state).collect();
    // As text: an array of documents would travel as jsonb, to be taken apart and put together again.
    let fields: Vec<String> =
        changes.iter().map(|change| serde_json::to_string(&change.fields)).collect::<Result<_, _>>()?;
    let refusals: Vec<Option<Json<_>>> = changes.iter().map(|change| change.refusal.as_ref().map(Json)).collect();
    tx.begin_inserts().await?;
    let ids = sqlx::query_scalar!(
        "INSERT INTO crm_sync_changes (workspace_id, config_id, run_id, log_id, entity_type, link_id, record_id, crm_record_id,
           side, action, state, fields, refusal, created_at, settled_at)
         SELECT $1, $2, $3, $4, $5, r.link_id, r.record_id, r.crm_record_id, r.side, r.action, r.state, r.fields::json, r.refusal,
           $6::timestamptz, CASE WHEN r.state IN ('done', 'refused') THEN $6::timestamptz END
         FROM unnest($7::uuid[], $8::uuid[], $9::text[], $10::text[], $11::text[], $12::text[], $13::text[], $14::jsonb[])
           WITH ORDINALITY AS r (link_id, record_id, crm_record_id, side, action, state, fields, refusal, position)
         ORDER BY r.position RETURNING id",
        workspace_id,
        config_id,
        run_id,
        log_id,
        entity.as_str(),
        now,
        &link_ids as _,
        &record_ids as _,
        &crm_record_ids as _,
        &sides as _,
        &actions as _,
        &states as _,
        &fields,
        &refusals as _
    )
    .fetch_all(tx.connection())
    .await?;
    tx.end_inserts().await?;
    Ok(ids)
}

/// How an intent ended.
#[derive(Debug, Clone, serde::Serialize)]
pub struct Settlement {
    /// The journal row.
    pub id: i64,
    /// `done`, `refused` or `unknown`.
    pub state: &'static str,
    /// The CRM's id, once it is known.
    pub crm_record_id: Option<String>,
    /// Why it was refused.
    pub refusal: Option<RecordRefusal>,
}

/// Settles intents.
pub async fn settle(tx: &mut WorkspaceTx, settlements: &[Settlement]) -> Result<(), StoreError> {
    if settlements.is_empty() {
        return Ok(());
    }
    let (workspace_id, now) = (tx.workspace_id(), tx.now());
    sqlx::query!(
        "UPDATE crm_sync_changes c SET state = r.state, crm_record_id = coalesce(r.crm_record_id, c.crm_record_id),
           refusal = nullif(r.refusal, 'null'), settled_at = CASE WHEN r.state <> 'unknown' THEN $3::timestamptz END
         FROM jsonb_to_recordset($2) AS r (id bigint, state text, crm_record_id text, refusal jsonb)
         WHERE c.workspace_id = $1 AND c.id = r.id AND c.state IN ('intended', 'sent', 'unknown')",
        workspace_id,
        Json(settlements) as _,
        now
    )
    .execute(tx.connection())
    .await?;
    Ok(())
}

/// An intent whose outcome is not known.
#[derive(Debug, Clone)]
pub struct OpenIntent {
    /// The journal row.
    pub id: i64,
    /// Entity.
    pub entity: Entity,
    /// The link.
    pub link_id: Option<Uuid>,
    /// The app record.
    pub record_id: Option<Uuid>,
    /// The CRM record, unless it is a create.
    pub crm_record_id: Option<String>,
    /// What was to be done.
    pub action: ChangeAction,
    /// What was sent.
    pub fields: Vec<FieldChange>,
    /// When.
    pub created_at: DateTime<Utc>,
}

/// Intents of a connection that a death or a lost answer left open.
pub async fn open_intents(tx: &mut WorkspaceTx, config_id: Uuid) -> Result<Vec<OpenIntent>, StoreError> {
    let workspace_id = tx.workspace_id();
    let rows = sqlx::query!(
        "SELECT id, entity_type, link_id, record_id, crm_record_id, action, fields, created_at FROM crm_sync_changes
         WHERE workspace_id = $1 AND config_id = $2 AND state IN ('intended', 'sent', 'unknown') ORDER BY id",
        workspace_id,
        config_id
    )
    .fetch_all(tx.connection())
    .await?;
    rows.into_iter()
        .map(|row| {
            Ok(OpenIntent {
                id: row.id,
                entity: row.entity_type.parse()?,
                link_id: row.link_id,
                record_id: row.record_id,
                crm_record_id: row.crm_record_id,
                action: row.action.parse()?,
                fields: serde_json::from_value(row.fields)?,
                created_at: row.created_at,
            })
        })
        .collect()
}

/// Records deleted on one side by the engine since `since`.
pub async fn deletes_since(
    tx: &mut WorkspaceTx,
    config_id: Uuid,
    entity: Entity,
    side: Side,
    since: DateTime<Utc>,
) -> Result<i64, StoreError> {
    let workspace_id = tx.workspace_id();
    Ok(sqlx::query_scalar!(
        r#"SELECT count(*) AS "count!" FROM crm_sync_changes
           WHERE workspace_id = $1 AND config_id = $2 AND entity_type = $3 AND side = $4 AND action = 'delete'
             AND state = 'done' AND created_at >= $5"#,
        workspace_id,
        config_id,
        entity.as_str(),
        side.as_str(),
        since
    )
    .fetch_one(tx.connection())
    .await?)
}
