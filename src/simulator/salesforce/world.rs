//! The org as a plain value: records with their stamps and the operations on them. No HTTP, no clock of its own.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value as Json, json};

use super::ids;
use super::schema::{Object, object_named};
use super::validate::{self, RecordError};

/// Fields by API name.
pub(super) type Fields = BTreeMap<String, Json>;

/// A record.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct Record {
    pub id: String,
    pub fields: Fields,
    /// Stamps in epoch milliseconds, whole seconds.
    pub created: i64,
    pub modified: i64,
    pub stamp: i64,
    pub created_by: String,
    pub modified_by: String,
    pub deleted: bool,
    /// The record that this one was merged into.
    pub master: Option<String>,
}

/// The records of one object.
#[derive(Debug, Default)]
pub(super) struct Table {
    pub records: BTreeMap<String, Record>,
    by_stamp: BTreeSet<(i64, String)>,
    by_unique: HashMap<(String, String), String>,
    serial: u64,
}

/// The org.
#[derive(Debug, Default)]
pub(super) struct World {
    pub tables: BTreeMap<&'static str, Table>,
    /// What has changed since the journal was written: entries to append.
    pub unwritten: Vec<Json>,
}

/// Who changes something, and when (epoch milliseconds of the org's clock).
#[derive(Debug, Clone)]
pub(super) struct By {
    pub user: String,
    pub at: i64,
}

impl World {
    /// The records of an object.
    pub(super) fn table(&self, object: &str) -> Option<&Table> {
        self.tables.get(object_named(object)?.name)
    }

    /// A record by id, deleted ones included.
    pub(super) fn record(&self, object: &Object, id: &str) -> Option<&Record> {
        self.tables.get(object.name)?.records.get(&ids::normalise(id)?)
    }

    /// Finds the object and record of an id.
    pub(super) fn find(&self, id: &str) -> Option<(&'static Object, &Record)> {
        let id = ids::normalise(id)?;
        self.tables.iter().find_map(|(name, table)| Some((object_named(name)?, table.records.get(&id)?)))
    }

    /// The living record with this value of a unique field.
    pub(super) fn by_unique(&self, object: &Object, field: &str, value: &str) -> Option<&Record> {
        let table = self.tables.get(object.name)?;
        let id = table.by_unique.get(&(field.to_owned(), value.to_lowercase()))?;
        table.records.get(id)
    }

    /// Creates a record from the fields of a request.
    pub(super) fn create(
        &mut self,
        object: &'static Object,
        given: &Map<String, Json>,
        by: &By,
    ) -> Result<String, RecordError> {
        let mut fields = validate::fields(self, object, given, None)?;
        validate::required(object, &fields)?;
        self.refuse_duplicates(object, &fields, None)?;
        for field in &object.fields {
            if field.field_type == "boolean" && field.defaulted && field.name != "IsDeleted" {
                fields.entry(field.name.clone()).or_insert(Json::Bool(false));
            }
        }
        fields.entry("OwnerId".to_owned()).or_insert_with(|| json!(by.user));
        derive(object, &mut fields, given);
        let table = self.tables.entry(object.name).or_default();
        table.serial += 1;
        let id = ids::record_id(object.prefix, table.serial);
        let at = whole_second(by.at);
        let record = Record {
            id: id.clone(),
            fields,
            created: at,
            modified: at,
            stamp: at,
            created_by: by.user.clone(),
            modified_by: by.user.clone(),
            deleted: false,
            master: None,
        };
        self.put(object.name, record);
        Ok(id)
    }

    /// Sets the fields of a request on a living record.
    pub(super) fn update(
        &mut self,
        object: &'static Object,
        id: &str,
        given: &Map<String, Json>,
        by: &By,
    ) -> Result<String, RecordError> {
        let record = self.living(object, id)?.clone();
        let fields = validate::fields(self, object, given, Some(&record.id))?;
        self.refuse_duplicates(object, &fields, Some(&record.id))?;
        let at = whole_second(by.at);
        let mut changed = record;
        for (name, value) in fields {
            if value.is_null() {
                if object.field(&name).is_some_and(|field| !field.nillable && field.createable && !field.defaulted) {
                    return Err(RecordError::required(&[name]));
                }
                changed.fields.remove(&name);
            } else {
                changed.fields.insert(name, value);
            }
        }
        derive(object, &mut changed.fields, given);
        changed.modified = at;
        changed.stamp = at.max(changed.stamp);
        changed.modified_by = by.user.clone();
        let id = changed.id.clone();
        self.put(object.name, changed);
        Ok(id)
    }

    /// Moves a record to the recycle bin, an account's contacts and opportunities with it (dossier 7.1).
    pub(super) fn delete(&mut self, object: &'static Object, id: &str, by: &By) -> Result<String, RecordError> {
        let record = self.living(object, id)?.clone();
        if object.name == "Account" {
            for (child, child_id) in self.children(&record.id) {
                self.set_deleted(child, &child_id, true, by);
            }
        }
        self.set_deleted(object, &record.id, true, by);
        Ok(record.id)
    }

    /// Takes a record out of the recycle bin again.
    pub(super) fn undelete(&mut self, object: &'static Object, id: &str, by: &By) -> Result<String, RecordError> {
        let record = self.record(object, id).filter(|record| record.deleted && record.master.is_none());
        let id = record.ok_or_else(RecordError::not_found)?.id.clone();
        self.set_deleted(object, &id, false, by);
        Ok(id)
    }

    /// Merges `id` into `into`: the loser is deleted and names its master, its children move over.
    pub(super) fn merge(
        &mut self,
        object: &'static Object,
        id: &str,
        into: &str,
        by: &By,
    ) -> Result<String, RecordError> {
        let winner = self.living(object, into)?.id.clone();
        let loser = self.living(object, id)?.id.clone();
        for (child, child_id) in self.children(&loser) {
            let given = Map::from_iter([("AccountId".to_owned(), json!(winner))]);
            self.update(child, &child_id, &given, by)?;
        }
        self.set_deleted(object, &loser, true, by);
        if let Some(mut record) = self.record(object, &loser).cloned() {
            record.master = Some(winner.clone());
            self.put(object.name, record);
        }
        self.update(object, &winner, &Map::new(), by)
    }

    /// Removes a record for good, as if its time in the bin were over.
    pub(super) fn purge(&mut self, object: &'static Object, id: &str) -> Result<String, RecordError> {
        let id = self.record(object, id).ok_or_else(RecordError::not_found)?.id.clone();
        self.remove(object.name, &id);
        self.unwritten.push(json!({ "remove": object.name, "id": id }));
        Ok(id)
    }

    /// Puts a record as it is; from the journal too.
    pub(super) fn put(&mut self, object: &'static str, record: Record) {
        self.unwritten.push(json!({ "put": object, "record": record }));
        self.restore(object, record);
    }

    /// Puts a record without noting it as unwritten.
    pub(super) fn restore(&mut self, object: &'static str, record: Record) {
        self.remove(object, &record.id);
        let unique: Vec<String> = object_named(object)
            .map(|object| object.fields.iter().filter(|field| field.unique).map(|field| field.name.clone()).collect())
            .unwrap_or_default();
        let table = self.tables.entry(object).or_default();
        for field in unique {
            if let (Some(value), false) = (record.fields.get(&field).and_then(Json::as_str), record.deleted) {
                table.by_unique.insert((field, value.to_lowercase()), record.id.clone());
            }
        }
        table.serial = table.serial.max(table.records.len() as u64 + 1);
        table.by_stamp.insert((record.stamp, record.id.clone()));
        table.records.insert(record.id.clone(), record);
    }

    /// Forgets a record.
    pub(super) fn remove(&mut self, object: &'static str, id: &str) {
        let Some(table) = self.tables.get_mut(object) else { return };
        if let Some(old) = table.records.remove(id) {
            table.by_stamp.remove(&(old.stamp, old.id.clone()));
            table.by_unique.retain(|_, owner| owner != id);
        }
    }

    fn living(&self, object: &Object, id: &str) -> Result<&Record, RecordError> {
        let id = ids::normalise(id).ok_or_else(|| RecordError::malformed_id(id))?;
        let record = self.record(object, &id).ok_or_else(RecordError::not_found)?;
        if record.deleted { Err(RecordError::deleted()) } else { Ok(record) }
    }

    fn set_deleted(&mut self, object: &'static Object, id: &str, deleted: bool, by: &By) {
        if let Some(mut record) = self.record(object, id).cloned() {
            record.deleted = deleted;
            record.stamp = whole_second(by.at).max(record.stamp);
            record.modified = record.stamp;
            record.modified_by = by.user.clone();
            self.put(object.name, record);
        }
    }

    fn children(&self, account: &str) -> Vec<(&'static Object, String)> {
        ["Contact", "Opportunity"]
            .iter()
            .filter_map(|name| object_named(name))
            .flat_map(|object| {
                let records = self.tables.get(object.name).into_iter().flat_map(|table| table.records.values());
                records
                    .filter(|record| !record.deleted)
                    .filter(|record| record.fields.get("AccountId").and_then(Json::as_str) == Some(account))
                    .map(move |record| (object, record.id.clone()))
                    .collect::<Vec<_>>()
            })
            .collect()
    }

    fn refuse_duplicates(&self, object: &Object, fields: &Fields, own: Option<&str>) -> Result<(), RecordError> {
        for field in object.fields.iter().filter(|field| field.unique) {
            let Some(value) = fields.get(&field.name).and_then(Json::as_str) else { continue };
            if let Some(other) =
                self.by_unique(object, &field.name, value).filter(|other| Some(other.id.as_str()) != own)
            {
                return Err(RecordError::duplicate(&field.name, &other.id));
            }
        }
        Ok(())
    }
}

impl Table {
    /// Ids of records stamped at or after `since`, oldest first.
    pub(super) fn since(&self, since: i64) -> impl Iterator<Item = &Record> {
        self.by_stamp.range((since, String::new())..).filter_map(|(_, id)| self.records.get(id))
    }
}

/// Stamps have whole seconds (dossier 0, "Timestamps").
pub(super) fn whole_second(ms: i64) -> i64 {
    ms.div_euclid(1000) * 1000
}

/// What the org works out by itself: names, and what a stage says (dossier 7.2).
fn derive(object: &Object, fields: &mut Fields, given: &Map<String, Json>) {
    let text = |fields: &Fields, name: &str| fields.get(name).and_then(Json::as_str).unwrap_or_default().to_owned();
    match object.name {
        "Contact" | "User" => {
            let name = format!("{} {}", text(fields, "FirstName"), text(fields, "LastName"));
            fields.insert("Name".to_owned(), json!(name.trim()));
        }
        "Opportunity" => {
            let stage = text(fields, "StageName");
            let (probability, closed, won, category) = match stage.as_str() {
                "Closed Won" => (100, true, true, "Closed"),
                "Closed Lost" => (0, true, false, "Omitted"),
                "Prospecting" | "Qualification" => (10, false, false, "Pipeline"),
                "Needs Analysis" => (20, false, false, "Pipeline"),
                "Value Proposition" => (50, false, false, "Pipeline"),
                "Id. Decision Makers" => (60, false, false, "Pipeline"),
                "Perception Analysis" => (70, false, false, "Pipeline"),
                "Proposal/Price Quote" => (75, false, false, "Pipeline"),
                "Negotiation/Review" => (90, false, false, "Pipeline"),
                _ => (10, false, false, "Pipeline"),
            };
            let stage_given = given.keys().any(|name| name.eq_ignore_ascii_case("StageName"));
            let probability_given = given.keys().any(|name| name.eq_ignore_ascii_case("Probability"));
            if (stage_given && !probability_given) || !fields.contains_key("Probability") {
                fields.insert("Probability".to_owned(), json!(probability));
            }
            fields.insert("IsClosed".to_owned(), json!(closed));
            fields.insert("IsWon".to_owned(), json!(won));
            fields.insert("ForecastCategory".to_owned(), json!(category));
            fields.insert("ForecastCategoryName".to_owned(), json!(category));
        }
        _ => {}
    }
}
