//! Conflicts as the engine raises, renews and closes them. What people do with them is in `conflicts`.

use uuid::Uuid;

use super::{StoreError, WorkspaceTx};
use crate::model::{ConflictKind, Entity, ResolutionStrategy};
use crate::sync::Record;

/// A conflict to raise or renew.
#[derive(Debug, Clone)]
pub struct Question {
    /// What it asks.
    pub kind: ConflictKind,
    /// The link, unless there is none yet.
    pub link_id: Option<Uuid>,
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
    /// Settled by policy or rule: stored as resolved.
    pub settled: bool,
}

/// Raises a conflict, or renews the pending one of the same pair; a renewal that changes anything raises its version.
/// Returns its id and whether it is new.
pub async fn raise(
    tx: &mut WorkspaceTx,
    config_id: Uuid,
    run_id: Uuid,
    entity: Entity,
    question: &Question,
) -> Result<(Uuid, bool), StoreError> {
    let (workspace_id, now) = (tx.workspace_id(), tx.now());
    let (status, strategy, resolved_at) = if question.settled {
        ("resolved", Some(ResolutionStrategy::Rule.as_str()), Some(now))
    } else {
        ("pending", None, None)
    };
    let row = sqlx::query!(
        r#"INSERT INTO crm_sync_conflicts AS c (workspace_id, config_id, run_id, link_id, kind, entity_type, entity_id,
             crm_record_id, app_data, crm_data, base_data, crm_raw, conflicting_fields, status, resolution_strategy,
             resolved_at, detected_at, updated_at)
           VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $17)
           ON CONFLICT (workspace_id, config_id, entity_type, entity_id, crm_record_id) WHERE status = 'pending' DO UPDATE SET
             version = c.version + CASE WHEN (c.app_data, c.crm_raw, c.conflicting_fields)
                       IS DISTINCT FROM (excluded.app_data, excluded.crm_raw, excluded.conflicting_fields) THEN 1 ELSE 0 END,
             updated_at = CASE WHEN (c.app_data, c.crm_raw, c.conflicting_fields)
                       IS DISTINCT FROM (excluded.app_data, excluded.crm_raw, excluded.conflicting_fields)
                       THEN excluded.updated_at ELSE c.updated_at END,
             app_data = excluded.app_data, crm_data = excluded.crm_data, base_data = excluded.base_data,
             crm_raw = excluded.crm_raw, conflicting_fields = excluded.conflicting_fields, kind = excluded.kind,
             link_id = excluded.link_id
           RETURNING id, (xmax = 0) AS "is_new!""#,
        workspace_id,
        config_id,
        run_id,
        question.link_id,
        question.kind.as_str(),
        entity.as_str(),
        question.record_id,
        question.crm_record_id,
        serde_json::to_value(&question.app)?,
        serde_json::to_value(&question.crm)?,
        serde_json::to_value(&question.base)?,
        serde_json::to_value(&question.crm_raw)?,
        &question.fields,
        status,
        strategy,
        resolved_at,
        now
    )
    .fetch_one(tx.connection())
    .await?;
    Ok((row.id, row.is_new))
}

/// Links of these that have a pending conflict.
pub async fn pending_links(tx: &mut WorkspaceTx, link_ids: &[Uuid]) -> Result<Vec<Uuid>, StoreError> {
    let workspace_id = tx.workspace_id();
    Ok(sqlx::query_scalar!(
        r#"SELECT link_id AS "link_id!" FROM crm_sync_conflicts
           WHERE workspace_id = $1 AND status = 'pending' AND link_id = ANY ($2)"#,
        workspace_id,
        link_ids
    )
    .fetch_all(tx.connection())
    .await?)
}

/// Closes the pending conflicts of links that no longer have one: the sides came to agree.
pub async fn close_converged(tx: &mut WorkspaceTx, link_ids: &[Uuid]) -> Result<u64, StoreError> {
    if link_ids.is_empty() {
        return Ok(0);
    }
    let (workspace_id, now) = (tx.workspace_id(), tx.now());
    Ok(sqlx::query!(
        "UPDATE crm_sync_conflicts SET status = 'resolved', resolution_strategy = 'converged', resolved_at = $3,
           updated_at = $3, version = version + 1
         WHERE workspace_id = $1 AND status = 'pending' AND link_id = ANY ($2)",
        workspace_id,
        link_ids,
        now
    )
    .execute(tx.connection())
    .await?
    .rows_affected())
}

/// App records and CRM records with a pending question whether they are the same.
pub async fn pending_matches(
    tx: &mut WorkspaceTx,
    config_id: Uuid,
    entity: Entity,
) -> Result<Vec<(Option<Uuid>, Option<String>)>, StoreError> {
    let workspace_id = tx.workspace_id();
    let rows = sqlx::query!(
        "SELECT entity_id, crm_record_id FROM crm_sync_conflicts
         WHERE workspace_id = $1 AND config_id = $2 AND entity_type = $3 AND status = 'pending' AND kind = 'match'",
        workspace_id,
        config_id,
        entity.as_str()
    )
    .fetch_all(tx.connection())
    .await?;
    Ok(rows.into_iter().map(|row| (row.entity_id, row.crm_record_id)).collect())
}
