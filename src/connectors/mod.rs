//! The CRMs behind one trait.
//!
//! Must not know: that a database exists, screens, the simulators. Invariant: a connector moves what it is told to
//! move and reports what the CRM answered, record by record and in the order asked; it decides nothing.
//!
//! # The contract of a connector
//!
//! * Values travel as text in the CRM's own spelling ([`Record`]); an empty text is `None`, a field the CRM did not
//!   return is left out.
//! * Ids are in one canonical spelling (Salesforce: 18 characters).
//! * Every call is counted on the [`Session`]'s meter, also one that fails.
//! * An answer that was lost after the request went out is [`ConnectorError::Unknown`]: the caller must look before
//!   it repeats a write.

mod error;
mod http;
mod oauth;
pub mod salesforce;
mod session;

use async_trait::async_trait;

use crate::model::{Entity, FieldKind, Provider, RecordRefusal};
use crate::sync::Record;

pub use error::ConnectorError;
pub use http::HttpSettings;
pub use oauth::{AuthorizationStart, OAuthSettings, TokenGrant};
pub use session::{CallMeter, CallUsage, Session};

/// One field as the CRM describes it.
#[derive(Debug, Clone, PartialEq, serde::Serialize, serde::Deserialize)]
pub struct FieldDescription {
    /// API name.
    pub name: String,
    /// Name for people.
    pub label: String,
    /// What the value means.
    pub kind: FieldKind,
    /// The CRM's own type name, shown beside the label.
    pub crm_type: String,
    /// Whether a new record cannot be without it.
    pub required: bool,
    /// Whether a create may set it.
    pub createable: bool,
    /// Whether an update may set it.
    pub updateable: bool,
    /// Longest text in characters.
    pub max_length: Option<u32>,
    /// Decimal places that a number keeps; `None` where the CRM does not round.
    #[serde(default)]
    pub decimals: Option<u32>,
    /// Values of a choice, active ones only.
    pub options: Vec<String>,
    /// Whether values outside `options` are refused.
    pub restricted: bool,
    /// The entity that a reference points to, where it is one that Crosstie synchronises.
    pub references: Option<Entity>,
    /// Whether it is unique and can serve as external id.
    pub external_id: bool,
}

/// What the CRM lets the connected user do with one entity.
#[derive(Debug, Clone, PartialEq, serde::Serialize, serde::Deserialize)]
pub struct EntityDescription {
    /// Which entity.
    pub entity: Entity,
    /// Fields that the connected user can read.
    pub fields: Vec<FieldDescription>,
    /// Records may be created.
    pub createable: bool,
    /// Records may be updated.
    pub updateable: bool,
    /// Records may be deleted.
    pub deletable: bool,
}

impl EntityDescription {
    /// The described field called `name`, if the connected user can see it.
    pub fn field(&self, name: &str) -> Option<&FieldDescription> {
        self.fields.iter().find(|field| field.name == name)
    }
}

/// Who is signed in, and where.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct Identity {
    /// The CRM's id of the person.
    pub user_id: String,
    /// Name of the person.
    pub name: String,
    /// E-mail of the person.
    pub email: String,
    /// Id of the org or portal.
    pub organization_id: String,
    /// IANA time zone of the account, where the CRM tells.
    pub time_zone: Option<String>,
}

/// One record as read from the CRM.
#[derive(Debug, Clone, PartialEq)]
pub struct CrmRecord {
    /// The CRM's id.
    pub id: String,
    /// Modification stamp that windows go by, epoch milliseconds (Salesforce: SystemModstamp).
    pub modified_at: i64,
    /// When a person last changed it, epoch milliseconds (Salesforce: LastModifiedDate).
    pub edited_at: i64,
    /// The record is in the recycle bin.
    pub deleted: bool,
    /// Id of the record that this one was merged into.
    pub merged_into: Option<String>,
    /// The fields asked for.
    pub fields: Record,
}

/// A window of changes of one entity.
#[derive(Debug, Clone, PartialEq)]
pub struct ReadWindow {
    /// Which entity.
    pub entity: Entity,
    /// Fields to return (API names), without the system ones.
    pub fields: Vec<String>,
    /// Start of the window, epoch milliseconds; `None` reads the entity in full.
    pub since: Option<i64>,
}

/// One page of a window.
#[derive(Debug, Clone, PartialEq)]
pub struct ReadPage {
    /// The records, deleted ones included where `since` is set.
    pub records: Vec<CrmRecord>,
    /// Where the next page starts; `None` when all is read. Opaque, good across restarts.
    pub next: Option<String>,
    /// How many records the window holds, where the CRM tells.
    pub total: Option<u64>,
}

/// Bound up to which every change is known to be visible: the next cursor. Epoch milliseconds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Watermark(pub i64);

/// A record that the CRM says was deleted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DeletedRecord {
    /// The CRM's id.
    pub id: String,
    /// When, epoch milliseconds.
    pub deleted_at: i64,
}

/// Deletions of an entity, and how far its changes are known to be visible.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Deletions {
    /// What was deleted.
    pub records: Vec<DeletedRecord>,
    /// The next cursor.
    pub watermark: Watermark,
    /// `false` where the CRM's list does not reach back to the start that was asked for: read the entity in full.
    pub complete: bool,
}

/// What to write to one record.
#[derive(Debug, Clone, PartialEq)]
pub enum WriteKind {
    /// Set `fields` of the record with this id.
    Update {
        /// The CRM's id.
        crm_id: String,
    },
    /// Create a record, safe to repeat where `external_id` is given.
    Create {
        /// Value of the external-id field.
        external_id: Option<String>,
    },
}

/// One record's write.
#[derive(Debug, Clone, PartialEq)]
pub struct RecordWrite {
    /// Update or create.
    pub kind: WriteKind,
    /// Only the fields that change, in the CRM's spelling.
    pub fields: Record,
}

/// A record's values around a write.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct WriteImages {
    /// Values of the written fields just before (updates only, where the CRM gives them).
    pub before: Option<Record>,
    /// Values of the written fields just after, where the CRM gives them.
    pub after: Option<Record>,
    /// When a person had last changed the record before the write, epoch milliseconds.
    pub edited_before: Option<i64>,
    /// Modification stamp after the write, epoch milliseconds.
    pub modified_at: Option<i64>,
}

/// What became of one record's write.
#[derive(Debug, Clone, PartialEq)]
pub enum WriteOutcome {
    /// The CRM has it.
    Done {
        /// The CRM's id.
        crm_id: String,
        /// Whether the record is new.
        created: bool,
        /// Values before and after.
        images: WriteImages,
    },
    /// The CRM refused this record.
    Refused(RecordRefusal),
    /// The record is in the recycle bin or not there.
    Gone,
    /// A transient refusal (row lock); the record may be tried again.
    Busy,
    /// Already there by a unique field: the record it collides with, where the CRM names it.
    Duplicate {
        /// Ids of the records it collides with.
        crm_ids: Vec<String>,
    },
}

/// Look-up of records by the values of a field.
#[derive(Debug, Clone, PartialEq)]
pub struct KeyLookup {
    /// Field (API name).
    pub field: String,
    /// Values; at most 200.
    pub values: Vec<String>,
}

/// What the CRM has left for today.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct DailyAllowance {
    /// Calls that the whole org has made in the running day.
    pub used: u64,
    /// Calls allowed per day.
    pub allowed: u64,
}

/// A CRM. One value serves every connection; what differs between connections is in the [`Session`].
#[async_trait]
pub trait Connector: Send + Sync {
    /// Which CRM this is.
    fn provider(&self) -> Provider;

    /// Name of the external-id field that makes creates safe to repeat, if `description` has it.
    fn external_id_field(&self, description: &EntityDescription) -> Option<String>;

    /// Most records that one [`Connector::write`] or [`Connector::delete`] takes.
    fn batch_size(&self) -> usize;

    /// Who is signed in.
    async fn identity(&self, session: &Session) -> Result<Identity, ConnectorError>;

    /// Fields and permissions of one entity.
    async fn describe(&self, session: &Session, entity: Entity) -> Result<EntityDescription, ConnectorError>;

    /// Deletions of `entity` since `since` (epoch milliseconds; `None`: none are asked for), and the bound up to which changes
    /// are known to be visible, by the CRM's clock. Fixed before the first page of a window.
    async fn deleted(&self, session: &Session, entity: Entity, since: Option<i64>)
    -> Result<Deletions, ConnectorError>;

    /// One page of a window; `position` is a former page's `next`.
    async fn read(
        &self,
        session: &Session,
        window: &ReadWindow,
        position: Option<&str>,
    ) -> Result<ReadPage, ConnectorError>;

    /// Records by id, deleted ones included, in no particular order; ids that answer nothing are left out.
    async fn read_by_id(
        &self,
        session: &Session,
        entity: Entity,
        fields: &[String],
        ids: &[String],
    ) -> Result<Vec<CrmRecord>, ConnectorError>;

    /// Living records where any of the look-ups matches. One call for up to 200 values in all.
    async fn find(
        &self,
        session: &Session,
        entity: Entity,
        fields: &[String],
        lookups: &[KeyLookup],
    ) -> Result<Vec<CrmRecord>, ConnectorError>;

    /// Writes one batch of one entity; outcomes in the order of `writes`. Updates and creates are not mixed.
    async fn write(
        &self,
        session: &Session,
        description: &EntityDescription,
        writes: &[RecordWrite],
    ) -> Result<Vec<WriteOutcome>, ConnectorError>;

    /// Deletes records into the CRM's recycle bin; outcomes in the order of `ids`.
    async fn delete(
        &self,
        session: &Session,
        entity: Entity,
        ids: &[String],
    ) -> Result<Vec<WriteOutcome>, ConnectorError>;

    /// Number of living records of `entity`.
    async fn count(&self, session: &Session, entity: Entity) -> Result<u64, ConnectorError>;

    /// What the org has left of its daily calls.
    async fn allowance(&self, session: &Session) -> Result<DailyAllowance, ConnectorError>;

    /// Where the browser goes to grant access.
    fn authorize_url(&self, settings: &OAuthSettings, start: &AuthorizationStart) -> Result<String, ConnectorError>;

    /// Exchanges an authorisation code.
    async fn exchange_code(
        &self,
        settings: &OAuthSettings,
        code: &str,
        verifier: &str,
    ) -> Result<TokenGrant, ConnectorError>;

    /// Refreshes an access token. The grant's refresh token is the one to keep from now on.
    async fn refresh(&self, settings: &OAuthSettings, refresh_token: &str) -> Result<TokenGrant, ConnectorError>;

    /// Ends the grant in the CRM.
    async fn revoke(&self, settings: &OAuthSettings, token: &str) -> Result<(), ConnectorError>;
}
