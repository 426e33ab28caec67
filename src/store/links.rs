//! Links between app records and CRM records, and the edits in the app that wait.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use sqlx::types::Json;
use uuid::Uuid;

mod partners;
mod parts;

pub use partners::{count_open, crm_ids_of, record_ids_of};
pub use parts::{FieldChoice, Guarded, LateWrite, LinkFailure, PUT_BACK};

use super::{StoreError, WorkspaceTx};
use crate::model::{Entity, LinkState, Side};
use crate::sync::{FieldBase, Value};

/// A link as stored.
#[derive(Debug, Clone)]
pub struct StoredLink {
    /// The link.
    pub id: Uuid,
    /// The app record.
    pub record_id: Option<Uuid>,
    /// The CRM record.
    pub crm_record_id: Option<String>,
    /// Its state.
    pub state: LinkState,
    /// Both values of each mapping at the last agreement, by app field.
    pub base: BTreeMap<String, FieldBase>,
    /// The CRM's values as last read that are not settled, by app field.
    pub seen: BTreeMap<String, Value>,
    /// The CRM's newest known stamp, epoch milliseconds.
    pub crm_modified_at: Option<i64>,
    /// When a person last changed the record in the CRM, epoch milliseconds.
    pub crm_edited_at: Option<i64>,
    /// Why it could not be written.
    pub failure: Option<LinkFailure>,
    /// Merge in the next run.
    pub due: bool,
    /// What a person decided, by app field (`*`: about a delete).
    pub decision: BTreeMap<String, FieldChoice>,
    /// A delete that waits for the run's end, on this side.
    pub pending_delete: Option<Side>,
    /// The engine deleted the app record.
    pub deleted_by_engine: bool,
    /// App fields that are not written until a person releases them.
    pub held_fields: Vec<String>,
    /// Values sent into the CRM that were not applied when it was asked, by app field.
    pub late: BTreeMap<String, LateWrite>,
    /// Changes that wait because too many records would get them, by app field: neither side is written meanwhile.
    pub guarded: BTreeMap<String, Guarded>,
}

/// What a link becomes. Written by one statement for a whole batch.
#[derive(Debug, Clone, PartialEq)]
pub struct LinkWrite {
    /// The link; a new id makes a new link.
    pub id: Uuid,
    /// The app record.
    pub record_id: Option<Uuid>,
    /// The CRM record.
    pub crm_record_id: Option<String>,
    /// Its state.
    pub state: LinkState,
    /// The bases.
    pub base: BTreeMap<String, FieldBase>,
    /// The CRM's values that are not settled.
    pub seen: BTreeMap<String, Value>,
    /// The CRM's newest known stamp.
    pub crm_modified_at: Option<DateTime<Utc>>,
    /// When a person last changed the record in the CRM.
    pub crm_edited_at: Option<DateTime<Utc>>,
    /// Why it could not be written.
    pub failure: Option<LinkFailure>,
    /// Merge in the next run.
    pub due: bool,
    /// Decisions that are not carried out yet.
    pub decision: Option<BTreeMap<String, FieldChoice>>,
    /// A delete that waits for the run's end.
    pub pending_delete: Option<Side>,
    /// The engine deleted the app record.
    pub deleted_by_engine: bool,
    /// App fields that are not written until a person releases them.
    pub held_fields: Vec<String>,
    /// Values sent into the CRM that were not applied when it was asked, by app field.
    pub late: BTreeMap<String, LateWrite>,
    /// Changes that wait because too many records would get them, by app field: neither side is written meanwhile.
    pub guarded: BTreeMap<String, Guarded>,
}

impl StoredLink {
    /// What is still to be put back into the CRM, by app field.
    pub fn put_backs(&self) -> BTreeMap<String, FieldChoice> {
        let waiting = self.decision.iter().filter(|(_, choice)| choice.choice == PUT_BACK);
        waiting.map(|(field, choice)| (field.clone(), choice.clone())).collect()
    }

    /// The link unchanged, ready to be changed.
    pub fn to_write(&self) -> LinkWrite {
        LinkWrite {
            id: self.id,
            record_id: self.record_id,
            crm_record_id: self.crm_record_id.clone(),
            state: self.state,
            base: self.base.clone(),
            seen: self.seen.clone(),
            crm_modified_at: self.crm_modified_at.and_then(DateTime::from_timestamp_millis),
            crm_edited_at: self.crm_edited_at.and_then(DateTime::from_timestamp_millis),
            failure: self.failure.clone(),
            due: self.due,
            decision: (!self.decision.is_empty()).then(|| self.decision.clone()),
            pending_delete: None,
            deleted_by_engine: self.deleted_by_engine,
            held_fields: self.held_fields.clone(),
            late: self.late.clone(),
            guarded: self.guarded.clone(),
        }
    }
}

/// Two linked records and what they last agreed on.
#[derive(Debug, Clone)]
pub struct AgreedPair {
    /// The app record.
    pub record_id: Uuid,
    /// The CRM record.
    pub crm_record_id: String,
    /// Both values of each mapping, by app field.
    pub base: BTreeMap<String, FieldBase>,
}

struct LinkRow {
    id: Uuid,
    record_id: Option<Uuid>,
    crm_record_id: Option<String>,
    state: String,
    base: Json<BTreeMap<String, FieldBase>>,
    seen: Json<BTreeMap<String, Value>>,
    crm_modified_at: Option<DateTime<Utc>>,
    crm_edited_at: Option<DateTime<Utc>>,
    failure: Option<serde_json::Value>,
    due: bool,
    decision: Option<serde_json::Value>,
    pending_delete: Option<String>,
    deleted_by_engine: bool,
    held_fields: Vec<String>,
    late: serde_json::Value,
    guarded: serde_json::Value,
}

impl LinkRow {
    fn read(self) -> Result<StoredLink, StoreError> {
        Ok(StoredLink {
            id: self.id,
            record_id: self.record_id,
            crm_record_id: self.crm_record_id,
            state: self.state.parse()?,
            base: self.base.0,
            seen: self.seen.0,
            crm_modified_at: self.crm_modified_at.map(|at| at.timestamp_millis()),
            crm_edited_at: self.crm_edited_at.map(|at| at.timestamp_millis()),
            failure: self.failure.map(serde_json::from_value).transpose()?,
            due: self.due,
            decision: self.decision.map(serde_json::from_value).transpose()?.unwrap_or_default(),
            pending_delete: self.pending_delete.map(|side| side.parse()).transpose()?,
            deleted_by_engine: self.deleted_by_engine,
            held_fields: self.held_fields,
            late: serde_json::from_value(self.late)?,
            guarded: serde_json::from_value(self.guarded)?,
        })
    }
}

/// Links of these CRM records in any state but `apart`.
pub async fn by_crm_ids(
    tx: &mut WorkspaceTx,
    config_id: Uuid,
    entity: Entity,
    crm_ids: &[String],
) -> Result<Vec<StoredLink>, StoreError> {
    let workspace_id = tx.workspace_id();
    let rows = sqlx::query_as!(
        LinkRow,
        r#"SELECT id, record_id, crm_record_id, state, base AS "base: _", seen AS "seen: _", crm_modified_at,
                crm_edited_at, failure, due, decision, pending_delete, deleted_by_engine, held_fields, late, guarded
         FROM crm_record_links
         WHERE workspace_id = $1 AND config_id = $2 AND entity_type = $3 AND crm_record_id = ANY ($4) AND state <> 'apart'"#,
        workspace_id,
        config_id,
        entity.as_str(),
        crm_ids
    )
    .fetch_all(tx.connection())
    .await?;
    rows.into_iter().map(LinkRow::read).collect()
}

/// Links of these app records in any state but `apart`.
pub async fn by_record_ids(
    tx: &mut WorkspaceTx,
    config_id: Uuid,
    entity: Entity,
    record_ids: &[Uuid],
) -> Result<Vec<StoredLink>, StoreError> {
    let workspace_id = tx.workspace_id();
    let rows = sqlx::query_as!(
        LinkRow,
        r#"SELECT id, record_id, crm_record_id, state, base AS "base: _", seen AS "seen: _", crm_modified_at,
                crm_edited_at, failure, due, decision, pending_delete, deleted_by_engine, held_fields, late, guarded
         FROM crm_record_links
         WHERE workspace_id = $1 AND config_id = $2 AND entity_type = $3 AND record_id = ANY ($4) AND state <> 'apart'"#,
        workspace_id,
        config_id,
        entity.as_str(),
        record_ids
    )
    .fetch_all(tx.connection())
    .await?;
    rows.into_iter().map(LinkRow::read).collect()
}

/// Inserts or rewrites links.
pub async fn write(
    tx: &mut WorkspaceTx,
    config_id: Uuid,
    entity: Entity,
    links: &[LinkWrite],
) -> Result<(), StoreError> {
    if links.is_empty() {
        return Ok(());
    }
    let (workspace_id, now) = (tx.workspace_id(), tx.now());
    // One array a column: a document of the whole batch would be parsed by Postgres, taken apart and put together again.
    let ids: Vec<Uuid> = links.iter().map(|link| link.id).collect();
    let record_ids: Vec<Option<Uuid>> = links.iter().map(|link| link.record_id).collect();
    let crm_record_ids: Vec<Option<&str>> = links.iter().map(|link| link.crm_record_id.as_deref()).collect();
    let states: Vec<&str> = links.iter().map(|link| link.state.as_str()).collect();
    let bases: Vec<String> = links.iter().map(|link| serde_json::to_string(&link.base)).collect::<Result<_, _>>()?;
    let seen: Vec<Json<_>> = links.iter().map(|link| Json(&link.seen)).collect();
    let modified: Vec<Option<DateTime<Utc>>> = links.iter().map(|link| link.crm_modified_at).collect();
    let edited: Vec<Option<DateTime<Utc>>> = links.iter().map(|link| link.crm_edited_at).collect();
    let failures: Vec<Option<Json<_>>> = links.iter().map(|link| link.failure.as_ref().map(Json)).collect();
    let due: Vec<bool> = links.iter().map(|link| link.due).collect();
    let decisions: Vec<Option<Json<_>>> = links.iter().map(|link| link.decision.as_ref().map(Json)).collect();
    let deletes: Vec<Option<&str>> = links.iter().map(|link| link.pending_delete.map(Side::as_str)).collect();
    let by_engine: Vec<bool> = links.iter().map(|link| link.deleted_by_engine).collect();
    // Arrays of arrays are not rectangular; names are joined by a character that no name has.
    let held_fields: Vec<String> = links.iter().map(|link| link.held_fields.join("\u{1f}")).collect();
    let late: Vec<Json<_>> = links.iter().map(|link| Json(&link.late)).collect();
    let guarded: Vec<Json<_>> = links.iter().map(|link| Json(&link.guarded)).collect();
    tx.begin_inserts().await?;
    sqlx::query!(
        "INSERT INTO crm_record_links AS l (workspace_id, config_id, entity_type, id, record_id, crm_record_id, state, base,
           seen, crm_modified_at, crm_edited_at, failure, due, decision, pending_delete, deleted_by_engine,
           held_fields, late, guarded, created_at, updated_at)
         SELECT $1, $2, $3, r.id, r.record_id, r.crm_record_id, r.state, r.base::json, r.seen, r.crm_modified_at,
           r.crm_edited_at, r.failure, r.due, r.decision, r.pending_delete, r.deleted_by_engine,
           string_to_array(r.held_fields, E'\\x1f'), r.late, r.guarded, $4, $4
         FROM unnest($5::uuid[], $6::uuid[], $7::text[], $8::text[], $9::text[], $10::jsonb[], $11::timestamptz[],
           $12::timestamptz[], $13::jsonb[], $14::boolean[], $15::jsonb[], $16::text[], $17::boolean[], $18::text[], $19::jsonb[],
           $20::jsonb[])
           AS r (id, record_id, crm_record_id, state, base, seen, crm_modified_at, crm_edited_at, failure, due, decision,
             pending_delete, deleted_by_engine, held_fields, late, guarded)
         ON CONFLICT (workspace_id, id) DO UPDATE SET record_id = excluded.record_id, crm_record_id = excluded.crm_record_id,
           state = excluded.state, base = excluded.base, seen = excluded.seen, crm_modified_at = excluded.crm_modified_at,
           crm_edited_at = excluded.crm_edited_at, failure = excluded.failure, due = excluded.due,
           decision = excluded.decision, pending_delete = excluded.pending_delete,
           held_by = CASE WHEN excluded.pending_delete = l.pending_delete THEN l.held_by END,
           deleted_by_engine = excluded.deleted_by_engine, held_fields = excluded.held_fields, late = excluded.late,
           guarded = excluded.guarded, updated_at = excluded.updated_at",
        workspace_id,
        config_id,
        entity.as_str(),
        now,
        &ids,
        &record_ids as _,
        &crm_record_ids as _,
        &states as _,
        &bases,
        &seen as _,
        &modified as _,
        &edited as _,
        &failures as _,
        &due,
        &decisions as _,
        &deletes as _,
        &by_engine,
        &held_fields,
        &late as _,
        &guarded as _
    )
    .execute(tx.connection())
    .await?;
    tx.end_inserts().await
}

/// Links whose records wait for a delete on a side, oldest first: those held by a run, or those that nobody holds.
pub async fn pending_deletes(
    tx: &mut WorkspaceTx,
    config_id: Uuid,
    entity: Entity,
    side: Side,
    held_by: Option<Uuid>,
    most: i64,
) -> Result<Vec<StoredLink>, StoreError> {
    let workspace_id = tx.workspace_id();
    let rows = sqlx::query_as!(
        LinkRow,
        r#"SELECT id, record_id, crm_record_id, state, base AS "base: _", seen AS "seen: _", crm_modified_at,
                crm_edited_at, failure, due, decision, pending_delete, deleted_by_engine, held_fields, late, guarded
         FROM crm_record_links
         WHERE workspace_id = $1 AND config_id = $2 AND entity_type = $3 AND pending_delete = $4
           AND held_by IS NOT DISTINCT FROM $5 ORDER BY id LIMIT $6"#,
        workspace_id,
        config_id,
        entity.as_str(),
        side.as_str(),
        held_by,
        most
    )
    .fetch_all(tx.connection())
    .await?;
    rows.into_iter().map(LinkRow::read).collect()
}

/// How many records wait for a delete on a side, and nobody holds them.
pub async fn count_pending_deletes(
    tx: &mut WorkspaceTx,
    config_id: Uuid,
    entity: Entity,
    side: Side,
) -> Result<i64, StoreError> {
    let workspace_id = tx.workspace_id();
    Ok(sqlx::query_scalar!(
        r#"SELECT count(*) AS "count!" FROM crm_record_links
         WHERE workspace_id = $1 AND config_id = $2 AND entity_type = $3 AND pending_delete = $4 AND held_by IS NULL"#,
        workspace_id,
        config_id,
        entity.as_str(),
        side.as_str()
    )
    .fetch_one(tx.connection())
    .await?)
}

/// One link; `None` where this workspace has none of that id.
pub async fn get(tx: &mut WorkspaceTx, id: Uuid) -> Result<Option<StoredLink>, StoreError> {
    let workspace_id = tx.workspace_id();
    let row = sqlx::query_as!(
        LinkRow,
        r#"SELECT id, record_id, crm_record_id, state, base AS "base: _", seen AS "seen: _", crm_modified_at,
                crm_edited_at, failure, due, decision, pending_delete, deleted_by_engine, held_fields, late, guarded
         FROM crm_record_links WHERE workspace_id = $1 AND id = $2"#,
        workspace_id,
        id
    )
    .fetch_optional(tx.connection())
    .await?;
    row.map(LinkRow::read).transpose()
}

/// Linked CRM records that nothing has touched since `since`: a full reading that began then has not shown them.
pub async fn not_shown_since(
    tx: &mut WorkspaceTx,
    config_id: Uuid,
    entity: Entity,
    since: DateTime<Utc>,
    most: i64,
) -> Result<Vec<StoredLink>, StoreError> {
    let workspace_id = tx.workspace_id();
    let rows = sqlx::query_as!(
        LinkRow,
        r#"SELECT id, record_id, crm_record_id, state, base AS "base: _", seen AS "seen: _", crm_modified_at,
                crm_edited_at, failure, due, decision, pending_delete, deleted_by_engine, held_fields, late, guarded
         FROM crm_record_links
         WHERE workspace_id = $1 AND config_id = $2 AND entity_type = $3 AND state = 'linked' AND crm_record_id IS NOT NULL
           AND pending_delete IS NULL AND updated_at < $4 ORDER BY id LIMIT $5"#,
        workspace_id,
        config_id,
        entity.as_str(),
        since,
        most
    )
    .fetch_all(tx.connection())
    .await?;
    rows.into_iter().map(LinkRow::read).collect()
}

/// Links of records that are there on both sides behind a CRM id, in the order of those ids.
pub async fn linked_behind(
    tx: &mut WorkspaceTx,
    config_id: Uuid,
    entity: Entity,
    crm_record_id: &str,
    most: i64,
) -> Result<Vec<StoredLink>, StoreError> {
    let workspace_id = tx.workspace_id();
    let rows = sqlx::query_as!(
        LinkRow,
        r#"SELECT id, record_id, crm_record_id, state, base AS "base: _", seen AS "seen: _", crm_modified_at,
                crm_edited_at, failure, due, decision, pending_delete, deleted_by_engine, held_fields, late, guarded
         FROM crm_record_links
         WHERE workspace_id = $1 AND config_id = $2 AND entity_type = $3 AND state = 'linked' AND record_id IS NOT NULL
           AND pending_delete IS NULL AND crm_record_id > $4 ORDER BY crm_record_id LIMIT $5"#,
        workspace_id,
        config_id,
        entity.as_str(),
        crm_record_id,
        most
    )
    .fetch_all(tx.connection())
    .await?;
    rows.into_iter().map(LinkRow::read).collect()
}

/// Links of CRM records that could not be created in the app and are due for another try.
pub async fn due_creates_in_app(
    tx: &mut WorkspaceTx,
    config_id: Uuid,
    entity: Entity,
    most: i64,
) -> Result<Vec<StoredLink>, StoreError> {
    let workspace_id = tx.workspace_id();
    let rows = sqlx::query_as!(
        LinkRow,
        r#"SELECT id, record_id, crm_record_id, state, base AS "base: _", seen AS "seen: _", crm_modified_at,
                crm_edited_at, failure, due, decision, pending_delete, deleted_by_engine, held_fields, late, guarded
         FROM crm_record_links
         WHERE workspace_id = $1 AND config_id = $2 AND entity_type = $3 AND due AND state = 'creating' AND record_id IS NULL
           AND crm_record_id IS NOT NULL ORDER BY id LIMIT $4"#,
        workspace_id,
        config_id,
        entity.as_str(),
        most
    )
    .fetch_all(tx.connection())
    .await?;
    rows.into_iter().map(LinkRow::read).collect()
}

/// What pairs of linked records agreed on last, the newest links first: at most so many.
pub async fn agreed_bases(
    tx: &mut WorkspaceTx,
    config_id: Uuid,
    entity: Entity,
    most: i64,
) -> Result<Vec<AgreedPair>, StoreError> {
    let workspace_id = tx.workspace_id();
    let rows = sqlx::query!(
        r#"SELECT record_id AS "record_id!", crm_record_id AS "crm_record_id!", base AS "base: Json<BTreeMap<String, FieldBase>>"
         FROM crm_record_links
         WHERE workspace_id = $1 AND config_id = $2 AND entity_type = $3 AND state = 'linked'
           AND record_id IS NOT NULL AND crm_record_id IS NOT NULL
         ORDER BY id DESC LIMIT $4"#,
        workspace_id,
        config_id,
        entity.as_str(),
        most
    )
    .fetch_all(tx.connection())
    .await?;
    Ok(rows
        .into_iter()
        .map(|row| AgreedPair { record_id: row.record_id, crm_record_id: row.crm_record_id, base: row.base.0 })
        .collect())
}
