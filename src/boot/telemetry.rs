//! Logs to standard error, metrics for Prometheus.

use std::sync::Arc;

use axum::extract::{MatchedPath, Request, State};
use axum::middleware::Next;
use axum::response::Response;
use metrics_exporter_prometheus::{PrometheusBuilder, PrometheusHandle};
use tracing_subscriber::EnvFilter;

use crate::clock::Clock;

const FILTER: &str = "info,sqlx=warn,hyper=warn,leptos=warn";

/// Begins the log. `CROSSTIE_LOG` chooses what is logged, `CROSSTIE_LOG_FORMAT=json` writes a JSON object a line.
pub fn begin_log() {
    let filter = std::env::var("CROSSTIE_LOG").ok().and_then(|filter| EnvFilter::try_new(filter).ok());
    let log = tracing_subscriber::fmt()
        .with_env_filter(filter.unwrap_or_else(|| EnvFilter::new(FILTER)))
        .with_writer(std::io::stderr);
    // A second subscriber is refused; the first one stays.
    let _ = match std::env::var("CROSSTIE_LOG_FORMAT").as_deref() {
        Ok("json") => log.json().try_init(),
        _ => log.try_init(),
    };
}

/// Begins to count. `GET /metrics` shows what the handle renders.
pub fn begin_metrics() -> anyhow::Result<PrometheusHandle> {
    let handle = PrometheusBuilder::new().install_recorder()?;
    metrics::describe_counter!("crosstie_requests_total", "Requests answered, by method, route and status.");
    metrics::describe_histogram!(
        "crosstie_request_seconds",
        metrics::Unit::Seconds,
        "Time until a request's answer began, by route."
    );
    metrics::describe_gauge!("crosstie_jobs", "Steps of runs in the queue, by state.");
    metrics::describe_counter!("crosstie_runs_total", "Runs that ended in this process, by state.");
    Ok(handle)
}

/// Counts a request.
pub async fn count_request(State(clock): State<Arc<dyn Clock>>, request: Request, next: Next) -> Response {
    let began = clock.now();
    let method = request.method().to_string();
    let route = request.extensions().get::<MatchedPath>().map_or("other", MatchedPath::as_str).to_owned();
    let response = next.run(request).await;
    let took = clock.now() - began;
    let status = response.status().as_u16().to_string();
    metrics::counter!("crosstie_requests_total", "method" => method, "route" => route.clone(), "status" => status)
        .increment(1);
    metrics::histogram!("crosstie_request_seconds", "route" => route)
        .record(took.num_microseconds().unwrap_or_default() as f64 / 1e6);
    response
}
