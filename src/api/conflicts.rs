//! `/api/crm/conflicts`: questions for a person.

use axum::extract::State;
use axum::routing::get;
use axum::{Json, Router};
use serde::Deserialize;
use uuid::Uuid;

use super::runs::entity;
use super::{PathPart, QueryString};
use crate::model::ConflictStatus;
use crate::service::conflicts::{self, ConflictFilter};
use crate::service::paging::PageAsked;
use crate::service::{Services, Viewer};
use crate::view::Problem;
use crate::view::conflicts::{ConflictAnswer, ConflictList};

/// The routes.
pub(super) fn router() -> Router<Services> {
    Router::new().route("/conflicts", get(list)).route("/conflicts/{id}", get(one))
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
