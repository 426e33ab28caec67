//! The app's own records as people and other programs see them: whole rows as JSON, numbers with the digits they have.
//!
//! Writes here are edits: the capture triggers take them like any other program's, unlike those of `app_rows`, which the
//! engine makes.

use chrono::{DateTime, Utc};
use serde_json::{Map, Value};
use uuid::Uuid;

use super::{StoreError, WorkspaceTx};
use crate::model::Entity;

/// A record as read.
#[derive(Debug, Clone, PartialEq)]
pub struct StoredRecord {
    /// The record.
    pub id: Uuid,
    /// Every app field, keys of custom as `custom.<key>`.
    pub fields: Map<String, Value>,
    /// When each field last changed, after the record was made.
    pub field_changed_at: Map<String, Value>,
    /// When it was made.
    pub created_at: DateTime<Utc>,
    /// When it last changed.
    pub updated_at: DateTime<Utc>,
    /// When it was deleted.
    pub deleted_at: Option<DateTime<Utc>>,
}

/// Which records a list holds.
#[derive(Debug, Clone, Default)]
pub struct RecordFilter {
    /// Text that a name, e-mail, domain or number contains, or the id.
    pub text: Option<String>,
    /// Deleted ones too.
    pub with_deleted: bool,
    /// Changed at this instant or later.
    pub updated_since: Option<DateTime<Utc>>,
}

/// Which part of a list is asked for.
#[derive(Debug, Clone, Copy)]
pub struct RecordWindow {
    /// Rows at most.
    pub limit: i64,
    /// Rows to leave out.
    pub offset: i64,
    /// Only what follows this row: when it last changed, and its id.
    pub after: Option<(DateTime<Utc>, Uuid)>,
}

/// Records that pass `filter`, last changed first.
pub async fn list(
    tx: &mut WorkspaceTx,
    entity: Entity,
    filter: &RecordFilter,
    window: RecordWindow,
) -> Result<Vec<StoredRecord>, StoreError> {
    let workspace_id = tx.workspace_id();
    let pattern = filter.text.as_deref().map(contains);
    let after_at = window.after.map(|(at, _)| at);
    let after_id = window.after.map(|(_, id)| id);
    let rows = match entity {
        Entity::Account => {
            sqlx::query_scalar!(
                r#"SELECT to_jsonb(t) AS "row!" FROM accounts t
                   WHERE t.workspace_id = $1
                     AND ($2::text IS NULL OR (t.id::text = lower($3) OR t.name ILIKE $2 OR t.domain ILIKE $2 OR t.owner_email ILIKE $2 OR t.phone ILIKE $2))
                     AND ($4 OR t.deleted_at IS NULL) AND ($5::timestamptz IS NULL OR t.updated_at >= $5)
                     AND ($6::timestamptz IS NULL OR (t.updated_at, t.id) < ($6, $7::uuid))
                   ORDER BY t.updated_at DESC, t.id DESC LIMIT $8 OFFSET $9"#,
                workspace_id,
                pattern,
                filter.text,
                filter.with_deleted,
                filter.updated_since,
                after_at,
                after_id,
                window.limit,
                window.offset
            )
            .fetch_all(tx.connection())
            .await?
        }
        Entity::Contact => {
            sqlx::query_scalar!(
                r#"SELECT to_jsonb(t) AS "row!" FROM contacts t
                   WHERE t.workspace_id = $1
                     AND ($2::text IS NULL OR (t.id::text = lower($3) OR concat_ws(' ', t.first_name, t.last_name) ILIKE $2 OR t.email ILIKE $2 OR t.phone ILIKE $2
                         OR t.mobile_phone ILIKE $2))
                     AND ($4 OR t.deleted_at IS NULL) AND ($5::timestamptz IS NULL OR t.updated_at >= $5)
                     AND ($6::timestamptz IS NULL OR (t.updated_at, t.id) < ($6, $7::uuid))
                   ORDER BY t.updated_at DESC, t.id DESC LIMIT $8 OFFSET $9"#,
                workspace_id,
                pattern,
                filter.text,
                filter.with_deleted,
                filter.updated_since,
                after_at,
                after_id,
                window.limit,
                window.offset
            )
            .fetch_all(tx.connection())
            .await?
        }
        Entity::Opportunity => {
            sqlx::query_scalar!(
                r#"SELECT to_jsonb(t) AS "row!" FROM opportunities t
                   WHERE t.workspace_id = $1
                     AND ($2::text IS NULL OR (t.id::text = lower($3) OR t.name ILIKE $2 OR t.stage ILIKE $2))
                     AND ($4 OR t.deleted_at IS NULL) AND ($5::timestamptz IS NULL OR t.updated_at >= $5)
                     AND ($6::timestamptz IS NULL OR (t.updated_at, t.id) < ($6, $7::uuid))
                   ORDER BY t.updated_at DESC, t.id DESC LIMIT $8 OFFSET $9"#,
                workspace_id,
                pattern,
                filter.text,
                filter.with_deleted,
                filter.updated_since,
                after_at,
                after_id,
                window.limit,
                window.offset
            )
            .fetch_all(tx.connection())
            .await?
        }
    };
    rows.into_iter().map(stored_record).collect()
}

/// How many records pass `filter`.
pub async fn count(tx: &mut WorkspaceTx, entity: Entity, filter: &RecordFilter) -> Result<i64, StoreError> {
    let workspace_id = tx.workspace_id();
    let pattern = filter.text.as_deref().map(contains);
    let count = match entity {
        Entity::Account => {
            sqlx::query_scalar!(
                r#"SELECT count(*) AS "count!" FROM accounts t
                   WHERE t.workspace_id = $1
                     AND ($2::text IS NULL OR (t.id::text = lower($3) OR t.name ILIKE $2 OR t.domain ILIKE $2 OR t.owner_email ILIKE $2 OR t.phone ILIKE $2))
                     AND ($4 OR t.deleted_at IS NULL) AND ($5::timestamptz IS NULL OR t.updated_at >= $5)"#,
                workspace_id,
                pattern,
                filter.text,
                filter.with_deleted,
                filter.updated_since
            )
            .fetch_one(tx.connection())
            .await?
        }
        Entity::Contact => {
            sqlx::query_scalar!(
                r#"SELECT count(*) AS "count!" FROM contacts t
                   WHERE t.workspace_id = $1
                     AND ($2::text IS NULL OR (t.id::text = lower($3) OR concat_ws(' ', t.first_name, t.last_name) ILIKE $2 OR t.email ILIKE $2 OR t.phone ILIKE $2
                         OR t.mobile_phone ILIKE $2))
                     AND ($4 OR t.deleted_at IS NULL) AND ($5::timestamptz IS NULL OR t.updated_at >= $5)"#,
                workspace_id,
                pattern,
                filter.text,
                filter.with_deleted,
                filter.updated_since
            )
            .fetch_one(tx.connection())
            .await?
        }
        Entity::Opportunity => {
            sqlx::query_scalar!(
                r#"SELECT count(*) AS "count!" FROM opportunities t
                   WHERE t.workspace_id = $1
                     AND ($2::text IS NULL OR (t.id::text = lower($3) OR t.name ILIKE $2 OR t.stage ILIKE $2))
                     AND ($4 OR t.deleted_at IS NULL) AND ($5::timestamptz IS NULL OR t.updated_at >= $5)"#,
                workspace_id,
                pattern,
                filter.text,
                filter.with_deleted,
                filter.updated_since
            )
            .fetch_one(tx.connection())
            .await?
        }
    };
    Ok(count)
}

/// One record, deleted or not.
pub async fn find(tx: &mut WorkspaceTx, entity: Entity, id: Uuid) -> Result<Option<StoredRecord>, StoreError> {
    let workspace_id = tx.workspace_id();
    let row = match entity {
        Entity::Account => {
            sqlx::query_scalar!(
                r#"SELECT to_jsonb(t) AS "row!" FROM accounts t WHERE t.workspace_id = $1 AND t.id = $2"#,
                workspace_id,
                id
            )
            .fetch_optional(tx.connection())
            .await?
        }
        Entity::Contact => {
            sqlx::query_scalar!(
                r#"SELECT to_jsonb(t) AS "row!" FROM contacts t WHERE t.workspace_id = $1 AND t.id = $2"#,
                workspace_id,
                id
            )
            .fetch_optional(tx.connection())
            .await?
        }
        Entity::Opportunity => {
            sqlx::query_scalar!(
                r#"SELECT to_jsonb(t) AS "row!" FROM opportunities t WHERE t.workspace_id = $1 AND t.id = $2"#,
                workspace_id,
                id
            )
            .fetch_optional(tx.connection())
            .await?
        }
    };
    row.map(stored_record).transpose()
}

/// One record, deleted or not, locked until the transaction ends.
pub async fn lock(tx: &mut WorkspaceTx, entity: Entity, id: Uuid) -> Result<Option<StoredRecord>, StoreError> {
    let workspace_id = tx.workspace_id();
    let row = match entity {
        Entity::Account => {
            sqlx::query_scalar!(
                r#"SELECT to_jsonb(t) AS "row!" FROM accounts t WHERE t.workspace_id = $1 AND t.id = $2 FOR UPDATE"#,
                workspace_id,
                id
            )
            .fetch_optional(tx.connection())
            .await?
        }
        Entity::Contact => {
            sqlx::query_scalar!(
                r#"SELECT to_jsonb(t) AS "row!" FROM contacts t WHERE t.workspace_id = $1 AND t.id = $2 FOR UPDATE"#,
                workspace_id,
                id
            )
            .fetch_optional(tx.connection())
            .await?
        }
        Entity::Opportunity => sqlx::query_scalar!(
            r#"SELECT to_jsonb(t) AS "row!" FROM opportunities t WHERE t.workspace_id = $1 AND t.id = $2 FOR UPDATE"#,
            workspace_id,
            id
        )
        .fetch_optional(tx.connection())
        .await?,
    };
    row.map(stored_record).transpose()
}

/// Adds a record. `columns` holds columns by name and `custom` as a whole.
pub async fn insert(
    tx: &mut WorkspaceTx,
    entity: Entity,
    id: Uuid,
    columns: &Map<String, Value>,
) -> Result<(), StoreError> {
    let (workspace_id, now) = (tx.workspace_id(), tx.now());
    let columns = Value::Object(columns.clone());
    let done = match entity {
        Entity::Account => {
            sqlx::query!(
                "INSERT INTO accounts (
                   workspace_id, id, custom, created_at, updated_at,
                   name, domain, industry, phone, employee_count, annual_revenue, billing_street,
                   billing_city, billing_state, billing_postal_code, billing_country, description,
                   owner_email)
                 SELECT
                   $1, $2, coalesce(r.custom, '{}'), $4, $4,
                   r.name, r.domain, r.industry, r.phone, r.employee_count, r.annual_revenue,
                   r.billing_street, r.billing_city, r.billing_state, r.billing_postal_code,
                   r.billing_country, r.description, r.owner_email
                 FROM jsonb_populate_record(NULL::accounts, $3) r",
                workspace_id,
                id,
                columns,
                now
            )
            .execute(tx.connection())
            .await?
        }
        Entity::Contact => {
            sqlx::query!(
                "INSERT INTO contacts (
                   workspace_id, id, custom, created_at, updated_at,
                   first_name, last_name, email, phone, mobile_phone, title, department,
                   mailing_street, mailing_city, mailing_state, mailing_postal_code,
                   mailing_country, account_id)
                 SELECT
                   $1, $2, coalesce(r.custom, '{}'), $4, $4,
                   r.first_name, r.last_name, r.email, r.phone, r.mobile_phone, r.title,
                   r.department, r.mailing_street, r.mailing_city, r.mailing_state,
                   r.mailing_postal_code, r.mailing_country, r.account_id
                 FROM jsonb_populate_record(NULL::contacts, $3) r",
                workspace_id,
                id,
                columns,
                now
            )
            .execute(tx.connection())
            .await?
        }
        Entity::Opportunity => {
            sqlx::query!(
                "INSERT INTO opportunities (
                   workspace_id, id, custom, created_at, updated_at,
                   name, amount, currency, stage, probability, close_date, description, account_id)
                 SELECT
                   $1, $2, coalesce(r.custom, '{}'), $4, $4,
                   r.name, r.amount, r.currency, r.stage, r.probability, r.close_date,
                   r.description, r.account_id
                 FROM jsonb_populate_record(NULL::opportunities, $3) r",
                workspace_id,
                id,
                columns,
                now
            )
            .execute(tx.connection())
            .await?
        }
    };
    debug_assert_eq!(done.rows_affected(), 1, "an insert adds its row or fails");
    Ok(())
}

/// Changes the columns that `columns` names, `custom` as a whole, of a record that the transaction holds locked.
pub async fn update(
    tx: &mut WorkspaceTx,
    entity: Entity,
    id: Uuid,
    columns: &Map<String, Value>,
) -> Result<(), StoreError> {
    let workspace_id = tx.workspace_id();
    let columns = Value::Object(columns.clone());
    let done = match entity {
        Entity::Account => {
            sqlx::query!(
                "UPDATE accounts t SET
                   name = r.name, domain = r.domain, industry = r.industry, phone = r.phone,
                   employee_count = r.employee_count, annual_revenue = r.annual_revenue,
                   billing_street = r.billing_street, billing_city = r.billing_city, billing_state =
                   r.billing_state, billing_postal_code = r.billing_postal_code, billing_country =
                   r.billing_country, description = r.description, owner_email = r.owner_email,
                   custom = r.custom
                 FROM accounts o CROSS JOIN LATERAL jsonb_populate_record(o, $3) r
                 WHERE o.workspace_id = $1 AND o.id = $2 AND t.workspace_id = o.workspace_id AND t.id = o.id",
                workspace_id,
                id,
                columns
            )
            .execute(tx.connection())
            .await?
        }
        Entity::Contact => {
            sqlx::query!(
                "UPDATE contacts t SET
                   first_name = r.first_name, last_name = r.last_name, email = r.email, phone =
                   r.phone, mobile_phone = r.mobile_phone, title = r.title, department =
                   r.department, mailing_street = r.mailing_street, mailing_city = r.mailing_city,
                   mailing_state = r.mailing_state, mailing_postal_code = r.mailing_postal_code,
                   mailing_country = r.mailing_country, account_id = r.account_id, custom = r.custom
                 FROM contacts o CROSS JOIN LATERAL jsonb_populate_record(o, $3) r
                 WHERE o.workspace_id = $1 AND o.id = $2 AND t.workspace_id = o.workspace_id AND t.id = o.id",
                workspace_id,
                id,
                columns
            )
            .execute(tx.connection())
            .await?
        }
        Entity::Opportunity => {
            sqlx::query!(
                "UPDATE opportunities t SET
                   name = r.name, amount = r.amount, currency = r.currency, stage = r.stage,
                   probability = r.probability, close_date = r.close_date, description =
                   r.description, account_id = r.account_id, custom = r.custom
                 FROM opportunities o CROSS JOIN LATERAL jsonb_populate_record(o, $3) r
                 WHERE o.workspace_id = $1 AND o.id = $2 AND t.workspace_id = o.workspace_id AND t.id = o.id",
                workspace_id,
                id,
                columns
            )
            .execute(tx.connection())
            .await?
        }
    };
    debug_assert_eq!(done.rows_affected(), 1, "the row is locked");
    Ok(())
}

/// Deletes softly, or brings back.
pub async fn set_deleted(tx: &mut WorkspaceTx, entity: Entity, id: Uuid, deleted: bool) -> Result<(), StoreError> {
    let (workspace_id, now) = (tx.workspace_id(), tx.now());
    let deleted_at = deleted.then_some(now);
    let done = match entity {
        Entity::Account => {
            sqlx::query!(
                "UPDATE accounts SET deleted_at = $3
                 WHERE workspace_id = $1 AND id = $2 AND (deleted_at IS NULL) = ($3::timestamptz IS NOT NULL)",
                workspace_id,
                id,
                deleted_at
            )
            .execute(tx.connection())
            .await?
        }
        Entity::Contact => {
            sqlx::query!(
                "UPDATE contacts SET deleted_at = $3
                 WHERE workspace_id = $1 AND id = $2 AND (deleted_at IS NULL) = ($3::timestamptz IS NOT NULL)",
                workspace_id,
                id,
                deleted_at
            )
            .execute(tx.connection())
            .await?
        }
        Entity::Opportunity => {
            sqlx::query!(
                "UPDATE opportunities SET deleted_at = $3
                 WHERE workspace_id = $1 AND id = $2 AND (deleted_at IS NULL) = ($3::timestamptz IS NOT NULL)",
                workspace_id,
                id,
                deleted_at
            )
            .execute(tx.connection())
            .await?
        }
    };
    debug_assert_eq!(done.rows_affected(), 1, "the row is locked and in the other state");
    Ok(())
}

/// A pattern for what contains `text` literally.
pub(super) fn contains(text: &str) -> String {
    let mut pattern = String::from("%");
    for letter in text.chars() {
        if matches!(letter, '%' | '_' | '\\') {
            pattern.push('\\');
        }
        pattern.push(letter);
    }
    pattern.push('%');
    pattern
}

fn stored_record(row: Value) -> Result<StoredRecord, StoreError> {
    let Value::Object(mut row) = row else {
        return Err(StoreError::Unreadable("a record is not a row".to_owned()));
    };
    let mut take = |column: &str| row.remove(column).unwrap_or_default();
    take("workspace_id");
    let id = serde_json::from_value(take("id"))?;
    let created_at = serde_json::from_value(take("created_at"))?;
    let updated_at = serde_json::from_value(take("updated_at"))?;
    let deleted_at = serde_json::from_value(take("deleted_at"))?;
    let field_changed_at = serde_json::from_value(take("field_changed_at"))?;
    let custom: Map<String, Value> = serde_json::from_value(take("custom"))?;
    let mut fields = row;
    fields.extend(custom.into_iter().map(|(key, value)| (format!("custom.{key}"), value)));
    Ok(StoredRecord { id, fields, field_changed_at, created_at, updated_at, deleted_at })
}

/// Lets what refers to one account refer to another.
pub async fn move_references(tx: &mut WorkspaceTx, from: Uuid, to: Uuid) -> Result<(), StoreError> {
    let workspace_id = tx.workspace_id();
    sqlx::query!(
        "UPDATE contacts SET account_id = $3 WHERE workspace_id = $1 AND account_id = $2",
        workspace_id,
        from,
        to
    )
    .execute(tx.connection())
    .await?;
    sqlx::query!(
        "UPDATE opportunities SET account_id = $3 WHERE workspace_id = $1 AND account_id = $2",
        workspace_id,
        from,
        to
    )
    .execute(tx.connection())
    .await?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_means_something_to_like_is_taken_literally() {
        assert_eq!(contains("50%_a\\b"), "%50\\%\\_a\\\\b%");
    }
}
