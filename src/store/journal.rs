//! The journal as people read it, and what a retry makes due again. How the engine writes it is in `changes`.

use uuid::Uuid;

use super::changes::FieldChange;
use super::{StoreError, WorkspaceTx};
use crate::model::{ChangeAction, Entity, RecordRefusal, Side};

/// A record that a run could not write.
#[derive(Debug, Clone)]
pub struct Failure {
    /// The link.
    pub link_id: Option<Uuid>,
    /// The app record.
    pub record_id: Option<Uuid>,
    /// The CRM record.
    pub crm_record_id: Option<String>,
    /// Why.
    pub refusal: RecordRefusal,
}

/// The records that a log counts as failed, at most `most` of them.
pub async fn failures(tx: &mut WorkspaceTx, log_id: Uuid, most: i64) -> Result<Vec<Failure>, StoreError> {
    let workspace_id = tx.workspace_id();
    let rows = sqlx::query!(
        r#"SELECT link_id, record_id, crm_record_id, refusal AS "refusal!" FROM crm_sync_changes
           WHERE workspace_id = $1 AND log_id = $2 AND state = 'refused' AND refusal IS NOT NULL ORDER BY id LIMIT $3"#,
        workspace_id,
        log_id,
        most
    )
    .fetch_all(tx.connection())
    .await?;
    rows.into_iter()
        .map(|row| {
            Ok(Failure {
                link_id: row.link_id,
                record_id: row.record_id,
                crm_record_id: row.crm_record_id,
                refusal: serde_json::from_value(row.refusal)?,
            })
        })
        .collect()
}

/// A record that a run wrote.
#[derive(Debug, Clone)]
pub struct Written {
    /// The journal row.
    pub id: i64,
    /// The app record.
    pub record_id: Option<Uuid>,
    /// The CRM record.
    pub crm_record_id: Option<String>,
    /// The side written.
    pub side: Side,
    /// What was done.
    pub action: ChangeAction,
    /// Its fields.
    pub fields: Vec<FieldChange>,
}

/// What a log's run wrote, in order: at most `most` rows after the row `after`.
pub async fn written(tx: &mut WorkspaceTx, log_id: Uuid, after: i64, most: i64) -> Result<Vec<Written>, StoreError> {
    let workspace_id = tx.workspace_id();
    let rows = sqlx::query!(
        "SELECT id, record_id, crm_record_id, side, action, fields FROM crm_sync_changes
         WHERE workspace_id = $1 AND log_id = $2 AND id > $3 AND state = 'done' ORDER BY id LIMIT $4",
        workspace_id,
        log_id,
        after,
        most
    )
    .fetch_all(tx.connection())
    .await?;
    rows.into_iter()
        .map(|row| {
            Ok(Written {
                id: row.id,
                record_id: row.record_id,
                crm_record_id: row.crm_record_id,
                side: row.side.parse()?,
                action: row.action.parse()?,
                fields: serde_json::from_value(row.fields)?,
            })
        })
        .collect()
}

/// Makes the links due that a log counts as failed and that still are; returns how many.
pub async fn retry_failed(tx: &mut WorkspaceTx, log_id: Uuid, entity: Entity) -> Result<u64, StoreError> {
    let (workspace_id, now) = (tx.workspace_id(), tx.now());
    Ok(sqlx::query!(
        "UPDATE crm_record_links l SET due = true, held_fields = '{}', updated_at = $4
         WHERE l.workspace_id = $1 AND l.entity_type = $3 AND l.failure IS NOT NULL
           AND l.state IN ('linked', 'creating', 'not_visible')
           AND l.id IN (SELECT c.link_id FROM crm_sync_changes c
                        WHERE c.workspace_id = $1 AND c.log_id = $2 AND c.state = 'refused' AND c.link_id IS NOT NULL)",
        workspace_id,
        log_id,
        entity.as_str(),
        now
    )
    .execute(tx.connection())
    .await?
    .rows_affected())
}

/// How many records a log's run wrote.
pub async fn count_written(tx: &mut WorkspaceTx, log_id: Uuid) -> Result<i64, StoreError> {
    let workspace_id = tx.workspace_id();
    Ok(sqlx::query_scalar!(
        r#"SELECT count(*) AS "count!" FROM crm_sync_changes WHERE workspace_id = $1 AND log_id = $2 AND state = 'done'"#,
        workspace_id,
        log_id
    )
    .fetch_one(tx.connection())
    .await?)
}
