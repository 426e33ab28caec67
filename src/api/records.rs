//! `/api/crm/records`: the app's own records.

use axum::extract::State;
use axum::http::StatusCode;
use axum::routing::get;
use axum::{Json, Router};
use chrono::{DateTime, Utc};
use serde::Deserialize;
use serde_json::{Map, Value};
use uuid::Uuid;

use super::{JsonBody, PathPart, QueryString};
use crate::model::Entity;
use crate::service::paging::PageAsked;
use crate::service::records::{self, RecordsAsked};
use crate::service::{ServiceError, Services, Viewer};
use crate::view::Problem;
use crate::view::records::{RecordAnswer, RecordList};

/// The routes of the app's own records.
pub(super) fn router() -> Router<Services> {
    Router::new()
        .route("/records/{entity}", get(list).post(create))
        .route("/records/{entity}/{id}", get(show).patch(change).delete(remove))
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct ListQuery {
    q: Option<String>,
    deleted: Option<String>,
    updated_since: Option<String>,
    limit: Option<i64>,
    offset: Option<i64>,
    cursor: Option<String>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Fields {
    fields: Map<String, Value>,
}

async fn list(
    State(services): State<Services>,
    viewer: Viewer,
    PathPart(entity): PathPart<String>,
    QueryString(query): QueryString<ListQuery>,
) -> Result<Json<RecordList>, Problem> {
    let asked = RecordsAsked {
        with_deleted: with_deleted(query.deleted.as_deref())?,
        updated_since: query.updated_since.as_deref().map(instant).transpose()?,
        q: query.q,
        page: PageAsked { limit: query.limit, offset: query.offset, cursor: query.cursor },
    };
    Ok(Json(records::list(&services, &viewer, entity_of(&entity)?, &asked).await?))
}

async fn create(
    State(services): State<Services>,
    viewer: Viewer,
    PathPart(entity): PathPart<String>,
    JsonBody(body): JsonBody<Fields>,
) -> Result<(StatusCode, Json<RecordAnswer>), Problem> {
    let record = records::create(&services, &viewer, entity_of(&entity)?, &body.fields).await?;
    Ok((StatusCode::CREATED, Json(RecordAnswer { record })))
}

async fn show(
    State(services): State<Services>,
    viewer: Viewer,
    PathPart((entity, id)): PathPart<(String, Uuid)>,
) -> Result<Json<RecordAnswer>, Problem> {
    let record = records::get(&services, &viewer, entity_of(&entity)?, id).await?;
    Ok(Json(RecordAnswer { record }))
}

async fn change(
    State(services): State<Services>,
    viewer: Viewer,
    PathPart((entity, id)): PathPart<(String, Uuid)>,
    JsonBody(body): JsonBody<Fields>,
) -> Result<Json<RecordAnswer>, Problem> {
    let record = records::update(&services, &viewer, entity_of(&entity)?, id, &body.fields).await?;
    Ok(Json(RecordAnswer { record }))
}

async fn remove(
    State(services): State<Services>,
    viewer: Viewer,
    PathPart((entity, id)): PathPart<(String, Uuid)>,
) -> Result<Json<RecordAnswer>, Problem> {
    let record = records::delete(&services, &viewer, entity_of(&entity)?, id).await?;
    Ok(Json(RecordAnswer { record }))
}

/// The entity that a path names.
pub(super) fn entity_of(plural: &str) -> Result<Entity, Problem> {
    Entity::from_plural(plural).ok_or_else(Problem::not_found)
}

fn with_deleted(deleted: Option<&str>) -> Result<bool, ServiceError> {
    match deleted {
        None | Some("" | "exclude") => Ok(false),
        Some("include") => Ok(true),
        Some(_) => Err(ServiceError::invalid("deleted", "The only value of deleted is include.")),
    }
}

fn instant(text: &str) -> Result<DateTime<Utc>, ServiceError> {
    DateTime::parse_from_rfc3339(text)
        .map(|instant| instant.to_utc())
        .map_err(|_| ServiceError::invalid("updatedSince", "Give an instant such as 2026-11-18T11:06:40.004Z."))
}
