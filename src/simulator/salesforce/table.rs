//! The records of one object, and the ways to find them without looking at each.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use super::ids::{self, Id};
use super::schema::object_named;
use super::world::Record;

/// The records of one object.
#[derive(Debug, Default)]
pub(super) struct Table {
    pub records: BTreeMap<Id, Record>,
    by_stamp: BTreeSet<(i64, Id)>,
    /// By key of a unique field and its value in small letters.
    by_unique: HashMap<(u16, Box<str>), Id>,
    /// The same of deleted records, whose values others may have too.
    deleted_unique: HashMap<(u16, Box<str>), BTreeSet<Id>>,
    by_account: HashMap<Id, BTreeSet<Id>>,
    pub(super) serial: u64,
    living: usize,
}

impl Table {
    /// Records stamped from the one to the other instant, both included, by stamp and id.
    pub(super) fn stamped(&self, from: i64, to: i64) -> impl DoubleEndedIterator<Item = &Record> {
        // A range that ends before it begins is empty, not a mistake.
        let range = (from <= to).then(|| self.by_stamp.range((from, Id::FIRST)..=(to, Id::LAST)));
        range.into_iter().flatten().filter_map(|(_, id)| self.records.get(id))
    }

    /// The living record with this value of a unique field.
    pub(super) fn by_unique(&self, key: u16, value: &str) -> Option<&Record> {
        self.records.get(self.by_unique.get(&(key, value.to_lowercase().into_boxed_str()))?)
    }

    /// The records with this value of a unique field, deleted ones included.
    pub(super) fn all_by_unique(&self, key: u16, value: &str) -> impl Iterator<Item = &Record> {
        let key = (key, value.to_lowercase().into_boxed_str());
        let ids = self.by_unique.get(&key).into_iter().chain(self.deleted_unique.get(&key).into_iter().flatten());
        ids.filter_map(|id| self.records.get(id))
    }

    /// The records that name an account, deleted ones included.
    pub(super) fn of_account(&self, account: &Id) -> impl Iterator<Item = &Record> {
        self.by_account.get(account).into_iter().flatten().filter_map(|id| self.records.get(id))
    }

    /// How many are not deleted.
    pub(super) fn living(&self) -> usize {
        self.living
    }

    /// Puts a record; tells what stood there before.
    pub(super) fn put(&mut self, object: &'static str, record: Record) -> Option<Record> {
        let before = self.remove(object, &record.id);
        for key in unique_values(object, &record) {
            if record.deleted {
                self.deleted_unique.entry(key).or_default().insert(record.id);
            } else {
                self.by_unique.insert(key, record.id);
            }
        }
        if let Some(account) = account_of(&record) {
            self.by_account.entry(account).or_default().insert(record.id);
        }
        self.serial = self.serial.max(ids::serial(&record.id));
        self.by_stamp.insert((record.stamp, record.id));
        self.living += usize::from(!record.deleted);
        self.records.insert(record.id, record);
        before
    }

    /// Forgets a record.
    pub(super) fn remove(&mut self, object: &'static str, id: &Id) -> Option<Record> {
        let old = self.records.remove(id)?;
        self.living -= usize::from(!old.deleted);
        self.by_stamp.remove(&(old.stamp, old.id));
        for key in unique_values(object, &old) {
            if !old.deleted {
                self.by_unique.remove(&key);
            } else if let Some(others) = self.deleted_unique.get_mut(&key) {
                others.remove(id);
            }
        }
        if let Some(account) = account_of(&old)
            && let Some(children) = self.by_account.get_mut(&account)
        {
            children.remove(id);
            if children.is_empty() {
                self.by_account.remove(&account);
            }
        }
        Some(old)
    }
}

fn account_of(record: &Record) -> Option<Id> {
    Id::parse(record.fields.get("AccountId")?.as_str()?)
}

/// The values of a record's unique fields, as keys of the index.
fn unique_values(object: &str, record: &Record) -> Vec<(u16, Box<str>)> {
    let fields = object_named(object).into_iter().flat_map(|object| object.fields.iter().filter(|field| field.unique));
    let keyed = fields.filter_map(|field| {
        let value = record.fields.at(field.key)?.as_str()?;
        Some((field.key, value.to_lowercase().into_boxed_str()))
    });
    keyed.collect()
}
