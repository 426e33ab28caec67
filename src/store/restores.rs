//! Whether the database was restored since the last run of a connection (`sync.md`, "Guards").

use uuid::Uuid;

use super::{StoreError, WorkspaceTx};

/// The cluster and the timeline of the database; `None` where its host lets nobody ask.
async fn history(tx: &mut WorkspaceTx) -> Result<Option<String>, StoreError> {
    let may_ask = sqlx::query_scalar!(
        r#"SELECT has_function_privilege('pg_control_system()', 'execute')
             AND has_function_privilege('pg_control_checkpoint()', 'execute') AS "may_ask!""#
    )
    .fetch_one(tx.connection())
    .await?;
    if !may_ask {
        return Ok(None);
    }
    let history = sqlx::query_scalar!(
        r#"SELECT s.system_identifier || '/' || c.timeline_id AS "history!"
           FROM pg_control_system() s, pg_control_checkpoint() c"#
    );
    Ok(Some(history.fetch_one(tx.connection()).await?))
}

/// Makes a run wary that is the first since the database was restored.
pub async fn begin_run(tx: &mut WorkspaceTx, config_id: Uuid, run_id: Uuid) -> Result<(), StoreError> {
    let workspace_id = tx.workspace_id();
    let now = history(tx).await?;
    sqlx::query!(
        "UPDATE crm_sync_runs r SET is_wary = true FROM crm_sync_configs c
         WHERE r.workspace_id = $1 AND r.id = $3 AND c.workspace_id = $1 AND c.id = $2
           AND (c.database_history = '' OR c.database_history <> coalesce($4, c.database_history))",
        workspace_id,
        config_id,
        run_id,
        now
    )
    .execute(tx.connection())
    .await?;
    Ok(())
}

/// A run has done what it may: the next is wary only if the database is restored again.
pub async fn end_run(tx: &mut WorkspaceTx, config_id: Uuid) -> Result<(), StoreError> {
    let workspace_id = tx.workspace_id();
    let now = history(tx).await?;
    sqlx::query!(
        "UPDATE crm_sync_configs SET database_history = $3
         WHERE workspace_id = $1 AND id = $2 AND database_history IS DISTINCT FROM $3",
        workspace_id,
        config_id,
        now
    )
    .execute(tx.connection())
    .await?;
    Ok(())
}

/// An operator says that the database was restored. Returns the number of connections.
pub async fn note(tx: &mut WorkspaceTx) -> Result<u64, StoreError> {
    let workspace_id = tx.workspace_id();
    Ok(sqlx::query!("UPDATE crm_sync_configs SET database_history = '' WHERE workspace_id = $1", workspace_id)
        .execute(tx.connection())
        .await?
        .rows_affected())
}
