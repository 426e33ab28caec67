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
//! * A reading that the CRM takes its time for answers an empty page with [`ReadPage::wait`]: nobody waits inside a call, and
//!   the position finds the reading again after a restart.
//! * A call that is known to have done nothing is [`ConnectorError::Transient`]; a batch that is refused whole for what it
//!   contains, [`ConnectorError::Rejected`]: the caller halves it until what is wrong stands alone.
//!
//! A third CRM is a module beside the other two, a variant of [`Provider`], and a fixture for the conformance suite
//! (`tests/it/conformance`): a connector is one that passes it.

mod description;
mod error;
mod files;
mod http;
pub mod hubspot;
mod oauth;
mod reading;
pub mod salesforce;
mod session;
mod writing;

use std::collections::{BTreeMap, HashMap};

use async_trait::async_trait;

use crate::model::{Entity, Provider};
use crate::sync::Person;

pub use description::{EntityDescription, FieldDescription};
pub use error::ConnectorError;
pub use files::{Content, CrmFiles, FileUpload, UploadOutcome};
pub use http::HttpSettings;
pub use oauth::{AuthorizationStart, OAuthSettings, TokenGrant};
pub use reading::{
    CrmRecord, DeletedRecord, DeletionQuery, Deletions, KeyLookup, LookBack, ReadPage, ReadWindow, Watermark,
    WindowFilter,
};
pub use session::{CallKind, CallMeter, CallUsage, Pace, Session};
pub use writing::{RecordWrite, WriteImages, WriteKind, WriteOutcome};

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

    /// The files of its records.
    fn files(&self) -> &dyn CrmFiles;

    /// Name of the external-id field that makes creates safe to repeat, if `description` has it.
    fn external_id_field(&self, description: &EntityDescription) -> Option<String>;

    /// Most records that one [`Connector::write`] or [`Connector::delete`] takes.
    fn batch_size(&self) -> usize;

    /// Who is signed in.
    async fn identity(&self, session: &Session) -> Result<Identity, ConnectorError>;

    /// Fields and permissions of one entity.
    async fn describe(&self, session: &Session, entity: Entity) -> Result<EntityDescription, ConnectorError>;

    /// The people whom records may belong to, those who have left included.
    async fn people(&self, session: &Session) -> Result<Vec<Person>, ConnectorError>;

    /// Deletions of `entity`, and the bound up to which changes are known to be visible, by the CRM's clock. Fixed before the
    /// first page of a window.
    async fn deleted(
        &self,
        session: &Session,
        entity: Entity,
        query: DeletionQuery,
    ) -> Result<Deletions, ConnectorError>;

    /// Second looks that the CRM's index asks for, the shortest first; none where a watermark is safe by itself.
    fn look_backs(&self) -> &'static [LookBack];

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

    /// Living records where any of the look-ups matches; up to 200 values in all, in as few calls as the CRM allows.
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

    /// Whether [`Connector::edit_times`] has anything to tell.
    fn keeps_history(&self) -> bool;

    /// When each of `fields` got its present value, epoch milliseconds, by record id; fields and records whose history the
    /// CRM does not keep are left out. Costs calls by the record: ask for conflicting records only.
    async fn edit_times(
        &self,
        session: &Session,
        entity: Entity,
        ids: &[String],
        fields: &[String],
    ) -> Result<HashMap<String, BTreeMap<String, i64>>, ConnectorError>;

    /// Present partners of records by a field that refers to another entity, by record id (`None`: no partner), where a change of
    /// it need not move a record's stamp; `Ok(None)` where it always does and a window shows it.
    async fn references(
        &self,
        session: &Session,
        entity: Entity,
        field: &str,
        ids: &[String],
    ) -> Result<Option<HashMap<String, Option<String>>>, ConnectorError>;

    /// Makes the field that makes creates safe to repeat, where the CRM lets an app do so and it is not there yet. `false`: an
    /// admin has to.
    async fn make_external_id_field(&self, session: &Session, entity: Entity) -> Result<bool, ConnectorError>;

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
