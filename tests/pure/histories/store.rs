//! What the engine of the histories stores for each connection, as the real one does in Postgres.

use crosstie::model::{ConflictPolicy, FieldDirection, Side};
use crosstie::sync::{FieldBase, Value};

use super::event::FIELDS;
use super::sides::CrmRecord;

/// States of a link.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum State {
    /// A record of the CRM without partner yet.
    Stranger,
    /// The CRM record is being made.
    Creating,
    Linked,
    GoneCrm,
    GoneApp,
    NotVisible,
}

/// An app record and a CRM record are the same thing.
#[derive(Debug, Clone, PartialEq)]
pub struct Link {
    pub app: Option<usize>,
    pub crm: Option<usize>,
    pub state: State,
    pub base: [Option<FieldBase>; FIELDS],
    /// The newest reading, kept while it is not settled.
    pub seen: Option<CrmRecord>,
    /// The newest stamp known, own writes included.
    pub stamp: i64,
    pub due: bool,
    /// Conflicts that wait for a person, with the values of the app and the CRM.
    pub asks: [Option<(Value, Value)>; FIELDS],
    /// What a person decided, and for which values.
    pub decided: [Option<(Side, (Value, Value))>; FIELDS],
    /// Values of ours that may still turn up.
    pub late: [Vec<Value>; FIELDS],
    /// A write was refused, and people are told.
    pub failed: bool,
}

impl Link {
    pub fn new(app: Option<usize>, crm: Option<usize>, state: State) -> Self {
        Link {
            app,
            crm,
            state,
            base: [None, None, None],
            seen: None,
            stamp: 0,
            due: true,
            asks: [None, None, None],
            decided: [None, None, None],
            late: [Vec::new(), Vec::new(), Vec::new()],
            failed: false,
        }
    }
}

/// A value that was overwritten.
#[derive(Debug, Clone, PartialEq)]
pub struct Overwritten {
    pub record: usize,
    pub field: usize,
    pub value: Value,
}

/// A write into the CRM that was announced.
#[derive(Debug, Clone, PartialEq)]
pub struct Intent {
    pub link: usize,
    pub record: usize,
    /// Field, value before, value sent, the app's value that it came from.
    pub fields: Vec<(usize, Value, Value, Value)>,
    pub creates: bool,
    pub deletes: bool,
    /// The edits that it carries over.
    pub pending: Vec<u64>,
}

/// A run that is under way.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Open {
    /// What the CRM's clock said before the first page.
    pub bound: i64,
    pub from: i64,
    /// The last record of the last page that was stored.
    pub after: Option<usize>,
    pub has_read: bool,
    /// The newest stamp of its rows.
    pub newest: i64,
}

/// A connection and all that it stores.
#[derive(Debug, Clone, PartialEq)]
pub struct Connection {
    pub policy: ConflictPolicy,
    pub directions: [FieldDirection; FIELDS],
    /// Fields that the CRM's describe does not list.
    pub unobserved: [bool; FIELDS],
    pub deletes_here: bool,
    pub deletes_there: bool,
    pub links: Vec<Link>,
    pub intents: Vec<Intent>,
    pub journal: Vec<Overwritten>,
    pub cursor: i64,
    pub run: Option<Open>,
    /// The next run reads everything.
    pub in_full: bool,
    /// When a run last looked further back for what the index had not shown.
    pub looked_back: i64,
}

impl Connection {
    pub fn new(policy: ConflictPolicy, deletes_here: bool, deletes_there: bool) -> Self {
        Connection {
            policy,
            directions: [FieldDirection::Bidirectional; FIELDS],
            unobserved: [false; FIELDS],
            deletes_here,
            deletes_there,
            links: Vec::new(),
            intents: Vec::new(),
            journal: Vec::new(),
            cursor: 0,
            run: None,
            in_full: true,
            looked_back: 0,
        }
    }

    pub fn by_crm(&self, id: usize) -> Option<usize> {
        self.links.iter().position(|link| link.crm == Some(id))
    }

    pub fn by_app(&self, record: usize) -> Option<usize> {
        self.links.iter().position(|link| link.app == Some(record))
    }
}
