//! Reading many records: lists, and searches that page by id (dossier 2.2, 2.7).
//!
//! A search never asks for a page by number: each goes on behind the last id, and so never comes near the wall of 10,000.

use serde_json::{Value as Json, json};

use super::super::{ConnectorError, CrmRecord, DeletedRecord, KeyLookup, ReadPage, ReadWindow};
use super::api::Api;
use super::records::{self, Page, Row};
use super::{EXTERNAL_ID_FIELD, unreadable};
use crate::model::Entity;

/// Records of one page of a search.
const PAGE: usize = 200;

/// Records of one page of a list.
const LIST: usize = 100;

/// Longest body of a search, characters, with room for a counting of theirs that differs (dossier 2.7).
const LONGEST_BODY: usize = 2900;

/// Room in a body that is left for the values looked for.
const ROOM_FOR_VALUES: usize = 1200;

/// Longest address sent as it is (dossier 2.2).
const LONGEST_ADDRESS: usize = 14_000;

/// Pages of the archived list that a look takes which is not thorough.
const ARCHIVED_PAGES: usize = 2;

/// Positions of a reading: in the list, and behind an id.
const IN_LIST: &str = "list:";
const BEHIND_ID: &str = "behind:";

/// One page of a window of changes, or of all records.
pub(super) async fn window(
    api: &Api<'_>,
    window: &ReadWindow,
    position: Option<&str>,
) -> Result<ReadPage, ConnectorError> {
    match (window.since, position) {
        (None, None) => list(api, window, None).await,
        (None, Some(position)) => {
            let after = position.strip_prefix(IN_LIST).ok_or(ConnectorError::PositionExpired)?;
            // A cursor that HubSpot no longer takes is refused like any other mistake.
            list(api, window, Some(after)).await.map_err(|error| match error {
                ConnectorError::Rejected { .. } => ConnectorError::PositionExpired,
                error => error,
            })
        }
        (Some(since), None) => changes(api, window, since, None).await,
        (Some(since), Some(position)) => {
            let after = position.strip_prefix(BEHIND_ID).filter(|id| id.parse::<u64>().is_ok());
            changes(api, window, since, Some(after.ok_or(ConnectorError::PositionExpired)?)).await
        }
    }
}

async fn list(api: &Api<'_>, window: &ReadWindow, after: Option<&str>) -> Result<ReadPage, ConnectorError> {
    let properties = records::asked(window.entity, &window.fields);
    let named = list_path(api, window.entity, &properties, after, false);
    let is_short = named.len() <= LONGEST_ADDRESS;
    let path = if is_short { named } else { list_path(api, window.entity, &[], after, false) };
    let page: Page = api.get(&path).await?;
    let next = page.next().map(|after| format!("{IN_LIST}{after}"));
    let rows = if is_short { page.results } else { filled(api, window.entity, &properties, &page.results).await? };
    let records = rows.iter().map(|row| row.record(window.entity, &window.fields));
    Ok(ReadPage { records: records.collect(), next, total: None, wait: None })
}

fn list_path(api: &Api<'_>, entity: Entity, properties: &[String], after: Option<&str>, archived: bool) -> String {
    let mut query = url::form_urlencoded::Serializer::new(String::new());
    query.append_pair("limit", &LIST.to_string());
    if archived {
        query.append_pair("archived", "true");
    }
    if let Some(after) = after {
        query.append_pair("after", after);
    }
    if !properties.is_empty() {
        query.append_pair("properties", &properties.join(","));
    }
    api.paths.objects(entity, &format!("?{}", query.finish()))
}

async fn changes(
    api: &Api<'_>,
    window: &ReadWindow,
    since: i64,
    after: Option<&str>,
) -> Result<ReadPage, ConnectorError> {
    let entity = window.entity;
    let changed = json!({ "propertyName": records::modified(entity), "operator": "GTE", "value": since.to_string() });
    let found = page(api, entity, vec![changed], &window.fields, after).await?;
    let mut records: Vec<CrmRecord> = Vec::with_capacity(found.rows.len());
    for row in &found.rows {
        records.push(row.record(entity, &window.fields));
        records.extend(row.merged_away(entity));
    }
    let next = found.last.filter(|_| found.has_more).map(|id| format!("{BEHIND_ID}{id}"));
    // What is found behind an id says nothing of all.
    Ok(ReadPage { records, next, total: found.total.filter(|_| after.is_none()), wait: None })
}

/// Living records that match any of the look-ups.
pub(super) async fn find(
    api: &Api<'_>,
    entity: Entity,
    fields: &[String],
    lookups: &[KeyLookup],
) -> Result<Vec<CrmRecord>, ConnectorError> {
    let properties = records::asked(entity, fields);
    let mut found: Vec<CrmRecord> = Vec::new();
    for lookup in lookups.iter().filter(|lookup| !lookup.values.is_empty()) {
        // The index lags behind: where a value names one record only, the records themselves are asked.
        let names_one = lookup.field == EXTERNAL_ID_FIELD || (entity == Entity::Contact && lookup.field == "email");
        let rows = if names_one {
            records::rows(api, entity, &properties, &lookup.values, (Some(&lookup.field), false)).await?
        } else {
            matching(api, entity, fields, lookup).await?
        };
        for row in rows {
            let record = row.record(entity, fields);
            if found.iter().all(|known| known.id != record.id) {
                found.push(record);
            }
        }
    }
    Ok(found)
}

/// Records by the values of a property that is not unique, as many values a search as its body has room for.
async fn matching(
    api: &Api<'_>,
    entity: Entity,
    fields: &[String],
    lookup: &KeyLookup,
) -> Result<Vec<Row>, ConnectorError> {
    let mut found = Vec::new();
    // Texts are compared in lower case, but the values of a list are not brought into it (dossier 2.7).
    let lowered: Vec<String> = lookup.values.iter().map(|value| value.to_lowercase()).collect();
    let mut values = lowered.into_iter().peekable();
    while values.peek().is_some() {
        let mut some = Vec::new();
        let mut length = 0;
        while let Some(value) =
            values.next_if(|value| some.is_empty() || length + spelled(&json!(value)) < ROOM_FOR_VALUES)
        {
            length += spelled(&json!(value)) + 1;
            some.push(value);
        }
        let mut after = None;
        loop {
            let filter = json!({ "propertyName": lookup.field, "operator": "IN", "values": some });
            let page = page(api, entity, vec![filter], fields, after.as_deref()).await?;
            found.extend(page.rows);
            after = page.last.filter(|_| page.has_more);
            if after.is_none() {
                break;
            }
        }
    }
    Ok(found)
}

/// One page of a search.
struct Found {
    rows: Vec<Row>,
    /// Id of the last of them.
    last: Option<String>,
    has_more: bool,
    total: Option<u64>,
}

/// One page of what fits every filter, in the order of ids from behind `after` on.
async fn page(
    api: &Api<'_>,
    entity: Entity,
    mut filters: Vec<Json>,
    fields: &[String],
    after: Option<&str>,
) -> Result<Found, ConnectorError> {
    if let Some(after) = after {
        filters.push(json!({ "propertyName": "hs_object_id", "operator": "GT", "value": after }));
    }
    let properties = records::asked(entity, fields);
    let body = |properties: &[String]| {
        json!({ "filterGroups": [{ "filters": filters }], "properties": properties, "limit": PAGE,
                "sorts": [{ "propertyName": "hs_object_id", "direction": "ASCENDING" }] })
    };
    let whole = body(&properties);
    let is_short = spelled(&whole) <= LONGEST_BODY;
    let asked = if is_short { whole } else { body(&[records::modified(entity).to_owned()]) };
    let page: Page = api.search(entity, &asked).await?;
    let last = page.results.last().map(Row::id);
    if last.is_some() && last.as_deref() == after {
        // It would go round in circles.
        return Err(unreadable("a search in the order of ids"));
    }
    let has_more = page.next().is_some() || page.total.is_some_and(|total| total > page.results.len() as u64);
    let total = page.total;
    let rows = if is_short { page.results } else { filled(api, entity, &properties, &page.results).await? };
    Ok(Found { rows, last, has_more, total })
}

/// The same records with properties whose names are too many for the first call.
async fn filled(
    api: &Api<'_>,
    entity: Entity,
    properties: &[String],
    rows: &[Row],
) -> Result<Vec<Row>, ConnectorError> {
    let ids: Vec<String> = rows.iter().map(Row::id).collect();
    let mut filled = records::rows(api, entity, properties, &ids, (None, false)).await?;
    filled.sort_by_key(|row| row.id().parse::<u64>().unwrap_or(u64::MAX));
    Ok(filled)
}

fn spelled(body: &Json) -> usize {
    body.to_string().chars().count()
}

/// Records in the bin that were archived from `since` on, and whether the list was read to its end. The list is in the order of
/// ids and cannot be asked for a time (dossier 9).
pub(super) async fn archived(
    api: &Api<'_>,
    entity: Entity,
    since: i64,
    thorough: bool,
) -> Result<(Vec<DeletedRecord>, bool), ConnectorError> {
    let mut found = Vec::new();
    let mut after: Option<String> = None;
    let mut pages = 0;
    loop {
        let properties = [records::modified(entity).to_owned()];
        let page: Page = api.get(&list_path(api, entity, &properties, after.as_deref(), true)).await?;
        let deleted = page.results.iter().map(|row| DeletedRecord {
            id: row.id(),
            deleted_at: row.archived_at().unwrap_or_else(|| row.modified_at(entity)),
        });
        found.extend(deleted.filter(|record| record.deleted_at >= since));
        after = page.next();
        pages += 1;
        if after.is_none() || (pages == ARCHIVED_PAGES && !thorough) {
            return Ok((found, after.is_none()));
        }
    }
}

/// Number of living records.
pub(super) async fn count(api: &Api<'_>, entity: Entity) -> Result<u64, ConnectorError> {
    let page: Page = api.search(entity, &json!({ "filterGroups": [], "properties": [], "limit": 1 })).await?;
    page.total.ok_or_else(|| unreadable("a count"))
}
