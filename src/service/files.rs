//! Files of records: listed and given to everybody of the workspace, added and deleted by those who edit records.
//!
//! Invariant: a content is kept before a file names it, and no transaction is open while it comes or goes.

use std::error::Error;

use bytes::Bytes;
use futures::Stream;
use futures::stream::BoxStream;
use uuid::Uuid;

use super::{ServiceError, Services, Viewer};
use crate::blobs::{BlobError, Expected};
use crate::model::{Capability, Entity, FileState};
use crate::store::file_ties::{self, FileStanding};
use crate::store::files::{self, StoredFile};
use crate::store::{WorkspaceTx, records};
use crate::sync::file_name;
use crate::view::files::{FileList, RecordFile};
use crate::view::instant::{Moment, rfc3339};
use crate::view::record_page::{FileOnPage, FilesOnPage};

/// Media type of what nobody has said anything about.
const UNKNOWN_TYPE: &str = "application/octet-stream";

/// The files of a record.
pub async fn list(services: &Services, viewer: &Viewer, entity: Entity, id: Uuid) -> Result<FileList, ServiceError> {
    let mut tx = services.begin(viewer).await?;
    check_record(&mut tx, entity, id, false).await?;
    let files = files::of_record(&mut tx, entity, id).await?;
    tx.commit().await?;
    Ok(FileList { files: files.into_iter().map(to_view).collect() })
}

/// The files of a record as its page shows them.
pub(super) async fn on_page(
    tx: &mut WorkspaceTx,
    entity: Entity,
    id: Uuid,
    limit: u64,
) -> Result<FilesOnPage, ServiceError> {
    let stored = files::of_record(tx, entity, id).await?;
    let standings = file_ties::standings(tx, entity, id).await?;
    let now = tx.now();
    let shown = stored.into_iter().map(|file| FileOnPage {
        standings: standings.iter().filter(|one| one.file_id == Some(file.id)).map(in_a_sentence).collect(),
        href: format!("/api/crm/records/{}/{id}/files/{}", entity.plural(), file.id),
        size: bytes_in_words(u64::try_from(file.size).unwrap_or_default()),
        added: Moment::new(file.created_at, now),
        id: file.id,
        name: file.name,
    });
    let coming = standings.iter().filter(|one| one.file_id.is_none());
    let coming = coming.map(|one| format!("{}: {}", one.crm_name.as_deref().unwrap_or("A file"), in_a_sentence(one)));
    Ok(FilesOnPage { files: shown.collect(), coming: coming.collect(), limit: bytes_in_words(limit) })
}

/// How a file stands with a CRM.
fn in_a_sentence(standing: &FileStanding) -> String {
    let crm = standing.provider.title();
    match (&standing.failure, standing.state) {
        (Some(failure), _) => format!("{crm}: {}", failure.message),
        (None, FileState::Linked) => format!("In {crm} too."),
        (None, FileState::Pull) => format!("Comes from {crm} with the next sync."),
        (None, FileState::Push) => format!("Goes to {crm} with the next sync."),
        (None, FileState::Sending) => format!("Sent to {crm}, which has not answered; the next sync looks for it."),
    }
}

/// Refuses what cannot be uploaded, before any of it is read.
pub async fn check_upload(services: &Services, viewer: &Viewer, entity: Entity, id: Uuid) -> Result<(), ServiceError> {
    let mut tx = services.begin(viewer).await?;
    check_record(&mut tx, entity, id, true).await?;
    tx.commit().await?;
    viewer.require(Capability::EditRecords)
}

/// Adds a file to a record as its content comes in; tells whether it is new. The same content under the same name is there once.
pub async fn upload<E: Into<Box<dyn Error + Send + Sync>>>(
    services: &Services,
    viewer: &Viewer,
    entity: Entity,
    id: Uuid,
    (name, content_type): (Option<&str>, Option<&str>),
    content: impl Stream<Item = Result<Bytes, E>> + Send,
) -> Result<(RecordFile, bool), ServiceError> {
    viewer.require(Capability::EditRecords)?;
    let name = file_name(name.unwrap_or_default())
        .ok_or_else(|| ServiceError::invalid("name", "Give the file a name of at most 255 characters."))?;
    let arrival = services.rng.uuid();
    let kept = services.blobs.put(viewer.workspace_id, arrival, content, &Expected::default()).await;
    let blob = kept.map_err(in_words)?;
    let mut tx = services.begin(viewer).await?;
    check_record(&mut tx, entity, id, true).await?;
    let there = files::of_record(&mut tx, entity, id).await?;
    let same = there.into_iter().find(|file| file.name == name && file.sha256 == blob.sha256);
    if let Some(same) = same {
        tx.commit().await?;
        return Ok((to_view(same), false));
    }
    let file = StoredFile {
        id: services.rng.uuid(),
        name,
        content_type: content_type.filter(|kind| !kind.is_empty()).unwrap_or(UNKNOWN_TYPE).to_owned(),
        size: i64::try_from(blob.size).unwrap_or(i64::MAX),
        sha256: blob.sha256,
        md5: blob.md5,
        created_by: Some(viewer.user_id),
        created_at: tx.now(),
    };
    files::insert(&mut tx, entity, id, &file).await?;
    tx.commit().await?;
    Ok((to_view(file), true))
}

/// A file and what it holds.
pub async fn open(
    services: &Services,
    viewer: &Viewer,
    entity: Entity,
    id: Uuid,
    file_id: Uuid,
) -> Result<(RecordFile, BoxStream<'static, Result<Bytes, BlobError>>), ServiceError> {
    let mut tx = services.begin(viewer).await?;
    let files = files::of_record(&mut tx, entity, id).await?;
    tx.commit().await?;
    let file = files.into_iter().find(|file| file.id == file_id).ok_or_else(|| ServiceError::not_found("file"))?;
    let content = services.blobs.get(viewer.workspace_id, &file.sha256).await.map_err(in_words)?;
    Ok((to_view(file), content))
}

/// Deletes a file here. A CRM that has it too keeps it.
pub async fn delete(
    services: &Services,
    viewer: &Viewer,
    entity: Entity,
    id: Uuid,
    file_id: Uuid,
) -> Result<(), ServiceError> {
    let mut tx = services.begin(viewer).await?;
    check_record(&mut tx, entity, id, false).await?;
    viewer.require(Capability::EditRecords)?;
    if !files::delete(&mut tx, entity, id, file_id).await? {
        return Err(ServiceError::not_found("file"));
    }
    tx.commit().await?;
    Ok(())
}

async fn check_record(tx: &mut WorkspaceTx, entity: Entity, id: Uuid, must_live: bool) -> Result<(), ServiceError> {
    match records::find(tx, entity, id).await? {
        None => Err(ServiceError::not_found("record")),
        Some(record) if must_live && record.deleted_at.is_some() => {
            Err(ServiceError::state("record_deleted", "The record is deleted. Restore it before you add a file to it."))
        }
        Some(_) => Ok(()),
    }
}

/// "812 bytes", "1.2 MB"; whole numbers without their zero.
fn bytes_in_words(bytes: u64) -> String {
    let (unit, name) = match bytes {
        0..1024 => return format!("{bytes} bytes"),
        1024..0x10_0000 => (1 << 10, "kB"),
        _ => (1 << 20, "MB"),
    };
    let tenths = bytes.saturating_mul(10) / unit;
    match tenths % 10 {
        0 => format!("{} {name}", tenths / 10),
        tenth => format!("{}.{tenth} {name}", tenths / 10),
    }
}

fn in_words(error: BlobError) -> ServiceError {
    match error {
        BlobError::TooLarge { limit } => ServiceError::too_large(limit),
        BlobError::Interrupted(_) | BlobError::Unexpected => {
            ServiceError::invalid("file", "The file did not arrive whole. Send it again.").caused_by(error)
        }
        BlobError::Missing | BlobError::Store(_) => ServiceError::unavailable(
            "files_unavailable",
            "The place where files are kept does not answer or does not have this one. Try again in a minute.",
        )
        .caused_by(error),
    }
}

fn to_view(file: StoredFile) -> RecordFile {
    RecordFile {
        id: file.id,
        name: file.name,
        content_type: file.content_type,
        size: file.size,
        sha256: file.sha256,
        created_by: file.created_by,
        created_at: rfc3339(file.created_at),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_are_read_easily() {
        for (bytes, words) in
            [(0, "0 bytes"), (1023, "1023 bytes"), (1536, "1.5 kB"), (25 << 20, "25 MB"), (1_290_000, "1.2 MB")]
        {
            assert_eq!(bytes_in_words(bytes), words);
        }
    }
}
