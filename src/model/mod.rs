//! The nouns of Crosstie as plain data, shared by server and browser.
//!
//! Must not know: anything else. Invariant: every state that a table stores as text is an enum here, and its
//! text form is the one that the database checks and the API writes.

mod text_enum;

mod app_field;
mod conflict;
mod connection;
mod direction;
mod entity;
mod file;
mod filter;
mod link;
mod mapping;
mod policy;
mod refusal;
mod role;
mod run;
mod schedule;

pub use app_field::{AppField, FieldKind, app_field, app_fields};
pub use conflict::{ConflictKind, ConflictStatus, ResolutionStrategy};
pub use connection::{ConnectionStatus, Environment, Options, Provider};
pub use direction::{FieldDirection, SyncDirection};
pub use entity::{Entity, Side};
pub use file::FileState;
pub use filter::{EntityRules, FilterOperator, SyncRules};
pub use link::LinkState;
pub use mapping::{FieldRule, ValuePair};
pub use policy::ConflictPolicy;
pub use refusal::RecordRefusal;
pub use role::{Capability, Role};
pub use run::{ChangeAction, LogDirection, LogStatus, RunState, RunTrigger, Stage};
pub use schedule::{Schedule, SyncFrequency};
pub use text_enum::UnknownText;
