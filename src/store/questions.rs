//! Conflicts as the engine raises, renews and closes them. What people do with them is in `conflicts`.

use std::collections::HashSet;

use sqlx::types::Json;
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

/// Raises conflicts, or renews the pending ones of the same pairs; a renewal that changes anything raises the version.
/// Returns how many are new, and how many of them all are settled.
pub async fn raise(
    tx: &mut WorkspaceTx,
    config_id: Uuid,
    run_id: Uuid,
    entity: Entity,
    questions: &[Question],
) -> Result<(i64, i64), StoreError> {
    let mut new = 0;
    let mut rest = questions;
    while !rest.is_empty() {
        // One statement cannot renew what it raises: a pair that is asked about twice begins the next.
        let mut pairs = HashSet::new();
        let repeated = |question: &Question| {
            !question.settled && !pairs.insert((question.record_id, question.crm_record_id.clone()))
        };
        let (together, others) = rest.split_at(rest.iter().position(repeated).unwrap_or(rest.len()));
        new += raise_together(tx, config_id, run_id, entity, together).await?;
        rest = others;
    }
    Ok((new, questions.iter().map(|question| i64::from(question.settled)).sum()))
}

async fn raise_together(
    tx: &mut WorkspaceTx,
    config_id: Uuid,
    run_id: Uuid,
    entity: Entity,
    questions: &[Question],
) -> Result<i64, StoreError> {
    let (workspace_id, now) = (tx.workspace_id(), tx.now());
    let link_ids: Vec<Option<Uuid>> = questions.iter().map(|question| question.link_id).collect();
    let kinds: Vec<&str> = questions.iter().map(|question| question.kind.as_str()).collect();
    let record_ids: Vec<Option<Uuid>> = questions.iter().map(|question| question.record_id).collect();
    let crm_record_ids: Vec<Option<&str>> =
        questions.iter().map(|question| question.crm_record_id.as_deref()).collect();
    let app: Vec<Json<_>> = questions.iter().map(|question| Json(&question.app)).collect();
    let crm: Vec<Json<_>> = questions.iter().map(|question| Json(&question.crm)).collect();
    let base: Vec<Json<_>> = questions.iter().map(|question| Json(&question.base)).collect();
    let crm_raw: Vec<Json<_>> = questions.iter().map(|question| Json(&question.crm_raw)).collect();
    let fields: Vec<Json<_>> = questions.iter().map(|question| Json(&question.fields)).collect();
    let settled: Vec<bool> = questions.iter().map(|question| question.settled).collect();
    tx.begin_inserts().await?;
    let are_new = sqlx::query_scalar!(
        r#"INSERT INTO crm_sync_conflicts AS c (workspace_id, config_id, run_id, link_id, kind, entity_type, entity_id,
             crm_record_id, app_data, crm_data, base_data, crm_raw, conflicting_fields, status, resolution_strategy,
             resolved_at, detected_at, updated_at)
           SELECT $1, $2, $3, r.link_id, r.kind, $4, r.record_id, r.crm_record_id, r.app, r.crm, r.base, r.crm_raw,
             ARRAY(SELECT jsonb_array_elements_text(r.fields)), CASE WHEN r.settled THEN 'resolved' ELSE 'pending' END,
             CASE WHEN r.settled THEN $5 END, CASE WHEN r.settled THEN $6::timestamptz END, $6, $6
           FROM unnest($7::uuid[], $8::text[], $9::uuid[], $10::text[], $11::jsonb[], $12::jsonb[], $13::jsonb[], $14::jsonb[],
             $15::jsonb[], $16::boolean[])
             AS r (link_id, kind, record_id, crm_record_id, app, crm, base, crm_raw, fields, settled)
           ON CONFLICT (workspace_id, config_id, entity_type, entity_id, crm_record_id) WHERE status = 'pending' DO UPDATE SET
             version = c.version + CASE WHEN (c.app_data, c.crm_raw, c.conflicting_fields)
                       IS DISTINCT FROM (excluded.app_data, excluded.crm_raw, excluded.conflicting_fields) THEN 1 ELSE 0 END,
             updated_at = CASE WHEN (c.app_data, c.crm_raw, c.conflicting_fields)
                       IS DISTINCT FROM (excluded.app_data, excluded.crm_raw, excluded.conflicting_fields)
                       THEN excluded.updated_at ELSE c.updated_at END,
             app_data = excluded.app_data, crm_data = excluded.crm_data, base_data = excluded.base_data,
             crm_raw = excluded.crm_raw, conflicting_fields = excluded.conflicting_fields, kind = excluded.kind,
             link_id = excluded.link_id
           RETURNING (xmax = 0) AS "is_new!""#,
        workspace_id,
        config_id,
        run_id,
        entity.as_str(),
        ResolutionStrategy::Rule.as_str(),
        now,
        &link_ids as _,
        &kinds as _,
        &record_ids as _,
        &crm_record_ids as _,
        &app as _,
        &crm as _,
        &base as _,
        &crm_raw as _,
        &fields as _,
        &settled
    )
    .fetch_all(tx.connection())
    .await?;
    tx.end_inserts().await?;
    Ok(are_new.iter().map(|is_new| i64::from(*is_new)).sum())
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
