//! Edits in the app that wait for a run, and CRM records that wait for their partner.

use chrono::{DateTime, Utc};
use sqlx::types::Json;
use uuid::Uuid;

use super::{StoreError, WorkspaceTx};
use crate::model::Entity;

/// What waits for one app record.
#[derive(Debug, Clone)]
pub struct PendingRecord {
    /// The record.
    pub record_id: Uuid,
    /// Exactly these rows are removed with the outcome; a later one stays.
    pub change_ids: Vec<i64>,
    /// The row was deleted by a plain DELETE.
    pub deleted: bool,
    /// When the newest of them happened.
    pub changed_at: Option<DateTime<Utc>>,
}

/// The next records with edits that wait, or links that are due, in id order after `after`.
pub async fn next(
    tx: &mut WorkspaceTx,
    config_id: Uuid,
    entity: Entity,
    after: Option<Uuid>,
    most: i64,
) -> Result<Vec<PendingRecord>, StoreError> {
    let workspace_id = tx.workspace_id();
    let rows = sqlx::query!(
        r#"SELECT waiting.record_id AS "record_id!", coalesce(changes.ids, '{}') AS "change_ids!", changes.deleted,
                  changes.changed_at
           FROM (
             (SELECT DISTINCT record_id FROM crm_pending_changes
              WHERE workspace_id = $1 AND config_id = $2 AND entity_type = $3 AND record_id > $4 ORDER BY record_id LIMIT $5)
             UNION
             (SELECT record_id FROM crm_record_links
              WHERE workspace_id = $1 AND config_id = $2 AND entity_type = $3 AND due AND state IN ('linked', 'creating', 'not_visible')
                AND record_id > $4 ORDER BY record_id LIMIT $5)
             ORDER BY record_id LIMIT $5
           ) waiting
           CROSS JOIN LATERAL (
             SELECT array_agg(id) AS ids, bool_or(action = 'delete') AS deleted, max(changed_at) AS changed_at
             FROM crm_pending_changes
             WHERE workspace_id = $1 AND config_id = $2 AND entity_type = $3 AND record_id = waiting.record_id
           ) changes
           ORDER BY waiting.record_id"#,
        workspace_id,
        config_id,
        entity.as_str(),
        after.unwrap_or_default(),
        most
    )
    .fetch_all(tx.connection())
    .await?;
    Ok(rows
        .into_iter()
        .map(|row| PendingRecord {
            record_id: row.record_id,
            change_ids: row.change_ids,
            deleted: row.deleted.unwrap_or_default(),
            changed_at: row.changed_at,
        })
        .collect())
}

/// The edits that wait for these records.
pub async fn of_records(
    tx: &mut WorkspaceTx,
    config_id: Uuid,
    entity: Entity,
    record_ids: &[Uuid],
) -> Result<Vec<PendingRecord>, StoreError> {
    let workspace_id = tx.workspace_id();
    let rows = sqlx::query!(
        r#"SELECT record_id, array_agg(id) AS "change_ids!", bool_or(action = 'delete') AS "deleted!", max(changed_at) AS changed_at
           FROM crm_pending_changes
           WHERE workspace_id = $1 AND config_id = $2 AND entity_type = $3 AND record_id = ANY ($4) GROUP BY record_id"#,
        workspace_id,
        config_id,
        entity.as_str(),
        record_ids
    )
    .fetch_all(tx.connection())
    .await?;
    Ok(rows
        .into_iter()
        .map(|row| PendingRecord {
            record_id: row.record_id,
            change_ids: row.change_ids,
            deleted: row.deleted,
            changed_at: row.changed_at,
        })
        .collect())
}

/// Number of records that wait.
pub async fn count(tx: &mut WorkspaceTx, config_id: Uuid, entity: Entity) -> Result<i64, StoreError> {
    let workspace_id = tx.workspace_id();
    Ok(sqlx::query_scalar!(
        r#"SELECT count(DISTINCT record_id) AS "count!" FROM crm_pending_changes
           WHERE workspace_id = $1 AND config_id = $2 AND entity_type = $3"#,
        workspace_id,
        config_id,
        entity.as_str()
    )
    .fetch_one(tx.connection())
    .await?)
}

/// Removes exactly these rows.
pub async fn remove(tx: &mut WorkspaceTx, change_ids: &[i64]) -> Result<(), StoreError> {
    if change_ids.is_empty() {
        return Ok(());
    }
    let workspace_id = tx.workspace_id();
    sqlx::query!("DELETE FROM crm_pending_changes WHERE workspace_id = $1 AND id = ANY ($2)", workspace_id, change_ids)
        .execute(tx.connection())
        .await?;
    Ok(())
}

/// Lets every app record without a link of the connection wait once: a first look at what was there before it.
pub async fn first_look(tx: &mut WorkspaceTx, config_id: Uuid, entity: Entity) -> Result<u64, StoreError> {
    let (workspace_id, now) = (tx.workspace_id(), tx.now());
    let table = match entity {
        Entity::Account => "accounts",
        Entity::Contact => "contacts",
        Entity::Opportunity => "opportunities",
    };
    Ok(sqlx::query!(
        "INSERT INTO crm_pending_changes (workspace_id, config_id, entity_type, record_id, action, changed_at)
         SELECT $1, $2, $3, t.id, 'first_look', $5
         FROM (SELECT id FROM accounts WHERE workspace_id = $1 AND deleted_at IS NULL AND $4 = 'accounts'
               UNION ALL SELECT id FROM contacts WHERE workspace_id = $1 AND deleted_at IS NULL AND $4 = 'contacts'
               UNION ALL SELECT id FROM opportunities WHERE workspace_id = $1 AND deleted_at IS NULL AND $4 = 'opportunities') t
         WHERE NOT EXISTS (SELECT FROM crm_record_links l WHERE l.workspace_id = $1 AND l.record_id = t.id
                           AND l.config_id = $2 AND l.state <> 'apart')
           AND NOT EXISTS (SELECT FROM crm_pending_changes p WHERE p.workspace_id = $1 AND p.config_id = $2
                           AND p.entity_type = $3 AND p.record_id = t.id)",
        workspace_id,
        config_id,
        entity.as_str(),
        table,
        now
    )
    .execute(tx.connection())
    .await?
    .rows_affected())
}

/// Marks every linked record of an entity for a merge in this run: what is mapped has changed.
pub async fn mark_links_due(tx: &mut WorkspaceTx, config_id: Uuid, entity: Entity) -> Result<u64, StoreError> {
    let workspace_id = tx.workspace_id();
    Ok(sqlx::query!(
        "UPDATE crm_record_links SET due = true
         WHERE workspace_id = $1 AND config_id = $2 AND entity_type = $3 AND state = 'linked' AND NOT due",
        workspace_id,
        config_id,
        entity.as_str()
    )
    .execute(tx.connection())
    .await?
    .rows_affected())
}

/// A CRM record that waits for its partner.
#[derive(Debug, Clone)]
pub struct MatchCandidate {
    /// The CRM's id.
    pub crm_record_id: String,
    /// Its mapped fields as the CRM stores them, by CRM field.
    pub fields: crate::sync::Record,
    /// The CRM's stamp.
    pub crm_modified_at: DateTime<Utc>,
    /// When a person last changed it in the CRM.
    pub crm_edited_at: DateTime<Utc>,
}

/// Keeps CRM records until the reading is complete; each is among them once.
pub async fn keep_candidates(
    tx: &mut WorkspaceTx,
    config_id: Uuid,
    entity: Entity,
    candidates: &[&MatchCandidate],
) -> Result<(), StoreError> {
    if candidates.is_empty() {
        return Ok(());
    }
    let workspace_id = tx.workspace_id();
    let ids: Vec<&str> = candidates.iter().map(|candidate| candidate.crm_record_id.as_str()).collect();
    let fields: Vec<Json<_>> = candidates.iter().map(|candidate| Json(&candidate.fields)).collect();
    let modified: Vec<DateTime<Utc>> = candidates.iter().map(|candidate| candidate.crm_modified_at).collect();
    let edited: Vec<DateTime<Utc>> = candidates.iter().map(|candidate| candidate.crm_edited_at).collect();
    sqlx::query!(
        "INSERT INTO crm_match_candidates (workspace_id, config_id, entity_type, crm_record_id, fields, crm_modified_at, crm_edited_at)
         SELECT $1, $2, $3, r.* FROM unnest($4::text[], $5::jsonb[], $6::timestamptz[], $7::timestamptz[]) AS r
         ON CONFLICT (workspace_id, config_id, entity_type, crm_record_id) DO UPDATE SET fields = excluded.fields,
           crm_modified_at = excluded.crm_modified_at, crm_edited_at = excluded.crm_edited_at",
        workspace_id,
        config_id,
        entity.as_str(),
        &ids as _,
        &fields as _,
        &modified,
        &edited
    )
    .execute(tx.connection())
    .await?;
    Ok(())
}

/// Every CRM record of an entity that waits for its partner.
pub async fn candidates(
    tx: &mut WorkspaceTx,
    config_id: Uuid,
    entity: Entity,
) -> Result<Vec<MatchCandidate>, StoreError> {
    let workspace_id = tx.workspace_id();
    let rows = sqlx::query!(
        "SELECT crm_record_id, fields, crm_modified_at, crm_edited_at FROM crm_match_candidates
         WHERE workspace_id = $1 AND config_id = $2 AND entity_type = $3 ORDER BY crm_record_id",
        workspace_id,
        config_id,
        entity.as_str()
    )
    .fetch_all(tx.connection())
    .await?;
    rows.into_iter()
        .map(|row| {
            Ok(MatchCandidate {
                crm_record_id: row.crm_record_id,
                fields: serde_json::from_value(row.fields)?,
                crm_modified_at: row.crm_modified_at,
                crm_edited_at: row.crm_edited_at,
            })
        })
        .collect()
}

/// Removes CRM records from the waiting ones.
pub async fn remove_candidates(
    tx: &mut WorkspaceTx,
    config_id: Uuid,
    entity: Entity,
    crm_ids: &[String],
) -> Result<(), StoreError> {
    if crm_ids.is_empty() {
        return Ok(());
    }
    let workspace_id = tx.workspace_id();
    sqlx::query!(
        "DELETE FROM crm_match_candidates
         WHERE workspace_id = $1 AND config_id = $2 AND entity_type = $3 AND crm_record_id = ANY ($4)",
        workspace_id,
        config_id,
        entity.as_str(),
        crm_ids
    )
    .execute(tx.connection())
    .await?;
    Ok(())
}

/// Pairs that a person said are not the same: (CRM id, app record).
pub async fn apart(tx: &mut WorkspaceTx, config_id: Uuid, entity: Entity) -> Result<Vec<(String, Uuid)>, StoreError> {
    let workspace_id = tx.workspace_id();
    let rows = sqlx::query!(
        r#"SELECT crm_record_id AS "crm_record_id!", record_id AS "record_id!" FROM crm_record_links
         WHERE workspace_id = $1 AND config_id = $2 AND entity_type = $3 AND state = 'apart'
           AND crm_record_id IS NOT NULL AND record_id IS NOT NULL"#,
        workspace_id,
        config_id,
        entity.as_str()
    )
    .fetch_all(tx.connection())
    .await?;
    Ok(rows.into_iter().map(|row| (row.crm_record_id, row.record_id)).collect())
}
