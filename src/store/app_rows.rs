//! The app's own records as the engine reads and writes them: whole rows as text.
//!
//! One checked statement per entity and verb; a batch travels as one array a column. Rows are locked in id order, so that two
//! transactions never wait for each other in a circle.

mod write;

use uuid::Uuid;

pub use write::{RowWrite, insert, update};

use super::{StoreError, WorkspaceTx};
use crate::model::Entity;
use crate::sync::{Record, Value};

/// A row as read.
#[derive(Debug, Clone, PartialEq)]
pub struct AppRow {
    /// The record.
    pub id: Uuid,
    /// Every app field, keys of custom as `custom.<key>`.
    pub fields: Record,
    /// When each field last changed, epoch milliseconds; a field that is not there has not changed since the record was made.
    pub changed_at: std::collections::BTreeMap<String, i64>,
    /// When the record was made, epoch milliseconds.
    pub created_at: i64,
    /// When it was deleted, epoch milliseconds.
    pub deleted_at: Option<i64>,
}

/// Reads rows by id, without a lock.
pub async fn read(tx: &mut WorkspaceTx, entity: Entity, ids: &[Uuid]) -> Result<Vec<AppRow>, StoreError> {
    let workspace_id = tx.workspace_id();
    let rows = match entity {
        Entity::Account => {
            sqlx::query_scalar!(
                r#"SELECT to_json(t) AS "row!" FROM accounts t WHERE workspace_id = $1 AND id = ANY ($2) ORDER BY id"#,
                workspace_id,
                ids
            )
            .fetch_all(tx.connection())
            .await?
        }
        Entity::Contact => {
            sqlx::query_scalar!(
                r#"SELECT to_json(t) AS "row!" FROM contacts t WHERE workspace_id = $1 AND id = ANY ($2) ORDER BY id"#,
                workspace_id,
                ids
            )
            .fetch_all(tx.connection())
            .await?
        }
        Entity::Opportunity => sqlx::query_scalar!(
            r#"SELECT to_json(t) AS "row!" FROM opportunities t WHERE workspace_id = $1 AND id = ANY ($2) ORDER BY id"#,
            workspace_id,
            ids
        )
        .fetch_all(tx.connection())
        .await?,
    };
    rows.into_iter().map(app_row).collect()
}

/// Reads rows by id and locks them in id order until the transaction ends.
pub async fn lock(tx: &mut WorkspaceTx, entity: Entity, ids: &[Uuid]) -> Result<Vec<AppRow>, StoreError> {
    let workspace_id = tx.workspace_id();
    let rows = match entity {
        Entity::Account => {
            sqlx::query_scalar!(
                r#"SELECT to_json(t) AS "row!" FROM accounts t WHERE workspace_id = $1 AND id = ANY ($2) ORDER BY id FOR NO KEY UPDATE"#,
                workspace_id,
                ids
            )
            .fetch_all(tx.connection())
            .await?
        }
        Entity::Contact => {
            sqlx::query_scalar!(
                r#"SELECT to_json(t) AS "row!" FROM contacts t WHERE workspace_id = $1 AND id = ANY ($2) ORDER BY id FOR NO KEY UPDATE"#,
                workspace_id,
                ids
            )
            .fetch_all(tx.connection())
            .await?
        }
        Entity::Opportunity => {
            sqlx::query_scalar!(
                r#"SELECT to_json(t) AS "row!" FROM opportunities t WHERE workspace_id = $1 AND id = ANY ($2) ORDER BY id FOR NO KEY UPDATE"#,
                workspace_id,
                ids
            )
            .fetch_all(tx.connection())
            .await?
        }
    };
    rows.into_iter().map(app_row).collect()
}

/// Living rows that no link of the connection binds and that share a match key with one of the records that have these
/// `keys` ([`crate::sync::match_keys`]). Pre-selection only; the pure core decides.
pub async fn candidates(
    tx: &mut WorkspaceTx,
    config_id: Uuid,
    entity: Entity,
    keys: &[Vec<Value>],
) -> Result<Vec<AppRow>, StoreError> {
    let of_rank = |rank: usize| -> Vec<&str> {
        // An opportunity's key is name, account and close date: the name alone selects enough.
        keys.iter().filter_map(|keys| keys.get(rank)?.as_deref()?.split('\u{1f}').next()).collect()
    };
    let ids = sqlx::query_scalar!(
        r#"SELECT app.lookup_matches($1, $2, $3, $4) AS "id!""#,
        config_id,
        entity.as_str(),
        &of_rank(0) as _,
        &of_rank(1) as _
    )
    .fetch_all(tx.connection())
    .await?;
    if ids.is_empty() { Ok(Vec::new()) } else { read(tx, entity, &ids).await }
}

/// Deletes softly, or brings back, as the engine; returns the ids that changed.
pub async fn set_deleted(
    tx: &mut WorkspaceTx,
    entity: Entity,
    ids: &[Uuid],
    deleted: bool,
) -> Result<Vec<Uuid>, StoreError> {
    let (workspace_id, now) = (tx.workspace_id(), tx.now());
    let deleted_at = deleted.then_some(now);
    let changed = match entity {
        Entity::Account => {
            sqlx::query_scalar!(
                "UPDATE accounts SET deleted_at = $3, updated_at = $4
                 WHERE workspace_id = $1 AND id = ANY ($2) AND (deleted_at IS NULL) = ($3::timestamptz IS NOT NULL)
                 RETURNING id",
                workspace_id,
                ids,
                deleted_at,
                now
            )
            .fetch_all(tx.connection())
            .await?
        }
        Entity::Contact => {
            sqlx::query_scalar!(
                "UPDATE contacts SET deleted_at = $3, updated_at = $4
                 WHERE workspace_id = $1 AND id = ANY ($2) AND (deleted_at IS NULL) = ($3::timestamptz IS NOT NULL)
                 RETURNING id",
                workspace_id,
                ids,
                deleted_at,
                now
            )
            .fetch_all(tx.connection())
            .await?
        }
        Entity::Opportunity => {
            sqlx::query_scalar!(
                "UPDATE opportunities SET deleted_at = $3, updated_at = $4
                 WHERE workspace_id = $1 AND id = ANY ($2) AND (deleted_at IS NULL) = ($3::timestamptz IS NOT NULL)
                 RETURNING id",
                workspace_id,
                ids,
                deleted_at,
                now
            )
            .fetch_all(tx.connection())
            .await?
        }
    };
    Ok(changed)
}

/// Number of living rows.
pub async fn count(tx: &mut WorkspaceTx, entity: Entity) -> Result<i64, StoreError> {
    let workspace_id = tx.workspace_id();
    let count = match entity {
        Entity::Account => {
            sqlx::query_scalar!(
                r#"SELECT count(*) AS "count!" FROM accounts WHERE workspace_id = $1 AND deleted_at IS NULL"#,
                workspace_id
            )
            .fetch_one(tx.connection())
            .await?
        }
        Entity::Contact => {
            sqlx::query_scalar!(
                r#"SELECT count(*) AS "count!" FROM contacts WHERE workspace_id = $1 AND deleted_at IS NULL"#,
                workspace_id
            )
            .fetch_one(tx.connection())
            .await?
        }
        Entity::Opportunity => {
            sqlx::query_scalar!(
                r#"SELECT count(*) AS "count!" FROM opportunities WHERE workspace_id = $1 AND deleted_at IS NULL"#,
                workspace_id
            )
            .fetch_one(tx.connection())
            .await?
        }
    };
    Ok(count)
}

fn app_row(row: serde_json::Value) -> Result<AppRow, StoreError> {
    let serde_json::Value::Object(columns) = row else {
        return Err(StoreError::Unreadable("a record is not a row".to_owned()));
    };
    let mut read = AppRow {
        id: Uuid::nil(),
        fields: Record::new(),
        changed_at: std::collections::BTreeMap::new(),
        created_at: 0,
        deleted_at: None,
    };
    for (column, value) in columns {
        match (column.as_str(), value) {
            ("workspace_id" | "updated_at", _) => {}
            ("id", value) => read.id = serde_json::from_value(value)?,
            ("created_at", value) => read.created_at = instant_ms(&value)?.unwrap_or_default(),
            ("deleted_at", value) => read.deleted_at = instant_ms(&value)?,
            ("custom", serde_json::Value::Object(custom)) => {
                read.fields.extend(custom.into_iter().map(|(key, value)| (format!("custom.{key}"), text(value))));
            }
            ("field_changed_at", serde_json::Value::Object(times)) => {
                for (field, at) in times {
                    if let Some(at) = instant_ms(&at)? {
                        read.changed_at.insert(field, at);
                    }
                }
            }
            (_, value) => {
                read.fields.insert(column, text(value));
            }
        }
    }
    Ok(read)
}

fn text(value: serde_json::Value) -> Option<String> {
    match value {
        serde_json::Value::Null => None,
        serde_json::Value::String(text) if text.is_empty() => None,
        serde_json::Value::String(text) => Some(text),
        other => Some(other.to_string()),
    }
}

fn instant_ms(value: &serde_json::Value) -> Result<Option<i64>, StoreError> {
    let Some(text) = value.as_str() else { return Ok(None) };
    chrono::DateTime::parse_from_rfc3339(text)
        .map(|instant| Some(instant.timestamp_millis()))
        .map_err(|error| StoreError::Unreadable(format!("an instant of a record: {error}")))
}
