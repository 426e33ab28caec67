//! API keys of a workspace. It sees hashes of keys only.

use chrono::{DateTime, Utc};
use uuid::Uuid;

use super::{StoreError, WorkspaceTx};

/// An API key of the workspace.
#[derive(Debug, Clone)]
pub struct StoredApiKey {
    /// Its id.
    pub id: Uuid,
    /// What it is for.
    pub name: String,
    /// Its first characters.
    pub prefix: String,
    /// E-mail of the person it acts as.
    pub email: String,
    /// When it was made.
    pub created_at: DateTime<Utc>,
    /// When it was last used.
    pub last_used_at: Option<DateTime<Utc>>,
    /// When it was revoked.
    pub revoked_at: Option<DateTime<Utc>>,
}

/// A new API key.
#[derive(Debug)]
pub struct NewStoredApiKey<'a> {
    /// Its id.
    pub id: Uuid,
    /// The person it acts as.
    pub user_id: Uuid,
    /// What it is for.
    pub name: &'a str,
    /// SHA-256 of the key.
    pub token_hash: &'a [u8],
    /// Its first characters.
    pub prefix: &'a str,
}

/// Adds a key.
pub async fn add(tx: &mut WorkspaceTx, key: &NewStoredApiKey<'_>) -> Result<(), StoreError> {
    let (workspace_id, now) = (tx.workspace_id(), tx.now());
    sqlx::query!(
        "INSERT INTO api_keys (workspace_id, id, user_id, name, token_hash, prefix, created_at)
         VALUES ($1, $2, $3, $4, $5, $6, $7)",
        workspace_id,
        key.id,
        key.user_id,
        key.name,
        key.token_hash,
        key.prefix,
        now
    )
    .execute(tx.connection())
    .await?;
    Ok(())
}

/// Every key of the workspace, newest first.
pub async fn list(tx: &mut WorkspaceTx) -> Result<Vec<StoredApiKey>, StoreError> {
    let workspace_id = tx.workspace_id();
    Ok(sqlx::query_as!(
        StoredApiKey,
        "SELECT k.id, k.name, k.prefix, u.email, k.created_at, k.last_used_at, k.revoked_at
         FROM api_keys k JOIN auth.users u ON u.id = k.user_id
         WHERE k.workspace_id = $1 ORDER BY k.created_at DESC, k.id",
        workspace_id
    )
    .fetch_all(tx.connection())
    .await?)
}

/// Revokes a key. False where the workspace has no such key in use.
pub async fn revoke(tx: &mut WorkspaceTx, id: Uuid) -> Result<bool, StoreError> {
    let (workspace_id, now) = (tx.workspace_id(), tx.now());
    let done = sqlx::query!(
        "UPDATE api_keys SET revoked_at = $3 WHERE workspace_id = $1 AND id = $2 AND revoked_at IS NULL",
        workspace_id,
        id,
        now
    )
    .execute(tx.connection())
    .await?;
    Ok(done.rows_affected() == 1)
}

/// Notes that a key was used, at most once in five minutes.
pub async fn touch(tx: &mut WorkspaceTx, id: Uuid) -> Result<(), StoreError> {
    let (workspace_id, now) = (tx.workspace_id(), tx.now());
    sqlx::query!(
        "UPDATE api_keys SET last_used_at = $3::timestamptz
         WHERE workspace_id = $1 AND id = $2 AND (last_used_at IS NULL OR last_used_at < $3::timestamptz - interval '5 minutes')",
        workspace_id,
        id,
        now
    )
    .execute(tx.connection())
    .await?;
    Ok(())
}
