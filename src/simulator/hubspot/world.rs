//! The account as a plain value: records, associations, definitions, and the operations on them. No HTTP, no clock.

mod pairs;

use std::collections::{BTreeMap, BTreeSet, HashMap, VecDeque};

use serde_json::{Map, Value as Json, json};

use super::catalog::{self, Pipeline};
use super::changes::Undo;
use super::files::Files;
use super::links::{self, Label, Labels, Links, PRIMARY};
use super::record::{By, Record};
use super::refusal::Refusal;
use super::schema::Definitions;
use super::types::{COMPANIES, CONTACTS, DEALS, Schema, TICKETS, Types};
use super::values;

/// The records of one type.
#[derive(Debug, Default)]
pub(super) struct Table {
    pub records: BTreeMap<u64, Record>,
    /// Living records by their last change.
    pub by_modified: BTreeSet<(i64, u64)>,
    /// Living records by the lower-cased value of a unique property.
    by_unique: HashMap<(u16, Box<str>), u64>,
    pub living: usize,
    serial: u64,
}

/// Types, definitions, pipelines and labels.
#[derive(Debug, Clone)]
pub(super) struct Meta {
    pub types: Types,
    /// Of each type, at its place.
    pub definitions: Vec<Definitions>,
    pub pipelines: BTreeMap<usize, Vec<Pipeline>>,
    pub labels: Labels,
    /// E-mail addresses that were erased by law: nobody may have them again.
    pub blocked: BTreeSet<String>,
}

impl Meta {
    /// Puts a type of the account's own at its place.
    pub(super) fn put_type(&mut self, kind: usize, schema: Schema) {
        self.types.put(kind, schema);
        if self.definitions.len() < self.types.len() {
            self.definitions.extend(self.types.last().map(Definitions::of));
        }
    }

    /// Puts the labels of one direction; none end the association of two types.
    pub(super) fn put_labels(&mut self, pair: (usize, usize), labels: Vec<Label>) {
        if labels.is_empty() {
            self.labels.remove(&pair);
        } else {
            self.labels.insert(pair, labels);
        }
    }
}

/// What the search index has not seen yet: the record as it was.
#[derive(Debug)]
pub(super) struct Unseen {
    pub at: i64,
    pub kind: usize,
    pub id: u64,
    pub before: Option<Record>,
}

/// The account.
pub(super) struct World {
    pub tables: Vec<Table>,
    pub links: Links,
    pub meta: Meta,
    pub files: Files,
    /// Changes that a lagging index may not have seen; nothing is noted while the index keeps up.
    pub unseen: VecDeque<Unseen>,
    pub lags: bool,
    unwritten: Vec<String>,
    /// What has happened since the last writing, newest last.
    pub undo: Vec<Undo>,
}

/// A state that can be gone back to until the changes are written.
#[derive(Debug, Clone, Copy)]
pub(super) struct Savepoint(usize, usize);

impl Default for World {
    fn default() -> Self {
        let types = Types::default();
        let pipelines = [(DEALS, vec![catalog::deal_pipeline()]), (TICKETS, vec![catalog::ticket_pipeline()])];
        World {
            tables: types.iter().map(|_| Table::default()).collect(),
            links: Links::default(),
            meta: Meta {
                definitions: types.iter().map(Definitions::of).collect(),
                pipelines: pipelines.into(),
                labels: links::standard_labels(&types),
                types,
                blocked: BTreeSet::new(),
            },
            files: Files::default(),
            unseen: VecDeque::new(),
            lags: false,
            unwritten: Vec::new(),
            undo: Vec::new(),
        }
    }
}

impl World {
    /// Marks the present state.
    pub(super) fn savepoint(&self) -> Savepoint {
        Savepoint(self.undo.len(), self.unwritten.len())
    }

    /// Goes back to a state marked since the last writing.
    pub(super) fn roll_back(&mut self, to: Savepoint) {
        self.unwritten.truncate(to.1);
        while self.undo.len() > to.0 {
            match self.undo.pop() {
                Some(Undo::Record { kind, before: Some(record), .. }) => drop(self.restore(kind, record)),
                Some(Undo::Record { kind, id, before: None, .. }) => drop(self.remove(kind, id)),
                Some(Undo::Link { from, to, before, .. }) => self.restore_link(from, to, before),
                Some(Undo::Meta(meta)) => {
                    self.meta = *meta;
                    self.tables.truncate(self.meta.types.len());
                }
                Some(Undo::Files(files)) => self.files = files,
                None => return,
            }
        }
    }

    /// The lines to write.
    pub(super) fn take_unwritten(&mut self) -> Vec<String> {
        std::mem::take(&mut self.unwritten)
    }

    /// What has happened is written, or need not be: it stands from now on.
    pub(super) fn settle(&mut self) {
        self.unwritten.clear();
        self.undo.clear();
    }

    /// The last serial that each type has given out.
    pub(super) fn serials(&self) -> Vec<u64> {
        self.tables.iter().map(|table| table.serial).collect()
    }

    /// Serials up to this one are taken.
    pub(super) fn raise_serial(&mut self, kind: usize, serial: u64) {
        if let Some(table) = self.tables.get_mut(kind) {
            table.serial = table.serial.max(serial);
        }
    }

    /// A living record; the winner where this one was merged away.
    pub(super) fn living(&self, kind: usize, id: u64) -> Option<&Record> {
        let mut record = self.tables[kind].records.get(&id)?;
        // A winner may have lost itself later.
        for _ in 0..100 {
            match record.merged_into() {
                Some(winner) => record = self.tables[kind].records.get(&winner)?,
                None => break,
            }
        }
        (record.archived == 0).then_some(record)
    }

    /// The living record with this value of a unique property.
    pub(super) fn by_unique(&self, kind: usize, property: u16, value: &str) -> Option<&Record> {
        let id = self.tables[kind].by_unique.get(&(property, value.trim().to_lowercase().into()))?;
        self.tables[kind].records.get(id)
    }

    /// Creates a record from the properties of a request.
    pub(super) fn create(&mut self, kind: usize, given: &Map<String, Json>, by: By) -> Result<u64, Refusal> {
        let prepared = values::prepare(self, kind, given, None)?;
        values::required(self, kind, &prepared)?;
        let id = self.meta.types[kind].first_id.max(self.tables[kind].serial + 1);
        let mut record = Record::new(id, by);
        if let Some(created) = prepared.created {
            record.created = created;
        }
        for (place, value) in &prepared.values {
            if let Some(value) = value {
                record.begin(*place, value);
            }
        }
        record.settle();
        self.refuse_duplicates(kind, &record, None)?;
        self.put(kind, record, by);
        Ok(id)
    }

    /// Sets the properties of a request on a living record.
    pub(super) fn update(&mut self, kind: usize, id: u64, given: &Map<String, Json>, by: By) -> Result<u64, Refusal> {
        let record = self.living(kind, id).ok_or_else(Refusal::not_found)?;
        let prepared = values::prepare(self, kind, given, Some(record))?;
        let mut changed = record.clone();
        let mut moved = false;
        for (place, value) in &prepared.values {
            moved |= changed.change(*place, value.as_deref(), by);
        }
        if let Some(created) = prepared.created {
            moved |= changed.created != created;
            changed.created = created;
        }
        let id = changed.id;
        // What changes nothing moves no clock.
        if moved {
            self.refuse_duplicates(kind, &changed, Some(id))?;
            changed.modified = by.at.max(changed.modified);
            changed.changed_by = by.source;
            self.put(kind, changed, by);
        }
        Ok(id)
    }

    /// Moves a record to the recycle bin; what is not there stays so (dossier 2.5).
    pub(super) fn archive(&mut self, kind: usize, id: u64, by: By) -> bool {
        let Some(mut record) = self.living(kind, id).cloned() else { return false };
        record.archived = by.at.max(1);
        record.modified = by.at.max(record.modified);
        record.changed_by = by.source;
        self.put(kind, record, by);
        true
    }

    /// Takes a record out of the recycle bin with the same id (dossier 9).
    pub(super) fn unarchive(&mut self, kind: usize, id: u64, by: By) -> Result<u64, Refusal> {
        let found = self.tables[kind].records.get(&id).filter(|record| record.archived != 0);
        let mut record =
            found.filter(|record| record.merged_into().is_none()).cloned().ok_or_else(Refusal::not_found)?;
        self.refuse_duplicates(kind, &record, Some(id))?;
        record.archived = 0;
        record.modified = by.at.max(record.modified);
        record.changed_by = by.source;
        self.put(kind, record, by);
        Ok(id)
    }

    /// Merges `loser` into `winner`: blanks are filled, addresses kept, associations moved (dossier 9).
    pub(super) fn merge(&mut self, kind: usize, winner: u64, loser: u64, by: By) -> Result<u64, Refusal> {
        let of = self.meta.types[kind].singular.clone();
        let gone = |id: u64| Refusal::invalid(format!("Unable to merge: {of} {id} does not exist"));
        let lost = self.living(kind, loser).cloned().ok_or_else(|| gone(loser))?;
        let mut kept = self.living(kind, winner).cloned().ok_or_else(|| gone(winner))?;
        if kept.id == lost.id {
            return Err(Refusal::invalid("Cannot merge an object with itself"));
        }
        for (place, value) in lost.values() {
            if kept.get(place).is_none() {
                kept.change(place, Some(value), by);
            }
        }
        let definitions = &self.meta.definitions[kind];
        let (email, additional) = (definitions.place("email"), definitions.place("hs_additional_emails"));
        if let (CONTACTS, Some(email), Some(additional)) = (kind, email, additional) {
            let other = lost.get(email).filter(|other| kept.get(email) != Some(other));
            let known = [kept.get(additional), lost.get(additional), other].into_iter().flatten();
            let all: BTreeSet<String> = known.flat_map(|list| list.split(';').map(str::to_owned)).collect();
            if !all.is_empty() {
                kept.change(additional, Some(&Vec::from_iter(all).join(";")), by);
            }
        }
        let extra = kept.extra.get_or_insert_default();
        extra.merged.extend(lost.merged().iter().copied().chain([lost.id]));
        kept.modified = by.at.max(kept.modified);
        kept.changed_by = by.source;
        let (kept_id, lost_id) = (kept.id, lost.id);
        let around = self.links.around((kind, lost_id));
        let mut lost = lost;
        lost.archived = by.at.max(1);
        lost.extra.get_or_insert_default().merged_into = Some(kept_id);
        self.put(kind, lost, by);
        self.put(kind, kept, by);
        for (to, mask) in around {
            self.link((kind, lost_id), to, 0, by);
            if to != (kind, kept_id) {
                let main = links::has_primary(kind) && to.0 == COMPANIES && self.primary((kind, kept_id)).is_some();
                let before = self.links.get((kind, kept_id), to).unwrap_or_default();
                self.link((kind, kept_id), to, before | if main { mask & !PRIMARY } else { mask }, by);
            }
        }
        Ok(kept_id)
    }

    /// Removes a record for good.
    pub(super) fn purge(&mut self, kind: usize, id: u64, by: By) -> bool {
        for (to, _) in self.links.around((kind, id)) {
            self.link((kind, id), to, 0, by);
        }
        let before = self.remove(kind, id);
        let found = before.is_some();
        self.unwritten.push(json!({ "remove": kind, "id": id }).to_string());
        self.undo.push(Undo::Record { kind, id, before, by });
        found
    }

    /// Empties the bin of what was archived before an instant.
    pub(super) fn purge_archived_before(&mut self, before: i64, by: By) {
        for kind in 0..self.tables.len() {
            let old = |record: &&Record| record.archived != 0 && record.archived < before;
            if self.tables[kind].living == self.tables[kind].records.len() {
                continue;
            }
            let over: Vec<u64> = self.tables[kind].records.values().filter(old).map(|record| record.id).collect();
            for id in over {
                self.purge(kind, id, by);
            }
        }
    }

    /// Changes definitions, pipelines or labels, with the line that says so again at the next start.
    pub(super) fn redefine(&mut self, line: &Json, work: impl FnOnce(&mut Meta)) {
        self.undo.push(Undo::Meta(Box::new(self.meta.clone())));
        self.unwritten.push(line.to_string());
        work(&mut self.meta);
    }

    /// Puts labels in place of the former ones of one direction; none end the association of two types.
    pub(super) fn relabel(&mut self, pair: (usize, usize), labels: Vec<Label>) {
        let line = json!({ "from": pair.0, "to": pair.1, "labels": labels });
        self.redefine(&line, |meta| meta.put_labels(pair, labels));
    }

    /// Has a table for each type.
    pub(super) fn make_room(&mut self) {
        self.tables.resize_with(self.meta.types.len(), Table::default);
    }

    /// Changes files or folders, with the line that says so again at the next start.
    pub(super) fn refile(&mut self, line: &Json, work: impl FnOnce(&mut Files)) {
        self.undo.push(Undo::Files(self.files.clone()));
        self.unwritten.push(line.to_string());
        work(&mut self.files);
    }

    /// Puts a record and notes it as unwritten.
    pub(super) fn put(&mut self, kind: usize, record: Record, by: By) {
        self.unwritten.push(record.line(kind, &self.meta.definitions[kind]));
        let id = record.id;
        let before = self.restore(kind, record);
        if self.lags {
            self.unseen.push_back(Unseen { at: by.at, kind, id, before: before.clone() });
        }
        self.undo.push(Undo::Record { kind, id, before, by });
    }

    /// Puts a record without noting it as unwritten; tells what stood there before.
    pub(super) fn restore(&mut self, kind: usize, record: Record) -> Option<Record> {
        let before = self.remove(kind, record.id);
        let keys = self.unique_keys(kind, &record);
        let table = &mut self.tables[kind];
        table.serial = table.serial.max(record.id);
        if record.archived == 0 {
            table.living += 1;
            table.by_modified.insert((record.modified, record.id));
            for key in keys {
                table.by_unique.insert(key, record.id);
            }
        }
        table.records.insert(record.id, record);
        before
    }

    fn remove(&mut self, kind: usize, id: u64) -> Option<Record> {
        let old = self.tables[kind].records.remove(&id)?;
        if old.archived == 0 {
            let keys = self.unique_keys(kind, &old);
            let table = &mut self.tables[kind];
            table.living -= 1;
            table.by_modified.remove(&(old.modified, id));
            for key in keys {
                if table.by_unique.get(&key) == Some(&id) {
                    table.by_unique.remove(&key);
                }
            }
        }
        Some(old)
    }

    /// Forgets a record that the journal says is gone.
    pub(super) fn forget(&mut self, kind: usize, id: u64) {
        if kind < self.tables.len() {
            self.remove(kind, id);
        }
    }

    /// Values that no other living record of the type may have.
    fn unique_keys(&self, kind: usize, record: &Record) -> Vec<(u16, Box<str>)> {
        let definitions = &self.meta.definitions[kind];
        let mut keys: Vec<(u16, Box<str>)> = Vec::new();
        for (place, value) in record.values() {
            let Some(property) = definitions.at(place) else { continue };
            if property.unique {
                keys.push((place, value.trim().to_lowercase().into()));
            } else if kind == CONTACTS && (property.name == "email" || property.name == "hs_additional_emails") {
                let email = definitions.place("email").unwrap_or(place);
                keys.extend(value.split(';').map(|one| (email, one.trim().to_lowercase().into())));
            }
        }
        keys
    }

    fn refuse_duplicates(&self, kind: usize, record: &Record, own: Option<u64>) -> Result<(), Refusal> {
        let definitions = &self.meta.definitions[kind];
        for (place, value) in self.unique_keys(kind, record) {
            let email = kind == CONTACTS && definitions.place("email") == Some(place);
            if email && self.meta.blocked.contains(&*value) {
                return Err(Refusal::invalid("Contact cannot be created: GDPR_BLACKLISTED_EMAIL"));
            }
            let key = (place, value);
            let Some(other) = self.tables[kind].by_unique.get(&key).filter(|other| Some(**other) != own) else {
                continue;
            };
            if email {
                return Err(Refusal::new(409, "CONFLICT", format!("Contact already exists. Existing ID: {other}")));
            }
            let name = definitions.at(place).map(|property| property.name.as_str()).unwrap_or_default();
            let message = format!("{other} already has that value.");
            return Err(values::refused(&[values::Fault::new(name, "CONFLICTING_UNIQUE_VALUE", message)]));
        }
        Ok(())
    }
}
