//! `/api/crm/conflicts`: questions for a person.

use axum::extract::State;
use axum::routing::{get, post};
use axum::{Json, Router};
use serde::Deserialize;
use uuid::Uuid;

use super::runs::entity;
use super::{JsonBody, PathPart, QueryString};
use crate::model::{ConflictStatus, ResolutionStrategy};
use crate::service::conflicts::{self, ConflictFilter};
use crate::service::paging::PageAsked;
use crate::service::settle::{self, Resolution};
use crate::service::{ServiceError, Services, Viewer};
use crate::view::Problem;
use crate::view::conflicts::{ConflictAnswer, ConflictList};

/// The routes.
pub(super) fn router() -> Router<Services> {
    Router::new()
        .route("/conflicts", get(list))
        .route("/conflicts/{id}", get(one))
        .route("/conflicts/{id}/resolve", post(resolve))
        .route("/conflicts/{id}/ignore", post(ignore))
}

/// Query of the list.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct ConflictQuery {
    config_id: Option<Uuid>,
    status: Option<ConflictStatus>,
    entity_type: Option<String>,
    limit: Option<i64>,
    offset: Option<i64>,
    cursor: Option<String>,
}

/// Body of a resolution.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Resolve {
    strategy: ResolutionStrategy,
    merged_data: Option<serde_json::Map<String, serde_json::Value>>,
    version: Option<i32>,
    always: Option<bool>,
}

/// Body of an ignore.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Ignore {
    version: Option<i32>,
}

async fn list(
    State(services): State<Services>,
    viewer: Viewer,
    QueryString(query): QueryString<ConflictQuery>,
) -> Result<Json<ConflictList>, Problem> {
    let filter = ConflictFilter {
        config_id: query.config_id,
        status: query.status,
        entity: query.entity_type.as_deref().map(|name| entity("entityType", name)).transpose()?,
        record_id: None,
    };
    let page = PageAsked { limit: query.limit, offset: query.offset, cursor: query.cursor }.read()?;
    Ok(Json(conflicts::list(&services, &viewer, &filter, page).await?))
}

async fn one(
    State(services): State<Services>,
    viewer: Viewer,
    PathPart(id): PathPart<Uuid>,
) -> Result<Json<ConflictAnswer>, Problem> {
    Ok(Json(conflicts::get(&services, &viewer, id).await?))
}

async fn resolve(
    State(services): State<Services>,
    viewer: Viewer,
    PathPart(id): PathPart<Uuid>,
    JsonBody(body): JsonBody<Resolve>,
) -> Result<Json<ConflictAnswer>, Problem> {
    if matches!(body.strategy, ResolutionStrategy::Rule | ResolutionStrategy::Converged) {
        let message = "A person decides by use_app, use_crm or manual. Give one of them.";
        return Err(ServiceError::invalid("strategy", message).into());
    }
    let resolution = Resolution {
        strategy: body.strategy,
        merged: body.merged_data.unwrap_or_default(),
        version: body.version,
        always: body.always.unwrap_or(false),
        confirmed: None,
    };
    Ok(Json(settle::resolve(&services, &viewer, id, &resolution).await?))
}

async fn ignore(
    State(services): State<Services>,
    viewer: Viewer,
    PathPart(id): PathPart<Uuid>,
    JsonBody(body): JsonBody<Ignore>,
) -> Result<Json<ConflictAnswer>, Problem> {
    Ok(Json(settle::ignore(&services, &viewer, id, body.version).await?))
}
