//! The app and the CRMs as plain values, with what makes them hard to sync: rows of pending edits, stamps of whole seconds,
//! an index that lags, transactions that commit later than their stamp says, calls that apply late.

use crosstie::sync::Value;

use super::event::FIELDS;

/// What a mapped field is called; one text, one telephone number, one number.
pub const NAMES: [&str; FIELDS] = ["title", "phone", "employees"];

/// A record of the app. Its place in the table is its id.
#[derive(Debug, Clone, PartialEq)]
pub struct AppRecord {
    pub mark: u32,
    pub fields: [Value; FIELDS],
    /// When each field changed.
    pub changed_at: [i64; FIELDS],
    pub deleted_at: Option<i64>,
}

/// An edit that a connection has not yet looked at.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Pending {
    pub id: u64,
    pub record: usize,
    pub crm: usize,
}

/// The app's tables.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct App {
    pub records: Vec<AppRecord>,
    pub pending: Vec<Pending>,
    rows: u64,
}

impl App {
    /// What the capture trigger does: one row for each connection but the one that writes.
    pub fn captured(&mut self, record: usize, crms: impl Iterator<Item = usize>) {
        for crm in crms {
            self.rows += 1;
            self.pending.push(Pending { id: self.rows, record, crm });
        }
    }
}

/// A record as a CRM shows it.
#[derive(Debug, Clone, PartialEq)]
pub struct CrmRecord {
    /// Its id is its place in the CRM.
    pub id: usize,
    pub mark: u32,
    /// The app record that made it.
    pub external: Option<usize>,
    pub fields: [Value; FIELDS],
    pub changed_at: [i64; FIELDS],
    pub stamp: i64,
    pub deleted: bool,
}

/// A record of a CRM with what its index still has to take in.
#[derive(Debug, Clone, PartialEq)]
pub struct Stored {
    pub now: CrmRecord,
    /// The connected user may not see it.
    pub hidden: bool,
    /// Versions with the moment at which the index shows them, the oldest first.
    indexed: Vec<(i64, CrmRecord)>,
}

/// A write that has not come to pass yet.
#[derive(Debug, Clone, PartialEq)]
pub struct Awaited {
    pub at: i64,
    pub stamp: i64,
    pub what: Change,
}

/// A change of a CRM's record.
#[derive(Debug, Clone, PartialEq)]
pub enum Change {
    /// Somebody's edit.
    Edit { record: usize, field: usize, value: Value },
    /// A call of the engine.
    Write(Write),
}

/// A record that the engine writes.
#[derive(Debug, Clone, PartialEq)]
pub struct Write {
    /// The record to change; `None` makes one, or changes the one with this external id.
    pub id: Option<usize>,
    pub external: Option<usize>,
    pub mark: u32,
    pub fields: Vec<(usize, Value)>,
    pub deletes: bool,
}

/// A CRM. The first has stamps of whole seconds and shows at once what it holds; the second is exact and searches an index.
#[derive(Debug, Clone, PartialEq)]
pub struct Crm {
    pub records: Vec<Stored>,
    pub awaited: Vec<Awaited>,
    pub is_indexed: bool,
    /// Counts changes, for the lag of each.
    changes: i64,
    last_stamp: i64,
}

impl Crm {
    pub fn new(is_indexed: bool) -> Self {
        Crm { records: Vec::new(), awaited: Vec::new(), is_indexed, changes: 0, last_stamp: 0 }
    }

    /// The CRM's spelling of what somebody or something enters.
    pub fn spelled(&self, field: usize, value: Value) -> Value {
        let text = value?;
        Some(match (self.is_indexed, field) {
            (_, 0) => text,
            (_, 1) => {
                let digits: String = text.chars().filter(|c| c.is_ascii_digit() || *c == '+').collect();
                if self.is_indexed { digits } else { format!("({}) {}", &digits[..2], &digits[2..]) }
            }
            (true, _) => text.trim_end_matches(".0").to_owned(),
            (false, _) if text.contains('.') => text,
            (false, _) => text + ".0",
        })
    }

    /// A new record; answers its id.
    pub fn make(&mut self, now: i64, mark: u32, fields: [Value; FIELDS]) -> usize {
        let id = self.add(mark, None);
        self.store(id, fields.into_iter().enumerate().collect(), now, None);
        id
    }

    fn add(&mut self, mark: u32, external: Option<usize>) -> usize {
        let id = self.records.len();
        let (fields, changed_at) = ([None, None, None], [0; FIELDS]);
        let now = CrmRecord { id, mark, external, fields, changed_at, stamp: 0, deleted: false };
        self.records.push(Stored { now, hidden: false, indexed: Vec::new() });
        id
    }

    /// Stores values, all at once. `stamp`: of a transaction that began before.
    pub fn store(&mut self, id: usize, fields: Vec<(usize, Value)>, now: i64, stamp: Option<i64>) {
        let stamp = stamp.unwrap_or_else(|| self.next_stamp(now));
        for (field, value) in fields {
            let value = self.spelled(field, value);
            let record = &mut self.records[id].now;
            record.fields[field] = value;
            record.changed_at[field] = stamp;
        }
        let record = &mut self.records[id].now;
        record.stamp = record.stamp.max(stamp);
        self.touched(id, now);
    }

    pub fn delete(&mut self, id: usize, now: i64) {
        let stamp = self.next_stamp(now);
        let record = &mut self.records[id].now;
        (record.deleted, record.stamp) = (true, stamp);
        self.touched(id, now);
    }

    /// Carries out a write of the engine; answers the image after.
    pub fn write(&mut self, write: &Write, now: i64) -> Option<CrmRecord> {
        let own = write.external.and_then(|external| self.by_external(external)).map(|record| record.id);
        let known = write.id.or(own);
        if known.is_some_and(|id| self.records[id].now.deleted || self.records[id].hidden) {
            return None;
        }
        let id = known.unwrap_or_else(|| self.add(write.mark, write.external));
        if write.deletes {
            self.delete(id, now)
        } else {
            self.store(id, write.fields.clone(), now, None)
        }
        Some(self.records[id].now.clone())
    }

    /// Exact stamps are each another.
    fn next_stamp(&mut self, now: i64) -> i64 {
        self.last_stamp = self.last_stamp.max(now - 1) + 1;
        if self.is_indexed { self.last_stamp } else { now / 1000 * 1000 }
    }

    fn touched(&mut self, id: usize, now: i64) {
        self.changes += 1;
        // Most changes show within seconds, some much later, within the hour that the engine looks back.
        let lag = if !self.is_indexed {
            0
        } else if self.changes % 11 == 0 {
            20 * 60_000
        } else {
            self.changes * 7919 % 40_000
        };
        let version = self.records[id].now.clone();
        self.records[id].indexed.push((now + lag, version));
    }

    /// One page of what changed since a moment, by id, as the index shows it.
    pub fn search(&self, now: i64, from: i64, after: Option<usize>, most: usize) -> Vec<CrmRecord> {
        let shown = |stored: &Stored| {
            let version = stored.indexed.iter().rev().find(|(at, _)| *at <= now)?;
            (!stored.hidden && version.1.stamp >= from).then(|| version.1.clone())
        };
        let rest = self.records.iter().skip(after.map_or(0, |after| after + 1));
        rest.filter_map(shown).take(most).collect()
    }

    pub fn read(&self, id: usize) -> Option<CrmRecord> {
        self.records.get(id).filter(|stored| !stored.hidden).map(|stored| stored.now.clone())
    }

    pub fn by_external(&self, external: usize) -> Option<CrmRecord> {
        self.records.iter().find(|stored| stored.now.external == Some(external)).map(|stored| stored.now.clone())
    }

    pub fn by_mark(&self, mark: u32) -> Vec<CrmRecord> {
        let alive =
            self.records.iter().filter(|stored| stored.now.mark == mark && !stored.now.deleted && !stored.hidden);
        alive.map(|stored| stored.now.clone()).collect()
    }
}
