//! What is known about a record beside its own row: its ties to CRM records.

use uuid::Uuid;

use super::{StoreError, WorkspaceTx};
use crate::model::{Entity, LinkState, Provider};

/// A record's tie to a CRM record.
#[derive(Debug, Clone)]
pub struct StoredRecordLink {
    /// The app record.
    pub record_id: Uuid,
    /// The connection.
    pub config_id: Uuid,
    /// Its CRM.
    pub provider: Provider,
    /// The CRM record.
    pub crm_record_id: Option<String>,
    /// State of the link.
    pub state: LinkState,
}

/// The ties of these records to CRM records, oldest first.
pub async fn links(
    tx: &mut WorkspaceTx,
    entity: Entity,
    record_ids: &[Uuid],
) -> Result<Vec<StoredRecordLink>, StoreError> {
    let workspace_id = tx.workspace_id();
    let rows = sqlx::query!(
        r#"SELECT l.record_id AS "record_id!", l.config_id, c.crm_provider, l.crm_record_id, l.state
           FROM crm_record_links l JOIN crm_sync_configs c ON c.workspace_id = l.workspace_id AND c.id = l.config_id
           WHERE l.workspace_id = $1 AND l.entity_type = $2 AND l.record_id = ANY ($3)
           ORDER BY l.created_at, l.id"#,
        workspace_id,
        entity.as_str(),
        record_ids
    )
    .fetch_all(tx.connection())
    .await?;
    rows.into_iter()
        .map(|row| {
            Ok(StoredRecordLink {
                record_id: row.record_id,
                config_id: row.config_id,
                provider: row.crm_provider.parse()?,
                crm_record_id: row.crm_record_id,
                state: row.state.parse()?,
            })
        })
        .collect()
}
