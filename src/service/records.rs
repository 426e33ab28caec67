//! The app's own records: read by everybody, edited by those who may.
//!
//! Invariant: an edit is a write like any other program's. The capture trigger stamps it and carries it to the CRM.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use serde_json::{Map, Value};
use uuid::Uuid;

use super::paging::{PageAsked, cursor_after};
use super::record_form::version_of;
use super::{ServiceError, Services, Viewer, record_fields};
use crate::model::{Capability, Entity};
use crate::store::records::{RecordFilter, RecordWindow, StoredRecord};
use crate::store::{StoreError, WorkspaceTx, record_evidence, records};
use crate::view::Pagination;
use crate::view::instant::rfc3339;
use crate::view::records::{Record, RecordLink, RecordList};

const LONGEST_SEARCH: usize = 200;

/// Which records are asked for.
#[derive(Debug, Clone, Default)]
pub struct RecordsAsked {
    /// Text to look for.
    pub q: Option<String>,
    /// Deleted ones too.
    pub with_deleted: bool,
    /// Changed at this instant or later.
    pub updated_since: Option<DateTime<Utc>>,
    /// Which part of the list.
    pub page: PageAsked,
}

/// Records of one entity, last changed first.
pub async fn list(
    services: &Services,
    viewer: &Viewer,
    entity: Entity,
    asked: &RecordsAsked,
) -> Result<RecordList, ServiceError> {
    let part = asked.page.read()?;
    let filter = RecordFilter {
        text: search_text(asked.q.as_deref())?,
        with_deleted: asked.with_deleted,
        updated_since: asked.updated_since,
    };
    let window = RecordWindow { limit: part.limit + 1, offset: part.offset, after: part.after };
    let mut tx = services.begin(viewer).await?;
    let total = records::count(&mut tx, entity, &filter).await?;
    let mut found = records::list(&mut tx, entity, &filter, window).await?;
    let has_more = found.len() as i64 > part.limit;
    found.truncate(usize::try_from(part.limit).unwrap_or_default());
    let next_cursor = found.last().filter(|_| has_more).map(|last| cursor_after(last.updated_at, last.id));
    let records = with_links(&mut tx, entity, found).await?;
    tx.commit().await?;
    Ok(RecordList { records, pagination: Pagination { total, limit: part.limit, offset: part.offset, next_cursor } })
}

/// One record, deleted or not.
pub async fn get(services: &Services, viewer: &Viewer, entity: Entity, id: Uuid) -> Result<Record, ServiceError> {
    let mut tx = services.begin(viewer).await?;
    let record = read_back(&mut tx, entity, id).await?;
    tx.commit().await?;
    Ok(record)
}

/// Makes a record.
pub async fn create(
    services: &Services,
    viewer: &Viewer,
    entity: Entity,
    fields: &Map<String, Value>,
) -> Result<Record, ServiceError> {
    viewer.require(Capability::EditRecords)?;
    let mut change = record_fields::new_record(entity, fields).map_err(ServiceError::invalid_fields)?;
    let id = services.rng.uuid();
    let mut tx = services.begin(viewer).await?;
    check_reference(&mut tx, &change.columns).await?;
    change.custom.retain(|_, value| !value.is_null());
    change.columns.insert("custom".to_owned(), Value::Object(change.custom));
    records::insert(&mut tx, entity, id, &change.columns).await.map_err(in_words)?;
    let record = read_back(&mut tx, entity, id).await?;
    tx.commit().await?;
    Ok(record)
}

/// Changes the fields that `fields` names; `null` clears.
pub async fn update(
    services: &Services,
    viewer: &Viewer,
    entity: Entity,
    id: Uuid,
    fields: &Map<String, Value>,
) -> Result<Record, ServiceError> {
    update_version(services, viewer, entity, id, fields, None).await
}

/// The same, but only over the version that the caller saw, if it names one.
pub(super) async fn update_version(
    services: &Services,
    viewer: &Viewer,
    entity: Entity,
    id: Uuid,
    fields: &Map<String, Value>,
    version: Option<&str>,
) -> Result<Record, ServiceError> {
    viewer.require(Capability::EditRecords)?;
    let mut tx = services.begin(viewer).await?;
    let stored = lock(&mut tx, entity, id).await?;
    if version.is_some_and(|version| version != version_of(&stored)) {
        return Err(ServiceError::state(
            "record_moved",
            "The record changed while you edited it. Nothing was saved; load the page again to see its new values.",
        ));
    }
    let mut change = record_fields::change(entity, fields).map_err(ServiceError::invalid_fields)?;
    if stored.deleted_at.is_some() {
        return Err(ServiceError::state("record_deleted", "The record is deleted. Restore it before you change it."));
    }
    // A reference that stays may lead to an account that was deleted since.
    if change.columns.get("account_id") != stored.fields.get("account_id") {
        check_reference(&mut tx, &change.columns).await?;
    }
    if !change.custom.is_empty() {
        let custom = changed_custom(&stored, change.custom);
        change.columns.insert("custom".to_owned(), Value::Object(custom));
    }
    if !change.columns.is_empty() {
        records::update(&mut tx, entity, id, &change.columns).await.map_err(in_words)?;
    }
    let record = read_back(&mut tx, entity, id).await?;
    tx.commit().await?;
    Ok(record)
}

/// Deletes a record softly. A record that is deleted already stays as it is.
pub async fn delete(services: &Services, viewer: &Viewer, entity: Entity, id: Uuid) -> Result<Record, ServiceError> {
    set_deleted(services, viewer, entity, id, true).await
}

/// Brings a deleted record back. A record that lives stays as it is.
pub async fn restore(services: &Services, viewer: &Viewer, entity: Entity, id: Uuid) -> Result<Record, ServiceError> {
    set_deleted(services, viewer, entity, id, false).await
}

async fn set_deleted(
    services: &Services,
    viewer: &Viewer,
    entity: Entity,
    id: Uuid,
    deleted: bool,
) -> Result<Record, ServiceError> {
    viewer.require(Capability::EditRecords)?;
    let mut tx = services.begin(viewer).await?;
    if lock(&mut tx, entity, id).await?.deleted_at.is_some() != deleted {
        records::set_deleted(&mut tx, entity, id, deleted).await?;
    }
    let record = read_back(&mut tx, entity, id).await?;
    tx.commit().await?;
    Ok(record)
}

async fn lock(tx: &mut WorkspaceTx, entity: Entity, id: Uuid) -> Result<StoredRecord, ServiceError> {
    records::lock(tx, entity, id).await?.ok_or_else(|| ServiceError::not_found("record"))
}

/// The record as the trigger left it.
async fn read_back(tx: &mut WorkspaceTx, entity: Entity, id: Uuid) -> Result<Record, ServiceError> {
    let stored = records::find(tx, entity, id).await?;
    let mut records = with_links(tx, entity, stored.into_iter().collect()).await?;
    records.pop().ok_or_else(|| ServiceError::not_found("record"))
}

async fn with_links(
    tx: &mut WorkspaceTx,
    entity: Entity,
    stored: Vec<StoredRecord>,
) -> Result<Vec<Record>, ServiceError> {
    let ids: Vec<Uuid> = stored.iter().map(|record| record.id).collect();
    let mut links: BTreeMap<Uuid, Vec<RecordLink>> = BTreeMap::new();
    for link in record_evidence::links(tx, entity, &ids).await? {
        links.entry(link.record_id).or_default().push(RecordLink {
            config_id: link.config_id,
            provider: link.provider,
            crm_record_id: link.crm_record_id,
            state: link.state,
        });
    }
    let to_view = |record: StoredRecord| Record {
        id: record.id,
        fields: record.fields,
        created_at: rfc3339(record.created_at),
        updated_at: rfc3339(record.updated_at),
        deleted_at: record.deleted_at.map(rfc3339),
        links: links.remove(&record.id).unwrap_or_default(),
    };
    Ok(stored.into_iter().map(to_view).collect())
}

async fn check_reference(tx: &mut WorkspaceTx, columns: &Map<String, Value>) -> Result<(), ServiceError> {
    let Some(id) = columns.get("account_id").and_then(Value::as_str).and_then(|id| id.parse().ok()) else {
        return Ok(());
    };
    match records::find(tx, Entity::Account, id).await? {
        Some(account) if account.deleted_at.is_none() => Ok(()),
        _ => Err(ServiceError::invalid_fields(vec![record_fields::no_such_account()])),
    }
}

fn changed_custom(stored: &StoredRecord, changes: Map<String, Value>) -> Map<String, Value> {
    let now = stored.fields.iter().filter_map(|(name, value)| Some((name.strip_prefix("custom.")?, value)));
    let mut custom: Map<String, Value> = now.map(|(key, value)| (key.to_owned(), value.clone())).collect();
    custom.extend(changes);
    custom.retain(|_, value| !value.is_null());
    custom
}

pub(super) fn search_text(q: Option<&str>) -> Result<Option<String>, ServiceError> {
    let text = q.unwrap_or_default().trim();
    if text.chars().count() > LONGEST_SEARCH || text.contains('\0') {
        return Err(ServiceError::invalid("q", format!("Search for {LONGEST_SEARCH} characters at most.")));
    }
    Ok((!text.is_empty()).then(|| text.to_owned()))
}

fn in_words(error: StoreError) -> ServiceError {
    match error.constraint().and_then(record_fields::constraint_in_words) {
        Some(problem) => ServiceError::invalid_fields(vec![problem]),
        None => error.into(),
    }
}
