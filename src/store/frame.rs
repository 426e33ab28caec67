//! What the frame around every screen asks for.

use super::{StoreError, WorkspaceTx};
use crate::model::Provider;

/// A run that is on.
#[derive(Debug, Clone)]
pub struct RunningRun {
    /// Its CRM.
    pub provider: Provider,
    /// `{ direction, entityType, stage, processed, total }`.
    pub progress: serde_json::Value,
}

/// How many conflicts of the workspace wait.
pub async fn conflicts_waiting(tx: &mut WorkspaceTx) -> Result<i64, StoreError> {
    let workspace_id = tx.workspace_id();
    Ok(sqlx::query_scalar!(
        r#"SELECT count(*) AS "count!" FROM crm_sync_conflicts WHERE workspace_id = $1 AND status = 'pending'"#,
        workspace_id
    )
    .fetch_one(tx.connection())
    .await?)
}

/// The run of the workspace that began last and is on.
pub async fn running_run(tx: &mut WorkspaceTx) -> Result<Option<RunningRun>, StoreError> {
    let workspace_id = tx.workspace_id();
    let row = sqlx::query!(
        "SELECT c.crm_provider, r.progress FROM crm_sync_runs r
         JOIN crm_sync_configs c ON c.workspace_id = r.workspace_id AND c.id = r.config_id
         WHERE r.workspace_id = $1 AND r.state = 'running' ORDER BY r.started_at DESC NULLS LAST LIMIT 1",
        workspace_id
    )
    .fetch_optional(tx.connection())
    .await?;
    row.map(|row| Ok(RunningRun { provider: row.crm_provider.parse()?, progress: row.progress })).transpose()
}
