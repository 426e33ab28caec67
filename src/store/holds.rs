//! What waits for an admin: runs that are held, and the records that each of them is about.

use uuid::Uuid;

use super::runs::StoredRun;
use super::{StoreError, WorkspaceTx, guarded, runs};
use crate::model::{Entity, Side};

/// Notes what an admin is to be asked about when a run has done everything else.
pub async fn note_reason(tx: &mut WorkspaceTx, run_id: Uuid, reason: &serde_json::Value) -> Result<(), StoreError> {
    let workspace_id = tx.workspace_id();
    sqlx::query!(
        "UPDATE crm_sync_runs SET held_reason = $3 WHERE workspace_id = $1 AND id = $2",
        workspace_id,
        run_id,
        reason
    )
    .execute(tx.connection())
    .await?;
    Ok(())
}

/// The connection's run that has waited longest for an admin's decision.
pub async fn undecided(tx: &mut WorkspaceTx, config_id: Uuid) -> Result<Option<StoredRun>, StoreError> {
    let workspace_id = tx.workspace_id();
    let id = sqlx::query_scalar!(
        "SELECT id FROM crm_sync_runs
         WHERE workspace_id = $1 AND config_id = $2 AND state = 'held' AND held_decision IS NULL ORDER BY created_at LIMIT 1",
        workspace_id,
        config_id
    )
    .fetch_optional(tx.connection())
    .await?;
    match id {
        Some(id) => runs::load(tx, id).await,
        None => Ok(None),
    }
}

/// Stops a run for an admin's decision.
pub async fn hold_run(tx: &mut WorkspaceTx, run_id: Uuid, version: i64) -> Result<bool, StoreError> {
    let workspace_id = tx.workspace_id();
    let held = sqlx::query!(
        "UPDATE crm_sync_runs SET version = version + 1, state = 'held', held_decision = NULL
         WHERE workspace_id = $1 AND id = $2 AND version = $3 AND state = 'running'",
        workspace_id,
        run_id,
        version
    )
    .execute(tx.connection())
    .await?
    .rows_affected();
    Ok(held == 1)
}

/// Stores an admin's decision about a held run. `false`: it is not held, or was decided before.
pub async fn decide(tx: &mut WorkspaceTx, run_id: Uuid, decision: &str) -> Result<bool, StoreError> {
    let workspace_id = tx.workspace_id();
    let decided = sqlx::query!(
        "UPDATE crm_sync_runs SET version = version + 1, held_decision = $3
         WHERE workspace_id = $1 AND id = $2 AND state = 'held' AND held_decision IS NULL",
        workspace_id,
        run_id,
        decision
    )
    .execute(tx.connection())
    .await?
    .rows_affected();
    Ok(decided == 1)
}

/// Lets a held run go on that an admin has decided about, unless another run of the connection is on.
pub async fn resume(tx: &mut WorkspaceTx, run_id: Uuid) -> Result<bool, StoreError> {
    let workspace_id = tx.workspace_id();
    let resumed = sqlx::query!(
        "UPDATE crm_sync_runs r SET version = version + 1, state = 'running'
         WHERE workspace_id = $1 AND id = $2 AND state = 'held' AND held_decision IS NOT NULL
           AND NOT EXISTS (SELECT FROM crm_sync_runs o WHERE o.workspace_id = r.workspace_id AND o.config_id = r.config_id
                           AND o.state = 'running')",
        workspace_id,
        run_id
    )
    .execute(tx.connection())
    .await?
    .rows_affected();
    Ok(resumed == 1)
}

/// Keeps the deletes of a side that nobody holds yet for an admin's decision about a run.
pub async fn hold_deletes(
    tx: &mut WorkspaceTx,
    config_id: Uuid,
    entity: Entity,
    side: Side,
    run_id: Uuid,
) -> Result<(), StoreError> {
    let workspace_id = tx.workspace_id();
    sqlx::query!(
        "UPDATE crm_record_links SET held_by = $5
         WHERE workspace_id = $1 AND config_id = $2 AND entity_type = $3 AND pending_delete = $4 AND held_by IS NULL",
        workspace_id,
        config_id,
        entity.as_str(),
        side.as_str(),
        run_id
    )
    .execute(tx.connection())
    .await?;
    Ok(())
}

/// How many deletes and changes a run still holds for an admin's decision.
pub async fn count_held(tx: &mut WorkspaceTx, run_id: Uuid) -> Result<i64, StoreError> {
    let workspace_id = tx.workspace_id();
    let deletes = sqlx::query_scalar!(
        r#"SELECT count(*) AS "count!" FROM crm_record_links WHERE workspace_id = $1 AND held_by = $2"#,
        workspace_id,
        run_id
    )
    .fetch_one(tx.connection())
    .await?;
    let changes: i64 = guarded::count_held(tx, run_id).await?.iter().map(|waiting| waiting.links).sum();
    Ok(deletes + changes)
}

/// Nobody is asked about these records any more.
pub async fn release(tx: &mut WorkspaceTx, run_id: Uuid) -> Result<(), StoreError> {
    let workspace_id = tx.workspace_id();
    sqlx::query!(
        "UPDATE crm_record_links SET held_by = NULL WHERE workspace_id = $1 AND held_by = $2",
        workspace_id,
        run_id
    )
    .execute(tx.connection())
    .await?;
    guarded::release(tx, run_id).await
}

/// An admin rejected the deletes that a run held: the records stay, their links are closed.
pub async fn reject_deletes(tx: &mut WorkspaceTx, run_id: Uuid) -> Result<u64, StoreError> {
    let (workspace_id, now) = (tx.workspace_id(), tx.now());
    Ok(sqlx::query!(
        "UPDATE crm_record_links SET state = CASE pending_delete WHEN 'app' THEN 'gone_crm' ELSE 'gone_app' END,
           pending_delete = NULL, held_by = NULL, updated_at = $3
         WHERE workspace_id = $1 AND held_by = $2 AND pending_delete IS NOT NULL",
        workspace_id,
        run_id,
        now
    )
    .execute(tx.connection())
    .await?
    .rows_affected())
}

/// A field that was written in turns.
#[derive(Debug, Clone)]
pub struct Fight {
    /// Its entity.
    pub entity: Entity,
    /// The link.
    pub link_id: Uuid,
    /// The app field.
    pub app_field: String,
}

/// Fields that the last four runs which wrote anything, this one the latest, wrote A, B, A, B.
pub async fn fights(tx: &mut WorkspaceTx, config_id: Uuid, run_id: Uuid) -> Result<Vec<Fight>, StoreError> {
    let workspace_id = tx.workspace_id();
    let rows = sqlx::query!(
        r#"WITH wrote AS (
             SELECT r.id, r.created_at FROM crm_sync_runs r
             WHERE r.workspace_id = $1 AND r.config_id = $2
               AND EXISTS (SELECT FROM crm_sync_logs l WHERE l.workspace_id = r.workspace_id AND l.run_id = r.id
                           AND l.records_updated > 0)
             ORDER BY r.created_at DESC LIMIT 4),
           written AS (
             SELECT c.entity_type, c.link_id, f.value ->> 'appField' AS app_field, w.created_at,
                    (array_agg(f.value ->> 'after' ORDER BY c.id DESC))[1] AS after
             FROM wrote w JOIN crm_sync_logs l ON l.workspace_id = $1 AND l.run_id = w.id
             JOIN crm_sync_changes c ON c.workspace_id = $1 AND c.log_id = l.id
             CROSS JOIN LATERAL json_array_elements(c.fields) f
             WHERE (SELECT count(*) FROM wrote) = 4 AND EXISTS (SELECT FROM wrote WHERE id = $3)
               AND c.state = 'done' AND c.action = 'update' AND c.link_id IS NOT NULL
               AND f.value ->> 'rule' NOT IN ('person', 'put_back')
             GROUP BY c.entity_type, c.link_id, app_field, w.created_at),
           turns AS (
             SELECT entity_type, link_id, app_field, array_agg(coalesce(after, '') ORDER BY created_at) AS turn
             FROM written GROUP BY entity_type, link_id, app_field HAVING count(*) = 4)
           SELECT entity_type AS "entity_type!", link_id AS "link_id!", app_field AS "app_field!" FROM turns
           WHERE turn[1] = turn[3] AND turn[2] = turn[4] AND turn[1] <> turn[2]"#,
        workspace_id,
        config_id,
        run_id
    )
    .fetch_all(tx.connection())
    .await?;
    rows.into_iter()
        .map(|row| Ok(Fight { entity: row.entity_type.parse()?, link_id: row.link_id, app_field: row.app_field }))
        .collect()
}
