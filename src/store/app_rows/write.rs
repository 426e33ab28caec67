//! Writes into the app's own records, made by the engine.

use std::collections::{BTreeMap, HashMap};

use serde_json::Value as Json;
use sqlx::types::Json as Jsonb;
use uuid::Uuid;

use super::text;
use crate::model::{Entity, app_fields};
use crate::store::{StoreError, WorkspaceTx};
use crate::sync::{Record, Value};

/// One row to insert: its id and every field that is not empty, and the times that its fields carry.
#[derive(Debug, Clone)]
pub struct RowWrite {
    /// The record.
    pub id: Uuid,
    /// Column to value; typed columns parse the text.
    pub columns: Record,
    /// Workspace-defined fields by key; of an update the changed ones only, so that no other value changes its JSON type.
    pub custom: Record,
    /// RFC 3339 instants by app field.
    pub field_changed_at: BTreeMap<String, String>,
}

/// A row as Postgres stored it, as far as a write can have set it.
struct StoredRow {
    id: Uuid,
    /// In the order of [`app_fields`].
    columns: Vec<Value>,
    custom: Option<Json>,
}

/// Inserts rows as the engine. Tells of each stored row what it holds other than it was written: a column's type or a
/// trigger of the app's own may have changed a value.
pub async fn insert(
    tx: &mut WorkspaceTx,
    entity: Entity,
    rows: &[&RowWrite],
) -> Result<HashMap<Uuid, Record>, StoreError> {
    tx.begin_inserts().await?;
    let stored = match entity {
        Entity::Account => insert_accounts(tx, rows).await?,
        Entity::Contact => insert_contacts(tx, rows).await?,
        Entity::Opportunity => insert_opportunities(tx, rows).await?,
    };
    tx.end_inserts().await?;
    Ok(differences(entity, rows, stored))
}

/// Writes whole rows that the transaction holds locked, as the engine; tells the same as [`insert`].
pub async fn update(
    tx: &mut WorkspaceTx,
    entity: Entity,
    rows: &[&RowWrite],
) -> Result<HashMap<Uuid, Record>, StoreError> {
    let stored = match entity {
        Entity::Account => update_accounts(tx, rows).await?,
        Entity::Contact => update_contacts(tx, rows).await?,
        Entity::Opportunity => update_opportunities(tx, rows).await?,
    };
    Ok(differences(entity, rows, stored))
}

fn differences(entity: Entity, rows: &[&RowWrite], stored: Vec<StoredRow>) -> HashMap<Uuid, Record> {
    let written: HashMap<Uuid, &RowWrite> = rows.iter().map(|row| (row.id, *row)).collect();
    let of_row = |row: StoredRow| {
        let write = written.get(&row.id)?;
        let mut other = Record::new();
        for (field, value) in app_fields(entity).iter().zip(row.columns) {
            if write.columns.get(field.name).and_then(Option::as_deref) != value.as_deref() {
                other.insert(field.name.to_owned(), value.filter(|text| !text.is_empty()));
            }
        }
        if let Some(Json::Object(mut custom)) = row.custom {
            for (key, value) in &write.custom {
                let now = custom.remove(key).and_then(text);
                if now != *value {
                    other.insert(format!("custom.{key}"), now);
                }
            }
        }
        Some((row.id, other))
    };
    stored.into_iter().filter_map(of_row).collect()
}

async fn insert_accounts(tx: &mut WorkspaceTx, rows: &[&RowWrite]) -> Result<Vec<StoredRow>, StoreError> {
    let (workspace_id, now) = (tx.workspace_id(), tx.now());
    Ok(sqlx::query_as!(
        StoredRow,
        r#"INSERT INTO accounts AS t (
              workspace_id, id, name, domain, industry, phone, employee_count, annual_revenue,
              billing_street, billing_city, billing_state, billing_postal_code, billing_country,
              description, owner_email, custom, field_changed_at, created_at, updated_at)
            SELECT
              $1, r.id, r.name, r.domain, r.industry, r.phone, r.employee_count::bigint,
              r.annual_revenue::numeric, r.billing_street, r.billing_city, r.billing_state,
              r.billing_postal_code, r.billing_country, r.description, r.owner_email, r.custom,
              r.field_changed_at, $2, $2
            FROM unnest(
              $3::uuid[], $4::text[], $5::text[], $6::text[], $7::text[], $8::text[], $9::text[],
              $10::text[], $11::text[], $12::text[], $13::text[], $14::text[], $15::text[], $16::text[],
              $17::jsonb[], $18::jsonb[])
            AS r (
              id, name, domain, industry, phone, employee_count, annual_revenue, billing_street,
              billing_city, billing_state, billing_postal_code, billing_country, description,
              owner_email, custom, field_changed_at)
            RETURNING t.id, ARRAY[
              t.name, t.domain, t.industry, t.phone, t.employee_count::text, t.annual_revenue::text, t.billing_street,
              t.billing_city, t.billing_state, t.billing_postal_code, t.billing_country, t.description, t.owner_email] AS "columns!: Vec<Value>",
              nullif(t.custom, '{}') AS custom"#,
        workspace_id,
        now,
        &ids(rows),
        &column(rows, "name") as _,
        &column(rows, "domain") as _,
        &column(rows, "industry") as _,
        &column(rows, "phone") as _,
        &column(rows, "employee_count") as _,
        &column(rows, "annual_revenue") as _,
        &column(rows, "billing_street") as _,
        &column(rows, "billing_city") as _,
        &column(rows, "billing_state") as _,
        &column(rows, "billing_postal_code") as _,
        &column(rows, "billing_country") as _,
        &column(rows, "description") as _,
        &column(rows, "owner_email") as _,
        &custom(rows) as _,
        &changed_at(rows) as _
    )
    .fetch_all(tx.connection())
    .await?)
}

async fn insert_contacts(tx: &mut WorkspaceTx, rows: &[&RowWrite]) -> Result<Vec<StoredRow>, StoreError> {
    let (workspace_id, now) = (tx.workspace_id(), tx.now());
    Ok(sqlx::query_as!(
        StoredRow,
        r#"INSERT INTO contacts AS t (
              workspace_id, id, first_name, last_name, email, phone, mobile_phone, title, department,
              mailing_street, mailing_city, mailing_state, mailing_postal_code, mailing_country,
              account_id, custom, field_changed_at, created_at, updated_at)
            SELECT
              $1, r.id, r.first_name, r.last_name, r.email, r.phone, r.mobile_phone, r.title,
              r.department, r.mailing_street, r.mailing_city, r.mailing_state, r.mailing_postal_code,
              r.mailing_country, r.account_id::uuid, r.custom, r.field_changed_at, $2, $2
            FROM unnest(
              $3::uuid[], $4::text[], $5::text[], $6::text[], $7::text[], $8::text[], $9::text[],
              $10::text[], $11::text[], $12::text[], $13::text[], $14::text[], $15::text[], $16::text[],
              $17::jsonb[], $18::jsonb[])
            AS r (
              id, first_name, last_name, email, phone, mobile_phone, title, department, mailing_street,
              mailing_city, mailing_state, mailing_postal_code, mailing_country, account_id, custom,
              field_changed_at)
            RETURNING t.id, ARRAY[
              t.first_name, t.last_name, t.email, t.phone, t.mobile_phone, t.title, t.department, t.mailing_street,
              t.mailing_city, t.mailing_state, t.mailing_postal_code, t.mailing_country, t.account_id::text] AS "columns!: Vec<Value>",
              nullif(t.custom, '{}') AS custom"#,
        workspace_id,
        now,
        &ids(rows),
        &column(rows, "first_name") as _,
        &column(rows, "last_name") as _,
        &column(rows, "email") as _,
        &column(rows, "phone") as _,
        &column(rows, "mobile_phone") as _,
        &column(rows, "title") as _,
        &column(rows, "department") as _,
        &column(rows, "mailing_street") as _,
        &column(rows, "mailing_city") as _,
        &column(rows, "mailing_state") as _,
        &column(rows, "mailing_postal_code") as _,
        &column(rows, "mailing_country") as _,
        &column(rows, "account_id") as _,
        &custom(rows) as _,
        &changed_at(rows) as _
    )
    .fetch_all(tx.connection())
    .await?)
}

async fn insert_opportunities(tx: &mut WorkspaceTx, rows: &[&RowWrite]) -> Result<Vec<StoredRow>, StoreError> {
    let (workspace_id, now) = (tx.workspace_id(), tx.now());
    Ok(sqlx::query_as!(
        StoredRow,
        r#"INSERT INTO opportunities AS t (
              workspace_id, id, name, amount, currency, stage, probability, close_date, description,
              account_id, custom, field_changed_at, created_at, updated_at)
            SELECT
              $1, r.id, r.name, r.amount::numeric, r.currency, r.stage, r.probability::numeric,
              r.close_date::date, r.description, r.account_id::uuid, r.custom, r.field_changed_at, $2,
              $2
            FROM unnest(
              $3::uuid[], $4::text[], $5::text[], $6::text[], $7::text[], $8::text[], $9::text[],
              $10::text[], $11::text[], $12::jsonb[], $13::jsonb[])
            AS r (
              id, name, amount, currency, stage, probability, close_date, description, account_id,
              custom, field_changed_at)
            RETURNING t.id, ARRAY[
              t.name, t.amount::text, t.currency, t.stage, t.probability::text, t.close_date::text, t.description,
              t.account_id::text] AS "columns!: Vec<Value>",
              nullif(t.custom, '{}') AS custom"#,
        workspace_id,
        now,
        &ids(rows),
        &column(rows, "name") as _,
        &column(rows, "amount") as _,
        &column(rows, "currency") as _,
        &column(rows, "stage") as _,
        &column(rows, "probability") as _,
        &column(rows, "close_date") as _,
        &column(rows, "description") as _,
        &column(rows, "account_id") as _,
        &custom(rows) as _,
        &changed_at(rows) as _
    )
    .fetch_all(tx.connection())
    .await?)
}

async fn update_accounts(tx: &mut WorkspaceTx, rows: &[&RowWrite]) -> Result<Vec<StoredRow>, StoreError> {
    let (workspace_id, now) = (tx.workspace_id(), tx.now());
    Ok(sqlx::query_as!(
        StoredRow,
        r#"UPDATE accounts t SET
              name = r.name, domain = r.domain, industry = r.industry, phone = r.phone,
              employee_count = r.employee_count::bigint, annual_revenue = r.annual_revenue::numeric,
              billing_street = r.billing_street, billing_city = r.billing_city,
              billing_state = r.billing_state, billing_postal_code = r.billing_postal_code,
              billing_country = r.billing_country, description = r.description,
              owner_email = r.owner_email, custom = t.custom || r.custom,
              field_changed_at = t.field_changed_at || r.field_changed_at, updated_at = $2
            FROM unnest(
              $3::uuid[], $4::text[], $5::text[], $6::text[], $7::text[], $8::text[], $9::text[],
              $10::text[], $11::text[], $12::text[], $13::text[], $14::text[], $15::text[], $16::text[],
              $17::jsonb[], $18::jsonb[])
            AS r (
              id, name, domain, industry, phone, employee_count, annual_revenue, billing_street,
              billing_city, billing_state, billing_postal_code, billing_country, description,
              owner_email, custom, field_changed_at)
            WHERE t.workspace_id = $1 AND t.id = r.id
            RETURNING t.id, ARRAY[
              t.name, t.domain, t.industry, t.phone, t.employee_count::text, t.annual_revenue::text, t.billing_street,
              t.billing_city, t.billing_state, t.billing_postal_code, t.billing_country, t.description, t.owner_email] AS "columns!: Vec<Value>",
              CASE WHEN r.custom <> '{}' THEN t.custom END AS custom"#,
        workspace_id,
        now,
        &ids(rows),
        &column(rows, "name") as _,
        &column(rows, "domain") as _,
        &column(rows, "industry") as _,
        &column(rows, "phone") as _,
        &column(rows, "employee_count") as _,
        &column(rows, "annual_revenue") as _,
        &column(rows, "billing_street") as _,
        &column(rows, "billing_city") as _,
        &column(rows, "billing_state") as _,
        &column(rows, "billing_postal_code") as _,
        &column(rows, "billing_country") as _,
        &column(rows, "description") as _,
        &column(rows, "owner_email") as _,
        &custom(rows) as _,
        &changed_at(rows) as _
    )
    .fetch_all(tx.connection())
    .await?)
}

async fn update_contacts(tx: &mut WorkspaceTx, rows: &[&RowWrite]) -> Result<Vec<StoredRow>, StoreError> {
    let (workspace_id, now) = (tx.workspace_id(), tx.now());
    Ok(sqlx::query_as!(
        StoredRow,
        r#"UPDATE contacts t SET
              first_name = r.first_name, last_name = r.last_name, email = r.email, phone = r.phone,
              mobile_phone = r.mobile_phone, title = r.title, department = r.department,
              mailing_street = r.mailing_street, mailing_city = r.mailing_city,
              mailing_state = r.mailing_state, mailing_postal_code = r.mailing_postal_code,
              mailing_country = r.mailing_country, account_id = r.account_id::uuid,
              custom = t.custom || r.custom,
              field_changed_at = t.field_changed_at || r.field_changed_at, updated_at = $2
            FROM unnest(
              $3::uuid[], $4::text[], $5::text[], $6::text[], $7::text[], $8::text[], $9::text[],
              $10::text[], $11::text[], $12::text[], $13::text[], $14::text[], $15::text[], $16::text[],
              $17::jsonb[], $18::jsonb[])
            AS r (
              id, first_name, last_name, email, phone, mobile_phone, title, department, mailing_street,
              mailing_city, mailing_state, mailing_postal_code, mailing_country, account_id, custom,
              field_changed_at)
            WHERE t.workspace_id = $1 AND t.id = r.id
            RETURNING t.id, ARRAY[
              t.first_name, t.last_name, t.email, t.phone, t.mobile_phone, t.title, t.department, t.mailing_street,
              t.mailing_city, t.mailing_state, t.mailing_postal_code, t.mailing_country, t.account_id::text] AS "columns!: Vec<Value>",
              CASE WHEN r.custom <> '{}' THEN t.custom END AS custom"#,
        workspace_id,
        now,
        &ids(rows),
        &column(rows, "first_name") as _,
        &column(rows, "last_name") as _,
        &column(rows, "email") as _,
        &column(rows, "phone") as _,
        &column(rows, "mobile_phone") as _,
        &column(rows, "title") as _,
        &column(rows, "department") as _,
        &column(rows, "mailing_street") as _,
        &column(rows, "mailing_city") as _,
        &column(rows, "mailing_state") as _,
        &column(rows, "mailing_postal_code") as _,
        &column(rows, "mailing_country") as _,
        &column(rows, "account_id") as _,
        &custom(rows) as _,
        &changed_at(rows) as _
    )
    .fetch_all(tx.connection())
    .await?)
}

async fn update_opportunities(tx: &mut WorkspaceTx, rows: &[&RowWrite]) -> Result<Vec<StoredRow>, StoreError> {
    let (workspace_id, now) = (tx.workspace_id(), tx.now());
    Ok(sqlx::query_as!(
        StoredRow,
        r#"UPDATE opportunities t SET
              name = r.name, amount = r.amount::numeric, currency = r.currency, stage = r.stage,
              probability = r.probability::numeric, close_date = r.close_date::date,
              description = r.description, account_id = r.account_id::uuid,
              custom = t.custom || r.custom,
              field_changed_at = t.field_changed_at || r.field_changed_at, updated_at = $2
            FROM unnest(
              $3::uuid[], $4::text[], $5::text[], $6::text[], $7::text[], $8::text[], $9::text[],
              $10::text[], $11::text[], $12::jsonb[], $13::jsonb[])
            AS r (
              id, name, amount, currency, stage, probability, close_date, description, account_id,
              custom, field_changed_at)
            WHERE t.workspace_id = $1 AND t.id = r.id
            RETURNING t.id, ARRAY[
              t.name, t.amount::text, t.currency, t.stage, t.probability::text, t.close_date::text, t.description,
              t.account_id::text] AS "columns!: Vec<Value>",
              CASE WHEN r.custom <> '{}' THEN t.custom END AS custom"#,
        workspace_id,
        now,
        &ids(rows),
        &column(rows, "name") as _,
        &column(rows, "amount") as _,
        &column(rows, "currency") as _,
        &column(rows, "stage") as _,
        &column(rows, "probability") as _,
        &column(rows, "close_date") as _,
        &column(rows, "description") as _,
        &column(rows, "account_id") as _,
        &custom(rows) as _,
        &changed_at(rows) as _
    )
    .fetch_all(tx.connection())
    .await?)
}

fn ids(rows: &[&RowWrite]) -> Vec<Uuid> {
    rows.iter().map(|row| row.id).collect()
}

/// The values of one column, in the order of `rows`.
fn column<'a>(rows: &[&'a RowWrite], name: &str) -> Vec<Option<&'a str>> {
    rows.iter().map(|row| row.columns.get(name).and_then(Option::as_deref)).collect()
}

fn custom<'a>(rows: &[&'a RowWrite]) -> Vec<Jsonb<&'a Record>> {
    rows.iter().map(|row| Jsonb(&row.custom)).collect()
}

fn changed_at<'a>(rows: &[&'a RowWrite]) -> Vec<Jsonb<&'a BTreeMap<String, String>>> {
    rows.iter().map(|row| Jsonb(&row.field_changed_at)).collect()
}
