//! Server functions of the logs.

use leptos::prelude::*;
use uuid::Uuid;

use crate::view::Problem;
use crate::view::logs::{LogPage, LogsAsked, LogsPage};

/// The list as its address asks for it.
#[server(prefix = "/fn", endpoint = "load_logs")]
pub async fn load_logs(#[server(default)] asked: LogsAsked) -> Result<LogsPage, Problem> {
    let (services, viewer) = crate::ui::server::caller().await?;
    Ok(crate::service::log_pages::list(&services, &viewer, &asked).await?)
}

/// One log with `most` of its changes.
#[server(prefix = "/fn", endpoint = "load_log")]
pub async fn load_log(id: Uuid, most: i64) -> Result<LogPage, Problem> {
    let (services, viewer) = crate::ui::server::caller().await?;
    Ok(crate::service::log_pages::one(&services, &viewer, id, most).await?)
}

/// Tries the failed records of a log again.
#[server(prefix = "/fn", endpoint = "retry_log")]
pub async fn retry_log(id: Uuid) -> Result<Uuid, Problem> {
    let (services, viewer) = crate::ui::server::caller().await?;
    Ok(crate::service::logs::retry(&services, &viewer, id).await?.job_id)
}
