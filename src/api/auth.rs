//! `/api/auth`: signing in and out by API.

use axum::Json;
use axum::extract::State;
use axum::http::HeaderName;
use axum::http::header::SET_COOKIE;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::JsonBody;
use crate::service::{Services, Viewer, auth};
use crate::view::Problem;
use crate::view::session::Me;

/// Body of `POST /api/auth/login`.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Login {
    email: String,
    password: String,
}

/// Body of `POST /api/auth/workspace`.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(super) struct WorkspaceChoice {
    workspace_id: Uuid,
}

/// `{ success: true }`.
#[derive(Debug, Serialize)]
pub(super) struct Success {
    success: bool,
}

type WithCookie<T> = ([(HeaderName, String); 1], Json<T>);

/// Begins a session.
pub(super) async fn login(
    State(services): State<Services>,
    JsonBody(login): JsonBody<Login>,
) -> Result<WithCookie<Me>, Problem> {
    let entry = auth::sign_in(&services, &login.email, login.password, false).await?;
    let me = auth::me(&services, &entry.viewer).await?;
    Ok(([(SET_COOKIE, entry.cookie)], Json(me)))
}

/// Ends the session.
pub(super) async fn logout(State(services): State<Services>, viewer: Viewer) -> Result<WithCookie<Success>, Problem> {
    let cookie = auth::sign_out(&services, &viewer).await?;
    Ok(([(SET_COOKIE, cookie)], Json(Success { success: true })))
}

/// Who is signed in, and where.
pub(super) async fn me(State(services): State<Services>, viewer: Viewer) -> Result<Json<Me>, Problem> {
    Ok(Json(auth::me(&services, &viewer).await?))
}

/// Moves the session to another workspace.
pub(super) async fn workspace(
    State(services): State<Services>,
    viewer: Viewer,
    JsonBody(choice): JsonBody<WorkspaceChoice>,
) -> Result<Json<Me>, Problem> {
    Ok(Json(auth::switch_workspace(&services, &viewer, choice.workspace_id).await?))
}
