//! Mappings, their rules, what was published about them, and the records that show what they do.

use std::collections::BTreeMap;

use uuid::Uuid;

use super::{StoreError, WorkspaceTx};
use crate::model::{Entity, FieldDirection, FieldRule, ValuePair};

/// A mapping with what the engine noted about it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MappingRow {
    /// The mapping.
    pub id: Uuid,
    /// Which entity.
    pub entity: Entity,
    /// Field in the CRM.
    pub crm_field: String,
    /// Field in the app.
    pub app_field: String,
    /// Direction of the mapping alone.
    pub direction: FieldDirection,
    /// JavaScript, if any.
    pub transform: Option<String>,
    /// Pairs of values, if any.
    pub value_map: Option<Vec<ValuePair>>,
    /// Why it rests although it is switched on.
    pub suspended: Option<String>,
}

struct Row {
    id: Uuid,
    entity_type: String,
    crm_field: String,
    app_field: String,
    sync_direction: String,
    transform_function: Option<String>,
    value_map: Option<serde_json::Value>,
    suspended_reason: Option<String>,
}

impl Row {
    fn read(self) -> Result<MappingRow, StoreError> {
        Ok(MappingRow {
            id: self.id,
            entity: self.entity_type.parse()?,
            crm_field: self.crm_field,
            app_field: self.app_field,
            direction: self.sync_direction.parse()?,
            transform: self.transform_function.filter(|script| !script.trim().is_empty()),
            value_map: self.value_map.map(serde_json::from_value).transpose()?,
            suspended: self.suspended_reason,
        })
    }
}

/// Which of two unique fields a mapping collides with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Taken {
    /// Another mapping has the CRM field.
    CrmField,
    /// Another mapping has the app field.
    AppField,
}

impl Taken {
    /// Tells what a refused write collided with, if that is why it was refused.
    pub fn of(error: &StoreError) -> Option<Self> {
        match error.constraint() {
            Some("crm_field_mappings_crm_field_key") => Some(Taken::CrmField),
            Some("crm_field_mappings_app_field_key") => Some(Taken::AppField),
            _ => None,
        }
    }
}

/// Every mapping of a connection, newest first.
pub async fn list(tx: &mut WorkspaceTx, config_id: Uuid) -> Result<Vec<MappingRow>, StoreError> {
    let workspace_id = tx.workspace_id();
    let rows = sqlx::query_as!(
        Row,
        "SELECT id, entity_type, crm_field, app_field, sync_direction, transform_function, value_map, suspended_reason
         FROM crm_field_mappings WHERE workspace_id = $1 AND config_id = $2
         ORDER BY created_at DESC, entity_type, app_field",
        workspace_id,
        config_id
    )
    .fetch_all(tx.connection())
    .await?;
    rows.into_iter().map(Row::read).collect()
}

/// One mapping, locked until the transaction ends.
pub async fn lock(tx: &mut WorkspaceTx, config_id: Uuid, mapping_id: Uuid) -> Result<Option<MappingRow>, StoreError> {
    let workspace_id = tx.workspace_id();
    let row = sqlx::query_as!(
        Row,
        "SELECT id, entity_type, crm_field, app_field, sync_direction, transform_function, value_map, suspended_reason
         FROM crm_field_mappings WHERE workspace_id = $1 AND config_id = $2 AND id = $3 FOR UPDATE",
        workspace_id,
        config_id,
        mapping_id
    )
    .fetch_optional(tx.connection())
    .await?;
    row.map(Row::read).transpose()
}

/// Inserts a mapping; [`Taken::of`] reads the error.
pub async fn insert(tx: &mut WorkspaceTx, config_id: Uuid, mapping: &MappingRow) -> Result<(), StoreError> {
    let (workspace_id, now) = (tx.workspace_id(), tx.now());
    sqlx::query!(
        "INSERT INTO crm_field_mappings (workspace_id, id, config_id, entity_type, crm_field, app_field, sync_direction,
           transform_function, value_map, created_at, updated_at) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $10)",
        workspace_id,
        mapping.id,
        config_id,
        mapping.entity.as_str(),
        mapping.crm_field,
        mapping.app_field,
        mapping.direction.as_str(),
        mapping.transform,
        mapping.value_map.as_ref().map(serde_json::to_value).transpose()?,
        now
    )
    .execute(tx.connection())
    .await?;
    Ok(())
}

/// Rewrites what may change of a mapping; [`Taken::of`] reads the error.
pub async fn update(tx: &mut WorkspaceTx, config_id: Uuid, mapping: &MappingRow) -> Result<bool, StoreError> {
    let (workspace_id, now) = (tx.workspace_id(), tx.now());
    let updated = sqlx::query!(
        "UPDATE crm_field_mappings SET app_field = $4, sync_direction = $5, transform_function = $6, value_map = $7,
           updated_at = $8 WHERE workspace_id = $1 AND config_id = $2 AND id = $3",
        workspace_id,
        config_id,
        mapping.id,
        mapping.app_field,
        mapping.direction.as_str(),
        mapping.transform,
        mapping.value_map.as_ref().map(serde_json::to_value).transpose()?,
        now
    )
    .execute(tx.connection())
    .await?;
    Ok(updated.rows_affected() == 1)
}

/// Removes a mapping.
pub async fn delete(tx: &mut WorkspaceTx, config_id: Uuid, mapping_id: Uuid) -> Result<bool, StoreError> {
    let workspace_id = tx.workspace_id();
    let deleted = sqlx::query!(
        "DELETE FROM crm_field_mappings WHERE workspace_id = $1 AND config_id = $2 AND id = $3",
        workspace_id,
        config_id,
        mapping_id
    )
    .execute(tx.connection())
    .await?;
    Ok(deleted.rows_affected() == 1)
}

/// Drops what links know of these fields: a mapping that is new, gone, or of another field meets its values as strangers.
pub async fn drop_bases(
    tx: &mut WorkspaceTx,
    config_id: Uuid,
    entity: Entity,
    app_fields: &[String],
) -> Result<u64, StoreError> {
    let (workspace_id, now) = (tx.workspace_id(), tx.now());
    let dropped = sqlx::query!(
        "UPDATE crm_record_links SET base = (base::jsonb - $4::text[])::json, seen = seen - $4::text[], updated_at = $5
         WHERE workspace_id = $1 AND config_id = $2 AND entity_type = $3 AND (base::jsonb ?| $4 OR seen ?| $4)",
        workspace_id,
        config_id,
        entity.as_str(),
        app_fields,
        now
    )
    .execute(tx.connection())
    .await?;
    Ok(dropped.rows_affected())
}

/// Brings the connection's published set into step with the mapping table. The only way it is written.
pub async fn publish(tx: &mut WorkspaceTx, config_id: Uuid) -> Result<(), StoreError> {
    let (workspace_id, now) = (tx.workspace_id(), tx.now());
    sqlx::query!(
        "UPDATE crm_sync_configs SET updated_at = $3, field_mappings = (
           SELECT coalesce(jsonb_object_agg(e.entity, e.fields), '{}') FROM (
             SELECT CASE entity_type WHEN 'account' THEN 'accounts' WHEN 'contact' THEN 'contacts' ELSE 'opportunities' END
                      AS entity,
                    jsonb_object_agg(crm_field, app_field) AS fields
             FROM crm_field_mappings WHERE workspace_id = $1 AND config_id = $2 GROUP BY entity_type) e)
         WHERE workspace_id = $1 AND id = $2",
        workspace_id,
        config_id,
        now
    )
    .execute(tx.connection())
    .await?;
    Ok(())
}

/// Every rule of a connection.
pub async fn rules(tx: &mut WorkspaceTx, config_id: Uuid) -> Result<Vec<(Entity, String, FieldRule)>, StoreError> {
    let workspace_id = tx.workspace_id();
    let rows = sqlx::query!(
        "SELECT entity_type, app_field, rule FROM crm_field_rules WHERE workspace_id = $1 AND config_id = $2
         ORDER BY entity_type, app_field",
        workspace_id,
        config_id
    )
    .fetch_all(tx.connection())
    .await?;
    rows.into_iter().map(|row| Ok((row.entity_type.parse()?, row.app_field, row.rule.parse()?))).collect()
}

/// Sets or lifts a field's rule.
pub async fn set_rule(
    tx: &mut WorkspaceTx,
    config_id: Uuid,
    entity: Entity,
    app_field: &str,
    rule: Option<FieldRule>,
    by: Uuid,
) -> Result<(), StoreError> {
    let (workspace_id, now) = (tx.workspace_id(), tx.now());
    match rule {
        Some(rule) => {
            sqlx::query!(
            "INSERT INTO crm_field_rules (workspace_id, config_id, entity_type, app_field, rule, created_by, created_at)
             VALUES ($1, $2, $3, $4, $5, $6, $7)
             ON CONFLICT (workspace_id, config_id, entity_type, app_field)
             DO UPDATE SET rule = $5, created_by = $6, created_at = $7",
            workspace_id,
            config_id,
            entity.as_str(),
            app_field,
            rule.as_str(),
            by,
            now
        )
            .execute(tx.connection())
            .await?
        }
        None => {
            sqlx::query!(
                "DELETE FROM crm_field_rules
             WHERE workspace_id = $1 AND config_id = $2 AND entity_type = $3 AND app_field = $4",
                workspace_id,
                config_id,
                entity.as_str(),
                app_field
            )
            .execute(tx.connection())
            .await?
        }
    };
    Ok(())
}

/// How many records of an entity could not be written for each field.
pub async fn failures(
    tx: &mut WorkspaceTx,
    config_id: Uuid,
    entity: Entity,
) -> Result<BTreeMap<String, i64>, StoreError> {
    let workspace_id = tx.workspace_id();
    let rows = sqlx::query!(
        r#"SELECT field AS "field!", count(*) AS "count!" FROM crm_record_links l,
             jsonb_array_elements_text(l.failure -> 'fields') field
           WHERE l.workspace_id = $1 AND l.config_id = $2 AND l.entity_type = $3 AND l.failure IS NOT NULL
           GROUP BY field"#,
        workspace_id,
        config_id,
        entity.as_str()
    )
    .fetch_all(tx.connection())
    .await?;
    Ok(rows.into_iter().map(|row| (row.field, row.count)).collect())
}

/// Linked records with their names, last changed first.
pub async fn linked_records(
    tx: &mut WorkspaceTx,
    config_id: Uuid,
    entity: Entity,
    most: i64,
) -> Result<Vec<(Uuid, String)>, StoreError> {
    let workspace_id = tx.workspace_id();
    let rows = sqlx::query!(
        r#"SELECT l.record_id AS "record_id!", coalesce(a.name, o.name, nullif(concat_ws(' ', c.first_name, c.last_name), '')) AS "name!"
           FROM (SELECT workspace_id, id, entity_type, record_id, updated_at FROM crm_record_links
                 WHERE workspace_id = $1 AND config_id = $2 AND entity_type = $3 AND state = 'linked'
                   AND record_id IS NOT NULL AND crm_record_id IS NOT NULL
                 ORDER BY updated_at DESC, id LIMIT $4) l
           LEFT JOIN accounts a ON l.entity_type = 'account' AND a.workspace_id = l.workspace_id AND a.id = l.record_id
           LEFT JOIN contacts c ON l.entity_type = 'contact' AND c.workspace_id = l.workspace_id AND c.id = l.record_id
           LEFT JOIN opportunities o ON l.entity_type = 'opportunity' AND o.workspace_id = l.workspace_id AND o.id = l.record_id
           WHERE coalesce(a.id, c.id, o.id) IS NOT NULL
           ORDER BY l.updated_at DESC, l.id"#,
        workspace_id,
        config_id,
        entity.as_str(),
        most
    )
    .fetch_all(tx.connection())
    .await?;
    Ok(rows.into_iter().map(|row| (row.record_id, row.name)).collect())
}

/// Fields that the workspace defines itself, as `custom.<key>`: those that are mapped, and those of its newest records.
pub async fn own_fields(tx: &mut WorkspaceTx, entity: Entity, newest: i64) -> Result<Vec<String>, StoreError> {
    let workspace_id = tx.workspace_id();
    let names = sqlx::query_scalar!(
        r#"SELECT 'custom.' || key AS "name!" FROM (
             (SELECT custom FROM accounts WHERE $2 = 'account' AND workspace_id = $1 ORDER BY id DESC LIMIT $3)
             UNION ALL
             (SELECT custom FROM contacts WHERE $2 = 'contact' AND workspace_id = $1 ORDER BY id DESC LIMIT $3)
             UNION ALL
             (SELECT custom FROM opportunities WHERE $2 = 'opportunity' AND workspace_id = $1 ORDER BY id DESC LIMIT $3)
           ) r, jsonb_object_keys(r.custom) key
           UNION
           SELECT app_field FROM crm_field_mappings
           WHERE workspace_id = $1 AND entity_type = $2 AND app_field LIKE 'custom.%'
           ORDER BY 1"#,
        workspace_id,
        entity.as_str(),
        newest
    )
    .fetch_all(tx.connection())
    .await?;
    Ok(names)
}

/// What was published about a mapping.
#[derive(Debug, Clone)]
pub struct MappingChange {
    /// The change.
    pub id: Uuid,
    /// Which entity.
    pub entity: Entity,
    /// The mapping.
    pub mapping_id: Uuid,
    /// As it was; none where it is new.
    pub before: Option<Published>,
    /// As it is; none where it was removed.
    pub after: Option<Published>,
}

/// What is published of a mapping.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Published {
    /// Field in the CRM.
    pub crm_field: String,
    /// Field in the app.
    pub app_field: String,
    /// Direction.
    pub sync_direction: FieldDirection,
    /// JavaScript, if any.
    pub transform_function: Option<String>,
    /// Pairs of values, if any.
    pub value_map: Option<Vec<ValuePair>>,
    /// The field's rule, if any.
    pub rule: Option<FieldRule>,
}

/// Notes what was published.
pub async fn note_change(
    tx: &mut WorkspaceTx,
    config_id: Uuid,
    change: &MappingChange,
    by: Uuid,
) -> Result<(), StoreError> {
    let (workspace_id, now) = (tx.workspace_id(), tx.now());
    sqlx::query!(
        "INSERT INTO crm_mapping_changes (workspace_id, id, config_id, entity_type, mapping_id, before, after, changed_by,
           changed_at) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)",
        workspace_id,
        change.id,
        config_id,
        change.entity.as_str(),
        change.mapping_id,
        change.before.as_ref().map(serde_json::to_value).transpose()?,
        change.after.as_ref().map(serde_json::to_value).transpose()?,
        by,
        now
    )
    .execute(tx.connection())
    .await?;
    Ok(())
}

/// A change that was published.
pub async fn change(
    tx: &mut WorkspaceTx,
    config_id: Uuid,
    change_id: Uuid,
) -> Result<Option<MappingChange>, StoreError> {
    let workspace_id = tx.workspace_id();
    let row = sqlx::query!(
        "SELECT id, entity_type, mapping_id, before, after FROM crm_mapping_changes
         WHERE workspace_id = $1 AND config_id = $2 AND id = $3",
        workspace_id,
        config_id,
        change_id
    )
    .fetch_optional(tx.connection())
    .await?;
    row.map(|row| {
        Ok(MappingChange {
            id: row.id,
            entity: row.entity_type.parse()?,
            mapping_id: row.mapping_id,
            before: row.before.map(serde_json::from_value).transpose()?,
            after: row.after.map(serde_json::from_value).transpose()?,
        })
    })
    .transpose()
}
