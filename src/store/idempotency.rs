//! Answers of requests that may be sent twice.

use chrono::TimeDelta;
use uuid::Uuid;

use super::{StoreError, WorkspaceTx};

/// Which request it is.
#[derive(Debug, Clone)]
pub struct RequestId {
    /// Who asks.
    pub user_id: Uuid,
    /// Path and query.
    pub path: String,
    /// The key that the client made up.
    pub key: String,
    /// SHA-256 of the body.
    pub body_hash: Vec<u8>,
}

/// An answer as kept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeptAnswer {
    /// SHA-256 of the body that it answers.
    pub body_hash: Vec<u8>,
    /// The status; nothing while the first request is under way.
    pub status: Option<i32>,
    /// Type of the body.
    pub content_type: Option<String>,
    /// The body.
    pub body: Option<Vec<u8>>,
}

/// Takes the request as a new one. `None` where it is: not seen within `kept_for`, or the same one that began more than
/// `stalled_after` ago and never ended. Else what is kept of the first one.
pub async fn claim(
    tx: &mut WorkspaceTx,
    request: &RequestId,
    kept_for: TimeDelta,
    stalled_after: TimeDelta,
) -> Result<Option<KeptAnswer>, StoreError> {
    let (workspace_id, now) = (tx.workspace_id(), tx.now());
    let claimed = sqlx::query!(
        "INSERT INTO idempotency_answers AS a (workspace_id, user_id, path, key, body_hash, started_at)
         VALUES ($1, $2, $3, $4, $5, $6)
         ON CONFLICT (workspace_id, user_id, path, key) DO UPDATE SET
           body_hash = excluded.body_hash, started_at = excluded.started_at, status = NULL, content_type = NULL, body = NULL
         WHERE a.started_at <= $7 OR (a.status IS NULL AND a.started_at <= $8 AND a.body_hash = excluded.body_hash)",
        workspace_id,
        request.user_id,
        request.path,
        request.key,
        request.body_hash,
        now,
        now - kept_for,
        now - stalled_after
    )
    .execute(tx.connection())
    .await?;
    if claimed.rows_affected() == 1 {
        return Ok(None);
    }
    let kept = sqlx::query_as!(
        KeptAnswer,
        "SELECT body_hash, status, content_type, body FROM idempotency_answers
         WHERE workspace_id = $1 AND user_id = $2 AND path = $3 AND key = $4",
        workspace_id,
        request.user_id,
        request.path,
        request.key
    )
    .fetch_one(tx.connection())
    .await?;
    Ok(Some(kept))
}

/// Keeps the answer of a request that was claimed.
pub async fn keep(
    tx: &mut WorkspaceTx,
    request: &RequestId,
    status: i32,
    content_type: Option<&str>,
    body: &[u8],
) -> Result<(), StoreError> {
    let workspace_id = tx.workspace_id();
    sqlx::query!(
        "UPDATE idempotency_answers SET status = $6, content_type = $7, body = $8
         WHERE workspace_id = $1 AND user_id = $2 AND path = $3 AND key = $4 AND body_hash = $5 AND status IS NULL",
        workspace_id,
        request.user_id,
        request.path,
        request.key,
        request.body_hash,
        status,
        content_type,
        body
    )
    .execute(tx.connection())
    .await?;
    Ok(())
}

/// Forgets a request whose answer is not to be kept, so that it can be tried again.
pub async fn forget(tx: &mut WorkspaceTx, request: &RequestId) -> Result<(), StoreError> {
    let workspace_id = tx.workspace_id();
    sqlx::query!(
        "DELETE FROM idempotency_answers
         WHERE workspace_id = $1 AND user_id = $2 AND path = $3 AND key = $4 AND status IS NULL",
        workspace_id,
        request.user_id,
        request.path,
        request.key
    )
    .execute(tx.connection())
    .await?;
    Ok(())
}

/// Removes what is older than `kept_for`.
pub async fn remove_old(tx: &mut WorkspaceTx, kept_for: TimeDelta) -> Result<(), StoreError> {
    let (workspace_id, now) = (tx.workspace_id(), tx.now());
    sqlx::query!(
        "DELETE FROM idempotency_answers WHERE workspace_id = $1 AND started_at <= $2",
        workspace_id,
        now - kept_for
    )
    .execute(tx.connection())
    .await?;
    Ok(())
}
