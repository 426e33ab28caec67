//! `/api/crm/sync/trigger` and `/sync/jobs`: runs on request. The API calls a run a job.

use axum::extract::State;
use axum::http::StatusCode;
use axum::routing::{get, post};
use axum::{Json, Router};
use serde::Deserialize;
use uuid::Uuid;

use super::{JsonBody, PathPart};
use crate::model::{Entity, SyncDirection};
use crate::service::{ServiceError, Services, Viewer, runs};
use crate::view::Problem;
use crate::view::runs::{JobAnswer, TriggerAnswer};

/// The routes.
pub(super) fn router() -> Router<Services> {
    Router::new()
        .route("/sync/trigger", post(trigger))
        .route("/sync/jobs/{job_id}", get(job))
        .route("/sync/jobs/{job_id}/cancel", post(cancel))
        .route("/sync/jobs/{job_id}/approve", post(approve))
        .route("/sync/jobs/{job_id}/reject", post(reject))
}

/// Body of `POST /sync/trigger`.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Trigger {
    config_id: Uuid,
    sync_direction: Option<SyncDirection>,
    entity_types: Option<Vec<String>>,
    /// Both sides are compared in full, whatever was read before.
    compare: Option<bool>,
}

/// No members.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Nothing {}

async fn trigger(
    State(services): State<Services>,
    viewer: Viewer,
    JsonBody(body): JsonBody<Trigger>,
) -> Result<(StatusCode, Json<TriggerAnswer>), Problem> {
    let entities = body.entity_types.map(|names| entities(&names)).transpose()?;
    let answer =
        runs::trigger(&services, &viewer, body.config_id, body.sync_direction, entities, body.compare == Some(true))
            .await?;
    Ok((StatusCode::ACCEPTED, Json(answer)))
}

fn entities(names: &[String]) -> Result<Vec<Entity>, ServiceError> {
    names.iter().map(|name| entity("entityTypes", name)).collect()
}

/// An entity by the name that the API gives it.
pub(super) fn entity(member: &str, name: &str) -> Result<Entity, ServiceError> {
    Entity::from_plural(name).ok_or_else(|| {
        ServiceError::invalid(member, "There is no such entity. Name accounts, contacts or opportunities.")
    })
}

async fn job(
    State(services): State<Services>,
    viewer: Viewer,
    PathPart(job_id): PathPart<Uuid>,
) -> Result<Json<JobAnswer>, Problem> {
    Ok(Json(JobAnswer { job: runs::job(&services, &viewer, job_id).await? }))
}

async fn cancel(
    State(services): State<Services>,
    viewer: Viewer,
    PathPart(job_id): PathPart<Uuid>,
    JsonBody(Nothing {}): JsonBody<Nothing>,
) -> Result<Json<JobAnswer>, Problem> {
    Ok(Json(JobAnswer { job: runs::cancel(&services, &viewer, job_id).await? }))
}

async fn approve(
    State(services): State<Services>,
    viewer: Viewer,
    PathPart(job_id): PathPart<Uuid>,
    JsonBody(Nothing {}): JsonBody<Nothing>,
) -> Result<Json<JobAnswer>, Problem> {
    Ok(Json(JobAnswer { job: runs::approve(&services, &viewer, job_id).await? }))
}

async fn reject(
    State(services): State<Services>,
    viewer: Viewer,
    PathPart(job_id): PathPart<Uuid>,
    JsonBody(Nothing {}): JsonBody<Nothing>,
) -> Result<Json<JobAnswer>, Problem> {
    Ok(Json(JobAnswer { job: runs::reject(&services, &viewer, job_id).await? }))
}
