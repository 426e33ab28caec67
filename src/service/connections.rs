//! Connections: what is connected, its numbers, pausing, testing, ending. Signing in is in `oauth`.

use std::sync::Arc;

use chrono::{DateTime, Utc};
use uuid::Uuid;

use super::crm_refusal::access_refused;
use super::{ServiceError, Services, Viewer, mappings, oauth};
use crate::connectors::{CallMeter, ConnectorError, EntityDescription, Identity};
use crate::engine::AccessError;
use crate::model::{Capability, ConnectionStatus, Provider};
use crate::queue;
use crate::store::connections::{self, StoredConnection};
use crate::store::{WorkspaceTx, events, oauth as sign_ins, runs, setup};
use crate::sync::next_run;
use crate::view::connections::{
    Config, ConfigDetail, ConnectionStats, ConnectionTest, CrmUser, EntityPermissions, EntityStats, Permissions,
};
use crate::view::instant::rfc3339;

/// Every connection of the workspace, the newest first.
pub async fn list(services: &Services, viewer: &Viewer) -> Result<Vec<Config>, ServiceError> {
    let mut tx = services.begin(viewer).await?;
    let stored = connections::list(&mut tx).await?;
    tx.commit().await?;
    Ok(stored.into_iter().map(config).collect())
}

/// One connection.
pub async fn get(services: &Services, viewer: &Viewer, id: Uuid) -> Result<Config, ServiceError> {
    let mut tx = services.begin(viewer).await?;
    let stored = connections::get(&mut tx, id).await?;
    tx.commit().await?;
    stored.map(config).ok_or_else(not_found)
}

/// The connection to a CRM, a disconnected one included.
pub async fn by_provider(services: &Services, viewer: &Viewer, provider: Provider) -> Result<Config, ServiceError> {
    let mut tx = services.begin(viewer).await?;
    let stored = connections::by_provider(&mut tx, provider).await?;
    tx.commit().await?;
    stored.map(config).ok_or_else(not_found)
}

/// One connection with its mappings and numbers.
pub async fn detail(services: &Services, viewer: &Viewer, id: Uuid) -> Result<ConfigDetail, ServiceError> {
    let mut tx = services.begin(viewer).await?;
    let stored = connections::get(&mut tx, id).await?.ok_or_else(not_found)?;
    let field_mappings = mappings::of_connection(&mut tx, id).await?;
    let stats = count(&mut tx, &stored).await?;
    tx.commit().await?;
    Ok(ConfigDetail { config: config(stored), field_mappings, stats })
}

/// Pauses a connection: from a second later on no call starts, and what is under way is recorded.
pub async fn pause(services: &Services, viewer: &Viewer, id: Uuid) -> Result<Config, ServiceError> {
    viewer.require(Capability::RunSync)?;
    let mut tx = services.begin(viewer).await?;
    let stored = connections::get(&mut tx, id).await?.ok_or_else(not_found)?;
    if !connections::pause(&mut tx, id).await? && stored.status != ConnectionStatus::Paused {
        return Err(not_signed_in(&stored));
    }
    changed(tx, id).await
}

/// Resumes a paused connection: a run that was on goes on, and the schedule counts from now.
pub async fn resume(services: &Services, viewer: &Viewer, id: Uuid) -> Result<Config, ServiceError> {
    viewer.require(Capability::RunSync)?;
    let mut tx = services.begin(viewer).await?;
    let stored = connections::get(&mut tx, id).await?.ok_or_else(not_found)?;
    let now = tx.now();
    let next = stored.setup_completed_at.and_then(|_| {
        let at = next_run(stored.frequency, stored.schedule.as_ref(), now.timestamp_millis())?;
        DateTime::from_timestamp_millis(at)
    });
    if !connections::resume(&mut tx, id, next).await? && stored.status != ConnectionStatus::Connected {
        return Err(not_signed_in(&stored));
    }
    queue::hasten(tx.connection(), &id.to_string(), now).await.map_err(ServiceError::internal)?;
    changed(tx, id).await
}

/// Ends a connection: the grant is revoked at the CRM and the tokens are erased; everything else stays, and connecting the
/// same org goes on from there. A CRM that does not answer keeps nobody from it.
pub async fn disconnect(services: &Services, viewer: &Viewer, provider: Provider) -> Result<(), ServiceError> {
    viewer.require(Capability::ManageConnections)?;
    let mut tx = services.begin(viewer).await?;
    let stored = connections::by_provider(&mut tx, provider).await?.ok_or_else(not_found)?;
    tx.commit().await?;
    if let Ok(token) = services.crm.token_to_revoke(viewer.workspace_id, stored.id).await
        && let Some(connector) = services.crm.connector(provider)
        && let Ok(settings) = services.crm.oauth_settings(provider, &stored.login_url)
    {
        oauth::revoke(connector.as_ref(), &settings, &token).await;
    }
    let mut tx = services.begin(viewer).await?;
    for run_id in connections::open_runs(&mut tx, stored.id).await? {
        runs::request_cancel(&mut tx, run_id).await?;
    }
    sign_ins::disconnect(&mut tx, stored.id).await?;
    let now = tx.now();
    queue::hasten(tx.connection(), &stored.id.to_string(), now).await.map_err(ServiceError::internal)?;
    changed(tx, stored.id).await?;
    tracing::info!(config_id = %stored.id, provider = %provider, "a connection was disconnected");
    Ok(())
}

/// Asks the CRM who is signed in and what may be done, and keeps what it says. Writes nothing there.
pub async fn test(services: &Services, viewer: &Viewer, provider: Provider) -> Result<ConnectionTest, ServiceError> {
    viewer.require(Capability::RunSync)?;
    let mut tx = services.begin(viewer).await?;
    let stored = connections::by_provider(&mut tx, provider).await?;
    tx.commit().await?;
    let Some(stored) = stored else {
        return Ok(failed_test(format!("{} is not connected. Connect it first.", provider.title())));
    };
    match ask(services, viewer.workspace_id, stored.id).await {
        Ok((identity, entities, meter)) => {
            let mut tx = services.begin(viewer).await?;
            oauth::store_descriptions(&mut tx, stored.id, &entities).await?;
            oauth::note_calls(&mut tx, stored.id, &meter).await?;
            tx.commit().await?;
            Ok(passed_test(identity, &entities))
        }
        Err(error) => {
            let needs_sign_in = matches!(error, AccessError::SignInNeeded);
            let problem = access_refused(provider, error);
            if needs_sign_in {
                let mut tx = services.begin(viewer).await?;
                setup::mark_error(&mut tx, stored.id, &problem.detail).await?;
                changed(tx, stored.id).await?;
            }
            Ok(failed_test(problem.detail))
        }
    }
}

type Answers = (Identity, Vec<(EntityDescription, Option<u64>)>, Arc<CallMeter>);

async fn ask(services: &Services, workspace_id: Uuid, config_id: Uuid) -> Result<Answers, AccessError> {
    let mut crm = services.crm.open(workspace_id, config_id).await?;
    let mut identity = crm.connector.identity(&crm.session).await;
    if matches!(identity, Err(ConnectorError::TokenExpired)) {
        crm = services.crm.reopen(workspace_id, config_id, &crm.session).await?;
        identity = crm.connector.identity(&crm.session).await;
    }
    let identity = identity.map_err(refused)?;
    let entities = oauth::describe_all(crm.connector.as_ref(), &crm.session).await.map_err(refused)?;
    Ok((identity, entities, crm.session.meter))
}

fn refused(error: ConnectorError) -> AccessError {
    match error {
        ConnectorError::TokenExpired | ConnectorError::SignIn { .. } => AccessError::SignInNeeded,
        other => AccessError::Crm(other),
    }
}

fn passed_test(identity: Identity, entities: &[(EntityDescription, Option<u64>)]) -> ConnectionTest {
    let mut permissions = Permissions::default();
    for (description, _) in entities {
        *permissions.of_mut(description.entity) = permissions_of(description);
    }
    let user = CrmUser {
        id: identity.user_id,
        name: identity.name,
        email: identity.email,
        organization: identity.organization_id,
    };
    ConnectionTest { connected: true, user: Some(user), permissions: Some(permissions), error: None }
}

fn failed_test(error: String) -> ConnectionTest {
    ConnectionTest { connected: false, user: None, permissions: None, error: Some(error) }
}

/// What the connected user may do with an entity that the CRM described.
pub(super) fn permissions_of(description: &EntityDescription) -> EntityPermissions {
    EntityPermissions {
        read: true,
        create: description.createable,
        update: description.updateable,
        delete: description.deletable,
    }
}

/// The numbers of a stored connection.
pub(super) async fn count(tx: &mut WorkspaceTx, stored: &StoredConnection) -> Result<ConnectionStats, ServiceError> {
    let mut stats = ConnectionStats {
        calls_today: stored.calls_today,
        calls_allowed: stored.org_calls_allowed,
        ..ConnectionStats::default()
    };
    for numbers in connections::numbers(tx, stored.id).await? {
        *stats.of_mut(numbers.entity) = EntityStats {
            linked: numbers.linked,
            failed: numbers.failed,
            conflicts: numbers.conflicts,
            out_of_scope: numbers.out_of_scope,
        };
    }
    Ok(stats)
}

/// Tells the screens, commits, and answers with what is true now.
async fn changed(mut tx: WorkspaceTx, id: Uuid) -> Result<Config, ServiceError> {
    events::announce(&mut tx, "connection", id, id).await?;
    let stored = connections::get(&mut tx, id).await?.ok_or_else(not_found)?;
    tx.commit().await?;
    Ok(config(stored))
}

fn not_found() -> ServiceError {
    ServiceError::not_found("connection")
}

fn not_signed_in(stored: &StoredConnection) -> ServiceError {
    let crm = stored.provider.title();
    ServiceError::state(
        "connection_not_ready",
        format!("{crm} is not signed in, so there is nothing to pause or resume. Reconnect it first."),
    )
}

/// A stored connection as outsiders see it.
pub(super) fn config(stored: StoredConnection) -> Config {
    let is_on = stored.status == ConnectionStatus::Connected;
    let instant = |at: Option<DateTime<Utc>>| at.map(rfc3339);
    Config {
        id: stored.id,
        provider: stored.provider,
        environment: stored.environment,
        status: stored.status,
        sync_direction: stored.direction,
        sync_frequency: stored.frequency,
        schedule: stored.schedule,
        sync_entities: stored.entities.iter().map(|entity| entity.plural().to_owned()).collect(),
        sync_rules: stored.rules,
        conflict_resolution: stored.policy,
        options: stored.options,
        instance_url: stored.instance_url,
        connected_as: stored.user_email,
        last_sync_at: instant(stored.last_sync_at),
        last_sync_status: stored.last_sync_status,
        last_sync_error: stored.last_sync_error,
        next_sync_at: instant(stored.next_sync_at.filter(|_| is_on)),
    }
}
