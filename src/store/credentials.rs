//! Sealed tokens of a connection. What is inside is known to `engine::tokens` only.

use chrono::{DateTime, Utc};
use uuid::Uuid;

use super::{StoreError, WorkspaceTx};
use crate::model::{ConnectionStatus, Environment, Provider};

/// A connection's credentials as stored.
#[derive(Debug, Clone)]
pub struct StoredCredentials {
    /// Which CRM.
    pub provider: Provider,
    /// Which of its worlds.
    pub environment: Environment,
    /// State of the connection.
    pub status: ConnectionStatus,
    /// Host that the sign-in took place at.
    pub login_url: String,
    /// The sealed tokens; `None` after a disconnect.
    pub sealed: Option<Vec<u8>>,
    /// When they were last written.
    pub updated_at: Option<DateTime<Utc>>,
}

/// Loads a connection's credentials; `lock` keeps them until the transaction ends.
pub async fn load(tx: &mut WorkspaceTx, config_id: Uuid) -> Result<Option<StoredCredentials>, StoreError> {
    let workspace_id = tx.workspace_id();
    let row = sqlx::query!(
        r#"SELECT c.crm_provider, c.environment, c.status, c.oauth_login_url, s.sealed AS "sealed?", s.updated_at AS "updated_at?"
           FROM crm_sync_configs c LEFT JOIN vault.secrets s
             ON s.workspace_id = c.workspace_id AND s.id = c.credentials_vault_id
           WHERE c.workspace_id = $1 AND c.id = $2"#,
        workspace_id,
        config_id
    )
    .fetch_optional(tx.connection())
    .await?;
    row.map(|row| {
        Ok(StoredCredentials {
            provider: row.crm_provider.parse()?,
            environment: row.environment.parse()?,
            status: row.status.parse()?,
            login_url: row.oauth_login_url,
            sealed: row.sealed,
            updated_at: row.updated_at,
        })
    })
    .transpose()
}

/// Stores sealed tokens for a connection, in place of former ones. A refresh that ends after its connection was
/// disconnected stores nothing.
pub async fn store(
    tx: &mut WorkspaceTx,
    config_id: Uuid,
    secret_id: Uuid,
    sealed: &[u8],
    instance_url: &str,
) -> Result<(), StoreError> {
    let (workspace_id, now) = (tx.workspace_id(), tx.now());
    let row = sqlx::query!(
        "SELECT credentials_vault_id, status FROM crm_sync_configs WHERE workspace_id = $1 AND id = $2 FOR NO KEY UPDATE",
        workspace_id,
        config_id
    )
    .fetch_optional(tx.connection())
    .await?;
    let Some(row) = row.filter(|row| row.status != ConnectionStatus::Disconnected.as_str()) else { return Ok(()) };
    let secret_id = row.credentials_vault_id.unwrap_or(secret_id);
    sqlx::query!(
        "INSERT INTO vault.secrets (workspace_id, id, purpose, sealed, created_at, updated_at)
         VALUES ($1, $2, 'oauth_tokens', $3, $4, $4)
         ON CONFLICT (workspace_id, id) DO UPDATE SET sealed = $3, updated_at = $4",
        workspace_id,
        secret_id,
        sealed,
        now
    )
    .execute(tx.connection())
    .await?;
    sqlx::query!(
        "UPDATE crm_sync_configs SET credentials_vault_id = $3, oauth_instance_url = $4 WHERE workspace_id = $1 AND id = $2",
        workspace_id,
        config_id,
        secret_id,
        instance_url
    )
    .execute(tx.connection())
    .await?;
    Ok(())
}

/// Takes the right to refresh the tokens for `seconds`, unless another process has it. Single-flight over all replicas.
pub async fn take_refresh_turn(
    tx: &mut WorkspaceTx,
    config_id: Uuid,
    until: DateTime<Utc>,
) -> Result<bool, StoreError> {
    let (workspace_id, now) = (tx.workspace_id(), tx.now());
    let taken = sqlx::query!(
        "UPDATE crm_sync_configs SET refreshing_until = $3
         WHERE workspace_id = $1 AND id = $2 AND (refreshing_until IS NULL OR refreshing_until < $4)",
        workspace_id,
        config_id,
        until,
        now
    )
    .execute(tx.connection())
    .await?
    .rows_affected();
    Ok(taken == 1)
}

/// Gives the right to refresh back.
pub async fn end_refresh_turn(tx: &mut WorkspaceTx, config_id: Uuid) -> Result<(), StoreError> {
    let workspace_id = tx.workspace_id();
    sqlx::query!(
        "UPDATE crm_sync_configs SET refreshing_until = NULL WHERE workspace_id = $1 AND id = $2",
        workspace_id,
        config_id
    )
    .execute(tx.connection())
    .await?;
    Ok(())
}

/// Sends the simulated connections of a CRM to another login host; returns those that were elsewhere.
pub async fn move_simulated(
    tx: &mut WorkspaceTx,
    provider: Provider,
    login_url: &str,
) -> Result<Vec<Uuid>, StoreError> {
    let workspace_id = tx.workspace_id();
    Ok(sqlx::query_scalar!(
        "UPDATE crm_sync_configs SET oauth_login_url = $3
         WHERE workspace_id = $1 AND crm_provider = $2 AND environment = 'simulator' AND oauth_login_url <> $3
         RETURNING id",
        workspace_id,
        provider.as_str(),
        login_url
    )
    .fetch_all(tx.connection())
    .await?)
}
