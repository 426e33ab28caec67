//! Files of the app's records: what they are called and what they hold. A deleted one stays, to be told from one that never was.

use chrono::{DateTime, Utc};
use uuid::Uuid;

use super::{StoreError, WorkspaceTx};
use crate::model::Entity;

/// A file of a record.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoredFile {
    /// The file.
    pub id: Uuid,
    /// Its name.
    pub name: String,
    /// Its media type.
    pub content_type: String,
    /// Bytes.
    pub size: i64,
    /// SHA-256 of what it holds, in hexadecimal digits.
    pub sha256: String,
    /// MD5 of what it holds, in hexadecimal digits.
    pub md5: String,
    /// Who added it; `None`: the engine.
    pub created_by: Option<Uuid>,
    /// When it was added.
    pub created_at: DateTime<Utc>,
}

/// Adds a file to a record.
pub async fn insert(
    tx: &mut WorkspaceTx,
    entity: Entity,
    record_id: Uuid,
    file: &StoredFile,
) -> Result<(), StoreError> {
    let workspace_id = tx.workspace_id();
    sqlx::query!(
        "INSERT INTO crm_files (workspace_id, id, entity_type, record_id, name, content_type, size, sha256, md5, created_by,
           created_at, updated_at)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $11)",
        workspace_id,
        file.id,
        entity.as_str(),
        record_id,
        file.name,
        file.content_type,
        file.size,
        file.sha256,
        file.md5,
        file.created_by,
        file.created_at
    )
    .execute(tx.connection())
    .await?;
    Ok(())
}

/// The files of a record that are not deleted, by name.
pub async fn of_record(tx: &mut WorkspaceTx, entity: Entity, record_id: Uuid) -> Result<Vec<StoredFile>, StoreError> {
    let workspace_id = tx.workspace_id();
    Ok(sqlx::query_as!(
        StoredFile,
        "SELECT id, name, content_type, size, sha256, md5, created_by, created_at FROM crm_files
         WHERE workspace_id = $1 AND entity_type = $2 AND record_id = $3 AND deleted_at IS NULL ORDER BY name, created_at, id",
        workspace_id,
        entity.as_str(),
        record_id
    )
    .fetch_all(tx.connection())
    .await?)
}

/// Deletes a file of a record; `false` where there is none.
pub async fn delete(tx: &mut WorkspaceTx, entity: Entity, record_id: Uuid, id: Uuid) -> Result<bool, StoreError> {
    let (workspace_id, now) = (tx.workspace_id(), tx.now());
    let deleted = sqlx::query!(
        "UPDATE crm_files SET deleted_at = $5
         WHERE workspace_id = $1 AND entity_type = $2 AND record_id = $3 AND id = $4 AND deleted_at IS NULL",
        workspace_id,
        entity.as_str(),
        record_id,
        id,
        now
    )
    .execute(tx.connection())
    .await?;
    Ok(deleted.rows_affected() > 0)
}

/// One file, unless it is deleted.
pub async fn find(tx: &mut WorkspaceTx, id: Uuid) -> Result<Option<StoredFile>, StoreError> {
    let workspace_id = tx.workspace_id();
    Ok(sqlx::query_as!(
        StoredFile,
        "SELECT id, name, content_type, size, sha256, md5, created_by, created_at FROM crm_files
         WHERE workspace_id = $1 AND id = $2 AND deleted_at IS NULL",
        workspace_id,
        id
    )
    .fetch_optional(tx.connection())
    .await?)
}

/// Gives a file another content; one that is deleted keeps its own.
pub async fn replace(tx: &mut WorkspaceTx, id: Uuid, file: &StoredFile) -> Result<(), StoreError> {
    let (workspace_id, now) = (tx.workspace_id(), tx.now());
    sqlx::query!(
        "UPDATE crm_files SET size = $3, sha256 = $4, md5 = $5, updated_at = $6
         WHERE workspace_id = $1 AND id = $2 AND deleted_at IS NULL",
        workspace_id,
        id,
        file.size,
        file.sha256,
        file.md5,
        now
    )
    .execute(tx.connection())
    .await?;
    Ok(())
}
