//! `/api/crm/sync/logs`: what runs did.

use axum::extract::State;
use axum::http::StatusCode;
use axum::routing::{get, post};
use axum::{Json, Router};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::runs::entity;
use super::{JsonBody, PathPart, QueryString};
use crate::model::{LogDirection, LogStatus};
use crate::service::logs::{self, LogFilter};
use crate::service::paging::PageAsked;
use crate::service::{Services, Viewer};
use crate::view::Problem;
use crate::view::logs::{LogAnswer, LogList};

/// The routes.
pub(super) fn router() -> Router<Services> {
    Router::new()
        .route("/sync/logs", get(list))
        .route("/sync/logs/{id}", get(one))
        .route("/sync/logs/{id}/retry", post(retry))
}

/// Query of the list.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct LogQuery {
    config_id: Option<Uuid>,
    status: Option<LogStatus>,
    entity_type: Option<String>,
    direction: Option<LogDirection>,
    from: Option<String>,
    to: Option<String>,
    limit: Option<i64>,
    offset: Option<i64>,
    cursor: Option<String>,
}

/// Answer of a retry.
#[derive(Debug, Serialize)]
struct RetryAnswer {
    job_id: Uuid,
}

/// No members.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Nothing {}

async fn list(
    State(services): State<Services>,
    viewer: Viewer,
    QueryString(query): QueryString<LogQuery>,
) -> Result<Json<LogList>, Problem> {
    let (from, before) = logs::range(query.from.as_deref(), query.to.as_deref())?;
    let filter = LogFilter {
        config_id: query.config_id,
        status: query.status,
        entity: query.entity_type.as_deref().map(|name| entity("entityType", name)).transpose()?,
        direction: query.direction,
        from,
        before,
    };
    let page = PageAsked { limit: query.limit, offset: query.offset, cursor: query.cursor }.read()?;
    Ok(Json(logs::list(&services, &viewer, &filter, page).await?))
}

async fn one(
    State(services): State<Services>,
    viewer: Viewer,
    PathPart(id): PathPart<Uuid>,
) -> Result<Json<LogAnswer>, Problem> {
    Ok(Json(logs::get(&services, &viewer, id).await?))
}

async fn retry(
    State(services): State<Services>,
    viewer: Viewer,
    PathPart(id): PathPart<Uuid>,
    JsonBody(Nothing {}): JsonBody<Nothing>,
) -> Result<(StatusCode, Json<RetryAnswer>), Problem> {
    let answer = logs::retry(&services, &viewer, id).await?;
    Ok((StatusCode::ACCEPTED, Json(RetryAnswer { job_id: answer.job_id })))
}
