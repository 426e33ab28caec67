//! A history: everything that people, the network and death do to the connections of one workspace, as a list that can be written down and
//! played again. Records are named by their marks, so that an event keeps its meaning when others are left out.

use crosstie::model::{ConflictPolicy, Entity, FieldDirection, Provider, SyncDirection};
use serde::{Deserialize, Serialize};

/// A whole history.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct History {
    /// Seed of the org's and of the app's randomness (ids, jitter).
    pub seed: u64,
    /// The CRMs that are connected.
    pub crms: Vec<Provider>,
    /// Policy of every connection at the beginning.
    pub policy: ConflictPolicy,
    /// "Delete records when deleted in CRM", at the beginning.
    #[serde(default)]
    pub delete_in_app: bool,
    /// "Delete in CRM when deleted in app", at the beginning.
    #[serde(default)]
    pub delete_in_crm: bool,
    /// What happens, in this order.
    pub events: Vec<Event>,
}

/// Where a record is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Place {
    App,
    Salesforce,
    Hubspot,
}

/// Something that happens.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "what", rename_all = "snake_case")]
pub enum Event {
    /// Somebody enters a record. A mark may be entered at several places: then all are the same.
    Create { at: Place, entity: Entity, mark: u32 },
    /// Another program enters a record in the app, in a transaction that it commits only after the next run.
    CreateLate { entity: Entity, mark: u32 },
    /// Somebody edits one field.
    Edit { at: Place, entity: Entity, mark: u32, field: String, value: Entered },
    /// Somebody edits one field in Salesforce, in a transaction that commits so many seconds later.
    EditLate { entity: Entity, mark: u32, field: String, value: Entered, seconds: u32 },
    /// Somebody deletes a record: in the app softly, in the CRM into the recycle bin.
    Delete { at: Place, entity: Entity, mark: u32 },
    /// Somebody takes the row itself away.
    DeleteRow { entity: Entity, mark: u32 },
    /// Somebody takes a delete back.
    Restore { at: Place, entity: Entity, mark: u32 },
    /// Somebody merges a record into another, in the CRM.
    Merge { crm: Provider, entity: Entity, mark: u32, into: u32 },
    /// An admin sets another policy.
    Policy { crm: Provider, policy: ConflictPolicy },
    /// An admin sets another direction for a connection.
    Direction { crm: Provider, direction: SyncDirection },
    /// Somebody sets another direction for a mapping.
    Mapping { crm: Provider, entity: Entity, field: String, direction: FieldDirection },
    /// An admin sets the options of a connection.
    Options { crm: Provider, create_missing: bool, delete_in_app: bool, delete_in_crm: bool },
    /// Sales ops let only those records take part whose field holds this digit, or all; and leave a field out.
    Filter { crm: Provider, entity: Entity, digit: Option<u8>, leaves_out: Option<String> },
    /// An admin of Salesforce sets up what it does by itself: an automation of this number (0 is none), a rule that refuses.
    Rules { automation: u32, refuses: bool },
    /// An admin of Salesforce changes what the connected user may do with a field.
    Rights { entity: Entity, field: String, rights: Rights },
    /// Somebody decides the waiting conflict of this number.
    Resolve { number: usize, decision: Decision },
    /// Somebody presses Retry on the newest log that has failures.
    Retry,
    /// Somebody cancels the run.
    Cancel,
    /// Somebody pauses a connection, and lets it go on as soon as everything stands still.
    Pause { crm: Provider },
    /// Time goes by.
    Wait { seconds: u32 },
    /// The next calls of an operation go wrong.
    Fault { crm: Provider, operation: String, fault: Fault, times: u32 },
    /// All access tokens end.
    ExpireTokens { crm: Provider },
    /// Somebody asks for a run, and it is worked on until it is over.
    Run {
        crm: Provider,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        direction: Option<SyncDirection>,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        entity: Option<Entity>,
        /// Whether everything is compared.
        #[serde(default, skip_serializing_if = "std::ops::Not::not")]
        compares: bool,
        /// What happens meanwhile.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        meanwhile: Vec<Meanwhile>,
    },
}

/// What somebody enters.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Entered {
    /// A value that nobody has entered before: made from this number.
    New(u32),
    /// Nothing.
    Empty,
    /// What all sides last agreed on.
    Back,
    /// The account of this mark.
    Account(u32),
    /// What the CRM refuses.
    Refused,
}

/// What a person decides about a conflict.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Decision {
    UseApp,
    UseCrm,
    Ignore,
}

/// What the connected user may do with a field.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Rights {
    All,
    Read,
    None,
}

/// How a call goes wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Fault {
    Reset,
    LostResponse,
    RateLimit,
    Unavailable,
    Garbage,
    RowLock,
}

/// Something in the middle of a run.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Meanwhile {
    pub point: Point,
    /// The how manieth of its kind in this run, from 0.
    pub number: u32,
    pub then: Then,
}

/// A place where the worker can be met.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Point {
    BeforeCall,
    AfterCall,
    BeforeCommit,
    AfterCommit,
}

/// What happens there.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Then {
    /// Other people do something.
    Happens(Vec<Event>),
    /// The worker dies; another takes over when its lease has ended.
    Dies,
    /// The worker is suspended, and wakes after another has taken over and done so many turns; where people do something
    /// then, not before what they did is synchronised.
    Sleeps {
        turns: u32,
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        happens: Vec<Event>,
    },
    /// The connection to Postgres breaks.
    Breaks,
}

impl Place {
    /// The place of a CRM's records.
    pub fn of(crm: Provider) -> Self {
        match crm {
            Provider::Salesforce => Place::Salesforce,
            Provider::Hubspot => Place::Hubspot,
        }
    }

    /// The CRM, if it is one.
    pub fn crm(self) -> Option<Provider> {
        match self {
            Place::App => None,
            Place::Salesforce => Some(Provider::Salesforce),
            Place::Hubspot => Some(Provider::Hubspot),
        }
    }
}

impl Event {
    /// Whether it may happen in the middle of a run.
    pub fn is_small(&self) -> bool {
        !matches!(self, Event::Run { .. } | Event::Wait { .. })
    }

    /// A whole run of a connection.
    pub fn run(crm: Provider) -> Self {
        Event::Run { crm, direction: None, entity: None, compares: false, meanwhile: Vec::new() }
    }
}
