//! The org as a plain value: records with their stamps and the operations on them. No HTTP, no clock of its own.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use chrono::{Datelike, NaiveDate};
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
    /// The record whose deletion took this one along.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub deleted_with: Option<String>,
}

/// A record's line in the journal.
#[derive(Serialize)]
struct Put<'r> {
    put: &'static str,
    record: &'r Record,
}

impl Record {
    /// Its line in the journal.
    pub(super) fn line(&self, object: &'static str) -> String {
        serde_json::to_string(&Put { put: object, record: self }).unwrap_or_default()
    }
}

/// The records of one object.
#[derive(Debug, Default)]
pub(super) struct Table {
    pub records: BTreeMap<String, Record>,
    by_stamp: BTreeSet<(i64, String)>,
    by_unique: HashMap<(String, String), String>,
    by_account: HashMap<String, BTreeSet<String>>,
    serial: u64,
}

/// The org.
#[derive(Debug, Default)]
pub(super) struct World {
    pub tables: BTreeMap<&'static str, Table>,
    /// What has changed since the journal was written: lines to append.
    unwritten: Vec<String>,
    /// What stood before each of those changes.
    undo: Vec<(&'static str, String, Option<Record>)>,
}

/// A state that can be gone back to until the changes are written.
#[derive(Debug, Clone, Copy)]
pub(super) struct Savepoint(usize);

/// Who changes something, and when (epoch milliseconds of the org's clock).
#[derive(Debug, Clone)]
pub(super) struct By {
    pub user: String,
    pub at: i64,
}

impl World {
    /// Marks the present state.
    pub(super) fn savepoint(&self) -> Savepoint {
        Savepoint(self.undo.len())
    }

    /// Goes back to a state marked since the last writing.
    pub(super) fn roll_back(&mut self, to: Savepoint) {
        self.unwritten.truncate(to.0);
        while self.undo.len() > to.0 {
            let Some((object, id, before)) = self.undo.pop() else { return };
            match before {
                Some(record) => drop(self.restore(object, record)),
                None => drop(self.remove(object, &id)),
            }
        }
    }

    /// The lines to write; the changes behind them stand from now on.
    pub(super) fn take_unwritten(&mut self) -> Vec<String> {
        self.undo.clear();
        std::mem::take(&mut self.unwritten)
    }

    /// The last serial that each object has given out.
    pub(super) fn serials(&self) -> BTreeMap<String, u64> {
        self.tables.iter().map(|(name, table)| ((*name).to_owned(), table.serial)).collect()
    }

    /// Serials up to this one are taken.
    pub(super) fn raise_serial(&mut self, object: &'static str, serial: u64) {
        let table = self.tables.entry(object).or_default();
        table.serial = table.serial.max(serial);
    }

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
        if field == "Id" {
            return self.record(object, value).filter(|record| !record.deleted);
        }
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
            deleted_with: None,
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
        if !object.deletable {
            let message = format!("entity type cannot be deleted: {}", object.name);
            return Err(RecordError::new("CANNOT_DELETE_ENTITY", message));
        }
        let id = self.living(object, id)?.id.clone();
        for (child, child_id) in self.children(object, &id) {
            self.set_deleted(child, &child_id, Some(&id), by);
        }
        self.set_deleted(object, &id, None, by);
        Ok(id)
    }

    /// Takes a record out of the recycle bin again, with what its deletion took along.
    pub(super) fn undelete(&mut self, object: &'static Object, id: &str, by: &By) -> Result<String, RecordError> {
        let record = self.record(object, id).filter(|record| record.deleted).ok_or_else(RecordError::not_found)?;
        let (id, fields) = (record.id.clone(), record.fields.clone());
        self.refuse_duplicates(object, &fields, Some(&id))?;
        self.set_living(object, &id, by);
        for (child, child_id) in self.taken_along(&id) {
            self.set_living(child, &child_id, by);
        }
        Ok(id)
    }

    /// Merges `id` into `into`: the loser is deleted and names its master, its children move over.
    pub(super) fn merge(
        &mut self,
        object: &'static Object,
        id: &str,
        into: &str,
        chosen: &Map<String, Json>,
        by: &By,
    ) -> Result<String, RecordError> {
        let winner = self.living(object, into)?.id.clone();
        let loser = self.living(object, id)?.id.clone();
        if !object.mergeable || winner == loser {
            return Err(RecordError::new("INVALID_OPERATION", format!("{} cannot be merged so", object.name)));
        }
        let before = self.savepoint();
        let moved = self.children(object, &loser).into_iter().try_for_each(|(child, child_id)| {
            let given = Map::from_iter([("AccountId".to_owned(), json!(winner))]);
            self.update(child, &child_id, &given, by).map(drop)
        });
        self.set_deleted(object, &loser, None, by);
        if let Some(mut record) = self.record(object, &loser).cloned() {
            record.master = Some(winner.clone());
            self.put(object.name, record);
        }
        let done = moved.and_then(|()| self.update(object, &winner, chosen, by));
        if done.is_err() {
            self.roll_back(before);
        }
        done
    }

    /// Removes a record for good, as if its time in the bin were over.
    pub(super) fn purge(&mut self, object: &'static Object, id: &str) -> Result<String, RecordError> {
        let id = self.record(object, id).ok_or_else(RecordError::not_found)?.id.clone();
        let before = self.remove(object.name, &id);
        self.unwritten.push(json!({ "remove": object.name, "id": id }).to_string());
        self.undo.push((object.name, id.clone(), before));
        Ok(id)
    }

    /// Empties the recycle bin of what was deleted before an instant.
    pub(super) fn purge_deleted_before(&mut self, before: i64) {
        let old = |record: &&Record| record.deleted && record.stamp < before;
        let over: Vec<(&'static str, String)> = self
            .tables
            .iter()
            .flat_map(|(name, table)| table.records.values().filter(old).map(|record| (*name, record.id.clone())))
            .collect();
        for (object, id) in over {
            if let Some(object) = object_named(object) {
                // It was found a moment ago.
                let _ = self.purge(object, &id);
            }
        }
    }

    /// Puts a record and notes it as unwritten.
    pub(super) fn put(&mut self, object: &'static str, record: Record) {
        self.unwritten.push(record.line(object));
        let id = record.id.clone();
        let before = self.restore(object, record);
        self.undo.push((object, id, before));
    }

    /// Puts a record without noting it as unwritten; tells what stood there before.
    pub(super) fn restore(&mut self, object: &'static str, record: Record) -> Option<Record> {
        let before = self.remove(object, &record.id);
        let table = self.tables.entry(object).or_default();
        for (key, id) in unique_values(object, &record) {
            table.by_unique.insert(key, id);
        }
        if let Some(account) = account_of(&record) {
            table.by_account.entry(account.to_owned()).or_default().insert(record.id.clone());
        }
        table.serial = table.serial.max(ids::serial(&record.id));
        table.by_stamp.insert((record.stamp, record.id.clone()));
        table.records.insert(record.id.clone(), record);
        before
    }

    /// Forgets a record.
    pub(super) fn remove(&mut self, object: &'static str, id: &str) -> Option<Record> {
        let table = self.tables.get_mut(object)?;
        let old = table.records.remove(id)?;
        table.by_stamp.remove(&(old.stamp, old.id.clone()));
        for (key, owner) in unique_values(object, &old) {
            if table.by_unique.get(&key) == Some(&owner) {
                table.by_unique.remove(&key);
            }
        }
        if let Some(account) = account_of(&old)
            && let Some(children) = table.by_account.get_mut(account)
        {
            children.remove(id);
        }
        Some(old)
    }

    fn living(&self, object: &Object, id: &str) -> Result<&Record, RecordError> {
        let id = ids::normalise(id).ok_or_else(|| RecordError::malformed_id(id))?;
        let record = self.record(object, &id).ok_or_else(RecordError::not_found)?;
        if record.deleted { Err(RecordError::deleted()) } else { Ok(record) }
    }

    fn set_deleted(&mut self, object: &'static Object, id: &str, with: Option<&str>, by: &By) {
        self.change(object, id, by, |record| {
            record.deleted = true;
            record.deleted_with = with.map(str::to_owned);
        });
    }

    fn set_living(&mut self, object: &'static Object, id: &str, by: &By) {
        self.change(object, id, by, |record| {
            record.deleted = false;
            record.deleted_with = None;
            record.master = None;
        });
    }

    fn change(&mut self, object: &'static Object, id: &str, by: &By, work: impl FnOnce(&mut Record)) {
        if let Some(mut record) = self.record(object, id).cloned() {
            work(&mut record);
            record.stamp = whole_second(by.at).max(record.stamp);
            record.modified = record.stamp;
            record.modified_by = by.user.clone();
            self.put(object.name, record);
        }
    }

    /// The living contacts and opportunities of an account; nothing else has children that go with it.
    fn children(&self, object: &Object, id: &str) -> Vec<(&'static Object, String)> {
        if object.name != "Account" {
            return Vec::new();
        }
        let mut found = Vec::new();
        for child in ["Contact", "Opportunity"].iter().filter_map(|name| object_named(name)) {
            let Some(table) = self.tables.get(child.name) else { continue };
            let ids = table.by_account.get(id).into_iter().flatten();
            let living = ids.filter(|id| table.records.get(*id).is_some_and(|record| !record.deleted));
            found.extend(living.map(|id| (child, id.clone())));
        }
        found
    }

    /// What the deletion of a record took along.
    fn taken_along(&self, id: &str) -> Vec<(&'static Object, String)> {
        let mut found = Vec::new();
        for child in ["Contact", "Opportunity"].iter().filter_map(|name| object_named(name)) {
            let Some(table) = self.tables.get(child.name) else { continue };
            let ids = table.by_account.get(id).into_iter().flatten();
            let taken = ids.filter(|child| {
                table.records.get(*child).is_some_and(|record| record.deleted_with.as_deref() == Some(id))
            });
            found.extend(taken.map(|id| (child, id.clone())));
        }
        found
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

fn account_of(record: &Record) -> Option<&str> {
    record.fields.get("AccountId")?.as_str()
}

/// The values of a living record that no other may have, as keys of the index.
fn unique_values(object: &str, record: &Record) -> Vec<((String, String), String)> {
    if record.deleted {
        return Vec::new();
    }
    let fields = object_named(object).into_iter().flat_map(|object| object.fields.iter().filter(|field| field.unique));
    let keyed = fields.filter_map(|field| {
        let value = record.fields.get(&field.name)?.as_str()?;
        Some(((field.name.clone(), value.to_lowercase()), record.id.clone()))
    });
    keyed.collect()
}

/// Stamps have whole seconds (dossier 0, "Timestamps").
pub(super) fn whole_second(ms: i64) -> i64 {
    ms.div_euclid(1000) * 1000
}

/// What the org works out by itself: names, and what a stage says (dossier 7.2).
pub(super) fn derive(object: &Object, fields: &mut Fields, given: &Map<String, Json>) {
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
            if stage_given || !fields.contains_key("ForecastCategoryName") {
                let given = given.keys().any(|name| name.eq_ignore_ascii_case("ForecastCategoryName"));
                if !given {
                    fields.insert("ForecastCategoryName".to_owned(), json!(category));
                }
            }
            expected(fields);
        }
        _ => {}
    }
}

/// Expected revenue and the fiscal period of an opportunity (dossier 7.2).
fn expected(fields: &mut Fields) {
    let number = |name: &str| fields.get(name).and_then(|value| value.to_string().parse::<f64>().ok());
    let expected = number("Amount").zip(number("Probability")).map(|(amount, chance)| amount * chance / 100.0);
    let close = fields.get("CloseDate").and_then(Json::as_str).and_then(|day| day.parse::<NaiveDate>().ok());
    match expected {
        Some(expected) => fields.insert("ExpectedRevenue".to_owned(), json!(expected)),
        None => fields.remove("ExpectedRevenue"),
    };
    if let Some(close) = close {
        let quarter = close.month0() / 3 + 1;
        fields.insert("FiscalYear".to_owned(), json!(close.year()));
        fields.insert("FiscalQuarter".to_owned(), json!(quarter));
        fields.insert("Fiscal".to_owned(), json!(format!("{} {quarter}", close.year())));
    }
}
