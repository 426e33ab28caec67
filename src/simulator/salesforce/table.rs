//! The records of one object, and the ways to find them without looking at each.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use super::ids::{self, Id};
use super::packed::Value;
use super::schema::{Field, object_named};
use super::world::Record;

/// A key field and its value in small letters.
type Key = (u16, Box<str>);

/// The records of one object.
#[derive(Debug, Default)]
pub(super) struct Table {
    pub records: BTreeMap<Id, Record>,
    by_stamp: BTreeSet<(i64, Id)>,
    /// The living record of a value of a unique field.
    by_unique: HashMap<Key, Id>,
    /// Records whose values others may have too: deleted ones, and those of external ids that are not unique.
    by_shared: HashMap<Key, BTreeSet<Id>>,
    /// By a reference to their parent.
    by_parent: HashMap<(u16, Id), BTreeSet<Id>>,
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

    /// The records with this value of a key field, deleted ones included.
    pub(super) fn all_by_key(&self, key: u16, value: &str) -> impl Iterator<Item = &Record> {
        let key = (key, value.to_lowercase().into_boxed_str());
        let ids = self.by_unique.get(&key).into_iter().chain(self.by_shared.get(&key).into_iter().flatten());
        ids.filter_map(|id| self.records.get(id))
    }

    /// The records that name a parent in a reference that is followed, deleted ones included.
    pub(super) fn of_parent(&self, link: u16, parent: &Id) -> impl Iterator<Item = &Record> {
        self.by_parent.get(&(link, *parent)).into_iter().flatten().filter_map(|id| self.records.get(id))
    }

    /// How many are not deleted.
    pub(super) fn living(&self) -> usize {
        self.living
    }

    /// Puts a record; tells what stood there before.
    pub(super) fn put(&mut self, object: &'static str, record: Record) -> Option<Record> {
        let before = self.remove(object, &record.id);
        let fields = object_named(object).map(|object| &*object.fields).unwrap_or_default();
        for (field, key) in keys(fields, &record) {
            if field.unique && !record.deleted {
                self.by_unique.insert(key, record.id);
            } else {
                self.by_shared.entry(key).or_default().insert(record.id);
            }
        }
        for link in links(fields, &record) {
            self.by_parent.entry(link).or_default().insert(record.id);
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
        let fields = object_named(object).map(|object| &*object.fields).unwrap_or_default();
        self.living -= usize::from(!old.deleted);
        self.by_stamp.remove(&(old.stamp, old.id));
        for (field, key) in keys(fields, &old) {
            if field.unique && !old.deleted {
                self.by_unique.remove(&key);
            } else if let Some(others) = self.by_shared.get_mut(&key) {
                others.remove(id);
                if others.is_empty() {
                    self.by_shared.remove(&key);
                }
            }
        }
        for link in links(fields, &old) {
            if let Some(children) = self.by_parent.get_mut(&link) {
                children.remove(id);
                if children.is_empty() {
                    self.by_parent.remove(&link);
                }
            }
        }
        Some(old)
    }
}

/// A record's parents, as keys of the index.
fn links(fields: &[Field], record: &Record) -> impl Iterator<Item = (u16, Id)> {
    let parent = move |field: &Field| Id::parse(record.fields.at(field.key)?.as_str()?);
    fields.iter().filter(|field| field.followed).filter_map(move |field| Some((field.key, parent(field)?)))
}

/// The values of a record's key fields, as keys of the index.
fn keys<'f>(fields: &'f [Field], record: &Record) -> impl Iterator<Item = (&'f Field, Key)> {
    let value = move |field: &Field| record.fields.at(field.key).and_then(Value::as_str).map(str::to_lowercase);
    let keyed = fields.iter().filter(|field| field.is_key());
    keyed.filter_map(move |field| Some((field, (field.key, value(field)?.into_boxed_str()))))
}
