//! Runs on request: trigger, follow, cancel, approve, reject.

use chrono::{DateTime, SecondsFormat, Utc};
use uuid::Uuid;

use super::{ServiceError, Services, Viewer};
use crate::engine::jobs;
use crate::model::{Capability, ConnectionStatus, Entity, RunState, RunTrigger, SyncDirection};
use crate::store::runs::{self, RunRequest, StoredRun};
use crate::store::{WorkspaceTx, events, holds, pending, setup};
use crate::view::runs::{Job, JobProgress, TriggerAnswer};

/// Starts a run of a connection as a person asks for it; `compares` reads both sides in full.
pub async fn trigger(
    services: &Services,
    viewer: &Viewer,
    config_id: Uuid,
    direction: Option<SyncDirection>,
    entities: Option<Vec<Entity>>,
    compares: bool,
) -> Result<TriggerAnswer, ServiceError> {
    viewer.require(Capability::RunSync)?;
    let mut tx = services.begin(viewer).await?;
    let connection =
        setup::connection(&mut tx, config_id).await?.ok_or_else(|| ServiceError::not_found("connection"))?;
    if connection.status != ConnectionStatus::Connected {
        return Err(not_ready(connection.status));
    }
    let entities = entities.unwrap_or_else(|| connection.entities.clone());
    if entities.is_empty() || entities.iter().any(|entity| !connection.entities.contains(entity)) {
        return Err(ServiceError::invalid(
            "entityTypes",
            "This connection does not synchronise that entity. Name some of those it does, or switch it on in Settings.",
        ));
    }
    let direction = direction.unwrap_or(connection.direction);
    let mut estimated = 0;
    for entity in &entities {
        estimated += pending::count(&mut tx, config_id, *entity).await?;
    }
    let request = RunRequest {
        trigger: RunTrigger::Manual,
        direction,
        entities: &entities,
        compares,
        requested_by: Some(viewer.user_id),
    };
    let job_id = jobs::request_run(&mut tx, config_id, &request).await?;
    events::announce(&mut tx, "run", job_id, config_id).await?;
    tx.commit().await?;
    // What waits in the CRM is known only once it is read.
    let estimated_records = (!direction.pulls()).then_some(estimated);
    Ok(TriggerAnswer { job_id, estimated_records })
}

/// One run.
pub async fn job(services: &Services, viewer: &Viewer, job_id: Uuid) -> Result<Job, ServiceError> {
    let mut tx = services.begin(viewer).await?;
    let job = load(&mut tx, job_id).await?;
    tx.commit().await?;
    Ok(job)
}

/// Asks a run to stop. What is under way is recorded; what is done stays done.
pub async fn cancel(services: &Services, viewer: &Viewer, job_id: Uuid) -> Result<Job, ServiceError> {
    viewer.require(Capability::RunSync)?;
    let mut tx = services.begin(viewer).await?;
    let job = load(&mut tx, job_id).await?;
    if !runs::request_cancel(&mut tx, job_id).await? {
        return Err(ServiceError::state("job_over", "This run is over already. There is nothing to cancel."));
    }
    let now = tx.now();
    crate::queue::hasten(tx.connection(), &job.config_id.to_string(), now).await.map_err(ServiceError::internal)?;
    events::announce(&mut tx, "run", job_id, job.config_id).await?;
    let job = load(&mut tx, job_id).await?;
    tx.commit().await?;
    Ok(job)
}

/// Lets a held run carry out exactly what it was held for.
pub async fn approve(services: &Services, viewer: &Viewer, job_id: Uuid) -> Result<Job, ServiceError> {
    decide(services, viewer, job_id, "approved").await
}

/// Drops what a run was held for; everything else of it stays.
pub async fn reject(services: &Services, viewer: &Viewer, job_id: Uuid) -> Result<Job, ServiceError> {
    decide(services, viewer, job_id, "rejected").await
}

async fn decide(services: &Services, viewer: &Viewer, job_id: Uuid, decision: &str) -> Result<Job, ServiceError> {
    viewer.require(Capability::ManageConnections)?;
    let mut tx = services.begin(viewer).await?;
    let job = load(&mut tx, job_id).await?;
    if !holds::decide(&mut tx, job_id, decision).await? {
        return Err(ServiceError::state("job_not_held", "This run is not held. There is nothing to decide."));
    }
    jobs::enqueue_step(&mut tx, job.config_id, job_id).await?;
    events::announce(&mut tx, "run", job_id, job.config_id).await?;
    let job = load(&mut tx, job_id).await?;
    tx.commit().await?;
    Ok(job)
}

async fn load(tx: &mut WorkspaceTx, job_id: Uuid) -> Result<Job, ServiceError> {
    let run = runs::load(tx, job_id).await?.ok_or_else(|| ServiceError::not_found("job"))?;
    let log_ids = runs::log_ids(tx, job_id).await?;
    Ok(view(run, log_ids))
}

fn view(run: StoredRun, log_ids: Vec<Uuid>) -> Job {
    let shown = shown(&run);
    let progress: JobProgress = if run.state == RunState::Queued {
        JobProgress::default()
    } else {
        // A progress that an older version wrote shows as none.
        serde_json::from_value(run.progress).unwrap_or_default()
    };
    Job {
        id: run.id,
        config_id: run.config_id,
        state: shown.to_string(),
        progress,
        log_ids,
        error: run.error_message,
        created_at: rfc3339(run.created_at),
        started_at: run.started_at.map(rfc3339),
        finished_at: run.finished_at.map(rfc3339),
    }
}

/// A held run that an admin has decided about waits for its turn.
fn shown(run: &StoredRun) -> RunState {
    if run.state == RunState::Held && run.held_decision.is_some() { RunState::Queued } else { run.state }
}

pub(super) fn not_ready(status: ConnectionStatus) -> ServiceError {
    let detail = match status {
        ConnectionStatus::Paused => "The connection is paused. Resume it, then sync.",
        ConnectionStatus::Error => "The connection needs a new sign-in. Press Reconnect, then sync.",
        ConnectionStatus::Disconnected | ConnectionStatus::Connected => {
            "The connection is not signed in. Connect it, then sync."
        }
    };
    ServiceError::state("connection_not_ready", detail)
}

fn rfc3339(instant: DateTime<Utc>) -> String {
    instant.to_rfc3339_opts(SecondsFormat::Millis, true)
}
