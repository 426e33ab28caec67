//! REST and the border of the server: thin axum over `service`.
//!
//! Must not know: SQL, how pages look. Invariant: whatever comes in from another site is refused before anything reads it,
//! and every refusal leaves as a problem with a stable code.

mod auth;
mod conflicts;
mod connections;
mod cross_site;
mod events;
mod extract;
mod files;
mod headers;
mod idempotency;
mod identify;
mod logs;
mod mappings;
mod problem;
mod records;
mod runs;
mod settings;

use axum::Router;
use axum::extract::{OriginalUri, Request};
use axum::middleware;
use axum::routing::{get, post};
use tokio_util::sync::CancellationToken;
use tower_http::compression::CompressionLayer;

use crate::service::Services;
use crate::view::Problem;

pub use extract::{JsonBody, PathPart, QueryString};
pub use identify::{API_KEY_PREFIX, bearer_token};

/// Pages and API behind one border. `stopping` ends the open event streams.
pub fn app_router(services: Services, pages: Router, stopping: CancellationToken) -> Router {
    pages
        .merge(connections::callback_router().with_state(services.clone()))
        .nest("/api", rest(&services, stopping).with_state(services.clone()))
        .layer(middleware::from_fn_with_state(services.clone(), identify::identify))
        .layer(middleware::from_fn_with_state(services.clone(), cross_site::refuse))
        .layer(middleware::from_fn_with_state(services.clone(), headers::secure))
        .layer(CompressionLayer::new())
        .layer(middleware::from_fn_with_state(services, problem::number_request))
}

/// The index of the API.
fn rest(services: &Services, stopping: CancellationToken) -> Router<Services> {
    let answer_once = middleware::from_fn_with_state(services.clone(), idempotency::answer_once);
    let signed_in_only = middleware::from_fn(identify::signed_in_only);
    Router::new()
        .route("/auth/login", post(auth::login))
        .route("/auth/logout", post(auth::logout))
        .route("/auth/me", get(auth::me))
        .route("/auth/workspace", post(auth::workspace))
        .nest("/crm", crm(stopping).route_layer(answer_once).merge(files::router()).route_layer(signed_in_only))
        .fallback(nothing_here)
        .method_not_allowed_fallback(not_this_way)
}

fn crm(stopping: CancellationToken) -> Router<Services> {
    Router::new()
        .merge(conflicts::router())
        .merge(connections::router())
        .merge(events::router(stopping))
        .merge(logs::router())
        .merge(mappings::router())
        .merge(records::router())
        .merge(runs::router())
        .merge(settings::router())
}

async fn nothing_here(OriginalUri(address): OriginalUri) -> Problem {
    Problem::new(404, "not_found", format!("The API has nothing at {}. Check the path.", address.path()))
}

async fn not_this_way(request: Request) -> Problem {
    Problem::new(
        405,
        "method_not_allowed",
        format!("{} is not possible here. Use one of the methods of the answer's Allow header.", request.method()),
    )
}
