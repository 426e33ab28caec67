//! Setting up workspaces and the people in them, as the system.

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
