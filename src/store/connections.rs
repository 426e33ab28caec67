//! Connections as people see them, and what people do with them. What a run must know is in [`super::setup`].

use chrono::{DateTime, Utc};
use uuid::Uuid;

use super::{StoreError, WorkspaceTx};
use crate::model::{
    ConflictPolicy, ConnectionStatus, Entity, Environment, Options, Provider, Schedule, SyncDirection, SyncFrequency,
};

/// A connection as stored, without its tokens.
#[derive(Debug, Clone)]
pub struct StoredConnection {
    /// The connection.
    pub id: Uuid,
    /// Which CRM.
    pub provider: Provider,
    /// Which of the CRM's worlds.
    pub environment: Environment,
    /// Its state.
    pub status: ConnectionStatus,
    /// Host that the sign-in took place at.
    pub login_url: String,
    /// Address of the org.
    pub instance_url: Option<String>,
    /// E-mail of the CRM's user.
    pub user_email: Option<String>,
    /// Id of the org or portal.
    pub organization_id: Option<String>,
    /// Direction.
    pub direction: SyncDirection,
    /// How often it runs by itself.
    pub frequency: SyncFrequency,
    /// When within the hour or day.
    pub schedule: Option<Schedule>,
    /// Entities that it synchronises, in the order in which a run takes them.
    pub entities: Vec<Entity>,
    /// Filters and excluded fields by entity.
    pub rules: Option<serde_json::Value>,
    /// Who wins a conflict.
    pub policy: ConflictPolicy,
    /// Options.
    pub options: Options,
    /// When set-up was completed or the first run began.
    pub setup_completed_at: Option<DateTime<Utc>>,
    /// When the last run ended.
    pub last_sync_at: Option<DateTime<Utc>>,
    /// `success`, `partial` or `failed`.
    pub last_sync_status: Option<String>,
    /// Why it stopped, as a sentence.
    pub last_sync_error: Option<String>,
    /// When it runs next by itself.
    pub next_sync_at: Option<DateTime<Utc>>,
    /// Calls that Crosstie made today.
    pub calls_today: i64,
    /// Calls that the whole org made today, as last heard.
    pub org_calls_used: Option<i64>,
    /// Calls that the org is allowed per day, as last heard.
    pub org_calls_allowed: Option<i64>,
    /// No call before this instant.
    pub limited_until: Option<DateTime<Utc>>,
}

struct Row {
    id: Uuid,
    crm_provider: String,
    environment: String,
    status: String,
    oauth_login_url: String,
    oauth_instance_url: Option<String>,
    oauth_user_email: Option<String>,
    organization_id: Option<String>,
    sync_direction: String,
    sync_frequency: String,
    schedule: Option<serde_json::Value>,
    sync_entities: Vec<String>,
    sync_rules: Option<serde_json::Value>,
    conflict_resolution: String,
    options: serde_json::Value,
    setup_completed_at: Option<DateTime<Utc>>,
    last_sync_at: Option<DateTime<Utc>>,
    last_sync_status: Option<String>,
    last_sync_error: Option<String>,
    next_sync_at: Option<DateTime<Utc>>,
    calls_today: i64,
    org_calls_used: Option<i64>,
    org_calls_allowed: Option<i64>,
    limited_until: Option<DateTime<Utc>>,
}

impl Row {
    fn read(self) -> Result<StoredConnection, StoreError> {
        let entities = Entity::ALL.iter().copied();
        Ok(StoredConnection {
            id: self.id,
            provider: self.crm_provider.parse()?,
            environment: self.environment.parse()?,
            status: self.status.parse()?,
            login_url: self.oauth_login_url,
            instance_url: self.oauth_instance_url,
            user_email: self.oauth_user_email,
            organization_id: self.organization_id,
            direction: self.sync_direction.parse()?,
            frequency: self.sync_frequency.parse()?,
            schedule: self.schedule.map(serde_json::from_value).transpose()?,
            entities: entities.filter(|entity| self.sync_entities.iter().any(|name| name == entity.plural())).collect(),
            rules: self.sync_rules,
            policy: self.conflict_resolution.parse()?,
            options: serde_json::from_value(self.options)?,
            setup_completed_at: self.setup_completed_at,
            last_sync_at: self.last_sync_at,
            last_sync_status: self.last_sync_status,
            last_sync_error: self.last_sync_error,
            next_sync_at: self.next_sync_at,
            calls_today: self.calls_today,
            org_calls_used: self.org_calls_used,
            org_calls_allowed: self.org_calls_allowed,
            limited_until: self.limited_until,
        })
    }
}

/// The workspace's connections, the newest first; narrowed to one id or one CRM where given. One statement, so that every
/// way to a connection sees the same of it.
async fn select(
    tx: &mut WorkspaceTx,
    id: Option<Uuid>,
    provider: Option<Provider>,
) -> Result<Vec<StoredConnection>, StoreError> {
    let (workspace_id, now) = (tx.workspace_id(), tx.now());
    let rows = sqlx::query_as!(
        Row,
        r#"SELECT id, crm_provider, environment, status, oauth_login_url, oauth_instance_url, oauth_user_email,
                organization_id, sync_direction, sync_frequency, schedule, sync_entities, sync_rules, conflict_resolution,
                options, setup_completed_at, last_sync_at, last_sync_status, last_sync_error, next_sync_at,
                CASE WHEN calls_day = $4::date THEN calls_today ELSE 0 END AS "calls_today!",
                CASE WHEN calls_day = $4::date THEN org_calls_used END AS org_calls_used, org_calls_allowed, limited_until
         FROM crm_sync_configs
         WHERE workspace_id = $1 AND ($2::uuid IS NULL OR id = $2) AND ($3::text IS NULL OR crm_provider = $3)
         ORDER BY created_at DESC, id"#,
        workspace_id,
        id,
        provider.map(Provider::as_str),
        now.date_naive()
    )
    .fetch_all(tx.connection())
    .await?;
    rows.into_iter().map(Row::read).collect()
}

/// Every connection of the workspace, the newest first.
pub async fn list(tx: &mut WorkspaceTx) -> Result<Vec<StoredConnection>, StoreError> {
    select(tx, None, None).await
}

/// One connection; `None` where this workspace has none of that id.
pub async fn get(tx: &mut WorkspaceTx, id: Uuid) -> Result<Option<StoredConnection>, StoreError> {
    Ok(select(tx, Some(id), None).await?.pop())
}

/// The connection to a CRM, disconnected ones included; a workspace has one per CRM at the most.
pub async fn by_provider(tx: &mut WorkspaceTx, provider: Provider) -> Result<Option<StoredConnection>, StoreError> {
    Ok(select(tx, None, Some(provider)).await?.pop())
}

/// Links of one state, failures and waiting conflicts of one entity.
#[derive(Debug, Clone, Copy)]
pub struct EntityNumbers {
    /// Which entity.
    pub entity: Entity,
    /// Links whose sides are both there.
    pub linked: i64,
    /// Links whose record could not be written.
    pub failed: i64,
    /// Conflicts that wait.
    pub conflicts: i64,
    /// Links that rest outside the filter.
    pub out_of_scope: i64,
}

/// The numbers of a connection, by entity; an entity without any is left out.
pub async fn numbers(tx: &mut WorkspaceTx, config_id: Uuid) -> Result<Vec<EntityNumbers>, StoreError> {
    let workspace_id = tx.workspace_id();
    let rows = sqlx::query!(
        r#"SELECT entity_type AS "entity_type!", sum(linked)::bigint AS "linked!", sum(failed)::bigint AS "failed!",
                  sum(out_of_scope)::bigint AS "out_of_scope!", sum(conflicts)::bigint AS "conflicts!"
           FROM (
             SELECT entity_type, count(*) FILTER (WHERE state = 'linked') AS linked,
                    count(*) FILTER (WHERE failure IS NOT NULL AND state IN ('linked', 'creating', 'not_visible')) AS failed,
                    count(*) FILTER (WHERE state = 'out_of_scope') AS out_of_scope, 0 AS conflicts
             FROM crm_record_links WHERE workspace_id = $1 AND config_id = $2 GROUP BY entity_type
             UNION ALL
             SELECT entity_type, 0, 0, 0, count(*) FROM crm_sync_conflicts
             WHERE workspace_id = $1 AND config_id = $2 AND status = 'pending' GROUP BY entity_type
           ) counted GROUP BY entity_type"#,
        workspace_id,
        config_id
    )
    .fetch_all(tx.connection())
    .await?;
    rows.into_iter()
        .map(|row| {
            Ok(EntityNumbers {
                entity: row.entity_type.parse()?,
                linked: row.linked,
                failed: row.failed,
                conflicts: row.conflicts,
                out_of_scope: row.out_of_scope,
            })
        })
        .collect()
}

/// Pauses a connected connection: no new call starts. `false` where it is not connected.
pub async fn pause(tx: &mut WorkspaceTx, id: Uuid) -> Result<bool, StoreError> {
    let (workspace_id, now) = (tx.workspace_id(), tx.now());
    let paused = sqlx::query!(
        "UPDATE crm_sync_configs SET status = 'paused', next_sync_at = NULL, updated_at = $3
         WHERE workspace_id = $1 AND id = $2 AND status = 'connected'",
        workspace_id,
        id,
        now
    )
    .execute(tx.connection())
    .await?;
    Ok(paused.rows_affected() == 1)
}

/// Resumes a paused connection. `false` where it is not paused.
pub async fn resume(tx: &mut WorkspaceTx, id: Uuid, next_sync_at: Option<DateTime<Utc>>) -> Result<bool, StoreError> {
    let (workspace_id, now) = (tx.workspace_id(), tx.now());
    let resumed = sqlx::query!(
        "UPDATE crm_sync_configs SET status = 'connected', next_sync_at = $3, updated_at = $4
         WHERE workspace_id = $1 AND id = $2 AND status = 'paused'",
        workspace_id,
        id,
        next_sync_at,
        now
    )
    .execute(tx.connection())
    .await?;
    Ok(resumed.rows_affected() == 1)
}

/// The runs of a connection that are queued, on or held: the one that is on first, held ones last.
pub async fn open_runs(tx: &mut WorkspaceTx, config_id: Uuid) -> Result<Vec<Uuid>, StoreError> {
    let workspace_id = tx.workspace_id();
    Ok(sqlx::query_scalar!(
        "SELECT id FROM crm_sync_runs WHERE workspace_id = $1 AND config_id = $2 AND state IN ('queued', 'running', 'held')
         ORDER BY state = 'held', state = 'queued', created_at",
        workspace_id,
        config_id
    )
    .fetch_all(tx.connection())
    .await?)
}
