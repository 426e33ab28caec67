//! `PATCH /api/crm/configs/:id`: the settings of a connection.

use axum::extract::State;
use axum::routing::patch;
use axum::{Json, Router};
use serde::{Deserialize, Deserializer};
use uuid::Uuid;

use super::{JsonBody, PathPart};
use crate::model::{ConflictPolicy, Schedule, SyncDirection, SyncFrequency};
use crate::service::settings::{self, OptionsPatch, SettingsPatch};
use crate::service::{Services, Viewer};
use crate::view::Problem;
use crate::view::connections::ConfigAnswer;

pub(super) fn router() -> Router<Services> {
    Router::new().route("/configs/{id}", patch(update))
}

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
struct Change {
    sync_direction: Option<SyncDirection>,
    sync_frequency: Option<SyncFrequency>,
    #[serde(deserialize_with = "given")]
    schedule: Option<Option<Schedule>>,
    sync_entities: Option<Vec<String>>,
    #[serde(deserialize_with = "given")]
    sync_rules: Option<Option<serde_json::Value>>,
    conflict_resolution: Option<ConflictPolicy>,
    options: Option<OptionsPatch>,
}

async fn update(
    State(services): State<Services>,
    viewer: Viewer,
    PathPart(id): PathPart<Uuid>,
    JsonBody(change): JsonBody<Change>,
) -> Result<Json<ConfigAnswer>, Problem> {
    let patch = SettingsPatch {
        direction: change.sync_direction,
        frequency: change.sync_frequency,
        schedule: change.schedule,
        entities: change.sync_entities,
        rules: change.sync_rules.map(Option::unwrap_or_default),
        policy: change.conflict_resolution,
        options: change.options.unwrap_or_default(),
    };
    Ok(Json(ConfigAnswer { config: settings::update(&services, &viewer, id, patch).await? }))
}

/// Tells a member that is `null` from one that is not there.
fn given<'de, T: Deserialize<'de>, D: Deserializer<'de>>(reader: D) -> Result<Option<Option<T>>, D::Error> {
    Option::deserialize(reader).map(Some)
}
