//! Records as HubSpot spells them (dossier 2.3, 2.4), and reading them by id.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::fmt;

use chrono::DateTime;
use serde::Deserialize;
use serde::de::{Deserializer, Visitor};
use serde_json::{Value as Json, json};

use super::super::{ConnectorError, CrmRecord};
use super::api::Api;
use crate::model::Entity;
use crate::sync::Record;

/// Records of one batch (dossier 2.6).
pub(super) const BATCH: usize = 100;

/// Records of one batch that is read with its history (dossier 2.2).
const HISTORY_BATCH: usize = 50;

/// Ids of the records that were merged into this one; contacts have a second list that may disagree (dossier 9).
const MERGED: [&str; 2] = ["hs_merged_object_ids", "hs_calculated_merged_vids"];

/// A list of records, or the answer of a batch.
#[derive(Debug, Default, Deserialize)]
pub(super) struct Page {
    #[serde(default)]
    pub results: Vec<Row>,
    #[serde(default)]
    pub errors: Vec<Json>,
    #[serde(default)]
    pub total: Option<u64>,
    #[serde(default)]
    pub paging: Option<Paging>,
}

/// Where a list goes on.
#[derive(Debug, Deserialize)]
pub(super) struct Paging {
    #[serde(default)]
    next: Option<Next>,
}

#[derive(Debug, Deserialize)]
struct Next {
    after: Text,
}

/// One record.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Row {
    pub id: Text,
    #[serde(default)]
    properties: BTreeMap<String, Text>,
    #[serde(default)]
    properties_with_history: BTreeMap<String, Vec<Version>>,
    #[serde(default)]
    updated_at: Text,
    #[serde(default)]
    archived: bool,
    #[serde(default)]
    archived_at: Text,
    #[serde(default)]
    pub object_write_trace_id: Option<String>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Version {
    timestamp: Text,
    #[serde(default)]
    source_type: Text,
}

/// A value on the wire: text, else nothing. A number or truth where text is meant is taken as it is spelled.
#[derive(Debug, Default, Clone)]
pub(super) struct Text(pub Option<String>);

impl Page {
    /// The next page's `after`.
    pub(super) fn next(&self) -> Option<String> {
        self.paging.as_ref()?.after()
    }
}

impl Paging {
    /// The next page's `after`.
    pub(super) fn after(&self) -> Option<String> {
        self.next.as_ref()?.after.0.clone()
    }
}

impl Row {
    /// The id.
    pub(super) fn id(&self) -> String {
        self.id.0.clone().unwrap_or_default()
    }

    /// A property's value.
    pub(super) fn value(&self, name: &str) -> Option<&str> {
        self.properties.get(name)?.0.as_deref().filter(|text| !text.is_empty())
    }

    /// When it was archived, epoch milliseconds.
    pub(super) fn archived_at(&self) -> Option<i64> {
        instant_ms(self.archived_at.0.as_deref()?)
    }

    /// Modification stamp, epoch milliseconds.
    pub(super) fn modified_at(&self, entity: Entity) -> i64 {
        let stamp = self.value(modified(entity)).or(self.updated_at.0.as_deref());
        stamp.and_then(instant_ms).unwrap_or_default()
    }

    /// The values of `fields` that the answer has.
    pub(super) fn fields<'f>(&self, fields: impl IntoIterator<Item = &'f String>) -> Record {
        let known = fields.into_iter().filter(|name| self.properties.contains_key(*name));
        known.map(|name| (name.clone(), self.value(name).map(str::to_owned))).collect()
    }

    /// Ids of the records that were merged into this one.
    fn losers(&self) -> BTreeSet<String> {
        let lists = MERGED.iter().filter_map(|name| self.value(name));
        // The second list has an instant behind each id.
        let ids = lists.flat_map(|list| list.split(';').filter_map(|one| one.split(':').next()));
        let ids = ids.map(|id| id.trim().to_owned());
        ids.filter(|id| !id.is_empty() && *id != self.id() && id.bytes().all(|digit| digit.is_ascii_digit())).collect()
    }

    /// The record as the engine takes it.
    pub(super) fn record(&self, entity: Entity, fields: &[String]) -> CrmRecord {
        let modified_at = self.modified_at(entity).max(self.archived_at().unwrap_or_default());
        CrmRecord {
            id: self.id(),
            modified_at,
            edited_at: modified_at,
            deleted: self.archived,
            merged_into: None,
            fields: self.fields(fields),
        }
    }

    /// The records that were merged into this one: HubSpot lists them nowhere else.
    pub(super) fn merged_away(&self, entity: Entity) -> Vec<CrmRecord> {
        let modified_at = self.modified_at(entity);
        let loser = |id| CrmRecord {
            id,
            modified_at,
            edited_at: modified_at,
            deleted: true,
            merged_into: Some(self.id()),
            fields: Record::new(),
        };
        self.losers().into_iter().map(loser).collect()
    }
}

impl<'de> Deserialize<'de> for Text {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(TextVisitor)
    }
}

struct TextVisitor;

impl Visitor<'_> for TextVisitor {
    type Value = Text;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a text")
    }

    fn visit_unit<E>(self) -> Result<Text, E> {
        Ok(Text(None))
    }

    fn visit_str<E>(self, text: &str) -> Result<Text, E> {
        Ok(Text(Some(text.to_owned())))
    }

    fn visit_string<E>(self, text: String) -> Result<Text, E> {
        Ok(Text(Some(text)))
    }

    fn visit_u64<E>(self, number: u64) -> Result<Text, E> {
        Ok(Text(Some(number.to_string())))
    }

    fn visit_i64<E>(self, number: i64) -> Result<Text, E> {
        Ok(Text(Some(number.to_string())))
    }

    fn visit_f64<E>(self, number: f64) -> Result<Text, E> {
        Ok(Text(Some(number.to_string())))
    }

    fn visit_bool<E>(self, truth: bool) -> Result<Text, E> {
        Ok(Text(Some(truth.to_string())))
    }
}

/// The property that tells when a record was last changed (dossier 2.3, "Modified-date trap").
pub(super) const fn modified(entity: Entity) -> &'static str {
    match entity {
        Entity::Contact => "lastmodifieddate",
        Entity::Account | Entity::Opportunity => "hs_lastmodifieddate",
    }
}

/// The properties to ask for: those of the caller and the connector's own.
pub(super) fn asked(entity: Entity, fields: &[String]) -> Vec<String> {
    let own = [modified(entity), MERGED[0]].into_iter();
    let own = own.chain((entity == Entity::Contact).then_some(MERGED[1])).map(str::to_owned);
    let mut asked: Vec<String> = Vec::with_capacity(fields.len() + MERGED.len() + 1);
    for name in fields.iter().cloned().chain(own) {
        if !asked.contains(&name) {
            asked.push(name);
        }
    }
    asked
}

/// Epoch milliseconds of an instant, in ISO or in milliseconds (dossier 2.4).
pub(super) fn instant_ms(text: &str) -> Option<i64> {
    let iso = DateTime::parse_from_rfc3339(text).ok().map(|instant| instant.timestamp_millis());
    iso.or_else(|| text.parse().ok())
}

/// The rows that a batch read finds, by ids or by the values of a unique property.
pub(super) async fn rows(
    api: &Api<'_>,
    entity: Entity,
    properties: &[String],
    names: &[String],
    (id_property, archived): (Option<&str>, bool),
) -> Result<Vec<Row>, ConnectorError> {
    let path = api.paths.objects(entity, if archived { "/batch/read?archived=true" } else { "/batch/read" });
    let mut found = Vec::with_capacity(names.len());
    let distinct: Vec<&String> = names.iter().collect::<BTreeSet<_>>().into_iter().collect();
    for names in distinct.chunks(BATCH) {
        let inputs: Vec<Json> = names.iter().map(|name| json!({ "id": name })).collect();
        let mut body = json!({ "inputs": inputs, "properties": properties, "propertiesWithHistory": [] });
        if let Some(name) = id_property {
            body["idProperty"] = json!(name);
        }
        let page: Page = api.ask(&path, &body).await?;
        found.extend(page.results);
    }
    Ok(found)
}

/// Records by id: living, merged away, and archived ones. An id that answers nothing is left out.
pub(super) async fn by_id(
    api: &Api<'_>,
    entity: Entity,
    fields: &[String],
    ids: &[String],
) -> Result<Vec<CrmRecord>, ConnectorError> {
    // What is no number is no id of HubSpot's, and would refuse the whole batch.
    let ids: Vec<String> = ids.iter().filter(|id| id.parse::<u64>().is_ok()).cloned().collect();
    if ids.is_empty() {
        return Ok(Vec::new());
    }
    let properties = asked(entity, fields);
    let mut missing: BTreeSet<String> = ids.iter().cloned().collect();
    let mut found = Vec::with_capacity(ids.len());
    for row in rows(api, entity, &properties, &ids, (None, false)).await? {
        // The id of a merged record answers with its survivor, which need not be asked for itself.
        let losers = row.merged_away(entity).into_iter();
        let losers: Vec<CrmRecord> = losers.filter(|loser| missing.remove(&loser.id)).collect();
        found.extend(losers);
        if missing.remove(&row.id()) {
            found.push(row.record(entity, fields));
        }
    }
    if missing.is_empty() {
        return Ok(found);
    }
    let missing: Vec<String> = missing.into_iter().collect();
    let archived = rows(api, entity, &properties, &missing, (None, true)).await?;
    let archived = archived.iter().map(|row| CrmRecord { deleted: true, ..row.record(entity, fields) });
    found.extend(archived.filter(|record| missing.contains(&record.id)));
    Ok(found)
}

/// When each field got its present value, by record id, where a history is kept (dossier 2.3: newest first).
pub(super) async fn edit_times(
    api: &Api<'_>,
    entity: Entity,
    ids: &[String],
    fields: &[String],
) -> Result<HashMap<String, BTreeMap<String, i64>>, ConnectorError> {
    let path = api.paths.objects(entity, "/batch/read");
    let mut found = HashMap::new();
    for ids in ids.chunks(HISTORY_BATCH) {
        let inputs: Vec<Json> = ids.iter().map(|id| json!({ "id": id })).collect();
        let body = json!({ "inputs": inputs, "properties": [], "propertiesWithHistory": fields });
        let page: Page = api.ask(&path, &body).await?;
        for row in page.results {
            let times = row.properties_with_history.iter().filter_map(|(name, versions)| {
                // What is reckoned has no author and no moment.
                let newest = versions.first().filter(|newest| newest.source_type.0.as_deref() != Some("CALCULATED"))?;
                Some((name.clone(), instant_ms(newest.timestamp.0.as_deref()?)?))
            });
            found.insert(row.id(), times.collect());
        }
    }
    Ok(found)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_page_keeps_empties_stamps_and_merges() {
        let page: Page = serde_json::from_value(json!({
            "results": [{ "id": "512", "archived": false, "createdAt": "2024-01-01T00:00:00.000Z",
                "updatedAt": "2024-02-01T00:00:00.000Z",
                "properties": { "email": "a@b.co", "phone": "", "fax": null, "lastmodifieddate": "2024-03-01T00:00:00.250Z",
                                "hs_merged_object_ids": "7;8", "hs_calculated_merged_vids": "8:1612345678901;9:1612345678901" } }],
            "paging": { "next": { "after": 513 } } })).expect("a page");
        assert_eq!(page.next().as_deref(), Some("513"));
        let row = &page.results[0];
        let fields = ["email", "phone", "fax", "title"].map(str::to_owned);
        let record = row.record(Entity::Contact, &fields);
        assert_eq!((record.id.as_str(), record.modified_at), ("512", 1_709_251_200_250));
        assert_eq!(record.fields.get("email"), Some(&Some("a@b.co".to_owned())));
        assert_eq!((record.fields.get("phone"), record.fields.get("fax")), (Some(&None), Some(&None)));
        assert_eq!(record.fields.get("title"), None);
        let losers: Vec<String> = row.merged_away(Entity::Contact).into_iter().map(|loser| loser.id).collect();
        assert_eq!(losers, ["7", "8", "9"]);
        assert_eq!(
            row.modified_at(Entity::Account),
            1_706_745_600_000,
            "the answer's own stamp where the property is not there"
        );
    }

    #[test]
    fn instants_come_in_two_spellings() {
        assert_eq!(instant_ms("1970-01-01T00:00:01.000Z"), Some(1000));
        assert_eq!(instant_ms("1572480000000"), Some(1_572_480_000_000));
        assert_eq!(instant_ms("soon"), None);
    }
}
