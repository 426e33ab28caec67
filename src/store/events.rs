//! Tells open screens what changed. At most once per transaction: NOTIFY takes a database-wide lock at commit.

use uuid::Uuid;

use super::{StoreError, WorkspaceTx};

/// Announces that `topic` (`run`, `conflict`, `connection`) with this id changed.
pub async fn announce(tx: &mut WorkspaceTx, topic: &str, id: Uuid, config_id: Uuid) -> Result<(), StoreError> {
    let workspace_id = tx.workspace_id();
    sqlx::query!(
        "SELECT pg_notify('crosstie_events', json_build_object('workspaceId', $1::uuid, 'topic', $2::text, 'id', $3::uuid,
           'configId', $4::uuid)::text)",
        workspace_id,
        topic,
        id,
        config_id
    )
    .execute(tx.connection())
    .await?;
    Ok(())
}
