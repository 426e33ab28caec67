//! What is known about a record beside its own row: its ties to CRM records, the journal, questions, the accounts it names.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use uuid::Uuid;

use super::changes::FieldChange;
use super::links::LinkFailure;
use super::records::contains;
use super::{StoreError, WorkspaceTx};
use crate::model::{
    ChangeAction, ConflictKind, ConflictStatus, Entity, Environment, LinkState, Options, Provider, ResolutionStrategy,
    Side, SyncDirection,
};
use crate::sync::{FieldBase, Value};

/// A record's tie to a CRM record.
#[derive(Debug, Clone)]
pub struct StoredRecordLink {
    /// The app record.
    pub record_id: Uuid,
    /// The connection.
    pub config_id: Uuid,
    /// Its CRM.
    pub provider: Provider,
    /// The CRM record.
    pub crm_record_id: Option<String>,
    /// State of the link.
    pub state: LinkState,
}

/// The ties of these records to CRM records, oldest first.
pub async fn links(
    tx: &mut WorkspaceTx,
    entity: Entity,
    record_ids: &[Uuid],
) -> Result<Vec<StoredRecordLink>, StoreError> {
    let workspace_id = tx.workspace_id();
    let rows = sqlx::query!(
        r#"SELECT l.record_id AS "record_id!", l.config_id, c.crm_provider, l.crm_record_id, l.state
           FROM crm_record_links l JOIN crm_sync_configs c ON c.workspace_id = l.workspace_id AND c.id = l.config_id
           WHERE l.workspace_id = $1 AND l.entity_type = $2 AND l.record_id = ANY ($3)
           ORDER BY l.created_at, l.id"#,
        workspace_id,
        entity.as_str(),
        record_ids
    )
    .fetch_all(tx.connection())
    .await?;
    rows.into_iter()
        .map(|row| {
            Ok(StoredRecordLink {
                record_id: row.record_id,
                config_id: row.config_id,
                provider: row.crm_provider.parse()?,
                crm_record_id: row.crm_record_id,
                state: row.state.parse()?,
            })
        })
        .collect()
}

/// A tie with everything that a person may want to know about it.
#[derive(Debug, Clone)]
pub struct LinkEvidence {
    /// The connection.
    pub config_id: Uuid,
    /// Its CRM.
    pub provider: Provider,
    /// Which of the CRM's worlds.
    pub environment: Environment,
    /// Whether the CRM record is deleted with this one.
    pub deletes_in_crm: bool,
    /// Address of the CRM's pages.
    pub instance_url: Option<String>,
    /// When the connection last looked.
    pub last_sync_at: Option<DateTime<Utc>>,
    /// The CRM record.
    pub crm_record_id: Option<String>,
    /// State of the link.
    pub state: LinkState,
    /// Both values of each mapping at the last agreement, by app field.
    pub base: BTreeMap<String, FieldBase>,
    /// The CRM's values that are not settled, by app field.
    pub seen: BTreeMap<String, Value>,
    /// Why it could not be written.
    pub failure: Option<LinkFailure>,
    /// When the link was made.
    pub created_at: DateTime<Utc>,
}

/// The ties of one record, those that work first, then the newest.
pub async fn link_evidence(
    tx: &mut WorkspaceTx,
    entity: Entity,
    record_id: Uuid,
) -> Result<Vec<LinkEvidence>, StoreError> {
    let workspace_id = tx.workspace_id();
    let rows = sqlx::query!(
        "SELECT l.config_id, c.crm_provider, c.environment, c.options, c.oauth_instance_url, c.last_sync_at,
                l.crm_record_id, l.state,
                l.base, l.seen, l.failure, l.created_at
         FROM crm_record_links l JOIN crm_sync_configs c ON c.workspace_id = l.workspace_id AND c.id = l.config_id
         WHERE l.workspace_id = $1 AND l.entity_type = $2 AND l.record_id = $3
         ORDER BY l.state NOT IN ('linked', 'creating', 'out_of_scope'), l.created_at DESC, l.id",
        workspace_id,
        entity.as_str(),
        record_id
    )
    .fetch_all(tx.connection())
    .await?;
    rows.into_iter()
        .map(|row| {
            let options: Options = serde_json::from_value(row.options)?;
            Ok(LinkEvidence {
                deletes_in_crm: options.delete_in_crm,
                config_id: row.config_id,
                provider: row.crm_provider.parse()?,
                environment: row.environment.parse()?,
                instance_url: row.oauth_instance_url,
                last_sync_at: row.last_sync_at,
                crm_record_id: row.crm_record_id,
                state: row.state.parse()?,
                base: serde_json::from_value(row.base)?,
                seen: serde_json::from_value(row.seen)?,
                failure: row.failure.map(serde_json::from_value).transpose()?,
                created_at: row.created_at,
            })
        })
        .collect()
}

/// A connection that could take the record over.
#[derive(Debug, Clone)]
pub struct OfferingConnection {
    /// Its CRM.
    pub provider: Provider,
    /// Whether it makes new records in the CRM.
    pub creates: bool,
}

/// The connections that synchronise `entity`.
pub async fn offering_connections(tx: &mut WorkspaceTx, entity: Entity) -> Result<Vec<OfferingConnection>, StoreError> {
    let workspace_id = tx.workspace_id();
    let rows = sqlx::query!(
        "SELECT crm_provider, sync_direction, options FROM crm_sync_configs
         WHERE workspace_id = $1 AND status <> 'disconnected' AND $2 = ANY (sync_entities) ORDER BY created_at",
        workspace_id,
        entity.plural()
    )
    .fetch_all(tx.connection())
    .await?;
    rows.into_iter()
        .map(|row| {
            let options: Options = serde_json::from_value(row.options)?;
            let direction: SyncDirection = row.sync_direction.parse()?;
            Ok(OfferingConnection {
                provider: row.crm_provider.parse()?,
                creates: options.create_missing && direction.pushes(),
            })
        })
        .collect()
}

/// One journal row of a record.
#[derive(Debug, Clone)]
pub struct JournalEntry {
    /// Its log.
    pub log_id: Uuid,
    /// The CRM of its connection.
    pub provider: Provider,
    /// The side written.
    pub side: Side,
    /// What was done.
    pub action: ChangeAction,
    /// `done`, `refused`, or on its way.
    pub state: String,
    /// Fields.
    pub fields: Vec<FieldChange>,
    /// When.
    pub created_at: DateTime<Utc>,
}

/// The newest journal rows of a record that name `app_field`.
pub async fn journal(
    tx: &mut WorkspaceTx,
    entity: Entity,
    record_id: Uuid,
    app_field: &str,
    most: i64,
) -> Result<Vec<JournalEntry>, StoreError> {
    let workspace_id = tx.workspace_id();
    let rows = sqlx::query!(
        "SELECT j.log_id, c.crm_provider, j.side, j.action, j.state, j.fields, j.created_at
         FROM crm_sync_changes j JOIN crm_sync_configs c ON c.workspace_id = j.workspace_id AND c.id = j.config_id
         WHERE j.workspace_id = $1 AND j.record_id = $2 AND j.entity_type = $3
           AND j.fields::jsonb @> jsonb_build_array(jsonb_build_object('appField', $4::text))
         ORDER BY j.id DESC LIMIT $5",
        workspace_id,
        record_id,
        entity.as_str(),
        app_field,
        most
    )
    .fetch_all(tx.connection())
    .await?;
    rows.into_iter()
        .map(|row| {
            Ok(JournalEntry {
                log_id: row.log_id,
                provider: row.crm_provider.parse()?,
                side: row.side.parse()?,
                action: row.action.parse()?,
                state: row.state,
                fields: serde_json::from_value(row.fields)?,
                created_at: row.created_at,
            })
        })
        .collect()
}

/// A question about a record.
#[derive(Debug, Clone)]
pub struct RecordConflict {
    /// The conflict.
    pub id: Uuid,
    /// Its connection.
    pub config_id: Uuid,
    /// What it asks.
    pub kind: ConflictKind,
    /// Fields that it is about.
    pub fields: Vec<String>,
    /// Whether it waits.
    pub status: ConflictStatus,
    /// How it was settled.
    pub strategy: Option<ResolutionStrategy>,
    /// Who settled it.
    pub resolved_by: Option<String>,
    /// When.
    pub resolved_at: Option<DateTime<Utc>>,
}

/// The newest questions about a record.
pub async fn conflicts(
    tx: &mut WorkspaceTx,
    entity: Entity,
    record_id: Uuid,
    most: i64,
) -> Result<Vec<RecordConflict>, StoreError> {
    let workspace_id = tx.workspace_id();
    let rows = sqlx::query!(
        r#"SELECT q.id, q.config_id, q.kind, q.conflicting_fields, q.status, q.resolution_strategy, u.name AS "name?",
                  q.resolved_at
           FROM crm_sync_conflicts q LEFT JOIN auth.users u ON u.id = q.resolved_by
           WHERE q.workspace_id = $1 AND q.entity_type = $2 AND q.entity_id = $3
           ORDER BY q.detected_at DESC, q.id LIMIT $4"#,
        workspace_id,
        entity.as_str(),
        record_id,
        most
    )
    .fetch_all(tx.connection())
    .await?;
    rows.into_iter()
        .map(|row| {
            Ok(RecordConflict {
                id: row.id,
                config_id: row.config_id,
                kind: row.kind.parse()?,
                fields: row.conflicting_fields,
                status: row.status.parse()?,
                strategy: row.resolution_strategy.map(|strategy| strategy.parse()).transpose()?,
                resolved_by: row.name,
                resolved_at: row.resolved_at,
            })
        })
        .collect()
}

/// An account in a choice.
#[derive(Debug, Clone)]
pub struct AccountName {
    /// The account.
    pub id: Uuid,
    /// Its name.
    pub name: String,
    /// Its domain.
    pub domain: Option<String>,
}

/// Names of these accounts, deleted or not.
pub async fn account_names(tx: &mut WorkspaceTx, ids: &[Uuid]) -> Result<Vec<AccountName>, StoreError> {
    let workspace_id = tx.workspace_id();
    Ok(sqlx::query_as!(
        AccountName,
        "SELECT id, name, domain FROM accounts WHERE workspace_id = $1 AND id = ANY ($2)",
        workspace_id,
        ids
    )
    .fetch_all(tx.connection())
    .await?)
}

/// Living accounts whose name or domain contains `text`, by name.
pub async fn search_accounts(tx: &mut WorkspaceTx, text: &str, most: i64) -> Result<Vec<AccountName>, StoreError> {
    let workspace_id = tx.workspace_id();
    let pattern = contains(text);
    Ok(sqlx::query_as!(
        AccountName,
        "SELECT id, name, domain FROM accounts
         WHERE workspace_id = $1 AND deleted_at IS NULL AND (name ILIKE $2 OR domain ILIKE $2)
         ORDER BY lower(name), id LIMIT $3",
        workspace_id,
        pattern,
        most
    )
    .fetch_all(tx.connection())
    .await?)
}

/// Living accounts with exactly this name, but for case and blanks.
pub async fn accounts_named(tx: &mut WorkspaceTx, name: &str, most: i64) -> Result<Vec<AccountName>, StoreError> {
    let workspace_id = tx.workspace_id();
    Ok(sqlx::query_as!(
        AccountName,
        "SELECT id, name, domain FROM accounts
         WHERE workspace_id = $1 AND deleted_at IS NULL AND app.match_name(name) = app.match_name($2) ORDER BY id LIMIT $3",
        workspace_id,
        name,
        most
    )
    .fetch_all(tx.connection())
    .await?)
}
