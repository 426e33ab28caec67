//! What goes and comes back: the recycle bin with what goes along or holds back, merges, and the end of a record
//! (dossier 2.5, 7.1).

use serde_json::{Map, Value as Json, json};

use super::files;
use super::ids::Id;
use super::packed::Value;
use super::rollups;
use super::schema::{Field, OBJECTS, Object, object_named};
use super::transactions::refuse_locked;
use super::validate::RecordError;
use super::world::{By, Record, World};

/// Objects whose records go with their account (dossier 7.1).
const OF_ACCOUNTS: [&str; 2] = ["Contact", "Opportunity"];

impl World {
    /// Moves a record to the recycle bin, an account's contacts and opportunities with it (dossier 7.1).
    pub(super) fn delete(&mut self, object: &'static Object, id: &str, by: &By) -> Result<Id, RecordError> {
        if !object.deletable {
            let message = format!("entity type cannot be deleted: {}", object.name);
            return Err(RecordError::new("CANNOT_DELETE_ENTITY", message));
        }
        let record = self.living(object, id)?;
        refuse_locked(&self.locked, rollups::parents(object.name, record).chain([record.id]))?;
        let id = record.id;
        let children = self.children(object, &id);
        self.refuse_needed(object, &id, &children)?;
        for (child, child_id) in children {
            self.set_deleted(child, &child_id, Some(id), by);
        }
        self.set_deleted(object, &id, None, by);
        Ok(id)
    }

    /// Takes a record out of the recycle bin again, with what its deletion took along.
    pub(super) fn undelete(&mut self, object: &'static Object, id: &str, by: &By) -> Result<Id, RecordError> {
        let record = self.record(object, id).filter(|record| record.deleted).ok_or_else(RecordError::not_found)?;
        let (id, fields) = (record.id, record.fields.unpacked());
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
    ) -> Result<Id, RecordError> {
        let winner = self.living(object, into)?.id;
        let loser = self.living(object, id)?.id;
        if !object.mergeable || winner == loser {
            return Err(RecordError::new("INVALID_OPERATION", format!("{} cannot be merged so", object.name)));
        }
        let before = self.savepoint();
        let moved = self.referring(object, &loser).into_iter().try_for_each(|(child, link, child_id)| {
            let given = Map::from_iter([(link.name.clone(), json!(winner))]);
            self.update(child, &child_id, &given, by).map(drop)
        });
        self.set_deleted(object, &loser, None, by);
        if let Some(mut record) = self.at(object, &loser).cloned() {
            record.master = Some(winner);
            self.put(object.name, record);
        }
        let done = moved.and_then(|()| self.update(object, &winner, chosen, by));
        if done.is_err() {
            self.roll_back(before);
        }
        done
    }

    /// Removes a record for good. What is told of the deleted is no longer whole then (dossier 2.8, 9.3).
    pub(super) fn purge(&mut self, object: &'static Object, id: &str, by: &By) -> Result<Id, RecordError> {
        let id = self.record(object, id).ok_or_else(RecordError::not_found)?.id;
        self.erase(object.name, &id);
        self.purged.insert(object.name.to_owned(), by.at);
        Ok(id)
    }

    /// Empties the recycle bin of what was deleted before an instant.
    pub(super) fn purge_deleted_before(&mut self, before: i64) {
        let old = |record: &&Record| record.deleted && record.stamp < before;
        let over: Vec<(&'static str, Id)> = self
            .tables
            .iter()
            .flat_map(|(name, table)| table.records.values().filter(old).map(|record| (*name, record.id)))
            .collect();
        for (object, id) in over {
            self.erase(object, &id);
        }
    }

    fn set_deleted(&mut self, object: &'static Object, id: &Id, with: Option<Id>, by: &By) {
        self.change(object, id, by, |record| {
            record.deleted = true;
            record.deleted_with = with;
        });
    }

    fn set_living(&mut self, object: &'static Object, id: &Id, by: &By) {
        self.change(object, id, by, |record| {
            record.deleted = false;
            record.deleted_with = None;
            record.master = None;
        });
    }

    /// Refuses to delete what a living record must not lose (dossier 2.5, 7.1), save one that goes too.
    fn refuse_needed(
        &self,
        object: &'static Object,
        id: &Id,
        going: &[(&'static Object, Id)],
    ) -> Result<(), RecordError> {
        for (object, id) in going.iter().map(|(object, id)| (*object, id)).chain([(object, id)]) {
            let needing = self.referring(object, id).into_iter().filter(|(_, link, _)| link.restricts);
            let needing = needing.filter(|(_, _, needing)| going.iter().all(|(_, going)| going != needing));
            let named: Vec<String> = needing
                .filter_map(|(child, _, needing)| {
                    let name = self.at(child, &needing)?.fields.get("Name").and_then(Value::as_str);
                    Some(format!("{}: {}", child.name, name.unwrap_or(&needing)))
                })
                .collect();
            if !named.is_empty() {
                let message = format!(
                    "Your attempt to delete {id} could not be completed because it is associated with the following \
                     records: {}",
                    named.join(", ")
                );
                return Err(RecordError::new("DELETE_FAILED", message));
            }
        }
        Ok(())
    }

    /// The living records that refer to a record, and by which field.
    fn referring(&self, object: &Object, id: &Id) -> Vec<(&'static Object, &'static Field, Id)> {
        let mut found = Vec::new();
        for child in OBJECTS.iter() {
            let links = child.fields.iter().filter(|field| field.followed);
            for link in links.filter(|link| link.reference_to.iter().any(|parent| parent == object.name)) {
                let records = self.tables.get(child.name).into_iter().flat_map(|table| table.of_parent(link.key, id));
                found.extend(records.filter(|record| !record.deleted).map(|record| (child, link, record.id)));
            }
        }
        found
    }

    /// The living records that go with an account, or with a document.
    fn children(&self, object: &Object, id: &Id) -> Vec<(&'static Object, Id)> {
        match object.name {
            "Account" => self.below(id, |record| !record.deleted),
            "ContentDocument" => files::of_document(self, id, |record| !record.deleted),
            _ => Vec::new(),
        }
    }

    /// What the deletion of a record took along.
    fn taken_along(&self, id: &Id) -> Vec<(&'static Object, Id)> {
        let with_it = |record: &Record| record.deleted_with == Some(*id);
        let mut taken = self.below(id, with_it);
        taken.extend(files::of_document(self, id, with_it));
        taken
    }

    fn below(&self, account: &Id, wanted: impl Fn(&Record) -> bool) -> Vec<(&'static Object, Id)> {
        let mut found = Vec::new();
        for child in OF_ACCOUNTS.iter().filter_map(|name| object_named(name)) {
            let Some(link) = child.field("AccountId") else { continue };
            let records = self.tables.get(child.name).into_iter().flat_map(|table| table.of_parent(link.key, account));
            found.extend(records.filter(|record| wanted(record)).map(|record| (child, record.id)));
        }
        found
    }
}
