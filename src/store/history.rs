//! What the screens of logs and conflicts ask for beside their rows: names of connections and people.

use uuid::Uuid;

use super::{StoreError, WorkspaceTx};
use crate::model::{Entity, Environment, LogDirection, Provider};

/// The workspace's connections, oldest first.
pub async fn connections(tx: &mut WorkspaceTx) -> Result<Vec<(Uuid, Provider)>, StoreError> {
    let workspace_id = tx.workspace_id();
    let rows = sqlx::query!(
        "SELECT id, crm_provider FROM crm_sync_configs WHERE workspace_id = $1 ORDER BY created_at, id",
        workspace_id
    )
    .fetch_all(tx.connection())
    .await?;
    rows.into_iter().map(|row| Ok((row.id, row.crm_provider.parse()?))).collect()
}

/// The CRM of a connection, its world, and its address, where known.
pub async fn crm_of(
    tx: &mut WorkspaceTx,
    config_id: Uuid,
) -> Result<Option<(Provider, Environment, Option<String>)>, StoreError> {
    let workspace_id = tx.workspace_id();
    let row = sqlx::query!(
        "SELECT crm_provider, environment, oauth_instance_url FROM crm_sync_configs WHERE workspace_id = $1 AND id = $2",
        workspace_id,
        config_id
    )
    .fetch_optional(tx.connection())
    .await?;
    row.map(|row| Ok((row.crm_provider.parse()?, row.environment.parse()?, row.oauth_instance_url))).transpose()
}

/// The name of the person who asked for a run, if one did.
pub async fn person_of_run(tx: &mut WorkspaceTx, run_id: Uuid) -> Result<Option<String>, StoreError> {
    let workspace_id = tx.workspace_id();
    Ok(sqlx::query_scalar!(
        "SELECT u.name FROM crm_sync_runs r JOIN auth.users u ON u.id = r.requested_by
         WHERE r.workspace_id = $1 AND r.id = $2",
        workspace_id,
        run_id
    )
    .fetch_optional(tx.connection())
    .await?)
}

/// The name of a member.
pub async fn person(tx: &mut WorkspaceTx, user_id: Uuid) -> Result<Option<String>, StoreError> {
    Ok(sqlx::query_scalar!("SELECT name FROM auth.users WHERE id = $1", user_id)
        .fetch_optional(tx.connection())
        .await?)
}

/// The logs of a run: id, direction, entity, in order.
pub async fn logs_of_run(tx: &mut WorkspaceTx, run_id: Uuid) -> Result<Vec<(Uuid, LogDirection, Entity)>, StoreError> {
    let workspace_id = tx.workspace_id();
    let rows = sqlx::query!(
        "SELECT id, sync_direction, entity_type FROM crm_sync_logs WHERE workspace_id = $1 AND run_id = $2
         ORDER BY started_at, sync_direction, id",
        workspace_id,
        run_id
    )
    .fetch_all(tx.connection())
    .await?;
    rows.into_iter().map(|row| Ok((row.id, row.sync_direction.parse()?, row.entity_type.parse()?))).collect()
}
