//! Changes that wait on their links because too many records would get them: `crm_record_links.guarded`.

use uuid::Uuid;

use super::{StoreError, WorkspaceTx};
use crate::model::{Entity, Side};

/// Changes of one field that wait.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Waiting {
    /// The entity.
    pub entity: Entity,
    /// The side that would be written.
    pub side: Side,
    /// The app field.
    pub app_field: String,
    /// Links on which they wait.
    pub links: i64,
}

struct WaitingRow {
    entity_type: String,
    side: String,
    app_field: String,
    links: i64,
}

impl WaitingRow {
    fn read(self) -> Result<Waiting, StoreError> {
        let (entity, side) = (self.entity_type.parse()?, self.side.parse()?);
        Ok(Waiting { entity, side, app_field: self.app_field, links: self.links })
    }
}

/// What waits of each field and is not held yet.
pub async fn count(tx: &mut WorkspaceTx, config_id: Uuid) -> Result<Vec<Waiting>, StoreError> {
    let workspace_id = tx.workspace_id();
    let rows = sqlx::query_as!(
        WaitingRow,
        r#"SELECT l.entity_type, g.value ->> 'side' AS "side!", g.key AS "app_field!", count(*) AS "links!"
           FROM crm_record_links l CROSS JOIN LATERAL jsonb_each(l.guarded) g
           WHERE l.workspace_id = $1 AND l.config_id = $2 AND l.guarded <> '{}' AND g.value ->> 'heldBy' IS NULL
           GROUP BY 1, 2, 3 ORDER BY 1, 2, 3"#,
        workspace_id,
        config_id
    )
    .fetch_all(tx.connection())
    .await?;
    rows.into_iter().map(WaitingRow::read).collect()
}

/// What a run holds of each field.
pub async fn count_held(tx: &mut WorkspaceTx, run_id: Uuid) -> Result<Vec<Waiting>, StoreError> {
    let workspace_id = tx.workspace_id();
    let rows = sqlx::query_as!(
        WaitingRow,
        r#"SELECT l.entity_type, g.value ->> 'side' AS "side!", g.key AS "app_field!", count(*) AS "links!"
           FROM crm_record_links l CROSS JOIN LATERAL jsonb_each(l.guarded) g
           WHERE l.workspace_id = $1 AND l.guarded <> '{}' AND g.value ->> 'heldBy' = $2::uuid::text
           GROUP BY 1, 2, 3 ORDER BY 1, 2, 3"#,
        workspace_id,
        run_id
    )
    .fetch_all(tx.connection())
    .await?;
    rows.into_iter().map(WaitingRow::read).collect()
}

/// Keeps what waits of a field for an admin's decision about a run.
pub async fn hold(
    tx: &mut WorkspaceTx,
    config_id: Uuid,
    entity: Entity,
    side: Side,
    app_field: &str,
    run_id: Uuid,
) -> Result<(), StoreError> {
    let workspace_id = tx.workspace_id();
    sqlx::query!(
        "UPDATE crm_record_links SET guarded = jsonb_set(guarded, ARRAY[$5, 'heldBy'], to_jsonb($6::uuid::text))
         WHERE workspace_id = $1 AND config_id = $2 AND entity_type = $3 AND guarded <> '{}'
           AND guarded -> $5 ->> 'side' = $4 AND guarded -> $5 ->> 'heldBy' IS NULL",
        workspace_id,
        config_id,
        entity.as_str(),
        side.as_str(),
        app_field,
        run_id
    )
    .execute(tx.connection())
    .await?;
    Ok(())
}

/// What waits of a field and is not held may go.
pub async fn free(
    tx: &mut WorkspaceTx,
    config_id: Uuid,
    entity: Entity,
    side: Side,
    app_field: &str,
) -> Result<(), StoreError> {
    let workspace_id = tx.workspace_id();
    sqlx::query!(
        "UPDATE crm_record_links SET guarded = guarded - $5::text, due = true
         WHERE workspace_id = $1 AND config_id = $2 AND entity_type = $3 AND guarded <> '{}'
           AND guarded -> $5 ->> 'side' = $4 AND guarded -> $5 ->> 'heldBy' IS NULL",
        workspace_id,
        config_id,
        entity.as_str(),
        side.as_str(),
        app_field
    )
    .execute(tx.connection())
    .await?;
    Ok(())
}

/// What a run holds may go.
pub async fn approve(tx: &mut WorkspaceTx, run_id: Uuid) -> Result<(), StoreError> {
    let workspace_id = tx.workspace_id();
    sqlx::query!(
        "UPDATE crm_record_links SET due = true, guarded = coalesce((SELECT jsonb_object_agg(key, value)
           FROM jsonb_each(guarded) WHERE value ->> 'heldBy' IS DISTINCT FROM $2::uuid::text), '{}')
         WHERE workspace_id = $1 AND guarded <> '{}'
           AND EXISTS (SELECT FROM jsonb_each(guarded) WHERE value ->> 'heldBy' = $2::uuid::text)",
        workspace_id,
        run_id
    )
    .execute(tx.connection())
    .await?;
    Ok(())
}

/// What a run held waits again, held by nobody.
pub async fn release(tx: &mut WorkspaceTx, run_id: Uuid) -> Result<(), StoreError> {
    let workspace_id = tx.workspace_id();
    sqlx::query!(
        "UPDATE crm_record_links SET guarded = (SELECT jsonb_object_agg(key,
           CASE WHEN value ->> 'heldBy' = $2::uuid::text THEN value - 'heldBy' ELSE value END) FROM jsonb_each(guarded))
         WHERE workspace_id = $1 AND guarded <> '{}'
           AND EXISTS (SELECT FROM jsonb_each(guarded) WHERE value ->> 'heldBy' = $2::uuid::text)",
        workspace_id,
        run_id
    )
    .execute(tx.connection())
    .await?;
    Ok(())
}

/// App records of some links on which a run holds changes.
pub async fn record_ids(
    tx: &mut WorkspaceTx,
    entity: Entity,
    run_id: Uuid,
    most: i64,
) -> Result<Vec<Uuid>, StoreError> {
    let workspace_id = tx.workspace_id();
    Ok(sqlx::query_scalar!(
        r#"SELECT record_id AS "record_id!" FROM crm_record_links
           WHERE workspace_id = $1 AND entity_type = $2 AND guarded <> '{}' AND record_id IS NOT NULL
             AND EXISTS (SELECT FROM jsonb_each(guarded) WHERE value ->> 'heldBy' = $3::uuid::text)
           ORDER BY record_id LIMIT $4"#,
        workspace_id,
        entity.as_str(),
        run_id,
        most
    )
    .fetch_all(tx.connection())
    .await?)
}

/// A change that waits for an admin, as a sample.
#[derive(Debug, Clone)]
pub struct HeldChange {
    /// The entity.
    pub entity: Entity,
    /// The record's name.
    pub name: String,
    /// The app field.
    pub app_field: String,
    /// The app's value.
    pub app: Option<String>,
    /// The CRM's value.
    pub crm: Option<String>,
}

/// Some of the changes that a run holds, in order of the records' names.
pub async fn sample(tx: &mut WorkspaceTx, run_id: Uuid, most: i64) -> Result<Vec<HeldChange>, StoreError> {
    let workspace_id = tx.workspace_id();
    let rows = sqlx::query!(
        r#"SELECT l.entity_type, g.key AS "app_field!",
                  coalesce(a.name, nullif(concat_ws(' ', c.first_name, c.last_name), ''), o.name, l.crm_record_id, '')
                    AS "name!",
                  coalesce(to_jsonb(a), to_jsonb(c), to_jsonb(o))
                    #>> string_to_array(g.key, '.') AS app,
                  CASE WHEN l.seen ? g.key THEN l.seen ->> g.key ELSE l.base -> g.key ->> 'crm' END AS crm
           FROM crm_record_links l CROSS JOIN LATERAL jsonb_each(l.guarded) g
           LEFT JOIN accounts a ON l.entity_type = 'account' AND a.workspace_id = l.workspace_id AND a.id = l.record_id
           LEFT JOIN contacts c ON l.entity_type = 'contact' AND c.workspace_id = l.workspace_id AND c.id = l.record_id
           LEFT JOIN opportunities o
             ON l.entity_type = 'opportunity' AND o.workspace_id = l.workspace_id AND o.id = l.record_id
           WHERE l.workspace_id = $1 AND l.guarded <> '{}' AND g.value ->> 'heldBy' = $2::uuid::text
           ORDER BY 3, l.id, 2 LIMIT $3"#,
        workspace_id,
        run_id,
        most
    )
    .fetch_all(tx.connection())
    .await?;
    rows.into_iter()
        .map(|row| {
            let entity = row.entity_type.parse()?;
            Ok(HeldChange { entity, name: row.name, app_field: row.app_field, app: row.app, crm: row.crm })
        })
        .collect()
}
