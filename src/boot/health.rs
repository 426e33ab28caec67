//! The door of the server: up from the first moment, it answers for its health and lets requests through once there is a
//! server behind it.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use axum::Router;
use axum::extract::{Request, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use metrics_exporter_prometheus::PrometheusHandle;
use sqlx::{Connection as _, PgPool};
use tower::ServiceExt as _;

use crate::queue;

/// How long the database may take to answer.
const PATIENCE: Duration = Duration::from_secs(2);

/// The door.
#[derive(Clone)]
pub struct Door {
    pool: PgPool,
    metrics: PrometheusHandle,
    behind: Arc<OnceLock<Router>>,
    draining: Arc<AtomicBool>,
}

impl Door {
    /// A door with nothing behind it yet.
    pub fn new(pool: PgPool, metrics: PrometheusHandle) -> Self {
        Door { pool, metrics, behind: Arc::default(), draining: Arc::default() }
    }

    /// Opens: the database has this version's schema and requests may come in.
    pub fn open(&self, server: Router) {
        // It opens once.
        let _ = self.behind.set(server);
    }

    /// From here on the server is not ready, though it answers what still comes in.
    pub fn drain(&self) {
        self.draining.store(true, Ordering::SeqCst);
    }

    /// What listens.
    pub fn router(self) -> Router {
        Router::new()
            .route("/livez", get(async || "ok"))
            .route("/readyz", get(ready))
            .route("/metrics", get(metrics))
            .fallback(pass)
            .with_state(self)
    }

    async fn refusal(&self) -> Option<&'static str> {
        if self.draining.load(Ordering::SeqCst) {
            return Some("draining");
        }
        if self.behind.get().is_none() {
            return Some("starting: the database is not reached or not migrated yet");
        }
        let asked = tokio::time::timeout(PATIENCE, async { self.pool.acquire().await?.ping().await }).await;
        if matches!(asked, Ok(Ok(()))) { None } else { Some("the database cannot be reached") }
    }
}

async fn ready(State(door): State<Door>) -> Response {
    match door.refusal().await {
        None => "ok".into_response(),
        Some(reason) => (StatusCode::SERVICE_UNAVAILABLE, reason).into_response(),
    }
}

async fn metrics(State(door): State<Door>) -> Response {
    if door.behind.get().is_some()
        && let Ok(Ok(mut connection)) = tokio::time::timeout(PATIENCE, door.pool.acquire()).await
        && let Ok(counts) = queue::count_by_state(&mut connection).await
    {
        for (state, count) in counts {
            metrics::gauge!("crosstie_jobs", "state" => state).set(count as f64);
        }
    }
    door.metrics.render().into_response()
}

async fn pass(State(door): State<Door>, request: Request) -> Response {
    match door.behind.get() {
        // A router's error type has no values.
        Some(server) => match server.clone().oneshot(request).await {
            Ok(response) => response,
            Err(never) => match never {},
        },
        None => {
            let sentence = "Crosstie is starting and waits for its database. Try again in a moment.";
            (StatusCode::SERVICE_UNAVAILABLE, [("retry-after", "2")], sentence).into_response()
        }
    }
}
