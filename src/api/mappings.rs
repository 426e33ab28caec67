//! `/api/crm/configs/:id/field-mappings`, field rules, and the fields that a CRM offers.

use axum::extract::State;
use axum::http::StatusCode;
use axum::routing::{get, patch, post, put};
use axum::{Json, Router};
use serde::{Deserialize, Deserializer, Serialize};
use uuid::Uuid;

use super::{JsonBody, PathPart, QueryString};
use crate::model::{Entity, FieldDirection, FieldRule, Provider, ValuePair};
use crate::service::mappings::{self, DraftMapping, MappingPatch, NewMapping};
use crate::service::{ServiceError, Services, Viewer};
use crate::view::Problem;
use crate::view::mappings::{FieldsAnswer, MappingAnswer, MappingsAnswer, Preview, RulesAnswer, SuggestionsAnswer};

pub(super) fn router() -> Router<Services> {
    Router::new()
        .route("/configs/{id}/field-mappings", get(list).post(create))
        .route("/configs/{id}/field-mappings/auto-map", post(auto_map))
        .route("/configs/{id}/field-mappings/preview", post(preview))
        .route("/configs/{id}/field-mappings/{mapping_id}", patch(update).delete(remove))
        .route("/configs/{id}/field-rules", put(set_rule))
        .route("/{provider}/available-fields", get(available_fields))
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct New {
    entity_type: String,
    crm_field: String,
    app_field: String,
    sync_direction: FieldDirection,
    #[serde(default)]
    transform_function: Option<String>,
    #[serde(default)]
    value_map: Option<Vec<ValuePair>>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Change {
    #[serde(default)]
    app_field: Option<String>,
    #[serde(default)]
    sync_direction: Option<FieldDirection>,
    #[serde(default, deserialize_with = "given")]
    transform_function: Option<Option<String>>,
    #[serde(default, deserialize_with = "given")]
    value_map: Option<Option<Vec<ValuePair>>>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct PreviewWish {
    entity_type: String,
    #[serde(default)]
    mappings: Option<Vec<Draft>>,
    #[serde(default)]
    record_id: Option<Uuid>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Draft {
    #[serde(default, rename = "id")]
    _id: Option<Uuid>,
    #[serde(default, rename = "entityType")]
    _entity_type: Option<String>,
    crm_field: String,
    app_field: String,
    #[serde(default)]
    sync_direction: Option<FieldDirection>,
    #[serde(default)]
    transform_function: Option<String>,
    #[serde(default)]
    value_map: Option<Vec<ValuePair>>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct RuleWish {
    entity_type: String,
    app_field: String,
    rule: Option<FieldRule>,
}

/// Which entity's fields; also what auto-map is asked with.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct FieldsWish {
    entity_type: String,
}

/// `{ success: true }`.
#[derive(Debug, Serialize)]
struct Success {
    success: bool,
}

async fn list(
    State(services): State<Services>,
    viewer: Viewer,
    PathPart(id): PathPart<Uuid>,
) -> Result<Json<MappingsAnswer>, Problem> {
    Ok(Json(MappingsAnswer { mappings: mappings::list(&services, &viewer, id).await? }))
}

async fn create(
    State(services): State<Services>,
    viewer: Viewer,
    PathPart(id): PathPart<Uuid>,
    JsonBody(new): JsonBody<New>,
) -> Result<(StatusCode, Json<MappingAnswer>), Problem> {
    let new = NewMapping {
        entity: entity(&new.entity_type)?,
        crm_field: new.crm_field,
        app_field: new.app_field,
        direction: new.sync_direction,
        transform: new.transform_function,
        value_map: new.value_map,
    };
    let mapping = mappings::create(&services, &viewer, id, new).await?;
    Ok((StatusCode::CREATED, Json(MappingAnswer { mapping })))
}

async fn update(
    State(services): State<Services>,
    viewer: Viewer,
    PathPart((id, mapping_id)): PathPart<(Uuid, Uuid)>,
    JsonBody(change): JsonBody<Change>,
) -> Result<Json<MappingAnswer>, Problem> {
    let patch = MappingPatch {
        app_field: change.app_field,
        direction: change.sync_direction,
        transform: change.transform_function,
        value_map: change.value_map,
    };
    let mapping = mappings::update(&services, &viewer, id, mapping_id, patch).await?;
    Ok(Json(MappingAnswer { mapping }))
}

async fn remove(
    State(services): State<Services>,
    viewer: Viewer,
    PathPart((id, mapping_id)): PathPart<(Uuid, Uuid)>,
) -> Result<Json<Success>, Problem> {
    mappings::remove(&services, &viewer, id, mapping_id).await?;
    Ok(Json(Success { success: true }))
}

async fn auto_map(
    State(services): State<Services>,
    viewer: Viewer,
    PathPart(id): PathPart<Uuid>,
    JsonBody(wish): JsonBody<FieldsWish>,
) -> Result<Json<SuggestionsAnswer>, Problem> {
    let entity = entity(&wish.entity_type)?;
    Ok(Json(SuggestionsAnswer { suggestions: mappings::suggestions(&services, &viewer, id, entity).await? }))
}

async fn preview(
    State(services): State<Services>,
    viewer: Viewer,
    PathPart(id): PathPart<Uuid>,
    JsonBody(wish): JsonBody<PreviewWish>,
) -> Result<Json<Preview>, Problem> {
    let entity = entity(&wish.entity_type)?;
    let draft = |draft: Draft| DraftMapping {
        crm_field: draft.crm_field,
        app_field: draft.app_field,
        direction: draft.sync_direction.unwrap_or(FieldDirection::Bidirectional),
        transform: draft.transform_function.filter(|script| !script.trim().is_empty()),
        value_map: draft.value_map.unwrap_or_default(),
    };
    let drafts = wish.mappings.map(|drafts| drafts.into_iter().map(draft).collect());
    Ok(Json(mappings::preview(&services, &viewer, id, entity, drafts, wish.record_id).await?))
}

async fn set_rule(
    State(services): State<Services>,
    viewer: Viewer,
    PathPart(id): PathPart<Uuid>,
    JsonBody(wish): JsonBody<RuleWish>,
) -> Result<Json<RulesAnswer>, Problem> {
    let entity = entity(&wish.entity_type)?;
    let rules = mappings::set_rule(&services, &viewer, id, entity, &wish.app_field, wish.rule).await?;
    Ok(Json(RulesAnswer { rules }))
}

async fn available_fields(
    State(services): State<Services>,
    viewer: Viewer,
    PathPart(provider): PathPart<Provider>,
    QueryString(wish): QueryString<FieldsWish>,
) -> Result<Json<FieldsAnswer>, Problem> {
    let entity = entity(&wish.entity_type)?;
    Ok(Json(mappings::available_fields(&services, &viewer, provider, entity).await?))
}

fn entity(plural: &str) -> Result<Entity, Problem> {
    Entity::from_plural(plural).ok_or_else(|| {
        ServiceError::invalid("entityType", "The entity must be accounts, contacts or opportunities.").into()
    })
}

/// Tells a member that is `null` from one that is not there.
fn given<'de, T: Deserialize<'de>, D: Deserializer<'de>>(reader: D) -> Result<Option<Option<T>>, D::Error> {
    Option::deserialize(reader).map(Some)
}
