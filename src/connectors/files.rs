//! Files of a CRM's records, moved as streams.

use std::collections::HashMap;

use async_trait::async_trait;
use bytes::Bytes;
use futures::stream::BoxStream;

use super::{ConnectorError, Session};
use crate::model::{Entity, RecordRefusal};
use crate::sync::CrmFile;

/// A content as it comes.
pub type Content = BoxStream<'static, Result<Bytes, ConnectorError>>;

/// A file to send.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FileUpload {
    /// The record's entity.
    pub entity: Entity,
    /// The CRM's id of the record.
    pub record_id: String,
    /// The CRM's id of the file whose content this replaces; `None`: a new file.
    pub replaces: Option<String>,
    /// A name that no other file has: a second upload under it of the same content is to find the first.
    pub key: String,
    /// Its name.
    pub name: String,
    /// Its media type.
    pub content_type: String,
    /// Bytes.
    pub size: u64,
    /// MD5 of the content in hexadecimal digits.
    pub md5: String,
}

/// What became of an upload.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum UploadOutcome {
    /// The CRM has it, on the record, and what it holds has the size and the checksum that were sent.
    Done(CrmFile),
    /// The CRM refused it.
    Refused(RecordRefusal),
}

/// The files of a CRM. The rules of [`super::Connector`] hold: every call is counted, a lost answer to a write is
/// [`ConnectorError::Unknown`], nothing told is the CRM's text.
#[async_trait]
pub trait CrmFiles: Send + Sync {
    /// Most records that one [`CrmFiles::list`] takes.
    fn list_size(&self) -> usize;

    /// The files of records, by record id; a file of several records stands with each. Records without are left out.
    async fn list(
        &self,
        session: &Session,
        entity: Entity,
        ids: &[String],
    ) -> Result<HashMap<String, Vec<CrmFile>>, ConnectorError>;

    /// The content of a file as it was listed; `None` where it is no longer there.
    async fn download(&self, session: &Session, file: &CrmFile) -> Result<Option<Content>, ConnectorError>;

    /// Sends a file to a record.
    async fn upload(
        &self,
        session: &Session,
        upload: &FileUpload,
        content: Content,
    ) -> Result<UploadOutcome, ConnectorError>;
}
