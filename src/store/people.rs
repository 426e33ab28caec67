//! Workspaces and the people in them.

use chrono::{DateTime, Utc};
use uuid::Uuid;

use super::{StoreError, WorkspaceTx};
use crate::model::Role;

/// A new person.
#[derive(Debug)]
pub struct NewPerson<'a> {
    /// The person's id.
    pub id: Uuid,
    /// E-mail, lower case.
    pub email: &'a str,
    /// Name for people.
    pub name: &'a str,
    /// Argon2id hash of the password.
    pub password_hash: &'a str,
}

/// Adds the workspace that the transaction works in.
pub async fn add_workspace(tx: &mut WorkspaceTx, name: &str) -> Result<(), StoreError> {
    let (workspace_id, now) = (tx.workspace_id(), tx.now());
    sqlx::query!("INSERT INTO workspaces (id, name, created_at) VALUES ($1, $2, $3)", workspace_id, name, now)
        .execute(tx.connection())
        .await?;
    Ok(())
}

/// Lets one transaction at a time make the first person, until it ends.
pub async fn lock_first_start(tx: &mut WorkspaceTx) -> Result<(), StoreError> {
    // Any number that nothing else locks.
    sqlx::query!("SELECT pg_advisory_xact_lock(4801300000)").execute(tx.connection()).await?;
    Ok(())
}

/// Adds a person.
pub async fn add_person(tx: &mut WorkspaceTx, person: &NewPerson<'_>) -> Result<(), StoreError> {
    let now = tx.now();
    sqlx::query!(
        "INSERT INTO auth.users (id, email, name, password_hash, created_at) VALUES ($1, $2, $3, $4, $5)",
        person.id,
        person.email,
        person.name,
        person.password_hash,
        now
    )
    .execute(tx.connection())
    .await?;
    Ok(())
}

/// Makes a person a member of the transaction's workspace, or gives a member another role.
pub async fn set_role(tx: &mut WorkspaceTx, user_id: Uuid, role: Role) -> Result<(), StoreError> {
    let (workspace_id, now) = (tx.workspace_id(), tx.now());
    sqlx::query!(
        "INSERT INTO workspace_members (workspace_id, user_id, role, created_at) VALUES ($1, $2, $3, $4)
         ON CONFLICT (workspace_id, user_id) DO UPDATE SET role = excluded.role",
        workspace_id,
        user_id,
        role.as_str(),
        now
    )
    .execute(tx.connection())
    .await?;
    Ok(())
}

/// A person of the transaction's workspace.
#[derive(Debug, Clone)]
pub struct StoredMember {
    /// The person.
    pub id: Uuid,
    /// Name for people.
    pub name: String,
    /// E-mail, lower case.
    pub email: String,
    /// Role in the workspace.
    pub role: Role,
    /// Since when.
    pub created_at: DateTime<Utc>,
}

/// Everybody of the transaction's workspace, by name.
pub async fn members(tx: &mut WorkspaceTx) -> Result<Vec<StoredMember>, StoreError> {
    let workspace_id = tx.workspace_id();
    let rows = sqlx::query!(
        "SELECT u.id, u.name, u.email, m.role, m.created_at
         FROM workspace_members m JOIN auth.users u ON u.id = m.user_id
         WHERE m.workspace_id = $1 ORDER BY lower(u.name), u.email",
        workspace_id
    )
    .fetch_all(tx.connection())
    .await?;
    rows.into_iter()
        .map(|row| {
            Ok(StoredMember {
                id: row.id,
                name: row.name,
                email: row.email,
                role: row.role.parse()?,
                created_at: row.created_at,
            })
        })
        .collect()
}

/// The admins of the transaction's workspace, locked until it ends.
pub async fn lock_admins(tx: &mut WorkspaceTx) -> Result<Vec<Uuid>, StoreError> {
    let workspace_id = tx.workspace_id();
    Ok(sqlx::query_scalar!(
        "SELECT user_id FROM workspace_members WHERE workspace_id = $1 AND role = 'admin' ORDER BY user_id FOR UPDATE",
        workspace_id
    )
    .fetch_all(tx.connection())
    .await?)
}
