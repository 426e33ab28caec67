//! `/api/crm`: connecting, testing, pausing and ending a connection; and the address that a CRM sends browsers back to.

use axum::extract::{Extension, OriginalUri, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Redirect, Response};
use axum::routing::{delete, get, patch, post};
use axum::{Json, Router};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::{JsonBody, PathPart, QueryString};
use crate::model::{Environment, Provider};
use crate::service::oauth::{self, Connected, Wish};
use crate::service::{ServiceError, Services, Viewer, connections};
use crate::view::Problem;
use crate::view::connections::{CallbackAnswer, ConfigAnswer, ConfigDetail, ConfigList, ConnectAnswer, ConnectionTest};

/// The API's routes.
pub(super) fn router() -> Router<Services> {
    Router::new()
        .route("/connect", post(connect))
        .route("/oauth/callback", post(callback))
        .route("/disconnect/{provider}", delete(disconnect))
        .route("/{provider}/test-connection", post(test))
        .route("/configs", get(list))
        .route("/configs/{id}", get(detail))
        .route("/configs/{id}/pause", patch(pause))
        .route("/configs/{id}/resume", patch(resume))
}

/// The address that a CRM sends a browser back to.
pub(super) fn callback_router() -> Router<Services> {
    Router::new().route("/oauth/callback/{provider}", get(come_back))
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Connect {
    provider: Provider,
    environment: Option<Environment>,
    domain: Option<String>,
    auth_code: Option<String>,
    start_afresh: Option<bool>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Callback {
    provider: Provider,
    code: String,
    state: String,
}

#[derive(Debug, Serialize)]
struct Success {
    success: bool,
}

/// What a CRM adds to the address; whatever else it adds is not looked at.
#[derive(Debug, Deserialize)]
struct Answer {
    code: Option<String>,
    state: Option<String>,
    error: Option<String>,
}

async fn connect(
    State(services): State<Services>,
    viewer: Viewer,
    JsonBody(connect): JsonBody<Connect>,
) -> Result<(StatusCode, Json<ConnectAnswer>), Problem> {
    let Connect { provider, environment, domain, auth_code, start_afresh } = connect;
    if let Some(code) = auth_code {
        let ended = oauth::finish_newest(&services, &viewer, provider, environment, &code).await?;
        return Ok((status_of(&ended), Json(ConnectAnswer { config: Some(ended.config), redirect_url: None })));
    }
    let wish = Wish { environment, domain, start_afresh: start_afresh.unwrap_or(false) };
    let url = oauth::begin(&services, &viewer, provider, wish).await?;
    Ok((StatusCode::OK, Json(ConnectAnswer { config: None, redirect_url: Some(url) })))
}

async fn callback(
    State(services): State<Services>,
    viewer: Viewer,
    JsonBody(answer): JsonBody<Callback>,
) -> Result<(StatusCode, Json<CallbackAnswer>), Problem> {
    let ended = oauth::finish(&services, &viewer, answer.provider, &answer.code, &answer.state).await?;
    Ok((status_of(&ended), Json(CallbackAnswer { config: ended.config, success: true })))
}

const fn status_of(ended: &Connected) -> StatusCode {
    if ended.is_new { StatusCode::CREATED } else { StatusCode::OK }
}

async fn disconnect(
    State(services): State<Services>,
    viewer: Viewer,
    PathPart(provider): PathPart<Provider>,
) -> Result<Json<Success>, Problem> {
    connections::disconnect(&services, &viewer, provider).await?;
    Ok(Json(Success { success: true }))
}

async fn test(
    State(services): State<Services>,
    viewer: Viewer,
    PathPart(provider): PathPart<Provider>,
) -> Result<Json<ConnectionTest>, Problem> {
    Ok(Json(connections::test(&services, &viewer, provider).await?))
}

async fn list(State(services): State<Services>, viewer: Viewer) -> Result<Json<ConfigList>, Problem> {
    Ok(Json(ConfigList { configs: connections::list(&services, &viewer).await? }))
}

async fn detail(
    State(services): State<Services>,
    viewer: Viewer,
    PathPart(id): PathPart<Uuid>,
) -> Result<Json<ConfigDetail>, Problem> {
    Ok(Json(connections::detail(&services, &viewer, id).await?))
}

async fn pause(
    State(services): State<Services>,
    viewer: Viewer,
    PathPart(id): PathPart<Uuid>,
) -> Result<Json<ConfigAnswer>, Problem> {
    Ok(Json(ConfigAnswer { config: connections::pause(&services, &viewer, id).await? }))
}

async fn resume(
    State(services): State<Services>,
    viewer: Viewer,
    PathPart(id): PathPart<Uuid>,
) -> Result<Json<ConfigAnswer>, Problem> {
    Ok(Json(ConfigAnswer { config: connections::resume(&services, &viewer, id).await? }))
}

/// Ends the sign-in and sends the browser on: to the next step, or to the page that says in plain words what went wrong.
async fn come_back(
    State(services): State<Services>,
    OriginalUri(address): OriginalUri,
    PathPart(provider): PathPart<Provider>,
    QueryString(answer): QueryString<Answer>,
    viewer: Option<Extension<Viewer>>,
) -> Response {
    let Some(Extension(viewer)) = &viewer else {
        let back = address.path_and_query().map_or("/", |path| path.as_str());
        let next: String = url::form_urlencoded::byte_serialize(back.as_bytes()).collect();
        return Redirect::to(&format!("/sign-in?next={next}")).into_response();
    };
    let state = answer.state.unwrap_or_default();
    let ended = match answer.error {
        Some(error) => Err(oauth::refused(&services, viewer, provider, &state, &error).await),
        None => oauth::finish(&services, viewer, provider, &answer.code.unwrap_or_default(), &state).await,
    };
    match ended {
        Ok(_) => Redirect::to(&format!("/connect/{provider}/configure")).into_response(),
        Err(refusal) => Redirect::to(&problem_address(provider, refusal)).into_response(),
    }
}

fn problem_address(provider: Provider, refusal: ServiceError) -> String {
    let problem = Problem::from(refusal);
    let mut address = format!("/connect/{provider}/authorise?problem={}", problem.code);
    if let Some(incident) = problem.incident {
        address.push_str("&incident=");
        address.push_str(&incident);
    }
    address
}
