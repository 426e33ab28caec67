//! The app's own records as the engine reads and writes them: whole rows as text.
//!
//! One checked statement per entity and verb; a batch travels as one jsonb array. Rows are locked in id order, so that two
//! transactions never wait for each other in a circle.

use sqlx::types::Json;
use uuid::Uuid;

use super::{StoreError, WorkspaceTx};
use crate::model::Entity;
use crate::sync::Record;

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
                r#"SELECT to_jsonb(t) AS "row!" FROM accounts t WHERE workspace_id = $1 AND id = ANY ($2) ORDER BY id"#,
                workspace_id,
                ids
            )
            .fetch_all(tx.connection())
            .await?
        }
        Entity::Contact => {
            sqlx::query_scalar!(
                r#"SELECT to_jsonb(t) AS "row!" FROM contacts t WHERE workspace_id = $1 AND id = ANY ($2) ORDER BY id"#,
                workspace_id,
                ids
            )
            .fetch_all(tx.connection())
            .await?
        }
        Entity::Opportunity => {
            sqlx::query_scalar!(
                r#"SELECT to_jsonb(t) AS "row!" FROM opportunities t WHERE workspace_id = $1 AND id = ANY ($2) ORDER BY id"#,
                workspace_id,
                ids
            )
            .fetch_all(tx.connection())
            .await?
        }
    };
    rows.into_iter().map(app_row).collect()
}

/// Reads rows by id and locks them in id order until the transaction ends.
pub async fn lock(tx: &mut WorkspaceTx, entity: Entity, ids: &[Uuid]) -> Result<Vec<AppRow>, StoreError> {
    let workspace_id = tx.workspace_id();
    let rows = match entity {
        Entity::Account => {
            sqlx::query_scalar!(
                r#"SELECT to_jsonb(t) AS "row!" FROM accounts t WHERE workspace_id = $1 AND id = ANY ($2) ORDER BY id FOR UPDATE"#,
                workspace_id,
                ids
            )
            .fetch_all(tx.connection())
            .await?
        }
        Entity::Contact => {
            sqlx::query_scalar!(
                r#"SELECT to_jsonb(t) AS "row!" FROM contacts t WHERE workspace_id = $1 AND id = ANY ($2) ORDER BY id FOR UPDATE"#,
                workspace_id,
                ids
            )
            .fetch_all(tx.connection())
            .await?
        }
        Entity::Opportunity => {
            sqlx::query_scalar!(
                r#"SELECT to_jsonb(t) AS "row!" FROM opportunities t WHERE workspace_id = $1 AND id = ANY ($2) ORDER BY id FOR UPDATE"#,
                workspace_id,
                ids
            )
            .fetch_all(tx.connection())
            .await?
        }
    };
    rows.into_iter().map(app_row).collect()
}

/// Living rows that no link of the connection binds and that share a match key with one of `keys`: domains and names of
/// accounts, e-mails of contacts, names of opportunities. Pre-selection only; the pure core decides.
pub async fn candidates(
    tx: &mut WorkspaceTx,
    config_id: Uuid,
    entity: Entity,
    keys: &[String],
) -> Result<Vec<AppRow>, StoreError> {
    // An opportunity's key is name, account and close date: the name alone selects enough.
    let keys: Vec<String> = keys.iter().filter_map(|key| key.split('\u{1f}').next().map(str::to_owned)).collect();
    let ids =
        sqlx::query_scalar!(r#"SELECT app.lookup_matches($1, $2, $3) AS "id!""#, config_id, entity.as_str(), &keys)
            .fetch_all(tx.connection())
            .await?;
    if ids.is_empty() { Ok(Vec::new()) } else { read(tx, entity, &ids).await }
}

/// One row to insert: its id and every field that is not empty, and the times that its fields carry.
#[derive(Debug, Clone, serde::Serialize)]
pub struct RowWrite {
    /// The record.
    pub id: Uuid,
    /// Column to value; typed columns parse the text.
    #[serde(flatten)]
    pub columns: Record,
    /// Workspace-defined fields by key; of an update the changed ones only, so that no other value changes its JSON type.
    pub custom: Record,
    /// RFC 3339 instants by app field.
    pub field_changed_at: std::collections::BTreeMap<String, String>,
}

/// Inserts rows as the engine; returns them as stored.
pub async fn insert(tx: &mut WorkspaceTx, entity: Entity, rows: &[RowWrite]) -> Result<Vec<AppRow>, StoreError> {
    let (workspace_id, now) = (tx.workspace_id(), tx.now());
    let batch = Json(rows);
    let rows = match entity {
        Entity::Account => {
            sqlx::query_scalar!(
                r#"INSERT INTO accounts AS t (
                  workspace_id, id, name, domain, industry, phone, employee_count, annual_revenue, billing_street,
                  billing_city, billing_state, billing_postal_code, billing_country, description, owner_email,
                  custom, field_changed_at, created_at, updated_at)
                SELECT
                  $1, r.id, r.name, r.domain, r.industry, r.phone, r.employee_count, r.annual_revenue,
                  r.billing_street, r.billing_city, r.billing_state, r.billing_postal_code, r.billing_country,
                  r.description, r.owner_email, coalesce(r.custom, '{}'), coalesce(r.field_changed_at, '{}'), $3, $3
                FROM jsonb_to_recordset($2) AS r (
                  id uuid, name text, domain text, industry text, phone text, employee_count bigint,
                  annual_revenue numeric, billing_street text, billing_city text, billing_state text,
                  billing_postal_code text, billing_country text, description text, owner_email text, custom jsonb,
                  field_changed_at jsonb)
                RETURNING to_jsonb(t) AS "row!""#,
                workspace_id,
                batch as _,
                now
            )
            .fetch_all(tx.connection())
            .await?
        }
        Entity::Contact => {
            sqlx::query_scalar!(
                r#"INSERT INTO contacts AS t (
                  workspace_id, id, first_name, last_name, email, phone, mobile_phone, title, department,
                  mailing_street, mailing_city, mailing_state, mailing_postal_code, mailing_country, account_id,
                  custom, field_changed_at, created_at, updated_at)
                SELECT
                  $1, r.id, r.first_name, r.last_name, r.email, r.phone, r.mobile_phone, r.title, r.department,
                  r.mailing_street, r.mailing_city, r.mailing_state, r.mailing_postal_code, r.mailing_country,
                  r.account_id, coalesce(r.custom, '{}'), coalesce(r.field_changed_at, '{}'), $3, $3
                FROM jsonb_to_recordset($2) AS r (
                  id uuid, first_name text, last_name text, email text, phone text, mobile_phone text, title text,
                  department text, mailing_street text, mailing_city text, mailing_state text,
                  mailing_postal_code text, mailing_country text, account_id uuid, custom jsonb,
                  field_changed_at jsonb)
                RETURNING to_jsonb(t) AS "row!""#,
                workspace_id,
                batch as _,
                now
            )
            .fetch_all(tx.connection())
            .await?
        }
        Entity::Opportunity => {
            sqlx::query_scalar!(
                r#"INSERT INTO opportunities AS t (
                  workspace_id, id, name, amount, currency, stage, probability, close_date, description,
                  account_id, custom, field_changed_at, created_at, updated_at)
                SELECT
                  $1, r.id, r.name, r.amount, r.currency, r.stage, r.probability, r.close_date, r.description,
                  r.account_id, coalesce(r.custom, '{}'), coalesce(r.field_changed_at, '{}'), $3, $3
                FROM jsonb_to_recordset($2) AS r (
                  id uuid, name text, amount numeric, currency text, stage text, probability numeric,
                  close_date date, description text, account_id uuid, custom jsonb, field_changed_at jsonb)
                RETURNING to_jsonb(t) AS "row!""#,
                workspace_id,
                batch as _,
                now
            )
            .fetch_all(tx.connection())
            .await?
        }
    };
    rows.into_iter().map(app_row).collect()
}

/// Writes whole rows that the transaction holds locked, as the engine; returns them as stored.
pub async fn update(tx: &mut WorkspaceTx, entity: Entity, rows: &[RowWrite]) -> Result<Vec<AppRow>, StoreError> {
    let (workspace_id, now) = (tx.workspace_id(), tx.now());
    let batch = Json(rows);
    let rows = match entity {
        Entity::Account => {
            sqlx::query_scalar!(
                r#"UPDATE accounts t SET
                  name = r.name, domain = r.domain, industry = r.industry, phone = r.phone,
                  employee_count = r.employee_count, annual_revenue = r.annual_revenue,
                  billing_street = r.billing_street, billing_city = r.billing_city,
                  billing_state = r.billing_state, billing_postal_code = r.billing_postal_code,
                  billing_country = r.billing_country, description = r.description, owner_email = r.owner_email,
                  custom = t.custom || coalesce(r.custom, '{}'),
                  field_changed_at = t.field_changed_at || coalesce(r.field_changed_at, '{}'), updated_at = $3
                FROM jsonb_to_recordset($2) AS r (
                  id uuid, name text, domain text, industry text, phone text, employee_count bigint,
                  annual_revenue numeric, billing_street text, billing_city text, billing_state text,
                  billing_postal_code text, billing_country text, description text, owner_email text, custom jsonb,
                  field_changed_at jsonb)
                WHERE t.workspace_id = $1 AND t.id = r.id
                RETURNING to_jsonb(t) AS "row!""#,
                workspace_id,
                batch as _,
                now
            )
            .fetch_all(tx.connection())
            .await?
        }
        Entity::Contact => {
            sqlx::query_scalar!(
                r#"UPDATE contacts t SET
                  first_name = r.first_name, last_name = r.last_name, email = r.email, phone = r.phone,
                  mobile_phone = r.mobile_phone, title = r.title, department = r.department,
                  mailing_street = r.mailing_street, mailing_city = r.mailing_city,
                  mailing_state = r.mailing_state, mailing_postal_code = r.mailing_postal_code,
                  mailing_country = r.mailing_country, account_id = r.account_id,
                  custom = t.custom || coalesce(r.custom, '{}'),
                  field_changed_at = t.field_changed_at || coalesce(r.field_changed_at, '{}'), updated_at = $3
                FROM jsonb_to_recordset($2) AS r (
                  id uuid, first_name text, last_name text, email text, phone text, mobile_phone text, title text,
                  department text, mailing_street text, mailing_city text, mailing_state text,
                  mailing_postal_code text, mailing_country text, account_id uuid, custom jsonb,
                  field_changed_at jsonb)
                WHERE t.workspace_id = $1 AND t.id = r.id
                RETURNING to_jsonb(t) AS "row!""#,
                workspace_id,
                batch as _,
                now
            )
            .fetch_all(tx.connection())
            .await?
        }
        Entity::Opportunity => {
            sqlx::query_scalar!(
                r#"UPDATE opportunities t SET
                  name = r.name, amount = r.amount, currency = r.currency, stage = r.stage,
                  probability = r.probability, close_date = r.close_date, description = r.description,
                  account_id = r.account_id, custom = t.custom || coalesce(r.custom, '{}'),
                  field_changed_at = t.field_changed_at || coalesce(r.field_changed_at, '{}'), updated_at = $3
                FROM jsonb_to_recordset($2) AS r (
                  id uuid, name text, amount numeric, currency text, stage text, probability numeric,
                  close_date date, description text, account_id uuid, custom jsonb, field_changed_at jsonb)
                WHERE t.workspace_id = $1 AND t.id = r.id
                RETURNING to_jsonb(t) AS "row!""#,
                workspace_id,
                batch as _,
                now
            )
            .fetch_all(tx.connection())
            .await?
        }
    };
    rows.into_iter().map(app_row).collect()
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
