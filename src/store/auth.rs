//! People, sessions, failed sign-ins, API keys.
//!
//! Must not know: how a token or a password is made; it sees hashes only.

use chrono::{DateTime, Utc};
use uuid::Uuid;

use super::{StoreError, WorkspaceTx};
use crate::model::Role;

/// What a session or an API key leads to, before the workspace is known.
#[derive(Debug, Clone, Copy)]
pub struct Credential {
    /// The session or the key.
    pub id: Uuid,
    /// The person.
    pub user_id: Uuid,
    /// The workspace that it works in.
    pub workspace_id: Uuid,
}

/// A person as a member of the transaction's workspace.
#[derive(Debug, Clone)]
pub struct Member {
    /// E-mail, lower case.
    pub email: String,
    /// Name for people.
    pub name: String,
    /// Role in the workspace.
    pub role: Role,
    /// Name of the workspace.
    pub workspace_name: String,
}

/// A new session.
#[derive(Debug)]
pub struct NewSession<'a> {
    /// Its id.
    pub id: Uuid,
    /// SHA-256 of its token.
    pub token_hash: &'a [u8],
    /// The person.
    pub user_id: Uuid,
    /// The workspace that it works in.
    pub workspace_id: Uuid,
    /// When it ends.
    pub expires_at: DateTime<Utc>,
}

/// Finds a person by e-mail. Any transaction may ask; it learns an id only.
pub async fn user_by_email(tx: &mut WorkspaceTx, email: &str) -> Result<Option<Uuid>, StoreError> {
    Ok(sqlx::query_scalar!("SELECT app.lookup_user_by_email($1)", email).fetch_one(tx.connection()).await?)
}

/// Finds the workspace with this name, the oldest where there are several.
pub async fn workspace_by_name(tx: &mut WorkspaceTx, name: &str) -> Result<Option<Uuid>, StoreError> {
    Ok(sqlx::query_scalar!("SELECT app.lookup_workspace_by_name($1)", name).fetch_one(tx.connection()).await?)
}

/// Whether anybody can sign in at all.
pub async fn any_user(tx: &mut WorkspaceTx) -> Result<bool, StoreError> {
    let user = sqlx::query_scalar!("SELECT app.lookup_any_user()").fetch_one(tx.connection()).await?;
    Ok(user.is_some())
}

/// Finds the session of a token that is still valid.
pub async fn session_by_token(tx: &mut WorkspaceTx, token_hash: &[u8]) -> Result<Option<Credential>, StoreError> {
    let now = tx.now();
    let row = sqlx::query!(
        r#"SELECT session_id AS "id!", user_id AS "user_id!", workspace_id FROM app.lookup_session($1, $2)"#,
        token_hash,
        now
    )
    .fetch_optional(tx.connection())
    .await?;
    Ok(row.and_then(|row| Some(Credential { id: row.id, user_id: row.user_id, workspace_id: row.workspace_id? })))
}

/// Finds the API key of a token that is not revoked.
pub async fn api_key_by_token(tx: &mut WorkspaceTx, token_hash: &[u8]) -> Result<Option<Credential>, StoreError> {
    let row = sqlx::query!(
        r#"SELECT key_id AS "id!", user_id AS "user_id!", workspace_id AS "workspace_id!" FROM app.lookup_api_key($1)"#,
        token_hash
    )
    .fetch_optional(tx.connection())
    .await?;
    Ok(row.map(|row| Credential { id: row.id, user_id: row.user_id, workspace_id: row.workspace_id }))
}

/// The person as a member of this transaction's workspace; `None` where it is no member (any more).
pub async fn member(tx: &mut WorkspaceTx, user_id: Uuid) -> Result<Option<Member>, StoreError> {
    let workspace_id = tx.workspace_id();
    let row = sqlx::query!(
        "SELECT u.email, u.name, m.role, w.name AS workspace_name
         FROM workspace_members m JOIN auth.users u ON u.id = m.user_id JOIN workspaces w ON w.id = m.workspace_id
         WHERE m.workspace_id = $1 AND m.user_id = $2",
        workspace_id,
        user_id
    )
    .fetch_optional(tx.connection())
    .await?;
    row.map(|row| {
        Ok(Member { email: row.email, name: row.name, role: row.role.parse()?, workspace_name: row.workspace_name })
    })
    .transpose()
}

/// The hash of the transaction's person's own password.
pub async fn own_password_hash(tx: &mut WorkspaceTx, user_id: Uuid) -> Result<Option<String>, StoreError> {
    Ok(sqlx::query_scalar!("SELECT password_hash FROM auth.users WHERE id = $1", user_id)
        .fetch_optional(tx.connection())
        .await?)
}

/// The workspaces that the transaction's person belongs to, by name.
pub async fn own_workspaces(tx: &mut WorkspaceTx, user_id: Uuid) -> Result<Vec<(Uuid, String)>, StoreError> {
    let rows = sqlx::query!(
        "SELECT w.id, w.name FROM workspace_members m JOIN workspaces w ON w.id = m.workspace_id
         WHERE m.user_id = $1 ORDER BY w.name, w.id",
        user_id
    )
    .fetch_all(tx.connection())
    .await?;
    Ok(rows.into_iter().map(|row| (row.id, row.name)).collect())
}

/// Adds a session of the transaction's person.
pub async fn add_session(tx: &mut WorkspaceTx, session: &NewSession<'_>) -> Result<(), StoreError> {
    let now = tx.now();
    sqlx::query!(
        "INSERT INTO auth.sessions (id, token_hash, user_id, workspace_id, created_at, last_seen_at, expires_at)
         VALUES ($1, $2, $3, $4, $5, $5, $6)",
        session.id,
        session.token_hash,
        session.user_id,
        session.workspace_id,
        now,
        session.expires_at
    )
    .execute(tx.connection())
    .await?;
    Ok(())
}

/// Moves a session of the transaction's person to another workspace. False where there is no such session.
pub async fn move_session(tx: &mut WorkspaceTx, session_id: Uuid, workspace_id: Uuid) -> Result<bool, StoreError> {
    let done = sqlx::query!("UPDATE auth.sessions SET workspace_id = $2 WHERE id = $1", session_id, workspace_id)
        .execute(tx.connection())
        .await?;
    Ok(done.rows_affected() == 1)
}

/// Ends a session of the transaction's person.
pub async fn end_session(tx: &mut WorkspaceTx, session_id: Uuid) -> Result<(), StoreError> {
    sqlx::query!("DELETE FROM auth.sessions WHERE id = $1", session_id).execute(tx.connection()).await?;
    Ok(())
}

/// Ends every session of the transaction's person; how many that were.
pub async fn end_all_sessions(tx: &mut WorkspaceTx, user_id: Uuid) -> Result<u64, StoreError> {
    let done = sqlx::query!("DELETE FROM auth.sessions WHERE user_id = $1", user_id).execute(tx.connection()).await?;
    Ok(done.rows_affected())
}

/// Ends the sessions of the transaction's person that have expired.
pub async fn end_expired_sessions(tx: &mut WorkspaceTx, user_id: Uuid) -> Result<(), StoreError> {
    let now = tx.now();
    sqlx::query!("DELETE FROM auth.sessions WHERE user_id = $1 AND expires_at <= $2", user_id, now)
        .execute(tx.connection())
        .await?;
    Ok(())
}

/// Counts a try to sign in before the password is looked at, so that tries side by side are counted too. Five are free;
/// each further one doubles the wait, to a quarter of an hour; an hour of peace forgets them. `Err` of the seconds to wait
/// where the tries so far still block.
pub async fn count_sign_in_try(tx: &mut WorkspaceTx, email_hash: &[u8]) -> Result<Result<(), u64>, StoreError> {
    let now = tx.now();
    let counted = sqlx::query!(
        "INSERT INTO auth.sign_in_failures AS f (email_hash, failures, last_failed_at, blocked_until)
         VALUES ($1, 1, $2, $2)
         ON CONFLICT (email_hash) DO UPDATE SET
           failures = CASE WHEN f.last_failed_at < $2 - interval '1 hour' THEN 1 ELSE f.failures + 1 END,
           last_failed_at = $2,
           blocked_until = CASE
             WHEN f.last_failed_at < $2 - interval '1 hour' OR f.failures < 5 THEN $2
             ELSE $2 + make_interval(secs => least(power(2, least(f.failures - 4, 10)), 900)) END
         WHERE f.blocked_until <= $2",
        email_hash,
        now
    )
    .execute(tx.connection())
    .await?;
    if counted.rows_affected() == 1 {
        return Ok(Ok(()));
    }
    let blocked_until =
        sqlx::query_scalar!("SELECT blocked_until FROM auth.sign_in_failures WHERE email_hash = $1", email_hash)
            .fetch_one(tx.connection())
            .await?;
    let wait = u64::try_from((blocked_until - now).num_seconds()).unwrap_or(0) + 1;
    Ok(Err(wait))
}

/// Forgets the tries of somebody who has signed in.
pub async fn forget_sign_in_tries(tx: &mut WorkspaceTx, email_hash: &[u8]) -> Result<(), StoreError> {
    sqlx::query!("DELETE FROM auth.sign_in_failures WHERE email_hash = $1", email_hash)
        .execute(tx.connection())
        .await?;
    Ok(())
}
