//! Look-ups before the workspace is known, through SECURITY DEFINER functions that return ids only.

use uuid::Uuid;

use super::{StoreError, WorkspaceTx};

/// Connections whose schedule is due: (workspace, connection).
pub async fn due_connections(tx: &mut WorkspaceTx, most: i32) -> Result<Vec<(Uuid, Uuid)>, StoreError> {
    let now = tx.now();
    let rows = sqlx::query!(
        r#"SELECT workspace_id AS "workspace_id!", config_id AS "config_id!" FROM app.lookup_due_connections($1, $2)"#,
        now,
        most
    )
    .fetch_all(tx.connection())
    .await?;
    Ok(rows.into_iter().map(|row| (row.workspace_id, row.config_id)).collect())
}

/// Real-time connections with edits that wait and no open run: (workspace, connection).
pub async fn changed_connections(tx: &mut WorkspaceTx, most: i32) -> Result<Vec<(Uuid, Uuid)>, StoreError> {
    let rows = sqlx::query!(
        r#"SELECT workspace_id AS "workspace_id!", config_id AS "config_id!" FROM app.lookup_changed_connections($1)"#,
        most
    )
    .fetch_all(tx.connection())
    .await?;
    Ok(rows.into_iter().map(|row| (row.workspace_id, row.config_id)).collect())
}
