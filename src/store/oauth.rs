//! Sign-ins to a CRM under way, and what a finished one leaves on its connection.
//!
//! A state itself is never stored, only its SHA-256; its PKCE verifier is sealed. Each is good once.

use chrono::{DateTime, Utc};
use uuid::Uuid;

use super::{StoreError, WorkspaceTx, file_ties};
use crate::model::{Entity, Environment, Provider};
use crate::sync::default_mappings;

/// A sign-in to begin.
#[derive(Debug)]
pub struct NewState<'a> {
    /// Its id.
    pub id: Uuid,
    /// SHA-256 of the state.
    pub hash: &'a [u8],
    /// The person who begins it; nobody else may end it.
    pub user_id: Uuid,
    /// Which CRM.
    pub provider: Provider,
    /// Which of its worlds.
    pub environment: Environment,
    /// Host of the sign-in.
    pub login_url: &'a str,
    /// The sealed PKCE verifier.
    pub sealed_verifier: &'a [u8],
    /// The person agreed to close every link of a former org.
    pub start_afresh: bool,
    /// Not good after.
    pub expires_at: DateTime<Utc>,
}

/// Whom a state belongs to.
#[derive(Debug, Clone, Copy)]
pub struct StateOwner {
    /// The state.
    pub id: Uuid,
    /// The person.
    pub user_id: Uuid,
    /// The workspace.
    pub workspace_id: Uuid,
}

/// A state that has just been used up.
#[derive(Debug, Clone)]
pub struct UsedState {
    /// Which CRM.
    pub provider: Provider,
    /// Which of its worlds.
    pub environment: Environment,
    /// Host of the sign-in.
    pub login_url: String,
    /// The sealed PKCE verifier.
    pub sealed_verifier: Vec<u8>,
    /// The person agreed to close every link of a former org.
    pub start_afresh: bool,
    /// Not good after.
    pub expires_at: DateTime<Utc>,
}

/// Notes a sign-in that begins, and forgets those of the workspace that ended a day ago.
pub async fn add_state(tx: &mut WorkspaceTx, state: &NewState<'_>) -> Result<(), StoreError> {
    let (workspace_id, now) = (tx.workspace_id(), tx.now());
    sqlx::query!(
        "DELETE FROM crm_oauth_states WHERE workspace_id = $1 AND expires_at < $2::timestamptz - interval '1 day'",
        workspace_id,
        now
    )
    .execute(tx.connection())
    .await?;
    sqlx::query!(
        "INSERT INTO crm_oauth_states (workspace_id, id, state_hash, user_id, crm_provider, environment, login_url,
           sealed_verifier, start_afresh, created_at, expires_at)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11)",
        workspace_id,
        state.id,
        state.hash,
        state.user_id,
        state.provider.as_str(),
        state.environment.as_str(),
        state.login_url,
        state.sealed_verifier,
        state.start_afresh,
        now,
        state.expires_at
    )
    .execute(tx.connection())
    .await?;
    Ok(())
}

/// Whom the state with this hash belongs to. Any transaction may ask; it learns ids only.
pub async fn state_owner(tx: &mut WorkspaceTx, hash: &[u8]) -> Result<Option<StateOwner>, StoreError> {
    let row = sqlx::query!(
        r#"SELECT state_id AS "id!", user_id AS "user_id!", workspace_id AS "workspace_id!" FROM app.lookup_oauth_state($1)"#,
        hash
    )
    .fetch_optional(tx.connection())
    .await?;
    Ok(row.map(|row| StateOwner { id: row.id, user_id: row.user_id, workspace_id: row.workspace_id }))
}

/// The newest sign-in of a person to a CRM that is still open.
pub async fn open_state(
    tx: &mut WorkspaceTx,
    user_id: Uuid,
    provider: Provider,
    environment: Option<Environment>,
) -> Result<Option<Uuid>, StoreError> {
    let (workspace_id, now) = (tx.workspace_id(), tx.now());
    Ok(sqlx::query_scalar!(
        "SELECT id FROM crm_oauth_states
         WHERE workspace_id = $1 AND user_id = $2 AND crm_provider = $3 AND ($4::text IS NULL OR environment = $4)
           AND used_at IS NULL AND expires_at > $5
         ORDER BY created_at DESC, id LIMIT 1",
        workspace_id,
        user_id,
        provider.as_str(),
        environment.map(Environment::as_str),
        now
    )
    .fetch_optional(tx.connection())
    .await?)
}

/// Uses a state up; `None` where it was used before.
pub async fn use_state(tx: &mut WorkspaceTx, id: Uuid) -> Result<Option<UsedState>, StoreError> {
    let (workspace_id, now) = (tx.workspace_id(), tx.now());
    let row = sqlx::query!(
        "UPDATE crm_oauth_states SET used_at = $3 WHERE workspace_id = $1 AND id = $2 AND used_at IS NULL
         RETURNING crm_provider, environment, login_url, sealed_verifier, start_afresh, expires_at",
        workspace_id,
        id,
        now
    )
    .fetch_optional(tx.connection())
    .await?;
    row.map(|row| {
        Ok(UsedState {
            provider: row.crm_provider.parse()?,
            environment: row.environment.parse()?,
            login_url: row.login_url,
            sealed_verifier: row.sealed_verifier,
            start_afresh: row.start_afresh,
            expires_at: row.expires_at,
        })
    })
    .transpose()
}

/// Who signed in, and where.
#[derive(Debug, Clone)]
pub struct SignedIn<'a> {
    /// Which CRM.
    pub provider: Provider,
    /// Which of its worlds.
    pub environment: Environment,
    /// Host of the sign-in.
    pub login_url: &'a str,
    /// Id of the org or portal.
    pub organization_id: &'a str,
    /// The CRM's id of its user.
    pub user_id: &'a str,
    /// Name of that user.
    pub user_name: &'a str,
    /// E-mail of that user.
    pub user_email: &'a str,
    /// IANA time zone of the account.
    pub time_zone: Option<&'a str>,
}

/// A new connection with the schema's defaults.
pub async fn add_connection(
    tx: &mut WorkspaceTx,
    id: Uuid,
    signed_in: &SignedIn<'_>,
    created_by: Uuid,
) -> Result<(), StoreError> {
    let (workspace_id, now) = (tx.workspace_id(), tx.now());
    sqlx::query!(
        "INSERT INTO crm_sync_configs (workspace_id, id, crm_provider, environment, oauth_login_url, oauth_user_email,
           oauth_user_name, oauth_user_id, organization_id, time_zone, created_by, created_at, updated_at)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $12)",
        workspace_id,
        id,
        signed_in.provider.as_str(),
        signed_in.environment.as_str(),
        signed_in.login_url,
        signed_in.user_email,
        signed_in.user_name,
        signed_in.user_id,
        signed_in.organization_id,
        signed_in.time_zone,
        created_by,
        now
    )
    .execute(tx.connection())
    .await?;
    Ok(())
}

/// Signs a known connection in again. A paused one stays paused. Another user may see other records: then the next run
/// reads each entity in full.
pub async fn reconnect(
    tx: &mut WorkspaceTx,
    config_id: Uuid,
    signed_in: &SignedIn<'_>,
    next_sync_at: Option<DateTime<Utc>>,
) -> Result<(), StoreError> {
    let (workspace_id, now) = (tx.workspace_id(), tx.now());
    sqlx::query!(
        "UPDATE crm_cursors SET covers = NULL WHERE workspace_id = $1 AND config_id = $2
           AND EXISTS (SELECT FROM crm_sync_configs c WHERE c.workspace_id = $1 AND c.id = $2 AND c.oauth_user_id <> $3)",
        workspace_id,
        config_id,
        signed_in.user_id
    )
    .execute(tx.connection())
    .await?;
    sqlx::query!(
        "UPDATE crm_sync_configs SET status = CASE WHEN status = 'paused' THEN 'paused' ELSE 'connected' END,
           is_active = true, environment = $3, oauth_login_url = $4, oauth_user_email = $5, oauth_user_name = $6,
           oauth_user_id = $7, organization_id = $8, time_zone = $9, next_sync_at = $10, refreshing_until = NULL,
           limited_until = NULL, updated_at = $11,
           last_sync_error = CASE WHEN status = 'error' THEN NULL ELSE last_sync_error END
         WHERE workspace_id = $1 AND id = $2",
        workspace_id,
        config_id,
        signed_in.environment.as_str(),
        signed_in.login_url,
        signed_in.user_email,
        signed_in.user_name,
        signed_in.user_id,
        signed_in.organization_id,
        signed_in.time_zone,
        next_sync_at,
        now
    )
    .execute(tx.connection())
    .await?;
    Ok(())
}

/// Closes everything that ties a connection to its former org: links, cursors, what waits, open questions, open runs. Its
/// logs and journal stay, as do mappings and settings; nothing runs by itself before set-up is completed anew.
pub async fn start_afresh(tx: &mut WorkspaceTx, config_id: Uuid) -> Result<(), StoreError> {
    let (workspace_id, now) = (tx.workspace_id(), tx.now());
    file_ties::forget_all(tx, config_id).await?;
    sqlx::query!("DELETE FROM crm_record_links WHERE workspace_id = $1 AND config_id = $2", workspace_id, config_id)
        .execute(tx.connection())
        .await?;
    sqlx::query!("DELETE FROM crm_cursors WHERE workspace_id = $1 AND config_id = $2", workspace_id, config_id)
        .execute(tx.connection())
        .await?;
    sqlx::query!("DELETE FROM crm_descriptions WHERE workspace_id = $1 AND config_id = $2", workspace_id, config_id)
        .execute(tx.connection())
        .await?;
    sqlx::query!(
        "DELETE FROM crm_match_candidates WHERE workspace_id = $1 AND config_id = $2",
        workspace_id,
        config_id
    )
    .execute(tx.connection())
    .await?;
    sqlx::query!("DELETE FROM crm_pending_changes WHERE workspace_id = $1 AND config_id = $2", workspace_id, config_id)
        .execute(tx.connection())
        .await?;
    sqlx::query!(
        "UPDATE crm_sync_conflicts SET status = 'ignored', resolved_at = $3, updated_at = $3, version = version + 1
         WHERE workspace_id = $1 AND config_id = $2 AND status = 'pending'",
        workspace_id,
        config_id,
        now
    )
    .execute(tx.connection())
    .await?;
    // What was under way belongs to the former org, where nobody can look any more.
    let refusal = serde_json::json!({
        "code": "other_org", "crm_code": "", "fields": [], "retryable": false,
        "message": "The connection moved to another org before the answer came. Look in the former org.",
    });
    sqlx::query!(
        "UPDATE crm_sync_changes SET state = 'refused', refusal = $4, settled_at = $3
         WHERE workspace_id = $1 AND config_id = $2 AND state IN ('intended', 'sent', 'unknown')",
        workspace_id,
        config_id,
        now,
        refusal
    )
    .execute(tx.connection())
    .await?;
    close_runs(tx, config_id).await?;
    sqlx::query!(
        "UPDATE crm_sync_configs SET setup_completed_at = NULL, next_sync_at = NULL, last_sync_at = NULL,
           last_sync_status = NULL, last_sync_error = NULL
         WHERE workspace_id = $1 AND id = $2",
        workspace_id,
        config_id
    )
    .execute(tx.connection())
    .await?;
    Ok(())
}

/// Ends the connection's open runs at once; a step under way finds the version raised and commits nothing.
async fn close_runs(tx: &mut WorkspaceTx, config_id: Uuid) -> Result<(), StoreError> {
    let (workspace_id, now) = (tx.workspace_id(), tx.now());
    sqlx::query!(
        "WITH closed AS (
           UPDATE crm_sync_runs SET state = 'cancelled', version = version + 1, finished_at = $3
           WHERE workspace_id = $1 AND config_id = $2 AND state IN ('queued', 'running', 'held') RETURNING id)
         UPDATE crm_sync_logs SET status = 'cancelled', completed_at = $3,
           sync_duration_ms = (extract(epoch FROM $3 - started_at) * 1000)::bigint
         WHERE workspace_id = $1 AND status = 'running' AND run_id IN (SELECT id FROM closed)",
        workspace_id,
        config_id,
        now
    )
    .execute(tx.connection())
    .await?;
    Ok(())
}

/// Gives a new connection its default mappings.
pub async fn add_default_mappings(tx: &mut WorkspaceTx, config_id: Uuid, provider: Provider) -> Result<(), StoreError> {
    let (workspace_id, now) = (tx.workspace_id(), tx.now());
    let rows: Vec<serde_json::Value> = Entity::ALL
        .iter()
        .flat_map(|entity| default_mappings(provider, *entity).iter().map(move |mapping| (*entity, mapping)))
        .map(|(entity, mapping)| {
            serde_json::json!({
                "entity_type": entity, "crm_field": mapping.crm_field, "app_field": mapping.app_field,
                "sync_direction": mapping.direction, "transform_function": mapping.transform,
                "value_map": mapping.value_pairs(),
            })
        })
        .collect();
    sqlx::query!(
        "INSERT INTO crm_field_mappings (workspace_id, config_id, entity_type, crm_field, app_field, sync_direction,
           transform_function, value_map, created_at, updated_at)
         SELECT $1, $2, m.entity_type, m.crm_field, m.app_field, m.sync_direction, m.transform_function,
           nullif(m.value_map, 'null'), $4, $4
         FROM jsonb_to_recordset($3) AS m (entity_type text, crm_field text, app_field text, sync_direction text,
           transform_function text, value_map jsonb)",
        workspace_id,
        config_id,
        serde_json::Value::Array(rows),
        now
    )
    .execute(tx.connection())
    .await?;
    Ok(())
}

/// Notes how many records of an entity the CRM has, beside its description.
pub async fn note_count(tx: &mut WorkspaceTx, config_id: Uuid, entity: Entity, count: i64) -> Result<(), StoreError> {
    let workspace_id = tx.workspace_id();
    sqlx::query!(
        "UPDATE crm_descriptions SET record_count = $4 WHERE workspace_id = $1 AND config_id = $2 AND entity_type = $3",
        workspace_id,
        config_id,
        entity.as_str(),
        count
    )
    .execute(tx.connection())
    .await?;
    Ok(())
}

/// Ends a connection: its tokens are erased, everything else stays.
pub async fn disconnect(tx: &mut WorkspaceTx, config_id: Uuid) -> Result<(), StoreError> {
    let (workspace_id, now) = (tx.workspace_id(), tx.now());
    let secret = sqlx::query_scalar!(
        "SELECT credentials_vault_id FROM crm_sync_configs WHERE workspace_id = $1 AND id = $2 FOR NO KEY UPDATE",
        workspace_id,
        config_id
    )
    .fetch_optional(tx.connection())
    .await?
    .flatten();
    sqlx::query!(
        "UPDATE crm_sync_configs SET status = 'disconnected', is_active = false, credentials_vault_id = NULL,
           next_sync_at = NULL, refreshing_until = NULL, updated_at = $3
         WHERE workspace_id = $1 AND id = $2",
        workspace_id,
        config_id,
        now
    )
    .execute(tx.connection())
    .await?;
    sqlx::query!("DELETE FROM vault.secrets WHERE workspace_id = $1 AND id = $2", workspace_id, secret)
        .execute(tx.connection())
        .await?;
    Ok(())
}
