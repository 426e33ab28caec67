//! The org as a plain value: records with their stamps and the operations on them. No HTTP, no clock of its own.

use std::cell::Cell;
use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use rand::{Rng as _, SeedableRng as _};
use rand_chacha::ChaCha8Rng;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value as Json, json};

use super::assignment::Assigning;
use super::derive::derive;
use super::duplicates::Twins;
use super::files;
use super::ids::{self, Id};
use super::packed::{Packed, Value};
use super::picklists;
use super::rollups::{self, Change, Totals};
use super::rules::{self, Rules};
use super::schema::{Field, Object, object_named};
use super::security::FieldSecurity;
use super::table::Table;
use super::transactions::refuse_locked;
use super::validate::{self, RecordError};

/// Fields by API name.
pub(super) type Fields = BTreeMap<String, Json>;

/// A record.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct Record {
    pub id: Id,
    pub fields: Packed,
    /// Stamps in epoch milliseconds, whole seconds.
    pub created: i64,
    pub modified: i64,
    pub stamp: i64,
    pub created_by: Id,
    pub modified_by: Id,
    pub deleted: bool,
    /// The record that this one was merged into.
    pub master: Option<Id>,
    /// The record whose deletion took this one along.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub deleted_with: Option<Id>,
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

/// The org.
#[derive(Debug, Default)]
pub(super) struct World {
    pub tables: BTreeMap<&'static str, Table>,
    pub rules: Rules,
    /// Rows that open transactions hold.
    pub locked: Vec<Id>,
    /// What roll-up summary fields show.
    pub totals: Totals,
    /// Which records duplicate rules hold for the same.
    pub twins: Twins,
    /// How often chance has been asked.
    asked_chance: Cell<u64>,
    /// When a record of an object was last removed for good before its time.
    pub purged: BTreeMap<String, i64>,
    /// The bytes of files.
    contents: HashMap<Id, Arc<[u8]>>,
    /// What has changed since the journal was written: lines to append.
    unwritten: Vec<String>,
    /// What stood before each of those changes.
    undo: Vec<(&'static str, Id, Option<Record>)>,
}

/// A state that can be gone back to until the changes are written.
#[derive(Debug, Clone, Copy)]
pub(super) struct Savepoint(usize);

/// Who changes something, and when (epoch milliseconds of the org's clock).
#[derive(Debug, Clone)]
pub(super) struct By {
    pub user: Id,
    pub at: i64,
    pub security: FieldSecurity,
    /// Whether duplicates that a rule only warns of are saved (dossier 2.9).
    pub saves_duplicates: bool,
    /// Which assignment rules give the record to someone (dossier 2.9).
    pub assigning: Assigning,
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

    /// Whether something of this probability happens: by chance, yet the same in the same history.
    pub(super) fn strikes(&self, probability: Option<f64>) -> bool {
        let Some(probability) = probability else { return true };
        let asked = self.asked_chance.get() + 1;
        self.asked_chance.set(asked);
        ChaCha8Rng::seed_from_u64(asked).random::<f64>() < probability
    }

    /// Goes by other rules from now on.
    pub(super) fn set_rules(&mut self, rules: Rules) {
        if !self.twins.are_of(&rules.duplicates) {
            let mut twins = Twins::of(&rules.duplicates);
            for (object, table) in &self.tables {
                table.records.values().for_each(|record| twins.follow(object, record, Change::Comes));
            }
            self.twins = twins;
        }
        self.rules = rules;
    }

    /// Records that are not in the bin.
    pub(super) fn living_count(&self) -> usize {
        self.tables.values().map(Table::living).sum()
    }

    /// The records of an object.
    pub(super) fn table(&self, object: &str) -> Option<&Table> {
        self.tables.get(object_named(object)?.name)
    }

    /// A record by id, deleted ones included.
    pub(super) fn record(&self, object: &Object, id: &str) -> Option<&Record> {
        self.at(object, &Id::parse(id)?)
    }

    /// A record by its id, deleted ones included.
    pub(super) fn at(&self, object: &Object, id: &Id) -> Option<&Record> {
        self.tables.get(object.name)?.records.get(id)
    }

    /// Finds the object and record of an id.
    pub(super) fn find(&self, id: &str) -> Option<(&'static Object, &Record)> {
        let id = Id::parse(id)?;
        self.tables.iter().find_map(|(name, table)| Some((object_named(name)?, table.records.get(&id)?)))
    }

    /// The living record with this value of a unique field.
    pub(super) fn by_unique(&self, object: &Object, field: &str, value: &str) -> Option<&Record> {
        if field == "Id" {
            return self.record(object, value).filter(|record| !record.deleted);
        }
        self.tables.get(object.name)?.by_unique(object.field(field)?.key, value)
    }

    /// The living records with this value of a key field.
    pub(super) fn all_by_key(&self, object: &Object, field: &Field, value: &str) -> Vec<Id> {
        if field.name == "Id" {
            return self.by_unique(object, "Id", value).map(|record| record.id).into_iter().collect();
        }
        let found = self.tables.get(object.name).into_iter().flat_map(|table| table.all_by_key(field.key, value));
        found.filter(|record| !record.deleted).map(|record| record.id).collect()
    }

    /// The living record with this value of a key field; a value that several have is refused (dossier 2.5).
    pub(super) fn by_key(&self, object: &Object, field: &Field, value: &str) -> Result<Option<Id>, RecordError> {
        match self.all_by_key(object, field, value).as_slice() {
            [] => Ok(None),
            [id] => Ok(Some(*id)),
            several => {
                let message = format!(
                    "{}: more than one record found for external id field: [{}]",
                    field.name,
                    several.iter().map(|id| &**id).collect::<Vec<_>>().join(", ")
                );
                Err(RecordError::of("DUPLICATE_EXTERNAL_ID", message, &field.name))
            }
        }
    }

    /// Creates a record from the fields of a request.
    pub(super) fn create(
        &mut self,
        object: &'static Object,
        given: &Map<String, Json>,
        by: &By,
    ) -> Result<Id, RecordError> {
        if !object.createable {
            let message = format!("entity type cannot be inserted: {}", object.name);
            return Err(RecordError::new("CANNOT_INSERT_UPDATE_ACTIVATE_ENTITY", message));
        }
        let fields = validate::fields(self, object, given, None, &by.security)?;
        if files::is_file(object) {
            return files::create(self, object, fields, by);
        }
        self.insert(object, fields, given, by)
    }

    /// Puts a new record of fields that may be set, and what a request gave of them.
    pub(super) fn insert(
        &mut self,
        object: &'static Object,
        mut fields: Fields,
        given: &Map<String, Json>,
        by: &By,
    ) -> Result<Id, RecordError> {
        validate::required(object, &fields)?;
        let named = fields.clone();
        add_defaults(object, &mut fields, by);
        validate::record_type(object, &fields, &named)?;
        picklists::check(object, &fields, &named)?;
        validate::lookups(self, object, &fields, &named)?;
        self.refuse_duplicates(object, &fields, None)?;
        refuse_locked(&self.locked, account_of(&fields))?;
        derive(object, &mut fields, given);
        let serial = self.tables.entry(object.name).or_default().serial + 1;
        let id = ids::record_id(&object.prefix, serial);
        let at = whole_second(by.at);
        let mut record = Record {
            id,
            fields: Packed::new(&fields),
            created: at,
            modified: at,
            stamp: at,
            created_by: by.user,
            modified_by: by.user,
            deleted: false,
            master: None,
            deleted_with: None,
        };
        rules::obey(self, object, &mut record, None, by)?;
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
    ) -> Result<Id, RecordError> {
        let before = self.living(object, id)?;
        let mut changed = before.clone();
        if changed.fields.get("IsConverted") == Some(Value::Boolean(true)) {
            return Err(RecordError::new("CANNOT_UPDATE_CONVERTED_LEAD", "cannot reference converted lead"));
        }
        let fields = validate::fields(self, object, given, Some(&changed.id), &by.security)?;
        self.refuse_duplicates(object, &fields, Some(&changed.id))?;
        let parents = rollups::parents(object.name, before);
        refuse_locked(&self.locked, account_of(&fields).chain(parents).chain([changed.id]))?;
        let at = whole_second(by.at);
        let mut held = changed.fields.unpacked();
        for (name, value) in &fields {
            if value.is_null() {
                if object.field(name).is_some_and(|field| !field.nillable && field.createable && !field.defaulted) {
                    return Err(RecordError::required(std::slice::from_ref(name)));
                }
                held.remove(name);
            } else {
                held.insert(name.clone(), value.clone());
            }
        }
        validate::record_type(object, &held, &fields)?;
        picklists::check(object, &held, &fields)?;
        validate::lookups(self, object, &held, &fields)?;
        derive(object, &mut held, given);
        changed.fields = Packed::new(&held);
        changed.modified = at;
        changed.stamp = at.max(changed.stamp);
        changed.modified_by = by.user;
        rules::obey(self, object, &mut changed, Some(before), by)?;
        let id = changed.id;
        self.put(object.name, changed);
        Ok(id)
    }

    /// Puts a record and notes it as unwritten.
    pub(super) fn put(&mut self, object: &'static str, record: Record) {
        self.unwritten.push(record.line(object));
        let id = record.id;
        let before = self.restore(object, record);
        self.undo.push((object, id, before));
    }

    /// Forgets a record and notes that as unwritten.
    pub(super) fn erase(&mut self, object: &'static str, id: &Id) {
        let before = self.remove(object, id);
        self.unwritten.push(json!({ "remove": object, "id": id }).to_string());
        self.undo.push((object, *id, before));
    }

    /// Puts a record without noting it as unwritten; tells what stood there before.
    pub(super) fn restore(&mut self, object: &'static str, record: Record) -> Option<Record> {
        let table = self.tables.entry(object).or_default();
        if let Some(before) = table.records.get(&record.id) {
            self.totals.follow(object, before, Change::Goes);
            self.twins.follow(object, before, Change::Goes);
        }
        self.totals.follow(object, &record, Change::Comes);
        self.twins.follow(object, &record, Change::Comes);
        table.put(object, record)
    }

    /// Keeps the bytes of a record that was just made.
    pub(super) fn keep_content(&mut self, object: &'static Object, id: Id, bytes: Arc<[u8]>) {
        self.unwritten.push(files::line(&id, &bytes));
        self.undo.push((object.name, id, None));
        self.contents.insert(id, bytes);
    }

    /// The bytes of a record.
    pub(super) fn content(&self, id: &Id) -> Option<&[u8]> {
        self.contents.get(id).map(AsRef::as_ref)
    }

    /// Bytes as the journal has them.
    pub(super) fn restore_content(&mut self, id: Id, bytes: Arc<[u8]>) {
        self.contents.insert(id, bytes);
    }

    /// The journal's lines of all bytes.
    pub(super) fn content_lines(&self) -> impl Iterator<Item = String> {
        self.contents.iter().map(|(id, bytes)| files::line(id, bytes))
    }

    /// Forgets a record.
    pub(super) fn remove(&mut self, object: &'static str, id: &Id) -> Option<Record> {
        self.contents.remove(id);
        let before = self.tables.get_mut(object)?.remove(object, id)?;
        self.totals.follow(object, &before, Change::Goes);
        self.twins.follow(object, &before, Change::Goes);
        Some(before)
    }

    /// The record of an id, unless it is in the bin.
    pub(super) fn living(&self, object: &Object, id: &str) -> Result<&Record, RecordError> {
        let id = Id::parse(id).ok_or_else(|| RecordError::malformed_id(id))?;
        let record = self.at(object, &id).ok_or_else(RecordError::not_found)?;
        if record.deleted { Err(RecordError::deleted()) } else { Ok(record) }
    }

    /// Changes a record as the org itself does, past what people may write.
    pub(super) fn change(&mut self, object: &'static Object, id: &Id, by: &By, work: impl FnOnce(&mut Record)) {
        if let Some(mut record) = self.at(object, id).cloned() {
            work(&mut record);
            record.stamp = whole_second(by.at).max(record.stamp);
            record.modified = record.stamp;
            record.modified_by = by.user;
            self.put(object.name, record);
        }
    }

    /// Refuses values of unique fields that other records have.
    pub(super) fn refuse_duplicates(
        &self,
        object: &Object,
        fields: &Fields,
        own: Option<&Id>,
    ) -> Result<(), RecordError> {
        for field in object.fields.iter().filter(|field| field.unique) {
            let Some(value) = fields.get(&field.name).and_then(Json::as_str) else { continue };
            if let Some(other) = self.by_unique(object, &field.name, value).filter(|other| Some(&other.id) != own) {
                return Err(RecordError::duplicate(&field.name, &other.id));
            }
        }
        Ok(())
    }
}

fn account_of(fields: &Fields) -> impl Iterator<Item = Id> {
    fields.get("AccountId").and_then(Json::as_str).and_then(Id::parse).into_iter()
}

/// What a new record has without being told.
fn add_defaults(object: &Object, fields: &mut Fields, by: &By) {
    for field in &object.fields {
        if field.field_type == "boolean" && field.defaulted && field.name != "IsDeleted" {
            fields.entry(field.name.clone()).or_insert(Json::Bool(false));
        }
        if let (Some(option), true) = (&field.default_option, field.defaulted) {
            fields.entry(field.name.clone()).or_insert_with(|| json!(option));
        }
    }
    if let Some(kind) = object.record_types.first() {
        fields.entry("RecordTypeId".to_owned()).or_insert_with(|| json!(kind.record_type_id));
    }
    fields.entry("OwnerId".to_owned()).or_insert_with(|| json!(by.user));
}

/// Stamps have whole seconds (dossier 0, "Timestamps").
pub(super) fn whole_second(ms: i64) -> i64 {
    ms.div_euclid(1000) * 1000
}
