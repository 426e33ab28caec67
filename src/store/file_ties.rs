//! What ties files of records to files of a CRM: the list of what is to be moved, and why something could not be.

use chrono::DateTime;
use sqlx::types::Json;
use uuid::Uuid;

use super::links::LinkFailure;
use super::{StoreError, WorkspaceTx};
use crate::model::{Entity, FieldDirection, FileState, Provider};
use crate::sync::{AppFile, CrmFile, FileTie};

/// A record whose files are looked at.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LinkedRecord {
    /// The link.
    pub link_id: Uuid,
    /// The app record.
    pub record_id: Uuid,
    /// The CRM record.
    pub crm_record_id: String,
}

/// A file that is to be moved.
#[derive(Debug, Clone)]
pub struct WaitingFile {
    /// The tie.
    pub tie: FileTie,
    /// Its id.
    pub tie_id: Uuid,
    /// The record's entity.
    pub entity: Entity,
    /// The app record.
    pub record_id: Uuid,
    /// The CRM record.
    pub crm_record_id: String,
    /// Why it could not be moved so far.
    pub failure: Option<LinkFailure>,
}

/// Linked records of an entity behind `after` (a link), in the order of links.
pub async fn linked_records(
    tx: &mut WorkspaceTx,
    config_id: Uuid,
    entity: Entity,
    after: Option<Uuid>,
    most: i64,
) -> Result<Vec<LinkedRecord>, StoreError> {
    let workspace_id = tx.workspace_id();
    Ok(sqlx::query_as!(
        LinkedRecord,
        r#"SELECT id AS link_id, record_id AS "record_id!", crm_record_id AS "crm_record_id!" FROM crm_record_links
           WHERE workspace_id = $1 AND config_id = $2 AND entity_type = $3 AND state = 'linked'
             AND record_id IS NOT NULL AND crm_record_id IS NOT NULL AND ($4::uuid IS NULL OR id > $4)
           ORDER BY id LIMIT $5"#,
        workspace_id,
        config_id,
        entity.as_str(),
        after,
        most
    )
    .fetch_all(tx.connection())
    .await?)
}

/// The app's files of some records, deleted ones included, each with its record.
pub async fn app_files(
    tx: &mut WorkspaceTx,
    entity: Entity,
    record_ids: &[Uuid],
) -> Result<Vec<(Uuid, AppFile)>, StoreError> {
    let workspace_id = tx.workspace_id();
    let rows = sqlx::query!(
        r#"SELECT record_id, id, size, md5, sha256, deleted_at IS NOT NULL AS "deleted!" FROM crm_files
           WHERE workspace_id = $1 AND entity_type = $2 AND record_id = ANY ($3) ORDER BY created_at, id"#,
        workspace_id,
        entity.as_str(),
        record_ids
    )
    .fetch_all(tx.connection())
    .await?;
    let file = |size: i64, id, md5, sha256, deleted| AppFile {
        id,
        size: u64::try_from(size).unwrap_or_default(),
        md5,
        sha256,
        deleted,
    };
    Ok(rows.into_iter().map(|row| (row.record_id, file(row.size, row.id, row.md5, row.sha256, row.deleted))).collect())
}

/// The ties of some records' files, each with its record.
pub async fn of_records(
    tx: &mut WorkspaceTx,
    config_id: Uuid,
    entity: Entity,
    record_ids: &[Uuid],
) -> Result<Vec<(Uuid, FileTie)>, StoreError> {
    let workspace_id = tx.workspace_id();
    let rows = sqlx::query!(
        r#"SELECT record_id, id, file_id, crm_record_id, crm_file AS "crm_file: Json<CrmFile>", sha256, state, sent_at FROM crm_file_ties
           WHERE workspace_id = $1 AND config_id = $2 AND entity_type = $3 AND record_id = ANY ($4) ORDER BY id FOR UPDATE"#,
        workspace_id,
        config_id,
        entity.as_str(),
        record_ids
    )
    .fetch_all(tx.connection())
    .await?;
    rows.into_iter()
        .map(|row| {
            let tie = FileTie {
                id: Some(row.id),
                file_id: row.file_id,
                record: row.crm_record_id,
                crm: row.crm_file.map(|file| file.0),
                sha256: row.sha256,
                state: row.state.parse()?,
                sent_at: row.sent_at.map(|at| at.timestamp_millis()),
            };
            Ok((row.record_id, tie))
        })
        .collect()
}

/// Writes a tie of a record's file; whatever failed before is tried anew.
pub async fn write(
    tx: &mut WorkspaceTx,
    config_id: Uuid,
    entity: Entity,
    record_id: Uuid,
    tie: &FileTie,
) -> Result<(), StoreError> {
    let (workspace_id, now) = (tx.workspace_id(), tx.now());
    let crm_file = tie.crm.as_ref().map(serde_json::to_value).transpose()?;
    sqlx::query!(
        "INSERT INTO crm_file_ties (workspace_id, id, config_id, entity_type, record_id, file_id, crm_record_id, crm_file, sha256, state,
           sent_at, updated_at)
         VALUES ($1, coalesce($2::uuid, gen_random_uuid()), $3, $4, $5, $6, $7, $8, $9, $10, $11, $12)
         ON CONFLICT (workspace_id, id) DO UPDATE SET file_id = excluded.file_id, crm_record_id = excluded.crm_record_id,
           crm_file = excluded.crm_file,
           sha256 = excluded.sha256, state = excluded.state, sent_at = excluded.sent_at, failure = NULL,
           updated_at = excluded.updated_at",
        workspace_id,
        tie.id,
        config_id,
        entity.as_str(),
        record_id,
        tie.file_id,
        tie.record,
        crm_file,
        tie.sha256,
        tie.state.as_str(),
        tie.sent_at.and_then(DateTime::from_timestamp_millis),
        now
    )
    .execute(tx.connection())
    .await?;
    Ok(())
}

/// Notes why a file could not be moved; it waits as before.
pub async fn fail(tx: &mut WorkspaceTx, tie: &WaitingFile, failure: &LinkFailure) -> Result<(), StoreError> {
    let (workspace_id, now) = (tx.workspace_id(), tx.now());
    sqlx::query!(
        "UPDATE crm_file_ties SET failure = $3, state = $4, sent_at = NULL, updated_at = $5 WHERE workspace_id = $1 AND id = $2",
        workspace_id,
        tie.tie_id,
        serde_json::to_value(failure)?,
        tie.tie.state.as_str(),
        now
    )
    .execute(tx.connection())
    .await?;
    Ok(())
}

/// Forgets a file that was to come and is no longer there.
pub async fn forget(tx: &mut WorkspaceTx, tie_id: Uuid) -> Result<(), StoreError> {
    let workspace_id = tx.workspace_id();
    sqlx::query!("DELETE FROM crm_file_ties WHERE workspace_id = $1 AND id = $2", workspace_id, tie_id)
        .execute(tx.connection())
        .await?;
    Ok(())
}

/// Forgets every tie of a connection.
pub async fn forget_all(tx: &mut WorkspaceTx, config_id: Uuid) -> Result<(), StoreError> {
    let workspace_id = tx.workspace_id();
    sqlx::query!("DELETE FROM crm_file_ties WHERE workspace_id = $1 AND config_id = $2", workspace_id, config_id)
        .execute(tx.connection())
        .await?;
    Ok(())
}

/// The next file behind `after` (a tie) that is to be moved in `direction`: of a linked record, not deleted here, and not one
/// that was found too large for `limit` bytes.
pub async fn next_waiting(
    tx: &mut WorkspaceTx,
    config_id: Uuid,
    direction: FieldDirection,
    after: Option<Uuid>,
    limit: u64,
) -> Result<Option<WaitingFile>, StoreError> {
    let workspace_id = tx.workspace_id();
    let mut states = Vec::new();
    states.extend(direction.pulls().then(|| FileState::Pull.as_str().to_owned()));
    states.extend(direction.pushes().then(|| FileState::Push.as_str().to_owned()));
    let row = sqlx::query!(
        r#"SELECT t.id, t.entity_type, t.record_id, t.file_id, t.crm_record_id AS tied_record, t.crm_file AS "crm_file: Json<CrmFile>", t.sha256, t.state,
                  l.crm_record_id AS "crm_record_id!", t.failure AS "failure: Json<LinkFailure>"
           FROM crm_file_ties t
           JOIN crm_record_links l ON l.workspace_id = t.workspace_id AND l.config_id = t.config_id
             AND l.entity_type = t.entity_type AND l.record_id = t.record_id AND l.state = 'linked'
             AND l.crm_record_id IS NOT NULL
           LEFT JOIN crm_files f ON f.workspace_id = t.workspace_id AND f.id = t.file_id
           WHERE t.workspace_id = $1 AND t.config_id = $2 AND t.state = ANY ($3) AND ($4::uuid IS NULL OR t.id > $4)
             AND t.crm_record_id = l.crm_record_id
             AND f.deleted_at IS NULL
             AND NOT (coalesce(t.failure ->> 'code', '') = 'too_large' AND (t.crm_file ->> 'size')::bigint > $5)
           ORDER BY t.id LIMIT 1"#,
        workspace_id,
        config_id,
        &states,
        after,
        i64::try_from(limit).unwrap_or(i64::MAX)
    )
    .fetch_optional(tx.connection())
    .await?;
    let Some(row) = row else { return Ok(None) };
    let tie = FileTie {
        id: Some(row.id),
        file_id: row.file_id,
        record: row.tied_record,
        crm: row.crm_file.map(|file| file.0),
        sha256: row.sha256,
        state: row.state.parse()?,
        sent_at: None,
    };
    Ok(Some(WaitingFile {
        tie,
        tie_id: row.id,
        entity: row.entity_type.parse()?,
        record_id: row.record_id,
        crm_record_id: row.crm_record_id,
        failure: row.failure.map(|failure| failure.0),
    }))
}

/// How a file stands with one CRM.
#[derive(Debug, Clone)]
pub struct FileStanding {
    /// The app's file; `None`: one of the CRM's that is still to come.
    pub file_id: Option<Uuid>,
    /// The CRM.
    pub provider: Provider,
    /// What the CRM calls it.
    pub crm_name: Option<String>,
    /// What is to be done.
    pub state: FileState,
    /// Why that did not work.
    pub failure: Option<LinkFailure>,
}

/// How the files of a record stand with the CRMs that its workspace is connected with.
pub async fn standings(tx: &mut WorkspaceTx, entity: Entity, record_id: Uuid) -> Result<Vec<FileStanding>, StoreError> {
    let workspace_id = tx.workspace_id();
    let rows = sqlx::query!(
        r#"SELECT t.file_id, c.crm_provider, t.crm_file ->> 'name' AS crm_name, t.state,
                  t.failure AS "failure: Json<LinkFailure>"
           FROM crm_file_ties t JOIN crm_sync_configs c ON c.workspace_id = t.workspace_id AND c.id = t.config_id
           WHERE t.workspace_id = $1 AND t.entity_type = $2 AND t.record_id = $3 AND (t.file_id IS NOT NULL OR t.state = 'pull')
           ORDER BY c.crm_provider, t.id"#,
        workspace_id,
        entity.as_str(),
        record_id
    )
    .fetch_all(tx.connection())
    .await?;
    rows.into_iter()
        .map(|row| {
            Ok(FileStanding {
                file_id: row.file_id,
                provider: row.crm_provider.parse()?,
                crm_name: row.crm_name,
                state: row.state.parse()?,
                failure: row.failure.map(|failure| failure.0),
            })
        })
        .collect()
}
