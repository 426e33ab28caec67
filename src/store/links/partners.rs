//! Who is whose partner: the ids that open links pair.

use std::collections::BTreeMap;

use uuid::Uuid;

use crate::model::Entity;
use crate::store::{StoreError, WorkspaceTx};

/// CRM id of each of these app records, where an open link pairs them.
pub async fn crm_ids_of(
    tx: &mut WorkspaceTx,
    config_id: Uuid,
    entity: Entity,
    record_ids: &[Uuid],
) -> Result<BTreeMap<Uuid, String>, StoreError> {
    let workspace_id = tx.workspace_id();
    let rows = sqlx::query!(
        r#"SELECT record_id AS "record_id!", crm_record_id AS "crm_record_id!" FROM crm_record_links
         WHERE workspace_id = $1 AND config_id = $2 AND entity_type = $3 AND record_id = ANY ($4)
           AND state IN ('linked', 'out_of_scope') AND crm_record_id IS NOT NULL"#,
        workspace_id,
        config_id,
        entity.as_str(),
        record_ids
    )
    .fetch_all(tx.connection())
    .await?;
    Ok(rows.into_iter().map(|row| (row.record_id, row.crm_record_id)).collect())
}

/// App record of each of these CRM records, where an open link pairs them.
pub async fn record_ids_of(
    tx: &mut WorkspaceTx,
    config_id: Uuid,
    entity: Entity,
    crm_ids: &[String],
) -> Result<BTreeMap<String, Uuid>, StoreError> {
    let workspace_id = tx.workspace_id();
    let rows = sqlx::query!(
        r#"SELECT record_id AS "record_id!", crm_record_id AS "crm_record_id!" FROM crm_record_links
         WHERE workspace_id = $1 AND config_id = $2 AND entity_type = $3 AND crm_record_id = ANY ($4)
           AND state IN ('linked', 'out_of_scope') AND record_id IS NOT NULL"#,
        workspace_id,
        config_id,
        entity.as_str(),
        crm_ids
    )
    .fetch_all(tx.connection())
    .await?;
    Ok(rows.into_iter().map(|row| (row.crm_record_id, row.record_id)).collect())
}

/// Number of open links.
pub async fn count_open(tx: &mut WorkspaceTx, config_id: Uuid, entity: Entity) -> Result<i64, StoreError> {
    let workspace_id = tx.workspace_id();
    Ok(sqlx::query_scalar!(
        r#"SELECT count(*) AS "count!" FROM crm_record_links
         WHERE workspace_id = $1 AND config_id = $2 AND entity_type = $3 AND is_open"#,
        workspace_id,
        config_id,
        entity.as_str()
    )
    .fetch_one(tx.connection())
    .await?)
}
