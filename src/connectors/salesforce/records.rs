//! Pages of records, read without building a tree: a first load passes through here.

use std::collections::BTreeMap;
use std::fmt;

use chrono::DateTime;
use serde::Deserialize;
use serde::de::{Deserializer, MapAccess, Visitor};
use serde_json::value::RawValue;

use super::super::{ConnectorError, CrmRecord, ReadPage};
use super::unreadable;
use crate::sync::{Record, Value};

/// Answer of `/deleted` (dossier 2.8).
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct DeletedAnswer {
    pub deleted_records: Vec<DeletedItem>,
    pub earliest_date_available: String,
    pub latest_date_covered: String,
}

/// One deleted record.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct DeletedItem {
    pub id: String,
    pub deleted_date: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Page {
    total_size: u64,
    #[serde(default)]
    next_records_url: Option<String>,
    #[serde(default)]
    records: Vec<Row>,
}

/// One record as it stands in an answer.
struct Row(CrmRecord);

/// Reads one page of a query.
pub(super) fn page(body: &[u8]) -> Result<ReadPage, ConnectorError> {
    let page: Page = serde_json::from_slice(body).map_err(|_| unreadable("a page of records"))?;
    Ok(ReadPage {
        records: page.records.into_iter().map(|row| row.0).collect(),
        next: page.next_records_url,
        total: Some(page.total_size),
        wait: None,
    })
}

/// The count of a `COUNT()` query.
pub(super) fn total(body: &[u8]) -> Result<u64, ConnectorError> {
    let page: Page = serde_json::from_slice(body).map_err(|_| unreadable("a count"))?;
    Ok(page.total_size)
}

/// Epoch milliseconds of an instant in REST's spelling (dossier 2.12).
pub(super) fn instant_ms(text: &str) -> Option<i64> {
    DateTime::parse_from_str(text, "%Y-%m-%dT%H:%M:%S%.3f%z")
        .or_else(|_| DateTime::parse_from_rfc3339(text))
        .ok()
        .map(|instant| instant.timestamp_millis())
}

/// The fields of a record that a collections retrieve returned.
pub(super) fn fields_of(row: &serde_json::Value) -> Option<Record> {
    let row = row.as_object()?;
    Some(
        row.iter()
            .filter(|(name, _)| *name != "attributes")
            .map(|(name, value)| (name.clone(), text_of(value)))
            .collect(),
    )
}

fn text_of(value: &serde_json::Value) -> Value {
    match value {
        serde_json::Value::Null => None,
        serde_json::Value::String(text) => Some(text.clone()).filter(|text| !text.is_empty()),
        other => Some(other.to_string()),
    }
}

impl<'de> Deserialize<'de> for Row {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_map(RowVisitor)
    }
}

struct RowVisitor;

impl<'de> Visitor<'de> for RowVisitor {
    type Value = Row;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a record")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Row, A::Error> {
        let mut record = CrmRecord {
            id: String::new(),
            modified_at: 0,
            edited_at: 0,
            deleted: false,
            merged_into: None,
            fields: BTreeMap::new(),
        };
        while let Some(name) = map.next_key::<String>()? {
            let raw: &RawValue = map.next_value()?;
            // Nested objects are `attributes` and parents, which are not asked for.
            if raw.get().starts_with(['{', '[']) {
                continue;
            }
            let value = scalar(raw.get());
            match name.as_str() {
                "SystemModstamp" => record.modified_at = value.as_deref().and_then(instant_ms).unwrap_or_default(),
                "LastModifiedDate" => record.edited_at = value.as_deref().and_then(instant_ms).unwrap_or_default(),
                "IsDeleted" => record.deleted = value.as_deref() == Some("true"),
                "MasterRecordId" => record.merged_into = value,
                "Id" => record.id = value.unwrap_or_default(),
                _ => {
                    record.fields.insert(name, value);
                }
            }
        }
        Ok(Row(record))
    }
}

/// The text of a JSON scalar; numbers keep the digits they were written with.
fn scalar(raw: &str) -> Value {
    match raw.as_bytes().first() {
        Some(b'"') => serde_json::from_str::<String>(raw).ok().filter(|text| !text.is_empty()),
        Some(b'n') | None => None,
        _ => Some(raw.to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_page_keeps_digits_empties_and_stamps() {
        let body = br#"{"totalSize":3,"done":false,"nextRecordsUrl":"/services/data/v62.0/query/01g-2000","records":[
            {"attributes":{"type":"Account","url":"/x"},"Id":"001000000000001AAA","SystemModstamp":"2024-09-24T03:26:07.000+0000",
             "LastModifiedDate":"2024-09-24T03:26:06.000+0000","IsDeleted":true,"MasterRecordId":"001000000000002AAA",
             "Name":"A \"b\"\n\u00fc","AnnualRevenue":123456789012345678.90,"Phone":null,"Active":false,"Description":""}]}"#;
        let page = page(body).expect("a page");
        assert_eq!(page.total, Some(3));
        assert_eq!(page.next.as_deref(), Some("/services/data/v62.0/query/01g-2000"));
        let record = &page.records[0];
        assert_eq!((record.id.as_str(), record.modified_at - record.edited_at), ("001000000000001AAA", 1000));
        assert!(record.deleted);
        assert_eq!(record.merged_into.as_deref(), Some("001000000000002AAA"));
        let field = |name: &str| record.fields.get(name).cloned();
        assert_eq!(field("AnnualRevenue"), Some(Some("123456789012345678.90".to_owned())));
        assert_eq!(field("Name"), Some(Some("A \"b\"\n\u{fc}".to_owned())));
        assert_eq!((field("Phone"), field("Description"), field("Missing")), (Some(None), Some(None), None));
        assert_eq!(field("Active"), Some(Some("false".to_owned())));
    }

    #[test]
    fn what_is_no_page_is_said() {
        assert!(page(b"<html>").is_err());
        assert!(page(b"[]").is_err());
    }
}
